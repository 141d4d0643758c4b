//! Tables for inlined rows of whose columns a lake does not say enough.
//!
//! DuckLake 1.0 makes the table for a table's inlined rows with the table, and anew with each change of its columns. Where it
//! makes one later, it does not record of which version of the schema that one is: the lake was made with inlining turned
//! off, or its catalog was restored or moved, which does not take tables for inlined rows along. Once anything else of the
//! schema has changed, a column that was added to the table is NULL in each row there, and a flush writes that into a file.

use ducklake_sql::{AttachPlan, CatalogKind, Mode, Sql, bind, separated, sql};

use crate::engine::{Connection, Error, in_transaction, read_again, repeat};

/// The tables for inlined rows of which that is so, in a schema of the catalog that is named as it has to be there.
fn of_such(catalog: &Sql) -> Sql {
    sql!(
        "FROM {catalog}.ducklake_inlined_data_tables AS i
         JOIN {catalog}.ducklake_table AS t ON t.table_id = i.table_id AND t.end_snapshot IS NULL
         WHERE NOT EXISTS (
             SELECT 1 FROM {catalog}.ducklake_schema_versions AS v
             WHERE v.schema_version = i.schema_version AND (v.table_id = i.table_id OR v.table_id IS NULL)
         ) AND EXISTS (
             SELECT 1 FROM {catalog}.ducklake_column AS c
             WHERE c.table_id = i.table_id AND (c.end_snapshot IS NOT NULL OR c.begin_snapshot > (
                 SELECT min(begin_snapshot) FROM {catalog}.ducklake_column WHERE table_id = i.table_id))
         )",
        catalog,
    )
}

/// The tables whose inlined rows may be read without columns that they have.
pub(crate) fn unrecorded(connection: &Connection, plan: &AttachPlan) -> Result<Vec<String>, Error> {
    let Some((database, schema)) = plan.metadata() else { return Ok(Vec::new()) };
    let is_postgres = plan.catalog() == Some(CatalogKind::Postgres);
    let catalog = if is_postgres { sql!("{schema}", schema) } else { sql!("{database}.{schema}", database, schema) };
    let such = of_such(&catalog);
    let asked = sql!("SELECT DISTINCT t.table_name {such} ORDER BY t.table_name", such);
    let found: Vec<(String,)> = if is_postgres {
        // PostgreSQL answers at once what DuckDB would read five tables for.
        let [database, asked] = [database.as_str(), asked.text()].map(bind);
        connection.query_rows(sql!("FROM postgres_query({database}, {asked})", database, asked))?
    } else {
        connection.query_rows(asked)?
    };
    Ok(found.into_iter().map(|(name,)| name).collect())
}

/// Records of which version of the schema each table for inlined rows is: the columns are those of the first snapshot with it.
pub(crate) fn record(connection: &Connection, plan: &AttachPlan) -> Result<(), Error> {
    let Some((database, schema)) = plan.metadata() else { return Ok(()) };
    let connection = connection.elsewhere()?;
    let such = of_such(&sql!("{database}.{schema}", database, schema));
    let first = sql!(
        "coalesce(
             (SELECT min(snapshot_id) FROM {database}.{schema}.ducklake_snapshot WHERE schema_version = i.schema_version),
             (SELECT min(snapshot_id) - 1 FROM {database}.{schema}.ducklake_snapshot
              WHERE schema_version > i.schema_version))",
        database,
        schema,
    );
    let found =
        || connection.query_rows(sql!("SELECT DISTINCT {first}, i.schema_version, i.table_id {such}", first, such));
    let record = || {
        let found: Vec<(i64, i64, i64)> = read_again(&connection, found)?;
        let rows: Vec<Sql> = found
            .into_iter()
            .map(|row| {
                let [begin, version, table] = [row.0, row.1, row.2].map(bind);
                sql!("({begin}, {version}, {table})", begin, version, table)
            })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let insert = sql!(
            "INSERT INTO {database}.{schema}.ducklake_schema_versions (begin_snapshot, schema_version, table_id)
             VALUES {rows}",
            database,
            schema,
            rows = separated(", ", &rows),
        );
        connection.execute(insert).map(drop)
    };
    repeat(connection.retry(), || in_transaction(&connection, record), Error::begins_anew)
}

/// Records what is not while a lake is opened to write; where it is opened to read, that is a warning.
pub(super) fn mend(
    connection: &Connection,
    plan: &AttachPlan,
    unrecorded: &[String],
    mode: Mode,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    if unrecorded.is_empty() {
        return Ok(());
    }
    if mode == Mode::Write {
        tracing::debug!(tables = unrecorded.join(", "), "recording the versions of tables for inlined rows");
        return record(connection, plan);
    }
    let tables = unrecorded.join("`, `");
    warnings.push(
        [
            "rows of `",
            &tables,
            "` that are kept in the catalog may be read without columns that were added to the table: \
             `metaxy doctor --repair --yes` mends it",
        ]
        .concat(),
    );
    Ok(())
}
