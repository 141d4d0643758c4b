//! `metaxy help`: what a command does, and what the code of a diagnostic or a cause means.

use std::io::Write as _;

use metaxy_diagnostics::did_you_mean;
use metaxy_store_duckdb::Cause;

use crate::args::{self, Help};
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(args: &Help, printer: &mut Printer) -> Result<Exit, Error> {
    let mut root = args::command();
    root.build();
    if let Some(command) = find(&mut root, &args.topic) {
        let help = command.render_long_help();
        if printer.has_color() {
            printer.write_all(help.ansi().to_string().as_bytes())?;
        } else {
            write!(printer, "{help}")?;
        }
        return Ok(Exit::Done);
    }
    let topic = args.topic.join(" ");
    let cause = Cause::ALL.iter().find(|cause| cause.as_str() == topic);
    let text = match (metaxy_config::explain_code(&topic), cause) {
        (Some(text), _) => text,
        (None, Some(cause)) => {
            let does = "`metaxy doctor` finds it, and says where it is and what to do.";
            format!("{cause}\n\n{}\n\n{does}\n", cause.meaning())
        }
        (None, None) => {
            let mut known: Vec<&str> = root.get_subcommands().map(clap::Command::get_name).collect();
            for code in metaxy_config::codes().chain(Cause::ALL.iter().map(|cause| cause.as_str())) {
                known.push(code);
            }
            let help = did_you_mean(&topic, &known);
            return Err(Error::UnknownTopic { topic, help });
        }
    };
    write!(printer, "{text}")?;
    Ok(Exit::Done)
}

/// The command of these words; the program itself without any.
fn find<'c>(root: &'c mut clap::Command, words: &[String]) -> Option<&'c mut clap::Command> {
    words.iter().try_fold(root, |command, word| command.find_subcommand_mut(word))
}
