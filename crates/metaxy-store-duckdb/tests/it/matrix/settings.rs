//! What real deployments set, each with what it does to a real lake.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use ducklake_sql::Mode;
use metaxy_store_duckdb::{Error, Store};
use metaxy_testkit::{CertificateAuthority, KeyPair, KeyRights, Postgres, S3Options, S3Server, assert_no_leak};

use crate::lake::{FOR_TESTS, TempLake, value};
use crate::matrix::child;

const SQLITE: &str = "catalog = { type = 'sqlite', uri = 'lake.sqlite' }";
const DUCKDB: &str = "catalog = { type = 'duckdb', uri = 'lake.ducklake' }";
const LOCAL: &str = "storage = { type = 'local', path = 'data' }";
/// Far more than what DuckLake keeps in the catalog.
const ROWS: &str = "CREATE TABLE sample AS SELECT range AS id FROM range(10000)";
const COUNT: &str = "SELECT count(*) FROM sample";

/// Opens the store of a folder; `setting` is one of DuckDB's, `lake` has the lines of the lake's table.
fn open(home: &TempLake, setting: &str, lake: &[&str], mode: Mode) -> Result<Store, Error> {
    home.configure("dev", &[FOR_TESTS, setting], lake);
    let loaded = home.load().unwrap_or_else(|error| panic!("{error}"));
    let store = Store::open(&loaded.config, "dev", mode);
    if let Err(error) = &store {
        assert_no_leak(&format!("{error} {error:?} {:?}", error.help()), "an error");
    }
    store
}

/// The data files of a folder's lake.
fn data_files(home: &TempLake) -> Vec<String> {
    home.files().into_iter().filter(|file| file.starts_with("data/") && file.ends_with(".parquet")).collect()
}

#[test]
fn an_authority_of_ones_own_for_the_storage_and_the_catalog() {
    let server = S3Server::start(S3Options { tls: true, ..S3Options::default() });
    server.bucket("bucket");
    let KeyPair { id, secret, .. } = server.key(KeyRights::Full);
    let (endpoint, region) = (server.endpoint(), server.region());
    let storage = format!(
        "storage = {{ type = 's3', secret_name = 's3', bucket = 'bucket', key_id = '{id}', secret = '{secret}',
         endpoint = 'https://{endpoint}', url_style = 'path', region = '{region}' }}"
    );
    let database = Postgres::shared().database();
    database.require_tls(database.owner());
    let catalog = |ca: &str| {
        let (host, port, name, owner) = (database.host(), database.port(), database.name(), database.owner());
        format!(
            "catalog = {{ type = 'postgres', secret_name = 'pg', host = '{host}', port = {port}, database = '{name}',
             user = '{}', password = {:?}, secret_parameters = {{ sslmode = 'verify-full', sslrootcert = {ca:?} }} }}",
            owner.user, owner.password
        )
    };
    let home = TempLake::new();
    CertificateAuthority::new().write(home.path().join("other.pem"));
    let (storage_ca, catalog_ca) = (format!("config.ca_cert_file = {:?}", server.ca_file()), database.ca_file());
    let catalog_ca = catalog_ca.to_str().unwrap();
    let wrong = format!("config.ca_cert_file = {:?}", home.join("other.pem"));
    for (settings, ca) in [("", catalog_ca), (&wrong, catalog_ca), (&storage_ca, &home.join("other.pem"))] {
        let error = open(&home, settings, &[&catalog(ca), &storage], Mode::Write).unwrap_err().to_string();
        assert!(error.to_lowercase().contains("certificate"), "{error}");
        assert!(database.tables().is_empty() && server.objects("bucket").is_empty(), "{error}");
    }

    let store = open(&home, &storage_ca, &[&catalog(catalog_ca), &storage], Mode::Write).unwrap();
    store.connection().execute(ROWS).unwrap();
    assert_eq!(value(&store, COUNT), "10000");
    // DuckLake lists and deletes over connections of its own, which see only what is set for the whole instance.
    store.connection().execute("DROP TABLE sample").unwrap();
    store.connection().execute("CALL ducklake_expire_snapshots('ducklake', older_than => now())").unwrap();
    store.connection().execute("CALL ducklake_cleanup_old_files('ducklake', cleanup_all => true)").unwrap();
    store.connection().execute("CALL ducklake_delete_orphaned_files('ducklake', cleanup_all => true)").unwrap();
    assert_eq!(server.objects("bucket"), [] as [&str; 0]);
    store.close().unwrap();
}

#[test]
fn every_way_to_say_a_login_to_postgresql() {
    let database = Postgres::shared().database();
    let (host, port, name, owner) = (database.host(), database.port(), database.name(), database.owner());
    let home = TempLake::new();
    let escaped = owner.password.replace('\\', "\\\\").replace(':', "\\:");
    let passfile = home.write("pgpass", format!("*:*:*:{}:{escaped}\n", owner.user));
    fs::set_permissions(&passfile, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let encoded = owner.password.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let (user, password) = (&owner.user, &owner.password);
    for (number, login) in [
        format!("host = '{host}', port = {port}, database = '{name}', user = '{user}', password = {password:?}"),
        format!("host = '{host}', port = {port}, database = '{name}', user = '{user}', secret_parameters = {{ passfile = {passfile:?} }}"),
        format!("secret_parameters = {{ uri = 'postgresql://{user}:{encoded}@{host}:{port}/{name}?application_name=metaxy' }}"),
        format!(
            "secret_parameters = {{ hostaddr = '{host}', port = {port}, dbname = '{name}', user = '{user}', password = {password:?},
             connect_timeout = 5, options = '-c statement_timeout=60000', application_name = 'metaxy', sslmode = 'require' }}"
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let home = TempLake::new();
        let catalog = format!("catalog = {{ type = 'postgres', secret_name = 'pg', metadata_schema = 'lake_{number}', {login} }}");
        let pool = "config.pg_pool_max_connections = 1\nconfig.pg_pool_acquire_mode = 'wait'";
        let store = open(&home, pool, &[&catalog, LOCAL], Mode::Write).unwrap_or_else(|error| panic!("{number}: {error}"));
        store.connection().execute(ROWS).unwrap();
        let tables = database.tables();
        assert!(tables.contains(&format!("lake_{number}.ducklake_table")), "{number}: {tables:?}");
        assert_eq!(value(&store, "SELECT current_setting('pg_pool_max_connections')"), "1");
        store.close().unwrap();
        let store = open(&home, pool, &[&catalog, LOCAL], Mode::Read).unwrap();
        assert_eq!(value(&store, COUNT), "10000");
    }
    assert!(!database.tables().iter().any(|table| table.starts_with("public.")));
}

#[test]
fn parameters_of_an_s3_secret() {
    // The region that a client signs with where an endpoint is given without one.
    let server = S3Server::start(S3Options { region: "us-east-1".to_owned(), ..S3Options::default() });
    server.bucket("bucket");
    let KeyPair { id, secret, session_token } = server.session_key(KeyRights::Full);
    let (endpoint, token) = (server.endpoint(), session_token.unwrap());
    let storage = |region: &str, parameters: &str| {
        format!(
            "storage = {{ type = 's3', secret_name = 's3', bucket = 'bucket', key_id = '{id}', secret = '{secret}',
             endpoint = 'http://{endpoint}', url_style = 'path'{region}, secret_parameters = {{ {parameters} }} }}"
        )
    };
    let home = TempLake::new();
    for (region, parameters) in [
        ("", "requester_pays = true".to_owned()),
        ("", format!("session_token = '{token}-expired'")),
        (", region = 'eu-west-9'", format!("session_token = '{token}'")),
    ] {
        open(&home, "", &[SQLITE, &storage(region, &parameters)], Mode::Write).unwrap_err();
        assert_eq!(home.files(), ["metaxy.toml"]);
    }
    let parameters =
        format!("session_token = '{token}', requester_pays = true, kms_key_id = 'arn:aws:kms:us-east-1:1:key/1'");
    let storage = storage("", &parameters);
    let store = open(&home, "", &[SQLITE, &storage], Mode::Write).unwrap();
    store.connection().execute(ROWS).unwrap();
    assert_eq!(value(&store, COUNT), "10000");
    assert!(!server.objects("bucket").is_empty());
    assert_eq!(server.header("x-amz-request-payer"), ["requester"]);
    assert_eq!(server.header("x-amz-server-side-encryption-aws-kms-key-id"), ["arn:aws:kms:us-east-1:1:key/1"]);
}

#[test]
fn a_lake_is_not_created_when_it_never_is() {
    let home = TempLake::new();
    let never = "attach_options = { create_if_not_exists = false }";
    assert!(open(&home, "", &[SQLITE, LOCAL, never], Mode::Write).unwrap_err().is_missing_lake());
    assert_eq!(home.files(), ["metaxy.toml"]);
    open(&home, "", &[SQLITE, LOCAL], Mode::Write).unwrap().close().unwrap();
    open(&home, "", &[SQLITE, LOCAL, never], Mode::Write).unwrap().close().unwrap();
}

#[test]
fn rows_up_to_a_limit_stay_in_the_catalog() {
    for (limit, files) in [(0, [1, 2]), (100, [0, 1])] {
        let home = TempLake::new();
        let limit = format!("data_inlining_row_limit = {limit}");
        let store = open(&home, "", &[SQLITE, LOCAL, &limit], Mode::Write).unwrap();
        store.connection().execute("CREATE TABLE sample (id BIGINT)").unwrap();
        store.connection().execute("INSERT INTO sample SELECT range FROM range(100)").unwrap();
        assert_eq!(data_files(&home).len(), files[0], "{limit}");
        store.connection().execute("INSERT INTO sample SELECT range FROM range(101)").unwrap();
        assert_eq!(data_files(&home).len(), files[1], "{limit}");
        assert_eq!(value(&store, COUNT), "201");
    }
}

#[test]
fn an_encrypted_lake_has_no_file_in_clear() {
    let home = TempLake::new();
    let encrypted = "attach_options = { encrypted = true }";
    let store = open(&home, "", &[SQLITE, LOCAL, encrypted], Mode::Write).unwrap();
    store.connection().execute(ROWS).unwrap();
    store.close().unwrap();
    let files = data_files(&home);
    assert!(!files.is_empty());
    for file in files {
        assert!(fs::read(home.join(&file)).unwrap().starts_with(b"PARE"), "{file}: an encrypted file begins otherwise");
    }
    // The lake knows that it is encrypted, and is not opened as one that is not.
    let store = open(&home, "", &[SQLITE, LOCAL], Mode::Read).unwrap();
    assert_eq!(value(&store, COUNT), "10000");
    store.close().unwrap();
    let clear = "attach_options = { encrypted = false }";
    let error = open(&home, "", &[SQLITE, LOCAL, clear], Mode::Write).unwrap_err();
    assert!(error.to_string().contains("encrypt"), "{error}");
}

#[test]
fn a_lake_as_it_was() {
    let home = TempLake::new();
    let store = open(&home, "", &[DUCKDB, LOCAL], Mode::Write).unwrap();
    store.connection().execute(ROWS).unwrap();
    let before = value(&store, "SELECT max(snapshot_time)::VARCHAR FROM ducklake_snapshots('ducklake')");
    store.connection().execute("DELETE FROM sample WHERE id < 4000").unwrap();
    store.close().unwrap();
    for pinned in ["snapshot_version = 1".to_owned(), format!("snapshot_time = '{before}'")] {
        let pinned = format!("attach_options = {{ {pinned} }}");
        assert!(open(&home, "", &[DUCKDB, LOCAL, &pinned], Mode::Write).unwrap_err().is_read_only());
        let store = open(&home, "", &[DUCKDB, LOCAL, &pinned], Mode::Read).unwrap();
        assert_eq!(value(&store, COUNT), "10000", "{pinned}");
    }
}

#[test]
fn a_catalog_of_an_older_format_is_migrated_only_when_asked() {
    let home = TempLake::new();
    open(&home, "", &[DUCKDB, LOCAL], Mode::Write).unwrap().close().unwrap();
    let catalog = duckdb::Connection::open(home.join("lake.ducklake")).unwrap();
    catalog.execute_batch("UPDATE ducklake_metadata SET value = '0.4' WHERE key = 'version'").unwrap();
    drop(catalog);
    let error = open(&home, "", &[DUCKDB, LOCAL], Mode::Write).unwrap_err().to_string();
    assert!(error.contains("0.4"), "{error}");
    let migrated = "attach_options = { automatic_migration = true }";
    open(&home, "", &[DUCKDB, LOCAL, migrated], Mode::Write).unwrap().close().unwrap();
    open(&home, "", &[DUCKDB, LOCAL], Mode::Read).unwrap();
}

/// SQLite waits for a lock only where a transaction begins. DuckLake has read by the time it commits, so no timeout makes
/// a commit wait: only running the transaction again does.
#[test]
fn no_timeout_makes_a_commit_wait_for_a_locked_sqlite_catalog() {
    let variable = "METAXY_EXTENSION_DIRECTORY";
    let variables = BTreeMap::from([(variable, std::env::var(variable).unwrap())]);
    for option in ["busy_timeout = 30000", "meta_busy_timeout = 30000", "meta_journal_mode = 'wal'"] {
        let home = TempLake::new();
        let options = format!("attach_options = {{ {option} }}");
        let store = open(&home, "", &[SQLITE, LOCAL, &options], Mode::Write).unwrap();
        store.connection().execute(ROWS).unwrap();
        let insert = || store.connection().execute("INSERT INTO sample VALUES (1)");
        // Another process holds the lock: SQLite does not tell the locks of one process apart.
        thread::scope(|scope| {
            let holder = scope.spawn(|| child::run("lock", home.path(), &variables).unwrap());
            while !home.path().join("locked").exists() && !holder.is_finished() {
                thread::sleep(Duration::from_millis(10));
            }
            let error = insert().unwrap_err();
            assert!(!holder.is_finished() && error.is_busy(), "{option}: {error}");
            home.write("let-go", "");
        });
        assert_eq!(insert().unwrap(), 1);
        assert_eq!(value(&store, COUNT), "10001");
    }
}
