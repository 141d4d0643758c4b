//! The rows in the catalog: whether those that were written by a program without a guard come back as they are.
//!
//! SQLite and PostgreSQL have no structs, so DuckLake 1.0 keeps one as a text. It writes a SQL literal, and reads it back as
//! a text of another form. So a value with `CAST(…)` or a doubled quote in it is damaged when it is read, but is whole in
//! the catalog.

use std::collections::BTreeMap;

use ducklake_sql::{Ident, Sql, bind, separated, sql};

use super::report::{CheckName, Outcome, Verdict};
use super::{Run, Target};
use crate::engine::{Cause, EngineError, Error, inlining};
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
    let columns: Vec<(String, String, String, String)> = target.rows(sql!(
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
    let mut names: Vec<String> = columns.iter().map(|(inlined, ..)| inlined.clone()).collect();
    names.dedup();
    let with_rows = count_rows(target, &names, &sql!("TRUE"))?;
    let mut found = Vec::new();
    for (inlined, schema_of_table, table, column) in columns {
        if with_rows.rows.get(&inlined) == Some(&0) {
            continue;
        }
        let [name, field] = [&inlined, &column].map(|name| ident(name));
        let (name, field) = (name?, field?);
        let described = sql!("SELECT column_name FROM (DESCRIBE {database}.{schema}.{name})", database, schema, name);
        let columns: Vec<(String,)> = target.rows(described)?;
        if !columns.iter().any(|(of_rows,)| of_rows.eq_ignore_ascii_case(&column)) {
            // It was added after these rows.
            continue;
        }
        let count = sql!(
            "SELECT count(*) FROM {database}.{schema}.{name}
             WHERE contains({field}, 'CAST(') OR contains({field}, '''''') OR starts_with({field}, '[''')",
            database,
            schema,
            name,
            field,
        );
        let count = target.connection.query_value::<i64>(count).map_err(Error::into_engine_error)?;
        if count > 0 {
            found.push(format!(
                "`{schema_of_table}.{table}`, column `{column}`: {count} values, in `{database}.{schema}.{inlined}`",
                database = database.as_str(),
                schema = schema.as_str(),
            ));
        }
    }
    Ok(Some(found))
}

fn ident(name: &str) -> Result<Ident, EngineError> {
    Ident::new(name).map_err(|problem| Error::from(problem).into_engine_error())
}

/// How many rows of each of some tables fulfil a condition.
pub(super) struct Counted {
    pub(super) rows: BTreeMap<String, u64>,
    /// What was said of a table that cannot be read.
    pub(super) failed: Option<EngineError>,
}

/// How many rows that fulfil a condition each of these tables of the catalog has.
///
/// Many tables are counted by one statement: each statement looks into the catalog anew.
pub(super) fn count_rows(target: &Target<'_>, names: &[String], condition: &Sql) -> Result<Counted, EngineError> {
    let mut found = Counted { rows: BTreeMap::new(), failed: None };
    let Some((database, schema)) = target.plan.metadata() else { return Ok(found) };
    let count = |name: &String| {
        let table = ident(name)?;
        Ok::<_, EngineError>(sql!(
            "SELECT {text} AS name, count(*) AS rows FROM {database}.{schema}.{table} WHERE {condition}",
            text = bind(name.as_str()),
            database,
            schema,
            table,
            condition,
        ))
    };
    let counted = |counts: &[Sql]| target.rows::<(String, u64)>(separated(" UNION ALL ", counts));
    let counts = names.iter().map(count).collect::<Result<Vec<_>, _>>()?;
    for counts in counts.chunks(COUNTED_AT_ONCE) {
        if let Ok(rows) = counted(counts) {
            found.rows.extend(rows);
            continue;
        }
        // A table that cannot be read is no reason to tell nothing of the others.
        for count in counts {
            match counted(std::slice::from_ref(count)) {
                Ok(rows) => found.rows.extend(rows),
                Err(said) => found.failed = Some(said),
            }
        }
    }
    Ok(found)
}
