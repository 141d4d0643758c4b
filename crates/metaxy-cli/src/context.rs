//! What a command works on: the environment with `.env`, the configuration, the store that is meant.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use metaxy_config::{Config, DuckDbStore, LoadError, LoadOptions, Loaded, OsSystem};
use metaxy_feature::ProjectName;

use crate::args::Global;
use crate::error::Error;
use crate::printer::Printer;

/// Where the configuration is, and which of its stores is meant.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    config_file: Option<PathBuf>,
    store: Option<String>,
    project: Option<String>,
    all_projects: bool,
    verbosity: u8,
    retry_for: Option<Duration>,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        let Global { config_file, store, project, all_projects, verbosity, retry_for, .. } = global;
        Self { config_file, store, project, all_projects, verbosity, retry_for }
    }

    /// Whether the person wants to hear more than what is needed.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbosity > 0
    }

    /// The project whose features are meant; `None` for those of all.
    pub(crate) fn project<'a>(&'a self, config: &'a Config) -> Option<&'a str> {
        if self.all_projects {
            None
        } else {
            self.project.as_deref().or(config.project.as_ref().map(ProjectName::as_str))
        }
    }

    /// The same for another store.
    pub(crate) fn for_store(&self, name: &str) -> Self {
        Self { store: Some(name.to_owned()), ..self.clone() }
    }

    /// Whether another project than the configured one is meant.
    pub(crate) fn names_a_project(&self) -> bool {
        self.all_projects || self.project.is_some()
    }

    /// Reads `.env` and then the configuration, whatever is wrong with it.
    pub(crate) fn read(&self) -> Result<Result<Loaded, LoadError>, Error> {
        load_env(Path::new(".env"))?;
        let options = self.config_file.as_ref().map(LoadOptions::file).unwrap_or_default();
        Ok(Config::load(&OsSystem, &options).map(|mut loaded| {
            loaded.config.retry.deadline = self.retry_for.unwrap_or(loaded.config.retry.deadline);
            loaded
        }))
    }

    /// Reads a configuration of which at least some store may be usable.
    pub(crate) fn load(&self) -> Result<Loaded, Error> {
        self.read()?.map_err(|error| Error::Diagnostics(error.diagnostics().clone()))
    }

    /// The store that was named on the command line.
    pub(crate) fn named_store(&self) -> Option<&str> {
        self.store.as_deref()
    }

    /// The name of the store that is meant. `METAXY_STORE` is part of the configuration.
    pub(crate) fn store_name<'a>(&'a self, config: &'a Config) -> &'a str {
        self.store.as_deref().unwrap_or(&config.store)
    }

    /// Fails when a store was named that is not configured.
    pub(crate) fn refuse_unknown_store(&self, config: &Config) -> Result<(), Error> {
        match self.store.as_deref().map(|name| config.store(name)) {
            Some(Err(error)) if error.is_unknown() => Err(Error::store(error)),
            _ => Ok(()),
        }
    }

    /// The store that is meant, and the warnings about it said.
    pub(crate) fn store<'a>(&self, loaded: &'a Loaded, printer: &mut Printer) -> Result<&'a DuckDbStore, Error> {
        let name = self.store_name(&loaded.config);
        let store = loaded.config.store(name).map_err(Error::store)?;
        printer.warnings(&loaded.diagnostics, name);
        Ok(store)
    }
}

/// Sets the variables of a file, where there is one; those that are set already stay.
///
/// The environment itself is changed, since DuckDB and its extensions look there for credentials.
fn load_env(path: &Path) -> Result<(), Error> {
    // A folder of that name is somebody's virtual environment.
    if !path.is_file() {
        return Ok(());
    }
    match dotenvy::from_path(path) {
        Ok(()) => Ok(()),
        Err(dotenvy::Error::LineParse(line, _)) => Err(Error::EnvLine(line_number(path, &line))),
        Err(dotenvy::Error::Io(error)) => Err(Error::file("reading", path, error)),
        Err(_) => Err(Error::file("reading", path, ErrorKind::InvalidData.into())),
    }
}

/// Where in a file a text begins, counting lines from 1.
fn line_number(path: &Path, text: &str) -> usize {
    let file = std::fs::read_to_string(path).unwrap_or_default();
    let before = file.find(text).map_or("", |start| &file[..start]);
    before.matches('\n').count() + 1
}
