//! Rows that DuckLake must not keep in its catalog.
//!
//! A few rows of one insert are inlined: kept in tables of the catalog. A catalog without structs, as SQLite, keeps
//! them as text, and what comes back has lost every `'` and `\` in the texts of a struct (DuckLake 1.0; maps and lists
//! are safe). Such rows go into a file, whatever their number.

use ducklake_sql::{Sql, Value};

use super::problem::Problem;
use super::stage::Stage;
use super::types::ColumnType;
use crate::connection::Connection;
use crate::error::Error;

/// Inserts of more rows than this are inlined by no sensible setting.
const MOST: usize = 100_000;

/// Whether rows hold a struct that would not come back from a catalog as it is.
pub(crate) fn would_lose(connection: &Connection, stage: &Stage<'_>) -> Result<bool, Error> {
    let structs: Vec<_> = stage.columns().iter().filter(|(_, of)| has_struct(of)).collect();
    if structs.is_empty() {
        return Ok(false);
    }
    let found = connection.number(&Sql::build(|sql| {
        stage.table().write(sql.keyword("SELECT count(*) FROM (FROM "));
        sql.keyword(" LIMIT ").number(MOST as u64).keyword(")");
        for (index, (column, _)) in structs.iter().enumerate() {
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
        ColumnType::Simple(_) | ColumnType::Decimal { .. } => false,
    }
}

/// Runs an insert with nothing inlined.
pub(crate) fn without<T>(connection: &Connection, insert: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    const OPTION: &str = "DATA_INLINING_ROW_LIMIT";
    let attached = connection.plan().statements().iter().any(|statement| statement.to_sql().text().contains(OPTION));
    let stored = connection.number(&Sql::build(|sql| {
        sql.keyword("SELECT count(*) FROM ducklake_options(");
        sql.bind("lake", &Value::from(connection.plan().alias().as_str()));
        sql.keyword(") WHERE option_name = 'data_inlining_row_limit' AND value <> '0'");
    }))?;
    if attached || stored > 0 {
        return Err(Problem::Inlined.into());
    }
    let before = connection
        .number(&Sql::fixed("SELECT CAST(current_setting('ducklake_default_data_inlining_row_limit') AS BIGINT)"))?;
    connection.execute("SET GLOBAL ducklake_default_data_inlining_row_limit = 0")?;
    let inserted = insert();
    connection.execute(Sql::build(|sql| {
        sql.keyword("SET GLOBAL ducklake_default_data_inlining_row_limit = ").number(before.unsigned_abs());
    }))?;
    inserted
}
