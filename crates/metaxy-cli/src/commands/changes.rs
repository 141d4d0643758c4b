//! `metaxy changes`: the rows of a feature or a table that have changed since a snapshot or a moment.

use ducklake_sql::{Ident, TableName};
use metaxy_config::DuckDbStore;
use metaxy_feature::FeatureKey;
use metaxy_store_duckdb::{ChangeBound, Store};

use crate::args::Changes;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features;
use crate::printer::Printer;
use crate::rows;

pub(crate) fn run(args: &Changes, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let table = table(&args.table, context.store(&loaded, printer)?)?;
    let (store, _) = features::open_store(context, &loaded, printer)?;
    let done = print(args, &table, &store, printer);
    store.close()?;
    done
}

/// Prints the feed, and what it does not show.
fn print(args: &Changes, table: &TableName, store: &Store, printer: &mut Printer) -> Result<Exit, Error> {
    let to = args.to.as_deref().map(ChangeBound::from);
    let feed = store.changes(table, &ChangeBound::from(args.since.as_str()), to.as_ref())?;
    for warning in &feed.warnings {
        printer.warn(warning, None);
    }
    match feed.rows {
        Some(found) => {
            let schema = found.schema();
            args.output.with(printer, |out| rows::print(&schema, found, args.output.format, out))?;
        }
        None => printer.note("there is no snapshot in that range"),
    }
    Ok(Exit::Done)
}

/// The table that a text names: that of a feature, if it is the key of one.
pub(super) fn table(text: &str, store: &DuckDbStore) -> Result<TableName, Error> {
    if !text.contains('/') {
        return TableName::new(text).map_err(|problem| Error::InvalidTable { message: problem.message().to_owned() });
    }
    let invalid = |message: String| Error::InvalidKey { key: text.to_owned(), message };
    let key: FeatureKey = text.parse().map_err(|error: metaxy_feature::Error| invalid(error.to_string()))?;
    let name = Ident::new([store.table_prefix.as_str(), &key.table_name()].concat());
    let table = name.and_then(|name| Ok(TableName::of(Ident::new("main")?, name)));
    table.map_err(|problem| invalid(problem.message().to_owned()))
}
