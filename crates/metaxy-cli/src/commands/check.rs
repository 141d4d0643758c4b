//! `metaxy check`: everything that is wrong with the configuration, of every store, at once.

use metaxy_config::Severity;

use crate::args::{Check, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(args: &Check, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let read = context.read()?;
    let diagnostics = match &read {
        Ok(loaded) => &loaded.diagnostics,
        Err(error) => error.diagnostics(),
    };
    match args.format {
        TextOrJson::Text => printer.diagnostics(diagnostics)?,
        TextOrJson::Json => printer.json(&diagnostics.to_json())?,
    }
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity() == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match &read {
        Ok(loaded) if errors == 0 => {
            context.refuse_unknown_store(&loaded.config)?;
            let stores = loaded.config.store_names().count();
            let Some(file) = &loaded.config.config_file else {
                return if stores == 0 { Err(Error::NoConfiguration) } else { Ok(Exit::Done) };
            };
            printer.note(format_args!(
                "{} has no errors: {}, {}",
                file.display(),
                counted(stores, "store"),
                counted(warnings, "warning")
            ));
            Ok(Exit::Done)
        }
        _ => {
            printer.note(format_args!("{}, {}", counted(errors, "error"), counted(warnings, "warning")));
            Ok(Exit::Failed)
        }
    }
}

/// A number and what it counts.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
