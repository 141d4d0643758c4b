//! What is new, stale or orphaned among a feature's rows, found in one pass inside DuckDB.
//!
//! The pass looks at ids, versions of fields and row numbers only, at one snapshot of the lake. What it finds goes into
//! a temporary table; the user's columns are fetched by row number, for the rows that come out.

mod compare;
mod mark;
mod mark_check;
mod pass;
mod rows;
mod upstream;

use std::collections::BTreeMap;

use arrow::record_batch::RecordBatchReader;
use ducklake_sql::Sql;
use metaxy_feature::{FeatureKey, FeaturePlan};

use self::compare::{Expected, Samples};
use self::mark::Basis;
use crate::engine::{Connection, Error, Rows, read_again};
use crate::features::Features;
use crate::query::{Filter, Provenance, Snapshots};
use crate::table::{CheckedRows, Problem, StagingTable, TableName};

pub use self::mark::Marked;
pub use self::mark_check::MarkCheck;
pub use self::pass::{FullPass, Pass};

pub(crate) use self::compare::Comparison;
pub(crate) use self::rows::ExpectedRows;

/// How to look for an update; `ResolveOptions::new()` and what is to be otherwise.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct ResolveOptions {
    pub(crate) filters: BTreeMap<FeatureKey, Vec<Filter>>,
    pub(crate) global_filters: Vec<Filter>,
    pub(crate) stale_if: Vec<Filter>,
    pub(crate) skip_comparison: bool,
    pub(crate) own_only: bool,
    pub(crate) distinct: bool,
    pub(crate) provenance: Option<Provenance>,
    pub(crate) full: bool,
}

impl ResolveOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Conditions on the rows of single features, upstream ones or the feature itself, by their stored columns.
    pub fn filters(mut self, feature: FeatureKey, filters: impl IntoIterator<Item = Filter>) -> Self {
        self.filters.entry(feature).or_default().extend(filters);
        self
    }

    /// Conditions on the rows of every feature that is looked at.
    pub fn global_filters(mut self, filters: impl IntoIterator<Item = Filter>) -> Self {
        self.global_filters.extend(filters);
        self
    }

    /// Conditions on a feature's present rows that make one stale, whatever its versions say.
    pub fn stale_if(mut self, filters: impl IntoIterator<Item = Filter>) -> Self {
        self.stale_if.extend(filters);
        self
    }

    /// Whether to take every row as new, without a look at the feature's present rows.
    pub fn skip_comparison(mut self, skip_comparison: bool) -> Self {
        self.skip_comparison = skip_comparison;
        self
    }

    /// Whether to look for upstream features in the store only, not in its fallback stores.
    pub fn own_only(mut self, own_only: bool) -> Self {
        self.own_only = own_only;
        self
    }

    /// Whether the rows that an aggregation makes one of come out as one: the first by their ids, with the provenance of
    /// all. Otherwise each comes out with it, as in Python.
    pub fn distinct(mut self, distinct: bool) -> Self {
        self.distinct = distinct;
        self
    }

    /// How the versions of fields are made of samples that have none, as when they are
    /// [written](crate::WriteOptions::provenance).
    pub fn provenance(mut self, provenance: impl Into<Option<Provenance>>) -> Self {
        self.provenance = provenance.into();
        self
    }

    /// Whether to compare all rows, whatever was kept of an earlier comparison; see [`Features::mark`].
    pub fn full(mut self, full: bool) -> Self {
        self.full = full;
        self
    }

    /// The conditions on the rows of a feature.
    pub(crate) fn filters_of(&self, key: &FeatureKey) -> Vec<Filter> {
        self.global_filters.iter().chain(self.filters.get(key).into_iter().flatten()).cloned().collect()
    }
}

/// What there is to do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The feature has no row with these ids.
    New,
    /// It has one, made from other versions.
    Stale,
    /// It has one, but upstream there is none any more.
    Orphaned,
}

impl Change {
    /// Every kind of change.
    pub const ALL: [Self; 3] = [Self::New, Self::Stale, Self::Orphaned];

    fn number(self) -> u64 {
        match self {
            Self::New => 0,
            Self::Stale => 1,
            Self::Orphaned => 2,
        }
    }
}

/// What is new, stale and orphaned; see [`Features::resolve_update`].
///
/// It keeps what was found in a connection of its own, so the store can be written while its rows are read.
#[derive(Debug)]
pub struct Increment {
    connection: Connection,
    counts: [usize; 3],
    queries: [Sql; 3],
    pass: Pass,
    /// What was found, and what a mark of it is about.
    found: TableName,
    basis: Result<Basis, FullPass>,
}

impl Increment {
    /// What a comparison finds that is made and run in one transaction.
    fn of<'g>(
        connection: Connection,
        mut compare: impl FnMut(&Connection, &Snapshots<'_>) -> Result<Comparison<'g>, Error>,
    ) -> Result<Self, Error> {
        let (comparison, found, kept) = read_again(&connection, || {
            let snapshots = Snapshots::new(&connection);
            let comparison = compare(&connection, &snapshots)?;
            let found = comparison.find(&connection)?;
            let kept = snapshots.may_change().then(|| comparison.keep(&connection, &found)).transpose()?;
            Ok((comparison, found, kept))
        })?;
        let (counts, queries) = kept.map_or_else(|| comparison.changes(&connection, &found), Ok)?;
        let (pass, basis) = (comparison.pass, comparison.basis);
        Ok(Self { connection, counts, queries, pass, found, basis })
    }

    /// How many rows there are to do this with.
    pub fn count(&self, change: Change) -> usize {
        match change {
            Change::New => self.counts[0],
            Change::Stale => self.counts[1],
            Change::Orphaned => self.counts[2],
        }
    }

    /// Which rows were compared.
    pub fn pass(&self) -> Pass {
        self.pass
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.counts == [0; 3]
    }

    /// The rows, as the engine produces them.
    ///
    /// New and stale ones have the ids, the columns of the upstream features, and the provenance with which to
    /// write them; orphaned ones have the columns of the feature's table.
    ///
    /// # Errors
    ///
    /// When the lake cannot be read.
    pub fn rows(&mut self, change: Change) -> Result<Rows<'_>, Error> {
        let [new, stale, orphaned] = &self.queries;
        let query = match change {
            Change::New => new,
            Change::Stale => stale,
            Change::Orphaned => orphaned,
        };
        self.connection.query(query.clone())
    }
}

impl Features<'_> {
    /// Compares a feature's rows with those of the features it depends on.
    ///
    /// ```no_run
    /// use metaxy_store_duckdb::{Change, Features, ResolveOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let features: Features<'_> = unreachable!();
    /// let mut increment = features.resolve_update(&"video/crop".parse()?, &ResolveOptions::new())?;
    /// println!("{} new, {} stale", increment.count(Change::New), increment.count(Change::Stale));
    /// for batch in increment.rows(Change::Stale)? {
    ///     println!("{} rows", batch?.num_rows());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the feature depends on no other (see [`resolve_samples`](Self::resolve_samples)), an upstream feature has
    /// no table, dependencies share no id column or both have a column, a filter does not fit, or a table was written
    /// with another hash.
    pub fn resolve_update(&self, key: &FeatureKey, options: &ResolveOptions) -> Result<Increment, Error> {
        let compare = |connection: &Connection, snapshots: &Snapshots<'_>| {
            self.on(connection).compare(self.plan(key)?, options, snapshots)
        };
        Increment::of(self.connection.elsewhere()?, compare)
            .map_err(|error| error.in_operation("comparing", key.as_str()))
    }

    /// Compares the rows of a feature that depends on no other with samples: ids, `metaxy_provenance_by_field`, and
    /// what else is to come out with them.
    ///
    /// # Errors
    ///
    /// When the feature depends on others, the samples do not fit it, a filter does not fit, or the table was written
    /// with another hash.
    pub fn resolve_samples(
        &self,
        key: &FeatureKey,
        samples: impl RecordBatchReader,
        options: &ResolveOptions,
    ) -> Result<Increment, Error> {
        self.compare_samples(key, samples, options).map_err(|error| error.in_operation("comparing", key.as_str()))
    }

    fn compare_samples(
        &self,
        key: &FeatureKey,
        samples: impl RecordBatchReader,
        options: &ResolveOptions,
    ) -> Result<Increment, Error> {
        let connection = self.connection.elsewhere()?;
        if !self.plan(key)?.deps.is_empty() {
            return Err(Problem::Samples(key.clone()).into());
        }
        let mut staging = StagingTable::fill(&connection, self.definition(key)?, samples)?;
        if let Some(provenance) = &options.provenance {
            staging = provenance.add(staging, self.hashing)?;
        }
        let (table, columns, by_field) = CheckedRows::check(staging)?.keep();
        let samples = Samples { table, columns, by_field };
        Increment::of(connection, |connection, snapshots| {
            let (plan, samples) = (self.plan(key)?, Expected::Samples(samples.clone()));
            Comparison::new(&self.on(connection), plan, samples, options, snapshots)
        })
    }

    pub(crate) fn plan(&self, key: &FeatureKey) -> Result<FeaturePlan<'_>, Error> {
        self.graph.plan(key).ok_or_else(|| self.unknown(key))
    }

    /// The comparison of a feature's rows with those of the features it depends on, not run yet.
    pub(crate) fn compare<'g>(
        &self,
        plan: FeaturePlan<'g>,
        options: &ResolveOptions,
        snapshots: &Snapshots<'_>,
    ) -> Result<Comparison<'g>, Error> {
        let upstreams = self.upstreams(&plan, options, snapshots)?;
        Comparison::new(self, plan, Expected::Upstream(upstreams), options, snapshots)
    }
}
