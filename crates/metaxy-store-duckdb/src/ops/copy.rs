//! Copying rows from the lake of another store, all features in one transaction.

use std::collections::BTreeMap;

use ducklake_sql::{Ident, Sql, bind, columns, list, sql};
use metaxy_feature::FeatureKey;

use super::read::Versions;
use crate::engine::{Connection, Error, ProgressUnit, now, with_retry};
use crate::features::Features;
use crate::query::{Filter, Latest, check_hash};
use crate::table::{
    At, BY_FIELD, ByField, Listing, NamedColumn, Problem, Table, TableName, id_columns, ident, inlining, members,
    names, text_or_null,
};

/// Which rows to copy; `CopyOptions::new()` and what is to be otherwise.
///
/// ```
/// use metaxy_store_duckdb::{CopyOptions, Versions};
///
/// let latest_of_each_version = CopyOptions::new().versions(Versions::Each).add_columns(true);
/// ```
#[derive(Debug, Clone)]
pub struct CopyOptions {
    pub(crate) filters: BTreeMap<FeatureKey, Vec<Filter>>,
    pub(crate) global_filters: Vec<Filter>,
    pub(crate) versions: Versions,
    pub(crate) all_rows: bool,
    pub(crate) add_columns: bool,
    pub(crate) materialization_id: Option<String>,
    pub(crate) dry_run: bool,
}

impl CopyOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Conditions on the rows of single features, by their stored columns.
    pub fn filters(mut self, feature: FeatureKey, filters: impl IntoIterator<Item = Filter>) -> Self {
        self.filters.entry(feature).or_default().extend(filters);
        self
    }

    /// Conditions on the rows of every feature.
    pub fn global_filters(mut self, filters: impl IntoIterator<Item = Filter>) -> Self {
        self.global_filters.extend(filters);
        self
    }

    /// Which versions of the features: of each id the latest row of any version, unless set. That is Python's default
    /// too; [`Versions::Each`] copies the latest row of every version.
    pub fn versions(mut self, versions: Versions) -> Self {
        self.versions = versions;
        self
    }

    /// Whether to copy every row that was ever written for an id, deletions among them, not just the latest.
    pub fn all_rows(mut self, all_rows: bool) -> Self {
        self.all_rows = all_rows;
        self
    }

    /// Whether columns that a table here lacks are added to it; refused otherwise.
    pub fn add_columns(mut self, add_columns: bool) -> Self {
        self.add_columns = add_columns;
        self
    }

    /// The run that copies, kept in `metaxy_materialization_id`.
    pub fn materialization_id(mut self, materialization_id: impl Into<Option<String>>) -> Self {
        self.materialization_id = materialization_id.into();
        self
    }

    /// Whether only to check all that is checked, and to count the rows; a store that is open to read is enough then.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            filters: BTreeMap::new(),
            global_filters: Vec::new(),
            versions: Versions::Any,
            all_rows: false,
            add_columns: false,
            materialization_id: None,
            dry_run: false,
        }
    }
}

/// What was copied; see [`Features::copy`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Copied {
    /// The features that have a table in the other store, and how many rows of each were copied.
    pub rows: BTreeMap<FeatureKey, usize>,
    /// The features that have none there.
    pub missing: Vec<FeatureKey>,
}

/// What is copied of one feature.
struct Source<'f> {
    key: &'f FeatureKey,
    ids: Vec<Ident>,
    version: Option<&'f str>,
    table: Table,
    user_columns: Vec<NamedColumn>,
    /// The fields that its rows have versions of.
    members: Vec<Ident>,
    filters: Vec<Filter>,
    /// The table here and the columns that it lacks; `None` if it is to be made.
    into: Option<(Table, Vec<NamedColumn>)>,
    needs_file: bool,
}

impl Features<'_> {
    /// Copies rows of features from the lake of another store, which was attached with
    /// [`OpenOptions::secondary`](crate::OpenOptions::secondary) or is a fallback store.
    ///
    /// All features are copied in one transaction, or none. Rows keep their versions, of the feature and of the project
    /// too, and the time at which they were made; they are updated now, those of one id in the order that they had.
    ///
    /// ```no_run
    /// use ducklake_sql::Mode;
    /// use metaxy_config::Config;
    /// use metaxy_feature::FeatureGraph;
    /// use metaxy_store_duckdb::{CopyOptions, FeatureOptions, OpenOptions};
    ///
    /// # fn copy(config: &Config, graph: &FeatureGraph) -> Result<(), Box<dyn std::error::Error>> {
    /// let store = OpenOptions::default().secondary("prod").open(config, "dev", Mode::Write)?;
    /// let features = store.features(graph, FeatureOptions::from_config(config, "dev")?)?;
    /// let copied = features.copy("prod", [&"video".parse()?], &CopyOptions::new())?;
    /// println!("{} rows", copied.rows.values().sum::<usize>());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the other store is not attached, a table of either was written with another hash, columns do not fit, a
    /// filter does not, or the lake cannot be written. Nothing is copied then.
    pub fn copy<'k>(
        &self,
        from: &str,
        keys: impl IntoIterator<Item = &'k FeatureKey>,
        options: &CopyOptions,
    ) -> Result<Copied, Error> {
        if !options.dry_run {
            self.must_write()?;
        }
        let mut keys: Vec<&FeatureKey> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        let of = |error: Error, key: &FeatureKey| error.in_operation("copying", key.as_str());
        let prepare = || {
            let listing = Listing::new(self.connection);
            let source = |key| self.source(from, key, options, &listing).map_err(|error| of(error, key));
            keys.iter().map(|key| Ok((*key, source(key)?))).collect::<Result<Vec<_>, Error>>()
        };
        let copied = |sources: Vec<(&FeatureKey, Option<Source<'_>>)>| {
            let mut copied = Copied::default();
            let all = sources.len();
            for (at, (key, source)) in sources.into_iter().enumerate() {
                self.connection.reporter().report(at, all, ProgressUnit::Features);
                match source {
                    None => copied.missing.push(key.clone()),
                    Some(source) => {
                        let rows =
                            if options.dry_run { self.count(&source, options) } else { self.take(&source, options) };
                        copied.rows.insert(key.clone(), rows.map_err(|error| of(error, key))?);
                    }
                }
            }
            Ok(copied)
        };
        if options.dry_run { copied(prepare()?) } else { with_retry(self.connection, prepare, copied) }
    }

    /// Counts the rows of a source.
    fn count(&self, source: &Source<'_>, options: &CopyOptions) -> Result<usize, Error> {
        let rows = source.latest(options).rows(&source.filters);
        let count: i64 = self.connection.query_value(sql!("SELECT count(*) FROM {rows}", rows))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// What there is to copy of a feature; `None` without a table.
    fn source<'f>(
        &'f self,
        from: &str,
        key: &'f FeatureKey,
        options: &'f CopyOptions,
        listing: &Listing<'_>,
    ) -> Result<Option<Source<'f>>, Error> {
        let spec = self.definition(key)?.spec();
        let Some(secondary) = self.secondaries.iter().find(|secondary| secondary.store == from) else {
            let known = names(self.secondaries.iter().map(|secondary| &secondary.store));
            return Err(Problem::NotAttached { store: from.to_owned(), known }.into());
        };
        let name = TableName::of(key, secondary.plan.alias(), &secondary.table_prefix)?;
        let Some(table) = Table::find(listing, &name, At::Now)? else { return Ok(None) };
        let own_members = members(spec)?;
        check_hash(&table, self.connection, self.hashing, &own_members)?;
        let mut filters = options.global_filters.clone();
        filters.extend(options.filters.get(key).into_iter().flatten().cloned());
        let version = match &options.versions {
            Versions::Current => Some(self.feature_version(key)?),
            Versions::One(version) => Some(version.as_str()),
            Versions::Any | Versions::Each => None,
        };
        let user_columns = table.typed_user_columns(key)?;
        let mut source = Source {
            key,
            ids: id_columns(spec)?,
            version,
            user_columns,
            members: own_members,
            filters,
            into: None,
            needs_file: false,
            table,
        };
        source.latest(options).check(self.connection, key, &source.filters)?;
        let further = source.further_members(self.connection, options)?;
        source.members.extend(further);
        source.needs_file =
            inlining::would_lose(listing, source.table.columns(), &source.latest(options).rows(&source.filters))?;
        let own = self.table_name(key)?;
        source.into = match Table::find(listing, &own, At::Now)? {
            Some(into) => {
                check_hash(&into, self.connection, self.hashing, &members(spec)?)?;
                let new = into.new_columns(key, &source.user_columns, options.add_columns)?;
                Some((into, new))
            }
            None if self.options.create_tables => None,
            None => {
                let (feature, table) = (key.clone(), own.name().to_string());
                return Err(Problem::NotCreated { feature, table }.into());
            }
        };
        Ok(Some(source))
    }

    /// Inserts the rows of a source, in a transaction that has begun.
    fn take(&self, source: &Source<'_>, options: &CopyOptions) -> Result<usize, Error> {
        let into = if let Some((table, new)) = &source.into {
            let mut table = table.clone();
            table.grow(self.connection, new, &source.members)?;
            table
        } else {
            let (name, map) = (self.table_name(source.key)?, *source.table.provenance() == ByField::Map);
            let (columns, members) = (&source.user_columns, &source.members);
            Table::create(self.connection, &name, columns, members, map, self.hashing.tag())?
        };
        let insert = source.insert(&into, options);
        let insert = || self.connection.run(&insert);
        if source.needs_file { inlining::without(self.connection, insert) } else { insert() }
    }
}

impl Source<'_> {
    fn latest(&self, options: &CopyOptions) -> Latest<'_> {
        Latest {
            table: &self.table,
            ids: &self.ids,
            version: self.version,
            per_version: options.versions == Versions::Each,
            all_rows: options.all_rows,
            // The whole history of an id includes its end.
            deleted: options.all_rows,
            keys: None,
        }
    }

    /// The fields that rows have versions of, beyond those of the feature as it is now.
    fn further_members(&self, connection: &Connection, options: &CopyOptions) -> Result<Vec<Ident>, Error> {
        let mut further: Vec<Ident> = Vec::new();
        for (column, by_field) in BY_FIELD.into_iter().zip(self.table.by_field()) {
            let found = match by_field {
                ByField::Struct(members) => members.clone(),
                ByField::Map => {
                    let keys: Vec<(Option<String>,)> = connection.query_rows(sql!(
                        "SELECT DISTINCT unnest(map_keys(r.{column})) FROM {rows} ORDER BY 1",
                        column = Sql::fixed(column),
                        rows = self.latest(options).rows(&self.filters),
                    ))?;
                    let keys = keys.into_iter().filter_map(|(key,)| key);
                    keys.map(|key| ident(&key)).collect::<Result<_, _>>()?
                }
            };
            further.extend(found);
        }
        let mut known = self.members.clone();
        further.retain(|member| {
            let is_new = !known.contains(member);
            known.extend(is_new.then(|| member.clone()));
            is_new
        });
        Ok(further)
    }

    fn insert(&self, into: &Table, options: &CopyOptions) -> Sql {
        let by_field = self.table.by_field().iter().zip(into.by_field());
        let by_field = BY_FIELD.into_iter().zip(by_field).map(|(column, (from, into))| {
            let column = Sql::fixed(column);
            match (from, into) {
                (ByField::Struct(_), ByField::Struct(_)) | (ByField::Map, ByField::Map) => sql!("r.{column}", column),
                _ => {
                    let versions = sql!("r.{column}", column);
                    let value = into.value(&self.members, |member| from.member(&versions, member));
                    sql!("CASE WHEN {versions} IS NOT NULL THEN {value} END AS {column}", versions, value, column)
                }
            }
        });
        // Rows of one id follow each other by a microsecond, as they did, so the latest one stays it.
        let order = (options.all_rows || options.versions == Versions::Each).then(|| {
            sql!(
                "+ 1 - row_number() OVER (PARTITION BY {ids} ORDER BY {changed_at} DESC, r.rowid)",
                ids = columns("r", &self.ids),
                changed_at = self.table.changed_at("r"),
            )
        });
        let now = sql!("{now} {order}", now = bind(now()), order);
        let deleted_at = options.all_rows.then(|| {
            let deleted_at = into.micros("metaxy_deleted_at", &now);
            sql!("CASE WHEN r.metaxy_deleted_at IS NOT NULL THEN {deleted_at} END AS metaxy_deleted_at", deleted_at)
        });
        sql!(
            "INSERT INTO {table} BY NAME
             SELECT
                 {user_columns},
                 {by_field},
                 r.metaxy_provenance,
                 r.metaxy_data_version,
                 r.metaxy_feature_version,
                 r.metaxy_project_version,
                 {created_at} AS metaxy_created_at,
                 {updated_at} AS metaxy_updated_at,
                 {deleted_at},
                 {materialization_id} AS metaxy_materialization_id
             FROM {rows}",
            table = into.name(),
            user_columns = columns("r", self.user_columns.iter().map(|(column, _)| column)),
            by_field = list(by_field),
            created_at = into.micros("metaxy_created_at", &sql!("epoch_us(r.metaxy_created_at)")),
            updated_at = into.micros("metaxy_updated_at", &now),
            deleted_at = list(deleted_at),
            materialization_id = text_or_null(options.materialization_id.as_deref()),
            rows = self.latest(options).rows(&self.filters),
        )
    }
}
