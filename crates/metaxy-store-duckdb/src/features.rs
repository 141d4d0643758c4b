//! The features of a graph in the lake of a store: what every operation on them starts from.
//!
//! Tables, columns, versions and hashes are those of Python Metaxy 0.1.11, so both share a lake. A write is one
//! transaction and checks its rows before anything in the lake is touched; SQL comes from the one writer.

use ducklake_sql::{Ident, Mode};
use metaxy_config::{Config, HashAlgorithm};
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey, GraphVersions, ProjectName, Truncation};

use crate::engine::{Connection, Error};
use crate::lake::{Secondary, Store};
use crate::query::{Hashing, check_records};
use crate::table::{At, Listing, Problem, Table, TableName, names};

/// How the features of a lake are kept; `FeatureOptions::new()` and what is to be otherwise.
///
/// ```
/// use metaxy_config::HashAlgorithm;
/// use metaxy_store_duckdb::FeatureOptions;
///
/// let options = FeatureOptions::new().hash_algorithm(HashAlgorithm::Md5).table_prefix("demo_");
/// assert_eq!(options.prefix(), "demo_");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureOptions {
    pub(crate) hash_algorithm: HashAlgorithm,
    pub(crate) truncation: Truncation,
    pub(crate) project: Option<ProjectName>,
    pub(crate) table_prefix: String,
    pub(crate) create_tables: bool,
    pub(crate) maps: bool,
}

impl FeatureOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What rows are hashed with.
    pub fn hash_algorithm(mut self, hash_algorithm: HashAlgorithm) -> Self {
        self.hash_algorithm = hash_algorithm;
        self
    }

    /// How many characters of a hash and of a version are kept.
    pub fn truncation(mut self, truncation: Truncation) -> Self {
        self.truncation = truncation;
        self
    }

    /// The project whose version rows are marked with; that of each feature if `None`.
    pub fn project(mut self, project: impl Into<Option<ProjectName>>) -> Self {
        self.project = project.into();
        self
    }

    /// What the names of feature tables begin with.
    pub fn table_prefix(mut self, table_prefix: impl Into<String>) -> Self {
        self.table_prefix = table_prefix.into();
        self
    }

    /// Whether a write makes a table that is missing.
    pub fn create_tables(mut self, create_tables: bool) -> Self {
        self.create_tables = create_tables;
        self
    }

    /// Whether a new table keeps the versions of fields in maps; in structs otherwise.
    pub fn maps(mut self, maps: bool) -> Self {
        self.maps = maps;
        self
    }
}

/// xxhash32 cut to 8 characters, no prefix, tables made when they are missing.
impl Default for FeatureOptions {
    fn default() -> Self {
        Self {
            hash_algorithm: HashAlgorithm::default(),
            truncation: Truncation::default(),
            project: None,
            table_prefix: String::new(),
            create_tables: true,
            maps: false,
        }
    }
}

impl FeatureOptions {
    /// What the names of feature tables begin with, as it was set.
    pub fn prefix(&self) -> &str {
        &self.table_prefix
    }

    /// What the configuration says for the store of this name.
    ///
    /// # Errors
    ///
    /// When the store is not configured, or its configuration has errors.
    pub fn from_config(config: &Config, store: &str) -> Result<Self, Error> {
        let store = config.store(store)?;
        Ok(Self {
            hash_algorithm: store.hash_algorithm,
            truncation: config.hash_truncation_length,
            project: config.project.clone(),
            table_prefix: store.table_prefix.clone(),
            create_tables: store.auto_create_tables,
            maps: config.enable_map_datatype,
        })
    }
}

/// The features of a graph in the lake of a store; see [`Store::features`].
#[derive(Debug)]
pub struct Features<'s> {
    pub(crate) connection: &'s Connection,
    pub(crate) mode: Mode,
    pub(crate) alias: Ident,
    /// The lakes of other stores that can be read.
    pub(crate) secondaries: &'s [Secondary],
    pub(crate) graph: &'s FeatureGraph,
    pub(crate) versions: GraphVersions<'s>,
    pub(crate) hashing: Hashing,
    pub(crate) options: FeatureOptions,
}

impl Store {
    /// The features of a graph in this lake.
    ///
    /// ```no_run
    /// use metaxy_feature::{FeatureDefinition, FeatureGraph};
    /// use metaxy_store_duckdb::{FeatureOptions, ReadOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store: metaxy_store_duckdb::Store = unreachable!();
    /// let text = "[[feature]]\nkey = 'video'\nid_columns = ['id']";
    /// let graph = FeatureGraph::new(FeatureDefinition::from_toml(text, &"demo".parse()?)?)?;
    /// let features = store.features(&graph, FeatureOptions::new())?;
    /// for batch in features.read(&"video".parse()?, &ReadOptions::new())? {
    ///     println!("{} rows", batch?.num_rows());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the hash algorithm is none that rows can be hashed with, DuckDB refuses its function, or its
    /// `default_collation` takes texts that differ for the same.
    pub fn features<'s>(&'s self, graph: &'s FeatureGraph, options: FeatureOptions) -> Result<Features<'s>, Error> {
        let plan = self.plan();
        Features::new(self.connection(), (plan.mode(), plan.alias()), self.secondaries(), graph, options)
    }
}

impl<'s> Features<'s> {
    /// The features of a graph in the lake that a connection has attached so, with this alias.
    pub(crate) fn new(
        connection: &'s Connection,
        (mode, alias): (Mode, &Ident),
        secondaries: &'s [Secondary],
        graph: &'s FeatureGraph,
        options: FeatureOptions,
    ) -> Result<Self, Error> {
        let hashing = Hashing::new(options.hash_algorithm, options.truncation)?;
        check_collation(connection)?;
        connection.register(
            Hashing::whole()
                .chain([hashing])
                .map(|hashing| (hashing.function(), move |instance: &_| hashing.register(instance))),
        )?;
        let (alias, versions) = (alias.clone(), graph.versions(options.truncation));
        Ok(Self { connection, mode, alias, secondaries, graph, versions, hashing, options })
    }

    /// The same features, looked at through another connection.
    pub(crate) fn on<'c>(&self, connection: &'c Connection) -> Features<'c>
    where
        's: 'c,
    {
        let (mode, alias, options) = (self.mode, self.alias.clone(), self.options.clone());
        let (secondaries, graph, versions, hashing) =
            (self.secondaries, self.graph, self.versions.clone(), self.hashing);
        Features { connection, mode, alias, secondaries, graph, versions, hashing, options }
    }

    /// The graph.
    pub fn graph(&self) -> &'s FeatureGraph {
        self.graph
    }

    /// The versions of the graph's features.
    pub fn versions(&self) -> &GraphVersions<'s> {
        &self.versions
    }

    pub(crate) fn definition(&self, key: &FeatureKey) -> Result<&'s FeatureDefinition, Error> {
        self.graph.get(key).ok_or_else(|| self.unknown(key))
    }

    pub(crate) fn unknown(&self, key: &FeatureKey) -> Error {
        let known = names(self.graph.iter().map(|definition| definition.key().as_str()));
        Problem::UnknownFeature { key: key.clone(), known }.into()
    }

    pub(crate) fn feature_version(&self, key: &FeatureKey) -> Result<&str, Error> {
        let versions = self.versions.get(key).ok_or_else(|| self.unknown(key))?;
        Ok(versions.feature.as_str())
    }

    pub(crate) fn project_version(&self, definition: &FeatureDefinition) -> String {
        let project = self.options.project.as_ref().unwrap_or_else(|| definition.project());
        self.versions.project(project).to_string()
    }

    pub(crate) fn table_name(&self, key: &FeatureKey) -> Result<TableName, Error> {
        Ok(TableName::of(key, &self.alias, &self.options.table_prefix)?)
    }

    /// The table of a feature in the store itself; an error if it is missing.
    pub(crate) fn table(&self, key: &FeatureKey, listing: &Listing<'_>) -> Result<Table, Error> {
        let name = self.table_name(key)?;
        let found = Table::find(listing, &name, At::Now)?;
        found.ok_or_else(|| Self::missing_table(key, &name, false))
    }

    /// The table of a feature in the store, or else in the first of its fallback stores that has it; looked at when
    /// `at` says for that lake.
    pub(crate) fn find_table(
        &self,
        key: &FeatureKey,
        own_only: bool,
        listing: &Listing<'_>,
        mut at: impl FnMut(&Ident) -> Result<At, Error>,
    ) -> Result<Option<Table>, Error> {
        let own = Table::find(listing, &self.table_name(key)?, at(&self.alias)?)?;
        if own.is_some() {
            return Ok(own);
        }
        for secondary in self.fallbacks(own_only) {
            let alias = secondary.plan.alias();
            let name = TableName::of(key, alias, &secondary.table_prefix)?;
            if let Some(found) = Table::find(listing, &name, at(alias)?)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    pub(crate) fn fallbacks(&self, own_only: bool) -> impl Iterator<Item = &'s Secondary> {
        self.secondaries.iter().filter(move |secondary| secondary.is_fallback && !own_only)
    }

    /// The same; an error if it is nowhere.
    pub(crate) fn table_or_fallback(
        &self,
        key: &FeatureKey,
        own_only: bool,
        listing: &Listing<'_>,
        at: impl FnMut(&Ident) -> Result<At, Error>,
    ) -> Result<Table, Error> {
        let found = self.find_table(key, own_only, listing, at)?;
        let and_fallbacks = self.fallbacks(own_only).next().is_some();
        let name = self.table_name(key)?;
        found.ok_or_else(|| Self::missing_table(key, &name, and_fallbacks))
    }

    pub(crate) fn missing_table(key: &FeatureKey, name: &TableName, and_fallbacks: bool) -> Error {
        let (feature, table) = (key.clone(), name.name().to_string());
        Problem::MissingTable { feature, table, and_fallbacks }.into()
    }

    /// Refuses a lake that has a table of the graph with another hash.
    pub(crate) fn check_records(&self, listing: &Listing<'_>) -> Result<(), Error> {
        let tables = self.graph.iter().map(|definition| self.table_name(definition.key()));
        check_records(listing, &tables.collect::<Result<Vec<_>, _>>()?, self.hashing)
    }

    pub(crate) fn must_write(&self) -> Result<(), Error> {
        if self.mode == Mode::Write { Ok(()) } else { Err(Problem::ReadMode.into()) }
    }
}

/// Refuses a collation by which two ids would be one: all rows but the latest of them would be hidden.
fn check_collation(connection: &Connection) -> Result<(), Error> {
    // By its full name: for another one, DuckDB would look in the lake, in a transaction of its own.
    let collation: Option<String> =
        connection.query_value("SELECT system.main.current_setting('default_collation')")?;
    let collation = collation.unwrap_or_default();
    // All of these compare bytes.
    let is_exact = ["", "binary", "c", "posix"].iter().any(|exact| collation.eq_ignore_ascii_case(exact));
    if is_exact { Ok(()) } else { Err(Problem::Collation(collation).into()) }
}
