//! Stores whose tables are in a DuckDB database without a lake: what is done with them, alone and beside lakes.

use std::fs;

use ducklake_sql::{CatalogFile, DuckDbDatabase, Mode, Session, Sql};
use metaxy_config::Config;
use metaxy_store_duckdb::{Cause, Change, CopyOptions, Deletion, Error, OpenOptions, ReadOptions, Snapshot, Store};
use metaxy_testkit::TempDir;
use serde_json::{Value, json};

use crate::features::chains::{Stores, fill};
use crate::features::common::{graph, key, md5, read_all, row, write};
use crate::features::increments::{counts, resolve};
use crate::json::to_json;
use crate::lake::{FOR_TESTS, texts};

const GRAPH: &str = "[[feature]]\nkey = 'a'\nid_columns = ['id']\n\n\
                     [[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']";

/// `file` and `lake`, the first with a fallback to the second if it is the one named.
fn config(stores: &Stores, with_fallback: &str) -> Config {
    let store = |name: &str, other: &str, rest: &str| {
        let fallback = if name == with_fallback { format!("fallback_stores = ['{other}']") } else { String::new() };
        format!(
            "[stores.{name}]\ntype = 'duckdb'\n[stores.{name}.config]\nhash_algorithm = 'md5'\n{FOR_TESTS}\n\
             {fallback}\nauto_create_tables = true\n{rest}\n"
        )
    };
    let lake = "[stores.lake.config.ducklake]\ncatalog = { type = 'sqlite', uri = 'lake/meta.sqlite' }\n\
                storage = { type = 'local', path = 'lake/data' }";
    stores.load(&[store("file", "lake", "database = 'deep/rows.duckdb'"), store("lake", "file", lake)].concat())
}

#[test]
fn a_file_and_a_lake_fall_back_to_each_other() {
    let graph = graph(GRAPH);
    for (own, other) in [("file", "lake"), ("lake", "file")] {
        let stores = Stores::new();
        let config = config(&stores, own);
        fill(&config, other, "a", &json!([row("1", "x"), row("2", "it's \\ \"")]));
        let store = Store::open(&config, own, Mode::Write).unwrap();
        let features = store.features(&graph, md5()).unwrap();
        assert_eq!(read_all(&features, "a").len(), 2, "{own}");
        let mut increment = resolve(&features, "b").unwrap();
        assert_eq!(counts(&increment), [2, 0, 0], "{own}");
        let rows = to_json(increment.rows(Change::New).unwrap());
        assert_eq!(write(&features, "b", &rows.into()).unwrap(), 2);
        assert_eq!(counts(&resolve(&features, "b").unwrap()), [0, 0, 0], "{own}");

        // A copy takes the place of the fallback.
        let copied = features.copy(other, [&key("a")], &CopyOptions::new()).unwrap();
        assert_eq!(copied.rows[&key("a")], 2);
        write(&features, "a", &json!([row("1", "y")])).unwrap();
        let changed = resolve(&features, "b").unwrap();
        assert_eq!(counts(&changed), [0, 1, 0], "{own}");
        drop(changed);
        store.close().unwrap();

        let store = OpenOptions::default().fallback_stores(false).open(&config, other, Mode::Read).unwrap();
        assert_eq!(read_all(&store.features(&graph, md5()).unwrap(), "a").len(), 2, "{other}");
    }
}

#[test]
fn an_increment_shows_the_rows_that_were_compared() {
    let home = TempDir::new();
    let store = attach(&file(&home), Mode::Write).unwrap();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    let sample =
        |id: usize| json!({"id": format!("{id:07}"), "path": id, "metaxy_provenance_by_field": {"default": "1"}});
    let rows = |range: std::ops::Range<usize>| -> Value { range.map(sample).collect() };
    write(&features, "a", &rows(0..10_000)).unwrap();
    let mut increment = resolve(&features, "b").unwrap();
    // Row numbers are given anew by a checkpoint that removes what was deleted.
    features.delete(&key("a"), &["id < '0009990'".parse().unwrap()], Deletion::Hard).unwrap();
    store.connection().execute("CHECKPOINT").unwrap();
    write(&features, "a", &rows(20_000..20_100)).unwrap();
    let found = to_json(increment.rows(Change::New).unwrap());
    assert_eq!(found.len(), 10_000);
    for row in found {
        assert_eq!(row["id"].as_str().unwrap().parse().ok(), row["path"].as_u64(), "{row}");
    }
    drop(increment);
    assert_eq!(counts(&resolve(&features, "b").unwrap()), [110, 0, 0]);
}

#[test]
fn what_needs_snapshots_is_refused() {
    let store = attach(&DuckDbDatabase::in_memory(), Mode::Write).unwrap();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    write(&features, "a", &json!([row("1", "x")])).unwrap();
    assert_eq!(read_all(&features, "a").len(), 1);
    let error = features.read(&key("a"), &ReadOptions::new().at(Snapshot::Number(1))).unwrap_err();
    assert_eq!(error.to_string(), "the store is a DuckDB database without a lake, which keeps no snapshots");
}

fn attach(database: &DuckDbDatabase, mode: Mode) -> Result<Store, Error> {
    OpenOptions::default().attach_database(database, &Session::default(), mode)
}

fn file(home: &TempDir) -> DuckDbDatabase {
    DuckDbDatabase::file(CatalogFile::new(home.join("deep/main.duckdb")).unwrap())
}

#[test]
fn only_a_write_makes_the_file_and_only_a_duckdb_file_is_opened() {
    let home = TempDir::new();
    let must_exist = OpenOptions::default().must_exist(true);
    for opened in
        [attach(&file(&home), Mode::Read), must_exist.attach_database(&file(&home), &Session::default(), Mode::Write)]
    {
        let error = opened.unwrap_err();
        assert!(error.is_missing_lake() && error.cause() == Some(Cause::NoLake), "{error}");
        assert!(error.to_string().contains("there is no DuckDB database at"), "{error}");
        assert_eq!(home.files(), Vec::<String>::new());
    }
    let store = attach(&file(&home), Mode::Write).unwrap();
    // The name is taken in every instance.
    assert_eq!(texts(&store, "SELECT current_database()"), ["main_db"]);
    store.connection().execute("CREATE TABLE t AS SELECT 1 AS i").unwrap();
    store.close().unwrap();

    // Read mode changes nothing, locked or not, and reaches no other file when it is.
    for locked in [false, true] {
        let store = OpenOptions::default().lock(locked);
        let store = store.attach_database(&file(&home), &Session::default(), Mode::Read).unwrap();
        assert_eq!(texts(&store, "SELECT i::VARCHAR FROM t"), ["1"]);
        store.connection().execute("INSERT INTO t VALUES (2)").unwrap_err();
        let other = ["ATTACH '", &home.join("x.duckdb"), "'"].concat();
        let attached = store.connection().execute(Sql::user_query(&other));
        assert_eq!(attached.is_err(), locked, "{attached:?}");
    }

    fs::write(home.path().join("deep/main.duckdb"), b"SQLite format 3\0 and so on").unwrap();
    let error = attach(&file(&home), Mode::Write).unwrap_err();
    assert!(error.to_string().ends_with("is a SQLite file, not a DuckDB database"), "{error}");
}

#[test]
fn the_catalog_of_a_lake_holds_no_other_tables() {
    let stores = Stores::new();
    let lake = stores.config(["", "", ""]);
    fill(&lake, "staging", "a", &json!([row("1", "x")]));
    let config = stores.load("[stores.file]\ntype = 'duckdb'\nconfig = { database = 'staging/meta.duckdb' }");
    for mode in [Mode::Read, Mode::Write] {
        let error = Store::open(&config, "file", mode).unwrap_err();
        assert_eq!(error.to_string(), "the database `meta` is the catalog of a lake");
    }
}
