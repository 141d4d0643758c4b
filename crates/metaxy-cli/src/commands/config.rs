//! `metaxy config`: the resolved configuration, and the schema of its file.

use std::io::Write as _;

use metaxy_config::schema_json;

use crate::args::{Config, ConfigPrint, TomlOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(args: &Config, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    match args {
        Config::Print(args) => print(args, context, printer),
        Config::Schema => {
            writeln!(printer, "{}", schema_json().trim_end())?;
            Ok(Exit::Done)
        }
    }
}

fn print(args: &ConfigPrint, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    printer.warnings(&loaded.diagnostics, None);
    match args.format {
        TomlOrJson::Toml => write!(printer, "{}", loaded.config.to_toml())?,
        TomlOrJson::Json => printer.json(&loaded.config.to_json())?,
    }
    if loaded.diagnostics.has_errors() {
        printer.warn("stores with errors are printed without their configuration", Some("see `metaxy check`"));
    }
    Ok(Exit::Done)
}
