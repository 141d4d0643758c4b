//! `metaxy backup` and `metaxy restore`: the catalog of a lake as a file, and a lake made of it.

use std::io::Write as _;

use ducklake_sql::Mode;

use crate::args::{Backup, Restore, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{opening, say_warnings};
use crate::printer::Printer;
use crate::progress::Progress;

/// The shape of the JSON that both print.
const VERSION: u32 = 1;

pub(crate) fn run(args: &Backup, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let name = context.store(&loaded, printer)?.name.as_str();
    let waiting = opening(name, printer);
    let options = context.open_options().fallback_stores(false);
    let store = options.open(&loaded.config, name, Mode::Read)?;
    drop(waiting);
    say_warnings(&store, printer);
    // The name says of what and when it is, so that no backup takes the place of another.
    let snapshot = store.snapshots(1)?.first().map_or(0, |snapshot| snapshot.id);
    let file = args.to.join(format!("{}-{snapshot}.backup", stem(name)));
    let progress = Progress::new(format!("backing up `{}`", name.escape_debug()), printer.is_quiet());
    let backup = store.back_up(&file)?;
    drop(progress);
    printer.closed(store.close())?;
    match args.format {
        TextOrJson::Text => {
            writeln!(printer, "{}", file.display())?;
            printer.note(format_args!(
                "snapshot {} of `{}`, with {} snapshots and {} files, which stay where they are",
                backup.snapshot,
                name.escape_debug(),
                backup.snapshots,
                backup.files
            ));
        }
        TextOrJson::Json => {
            let file = file.display().to_string();
            printer.json(&serde_json::json!({ "version": VERSION, "file": file, "backup": backup }))?;
        }
    }
    Ok(Exit::Done)
}

/// What the names of files about a store begin with.
pub(super) fn stem(store: &str) -> String {
    let of_file = |char: char| char.is_alphanumeric() || char == '-' || char == '_';
    store.chars().map(|char| if of_file(char) { char } else { '_' }).collect()
}

/// Restores a backup.
pub(crate) fn restore(args: &Restore, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let context = context.for_store(&args.to);
    let name = context.store(&loaded, printer)?.name.as_str();
    std::fs::metadata(&args.file).map_err(|error| Error::file("reading", &args.file, error))?;
    let waiting = opening(name, printer);
    let options = context.open_options().fallback_stores(false);
    let store = options.open(&loaded.config, name, Mode::Write)?;
    drop(waiting);
    let progress = Progress::new(format!("restoring `{}`", name.escape_debug()), printer.is_quiet());
    let restored = store.restore(&args.file)?;
    drop(progress);
    printer.closed(store.close())?;
    let backup = &restored.backup;
    match args.format {
        TextOrJson::Text => {
            printer.note(format_args!("restored snapshot {} with {} files", backup.snapshot, backup.files));
            for file in restored.missing.iter().take(20) {
                writeln!(printer, "missing: {file}")?;
            }
            let whole = i64::try_from(restored.whole.len()).unwrap_or(i64::MAX);
            if whole == backup.snapshots {
                writeln!(printer, "all {whole} snapshots are whole")?;
            } else {
                let ids: Vec<_> = restored.whole.iter().map(ToString::to_string).collect();
                let of = (restored.missing.len(), backup.snapshots);
                writeln!(
                    printer,
                    "{} files are missing; of {} snapshots, these are whole: {}",
                    of.0,
                    of.1,
                    ids.join(", ")
                )?;
            }
        }
        TextOrJson::Json => printer.json(&serde_json::json!({ "version": VERSION, "restored": restored }))?,
    }
    Ok(if restored.missing.is_empty() { Exit::Done } else { Exit::Failed })
}
