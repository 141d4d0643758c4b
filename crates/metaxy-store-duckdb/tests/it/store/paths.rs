//! Where the data of a lake is: the same from every working directory, whoever made the lake.
//!
//! These tests run in the folder of the crate, never in the folder of a lake, so a relative path that was taken from the
//! working directory would lead nowhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ducklake_sql::Mode;
use metaxy_config::{Config, LoadOptions, OsSystem, Trust};
use metaxy_store_duckdb::{Cause, Doctor, Error, Store};
use metaxy_testkit::Postgres;

use crate::lake::{FOR_TESTS, TempLake, postgres, raw, raw_texts, store_tables, texts, value};

const STORED: &str = "SELECT value FROM ducklake_options('ducklake') WHERE option_name = 'data_path'";
const ORPHANS: &str =
    "SELECT path FROM ducklake_delete_orphaned_files('ducklake', dry_run => true, cleanup_all => true)";

/// A catalog as a configuration writes it, with its path relative to the configuration's file.
const FILES: [(&str, &str); 2] = [("sqlite", "sqlite:meta/lake.sqlite"), ("duckdb", "duckdb:meta/lake.ducklake")];

/// Writes `metaxy.toml` into a folder, with this path of the data and these further lines of the lake.
fn configure(folder: &Path, catalog: (&str, &str), data: &str, more: &str) {
    let (kind, uri) = catalog;
    let catalog = format!("catalog = {{ type = '{kind}', uri = '{uri}' }}");
    let storage = format!("storage = {{ type = 'local', path = '{data}' }}");
    fs::create_dir_all(folder.join("meta")).unwrap();
    let text = store_tables("dev", "duckdb", &[FOR_TESTS], &[&catalog, &storage, more]);
    fs::write(folder.join("metaxy.toml"), text).unwrap();
}

fn open(folder: &Path, mode: Mode) -> Result<Store, Error> {
    let config = Config::load(&OsSystem, &LoadOptions::file(folder.join("metaxy.toml")).trust(Trust::Everything))
        .unwrap()
        .config;
    Store::open(&config, "dev", mode)
}

/// Makes a lake as a script does that runs in the lake's folder: what it stores is `stored`, and its files are in `data`.
fn script(folder: &Path, catalog: (&str, &str), stored: &str, data: &str) {
    let (kind, uri) = catalog;
    let path = folder.join(uri.split_once(':').unwrap().1);
    let attach = format!("ATTACH 'ducklake:{kind}:{}' AS ducklake", path.display());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Nothing is written to the stored path, which starts at the working directory of this process.
    raw().execute_batch(&format!("{attach} (DATA_PATH '{stored}')")).unwrap();
    let data = folder.join(data);
    raw()
        .execute_batch(&format!(
            "{attach} (DATA_PATH '{}', OVERRIDE_DATA_PATH true);
             CREATE TABLE ducklake.t AS SELECT range AS i FROM range(100)",
            data.display()
        ))
        .unwrap();
}

/// Reads and writes a lake of 100 rows, and reads again what was written; what it has stored stays.
#[track_caller]
fn use_lake(folder: &Path, stored: &str) {
    let store = open(folder, Mode::Write).unwrap();
    assert!(store.warnings().is_empty(), "{:?}", store.warnings());
    assert_eq!(value(&store, "SELECT sum(i)::BIGINT FROM t"), "4950");
    store.connection().execute("INSERT INTO t SELECT range FROM range(100)").unwrap();
    assert_eq!(texts(&store, ORPHANS), Vec::<String>::new());
    store.close().unwrap();
    let store = open(folder, Mode::Read).unwrap();
    assert_eq!(value(&store, "SELECT sum(i)::BIGINT FROM t"), "9900");
    assert_eq!(value(&store, STORED), stored);
    store.close().unwrap();
}

#[test]
fn a_lake_of_others_is_found_by_its_relative_path() {
    for catalog in FILES {
        for (stored, written) in [
            ("data/", "data"),
            ("data/", "./data/"),
            ("./data/", "data"),
            ("meta/../data/", "data"),
            ("../data/", "../data"),
            ("data/", "{HOME}/project/data"),
            ("{HOME}/project/data/", "data"),
            ("{HOME}/project/meta/../data/", "./data"),
            // From the folder of the catalog's file.
            ("data/", "meta/data"),
            ("../data/", "data"),
        ] {
            let home = TempLake::new();
            let [stored, written] =
                [stored, written].map(|path| path.replace("{HOME}", home.join("").trim_end_matches('/')));
            let project = home.path_of("project");
            configure(&project, catalog, &written, "");
            script(&project, catalog, &stored, &written);
            use_lake(&project, &stored);
        }
    }
}

#[test]
fn another_relative_path_is_refused() {
    for (stored, written) in
        [("data/", "other"), ("data/", "sub/data"), ("other/", "{HOME}/data"), ("../data/", "data/x")]
    {
        let home = TempLake::new();
        let written = written.replace("{HOME}", home.join("").trim_end_matches('/'));
        script(home.path(), FILES[0], stored, "data");
        configure(home.path(), FILES[0], &written, "");
        let before = home.files();
        for mode in [Mode::Read, Mode::Write] {
            let error = open(home.path(), mode).unwrap_err();
            assert!(error.is_data_path_mismatch(), "{stored}, {written}: {error}");
        }
        assert_eq!(home.files(), before);
    }
}

#[test]
fn a_new_lake_stores_the_path_of_its_configuration() {
    for (written, stored) in [
        ("data", "data/"),
        ("data/", "data/"),
        ("./data", "./data/"),
        ("../shared/data", "../shared/data/"),
        ("data//raw", "{HOME}/project/data/raw/"),
        ("{HOME}/project/data", "{HOME}/project/data/"),
        ("file://{HOME}/project/data", "{HOME}/project/data/"),
    ] {
        for catalog in FILES {
            let home = TempLake::new();
            let [stored, written] =
                [stored, written].map(|path| path.replace("{HOME}", home.join("").trim_end_matches('/')));
            let project = home.path_of("project");
            configure(&project, catalog, &written, "");
            let store = open(&project, Mode::Write).unwrap();
            store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(100)").unwrap();
            store.close().unwrap();
            use_lake(&project, &stored);
        }
    }
}

#[test]
fn a_lake_on_postgres_is_found_by_its_relative_path() {
    let database = Postgres::shared().database();
    let home = TempLake::new();
    let lake = |file: &str, data: &str| {
        let catalog = format!("catalog = {}", postgres(&database, database.owner(), ""));
        let storage = format!("storage = {{ type = 'local', path = '{data}' }}");
        let text = store_tables("dev", "duckdb", &[FOR_TESTS], &[&catalog, &storage]);
        home.write(file, text);
    };
    lake("metaxy.toml", "data");
    let store = open(home.path(), Mode::Write).unwrap();
    store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(100)").unwrap();
    store.close().unwrap();
    use_lake(home.path(), "data/");
    assert!(home.path_of("data/main/t").is_dir());
    // By another configuration, which has an absolute path.
    lake("metaxy.toml", &home.join("data"));
    let store = open(home.path(), Mode::Read).unwrap();
    assert_eq!(value(&store, "SELECT sum(i)::BIGINT FROM t"), "9900");
}

#[test]
fn a_path_of_another_file_is_stored_as_an_absolute_one() {
    let home = TempLake::new();
    configure(&home.path_of("base"), FILES[0], "data", "");
    home.write("project/metaxy.toml", "extend = '../base/metaxy.toml'");
    let store = open(&home.path_of("project"), Mode::Write).unwrap();
    assert_eq!(value(&store, STORED), home.join("base/data/"));
}

#[test]
fn a_lake_behind_a_symbolic_link_is_the_same_lake() {
    for (stored, written) in
        [("data/", "data"), ("{HOME}/real/data/", "data"), ("{HOME}/link/data/", "{HOME}/real/data")]
    {
        let home = TempLake::new();
        let [stored, written] =
            [stored, written].map(|path| path.replace("{HOME}", home.join("").trim_end_matches('/')));
        let (real, link) = (home.path_of("real"), home.path_of("link"));
        configure(&real, FILES[0], &written, "");
        script(&real, FILES[0], &stored, "data");
        symlink(&real, &link).unwrap();
        use_lake(&link, &stored);
        assert_eq!(value(&open(&real, Mode::Read).unwrap(), STORED), stored);
    }
}

#[test]
fn a_folder_that_was_renamed_opens_at_once_where_its_path_is_relative() {
    for catalog in FILES {
        let home = TempLake::new();
        let (old, new) = (home.path_of("old"), home.path_of("new"));
        configure(&old, catalog, "data", "");
        script(&old, catalog, "data/", "data");
        fs::rename(&old, &new).unwrap();
        use_lake(&new, "data/");
    }
}

#[test]
fn a_folder_that_was_renamed_opens_after_one_option_where_its_path_is_absolute() {
    for catalog in FILES {
        let home = TempLake::new();
        let (old, new) = (home.path_of("old"), home.path_of("new"));
        let stored = home.join("old/data/");
        configure(&old, catalog, "data", "");
        script(&old, catalog, &stored, "data");
        fs::rename(&old, &new).unwrap();
        for mode in [Mode::Read, Mode::Write] {
            let error = open(&new, mode).unwrap_err();
            assert!(error.is_data_path_mismatch(), "{error}");
            let help = error.help().unwrap();
            assert!(help.contains("`override_data_path = true`") && !help.contains(&stored), "{help}");
        }
        let loaded = Config::load(&OsSystem, &LoadOptions::file(new.join("metaxy.toml")).trust(Trust::Everything));
        let report = Doctor::default().examine(&loaded, Some("dev"));
        let finding = report.fix_first().unwrap();
        assert_eq!(finding.cause, Some(Cause::DataPathDiffers), "{report}");
        assert!(finding.advice.as_ref().unwrap().contains("`override_data_path = true`"), "{report}");
        configure(&new, catalog, "data", "attach_options = { override_data_path = true }");
        use_lake(&new, &stored);
        let loaded = Config::load(&OsSystem, &LoadOptions::file(new.join("metaxy.toml")).trust(Trust::Everything));
        assert!(Doctor::default().examine(&loaded, Some("dev")).fix_first().is_none());
    }
}

#[test]
fn a_folder_that_was_renamed_without_all_of_its_files_says_what_is_missing() {
    let home = TempLake::new();
    let (old, new) = (home.path_of("old"), home.path_of("new"));
    configure(&old, FILES[0], "data", "");
    script(&old, FILES[0], &home.join("old/data/"), "data");
    fs::rename(&old, &new).unwrap();
    fs::remove_dir_all(new.join("data/main")).unwrap();
    let error = open(&new, Mode::Read).unwrap_err();
    let help = error.help().unwrap();
    assert!(help.starts_with("nothing is at the stored path"), "{help}");
    configure(&new, FILES[0], "data", "attach_options = { override_data_path = true }");
    let store = open(&new, Mode::Read).unwrap();
    assert!(store.warnings()[0].contains("data files of the lake are not there"), "{:?}", store.warnings());
}

#[test]
fn a_database_of_others_does_not_become_a_lake_without_a_yes() {
    let [sqlite, duckdb] = FILES;
    for (catalog, kind, make, of) in [
        (sqlite, "sqlite", "CREATE TABLE other.customers (i INTEGER)", "tables"),
        (sqlite, "sqlite", "CREATE VIEW other.customers AS SELECT 1 AS i", "views"),
        (duckdb, "duckdb", "CREATE TABLE other.customers (i INTEGER)", "tables"),
        (duckdb, "duckdb", "CREATE VIEW other.customers AS SELECT 1 AS i", "views"),
        (duckdb, "duckdb", "CREATE SEQUENCE other.customers", "sequences"),
        (duckdb, "duckdb", "CREATE MACRO other.customers() AS 1", "functions"),
        (duckdb, "duckdb", "CREATE TYPE other.customers AS ENUM ('a')", "types"),
        (duckdb, "duckdb", "CREATE SCHEMA other.customers", "schemas"),
    ] {
        let home = TempLake::new();
        configure(home.path(), catalog, "data", "");
        let file = home.path_of(catalog.1.split_once(':').unwrap().1);
        let other = || {
            let connection = raw();
            connection.execute_batch(&format!("ATTACH '{}' AS other (TYPE {kind})", file.display())).unwrap();
            connection
        };
        other().execute_batch(make).unwrap();
        let before = fs::read(&file).unwrap();
        let Err(error) = open(home.path(), Mode::Write) else { panic!("{make}: it became a lake") };
        assert!(error.is_other_database() && error.to_string().contains("customers"), "{make}: {error}");
        assert!(error.help().unwrap().contains("`create_if_not_exists = true`"), "{error}");
        assert_eq!(fs::read(&file).unwrap(), before, "it is as it was");

        configure(home.path(), catalog, "data", "attach_options = { create_if_not_exists = true }");
        open(home.path(), Mode::Write).unwrap().close().unwrap();
        // From now on it is a lake.
        configure(home.path(), catalog, "data", "");
        open(home.path(), Mode::Write).unwrap().close().unwrap();
        let column = if of == "functions" { "function" } else { of.trim_end_matches('s') };
        let made = format!("SELECT {column}_name FROM duckdb_{of}() WHERE {column}_name = 'customers'");
        assert_eq!(raw_texts(&other(), &made), ["customers"], "{make}");
    }
}

#[test]
fn a_catalog_cut_to_nothing_is_damage_and_no_new_lake() {
    for catalog in FILES {
        for (data, has_files) in [("data", true), ("{HOME}/data", true), ("data", false)] {
            let home = TempLake::new();
            let data = data.replace("{HOME}", home.join("").trim_end_matches('/'));
            configure(home.path(), catalog, &data, "");
            if has_files {
                script(home.path(), catalog, "data/", "data");
            }
            let file = home.path_of(catalog.1.split_once(':').unwrap().1);
            fs::write(&file, "").unwrap();
            let before = home.files();
            for mode in [Mode::Read, Mode::Write] {
                let error = open(home.path(), mode).unwrap_err();
                assert!(error.is_damaged_catalog(), "{error}");
                assert!(error.help().unwrap().starts_with("put a copy"), "{error}");
            }
            let report = Doctor::default().examine(&home.load(), Some("dev"));
            assert_eq!(report.fix_first().unwrap().cause, Some(Cause::CatalogEmptied), "{report}");
            assert_eq!(fs::metadata(&file).unwrap().len(), 0);
            assert_eq!(home.files(), before);
            // A clear yes, which DuckDB does not take for a file of its own.
            configure(home.path(), catalog, &data, "attach_options = { create_if_not_exists = true }");
            let opened = open(home.path(), Mode::Write);
            assert_eq!(opened.is_ok(), !has_files && catalog.0 == "sqlite", "{catalog:?}, {has_files}: {opened:?}");
        }
    }
}
