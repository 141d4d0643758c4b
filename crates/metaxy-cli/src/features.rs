//! The features that commands are about: those of the feature files, or those that were pushed to the lake.

use ducklake_sql::Mode;
use metaxy_config::{Config, Loaded, OsSystem};
use metaxy_feature::FeatureGraph;
use metaxy_store_duckdb::{FeatureOptions, GraphSource, OpenOptions, Project, ProjectOptions, Store};

use crate::args::Fallbacks;
use crate::context::Context;
use crate::error::Error;
use crate::printer::Printer;
use crate::progress::Progress;

/// How to open a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenMode<'a> {
    mode: Mode,
    /// The project version whose graph is meant, in place of the present one.
    snapshot: Option<&'a str>,
    /// Whether to open its fallback stores, too.
    fallbacks: bool,
    /// Another store, to read the rows from, and the graph where there are no feature files.
    secondary: Option<&'a str>,
    /// Whether a lake that is not there is left so, even if it could be created.
    must_exist: bool,
}

impl<'a> OpenMode<'a> {
    /// To read its rows, and where it has no table of a feature, those of its fallback stores.
    pub(crate) const READ: Self =
        Self { mode: Mode::Read, snapshot: None, fallbacks: true, secondary: None, must_exist: false };

    /// To read what is in the store itself.
    pub(crate) const READ_OWN: Self = Self { fallbacks: false, ..Self::READ };

    /// To change what is in the store itself.
    pub(crate) const WRITE: Self = Self { mode: Mode::Write, ..Self::READ_OWN };

    /// To change rows that are in the store already.
    pub(crate) const CHANGE: Self = Self { must_exist: true, ..Self::WRITE };

    /// To read its rows, with or without those of its fallback stores.
    pub(crate) fn reading(fallbacks: &Fallbacks) -> Self {
        if fallbacks.are_read() { Self::READ } else { Self::READ_OWN }
    }

    /// The same to change what is in the store, too, which must be there.
    pub(crate) fn and_writing(self) -> Self {
        Self { mode: Mode::Write, must_exist: true, ..self }
    }

    /// The same with another store to read from.
    pub(crate) fn with_secondary(self, store: &'a str) -> Self {
        Self { secondary: Some(store), ..self }
    }

    /// The same with the graph of a snapshot, if one is named.
    pub(crate) fn with_snapshot(self, snapshot: Option<&'a str>) -> Self {
        Self { snapshot, ..self }
    }

    fn options(self, context: &Context) -> OpenOptions {
        let open = context.open_options().health_check(false);
        let open = open.fallback_stores(self.fallbacks).must_exist(self.must_exist);
        match self.secondary {
            Some(store) => open.secondary(store),
            None => open,
        }
    }

    /// Where the graph comes from: the snapshot, where one is named; else the feature files; else, where none are
    /// configured, the lake that has the rows.
    fn source(self, files: Option<FeatureGraph>) -> GraphSource {
        match (self.snapshot, files, self.secondary) {
            (Some(version), ..) => GraphSource::Snapshot(version.to_owned()),
            (None, Some(graph), _) => GraphSource::Given(graph),
            (None, None, Some(store)) => GraphSource::PushedTo(store.to_owned()),
            (None, None, None) => GraphSource::Pushed,
        }
    }
}

/// Opens the store that is meant with its features, and says what it warns of.
pub(crate) fn open(
    context: &Context,
    loaded: &Loaded,
    mode: OpenMode<'_>,
    printer: &mut Printer,
) -> Result<Project, Error> {
    open_checked(context, loaded, mode, printer, |_| Ok(()))
}

/// The same with a check of the graph, which comes before anything is created unless the graph is in that store.
pub(crate) fn open_checked(
    context: &Context,
    loaded: &Loaded,
    mode: OpenMode<'_>,
    printer: &mut Printer,
    check: impl FnOnce(&FeatureGraph) -> Result<(), Error>,
) -> Result<Project, Error> {
    // What is wrong with the files is told before anything is opened.
    let files = if mode.snapshot.is_none() { of_files(&loaded.config)? } else { None };
    let source = mode.source(files);
    let name = &context.store(loaded, printer)?.name;
    let pushed_to = match &source {
        GraphSource::PushedTo(other) => Some(&context.for_store(other).store(loaded, printer)?.name),
        GraphSource::Pushed => Some(name),
        _ => None,
    };
    let store = loaded.config.store(name).map_err(Error::store)?;
    // What nobody has pushed here, a fallback store may know.
    let has_others = matches!(source, GraphSource::Pushed | GraphSource::Snapshot(_))
        && !mode.fallbacks
        && !store.fallback_stores.is_empty();
    let others = context.other_projects();
    let options = ProjectOptions::new(mode.mode).graph(source).sync(others.sync()).locked(others.locked());
    let mut check = Some(check);
    let mut open = |mode: OpenMode<'_>, is_retry| {
        let options = options.clone().open_options(mode.options(context));
        let waiting = opening(name, printer);
        let opened = Project::open_checked(&loaded.config, name, options, |graph| {
            if let Some(store) = pushed_to {
                printer.note(format_args!(
                    "no feature files are configured, so these are the features that were pushed to `{}`{} last",
                    store.escape_debug(),
                    if is_retry { " or its fallback stores" } else { "" }
                ));
            }
            check.take().map_or(Ok(()), |check| check(graph))
        });
        drop(waiting);
        opened
    };
    // Python Metaxy reads those, and this program what it has pushed.
    let in_python = pushed_to.is_some() && !loaded.config.entrypoints.is_empty();
    let opened = match open(mode, false) {
        Err(Error::Lake(error)) if has_others && error.is_missing_graph() => {
            open(OpenMode { fallbacks: true, ..mode }, true)
        }
        opened => opened,
    };
    let project = opened.map_err(|error| match (error, mode.snapshot) {
        (Error::Lake(error), Some(version)) if error.is_missing_graph() => {
            Error::UnknownSnapshot { version: version.to_owned(), store: name.clone() }
        }
        (Error::Lake(error), None)
            if error.is_missing_graph() || in_python && (error.is_missing_lake() || error.is_missing_database()) =>
        {
            Error::NoGraph { store: pushed_to.unwrap_or(name).clone(), in_python }
        }
        (error, _) => error,
    })?;
    say_warnings(project.store(), printer);
    Ok(project)
}

/// Opens the store that is meant for reading, without features, and says what it warns of.
pub(crate) fn open_store(
    context: &Context,
    loaded: &Loaded,
    printer: &mut Printer,
) -> Result<(Store, FeatureOptions), Error> {
    open_store_with(context, loaded, OpenMode::READ_OWN, printer)
}

/// The same, with or without its fallback stores.
pub(crate) fn open_store_with(
    context: &Context,
    loaded: &Loaded,
    mode: OpenMode<'_>,
    printer: &mut Printer,
) -> Result<(Store, FeatureOptions), Error> {
    let name = &context.store(loaded, printer)?.name;
    let options = FeatureOptions::from_config(&loaded.config, name)?;
    let waiting = opening(name, printer);
    let store = mode.options(context).open(&loaded.config, name, Mode::Read)?;
    drop(waiting);
    say_warnings(&store, printer);
    Ok((store, options))
}

/// Says on a terminal that a store is being opened, if that takes a while: a server may not answer.
pub(crate) fn opening(store: &str, printer: &Printer) -> Progress {
    Progress::new(format!("opening the store `{}`", store.escape_debug()), printer.is_quiet())
}

pub(crate) fn say_warnings(store: &Store, printer: &mut Printer) {
    for warning in store.warnings() {
        printer.warn(warning, None);
    }
}

/// The graph for what needs no rows: that of the feature files, else that of the lake.
pub(crate) fn graph(
    context: &Context,
    loaded: &Loaded,
    snapshot: Option<&str>,
    printer: &mut Printer,
) -> Result<FeatureGraph, Error> {
    match of_files(&loaded.config)? {
        Some(graph) if snapshot.is_none() && context.other_projects().sync() != Some(true) => {
            printer.warnings(&loaded.diagnostics, None);
            Ok(graph)
        }
        _ => Ok(open(context, loaded, OpenMode::READ_OWN.with_snapshot(snapshot), printer)?.close()?),
    }
}

/// The graph of the feature files; `None` where none are configured.
pub(crate) fn of_files(config: &Config) -> Result<Option<FeatureGraph>, Error> {
    config.feature_graph(&OsSystem).map_err(Error::Features)
}
