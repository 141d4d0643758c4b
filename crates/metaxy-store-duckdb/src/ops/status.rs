//! How a feature stands: its rows, and how many there are to make.

use metaxy_feature::{FeatureKey, FeatureSpec};

use crate::engine::{Error, in_transaction};
use crate::features::Features;
use crate::increment::{ResolveOptions, count_changes};
use crate::query::{Latest, Snapshots, check_hash};
use crate::table::{id_columns, members};

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
        let (rows, update) = in_transaction(&connection, || {
            let here = self.on(&connection);
            let mut snapshots = Snapshots::new(&connection);
            if spec.deps().is_empty() {
                return Ok((here.count_rows(spec, options, &mut snapshots)?, None));
            }
            let (comparison, found) = here.compare(self.plan(key)?, options, &mut snapshots)?;
            let [new, stale, orphaned] = count_changes(&connection, &found)?;
            let rows = match comparison.count_present(&connection)? {
                Some(rows) => Some(rows),
                None => here.count_rows(spec, options, &mut snapshots)?,
            };
            Ok((rows, Some(UpdateCounts { new, stale, orphaned })))
        })
        .map_err(|error| error.in_operation("comparing", key.as_str()))?;
        Ok(FeatureStatus { version: version.to_owned(), rows, update })
    }
    /// Counts the rows of a feature, in the store or else in the fallback store that has its table.
    fn count_rows(
        &self,
        spec: &FeatureSpec,
        options: &ResolveOptions,
        snapshots: &mut Snapshots<'_>,
    ) -> Result<Option<usize>, Error> {
        let key = spec.key();
        let Some(table) = self.find_table(key, options.own_only, |lake| snapshots.of(lake))? else { return Ok(None) };
        check_hash(&table, self.connection, self.hashing, &members(spec)?)?;
        let ids = id_columns(spec)?;
        let latest = Latest::of(&table, &ids, self.feature_version(key)?);
        let filters = options.filters_of(key);
        latest.check(self.connection, key, &filters)?;
        let duplicate_ids = latest.duplicate_ids(self.connection)?;
        latest.count(self.connection, duplicate_ids.as_ref(), &filters).map(Some)
    }
}
