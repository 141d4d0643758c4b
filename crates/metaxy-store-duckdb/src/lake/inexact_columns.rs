//! Columns of types of which a Parquet file of DuckLake keeps less than a catalog does.

use ducklake_sql::{Ident, bind, sql};

use super::store::Store;
use crate::engine::{Connection, Error};

/// A column of a type that a file does not keep exactly: a large integer, a span of time, or a time of day with a zone, by
/// itself or within another type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InexactColumn {
    /// The schema of the table.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The column.
    pub name: String,
    /// Its type, as DuckDB writes it.
    pub type_name: String,
}

impl Store {
    /// The lake's columns of types that a file does not keep exactly.
    ///
    /// # Errors
    ///
    /// When the catalog cannot be read.
    pub fn inexact_columns(&self) -> Result<Vec<InexactColumn>, Error> {
        inexact_columns(self.connection(), self.plan().alias())
    }
}

/// The same, of a lake that may not be open as a store.
pub(crate) fn inexact_columns(connection: &Connection, lake: &Ident) -> Result<Vec<InexactColumn>, Error> {
    let rows: Vec<(String, String, String, String)> = connection.query_rows(sql!(
        "SELECT schema_name, table_name, column_name, data_type
         FROM duckdb_columns()
         WHERE database_name = {lake} AND regexp_matches(data_type, 'HUGEINT|INTERVAL|TIME WITH TIME ZONE')
         ORDER BY schema_name, table_name, column_index",
        lake = bind(lake.as_str()),
    ))?;
    let columns = rows.into_iter();
    Ok(columns.map(|(schema, table, name, type_name)| InexactColumn { schema, table, name, type_name }).collect())
}
