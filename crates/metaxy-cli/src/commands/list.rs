//! `metaxy list`: the stores of the configuration, and whether each can be used.

use std::io::Write as _;

use ducklake_sql::{Lake, ObjectKind, Storage};
use metaxy_config::{Config, StoreError};
use serde_json::json;

use crate::args::{List, ListStores, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(args: &List, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    match args {
        List::Stores(args) => stores(args, context, printer),
    }
}

fn stores(args: &ListStores, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
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

/// A store and what is known of it.
struct Listed<'a> {
    name: &'a str,
    is_default: bool,
    type_name: &'a str,
    catalog: Option<&'static str>,
    storage: Option<&'static str>,
    fallbacks: &'a [String],
    problem: Option<String>,
}

impl<'a> Listed<'a> {
    fn new(config: &'a Config, name: &'a str, default: &str) -> Self {
        let store = config.store(name);
        let lake = store.as_ref().ok().and_then(|store| store.lake.as_ref());
        Self {
            name,
            is_default: name == default,
            type_name: config.store_type(name).unwrap_or_default(),
            catalog: lake.map(|lake| lake.catalog_kind().as_str()),
            storage: lake.and_then(storage),
            fallbacks: store.as_ref().map_or(&[], |store| &store.fallback_stores),
            problem: match &store {
                Ok(store) => store.lake.is_none().then(|| "it has no lake".to_owned()),
                Err(error) => Some(why(error)),
            },
        }
    }

    fn info(&self) -> String {
        match (self.catalog, self.storage) {
            (Some(catalog), Some(storage)) => [catalog, " → ", storage].concat(),
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
        None => Some("motherduck"),
        Some(Storage::Local(_)) => Some("local"),
        Some(Storage::Object(storage)) => match storage.kind() {
            ObjectKind::S3 => Some("s3"),
            ObjectKind::R2 => Some("r2"),
            ObjectKind::Gcs => Some("gcs"),
            _ => None,
        },
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
    let mut rows = vec![["NAME", "DEFAULT", "TYPE", "LAKE", "FALLBACKS", "USABLE"].map(str::to_owned)];
    for store in stores {
        let usable = store.problem.as_ref().map_or("yes".to_owned(), |problem| ["no: ", problem].concat());
        let fallbacks = if store.fallbacks.is_empty() { "-".to_owned() } else { store.fallbacks.join(", ") };
        let default = if store.is_default { "yes" } else { "-" };
        let (name, type_name) = (store.name.escape_debug(), store.type_name.escape_debug());
        rows.push([name.to_string(), default.to_owned(), type_name.to_string(), store.info(), fallbacks, usable]);
    }
    let widths = [0, 1, 2, 3, 4].map(|column| {
        let widths = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        widths.max().unwrap_or_default()
    });
    for [name, default, type_name, info, fallbacks, usable] in rows {
        for (cell, width) in [name, default, type_name, info, fallbacks].iter().zip(widths) {
            write!(printer, "{cell:width$}  ")?;
        }
        writeln!(printer, "{usable}")?;
    }
    Ok(())
}
