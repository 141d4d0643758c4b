//! The keys of rows that are to be looked at, where not all are.

use ducklake_sql::{Ident, Sql, all, any, numbered, sql};

use crate::engine::{Connection, Error};
use crate::table::TableName;

/// Keys of rows, each once, in a temporary table with the columns `key_0…` that goes away with the connection.
#[derive(Debug)]
pub(crate) struct Keys {
    table: TableName,
    count: usize,
    has_nulls: bool,
}

impl Keys {
    /// The keys that a query finds, which has so many columns `key_0…`.
    pub(crate) fn find(connection: &Connection, columns: usize, query: &Sql) -> Result<Self, Error> {
        let table = TableName::temporary()?;
        connection.execute(sql!("CREATE TEMP TABLE {table} AS SELECT DISTINCT * FROM ({query})", table, query))?;
        let is_null = any((0..columns).map(|at| sql!("{key} IS NULL", key = numbered("key_", at))));
        let counted: Option<(i64, i64)> =
            connection.query_row(sql!("SELECT count(*), count(*) FILTER ({is_null}) FROM {table}", is_null, table,))?;
        let (count, nulls) = counted.unwrap_or_default();
        Ok(Self { table, count: usize::try_from(count).unwrap_or(usize::MAX), has_nulls: nulls > 0 })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// What stands behind a table in FROM, so that only its rows remain that have one of the keys in these columns.
    pub(crate) fn semi_join(&self, alias: &'static str, columns: &[Ident]) -> Sql {
        let same = |(at, column): (usize, &Ident)| {
            let (alias, key) = (Sql::fixed(alias), numbered("key_", at));
            // DuckDB skips the parts of files that hold no such value only for a plain comparison.
            if self.has_nulls {
                sql!("{alias}.{column} IS NOT DISTINCT FROM changed.{key}", alias, column, key)
            } else {
                sql!("{alias}.{column} = changed.{key}", alias, column, key)
            }
        };
        let on = all(columns.iter().enumerate().map(same));
        sql!("SEMI JOIN {keys} AS changed ON {on}", keys = self.table, on)
    }
}
