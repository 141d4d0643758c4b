//! Rows that DuckLake must not keep in its catalog.
//!
//! A few rows of one insert are inlined: kept in tables of the catalog. SQLite and PostgreSQL have no structs, so there
//! DuckLake 1.0 keeps a struct as a text. A `'` in it is lost, a time, a UUID or a NaN in it makes the whole table
//! unreadable, and so does JSON in a list. Such rows go into a file, whatever their number.

use ducklake_sql::{CatalogKind, Sql, Statement, Value, bind, sql};

use super::connection::Connection;
use super::error::Error;

/// What a limit counts as that is no number: more than any write has.
const MANY: i64 = 1 << 32;

/// What matches the types whose values would not come back as they are, were they inlined.
pub(crate) const LOSSY_TYPES: &str = r"STRUCT\(|VARIANT|JSON\[|\(.*JSON";

/// Whether the catalog gives back what it was given of every type.
pub(crate) fn keeps_all(connection: &Connection) -> bool {
    !matches!(connection.plan().catalog(), Some(CatalogKind::Sqlite | CatalogKind::Postgres))
}

/// A limit that an option sets, for all of the lake or a part of it.
struct Limit {
    schema: Option<String>,
    table: Option<String>,
    rows: i64,
}

/// The value of a stored limit, its scope, and the name of the schema or table that it is for.
type StoredLimit = (Option<String>, String, Option<String>);

/// The limits that options of the attachment or of the lake set.
fn configured(connection: &Connection) -> Result<Vec<Limit>, Error> {
    let plan = connection.plan();
    let lake = bind(plan.alias().as_str());
    let stored: Vec<StoredLimit> = connection.query_rows(sql!(
        "SELECT value, scope, scope_entry FROM ducklake_options({lake}) WHERE option_name = 'data_inlining_row_limit'",
        lake,
    ))?;
    let has = |wanted: &str| stored.iter().any(|(_, scope, _)| scope == wanted);
    let has_global = has("GLOBAL");
    // Both parts of a name may have dots. Few lakes have such a limit, and all tables would have to be listed.
    let tables: Vec<(String, String)> = if has("TABLE") {
        connection.query_rows(sql!(
            "SELECT DISTINCT schema_name, table_name FROM duckdb_columns() WHERE database_name = {lake}",
            lake,
        ))?
    } else {
        Vec::new()
    };
    let mut limits: Vec<Limit> = Vec::new();
    for (value, scope, entry) in stored {
        let rows = value.unwrap_or_default().parse().unwrap_or(MANY);
        if scope != "TABLE" {
            limits.push(Limit { schema: entry, table: None, rows });
            continue;
        }
        let is_it = |(schema, table): &&(String, String)| {
            entry.as_deref().and_then(|entry| entry.strip_prefix(schema.as_str())?.strip_prefix('.'))
                == Some(table.as_str())
        };
        let named = tables.iter().filter(is_it);
        limits.extend(named.map(|(schema, table)| Limit {
            schema: Some(schema.clone()),
            table: Some(table.clone()),
            rows,
        }));
    }
    let attached = plan.statements().iter().find_map(|statement| match statement {
        Statement::Attach(attach) => attach.option("DATA_INLINING_ROW_LIMIT").cloned(),
        _ => None,
    });
    // A stored limit holds over that of the attachment.
    if let (Some(value), false) = (attached, has_global) {
        let rows = if let Value::Integer(rows) = value { rows } else { MANY };
        limits.push(Limit { schema: None, table: None, rows });
    }
    Ok(limits)
}

/// The most rows that any limit lets inline.
pub(crate) fn most(connection: &Connection) -> Result<u64, Error> {
    if connection.plan().catalog().is_none() {
        return Ok(0);
    }
    let configured = configured(connection)?.into_iter().map(|limit| limit.rows).max();
    Ok(configured.unwrap_or_default().max(default_limit(connection)?).unsigned_abs())
}

/// How many rows are inlined at most where no option says anything.
fn default_limit(connection: &Connection) -> Result<i64, Error> {
    connection.query_value("SELECT CAST(current_setting('ducklake_default_data_inlining_row_limit') AS BIGINT)")
}

/// Runs statements for which it was decided what they may inline.
pub(super) fn decided<T>(connection: &Connection, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let before = connection.decides_inlining.replace(true);
    let done = run();
    connection.decides_inlining.set(before);
    done
}

/// Runs statements with nothing inlined.
pub(crate) fn without<T>(connection: &Connection, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let limits: Vec<Limit> = configured(connection)?.into_iter().filter(|limit| limit.rows != 0).collect();
    let default = default_limit(connection)?;
    set_default(connection, 0)?;
    let done = set_here(connection, &limits, |_| 0).and_then(|()| decided(connection, run));
    let restored = set_here(connection, &limits, |limit| limit.rows).and(set_default(connection, default));
    done.and_then(|value| restored.map(|()| value))
}

fn set_default(connection: &Connection, rows: i64) -> Result<(), Error> {
    let rows = rows.unsigned_abs();
    connection.run(&sql!("SET GLOBAL ducklake_default_data_inlining_row_limit = {rows}", rows)).map(drop)
}

/// Sets limits for this instance alone.
///
/// DuckLake 1.0 has no option for that, but goes on with a value whose transaction was rolled back. Nothing of it gets
/// into the catalog.
fn set_here(connection: &Connection, limits: &[Limit], rows: impl Fn(&Limit) -> i64) -> Result<(), Error> {
    if limits.is_empty() {
        return Ok(());
    }
    let lake = connection.plan();
    let lake = lake.alias().as_str();
    // Not in a transaction that this connection may have begun.
    let other = connection.elsewhere()?;
    for limit in limits {
        let rows = rows(limit);
        let call: Sql = match (&limit.schema, &limit.table) {
            (Some(schema), Some(table)) => sql!(
                "CALL ducklake_set_option({lake}, 'data_inlining_row_limit', {rows}, schema => {schema}, table_name => {table})",
                lake = bind(lake),
                rows = bind(rows),
                schema = bind(schema.as_str()),
                table = bind(table.as_str()),
            ),
            (Some(schema), None) => sql!(
                "CALL ducklake_set_option({lake}, 'data_inlining_row_limit', {rows}, schema => {schema})",
                lake = bind(lake),
                rows = bind(rows),
                schema = bind(schema.as_str()),
            ),
            (None, _) => sql!(
                "CALL ducklake_set_option({lake}, 'data_inlining_row_limit', {rows})",
                lake = bind(lake),
                rows = bind(rows),
            ),
        };
        other.execute("BEGIN TRANSACTION")?;
        let set = other.execute(call);
        let undone = other.execute("ROLLBACK");
        set.and(undone)?;
    }
    Ok(())
}
