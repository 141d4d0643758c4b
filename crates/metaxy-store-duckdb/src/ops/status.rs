//! How a feature stands: its rows, and how many there are to make.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ducklake_sql::{AttachPlan, CatalogKind, Ident};
use metaxy_feature::{FeatureKey, FeatureSpec};
use tracing::{Span, dispatcher};

use crate::engine::{Connection, Error, ProgressUnit, in_transaction};
use crate::features::Features;
use crate::increment::ResolveOptions;
use crate::query::{Latest, Snapshots, TakenSnapshots, check_hash};
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

/// A feature to look at, and how.
type Wanted<'k> = (&'k FeatureKey, &'k ResolveOptions);

/// The status of a feature, and its place among those that were asked for.
type Numbered = (usize, Result<FeatureStatus, Error>);

/// From so many features on, a further connection is worth it: it looks into the catalog once more.
const FEATURES_PER_CONNECTION: usize = 16;

/// The most connections that one command has.
const MOST_CONNECTIONS: usize = 4;

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
    /// are looked at in a transaction of their own. Many are looked at by several connections, as many as DuckDB has
    /// threads but four at most, where the lake has snapshots.
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
        let wanted: Vec<_> = of.into_iter().collect();
        let connection = self.connection.elsewhere()?;
        let next = AtomicUsize::new(0);
        let others = self.further_connections(&connection, wanted.len())?;
        let mut found = if others.is_empty() {
            self.on(&connection).next_statuses(&wanted, &next, None)?
        } else {
            self.statuses_by(connection, others, &wanted, &next)?
        };
        found.sort_unstable_by_key(|(at, _)| *at);
        Ok(found.into_iter().map(|(_, status)| status).collect())
    }

    /// Connections beside this one by which so many features are looked at in less time.
    fn further_connections(&self, connection: &Connection, features: usize) -> Result<Vec<Connection>, Error> {
        let lakes = self.lakes();
        // Without snapshots, each would see tables at a time of its own.
        let see_the_same = connection.is_local() && lakes.iter().all(|lake| connection.is_lake(lake));
        let useful = features / FEATURES_PER_CONNECTION;
        if !see_the_same || useful < 2 {
            return Ok(Vec::new());
        }
        let is_remote =
            |lake: &&Ident| connection.plan_of(lake).and_then(AttachPlan::catalog) == Some(CatalogKind::Postgres);
        let most = if lakes.iter().any(is_remote) {
            // Most of the time, its server is waited for.
            MOST_CONNECTIONS
        } else {
            let threads: i64 =
                connection.query_value("SELECT CAST(system.main.current_setting('threads') AS BIGINT)")?;
            usize::try_from(threads).unwrap_or(1).min(MOST_CONNECTIONS)
        };
        (1..useful.min(most)).map(|_| self.connection.elsewhere()).collect()
    }

    /// The lakes whose tables may be looked at.
    fn lakes(&self) -> Vec<&Ident> {
        self.fallbacks(false).map(|secondary| secondary.plan.alias()).chain([&self.alias]).collect()
    }

    /// Looks at features by several connections at the same snapshots.
    fn statuses_by(
        &self,
        connection: Connection,
        others: Vec<Connection>,
        wanted: &[Wanted<'_>],
        next: &AtomicUsize,
    ) -> Result<Vec<Numbered>, Error> {
        let taken = in_transaction(&connection, || Snapshots::new(&connection).take(&self.lakes()))?;
        let Features { mode, alias, secondaries, graph, versions, hashing, options, .. } = self;
        let (dispatch, span) = (dispatcher::get_default(Clone::clone), Span::current());
        let look = |connection: Connection| {
            let features = Features {
                connection: &connection,
                mode: *mode,
                alias: alias.clone(),
                secondaries,
                graph,
                versions: versions.clone(),
                hashing: *hashing,
                options: options.clone(),
            };
            features.next_statuses(wanted, next, Some(&taken))
        };
        thread::scope(|scope| {
            let start = |other| {
                let (look, dispatch, span) = (&look, &dispatch, &span);
                scope.spawn(move || dispatcher::with_default(dispatch, || span.in_scope(|| look(other))))
            };
            let others: Vec<_> = others.into_iter().map(start).collect();
            let own = look(connection);
            let others = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            others.fold(own, |all, found| all.and_then(|mut all| found.map(|found| all.extend(found)).map(|()| all)))
        })
    }

    /// Looks at features as long as there are any that nobody has begun with.
    fn next_statuses(
        &self,
        wanted: &[Wanted<'_>],
        next: &AtomicUsize,
        taken: Option<&TakenSnapshots>,
    ) -> Result<Vec<Numbered>, Error> {
        let mut found = Vec::new();
        // What the engine refuses may end the transaction: what follows is looked at in another one.
        while next.load(Ordering::Relaxed) < wanted.len() {
            let mut refused = None;
            let ended = in_transaction(self.connection, || {
                let snapshots = match taken {
                    Some(taken) => Snapshots::from_taken(self.connection, taken.clone()),
                    None => Snapshots::new(self.connection),
                };
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((key, options)) = wanted.get(at) else { return Ok(()) };
                    self.connection.reporter().report(at, wanted.len(), ProgressUnit::Features);
                    let status = self.status_in(key, options, &snapshots);
                    match status.map_err(|error| error.in_operation("comparing", key.as_str())) {
                        Err(error) if error.is_query() => {
                            refused = Some(at);
                            return Err(error);
                        }
                        status => found.push((at, status)),
                    }
                }
            });
            match (ended, refused) {
                (Err(error), Some(at)) => found.push((at, Err(error))),
                (ended, _) => ended?,
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
        let ([new, stale, orphaned], present) = comparison.count(self.connection)?;
        let rows = match present {
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
