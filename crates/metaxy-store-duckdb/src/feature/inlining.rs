//! Rows that DuckLake must not keep in its catalog.
//!
//! A few rows of one insert are inlined: kept in tables of the catalog. A catalog without structs, as SQLite, keeps
//! them as text, and a struct with a `'` or `\` in a text comes back without it, or the table cannot be read any more
//! (DuckLake 1.0; maps and lists are safe). Such rows go into a file, whatever their number.

use ducklake_sql::{Ident, Sql, Statement, Value, Writer};

use super::problem::Problem;
use super::types::ColumnType;
use crate::connection::Connection;
use crate::error::Error;

/// Inserts of more rows than this are inlined by no sensible setting.
const MOST: u64 = 100_000;

/// Of so few rows it is faster to look at each than to ask how many are inlined.
const FEW: usize = 1000;

/// Whether an insert of so many rows may be inlined.
pub(crate) fn may_happen(connection: &Connection, rows: usize) -> Result<bool, Error> {
    if rows <= FEW {
        return Ok(true);
    }
    let (attached, stored) = limits(connection)?;
    let most = attached.max(stored).unwrap_or_default().max(default_limit(connection)?);
    Ok(i64::try_from(rows).is_ok_and(|rows| rows <= most))
}

/// How many rows are inlined at most by the options of the attachment, and by the largest that the lake keeps.
fn limits(connection: &Connection) -> Result<(Option<i64>, Option<i64>), Error> {
    let attached = connection.plan().statements().iter().find_map(|statement| match statement {
        Statement::Attach(attach) => attach.option("DATA_INLINING_ROW_LIMIT").cloned(),
        _ => None,
    });
    let attached = attached.map(|limit| if let Value::Integer(limit) = limit { limit } else { i64::MAX });
    let stored = connection.text(&Sql::build(|sql| {
        sql.keyword("SELECT CAST(max(CAST(value AS BIGINT)) AS VARCHAR) FROM ducklake_options(");
        sql.bind("lake", &Value::from(connection.plan().alias().as_str()));
        sql.keyword(") WHERE option_name = 'data_inlining_row_limit'");
    }));
    let stored = stored.map_err(Error::query)?.map(|limit| limit.parse().unwrap_or(i64::MAX));
    Ok((attached, stored))
}

/// How many rows are inlined at most where neither says anything.
fn default_limit(connection: &Connection) -> Result<i64, Error> {
    connection.number(&Sql::fixed("SELECT CAST(current_setting('ducklake_default_data_inlining_row_limit') AS BIGINT)"))
}

/// Whether rows, those of what `from` writes, hold a struct that would not come back from a catalog as it is.
pub(crate) fn would_lose<'t>(
    connection: &Connection,
    columns: impl Iterator<Item = (&'t Ident, &'t ColumnType)>,
    from: impl FnOnce(&mut Writer),
) -> Result<bool, Error> {
    let structs: Vec<&Ident> = columns.filter(|(_, of)| has_struct(of)).map(|(name, _)| name).collect();
    if structs.is_empty() {
        return Ok(false);
    }
    let found = connection.number(&Sql::build(|sql| {
        from(sql.keyword("SELECT count(*) FROM (SELECT * FROM "));
        sql.keyword(" LIMIT ").number(MOST).keyword(")");
        for (index, column) in structs.into_iter().enumerate() {
            // DuckDB quotes a text within a struct if it holds anything but plain characters.
            sql.keyword(if index == 0 { " WHERE " } else { " OR " }).keyword("regexp_matches(CAST(").ident(column);
            sql.keyword(" AS VARCHAR), '[''\\\\]')");
        }
    }))?;
    Ok(found > 0)
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
    let (attached, stored) = limits(connection)?;
    if attached.max(stored).is_some_and(|limit| limit != 0) {
        return Err(Problem::Inlined.into());
    }
    let before = default_limit(connection)?;
    connection.execute("SET GLOBAL ducklake_default_data_inlining_row_limit = 0")?;
    let inserted = insert();
    connection.execute(Sql::build(|sql| {
        sql.keyword("SET GLOBAL ducklake_default_data_inlining_row_limit = ").number(before.unsigned_abs());
    }))?;
    inserted
}
