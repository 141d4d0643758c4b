//! Lakes in temporary folders, and DuckDB without the store in between.

use std::path::{Path, PathBuf};

use arrow::array::StringArray;
use arrow::datatypes::DataType;
use ducklake_sql::{
    AttachOptions, Catalog, CatalogFile, Lake, LocalFolder, Parameter, Session, Setting, Sql, Statement, Value,
};
use metaxy_store_duckdb::Store;

/// The session every test needs: where `cargo xtask setup` put the extensions.
pub(crate) fn session() -> Session {
    let folder = std::env::var("METAXY_EXTENSION_DIRECTORY").expect(
        "METAXY_EXTENSION_DIRECTORY is set by .cargo/config.toml; run the tests with cargo inside the repository",
    );
    let mut session = Session::default();
    session.settings.push(Setting::new("extension_directory", Value::from(folder)).unwrap());
    session
}

/// A folder for one lake, gone when it is dropped.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("lake").tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Everything in the folder, at any depth, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
                if path.is_dir() {
                    walk(&path, root, found);
                }
            }
        }
        let mut found = Vec::new();
        walk(self.0.path(), self.0.path(), &mut found);
        found.sort();
        found
    }

    pub(crate) fn sqlite(&self) -> Catalog {
        Catalog::Sqlite(CatalogFile::new(self.text("meta.sqlite")).unwrap())
    }

    pub(crate) fn duckdb(&self) -> Catalog {
        Catalog::DuckDb(CatalogFile::new(self.text("meta.ducklake")).unwrap())
    }

    pub(crate) fn data(&self) -> LocalFolder {
        LocalFolder::new(self.text("data")).unwrap()
    }

    /// The lake that most tests use: SQLite and local files.
    pub(crate) fn lake(&self) -> Lake {
        self.lake_with([])
    }

    pub(crate) fn lake_with<const N: usize>(&self, options: [(&str, Value); N]) -> Lake {
        Lake::on(self.sqlite(), self.data())
            .owner("test")
            .options(AttachOptions::from_pairs(options).unwrap())
            .build()
            .unwrap()
    }
}

/// DuckDB without the store: for what a program meets that types its SQL itself.
pub(crate) fn raw() -> duckdb::Connection {
    raw_at(None)
}

/// The same, on a database file of its own.
pub(crate) fn raw_at(file: Option<&Path>) -> duckdb::Connection {
    let config = duckdb::Config::default().enable_autoload_extension(false).unwrap();
    let connection = match file {
        Some(file) => duckdb::Connection::open_with_flags(file, config).unwrap(),
        None => duckdb::Connection::open_in_memory_with_flags(config).unwrap(),
    };
    for setting in session().settings {
        run(&connection, &Statement::Set(setting).to_sql()).unwrap();
    }
    connection.execute_batch("LOAD ducklake; LOAD sqlite_scanner;").unwrap();
    connection
}

/// Runs planned SQL on such a connection.
pub(crate) fn run(connection: &duckdb::Connection, sql: &Sql) -> duckdb::Result<usize> {
    let values = sql.parameters().map(|value| match value {
        Parameter::Text(text) => duckdb::types::Value::Text(text.to_owned()),
        Parameter::Integer(number) => duckdb::types::Value::BigInt(number),
        Parameter::Boolean(boolean) => duckdb::types::Value::Boolean(boolean),
    });
    connection.prepare(sql.text())?.execute(duckdb::params_from_iter(values))
}

/// The first column of a query's rows, as text.
pub(crate) fn texts(store: &Store, query: &'static str) -> Vec<String> {
    let mut found = Vec::new();
    for batch in store.connection().query(query).unwrap() {
        let column = arrow::compute::cast(batch.unwrap().column(0), &DataType::Utf8).unwrap();
        let column = column.as_any().downcast_ref::<StringArray>().unwrap();
        found.extend(column.iter().map(|text| text.unwrap_or("NULL").to_owned()));
    }
    found
}

/// The same for a connection without the store.
pub(crate) fn raw_texts(connection: &duckdb::Connection, query: &str) -> Vec<String> {
    let mut statement = connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
