//! What is left of a statement that fails while it writes files: nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ducklake_sql::{Mode, Sql};
use metaxy_store_duckdb::{Error, Interrupt, OpenOptions, Store};
use metaxy_testkit::{KeyRights, Postgres, S3Options, S3Server, deps};

use crate::lake::{BUCKET, DUCKDB, FOR_TESTS, LOCAL, SQLITE, TempLake, postgres, s3, value};

/// A row that cannot be converted, behind more of them than are written at once.
const LATE: &str = "INSERT INTO t SELECT CASE WHEN range = 290000 THEN 'x'::INTEGER ELSE range END FROM range(300000)";

/// The same for a new table.
const NEW_TABLE: &str =
    "CREATE TABLE u AS SELECT CASE WHEN range = 290000 THEN 'x'::INTEGER ELSE range END FROM range(300000)";

/// Rows behind whose first ones there is nothing but to wait.
const SLOW: &str = "INSERT INTO t FROM range(400000) UNION ALL SELECT count(*) FROM range(1000000000000)";

fn alone(store: &Store, statement: &'static str) -> Result<(), Error> {
    store.connection().execute(statement).map(drop)
}

fn repeated(store: &Store, statement: &'static str) -> Result<(), Error> {
    store.repeat(|connection| connection.execute(statement)).map(drop)
}

fn transaction(store: &Store, statement: &'static str) -> Result<(), Error> {
    store.transaction(|connection| connection.execute(statement)).map(drop)
}

fn begun(store: &Store, statement: &'static str) -> Result<(), Error> {
    let begun = store.begin()?;
    store.connection().execute("INSERT INTO t FROM range(50)")?;
    store.connection().execute(statement)?;
    begun.commit()
}

/// Interrupts what runs in a store, from so many milliseconds on until it has ended.
fn interrupted(interrupt: &Interrupt, after: u64, run: impl FnOnce() -> Result<(), Error>) -> Error {
    let has_ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(after));
            while !has_ended.load(Ordering::SeqCst) {
                interrupt.request();
                thread::sleep(Duration::from_millis(1));
            }
        });
        let error = run().unwrap_err();
        has_ended.store(true, Ordering::SeqCst);
        error
    })
}

#[test]
fn a_statement_that_fails_while_it_writes_leaves_no_file() {
    let database = Postgres::shared().database();
    let server = S3Server::start(S3Options::default());
    server.bucket(BUCKET);
    let objects = s3(&server, &server.key(KeyRights::Full));
    let login = postgres(&database, database.owner(), "");
    for (name, catalog, storage) in [
        ("sqlite", SQLITE, LOCAL),
        ("duckdb", DUCKDB, LOCAL),
        ("postgres", &login, LOCAL),
        ("sqlite, s3", SQLITE, &objects),
    ] {
        let home = TempLake::new();
        let extensions = format!("config.extension_directory = '{}'", deps().extensions().display());
        let lake = [format!("alias = 'lake'\ncatalog = {catalog}"), format!("storage = {storage}")];
        home.configure("dev", &[&extensions, FOR_TESTS], &[&lake[0], &lake[1]]);
        let config = home.load().unwrap().config;
        let open = |interrupt: &Interrupt| {
            OpenOptions::default().interrupt(interrupt.clone()).open(&config, "dev", Mode::Write).unwrap()
        };
        let files = || match storage {
            LOCAL => home.files().into_iter().filter(|file| file.contains("ducklake-")).collect(),
            _ => server.objects(BUCKET),
        };
        let store = open(&Interrupt::default());
        store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(100)").unwrap();
        let before = files();
        assert_eq!(before.len(), 1, "{before:?}");
        for (way, run, statement) in [
            ("alone", alone as fn(&Store, &'static str) -> Result<(), Error>, LATE),
            ("repeated", repeated, NEW_TABLE),
            ("transaction", transaction, LATE),
            ("begun", begun, NEW_TABLE),
        ] {
            let error = run(&store, statement).unwrap_err();
            assert!(error.to_string().contains("Could not convert"), "{error}");
            assert_eq!(files(), before, "{name}, {way}");
        }
        // What a person writes is the person's.
        let mine = home.join("mine.parquet");
        let copied = store.transaction(|connection| {
            connection.execute(Sql::user_query(format!("COPY t TO '{mine}'")))?;
            connection.execute(LATE)
        });
        copied.unwrap_err();
        assert!(home.files().contains(&"mine.parquet".to_owned()));
        store.close().unwrap();
        for (way, run) in [("alone", alone as fn(&Store, &'static str) -> Result<(), Error>), ("begun", begun)] {
            for after in [16, 60, 250] {
                let interrupt = Interrupt::default();
                let store = open(&interrupt);
                let error = interrupted(&interrupt, after, || run(&store, SLOW));
                assert!(error.is_interrupted(), "{error}");
                drop(store);
                assert_eq!(files(), before, "{name}, {way}, after {after} ms");
            }
        }
        let store = open(&Interrupt::default());
        assert_eq!(value(&store, "SELECT count(*) FROM t"), "100");
        store.close().unwrap();
    }
}
