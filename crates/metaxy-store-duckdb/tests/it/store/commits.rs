//! Commits whose answer is lost: the connection to PostgreSQL is cut around them.

use std::time::Duration;

use ducklake_sql::Mode;
use metaxy_config::Retry;
use metaxy_store_duckdb::{Deletion, Error, FeatureOptions, OpenOptions, Store};
use metaxy_testkit::{Cut, Database, KeyRights, Postgres, Proxy, S3Options, S3Server, deps};
use serde_json::Value;

use crate::features::common::{graph, key, read_all, row, write};
use crate::lake::{BUCKET, FOR_TESTS, LOCAL, TempLake, postgres, s3, texts, value};

/// What is done to the table `t`, and in the same way to one of DuckDB's own, which is never cut off.
const STATEMENTS: [&str; 3] = [
    "INSERT INTO t SELECT (SELECT coalesce(max(i), 0) FROM t) + range + 1, 'x' FROM range(40)",
    "UPDATE t SET s = s || 'y' WHERE i % 3 = 0",
    "DELETE FROM t WHERE i % 5 = 2 AND length(s) > 1",
];

const ALL_ROWS: &str = "SELECT CAST(list(i || s ORDER BY i) AS VARCHAR) FROM t";

const FEATURE: &str = "[[feature]]\nkey = 'f'\nid_columns = ['id']";

/// A lake whose catalog is reached through a proxy.
struct FarLake<'d> {
    home: TempLake,
    database: Database<'d>,
    proxy: Proxy,
    objects: Option<S3Server>,
}

impl FarLake<'_> {
    fn new(objects: Option<S3Server>) -> Self {
        let database = Postgres::shared().database();
        let proxy = Proxy::before(database.port());
        let home = TempLake::new();
        let catalog = postgres(&database, database.owner(), ", secret_parameters = { sslmode = \"disable\" }");
        let port = format!("port = {}", database.port());
        assert!(catalog.contains(&port));
        let catalog = catalog.replace(&port, &format!("port = {}", proxy.port()));
        let storage = objects.as_ref().map(|server| {
            server.bucket(BUCKET);
            s3(server, &server.key(KeyRights::Full))
        });
        let extensions = format!("config.extension_directory = '{}'", deps().extensions().display());
        let storage = format!("storage = {}", storage.as_deref().unwrap_or(LOCAL));
        let catalog = format!("alias = 'lake'\ncatalog = {catalog}");
        home.configure("far", &[&extensions, FOR_TESTS, "auto_create_tables = true"], &[&catalog, &storage]);
        Self { home, database, proxy, objects }
    }

    fn open(&self, retry: Option<Retry>) -> Store {
        OpenOptions::default().retry(retry).open(&self.home.load().unwrap().config, "far", Mode::Write).unwrap()
    }

    /// How many files there are, and how many the catalog names. No snapshot expires here.
    fn files(&self) -> (usize, usize) {
        let there = match &self.objects {
            Some(server) => server.objects(BUCKET).len(),
            None => self.home.files().iter().filter(|file| file.contains(".parquet")).count(),
        };
        let count = |rows: Vec<Vec<String>>| rows[0][0].parse::<usize>().unwrap();
        let named = count(self.database.rows("SELECT count(*)::text FROM ducklake_data_file"))
            + count(self.database.rows("SELECT count(*)::text FROM ducklake_delete_file"));
        (there, named)
    }
}

/// Cuts the connection in each of these ways while each kind of change is made, and compares with what must be there.
fn changes_survive(objects: Option<S3Server>, cuts: &[Cut]) {
    let lake = FarLake::new(objects);
    let store = lake.open(None);
    let local = duckdb::Connection::open_in_memory().unwrap();
    let create = "CREATE TABLE t AS SELECT range AS i, 'x' AS s FROM range(100)";
    store.connection().execute(create).unwrap();
    local.execute_batch(create).unwrap();
    let graph = graph(FEATURE);
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let mut ids: Vec<usize> = (0..20).collect();
    let write = |ids: &[usize]| {
        let rows: Vec<Value> = ids.iter().map(|id| row(&format!("{id:05}"), "1")).collect();
        write(&features, "f", &Value::Array(rows))
    };
    write(&ids).unwrap();
    let mut next = ids.len();
    for (number, cut) in cuts.iter().enumerate() {
        for statement in STATEMENTS {
            lake.proxy.cut(*cut);
            let changed = store.transaction(|connection| {
                // With it, the transaction sees no secret that is made later.
                if number % 2 == 1 {
                    connection.execute("SELECT system.main.abs(1)")?;
                }
                connection.execute(statement)
            });
            let expected = local.execute(statement, []).unwrap();
            assert_eq!(changed.unwrap_or_else(|error| panic!("{cut:?}, {statement}: {error}")), expected);
            assert!(!lake.proxy.is_to_cut(), "{cut:?}: {statement} made no snapshot");
            let rows: String = local.query_row(ALL_ROWS, [], |row| row.get(0)).unwrap();
            assert_eq!(value(&store, ALL_ROWS), rows, "{cut:?}, {statement}");
        }
        lake.proxy.cut(*cut);
        let new: Vec<usize> = (next..next + 15).collect();
        next += new.len();
        assert_eq!(write(&new).unwrap(), new.len(), "{cut:?}");
        ids.extend(new);
        lake.proxy.cut(*cut);
        let gone = ids.swap_remove(number);
        let filter = format!("id = '{gone:05}'").parse().unwrap();
        assert_eq!(features.delete(&key("f"), &[filter], Deletion::Hard).unwrap(), 1, "{cut:?}");
        assert!(!lake.proxy.is_to_cut(), "{cut:?}");
        let mut found: Vec<usize> =
            read_all(&features, "f").iter().map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect();
        found.sort_unstable();
        let mut expected = ids.clone();
        expected.sort_unstable();
        assert_eq!(found, expected, "{cut:?}");
        let (there, named) = lake.files();
        assert_eq!(there, named, "{cut:?}");
    }
    store.close().unwrap();
}

#[test]
fn rows_in_local_files_survive_a_lost_answer() {
    changes_survive(None, &[Cut::BeforeSnapshot, Cut::AfterCommit, Cut::InAnswer(0)]);
}

#[test]
fn rows_in_a_storage_survive_a_lost_answer() {
    changes_survive(Some(S3Server::start(S3Options::default())), &[Cut::InCommit(11), Cut::InAnswer(0)]);
}

/// Behind every byte of the messages, five changes each.
#[test]
#[ignore = "takes minutes"]
fn rows_in_local_files_survive_a_lost_answer_at_every_byte() {
    changes_survive(None, &Cut::all().collect::<Vec<_>>());
}

#[test]
#[ignore = "takes minutes"]
fn rows_in_a_storage_survive_a_lost_answer_at_every_byte() {
    changes_survive(Some(S3Server::start(S3Options::default())), &Cut::all().collect::<Vec<_>>());
}

#[test]
fn an_unknown_outcome_is_told_and_the_rows_are_there_if_they_are_stored() {
    for (objects, cut, is_stored) in [
        (None, Cut::InAnswer(0), true),
        (None, Cut::InCommit(11), false),
        (Some(S3Server::start(S3Options::default())), Cut::InAnswer(0), true),
    ] {
        let lake = FarLake::new(objects);
        let store = lake.open(Some(Retry { deadline: Duration::from_millis(300), ..Retry::default() }));
        store.connection().execute("CREATE TABLE t AS SELECT range AS i, 'x' AS s FROM range(100)").unwrap();
        lake.proxy.cut_and_go_away(cut);
        let insert = |store: &Store| store.transaction(|connection| connection.execute(STATEMENTS[0]));
        let error: Error = insert(&store).unwrap_err();
        assert!(error.is_unknown_outcome(), "{cut:?}: {error}");
        assert!(error.to_string().contains("whether it is stored could not be found out"), "{error}");
        let help = error.help().unwrap();
        let token = help.split('\'').find(|part| part.starts_with("metaxy:")).unwrap().to_owned();
        lake.proxy.come_back();
        let count = |store: &Store| value(store, "SELECT count(i + length(s)) FROM t");
        assert_eq!(count(&store), if is_stored { "140" } else { "100" }, "{cut:?}");
        let tokens = texts(&store, "SELECT commit_extra_info FROM ducklake_snapshots('lake')");
        assert_eq!(tokens.contains(&token), is_stored, "{cut:?}: {tokens:?}");
        if !is_stored {
            assert_eq!(insert(&store).unwrap(), 40);
            assert_eq!(count(&store), "140");
        }
        store.close().unwrap();
    }
}

#[test]
fn files_that_could_not_be_held_are_told_of() {
    let lake = FarLake::new(None);
    let store = lake.open(None);
    store.connection().execute("CREATE TABLE t AS SELECT range AS i, 'x' AS s FROM range(100)").unwrap();
    // The log is somebody's, and says nothing of files.
    store.connection().execute("CALL enable_logging('QueryLog')").unwrap();
    lake.proxy.cut(Cut::InAnswer(0));
    let error = store.transaction(|connection| connection.execute(STATEMENTS[0])).unwrap_err();
    assert!(error.is_unknown_outcome() && error.to_string().contains("DuckLake may have removed files"), "{error}");
    assert!(error.help().unwrap().contains("read the tables"), "{error}");
    store.close().unwrap();
}

/// The token is gone then, and a transaction that may be stored must not be run again.
#[test]
fn a_transaction_with_a_message_of_its_own_is_run_once() {
    for (cut, rows) in [(Cut::InAnswer(0), "140"), (Cut::InCommit(0), "100")] {
        let lake = FarLake::new(None);
        let store = lake.open(None);
        store.connection().execute("CREATE TABLE t AS SELECT range AS i, 'x' AS s FROM range(100)").unwrap();
        lake.proxy.cut(cut);
        let error = store
            .transaction(|connection| {
                connection.execute("CALL lake.set_commit_message('me', 'more rows')")?;
                connection.execute(STATEMENTS[0])
            })
            .unwrap_err();
        assert!(error.is_unknown_outcome() && error.help().unwrap().contains("message of its own"), "{error}");
        assert_eq!(value(&store, "SELECT count(i + length(s)) FROM t"), rows, "{cut:?}");
        store.close().unwrap();
    }
}

#[test]
fn a_conflict_leaves_no_file() {
    for objects in [None, Some(S3Server::start(S3Options::default()))] {
        let lake = FarLake::new(objects);
        let (one, other) = (lake.open(None), lake.open(None));
        one.connection().execute("CREATE TABLE t AS SELECT range AS i, 'x' AS s FROM range(100)").unwrap();
        let update = "UPDATE t SET s = s || 'y' WHERE i % 2 = 0";
        let begun = one.begin().unwrap();
        one.connection().execute(update).unwrap();
        other.transaction(|connection| connection.execute(update)).unwrap();
        let error = begun.commit().unwrap_err();
        assert!(error.is_conflict(), "{error}");
        let (there, named) = lake.files();
        assert_eq!(there, named);
        // The settings of the instance are what they were, and the secret for the files is gone.
        assert_eq!(texts(&one, "SELECT name FROM duckdb_secrets() WHERE name LIKE 'metaxy_held%'"), [""; 0]);
        if lake.objects.is_some() {
            assert_eq!(value(&one, "SELECT current_setting('http_retries')"), "3");
        }
        assert_eq!(value(&one, "SELECT sum(length(s)) FROM t"), "150");
        assert_eq!(value(&one, "SELECT current_setting('enable_logging')"), "0");
        for store in [one, other] {
            store.close().unwrap();
        }
    }
}
