//! Reading rows: of each id the latest, of the feature's current version, unless asked for more.

use ducklake_sql::{Ident, Sql, Text, Value, Writer};
use metaxy_feature::{Column, FeatureKey};

use super::filter::Filter;
use super::names::ident;
use super::problem::{Problem, names};
use super::repeated::Repeated;
use super::stage::columns_of;
use super::table::{At, Listed, Table};
use super::{Features, id_columns};
use crate::connection::{Connection, Rows};
use crate::error::Error;

/// Which rows and columns to read; write `ReadOptions { …, ..ReadOptions::default() }`.
///
/// ```
/// use metaxy_store_duckdb::ReadOptions;
///
/// let english = ReadOptions { filters: vec!["lang = 'en'".parse()?], ..ReadOptions::default() };
/// # Ok::<(), metaxy_store_duckdb::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The columns, in this order; all of them if `None`.
    pub columns: Option<Vec<Column>>,
    /// Conditions on the rows that are left.
    pub filters: Vec<Filter>,
    /// Which versions of the feature.
    pub versions: Versions,
    /// Whether to read every row that was ever written for an id, not just the latest.
    pub all_rows: bool,
    /// Whether to read rows that were deleted softly.
    pub deleted: bool,
    /// The lake as it was at another time.
    pub at: Snapshot,
    /// Whether to look in the store only, not in its fallback stores when it has no table of the feature. A lake as it
    /// was at another time always is the store's own.
    pub own_only: bool,
}

/// Which versions of a feature to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Versions {
    /// The one that the graph gives it.
    #[default]
    Current,
    /// This one.
    One(String),
    /// Any: of each id the latest row, whatever its version. This is Python's `with_feature_history`.
    Any,
    /// Each: of each id the latest row of every version.
    Each,
}

/// When to look at a lake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Snapshot {
    /// As it is now.
    #[default]
    Latest,
    /// As it was in the snapshot of this number.
    Number(i64),
    /// As it was at this time, as in `2026-01-31 12:00:00+00`.
    Time(String),
}

impl Snapshot {
    fn at(&self) -> Result<At, Problem> {
        Ok(match self {
            Self::Latest => At::Now,
            Self::Number(number) => At::Snapshot(*number),
            Self::Time(time) => At::Time(Text::new(time.as_str()).map_err(|_| Problem::UnknownSnapshot(time.clone()))?),
        })
    }
}

impl<'s> Features<'s> {
    /// Reads rows of a feature, while the engine produces them.
    ///
    /// A feature that has no table in the store is read from the first of its fallback stores that has one.
    ///
    /// Without `columns` the system columns come too. Filters look at the latest rows only, after older ones are gone.
    ///
    /// # Errors
    ///
    /// When the feature is not in the graph or has no table, or a column or filter does not fit its table.
    pub fn read(&self, key: &FeatureKey, options: &ReadOptions) -> Result<Rows<'s>, Error> {
        let definition = self.definition(key)?;
        let table = match options.at.at()? {
            At::Now => self.table_or_fallback(key, options.own_only, |_| Ok(At::Now))?,
            // It may have been dropped since.
            at => Table::look(self.connection, &self.table_name(key)?, at, Listed::default())?,
        };
        let ids = id_columns(definition.spec())?;
        let version = match &options.versions {
            Versions::Current => {
                table.check_truncation(self.hashing)?;
                Some(self.feature_version(key)?)
            }
            Versions::One(version) => Some(version.as_str()),
            Versions::Any | Versions::Each => None,
        };
        let columns: Vec<Ident> = match &options.columns {
            None => Vec::new(),
            Some(columns) => columns.iter().map(|column| ident(column.as_str())).collect::<Result<_, _>>()?,
        };
        let unknown: Vec<&str> =
            columns.iter().map(Ident::as_str).filter(|name| table.column(name).is_none()).collect();
        if !unknown.is_empty() {
            return Err(Problem::UnknownColumns { feature: key.clone(), columns: names(unknown) }.into());
        }
        let latest = Latest {
            table: &table,
            ids: &ids,
            version,
            per_version: options.versions == Versions::Each,
            all_rows: options.all_rows,
            deleted: options.deleted,
        };
        latest.check(key, &options.filters)?;
        self.connection.query(Sql::build(|sql| {
            sql.keyword("SELECT ");
            for (index, column) in columns.iter().enumerate() {
                sql.comma(index).keyword("r.").ident(column);
            }
            latest.write(sql.keyword(if columns.is_empty() { "r.* FROM " } else { " FROM " }), &options.filters);
        }))
    }
}

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

    /// Refuses a table without the id columns, and filters on columns that it does not have.
    pub(crate) fn check(&self, feature: &FeatureKey, filters: &[Filter]) -> Result<(), Problem> {
        let missing = |name: &&str| self.table.column(name).is_none();
        let ids: Vec<&str> = self.ids.iter().map(Ident::as_str).filter(missing).collect();
        if !ids.is_empty() {
            let table = self.table.name().name().to_string();
            return Err(Problem::ForeignTable { table, what: ["it has no ", &names(ids)].concat() });
        }
        for filter in filters {
            if let Some(column) = filter.columns().into_iter().find(missing) {
                let (filter, column) = (filter.to_string(), column.to_owned());
                return Err(Problem::FilterColumn { filter, column, feature: feature.clone() });
            }
        }
        Ok(())
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
