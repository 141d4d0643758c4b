//! Which files a transaction has written, from DuckDB's log of its file systems.

use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use ducklake_sql::{bind, sql};
use metaxy_feature::Json;

use super::connection::Connection;
use super::error::Error;

/// What the transactions of an instance share, since it is one for the instance.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedState(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(super) struct State {
    /// How many transactions have the log switched on.
    log_users: usize,
    /// Whether second links to files were looked for that a killed program has left.
    pub(super) has_removed_links: bool,
    /// How often DuckDB repeats a request.
    pub(super) http_retries: Borrowed,
    /// Through which host it makes them.
    pub(super) http_proxy: Borrowed,
}

/// A setting of the instance that transactions change for a moment.
#[derive(Debug, Default)]
pub(super) struct Borrowed {
    users: usize,
    before: String,
}

impl Borrowed {
    /// Changes it, unless another transaction has.
    pub(super) fn take(
        &mut self,
        before: impl FnOnce() -> Result<Option<String>, Error>,
        change: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.users == 0 {
            self.before = before()?.unwrap_or_default();
            change()?;
        }
        self.users += 1;
        Ok(())
    }

    /// Changes it back to this value, unless another transaction still needs it.
    pub(super) fn give_back(&mut self, restore: impl FnOnce(&str)) {
        self.users = self.users.saturating_sub(1);
        if self.users == 0 {
            restore(&self.before);
        }
    }
}

impl SharedState {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log of an instance, switched on as long as a transaction needs it.
///
/// Where a program has switched on DuckDB's log for itself, it is left alone, and no file is known.
pub(super) struct WriteLog {
    /// Where statements about the instance run: in no transaction, and without a look at the lake.
    other: Connection,
    state: SharedState,
    is_on: bool,
    started: SystemTime,
}

impl WriteLog {
    pub(super) fn start(connection: &Connection) -> Result<Self, Error> {
        // What was interrupted is looked at, too.
        let other = connection.elsewhere()?.uninterrupted();
        let state = connection.shared_state();
        let is_on = {
            let mut state = state.lock();
            let is_on = state.log_users > 0 || switch_on(&other);
            state.log_users += usize::from(is_on);
            is_on
        };
        Ok(Self { other, state, is_on, started: SystemTime::now() })
    }

    /// Whether the files are known.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Where statements about the instance can run.
    pub(super) fn connection(&self) -> &Connection {
        &self.other
    }

    /// The paths of the data files that a connection has written since the log was switched on.
    pub(super) fn files(&self, connection: &Connection) -> Result<Vec<String>, Error> {
        self.data_files(connection, r#""op":"WRITE""#, r#""pos":"0""#)
    }

    /// The data files of this machine that a connection has made since the log was switched on, and that have no byte yet.
    pub(super) fn empty_files(&self, connection: &Connection) -> Result<Vec<String>, Error> {
        // The time of a file is that of the last tick of the system's clock.
        let since = self.started.checked_sub(Duration::from_secs(1));
        let is_new_and_empty = |path: &String| {
            let found = fs::symlink_metadata(path).ok();
            found.is_some_and(|found| found.is_file() && found.len() == 0 && found.modified().ok() >= since)
        };
        let mut files = self.data_files(connection, r#""op":"OPEN""#, "")?;
        files.retain(is_new_and_empty);
        Ok(files)
    }

    /// The paths of data files that the messages of a connection name which have both of these texts.
    fn data_files(&self, connection: &Connection, one: &str, other: &str) -> Result<Vec<String>, Error> {
        let Some(id) = connection.id().filter(|_| self.is_on) else {
            return Ok(Vec::new());
        };
        let messages: Vec<(String,)> = self.other.query_rows(sql!(
            "SELECT message
             FROM duckdb_logs
             WHERE connection_id = {id} AND type = 'FileSystem'
                 AND contains(message, {one}) AND contains(message, {other})",
            id = bind(id),
            one = bind(one),
            other = bind(other),
        ))?;
        let path = |(message,): (String,)| match Json::parse(&message).ok()?.into_object()?.swap_remove("path") {
            Some(Json::String(path)) => Some(path),
            _ => None,
        };
        // A statement may write other files, as COPY does, which nobody but the person removes.
        let mut files: Vec<String> = messages.into_iter().filter_map(path).filter(|path| is_data_file(path)).collect();
        files.sort_unstable();
        files.dedup();
        Ok(files)
    }
}

impl Drop for WriteLog {
    fn drop(&mut self) {
        if !self.is_on {
            return;
        }
        let mut state = self.state.lock();
        state.log_users -= 1;
        if state.log_users == 0 {
            // What stays in it is overwritten by the next one.
            drop(self.other.inner.execute_batch("CALL disable_logging(); CALL truncate_duckdb_logs()"));
        }
    }
}

/// The number of a connection in DuckDB's log. It is asked for before a lake is the current database, of whose catalog
/// DuckDB would ask for a snapshot.
pub(super) fn number_of(connection: &duckdb::Connection) -> Option<i64> {
    connection.query_row("SELECT CAST(current_connection_id() AS BIGINT)", [], |row| row.get(0)).ok()
}

/// Whether DuckLake gives such names to files of a lake: `ducklake-` and a UUID, for deletions `-delete` behind it.
fn is_data_file(path: &str) -> bool {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let uuid = stem.strip_prefix("ducklake-").map(|rest| rest.strip_suffix("-delete").unwrap_or(rest));
    uuid.is_some_and(|uuid| uuid.len() == 36 && uuid.chars().all(|char| char.is_ascii_hexdigit() || char == '-'))
}

/// Switches the log on, unless it is on for somebody else or cannot be. As these statements are of no lake, nothing records
/// them.
fn switch_on(connection: &Connection) -> bool {
    let ask = "SELECT current_setting('enable_logging')";
    let is_used = connection.inner.query_row(ask, [], |row| row.get(0)).unwrap_or(true);
    // Where settings are locked, files cannot be held, and the transaction goes on without.
    !is_used && connection.inner.execute_batch("CALL enable_logging('FileSystem', level => 'TRACE')").is_ok()
}
