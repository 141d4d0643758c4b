//! The columns that a statement of a program writes to.
//!
//! Of two kinds of types DuckLake must not be given rows as it would take them: those of [`LOSSY_TYPES`], which may not be
//! inlined, and [`FATAL`]. DuckLake 1.0 makes a table with a column of `TIME_NS`, but has no such type in its files: an
//! insert is a fatal error of DuckDB, and so is the rollback after it, which ends the process.

use ducklake_sql::{Mode, Sql, bind, sql};

use super::cause::said_of_unsupported_type;
use super::connection::Connection;
use super::error::Error;
use super::inlining::{LOSSY_TYPES, keeps_all, without};
use super::read_lock;
use super::transaction::in_transaction;

const FATAL: &str = "TIME_NS";

/// What statements begin with that write no row.
const WITHOUT_ROWS: &[&str] = &[
    "ABORT",
    "ANALYZE",
    "ATTACH",
    "BEGIN",
    "CALL",
    "CHECKPOINT",
    "COMMENT",
    "COMMIT",
    "DEALLOCATE",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DETACH",
    "DROP",
    "END",
    "EXPORT",
    "FROM",
    "INSTALL",
    "LOAD",
    "PRAGMA",
    "RESET",
    "ROLLBACK",
    "SELECT",
    "SET",
    "SHOW",
    "START",
    "SUMMARIZE",
    "TABLE",
    "TRUNCATE",
    "USE",
    "VACUUM",
    "VALUES",
];

/// What columns are like.
#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    /// Whether values of some would not come back as they are, were they inlined.
    are_lossy: bool,
    /// Whether some are of a type that ends the process.
    are_fatal: bool,
}

/// Runs a statement to its end: one that writes into a table in a transaction with the look at its columns, so that DuckLake
/// asks its catalog for the snapshot once.
pub(super) fn guard<T>(connection: &Connection, sql: &Sql, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let is_alone = || !connection.may_be_in_transaction() && Sql::script(sql.text()).len() == 1;
    if writes_lake(connection) && sql.written_table().is_some() && is_alone() {
        in_transaction(connection, || guard_within(connection, sql, run))
    } else {
        guard_within(connection, sql, run)
    }
}

/// Runs a statement with nothing inlined that would not come back from the catalog as it is, and refuses one that would end
/// the process.
pub(super) fn guard_within<T>(
    connection: &Connection,
    sql: &Sql,
    run: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    if !writes_lake(connection) {
        return run();
    }
    let columns = Columns::written_by(connection, sql)?;
    if columns.are_fatal {
        return Err(Error::query(said_of_unsupported_type(FATAL)));
    }
    let decided = connection.decides_inlining.get() || keeps_all(connection);
    if columns.are_lossy && !decided { without(connection, run) } else { run() }
}

/// Whether statements of a program can write into a lake here.
fn writes_lake(connection: &Connection) -> bool {
    let plan = connection.plan();
    connection.is_for_programs() && plan.mode() == Mode::Write && plan.catalog().is_some()
}

impl Columns {
    /// The columns into which a statement may write rows.
    fn written_by(connection: &Connection, sql: &Sql) -> Result<Self, Error> {
        let text = sql.text_without_comments();
        let names_fatal = || text.to_ascii_uppercase().contains(FATAL);
        match sql.first_word().as_str() {
            "ALTER" => Ok(Self { are_fatal: names_fatal(), ..Self::default() }),
            "CREATE" => {
                if let Some(query) = query_of_table(text) {
                    let query = query.trim_end().trim_end_matches(';');
                    // One that cannot be described may have parameters; what is wrong with it is told when it is run.
                    let unknown = Self { are_lossy: true, are_fatal: false };
                    return Ok(Self::described(connection, query).unwrap_or(unknown));
                }
                let stays = ["MACRO", "VIEW", "TEMP"].iter().any(|word| text.to_ascii_uppercase().contains(word));
                Ok(Self { are_fatal: names_fatal() && !stays, ..Self::default() })
            }
            word if WITHOUT_ROWS.contains(&word) => Ok(Self::default()),
            "WITH" if read_lock::are_queries(connection, sql.text())? => Ok(Self::default()),
            // A table that is not there is told when the statement is run.
            _ => match sql.written_table().and_then(|table| Self::described(connection, table).ok()) {
                Some(columns) => Ok(columns),
                None => Self::of_lake(connection, text),
            },
        }
    }

    /// The columns of a table or a query.
    fn described(connection: &Connection, what: &str) -> Result<Self, Error> {
        let text = [
            "SELECT coalesce(bool_or(regexp_matches(column_type, '",
            LOSSY_TYPES,
            "')), false), coalesce(bool_or(contains(column_type, '",
            FATAL,
            "')), false) FROM (DESCRIBE ",
            what,
            ")",
        ];
        let (are_lossy, are_fatal) = connection.query_row(Sql::user_query(text.concat()))?.unwrap_or_default();
        Ok(Self { are_lossy, are_fatal })
    }

    /// Those of all tables, of which the fatal ones matter only where a text names their table.
    fn of_lake(connection: &Connection, text: &str) -> Result<Self, Error> {
        let plan = connection.plan();
        let found: Vec<(String, bool, bool)> = connection.query_rows(sql!(
            "SELECT
                 table_name,
                 bool_or(regexp_matches(data_type, {lossy})) AS are_lossy,
                 bool_or(contains(data_type, {fatal})) AS are_fatal
             FROM duckdb_columns()
             WHERE database_name = {lake}
             GROUP BY table_name
             HAVING are_lossy OR are_fatal",
            lossy = bind(LOSSY_TYPES),
            fatal = bind(FATAL),
            lake = bind(plan.alias().as_str()),
        ))?;
        let text = text.to_ascii_uppercase();
        let names = |table: &str| text.contains(&table.to_ascii_uppercase());
        Ok(Self {
            are_lossy: found.iter().any(|(_, are_lossy, _)| *are_lossy),
            are_fatal: found.iter().any(|(table, _, are_fatal)| *are_fatal && names(table)),
        })
    }
}

/// The query behind `CREATE TABLE … AS`.
pub(super) fn query_of_table(text: &str) -> Option<&str> {
    let is_of_word = |character: char| character.is_alphanumeric() || character == '_';
    let (mut depth, mut quote, mut start) = (0_u32, None, None);
    let mut has_table = false;
    for (at, character) in text.char_indices().chain([(text.len(), ' ')]) {
        if let Some(begun) = quote {
            if character == begun {
                quote = None;
            }
            continue;
        }
        if is_of_word(character) {
            start.get_or_insert(at);
            continue;
        }
        if let Some(begin) = start.take().filter(|_| depth == 0) {
            let word = &text[begin..at];
            match word {
                _ if word.eq_ignore_ascii_case("TABLE") => has_table = true,
                _ if ["TEMP", "TEMPORARY", "VIEW", "MACRO"].iter().any(|other| word.eq_ignore_ascii_case(other)) => {
                    return None;
                }
                _ if word.eq_ignore_ascii_case("AS") && has_table => return text.get(at..),
                _ => {}
            }
        }
        match character {
            '\'' | '"' => quote = Some(character),
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_a_new_table_is_found() {
        for (text, query) in [
            ("CREATE TABLE t AS SELECT 1", Some("SELECT 1")),
            ("create or replace table main.\"AS\" (as_is) as\n(FROM x)", Some("(FROM x)")),
            ("CREATE TABLE IF NOT EXISTS t AS FROM 'as.parquet' AS s", Some("FROM 'as.parquet' AS s")),
            ("CREATE TABLE t (a INTEGER DEFAULT (CAST(1 AS INTEGER)))", None),
            ("CREATE TEMP TABLE t AS SELECT 1", None),
            ("CREATE VIEW table_of AS SELECT 1", None),
            ("CREATE MACRO m() AS TABLE FROM x", None),
            ("CREATE SCHEMA as", None),
        ] {
            assert_eq!(query_of_table(text).map(str::trim), query, "{text}");
        }
    }
}
