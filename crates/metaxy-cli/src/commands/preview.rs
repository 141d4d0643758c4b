//! `metaxy preview`: the SQL that attaches the lake, or the database of a store without one.
//!
//! It is planned from the configuration alone: no database, no network.

use std::io::Write as _;

use ducklake_sql::{CatalogKind, Lake, Mode, Reveal, Storage, mask_credentials};

use crate::args::{PlanFormat, Preview};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::visible::on_one_line;

pub(crate) fn run(args: &Preview, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let store = context.store(&loaded, printer)?;
    // A lake that can only be read is planned for that, unless the other is asked for.
    let mode = args.mode.map_or(Mode::Write, Mode::from);
    if store.tables.is_read_only() && args.mode.is_some() && mode == Mode::Write {
        return Err(Error::ReadOnly(store.name.clone()));
    }
    let mut plan = store.plan(mode);
    // A lake with a relative data path stores it so, and DuckDB compares it as a text with the absolute one of the plan.
    if matches!(store.lake().and_then(Lake::storage), Some(Storage::Local(folder)) if folder.relative().is_some()) {
        plan = plan.overriding_data_path();
    }
    let reveal = if args.reveal_secrets { Reveal::Secrets } else { Reveal::Masked };
    match args.format {
        PlanFormat::Sql => {
            // A shell reads the text, so this is a comment.
            let needs = loaded.config.needs_trust().iter().filter(|need| need.is_about_store(&store.name));
            for line in
                needs.map(|need| need.message().to_owned()).chain(store.lake().into_iter().flat_map(redirections))
            {
                writeln!(printer, "-- {}", on_one_line(&line))?;
            }
            printer.script(&plan.display(reveal).to_string())?;
        }
        PlanFormat::Json => printer.json(&plan.view(reveal))?,
        PlanFormat::Mermaid => write!(printer, "{}", plan.to_mermaid())?,
    }
    Ok(Exit::Done)
}

/// What in the environment leads a connection elsewhere than the plan says, in words.
fn redirections(lake: &Lake) -> Vec<String> {
    const OF_LIBPQ: &[&str] = &["PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGSERVICEFILE"];
    const PROXIES: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

    let (mut names, mut lines) = (Vec::<&str>::new(), Vec::new());
    if lake.catalog_kind() == CatalogKind::Postgres {
        names.extend(OF_LIBPQ);
    }
    if matches!(lake.storage(), Some(Storage::Object(_))) || lake.catalog_kind() == CatalogKind::Quack {
        names.extend(PROXIES);
    }
    for name in names {
        if let Some(value) = std::env::var(name).ok().filter(|value| !value.is_empty()) {
            lines.push(format!("{name} of the environment may lead elsewhere: {}", mask_credentials(&value)));
        }
    }
    lines
}
