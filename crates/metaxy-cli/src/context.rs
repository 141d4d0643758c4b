//! What a command works on: the environment with `.env`, the configuration, the store that is meant.

use std::path::{Path, PathBuf};
use std::time::Duration;

use metaxy_config::{Config, DuckDbStore, LoadError, LoadOptions, Loaded, System as _};
use metaxy_feature::ProjectName;
use metaxy_store_duckdb::{Interrupt, OpenOptions};

use crate::args::{Global, OtherProjects};
use crate::environment::Environment;
use crate::error::Error;
use crate::printer::Printer;
use crate::progress;
use crate::trusted::Trusted;
use crate::variables;

/// Where the configuration is, and which of its stores is meant.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    config_file: Option<PathBuf>,
    store: Option<String>,
    project: Option<String>,
    all_projects: bool,
    other_projects: OtherProjects,
    verbosity: u8,
    trust: bool,
    retry_for: Option<Duration>,
    interrupt: Interrupt,
}

impl Context {
    pub(crate) fn new(global: Global, positional_store: Option<&str>) -> Self {
        let Global { config_file, store, project, all_projects, other_projects, verbosity, trust, retry_for, .. } =
            global;
        let store = store.or_else(|| positional_store.map(str::to_owned));
        let interrupt = Interrupt::default();
        Self { config_file, store, project, all_projects, other_projects, verbosity, trust, retry_for, interrupt }
    }

    /// What ends the work on every store that is opened.
    pub(crate) fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// How a store is opened whose work can be ended, and says how much of it is done.
    pub(crate) fn open_options(&self) -> OpenOptions {
        OpenOptions::default().interrupt(self.interrupt()).on_progress(progress::report)
    }

    /// Whether the person wants to hear more than what is needed.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbosity > 0
    }

    /// How features of other projects are taken.
    pub(crate) fn other_projects(&self) -> OtherProjects {
        self.other_projects
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

    /// The same for another store and another project, where they are named.
    pub(crate) fn with(&self, store: Option<&str>, project: Option<&str>) -> Self {
        let mut context = self.clone();
        context.store = store.map(str::to_owned).or(context.store);
        context.all_projects &= project.is_none();
        context.project = project.map(str::to_owned).or(context.project);
        context
    }

    /// Whether another project than the configured one is meant.
    pub(crate) fn names_a_project(&self) -> bool {
        self.all_projects || self.project.is_some()
    }

    /// Reads `.env` and then the configuration, whatever is wrong with it; it is trusted where the person has said so.
    pub(crate) fn read(&self) -> Result<Result<Loaded, LoadError>, Error> {
        Ok(self.read_in(&Environment::here()?))
    }

    /// The same, in another environment.
    pub(crate) fn read_in(&self, environment: &Environment) -> Result<Loaded, LoadError> {
        let options = self.config_file.as_ref().map(LoadOptions::file).unwrap_or_default();
        let options = options.known_variables(variables::names());
        Config::load(environment, &options).map(|mut loaded| {
            if loaded.config.is_untrusted() && (self.trust || is_remembered(&loaded.config, environment)) {
                loaded.config = loaded.config.trusted();
            }
            loaded.config.retry.deadline = self.retry_for.unwrap_or(loaded.config.retry.deadline);
            loaded
        })
    }

    /// Reads a configuration of which at least some store may be usable, in another environment.
    pub(crate) fn load_in(&self, environment: &Environment) -> Result<Loaded, Error> {
        let loaded = self.read_in(environment).map_err(|error| Error::Diagnostics(error.diagnostics().clone()))?;
        refuse_nothing(&loaded.config)?;
        Ok(loaded)
    }

    /// The folder that trust in a configuration is bound to.
    pub(crate) fn folder(config: &Config, environment: &Environment) -> PathBuf {
        let folder = config.config_file.as_deref().and_then(Path::parent).map(Path::to_owned);
        folder.or_else(|| environment.current_dir().ok()).unwrap_or_default()
    }

    /// The same error, with the command to give trust where that is missing.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let untrusted = match &error {
            Error::Lake(error) => error.diagnostics().filter(|error| error.is_untrusted()),
            _ => None,
        };
        let Some((message, diagnostics)) = untrusted.and_then(|error| Some((error.summary(), error.diagnostics()?)))
        else {
            return error;
        };
        let of_file = self.config_file.as_ref().map(|file| format!(" --config-file {}", file.display()));
        let command = ["metaxy trust", &of_file.unwrap_or_default()].concat();
        Error::Untrusted { message, diagnostics: diagnostics.clone(), command }
    }

    /// Reads a configuration of which at least some store may be usable.
    pub(crate) fn load(&self) -> Result<Loaded, Error> {
        self.load_in(&Environment::here()?)
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
        printer.warnings(&loaded.diagnostics, Some(name));
        Ok(store)
    }
}

/// Fails when no file was found and no variable says anything of a store: every command answers that alike.
pub(crate) fn refuse_nothing(config: &Config) -> Result<(), Error> {
    let is_nothing = config.config_file.is_none() && config.store_names().next().is_none();
    if is_nothing { Err(Error::NoConfiguration) } else { Ok(()) }
}

/// Whether the person has trusted this configuration, as it stands, before.
fn is_remembered(config: &Config, environment: &Environment) -> bool {
    Trusted::of(&Context::folder(config, environment)).is_some_and(|trusted| trusted.has(config))
}
