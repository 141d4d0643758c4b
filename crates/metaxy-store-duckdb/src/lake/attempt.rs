//! An attempt to attach a lake: which form of its plan is run, and after which.
//!
//! DuckLake compares data paths as texts, takes a relative one from the process's working directory, and makes a lake
//! wherever it finds none. So a lake is first attached as one that exists. It is created only where there is none, and
//! then stores the text of the configuration. A data path that DuckLake takes for another is looked at by the check of
//! the data path, and one that is relative is laid over by the absolute path that it means.

use std::sync::Arc;

use ducklake_sql::{AttachPlan, Catalog, Check, Ident, Lake, Mode, Statement, TableDatabase};

use super::catalog_file::{self, Content};
use super::data_files;
use super::data_path::{self, DataPath};
use super::open::OpenOptions;
use super::store::run_all;
use crate::engine::cause::Operation;
use crate::engine::{Cause, Connection, Error, Kind};

pub(super) struct Attempt<'a> {
    options: &'a OpenOptions,
    connection: &'a Connection,
    home: &'a Ident,
    /// The plan that was run last, and how many of its statements succeeded.
    plan: Arc<AttachPlan>,
    done: usize,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(options: &'a OpenOptions, connection: &'a Connection, home: &'a Ident) -> Self {
        Self { options, connection, home, plan: connection.plan(), done: 0 }
    }

    /// The plan that was run last.
    pub(super) fn plan(&self) -> &AttachPlan {
        &self.plan
    }

    pub(super) fn into_plan(self) -> Arc<AttachPlan> {
        self.plan
    }

    /// The position of the statement that failed.
    pub(super) fn failed(&self) -> usize {
        self.done
    }

    /// Takes back what succeeded.
    pub(super) fn undo(&self) -> Result<(), Error> {
        self.undo_from(0)
    }

    /// Takes back what succeeded from a position on, with the transaction that was begun when the lake became the
    /// current database: none can be detached that it has looked at.
    fn undo_from(&self, start: usize) -> Result<(), Error> {
        let done = self.plan.statements().get(start..self.done).unwrap_or_default();
        if done.iter().any(|statement| matches!(statement, Statement::Use(_))) {
            self.connection.execute("ROLLBACK")?;
        }
        run_all(self.connection, &self.plan.undo(start..self.done, self.home))
    }

    /// Attaches a lake or a database by its plan.
    pub(super) fn attach(&mut self, plan: &Arc<AttachPlan>, tables: &TableDatabase) -> Result<(), Error> {
        let is_attached = plan.statements().iter().any(|statement| matches!(statement, Statement::Attach(_)));
        let lake = tables.lake().filter(|_| is_attached);
        let Some((lake, data_path)) = lake.and_then(|lake| Some((lake, DataPath::of(lake)?))) else {
            return self.run(plan);
        };
        let existing = Arc::new(if data_path.is_relative() { plan.over_stored_data_path() } else { plan.must_exist() });
        let creates = plan.mode() == Mode::Write && lake.creates_if_missing();
        let content = catalog_file::content_of(lake);
        let is_new = creates && matches!(content, Some(Content::Missing | Content::Empty));
        let mut attached = if is_new { Ok(()) } else { self.run(&existing) };
        if is_new || (creates && is_because(&attached, Cause::NoLake)) {
            let new = Arc::new(plan.storing_data_path(data_path.to_store()));
            let attach = new.statements().iter().position(|statement| matches!(statement, Statement::Attach(_)));
            // The storage's secret has to be there for a look at its files.
            self.run_until(&new, attach.unwrap_or_default())?;
            self.refuse_to_create(lake, &data_path, content)?;
            attached = self.run(&new);
            if attached.is_ok() && data_path.is_relative() {
                attached = self.run(&existing);
            }
        }
        if is_because(&attached, Cause::DataPathDiffers) && !lake.overrides_data_path() {
            self.run(&Arc::new(plan.with_stored_data_path()))?;
            if self.stores_relative(&data_path)? {
                self.run(&Arc::new(plan.over_stored_data_path()))?;
            }
            return Ok(());
        }
        attached?;
        if self.plan == existing && !data_path.is_relative() {
            // It says more of the lake, and is undone in the same way.
            self.plan = Arc::clone(plan);
        }
        Ok(())
    }

    /// Refuses to create a lake where it would be beside the tables of others, or hide that a catalog was damaged.
    fn refuse_to_create(&self, lake: &Lake, data_path: &DataPath, content: Option<Content>) -> Result<(), Error> {
        match content {
            Some(Content::Empty) if !lake.asks_to_create() || data_files::are_below(data_path, self.connection) => {
                Err(data_files::emptied(lake, Some(self.connection)))
            }
            Some(Content::Sqlite | Content::DuckDb) if !lake.asks_to_create() => {
                let tables = catalog_file::other_tables(self.connection, lake)?;
                if tables.is_empty() {
                    return Ok(());
                }
                let path = lake.catalog().and_then(Catalog::file).map(ToString::to_string).unwrap_or_default();
                Err(Error::new(Kind::OtherTables { path, tables }))
            }
            _ => Ok(()),
        }
    }

    /// Whether the lake, attached by its stored data path, has stored a relative one that is the configured place.
    fn stores_relative(&self, data_path: &DataPath) -> Result<bool, Error> {
        let check = self.plan.checks().iter().find(|check| matches!(check, Check::DataPath { .. }));
        let stored = check.map(|check| self.connection.text(&check.to_sql())).transpose()?.flatten();
        Ok(stored.is_some_and(|stored| data_path::is_relative(&stored) && data_path.is_stored_as(&stored)))
    }

    /// Runs a plan. What it has in common with the one before it is not run again.
    fn run(&mut self, plan: &Arc<AttachPlan>) -> Result<(), Error> {
        self.run_until(plan, plan.statements().len())
    }

    /// Runs the statements of a plan before a position.
    fn run_until(&mut self, plan: &Arc<AttachPlan>, end: usize) -> Result<(), Error> {
        let same = |(one, other): &(&Statement, &Statement)| one == other;
        let common = self.plan.statements().iter().zip(plan.statements()).take_while(same).count();
        let common = common.min(self.done).min(end);
        self.undo_from(common)?;
        self.plan = Arc::clone(plan);
        let run = self.options.run_statements(self.connection, plan, common..end);
        self.done = run.as_ref().map_or_else(|(failed, _)| *failed, |()| end);
        run.map_err(|(_, error)| error)
    }
}

/// Whether this is why the engine refuses to attach.
fn is_because(attached: &Result<(), Error>, cause: Cause) -> bool {
    attached.as_ref().is_err_and(|error| error.cause_of(Operation::OpenCatalog) == Some(cause))
}
