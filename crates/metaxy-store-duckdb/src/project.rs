//! A project: a store of the configuration that is open, and the graph of features to look for in it.

use ducklake_sql::Mode;
use metaxy_config::Config;
use metaxy_feature::FeatureGraph;

use crate::engine::{Connection, Error};
use crate::external::in_step;
use crate::features::{FeatureOptions, Features};
use crate::lake::{OpenOptions, Secondary, Store};
use crate::registry::load_graph;
use crate::table::Problem;

/// How to open a project.
#[derive(Debug, Clone)]
pub struct ProjectOptions {
    mode: Mode,
    open: OpenOptions,
    source: GraphSource,
    sync: Option<bool>,
    locked: Option<bool>,
}

/// Where the graph of a project comes from.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum GraphSource {
    /// The program has it, for example from feature files.
    Given(FeatureGraph),
    /// The features as they were pushed last to the store that is opened.
    #[default]
    Pushed,
    /// The graph that was pushed to the store that is opened with this version of a project.
    Snapshot(String),
    /// The features as they were pushed last to another store, which is attached for reading
    /// ([`OpenOptions::secondary`]).
    PushedTo(String),
}

impl ProjectOptions {
    /// To open a project for reading or writing, with the graph that was pushed to its store last.
    pub fn new(mode: Mode) -> Self {
        Self { mode, open: OpenOptions::default(), source: GraphSource::default(), sync: None, locked: None }
    }

    /// How to open the store.
    pub fn open_options(mut self, open: OpenOptions) -> Self {
        self.open = open;
        self
    }

    /// Whether features of other projects in a graph that is given are taken as they were pushed last; what the
    /// configuration says unless set.
    pub fn sync(mut self, sync: impl Into<Option<bool>>) -> Self {
        self.sync = sync.into();
        self
    }

    /// Whether it is an error that such a feature was pushed with another version, and not a warning; what the
    /// configuration says unless set.
    pub fn locked(mut self, locked: impl Into<Option<bool>>) -> Self {
        self.locked = locked.into();
        self
    }

    /// Where the graph comes from; the store's last one unless set.
    pub fn graph(mut self, source: GraphSource) -> Self {
        self.source = source;
        self
    }
}

/// A store of the configuration that is open, and the graph of features to look for in it.
///
/// ```no_run
/// use ducklake_sql::Mode;
/// use metaxy_config::{Config, LoadOptions, OsSystem};
/// use metaxy_store_duckdb::{Project, ProjectOptions, ReadOptions};
///
/// let config = Config::load(&OsSystem, &LoadOptions::default())?.config;
/// let project = Project::open(&config, &config.store, ProjectOptions::new(Mode::Read))?;
/// for batch in project.features()?.read(&"video".parse()?, &ReadOptions::default())? {
///     println!("{} rows", batch?.num_rows());
/// }
/// project.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Project {
    name: String,
    store: Store,
    graph: FeatureGraph,
    options: FeatureOptions,
}

impl Project {
    /// Opens the store of this name, with its graph.
    ///
    /// # Errors
    ///
    /// As for [`Store::open`]; and when there is no such graph ([`Error::is_missing_graph`]), or the configuration of
    /// hashes or the project is not valid.
    pub fn open(config: &Config, name: &str, options: ProjectOptions) -> Result<Self, Error> {
        Self::open_checked(config, name, options, |_| Ok(()))
    }

    /// The same for what may not be done with every graph, such as with one that lacks a feature.
    ///
    /// The check comes as soon as the graph is there: unless that is in the lake of this store, no such lake has been
    /// created yet.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), and what the check says.
    pub fn open_checked<E: From<Error>>(
        config: &Config,
        name: &str,
        options: ProjectOptions,
        check: impl FnOnce(&FeatureGraph) -> Result<(), E>,
    ) -> Result<Self, E> {
        let ProjectOptions { mode, open, source, sync, locked } = options;
        let options = FeatureOptions::from_config(config, name)?;
        let (store, graph) = match source {
            GraphSource::Given(graph) => {
                check(&graph)?;
                let mut store = open.open(config, name, mode)?;
                let graph = if sync.unwrap_or(config.sync) {
                    let is_locked = locked.or(config.locked).unwrap_or_default();
                    synced(&mut store, config, name, &options, graph, is_locked)?
                } else {
                    graph
                };
                (store, graph)
            }
            GraphSource::Pushed => {
                let store = open.open(config, name, mode)?;
                let graph = store.load_graph(&options, None)?;
                check(&graph)?;
                (store, graph)
            }
            GraphSource::Snapshot(version) => {
                let store = open.open(config, name, mode)?;
                let graph = store.load_graph(&options, Some(&version))?;
                check(&graph)?;
                (store, graph)
            }
            GraphSource::PushedTo(other) => open.open_prepared(config, name, mode, |connection, attached| {
                let graph = graph_of(connection, attached, other)?;
                check(&graph)?;
                Ok::<_, E>(graph)
            })?,
        };
        Ok(Self { name: name.to_owned(), store, graph, options })
    }

    /// The name of the store.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The graph of features.
    pub fn graph(&self) -> &FeatureGraph {
        &self.graph
    }

    /// How the features are kept in the lake.
    pub fn options(&self) -> &FeatureOptions {
        &self.options
    }

    /// The features in the lake.
    ///
    /// # Errors
    ///
    /// As for [`Store::features`].
    pub fn features(&self) -> Result<Features<'_>, Error> {
        self.store.features(&self.graph, self.options.clone())
    }

    /// Closes the store; the graph is left.
    ///
    /// # Errors
    ///
    /// As for [`Store::close`].
    pub fn close(self) -> Result<FeatureGraph, Error> {
        self.store.close()?;
        Ok(self.graph)
    }
}

/// The graph with the features of other projects as they were pushed last. What is different then is a warning of the
/// store, or an error.
fn synced(
    store: &mut Store,
    config: &Config,
    name: &str,
    options: &FeatureOptions,
    graph: FeatureGraph,
    is_locked: bool,
) -> Result<FeatureGraph, Error> {
    let (graph, changed) = in_step(store, config, options, graph)?;
    // A fallback store may know what is missing, but was not attached.
    let is_alone = config.store(name)?.fallback_stores.len() > store.fallback_stores().count();
    for problem in changed.into_iter().filter(|one| !is_alone || !matches!(one, Problem::NeverPushed(_))) {
        if is_locked && matches!(problem, Problem::OutOfStep { .. }) {
            return Err(problem.into());
        }
        store.warn(problem.to_string());
    }
    Ok(graph)
}

/// The graph that was pushed last to the lake of another store.
fn graph_of(connection: &Connection, attached: &[Secondary], store: String) -> Result<FeatureGraph, Error> {
    let Some(other) = attached.iter().find(|other| other.store == store) else {
        let known = crate::table::names(attached.iter().map(|other| &other.store));
        return Err(Problem::NotAttached { store, known }.into());
    };
    load_graph(connection, other.plan.alias(), &other.table_prefix, None)
}
