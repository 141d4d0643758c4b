//! The command `metaxy`: previews, checks and queries a DuckLake that `metaxy.toml` describes.
//!
//! It is thin: `args` says what can be asked, each command is one file of `commands`, and what it does is done by the
//! crates below. Stdout is data, stderr is talk; the exit codes are those of `exit`.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod config_edit;
mod context;
mod environment;
mod error;
mod exit;
mod fault;
mod features;
mod help;
mod output;
mod pager;
mod printer;
mod progress;
mod rows;
mod selection;
mod signals;
mod table;
mod trusted;
mod values;
mod variables;
mod visible;

use std::io::Write as _;
use std::process::ExitCode;

use clap::ColorChoice;
use clap::error::ErrorKind;

use args::{Command, Migrate};
use commands::{
    apply, backup, changes, check, completions, config, describe, doctor, extensions, graph, help as help_command,
    history, init, list, lock, maintain, man, mcp, metadata, migrate, plan, preview, push, shell, snapshots, sql,
    trust,
};
use context::Context;
use error::Error;
use exit::Exit;
use printer::Printer;
use signals::Signals;
use tracing_subscriber::EnvFilter;
use variables::{Parsed, Variables};

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    leave_no_core_dump();
    fault::tell_of_panics();
    let command = args::command().color(color_of_help());
    let arguments = args::with_tags(std::env::args_os());
    let exit = match variables::parse(command, arguments, &Variables::read()) {
        Ok(parsed) => run(parsed),
        // Nothing typed is a question, as in Python Metaxy.
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            drop(write!(anstream::stdout(), "{}", error.render().ansi()));
            Exit::Done
        }
        Err(error) => {
            // It is help for stdout or an error for stderr; nobody is left to be told when that fails.
            drop(error.print());
            if error.use_stderr() { Exit::Usage } else { Exit::Done }
        }
    };
    exit.into()
}

/// Keeps secrets off the disk where the program crashes: DuckDB has them in memory as long as a lake is open.
fn leave_no_core_dump() {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, setrlimit};

        // A limit can always be lowered.
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    }
}

fn run(parsed: Parsed) -> Exit {
    let Parsed { args, warnings } = parsed;
    log(args.global.verbosity);
    let mut printer = Printer::new(args.global.color, args.global.talk(), args.global.no_pager);
    for warning in warnings {
        printer.warn(warning, None);
    }
    let context = Context::new(args.global, args.command.positional_store());
    // Where signals cannot be handled, they end the program as they always do.
    let signals = Signals::watch(context.interrupt()).unwrap_or_default();
    let result = dispatch(&args.command, &context, &mut printer).and_then(|exit| {
        printer.flush()?;
        Ok(exit)
    });
    let result = result.map_err(|error| context.explain(error));
    match result {
        Ok(exit) => exit,
        Err(_) if printer.reader_is_gone() => Exit::Done,
        Err(error) => {
            // In the middle of other data it would be no JSON.
            let told = args.command.is_for_programs()
                && !printer.has_written()
                && printer.json(&error.to_json()).and_then(|()| Ok(printer.flush()?)).is_ok();
            if !told {
                printer.error(&error);
            }
            signals.exit_code().map_or(error.exit(), Exit::Interrupted)
        }
    }
}

/// Logs to stderr what was asked for: by `RUST_LOG`, else by how often `-v` was given.
///
/// The store crate logs no values and no text that a person wrote, so a log holds no secret at any level.
fn log(verbosity: u8) {
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|filter| !filter.is_empty());
    let filter = match (asked, verbosity) {
        (Some(filter), _) => EnvFilter::new(filter),
        (None, 0) => return,
        (None, 1) => EnvFilter::new("metaxy_store_duckdb=info"),
        (None, _) => EnvFilter::new("metaxy_store_duckdb=debug"),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Without the time of day, two runs can be compared.
    let log = log.with_timer(tracing_subscriber::fmt::time::uptime()).with_target(false);
    // Somebody who has set up a log already keeps it.
    drop(log.try_init());
}

fn dispatch(command: &Command, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    match command {
        Command::Init(args) => init::run(args, printer),
        Command::Check(args) => check::run(args, context, printer),
        Command::Preview(args) => preview::run(args, context, printer),
        Command::Sql(args) => sql::run(args, context, printer),
        Command::Shell(args) => shell::run(args, context, printer),
        Command::Doctor(args) => doctor::run(args, context, printer),
        Command::Config(args) => config::run(args, context, printer),
        Command::List(args) => list::run(args, context, printer),
        Command::Describe(args) => describe::run(args, context, printer),
        Command::Graph(args) => graph::run(args, context, printer),
        Command::GraphDiff(args) => graph::run_of_python(args, context, printer),
        Command::Lock(args) => lock::run(args, context, printer),
        Command::Push(args) => push::run(args, context, printer),
        Command::History(args) => history::run(args, context, printer),
        Command::Metadata(args) => metadata::run(args, context, printer),
        Command::Plan(args) => plan::run(args, context, printer),
        Command::Maintain(args) => maintain::run(args, context, printer),
        Command::Backup(args) => backup::run(args, context, printer),
        Command::Restore(args) => backup::restore(args, context, printer),
        Command::Migrate(Migrate::Catalog(args)) => migrate::catalog(args, context, printer),
        Command::Migrate(Migrate::Data(args)) => migrate::data(args, context, printer),
        Command::Migrate(Migrate::Format(args)) => migrate::format(args, context, printer),
        Command::Apply(args) => apply::run(args, context, printer),
        Command::Snapshots(args) => snapshots::run(args, context, printer),
        Command::Changes(args) => changes::run(args, context, printer),
        Command::Trust(args) => trust::run(args, context, printer),
        Command::Extensions(args) => extensions::run(args, context, printer),
        Command::Mcp => mcp::run(context, printer),
        Command::Completions(args) => completions::run(args, printer),
        Command::Man(args) => man::run(args, printer),
        Command::Help(args) => help_command::run(args, printer),
    }
}

/// The `--color` of help and of wrong usage, which are printed before the arguments are known.
fn color_of_help() -> ColorChoice {
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let mut arguments = arguments.skip_while(|argument| !argument.starts_with("--color"));
    let first = arguments.next().unwrap_or_default();
    let choice = match first.strip_prefix("--color=") {
        Some(choice) => choice.to_owned(),
        None => arguments.next().unwrap_or_default(),
    };
    choice.parse().unwrap_or(ColorChoice::Auto)
}
