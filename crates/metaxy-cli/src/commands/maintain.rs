//! `metaxy maintain`: the upkeep of the lake, with what it has before and after.

use std::io::Write as _;
use std::time::{Duration, Instant};

use ducklake_sql::{Mode, TableName, sql};
use metaxy_store_duckdb::{LakeSize, MaintainOptions, Maintained, Orphans, StepOutcome, Store, TableSize};
use serde_json::{Value, json};

use super::changes::table;
use crate::args::{Maintain, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{opening, say_warnings};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::table::aligned;

/// Larger tables are not read to take the time.
const MOST_BYTES_READ: i64 = 1 << 30;

pub(crate) fn run(args: &Maintain, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let configured = context.store(&loaded, printer)?;
    let tables = args.tables.iter().map(|text| table(text, configured)).collect::<Result<Vec<_>, _>>()?;
    let name = configured.name.as_str();
    let waiting = opening(name, printer);
    let options = context.open_options().fallback_stores(false).must_exist(true);
    let store = options.open(&loaded.config, name, Mode::Write)?;
    drop(waiting);
    say_warnings(&store, printer);
    if args.orphans {
        let exit = orphans(args, &store, printer);
        printer.closed(store.close())?;
        return exit;
    }

    let only = args.only.iter().map(|step| (*step).into());
    let options = MaintainOptions::new().tables(tables).only(only).dry_run(args.dry_run).alone(args.alone);
    let quiet = printer.is_quiet();
    let read_before = if args.dry_run { Vec::new() } else { read_times(&store, &options)? };
    let mut progress = None;
    let done = store.maintain(&options, |step, table| {
        let of = table.map(|table| format!(" {table}")).unwrap_or_default();
        // The one before ends first.
        progress = None;
        progress = Some(Progress::new(format!("{step}{of}"), quiet));
    });
    drop(progress);
    let done = done?;
    let read_after = if args.dry_run { Vec::new() } else { read_times(&store, &options)? };
    match args.format {
        TextOrJson::Text => print(args, &done, [&read_before, &read_after], printer)?,
        TextOrJson::Json => printer.json(&done)?,
    }
    printer.closed(store.close())?;
    if let Some(error) = done.failed {
        return Err(Error::NotMaintained(error));
    }
    let refused = done.steps.iter().any(|step| matches!(step.outcome, StepOutcome::Refused(..)));
    Ok(if refused { Exit::Failed } else { Exit::Done })
}

/// How long it takes to read each table in full, of those that are not too large.
fn read_times(store: &Store, options: &MaintainOptions) -> Result<Vec<(TableName, Duration)>, Error> {
    let looked = store.maintain(&options.clone().only([]).dry_run(true), |_, _| ())?;
    let mut times = Vec::new();
    for TableSize { name, bytes, .. } in &looked.before.tables {
        if *bytes > MOST_BYTES_READ {
            continue;
        }
        let start = Instant::now();
        for batch in store.connection().query(sql!("SELECT count(COLUMNS(*)) FROM {name}", name))? {
            batch?;
        }
        times.push((name.clone(), start.elapsed()));
    }
    Ok(times)
}

/// Says what was done, and what the lake has.
fn print(
    args: &Maintain,
    done: &Maintained,
    [read_before, read_after]: [&[(TableName, Duration)]; 2],
    printer: &mut Printer,
) -> Result<(), Error> {
    if done.steps.is_empty() {
        writeln!(printer, "there is nothing to do")?;
    }
    for step in &done.steps {
        let of = step.table.as_ref().map(|table| format!(" {table}")).unwrap_or_default();
        match &step.outcome {
            StepOutcome::Done(what) if args.dry_run => writeln!(printer, "would {}{of}: {what}", step.step)?,
            StepOutcome::Done(what) => writeln!(printer, "{}{of}: {what}", step.step)?,
            StepOutcome::Refused(why, help) => writeln!(printer, "refused: {}{of}: {why}\n  help: {help}", step.step)?,
            _ => {}
        }
    }
    writeln!(printer)?;
    let LakeSize { tables, .. } = &done.after;
    let header = ["TABLE", "FILES", "BYTES", "MEAN FILE", "DELETE FILES", "INLINED ROWS", "FULL READ"];
    let time = |times: &[(TableName, Duration)], table: &TableName| {
        let found = times.iter().find(|(name, _)| name == table);
        found.map_or_else(|| "not read".to_owned(), |(_, time)| format!("{:.0} ms", time.as_secs_f64() * 1000.0))
    };
    let rows = tables.iter().map(|after| {
        let before = done.before.tables.iter().find(|before| before.name == after.name).unwrap_or(after);
        let both = |of: fn(&TableSize) -> i64| change(&of(before).to_string(), &of(after).to_string());
        let read = change(&time(read_before, &after.name), &time(read_after, &after.name));
        [
            after.name.to_string(),
            both(|size| size.files),
            both(|size| size.bytes),
            both(TableSize::mean_file_size),
            both(|size| size.delete_files),
            both(|size| size.inlined_rows),
            read,
        ]
    });
    write!(printer, "{}", aligned(header, &rows.collect::<Vec<_>>()))?;
    let both = |of: fn(&LakeSize) -> i64| change(&of(&done.before).to_string(), &of(&done.after).to_string());
    writeln!(printer, "snapshots: {}, unused files: {}", both(|size| size.snapshots), both(|size| size.unused_files))?;
    Ok(())
}

fn change(before: &str, after: &str) -> String {
    if before == after { before.to_owned() } else { [before, " → ", after].concat() }
}

/// Lists the files that the lake does not know, and deletes the old ones.
fn orphans(args: &Maintain, store: &Store, printer: &mut Printer) -> Result<Exit, Error> {
    let found: Orphans = store.orphans()?;
    let deleted = if args.dry_run { None } else { Some(store.delete_orphans(&found)) };
    match args.format {
        TextOrJson::Text => {
            let rows = found.files.iter().map(|file| {
                let age = file.age_seconds.map_or_else(|| "unknown".to_owned(), |age| format!("{age} seconds"));
                let what = if file.is_old { "old enough to be deleted" } else { "kept" };
                let bytes = file.bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
                [age, bytes, what.to_owned(), file.path.clone()]
            });
            write!(printer, "{}", aligned(["AGE", "BYTES", "", "FILE"], &rows.collect::<Vec<_>>()))?;
            if let Some(Ok(count)) = deleted {
                printer.note(format_args!("deleted {count} files that are older than {}", found.older_than));
            }
        }
        TextOrJson::Json => {
            let count = deleted.as_ref().and_then(|deleted| deleted.as_ref().ok());
            let mut shown = json!(found);
            if let Value::Object(object) = &mut shown {
                object.insert("version".to_owned(), 1.into());
                object.insert("deleted".to_owned(), json!(count));
            }
            printer.json(&shown)?;
        }
    }
    match deleted {
        Some(Err(error)) => Err(error.into()),
        _ => Ok(Exit::Done),
    }
}
