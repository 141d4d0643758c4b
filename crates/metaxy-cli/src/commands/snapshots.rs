//! `metaxy snapshots`: the snapshots of the lake, with who made them and what they changed.

use std::io::Write as _;

use serde_json::json;

use crate::args::{Snapshots, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features;
use crate::printer::Printer;
use crate::table::aligned;

pub(crate) fn run(args: &Snapshots, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let (store, _) = features::open_store(context, &loaded, printer)?;
    let snapshots = store.snapshots(args.last)?;
    store.close()?;
    match args.format {
        TextOrJson::Text => {
            let rows = snapshots.iter().map(|snapshot| {
                let rows = match (snapshot.rows_added, snapshot.rows_deleted) {
                    (0, 0) => String::new(),
                    (added, 0) => format!("+{added}"),
                    (0, deleted) => format!("-{deleted}"),
                    (added, deleted) => format!("+{added} -{deleted}"),
                };
                let [author, message] =
                    [&snapshot.author, &snapshot.message].map(|text| text.clone().unwrap_or_default());
                [snapshot.id.to_string(), snapshot.time.clone(), author, rows, snapshot.changes.join(", "), message]
            });
            let header = ["SNAPSHOT", "TIME (UTC)", "AUTHOR", "ROWS", "CHANGES", "MESSAGE"];
            write!(printer, "{}", aligned(header, &rows.collect::<Vec<_>>()))?;
        }
        TextOrJson::Json => {
            let snapshots = snapshots.iter().map(|snapshot| {
                json!({
                    "id": snapshot.id,
                    "time": snapshot.time,
                    "author": snapshot.author,
                    "message": snapshot.message,
                    "changes": snapshot.changes,
                    "rows_added": snapshot.rows_added,
                    "rows_deleted": snapshot.rows_deleted,
                })
            });
            printer.json(&json!({ "version": 1, "snapshots": snapshots.collect::<Vec<_>>() }))?;
        }
    }
    Ok(Exit::Done)
}
