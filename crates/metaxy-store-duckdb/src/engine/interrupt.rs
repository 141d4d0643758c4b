//! Interrupting what runs, from another thread: one that waits for a signal, or for a person.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ducklake_sql::Sql;

use super::error::{Error, Kind};

/// Ends what runs in a store, from another thread.
///
/// A clone is the same interrupt. Once it is requested, the statement that runs fails, and so does every later one, but
/// for those that undo what was begun: so the transaction is rolled back, and the store can be closed. What waits for a
/// server that does not answer cannot be ended before its own time is over.
///
/// ```no_run
/// use ducklake_sql::Mode;
/// use metaxy_config::{Config, LoadOptions, OsSystem};
/// use metaxy_store_duckdb::{Interrupt, OpenOptions};
///
/// let interrupt = Interrupt::default();
/// let (other, config) = (interrupt.clone(), Config::load(&OsSystem, &LoadOptions::default())?.config);
/// std::thread::spawn(move || {
///     std::thread::sleep(std::time::Duration::from_secs(60));
///     other.request();
/// });
/// let store = OpenOptions::default().interrupt(interrupt).open(&config, &config.store, Mode::Write)?;
/// if let Err(error) = store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(1000000000)") {
///     assert!(error.is_interrupted());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Shared>);

#[derive(Default)]
struct Shared {
    is_requested: AtomicBool,
    connections: Mutex<Vec<Weak<Running>>>,
}

/// What a connection runs at the moment.
pub(super) struct Running {
    handle: Arc<duckdb::InterruptHandle>,
    /// Whether a statement runs that may be ended. It is locked while one is, so that the end never reaches the next one.
    is_interruptible: Mutex<bool>,
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("is_requested", &self.is_requested()).finish_non_exhaustive()
    }
}

impl Interrupt {
    /// Asks for the end of what runs. A statement that begins at this very moment may miss it, so ask again until the
    /// work is over.
    pub fn request(&self) {
        self.0.is_requested.store(true, Ordering::SeqCst);
        for running in self.connections() {
            running.interrupt();
        }
    }

    /// Whether somebody has asked.
    pub fn is_requested(&self) -> bool {
        self.0.is_requested.load(Ordering::SeqCst)
    }

    /// Whether a connection is open that it is for.
    pub fn is_in_use(&self) -> bool {
        !self.connections().is_empty()
    }

    fn connections(&self) -> Vec<Arc<Running>> {
        let mut connections = self.0.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|running| running.strong_count() > 0);
        connections.iter().filter_map(Weak::upgrade).collect()
    }

    pub(super) fn register(&self, connection: &duckdb::Connection) -> Arc<Running> {
        let handle = connection.interrupt_handle();
        let running = Arc::new(Running { handle, is_interruptible: Mutex::default() });
        let mut connections = self.0.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|running| running.strong_count() > 0);
        connections.push(Arc::downgrade(&running));
        running
    }

    /// Fails once an end was asked for.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.is_requested() { Err(Error::new(Kind::Interrupted)) } else { Ok(()) }
    }
}

impl Running {
    fn interrupt(&self) {
        if *self.is_interruptible.lock().unwrap_or_else(PoisonError::into_inner) {
            self.handle.interrupt();
        }
    }

    fn set_interruptible(&self, is_interruptible: bool) {
        *self.is_interruptible.lock().unwrap_or_else(PoisonError::into_inner) = is_interruptible;
    }

    /// Runs a statement that may be ended; one that undoes something runs to its end all the same: a `ROLLBACK` that is
    /// interrupted leaves a SQLite catalog locked.
    pub(super) fn run<T>(
        &self,
        interrupt: &Interrupt,
        sql: &Sql,
        run: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let undoes = undoes(sql);
        // Nobody would know whether a commit that was interrupted is stored.
        let is_commit = matches!(sql.first_word().as_str(), "COMMIT" | "END");
        self.set_interruptible(!is_commit && !undoes);
        let done = if undoes { Ok(()) } else { interrupt.check() }.and_then(|()| run());
        self.set_interruptible(false);
        done
    }

    /// Takes the next rows of a stream, which may be ended.
    pub(super) fn next<T>(
        &self,
        interrupt: &Interrupt,
        next: impl FnOnce() -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        self.set_interruptible(true);
        let taken = interrupt.check().and_then(|()| next());
        self.set_interruptible(false);
        taken
    }
}

/// Whether a statement of this crate takes something back.
fn undoes(sql: &Sql) -> bool {
    !sql.is_user_query() && matches!(sql.first_word().as_str(), "ROLLBACK" | "DETACH" | "DROP" | "USE")
}
