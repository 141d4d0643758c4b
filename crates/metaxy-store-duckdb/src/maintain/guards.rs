//! What is looked at before the upkeep of a lake: what compaction passes over, and how old things
//! must be.

use ducklake_sql::{Age, Ident, TableName, bind, sql};

use crate::engine::{Connection, Error, read_again};
use crate::lake::Store;

/// DuckLake's own age of files that are deleted.
const FILES_AGE: &str = "2 days";

/// The tables whose option `auto_compact`, or that of their schema or of the lake, is false.
pub(super) fn passed_over(
    connection: &Connection,
    (database, schema): &(Ident, Ident),
) -> Result<Vec<TableName>, Error> {
    let rows: Vec<(String, String)> = connection.query_rows(sql!(
        "SELECT s.schema_name, t.table_name
         FROM {database}.{schema}.ducklake_table AS t
         JOIN {database}.{schema}.ducklake_schema AS s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
         WHERE t.end_snapshot IS NULL AND coalesce(
             (SELECT any_value(value) FROM {database}.{schema}.ducklake_metadata
                 WHERE key = 'auto_compact' AND scope = 'table' AND scope_id = t.table_id),
             (SELECT any_value(value) FROM {database}.{schema}.ducklake_metadata
                 WHERE key = 'auto_compact' AND scope = 'schema' AND scope_id = t.schema_id),
             (SELECT any_value(value) FROM {database}.{schema}.ducklake_metadata
                 WHERE key = 'auto_compact' AND scope IS NULL)) = 'false'",
        database,
        schema,
    ))?;
    rows.into_iter().map(|(schema, table)| table_name(&schema, &table)).collect()
}

pub(super) fn table_name(schema: &str, table: &str) -> Result<TableName, Error> {
    let name = |text: &str| Ident::new(text).map_err(Error::from);
    Ok(TableName::of(name(schema)?, name(table)?))
}

/// The stored ages, and whether a threshold is.
pub(super) fn ages(connection: &Connection, lake: &Ident) -> Result<Vec<(String, Option<String>)>, Error> {
    connection.query_rows(sql!(
        "SELECT option_name, value FROM ducklake_options({lake})
         WHERE (scope = 'GLOBAL' AND option_name IN ('expire_older_than', 'delete_older_than'))
             OR option_name = 'rewrite_delete_threshold'",
        lake = bind(lake.as_str()),
    ))
}

/// A stored age.
pub(super) fn age(stored: &[(String, Option<String>)], name: &str) -> Result<Option<Age>, Error> {
    let found = stored.iter().find(|(option, _)| option == name).and_then(|(_, value)| value.as_deref());
    let age = found.filter(|value| !value.is_empty()).map(Age::new).transpose();
    age.map_err(Error::from)
}

pub(super) fn files_age_of(stored: &[(String, Option<String>)]) -> Result<Age, Error> {
    let age = age(stored, "delete_older_than")?.map_or_else(|| Age::new(FILES_AGE), Ok);
    age.map_err(Error::from)
}

/// How old files must be that are deleted.
pub(super) fn files_age(store: &Store) -> Result<Age, Error> {
    let connection = store.connection();
    files_age_of(&read_again(connection, || ages(connection, store.plan().alias()))?)
}
