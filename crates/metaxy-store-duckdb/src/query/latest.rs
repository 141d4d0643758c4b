//! The rows of a feature's table that count: of each id the latest, of one version or of each.

use ducklake_sql::{Ident, Sql, Value, Writer};
use metaxy_feature::FeatureKey;

use super::{Filter, Repeated};
use crate::engine::{Connection, Error};
use crate::table::{ColumnType, Problem, Simple, TEXT, Table, columns_of, names};

/// The rows of a table that count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latest<'t> {
    pub(crate) table: &'t Table,
    pub(crate) ids: &'t [Ident],
    /// `None` for any version.
    pub(crate) version: Option<&'t str>,
    pub(crate) per_version: bool,
    pub(crate) all_rows: bool,
    pub(crate) deleted: bool,
}

impl<'t> Latest<'t> {
    /// The latest rows of one version that are not deleted.
    pub(crate) fn of(table: &'t Table, ids: &'t [Ident], version: &'t str) -> Self {
        Self { table, ids, version: Some(version), per_version: false, all_rows: false, deleted: false }
    }

    /// The latest rows of each version that are not deleted.
    pub(crate) fn of_each(table: &'t Table, ids: &'t [Ident]) -> Self {
        Self { table, ids, version: None, per_version: true, all_rows: false, deleted: false }
    }

    /// Refuses a table without the id columns, and filters that do not fit its columns.
    pub(crate) fn check(&self, connection: &Connection, feature: &FeatureKey, filters: &[Filter]) -> Result<(), Error> {
        let missing = |name: &&str| self.table.column(name).is_none();
        let ids: Vec<&str> = self.ids.iter().map(Ident::as_str).filter(missing).collect();
        if !ids.is_empty() {
            let table = self.table.name().name().to_string();
            return Err(Problem::ForeignTable { table, what: ["it has no ", &names(ids)].concat() }.into());
        }
        for filter in filters {
            if let Some(column) = filter.columns().into_iter().find(missing) {
                let (filter, column) = (filter.to_string(), column.to_owned());
                return Err(Problem::FilterColumn { filter, column, feature: feature.clone() }.into());
            }
            if let Err(what) = self.try_filter(connection, filter) {
                let (filter, feature) = (filter.to_string(), feature.clone());
                return Err(Problem::FilterValue { filter, feature, what }.into());
            }
        }
        Ok(())
    }

    /// What is wrong with the values that a filter compares columns with.
    fn try_filter(&self, connection: &Connection, filter: &Filter) -> Result<(), String> {
        let type_of = |column: &Ident| self.table.column(column.as_str()).and_then(|(_, of)| of.as_ref());
        let (unquoted, booleans) = filter.takes();
        // DuckDB would read the texts as numbers, and fail at the first that is none.
        if let Some(column) = unquoted.into_iter().find(|column| type_of(column) == Some(&TEXT)) {
            return Err(["`", column.as_str(), "` is a text, which is compared with a value in single quotes"].concat());
        }
        let is_boolean = |column: &&Ident| type_of(column) == Some(&ColumnType::Simple(Simple::Boolean));
        if let Some(column) = booleans.into_iter().find(|column| !is_boolean(column)) {
            return Err(["`", column.as_str(), "` is no boolean, so it has to be compared with a value"].concat());
        }
        // Whether a text is a date, or a number one of the column's type, DuckDB says of a row of NULLs.
        let columns = filter.columns().into_iter().filter_map(|column| self.table.column(column));
        let columns: Option<Vec<_>> = columns.map(|(name, of)| Some((name, of.as_ref()?))).collect();
        let Some(columns) = columns else { return Ok(()) };
        let tried = connection.run(&Sql::build(|sql| {
            filter.write(sql.keyword("SELECT "), &|sql, column| _ = sql.keyword("r.").ident(column));
            sql.keyword(" FROM (SELECT NULL");
            for (name, of) in columns {
                of.write(sql.keyword(", CAST(NULL AS "));
                sql.keyword(") AS ").ident(name);
            }
            sql.keyword(") AS r");
        }));
        tried.map(drop).map_err(|error| error.into_engine_error().reason().to_owned())
    }

    /// Refuses rows whose structs lack the version of a field: Python leaves out what a table has no member for.
    pub(crate) fn check_members(&self, connection: &Connection, members: &[Ident]) -> Result<(), Error> {
        let known = self.table.data_version().members().unwrap_or(members);
        let missing: Vec<&str> = members.iter().filter(|one| !known.contains(one)).map(Ident::as_str).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let rows = connection.number(&Sql::build(|sql| {
            self.write_candidates(sql.keyword("SELECT count(*) FROM (FROM "));
            sql.keyword(" LIMIT 1)");
        }))?;
        if rows == 0 {
            return Ok(());
        }
        let table = self.table.name().name().to_string();
        let what = ["its `metaxy_data_version_by_field` has no ", &names(missing)].concat();
        Err(Problem::ForeignTable { table, what }.into())
    }

    /// Writes what stands behind FROM; the table is called `r`.
    ///
    /// Rows that a later one replaces are found by their ids and times alone, and left out by their row numbers: no
    /// other column goes through the sort. Of rows with one time the first that was written counts.
    pub(crate) fn write(&self, sql: &mut Writer, filters: &[Filter]) {
        self.write_by_row(sql, None, filters);
    }

    fn write_by_row(&self, sql: &mut Writer, repeated: Option<&Repeated>, filters: &[Filter]) {
        self.table.write(sql, |sql| _ = sql.keyword("r"));
        if !self.all_rows {
            self.write_rank(sql.keyword(" ANTI JOIN (SELECT metaxy_row FROM (SELECT rowid AS metaxy_row, "));
            self.write_candidates(sql.keyword(" AS metaxy_rank FROM "));
            if let Some(repeated) = repeated {
                repeated.write(sql.keyword(" AND "), self.ids);
            }
            sql.keyword(") WHERE metaxy_rank > 1) AS replaced ON r.rowid = replaced.metaxy_row");
        }
        self.write_conditions(sql, filters);
    }

    /// Writes the same for a query that needs few columns, of a table that may have several rows of these ids.
    ///
    /// If that may be any, the columns go through the sort, behind which every processor works on the rows, even if there
    /// is only one row group of them.
    pub(crate) fn write_narrow(&self, sql: &mut Writer, repeated: Option<&Repeated>, filters: &[Filter]) {
        if repeated.is_some() {
            return self.write_by_row(sql, repeated, filters);
        }
        self.write_candidates(sql.keyword("(SELECT *, rowid FROM "));
        self.write_rank(sql.keyword(" QUALIFY "));
        sql.keyword(" = 1) AS r");
        self.write_conditions(sql, filters);
    }

    /// Writes the rows among which the latest are looked for; the table is called `o`.
    pub(crate) fn write_candidates(&self, sql: &mut Writer) {
        self.table.write(sql, |sql| _ = sql.keyword("o"));
        self.write_version(sql.keyword(" WHERE TRUE"), " AND o.");
    }

    /// Writes the place of a row of `o` among those with its ids, from 1.
    fn write_rank(&self, sql: &mut Writer) {
        columns_of(sql.keyword("row_number() OVER (PARTITION BY "), self.ids);
        sql.keyword(if self.per_version { ", metaxy_feature_version" } else { "" });
        self.table.write_changed_at(sql.keyword(" ORDER BY "), "o.");
        sql.keyword(" DESC, rowid)");
    }

    /// Counts them.
    pub(crate) fn count(
        &self,
        connection: &Connection,
        repeated: Option<&Repeated>,
        filters: &[Filter],
    ) -> Result<usize, Error> {
        let count = Sql::build(|sql| self.write_narrow(sql.keyword("SELECT count(*) FROM "), repeated, filters));
        connection.number(&count).map(|count| usize::try_from(count).unwrap_or_default())
    }

    fn write_conditions(&self, sql: &mut Writer, filters: &[Filter]) {
        self.write_version(sql.keyword(" WHERE TRUE"), " AND r.");
        if !self.deleted {
            sql.keyword(" AND r.metaxy_deleted_at IS NULL");
        }
        for filter in filters {
            filter.write(sql.keyword(" AND "), &|sql, column| _ = sql.keyword("r.").ident(column));
        }
    }

    pub(crate) fn write_version(&self, sql: &mut Writer, before: &'static str) {
        if let Some(version) = self.version {
            sql.keyword(before).keyword("metaxy_feature_version = ").bind("feature version", &Value::from(version));
        }
    }
}
