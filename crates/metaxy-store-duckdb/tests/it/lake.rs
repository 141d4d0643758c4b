//! Lakes in temporary folders, tables of a configuration that describe them, and DuckDB without the store in between.
//!
//! DuckDB checks the signature of an extension each time that an instance loads it, by hashing all of it: 0.1 s for each,
//! most of the time that a test takes. `cargo xtask setup` compares the same files with pinned checksums, so most lakes
//! here are opened without that check. With it, as a user opens them, are those of [`session_with_signatures`] and the
//! combinations of `matrix` whose credentials are in the configuration.
//!
//! The same lakes are opened with one thread: a statement about some rows has nothing to divide, and what the threads of
//! DuckDB do to find out costs a third of the processor time of a test. The program's tests run with all of them.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use arrow::array::StringArray;
use arrow::datatypes::DataType;
use ducklake_sql::{
    AttachOptions, Catalog, CatalogFile, Lake, LocalFolder, Mode, Parameter, Session, Setting, Sql, Statement, Value,
};
use metaxy_config::{Config, LoadError, LoadOptions, Loaded, OsSystem, Trust};
use metaxy_store_duckdb::{Error, Store};
use metaxy_testkit::{Database, KeyPair, Login, S3Server, TempDir, deps};

/// The lines, for a store's table `config`, of most tests: no check of signatures, and one thread.
pub(crate) const FOR_TESTS: &str = "config.allow_unsigned_extensions = true\nconfig.threads = 1";

/// The session of most tests: the extensions that `cargo xtask setup` brought and checked, not checked again, and one thread.
pub(crate) fn session() -> Session {
    let mut session = session_with_signatures();
    session.settings.push(Setting::new("allow_unsigned_extensions", Value::Boolean(true)).unwrap());
    session.settings.push(Setting::new("threads", Value::Integer(1)).unwrap());
    session
}

/// The same, with DuckDB's own check of the extensions.
pub(crate) fn session_with_signatures() -> Session {
    let folder = deps().extensions().into_os_string().into_string().unwrap();
    let mut session = Session::default();
    session.settings.push(Setting::new("extension_directory", Value::from(folder)).unwrap());
    session
}

/// A folder for one lake or one `metaxy.toml`, gone when it is dropped.
pub(crate) struct TempLake(TempDir);

impl Deref for TempLake {
    type Target = TempDir;

    fn deref(&self) -> &TempDir {
        &self.0
    }
}

impl TempLake {
    pub(crate) fn new() -> Self {
        Self(TempDir::new())
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The files in the folder, but for what SQLite keeps beside its own while that is open.
    pub(crate) fn files_without_wal(&self) -> Vec<String> {
        let is_sqlite_s = |file: &String| file.ends_with("-wal") || file.ends_with("-shm");
        self.0.files().into_iter().filter(|file| !is_sqlite_s(file)).collect()
    }

    pub(crate) fn sqlite(&self) -> Catalog {
        Catalog::Sqlite(CatalogFile::new(self.join("meta.sqlite")).unwrap())
    }

    pub(crate) fn duckdb(&self) -> Catalog {
        Catalog::DuckDb(CatalogFile::new(self.join("meta.ducklake")).unwrap())
    }

    pub(crate) fn data(&self) -> LocalFolder {
        LocalFolder::new(self.join("data")).unwrap()
    }

    /// A lake on SQLite and local files.
    pub(crate) fn lake(&self) -> Lake {
        self.lake_with([])
    }

    /// The same with options.
    pub(crate) fn lake_with<const N: usize>(&self, options: [(&str, Value); N]) -> Lake {
        Lake::builder(self.sqlite(), self.data())
            .owner("test")
            .options(AttachOptions::from_pairs(options).unwrap())
            .build()
            .unwrap()
    }

    /// The lake of tests with features, in WAL mode: otherwise a reader that takes its time makes a commit of DuckLake 1.0
    /// fail, and the file stays locked until the program that committed ends.
    pub(crate) fn wal_lake(&self) -> Lake {
        self.lake_with([wal()])
    }

    /// Opens the lake in WAL mode to write.
    pub(crate) fn open(&self) -> Store {
        self.try_open(Mode::Write).unwrap()
    }

    pub(crate) fn try_open(&self, mode: Mode) -> Result<Store, Error> {
        attach(&self.wal_lake(), mode)
    }

    /// Writes a `metaxy.toml` with one store, with these lines in its tables `config` and `config.ducklake`.
    pub(crate) fn configure(&self, store: &str, config: &[&str], lake: &[&str]) {
        self.write("metaxy.toml", store_tables(store, "duckdb", config, lake));
    }

    /// Loads the folder's `metaxy.toml`.
    pub(crate) fn load(&self) -> Result<Loaded, LoadError> {
        Config::load(&OsSystem, &LoadOptions::file(self.path_of("metaxy.toml")).trust(Trust::Everything))
    }
}

/// The option that puts a SQLite catalog into WAL mode.
pub(crate) fn wal() -> (&'static str, Value) {
    ("meta_journal_mode", Value::from("WAL"))
}

/// Opens a lake in memory.
pub(crate) fn attach(lake: &Lake, mode: Mode) -> Result<Store, Error> {
    Store::attach(lake, &session(), mode)
}

/// The tables of a store in `metaxy.toml`, with these lines in its tables `config` and `config.ducklake`.
pub(crate) fn store_tables(store: &str, of: &str, config: &[&str], lake: &[&str]) -> String {
    let (config, lake) = (config.join("\n"), lake.join("\n"));
    format!(
        "[stores.{store}]\ntype = '{of}'\n[stores.{store}.config]\ndatabase = ':memory:'\n{config}\n\
         [stores.{store}.config.ducklake]\n{lake}\n"
    )
}

/// A storage and catalogs in the folder of the configuration, as inline tables.
pub(crate) const LOCAL: &str = r#"{ type = "local", path = "data" }"#;
pub(crate) const SQLITE: &str = r#"{ type = "sqlite", uri = "sqlite:meta.sqlite" }"#;
pub(crate) const DUCKDB: &str = r#"{ type = "duckdb", uri = "duckdb:meta.ducklake" }"#;

/// A catalog in PostgreSQL, with further fields after the usual ones.
pub(crate) fn postgres(database: &Database<'_>, login: &Login, more: &str) -> String {
    format!(
        "{{ type = \"postgres\", secret_name = \"pg\", host = \"{}\", port = {}, database = \"{}\", user = \"{}\", \
         password = {:?}{more} }}",
        database.host(),
        database.port(),
        database.name(),
        login.user,
        login.password
    )
}

/// The bucket of the object storages here.
pub(crate) const BUCKET: &str = "lake";

/// An object storage as it should be configured; a field is changed by replacing it.
pub(crate) fn s3(server: &S3Server, key: &KeyPair) -> String {
    let token =
        key.session_token.as_ref().map(|token| format!(", secret_parameters = {{ session_token = {token:?} }}"));
    format!(
        "{{ type = \"s3\", secret_name = \"storage\", bucket = \"{BUCKET}\", prefix = \"prod\", key_id = \"{}\", \
         secret = {:?}, endpoint = \"{}\", region = \"{}\", url_style = \"path\", use_ssl = false{} }}",
        key.id,
        key.secret,
        server.endpoint(),
        server.region(),
        token.unwrap_or_default()
    )
}

/// DuckDB without the store: for what a program meets that types its SQL itself.
pub(crate) fn raw() -> duckdb::Connection {
    raw_at(None)
}

/// The same, on a database file of its own.
pub(crate) fn raw_at(file: Option<&Path>) -> duckdb::Connection {
    let config = duckdb::Config::default().enable_autoload_extension(false).unwrap();
    let config = config.allow_unsigned_extensions().unwrap();
    let connection = match file {
        Some(file) => duckdb::Connection::open_with_flags(file, config).unwrap(),
        None => duckdb::Connection::open_in_memory_with_flags(config).unwrap(),
    };
    for setting in session_with_signatures().settings {
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

/// The first column of a query's first row, as text.
pub(crate) fn value(store: &Store, query: &'static str) -> String {
    texts(store, query).swap_remove(0)
}

/// The first column of a query's rows, as text, from a connection without the store.
pub(crate) fn raw_texts(connection: &duckdb::Connection, query: &str) -> Vec<String> {
    let mut statement = connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
