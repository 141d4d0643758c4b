//! A store: a DuckDB instance with a lake attached, and others beside it for reading, from opening to closing.
//!
//! A store that exists has passed every check of its plans. One that could not be opened has left nothing behind: no
//! secret, no attached database, no file that was not there. Dropping a store closes it.

use std::fmt;
use std::sync::Arc;

use ducklake_sql::{AttachPlan, Ident, Lake, Mode, Session, Statement};
use metaxy_config::Config;

use super::open::OpenOptions;
use crate::engine::{Connection, Error, Transaction, inlining, repeated, transaction};

/// A lake, or a database without one, attached in a DuckDB instance of its own.
///
/// ```no_run
/// use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Session};
/// use metaxy_store_duckdb::Store;
///
/// let catalog = Catalog::Sqlite(CatalogFile::new("/srv/lake/meta.sqlite")?);
/// let lake = Lake::builder(catalog, LocalFolder::new("/srv/lake/data")?).build()?;
///
/// let store = Store::attach(&lake, &Session::default(), Mode::Write)?;
/// store.connection().execute("CREATE TABLE IF NOT EXISTS sample (id VARCHAR)")?;
/// store.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Store {
    /// `None` only once it is closed.
    pub(super) connection: Option<Connection>,
    pub(super) plan: Arc<AttachPlan>,
    pub(super) home: Ident,
    pub(super) warnings: Vec<String>,
    /// In the order in which they were attached, all before the own one.
    pub(super) secondaries: Vec<Secondary>,
}

/// The lake of another store, attached beside the own one for reading.
#[derive(Debug, Clone)]
pub(crate) struct Secondary {
    pub(crate) store: String,
    pub(crate) plan: Arc<AttachPlan>,
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

    /// Runs statements in one transaction, and all of them again when another writer was faster or held the catalog.
    ///
    /// So `apply` may be called several times: what it read in the lake it must read again, and what it does besides
    /// must bear to be repeated. At the deadline of [`OpenOptions::retry`] the conflict is reported.
    ///
    /// When the connection to the catalog's server is lost while the transaction is committed, the catalog is asked
    /// whether it is stored. If it is, that is a success, and if not, it is run again. Where nothing can be asked until
    /// the deadline, see [`Error::is_unknown_outcome`]. Its snapshot has a token as `commit_extra_info`.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store: metaxy_store_duckdb::Store = unreachable!();
    /// let changed = store.transaction(|connection| {
    ///     connection.execute("DELETE FROM sample WHERE id = 'old'")?;
    ///     connection.execute("INSERT INTO sample VALUES ('new')")
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When `apply` fails by anything else, or the transaction cannot be committed. Nothing of it is stored then.
    pub fn transaction<T>(&self, apply: impl FnMut(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        transaction(self.connection(), apply)
    }

    /// Begins a transaction that is run once, for statements that cannot be repeated.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store: metaxy_store_duckdb::Store = unreachable!();
    /// let transaction = store.begin()?;
    /// store.connection().execute("INSERT INTO sample VALUES ('new')")?;
    /// transaction.commit()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When one has begun already, or the catalog cannot be reached.
    pub fn begin(&self) -> Result<Transaction<'_>, Error> {
        Transaction::begin(self.connection())
    }

    /// Runs one statement that is a transaction by itself, as `CHECKPOINT` is, again when another writer was faster.
    ///
    /// # Errors
    ///
    /// As for [`transaction`](Self::transaction).
    pub fn repeat<T>(&self, statement: impl FnMut(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        repeated(self.connection(), statement)
    }

    /// Runs statements that begin and end transactions themselves, with no rows kept in a catalog that could lose them.
    ///
    /// A few rows of one insert are kept in tables of the catalog, and SQLite and PostgreSQL do not give back every value
    /// of a struct or of JSON in a list. [`transaction`](Self::transaction) sees to that by itself.
    ///
    /// # Errors
    ///
    /// When `run` fails, or DuckLake's limit cannot be set.
    pub fn without_inlining<T>(&self, run: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let connection = self.connection();
        if inlining::keeps_all(connection) {
            return run(connection);
        }
        inlining::without(connection, || run(connection))
    }

    /// The lakes attached beside it, fallback stores in the order in which they are asked.
    pub(crate) fn secondaries(&self) -> &[Secondary] {
        &self.secondaries
    }

    /// The names of the stores that are read where this one lacks a table, in the order in which they are asked.
    pub fn fallback_stores(&self) -> impl Iterator<Item = &str> {
        self.secondaries.iter().filter(|secondary| secondary.is_fallback).map(|secondary| secondary.store.as_str())
    }

    /// The plan that was run.
    pub fn plan(&self) -> &AttachPlan {
        &self.plan
    }

    /// What is no reason to refuse the lake, but to be careful with it: a data path over the stored one, or a stored one
    /// that makes DuckLake take live files for orphans.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Adds a warning.
    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Lets the lake go: makes the instance's own database current, detaches the lake, drops the secrets.
    ///
    /// # Errors
    ///
    /// When DuckDB cannot detach, for example because a query is still running, or there is no room for the catalog's file
    /// ([`Error::is_kept_in_log`]). What was committed is stored all the same. Dropping a store does the same and reports
    /// nothing.
    pub fn close(mut self) -> Result<(), Error> {
        self.shut()
    }

    /// Detaches the lake and attaches it again.
    ///
    /// DuckLake 1.0 keeps what it has read of a schema: once a table was read as of a snapshot, another one may not be found as
    /// of a snapshot at which a table for inlined rows was made.
    pub(crate) fn attach_again(&self) -> Result<(), Error> {
        let statements = self.plan.statements();
        let first = statements.iter().position(|statement| matches!(statement, Statement::Attach(_)));
        let range = first.unwrap_or(statements.len())..statements.len();
        run_all(self.connection(), &self.plan.undo(range.clone(), &self.home))?;
        let is_to_run = |statement: &&Statement| matches!(statement, Statement::Attach(_) | Statement::Use(_));
        let mut attach = statements[range].iter().filter(is_to_run);
        attach.try_for_each(|statement| self.connection().run_statement(statement).map(drop))
    }

    fn shut(&mut self) -> Result<(), Error> {
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        let undo = |plan: &AttachPlan| run_all(&connection, &plan.undo(0..plan.statements().len(), &self.home));
        let undone = undo(&self.plan);
        let undone = self.secondaries.iter().rev().fold(undone, |undone, secondary| undone.and(undo(&secondary.plan)));
        connection.close().and(undone)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A drop cannot report; whoever wants to know calls `close`.
        drop(self.shut());
    }
}

/// Runs every statement, also after one has failed; the first failure.
pub(super) fn run_all(connection: &Connection, statements: &[Statement]) -> Result<(), Error> {
    let mut outcome = Ok(());
    for statement in statements {
        let done = connection.run_statement(statement).map(drop);
        outcome = outcome.and(done.map_err(|error| error.of_statement(statement.name())));
    }
    outcome
}
