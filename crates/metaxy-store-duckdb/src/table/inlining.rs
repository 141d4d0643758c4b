//! Rows that DuckLake must not keep in its catalog.
//!
//! A few rows of one insert are inlined: kept in tables of the catalog. A catalog without structs, as SQLite, keeps
//! them as text, and a struct with a `'` or `\` in a text comes back without it, or the table cannot be read any more
//! (DuckLake 1.0; maps and lists are safe). Such rows go into a file, whatever their number.

use ducklake_sql::{Ident, Sql, Statement, Value, any, bind, sql};

use super::{ColumnType, Problem};
use crate::engine::{Connection, Error};

/// Whether rows, those that stand behind FROM, are few enough to be inlined in one insert, and hold a struct that would not
/// come back from a catalog as it is.
pub(crate) fn would_lose<'t>(
    connection: &Connection,
    columns: impl Iterator<Item = (&'t Ident, &'t ColumnType)>,
    rows: &Sql,
) -> Result<bool, Error> {
    let structs: Vec<&Ident> = columns.filter(|(_, of)| has_struct(of)).map(|(name, _)| name).collect();
    if structs.is_empty() {
        return Ok(false);
    }
    let most = configured_limit(connection)?.unwrap_or_default().max(default_limit(connection)?).unsigned_abs();
    // DuckDB quotes a text within a struct if it holds anything but plain characters.
    let quoted =
        any(structs.into_iter().map(|column| sql!("regexp_matches(CAST({column} AS VARCHAR), '[''\\\\]')", column)));
    let found: i64 = connection.query_value(sql!(
        "SELECT CASE WHEN count(*) <= {most} THEN count(*) FILTER ({quoted}) ELSE 0 END
         FROM (SELECT * FROM {rows} LIMIT {some})",
        most,
        quoted,
        rows,
        some = most.saturating_add(1),
    ))?;
    Ok(found > 0)
}

/// What a limit counts as that is no number: more than any write has.
const MANY: i64 = 1 << 32;

/// How many rows are inlined at most by an option of the attachment or of the lake, where there is one.
fn configured_limit(connection: &Connection) -> Result<Option<i64>, Error> {
    let attached = connection.plan().statements().iter().find_map(|statement| match statement {
        Statement::Attach(attach) => attach.option("DATA_INLINING_ROW_LIMIT").cloned(),
        _ => None,
    });
    let attached = attached.map(|limit| if let Value::Integer(limit) = limit { limit } else { MANY });
    let stored: Vec<(Option<String>,)> = connection.query_rows(sql!(
        "SELECT value FROM ducklake_options({lake}) WHERE option_name = 'data_inlining_row_limit'",
        lake = bind(connection.plan().alias().as_str()),
    ))?;
    let stored = stored.into_iter().filter_map(|(limit,)| limit).map(|limit| limit.parse().unwrap_or(MANY));
    Ok(stored.chain(attached).max())
}

/// How many rows are inlined at most where neither says anything.
fn default_limit(connection: &Connection) -> Result<i64, Error> {
    connection.query_value("SELECT CAST(current_setting('ducklake_default_data_inlining_row_limit') AS BIGINT)")
}

fn has_struct(of: &ColumnType) -> bool {
    match of {
        ColumnType::Struct(_) => true,
        ColumnType::List(item) => has_struct(item),
        ColumnType::Map(key, value) => has_struct(key) || has_struct(value),
        ColumnType::Kept(name) => *name == "VARIANT",
        ColumnType::Simple(_) | ColumnType::Decimal { .. } => false,
    }
}

/// Runs an insert with nothing inlined.
pub(crate) fn without<T>(connection: &Connection, insert: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    if configured_limit(connection)?.is_some_and(|limit| limit != 0) {
        return Err(Problem::Inlined.into());
    }
    let before = default_limit(connection)?;
    connection.execute("SET GLOBAL ducklake_default_data_inlining_row_limit = 0")?;
    let inserted = insert();
    let before = before.unsigned_abs();
    connection.execute(sql!("SET GLOBAL ducklake_default_data_inlining_row_limit = {before}", before))?;
    inserted
}
