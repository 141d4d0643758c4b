//! The catalog of a lake as a file, and a lake made of it in a catalog of each kind.

use ducklake_sql::{AttachOptions, Catalog, Lake, Mode, Sql, Value};
use metaxy_store_duckdb::{MaintainOptions, Store};
use metaxy_testkit::Postgres;

use super::home::home;
use crate::lake::{TempLake, session, value};

/// What a lake has: the rows of its tables at each snapshot, the feed, options, comments and views.
pub(super) fn content(store: &Store) -> Vec<String> {
    let mut found = Vec::new();
    let all = store.snapshots(1000).unwrap();
    for snapshot in all.iter().filter(|snapshot| snapshot.id >= 2) {
        let digest = "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::VARCHAR, '|' ORDER BY t::VARCHAR)), '') FROM t AT (VERSION => {v})";
        let mut rows =
            store.connection().query(Sql::user_query(digest.replace("{v}", &snapshot.id.to_string()))).unwrap();
        found.push(format!("{snapshot:?} {:?}", rows.next().unwrap().unwrap().column(0)));
    }
    for query in [
        "SELECT string_agg(snapshot_id || change_type || id, ',' ORDER BY ALL) FROM ducklake_table_changes('ducklake', 'main', 't', 1, 5)",
        "SELECT string_agg(option_name || value || scope || coalesce(scope_entry, ''), ',' ORDER BY ALL) FROM ducklake_options('ducklake') WHERE option_name NOT IN ('created_by', 'version', 'data_path')",
        "SELECT string_agg(table_name || coalesce(comment, ''), ',' ORDER BY ALL) FROM duckdb_tables() WHERE database_name = 'ducklake'",
        "SELECT sum(id) FROM v",
        "SELECT twice(21)",
    ] {
        found.push(value(store, query));
    }
    found
}

pub(super) fn fill(store: &Store) {
    for sql in [
        "CREATE TABLE t (id BIGINT, word VARCHAR, made TIMESTAMP, part VARCHAR[])",
        "INSERT INTO t SELECT range, 'w' || range, TIMESTAMP '2020-01-01' + INTERVAL 1 DAY * range, ['it''s', 'b'] FROM range(100)",
        "DELETE FROM t WHERE id % 10 = 0",
        "ALTER TABLE t SET PARTITIONED BY (year(made))",
        "ALTER TABLE t ADD COLUMN more INTEGER",
        "INSERT INTO t SELECT range, NULL, NULL, NULL, 1 FROM range(100, 150)",
        "COMMENT ON TABLE t IS 'it''s'",
        "COMMENT ON COLUMN t.id IS 'the id'",
        "CREATE VIEW v AS SELECT id FROM t WHERE id > 20",
        "CREATE MACRO twice(x) AS x * 2",
        "CREATE TABLE dropped AS SELECT range AS i FROM range(20)",
        "DROP TABLE dropped",
        "ALTER TABLE t RENAME COLUMN word TO words",
        "CALL ducklake_set_option('ducklake', 'target_file_size', '1MB', table_name => 't')",
    ] {
        store.transaction(|connection| connection.execute(sql)).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

#[test]
fn a_lake_comes_back_in_a_catalog_of_each_kind() {
    check_restored([("sqlite", "postgres"), ("postgres", "duckdb"), ("duckdb", "sqlite")]);
}

#[test]
#[ignore = "the other half of the directions, which takes as long again"]
fn a_lake_comes_back_in_a_catalog_of_each_other_kind() {
    check_restored([("postgres", "sqlite"), ("duckdb", "postgres"), ("sqlite", "duckdb")]);
}

fn check_restored(directions: [(&str, &str); 3]) {
    let database = Postgres::shared().database();
    for (from, to) in directions {
        let home = home(from, "local");
        let store = home.open();
        fill(&store);
        let file = home.folder.path_of("backups/lake.backup");
        let error = store.back_up(&file).unwrap_err();
        assert!(error.to_string().contains("kept in the catalog") && !file.exists(), "{from}: {error}");
        store.maintain(&MaintainOptions::new().alone(true), |_, _| ()).unwrap();
        let before = content(&store);
        store.close().unwrap();
        let store = home.read();
        let backup = store.back_up(&file).unwrap();
        assert_eq!(backup.snapshot, store.snapshots(1).unwrap()[0].id, "{from}");
        assert!(store.back_up(&file).is_err(), "{from}: it is there already");
        store.close().unwrap();

        {
            let other = TempLake::new();
            let (catalog, options): (Catalog, _) = match to {
                "duckdb" => (other.duckdb(), Vec::new()),
                "sqlite" => (other.sqlite(), Vec::new()),
                _ => {
                    let schema = Value::from(["from_", from].concat());
                    (crate::store::postgres::spec(&database).build().unwrap(), vec![("metadata_schema", schema)])
                }
            };
            let options = AttachOptions::from_pairs(options).unwrap();
            let lake = Lake::builder(catalog, home.folder.data()).owner("test").options(options).build().unwrap();
            let open = |mode| Store::attach(&lake, &session(), mode).unwrap();
            let store = open(Mode::Write);
            let restored = store.restore(&file).unwrap();
            store.close().unwrap();
            assert!(restored.missing.is_empty(), "{from} → {to}: {restored:?}");
            assert_eq!(restored.whole.len(), usize::try_from(backup.snapshots).unwrap(), "{from} → {to}");
            let store = open(Mode::Write);
            assert_eq!(content(&store), before, "{from} → {to}");
            // It can be written, and is not restored over.
            store.connection().execute("INSERT INTO t (id) VALUES (1000)").unwrap();
            store.connection().execute("INSERT INTO t (id) SELECT range FROM range(2000, 2050)").unwrap();
            let count = value(&store, "SELECT count(*) FROM t");
            assert_eq!(count, "191", "{from} → {to}");
            let error = store.restore(&file).unwrap_err();
            assert!(error.to_string().contains("of its own"), "{from} → {to}: {error}");
            assert_eq!(value(&store, "SELECT count(*) FROM t"), count, "{from} → {to}");
            store.close().unwrap();
        }
        let store = home.open();
        assert_eq!(content(&store), before, "{from}: the source is as it was");
    }
}

#[test]
fn rows_of_a_dropped_table_that_only_a_catalog_has_are_not_left_behind() {
    for catalog in ["sqlite", "duckdb", "postgres"] {
        let home = home(catalog, "local");
        let store = home.open();
        let run = |sql: &'static str| store.transaction(|connection| connection.execute(sql)).unwrap();
        run("CREATE TABLE t (i INTEGER)");
        run("CREATE TABLE kept AS FROM range(100)");
        run("INSERT INTO t VALUES (1)");
        run("DROP TABLE t");
        let file = home.folder.path_of("lake.backup");
        let error = store.back_up(&file).unwrap_err();
        assert!(error.to_string().contains("1 rows of the dropped table `t`") && error.help().is_some(), "{error}");
        assert!(!file.exists(), "{catalog}");
        store.connection().execute("CALL ducklake_expire_snapshots('ducklake', older_than => now())").unwrap();
        store.back_up(&file).unwrap_or_else(|error| panic!("{catalog}: {error}"));
    }
}

#[test]
fn a_restore_says_which_snapshots_are_whole() {
    let home = home("sqlite", "s3");
    let store = home.open();
    let run = |sql: &'static str| store.transaction(|connection| connection.execute(sql)).unwrap();
    run("CREATE TABLE t AS SELECT range AS i FROM range(20)");
    run("INSERT INTO t SELECT range FROM range(20, 40)");
    let file = home.folder.path_of("lake.backup");
    store.back_up(&file).unwrap();
    // After the backup, the lake goes on: its old files go.
    store.maintain(&MaintainOptions::new(), |_, _| ()).unwrap();
    run("CALL ducklake_expire_snapshots('ducklake', older_than => now())");
    store.connection().execute("CALL ducklake_cleanup_old_files('ducklake', cleanup_all => true)").unwrap();
    store.close().unwrap();

    let other = TempLake::new();
    let lake = Lake::builder(other.sqlite(), home.lake.storage().unwrap()).owner("test").build().unwrap();
    let store = Store::attach(&lake, &session(), Mode::Write).unwrap();
    let restored = store.restore(&file).unwrap();
    assert_eq!((restored.missing.len(), restored.whole.as_slice()), (2, &[0][..]), "{restored:?}");
    let none = home.folder.path_of("none.duckdb");
    drop(duckdb::Connection::open(&none).unwrap());
    let fresh = TempLake::new();
    let lake = Lake::builder(fresh.sqlite(), fresh.data()).owner("test").build().unwrap();
    let store = Store::attach(&lake, &session(), Mode::Write).unwrap();
    assert!(store.restore(&none).unwrap_err().to_string().contains("no backup"));
    assert!(store.restore(&home.folder.path_of("nowhere")).is_err());
    store.connection().execute("CREATE TABLE t AS SELECT 1 AS i").unwrap();
}
