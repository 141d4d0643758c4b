//! A transaction that writes, and whose commit may be stored although its answer is lost.
//!
//! When the connection to a catalog's server breaks before the answer to COMMIT arrives, DuckLake takes the transaction
//! for failed and removes its files, while the catalog may have the snapshot that names them. So files are held before
//! COMMIT, see [`HeldFiles`], and each transaction has a token in its snapshot. After an error the catalog is asked for
//! it, on a new connection, and at a time at which no transaction is open that writes a snapshot. If it is there, the
//! files are too, and the transaction is done. If not, they are removed, and it may be run again.

use std::hash::{BuildHasher as _, RandomState};

use ducklake_sql::{CatalogKind, bind, sql};

use super::cause::Cause;
use super::connection::Connection;
use super::error::{Error, Kind};
use super::held_files::HeldFiles;
use super::retry::repeat;
use super::transaction::in_transaction;
use super::write_log::WriteLog;

/// Runs `apply` in a transaction that writes.
///
/// After an error nothing of it is stored, unless it is [`Kind::UnknownOutcome`].
pub(super) fn write<T>(connection: &Connection, apply: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let transaction = WriteTransaction::begin(connection)?;
    match apply() {
        Ok(value) => transaction.commit().map(|()| value),
        Err(error) => {
            transaction.roll_back();
            Err(error)
        }
    }
}

/// A transaction that writes, from its begin on.
pub(super) struct WriteTransaction<'c> {
    connection: &'c Connection,
    /// Only where the answer to a commit can be lost.
    guard: Option<Guard>,
}

/// What is needed to find out how a commit ended, and to have its files then.
struct Guard {
    token: String,
    log: WriteLog,
}

impl<'c> WriteTransaction<'c> {
    /// Begins it.
    pub(super) fn begin(connection: &'c Connection) -> Result<Self, Error> {
        let guard = (connection.plan().catalog() == CatalogKind::Postgres)
            .then(|| WriteLog::start(connection).map(|log| Guard { token: token(), log }))
            .transpose()?;
        connection.execute("BEGIN TRANSACTION")?;
        let transaction = Self { connection, guard };
        match transaction.mark() {
            Ok(()) => Ok(transaction),
            Err(error) => {
                transaction.roll_back();
                Err(error)
            }
        }
    }

    /// Gives the snapshot that it will make its token. An author and a message that a person sets later take its place.
    fn mark(&self) -> Result<(), Error> {
        let Some(guard) = &self.guard else { return Ok(()) };
        let plan = self.connection.plan();
        self.connection.execute(sql!(
            "CALL ducklake_set_commit_message({lake}, NULL, NULL, extra_info => {token})",
            lake = bind(plan.alias().as_str()),
            token = bind(guard.token.as_str()),
        ))?;
        Ok(())
    }

    /// Ends it with nothing stored.
    pub(super) fn roll_back(self) {
        roll_back(self.connection);
    }

    /// Commits it.
    pub(super) fn commit(self) -> Result<(), Error> {
        let Self { connection, guard } = self;
        let Some(guard) = guard else {
            return connection.execute("COMMIT").map(drop).inspect_err(|_| roll_back(connection));
        };
        let files = guard.log.files(connection);
        let held = files.and_then(|files| HeldFiles::hold(guard.log.connection(), connection, files, &guard.token));
        let held = match held {
            Ok(held) => held,
            Err(error) => {
                roll_back(connection);
                return Err(error);
            }
        };
        let Err(error) = connection.execute("COMMIT") else {
            held.release();
            return Ok(());
        };
        roll_back(connection);
        if error.cause() == Some(Cause::WriteConflict) {
            held.remove(connection);
            return Err(error);
        }
        // From here on they are where a snapshot that may be there says, whatever happens to this process.
        let held = held.restore();
        match is_stored(connection, &guard.token) {
            Ok(true) => {
                tracing::info!(token = guard.token, "the answer to COMMIT was lost, and the transaction is stored");
                Ok(())
            }
            Ok(false) => {
                held.remove(connection);
                Err(error)
            }
            Err(asked) => {
                tracing::info!(%asked, token = guard.token, "whether the transaction is stored could not be asked");
                let lake = connection.plan().alias().to_string();
                Err(Error::new(Kind::UnknownOutcome { lake, token: guard.token, error }))
            }
        }
    }
}

/// Ends a transaction after a failure.
fn roll_back(connection: &Connection) {
    // What fails to be undone has been undone by that failure, which is the one to report.
    drop(connection.execute("ROLLBACK"));
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
