//! `metaxy sql`: runs what a person typed on the attached lake.
//!
//! To read, each statement is run by itself and its rows are printed as they come. To write, the statements are one
//! transaction, which is run again when another writer was faster; so their rows are printed once it is committed. A
//! script that begins a transaction itself is run once, as it stands, and says how it ended.

use std::io::{IsTerminal as _, Write};
use std::path::Path;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use ducklake_sql::Sql as Statement;
use metaxy_config::Loaded;
use metaxy_store_duckdb::{Connection, InexactColumn, OpenOptions, Store, Transaction};

use super::shell;
use crate::args::{Mode, RowFormat, Shell, Sql, SqlOn};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::opening;
use crate::output;
use crate::printer::Printer;
use crate::rows;

pub(crate) fn run(args: &Sql, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let Some(query) = &args.query else {
        if std::io::stdin().is_terminal() {
            let args = Shell { on: args.on.clone(), format: args.output.format };
            return shell::run(&args, context, printer);
        }
        return Err(NO_STATEMENT);
    };
    let query = script(query)?;
    let statements = Statement::script(&query);
    if statements.is_empty() {
        return Err(NO_STATEMENT);
    }
    let loaded = context.load()?;
    let store = open(&args.on, context, &loaded, printer)?;
    let (mode, format) = (args.on.mode, args.output.format);
    match args.output.file() {
        Some(path) => output::put(path, |out| {
            run_script(&store, &query, &statements, Results::new(mode, format, printer, Some(out)))
        })?,
        None => run_script(&store, &query, &statements, Results::new(mode, format, printer, None))?,
    }
    printer.closed(store.close())?;
    Ok(Exit::Done)
}

const WITH_ITSELF: Error = Error::Usage {
    message: "`--with` names the store that is opened",
    help: "its tables need no name before theirs; name another store",
};

const NO_STATEMENT: Error = Error::Usage { message: "there is no statement", help: "try `metaxy sql 'SHOW TABLES'`" };

/// Opens the store that is meant for what a person types.
pub(super) fn open(on: &SqlOn, context: &Context, loaded: &Loaded, printer: &mut Printer) -> Result<Store, Error> {
    let name = &context.store(loaded, printer)?.name;
    if on.with.contains(name) {
        return Err(WITH_ITSELF);
    }
    // A person's statements name the lake that they are for, so a fallback that is not there stands in no way.
    let options = context.open_options().fallback_stores(false).lock(!on.allow_files).health_check(false);
    let options = on.with.iter().fold(options, OpenOptions::with_store);
    let waiting = opening(name, printer);
    let store = options.open(&loaded.config, name, on.mode.into()).map_err(Error::Lake)?;
    drop(waiting);
    for warning in store.warnings() {
        printer.warn(warning, None);
    }
    Ok(store)
}

/// The statements: those that were typed, or those of stdin or of a file `….sql`.
fn script(query: &str) -> Result<String, Error> {
    let path = Path::new(query);
    let is_file = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("sql"))
        && (path.is_file() || !query.contains(|char: char| char.is_whitespace() || "();'".contains(char)));
    let read = match query {
        "-" => std::io::read_to_string(std::io::stdin().lock()),
        _ if is_file => std::fs::read_to_string(path),
        text => return Ok(text.to_owned()),
    };
    read.map_err(|error| Error::file("reading", path, error))
}

/// Runs the statements, prints the rows of each or says how many it changed, and warns of columns that a file rounds.
pub(super) fn run_script(
    store: &Store,
    script: &str,
    statements: &[Statement],
    mut results: Results<'_>,
) -> Result<(), Error> {
    let connection = store.connection();
    if results.mode == Mode::Read || connection.are_queries(script).map_err(Error::Lake)? {
        return statements.iter().try_for_each(|statement| results.stream(connection, statement));
    }
    run_writes(store, statements, &mut results)?;
    for column in store.inexact_columns().map_err(Error::Lake)? {
        if names(script, &column.table) {
            let InexactColumn { table, name, type_name, .. } = column;
            let what = format!("`{table}.{name}` is of the type {type_name}, which a file does not keep exactly");
            let help = "use DECIMAL for large numbers, TIMESTAMPTZ for times, BIGINT for spans of time";
            results.printer.warn(what, Some(help));
        }
    }
    Ok(())
}

/// Runs statements of which one at least may write.
fn run_writes(store: &Store, statements: &[Statement], results: &mut Results<'_>) -> Result<(), Error> {
    if statements.iter().any(begins_transaction) {
        let mut done = Ok(());
        let run = |connection: &Connection| {
            done = run_as_it_stands(store, connection, statements, results);
            Ok(())
        };
        return store.without_inlining(run).map_err(Error::Lake).and(done);
    }
    if statements.iter().all(can_share_transaction) {
        let all = store.transaction(|connection| {
            let run = |statement| Outcome::of(connection, statement);
            statements.iter().map(run).collect::<Result<Vec<_>, _>>()
        });
        let all = all.map_err(|error| {
            if statements.len() > 1 && !error.is_unknown_outcome() {
                results.printer.note("none of the statements is stored");
            }
            Error::Lake(error)
        })?;
        return all.into_iter().try_for_each(|outcome| results.print(outcome));
    }
    // Some cannot be in a transaction with others, so each is one of its own.
    for (index, statement) in statements.iter().enumerate() {
        // A file that is written is written again, and one that is read into a table is read once.
        let is_one_transaction = statement.first_word() == "COPY" || can_share_transaction(statement);
        let done = if is_one_transaction {
            store.transaction(|connection| Outcome::of(connection, statement))
        } else {
            store.repeat(|connection| Outcome::of(connection, statement))
        };
        let outcome = done.map_err(|error| {
            if error.is_unreachable() && !is_one_transaction {
                results.printer.note(format_args!(
                    "statement {} makes transactions of its own, of which some may be stored",
                    index + 1
                ));
            }
            if index > 0 {
                results.printer.note(format_args!("what stands before statement {} is stored", index + 1));
            }
            Error::Lake(error)
        })?;
        results.print(outcome)?;
    }
    Ok(())
}

/// Runs a script that begins and ends transactions itself.
fn run_as_it_stands(
    store: &Store,
    connection: &Connection,
    statements: &[Statement],
    results: &mut Results<'_>,
) -> Result<(), Error> {
    let mut open: Option<Transaction<'_>> = None;
    let mut stored = false;
    for statement in statements {
        let begun = open.take();
        let is_open = begun.is_some();
        let ran = match (statement.first_word().as_str(), begun) {
            ("BEGIN" | "START", None) => store.begin().map(|begun| (Some(begun), None)),
            ("COMMIT" | "END", Some(begun)) => begun.commit().map(|()| {
                stored = true;
                (None, None)
            }),
            ("ROLLBACK" | "ABORT", Some(begun)) => begun.roll_back().map(|()| (None, None)),
            (_, None) if can_share_transaction(statement) && !begins_transaction(statement) => {
                store.transaction(|connection| Outcome::of(connection, statement)).map(|outcome| (None, Some(outcome)))
            }
            (_, begun) => Outcome::of(connection, statement).map(|outcome| (begun, Some(outcome))),
        };
        let (begun, outcome) = ran.map_err(|error| {
            results.printer.note(match (is_open, stored) {
                _ if error.is_unknown_outcome() => "nothing after the transaction whose end is unknown was run",
                (true, false) => "the transaction of the script is rolled back, and nothing is stored",
                (true, true) => "the last transaction of the script is rolled back; what stands before it is stored",
                (false, true) => "what stands before it in the script is stored",
                (false, false) => "nothing is stored",
            });
            Error::Lake(error)
        })?;
        open = begun;
        if let Some(outcome) = outcome {
            stored |= !is_open && !connection.are_queries(statement.text()).map_err(Error::Lake)?;
            results.print(outcome)?;
        }
    }
    match open {
        Some(begun) => {
            begun.roll_back().map_err(Error::Lake)?;
            Err(Error::OpenTransaction { stored })
        }
        None => Ok(()),
    }
}

fn begins_transaction(statement: &Statement) -> bool {
    matches!(statement.first_word().as_str(), "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT")
}

/// Whether a statement can be in one transaction with others, and is undone with it.
fn can_share_transaction(statement: &Statement) -> bool {
    let own = [
        "ATTACH",
        "CHECKPOINT",
        "COPY",
        "DETACH",
        "EXPORT",
        "FORCE",
        "IMPORT",
        "INSTALL",
        "LOAD",
        "PRAGMA",
        "RESET",
        "SET",
        "USE",
        "VACUUM",
    ];
    !own.contains(&statement.first_word().as_str())
}

/// What a statement gave: rows, or how many it changed.
struct Outcome {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    is_query: bool,
}

impl Outcome {
    fn of(connection: &Connection, statement: &Statement) -> Result<Self, metaxy_store_duckdb::Error> {
        // Asked first, since another statement would end the stream of rows.
        let is_query = connection.are_queries(statement.text())?;
        let rows = connection.query(statement.clone())?;
        let schema = rows.schema();
        Ok(Self { schema, batches: rows.collect::<Result<_, _>>()?, is_query })
    }
}

/// What is printed of one statement after the other.
pub(super) struct Results<'r> {
    mode: Mode,
    format: RowFormat,
    printer: &'r mut Printer,
    /// Where the rows go, if not to stdout.
    file: Option<&'r mut dyn Write>,
    is_first: bool,
}

impl<'r> Results<'r> {
    pub(super) fn new(
        mode: Mode,
        format: RowFormat,
        printer: &'r mut Printer,
        file: Option<&'r mut dyn Write>,
    ) -> Self {
        Self { mode, format, printer, file, is_first: true }
    }

    /// Runs a statement and prints its rows while they come.
    pub(super) fn stream(&mut self, connection: &Connection, statement: &Statement) -> Result<(), Error> {
        let is_query = connection.are_queries(statement.text()).map_err(Error::Lake)?;
        let rows = connection.query(statement.clone()).map_err(Error::Lake)?;
        self.write(&rows.schema(), is_query, rows)
    }

    fn print(&mut self, outcome: Outcome) -> Result<(), Error> {
        self.write(&outcome.schema, outcome.is_query, outcome.batches.into_iter().map(Ok))
    }

    fn write(
        &mut self,
        schema: &SchemaRef,
        is_query: bool,
        rows: impl Iterator<Item = Result<RecordBatch, metaxy_store_duckdb::Error>>,
    ) -> Result<(), Error> {
        if is_query || !rows::is_answer(schema) {
            let format = self.format;
            let out: &mut dyn Write = if let Some(file) = &mut self.file {
                file
            } else {
                output::refuse_terminal(format)?;
                self.printer
            };
            match format {
                _ if std::mem::take(&mut self.is_first) => {}
                RowFormat::Parquet => return Err(Error::SecondParquet),
                // An empty line, behind which another header begins.
                RowFormat::Csv => writeln!(out)?,
                RowFormat::Table | RowFormat::Json => {}
            }
            return rows::print(schema, rows, format, out);
        }
        for batch in rows {
            let batch = batch.map_err(Error::Lake)?;
            let counts = batch.column(0).as_primitive_opt::<Int64Type>();
            for count in counts.into_iter().flatten().flatten() {
                self.printer.note(format_args!("{count} {} changed", if count == 1 { "row" } else { "rows" }));
            }
        }
        Ok(())
    }
}

/// Whether a script names a table, in any case.
fn names(script: &str, table: &str) -> bool {
    let (script, table) = (script.to_lowercase(), table.to_lowercase());
    let is_of_word = |character: char| character.is_alphanumeric() || character == '_';
    script.match_indices(&table).any(|(at, _)| {
        let (before, after) = (&script[..at], &script[at + table.len()..]);
        !before.ends_with(is_of_word) && !after.starts_with(is_of_word)
    })
}
