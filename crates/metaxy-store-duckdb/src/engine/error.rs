//! The one error of this crate: what happened, where, why, and what to do next.
//!
//! One file because the kinds, what they say, their help and their predicates are read together.
//!
//! Whatever DuckDB or a server says is scrubbed of the plan's secrets before it gets in here, so an error, its `Debug`
//! and its sources hold none.

mod text;

use std::fmt;
use std::sync::Arc;

use arrow::error::ArrowError;
use ducklake_sql::mask_credentials;
use metaxy_config::StoreError;

use super::cause::{Cause, Facts, Operation, without_hints};
use super::engine_error::EngineError;

/// Why a store could not be opened, queried or closed.
///
/// Its text is for people. Programs ask the predicates, or the [`cause`](Self::cause); what the engine said is the
/// [`source`](std::error::Error::source), an [`EngineError`]. The text has its essence already, so that it need not be
/// printed along.
///
/// ```
/// use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Session};
/// use metaxy_store_duckdb::{Cause, Store};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path().to_str().unwrap();
/// let catalog = Catalog::Sqlite(CatalogFile::new([folder, "/none.sqlite"].concat())?);
/// let lake = Lake::builder(catalog, LocalFolder::new(folder)?).build()?;
/// let error = Store::attach(&lake, &Session::default(), Mode::Read).unwrap_err();
/// assert!(error.is_missing_lake() && !error.is_retryable());
/// assert_eq!(error.cause(), Some(Cause::NoLake));
/// # Ok(())
/// # }
/// ```
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: Kind,
    context: Context,
    /// What is known of the lake, for advice.
    facts: Option<Arc<Facts>>,
}

/// What was being done when it happened, as far as that is known.
#[derive(Debug, Default)]
struct Context {
    operation: Option<&'static str>,
    feature: Option<String>,
    table: Option<String>,
    attempt: Option<u32>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Config(StoreError),
    /// A lake that can only be read was to be written.
    ReadOnlyLake,
    /// There is no lake at this location.
    MissingLake(String),
    /// There is no DuckDB database in this file.
    MissingDatabase(String),
    /// The file of a DuckDB database is of another kind.
    NoDatabase {
        path: String,
        found: &'static str,
    },
    /// The database of this name is a lake's catalog, and was to hold tables itself.
    IsCatalog(String),
    WrongCatalogFile {
        path: String,
        found: &'static str,
        configured: &'static str,
    },
    MissingExtension {
        name: String,
        said: EngineError,
        tried_to_install: bool,
    },
    DataPath {
        stored: String,
        configured: String,
        /// Whether the lake's files are at the configured path, or would be there if it had any.
        is_moved: bool,
        /// Whether nothing is at the stored path.
        is_gone: bool,
    },
    /// A lake was to be made in a database with tables that are no lake's.
    OtherTables {
        path: String,
        tables: Vec<String>,
    },
    /// The catalog's file is empty; the data path, if there are data files.
    EmptiedCatalog {
        path: String,
        data_path: Option<String>,
    },
    Storage {
        data_path: String,
        said: EngineError,
    },
    NotTheLake {
        alias: String,
        found: String,
        said: Option<EngineError>,
    },
    /// A setting of the configuration that DuckDB does not take.
    Setting {
        name: String,
        said: EngineError,
    },
    /// A statement of a plan.
    Statement {
        statement: &'static str,
        operation: Operation,
        said: EngineError,
    },
    /// A statement of a plan whose text and error may hold a secret that nothing here knows of.
    Hidden(&'static str),
    /// Any other statement.
    Query(EngineError),
    Refused(Box<dyn Refusal>),
    /// Another thread has asked for the end of what runs.
    Interrupted,
    /// The rows that were given end in an error.
    Source(ArrowError),
    Conflict {
        attempts: u32,
        error: Error,
    },
    /// The connection to the catalog's server was lost while a transaction was committed, and how it ended could not be
    /// asked.
    UnknownOutcome {
        lake: String,
        /// What its snapshot can be found by.
        token: Option<String>,
        error: Error,
    },
    /// The same, and it is stored, but its files could not be held.
    FilesAtRisk(Error),
    /// A store that was to be attached beside the opened one.
    Secondary {
        store: String,
        error: Error,
    },
    Open(EngineError),
    File {
        action: &'static str,
        path: String,
        error: std::io::Error,
    },
}

/// What to do about a lake that was moved or renamed.
pub(crate) const MOVED_ADVICE: &str = "the lake was moved or renamed: set `override_data_path = true` in the \
    `attach_options` of its `ducklake` table, and its files are read and written at the configured path";

/// Why a floor above the engine refuses what it was given: its `Display` says what is wrong.
pub(crate) trait Refusal: std::error::Error + Send + Sync + 'static {
    /// What to do about it, where that is known.
    fn help(&self) -> Option<String>;

    /// What a program may want to react to.
    fn class(&self) -> Class;
}

/// What a program may want to react to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Another version of the feature was pushed last.
    Unpushed,
    /// There is no table of the feature.
    MissingTable,
    /// Columns of the rows and of the table do not go together.
    SchemaMismatch,
    /// A filter is not valid, or does not fit the columns.
    Filter,
    /// No graph was pushed, or none with the version that was asked for.
    MissingGraph,
    /// A statement would do more than read.
    ReadOnly,
    /// Anything else.
    Other,
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { inner: Box::new(Inner { kind, context: Context::default(), facts: None }) }
    }

    pub(crate) fn refused(refusal: impl Refusal) -> Self {
        Self::new(Kind::Refused(Box::new(refusal)))
    }

    /// What the engine says against a statement; nothing of it may be a secret.
    pub(crate) fn query(message: impl Into<String>) -> Self {
        Self::new(Kind::Query(EngineError::harmless(message)))
    }

    /// The same error, with what is known of the lake.
    pub(crate) fn with_facts(mut self, facts: &Arc<Facts>) -> Self {
        self.inner.facts.get_or_insert_with(|| Arc::clone(facts));
        self
    }

    /// The same error of this operation on a feature; of two the inner one counts. A refusal says itself what it is about.
    pub(crate) fn in_operation(mut self, operation: &'static str, feature: &str) -> Self {
        let is_refusal = matches!(self.inner.kind, Kind::Refused(_));
        let context = &mut self.inner.context;
        if context.operation.is_none() && !is_refusal {
            context.operation = Some(operation);
            context.feature = Some(feature.to_owned());
        }
        self
    }

    /// The same error of a statement on this table.
    pub(crate) fn on_table(mut self, table: &str) -> Self {
        self.inner.context.table.get_or_insert_with(|| table.to_owned());
        self
    }

    /// The same error of this attempt.
    pub(crate) fn in_attempt(mut self, attempt: u32) -> Self {
        self.inner.context.attempt = Some(attempt);
        self
    }

    /// The same error, told as that of a statement of a plan.
    pub(crate) fn of_statement(mut self, statement: &'static str) -> Self {
        if let Kind::Query(said) = &self.inner.kind {
            let said = said.clone();
            self.inner.kind = Kind::Statement { statement, operation: Operation::Query, said };
        }
        self
    }

    /// Rows that cannot be read to their end. What a reader of this crate refuses of them is told as it is.
    pub(super) fn of_rows(error: ArrowError) -> Self {
        let error = match error {
            ArrowError::ExternalError(error) => match error.downcast::<Self>() {
                Ok(error) if matches!(error.kind(), Kind::Refused(_)) => return *error,
                Ok(error) => ArrowError::ExternalError(error),
                Err(error) => ArrowError::ExternalError(error),
            },
            error => error,
        };
        Self::new(Kind::Source(error))
    }

    /// What happened, to whichever store.
    fn kind(&self) -> &Kind {
        match &self.inner.kind {
            Kind::Secondary { error, .. } => error.kind(),
            kind => kind,
        }
    }

    /// What the engine says, if it was the engine that failed.
    pub(crate) fn engine_error(&self) -> Option<&EngineError> {
        match &self.inner.kind {
            Kind::MissingExtension { said, .. }
            | Kind::Storage { said, .. }
            | Kind::Setting { said, .. }
            | Kind::Statement { said, .. }
            | Kind::NotTheLake { said: Some(said), .. }
            | Kind::Query(said)
            | Kind::Open(said) => Some(said),
            Kind::Conflict { error, .. }
            | Kind::UnknownOutcome { error, .. }
            | Kind::FilesAtRisk(error)
            | Kind::Secondary { error, .. } => error.engine_error(),
            _ => None,
        }
    }

    /// The same, or this error's own text.
    pub(crate) fn into_engine_error(self) -> EngineError {
        self.engine_error().cloned().unwrap_or_else(|| EngineError::harmless(self.to_string()))
    }

    /// Why an operation failed, of which this is the error.
    pub(crate) fn cause_of(&self, operation: Operation) -> Option<Cause> {
        let none = Facts::default();
        self.engine_error()?.cause(operation, self.inner.facts.as_deref().unwrap_or(&none))
    }

    /// Why it failed, where what the engine or a server says is understood.
    pub fn cause(&self) -> Option<Cause> {
        self.inner.cause()
    }

    /// Its text without what the engine adds about its own statement and options, for a statement that no person wrote.
    pub fn without_hints(&self) -> String {
        without_hints(&self.to_string()).to_owned()
    }

    /// What to do about it, where that is known.
    pub fn help(&self) -> Option<String> {
        self.inner.help().map(|help| mask_credentials(&help).into_owned())
    }

    /// Whether DuckDB refused a statement.
    pub(crate) fn is_query(&self) -> bool {
        matches!(self.kind(), Kind::Query(_))
    }

    fn class(&self) -> Option<Class> {
        match self.kind() {
            Kind::Refused(refusal) => Some(refusal.class()),
            _ => None,
        }
    }

    /// Whether the configuration of the store is at fault; [`diagnostics`](Self::diagnostics) has the details.
    pub fn is_config(&self) -> bool {
        matches!(self.kind(), Kind::Config(_))
    }

    /// What is wrong with the configuration of the store, where that is what failed.
    pub fn diagnostics(&self) -> Option<&StoreError> {
        match self.kind() {
            Kind::Config(error) => Some(error),
            _ => None,
        }
    }

    /// Whether another program changed the lake at the same time.
    pub fn is_conflict(&self) -> bool {
        matches!(self.kind(), Kind::Conflict { .. }) || self.cause() == Some(Cause::WriteConflict)
    }

    /// Whether another program holds the catalog, so that nobody else can use it now.
    pub fn is_busy(&self) -> bool {
        self.cause() == Some(Cause::CatalogLocked)
    }

    /// Whether a store could not be closed as always, since there is no room for its catalog, a DuckDB file: all that was
    /// committed is in the log beside it (`.wal`), and is read from there when the lake is opened again.
    pub fn is_kept_in_log(&self) -> bool {
        matches!(self.kind(), Kind::Statement { statement: "detach", .. }) && self.cause() == Some(Cause::DiskFull)
    }

    /// Whether the same may succeed when it is tried again as it is, for another program was in the way.
    ///
    /// Whatever this crate does with a lake is tried again by itself, see
    /// [`OpenOptions::retry`](crate::OpenOptions::retry).
    pub fn is_retryable(&self) -> bool {
        self.is_conflict() || self.is_busy()
    }

    /// Whether it was ended by an [`Interrupt`](crate::Interrupt); the transaction in which it ran is rolled back.
    pub fn is_interrupted(&self) -> bool {
        matches!(self.kind(), Kind::Interrupted) || self.cause() == Some(Cause::Interrupted)
    }

    /// Whether a transaction that failed by it is to be run again: another program was in the way, or the connection to
    /// the catalog's server was lost before it was committed.
    pub(crate) fn begins_anew(&self) -> bool {
        let lost = [Cause::PostgresDown, Cause::PostgresBusy, Cause::PostgresTimeout];
        self.is_query() && (self.is_retryable() || self.cause().is_some_and(|cause| lost.contains(&cause)))
    }

    /// Whether a transaction may be stored although it failed: the connection to the catalog's server was lost while it
    /// was committed, and the server could not be asked before the deadline; or it is stored, and DuckLake may have
    /// removed its files, which happens only in a storage of Azure, or while a program has DuckDB's log switched on.
    ///
    /// Of every other error of a transaction, nothing is stored.
    pub fn is_unknown_outcome(&self) -> bool {
        matches!(self.kind(), Kind::UnknownOutcome { .. } | Kind::FilesAtRisk(_))
    }

    /// Whether credentials are wrong, missing or expired.
    pub fn is_credentials(&self) -> bool {
        self.cause().is_some_and(Cause::is_credentials)
    }

    /// Whether the catalog's server or the storage cannot be reached, or does not serve.
    pub fn is_unreachable(&self) -> bool {
        self.cause().is_some_and(Cause::is_unreachable)
    }

    /// Whether an extension could neither be loaded nor installed.
    pub fn is_missing_extension(&self) -> bool {
        matches!(self.kind(), Kind::MissingExtension { .. })
            && self.cause() != Some(Cause::ExtensionNotStarted)
            && self.cause() != Some(Cause::MotherDuckDown)
    }

    /// Whether the catalog's file holds another kind of database than the configured one.
    pub fn is_wrong_catalog_file(&self) -> bool {
        matches!(self.kind(), Kind::WrongCatalogFile { .. })
    }

    /// Whether there is no lake where one was to be opened, and none was to be created.
    pub fn is_missing_lake(&self) -> bool {
        matches!(self.kind(), Kind::MissingLake(_) | Kind::MissingDatabase(_))
    }

    /// The store whose lake is to be moved to where none is yet: [`Error::is_missing_lake`] with
    /// `[ext.rust.lake.STORE] migrate_from`.
    pub fn moves_from(&self) -> Option<&str> {
        self.inner.moves_from()
    }

    /// Whether what is missing is the file of a DuckDB database without a lake.
    pub fn is_missing_database(&self) -> bool {
        matches!(self.kind(), Kind::MissingDatabase(_))
    }

    /// Whether there is no table of the feature, or of the name in a statement.
    pub fn is_missing_table(&self) -> bool {
        self.class() == Some(Class::MissingTable) || self.cause() == Some(Cause::MissingTable)
    }

    /// Whether columns of the rows do not go with the feature or its table: too few, too many, of another type.
    pub fn is_schema_mismatch(&self) -> bool {
        self.class() == Some(Class::SchemaMismatch)
    }

    /// Whether a filter is not valid, or does not fit the columns.
    pub fn is_filter(&self) -> bool {
        self.class() == Some(Class::Filter)
    }

    /// Whether rows were to be written of another version of a feature than the one that was pushed last.
    pub fn is_unpushed(&self) -> bool {
        self.class() == Some(Class::Unpushed)
    }

    /// Whether no graph was pushed to the lake, or none with the version that was asked for.
    pub fn is_missing_graph(&self) -> bool {
        matches!(self.kind(), Kind::Refused(refusal) if refusal.class() == Class::MissingGraph)
    }

    /// Whether the lake's stored data path is another place than the configured one.
    pub fn is_data_path_mismatch(&self) -> bool {
        matches!(self.kind(), Kind::DataPath { .. })
    }

    /// Whether a lake was to be created in a file that holds tables of another database already.
    pub fn is_other_database(&self) -> bool {
        matches!(self.kind(), Kind::OtherTables { .. })
    }

    /// Whether the catalog's file is empty. That of a lake never is, so it was damaged, or made by a program that failed.
    pub fn is_damaged_catalog(&self) -> bool {
        matches!(self.kind(), Kind::EmptiedCatalog { .. })
    }

    /// Whether the lake can only be read, and was to be written; or is open to be read, and a statement would do more.
    pub fn is_read_only(&self) -> bool {
        matches!(self.kind(), Kind::ReadOnlyLake)
            || self.cause() == Some(Cause::ReadLocked)
            || self.cause() == Some(Cause::ReadOnlyLake)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("kind", &self.inner.kind).field("context", &self.inner.context).finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.inner.message();
        f.write_str(&mask_credentials(&message))?;
        f.write_str(&self.inner.context.beyond(&message))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.inner.kind {
            Kind::Config(error) => Some(error),
            Kind::Refused(refusal) => refusal.source(),
            Kind::Source(error) => Some(error),
            Kind::File { error, .. } => Some(error),
            Kind::Conflict { error, .. }
            | Kind::UnknownOutcome { error, .. }
            | Kind::FilesAtRisk(error)
            | Kind::Secondary { error, .. } => Some(error),
            _ => self.engine_error().map(|said| said as _),
        }
    }
}

impl From<ducklake_sql::Problem> for Error {
    /// A name or a value that SQL cannot have.
    fn from(problem: ducklake_sql::Problem) -> Self {
        Self::query(problem.to_string())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::new(Kind::Config(error))
    }
}

const _: () = {
    const fn is_shared_between_threads<T: Send + Sync + 'static>() {}
    is_shared_between_threads::<Error>();
};
