//! The lock of a connection that only reads: DuckDB's own settings, and what a person may run.
//!
//! DuckDB's settings keep statements from files, extensions and other settings, with two gaps. Below the data path, files
//! can be written, since they must be read; and functions of extensions reach catalogs, servers and files by ways of
//! their own: `ducklake_cleanup_old_files` deletes files of a lake that is attached to be read. So DuckDB's parser is
//! asked what a person's statement is, and which table functions it calls; only what is known to read is run.

use std::fmt;

use ducklake_sql::{Sql, bind, list, sql};

use super::connection::Connection;
use super::error::{Class, Error, Refusal};

/// The table functions that read, of DuckDB and DuckLake; besides, those that begin with `duckdb_` or `pragma_`.
const READING: &[&str] = &[
    "current_snapshot",
    "ducklake_current_snapshot",
    "ducklake_last_committed_snapshot",
    "ducklake_list_files",
    "ducklake_options",
    "ducklake_settings",
    "ducklake_snapshots",
    "ducklake_table_changes",
    "ducklake_table_deletions",
    "ducklake_table_info",
    "ducklake_table_insertions",
    "generate_series",
    "generate_subscripts",
    "glob",
    "histogram",
    "histogram_values",
    "icu_calendar_names",
    "json_each",
    "json_tree",
    "last_committed_snapshot",
    "list_files",
    "options",
    "parquet_bloom_probe",
    "parquet_file_metadata",
    "parquet_full_metadata",
    "parquet_kv_metadata",
    "parquet_metadata",
    "parquet_scan",
    "parquet_schema",
    "pg_timezone_names",
    "query_table",
    "range",
    "read_blob",
    "read_csv",
    "read_csv_auto",
    "read_json",
    "read_json_auto",
    "read_json_objects",
    "read_ndjson",
    "read_ndjson_auto",
    "read_parquet",
    "read_text",
    "repeat",
    "repeat_row",
    "settings",
    "snapshots",
    "sniff_csv",
    "summary",
    "table_changes",
    "table_deletions",
    "table_info",
    "table_insertions",
    "test_all_types",
    "test_vector_types",
    "unnest",
    "which_secret",
];

/// The pragmas that are queries.
const PRAGMAS: &[&str] = &[
    "collations",
    "database_list",
    "database_size",
    "extension_versions",
    "functions",
    "metadata_info",
    "platform",
    "show",
    "show_databases",
    "show_tables",
    "show_tables_expanded",
    "storage_info",
    "table_info",
    "user_agent",
    "version",
];

/// Why a statement is not run on a connection that only reads.
#[derive(Debug)]
enum Refused {
    Statement(String),
    Function(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement(word) if word.is_empty() => {
                f.write_str("the statement is not a query, and the lake is open read-only")
            }
            Self::Statement(word) => {
                write!(f, "a statement that begins with `{word}` is refused: the lake is open read-only")
            }
            Self::Function(name) => {
                write!(f, "the table function `{name}` is not known to only read, and the lake is open read-only")
            }
        }
    }
}

impl std::error::Error for Refused {}

impl Refusal for Refused {
    fn help(&self) -> Option<String> {
        Some("open the lake in write mode to change it, or without the lock to reach files and databases".to_owned())
    }

    fn class(&self) -> Class {
        Class::ReadOnly
    }
}

/// Locks DuckDB: statements reach no files but those below these folders and at these paths, load nothing, set nothing.
pub(super) fn lock(connection: &Connection, folders: &[String], files: &[String]) -> Result<(), Error> {
    let values = |values: &[String]| list(values.iter().map(|value| bind(value.as_str())));
    // Where the lake is the current database, each of these would ask its catalog for a snapshot.
    let connection = connection.elsewhere()?;
    connection.run(&sql!("SET GLOBAL allowed_directories = [{folders}]", folders = values(folders)))?;
    connection.run(&sql!("SET GLOBAL allowed_paths = [{files}]", files = values(files)))?;
    connection.run(&Sql::fixed("SET GLOBAL enable_external_access = false"))?;
    connection.run(&Sql::fixed("SET GLOBAL lock_configuration = true"))?;
    Ok(())
}

/// Refuses a person's statements unless each of them only reads.
pub(super) fn check(connection: &Connection, text: &str) -> Result<(), Error> {
    match parsed(connection, text)? {
        Parsed::Queries(functions) => check_functions(functions),
        _ => Sql::script(text).iter().try_for_each(|statement| check_statement(connection, statement)),
    }
}

fn check_statement(connection: &Connection, statement: &Sql) -> Result<(), Error> {
    let (word, text) = (statement.first_word(), statement.text_without_comments());
    let rest = Sql::user_query(text.get(word.len()..).unwrap_or_default());
    // Without a `;` it is one statement to DuckDB, whatever else its text holds.
    let is_single = !text.contains(';');
    match word.as_str() {
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "USE" if is_single => return Ok(()),
        "PRAGMA"
            if is_single
                && !text.contains('=')
                && PRAGMAS.contains(&rest.first_word().to_ascii_lowercase().as_str()) =>
        {
            return Ok(());
        }
        _ => {}
    }
    // What has a query within is asked about as that query: all of it must be one.
    let query = match word.as_str() {
        "EXPLAIN" => explained(&rest).map(str::to_owned),
        "CALL" => Some(["FROM ", rest.text()].concat()),
        "SET" => assigned(&rest).map(|value| ["SELECT ", value].concat()),
        _ => Some(text.to_owned()),
    };
    match query.map(|query| parsed(connection, &query)).transpose()? {
        Some(Parsed::Queries(functions)) => check_functions(functions),
        _ => match parsed(connection, text)? {
            Parsed::Invalid(message) => Err(connection.said(&["Parser Error: ", &message].concat(), None)),
            _ => Err(Error::refused(Refused::Statement(word))),
        },
    }
}

fn check_functions(functions: Vec<String>) -> Result<(), Error> {
    let reads = |name: &str| READING.contains(&name) || name.starts_with("duckdb_") || name.starts_with("pragma_");
    match functions.into_iter().find(|name| !reads(&name.to_ascii_lowercase())) {
        Some(function) => Err(Error::refused(Refused::Function(function))),
        None => Ok(()),
    }
}

/// The statement that is explained, behind `EXPLAIN`.
fn explained(rest: &Sql) -> Option<&str> {
    let text = rest.text_without_comments();
    if rest.first_word() == "ANALYZE" {
        return text.get("ANALYZE".len()..);
    }
    match text.strip_prefix('(').and_then(|text| text.split_once(')')) {
        Some((options, query)) if options.chars().all(|one| one.is_ascii_alphanumeric() || " ,_".contains(one)) => {
            Some(query)
        }
        _ => Some(text),
    }
}

/// What a variable is set to, behind `SET`.
fn assigned(rest: &Sql) -> Option<&str> {
    let name = (rest.first_word() == "VARIABLE").then(|| rest.text_without_comments().get("VARIABLE".len()..))??;
    let name = name.trim_start();
    // A quoted name could hold anything.
    let end = name.find(|one: char| !one.is_ascii_alphanumeric() && one != '_')?;
    name.get(end..)?.trim_start().strip_prefix('=')
}

/// What DuckDB's parser takes a text for.
enum Parsed {
    /// Queries, which call these table functions.
    Queries(Vec<String>),
    /// Other statements, among queries perhaps.
    Others,
    /// None, for this reason.
    Invalid(String),
}

fn parsed(connection: &Connection, text: &str) -> Result<Parsed, Error> {
    let question = Sql::fixed(
        "SELECT
             json_extract_string(tree, '$.error'),
             json_extract_string(tree, '$.error_type'),
             json_extract_string(tree, '$.error_message'),
             array_to_string(json_extract_string(tree, '$..function.function_name'), chr(10))
         FROM (SELECT json_serialize_sql(CAST(? AS VARCHAR)) AS tree)",
    );
    // Where the lake is the current database, the question would ask its catalog for a snapshot, and end a stream.
    let row = connection.elsewhere()?.query_row(question.with_text("statements", text))?;
    let (error, kind, message, functions): (_, Option<String>, _, Option<String>) = row.unwrap_or_default();
    let (error, message): (Option<String>, Option<String>) = (error, message);
    if error.as_deref() == Some("false") {
        return Ok(Parsed::Queries(functions.unwrap_or_default().lines().map(str::to_owned).collect()));
    }
    Ok(match kind.as_deref() {
        Some("parser") => Parsed::Invalid(message.unwrap_or_default()),
        _ => Parsed::Others,
    })
}

/// Whether DuckDB's parser takes all of the statements for queries.
pub(super) fn are_queries(connection: &Connection, text: &str) -> Result<bool, Error> {
    Ok(matches!(parsed(connection, text)?, Parsed::Queries(_)))
}
