//! `metaxy history`: the graphs that were recorded in the lake.

use std::io::Write as _;

use serde_json::json;

use crate::args::{History, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features;
use crate::printer::Printer;
use crate::table::aligned;

pub(crate) fn run(args: &History, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let (store, options) = features::open_store(context, &loaded, printer)?;
    let mut graphs = store.history(&options).map_err(Error::Lake)?;
    store.close().map_err(Error::Lake)?;
    let project = context.project(&loaded.config);
    graphs.retain(|graph| project.is_none_or(|project| project == graph.project));
    graphs.truncate(args.limit());
    match args.format {
        TextOrJson::Text if graphs.is_empty() => printer.note("nothing was recorded so far"),
        TextOrJson::Text => {
            let rows = graphs.iter().map(|graph| {
                // The second is enough for a person.
                let when = graph.recorded_at.split('.').next().unwrap_or_default().to_owned();
                [graph.project_version.clone(), graph.project.clone(), when, graph.features.to_string()]
            });
            let header = ["VERSION", "PROJECT", "RECORDED AT (UTC)", "FEATURES"];
            write!(printer, "{}", aligned(header, &rows.collect::<Vec<_>>()))?;
        }
        TextOrJson::Json => {
            let graphs = graphs.iter().map(|graph| {
                json!({
                    "project_version": graph.project_version,
                    "project": graph.project,
                    "recorded_at": graph.recorded_at,
                    "feature_count": graph.features,
                })
            });
            printer.json(&json!({ "version": 1, "snapshots": graphs.collect::<Vec<_>>() }))?;
        }
    }
    Ok(Exit::Done)
}
