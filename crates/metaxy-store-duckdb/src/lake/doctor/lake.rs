//! The attached lake: whether what it has stored agrees with the configuration, and how it is.

use ducklake_sql::{Declared, Ident, Parameter, Sql, Statement, bind, sql};

use super::catalog::Attached;
use super::inlined::count_rows;
use super::report::{CheckName, Outcome, Verdict};
use super::{Run, Target};
use crate::engine::{Cause, MOVED_ADVICE};
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
    let counted = target.rows(sql!(
        "SELECT
             (SELECT count(*)::VARCHAR FROM {database}.{schema}.ducklake_table WHERE end_snapshot IS NULL),
             (SELECT count(*)::VARCHAR FROM {database}.{schema}.ducklake_data_file WHERE end_snapshot IS NULL),
             (SELECT count(*)::VARCHAR FROM {database}.{schema}.ducklake_snapshot),
             (SELECT count(*)::VARCHAR FROM {database}.{schema}.ducklake_files_scheduled_for_deletion),
             (SELECT count(*)::VARCHAR FROM {database}.{schema}.ducklake_data_file
              WHERE end_snapshot IS NULL AND file_size_bytes < {small})",
        database,
        schema,
        small = bind(SMALL_FILE),
    ));
    let row = match counted {
        Ok(mut rows) => rows.pop().unwrap_or_default(),
        Err(said) => return Verdict::new(Outcome::Warning, "the lake's metadata cannot be read").raw(said.text()),
    };
    let numbers: Vec<u64> = row.iter().filter_map(|number| number.parse().ok()).collect();
    let [tables, files, snapshots, scheduled, small] = numbers.as_slice() else {
        return Verdict::new(Outcome::Warning, "the lake's metadata cannot be read");
    };
    let inlined = inlined_rows(target, &database, &schema);
    let share = (small * 100).checked_div(*files).unwrap_or(0);
    let evidence = [
        format!("files: {files}, of which smaller than 1 MiB: {small} ({share} %)"),
        format!("rows inlined in the catalog: {inlined}"),
        format!("snapshots: {snapshots}, files scheduled for deletion: {scheduled}"),
    ];
    let inexact = inexact(target);
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
    let of_others = inlined_owner::of_others(target.connection, target.plan).unwrap_or_default();
    let drift = drift(target, declared);
    let verdict = match cause {
        _ if !of_others.is_empty() => {
            let what = "tables of inlined rows belong to another role: a flush by this one would lose rows";
            Verdict::new(Outcome::Warning, what)
                .advice("give all roles that write one common owner: `ALTER ROLE … SET ROLE …`")
        }
        Some(cause) => cause.verdict(Outcome::Warning, &run.facts, ""),
        None if !drift.is_empty() => Verdict::new(Outcome::Warning, "the lake differs from what is declared for it")
            .advice("`metaxy plan` shows how, and `metaxy apply` changes it"),
        None => Verdict::ok(format!("tables: {tables}")),
    };
    verdict.evidence(evidence).evidence(inexact).evidence(of_others).evidence(drift)
}

/// A few of the steps to what is declared.
fn drift(target: &Target<'_>, declared: Option<&Declared>) -> Vec<String> {
    let Some(declared) = declared else { return Vec::new() };
    match stored_state::read(target.connection, target.plan) {
        Ok(Some(stored)) => declared.difference(&stored).steps.iter().take(5).map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

/// A few columns of types that a file does not keep exactly.
fn inexact(target: &Target<'_>) -> Vec<String> {
    let columns = inexact_columns(target.connection, target.lake.alias()).unwrap_or_default();
    let shown = |InexactColumn { schema, table, name, type_name }| format!("{schema}.{table}.{name} {type_name}");
    columns.into_iter().take(5).map(shown).collect()
}

fn inlined_rows(target: &Target<'_>, database: &Ident, schema: &Ident) -> u64 {
    let names = sql!("SELECT table_name FROM {database}.{schema}.ducklake_inlined_data_tables", database, schema);
    let names = target.rows(names).unwrap_or_default().concat();
    let names: Vec<String> = names.into_iter().take(INLINED_TABLES_COUNTED).collect();
    count_rows(target, &names, &sql!("end_snapshot IS NULL")).into_values().sum()
}
