//! How a feature stands: its rows, and how many there are to make.

use ducklake_sql::Sql;
use metaxy_feature::FeatureKey;

use super::read::Latest;
use super::repeated::Repeated;
use super::resolve::{Change, ResolveOptions, Snapshots};
use super::transaction::once;
use super::{Features, id_columns};
use crate::error::Error;

/// How a feature stands; see [`Features::status`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureStatus {
    /// The version that the graph gives the feature.
    pub version: String,
    /// The ids that have a row of this version, in the store or else in the fallback store that they are read from; `None`
    /// without a table.
    pub rows: Option<usize>,
    /// What there is to do; `None` for a feature that depends on no other, which only its samples can tell.
    pub update: Option<UpdateCounts>,
}

/// How many rows there are to make, to make again and to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UpdateCounts {
    /// Rows that are new.
    pub new: usize,
    /// Rows that are stale.
    pub stale: usize,
    /// Rows that are orphaned.
    pub orphaned: usize,
}

impl FeatureStatus {
    /// Whether there is anything to do.
    pub fn needs_update(&self) -> bool {
        self.update.is_some_and(|update| update != UpdateCounts::default())
    }
}

impl Features<'_> {
    /// Counts the rows of a feature, and those that an update would make, make again or remove.
    ///
    /// # Errors
    ///
    /// As for [`resolve_update`](Self::resolve_update).
    pub fn status(&self, key: &FeatureKey, options: &ResolveOptions) -> Result<FeatureStatus, Error> {
        let spec = self.definition(key)?.spec();
        let version = self.feature_version(key)?;
        let connection = self.connection.elsewhere()?;
        let rows = once(&connection, || {
            let mut snapshots = Snapshots::new(&connection);
            let table = self.on(&connection).find_table(key, options.own_only, |lake| snapshots.of(lake))?;
            let Some(table) = table else { return Ok(None) };
            let ids = id_columns(spec)?;
            let latest = Latest::of(&table, &ids, version);
            let mut filters = options.global_filters.clone();
            filters.extend(options.filters.get(key).into_iter().flatten().cloned());
            latest.check(key, &filters)?;
            let repeated = Repeated::find_of(&connection, &latest)?;
            let count = connection.number(&Sql::build(|sql| {
                latest.write_narrow(sql.keyword("SELECT count(*) FROM "), &repeated, &filters);
            }))?;
            Ok(Some(usize::try_from(count).unwrap_or_default()))
        })?;
        let update = if spec.deps().is_empty() {
            None
        } else {
            let increment = self.resolve_update(key, options)?;
            let [new, stale, orphaned] = Change::ALL.map(|change| increment.count(change));
            Some(UpdateCounts { new, stale, orphaned })
        };
        Ok(FeatureStatus { version: version.to_owned(), rows, update })
    }
}
