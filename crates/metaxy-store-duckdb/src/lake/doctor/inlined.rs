//! The rows in the catalog: whether those that were written by a program without a guard come back as they are.
//!
//! SQLite and PostgreSQL have no structs, so DuckLake 1.0 keeps one as a text. It writes a SQL literal, and reads it back as
//! a text of another form. So a value with `CAST(…)` or a doubled quote in it is damaged when it is read, but is whole in
//! the catalog.

use std::collections::BTreeMap;

use ducklake_sql::{Ident, Sql, StringLiteral, bind, separated, sql};

use super::report::{CheckName, Outcome, Verdict};
use super::{Run, Target};
use crate::engine::{Cause, EngineError, inlining};
use crate::lake::inlined_versions;

/// So many tables are counted by one statement.
const COUNTED_AT_ONCE: usize = 100;

/// Makes the check.
pub(super) fn examine(run: &mut Run, target: &Target<'_>) {
    run.check(CheckName::InlinedRows, |run| {
        match inlined_versions::unrecorded(target.connection, target.plan) {
            Ok(tables) if tables.is_empty() => {}
            Ok(tables) => {
                return ((), Cause::InlinedRowsUnrecorded.verdict(Outcome::Failed, &run.facts, "").evidence(tables));
            }
            Err(error) => {
                return (
                    (),
                    Verdict::new(Outcome::Warning, "the rows in the catalog cannot be read").raw(error.to_string()),
                );
            }
        }
        let verdict = match damaged(target) {
            Ok(Some(damaged)) if damaged.is_empty() => Verdict::ok("those that are kept in the catalog come back"),
            Ok(Some(damaged)) => Cause::InlinedRowsDamaged.verdict(Outcome::Failed, &run.facts, "").evidence(damaged),
            Ok(None) => Verdict::ok("a catalog of this kind gives back every value"),
            Err(said) => Verdict::new(Outcome::Warning, "the rows in the catalog cannot be read").raw(said.text()),
        };
        ((), verdict)
    });
}

/// The columns with damaged values, each with the table of the catalog that has them; `None` where none can have any.
fn damaged(target: &Target<'_>) -> Result<Option<Vec<String>>, EngineError> {
    let Some((database, schema)) = target.plan.metadata() else { return Ok(None) };
    if inlining::keeps_all(target.connection) {
        return Ok(None);
    }
    let columns = target.rows(sql!(
        "SELECT i.table_name, c.schema_name, c.table_name, c.column_name
         FROM {database}.{schema}.ducklake_inlined_data_tables AS i
         JOIN {database}.{schema}.ducklake_table AS t ON t.table_id = i.table_id AND t.end_snapshot IS NULL
         JOIN {database}.{schema}.ducklake_schema AS s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
         JOIN duckdb_columns() AS c
             ON c.database_name = {lake} AND c.schema_name = s.schema_name AND c.table_name = t.table_name
         WHERE regexp_matches(c.data_type, {lossy})
         ORDER BY ALL",
        database,
        schema,
        lake = bind(target.lake.alias().as_str()),
        lossy = bind(inlining::LOSSY_TYPES),
    ))?;
    let mut names: Vec<String> = columns.iter().filter_map(|row| row.first().cloned()).collect();
    names.dedup();
    let with_rows = count_rows(target, &names, &sql!("TRUE"));
    let mut found = Vec::new();
    for row in columns {
        let Ok([inlined, schema_of_table, table, column]) = <[String; 4]>::try_from(row) else { continue };
        if with_rows.get(&inlined) == Some(&0) {
            continue;
        }
        let (Ok(name), Ok(field)) = (Ident::new(&inlined), Ident::new(&column)) else { continue };
        let count = sql!(
            "SELECT count(*)::VARCHAR FROM {database}.{schema}.{name}
             WHERE contains({field}, 'CAST(') OR contains({field}, '''''') OR starts_with({field}, '[''')",
            database,
            schema,
            name,
            field,
        );
        // Rows from before the column was added have none.
        let count = target.rows(count).unwrap_or_default().concat().pop().unwrap_or_default();
        if !matches!(count.as_str(), "" | "0") {
            found.push(format!(
                "`{schema_of_table}.{table}`, column `{column}`: {count} values, in `{database}.{schema}.{inlined}`",
                database = database.as_str(),
                schema = schema.as_str(),
            ));
        }
    }
    Ok(Some(found))
}

/// How many rows that fulfil a condition each of these tables of the catalog has; those that cannot be read are left out.
///
/// Many tables are counted by one statement: each statement looks into the catalog anew.
pub(super) fn count_rows(target: &Target<'_>, names: &[String], condition: &Sql) -> BTreeMap<String, u64> {
    let Some((database, schema)) = target.plan.metadata() else { return BTreeMap::new() };
    let count = |name: &String| {
        let (Ok(table), Ok(text)) = (Ident::new(name), StringLiteral::new(name)) else { return None };
        Some(sql!(
            "SELECT {text} AS name, count(*)::VARCHAR AS rows FROM {database}.{schema}.{table} WHERE {condition}",
            text,
            database,
            schema,
            table,
            condition,
        ))
    };
    let counted = |counts: &[Sql]| {
        let rows = target.rows(sql!("{counts}", counts = separated(" UNION ALL ", counts)))?;
        let count = |row: Vec<String>| {
            let [name, count] = <[String; 2]>::try_from(row).ok()?;
            Some((name, count.parse().ok()?))
        };
        Ok::<_, EngineError>(rows.into_iter().filter_map(count).collect::<Vec<_>>())
    };
    let counts: Vec<Sql> = names.iter().filter_map(count).collect();
    let each = |counts: &[Sql]| {
        // A table that cannot be read is no reason to tell nothing of the others.
        let one = |count: &Sql| counted(std::slice::from_ref(count)).unwrap_or_default();
        counted(counts).unwrap_or_else(|_| counts.iter().flat_map(one).collect())
    };
    counts.chunks(COUNTED_AT_ONCE).flat_map(each).collect()
}
