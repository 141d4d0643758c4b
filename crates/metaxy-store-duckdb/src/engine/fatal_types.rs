//! Types of columns that end the process.
//!
//! DuckLake 1.0 makes a table with a column of `TIME_NS`, but has no such type in its files: an insert is a fatal error of
//! DuckDB, and so is the rollback after it, which ends the process.

use ducklake_sql::{Mode, Sql, bind, sql};

use super::cause::said_of_unsupported_type;
use super::connection::Connection;
use super::error::Error;
use super::inlining::query_of_table;

const FATAL: &str = "TIME_NS";

/// Refuses a statement of a program that makes a column of such a type, or writes to a table that has one.
pub(super) fn refuse(connection: &Connection, sql: &Sql) -> Result<(), Error> {
    if !connection.is_for_programs() || connection.plan().mode() == Mode::Read || connection.plan().catalog().is_none()
    {
        return Ok(());
    }
    let text = sql.text_without_comments();
    let names = |word: &str| text.to_ascii_uppercase().contains(&word.to_ascii_uppercase());
    let is_fatal = match sql.first_word().as_str() {
        "CREATE" => match query_of_table(text) {
            Some(query) => gives_fatal(connection, query),
            None => names(FATAL) && !names("MACRO") && !names("VIEW") && !names("TEMP"),
        },
        "ALTER" => names(FATAL),
        "INSERT" | "UPDATE" | "MERGE" | "COPY" | "WITH" => tables(connection)?.iter().any(|table| names(table)),
        _ => false,
    };
    if is_fatal { Err(Error::query(said_of_unsupported_type(FATAL))) } else { Ok(()) }
}

/// Whether a query has a column of such a type. One that cannot be described is told of when it is run.
fn gives_fatal(connection: &Connection, query: &str) -> bool {
    let query = query.trim_end().trim_end_matches(';');
    let describe = ["SELECT count(*) > 0 FROM (DESCRIBE ", query, ") WHERE contains(column_type, 'TIME_NS')"];
    connection.query_value(Sql::user_query(describe.concat())).unwrap_or(false)
}

/// The tables of the lake that have such a column.
fn tables(connection: &Connection) -> Result<Vec<String>, Error> {
    let plan = connection.plan();
    let found: Vec<(String,)> = connection.query_rows(sql!(
        "SELECT DISTINCT table_name FROM duckdb_columns() WHERE database_name = {lake} AND contains(data_type, {fatal})",
        lake = bind(plan.alias().as_str()),
        fatal = bind(FATAL),
    ))?;
    Ok(found.into_iter().map(|(table,)| table).collect())
}
