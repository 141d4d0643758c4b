//! `metaxy check`: everything that is wrong with the configuration, of every store and every feature file, at once.

use metaxy_config::{Config, OsSystem, Severity};

use crate::args::{Check, TextOrJson};
use crate::context::{Context, refuse_nothing};
use crate::environment::Environment;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(args: &Check, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let environment = Environment::here()?;
    let read = context.read_in(&environment);
    if let (Ok(loaded), true) = (&read, args.untrusted) {
        return untrusted(args, &loaded.config, &environment, printer);
    }
    let (diagnostics, features) = match &read {
        Ok(loaded) => match loaded.config.feature_graph(&OsSystem) {
            Ok(graph) => (loaded.diagnostics.clone(), graph.map(|graph| graph.iter().count())),
            Err(of_features) => (loaded.diagnostics.merge(&of_features), None),
        },
        Err(error) => (error.check_features(&OsSystem), None),
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
            if loaded.config.is_untrusted() {
                printer.note("it asks for what needs trust: see `metaxy check --untrusted`");
            }
            Ok(Exit::Done)
        }
        _ => {
            printer.note(format_args!("{}, {}", counted(errors, "error"), counted(warnings, "warning")));
            Ok(Exit::Failed)
        }
    }
}

/// Lists what needs trust, and what of `.env` does not reach libraries.
fn untrusted(args: &Check, config: &Config, environment: &Environment, printer: &mut Printer) -> Result<Exit, Error> {
    match args.format {
        TextOrJson::Text => printer.diagnostics(config.needs_trust())?,
        TextOrJson::Json => printer.json(&config.needs_trust().to_json())?,
    }
    for name in environment.not_passed_on() {
        printer.note(format_args!("`{name}` of `.env` is used for ${{{name}}} alone: libraries do not see it"));
    }
    let count = counted(config.needs_trust().iter().count(), "thing");
    if config.is_untrusted() {
        printer.note(format_args!("not trusted: {count}; `metaxy trust` allows it as it stands"));
        return Ok(Exit::Failed);
    }
    printer.note(format_args!("trusted: {count}"));
    Ok(Exit::Done)
}

/// A number and what it counts.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
