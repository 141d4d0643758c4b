//! Lakes on each catalog and storage, and what is declared for them.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use ducklake_sql::{AttachOptions, Catalog, Lake, Mode, PostgresSpec, S3Spec, Secret, Setting, Storage, Value};
use metaxy_store_duckdb::Store;
use metaxy_testkit::{Database, KeyPair, KeyRights, Postgres, S3Options, S3Server};

use crate::lake::{TempLake, session};

/// The storage that all tests here share, each with a bucket of its own.
pub(super) static SERVER: LazyLock<S3Server> = LazyLock::new(|| S3Server::start(S3Options::default()));

/// The number of the next bucket.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A catalog and a storage in use by one test.
pub(crate) struct Home {
    pub(super) name: String,
    pub(super) folder: TempLake,
    pub(crate) lake: Lake,
    /// Kept as long as the lake is used.
    _database: Option<Database<'static>>,
}

/// A lake on each catalog, and on each storage.
pub(super) fn homes() -> Vec<Home> {
    [("sqlite", "local"), ("duckdb", "s3"), ("postgres", "local")]
        .map(|(catalog, storage)| home(catalog, storage))
        .into()
}

/// A lake on each catalog with the other storage, which takes its time.
pub(super) fn other_homes() -> Vec<Home> {
    [("sqlite", "s3"), ("duckdb", "local"), ("postgres", "s3")].map(|(catalog, storage)| home(catalog, storage)).into()
}

pub(crate) fn home(catalog: &str, storage: &str) -> Home {
    let folder = TempLake::new();
    let database = (catalog == "postgres").then(|| Postgres::shared().database());
    let mut options = Vec::new();
    let of_catalog: Catalog = match (catalog, &database) {
        ("duckdb", _) => folder.duckdb(),
        ("sqlite", _) => {
            options.push(("meta_journal_mode", Value::from("WAL")));
            folder.sqlite()
        }
        (_, database) => {
            let database = database.as_ref().unwrap();
            let mut spec = PostgresSpec::new("pg");
            spec.host = Some(database.host().to_owned());
            spec.port = Some(database.port());
            spec.database = Some(database.name().to_owned());
            spec.user = Some(database.owner().user.clone());
            spec.password = Some(Secret::from(database.owner().password.as_str()));
            options.push(("metadata_schema", Value::from("meta")));
            spec.build().unwrap()
        }
    };
    let bucket = (storage == "s3").then(|| format!("bucket-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    let of_storage: Storage = match &bucket {
        None => folder.data().into(),
        Some(bucket) => {
            SERVER.bucket(bucket);
            s3(&SERVER, &SERVER.key(KeyRights::Full), bucket).build().unwrap().into()
        }
    };
    let options = AttachOptions::from_pairs(options).unwrap();
    let lake = Lake::builder(of_catalog, of_storage).owner("test").options(options).build().unwrap();
    Home { name: format!("{catalog} on {storage}"), folder, lake, _database: database }
}

fn s3(server: &S3Server, key: &KeyPair, bucket: &str) -> S3Spec {
    let mut spec = S3Spec::new("storage");
    spec.bucket = Some(bucket.to_owned());
    spec.prefix = Some("prod".to_owned());
    spec.key_id = Some(Secret::from(key.id.as_str()));
    spec.secret = Some(Secret::from(key.secret.as_str()));
    spec.endpoint = Some(server.endpoint());
    spec.region = Some(server.region().to_owned());
    spec.url_style = Some("path".to_owned());
    spec.use_ssl = Some(false);
    spec
}

impl Home {
    pub(super) fn open(&self) -> Store {
        // Only so are row groups of so many bytes written.
        let mut session = session();
        session.settings.push(Setting::new("preserve_insertion_order", Value::Boolean(false)).unwrap());
        Store::attach(&self.lake, &session, Mode::Write).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    pub(super) fn read(&self) -> Store {
        Store::attach(&self.lake, &session(), Mode::Read).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}
