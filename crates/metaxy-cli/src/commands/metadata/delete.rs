//! `metaxy metadata delete`: marks or removes rows of features.

use metaxy_feature::FeatureKey;
use metaxy_store_duckdb::{Deletion, Features, ReadOptions, Versions};
use serde_json::json;

use super::rows;
use crate::args::{MetadataDelete, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{self, OpenMode};
use crate::printer::Printer;
use crate::progress::Progress;

pub(crate) fn run(args: &MetadataDelete, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    if args.hard && args.filters.is_empty() && !args.yes && !args.dry_run {
        return Err(Error::Unconfirmed);
    }
    args.selection.keys()?;
    let loaded = context.load()?;
    let how = if args.dry_run { OpenMode::READ_OWN } else { OpenMode::CHANGE };
    let project = features::open(context, &loaded, how, printer)?;
    // Python Metaxy goes on without those that are not there; what is to be deleted should better be spelled right.
    let keys = args.selection.resolve_all(project.graph(), context.project(&loaded.config))?;
    if keys.is_empty() {
        return Err(Error::NoFeatures);
    }
    let features = project.features()?;
    let is_text = args.format == TextOrJson::Text;
    let (mut failed, mut document) = (0, Vec::new());
    for key in &keys {
        let progress = Progress::new(format!("deleting from `{key}`"), printer.is_quiet());
        let done = if args.dry_run { count(&features, key, args) } else { delete(&features, key, args) };
        drop(progress);
        match done {
            Ok(count) if !is_text => document.push(json!({ "feature": key.as_str(), "rows": count })),
            Err(error) if !is_text => {
                failed += 1;
                let (message, help) = (error.to_string(), error.help());
                document.push(json!({ "feature": key.as_str(), "error": message, "help": help }));
            }
            Ok(count) if args.dry_run && args.hard => {
                printer.note(format_args!("would remove the rows of {count} ids of `{key}`"));
            }
            Ok(count) if args.dry_run => printer.note(format_args!("would mark {} of `{key}` as deleted", rows(count))),
            Ok(count) if args.hard => printer.note(format_args!("removed {} of `{key}`", rows(count))),
            Ok(count) => printer.note(format_args!("marked {} of `{key}` as deleted", rows(count))),
            Err(error) => {
                failed += 1;
                printer.failure(format_args!("{error} (`{key}`)"), error.help().as_deref());
            }
        }
    }
    drop(features);
    if !is_text {
        printer.json(&json!({ "version": 1, "dry_run": args.dry_run, "hard": args.hard, "features": document }))?;
    }
    printer.closed(project.close())?;
    if failed > 0 { Err(Error::Some { failed, of: keys.len() }) } else { Ok(Exit::Done) }
}

fn delete(features: &Features<'_>, key: &FeatureKey, args: &MetadataDelete) -> Result<usize, Error> {
    let deletion = if args.hard { Deletion::Hard } else { Deletion::Soft };
    let done = if args.with_feature_history {
        features.delete_history(key, &args.filters, deletion)
    } else {
        features.delete(key, &args.filters, deletion)
    };
    done.map_err(Error::Lake)
}

/// How many ids a deletion would take away.
fn count(features: &Features<'_>, key: &FeatureKey, args: &MetadataDelete) -> Result<usize, Error> {
    let options = ReadOptions::new().filters(args.filters.clone()).versions(if args.with_feature_history {
        Versions::Each
    } else {
        Versions::Current
    });
    let found = features.read(key, &options).map_err(Error::Lake)?;
    found.map(|batch| Ok(batch.map_err(Error::Lake)?.num_rows())).sum()
}
