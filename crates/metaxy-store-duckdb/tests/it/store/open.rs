//! Opening and closing.

use std::fs;
use std::path::PathBuf;

use ducklake_sql::{AttachOptions, Lake, LocalFolder, Mode, Session, Setting, Value};
use metaxy_store_duckdb::{Cause, OpenOptions, Store};
use metaxy_testkit::deps;

use crate::lake::{TempLake, raw, raw_texts, session, session_with_signatures, texts, value};

fn write_rows(store: &Store) {
    store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(100)").unwrap();
}

#[test]
fn rows_survive_closing_for_each_local_catalog() {
    for kind in ["sqlite", "duckdb"] {
        let home = TempLake::new();
        let catalog = if kind == "sqlite" { home.sqlite() } else { home.duckdb() };
        let lake = Lake::builder(catalog, home.data()).owner("test").build().unwrap();
        let store = Store::attach(&lake, &session_with_signatures(), Mode::Write).unwrap();
        write_rows(&store);
        store.close().unwrap();

        let store = Store::attach(&lake, &session_with_signatures(), Mode::Read).unwrap();
        assert_eq!(texts(&store, "SELECT count(*) FROM t"), ["100"], "{kind}");
        assert_eq!(texts(&store, "SELECT catalog_type FROM ducklake_settings('ducklake')"), [kind]);
        let refused = store.connection().execute("CREATE TABLE u (i INTEGER)").unwrap_err();
        assert!(refused.to_string().contains("read-only"), "{refused}");
        store.close().unwrap();
        assert!(home.files().iter().any(|file| file.ends_with(".parquet")), "{:?}", home.files());
    }
}

#[test]
fn an_extension_that_was_changed_is_not_loaded() {
    let home = TempLake::new();
    let installed = "SELECT install_path FROM duckdb_extensions() WHERE extension_name = 'sqlite_scanner'";
    let from = PathBuf::from(&raw_texts(&raw(), installed)[0]);
    // Two folders, since a library that is loaded must not be written to.
    let opened = ["signed", "changed"].map(|folder| {
        let to = home.path_of(folder).join(from.strip_prefix(deps().extensions()).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let other = "ducklake.duckdb_extension";
        fs::copy(from.with_file_name(other), to.with_file_name(other)).unwrap();
        let mut bytes = fs::read(&from).unwrap();
        bytes[1000] ^= u8::from(folder == "changed");
        fs::write(&to, bytes).unwrap();
        let mut session = Session::default();
        let folder = Value::from(home.path_of(folder).to_str().unwrap());
        session.settings.push(Setting::new("extension_directory", folder).unwrap());
        Store::attach(&home.lake(), &session, Mode::Write)
    });
    let [signed, changed] = opened;
    let signed = signed.unwrap();
    assert_eq!(texts(&signed, "SELECT current_setting('allow_unsigned_extensions')"), ["false"]);
    let again = signed.connection().execute("SET allow_unsigned_extensions = true").unwrap_err();
    assert!(again.to_string().contains("while database is running"), "{again}");
    let refused = changed.unwrap_err();
    assert_eq!(refused.cause().map(Cause::as_str), Some("extension-not-signed"), "{refused}");
}

#[test]
fn a_new_sqlite_catalog_is_a_sqlite_file() {
    let home = TempLake::new();
    Store::attach(&home.lake(), &session(), Mode::Write).unwrap().close().unwrap();
    assert!(fs::read(home.path_of("meta.sqlite")).unwrap().starts_with(b"SQLite format 3\0"));
}

#[test]
fn a_data_path_written_differently_is_the_same_place() {
    for spelling in ["data", "x/../data/", "./data"] {
        let home = TempLake::new();
        fs::create_dir(home.path_of("x")).unwrap();
        let stored = home.join(spelling);
        raw()
            .execute_batch(&format!(
                "ATTACH 'ducklake:sqlite:{}' AS l (DATA_PATH '{stored}'); CREATE TABLE l.main.t AS SELECT range i FROM range(100)",
                home.join("meta.sqlite")
            ))
            .unwrap();
        let store = Store::attach(&home.lake(), &session(), Mode::Write).unwrap();
        assert_eq!(texts(&store, "SELECT count(*) FROM t"), ["100"], "{spelling}");
        store.connection().execute("INSERT INTO t SELECT range FROM range(100)").unwrap();
        store.close().unwrap();
        let store = Store::attach(&home.lake(), &session(), Mode::Read).unwrap();
        assert_eq!(texts(&store, "SELECT count(*) FROM t"), ["200"], "{spelling}");
    }
}

#[test]
fn another_data_path_is_refused_and_both_are_named() {
    let home = TempLake::new();
    Store::attach(&home.lake(), &session(), Mode::Write).unwrap().close().unwrap();
    let before = home.files();
    let other = LocalFolder::new(home.join("other")).unwrap();
    let lake = Lake::builder(home.sqlite(), other.clone()).owner("test").build().unwrap();
    for mode in [Mode::Read, Mode::Write] {
        let error = Store::attach(&lake, &session(), mode).unwrap_err();
        assert!(error.is_data_path_mismatch(), "{error}");
        assert!(error.to_string().contains(home.data().as_str()), "{error}");
        assert!(error.to_string().contains(other.as_str()), "{error}");
    }
    assert_eq!(home.files(), before);
}

#[test]
fn a_lake_that_is_not_there_is_not_created_unless_it_may_be() {
    for (lake, mode) in [
        (TempLake::lake as fn(&TempLake) -> Lake, Mode::Read),
        (|home: &TempLake| home.lake_with([("create_if_not_exists", Value::from(false))]), Mode::Write),
        (|home: &TempLake| Lake::builder(home.duckdb(), home.data()).build().unwrap(), Mode::Read),
        (
            |home: &TempLake| {
                let never = [("create_if_not_exists", Value::from(false))];
                Lake::builder(home.duckdb(), home.data())
                    .options(AttachOptions::from_pairs(never).unwrap())
                    .build()
                    .unwrap()
            },
            Mode::Write,
        ),
    ] {
        let home = TempLake::new();
        let error = Store::attach(&lake(&home), &session(), mode).unwrap_err();
        assert!(error.is_missing_lake(), "{error}");
        assert!(home.files().is_empty(), "{:?}", home.files());
    }
}

#[test]
fn a_lake_that_must_exist_is_not_created_and_is_written_once_it_does() {
    for lake in [TempLake::lake as fn(&TempLake) -> Lake, |home: &TempLake| {
        Lake::builder(home.duckdb(), home.data()).build().unwrap()
    }] {
        let home = TempLake::new();
        let open = || {
            let instance = home.path_of("instance.duckdb");
            OpenOptions::default().must_exist(true).attach(Some(&instance), &lake(&home), &session(), Mode::Write)
        };
        let error = open().unwrap_err();
        assert!(error.is_missing_lake(), "{error}");
        assert!(home.files().is_empty(), "{:?}", home.files());
        // A file of nothing may have been a lake, and stays as it is.
        let file = lake(&home).catalog().unwrap().file().unwrap().to_string();
        fs::write(&file, "").unwrap();
        let error = open().unwrap_err();
        assert!(error.is_damaged_catalog(), "{error}");
        assert_eq!(home.files().len(), 1, "{:?}", home.files());
        assert_eq!(fs::metadata(&file).unwrap().len(), 0);
        fs::remove_file(&file).unwrap();

        Store::attach(&lake(&home), &session(), Mode::Write).unwrap().close().unwrap();
        let store = open().unwrap();
        store.connection().execute("CREATE TABLE t AS SELECT 1 AS i").unwrap();
        assert_eq!(texts(&store, "SELECT count(*) FROM t"), ["1"]);
        store.close().unwrap();
    }
}

#[test]
fn a_file_of_another_kind_is_refused_and_both_are_named() {
    let home = TempLake::new();
    Store::attach(&home.lake(), &session(), Mode::Write).unwrap().close().unwrap();
    fs::rename(home.path_of("meta.sqlite"), home.path_of("meta.ducklake")).unwrap();
    let lake = Lake::builder(home.duckdb(), home.data()).build().unwrap();
    let error = Store::attach(&lake, &session(), Mode::Write).unwrap_err().to_string();
    assert!(error.contains("SQLite") && error.contains("DuckDB"), "{error}");
}

#[test]
fn a_missing_extension_names_three_ways_to_it() {
    let home = TempLake::new();
    let mut session = session();
    session.settings.clear();
    session.settings.push(ducklake_sql::Setting::new("extension_directory", Value::from(home.join("none"))).unwrap());
    let error = Store::attach(&home.lake(), &session, Mode::Write).unwrap_err();
    assert!(error.is_missing_extension(), "{error}");
    let help = error.help().unwrap();
    for way in ["INSTALL ducklake", "pip download", "METAXY_EXTENSION_DIRECTORY"] {
        assert!(help.contains(way), "{help}");
    }
    let left: Vec<_> = home.files().into_iter().filter(|file| !file.starts_with("none")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn each_transaction_reads_a_sqlite_catalog_by_one_connection() {
    let name = "sqlite_disable_multithreaded_scans";
    for (configured, expected) in [(None, "true"), (Some(false), "false")] {
        let home = TempLake::new();
        let mut session = session();
        session.settings.extend(configured.map(|value| Setting::new(name, Value::Boolean(value)).unwrap()));
        let store = Store::attach(&home.wal_lake(), &session, Mode::Write).unwrap();
        let setting = "SELECT CAST(current_setting('sqlite_disable_multithreaded_scans') AS VARCHAR)";
        assert_eq!(value(&store, setting), expected);
    }
}
