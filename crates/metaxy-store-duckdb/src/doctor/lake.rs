//! The attached lake: whether what it has stored agrees with the configuration, and how it is.

use ducklake_sql::{Age, Declared, Ident, Parameter, Sql, Statement, bind, sql};

use super::catalog::Attached;
use super::inlined::{Counted, count_rows};
use super::report::{CheckName, Outcome, Verdict};
use super::{Run, Target};
use crate::engine::{Cause, EngineError, Error, MOVED_ADVICE};
use crate::lake::data_files::{DataFiles, was_moved};
use crate::lake::data_path::{self, DataPath};
use crate::lake::{InexactColumn, inexact_columns, inlined_owner, stored_state};

/// A data file smaller than this counts as small.
const SMALL_FILE: i64 = 1 << 20;
/// So many files are worth merging when most are small.
const FILES_TO_WARN_OF: u64 = 200;
/// So many rows are worth leaving out of their files when they are a tenth of all.
const DELETED_ROWS_TO_WARN_OF: u64 = 10_000;
/// So many rows do not belong into the catalog.
const INLINED_ROWS_TO_WARN_OF: u64 = 100_000;
/// So many snapshots make every look at the catalog slow.
const SNAPSHOTS_TO_WARN_OF: u64 = 10_000;
/// No more tables of inlined rows than this are counted.
const INLINED_TABLES_COUNTED: usize = 200;

/// Checks what is stored beside tables and files.
pub(super) fn examine_settings(run: &mut Run, target: &Target<'_>, attached: &Attached) {
    run.check(CheckName::StoredSettings, |run| ((), stored_settings(run, target, attached)));
}

/// Counts what the lake has.
pub(super) fn examine_health(run: &mut Run, target: &Target<'_>, declared: Option<&Declared>) {
    run.check_all(CheckName::Health, |run| health(run, target, declared).unwrap_or_else(|verdict| vec![verdict]));
}

fn stored_settings(run: &Run, target: &Target<'_>, attached: &Attached) -> Verdict {
    /// Every lake has these; where they differ is told on its own.
    const USUAL: &[&str] = &["created_by", "data_path", "encrypted", "version"];
    let sql = "SELECT option_name, value, scope FROM ducklake_options(?) ORDER BY ALL";
    let sql = Sql::fixed(sql).with_text("alias", target.lake.alias().as_str());
    let stored: Vec<(String, Option<String>, String)> = match target.rows(sql) {
        Ok(rows) => rows,
        Err(said) => return Verdict::new(Outcome::Warning, "the lake does not tell its settings").raw(said.text()),
    };
    let global = |name: &str| {
        let found = stored.iter().find(|(option, _, scope)| option == name && scope == "GLOBAL");
        found.map(|(_, value, _)| value.as_deref().unwrap_or_default())
    };
    let mut causes = Vec::new();
    let mut evidence = Vec::new();
    let mut is_moved = false;
    if let (Some(path), Some(configured)) = (global("data_path"), DataPath::of(target.lake)) {
        if !configured.is_stored_as(path) {
            let files = match DataFiles::below(&configured, target.connection, target.plan) {
                Ok(files) => files,
                Err(error) => {
                    evidence.push(format!("whether the files are at the configured data path is not known: {error}"));
                    None
                }
            };
            let overrides = target.lake.overrides_data_path();
            is_moved = was_moved(files, path, &configured);
            if !overrides {
                causes.push(Cause::DataPathDiffers);
            } else if files.is_none_or(|files| files.missing > 0) {
                causes.push(Cause::DataPathOverridden);
            }
            evidence.push(format!("stored data path {path}, configured {}", configured.as_str()));
        } else if attached.by_stored_path {
            evidence.push(format!("the stored data path {path} is another spelling of the configured one"));
        }
        if data_path::makes_orphans(path) {
            causes.push(Cause::DataPathMakesOrphans);
            evidence.push(format!("stored data path {path}"));
        }
    }
    for (option, stored_as, cause) in [
        ("ENCRYPTED", "encrypted", Cause::EncryptionDiffers),
        ("DATA_INLINING_ROW_LIMIT", "data_inlining_row_limit", Cause::InliningDiffers),
    ] {
        if let (Some(configured), Some(found)) = (attach_option(target, option), global(stored_as))
            && configured != found
        {
            causes.push(cause);
            evidence.push(format!("stored {stored_as} {found}, configured {configured}"));
        }
    }
    let options = stored.iter().filter(|(option, ..)| !USUAL.contains(&option.as_str()));
    let options = options.map(|(option, value, scope)| {
        format!("stored {option} {} ({})", value.as_deref().unwrap_or("NULL"), scope.to_lowercase())
    });
    let options: Vec<_> = options.collect();
    let verdict = match causes.first() {
        Some(cause @ Cause::DataPathDiffers) if is_moved => {
            cause.verdict(Outcome::Failed, &run.facts, "").advice(MOVED_ADVICE)
        }
        Some(cause @ Cause::DataPathDiffers) => cause.verdict(Outcome::Failed, &run.facts, ""),
        Some(cause) => cause.verdict(Outcome::Warning, &run.facts, ""),
        None => Verdict::ok("what the lake has stored agrees with the configuration"),
    };
    verdict.evidence(evidence).evidence(options)
}

/// The value of an option of the plan's `ATTACH`.
fn attach_option(target: &Target<'_>, name: &str) -> Option<String> {
    let attach = target.statements().find(|statement| matches!(statement, Statement::Attach(_)))?;
    let sql = attach.to_sql();
    let (_, value) = sql.names().zip(sql.parameters()).find(|(option, _)| *option == name)?;
    Some(match value {
        Parameter::Text(text) => text.to_owned(),
        Parameter::Integer(number) => number.to_string(),
        Parameter::Boolean(boolean) => boolean.to_string(),
    })
}

/// What the lake has.
struct Counts {
    tables: u64,
    files: u64,
    small_files: u64,
    rows: u64,
    deleted_rows: u64,
    snapshots: u64,
    scheduled_files: u64,
    bytes_of_older: u64,
    overdue_snapshots: u64,
}

impl Counts {
    fn of(target: &Target<'_>, [database, schema]: [&Ident; 2], kept: Option<Age>) -> Result<Self, Verdict> {
        let row = target.row::<(u64, u64, u64, u64, u64, u64, u64, u64, u64)>(sql!(
            "SELECT
                 (SELECT count(*) FROM {database}.{schema}.ducklake_table WHERE end_snapshot IS NULL),
                 (SELECT count(*) FROM {database}.{schema}.ducklake_data_file WHERE end_snapshot IS NULL),
                 (SELECT count(*) FROM {database}.{schema}.ducklake_data_file
                  WHERE end_snapshot IS NULL AND file_size_bytes < {small}),
                 (SELECT coalesce(sum(record_count), 0)::UBIGINT FROM {database}.{schema}.ducklake_data_file
                  WHERE end_snapshot IS NULL),
                 (SELECT coalesce(sum(delete_count), 0)::UBIGINT FROM {database}.{schema}.ducklake_delete_file
                  WHERE end_snapshot IS NULL),
                 (SELECT count(*) FROM {database}.{schema}.ducklake_snapshot),
                 (SELECT count(*) FROM {database}.{schema}.ducklake_files_scheduled_for_deletion),
                 (SELECT coalesce(sum(file_size_bytes), 0)::UBIGINT FROM {database}.{schema}.ducklake_data_file
                  WHERE end_snapshot IS NOT NULL),
                 (SELECT count(*) FROM {database}.{schema}.ducklake_snapshot
                  WHERE epoch(CAST(snapshot_time AS TIMESTAMPTZ)) < epoch(now()) - {kept}
                      AND snapshot_id < (SELECT max(snapshot_id) FROM {database}.{schema}.ducklake_snapshot))",
            database,
            schema,
            small = bind(SMALL_FILE),
            kept = bind(kept.map_or(i64::MAX, |age| i64::try_from(age.as_seconds()).unwrap_or(i64::MAX))),
        ));
        let row = row.and_then(|row| row.ok_or_else(|| EngineError::harmless("nothing was counted")));
        let (
            tables,
            files,
            small_files,
            rows,
            deleted_rows,
            snapshots,
            scheduled_files,
            bytes_of_older,
            overdue_snapshots,
        ) = row.map_err(|said| unreadable(said.text()))?;
        Ok(Self {
            tables,
            files,
            small_files,
            rows,
            deleted_rows,
            snapshots,
            scheduled_files,
            bytes_of_older,
            overdue_snapshots,
        })
    }
}

/// A part of a whole, in percent.
fn share(part: u64, whole: u64) -> u64 {
    (part * 100).checked_div(whole).unwrap_or(0)
}

/// What is to be done for the lake, each thing for itself, or that nothing is; the first says what the lake has.
fn health(run: &Run, target: &Target<'_>, declared: Option<&Declared>) -> Result<Vec<Verdict>, Verdict> {
    let Some((database, schema)) = target.plan.metadata() else {
        return Err(Verdict::skipped("the catalog's server keeps the metadata"));
    };
    let kept = declared.and_then(|declared| declared.age("expire_older_than"));
    let counts = Counts::of(target, [&database, &schema], kept)?;
    let (inlined, counted) = inlined_rows(target, &database, &schema).map_err(|said| unreadable(said.text()))?;
    let small = share(counts.small_files, counts.files);
    let deleted = share(counts.deleted_rows, counts.rows);
    let mut evidence = vec![
        format!("files: {}, of which smaller than 1 MiB: {} ({small} %)", counts.files, counts.small_files),
        format!("rows in them: {}, of which deleted: {} ({deleted} %)", counts.rows, counts.deleted_rows),
        format!("rows inlined in the catalog: {inlined}"),
        format!("snapshots: {}, files scheduled for deletion: {}", counts.snapshots, counts.scheduled_files),
    ];
    if counts.bytes_of_older > 0 {
        evidence.push(format!("bytes of files that only older snapshots need: {}", counts.bytes_of_older));
    }
    if counted.rows.len() == INLINED_TABLES_COUNTED {
        evidence.push(format!("no more than {INLINED_TABLES_COUNTED} tables of inlined rows were counted"));
    }
    let mut found: Vec<Verdict> = counted.failed.iter().map(|said| unreadable(said.text())).collect();
    let mut warn = |is_so: bool, cause: Cause, facts: Vec<String>| {
        found.extend(is_so.then(|| cause.verdict(Outcome::Warning, &run.facts, "").evidence(facts)));
    };
    let failed = |error: Error| unreadable(&error.to_string()).evidence(evidence.clone());
    let of_others = inlined_owner::of_others(target.connection, target.plan).map_err(failed)?;
    warn(!of_others.is_empty(), Cause::InlinedTablesOfOthers, of_others);
    let inexact = inexact(target).map_err(failed)?;
    warn(!inexact.is_empty(), Cause::InexactTypes, inexact);
    warn(counts.files >= FILES_TO_WARN_OF && small > 50, Cause::ManySmallFiles, Vec::new());
    let many = counts.deleted_rows >= DELETED_ROWS_TO_WARN_OF && deleted >= 10;
    warn(many, Cause::ManyDeletedRows, Vec::new());
    warn(inlined >= INLINED_ROWS_TO_WARN_OF, Cause::ManyInlinedRows, Vec::new());
    warn(counts.snapshots >= SNAPSHOTS_TO_WARN_OF, Cause::ManySnapshots, Vec::new());
    let drift = drift(target, declared).map_err(failed)?;
    warn(!drift.is_empty(), Cause::DeclaredDiffers, drift);
    if let Some(kept) = kept {
        let overdue = format!("snapshots older than the declared {kept}: {}", counts.overdue_snapshots);
        warn(counts.overdue_snapshots > 0, Cause::SnapshotsOverdue, vec![overdue]);
    }
    if found.is_empty() {
        found.push(Verdict::ok(format!("tables: {}", counts.tables)));
    }
    if let Some(first) = found.first_mut() {
        first.evidence.splice(..0, evidence);
    }
    Ok(found)
}

/// What is there cannot be called well.
fn unreadable(said: &str) -> Verdict {
    Verdict::new(Outcome::Warning, "the lake's metadata cannot be read").raw(said)
}

/// A few of the steps to what is declared.
fn drift(target: &Target<'_>, declared: Option<&Declared>) -> Result<Vec<String>, Error> {
    let Some(declared) = declared else { return Ok(Vec::new()) };
    let stored = stored_state::read(target.connection, target.plan)?;
    let steps = stored.map(|stored| declared.difference(&stored).steps).unwrap_or_default();
    Ok(steps.iter().take(5).map(ToString::to_string).collect())
}

/// A few columns of types that a file does not keep exactly.
fn inexact(target: &Target<'_>) -> Result<Vec<String>, Error> {
    let columns = inexact_columns(target.connection, target.lake.alias())?;
    let shown = |InexactColumn { schema, table, name, type_name }| format!("{schema}.{table}.{name} {type_name}");
    Ok(columns.into_iter().take(5).map(shown).collect())
}

/// How many rows the catalog has inlined, of so many tables at most.
fn inlined_rows(target: &Target<'_>, database: &Ident, schema: &Ident) -> Result<(u64, Counted), EngineError> {
    let names = sql!("SELECT table_name FROM {database}.{schema}.ducklake_inlined_data_tables", database, schema);
    let names = target.rows::<(String,)>(names)?.into_iter().map(|(name,)| name);
    let names: Vec<String> = names.take(INLINED_TABLES_COUNTED).collect();
    let counted = count_rows(target, &names, &sql!("end_snapshot IS NULL"))?;
    Ok((counted.rows.values().sum(), counted))
}
