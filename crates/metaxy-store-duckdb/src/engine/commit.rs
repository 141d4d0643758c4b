//! A transaction that writes, and whose commit may be stored although its answer is lost.
//!
//! When the connection to a catalog's server breaks before the answer to COMMIT arrives, DuckLake takes the transaction
//! for failed and removes its files, while the catalog may have the snapshot that names them. So files are held before
//! COMMIT, see [`HeldFiles`], and each transaction has a token in its snapshot. After an error the catalog is asked for
//! it, on a new connection, and at a time at which no transaction is open that writes a snapshot. If it is there, the
//! files are too, and the transaction is done. If not, they are removed, and it may be run again.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use ducklake_sql::{CatalogKind, bind, sql};

use super::cause::Cause;
use super::connection::Connection;
use super::error::{Error, Kind};
use super::held_files::HeldFiles;
use super::leftovers::{self, writes_files};
use super::retry::repeat;
use super::transaction::in_transaction;
use super::write_log::WriteLog;

/// Runs `apply` in a transaction that writes.
///
/// After an error nothing of it is stored, unless it is [`Kind::UnknownOutcome`].
pub(super) fn write<T>(connection: &Connection, apply: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    write_with(connection, None, apply)
}

/// The same with a message of its snapshot.
pub(super) fn write_with<T>(
    connection: &Connection,
    message: Option<&Message>,
    apply: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let transaction = Transaction::begin_with(connection, message)?;
    let value = apply()?;
    transaction.commit()?;
    Ok(value)
}

/// Who makes a snapshot, and what is said about it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    author: &'static str,
    text: String,
}

impl Message {
    pub(crate) fn new(author: &'static str, text: String) -> Self {
        Self { author, text }
    }
}

/// A transaction that a program begins and ends by itself, see [`Store::begin`](crate::Store::begin).
///
/// Dropping it rolls it back.
pub struct Transaction<'c> {
    connection: &'c Connection,
    is_open: bool,
    /// The files that it writes; nothing where it is none of a lake.
    log: Option<WriteLog>,
    /// What its snapshot is known by; only where the answer to a commit can be lost.
    token: Option<String>,
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        self.connection.is_logged.set(false);
        if self.is_open {
            roll_back(self.connection);
            self.remove_leftovers();
        }
    }
}

impl<'c> Transaction<'c> {
    /// Begins it.
    pub(crate) fn begin(connection: &'c Connection) -> Result<Self, Error> {
        Self::begin_with(connection, None)
    }

    /// Begins it with a message of its snapshot.
    pub(super) fn begin_with(connection: &'c Connection, message: Option<&Message>) -> Result<Self, Error> {
        let log = writes_files(connection).then(|| WriteLog::start(connection)).transpose()?;
        let token = (connection.plan().catalog() == Some(CatalogKind::Postgres)).then(token);
        connection.execute("BEGIN TRANSACTION")?;
        connection.is_logged.set(true);
        let transaction = Self { connection, is_open: true, log, token };
        transaction.mark(message)?;
        Ok(transaction)
    }

    /// Gives the snapshot that it will make its token, and its message. An author and a message that a person sets later
    /// take their place.
    fn mark(&self, message: Option<&Message>) -> Result<(), Error> {
        let plan = self.connection.plan();
        let lake = bind(plan.alias().as_str());
        let author = message.map(|message| bind(message.author));
        let text = message.map(|message| bind(message.text.as_str()));
        let sql = match (author.zip(text), &self.token) {
            (None, None) => return Ok(()),
            (None, Some(token)) => sql!(
                "CALL ducklake_set_commit_message({lake}, NULL, NULL, extra_info => {token})",
                lake,
                token = bind(token.as_str()),
            ),
            (Some((author, text)), None) => {
                sql!("CALL ducklake_set_commit_message({lake}, {author}, {text})", lake, author, text)
            }
            (Some((author, text)), Some(token)) => sql!(
                "CALL ducklake_set_commit_message({lake}, {author}, {text}, extra_info => {token})",
                lake,
                author,
                text,
                token = bind(token.as_str()),
            ),
        };
        self.connection.execute(sql)?;
        self.connection.take_sets_message();
        Ok(())
    }

    /// Removes files that it has left, after it was rolled back.
    fn remove_leftovers(&self) {
        if let Some(log) = &self.log {
            leftovers::remove(self.connection, log);
        }
    }

    /// Ends it with nothing stored.
    ///
    /// # Errors
    ///
    /// When DuckDB refuses it; nothing is stored then either.
    pub fn roll_back(mut self) -> Result<(), Error> {
        self.is_open = false;
        let ended = self.connection.execute("ROLLBACK").map(drop);
        self.remove_leftovers();
        ended
    }

    /// Commits it.
    ///
    /// When the connection to the catalog's server is lost meanwhile, the catalog is asked whether it is stored.
    ///
    /// # Errors
    ///
    /// When it cannot be committed, and nothing of it is stored; see [`Error::is_unknown_outcome`] for the one exception.
    pub fn commit(mut self) -> Result<(), Error> {
        let connection = self.connection;
        let (Some(log), Some(token)) = (&self.log, &self.token) else {
            // A failure leaves it open.
            return connection.execute("COMMIT").map(|_| self.is_open = false);
        };
        let held = HeldFiles::hold(log.connection(), connection, log.files(connection)?, token)?;
        self.is_open = false;
        let Err(error) = connection.execute("COMMIT") else {
            held.release();
            return Ok(());
        };
        roll_back(connection);
        // What the server or DuckLake has refused is not stored.
        if error.cause().is_some_and(|cause| !is_lost(cause)) {
            held.remove(connection);
            return Err(error);
        }
        // From here on they are where a snapshot that may be there says, whatever happens to this process.
        let held = held.restore();
        if connection.take_sets_message() {
            // The message of a person has taken the token's place.
            let lake = connection.plan().alias().to_string();
            return Err(Error::new(Kind::UnknownOutcome { lake, token: None, error }));
        }
        match is_stored(connection, token) {
            Ok(true) if !(log.is_on() && held.are_all()) => Err(Error::new(Kind::FilesAtRisk(error))),
            Ok(true) => {
                tracing::info!(token, "the answer to COMMIT was lost, and the transaction is stored");
                Ok(())
            }
            Ok(false) => {
                held.remove(connection);
                Err(error)
            }
            Err(asked) => {
                tracing::info!(%asked, token, "whether the transaction is stored could not be asked");
                let lake = connection.plan().alias().to_string();
                Err(Error::new(Kind::UnknownOutcome { lake, token: Some(token.clone()), error }))
            }
        }
    }
}

/// Ends a transaction after a failure.
fn roll_back(connection: &Connection) {
    // What fails to be undone has been undone by that failure, which is the one to report.
    drop(connection.execute("ROLLBACK"));
}

/// Whether a server that fails by this may still have done what it was asked for.
pub(super) fn is_lost(cause: Cause) -> bool {
    matches!(cause, Cause::PostgresDown | Cause::PostgresBusy | Cause::PostgresTimeout | Cause::PostgresHostUnknown)
}

/// A text that no other transaction has.
fn token() -> String {
    let random = || RandomState::new().hash_one(super::transaction::now());
    format!("metaxy:{:016x}{:016x}", random(), random())
}

/// Whether a snapshot has this token.
///
/// A transaction whose connection is lost may still be about to commit. It has written its snapshot by then, so it is
/// over once the table of snapshots can be locked against writes.
fn is_stored(connection: &Connection, token: &str) -> Result<bool, Error> {
    let other = connection.elsewhere()?;
    let plan = connection.plan();
    let ask = || {
        in_transaction(&other, || {
            if let Some((database, schema)) = plan.metadata() {
                let wait = sql!("SET LOCAL lock_timeout = '60s'");
                let lock = sql!("LOCK TABLE {schema}.ducklake_snapshot IN SHARE MODE", schema);
                for statement in [wait, lock] {
                    other.execute(sql!(
                        "CALL postgres_execute({database}, {statement})",
                        database = bind(database.as_str()),
                        statement = bind(statement.text()),
                    ))?;
                }
            }
            other.query_value(sql!(
                "SELECT count(*) > 0 FROM ducklake_snapshots({lake}) WHERE commit_extra_info = {token}",
                lake = bind(plan.alias().as_str()),
                token = bind(token),
            ))
        })
    };
    repeat(connection.retry(), ask, Error::begins_anew)
}
