//! `metaxy plan`: what is declared for the lake, compared with what it has.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use ducklake_sql::{Declared, Mode};
use metaxy_config::Loaded;
use metaxy_store_duckdb::PlannedLake;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::{self, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{opening, say_warnings};
use crate::output;
use crate::printer::Printer;

/// The version of the JSON shape of a plan.
const VERSION: u32 = 1;

pub(crate) fn run(args: &args::Plan, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let (name, declared) = declared(context, &loaded, printer)?;
    let found = Found::look(context, &loaded, name, declared, printer)?;
    if let Some(path) = &args.out {
        output::put(path, |out| {
            let text = serde_json::to_string_pretty(&found.to_json(name)).map_err(std::io::Error::from)?;
            Ok(writeln!(out, "{text}")?)
        })?;
    }
    match args.format {
        TextOrJson::Text => found.print(name, printer)?,
        TextOrJson::Json => printer.json(&found.to_json(name))?,
    }
    let has_errors = found.planned.difference.notes.iter().any(|note| note.is_error);
    Ok(match (has_errors, found.is_done()) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Done,
        (false, false) => Exit::Changes,
    })
}

/// The store that is meant, and what is declared for its lake.
pub(super) fn declared<'l>(
    context: &Context,
    loaded: &'l Loaded,
    printer: &mut Printer,
) -> Result<(&'l str, &'l Declared), Error> {
    let name = context.store(loaded, printer)?.name.as_str();
    let declared = loaded.config.declared(name).ok_or_else(|| Error::NothingDeclared(name.to_owned()))?;
    Ok((name, declared))
}

/// A plan, and whether the lake is there.
pub(super) struct Found {
    pub(super) planned: PlannedLake,
    pub(super) is_new: bool,
}

impl Found {
    /// Opens the lake to read, and compares. One that is not there is looked at as it will be once it is made.
    pub(super) fn look(
        context: &Context,
        loaded: &Loaded,
        name: &str,
        declared: &Declared,
        printer: &mut Printer,
    ) -> Result<Self, Error> {
        let waiting = opening(name, printer);
        let options = context.open_options().fallback_stores(false);
        let opened = options.open(&loaded.config, name, Mode::Read);
        drop(waiting);
        match opened {
            Ok(store) => {
                say_warnings(&store, printer);
                let planned = store.plan_declared(declared)?;
                store.close()?;
                Ok(Self { planned, is_new: false })
            }
            Err(error) if error.is_missing_lake() && !error.is_missing_database() => {
                let store = loaded.config.store(name).map_err(Error::store)?;
                let planned = PlannedLake::of_new_lake(declared, &store.plan(Mode::Write))?;
                Ok(Self { planned, is_new: true })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is nothing to do.
    pub(super) fn is_done(&self) -> bool {
        !self.is_new && self.planned.is_done()
    }

    /// The plan for people.
    pub(super) fn print(&self, name: &str, printer: &mut Printer) -> Result<(), Error> {
        let count = self.planned.difference.steps.len() + usize::from(self.is_new);
        let what = match count {
            0 if self.planned.difference.notes.iter().any(|note| note.is_error) => {
                "cannot have all that is declared".to_owned()
            }
            0 if !self.planned.difference.notes.is_empty() => "has what is declared so far".to_owned(),
            0 => "has all that is declared".to_owned(),
            1 => "differs from what is declared in one thing".to_owned(),
            count => format!("differs from what is declared in {count} things"),
        };
        writeln!(printer, "the lake of the store `{}` {what}", name.escape_debug())?;
        if self.is_new {
            writeln!(printer, "+ lake: declared, and not there")?;
        }
        for step in &self.planned.difference.steps {
            writeln!(printer, "{step}\n    {}", self.planned.sql_of(step))?;
        }
        for note in &self.planned.difference.notes {
            writeln!(printer, "{}: {}", if note.is_error { "error" } else { "note" }, note.message)?;
        }
        Ok(())
    }

    /// The plan for programs, and for a later `apply`.
    fn to_json(&self, name: &str) -> Value {
        let steps = self.planned.difference.steps.iter().map(|step| {
            let mut shown = json!(step);
            if let Some(object) = shown.as_object_mut() {
                object.insert("sql".to_owned(), self.planned.sql_of(step).into());
            }
            shown
        });
        json!({
            "version": VERSION,
            "store": name,
            "digest": self.planned.digest,
            "creates_lake": self.is_new,
            "changes": !self.is_done(),
            "steps": steps.collect::<Vec<_>>(),
            "notes": self.planned.difference.notes,
        })
    }
}

/// What `apply` needs of a plan that was written to a file.
#[derive(Deserialize)]
pub(super) struct PlanFile {
    version: u32,
    pub(super) store: String,
    pub(super) digest: String,
}

impl PlanFile {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(|error| Error::file("reading", path, error))?;
        let plan: Option<Self> = serde_json::from_str(&text).ok();
        plan.filter(|plan| plan.version == VERSION).ok_or_else(|| Error::NoPlan(path.display().to_string()))
    }
}
