//! One transaction, run again as a whole when another writer was faster or the catalog's server was lost.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ducklake_sql::{CatalogKind, sql};

use super::cause::Cause;
use super::commit::{Message, write, write_with};
use super::connection::Connection;
use super::error::Error;
use super::inlining;
use super::leftovers;
use super::retry::repeat;

/// Runs `prepare` on the lake, then `apply` on what it found; both again when another writer was faster.
///
/// Each has a transaction of its own: a SQLite catalog stays locked against other writers from the first read of a
/// transaction to its end. PostgreSQL locks nobody out, and each transaction has to be waited for, so both are one there.
/// Within one, DuckLake asks its catalog for the snapshot once, not with every statement.
pub(crate) fn with_retry<P, T>(
    connection: &Connection,
    mut prepare: impl FnMut() -> Result<P, Error>,
    mut apply: impl FnMut(P) -> Result<T, Error>,
) -> Result<T, Error> {
    let is_one = connection.plan().catalog() == Some(CatalogKind::Postgres);
    let attempt = || {
        if is_one {
            return write(connection, || prepare().and_then(&mut apply));
        }
        let found = in_transaction(connection, &mut prepare)?;
        write(connection, || apply(found))
    };
    // What another writer has made since `prepare` looked is found by the next look.
    repeat(connection.retry(), attempt, |error| {
        error.begins_anew() || (error.is_query() && error.cause() == Some(Cause::AlreadyExists))
    })
}

/// Runs `apply` in a transaction, which is run again when another writer was faster.
pub(crate) fn transaction<T>(
    connection: &Connection,
    mut apply: impl FnMut(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    repeat(connection.retry(), || write(connection, || apply(connection)), Error::begins_anew)
}

/// Runs statements that inline no rows in a transaction whose snapshot has a message; all again when another writer was
/// faster.
pub(crate) fn transaction_with<T>(
    connection: &Connection,
    message: &Message,
    mut apply: impl FnMut(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    let attempt = || inlining::decided(connection, || write_with(connection, Some(message), || apply(connection)));
    // DuckLake would commit again what it has made of an older snapshot. Beside deletes, files of that were gone, and the
    // instance ended.
    let own: i64 = connection.query_value("SELECT CAST(current_setting('ducklake_max_retry_count') AS BIGINT)")?;
    set_own_retries(connection, 0)?;
    let done = repeat(connection.retry(), attempt, Error::begins_anew);
    let restored = set_own_retries(connection, own.unsigned_abs());
    done.and_then(|value| restored.map(|()| value))
}

/// Sets how often DuckLake tries a commit again by itself, in the instance, since its own connections see no other setting.
fn set_own_retries(connection: &Connection, count: u64) -> Result<(), Error> {
    connection.run(&sql!("SET GLOBAL ducklake_max_retry_count = {count}", count)).map(drop)
}

/// Runs a statement that is a transaction by itself, inlines no rows and may be run twice.
pub(crate) fn alone<T>(
    connection: &Connection,
    mut statement: impl FnMut(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    repeat(connection.retry(), || inlining::decided(connection, || statement(connection)), Error::begins_anew)
}

/// Runs a statement that is a transaction by itself, again when another writer was faster.
pub(crate) fn repeated<T>(
    connection: &Connection,
    mut statement: impl FnMut(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    let run = || leftovers::guarded(connection, || statement(connection));
    // A lost connection does not tell whether the statement is stored, and no token could.
    repeat(connection.retry(), run, |error| error.is_query() && error.is_retryable())
}

/// Runs `read` in a transaction that only reads, again when the catalog is locked or lost for a moment; once in one that has
/// begun.
pub(crate) fn read_again<T>(connection: &Connection, mut read: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    if connection.may_be_in_transaction() {
        return read();
    }
    repeat(connection.retry(), || in_transaction(connection, &mut read), Error::begins_anew)
}

/// Runs `read` in one transaction: that of a program which has begun one, or else one of its own.
///
/// Outside of a transaction, each statement of a connection whose current database is the lake would ask its catalog for
/// the snapshot.
pub(crate) fn read_together<T>(connection: &Connection, read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // DuckDB would undo a transaction in which another one is begun.
    if connection.may_be_in_transaction() { read() } else { in_transaction(connection, read) }
}

/// Runs `apply` in a transaction that only reads.
pub(crate) fn in_transaction<T>(connection: &Connection, apply: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    connection.execute("BEGIN TRANSACTION")?;
    let done = apply().and_then(|value| connection.execute("COMMIT").map(|_| value));
    if done.is_err() {
        // What fails to be undone has been undone by the failure, and the first error is the one to report.
        drop(connection.execute("ROLLBACK"));
    }
    done
}

/// Ends a stream that was left on a connection: it would keep a SQLite catalog locked against a write on another one.
///
/// Fails in a transaction that was begun there, which that write would not be part of.
pub(crate) fn end_stream(connection: &Connection) -> Result<(), Error> {
    in_transaction(connection, || Ok(()))
}

/// The microseconds since 1970, later at every call: no two writes of this process share a time.
pub(crate) fn now() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let clock = i64::try_from(clock.as_micros()).unwrap_or(i64::MAX);
    let later = |last: i64| Some(clock.max(last.saturating_add(1)));
    LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later)
        .map_or(clock, |last| clock.max(last.saturating_add(1)))
}
