//! The connection to DuckDB: runs only [`Sql`], binds its values, returns Arrow batches, scrubs what the engine says.
//!
//! Every statement is a `tracing` span with its text, in which `?` stands for each value, and an event at its end.

mod rows;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use duckdb::types::{ToSqlOutput, Value as DuckDbValue, ValueRef};
use ducklake_sql::{AttachPlan, Ident, Parameter, Sql, Statement};
use metaxy_config::Retry;

pub use self::rows::Rows;

use super::cause::Facts;
use super::engine_error::EngineError;
use super::error::{Error, Kind};

use super::interrupt::{Interrupt, Running};
use super::leftovers;
use super::progress::Reporter;
use super::read_lock::{self, ReadLock, StoredQuery};
use super::write_log::{SharedState, number_of};
use super::written_columns;

/// A connection to the DuckDB instance that has the lake attached. Of those that a program gets, the lake is the current
/// database.
///
/// It runs [`Sql`], or a text known when the program was compiled; a text made from parts is not accepted.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store: metaxy_store_duckdb::Store = unreachable!();
/// use ducklake_sql::Sql;
///
/// let connection = store.connection();
/// connection.execute("CREATE TABLE sample (id VARCHAR)")?;
/// connection.execute(Sql::fixed("INSERT INTO sample VALUES (?)").with_text("id", "it's"))?;
/// for batch in connection.query("FROM sample")? {
///     println!("{} rows", batch?.num_rows());
/// }
/// # Ok(())
/// # }
/// ```
pub struct Connection {
    pub(super) inner: duckdb::Connection,
    /// The plan whose secrets must not appear in an error.
    plan: Arc<AttachPlan>,
    /// The names of the functions that were registered in the instance, as far as this connection knows.
    functions: RefCell<BTreeSet<String>>,
    /// The plans of lakes attached beside it, whose secrets must not either.
    secondaries: Arc<[AttachPlan]>,
    /// What is known of the lake, for the advice of errors.
    facts: Arc<Facts>,
    /// Whether statements of a person must only read, and what of the lakes they may not name then.
    lock: Option<Arc<ReadLock>>,
    /// Whether it is one that programs get, whose statements nobody has looked at before.
    is_for_programs: bool,
    /// Whether it was decided already what the statements that run now may inline.
    pub(super) decides_inlining: Cell<bool>,
    /// Who may end what it runs.
    interrupt: Interrupt,
    running: Arc<Running>,
    /// Whom to tell how much is done.
    reporter: Reporter,
    /// How what another program was in the way of is run again.
    retry: Retry,
    shared_state: SharedState,
    /// Whether a statement has set the message of a commit.
    sets_message: Cell<bool>,
    /// Its number in DuckDB's log.
    id: Option<i64>,
    /// Whether the files are known that are written now.
    pub(super) is_logged: Cell<bool>,
    /// Whether a statement may have begun a transaction that has not ended.
    may_be_in_transaction: Cell<bool>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn plan(&self) -> Arc<AttachPlan> {
        Arc::clone(&self.plan)
    }

    /// The plan that attached the lake with this alias.
    pub(crate) fn plan_of(&self, alias: &Ident) -> Option<&AttachPlan> {
        [&*self.plan].into_iter().chain(self.secondaries.iter()).find(|plan| plan.alias() == alias)
    }

    /// Whether the database with this alias is a lake, which has snapshots and may inline rows.
    pub(crate) fn is_lake(&self, alias: &Ident) -> bool {
        self.plan_of(alias).is_none_or(|plan| plan.catalog().is_some())
    }

    /// Whether all queries run within this process.
    pub(crate) fn is_local(&self) -> bool {
        let in_motherduck = |statement: &Statement| matches!(statement, Statement::AttachMotherDuck);
        !self.secondaries.iter().chain([&*self.plan]).any(|plan| plan.statements().iter().any(in_motherduck))
    }

    pub(crate) fn new(inner: duckdb::Connection, plan: Arc<AttachPlan>) -> Self {
        let interrupt = Interrupt::default();
        Self {
            running: interrupt.register(&inner),
            id: number_of(&inner),
            is_logged: Cell::new(false),
            inner,
            plan,
            functions: RefCell::default(),
            secondaries: Arc::default(),
            facts: Arc::default(),
            lock: None,
            is_for_programs: false,
            decides_inlining: Cell::new(false),
            interrupt,
            reporter: Reporter::default(),
            retry: Retry::default(),
            shared_state: SharedState::default(),
            sets_message: Cell::default(),
            may_be_in_transaction: Cell::default(),
        }
    }

    /// The same connection, which can be interrupted from another thread.
    pub(crate) fn interrupted_by(self, interrupt: Interrupt) -> Self {
        Self { running: interrupt.register(&self.inner), interrupt, ..self }
    }

    /// The same connection, which tells how much is done.
    pub(crate) fn reporting_to(self, reporter: Reporter) -> Self {
        Self { reporter, ..self }
    }

    pub(crate) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// The same connection, for what undoes something: nobody can interrupt it.
    pub(crate) fn uninterrupted(self) -> Self {
        self.interrupted_by(Interrupt::default())
    }

    /// Its number in DuckDB's log.
    pub(super) fn id(&self) -> Option<i64> {
        self.id
    }

    /// The same connection, whose errors hold no secret of these plans either.
    pub(crate) fn with_secondaries(self, plans: impl IntoIterator<Item = AttachPlan>) -> Self {
        Self { secondaries: plans.into_iter().collect(), ..self }
    }

    /// The same connection, whose errors advise with these facts.
    pub(crate) fn with_facts(self, facts: Arc<Facts>) -> Self {
        Self { facts, ..self }
    }

    /// The same connection for programs: what a statement inserts is inlined only where it comes back as it is.
    pub(crate) fn for_programs(self) -> Self {
        Self { is_for_programs: true, ..self }
    }

    pub(super) fn is_for_programs(&self) -> bool {
        self.is_for_programs
    }

    /// The same connection, whose transactions are run again in this way.
    pub(crate) fn with_retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// Whether a statement may have begun a transaction that has not ended: DuckDB does not tell.
    pub(super) fn may_be_in_transaction(&self) -> bool {
        self.may_be_in_transaction.get()
    }

    pub(crate) fn retry(&self) -> &Retry {
        &self.retry
    }

    /// Whether a statement has set the message of a commit since this was asked last.
    pub(super) fn take_sets_message(&self) -> bool {
        self.sets_message.take()
    }

    pub(super) fn shared_state(&self) -> SharedState {
        self.shared_state.clone()
    }

    /// Locks the instance, so that statements of a person can only read: no files but those in these folders and at
    /// these paths, no settings, no other database, and no stored view or macro that does more.
    pub(crate) fn lock(&mut self, folders: &[String], files: &[String], stored: Vec<StoredQuery>) -> Result<(), Error> {
        let lock = Arc::new(ReadLock::new(self, stored)?);
        // MotherDuck's extension opens connections of its own, which DuckDB would refuse.
        if self.is_local() {
            read_lock::lock(self, folders, files)?;
        }
        self.lock = Some(lock);
        Ok(())
    }

    /// Whether DuckDB's parser takes each statement of a text for a query.
    ///
    /// # Errors
    ///
    /// When DuckDB cannot be asked.
    pub fn are_queries(&self, text: &str) -> Result<bool, Error> {
        read_lock::are_queries(self, text)
    }

    /// Runs a statement to its end; the number of rows it changed.
    ///
    /// A few rows of one insert are kept in tables of the catalog. Where that is SQLite or PostgreSQL, rows that it would
    /// not give back as they are go into a file, whatever their number: those of tables with structs, or JSON in lists.
    ///
    /// # Errors
    ///
    /// When DuckDB refuses it.
    pub fn execute(&self, sql: impl Into<Sql>) -> Result<usize, Error> {
        let sql = sql.into();
        leftovers::guard(self, &sql, || written_columns::guard(self, &sql, || self.run(&sql)))
    }

    /// Runs a query; its rows come as Arrow batches, one at a time, while the engine produces them.
    ///
    /// Another statement on this connection ends the stream: use [`another`](Self::another) for that.
    ///
    /// # Errors
    ///
    /// When DuckDB refuses it, or Arrow would get other values than DuckDB has: those of UHUGEINT, TIMETZ, BIT and BIGNUM.
    pub fn query(&self, sql: impl Into<Sql>) -> Result<Rows<'_>, Error> {
        let sql = sql.into();
        let start = Instant::now();
        let statement = written_columns::guard_within(self, &sql, || {
            self.observed(&sql, None, |statement| {
                // The iterator that this returns panics on an error; `Rows` fetches the batches itself.
                drop(statement.stream_arrow(duckdb::params_from_iter(sql.parameters().map(Bound)))?);
                Ok(None)
            })
        })?;
        rows::are_unchanged(&statement)?;
        Ok(Rows { schema: statement.schema(), statement, connection: self, start, count: 0 })
    }

    /// Another connection to the same instance, the lake being its current database too.
    ///
    /// # Errors
    ///
    /// When DuckDB refuses it.
    pub fn another(&self) -> Result<Self, Error> {
        let another = self.elsewhere()?;
        another.execute(Statement::Use(self.plan.alias().clone()).to_sql())?;
        Ok(another.for_programs())
    }

    /// Another connection to the same instance for reading files: what it reads does not touch the lake, which another
    /// program may hold.
    ///
    /// # Errors
    ///
    /// When DuckDB refuses it.
    pub fn for_files(&self) -> Result<Self, Error> {
        self.elsewhere()
    }

    /// The same with the instance's own database as the current one.
    ///
    /// It is for statements that name the lake of each table: where the lake is the current database, DuckDB asks its
    /// catalog for a snapshot with every statement, one that touches no table of it too.
    pub(crate) fn elsewhere(&self) -> Result<Self, Error> {
        let inner = self.inner.try_clone().map_err(|error| self.failed(&error, None))?;
        let (plan, secondaries) = (Arc::clone(&self.plan), Arc::clone(&self.secondaries));
        Ok(Self {
            running: self.interrupt.register(&inner),
            interrupt: self.interrupt.clone(),
            reporter: self.reporter.clone(),
            id: number_of(&inner),
            is_logged: Cell::new(false),
            inner,
            plan,
            functions: self.functions.clone(),
            secondaries,
            facts: Arc::clone(&self.facts),
            lock: self.lock.clone(),
            is_for_programs: false,
            decides_inlining: Cell::new(false),
            retry: self.retry,
            shared_state: self.shared_state(),
            sets_message: Cell::default(),
            may_be_in_transaction: Cell::default(),
        })
    }

    /// Runs a statement; the number of rows it changed.
    pub(crate) fn run(&self, sql: &Sql) -> Result<usize, Error> {
        self.run_named(sql, None)
    }

    /// Runs a statement of a plan, for which it has a name.
    pub(crate) fn run_statement(&self, statement: &Statement) -> Result<usize, Error> {
        self.run_named(&statement.to_sql(), Some(statement.name()))
    }

    fn run_named(&self, sql: &Sql, name: Option<&'static str>) -> Result<usize, Error> {
        let mut changed = 0;
        self.observed(sql, name, |statement| {
            changed = statement.execute(duckdb::params_from_iter(sql.parameters().map(Bound)))?;
            Ok(Some(changed))
        })?;
        Ok(changed)
    }

    /// The text in the first column of the only row, if there is one.
    pub(crate) fn text(&self, sql: &Sql) -> Result<Option<String>, Error> {
        let mut found = None;
        self.fetched(sql, |rows| {
            found = rows.next()?.map(|row| row.get::<_, Option<String>>(0)).transpose()?.flatten();
            Ok(1)
        })?;
        Ok(found)
    }

    /// Runs a query, and lets `read` take its rows and count them.
    pub(super) fn fetched(
        &self,
        sql: &Sql,
        read: impl FnOnce(&mut duckdb::Rows<'_>) -> duckdb::Result<usize>,
    ) -> Result<(), Error> {
        self.observed(sql, None, |statement| {
            read(&mut statement.query(duckdb::params_from_iter(sql.parameters().map(Bound)))?).map(Some)
        })
        .map(drop)
    }

    /// Prepares a statement and runs it, which gives the number of its rows, in a span of its own.
    fn observed(
        &self,
        sql: &Sql,
        name: Option<&'static str>,
        run: impl FnOnce(&mut duckdb::Statement<'_>) -> duckdb::Result<Option<usize>>,
    ) -> Result<duckdb::Statement<'_>, Error> {
        if let Some(lock) = self.lock.as_ref().filter(|_| sql.is_user_query()) {
            lock.check(self, sql.text())?;
        }
        let text = sql.text().to_ascii_lowercase();
        if text.contains("set_commit_message") {
            self.sets_message.set(true);
        }
        let first_word = sql.first_word();
        // The words are in names too, as in `begin_snapshot`, but a text of several statements may begin one anywhere.
        let begins_transaction = match first_word.as_str() {
            "BEGIN" | "START" => true,
            word => (word == "PREPARE" || text.contains(';')) && (text.contains("begin") || text.contains("start")),
        };
        if begins_transaction {
            self.may_be_in_transaction.set(true);
        }
        let _span = tracing::debug_span!("statement", name, sql = &*sql.text_for_log()).entered();
        let start = Instant::now();
        let mut rows = None;
        let statement = self.running.run(&self.interrupt, sql, || {
            let prepared = self.inner.prepare(sql.text());
            let statement = prepared.and_then(|mut statement| {
                rows = run(&mut statement)?;
                Ok(statement)
            });
            statement.map_err(|error| self.failed(&error, Some(sql)))
        });
        let duration = start.elapsed();
        let ends_transaction = match first_word.as_str() {
            "ROLLBACK" | "ABORT" => true,
            "COMMIT" | "END" => statement.is_ok(),
            _ => false,
        };
        // A text of several statements may begin another one.
        if ends_transaction && !text.contains(';') {
            self.may_be_in_transaction.set(false);
        }
        match statement {
            Ok(statement) => {
                tracing::debug!(rows, ?duration, "done");
                Ok(statement)
            }
            Err(error) => {
                tracing::debug!(?duration, cause = error.cause().map(super::Cause::as_str), "failed");
                Err(error)
            }
        }
    }

    /// The error for what the engine says, which may quote the secrets of a plan, or those bound to the statement.
    fn failed(&self, error: &duckdb::Error, sql: Option<&Sql>) -> Error {
        self.said(&engine_text(error), sql)
    }

    /// The error for a text of the engine.
    pub(super) fn said(&self, raw: &str, sql: Option<&Sql>) -> Error {
        let plans = self.secondaries.iter().chain([&*self.plan]);
        let text = plans.fold(raw.to_owned(), |text, plan| plan.scrub(&text));
        let text = sql.map_or(text.clone(), |sql| sql.scrub(&text));
        Error::new(Kind::Query(EngineError::new(raw, text, &self.facts))).with_facts(&self.facts)
    }

    /// Registers functions in the instance by their names, those that it does not have yet.
    pub(crate) fn register<F>(&self, functions: impl IntoIterator<Item = (String, F)>) -> Result<(), Error>
    where
        F: FnOnce(&duckdb::Connection) -> duckdb::Result<()>,
    {
        let mut registered = self.functions.borrow_mut();
        let mut new = functions.into_iter().filter(|(name, _)| !registered.contains(name)).collect::<Vec<_>>();
        if new.is_empty() {
            return Ok(());
        }
        // Through a connection of its own: in this one's transaction, which a stream may have left open, they would go
        // away with it.
        let other = self.inner.try_clone().map_err(|error| self.failed(&error, None))?;
        for (name, register) in new.drain(..) {
            register(&other).map_err(|error| self.failed(&error, None))?;
            registered.insert(name);
        }
        Ok(())
    }

    /// Appends batches to a temporary table that has exactly their columns.
    pub(crate) fn append(
        &self,
        table: &Ident,
        batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    ) -> Result<(), Error> {
        let failed = |error: duckdb::Error| self.failed(&error, None).on_table(table.as_str());
        let mut appender = self.inner.appender_to_catalog_and_db(table.as_str(), "temp", "main").map_err(failed)?;
        for batch in batches {
            self.interrupt.check()?;
            let batch = batch.map_err(|error| Error::of_rows(error).with_facts(&self.facts))?;
            appender.append_record_batch(batch).map_err(failed)?;
        }
        appender.flush().map_err(failed)
    }

    /// Closes the connection, and with the last one the instance.
    pub(crate) fn close(self) -> Result<(), Error> {
        let Self { inner, plan, secondaries, facts, .. } = self;
        inner.close().map_err(|(inner, error)| {
            let connection = Self::new(inner, plan).with_secondaries(secondaries.iter().cloned()).with_facts(facts);
            connection.failed(&error, None).of_statement("closing the connection")
        })
    }
}

/// What the engine says, without the wrapper's own words.
pub(crate) fn engine_text(error: &duckdb::Error) -> String {
    match error {
        duckdb::Error::DuckDBFailure(_, Some(message)) => message.trim_end().to_owned(),
        other => other.to_string(),
    }
}

/// A value on its way into a prepared statement.
pub(super) struct Bound<'a>(pub(super) Parameter<'a>);

impl duckdb::ToSql for Bound<'_> {
    fn to_sql(&self) -> duckdb::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Parameter::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Parameter::Integer(number) => ToSqlOutput::Owned(DuckDbValue::BigInt(number)),
            Parameter::Boolean(boolean) => ToSqlOutput::Owned(DuckDbValue::Boolean(boolean)),
        })
    }
}
