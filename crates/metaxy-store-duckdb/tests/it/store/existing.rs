//! A lake that exists and has its files where it says itself: nothing is configured of its storage.

use ducklake_sql::{Lake, Mode};
use metaxy_store_duckdb::Store;

use crate::lake::{TempLake, raw, session, value};

/// The lake of a folder, without its storage.
fn existing(home: &TempLake) -> Lake {
    Lake::existing(home.sqlite()).owner("test").build().unwrap()
}

/// What DuckLake has stored becomes this.
fn store_path(home: &TempLake, path: &str) {
    let update = format!(
        "ATTACH '{}' AS meta (TYPE sqlite); UPDATE meta.ducklake_metadata SET value = '{path}' WHERE key = 'data_path'",
        home.join("meta.sqlite")
    );
    raw().execute_batch(&update).unwrap();
}

#[test]
fn a_lake_is_opened_by_the_data_path_that_it_has_stored() {
    let home = TempLake::new();
    let open = |mode| Store::attach(&existing(&home), &session(), mode);
    for mode in [Mode::Read, Mode::Write] {
        let error = open(mode).unwrap_err();
        assert!(error.is_missing_lake() && error.help().unwrap().contains("write `storage`"), "{:?}", error.help());
    }
    assert!(!home.path().join("meta.sqlite").exists());

    let store = Store::attach(&home.lake(), &session(), Mode::Write).unwrap();
    store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(1000)").unwrap();
    store.close().unwrap();
    let store = open(Mode::Write).unwrap();
    store.connection().execute("INSERT INTO t FROM range(1000, 2000)").unwrap();
    assert_eq!(value(&store, "SELECT count(*)::VARCHAR FROM t"), "2000");
    store.close().unwrap();
    let store = Store::attach(&home.lake(), &session(), Mode::Read).unwrap();
    assert_eq!(value(&store, "SELECT sum(i)::VARCHAR FROM t"), "1999000");
}

#[test]
fn a_stored_data_path_that_leads_nowhere_is_told() {
    let home = TempLake::new();
    Store::attach(&home.lake(), &session(), Mode::Write).unwrap().close().unwrap();
    for (stored, said, help) in [
        ("data/", "relative to a folder that it does not name", "type = \"local\""),
        ("s3://bucket/prod/", "`s3://bucket/prod/`, and nothing says how to reach that", "write `storage`"),
    ] {
        store_path(&home, stored);
        let error = Store::attach(&existing(&home), &session(), Mode::Write).unwrap_err();
        assert!(error.to_string().contains(said) && error.help().unwrap().contains(help), "{error}");
    }
}
