//! How large the tables of a lake are, counted in its catalog.

use std::collections::HashMap;

use ducklake_sql::{Ident, Sql, TableName, bind, separated, sql};
use serde::Serialize;

use super::guards::table_name;
use super::upkeep::LakeSize;
use crate::engine::{Connection, Error, read_again};
use crate::lake::Store;

/// How large a table is, as its newest snapshot has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TableSize {
    /// Its number in the catalog.
    #[serde(skip)]
    pub(super) id: i64,
    /// Its name.
    pub name: TableName,
    /// Its data files.
    pub files: i64,
    /// Their bytes.
    pub bytes: i64,
    /// Its files of deletions.
    pub delete_files: i64,
    /// The rows that they delete.
    pub deleted_rows: i64,
    /// The rows that are kept in the catalog, those of older snapshots too.
    pub inlined_rows: i64,
    /// The deletions that are kept in the catalog.
    pub inlined_deletes: i64,
    /// The tables of the catalog that keep them: one for each shape that the table has had.
    #[serde(skip)]
    pub(super) inlined_tables: i64,
}

impl TableSize {
    /// The bytes of a file, on the average.
    pub fn mean_file_size(&self) -> i64 {
        self.bytes.checked_div(self.files).unwrap_or_default()
    }
}

impl Store {
    /// How large the lake is.
    ///
    /// # Errors
    ///
    /// When the catalog cannot be read, or the store is a database without a lake.
    pub fn size(&self) -> Result<LakeSize, Error> {
        let catalog = self.catalog()?;
        read_again(self.connection(), || of_lake(self.connection(), &catalog))
    }
}

/// Counts the tables of a lake.
pub(super) fn of_lake(connection: &Connection, catalog: &(Ident, Ident)) -> Result<LakeSize, Error> {
    let (database, schema) = catalog;
    let tables = tables(connection, catalog, &sql!("true"))?;
    let snapshots =
        connection.query_value(sql!("SELECT count(*) FROM {database}.{schema}.ducklake_snapshot", database, schema))?;
    let unused_files = connection.query_value(sql!(
        "SELECT count(*) FROM {database}.{schema}.ducklake_files_scheduled_for_deletion",
        database,
        schema,
    ))?;
    Ok(LakeSize { tables, snapshots, unused_files })
}

/// Counts one table of a lake by its number, without a look at the others; `None` if it is no more there.
pub(super) fn of_table(connection: &Connection, catalog: &(Ident, Ident), id: i64) -> Result<Option<TableSize>, Error> {
    Ok(tables(connection, catalog, &sql!("table_id = {id}", id = bind(id)))?.pop())
}

/// A table: its number, schema, name, files, bytes and inlined tables.
type TableRow = (i64, String, String, i64, i64, i64);

/// Counts those tables of which a condition on `table_id` is true.
fn tables(connection: &Connection, (database, schema): &(Ident, Ident), only: &Sql) -> Result<Vec<TableSize>, Error> {
    let rows: Vec<TableRow> = connection.query_rows(sql!(
        "SELECT t.table_id, s.schema_name, t.table_name, coalesce(f.files, 0), coalesce(f.bytes, 0), coalesce(i.tables, 0)
         FROM (SELECT * FROM {database}.{schema}.ducklake_table WHERE end_snapshot IS NULL AND {only}) AS t
         JOIN {database}.{schema}.ducklake_schema AS s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
         LEFT JOIN (SELECT table_id, count(*) AS files, CAST(sum(file_size_bytes) AS BIGINT) AS bytes
             FROM {database}.{schema}.ducklake_data_file WHERE end_snapshot IS NULL AND {only} GROUP BY table_id) AS f
             ON f.table_id = t.table_id
         LEFT JOIN (SELECT table_id, count(*) AS tables
             FROM {database}.{schema}.ducklake_inlined_data_tables WHERE {only} GROUP BY table_id) AS i
             ON i.table_id = t.table_id
         ORDER BY s.schema_name, t.table_name",
        database,
        schema,
        only,
    ))?;
    let deletes: Vec<(i64, i64, i64)> = connection.query_rows(sql!(
        "SELECT table_id, count(*), CAST(sum(delete_count) AS BIGINT)
         FROM {database}.{schema}.ducklake_delete_file WHERE end_snapshot IS NULL AND {only} GROUP BY table_id",
        database,
        schema,
        only,
    ))?;
    let deletes: HashMap<i64, (i64, i64)> = deletes.into_iter().map(|(id, files, rows)| (id, (files, rows))).collect();
    let mut inlined: HashMap<(i64, bool), i64> = HashMap::new();
    for (id, has_deletes, rows) in inlined_rows(connection, database, schema, only)? {
        *inlined.entry((id, has_deletes)).or_default() += rows;
    }
    let size = |(id, schema, table, files, bytes, inlined_tables): TableRow| -> Result<TableSize, Error> {
        let (delete_files, deleted_rows) = deletes.get(&id).copied().unwrap_or_default();
        let inlined = |has_deletes| inlined.get(&(id, has_deletes)).copied().unwrap_or_default();
        Ok(TableSize {
            id,
            name: table_name(&schema, &table)?,
            files,
            bytes,
            delete_files,
            deleted_rows,
            inlined_rows: inlined(false),
            inlined_deletes: inlined(true),
            inlined_tables,
        })
    };
    rows.into_iter().map(size).collect()
}

/// The rows and deletions of tables that are kept in the catalog.
fn inlined_rows(
    connection: &Connection,
    database: &Ident,
    schema: &Ident,
    only: &Sql,
) -> Result<Vec<(i64, bool, i64)>, Error> {
    let mut parts: Vec<Sql> = Vec::new();
    for InlinedTable { id, name, has_deletes } in inlined_tables(connection, database, schema, only)? {
        parts.push(sql!(
            "SELECT {id} AS id, {has_deletes} AS deletes, count(*) AS rows FROM {database}.{schema}.{name}",
            id = bind(id),
            has_deletes = bind(has_deletes),
            database,
            schema,
            name,
        ));
    }
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    connection.query_rows(sql!("SELECT id, deletes, rows FROM ({parts})", parts = separated(" UNION ALL ", parts)))
}

/// A table of the catalog that keeps rows of a table, or deletions of rows that are in its files.
pub(super) struct InlinedTable {
    /// The number of the table that they are of.
    pub(super) id: i64,
    /// Its own name.
    pub(super) name: Ident,
    /// Whether it keeps deletions.
    pub(super) has_deletes: bool,
}

/// Those of the tables of which a condition on `table_id` is true.
pub(super) fn inlined_tables(
    connection: &Connection,
    database: &Ident,
    schema: &Ident,
    only: &Sql,
) -> Result<Vec<InlinedTable>, Error> {
    let ident = |name: String| Ident::new(name).map_err(Error::from);
    let known: Vec<(i64, String)> = connection.query_rows(sql!(
        "SELECT table_id, table_name FROM {database}.{schema}.ducklake_inlined_data_tables WHERE {only} ORDER BY ALL",
        database,
        schema,
        only,
    ))?;
    let mut found = Vec::new();
    for (id, name) in known {
        found.push(InlinedTable { id, name: ident(name)?, has_deletes: false });
    }
    // DuckLake keeps no list of those with deletions; a table has one once a few rows of a file were deleted.
    let with_files: Vec<(i64,)> = connection.query_rows(sql!(
        "SELECT DISTINCT table_id FROM {database}.{schema}.ducklake_data_file WHERE {only} ORDER BY table_id",
        database,
        schema,
        only,
    ))?;
    for (id,) in with_files {
        let name = ident(["ducklake_inlined_delete_", &id.to_string()].concat())?;
        let is_there = connection.query_row::<(i64,)>(sql!(
            "SELECT 1::BIGINT FROM {database}.{schema}.{name} LIMIT 1",
            database,
            schema,
            name,
        ));
        match is_there {
            Ok(Some(_)) => found.push(InlinedTable { id, name, has_deletes: true }),
            Ok(None) => {}
            Err(error) if error.is_missing_table() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
