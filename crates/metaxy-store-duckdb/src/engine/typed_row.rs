//! Rows of counts and names, read with their types: a value that is not of the type that is asked for is an error.

use duckdb::Row;
use duckdb::types::FromSql;
use ducklake_sql::Sql;

use super::connection::Connection;
use super::error::Error;

/// What a row is read as: a tuple with a type for each column, where `Option` takes a NULL.
pub(crate) trait FromRow: Sized {
    fn from_row(row: &Row<'_>) -> duckdb::Result<Self>;
}

macro_rules! tuples {
    ($(($($column:ident $at:literal),+),)+) => {
        $(impl<$($column: FromSql),+> FromRow for ($($column,)+) {
            fn from_row(row: &Row<'_>) -> duckdb::Result<Self> {
                Ok(($(row.get::<_, $column>($at)?,)+))
            }
        })+
    };
}

tuples! {
    (A 0),
    (A 0, B 1),
    (A 0, B 1, C 2),
    (A 0, B 1, C 2, D 3),
    (A 0, B 1, C 2, D 3, E 4),
    (A 0, B 1, C 2, D 3, E 4, F 5),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8),
}

impl Connection {
    /// The rows of a query.
    ///
    /// # Errors
    ///
    /// When DuckDB refuses it, or a value is of another type.
    pub(crate) fn query_rows<R: FromRow>(&self, sql: impl Into<Sql>) -> Result<Vec<R>, Error> {
        let sql = sql.into();
        let mut found = Vec::new();
        self.fetched(&sql, |rows| {
            while let Some(row) = rows.next()? {
                found.push(R::from_row(row)?);
            }
            Ok(found.len())
        })?;
        Ok(found)
    }

    /// The first row of a query, if it has one.
    ///
    /// # Errors
    ///
    /// As for [`query_rows`](Self::query_rows).
    pub(crate) fn query_row<R: FromRow>(&self, sql: impl Into<Sql>) -> Result<Option<R>, Error> {
        let sql = sql.into();
        let mut found = None;
        self.fetched(&sql, |rows| {
            found = rows.next()?.map(R::from_row).transpose()?;
            Ok(usize::from(found.is_some()))
        })?;
        Ok(found)
    }

    /// The only value of a query that always has a row, as an aggregate without groups has.
    ///
    /// # Errors
    ///
    /// As for [`query_rows`](Self::query_rows), and when there is no row.
    pub(crate) fn query_value<V: FromSql>(&self, sql: impl Into<Sql>) -> Result<V, Error> {
        match self.query_row::<(V,)>(sql)? {
            Some((value,)) => Ok(value),
            None => Err(Error::query("a query that has one row gave none")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Session};

    use super::*;

    fn connection() -> Connection {
        let catalog = Catalog::Sqlite(CatalogFile::new("/lake/meta.sqlite").unwrap());
        let lake = Lake::builder(catalog, LocalFolder::new("/lake/data").unwrap()).build().unwrap();
        let plan = lake.plan(&Session::default(), Mode::Read);
        Connection::new(duckdb::Connection::open_in_memory().unwrap(), Arc::new(plan))
    }

    #[test]
    fn rows_are_read_with_their_types() {
        let connection = connection();
        let rows = connection.query_rows::<(i64, Option<String>)>("VALUES (1, 'a'), (2, NULL)").unwrap();
        assert_eq!(rows, [(1, Some("a".to_owned())), (2, None)]);
        assert_eq!(connection.query_row::<(i64,)>("SELECT 1 WHERE false").unwrap(), None);
        assert_eq!(connection.query_value::<i64>("SELECT count(*) FROM range(3)").unwrap(), 3);
    }

    #[test]
    fn a_value_of_another_type_is_an_error() {
        let connection = connection();
        for sql in ["SELECT 'many'", "SELECT NULL::BIGINT", "SELECT 1 WHERE false"] {
            connection.query_value::<i64>(sql).unwrap_err();
        }
        connection.query_rows::<(i64, i64)>("SELECT 1").unwrap_err();
    }
}
