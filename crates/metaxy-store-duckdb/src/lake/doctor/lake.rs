//! The attached lake: whether what it has stored agrees with the configuration, and how it is.

use ducklake_sql::{Declared, Ident, Parameter, Sql, Statement, bind, sql};

use super::catalog::Attached;
use super::inlined::count_rows;
use super::report::{CheckName, Outcome, Verdict};
use super::{Run, Target};
use crate::engine::{Cause, Error, MOVED_ADVICE};
use crate::lake::data_files::{DataFiles, was_moved};
use crate::lake::data_path::{self, DataPath};
use crate::lake::{InexactColumn, inexact_columns, inlined_owner, stored_state};

/// A data file smaller than this counts as small.
const SMALL_FILE: i64 = 1 << 20;
/// So many files are worth merging when most are small.
const FILES_TO_WARN_OF: u64 = 200;
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
    run.check(CheckName::Health, |run| ((), health(run, target, declared)));
}

fn stored_settings(run: &Run, target: &Target<'_>, attached: &Attached) -> Verdict {
    /// Every lake has these; where they differ is told on its own.
    const USUAL: &[&str] = &["created_by", "data_path", "encrypted", "version"];
    let sql = "SELECT option_name, value, scope FROM ducklake_options(?) ORDER BY ALL";
    let stored = match target.rows(Sql::fixed(sql).with_text("alias", target.lake.alias().as_str())) {
        Ok(rows) => rows,
        Err(said) => return Verdict::new(Outcome::Warning, "the lake does not tell its settings").raw(said.text()),
    };
    let global = |name: &str| {
        stored.iter().find_map(|row| match row.as_slice() {
            [option, value, scope] if option == name && scope == "GLOBAL" => Some(value.as_str()),
            _ => None,
        })
    };
    let mut causes = Vec::new();
    let mut evidence = Vec::new();
    let mut is_moved = false;
    if let (Some(path), Some(configured)) = (global("data_path"), DataPath::of(target.lake)) {
        if !configured.is_stored_as(path) {
            let files = DataFiles::below(&configured, target.connection, target.plan).ok().flatten();
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
    let options = stored.iter().filter_map(|row| match row.as_slice() {
        [option, value, scope] if !USUAL.contains(&option.as_str()) => {
            Some(format!("stored {option} {value} ({})", scope.to_lowercase()))
        }
        _ => None,
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

fn health(run: &Run, target: &Target<'_>, declared: Option<&Declared>) -> Verdict {
    let Some((database, schema)) = target.plan.metadata() else {
        return Verdict::skipped("the catalog's server keeps the metadata");
    };
    let kept = declared.and_then(|declared| declared.age("expire_older_than"));
    let counted = target.rows(sql!(
        "SELECT
             (SELECT count(*)::VARCHAR FROM {database}.{schema}.ducklake_table WHERE end_snapshot IS NULL),
             (SELECT count(*)::VARCHAR FROM {database}.{schema}.ducklake_data_file WHERE end_snapshot IS NULL),
             (SELECT count(*)::VARCHAR FROM {database}.{schema}.ducklake_snapshot),
             (SELECT count(*)::VARCHAR FROM {database}.{schema}.ducklake_files_scheduled_for_deletion),
             (SELECT count(*)::VARCHAR FROM {database}.{schema}.ducklake_data_file
              WHERE end_snapshot IS NULL AND file_size_bytes < {small}),
             (SELECT coalesce(sum(file_size_bytes), 0)::BIGINT::VARCHAR FROM {database}.{schema}.ducklake_data_file
              WHERE end_snapshot IS NOT NULL),
             (SELECT count(*)::VARCHAR FROM {database}.{schema}.ducklake_snapshot
              WHERE epoch(CAST(snapshot_time AS TIMESTAMPTZ)) < epoch(now()) - {kept}
                  AND snapshot_id < (SELECT max(snapshot_id) FROM {database}.{schema}.ducklake_snapshot))",
        database,
        schema,
        small = bind(SMALL_FILE),
        kept = bind(kept.map_or(i64::MAX, |age| i64::try_from(age.as_seconds()).unwrap_or(i64::MAX))),
    ));
    let row = match counted {
        Ok(mut rows) => rows.pop().unwrap_or_default(),
        Err(said) => return unreadable(said.text()),
    };
    let numbers: Vec<u64> = row.iter().filter_map(|number| number.parse().ok()).collect();
    let [tables, files, snapshots, scheduled, small, of_older, overdue] = numbers.as_slice() else {
        return unreadable(&row.join(", "));
    };
    let inlined = inlined_rows(target, &database, &schema);
    let share = (small * 100).checked_div(*files).unwrap_or(0);
    let mut evidence = vec![
        format!("files: {files}, of which smaller than 1 MiB: {small} ({share} %)"),
        format!("rows inlined in the catalog: {inlined}"),
        format!("snapshots: {snapshots}, files scheduled for deletion: {scheduled}"),
    ];
    if *of_older > 0 {
        evidence.push(format!("bytes of files that only older snapshots need: {of_older}"));
    }
    if let Some(kept) = kept.filter(|_| *overdue > 0) {
        evidence.push(format!("snapshots older than the declared {kept}: {overdue}"));
    }
    let of_others = inlined_owner::of_others(target.connection, target.plan);
    let (inexact, of_others, drift) = match (inexact(target), of_others, drift(target, declared)) {
        (Ok(inexact), Ok(of_others), Ok(drift)) => (inexact, of_others, drift),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
            return unreadable(&error.to_string()).evidence(evidence);
        }
    };
    let cause = if !inexact.is_empty() {
        Some(Cause::InexactTypes)
    } else if *files >= FILES_TO_WARN_OF && share > 50 {
        Some(Cause::ManySmallFiles)
    } else if inlined >= INLINED_ROWS_TO_WARN_OF {
        Some(Cause::ManyInlinedRows)
    } else if *snapshots >= SNAPSHOTS_TO_WARN_OF {
        Some(Cause::ManySnapshots)
    } else {
        None
    };
    let verdict = match cause {
        _ if !of_others.is_empty() => {
            let what = "tables of inlined rows belong to another role: a flush by this one would lose rows";
            Verdict::new(Outcome::Warning, what)
                .advice("give all roles that write one common owner: `ALTER ROLE … SET ROLE …`")
        }
        Some(cause) => cause.verdict(Outcome::Warning, &run.facts, ""),
        None if !drift.is_empty() => Verdict::new(Outcome::Warning, "the lake differs from what is declared for it")
            .advice("`metaxy plan` shows how, and `metaxy apply` changes it"),
        None if *overdue > 0 => {
            Verdict::new(Outcome::Warning, "snapshots are kept longer than is declared for the lake")
                .advice("`metaxy maintain --only expire,cleanup` removes them, and the files that only they need")
        }
        None => Verdict::ok(format!("tables: {tables}")),
    };
    verdict.evidence(evidence).evidence(inexact).evidence(of_others).evidence(drift)
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

fn inlined_rows(target: &Target<'_>, database: &Ident, schema: &Ident) -> u64 {
    let names = sql!("SELECT table_name FROM {database}.{schema}.ducklake_inlined_data_tables", database, schema);
    let names = target.rows(names).unwrap_or_default().concat();
    let names: Vec<String> = names.into_iter().take(INLINED_TABLES_COUNTED).collect();
    count_rows(target, &names, &sql!("end_snapshot IS NULL")).into_values().sum()
}
