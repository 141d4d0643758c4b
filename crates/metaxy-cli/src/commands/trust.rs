//! `metaxy trust`: remembers that a configuration may do what is not known to be harmless, as it stands.

use crate::args::Trust;
use crate::context::Context;
use crate::environment::Environment;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::trusted::Trusted;

pub(crate) fn run(args: &Trust, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let environment = match &args.folder {
        Some(folder) => {
            let found = folder.canonicalize().and_then(|found| found.read_dir().map(|_| found));
            Environment::of(found.map_err(|error| Error::file("reading", folder, error))?)?
        }
        None => Environment::here()?,
    };
    let config = context.load_in(&environment)?.config;
    let folder = Context::folder(&config, &environment);
    let shown = folder.display();
    let trusted = Trusted::of(&folder).ok_or(Error::NoConfigurationFolder)?;
    if args.untrust {
        let removed = trusted.remove_all()?;
        printer.note(match removed {
            0 => format!("nothing was trusted in {shown}"),
            _ => format!("nothing is trusted in {shown} any more"),
        });
        return Ok(Exit::Done);
    }
    printer.diagnostics(config.needs_trust())?;
    if config.needs_trust().is_empty() {
        printer.note(format_args!("nothing needs trust in {shown}"));
    } else {
        trusted.add(&config)?;
        printer.note(format_args!("trusted in {shown}, as long as it does not change"));
    }
    Ok(Exit::Done)
}
