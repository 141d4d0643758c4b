//! `metaxy metadata copy`: rows of features from the lake of one store into that of another, all or none.

use metaxy_feature::FeatureGraph;
use metaxy_store_duckdb::{CopyOptions, Versions};
use serde_json::{Map, json};

use super::rows;
use crate::args::{MetadataCopy, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{self, OpenMode};
use crate::printer::Printer;
use crate::progress::Progress;

pub(crate) fn run(args: &MetadataCopy, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    args.selection.keys()?;
    if args.from == args.to {
        return Err(Error::Usage {
            message: "a store is not copied to itself",
            help: "name another store with `--to`",
        });
    }
    let loaded = context.load()?;
    let resolve = |graph: &FeatureGraph| args.selection.resolve_all(graph, context.project(&loaded.config));
    let mode = if args.dry_run { OpenMode::READ_OWN } else { OpenMode::WRITE };
    let (to, mode) = (context.for_store(&args.to), mode.with_secondary(&args.from));
    let project = features::open_checked(&to, &loaded, mode, printer, |graph| resolve(graph).map(drop))?;
    let keys = resolve(project.graph())?;
    let copy = CopyOptions::new()
        .global_filters(args.filters.clone())
        .versions(match (args.each_version, args.no_with_feature_history && !args.with_feature_history) {
            (true, _) => Versions::Each,
            (false, true) => Versions::Current,
            (false, false) => Versions::Any,
        })
        .all_rows(args.with_sample_history)
        .add_columns(args.add_columns)
        .dry_run(args.dry_run);
    let progress = Progress::new(format!("copying from `{}` to `{}`", args.from, args.to), printer.is_quiet());
    let copied = project.features()?.copy(&args.from, &keys, &copy).map_err(Error::Lake)?;
    drop(progress);
    if args.format == TextOrJson::Json {
        printer.json(&json!({
            "version": 1,
            "dry_run": args.dry_run,
            "from": args.from,
            "to": args.to,
            "rows": copied.rows.iter().map(|(key, count)| (key.to_string(), json!(count))).collect::<Map<_, _>>(),
            "missing": copied.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?;
        printer.closed(project.close())?;
        return Ok(Exit::Done);
    }
    for key in &copied.missing {
        printer.warn(format_args!("the store `{}` has no rows of `{key}`", args.from.escape_debug()), None);
    }
    for (key, count) in &copied.rows {
        let copied = if args.dry_run { "would copy" } else { "copied" };
        printer.note(format_args!("{copied} {} of `{key}`", rows(*count)));
    }
    printer.closed(project.close())?;
    Ok(Exit::Done)
}
