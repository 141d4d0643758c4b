//! `metaxy migrate`: the lake of a store moves into the catalog of another one, its files to another storage, or it is
//! brought to a newer format.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use metaxy_config::Config;
use metaxy_store_duckdb::{CatalogMigration, DataMigration, FormatMigration, Migrated};
use serde_json::json;

use super::backup::stem;
use crate::args::{MigrateCatalog, MigrateData, MigrateFormat, TextOrJson};
use crate::config_edit::CatalogExchange;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::progress::Progress;

/// The shape of the JSON that all print.
const VERSION: u32 = 1;

pub(crate) fn catalog(args: &MigrateCatalog, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let source = context.store(&loaded, printer)?.name.as_str();
    let target = loaded.config.store(&args.target).map_err(Error::store)?.name.as_str();
    let is_exchanged = args.write_config && !args.undo && loaded.config.migrate_from(source) == Some(target);
    if is_exchanged && CatalogMigration::new(&loaded.config, target, source)?.is_done()? {
        match args.format {
            TextOrJson::Text => writeln!(printer, "the lake was moved, and `{source}` has its new catalog already")?,
            TextOrJson::Json => printer.json(&json!({ "version": VERSION, "is_done": true }))?,
        }
        return Ok(Exit::Done);
    }
    let migration = CatalogMigration::new(&loaded.config, source, target)?;
    let migration =
        migration.older_snapshots(args.older_snapshots).alone(args.alone).open_options(context.open_options());
    let exchange = loaded.config.config_file.as_deref().map(|file| CatalogExchange::new(file, source, target));
    // Before anything is moved: what could not be written then is told now.
    let exchange = match exchange {
        Some(Err(error)) if args.write_config => return Err(error),
        None if args.write_config => return Err(Error::NoConfiguration),
        exchange => exchange.and_then(Result::ok),
    };
    let quiet = printer.is_quiet();

    if args.dry_run {
        let is_done = migration.is_done()?;
        match args.format {
            TextOrJson::Text if is_done => writeln!(printer, "the lake of `{source}` was moved to `{target}`")?,
            TextOrJson::Text => writeln!(printer, "the lake of `{source}` can be moved to `{target}`")?,
            TextOrJson::Json => printer.json(&json!({ "version": VERSION, "is_done": is_done }))?,
        }
        return Ok(Exit::Done);
    }
    let moved: Option<(PathBuf, Migrated)> = if args.undo {
        let waiting = Progress::new(format!("taking back the move to `{}`", target.escape_debug()), quiet);
        migration.undo()?;
        drop(waiting);
        None
    } else {
        let backup = free_file(&args.backup_to, &[&stem(source), "-to-", &stem(target)].concat());
        let mut progress = None;
        let done = migration.run(&backup, |step| {
            // The one before ends first.
            progress = None;
            progress = Some(Progress::new(step.as_str(), quiet));
        });
        drop(progress);
        Some((backup, done?))
    };
    // The file says what the stores are from here on; a move can be run again if it cannot be written.
    let exchange = exchange.as_ref();
    let written = exchange.filter(|_| args.write_config).map(CatalogExchange::write).transpose()?.is_some();
    match args.format {
        TextOrJson::Text => {
            say_what_was_done(source, target, moved.as_ref(), printer)?;
            match exchange {
                Some(exchange) if written => {
                    writeln!(
                        printer,
                        "`{source}` and `{target}` have exchanged their catalogs in {}",
                        exchange.file().display()
                    )?;
                }
                Some(exchange) if moved.is_some() => {
                    say_what_to_change(exchange, &loaded.config, source, target, printer)?;
                }
                _ => {}
            }
        }
        TextOrJson::Json => {
            let (backup, migrated) = moved.map_or((None, None), |(backup, migrated)| {
                (migrated.backup.is_some().then(|| backup.display().to_string()), Some(migrated))
            });
            printer.json(&json!({
                "version": VERSION,
                "undone": args.undo,
                "backup_file": backup,
                "migrated": migrated,
                "config_written": written,
            }))?;
        }
    }
    Ok(Exit::Done)
}

/// Moves the data files.
pub(crate) fn data(args: &MigrateData, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let source = context.store(&loaded, printer)?.name.as_str();
    let target = loaded.config.store(&args.target).map_err(Error::store)?.name.as_str();
    let migration = DataMigration::new(&loaded.config, source, target)?.alone(args.alone);
    let migration = migration.older_snapshots(args.older_snapshots).open_options(context.open_options());
    let waiting = Progress::new(format!("copying files to `{}`", target.escape_debug()), printer.is_quiet());
    let moved = if args.dry_run { migration.dry_run()? } else { migration.run()? };
    drop(waiting);
    match args.format {
        TextOrJson::Text if args.dry_run => {
            writeln!(
                printer,
                "would move {} files to the data path of `{target}`, and copy {}",
                moved.files, moved.copied
            )?;
        }
        TextOrJson::Text if moved.files == 0 && moved.compared_tables == 0 => {
            writeln!(printer, "the lake has its files at the data path of `{target}`")?;
        }
        TextOrJson::Text => {
            writeln!(
                printer,
                "moved {} files to the data path of `{target}`, {} copied now",
                moved.files, moved.copied
            )?;
            writeln!(printer, "compared: each file, and {} tables in full", moved.compared_tables)?;
            writeln!(printer, "use `{target}` from here on; the old files stay until you delete them")?;
        }
        TextOrJson::Json => printer.json(&json!({ "version": VERSION, "moved": moved }))?,
    }
    Ok(Exit::Done)
}

/// Brings the lake to the format of this DuckLake.
pub(crate) fn format(args: &MigrateFormat, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let store = context.store(&loaded, printer)?.name.as_str();
    let migration = FormatMigration::new(&loaded.config, store)?;
    let migration = migration.older_snapshots(args.older_snapshots).open_options(context.open_options());
    let backup = free_file(&args.backup_to, &[&stem(store), "-format"].concat());
    let waiting = Progress::new(format!("migrating the lake of `{}`", store.escape_debug()), printer.is_quiet());
    let migrated = if args.dry_run { migration.dry_run()? } else { migration.run(&backup)? };
    drop(waiting);
    let backup = (migrated.is_some() && !args.dry_run).then_some(backup);
    match (args.format, &migrated) {
        (TextOrJson::Json, _) => printer.json(&json!({
            "version": VERSION,
            "dry_run": args.dry_run,
            "backup_file": backup.map(|file| file.display().to_string()),
            "migrated": migrated,
        }))?,
        (TextOrJson::Text, None) => writeln!(printer, "the lake of `{store}` has the newest format already")?,
        (TextOrJson::Text, Some(migrated)) => {
            if let Some(file) = backup {
                printer.note(format_args!("backup: {}", file.display()));
            }
            let done = if args.dry_run { "can be brought" } else { "was brought" };
            writeln!(printer, "the lake of `{store}` {done} from the format {} to {}", migrated.from, migrated.to)?;
            let at: Vec<_> = migrated.compared_snapshots.iter().map(ToString::to_string).collect();
            let compared = if args.dry_run { "read" } else { "compared" };
            writeln!(
                printer,
                "{compared}: {} tables in full at the snapshots {}",
                migrated.compared_tables,
                at.join(", ")
            )?;
            if !args.dry_run {
                writeln!(printer, "DuckDB 1.4 and older cannot open it any more")?;
            }
        }
    }
    Ok(Exit::Done)
}

fn say_what_was_done(
    source: &str,
    target: &str,
    moved: Option<&(PathBuf, Migrated)>,
    printer: &mut Printer,
) -> Result<(), Error> {
    let Some((file, migrated)) = moved else {
        writeln!(printer, "the lake is that of `{source}` again; that of `{target}` cannot be attached any more")?;
        return Ok(());
    };
    let Some(backup) = &migrated.backup else {
        writeln!(printer, "the lake of `{source}` was moved to `{target}` already")?;
        return Ok(());
    };
    printer.note(format_args!("backup: {}", file.display()));
    let at: Vec<_> = migrated.compared_snapshots.iter().map(ToString::to_string).collect();
    writeln!(
        printer,
        "moved the lake of `{source}` to `{target}`: snapshot {}, {} snapshots, {} files",
        backup.snapshot, backup.snapshots, backup.files
    )?;
    writeln!(
        printer,
        "compared: all rows of the catalog, {} tables in full at the snapshots {}",
        migrated.compared_tables,
        at.join(", ")
    )?;
    writeln!(printer, "`{source}` cannot be attached any more, and what has it attached cannot write")?;
    Ok(())
}

fn say_what_to_change(
    exchange: &CatalogExchange,
    config: &Config,
    source: &str,
    target: &str,
    printer: &mut Printer,
) -> Result<(), Error> {
    writeln!(printer, "use `{target}` from here on; or let both exchange their catalogs, as `--write-config` does:")?;
    for (line, key) in &exchange.places {
        writeln!(printer, "  {}:{line} {key}", exchange.file().display())?;
    }
    writeln!(printer, "  and `migrate_from = \"{target}\"` in `[ext.rust.lake.{source}]`")?;
    if let Some(before) = config.migrate_from(source).filter(|before| *before != target) {
        writeln!(printer, "  and `migrate_from = \"{before}\"` in `[ext.rust.lake.{target}]`")?;
    }
    Ok(())
}

/// A file in the folder that is not there yet.
fn free_file(folder: &Path, stem: &str) -> PathBuf {
    let names = (1_u32..).map(|number| match number {
        1 => folder.join(format!("{stem}.backup")),
        number => folder.join(format!("{stem}-{number}.backup")),
    });
    let mut taken = names.skip_while(|file| file.exists());
    taken.next().unwrap_or_else(|| folder.join(stem))
}
