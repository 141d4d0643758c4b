//! `metaxy doctor`: why a store does not work, and the one thing to change.

use std::io::Write as _;

use ducklake_sql::Mode;
use metaxy_store_duckdb::{Doctor, MissingFile, Report};
use serde_json::json;

use crate::args::{self, TextOrJson};
use crate::context::{Context, refuse_nothing};
use crate::error::Error;
use crate::exit::Exit;
use crate::features;
use crate::printer::Printer;

pub(crate) fn run(args: &args::Doctor, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    if args.repair {
        return repair(args, context, printer);
    }
    let read = context.read()?;
    if let Ok(loaded) = &read {
        refuse_nothing(&loaded.config)?;
    }
    let graph = match &read {
        Ok(loaded) if args.deep => features::of_files(&loaded.config).unwrap_or_else(|error| {
            printer.warn(error, Some("the features that were pushed to the lake take their place"));
            None
        }),
        _ => None,
    };
    let doctor = Doctor::default().write(args.write).deep(args.deep).graph(graph);
    let report = doctor.examine(&read, context.named_store());
    let report = if args.verbose || context.is_verbose() { report } else { Report::without_raw_texts(report) };
    match args.format {
        TextOrJson::Text => write!(printer, "{report}")?,
        TextOrJson::Json => printer.json(&report)?,
    }
    Ok(if report.is_healthy() { Exit::Done } else { Exit::Failed })
}

/// Tells which files are gone, and with `--yes` takes them out of the catalog.
fn repair(args: &args::Doctor, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let name = &context.store(&loaded, printer)?.name;
    let mode = if args.yes { Mode::Write } else { Mode::Read };
    let options = context.open_options().fallback_stores(false).must_exist(true);
    let store = options.open(&loaded.config, name, mode).map_err(Error::Lake)?;
    let missing = if args.yes { store.repair() } else { store.missing_files() }.map_err(Error::Lake)?;
    match args.format {
        TextOrJson::Text => print_missing(&missing, args.yes, printer)?,
        TextOrJson::Json => printer.json(&json!({ "version": 1, "missing": missing, "repaired": args.yes }))?,
    }
    printer.closed(store.close())?;
    if missing.is_empty() {
        printer.note("every file that the catalog names is there");
    } else if args.yes {
        printer.note("the tables can be read again");
    } else {
        printer.note("nothing was changed; `metaxy doctor --repair --yes` does it");
    }
    Ok(if missing.is_empty() || args.yes { Exit::Done } else { Exit::Failed })
}

fn print_missing(missing: &[MissingFile], is_done: bool, printer: &mut Printer) -> Result<(), Error> {
    for file in missing {
        let rows = if file.rows == 1 { "1 row".to_owned() } else { format!("{} rows", file.rows) };
        let what = match (file.can_be_restored, file.is_of_deletions, is_done) {
            (true, _, true) => "brought back from a second link".to_owned(),
            (true, _, false) => "can be brought back from a second link".to_owned(),
            (false, true, true) => format!("{rows} that were deleted are there again"),
            (false, true, false) => format!("{rows} that were deleted would be there again"),
            (false, false, _) => format!("{rows} are lost"),
        };
        let past = if file.is_current { "" } else { ", in older snapshots only" };
        writeln!(printer, "{}: {what}{past} (since snapshot {}): {}", file.table, file.snapshot, file.path)?;
    }
    Ok(())
}
