//! `metaxy list`: the stores of the configuration, and whether each can be used; the features and their versions.

use std::io::Write as _;

use ducklake_sql::{Lake, Storage};
use metaxy_config::{Config, StoreError};
use serde_json::json;

use super::describe::Described;
use crate::args::{List, ListFeatures, ListStores, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features;
use crate::printer::Printer;
use crate::table::aligned;

pub(crate) fn run(args: &List, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    match args {
        List::Stores(args) => stores(args, context, printer),
        List::Features(args) => features(args, context, printer),
    }
}

fn stores(args: &ListStores, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    printer.warnings(&loaded.diagnostics, None);
    let config = &loaded.config;
    let default = context.store_name(config);
    let stores: Vec<_> = config.store_names().map(|name| Listed::new(config, name, default)).collect();
    match args.format {
        TextOrJson::Text => text(&stores, printer)?,
        // As Python Metaxy prints it, and more.
        TextOrJson::Json => printer.json(&json!({
            "version": 1,
            "default_store": default,
            "store_count": stores.len(),
            "stores": stores.iter().map(Listed::json).collect::<Vec<_>>(),
        }))?,
    }
    Ok(Exit::Done)
}

fn features(args: &ListFeatures, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let graph = features::graph(context, &loaded, None, printer)?;
    let described = Described::all(&graph, loaded.config.hash_truncation_length);
    let project = context.project(&loaded.config);
    let listed: Vec<_> =
        described.iter().filter(|one| project.is_none_or(|project| one.project() == project)).collect();
    let verbose = args.verbose || context.is_verbose();
    match args.format {
        TextOrJson::Text if listed.is_empty() => printer.note("there are no features in the project"),
        TextOrJson::Text => write!(printer, "{}", features_text(&listed, verbose))?,
        TextOrJson::Json => printer.json(&json!({
            "version": 1,
            "feature_count": listed.len(),
            "features": listed.iter().map(|one| one.listed(verbose)).collect::<Vec<_>>(),
        }))?,
    }
    Ok(Exit::Done)
}

fn features_text(features: &[&Described<'_>], verbose: bool) -> String {
    let rows = features.iter().map(|one| {
        let deps = if one.deps().is_empty() { "-".to_owned() } else { one.deps().join(", ") };
        [one.key(), one.version(), one.project(), &one.source(), &deps].map(str::to_owned)
    });
    let mut text = aligned(["FEATURE", "VERSION", "PROJECT", "SOURCE", "DEPENDS ON"], &rows.collect::<Vec<_>>());
    if verbose {
        let rows = features.iter().flat_map(|one| {
            one.fields().iter().map(|field| {
                let from = field.parents();
                let from = if from.is_empty() { "-".to_owned() } else { from.join(", ") };
                [one.key(), field.key, field.code_version, &field.version, &from].map(str::to_owned)
            })
        });
        let fields = aligned(["FEATURE", "FIELD", "CODE", "VERSION", "DEPENDS ON"], &rows.collect::<Vec<_>>());
        text = [&text, "\n", &fields].concat();
    }
    text
}

/// A store and what is known of it.
struct Listed<'a> {
    name: &'a str,
    is_default: bool,
    type_name: &'a str,
    catalog: Option<&'static str>,
    storage: Option<&'static str>,
    fallbacks: &'a [String],
    /// Whether its tables are in a DuckDB database without a lake.
    is_duckdb: bool,
    problem: Option<String>,
}

impl<'a> Listed<'a> {
    fn new(config: &'a Config, name: &'a str, default: &str) -> Self {
        let store = config.store(name);
        let lake = store.as_ref().ok().and_then(|store| store.lake());
        Self {
            name,
            is_default: name == default,
            type_name: config.store_type(name).unwrap_or_default(),
            catalog: lake.map(|lake| lake.catalog_kind().as_str()),
            storage: lake.and_then(storage),
            fallbacks: store.as_ref().map_or(&[], |store| &store.fallback_stores),
            is_duckdb: store.as_ref().is_ok_and(|store| store.lake().is_none()),
            problem: store.as_ref().err().map(why),
        }
    }

    fn info(&self) -> String {
        match (self.catalog, self.storage) {
            (Some(catalog), Some(storage)) => [catalog, " → ", storage].concat(),
            _ if self.is_duckdb => "none: DuckDB".to_owned(),
            _ => "-".to_owned(),
        }
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "name": self.name,
            "is_default": self.is_default,
            "info": self.info(),
            "fallbacks": self.fallbacks,
            "type": self.type_name,
            "catalog": self.catalog,
            "storage": self.storage,
            "usable": self.problem.is_none(),
            "problem": self.problem,
        })
    }
}

/// The name of the storage in configuration files; MotherDuck's own has none there.
fn storage(lake: &Lake) -> Option<&'static str> {
    match lake.storage() {
        None if lake.catalog().is_some() => None,
        None => Some("motherduck"),
        Some(Storage::Local(_)) => Some("local"),
        Some(Storage::Object(storage)) => Some(storage.kind().secret_type().as_str()),
        Some(_) => None,
    }
}

/// Why a store cannot be used, in a few words.
fn why(error: &StoreError) -> String {
    if error.is_unsupported() {
        "only Python Metaxy opens this type".to_owned()
    } else {
        "its configuration has errors, see `metaxy check`".to_owned()
    }
}

fn text(stores: &[Listed<'_>], printer: &mut Printer) -> Result<(), Error> {
    if stores.is_empty() {
        printer.note("no store is configured");
        return Ok(());
    }
    let mut rows = Vec::new();
    for store in stores {
        let usable = store.problem.as_ref().map_or("yes".to_owned(), |problem| ["no: ", problem].concat());
        let fallbacks = if store.fallbacks.is_empty() { "-".to_owned() } else { store.fallbacks.join(", ") };
        let default = if store.is_default { "yes" } else { "-" };
        let (name, type_name) = (store.name.to_owned(), store.type_name.to_owned());
        rows.push([name, default.to_owned(), type_name, store.info(), fallbacks, usable]);
    }
    let header = ["NAME", "DEFAULT", "TYPE", "LAKE", "FALLBACKS", "USABLE"];
    Ok(write!(printer, "{}", aligned(header, &rows))?)
}
