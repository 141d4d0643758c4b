//! Reading rows: of each id the latest, of the feature's current version, unless asked for more.

use std::fmt;

use ducklake_sql::{Ident, Sql, StringLiteral, sql};
use metaxy_feature::{Column, FeatureKey};

use crate::engine::{Error, Rows, read_together};
use crate::features::Features;
use crate::query::{Filter, Latest, check_truncation};
use crate::table::{At, Listing, Problem, Table, id_columns, ident, names};

/// Which rows and columns to read; `ReadOptions::new()` and what is to be otherwise.
///
/// ```
/// use metaxy_store_duckdb::ReadOptions;
///
/// let english = ReadOptions::new().filters(vec!["lang = 'en'".parse()?]);
/// # Ok::<(), metaxy_store_duckdb::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    pub(crate) columns: Option<Vec<Column>>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) versions: Versions,
    pub(crate) all_rows: bool,
    pub(crate) deleted: bool,
    pub(crate) at: Snapshot,
    pub(crate) own_only: bool,
}

impl ReadOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The columns, in this order; all of them if `None`.
    pub fn columns(mut self, columns: impl Into<Option<Vec<Column>>>) -> Self {
        self.columns = columns.into();
        self
    }

    /// Conditions on the rows that are left.
    pub fn filters(mut self, filters: impl IntoIterator<Item = Filter>) -> Self {
        self.filters.extend(filters);
        self
    }

    /// Which versions of the feature.
    pub fn versions(mut self, versions: Versions) -> Self {
        self.versions = versions;
        self
    }

    /// Whether to read every row that was ever written for an id, not just the latest.
    pub fn all_rows(mut self, all_rows: bool) -> Self {
        self.all_rows = all_rows;
        self
    }

    /// Whether to read rows that were deleted softly.
    pub fn deleted(mut self, deleted: bool) -> Self {
        self.deleted = deleted;
        self
    }

    /// The lake as it was at another time.
    pub fn at(mut self, at: Snapshot) -> Self {
        self.at = at;
        self
    }

    /// Whether to look in the store only, not in its fallback stores when it has no table of the feature. A lake as it
    /// was at another time always is the store's own.
    pub fn own_only(mut self, own_only: bool) -> Self {
        self.own_only = own_only;
        self
    }
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

impl Snapshot {
    fn at(&self) -> Result<At, Problem> {
        Ok(match self {
            Self::Latest => At::Now,
            Self::Number(number) => At::Snapshot(*number),
            Self::Time(time) => {
                At::Time(StringLiteral::new(time.as_str()).map_err(|_| Problem::UnknownSnapshot(time.clone()))?)
            }
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
        let query = read_together(self.connection, || self.query_of(key, options))?;
        self.connection.query(query).map_err(|error| error.in_operation("reading", key.as_str()))
    }

    /// The query of the rows to read.
    fn query_of(&self, key: &FeatureKey, options: &ReadOptions) -> Result<Sql, Error> {
        let definition = self.definition(key)?;
        let table = match options.at.at()? {
            At::Now => {
                self.table_or_fallback(key, options.own_only, &Listing::new(self.connection), |_| Ok(At::Now))?
            }
            _ if !self.connection.is_lake(&self.alias) => return Err(Problem::NoSnapshots.into()),
            // It may have been dropped since.
            at => Table::find_then(self.connection, &self.table_name(key)?, at).map_err(|error| {
                if !error.is_query() {
                    return error;
                }
                let what = error.into_engine_error().reason().to_owned();
                Problem::NotThen { at: options.at.to_string(), what }.into()
            })?,
        };
        let ids = id_columns(definition.spec())?;
        let version = match &options.versions {
            Versions::Current => {
                check_truncation(&table, self.hashing)?;
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
            keys: None,
        };
        latest.check(self.connection, key, &options.filters)?;
        let rows = latest.rows(&options.filters);
        Ok(if columns.is_empty() {
            sql!("SELECT r.* FROM {rows}", rows)
        } else {
            sql!("SELECT {columns} FROM {rows}", columns = ducklake_sql::columns("r", &columns), rows)
        })
    }
}
