//! `metaxy metadata`: the rows of features, and what is to be done with them.

mod copy;
mod delete;
mod increment;
mod read;
mod rebase;
mod report;
mod status;
mod write;

use std::io;
use std::path::Path;

use metaxy_feature::FeatureKey;
use metaxy_store_duckdb::{Filter, InputFile, InputOptions, ResolveOptions};

use crate::args::{Metadata, OneFeature};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(args: &Metadata, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    match args {
        Metadata::Status(args) => status::run(args, context, printer),
        Metadata::Read(args) => read::run(args, context, printer),
        Metadata::Write(args) => write::run(args, context, printer),
        Metadata::Increment(args) => increment::run(args, context, printer),
        Metadata::Delete(args) => delete::run(args, context, printer),
        Metadata::Copy(args) => copy::run(args, context, printer),
        Metadata::Rebase(args) => rebase::run(args, context, printer),
    }
}

/// The feature that was named; clap refuses a command line without.
fn named(feature: &OneFeature) -> Result<&FeatureKey, Error> {
    feature.key().ok_or(Error::NothingSelected)
}

/// Filters of one feature, and of all that are looked at.
fn resolve_options(key: &FeatureKey, filters: &[Filter], global: &[Filter], stale_if: &[Filter]) -> ResolveOptions {
    ResolveOptions::new()
        .filters(key.clone(), filters.to_vec())
        .global_filters(global.to_vec())
        .stale_if(stale_if.to_vec())
}

/// A file of rows, or those of stdin.
fn input(file: &Path, options: &InputOptions) -> Result<InputFile, Error> {
    let found = if file.as_os_str() == "-" {
        InputFile::from_reader("stdin", io::stdin().lock(), options)
    } else {
        InputFile::open(file, options)
    };
    found.map_err(Error::Lake)
}

/// A number of rows in words.
fn rows(count: usize) -> String {
    format!("{count} {}", if count == 1 { "row" } else { "rows" })
}
