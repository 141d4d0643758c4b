//! How a feature stands: its rows, and how many there are to make.

use metaxy_feature::{FeatureKey, FeatureSpec};

use crate::engine::{Error, in_transaction};
use crate::features::Features;
use crate::increment::ResolveOptions;
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
        let mut found = self.statuses([(key, options)])?;
        found.pop().unwrap_or_else(|| Err(self.unknown(key)))
    }

    /// The same for several features at one snapshot of the lake, whose tables are listed once; in the order of the
    /// features. What cannot be told of one feature is an error of its own; after one of the engine's, those that follow
    /// are looked at in a transaction of their own.
    ///
    /// ```no_run
    /// use metaxy_store_duckdb::{Features, ResolveOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let features: Features<'_> = unreachable!();
    /// let options = ResolveOptions::default();
    /// let keys: Vec<_> = features.graph().iter().map(|definition| definition.key()).collect();
    /// for (key, status) in keys.iter().zip(features.statuses(keys.iter().map(|key| (*key, &options)))?) {
    ///     println!("{key} is to be updated: {}", status?.needs_update());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When no transaction can be begun or ended.
    pub fn statuses<'k>(
        &self,
        of: impl IntoIterator<Item = (&'k FeatureKey, &'k ResolveOptions)>,
    ) -> Result<Vec<Result<FeatureStatus, Error>>, Error> {
        let connection = self.connection.elsewhere()?;
        let here = self.on(&connection);
        let (mut waiting, mut found) = (of.into_iter().peekable(), Vec::new());
        // What the engine refuses may end the transaction: what follows is looked at in another one.
        while waiting.peek().is_some() {
            let mut is_of_feature = false;
            let ended = in_transaction(&connection, || {
                let snapshots = Snapshots::new(&connection);
                for (key, options) in waiting.by_ref() {
                    let status = here.status_in(key, options, &snapshots);
                    match status.map_err(|error| error.in_operation("comparing", key.as_str())) {
                        Err(error) if error.is_query() => {
                            is_of_feature = true;
                            return Err(error);
                        }
                        status => found.push(status),
                    }
                }
                Ok(())
            });
            match ended {
                Err(error) if is_of_feature => found.push(Err(error)),
                ended => ended?,
            }
        }
        Ok(found)
    }

    /// The status of a feature, in a transaction that has begun.
    fn status_in(
        &self,
        key: &FeatureKey,
        options: &ResolveOptions,
        snapshots: &Snapshots<'_>,
    ) -> Result<FeatureStatus, Error> {
        let spec = self.definition(key)?.spec();
        let version = self.feature_version(key)?.to_owned();
        if spec.deps().is_empty() {
            return Ok(FeatureStatus { version, rows: self.count_rows(spec, options, snapshots)?, update: None });
        }
        let comparison = self.compare(self.plan(key)?, options, snapshots)?;
        let [new, stale, orphaned] = comparison.count(self.connection)?;
        let rows = match comparison.count_present(self.connection)? {
            Some(rows) => Some(rows),
            None => self.count_rows(spec, options, snapshots)?,
        };
        Ok(FeatureStatus { version, rows, update: Some(UpdateCounts { new, stale, orphaned }) })
    }

    /// Counts the rows of a feature, in the store or else in the fallback store that has its table.
    fn count_rows(
        &self,
        spec: &FeatureSpec,
        options: &ResolveOptions,
        snapshots: &Snapshots<'_>,
    ) -> Result<Option<usize>, Error> {
        let key = spec.key();
        let Some(table) = self.find_table(key, options.own_only, snapshots.listing(), |lake| snapshots.of(lake))?
        else {
            return Ok(None);
        };
        check_hash(&table, self.connection, self.hashing, &members(spec)?)?;
        let ids = id_columns(spec)?;
        let latest = Latest::of(&table, &ids, self.feature_version(key)?);
        let filters = options.filters_of(key);
        latest.check(self.connection, key, &filters)?;
        let duplicate_ids = latest.duplicate_ids(self.connection)?;
        latest.count(self.connection, duplicate_ids.as_ref(), &filters).map(Some)
    }
}
