//! Reading rows: of each id the latest, of the feature's current version, unless asked for more.

use std::fmt;

use ducklake_sql::{Ident, Sql, Text, Value, Writer};
use metaxy_feature::{Column, FeatureKey};

use super::filter::Filter;
use super::names::ident;
use super::problem::{Problem, names};
use super::repeated::Repeated;
use super::stage::columns_of;
use super::table::{At, Listed, Table};
use super::types::{ColumnType, Simple, TEXT};
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

/// As it is written where a person gives it.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.pad("latest"),
            Self::Number(number) => number.fmt(f),
            Self::Time(time) => f.pad(time),
        }
    }
}

/// What the engine says, without its kind of error and the statement.
fn said(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.rsplit_once(" Error: ").map_or(line, |(_, said)| said).to_owned()
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
            at => Table::look(self.connection, &self.table_name(key)?, at, Listed::default()).map_err(|error| {
                let not_then = || Problem::NotThen { at: options.at.to_string(), what: said(&error.to_string()) };
                if error.is_query() { not_then().into() } else { error }
            })?,
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
            let (feature, columns) = (key.clone(), names(unknown));
            let known = names(table.user_columns().map(Ident::as_str));
            return Err(Problem::NoSuchColumns { feature, columns, known }.into());
        }
        let latest = Latest {
            table: &table,
            ids: &ids,
            version,
            per_version: options.versions == Versions::Each,
            all_rows: options.all_rows,
            deleted: options.deleted,
        };
        latest.check(self.connection, key, &options.filters)?;
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
        tried.map(drop).map_err(|message| said(&message))
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
