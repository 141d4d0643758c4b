//! The features that commands are about: those of the feature files, or those that were pushed to the lake.

use ducklake_sql::Mode;
use metaxy_config::{Config, Loaded, OsSystem};
use metaxy_feature::FeatureGraph;
use metaxy_store_duckdb::{FeatureOptions, Features, OpenOptions, Store};

use crate::args::Fallbacks;
use crate::context::Context;
use crate::error::Error;
use crate::printer::Printer;

/// A store that is open, and the features to look for in it.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) name: String,
    pub(crate) graph: FeatureGraph,
    pub(crate) options: FeatureOptions,
}

impl Opened {
    /// Opens the store that is meant. The graph is that of the snapshot, where one is named; else that of the feature
    /// files; else, where none are configured, that of the lake.
    pub(crate) fn open(context: &Context, loaded: &Loaded, how: How<'_>, printer: &mut Printer) -> Result<Self, Error> {
        // What is wrong with the files is told before anything is opened.
        let files = if how.snapshot.is_none() { of_files(&loaded.config)? } else { None };
        let (store, options) = open(context, loaded, how, printer)?;
        let name = context.store_name(&loaded.config).to_owned();
        let graph = match files {
            Some(graph) => graph,
            None => of_lake(&store, &options, how.snapshot, &name, printer)?,
        };
        Ok(Self { store, name, graph, options })
    }

    /// The features in the lake.
    pub(crate) fn features(&self) -> Result<Features<'_>, Error> {
        self.store.features(&self.graph, self.options.clone()).map_err(Error::Lake)
    }
}

/// How to open a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How<'a> {
    mode: Mode,
    /// The project version whose graph is meant, in place of the present one.
    snapshot: Option<&'a str>,
    /// Whether to open its fallback stores, too.
    fallbacks: bool,
    /// Another store to open beside it.
    beside: Option<&'a str>,
    /// Whether a lake that is not there is left so, even if it could be created.
    existing: bool,
}

impl<'a> How<'a> {
    /// To read its rows, and where it has no table of a feature, those of its fallback stores.
    pub(crate) const READ: Self =
        Self { mode: Mode::Read, snapshot: None, fallbacks: true, beside: None, existing: false };

    /// To read what is in the store itself.
    pub(crate) const READ_OWN: Self = Self { fallbacks: false, ..Self::READ };

    /// To change what is in the store itself.
    pub(crate) const WRITE: Self = Self { mode: Mode::Write, ..Self::READ_OWN };

    /// To change rows that are in the store already.
    pub(crate) const CHANGE: Self = Self { existing: true, ..Self::WRITE };

    /// To read its rows, with or without those of its fallback stores.
    pub(crate) fn reading(fallbacks: &Fallbacks) -> Self {
        if fallbacks.are_read() { Self::READ } else { Self::READ_OWN }
    }

    /// The same with another store beside.
    pub(crate) fn beside(self, store: &'a str) -> Self {
        Self { beside: Some(store), ..self }
    }

    /// The same with the graph of a snapshot, if one is named.
    pub(crate) fn at(self, snapshot: Option<&'a str>) -> Self {
        Self { snapshot, ..self }
    }
}

/// Opens the store that is meant, and says what it warns of.
pub(crate) fn open(
    context: &Context,
    loaded: &Loaded,
    how: How<'_>,
    printer: &mut Printer,
) -> Result<(Store, FeatureOptions), Error> {
    let name = &context.store(loaded, printer)?.name;
    let options = FeatureOptions::from_config(&loaded.config, name).map_err(Error::Lake)?;
    let mut open = OpenOptions::default().fallback_stores(how.fallbacks).must_exist(how.existing);
    if let Some(beside) = how.beside {
        open = open.beside(beside);
    }
    let store = open.open(&loaded.config, name, how.mode).map_err(Error::Lake)?;
    for warning in store.warnings() {
        printer.warn(warning, None);
    }
    Ok((store, options))
}

/// The graph for what needs no rows: that of the feature files, else that of the lake.
pub(crate) fn graph(
    context: &Context,
    loaded: &Loaded,
    snapshot: Option<&str>,
    printer: &mut Printer,
) -> Result<FeatureGraph, Error> {
    match of_files(&loaded.config)? {
        Some(graph) if snapshot.is_none() => Ok(graph),
        _ => {
            let opened = Opened::open(context, loaded, How::READ_OWN.at(snapshot), printer)?;
            opened.store.close().map_err(Error::Lake)?;
            Ok(opened.graph)
        }
    }
}

/// The graph of the feature files; `None` where none are configured.
pub(crate) fn of_files(config: &Config) -> Result<Option<FeatureGraph>, Error> {
    config.feature_graph(&OsSystem).map_err(Error::Features)
}

/// The graph that was pushed to the lake, with this version or last.
fn of_lake(
    store: &Store,
    options: &FeatureOptions,
    snapshot: Option<&str>,
    name: &str,
    printer: &mut Printer,
) -> Result<FeatureGraph, Error> {
    let history = store.history(options).map_err(Error::Lake)?;
    match snapshot {
        None if history.is_empty() => return Err(Error::NoGraph(name.to_owned())),
        None => printer.note(format_args!(
            "no feature files are configured, so these are the features that were pushed to `{}` last",
            name.escape_debug()
        )),
        Some(version) if history.iter().all(|pushed| pushed.project_version != version) => {
            return Err(Error::UnknownSnapshot { version: version.to_owned(), store: name.to_owned() });
        }
        Some(_) => {}
    }
    store.load_graph(options, snapshot).map_err(Error::Lake)
}
