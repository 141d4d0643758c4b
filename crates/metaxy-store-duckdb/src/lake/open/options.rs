//! How a store is opened, beyond its configuration.

use metaxy_config::Retry;

#[cfg(doc)]
use super::Store;
#[cfg(doc)]
use crate::engine::Error;
use crate::engine::{Connection, Interrupt, Progress, Reporter};

/// How long an attempt to connect to PostgreSQL may take, in seconds.
const CONNECT_TIMEOUT: u32 = 10;

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
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own, as in `std::fs::OpenOptions`")]
pub struct OpenOptions {
    pub(super) install: bool,
    pub(super) must_exist: bool,
    pub(super) is_copying: bool,
    /// Whether a lake of an older format is brought to the engine's.
    pub(super) migrates: bool,
    /// The store whose lake is to be moved to the one that is opened.
    pub(super) moves_from: Option<String>,
    pub(super) fallbacks: bool,
    pub(super) secondaries: Vec<String>,
    pub(super) named: Vec<String>,
    pub(super) lock: bool,
    pub(super) connect_timeout: u32,
    pub(super) interrupt: Interrupt,
    pub(super) reporter: Reporter,
    pub(super) retry: Option<Retry>,
    pub(super) health_check: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            install: true,
            must_exist: false,
            is_copying: false,
            migrates: false,
            moves_from: None,
            fallbacks: true,
            secondaries: Vec::new(),
            named: Vec::new(),
            lock: false,
            connect_timeout: CONNECT_TIMEOUT,
            interrupt: Interrupt::default(),
            reporter: Reporter::default(),
            retry: None,
            health_check: true,
        }
    }
}

impl OpenOptions {
    /// Whether an extension that cannot be loaded is installed from its repository; true unless set.
    pub fn install_extensions(mut self, install: bool) -> Self {
        self.install = install;
        self
    }

    /// Whether a lake that is not there is an error in write mode too, and is not created; false unless set.
    ///
    /// It is for changes to rows that the lake has, see [`Error::is_missing_lake`].
    pub fn must_exist(mut self, must_exist: bool) -> Self {
        self.must_exist = must_exist;
        self
    }

    /// Whether the lake that another one is to be moved to is made where it is not there.
    pub(crate) fn copying(mut self) -> Self {
        self.is_copying = true;
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
    pub fn secondary(mut self, store: impl Into<String>) -> Self {
        self.secondaries.push(store.into());
        self
    }

    /// Attaches the lake of another configured store too, for reading, under the name of that store: to join the tables of
    /// both in one query. One in MotherDuck has the name of its database.
    pub fn with_store(mut self, store: impl Into<String>) -> Self {
        self.named.push(store.into());
        self
    }

    /// Whether a store that is opened in read mode is locked for what a person types; false unless set.
    ///
    /// DuckDB then reaches no files but those of the lakes that are attached, loads no extension and takes no setting,
    /// until the store is closed. A statement from [`Sql::user_query`](ducklake_sql::Sql::user_query) is
    /// run only if DuckDB's parser takes it for one that reads, and it calls no table function that might do more:
    /// queries, `EXPLAIN`, transactions, `USE`, variables and pragmas that show something. See
    /// [`Error::is_read_only`].
    ///
    /// A program that reads or writes files of its own through the connection, as with
    /// [`InputFile`](crate::InputFile), cannot use it. In write mode it has no effect.
    pub fn lock(mut self, lock: bool) -> Self {
        self.lock = lock;
        self
    }

    /// How many seconds an attempt to connect to PostgreSQL may take; 10 unless set, and 0 is without end.
    ///
    /// It holds where nothing else says so: neither `connect_timeout` in the `secret_parameters` of the catalog, nor a
    /// `uri` there, nor the variable `PGCONNECT_TIMEOUT`. A secret that is only named decides for itself.
    ///
    /// A storage that says nothing for 10 seconds is asked again, three times; the settings `http_timeout` and
    /// `http_retries` of the store say otherwise.
    pub fn connect_timeout(mut self, seconds: u32) -> Self {
        self.connect_timeout = seconds;
        self
    }

    /// Whether DuckDB asks PostgreSQL, before and after each transaction, if a connection that it keeps is alive; true
    /// unless set.
    ///
    /// That are two round trips for each transaction. A program that ends soon can do without: a connection that was lost
    /// fails then, and what the store runs again ([`Store::transaction`], writing, comparing) is run on another one.
    pub fn health_check(mut self, health_check: bool) -> Self {
        self.health_check = health_check;
        self
    }

    /// Lets another thread end what runs in the store, see [`Interrupt`].
    pub fn interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// Calls this, from any thread, whenever a part of what takes long is done: of comparing or copying features, of
    /// maintenance, of moving a lake.
    ///
    /// ```no_run
    /// use ducklake_sql::Mode;
    /// use metaxy_config::Config;
    /// use metaxy_store_duckdb::{MaintainOptions, OpenOptions, Progress};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let config: Config = unreachable!();
    /// let tell = |Progress { done, total, unit, .. }| eprintln!("{done} of {total} {unit:?}");
    /// let store = OpenOptions::default().on_progress(tell).open(&config, "dev", Mode::Write)?;
    /// store.maintain(&MaintainOptions::new(), |_, _| ())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_progress(mut self, report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.reporter = Reporter::new(report);
        self
    }

    /// A connection that can be interrupted, and tells how much is done.
    pub(super) fn watched(&self, connection: Connection) -> Connection {
        connection.interrupted_by(self.interrupt.clone()).reporting_to(self.reporter.clone())
    }

    /// How a transaction is run again when another program was in the way, in place of what the configuration says.
    pub fn retry(mut self, retry: impl Into<Option<Retry>>) -> Self {
        self.retry = retry.into();
        self
    }
}
