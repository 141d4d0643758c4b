//! `metaxy check`: everything that is wrong with the configuration, of every store and every feature file, at once.

use metaxy_config::{OsSystem, Severity};

use crate::args::{Check, TextOrJson};
use crate::context::{Context, refuse_nothing};
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(args: &Check, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let read = context.read()?;
    let (diagnostics, features) = match &read {
        Ok(loaded) => match loaded.config.feature_graph(&OsSystem) {
            Ok(graph) => (loaded.diagnostics.clone(), graph.map(|graph| graph.iter().count())),
            Err(of_features) => (loaded.diagnostics.merge(&of_features), None),
        },
        Err(error) => (error.diagnostics().clone(), None),
    };
    match args.format {
        TextOrJson::Text => printer.diagnostics(&diagnostics)?,
        TextOrJson::Json => printer.json(&diagnostics.to_json())?,
    }
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity() == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match &read {
        Ok(loaded) if errors == 0 => {
            context.refuse_unknown_store(&loaded.config)?;
            let stores = loaded.config.store_names().count();
            refuse_nothing(&loaded.config)?;
            let Some(file) = &loaded.config.config_file else { return Ok(Exit::Done) };
            let features = features.map(|features| counted(features, "feature"));
            let counts = [Some(counted(stores, "store")), features, Some(counted(warnings, "warning"))];
            let counts = counts.into_iter().flatten().collect::<Vec<_>>().join(", ");
            printer.note(format_args!("{} has no errors: {counts}", file.display()));
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
