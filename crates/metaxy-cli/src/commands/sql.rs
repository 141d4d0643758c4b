//! `metaxy sql`: runs what a person typed on the attached lake.

use std::io::Read as _;
use std::path::Path;

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use ducklake_sql::Sql as Statements;
use metaxy_store_duckdb::{Connection, OpenOptions};

use crate::args::Sql;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::rows;

pub(crate) fn run(args: &Sql, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let query = match args.query.as_str() {
        "-" => {
            let mut text = String::new();
            std::io::stdin()
                .lock()
                .read_to_string(&mut text)
                .map_err(|error| Error::file("reading", Path::new("-"), error))?;
            text
        }
        text => text.to_owned(),
    };
    if query.trim().is_empty() {
        return Err(Error::Usage { message: "there is no statement", help: "try `metaxy sql 'SHOW TABLES'`" });
    }
    let loaded = context.load()?;
    let name = &context.store(&loaded, printer)?.name;
    // A person's statements name the lake that they are for, so a fallback that is not there stands in no way.
    let options = OpenOptions::default().fallback_stores(false);
    let store = options.open(&loaded.config, name, args.mode.into()).map_err(Error::Lake)?;
    for warning in store.warnings() {
        printer.warn(warning, None);
    }
    print(store.connection(), &query, args, printer)?;
    store.close().map_err(Error::Lake)?;
    Ok(Exit::Done)
}

/// Runs the statements and prints the rows of the last one, or says how many it changed.
fn print(connection: &Connection, query: &str, args: &Sql, printer: &mut Printer) -> Result<(), Error> {
    // Asked first, since another statement would end the stream of rows.
    let is_query = is_query(connection, query)?;
    let rows = connection.query(Statements::typed_by_a_person(query)).map_err(Error::Lake)?;
    let schema = rows.schema();
    if is_query || !rows::is_answer(&schema) {
        return rows::print(&schema, rows, args.format, printer);
    }
    for batch in rows {
        let batch = batch.map_err(Error::Lake)?;
        let counts = batch.column(0).as_primitive_opt::<Int64Type>();
        for count in counts.into_iter().flatten().flatten() {
            printer.note(format_args!("{count} {} changed", if count == 1 { "row" } else { "rows" }));
        }
    }
    Ok(())
}

/// Whether the engine takes all of the statements for queries: one may have columns like those of an answer.
fn is_query(connection: &Connection, statements: &str) -> Result<bool, Error> {
    let question = Statements::fixed("SELECT json_serialize_sql(?::VARCHAR) LIKE '{\"error\":false%'");
    let rows = connection.query(question.with_text("statements", statements)).map_err(Error::Lake)?;
    let batches = rows.collect::<Result<Vec<_>, _>>().map_err(Error::Lake)?;
    Ok(batches.iter().filter_map(|batch| batch.column(0).as_boolean_opt()).any(|column| column.true_count() > 0))
}
