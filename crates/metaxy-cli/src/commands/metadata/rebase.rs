//! `metaxy metadata rebase`: rows of one version of a feature written again as rows of another.

use metaxy_store_duckdb::RebaseOptions;
use serde_json::json;

use super::{named, rows};
use crate::args::{MetadataRebase, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{self, OpenMode};
use crate::printer::Printer;
use crate::progress::Progress;

pub(crate) fn run(args: &MetadataRebase, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let key = named(&args.feature)?;
    let loaded = context.load()?;
    let how = if args.dry_run { OpenMode::READ_OWN } else { OpenMode::CHANGE };
    let project = features::open(context, &loaded, how, printer)?;
    let options = RebaseOptions::new().to(args.to.clone()).dry_run(args.dry_run);
    let progress = Progress::new(format!("rebasing `{key}`"), printer.is_quiet());
    let count = project.features()?.rebase(key, &args.from, &options).map_err(Error::Lake)?;
    drop(progress);
    match args.format {
        TextOrJson::Json => printer.json(&json!({
            "version": 1,
            "dry_run": args.dry_run,
            "feature": key.as_str(),
            "from": args.from,
            "to": args.to,
            "rows": count,
        }))?,
        TextOrJson::Text => {
            let done = if args.dry_run { "would rebase" } else { "rebased" };
            printer.note(format_args!("{done} {} of `{key}`", rows(count)));
        }
    }
    printer.closed(project.close())?;
    Ok(Exit::Done)
}
