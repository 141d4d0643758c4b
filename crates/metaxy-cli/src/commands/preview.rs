//! `metaxy preview`: the SQL that attaches the lake, or the database of a store without one. It is planned from the configuration alone: no database, no network.

use std::io::Write as _;

use ducklake_sql::{Lake, Mode, Reveal, Storage};

use crate::args::{Preview, SqlOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(args: &Preview, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let store = context.store(&loaded, printer)?;
    // A lake that can only be read is planned for that, unless the other is asked for.
    let mode = args.mode.map_or(Mode::Write, Mode::from);
    if store.tables.is_read_only() && args.mode.is_some() && mode == Mode::Write {
        return Err(Error::ReadOnly(store.name.clone()));
    }
    let mut plan = store.plan(mode);
    // A lake with a relative data path stores it so, and DuckDB compares it as a text with the absolute one of the plan.
    if matches!(store.lake().and_then(Lake::storage), Some(Storage::Local(folder)) if folder.relative().is_some()) {
        plan = plan.overriding_data_path();
    }
    let reveal = if args.reveal_secrets { Reveal::Secrets } else { Reveal::Masked };
    match args.format {
        SqlOrJson::Sql => write!(printer, "{}", plan.display(reveal))?,
        SqlOrJson::Json => printer.json(&plan.view(reveal))?,
    }
    Ok(Exit::Done)
}
