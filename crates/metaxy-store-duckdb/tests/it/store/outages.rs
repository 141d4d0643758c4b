//! What happens to a lake while something around it fails: nothing is stored by half, and afterwards all goes on.

use std::fs;
use std::time::Duration;

use ducklake_sql::Mode;
use metaxy_store_duckdb::{Cause, OpenOptions, Store};
use metaxy_testkit::{Fault, KeyRights, Postgres, S3Options, S3Server, deps};

use crate::lake::{BUCKET, FOR_TESTS, LOCAL, SQLITE, TempLake, postgres, s3, value};

/// These are written into a file.
const INSERT: &str = "INSERT INTO t FROM range(100)";

fn lake(catalog: &str, storage: &str) -> (TempLake, impl Fn() -> Store + use<>) {
    let home = TempLake::new();
    let extensions = format!("config.extension_directory = '{}'", deps().extensions().display());
    let lake = [format!("alias = 'lake'\ncatalog = {catalog}"), format!("storage = {storage}")];
    // A fault stays, so asking again only takes time.
    let retries = if storage == LOCAL { "" } else { "config.http_retries = 0" };
    home.configure("dev", &[&extensions, FOR_TESTS, retries], &[&lake[0], &lake[1]]);
    let config = home.load().unwrap().config;
    (home, move || OpenOptions::default().open(&config, "dev", Mode::Write).unwrap())
}

fn insert(store: &Store) -> Result<usize, metaxy_store_duckdb::Error> {
    store.transaction(|connection| connection.execute(INSERT))
}

#[test]
fn a_storage_that_fails_stores_nothing_by_half() {
    let server = S3Server::start(S3Options::default());
    server.bucket(BUCKET);
    let (_home, open) = lake(SQLITE, &s3(&server, &server.key(KeyRights::Full)));
    let store = open();
    store.connection().execute("CREATE TABLE t (i BIGINT)").unwrap();
    let (mut rows, mut objects) = (0, server.objects(BUCKET));
    for (fault, cause) in [
        (Fault::Unavailable, None),
        (Fault::DropUploads, None),
        (Fault::RefuseConnections, Some(Cause::StorageDown)),
        (Fault::ExpiredToken, Some(Cause::TokenExpired)),
        // Refused with 403.
        (Fault::ClockAhead(Duration::from_mins(20)), Some(Cause::ClockSkew)),
    ] {
        server.inject(fault);
        let error = insert(&store).expect_err("nothing can be stored");
        if cause.is_some() {
            assert_eq!(error.cause(), cause, "{fault:?}: {error}");
        }
        server.heal();
        assert_eq!(server.objects(BUCKET), objects, "{fault:?}");
        insert(&store).unwrap_or_else(|error| panic!("after {fault:?}: {error}"));
        rows += 100;
        assert_eq!(value(&store, "SELECT count(*) FROM t"), rows.to_string(), "{fault:?}");
        objects = server.objects(BUCKET);
    }
    server.inject(Fault::Slow(Duration::from_millis(50)));
    insert(&store).unwrap();
}

#[test]
fn a_catalog_that_restarts_and_a_clock_that_is_set_back_lose_nothing() {
    let database = Postgres::shared().database();
    let (_home, open) = lake(&postgres(&database, database.owner(), ""), LOCAL);
    let store = open();
    store.connection().execute("CREATE TABLE t (i BIGINT)").unwrap();
    let mut attempts = 0;
    let inserted = store.transaction(|connection| {
        attempts += 1;
        let inserted = connection.execute(INSERT)?;
        if attempts == 1 {
            // As a server that is shut down ends its connections.
            let ended = database.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            );
            assert!(!ended.is_empty());
        }
        Ok(inserted)
    });
    assert_eq!((inserted.unwrap(), attempts), (100, 2));
    assert_eq!(value(&store, "SELECT count(*) FROM t"), "100");
    // The newest snapshot is of tomorrow.
    let _ = database.rows("UPDATE ducklake_snapshot SET snapshot_time = snapshot_time + INTERVAL '1 day'");
    insert(&store).unwrap();
    store.close().unwrap();
    let store = open();
    insert(&store).unwrap();
    assert_eq!(value(&store, "SELECT count(*) FROM t"), "300");
    assert_eq!(value(&store, "SELECT count(*) FROM t AT (VERSION => 2)"), "100");
}

#[test]
fn a_sqlite_catalog_that_is_cut_is_damaged() {
    let (home, open) = lake(SQLITE, LOCAL);
    let store = open();
    store.connection().execute("CREATE TABLE t AS FROM range(100)").unwrap();
    store.close().unwrap();
    let catalog = home.path_of("meta.sqlite");
    let whole = fs::read(&catalog).unwrap();
    fs::write(&catalog, &whole[..whole.len() / 2]).unwrap();
    let config = home.load().unwrap().config;
    for mode in [Mode::Read, Mode::Write] {
        let error = Store::open(&config, "dev", mode).expect_err("it is cut");
        assert_eq!(error.cause(), Some(Cause::CatalogDamaged), "{error}");
    }
    fs::write(&catalog, whole).unwrap();
    assert_eq!(value(&open(), "SELECT count(*) FROM t"), "100");
}
