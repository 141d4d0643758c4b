//! Both implementations on one lake, and how their answers are compared.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use arrow::datatypes::DataType;
use metaxy_config::{Config, LoadOptions, OsSystem, Trust};
use metaxy_store_duckdb::CatalogMigration;
use metaxy_testkit::{Database, Postgres, deps};
use serde_json::Value;

use crate::interop::python::Python;
use crate::interop::rust::Rust;
use crate::lake::{TempLake, postgres, store_tables};

/// New, stale and orphaned rows.
pub(crate) type Changes = [Vec<Value>; 3];

/// What an implementation can be asked. A lake is opened by the first question about it.
pub(crate) trait Implementation {
    fn name(&self) -> &'static str;
    /// Lets the lake go.
    fn close(&mut self);
    fn write(&mut self, feature: &str, rows: &[Value]) -> Result<(), Refused>;
    /// The current rows; with `history` every row of the current version, deleted ones too.
    fn read(&mut self, feature: &str, history: bool) -> Result<Vec<Value>, Refused>;
    fn resolve(&mut self, feature: &str, samples: Option<&[Value]>) -> Result<Changes, Refused>;
    /// Writes a part of what was resolved last, as it is.
    fn write_increment(&mut self, feature: &str, change: usize) -> Result<(), Refused>;
    /// Deletes softly.
    fn delete(&mut self, feature: &str, filter: &str) -> Result<(), Refused>;
    /// The version of the project, and whether it had been pushed already.
    fn push(&mut self) -> Result<(String, bool), Refused>;
    /// The key, version and definition version of every feature of a snapshot, sorted.
    fn load_graph(&mut self, project_version: &str) -> Result<Vec<(String, String, String)>, Refused>;
}

/// Why an implementation did not do what it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) kind: String,
    pub(crate) message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

/// A feature, as both are given it.
#[derive(Debug, Clone)]
pub(crate) struct Feature {
    /// The JSON of its specification.
    pub(crate) spec: Value,
    /// Its columns that are not Metaxy's.
    pub(crate) columns: Vec<(String, Type)>,
    /// What describes the Python class, and so the feature if its specification does not.
    pub(crate) doc: Option<String>,
}

impl Feature {
    pub(crate) fn key(&self) -> &str {
        self.spec["key"].as_str().unwrap()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Integer,
    Float,
    Boolean,
}

impl Type {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Float => "float",
            Self::Boolean => "boolean",
        }
    }

    pub(crate) fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Boolean => DataType::Boolean,
        }
    }
}

/// What a lake's catalog is, or that there is no lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Catalog {
    Sqlite,
    DuckDb,
    Postgres,
    /// The tables are in a DuckDB file.
    NoLake,
}

/// How a lake is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) catalog: Catalog,
    pub(crate) maps: bool,
    pub(crate) hash: &'static str,
    pub(crate) truncation: u64,
    /// Whether small writes stay in the catalog, as is DuckLake's default.
    pub(crate) inlining: bool,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Python,
    Rust,
}

impl Who {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Python => Self::Rust,
            Self::Rust => Self::Python,
        }
    }
}

/// Both on one new lake, by one `metaxy.toml`.
pub(crate) struct Pair<'p> {
    pub(crate) python: &'p mut Python,
    pub(crate) rust: Rust,
    /// Whether the catalog belongs to one process at a time.
    exclusive: bool,
    settings: Settings,
    /// Kept as long as the lake is used.
    databases: Vec<Database<'static>>,
    folder: TempLake,
}

impl<'p> Pair<'p> {
    pub(crate) fn new(python: &'p mut Python, settings: Settings) -> Self {
        Self::on(python, settings, None)
    }

    /// The same with relative paths, this one for the data. Python's working directory is the folder of the file, this
    /// implementation's another one.
    pub(crate) fn relative(python: &'p mut Python, settings: Settings, data: &str) -> Self {
        Self::on(python, settings, Some(data))
    }

    fn on(python: &'p mut Python, settings: Settings, data: Option<&str>) -> Self {
        let folder = TempLake::new();
        python.enter(folder.path());
        std::fs::create_dir(folder.path_of("sub")).unwrap();
        let database = (settings.catalog == Catalog::Postgres).then(|| Postgres::shared().database());
        let file = folder.write("metaxy.toml", configuration(&folder, database.as_ref(), settings, data));
        python.configure(&file);
        let exclusive = matches!(settings.catalog, Catalog::DuckDb | Catalog::NoLake);
        Self { python, rust: Rust::new(&file), exclusive, settings, databases: database.into_iter().collect(), folder }
    }

    /// Moves the lake into a catalog of another kind. What Python has attached stays so; the configuration that is returned
    /// is for [`go_on`](Self::go_on).
    pub(crate) fn move_to(&mut self, catalog: Catalog) -> PathBuf {
        self.rust.close();
        let settings = Settings { catalog, ..self.settings };
        let database = Postgres::shared().database();
        let before = fs::read_to_string(self.folder.path_of("metaxy.toml")).unwrap();
        let after = configuration(&self.folder, Some(&database), settings, None);
        let (_, store) = after.split_once("[stores.dev]").unwrap();
        let store = store.replace("[stores.dev.", "[stores.next.");
        let both = format!("{before}\n[stores.next]{store}\n[ext.rust.lake.next]\nmigrate_from = 'dev'\n");
        let config = LoadOptions::file(self.folder.write("both.toml", both)).trust(Trust::Everything);
        let config = Config::load(&OsSystem, &config).unwrap().config;
        let migration = CatalogMigration::new(&config, "dev", "next").unwrap();
        migration.run(&self.folder.path_of("dev.backup"), |_| ()).unwrap();
        self.exclusive = catalog == Catalog::DuckDb;
        self.settings = settings;
        self.databases.push(database);
        self.folder.write("moved.toml", after)
    }

    /// Lets both go on by another configuration.
    pub(crate) fn go_on(&mut self, file: &Path) {
        self.python.configure(file);
        self.rust = Rust::new(file);
    }

    /// Defines features for both, or tells why both refuse them. Every version has to be the same.
    pub(crate) fn define(&mut self, features: &[Feature]) -> Result<(), [Refused; 2]> {
        match self.python.define(features) {
            Ok(mut python) => {
                let rust = self.rust.define(features, Some(&python["features"]));
                for feature in python["features"].as_object_mut().unwrap().values_mut() {
                    let feature = feature.as_object_mut().unwrap();
                    feature.retain(|name, _| !matches!(name.as_str(), "schema" | "class_path"));
                }
                match rust {
                    Ok(rust) => assert_eq!(canonical(&rust), canonical(&python), "Rust's answer and Python's"),
                    Err(refused) => panic!("Rust alone refuses: {refused}"),
                }
                Ok(())
            }
            Err(python) => match self.rust.define(features, None) {
                Ok(_) => panic!("Python alone refuses: {python}"),
                Err(rust) => Err([python, rust]),
            },
        }
    }

    /// One of the two, alone in the lake where it has to be.
    pub(crate) fn side(&mut self, who: Who) -> &mut dyn Implementation {
        if self.exclusive {
            match who {
                Who::Python => self.rust.close(),
                Who::Rust => self.python.close(),
            }
        }
        match who {
            Who::Python => self.python,
            Who::Rust => &mut self.rust,
        }
    }
}

impl Drop for Pair<'_> {
    fn drop(&mut self) {
        // The other one may be busy with a panic.
        if !std::thread::panicking() {
            self.python.close();
        }
    }
}

/// The configuration that both read.
fn configuration(folder: &TempLake, database: Option<&Database<'_>>, settings: Settings, data: Option<&str>) -> String {
    let path = |name: &str| if data.is_some() { name.to_owned() } else { folder.join(name) };
    let quoted = |text: &str| Value::from(text).to_string();
    let catalog = match (settings.catalog, database) {
        (Catalog::Postgres, Some(database)) => postgres(database, database.owner(), ""),
        (Catalog::DuckDb, _) => format!("{{ type = 'duckdb', uri = {} }}", quoted(&path("meta.ducklake"))),
        _ => format!("{{ type = 'sqlite', uri = {} }}", quoted(&["sqlite:", &path("meta.sqlite")].concat())),
    };
    // A reader of a SQLite file that is not in this mode makes a commit of the other process fail.
    let options =
        if settings.catalog == Catalog::Sqlite { "attach_options = { meta_journal_mode = 'WAL' }" } else { "" };
    let inlining = if settings.inlining { "" } else { "data_inlining_row_limit = 0" };
    let catalog = format!("catalog = {catalog}");
    let storage = format!(
        "storage = {{ type = 'local', path = {} }}",
        quoted(&data.map_or_else(|| folder.join("data"), str::to_owned))
    );
    let (maps, hash, truncation) = (settings.maps, settings.hash, settings.truncation);
    let config = [
        &format!("hash_algorithm = '{hash}'"),
        // Python takes settings as texts only.
        &format!("config.extension_directory = {}", quoted(deps().extensions().to_str().unwrap())),
        "config.allow_unsigned_extensions = 'true'",
    ];
    let class = "metaxy.ext.duckdb.DuckDBMetadataStore";
    let store = if settings.catalog == Catalog::NoLake {
        let (database, config) = (quoted(&path("rows.duckdb")), config.join("\n"));
        format!("[stores.dev]\ntype = '{class}'\n[stores.dev.config]\ndatabase = {database}\n{config}\n")
    } else {
        store_tables("dev", class, &config, &[&catalog, &storage, options, inlining])
    };
    format!(
        "project = 'demo'
hash_truncation_length = {truncation}
enable_map_datatype = {maps}
auto_create_tables = true

{store}"
    )
}

/// The same value with all keys in order, as text.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(name, _)| name.as_str());
            let entries = entries.into_iter().map(|(name, value)| format!("{name:?}: {}", canonical(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// Rows as texts in an order that both share, with only some of their columns.
pub(crate) fn comparable(rows: &[Value], keep: impl Fn(&str) -> bool) -> Vec<String> {
    let row = |row: &Value| {
        let columns = row.as_object().unwrap().iter().filter(|(name, _)| keep(name));
        canonical(&columns.map(|(name, value)| (name.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into())
    };
    let mut rows: Vec<String> = rows.iter().map(row).collect();
    rows.sort_unstable();
    rows
}

/// All columns but those that Python leaks from upstream (hazard H4 of `docs/interop.md`).
pub(crate) fn made(name: &str) -> bool {
    !name.starts_with("metaxy_deleted_at")
}

/// Fails with the rows that only one of both has.
#[track_caller]
pub(crate) fn assert_same(python: &[String], rust: &[String], what: &str) {
    if python == rust {
        return;
    }
    let only = |these: &[String], those: &[String]| {
        let only: Vec<_> = these.iter().filter(|row| !those.contains(row)).take(5).cloned().collect();
        only.join("\n  ")
    };
    let (in_python, in_rust) = (only(python, rust), only(rust, python));
    let (many, few) = (python.len(), rust.len());
    panic!("{what}: Python has {many} rows, among them\n  {in_python}\nRust has {few} rows, among them\n  {in_rust}");
}
