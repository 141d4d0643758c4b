//! The rows of a feature's table that count: of each id the latest, of one version or of each.

use ducklake_sql::{Ident, Sql, all, bind, list, sql};
use metaxy_feature::FeatureKey;

use super::{Filter, Keys};
use crate::engine::{Connection, Error};
use crate::table::{ColumnType, DuplicateIds, Problem, Simple, TEXT, Table, names};

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
    /// The keys that rows must have, and the columns that hold them; `None` for any.
    pub(crate) keys: Option<(&'t Keys, &'t [Ident])>,
}

impl<'t> Latest<'t> {
    /// The latest rows of one version that are not deleted.
    pub(crate) fn of(table: &'t Table, ids: &'t [Ident], version: &'t str) -> Self {
        Self { table, ids, version: Some(version), per_version: false, all_rows: false, deleted: false, keys: None }
    }

    /// The latest rows of each version that are not deleted.
    pub(crate) fn of_each(table: &'t Table, ids: &'t [Ident]) -> Self {
        Self { table, ids, version: None, per_version: true, all_rows: false, deleted: false, keys: None }
    }

    /// The same of the rows that have one of these keys in these columns, which are among the id columns.
    pub(crate) fn among(self, keys: Option<&'t Keys>, columns: &'t [Ident]) -> Self {
        Self { keys: keys.map(|keys| (keys, columns)), ..self }
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
            return Err(
                ["`", column.as_str(), "` is a string, which is compared with a value in single quotes"].concat()
            );
        }
        let is_boolean = |column: &&Ident| type_of(column) == Some(&ColumnType::Simple(Simple::Boolean));
        if let Some(column) = booleans.into_iter().find(|column| !is_boolean(column)) {
            return Err(["`", column.as_str(), "` is not a boolean, so it must be compared with a value"].concat());
        }
        // Whether a text is a date, or a number one of the column's type, DuckDB says of a row of NULLs.
        let columns = filter.columns().into_iter().filter_map(|column| self.table.column(column));
        let columns: Option<Vec<_>> = columns.map(|(name, of)| Some((name, of.as_ref()?))).collect();
        let Some(columns) = columns else { return Ok(()) };
        let nulls = list(columns.into_iter().map(|(name, of)| sql!("CAST(NULL AS {of}) AS {name}", of, name)));
        let tried = connection.run(&sql!(
            "SELECT {condition} FROM (SELECT NULL, {nulls}) AS r",
            condition = filter.condition(&column_of_r),
            nulls,
        ));
        tried.map(drop).map_err(|error| error.into_engine_error().reason().to_owned())
    }

    /// Refuses rows whose structs lack the version of a field: Python leaves out what a table has no member for.
    pub(crate) fn check_members(&self, connection: &Connection, members: &[Ident]) -> Result<(), Error> {
        let known = self.table.data_version().members().unwrap_or(members);
        let missing: Vec<&str> = members.iter().filter(|one| !known.contains(one)).map(Ident::as_str).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let candidates = self.candidates();
        let rows: i64 = connection.query_value(sql!("SELECT count(*) FROM (FROM {candidates} LIMIT 1)", candidates))?;
        if rows == 0 {
            return Ok(());
        }
        let table = self.table.name().name().to_string();
        let what = ["its `metaxy_data_version_by_field` has no ", &names(missing)].concat();
        Err(Problem::ForeignTable { table, what }.into())
    }

    /// What stands behind FROM; the table is called `r`.
    ///
    /// Rows that a later one replaces are found by their ids and times alone, and left out by their row numbers: no
    /// other column goes through the sort. Of rows with one time the first that was written counts.
    pub(crate) fn rows(&self, filters: &[Filter]) -> Sql {
        self.rows_by_number(None, filters)
    }

    fn rows_by_number(&self, duplicate_ids: Option<&DuplicateIds>, filters: &[Filter]) -> Sql {
        let (table, conditions) = (self.table.aliased(sql!("r")), self.conditions(filters));
        if self.all_rows {
            return sql!("{table} WHERE {conditions}", table, conditions);
        }
        let several =
            duplicate_ids.map(|duplicate_ids| sql!("AND {several}", several = duplicate_ids.condition(self.ids)));
        sql!(
            "{table}
             ANTI JOIN (
                 SELECT metaxy_row
                 FROM (SELECT rowid AS metaxy_row, {rank} AS metaxy_rank FROM {candidates} {several})
                 WHERE metaxy_rank > 1
             ) AS replaced ON r.rowid = replaced.metaxy_row
             WHERE {conditions}",
            table,
            rank = self.rank(),
            candidates = self.candidates(),
            several,
            conditions,
        )
    }

    /// The same for a query that needs few columns, of a table that may have several rows of these ids.
    ///
    /// If that may be any, the columns go through the sort, behind which every processor works on the rows, even if there
    /// is only one row group of them.
    pub(crate) fn narrow_rows(&self, duplicate_ids: Option<&DuplicateIds>, filters: &[Filter]) -> Sql {
        if duplicate_ids.is_some() {
            return self.rows_by_number(duplicate_ids, filters);
        }
        sql!(
            "(SELECT *, rowid FROM {candidates} QUALIFY {rank} = 1) AS r WHERE {conditions}",
            candidates = self.candidates(),
            rank = self.rank(),
            conditions = self.conditions(filters),
        )
    }

    /// The ids that several of the rows may have, among which the latest are looked for.
    pub(crate) fn duplicate_ids(&self, connection: &Connection) -> Result<Option<DuplicateIds>, Error> {
        // Parts of a query run at MotherDuck, where the hash may be another.
        let rows = if connection.is_local() { self.table.rows() } else { 0 };
        DuplicateIds::find(connection, rows, self.ids, &self.candidates())
    }

    /// The rows among which the latest are looked for; the table is called `o`.
    pub(crate) fn candidates(&self) -> Sql {
        sql!(
            "{table} {among} WHERE {version}",
            table = self.table.aliased(sql!("o")),
            among = self.keys.map(|(keys, columns)| keys.semi_join("o", columns)),
            version = all(self.version_of("o")),
        )
    }

    /// The place of a row of `o` among those with its ids, from 1.
    fn rank(&self) -> Sql {
        let version = list(self.per_version.then(|| sql!("metaxy_feature_version")));
        sql!(
            "row_number() OVER (PARTITION BY {ids}, {version} ORDER BY {changed_at} DESC, rowid)",
            ids = list(self.ids),
            version,
            changed_at = self.table.changed_at("o"),
        )
    }

    /// Counts them.
    pub(crate) fn count(
        &self,
        connection: &Connection,
        duplicate_ids: Option<&DuplicateIds>,
        filters: &[Filter],
    ) -> Result<usize, Error> {
        let count = sql!("SELECT count(*) FROM {rows}", rows = self.narrow_rows(duplicate_ids, filters));
        connection.query_value::<i64>(count).map(|count| usize::try_from(count).unwrap_or_default())
    }

    fn conditions(&self, filters: &[Filter]) -> Sql {
        let is_there = (!self.deleted).then(|| sql!("r.metaxy_deleted_at IS NULL"));
        let filters = filters.iter().map(|filter| filter.condition(&column_of_r));
        all(self.version_of("r").into_iter().chain(is_there).chain(filters))
    }

    /// The condition on the version of a row under an alias; `None` for any version.
    pub(crate) fn version_of(&self, alias: &'static str) -> Option<Sql> {
        let (alias, version) = (Sql::fixed(alias), self.version?);
        Some(sql!("{alias}.metaxy_feature_version = {version}", alias, version = bind(version)))
    }
}

/// A column of the table that is called `r`.
pub(crate) fn column_of_r(column: &Ident) -> Sql {
    sql!("r.{column}", column)
}
