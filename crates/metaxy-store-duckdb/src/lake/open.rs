//! Opening a store: its own lake and those beside it, each attached by its plan, checked, and undone on a failure.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ducklake_sql::{
    Alias, AttachPlan, CatalogKind, DuckDbDatabase, Extension, Ident, Lake, Mode, Session, Setting, Statement,
    TableDatabase,
};
use metaxy_config::{Config, Database, DuckDbStore};

use super::attempt::Attempt;
use super::catalog_copy::CatalogCopy;
use super::catalog_file::{self, CatalogFile};
use super::checks::check_all;
use super::data_files;
use super::facts::facts_of;
use super::limits::{in_short_time, limit};
use super::store::{Secondary, Store};
use crate::engine::cause::{Facts, Operation};
use crate::engine::{
    Cause, Class, Connection, Error, Kind, Refusal, current_database, keep_sqlite_tables_apart, leave_out_health_check,
    open_instance, repeat, share_sqlite_connection,
};

mod catalog;
mod options;
mod rehearsal;
#[cfg(test)]
mod tests;

pub(crate) use self::catalog::CatalogDatabase;
pub use self::options::OpenOptions;

impl OpenOptions {
    /// The plan of a lake, with the limit of a connection attempt.
    fn plan(&self, tables: &TableDatabase, session: &Session, mode: Mode) -> AttachPlan {
        let plan = tables.plan(session, mode);
        let is_set = std::env::var_os("PGCONNECT_TIMEOUT").is_some();
        if self.connect_timeout == 0 || is_set { plan } else { plan.with_connect_timeout(self.connect_timeout) }
    }

    /// Opens the store of this name from a configuration, see [`Store::open`].
    ///
    /// # Errors
    ///
    /// As for [`Store::open`]; and when a fallback store, or one that is to be attached beside it, cannot be read.
    pub fn open(&self, config: &Config, name: &str, mode: Mode) -> Result<Store, Error> {
        self.open_prepared(config, name, mode, |_, _| Ok(())).map(|(store, ())| store)
    }

    /// The same, with something to do once the other lakes are attached and this one is not, nor created; a failure of it
    /// is one of opening.
    pub(crate) fn open_prepared<T, E: From<Error>>(
        &self,
        config: &Config,
        name: &str,
        mode: Mode,
        prepare: impl FnOnce(&Connection, &[Secondary]) -> Result<T, E>,
    ) -> Result<(Store, T), E> {
        let store = config.trusted_store(name).map_err(Error::from)?;
        let database = match (&store.tables, &store.database) {
            (TableDatabase::Lake(_), Database::File(path)) => Some(path.as_path()),
            // A database that holds the tables itself is attached, as a lake is.
            _ => None,
        };
        let neighbours = self.neighbours(config, store)?;
        let mut options = self.clone().retry(self.retry.unwrap_or(config.retry));
        // Where a lake is to be moved to, no other one is made.
        options.moves_from = config.migrate_from(name).filter(|_| !self.is_copying).map(str::to_owned);
        options.must_exist |= options.moves_from.is_some();
        options.attach_all(name, database, &store.tables, &store.session, &neighbours, mode, prepare)
    }

    /// The stores to attach beside one: its fallback stores, each before its own ones, and those that were asked for.
    fn neighbours(&self, config: &Config, store: &DuckDbStore) -> Result<Vec<Neighbour>, Error> {
        let mut neighbours: Vec<Neighbour> = Vec::new();
        let wanted = |names: &[String], is_fallback| {
            names.iter().rev().map(|name| (name.clone(), is_fallback)).collect::<Vec<_>>()
        };
        // The next one is the last.
        let mut waiting = wanted(&self.secondaries, false);
        if self.fallbacks {
            waiting.extend(wanted(&store.fallback_stores, true));
        }
        // First, so that one that is a fallback store too has its name.
        waiting.extend(wanted(&self.named, false));
        while let Some((name, is_fallback)) = waiting.pop() {
            if name == store.name || neighbours.iter().any(|known| known.store == name) {
                continue;
            }
            let failed = |error: Error| Error::new(Kind::Secondary { store: name.clone(), error });
            let other = config.trusted_store(&name).map_err(|error| failed(error.into()))?;
            let mut tables = other.tables.as_secondary(&name);
            if self.named.contains(&name) {
                tables = named_as(&tables, &name, store.tables.alias()).map_err(failed)?;
            }
            neighbours.push(Neighbour {
                store: name.clone(),
                tables,
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
        self.attach_all("", database, &lake.into(), session, &[], mode, |_, _| Ok(())).map(|(store, ())| store)
    }

    /// Opens a DuckDB database without a lake.
    ///
    /// # Errors
    ///
    /// As for [`Store::open`].
    pub fn attach_database(&self, database: &DuckDbDatabase, session: &Session, mode: Mode) -> Result<Store, Error> {
        let tables = database.clone().into();
        self.attach_all("", None, &tables, session, &[], mode, |_, _| Ok(())).map(|(store, ())| store)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a part of what is opened, named where it is given")]
    fn attach_all<T, E: From<Error>>(
        &self,
        name: &str,
        database: Option<&Path>,
        tables: &TableDatabase,
        session: &Session,
        neighbours: &[Neighbour],
        mode: Mode,
        prepare: impl FnOnce(&Connection, &[Secondary]) -> Result<T, E>,
    ) -> Result<(Store, T), E> {
        if mode == Mode::Write && tables.is_read_only() {
            return Err(Error::new(Kind::ReadOnlyLake).into());
        }
        let _span = tracing::info_span!("open", store = name, ?mode).entered();
        let start = Instant::now();
        let existing = self.must_exist.then(|| tables.must_exist());
        let tables = existing.as_ref().unwrap_or(tables);
        let migrating = self.migrates.then(|| tables.migrating());
        let tables = migrating.as_ref().unwrap_or(tables);
        let plan = self.plan(tables, session, mode);
        let moves_from = self.moves_from.clone().unwrap_or_default();
        let facts = Arc::new(Facts { moves_from, ..facts_of(name, tables, &plan) });
        let creates = mode == Mode::Write && tables.creates_if_missing();
        let file = prepare_file(tables, creates).map_err(|error| error.with_facts(&facts))?;
        let copied = match (tables.lake(), mode) {
            (Some(lake), Mode::Write) => CatalogCopy::make(lake),
            _ => Ok(None),
        };
        let new_database = database.filter(|file| !file.exists());
        match self.run(database, tables, plan, &facts, neighbours, mode, prepare) {
            Ok((mut store, prepared)) => {
                if let Err(error) = copied.and_then(|copy| copy.map_or(Ok(()), CatalogCopy::keep)) {
                    store.warn(format!("the catalog's file was not copied, so a crash may take the lake: {error}"));
                }
                tracing::info!(duration = ?start.elapsed(), "opened");
                Ok((store, prepared))
            }
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

    #[expect(clippy::too_many_arguments, reason = "each is a part of what is opened, named where it is given")]
    fn run<T, E: From<Error>>(
        &self,
        database: Option<&Path>,
        tables: &TableDatabase,
        plan: AttachPlan,
        facts: &Arc<Facts>,
        neighbours: &[Neighbour],
        mode: Mode,
        prepare: impl FnOnce(&Connection, &[Secondary]) -> Result<T, E>,
    ) -> Result<(Store, T), E> {
        let plans = neighbours.iter().map(|neighbour| self.plan(&neighbour.tables, &neighbour.session, Mode::Read));
        let (plan, plans) = one_after_another(plan, plans.collect());
        let with_facts = |error: Error| error.with_facts(facts);
        let all: Vec<_> = plans.iter().chain([&plan]).collect();
        let instance = open_instance(database, &all, mode).map_err(with_facts)?;
        let plan = Arc::new(plan);
        let connection = Connection::new(instance, Arc::clone(&plan)).with_secondaries(plans.iter().cloned());
        let connection = self.watched(connection.with_facts(Arc::clone(facts)));
        let connection = connection.with_retry(self.retry.unwrap_or_default());
        let home = current_database(&connection)?;
        let (mut secondaries, mut warnings) = (Vec::new(), Vec::new());
        // Those that are only read come first: when one fails, the own lake has not been made yet.
        for (neighbour, plan) in neighbours.iter().zip(plans) {
            let attached = self.attach_beside(&connection, neighbour, plan, &home, &mut warnings);
            secondaries.push(attached.map_err(|error| {
                let store = neighbour.store.clone();
                with_facts(Error::new(Kind::Secondary { store, error }))
            })?);
        }
        let prepared = prepare(&connection, &secondaries)?;
        // Whoever has a DuckDB file keeps it until it ends; others are done with a catalog soon.
        let is_busy = |error: &Error| {
            let busy = [Cause::CatalogLocked, Cause::PostgresBusy];
            plan.catalog().is_some_and(|kind| kind != CatalogKind::DuckDb)
                && error.cause().is_some_and(|cause| busy.contains(&cause))
        };
        let attach = || self.run_plan(&connection, &plan, tables, facts, &home);
        let plan = repeat(connection.retry(), attach, is_busy).map_err(with_facts)?;
        let mut store = Store { connection: Some(connection.for_programs()), plan, home, warnings, secondaries };
        // From here on, dropping the store undoes the plans.
        let mut warnings = std::mem::take(&mut store.warnings);
        let known = check_all(store.connection(), &store.plan, tables, mode, &mut warnings).map_err(with_facts)?;
        if let Some(known) = known {
            store.plan = Arc::new(known);
        }
        store.warnings = warnings;
        if self.lock && mode == Mode::Read {
            store.lock(tables, neighbours.iter().map(|neighbour| &neighbour.tables)).map_err(with_facts)?;
        }
        Ok((store, prepared))
    }

    /// Attaches the lake of another store. What a failure leaves goes away with the instance.
    fn attach_beside(
        &self,
        connection: &Connection,
        neighbour: &Neighbour,
        plan: AttachPlan,
        home: &Ident,
        warnings: &mut Vec<String>,
    ) -> Result<Secondary, Error> {
        prepare_file(&neighbour.tables, false)?;
        let _span = tracing::debug_span!("attach", store = neighbour.store).entered();
        let facts = Arc::new(facts_of(&neighbour.store, &neighbour.tables, &plan));
        let plan = self.run_plan(connection, &Arc::new(plan), &neighbour.tables, &facts, home)?;
        let mut found = Vec::new();
        check_all(connection, &plan, &neighbour.tables, Mode::Read, &mut found)?;
        let of = ["the store `", &neighbour.store, "`: "].concat();
        warnings.extend(found.into_iter().map(|warning| of.clone() + &warning));
        let (store, table_prefix) = (neighbour.store.clone(), neighbour.table_prefix.clone());
        Ok(Secondary { store, plan, table_prefix, is_fallback: neighbour.is_fallback })
    }

    /// Runs the statements; on a failure, takes back those that succeeded. A transaction has begun where a database is
    /// the current one then, for the checks to be made at the same snapshot.
    fn run_plan(
        &self,
        connection: &Connection,
        plan: &Arc<AttachPlan>,
        tables: &TableDatabase,
        facts: &Arc<Facts>,
        home: &Ident,
    ) -> Result<Arc<AttachPlan>, Error> {
        let mut attempt = Attempt::new(self, connection, home);
        let Err(error) = attempt.attach(plan, tables) else {
            return Ok(attempt.into_plan());
        };
        // Why it failed matters more than what the undoing has to say: the instance goes away with the error.
        drop(attempt.undo());
        let (plan, failed) = (attempt.plan(), attempt.failed());
        Err(explain(plan, failed, error, facts, self.install))
    }

    /// Runs the statements of a range of positions; on a failure its position and the error.
    pub(super) fn run_statements(
        &self,
        connection: &Connection,
        plan: &AttachPlan,
        range: Range<usize>,
    ) -> Result<(), (usize, Error)> {
        for (index, statement) in plan.statements().iter().enumerate().take(range.end).skip(range.start) {
            let run = || connection.run_statement(statement);
            let result = match statement {
                Statement::Load(extension) => run()
                    .or_else(|missing| {
                        if !self.install || does_not_start(&missing) {
                            return Err(missing);
                        }
                        let install = Statement::Install(extension.clone());
                        connection.run_statement(&install).map_err(|_| missing)?;
                        run()
                    })
                    .inspect(|_| {
                        if extension.name().as_str() == "httpfs" {
                            limit(connection, plan);
                        }
                    }),
                // A key that may not list can still read and write, which is all that a lake needs.
                Statement::ProbeStorage(_) => in_short_time(connection, plan, run).or_else(|error| {
                    let denied = Cause::NoPermissionToList;
                    let cause = error.cause_of(Operation::AccessStorage(denied));
                    if cause == Some(denied) { Ok(0) } else { Err(error) }
                }),
                Statement::Use(_) => connection.execute("BEGIN TRANSACTION").and_then(|_| run()).inspect_err(|_| {
                    // What fails to be undone has been undone by the failure.
                    drop(connection.execute("ROLLBACK"));
                }),
                Statement::Attach(_) => {
                    share_sqlite_connection(connection, plan);
                    keep_sqlite_tables_apart(connection, plan).map_err(|error| (index, error))?;
                    if !self.health_check {
                        leave_out_health_check(connection, plan);
                    }
                    run()
                }
                _ => run(),
            };
            result.map_err(|error| (index, error))?;
        }
        Ok(())
    }
}

/// Another store to attach beside the one that is opened.
struct Neighbour {
    store: String,
    tables: TableDatabase,
    session: Session,
    table_prefix: String,
    is_fallback: bool,
}

/// A database under the name of its store, beside one with this alias.
fn named_as(tables: &TableDatabase, store: &str, own: &Ident) -> Result<TableDatabase, Error> {
    let alias = Alias::new(store).map_err(|problem| Error::refused(Unnamed::Reserved(problem)))?;
    if alias.as_str().eq_ignore_ascii_case(own.as_str()) {
        return Err(Error::refused(Unnamed::Taken(alias)));
    }
    Ok(tables.with_alias(alias))
}

/// Why a database cannot be attached under the name of its store.
#[derive(Debug, thiserror::Error)]
enum Unnamed {
    #[error("its name is no name for a database: {0}")]
    Reserved(ducklake_sql::Problem),
    #[error("`{}` is the alias of the store that is opened", .0.as_str())]
    Taken(Alias),
}

impl Refusal for Unnamed {
    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Reserved(_) => "give the store another name".to_owned(),
            Self::Taken(_) => {
                "set another `alias` for the store that is opened, or give the other one another name".to_owned()
            }
        })
    }

    fn class(&self) -> Class {
        Class::Other
    }
}

/// Looks at the file of a database, or of a lake's catalog, see [`CatalogFile::prepare`]; a catalog that was cut to nothing
/// is no missing lake.
fn prepare_file(tables: &TableDatabase, creates: bool) -> Result<Option<CatalogFile>, Error> {
    let lake = match tables {
        TableDatabase::Lake(lake) => lake,
        TableDatabase::DuckDb(database) => return CatalogFile::prepare_database(database, creates),
        _ => return Ok(None),
    };
    let prepared = lake.catalog().map_or(Ok(None), |catalog| CatalogFile::prepare(catalog, creates));
    prepared.map_err(|error| {
        let is_emptied = error.is_missing_lake() && data_files::is_emptied(lake);
        if is_emptied { data_files::emptied(lake, None) } else { error }
    })
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
fn one_after_another(own: AttachPlan, secondaries: Vec<AttachPlan>) -> (AttachPlan, Vec<AttachPlan>) {
    let mut plans: Vec<AttachPlan> = Vec::new();
    for plan in secondaries {
        let plan = plans.iter().fold(plan, |plan, earlier| plan.after(earlier));
        plans.push(plan);
    }
    (plans.iter().fold(own, |own, earlier| own.after(earlier)), plans)
}

/// Whether an extension is there, whole and of its version, but gives up while it starts: installing it anew changes
/// nothing.
fn does_not_start(error: &Error) -> bool {
    let cause = error.cause_of(Operation::LoadExtension);
    matches!(cause, Some(Cause::ExtensionNotStarted | Cause::MotherDuckDown))
}

/// What the failure of a plan's statement means.
fn explain(plan: &AttachPlan, failed: usize, error: Error, facts: &Arc<Facts>, install: bool) -> Error {
    // What is refused before the engine is asked explains itself.
    let Some(statement) = plan.statements().get(failed).filter(|_| error.is_query()) else {
        return error.with_facts(facts);
    };
    let operation = match statement {
        Statement::Load(_) => Operation::LoadExtension,
        Statement::Set(setting) => {
            let kind = Kind::Setting { name: setting.name().to_string(), said: error.into_engine_error() };
            return Error::new(kind).with_facts(facts);
        }
        _ => Operation::OpenCatalog,
    };
    let cause = error.cause_of(operation);
    let said = error.into_engine_error();
    let kind = match statement {
        Statement::Load(extension) => {
            Kind::MissingExtension { name: extension.name().to_string(), said, tried_to_install: install }
        }
        // DuckDB's parser quotes the statement, which may hold a secret that nothing here knows of.
        Statement::Init(_) => Kind::Hidden(statement.name()),
        Statement::ProbeStorage(path) => Kind::Storage { data_path: path.to_string(), said },
        Statement::Attach(_) if cause == Some(Cause::NoLake) => Kind::MissingLake(facts.catalog_location()),
        _ => Kind::Statement { statement: statement.name(), operation, said },
    };
    Error::new(kind).with_facts(facts)
}
