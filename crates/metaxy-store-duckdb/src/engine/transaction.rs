//! One transaction, run again as a whole when another writer was faster.
//!
//! DuckLake retries a commit only against conflicts that it knows; a busy SQLite catalog is none of them. So whoever
//! runs the statements has to begin again, with a pause that differs from the other writer's.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::cause::Cause;
use super::connection::Connection;
use super::error::{Error, Kind};
use super::inlining;

/// How long a transaction is begun anew, before its conflict is reported.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs `prepare` on the lake, then `apply` on what it found; both again when another writer was faster.
///
/// Each has a transaction of its own: a SQLite catalog stays locked against other writers from the first read of a
/// transaction to its end. Within one, DuckLake asks its catalog for the snapshot once, not with every statement.
pub(crate) fn with_retry<P, T>(
    connection: &Connection,
    mut prepare: impl FnMut() -> Result<P, Error>,
    mut apply: impl FnMut(P) -> Result<T, Error>,
) -> Result<T, Error> {
    let attempt = || {
        let found = in_transaction(connection, &mut prepare)?;
        in_transaction(connection, || apply(found))
    };
    // What another writer has made since `prepare` looked is found by the next look.
    repeat(attempt, |error| error.is_retryable() || error.cause() == Some(Cause::AlreadyExists))
}

/// Runs `apply` in a transaction, which is run again when another writer was faster. Nothing is inlined in it that would
/// not come back from the catalog as it is.
pub(crate) fn transaction<T>(
    connection: &Connection,
    mut apply: impl FnMut(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    repeat(|| inlining::guarded(connection, &mut apply), Error::is_retryable)
}

/// Runs a statement that is a transaction by itself, again when another writer was faster.
pub(crate) fn repeated<T>(
    connection: &Connection,
    mut statement: impl FnMut(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut run = || {
        if inlining::has_lossy_columns(connection)? {
            inlining::without(connection, || statement(connection))
        } else {
            statement(connection)
        }
    };
    repeat(&mut run, Error::is_retryable)
}

/// Makes attempts until one succeeds, or fails by what another attempt does not change.
fn repeat<T>(mut run: impl FnMut() -> Result<T, Error>, begins_anew: impl Fn(&Error) -> bool) -> Result<T, Error> {
    let start = Instant::now();
    let mut attempt = 1;
    loop {
        let _span = tracing::debug_span!("attempt", attempt).entered();
        let error = match run() {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if !(error.is_query() && begins_anew(&error)) {
            return Err(error.in_attempt(attempt));
        }
        if start.elapsed() > PATIENCE {
            return Err(Error::new(Kind::Conflict { attempts: attempt, error }));
        }
        let wait = pause(attempt);
        tracing::info!(attempt, ?wait, cause = error.cause().map(Cause::as_str), "another writer was faster");
        thread::sleep(wait);
        attempt += 1;
    }
}

/// Runs `apply` in a transaction.
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

/// Longer with every attempt, up to a second, and never the same for two writers.
fn pause(attempt: u32) -> Duration {
    let longest = Duration::from_millis(20).saturating_mul(1 << attempt.min(6)).min(Duration::from_secs(1));
    let random = RandomState::new().hash_one(attempt) % 1000;
    longest.mul_f64(0.25 + 0.75 * f64::from(u32::try_from(random).unwrap_or(0)) / 1000.0)
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
