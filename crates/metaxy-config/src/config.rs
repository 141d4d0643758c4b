//! The whole configuration, resolved; the errors of one store do not touch the others.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ducklake_sql::{Declared, mask_credentials};
use metaxy_diagnostics::{Diagnostic, Diagnostics, Node, Severity, Sources, Value};
use metaxy_feature::{FeatureKey, ProjectName, Truncation};

use crate::decode::{Context, Decode};
use crate::features::{self, RUST};
use crate::load_error::{KnownFeatures, LoadError};
use crate::options::Options;
use crate::retry::{self, Retry};
use crate::scope::Scope;
use crate::store::DuckDbStore;
use crate::system::System;
use crate::trust::{self, Trust};
use crate::{declared, load, messages, stores, unset};

/// How to load a configuration.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LoadOptions {
    /// The file to load instead of looking for one; `METAXY_CONFIG` wins even over this.
    pub config_file: Option<PathBuf>,
    /// The variables `METAXY_…` that the program reads itself, a `*` at the end for all that begin so. With them, one that
    /// nobody reads is a warning; without, it is not.
    pub known_variables: Option<Vec<String>>,
    /// Whether the configuration may do what is not known to be harmless; it may not unless set.
    pub trust: Trust,
}

impl LoadOptions {
    /// Loads this file, unless `METAXY_CONFIG` names another.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { config_file: Some(path.into()), ..Self::default() }
    }

    /// Warns of every variable `METAXY_…` that neither the configuration nor the program reads, which has these names.
    ///
    /// ```
    /// use metaxy_config::{Config, LoadOptions, MemorySystem};
    ///
    /// let system = MemorySystem::new().var("METAXY_STOER", "prod").var("METAXY_TRACE", "1");
    /// let options = LoadOptions::default().known_variables(["METAXY_TRACE".to_owned()]);
    /// let loaded = Config::load(&system, &options)?;
    /// let messages: Vec<_> = loaded.diagnostics.iter().map(|one| one.message()).collect();
    /// assert_eq!(messages, ["nothing reads `METAXY_STOER`: did you mean `METAXY_STORE`?"]);
    /// # Ok::<(), metaxy_config::LoadError>(())
    /// ```
    pub fn known_variables(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.known_variables = Some(names.into_iter().collect());
        self
    }
}

/// A configuration that could be loaded, and what was found in it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings, and the errors of stores that cannot be used.
    pub diagnostics: Diagnostics,
}

/// A configuration of Metaxy: one file with all it inherits, and the variables laid over it.
///
/// What Python Metaxy has as defaults are defaults here, except that relative paths start from the folder of the file
/// that names them, not from the working directory.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The file it came from; `None` when there was none to be found and all are defaults and variables.
    pub config_file: Option<PathBuf>,
    /// The name of the default store.
    pub store: String,
    /// The project's name; `None` when it follows from the features.
    pub project: Option<ProjectName>,
    /// Python modules that define features.
    pub entrypoints: Vec<String>,
    /// The colours in which Python Metaxy draws graphs.
    pub theme: String,
    /// Plugins of Python Metaxy.
    pub plugins: Vec<Plugin>,
    /// The files that define features: what the patterns of `[ext.rust] features` match, each once, in their order.
    ///
    /// ```
    /// use metaxy_config::{Config, LoadOptions, MemorySystem};
    ///
    /// let system = MemorySystem::new()
    ///     .file("/project/metaxy.toml", "ext.rust.features = ['features/*.toml']")
    ///     .file("/project/features/video.toml", "");
    /// let config = Config::load(&system, &LoadOptions::default())?.config;
    /// assert_eq!(config.feature_files[0].as_os_str(), "/project/features/video.toml");
    /// # Ok::<(), metaxy_config::LoadError>(())
    /// ```
    pub feature_files: Vec<PathBuf>,
    /// How a transaction is run again when another program was in the way: `[ext.rust.retry]`.
    pub retry: Retry,
    /// How many characters of a hash are kept.
    pub hash_truncation_length: Truncation,
    /// Whether Python Metaxy keeps maps as maps.
    pub enable_map_datatype: bool,
    /// Whether stores make the tables they need, unless a store says otherwise.
    pub auto_create_tables: bool,
    /// Whether a feature of another project with another version than the locked one is an error; `None` when each
    /// command decides.
    pub locked: Option<bool>,
    /// Whether definitions of features of other projects are brought up to date from the store.
    pub sync: bool,
    /// Features of other projects to load.
    pub extra_features: Vec<FeatureSelection>,
    /// The lock file; `None` when there is no configuration file beside which it could be.
    pub lock_file: Option<PathBuf>,
    pub(crate) stores: Vec<StoreEntry>,
    /// What is declared for the lakes of stores.
    pub(crate) declared: Vec<(String, Declared)>,
    /// Stores whose lake is to be moved from another one, each with that one.
    pub(crate) migrations: Vec<(String, String)>,
    pub(crate) trust: Trust,
    pub(crate) needs_trust: Diagnostics,
    pub(crate) trust_digest: Option<String>,
}

/// A plugin of Python Metaxy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// Whether it is used.
    pub enable: bool,
    /// The rest of its table, masked.
    pub(crate) shown: serde_json::Value,
}

/// Features to load from a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureSelection {
    /// All features of these projects.
    pub projects: Vec<ProjectName>,
    /// These features.
    pub keys: Vec<FeatureKey>,
    /// Every feature in the store.
    pub all: bool,
}

/// A store as it is kept: ready, not for us, or broken.
#[derive(Debug, Clone)]
pub(crate) struct StoreEntry {
    pub(crate) name: String,
    /// The `type`, where it is a text.
    pub(crate) type_name: Option<String>,
    pub(crate) state: StoreState,
}

#[derive(Debug, Clone)]
pub(crate) enum StoreState {
    Ready(Box<DuckDbStore>),
    /// The configuration of a store of another type, masked.
    Other(serde_json::Value),
    Broken(Diagnostics),
}

/// Why a store cannot be used.
#[derive(Debug, Clone)]
pub struct StoreError(Kind);

#[derive(Debug, Clone)]
enum Kind {
    NoStores,
    Unknown { name: String, known: Vec<String> },
    Unsupported { name: String, type_name: String },
    Broken { name: String, diagnostics: Diagnostics },
    Untrusted { name: String, diagnostics: Diagnostics },
}

impl StoreError {
    /// Whether no store of this name is configured.
    pub fn is_unknown(&self) -> bool {
        matches!(self.0, Kind::NoStores | Kind::Unknown { .. })
    }

    /// Whether the store is of a type that only Python Metaxy has.
    pub fn is_unsupported(&self) -> bool {
        matches!(self.0, Kind::Unsupported { .. })
    }

    /// The error in one line, without what [`diagnostics`](Self::diagnostics) say.
    pub fn summary(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }

    pub(crate) fn untrusted(name: &str, diagnostics: Diagnostics) -> Self {
        Self(Kind::Untrusted { name: mask_credentials(name).into_owned(), diagnostics })
    }

    /// Whether the store's configuration asks for what was not allowed, see [`Trust`].
    pub fn is_untrusted(&self) -> bool {
        matches!(self.0, Kind::Untrusted { .. })
    }

    /// The errors in the store's configuration, or what in it needs trust, where that is the reason.
    pub fn diagnostics(&self) -> Option<&Diagnostics> {
        match &self.0 {
            Kind::Broken { diagnostics, .. } | Kind::Untrusted { diagnostics, .. } => Some(diagnostics),
            _ => None,
        }
    }

    /// What to do about it, where that is known.
    pub fn help(&self) -> Option<String> {
        match &self.0 {
            Kind::NoStores => Some("add a `[stores.dev]` to metaxy.toml, or run where one is found".to_owned()),
            Kind::Unknown { known, .. } => Some(["known stores: `", &known.join("`, `"), "`"].concat()),
            Kind::Unsupported { .. } => Some("this program opens DuckDB stores".to_owned()),
            Kind::Untrusted { .. } => Some("read what it asks for; `metaxy trust` allows it as it stands".to_owned()),
            Kind::Broken { .. } => None,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::NoStores => f.write_str("no store is configured"),
            Kind::Unknown { name, .. } => {
                write!(f, "the store `{}` is not configured", name.escape_debug())
            }
            Kind::Unsupported { name, type_name } => {
                let (name, type_name) = (name.escape_debug(), type_name.escape_debug());
                write!(f, "the store `{name}` is of the type `{type_name}`, which cannot be opened here")
            }
            Kind::Broken { name, diagnostics } => {
                write!(f, "the configuration of the store `{}` has errors", name.escape_debug())?;
                list(diagnostics, f)
            }
            Kind::Untrusted { name, diagnostics } => {
                write!(f, "the configuration of the store `{}` is not trusted", name.escape_debug())?;
                list(diagnostics, f)
            }
        }
    }
}

impl std::error::Error for StoreError {}

fn list(diagnostics: &Diagnostics, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    diagnostics.iter().try_for_each(|diagnostic| write!(f, "\n{}: {}", diagnostic.code(), diagnostic.message()))
}

impl Config {
    /// Finds, reads, merges and checks a configuration.
    ///
    /// The file is the one that `METAXY_CONFIG` names; else the one in `options`; else the nearest `metaxy.toml`, or
    /// `pyproject.toml` with a `[tool.metaxy]`, from the working directory upward; else there is none.
    ///
    /// ```
    /// use metaxy_config::{Config, LoadOptions, MemorySystem};
    ///
    /// let system = MemorySystem::new().file("/metaxy.toml", "stroe = 'dev'\nproject = 'a/b'");
    /// let error = Config::load(&system, &LoadOptions::default()).unwrap_err();
    /// let codes: Vec<_> = error.diagnostics().iter().map(|one| one.code()).collect();
    /// assert_eq!(codes, ["unknown-key", "invalid-project"]);
    /// ```
    ///
    /// # Errors
    ///
    /// When a file is missing or is no TOML, or something outside the stores is wrong. The errors of a store are no
    /// reason: they are in [`Loaded::diagnostics`], and [`Config::store`] returns them for that store.
    pub fn load(system: &dyn System, options: &LoadOptions) -> Result<Loaded, LoadError> {
        let tree = load::load(system, options);
        let sources = Arc::new(tree.sources);
        // What a file with an error of syntax means is guessed, which is enough to find feature files.
        let unread = tree.diagnostics.iter().any(Diagnostic::is_fatal).then(|| tree.diagnostics.clone());
        let mut context = Context { diagnostics: tree.diagnostics, bad: Vec::new() };
        for leftover in &tree.leftovers {
            context.report(leftover.diagnostic());
            context.bad.extend(leftover.is_certain.then_some(leftover.origin));
        }
        let project = tree.config_file.as_deref().and_then(Path::parent).unwrap_or(sources.current_dir()).to_owned();
        let expanded = tree.expanded;
        let mut scope = Scope { system, sources: &sources, project, expanded, context, is_for_python: false };
        let resolved = resolve(&tree.root, tree.config_file, options.trust, &mut scope);
        let is_partial = unread.is_some();
        let list = unread.unwrap_or(scope.context.diagnostics);
        let is_fatal = list.iter().any(Diagnostic::is_fatal);
        let diagnostics = shown(list, &sources);
        match resolved {
            Some((mut config, _)) if !is_fatal => {
                config.settle(&diagnostics);
                Ok(Loaded { config, diagnostics })
            }
            resolved => {
                let has_project = tree.root.as_table().is_some_and(|table| table.has("project"));
                let features = resolved.map(|(config, lacks_files)| KnownFeatures {
                    config,
                    is_partial: is_partial || lacks_files,
                    lacks_project: !is_partial && !has_project,
                });
                Err(LoadError::new(diagnostics, features))
            }
        }
    }

    /// The store of a name.
    ///
    /// # Errors
    ///
    /// When there is none of this name, when only Python Metaxy has its type, or when its configuration has errors.
    pub fn store(&self, name: &str) -> Result<&DuckDbStore, StoreError> {
        let shown = |text: &str| mask_credentials(text).into_owned();
        let Some(entry) = self.stores.iter().find(|entry| entry.name == name) else {
            let known = self.store_names().map(shown).collect();
            let unknown = Kind::Unknown { name: shown(name), known };
            return Err(StoreError(if self.stores.is_empty() { Kind::NoStores } else { unknown }));
        };
        let name = shown(name);
        match &entry.state {
            StoreState::Ready(store) => Ok(store),
            StoreState::Other(_) => {
                let type_name = shown(entry.type_name.as_deref().unwrap_or_default());
                Err(StoreError(Kind::Unsupported { name, type_name }))
            }
            StoreState::Broken(diagnostics) => Err(StoreError(Kind::Broken { name, diagnostics: diagnostics.clone() })),
        }
    }

    /// The default store, the one that [`store`](field@Self::store) names.
    ///
    /// # Errors
    ///
    /// As for [`Config::store`](Self::store()).
    pub fn default_store(&self) -> Result<&DuckDbStore, StoreError> {
        self.store(&self.store)
    }

    /// The names of all stores, usable or not, in the order they were written.
    pub fn store_names(&self) -> impl Iterator<Item = &str> {
        self.stores.iter().map(|entry| entry.name.as_str())
    }

    /// The `type` of a store as it was written, usable or not.
    pub fn store_type(&self, name: &str) -> Option<&str> {
        self.stores.iter().find(|entry| entry.name == name)?.type_name.as_deref()
    }

    /// Marks every store that an error is about as broken.
    fn settle(&mut self, all: &Diagnostics) {
        for entry in &mut self.stores {
            let errors = all.filter(is_error_of(&entry.name));
            if !errors.is_empty() {
                entry.state = StoreState::Broken(errors);
            }
        }
    }
}

/// Which diagnostics are errors of a store, so that it is not used.
pub(crate) fn is_error_of(store: &str) -> impl Fn(&Diagnostic) -> bool {
    move |one| one.severity() == Severity::Error && one.is_about_store(store)
}

/// Diagnostics whose texts hold no credential: what they quote may be a URL that stands where it does not belong.
fn shown(list: Vec<Diagnostic>, sources: &Arc<Sources>) -> Diagnostics {
    Diagnostics::new(list, Arc::clone(sources)).map_texts(|text| mask_credentials(text).into_owned())
}

/// The configuration, and whether it names feature files that were not found.
fn resolve(root: &Node, config_file: Option<PathBuf>, trust: Trust, scope: &mut Scope<'_>) -> Option<(Config, bool)> {
    let options = Options::decode(root, &mut scope.context)?;
    let table = root.as_table()?;
    unset::check(root, scope);

    let hash_truncation_length = options.hash_truncation_length.and_then(|length| truncation(length, root, scope));
    let project = options.project.as_deref().and_then(|name| project(name, root, scope));
    let lock = options.metaxy_lock_path.as_deref();
    let lock_file = match (config_file.as_deref().and_then(Path::parent), lock) {
        (Some(dir), lock) => Some(crate::path::absolute(lock.unwrap_or("metaxy.lock"), dir, scope.system)),
        (None, Some(lock)) if Path::new(lock).is_absolute() => Some(crate::path::lexical(Path::new(lock))),
        (None, _) => None,
    };
    let auto_create_tables = options.auto_create_tables.unwrap_or(false);
    let plugins = plugins(table.get("ext"), scope);
    let rust = table.get("ext").and_then(|ext| ext.as_table()?.get(RUST));
    let before = scope.context.diagnostics.len();
    let feature_files = features::files(rust, scope);
    let lacks_files = scope.context.diagnostics.len() > before;
    let retry = retry::resolve(rust.and_then(|rust| rust.as_table()?.get("retry")), scope);
    let selections = options.extra_features.unwrap_or_default().into_iter();
    let extra_features = selections.map(|at| features::selection(at.value, &at.node, scope)).collect();
    let lakes = rust.and_then(|rust| rust.as_table()?.get("lake"));
    let migrations = declared::migrations(lakes);
    let (stores, needs) = stores::resolve(table.get("stores"), auto_create_tables, &migrations, scope);
    let declared = declared::resolve(lakes, &stores, scope);
    let store = options.store.unwrap_or_else(|| "dev".to_owned());
    let names: Vec<_> = stores.iter().map(|entry| entry.name.as_str()).collect();
    if table.has("store") && !names.is_empty() && !names.contains(&store.as_str()) {
        let diagnostic = messages::unknown_default_store(root.find("store").origin, &store, &names);
        // About that store alone, so that `--store` can name another.
        scope.context.report(diagnostic.with_store(mask_credentials(&store)));
    }
    let config = Config {
        config_file,
        store,
        project,
        entrypoints: options.entrypoints.unwrap_or_default(),
        theme: options.theme.unwrap_or_else(|| "default".to_owned()),
        plugins,
        feature_files,
        retry,
        hash_truncation_length: hash_truncation_length.unwrap_or_default(),
        enable_map_datatype: options.enable_map_datatype.unwrap_or(false),
        auto_create_tables,
        locked: options.locked,
        sync: options.sync.unwrap_or(true),
        extra_features,
        lock_file,
        stores,
        declared,
        migrations,
        trust,
        trust_digest: trust::digest(&needs, scope),
        needs_trust: shown(needs.into_iter().map(|need| need.diagnostic).collect(), scope.sources),
    };
    Some((config, lacks_files))
}

/// The truncation of this length, or a report that there is none.
fn truncation(length: i64, root: &Node, scope: &mut Scope<'_>) -> Option<Truncation> {
    let truncation = usize::try_from(length).ok().and_then(|length| Truncation::new(length).ok());
    if truncation.is_none() {
        let (least, most) = (Truncation::SHORTEST.length(), Truncation::LONGEST.length());
        let origin = root.find("hash_truncation_length").origin;
        scope.context.report(Diagnostic::out_of_range(&least, &most).with_origin(origin));
    }
    truncation
}

/// The project of this name, or a report that it cannot be one.
fn project(name: &str, root: &Node, scope: &mut Scope<'_>) -> Option<ProjectName> {
    let node = root.find("project");
    let Ok(project) = name.parse() else {
        return scope.context.reject(node, messages::empty_value(node, "the project's name"));
    };
    match wrong_project(name) {
        Some(why) => scope.context.reject(node, messages::invalid_project(node.origin, why)),
        None => Some(project),
    }
}

/// What is wrong with a project's name, by the rules of Python Metaxy.
fn wrong_project(name: &str) -> Option<&'static str> {
    if name.contains('/') {
        Some("contains `/`, which separates the parts of a feature's key")
    } else if name.contains("__") {
        Some("contains `__`, which separates the parts of a table's name")
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
        Some("contains characters other than letters, digits, `-` and `_`")
    } else {
        None
    }
}

fn plugins(node: Option<&Node>, scope: &mut Scope<'_>) -> Vec<Plugin> {
    let Some(table) = node.and_then(|node| crate::decode::table(node, &mut scope.context)) else {
        return Vec::new();
    };
    let mut plugins = Vec::new();
    for entry in table.0.iter().filter(|entry| entry.key != RUST) {
        let Some(table) = crate::decode::table(&entry.node, &mut scope.context) else { continue };
        let enable = crate::decode::field(table, "enable", &mut scope.context).unwrap_or(false);
        let mut rest = table.clone();
        rest.remove("enable");
        plugins.push(Plugin { name: entry.key.clone(), enable, shown: masked(&Value::Table(rest)) });
    }
    plugins
}

/// A table of which nothing is known: its keys, with every text and number masked.
pub(crate) fn masked(value: &Value) -> serde_json::Value {
    match value {
        Value::Table(table) => table.0.iter().map(|entry| (entry.key.clone(), masked(&entry.node.value))).collect(),
        Value::Array(items) => items.iter().map(|item| masked(&item.value)).collect(),
        Value::Boolean(boolean) => (*boolean).into(),
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Datetime(_) => "***".into(),
    }
}
