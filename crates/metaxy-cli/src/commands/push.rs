//! `metaxy push`: records the features of the project in the lake. As text, only the project version goes to stdout.

use std::io::Write as _;

use metaxy_feature::FeatureKey;
use serde_json::json;

use crate::args::{Push, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{self, OpenMode};
use crate::printer::Printer;

pub(crate) fn run(args: &Push, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    if context.names_a_project() {
        return Err(Error::OtherProject);
    }
    let loaded = context.load()?;
    if loaded.config.feature_files.is_empty() {
        return Err(Error::NothingToPush { in_python: !loaded.config.entrypoints.is_empty() });
    }
    let mode = if args.dry_run { OpenMode::READ_OWN } else { OpenMode::WRITE };
    let project = features::open(context, &loaded, mode, printer)?;
    let tags = args.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    let features = project.features()?;
    let push = if args.dry_run { features.preview_push() } else { features.push(&tags) };
    let push = push.map_err(Error::Lake)?;
    drop(features);
    if args.format == TextOrJson::Json {
        let updated: Vec<_> = push.updated.iter().map(FeatureKey::as_str).collect();
        printer.json(&json!({
            "version": 1,
            "dry_run": args.dry_run,
            "store": project.name(),
            "project_version": push.project_version,
            "already_recorded": push.already_pushed,
            "updated": updated,
        }))?;
        printer.closed(project.close())?;
        return Ok(Exit::Done);
    }
    let name = project.name().escape_debug();
    match (push.already_pushed, push.updated.as_slice()) {
        (_, [_, ..]) if args.dry_run => {
            let updated: Vec<_> = push.updated.iter().map(FeatureKey::as_str).collect();
            printer.note(format_args!("would record in `{name}`: {}", updated.join(", ")));
        }
        (false, _) => printer.note(format_args!("recorded the features in `{name}`")),
        (true, []) => printer.note(format_args!("the features are recorded in `{name}` already")),
        (true, updated) => {
            let updated: Vec<_> = updated.iter().map(FeatureKey::as_str).collect();
            printer.note(format_args!("brought the record in `{name}` up to date: {}", updated.join(", ")));
        }
    }
    writeln!(printer, "{}", push.project_version)?;
    printer.closed(project.close())?;
    Ok(Exit::Done)
}
