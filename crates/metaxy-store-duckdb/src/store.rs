//! A store: a DuckDB instance with a lake attached, and others beside it for reading, from opening to closing.
//!
//! A store that exists has passed every check of its plans. One that could not be opened has left nothing behind: no
//! secret, no attached database, no file that was not there. Dropping a store closes it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ducklake_sql::{Check, Extension, Ident, Lake, Mode, Parameter, Plan, Session, Setting, Sql, Statement};
use metaxy_config::{Config, Database, DuckDbStore};

use crate::catalog_file::{self, CatalogFile};
use crate::connection::{Connection, engine_text};
use crate::error::{Error, Kind};
use crate::place;

#[cfg(test)]
mod tests;

/// A lake, attached in a DuckDB instance of its own.
///
/// ```no_run
/// use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Session};
/// use metaxy_store_duckdb::Store;
///
/// let catalog = Catalog::Sqlite(CatalogFile::new("/srv/lake/meta.sqlite")?);
/// let lake = Lake::on(catalog, LocalFolder::new("/srv/lake/data")?).build()?;
///
/// let store = Store::attach(&lake, &Session::default(), Mode::Write)?;
/// store.connection().execute("CREATE TABLE IF NOT EXISTS sample (id VARCHAR)")?;
/// store.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Store {
    /// `None` only once it is closed.
    connection: Option<Connection>,
    plan: Arc<Plan>,
    home: Ident,
    warnings: Vec<String>,
    /// In the order in which they were attached, all before the own one.
    beside: Vec<Beside>,
}

/// The lake of another store, attached beside the own one for reading.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    pub(crate) store: String,
    pub(crate) plan: Arc<Plan>,
    pub(crate) table_prefix: String,
    /// Whether it is read where the own lake lacks a table.
    pub(crate) is_fallback: bool,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("alias", self.plan.alias())
            .field("mode", &self.plan.mode())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store of this name from a configuration.
    ///
    /// In read mode nothing is created, neither a lake nor a file.
    ///
    /// # Errors
    ///
    /// When the store is not configured or its configuration is wrong, an extension is missing, the catalog or the
    /// storage cannot be reached, or the lake is not the one that was configured. Nothing is left behind then.
    pub fn open(config: &Config, name: &str, mode: Mode) -> Result<Self, Error> {
        OpenOptions::default().open(config, name, mode)
    }

    /// Opens a lake that was described without a configuration file, in an in-memory DuckDB.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn attach(lake: &Lake, session: &Session, mode: Mode) -> Result<Self, Error> {
        OpenOptions::default().attach(None, lake, session, mode)
    }

    /// The connection whose current database is the lake.
    ///
    /// # Panics
    ///
    /// Never: only [`close`](Self::close), which takes the store, takes the connection away.
    #[expect(clippy::expect_used, reason = "only `close`, which consumes the store, leaves `None`")]
    pub fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("a store that is not closed has a connection")
    }

    /// The lakes attached beside it, fallback stores in the order in which they are asked.
    pub(crate) fn beside(&self) -> &[Beside] {
        &self.beside
    }

    /// The names of the stores that are read where this one lacks a table, in the order in which they are asked.
    pub fn fallback_stores(&self) -> impl Iterator<Item = &str> {
        self.beside.iter().filter(|beside| beside.is_fallback).map(|beside| beside.store.as_str())
    }

    /// The plan that was run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is no reason to refuse the lake, but to be careful with it: a data path over the stored one, or a stored one
    /// that makes DuckLake take live files for orphans.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Lets the lake go: makes the instance's own database current, detaches the lake, drops the secrets.
    ///
    /// # Errors
    ///
    /// When DuckDB cannot detach, for example because a query is still running. Dropping a store does the same and
    /// reports nothing.
    pub fn close(mut self) -> Result<(), Error> {
        self.shut()
    }

    fn shut(&mut self) -> Result<(), Error> {
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        let undo = |plan: &Plan| run_all(&connection, &plan.undo(0..plan.statements().len(), &self.home));
        let undone = undo(&self.plan);
        let undone = self.beside.iter().rev().fold(undone, |undone, beside| undone.and(undo(&beside.plan)));
        connection.close().and(undone)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A drop cannot report; whoever wants to know calls `close`.
        drop(self.shut());
    }
}

/// How to open a store, beyond its configuration.
///
/// ```no_run
/// use ducklake_sql::Mode;
/// use metaxy_config::Config;
/// use metaxy_store_duckdb::OpenOptions;
///
/// # fn open(config: &Config) -> Result<(), metaxy_store_duckdb::Error> {
/// let store = OpenOptions::default().install_extensions(false).open(config, "dev", Mode::Read)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct OpenOptions {
    install: bool,
    fallbacks: bool,
    beside: Vec<String>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { install: true, fallbacks: true, beside: Vec::new() }
    }
}

impl OpenOptions {
    /// Whether an extension that cannot be loaded is installed from its repository; true unless set.
    pub fn install_extensions(mut self, install: bool) -> Self {
        self.install = install;
        self
    }

    /// Whether the lakes of the configured fallback stores are attached too; true unless set.
    ///
    /// Without them, every table is looked for in the store itself.
    pub fn fallback_stores(mut self, attach: bool) -> Self {
        self.fallbacks = attach;
        self
    }

    /// Attaches the lake of another configured store too, for reading: to copy from it.
    ///
    /// It gets an alias of its own, and its secrets names of their own, so nothing collides. Where both stores make a
    /// setting, that of the opened one holds.
    pub fn beside(mut self, store: impl Into<String>) -> Self {
        self.beside.push(store.into());
        self
    }

    /// Opens the store of this name from a configuration, see [`Store::open`].
    ///
    /// # Errors
    ///
    /// As for [`Store::open`]; and when a fallback store, or one that is to be attached beside it, cannot be read.
    pub fn open(&self, config: &Config, name: &str, mode: Mode) -> Result<Store, Error> {
        let store = config.store(name)?;
        let lake = lake_of(store)?;
        let database = match &store.database {
            Database::File(path) => Some(path.as_path()),
            _ => None,
        };
        let neighbours = self.neighbours(config, store)?;
        self.attach_all(database, lake, &store.session, &neighbours, mode)
    }

    /// The stores to attach beside one: its fallback stores, each before its own ones, and those that were asked for.
    fn neighbours(&self, config: &Config, store: &DuckDbStore) -> Result<Vec<Neighbour>, Error> {
        let mut neighbours: Vec<Neighbour> = Vec::new();
        let wanted = |names: &[String], is_fallback| {
            names.iter().rev().map(|name| (name.clone(), is_fallback)).collect::<Vec<_>>()
        };
        // The next one is the last.
        let mut waiting = wanted(&self.beside, false);
        if self.fallbacks {
            waiting.extend(wanted(&store.fallback_stores, true));
        }
        while let Some((name, is_fallback)) = waiting.pop() {
            if name == store.name || neighbours.iter().any(|known| known.store == name) {
                continue;
            }
            let failed = |error: Error| Error::new(Kind::Beside { store: name.clone(), error });
            let other = config.store(&name).map_err(|error| failed(error.into()))?;
            neighbours.push(Neighbour {
                store: name.clone(),
                lake: lake_of(other).map_err(failed)?.beside(&name),
                session: session_beside(&store.session, &neighbours, &other.session),
                table_prefix: other.table_prefix.clone(),
                is_fallback,
            });
            if is_fallback {
                waiting.extend(wanted(&other.fallback_stores, true));
            }
        }
        Ok(neighbours)
    }

    /// Opens a lake in a DuckDB database file, or in memory, see [`Store::attach`].
    ///
    /// The lake's own data never is in that file; other tables of one's own may be. In read mode a file that does not
    /// exist is not created: the instance is in memory then.
    ///
    /// # Errors
    ///
    /// As for [`Store::open`].
    pub fn attach(&self, database: Option<&Path>, lake: &Lake, session: &Session, mode: Mode) -> Result<Store, Error> {
        self.attach_all(database, lake, session, &[], mode)
    }

    fn attach_all(
        &self,
        database: Option<&Path>,
        lake: &Lake,
        session: &Session,
        neighbours: &[Neighbour],
        mode: Mode,
    ) -> Result<Store, Error> {
        if mode == Mode::Write && lake.is_read_only() {
            return Err(Error::new(Kind::ReadOnlyLake));
        }
        let plan = lake.plan(session, mode);
        let creates = mode == Mode::Write && lake.creates_if_missing();
        let file = lake.catalog().map_or(Ok(None), |catalog| CatalogFile::prepare(catalog, creates))?;
        let new_database = database.filter(|file| !file.exists());
        match self.run(database, lake, plan, neighbours, mode) {
            Ok(store) => Ok(store),
            Err(error) => {
                if let Some(file) = file {
                    file.restore();
                }
                if let Some(file) = new_database {
                    catalog_file::remove_without_content(file);
                }
                Err(error)
            }
        }
    }

    fn run(
        &self,
        database: Option<&Path>,
        lake: &Lake,
        plan: Plan,
        neighbours: &[Neighbour],
        mode: Mode,
    ) -> Result<Store, Error> {
        let plans = neighbours.iter().map(|neighbour| neighbour.lake.plan(&neighbour.session, Mode::Read));
        let (plan, plans) = one_after_another(plan, plans.collect());
        let mut settings = plan.settings_at_open().to_vec();
        for setting in plans.iter().flat_map(Plan::settings_at_open) {
            if !settings.iter().any(|one| same_name(one, setting)) {
                settings.push(setting.clone());
            }
        }
        let instance = open_instance(database, &settings, mode)?;
        let plan = Arc::new(plan);
        let connection = Connection::new(instance, Arc::clone(&plan)).beside(plans.iter().cloned());
        let home = current_database(&connection)?;
        let (mut beside, mut warnings) = (Vec::new(), Vec::new());
        // Those that are only read come first: when one fails, the own lake has not been made yet.
        for (neighbour, plan) in neighbours.iter().zip(plans) {
            let attached = self.attach_beside(&connection, neighbour, plan, &home, &mut warnings);
            beside.push(attached.map_err(|error| {
                let store = neighbour.store.clone();
                Error::new(Kind::Beside { store, error })
            })?);
        }
        let plan = self.run_plan(&connection, plan, lake, &home)?;
        let mut store = Store { connection: Some(connection), plan, home, warnings, beside };
        // From here on, dropping the store undoes the plans.
        let mut warnings = std::mem::take(&mut store.warnings);
        for check in store.plan.checks() {
            verify(store.connection(), check, lake, &mut warnings)?;
        }
        store.warnings = warnings;
        Ok(store)
    }

    /// Attaches the lake of another store. What a failure leaves goes away with the instance.
    fn attach_beside(
        &self,
        connection: &Connection,
        neighbour: &Neighbour,
        plan: Plan,
        home: &Ident,
        warnings: &mut Vec<String>,
    ) -> Result<Beside, Error> {
        neighbour.lake.catalog().map_or(Ok(None), |catalog| CatalogFile::prepare(catalog, false))?;
        let plan = self.run_plan(connection, Arc::new(plan), &neighbour.lake, home)?;
        let mut found = Vec::new();
        for check in plan.checks() {
            verify(connection, check, &neighbour.lake, &mut found)?;
        }
        let of = ["the store `", &neighbour.store, "`: "].concat();
        warnings.extend(found.into_iter().map(|warning| of.clone() + &warning));
        let (store, table_prefix) = (neighbour.store.clone(), neighbour.table_prefix.clone());
        Ok(Beside { store, plan, table_prefix, is_fallback: neighbour.is_fallback })
    }

    /// Runs the statements; on a failure, takes back those that succeeded.
    ///
    /// DuckLake compares data paths as texts. Where it refuses only for that, the lake is attached without naming one,
    /// and the check of the data path tells two spellings of one place from two places.
    fn run_plan(
        &self,
        connection: &Connection,
        plan: Arc<Plan>,
        lake: &Lake,
        home: &Ident,
    ) -> Result<Arc<Plan>, Error> {
        let Err((failed, message)) = self.run_from(connection, &plan, 0) else {
            return Ok(plan);
        };
        let (plan, failed, message) = if message.contains(OTHER_DATA_PATH) && !lake.overrides_data_path() {
            let stored = plan.with_stored_data_path();
            let same = |(one, other): &(&Statement, &Statement)| one == other;
            let resume = plan.statements().iter().zip(stored.statements()).take_while(same).count();
            run_all(connection, &plan.undo(resume..failed, home))?;
            match self.run_from(connection, &stored, resume) {
                Ok(()) => return Ok(Arc::new(stored)),
                Err((failed, message)) => (Arc::new(stored), failed, message),
            }
        } else {
            (plan, failed, message)
        };
        // Why it failed matters more than what the undoing has to say: the instance goes away with the error.
        drop(run_all(connection, &plan.undo(0..failed, home)));
        Err(explain(&plan, failed, message, lake, self.install))
    }

    /// Runs the statements from a position on; on a failure its position and what the engine says.
    fn run_from(&self, connection: &Connection, plan: &Plan, start: usize) -> Result<(), (usize, String)> {
        for (index, statement) in plan.statements().iter().enumerate().skip(start) {
            let run = || connection.run(&statement.to_sql());
            let result = match statement {
                Statement::Load(extension) if self.install => run().or_else(|missing| {
                    if missing.contains(NOT_STARTED) {
                        return Err(missing);
                    }
                    let install = Statement::Install(extension.clone()).to_sql();
                    connection.run(&install).map_err(|_| missing)?;
                    run()
                }),
                // A key that may not list can still read and write, which is all that a lake needs.
                Statement::ProbeStorage(_) => {
                    run().or_else(|message| if message.contains("AccessDenied") { Ok(0) } else { Err(message) })
                }
                _ => run(),
            };
            result.map_err(|message| (index, message))?;
        }
        Ok(())
    }
}

/// Another store to attach beside the one that is opened.
struct Neighbour {
    store: String,
    lake: Lake,
    session: Session,
    table_prefix: String,
    is_fallback: bool,
}

fn lake_of(store: &DuckDbStore) -> Result<&Lake, Error> {
    store.lake.as_ref().ok_or_else(|| Error::new(Kind::NoLakeConfigured(store.name.clone())))
}

/// The session for another store's lake: an instance has one value of each setting, and no extension begins twice.
fn session_beside(own: &Session, neighbours: &[Neighbour], other: &Session) -> Session {
    let mut session = own.clone();
    let is_new = |setting: &&Setting| !own.settings.iter().any(|known| same_name(known, setting));
    session.settings.extend(other.settings.iter().filter(is_new).cloned());
    let earlier = neighbours.iter().flat_map(|neighbour| &neighbour.session.extensions);
    let known: Vec<&Extension> = own.extensions.iter().chain(earlier).collect();
    let is_new = |extension: &&Extension| !known.iter().any(|known| known.name() == extension.name());
    session.extensions = other.extensions.iter().filter(is_new).cloned().collect();
    session
}

fn same_name(one: &Setting, other: &Setting) -> bool {
    one.name().as_str().eq_ignore_ascii_case(other.name().as_str())
}

/// The plans of one instance, the own one run last: none attaches what an earlier one did.
fn one_after_another(own: Plan, beside: Vec<Plan>) -> (Plan, Vec<Plan>) {
    let mut plans: Vec<Plan> = Vec::new();
    for plan in beside {
        let plan = plans.iter().fold(plan, |plan, earlier| plan.after(earlier));
        plans.push(plan);
    }
    (plans.iter().fold(own, |own, earlier| own.after(earlier)), plans)
}

/// Opens DuckDB itself. Extensions come by the plan alone, never by themselves.
pub(crate) fn open_instance(
    database: Option<&Path>,
    settings: &[Setting],
    mode: Mode,
) -> Result<duckdb::Connection, Error> {
    let open = || {
        let mut config = duckdb::Config::default().enable_autoload_extension(false)?;
        for setting in settings {
            let sql = Statement::Set(setting.clone()).to_sql();
            for value in sql.parameters() {
                config = match value {
                    Parameter::Text(text) => config.with(setting.name().as_str(), text)?,
                    Parameter::Integer(number) => config.with(setting.name().as_str(), number.to_string())?,
                    Parameter::Boolean(boolean) => config.with(setting.name().as_str(), boolean.to_string())?,
                };
            }
        }
        match (database, mode) {
            (Some(file), Mode::Write) => duckdb::Connection::open_with_flags(file, config),
            (Some(file), Mode::Read) if file.exists() => {
                let config = config.access_mode(duckdb::AccessMode::ReadOnly)?;
                duckdb::Connection::open_with_flags(file, config)
            }
            (None, _) | (Some(_), Mode::Read) => duckdb::Connection::open_in_memory_with_flags(config),
        }
    };
    open().map_err(|error| Error::new(Kind::Open(engine_text(&error))))
}

fn current_database(connection: &Connection) -> Result<Ident, Error> {
    let name = connection.text(&Sql::fixed("SELECT current_database()")).map_err(Error::query)?;
    Ident::new(name.unwrap_or_default()).map_err(|problem| Error::query(problem.to_string()))
}

/// Runs every statement, also after one has failed; the first failure.
fn run_all(connection: &Connection, statements: &[Statement]) -> Result<(), Error> {
    let mut outcome = Ok(());
    for statement in statements {
        let failed = |message| Error::new(Kind::Statement { statement: statement.name(), message });
        outcome = outcome.and(connection.run(&statement.to_sql()).map(drop).map_err(failed));
    }
    outcome
}

/// What DuckDB says of an extension that is there, whole and of its version, but gives up while it starts: installing it
/// anew changes nothing. MotherDuck's does so without its service, after ten seconds.
pub(crate) const NOT_STARTED: &str = "threw an exception";

/// What DuckLake says of a lake whose stored data path is another text than the configured one.
pub(crate) const OTHER_DATA_PATH: &str = "does not match existing data path";

/// What the failure of a plan's statement means.
fn explain(plan: &Plan, failed: usize, message: String, lake: &Lake, install: bool) -> Error {
    const NO_LAKE: &str = "creating a new DuckLake is explicitly disabled";
    let Some(statement) = plan.statements().get(failed) else {
        return Error::query(message);
    };
    Error::new(match statement {
        Statement::Load(extension) if message.contains(NOT_STARTED) => {
            Kind::ExtensionNotStarted { name: extension.name().to_string(), message }
        }
        Statement::Load(extension) => {
            Kind::MissingExtension { name: extension.name().to_string(), message, tried_to_install: install }
        }
        // DuckDB's parser quotes the statement, which may hold a secret that nothing here knows of.
        Statement::Init(_) => Kind::Statement {
            statement: statement.name(),
            message:
                "an `init_sql` statement of an extension; its text and error are hidden, since they may hold a secret"
                    .to_owned(),
        },
        Statement::ProbeStorage(path) => Kind::Storage { data_path: path.to_string(), message },
        Statement::Attach(_) if message.contains(NO_LAKE) => Kind::MissingLake(location(lake)),
        _ => Kind::Statement { statement: statement.name(), message },
    })
}

/// Where a lake's catalog is, for messages.
fn location(lake: &Lake) -> String {
    match lake.catalog().and_then(|catalog| catalog.file()) {
        Some(file) => file.to_string(),
        None => lake.catalog_kind().as_str().to_owned(),
    }
}

/// Makes one check; what is wrong but no reason to refuse the lake becomes a warning.
fn verify(connection: &Connection, check: &Check, lake: &Lake, warnings: &mut Vec<String>) -> Result<(), Error> {
    let found = connection.text(&check.to_sql());
    match check {
        Check::IsDuckLake { alias, catalog } => {
            let found = match found {
                Ok(Some(kind)) if kind == catalog.as_str() => return Ok(()),
                Ok(Some(kind)) => ["its catalog is of the kind ", &kind].concat(),
                Ok(None) => "it has no settings".to_owned(),
                Err(message) => message,
            };
            Err(Error::new(Kind::NotTheLake { alias: alias.to_string(), found }))
        }
        Check::DataPath { expected, .. } => {
            let stored = found.map_err(Error::query)?.unwrap_or_default();
            if place::makes_orphans(&stored) {
                warnings.push(
                    [
                        "the lake stores its data path as `",
                        &stored,
                        "`: DuckLake takes its live files for orphans, so never run `ducklake_delete_orphaned_files` or \
                         CHECKPOINT on it",
                    ]
                    .concat(),
                );
            }
            if place::same(&stored, expected) {
                Ok(())
            } else if lake.overrides_data_path() {
                warnings.push(
                    [
                        "`override_data_path` puts `",
                        expected,
                        "` over the stored data path `",
                        &stored,
                        "`: rows written now cannot be read under either",
                    ]
                    .concat(),
                );
                Ok(())
            } else {
                Err(Error::new(Kind::DataPath { stored, configured: expected.clone() }))
            }
        }
        _ => Err(Error::query(["a check that this version does not know: ", check.purpose()].concat())),
    }
}
