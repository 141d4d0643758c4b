//! Files that are left when a statement fails while it writes them: after an interrupt, on a full disk, at a row that
//! cannot be converted. DuckLake removes the files of statements that have ended, when their transaction is rolled back.

use std::fs;

use ducklake_sql::{Mode, Sql, StringLiteral, bind, list, sql};

use super::commit::is_lost;
use super::connection::Connection;
use super::error::Error;
use super::held_files::remove_remote;
use super::write_log::WriteLog;

/// Runs a statement that may be a transaction by itself, and removes what it leaves when it fails.
pub(super) fn guard<T>(connection: &Connection, sql: &Sql, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let writes = match sql.first_word().as_str() {
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY" | "CREATE" | "WITH" | "EXECUTE" | "CHECKPOINT" => true,
        // What others do is not about files, or about the log itself.
        "CALL" => ["_files", "flush_inlined_data"].iter().any(|name| sql.text().to_ascii_lowercase().contains(name)),
        _ => false,
    };
    if writes && connection.is_for_programs() { guarded(connection, run) } else { run() }
}

/// Runs what makes transactions by itself, and removes what it leaves when it fails.
pub(super) fn guarded<T>(connection: &Connection, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    if connection.is_logged.get() || !writes_files(connection) {
        return run();
    }
    let log = WriteLog::start(connection)?;
    connection.is_logged.set(true);
    let done = run();
    connection.is_logged.set(false);
    if let Err(error) = &done
        && !error.cause().is_some_and(is_lost)
    {
        remove(connection, &log);
    }
    done
}

/// Whether files of a lake can be written through this connection, whose names its catalog tells.
pub(super) fn writes_files(connection: &Connection) -> bool {
    let plan = connection.plan();
    plan.mode() == Mode::Write && plan.catalog().is_some() && plan.metadata().is_some()
}

/// Removes the files that a connection has written and no snapshot needs; no transaction is open in which it did.
pub(super) fn remove(connection: &Connection, log: &WriteLog) {
    if let Err(error) = try_to_remove(connection, log) {
        tracing::warn!(%error, "files of a transaction that is not stored are left");
    }
}

fn try_to_remove(connection: &Connection, log: &WriteLog) -> Result<(), Error> {
    let other = log.connection();
    let mut left = Vec::new();
    for path in log.files(connection)? {
        if is_there(other, &path)? {
            left.push(path);
        }
    }
    left.extend(log.empty_files(connection)?);
    if left.is_empty() {
        return Ok(());
    }
    let named = named(other, &left)?;
    let (remote, local): (Vec<_>, Vec<_>) = left
        .into_iter()
        .filter(|path| !named.iter().any(|name| name == file_name(path)))
        .partition(|path| is_remote(path));
    for path in local {
        tracing::info!(path, "a file of a transaction that is not stored is removed");
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(path, %error, "a file of a transaction that is not stored is left");
        }
    }
    let remote: Vec<StringLiteral> = remote.into_iter().filter_map(|path| StringLiteral::new(path).ok()).collect();
    if remote.is_empty() { Ok(()) } else { remove_remote(other, &remote) }
}

fn is_remote(path: &str) -> bool {
    path.contains("://")
}

fn is_there(connection: &Connection, path: &str) -> Result<bool, Error> {
    if !is_remote(path) {
        return Ok(fs::symlink_metadata(path).is_ok());
    }
    let found = connection.text(&Sql::fixed("SELECT file FROM glob(?)").with_text("pattern", path))?;
    Ok(found.is_some())
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Those of these names that some snapshot needs, each being unique.
fn named(connection: &Connection, paths: &[String]) -> Result<Vec<String>, Error> {
    let plan = connection.plan();
    let Some((database, schema)) = plan.metadata() else { return Ok(Vec::new()) };
    let names = list(paths.iter().map(|path| sql!("{name}", name = bind(file_name(path)))));
    let found: Vec<(String,)> = connection.query_rows(sql!(
        "WITH known AS (
             SELECT path FROM {database}.{schema}.ducklake_data_file
             UNION ALL
             SELECT path FROM {database}.{schema}.ducklake_delete_file
         )
         SELECT regexp_extract(path, '[^/]*$') AS name FROM known WHERE name IN ({names})",
        database,
        schema,
        names,
    ))?;
    Ok(found.into_iter().map(|(name,)| name).collect())
}
