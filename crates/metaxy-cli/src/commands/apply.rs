//! `metaxy apply`: the lake gets what is declared for it, step by step.

use std::io::{self, IsTerminal as _};

use ducklake_sql::Mode;
use metaxy_store_duckdb::Applied;
use serde_json::json;

use super::plan::{Found, PlanFile, declared};
use crate::args::{Apply, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::opening;
use crate::printer::Printer;

pub(crate) fn run(args: &Apply, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let file = args.file.as_deref().map(PlanFile::read).transpose()?;
    let loaded = context.load()?;
    let (name, declared) = declared(context, &loaded, printer)?;
    if let Some(other) = file.as_ref().map(|file| &file.store).filter(|store| *store != name) {
        return Err(Error::PlanOfOther { plan: other.clone(), store: name.to_owned() });
    }
    let found = Found::look(context, &loaded, name, declared, printer)?;
    if let Some(file) = &file {
        found.planned.check_digest(&file.digest)?;
    }
    if args.format == TextOrJson::Text {
        found.print(name, printer)?;
    }
    found.planned.check(args.allow_destructive)?;
    if found.is_done() {
        if args.format == TextOrJson::Json {
            printer.json(&json!({ "version": 1, "store": name, "done": [], "failed": null, "left": [] }))?;
        }
        return Ok(Exit::Done);
    }
    if !args.yes && file.is_none() {
        confirm(printer)?;
    }

    let waiting = opening(name, printer);
    let options = context.open_options().fallback_stores(false);
    let store = options.open(&loaded.config, name, Mode::Write)?;
    drop(waiting);
    // What a person has agreed to is what is done.
    let planned = store.plan_declared(declared)?;
    if planned.difference != found.planned.difference {
        return Err(Error::LakeChanged);
    }
    let applied = store.apply(&planned, args.allow_destructive)?;
    printer.closed(store.close())?;
    report(args, name, &applied, printer)?;
    if let Some(failed) = applied.failed {
        return Err(Error::NotApplied { step: failed.step.to_string(), left: applied.left.len(), error: failed.error });
    }

    // A session that has set options need not be one that has read them.
    let after = Found::look(context, &loaded, name, declared, printer)?;
    if !after.is_done() {
        let first = after.planned.difference.steps.first().map(ToString::to_string);
        return Err(Error::NotInForce(first.unwrap_or_default()));
    }
    printer.note(
        "all of it is in force, as a new session has read; programs that are attached now keep the options that they have read until they attach again",
    );
    Ok(Exit::Done)
}

/// Says what is done, and what is not.
fn report(args: &Apply, name: &str, applied: &Applied, printer: &mut Printer) -> Result<(), Error> {
    match args.format {
        TextOrJson::Json => printer.json(&json!({
            "version": 1,
            "store": name,
            "done": applied.done,
            "failed": applied.failed.as_ref().map(|failed| &failed.step),
            "left": applied.left,
        })),
        TextOrJson::Text => {
            for step in &applied.done {
                printer.note(format_args!("done: {}", step.subject()));
            }
            for step in applied.failed.iter().map(|failed| &failed.step).chain(&applied.left) {
                printer.note(format_args!("not done: {}", step.subject()));
            }
            Ok(())
        }
    }
}

/// Asks the person at the terminal.
fn confirm(printer: &mut Printer) -> Result<(), Error> {
    io::Write::flush(printer)?;
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Error::UnconfirmedChange);
    }
    let question = dialoguer::Confirm::new().with_prompt("Change the lake so?").default(false);
    match question.interact_opt().map_err(|dialoguer::Error::IO(error)| error)? {
        Some(true) => Ok(()),
        _ => Err(Error::NothingChosen),
    }
}
