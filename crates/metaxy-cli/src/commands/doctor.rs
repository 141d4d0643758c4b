//! `metaxy doctor`: why a store does not work, and the one thing to change.

use std::io::Write as _;

use metaxy_store_duckdb::{Doctor, Report};

use crate::args::{self, TextOrJson};
use crate::context::{Context, refuse_nothing};
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(args: &args::Doctor, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let read = context.read()?;
    if let Ok(loaded) = &read {
        refuse_nothing(&loaded.config)?;
    }
    let report = Doctor::default().write(args.write).deep(args.deep).examine(&read, context.named_store());
    let report = if args.verbose || context.is_verbose() { report } else { Report::without_raw_texts(report) };
    match args.format {
        TextOrJson::Text => write!(printer, "{report}")?,
        TextOrJson::Json => printer.json(&report)?,
    }
    Ok(if report.is_healthy() { Exit::Done } else { Exit::Failed })
}
