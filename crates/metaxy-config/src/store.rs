//! A DuckDB store, resolved: every default filled in, every path absolute, its lake ready to be planned.

use std::path::{Path, PathBuf};

use ducklake_sql::{
    AttachPlan, CatalogFile, CatalogKind, DuckDbDatabase, Extension, Ident, Lake, Mode, Session, Setting,
    StringLiteral, TableDatabase, Value as LakeValue,
};
use metaxy_diagnostics::{Node, Origin, Value};
use metaxy_feature::HashAlgorithm;

use crate::decode::{Decode, Located, Map};
use crate::harmless::EXTENSION_DIRECTORY;
use crate::lake::{self, LakeIdentity};
use crate::local_paths::{PathOf, local_path};
use crate::messages;
use crate::motherduck;
use crate::options::{DuckDbOptions, ExtensionEntry, ExtensionOptions};
use crate::print::masked;
use crate::scope::Scope;
use crate::shapes;
use crate::variables;

/// DuckDB's own database, which holds the tables unless there is a lake.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Database {
    /// Nothing is kept.
    Memory,
    /// An absolute path.
    File(PathBuf),
    /// The name of a database in MotherDuck, of a store without a lake.
    MotherDuck(Ident),
}

/// Where Python Metaxy computes versions; kept for it, without effect here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum VersioningEngine {
    /// In the database where possible.
    #[default]
    Auto,
    /// In the database.
    Native,
    /// In Polars.
    Polars,
}

impl VersioningEngine {
    /// Every engine.
    pub const ALL: &[Self] = &[Self::Auto, Self::Native, Self::Polars];

    /// The name in configuration files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Polars => "polars",
        }
    }
}

/// A store in DuckDB: on a lake, or in DuckDB's own database.
///
/// ```
/// use metaxy_config::{Config, Database, LoadOptions, MemorySystem};
///
/// let system = MemorySystem::new().file(
///     "/project/metaxy.toml",
///     r#"
///     [stores.dev]
///     type = "duckdb"
///     config.ducklake.catalog = { type = "sqlite", uri = "lake/meta.sqlite" }
///     config.ducklake.storage = { type = "local", path = "lake/data" }
///     "#,
/// );
/// let loaded = Config::load(&system, &LoadOptions::default())?;
/// let store = loaded.config.store("dev")?;
/// assert_eq!(store.database, Database::Memory);
/// assert_eq!(store.lake().unwrap().data_path(), Some("/project/lake/data/"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DuckDbStore {
    /// The store's name.
    pub name: String,
    /// DuckDB's own database.
    pub database: Database,
    /// DuckDB's settings, and extensions besides those of the lake.
    pub session: Session,
    /// What holds the tables: a lake, or [`database`](Self::database) itself.
    pub tables: TableDatabase,
    /// Stores to read from, in order, where a table is missing in this one. Each is configured, and hashes alike.
    pub fallback_stores: Vec<String>,
    /// The hash that versions are made with.
    pub hash_algorithm: HashAlgorithm,
    /// Where Python Metaxy computes versions.
    pub versioning_engine: VersioningEngine,
    /// What every table's name begins with; mostly nothing.
    pub table_prefix: String,
    /// Whether the store makes the tables it needs.
    pub auto_create_tables: bool,
    /// The lake's table as it was resolved, secrets masked.
    pub(crate) shown_lake: Option<serde_json::Value>,
}

impl DuckDbStore {
    /// The lake that holds the tables, if one does.
    pub fn lake(&self) -> Option<&Lake> {
        self.tables.lake()
    }

    /// The statements that attach what holds the tables, in order.
    pub fn plan(&self, mode: Mode) -> AttachPlan {
        self.tables.plan(&self.session, mode)
    }
}

/// Whether a store's `type` means a DuckDB store: the short name, or where Python Metaxy has the class.
pub(crate) fn is_duckdb(name: &str) -> bool {
    matches!(
        name,
        "duckdb"
            | "metaxy.ext.duckdb.DuckDBMetadataStore"
            | "metaxy.ext.duckdb.metadata_store.DuckDBMetadataStore"
            | "metaxy.ext.metadata_stores.duckdb.DuckDBMetadataStore"
    )
}

/// A store with what is needed to compare it with others.
pub(crate) struct Resolved {
    pub(crate) store: DuckDbStore,
    pub(crate) identity: Option<LakeIdentity>,
    /// Its fallback stores, and where they are named.
    pub(crate) fallbacks: Vec<(String, Origin)>,
}

/// Keys of Python Metaxy that make no sense on a DuckDB store.
const UNSUPPORTED: &[&str] = &["connection_string", "backend", "connection_params"];

/// Folders in which DuckDB looks for extensions besides its own.
const EXTENSION_DIRECTORIES: &str = "extension_directories";

/// The folder in which DuckDB has its own extension directory.
const HOME_DIRECTORY: &str = "home_directory";

/// Settings of DuckDB that are paths.
pub(crate) const PATHS: &[&str] =
    &["ca_cert_file", EXTENSION_DIRECTORY, HOME_DIRECTORY, "secret_directory", "temp_directory"];

/// The store of this name, or reports of why there is none.
pub(crate) fn resolve(name: &str, config: &Node, auto_create_tables: bool, scope: &mut Scope<'_>) -> Option<Resolved> {
    let mut config = config.clone();
    if let Value::Table(table) = &mut config.value {
        for key in UNSUPPORTED {
            if let Some(entry) = table.remove(key) {
                scope.context.report(messages::unsupported_key(entry.key_origin, key));
            }
        }
    }
    let of_url = motherduck::settings(&mut config, scope);
    let config = &config;
    shapes::check(config, scope);
    let options = DuckDbOptions::decode(config, &mut scope.context)?;
    let table = config.as_table()?;
    let before = scope.context.diagnostics.len();
    let lake = table.get("ducklake").and_then(|node| lake::resolve(node, name, scope));
    let is_lake_broken = table.has("ducklake") && lake.is_none();
    if is_lake_broken && scope.context.diagnostics.len() == before {
        return None;
    }
    let database = database(options.database.as_deref(), config, lake.as_ref().map(|lake| &lake.lake), scope);
    let mut session = Session::default();
    session.settings = settings(options.config.as_ref(), config, scope);
    let is_new = |setting: &Setting| session.settings.iter().all(|given| !is_same(given, setting));
    let of_url: Vec<_> = of_url.into_iter().filter(is_new).collect();
    session.settings.extend(of_url);
    session.extensions = extensions(options.extensions.unwrap_or_default(), scope);
    let table_prefix = options.table_prefix.unwrap_or_default();
    if let Err(problem) = StringLiteral::new(table_prefix.as_str()) {
        scope.problems([problem.at("table_prefix")], config);
    }
    let known: Vec<_> = HashAlgorithm::ALL.iter().map(|it| it.as_str()).collect();
    let hash_algorithm = match options.hash_algorithm.as_deref() {
        Some("sha256" | "wyhash" | "farmhash") => {
            let origin = config.find("hash_algorithm").origin;
            scope.context.report(messages::unsupported_hash(origin, &known));
            None
        }
        given => choice(given, "hash_algorithm", HashAlgorithm::ALL, &known, config, scope),
    };
    let known: Vec<_> = VersioningEngine::ALL.iter().map(|it| it.as_str()).collect();
    let engine = options.versioning_engine.as_deref();
    let versioning_engine = choice(engine, "versioning_engine", VersioningEngine::ALL, &known, config, scope);
    let (lake, shown_lake, identity) = match lake {
        Some(lake) => (Some(lake.lake), Some(masked(lake.shown)), Some(lake.identity)),
        None => (None, None, None),
    };
    let (database, file) = database?;
    let tables = match (lake, file, &database) {
        (Some(lake), ..) => lake.into(),
        (None, _, Database::MotherDuck(name)) => DuckDbDatabase::mother_duck(name.clone()).into(),
        (None, Some(file), _) if !is_lake_broken => DuckDbDatabase::file(file).into(),
        // What was reported of a lake makes the store unusable; its fallbacks are compared all the same.
        (None, ..) => DuckDbDatabase::in_memory().into(),
    };
    let fallbacks: Vec<_> =
        options.fallback_stores.unwrap_or_default().into_iter().map(|at| (at.value, at.node.origin)).collect();
    let store = DuckDbStore {
        name: name.to_owned(),
        database,
        session,
        tables,
        hash_algorithm: hash_algorithm?,
        versioning_engine: versioning_engine?,
        table_prefix,
        auto_create_tables: options.auto_create_tables.unwrap_or(auto_create_tables),
        shown_lake,
        fallback_stores: fallbacks.iter().map(|(name, _)| name.clone()).collect(),
    };
    Some(Resolved { store, identity, fallbacks })
}

fn is_same(one: &Setting, other: &Setting) -> bool {
    one.name().as_str().eq_ignore_ascii_case(other.name().as_str())
}

/// The one of `all` that has the given name, or the default.
fn choice<T: Copy + Default>(
    given: Option<&str>,
    key: &str,
    all: &[T],
    names: &[&str],
    config: &Node,
    scope: &mut Scope<'_>,
) -> Option<T> {
    let Some(given) = given else { return Some(T::default()) };
    let position = names.iter().position(|name| *name == given);
    if position.is_none() {
        scope.context.report(messages::invalid_choice(config.find(key).origin, given, names));
    }
    all.get(position?).copied()
}

/// DuckDB's own database, and its file if it is one.
fn database(
    text: Option<&str>,
    config: &Node,
    lake: Option<&Lake>,
    scope: &mut Scope<'_>,
) -> Option<(Database, Option<CatalogFile>)> {
    const IN_MEMORY: (Database, Option<CatalogFile>) = (Database::Memory, None);

    let table = config.as_table()?;
    let Some(text) = text else {
        if table.has("database") {
            return None;
        }
        if !table.has("ducklake") {
            let help = "name DuckDB's file, or write `:memory:`";
            scope.context.report(messages::missing_key(config.origin, "database", help));
        }
        return Some(IN_MEMORY);
    };
    let at = config.find("database");
    if text.is_empty() {
        return scope.context.reject(at, messages::empty_value(at, "`database`"));
    }
    if text == ":memory:" {
        return Some(IN_MEMORY);
    }
    // Python Metaxy opens MotherDuck as its own database; here the plan attaches it.
    let in_mother_duck = lake.is_some_and(|lake| lake.catalog_kind() == CatalogKind::MotherDuck);
    if in_mother_duck && (text.starts_with("md:") || text.starts_with("motherduck:")) && !text.contains('?') {
        return Some(IN_MEMORY);
    }
    if scope.context.bad.contains(&at.origin) {
        return None;
    }
    if let Some(name) = motherduck::without_scheme(text).filter(|_| !table.has("ducklake")) {
        if name.is_empty() {
            return scope.context.reject(at, messages::empty_value(at, "the name of the database in MotherDuck"));
        }
        let name = Ident::new(name).map_err(|problem| scope.problems([problem.at("database")], config)).ok()?;
        return Some((Database::MotherDuck(name), None));
    }
    let is_url = text.contains("://") && !text.starts_with("file:");
    if is_url || text.starts_with("md:") || text.starts_with("motherduck:") {
        return scope.context.reject(at, messages::unsupported_database(at.origin));
    }
    let path = local_path(text, at, PathOf::Database, scope)?;
    let file = match CatalogFile::new(path) {
        Ok(file) => file,
        Err(problem) => {
            scope.problems([problem.at("database")], config);
            return None;
        }
    };
    if scope.system.is_special(Path::new(file.as_str())) {
        return scope.context.reject(at, messages::special_file(at.origin));
    }
    if let (Some(lake), Some(name)) = (lake, Path::new(file.as_str()).file_name().and_then(|name| name.to_str())) {
        let name = name.split('.').next().unwrap_or(name);
        if lake.alias().as_str().eq_ignore_ascii_case(name) {
            scope.context.report(messages::alias_taken(at.origin, lake.alias().as_str()));
        }
    }
    if !table.has("ducklake")
        && let Ok(head) = scope.system.head(Path::new(file.as_str()))
        && !head.is_empty()
        && CatalogKind::of_file(&head) != Some(CatalogKind::DuckDb)
    {
        return scope.context.reject(at, messages::not_a_duckdb_file(at.origin));
    }
    Some((Database::File(PathBuf::from(file.as_str())), Some(file)))
}

fn settings(given: Option<&Map<LakeValue>>, config: &Node, scope: &mut Scope<'_>) -> Vec<Setting> {
    let node = config.find("config");
    let mut settings = Vec::new();
    for (name, value) in given.map(|map| map.0.as_slice()).unwrap_or_default() {
        let is_path = PATHS.iter().any(|path| path.eq_ignore_ascii_case(name));
        let value = match value {
            LakeValue::Text(text) if is_path && !text.is_empty() => {
                match scope.path_text(text, node.find(name).origin) {
                    Some(path) => LakeValue::Text(path),
                    None => continue,
                }
            }
            other => other.clone(),
        };
        match Setting::new(name.as_str(), value) {
            Ok(setting) => settings.push(setting),
            Err(problem) => scope.problems([problem.at(name.clone())], node),
        }
    }
    let folders = extension_folders(given, scope);
    settings.extend(folders.into_iter().filter_map(|(name, value)| Setting::new(name, LakeValue::from(value)).ok()));
    settings
}

/// Where DuckDB looks for extensions, as settings, unless the store says so itself: in the folder that the variable names,
/// or in its own and in the one that came with the program.
fn extension_folders(given: Option<&Map<LakeValue>>, scope: &Scope<'_>) -> Vec<(&'static str, String)> {
    let given = |setting: &str| {
        let given = given.map(|map| map.0.as_slice()).unwrap_or_default();
        given.iter().any(|(name, _)| name.eq_ignore_ascii_case(setting))
    };
    if given(EXTENSION_DIRECTORY) {
        return Vec::new();
    }
    let text = |path: PathBuf| path.into_os_string().into_string().ok();
    let named = scope.system.variable(variables::METAXY_EXTENSION_DIRECTORY).filter(|folder| !folder.is_empty());
    if let Some(named) = named {
        return text(scope.path(&named, Origin::Root))
            .map(|folder| (EXTENSION_DIRECTORY, folder))
            .into_iter()
            .collect();
    }
    if given(EXTENSION_DIRECTORIES) || given(HOME_DIRECTORY) {
        return Vec::new();
    }
    let Some(of_program) = scope.system.program_extensions().and_then(text) else { return Vec::new() };
    // With further folders, DuckDB no longer looks in its own unless that is named.
    let own = scope.system.home_dir().and_then(|home| text(home.join(".duckdb").join("extensions")));
    own.map(|own| (EXTENSION_DIRECTORY, own))
        .into_iter()
        .chain([(EXTENSION_DIRECTORIES, list_of(&of_program))])
        .collect()
}

/// A list of one text, as DuckDB reads it where it expects a list.
fn list_of(text: &str) -> String {
    let mut list = String::from("['");
    for character in text.chars() {
        if matches!(character, '\'' | '\\') {
            list.push('\\');
        }
        list.push(character);
    }
    list + "']"
}

fn extensions(given: Vec<Located<ExtensionEntry>>, scope: &mut Scope<'_>) -> Vec<Extension> {
    let mut extensions = Vec::new();
    for Located { node, value } in given {
        let options = match value {
            ExtensionEntry::Name(name) => ExtensionOptions { name: Some(name), ..ExtensionOptions::default() },
            ExtensionEntry::Table(options) => options,
        };
        let Some(name) = options.name else {
            scope.missing(&node, "name", "name the extension");
            continue;
        };
        let mut extension = Extension::new(name).map_err(|problem| problem.at("name"));
        if let Some(repository) = options.repository {
            extension = extension.and_then(|extension| extension.from_repository(repository));
        }
        for sql in options.init_sql.unwrap_or_default() {
            extension = extension.and_then(|extension| extension.then(sql));
        }
        match extension {
            Ok(extension) => extensions.push(extension),
            Err(problem) => scope.problems([problem], &node),
        }
    }
    extensions
}
