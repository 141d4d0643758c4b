//! `metaxy man`: the manual pages, for who packs the program.

use std::fs;

use crate::args::{self, Man};
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(args: &Man, printer: &mut Printer) -> Result<Exit, Error> {
    let failed = |error| Error::file("writing manual pages to", &args.folder, error);
    fs::create_dir_all(&args.folder).map_err(failed)?;
    clap_mangen::generate_to(args::command(), &args.folder).map_err(failed)?;
    printer.note(format_args!("wrote the manual pages to {}", args.folder.display()));
    Ok(Exit::Done)
}
