//! Deleting rows, so that they come back or not; and whole tables.

use ducklake_sql::{Ident, Sql, all, list, sql};
use metaxy_feature::FeatureKey;

use crate::engine::{Error, now, with_retry};
use crate::features::Features;
use crate::query::{Filter, Latest, check_truncation};
use crate::table::{Listing, Table, id_columns, inlining};

/// How rows are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deletion {
    /// They are marked, and a later write of the same ids brings them back.
    #[default]
    Soft,
    /// They are gone, with the older rows of the same ids and version.
    Hard,
}

/// The rows of one version, or of each.
fn latest_of<'t>(table: &'t Table, ids: &'t [Ident], version: Option<&'t str>) -> Latest<'t> {
    version.map_or_else(|| Latest::of_each(table, ids), |version| Latest::of(table, ids, version))
}

impl Features<'_> {
    /// Deletes the rows of a feature's current version that meet all the filters; without filters, all of them.
    ///
    /// Filters look at the latest row of each id. The number of rows that were marked or removed.
    ///
    /// ```no_run
    /// use metaxy_store_duckdb::{Deletion, Features};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let features: Features<'_> = unreachable!();
    /// features.delete(&"video".parse()?, &["size = 0".parse()?], Deletion::Soft)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the feature has no table, a filter does not fit it, or the lake cannot be written.
    pub fn delete(&self, key: &FeatureKey, filters: &[Filter], deletion: Deletion) -> Result<usize, Error> {
        let deleted = self.delete_of(key, Some(self.feature_version(key)?), filters, deletion);
        deleted.map_err(|error| error.in_operation("deleting from", key.as_str()))
    }

    /// Deletes rows as [`delete`](Self::delete) does, of every version of the feature.
    ///
    /// Filters look at the latest row of each id and version. This is Python's `with_feature_history`, which marks the
    /// latest version of an id only.
    ///
    /// # Errors
    ///
    /// As for [`delete`](Self::delete).
    pub fn delete_history(&self, key: &FeatureKey, filters: &[Filter], deletion: Deletion) -> Result<usize, Error> {
        self.delete_of(key, None, filters, deletion).map_err(|error| error.in_operation("deleting from", key.as_str()))
    }

    /// Deletes rows of one version, or of every.
    fn delete_of(
        &self,
        key: &FeatureKey,
        version: Option<&str>,
        filters: &[Filter],
        deletion: Deletion,
    ) -> Result<usize, Error> {
        self.must_write()?;
        let ids = id_columns(self.definition(key)?.spec())?;
        let prepare = || {
            let listing = Listing::new(self.connection);
            let table = self.table(key, &listing)?;
            if version.is_some() {
                check_truncation(&table, self.hashing)?;
            }
            let latest = latest_of(&table, &ids, version);
            latest.check(self.connection, key, filters)?;
            let needs_file = inlining::would_lose(&listing, table.columns(), &latest.rows(filters))?;
            Ok((table, needs_file))
        };
        with_retry(self.connection, prepare, |(table, needs_file)| {
            let latest = latest_of(&table, &ids, version);
            match deletion {
                Deletion::Soft if needs_file => {
                    inlining::without(self.connection, || self.mark_deleted(&table, latest, filters))
                }
                Deletion::Soft => self.mark_deleted(&table, latest, filters),
                Deletion::Hard => self.remove(&table, latest, filters),
            }
        })
    }

    fn mark_deleted(&self, table: &Table, latest: Latest<'_>, filters: &[Filter]) -> Result<usize, Error> {
        self.connection.run(&sql!(
            "INSERT INTO {table} BY NAME
             SELECT r.* REPLACE ({now} AS metaxy_deleted_at, CAST(NULL AS VARCHAR) AS metaxy_materialization_id)
             FROM {rows}",
            table = table.name(),
            now = table.time("metaxy_deleted_at", now()),
            rows = latest.rows(filters),
        ))
    }

    fn remove(&self, table: &Table, latest: Latest<'_>, filters: &[Filter]) -> Result<usize, Error> {
        let id = |alias: Sql| {
            let ids = list(latest.ids.iter().map(|id| sql!("{id}: {alias}.{id}", id, alias)));
            let version =
                latest.per_version.then(|| sql!("metaxy_feature_version: {alias}.metaxy_feature_version", alias));
            sql!("{{{ids}, {version}}}", ids, version = list(version))
        };
        // An older row must not come to light in the place of the one that is deleted.
        self.connection.execute(sql!(
            "DELETE FROM {table} AS d WHERE {version} AND {deleted} IN (SELECT {row} FROM {rows})",
            table = table.name(),
            version = all(latest.version_of("d")),
            deleted = id(sql!("d")),
            row = id(sql!("r")),
            rows = Latest { deleted: true, ..latest }.rows(filters),
        ))
    }

    /// Drops the table of a feature, with the rows of every version.
    ///
    /// # Errors
    ///
    /// When there is none, or the lake cannot be written.
    pub fn drop_table(&self, key: &FeatureKey) -> Result<(), Error> {
        self.must_write()?;
        self.definition(key)?;
        let name = self.table_name(key)?;
        let prepare = || {
            let exists = Listing::new(self.connection).has(&name)?;
            if exists { Ok(()) } else { Err(Self::missing_table(key, &name, false)) }
        };
        let dropped = with_retry(self.connection, prepare, |()| {
            self.connection.execute(sql!("DROP TABLE {table}", table = name))?;
            Ok(())
        });
        dropped.map_err(|error| error.in_operation("dropping the table of", key.as_str()))
    }
}
