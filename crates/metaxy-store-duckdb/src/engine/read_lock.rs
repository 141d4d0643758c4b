//! The lock of a connection that only reads: DuckDB's own settings, and what a person may run.
//!
//! DuckDB's settings keep statements from files, extensions and other settings, with two gaps. Below the data path, files
//! can be written, since they must be read; and functions of extensions reach catalogs, servers and files by ways of
//! their own: `ducklake_cleanup_old_files` deletes files of a lake that is attached to be read. So DuckDB's parser is
//! asked what a person's statement is, and which table functions it calls; only what is known to read is run. The same
//! holds for the views and macros that are stored in a lake: whoever may write to it would have its readers run them.

use std::collections::BTreeSet;
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
    Stored(String),
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
            Self::Stored(name) => {
                write!(f, "the view or macro `{name}` is not known to only read, and the lake is open read-only")
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

/// A view or a macro of a lake.
#[derive(Debug)]
pub(crate) struct StoredQuery {
    /// Its name.
    pub(crate) name: String,
    /// The query that it stands for.
    pub(crate) text: String,
}

/// What a connection that is locked lets a person run.
#[derive(Debug)]
pub(super) struct ReadLock {
    /// The views and macros of the lakes that are not known to only read, in lower case.
    refused: BTreeSet<String>,
}

impl ReadLock {
    pub(super) fn new(connection: &Connection, stored: Vec<StoredQuery>) -> Result<Self, Error> {
        let mut lock = Self { refused: BTreeSet::new() };
        let mut left = Vec::new();
        for StoredQuery { name, text } in stored {
            left.push((name.to_lowercase(), parsed(connection, &text)?));
        }
        // One that names a refused one is refused, too.
        loop {
            let is_refused = |(_, parsed): &(String, Parsed)| match parsed {
                Parsed::Queries(calls) => lock.check_calls(calls).is_err(),
                _ => true,
            };
            let (refused, others): (Vec<_>, Vec<_>) = left.into_iter().partition(is_refused);
            if refused.is_empty() {
                return Ok(lock);
            }
            lock.refused.extend(refused.into_iter().map(|(name, _)| name));
            left = others;
        }
    }

    /// Refuses a person's statements unless each of them only reads.
    pub(super) fn check(&self, connection: &Connection, text: &str) -> Result<(), Error> {
        match parsed(connection, text)? {
            Parsed::Queries(calls) => self.check_calls(&calls),
            _ => Sql::script(text).iter().try_for_each(|statement| self.check_statement(connection, statement)),
        }
    }

    fn check_statement(&self, connection: &Connection, statement: &Sql) -> Result<(), Error> {
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
            Some(Parsed::Queries(calls)) => self.check_calls(&calls),
            _ => match parsed(connection, text)? {
                Parsed::Invalid(message) => Err(connection.said(&["Parser Error: ", &message].concat(), None)),
                _ => Err(Error::refused(Refused::Statement(word))),
            },
        }
    }

    fn check_calls(&self, calls: &Calls) -> Result<(), Error> {
        let reads = |name: &str| READING.contains(&name) || name.starts_with("duckdb_") || name.starts_with("pragma_");
        // The names of tables are texts to this one.
        let hides = |name: &str| name == "query_table" && !self.refused.is_empty();
        let mut functions = calls.table_functions.iter().map(|name| (name, name.to_ascii_lowercase()));
        if let Some((function, _)) = functions.find(|(_, name)| !reads(name) || hides(name)) {
            return Err(Error::refused(Refused::Function(function.clone())));
        }
        match calls.names.iter().find(|name| self.is_refused(name)) {
            Some(name) => Err(Error::refused(Refused::Stored(name.clone()))),
            None => Ok(()),
        }
    }

    /// Whether a name is that of a refused view or macro; `SUMMARIZE` has it quoted, with its schema.
    fn is_refused(&self, name: &str) -> bool {
        let name = name.replace('"', "").to_lowercase();
        let is_it = |refused: &String| {
            name.strip_suffix(&refused.replace('"', ""))
                .is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        self.refused.iter().any(is_it)
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
    /// Queries.
    Queries(Calls),
    /// Other statements, among queries perhaps.
    Others,
    /// None, for this reason.
    Invalid(String),
}

/// What queries name.
struct Calls {
    table_functions: Vec<String>,
    /// Tables, views, functions and macros.
    names: Vec<String>,
}

fn parsed(connection: &Connection, text: &str) -> Result<Parsed, Error> {
    type Row = (Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);

    // Lists are JSON: a name can hold every character.
    let question = Sql::fixed(
        "SELECT
             json_extract_string(tree, '$.error'),
             json_extract_string(tree, '$.error_type'),
             json_extract_string(tree, '$.error_message'),
             to_json(json_extract_string(tree, '$..function.function_name'))::VARCHAR,
             to_json(json_extract_string(tree, '$..table_name') || json_extract_string(tree, '$..function_name'))::VARCHAR
         FROM (SELECT json_serialize_sql(CAST(? AS VARCHAR)) AS tree)",
    );
    // Where the lake is the current database, the question would ask its catalog for a snapshot, and end a stream.
    let row: Option<Row> = connection.elsewhere()?.query_row(question.with_text("statements", text))?;
    let (error, kind, message, table_functions, names) = row.unwrap_or_default();
    if error.as_deref() == Some("false") {
        return Ok(match (listed(table_functions), listed(names)) {
            (Some(table_functions), Some(names)) => Parsed::Queries(Calls { table_functions, names }),
            _ => Parsed::Others,
        });
    }
    Ok(match kind.as_deref() {
        Some("parser") => Parsed::Invalid(message.unwrap_or_default()),
        _ => Parsed::Others,
    })
}

/// The texts in a list of JSON; `None` where it is none.
fn listed(json: Option<String>) -> Option<Vec<String>> {
    let list: Vec<Option<String>> = serde_json::from_str(&json?).ok()?;
    Some(list.into_iter().flatten().collect())
}

/// Whether DuckDB's parser takes all of the statements for queries.
pub(super) fn are_queries(connection: &Connection, text: &str) -> Result<bool, Error> {
    Ok(matches!(parsed(connection, text)?, Parsed::Queries(_)))
}
