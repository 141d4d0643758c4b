//! What a failed, a closed and a dropped store leave behind: nothing, seen from inside their instance and around it.
//!
//! Each position of a plan fails for a cause of its own: a name that is taken, a server that is away. Only `USE` has
//! none, and the checks fail after it.

use std::fs;
use std::path::PathBuf;

use ducklake_sql::{
    Catalog, CatalogFile, Extension, GcsSpec, LocalFolder, ObjectStorage, Parameters, PostgresSpec, R2Spec, S3Spec,
    Secret, Sql, Storage, Value, sql,
};
use metaxy_testkit::{Database as PgDatabase, Fault, KeyRights, Postgres, S3Options, S3Server, TempDir, deps};

use super::*;

const BUCKET: &str = "bucket";

/// Everything that a lake may touch.
struct Place {
    home: TempDir,
    server: S3Server,
    database: PgDatabase<'static>,
}

impl Place {
    fn new() -> Self {
        let server = S3Server::start(S3Options::default());
        server.bucket(BUCKET);
        Self { home: TempDir::new(), server, database: Postgres::shared().database() }
    }

    fn session() -> Session {
        let mut session = session(deps().extensions());
        session.extensions.push(Extension::new("httpfs").unwrap());
        session.settings.push(Setting::new("http_retries", Value::Integer(0)).unwrap());
        session
    }

    fn catalogs(&self) -> [Catalog; 3] {
        let file = |name: &str| CatalogFile::new(self.home.join(name)).unwrap();
        let mut postgres = PostgresSpec::new("lake_catalog");
        postgres.host = Some(self.database.host().to_owned());
        postgres.port = Some(self.database.port());
        postgres.database = Some(self.database.name().to_owned());
        postgres.user = Some(self.database.owner().user.clone());
        postgres.password = Some(Secret::from(self.database.owner().password.as_str()));
        [
            Catalog::DuckDb(file("meta/lake.ducklake")),
            Catalog::Sqlite(file("meta/lake.sqlite")),
            postgres.build().unwrap(),
        ]
    }

    fn storages(&self, bucket: &str) -> [Storage; 4] {
        let key = self.server.key(KeyRights::Full);
        let (id, secret) = (Some(Secret::from(key.id.as_str())), Some(Secret::from(key.secret.as_str())));
        let parameters: Parameters = [
            ("endpoint", Value::from(self.server.endpoint())),
            ("region", Value::from(self.server.region())),
            ("url_style", Value::from("path")),
            ("use_ssl", Value::Boolean(false)),
        ]
        .into_iter()
        .collect();
        let path = |scheme: &str| [scheme, "://", bucket, "/lake/"].concat();
        let mut s3 = S3Spec::new("lake_storage");
        (s3.key_id, s3.secret, s3.parameters) = (id.clone(), secret.clone(), parameters.clone());
        s3.data_path = Some(path("s3"));
        let mut r2 = R2Spec::new("lake_storage", path("r2"));
        (r2.key_id, r2.secret, r2.parameters) = (id.clone(), secret.clone(), parameters.clone());
        let mut gcs = GcsSpec::new("lake_storage", path("gs"));
        (gcs.key_id, gcs.secret, gcs.parameters) = (id, secret, parameters);
        let objects: [ObjectStorage; 3] = [s3.build().unwrap(), r2.build().unwrap(), gcs.build().unwrap()];
        let [s3, r2, gcs] = objects.map(Storage::Object);
        [Storage::Local(LocalFolder::new(self.home.join("data")).unwrap()), s3, r2, gcs]
    }

    /// Every combination, its credentials in the configuration.
    fn lakes(&self) -> Vec<Lake> {
        let storages = self.storages(BUCKET);
        let on =
            |catalog: &Catalog, storage: &Storage| Lake::builder(catalog.clone(), storage.clone()).build().unwrap();
        self.catalogs().iter().flat_map(|catalog| storages.iter().map(move |storage| on(catalog, storage))).collect()
    }

    /// Fails unless no lake, no file and no object is there.
    fn assert_nothing(&self, when: &str) {
        assert_eq!(self.home.files(), [] as [&str; 0], "{when}");
        assert_eq!(self.database.tables(), [] as [&str; 0], "{when}");
        assert_eq!(self.server.objects(BUCKET), [] as [&str; 0], "{when}");
    }

    /// Takes away a lake that was made on purpose.
    fn clear(&self) {
        for folder in ["meta", "data"] {
            drop(fs::remove_dir_all(self.home.path().join(folder)));
        }
        let mut owner = self.database.connect(self.database.owner()).unwrap();
        owner.batch_execute("DROP OWNED BY CURRENT_USER").unwrap();
    }
}

fn session(extensions: PathBuf) -> Session {
    let mut session = Session::default();
    let folder = Value::from(extensions.into_os_string().into_string().unwrap());
    session.settings.push(Setting::new("extension_directory", folder).unwrap());
    // `cargo xtask setup` has checked the extensions, and DuckDB takes 0.1 s to check the signature of one.
    session.settings.push(Setting::new("allow_unsigned_extensions", Value::Boolean(true)).unwrap());
    session
}

/// What an instance knows that a plan may have left: secrets, databases, which database is current.
fn state(connection: &Connection) -> String {
    const STATE: &str = "SELECT concat_ws(' ',
        (SELECT string_agg(name, ',' ORDER BY name) FROM duckdb_secrets()),
        (SELECT string_agg(database_name, ',' ORDER BY database_name) FROM duckdb_databases()),
        current_database())";
    connection.text(&Sql::fixed(STATE)).unwrap().unwrap()
}

/// Makes a statement fail when it is run: what to run before, and after.
fn cause(statement: &Statement) -> Option<[Sql; 2]> {
    match statement {
        Statement::CreateSecret(secret) => Some([
            sql!("CREATE TEMPORARY SECRET {name} (TYPE http)", name = secret.name()),
            Statement::DropSecret(secret.name().clone()).to_sql(),
        ]),
        Statement::Attach(_) => Some(["ATTACH ':memory:' AS ducklake".into(), "DETACH ducklake".into()]),
        _ => None,
    }
}

#[test]
fn a_plan_that_fails_anywhere_leaves_nothing() {
    let place = Place::new();
    let mut failed = Vec::new();
    for lake in place.lakes() {
        let tables = TableDatabase::from(&lake);
        let plan = Arc::new(lake.plan(&Place::session(), Mode::Write));
        let connection = Connection::new(open_instance(None, &[&plan], Mode::Write).unwrap(), Arc::clone(&plan));
        let home = current_database(&connection).unwrap();
        let facts = Arc::new(facts_of("", &tables, &plan));
        for statement in plan.statements() {
            if matches!(statement, Statement::Set(_) | Statement::Load(_)) {
                // These stay, and give a type to the secrets below.
                connection.run(&statement.to_sql()).unwrap();
                continue;
            }
            let when = [lake.catalog_kind().as_str(), " ", lake.data_path().unwrap(), ": ", statement.name()].concat();
            let cause = cause(statement);
            match (statement, &cause) {
                (_, Some([before, _])) => drop(connection.execute(before.clone()).unwrap()),
                (Statement::ProbeStorage(_), _) => place.server.inject(Fault::RefuseConnections),
                _ => continue,
            }
            let before = state(&connection);
            let error = OpenOptions::default().run_plan(&connection, &plan, &tables, &facts, &home).unwrap_err();
            failed.push(statement.name());
            assert_eq!(state(&connection), before, "{when}: {error}");
            place.assert_nothing(&when);
            match cause {
                Some([_, after]) => drop(connection.execute(after).unwrap()),
                None => place.server.heal(),
            }
        }
    }
    // 12 secrets of lakes, 9 of storages, 4 of catalogs.
    let count = |name: &str| failed.iter().filter(|failed| **failed == name).count();
    assert_eq!([count("create-secret"), count("probe-storage"), count("attach")], [25, 9, 12]);
}

#[test]
fn an_extension_or_a_setting_that_is_missing_leaves_nothing() {
    let place = Place::new();
    let folder = TempDir::new();
    let real = fs::read_dir(deps().extensions()).unwrap().next().unwrap().unwrap();
    let platform = fs::read_dir(real.path()).unwrap().next().unwrap().unwrap();
    let extensions = folder.path().join(real.file_name()).join(platform.file_name());
    fs::create_dir_all(&extensions).unwrap();
    // One extension more each time, until none is missing.
    for (number, name) in ["ducklake", "sqlite_scanner", "postgres_scanner", "httpfs"].into_iter().enumerate() {
        let mut missing = 0;
        for lake in place.lakes() {
            let Err(error) = OpenOptions::default().install_extensions(false).attach(
                None,
                &lake,
                &session(folder.path().to_path_buf()),
                Mode::Write,
            ) else {
                place.clear();
                continue;
            };
            assert!(error.is_missing_extension(), "{error}");
            missing += 1;
            place.assert_nothing(name);
        }
        assert_eq!(missing, [12, 11, 10, 9][number]);
        let file = [name, ".duckdb_extension"].concat();
        std::os::unix::fs::symlink(platform.path().join(&file), extensions.join(&file)).unwrap();
    }

    let mut session = Place::session();
    session.settings.push(Setting::new("threads", Value::from("many")).unwrap());
    let error = Store::attach(&place.lakes()[0], &session, Mode::Write).unwrap_err();
    assert!(error.to_string().starts_with("DuckDB refuses the setting `threads`"), "{error}");
    assert_eq!(error.cause(), Some(crate::Cause::SettingRefused));
    place.assert_nothing("set");
}

#[test]
fn no_lake_is_made_for_a_storage_that_does_not_answer() {
    let place = Place::new();
    place.database.connect(place.database.owner()).unwrap();
    for catalog in place.catalogs() {
        for storage in place.storages("no-such-bucket").into_iter().skip(1) {
            let lake = Lake::builder(catalog.clone(), storage).build().unwrap();
            let error = Store::attach(&lake, &Place::session(), Mode::Write).unwrap_err();
            assert!(error.to_string().contains("no-such-bucket"), "{error}");
            place.assert_nothing("no such bucket");
        }
    }
}

#[test]
fn a_lake_is_let_go_when_its_store_is_closed_or_dropped() {
    let place = Place::new();
    for lake in place.lakes() {
        for closes in [true, false] {
            let store = Store::attach(&lake, &Place::session(), Mode::Write).unwrap();
            // Its current database is the lake too, and stays so until it chooses another one.
            let other = store.connection().another().unwrap();
            if closes {
                store.close().unwrap();
            } else {
                drop(store);
            }
            other.execute("USE memory").unwrap();
            assert_eq!(state(&other), "memory,system,temp memory");
        }
        place.clear();
    }
}

#[test]
fn a_check_that_fails_takes_the_lake_away_and_leaves_it_as_it_was() {
    let place = Place::new();
    for catalog in place.catalogs() {
        let [local, s3, ..] = place.storages(BUCKET);
        let lake = Lake::builder(catalog.clone(), local).build().unwrap();
        Store::attach(&lake, &Place::session(), Mode::Write).unwrap().close().unwrap();
        let before = (place.home.files(), place.database.tables());
        let elsewhere = Lake::builder(catalog, s3).build().unwrap();
        let error = Store::attach(&elsewhere, &Place::session(), Mode::Write).unwrap_err();
        assert!(error.is_data_path_mismatch(), "{error}");
        assert_eq!((place.home.files(), place.database.tables()), before);
        place.clear();
    }
}

#[test]
fn a_database_of_ones_own_is_not_left_behind_either() {
    let place = Place::new();
    let own = place.home.path().join("own.duckdb");
    let lake = Lake::builder(place.catalogs()[0].clone(), place.storages("no-such-bucket")[1].clone()).build().unwrap();
    OpenOptions::default().attach(Some(&own), &lake, &Place::session(), Mode::Write).unwrap_err();
    place.assert_nothing("new");

    let connection = duckdb::Connection::open(&own).unwrap();
    connection.execute_batch("CREATE TABLE mine (i INTEGER)").unwrap();
    drop(connection);
    OpenOptions::default().attach(Some(&own), &lake, &Place::session(), Mode::Write).unwrap_err();
    assert_eq!(place.home.files(), ["own.duckdb"]);
}

/// MotherDuck's extension without a network: seen once, since it takes ten seconds, and a network may be there.
#[test]
fn an_extension_that_does_not_start_is_not_missing() {
    let said = "Invalid Input Error: Initialization function \"motherduck_duckdb_cpp_init\" from file \
        \"motherduck.duckdb_extension\" threw an exception: \"Failed to download \
        \"http://api.motherduck.com/extension_version\" (attempt 5): Could not establish connection\"";
    let lake = Lake::mother_duck("lake").build().unwrap();
    let (tables, plan) = (TableDatabase::from(&lake), lake.plan(&Session::default(), Mode::Read));
    let load = plan.statements().iter().position(|statement| matches!(statement, Statement::Load(_))).unwrap();
    let facts = Arc::new(facts_of("", &tables, &plan));
    let error = explain(&plan, load, Error::query(said), &facts, true);
    assert!(!error.is_missing_extension());
    assert!(error.to_string().starts_with("the extension `motherduck` is there, but does not start"), "{error}");
    assert!(error.help().unwrap().contains("api.motherduck.com"));
}
