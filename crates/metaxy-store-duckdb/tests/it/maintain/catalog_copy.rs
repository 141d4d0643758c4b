//! A catalog in a DuckDB file that was damaged, and the copy that is kept beside it.

use std::fs;
use std::path::Path;

use ducklake_sql::Mode;
use metaxy_store_duckdb::{Cause, Store};

use super::home::{Home, home};
use crate::lake::{session, value};

const COUNTS: &str = "SELECT concat(count(*), ' ', sum(i)) FROM t";

/// Opens the lake to write, writes to it, and lets it go.
fn write(home: &Home, statements: &[&'static str]) {
    let store = home.open();
    for statement in statements {
        store.transaction(|connection| connection.execute(*statement)).unwrap();
    }
    store.close().unwrap();
}

/// Restores a copy in the place of the catalog.
fn restore(home: &Home, catalog: &Path, copy: &Path) -> String {
    fs::rename(catalog, catalog.with_extension("damaged")).unwrap();
    drop(fs::remove_file(catalog.with_extension("ducklake.wal")));
    let store = home.open();
    let restored = store.restore(copy).unwrap();
    assert!(restored.missing.is_empty(), "{restored:?}");
    store.close().unwrap();
    let store = home.open();
    // It goes on as a lake.
    store.transaction(|connection| connection.execute("CREATE TABLE more AS SELECT 1 AS i")).unwrap();
    value(&store, COUNTS)
}

#[test]
fn a_damaged_catalog_is_restored_from_its_copy() {
    let home = home("duckdb", "local");
    let catalog = home.folder.path_of("meta.ducklake");
    let [newest, older, new] =
        ["copy-1", "copy-2", "copying"].map(|name| catalog.with_extension(["ducklake.", name].concat()));
    write(&home, &["CREATE TABLE t (i BIGINT)", "INSERT INTO t SELECT range FROM range(40)"]);
    assert!(!newest.exists(), "there was nothing to copy");
    // What somebody's archive had there leads nowhere, and what a killed copy left is not used.
    #[cfg(unix)]
    std::os::unix::fs::symlink(home.folder.path_of("mine"), &new).unwrap();
    fs::write(home.folder.path_of("mine"), "mine").unwrap();
    fs::write(catalog.with_extension("ducklake.copying.wal"), "torn").unwrap();
    // These rows are kept in the catalog.
    write(&home, &["INSERT INTO t VALUES (1000)", "DELETE FROM t WHERE i = 7"]);
    let first = fs::read(&newest).unwrap();
    assert_eq!(fs::read(home.folder.path_of("mine")).unwrap(), b"mine");
    assert!(!newest.with_extension("copy-1.wal").exists());
    write(&home, &["INSERT INTO t VALUES (2000)"]);
    assert!(fs::read(&newest).unwrap() != first && fs::read(&older).unwrap() == first);
    let second = fs::read(&newest).unwrap();
    // What is only read is not copied, and neither is what is as it was.
    home.read().close().unwrap();
    assert!(fs::read(&newest).unwrap() == second);
    write(&home, &[]);
    write(&home, &[]);
    assert!(fs::read(&older).unwrap() == first, "it is kept for a day");

    let whole = fs::read(&catalog).unwrap();
    let copied = fs::read(&newest).unwrap();
    let mut damaged = whole.clone();
    damaged[3 * 4096..].iter_mut().for_each(|byte| *byte = !*byte);
    fs::write(&catalog, damaged).unwrap();
    for mode in [Mode::Write, Mode::Read] {
        let error = Store::attach(&home.lake, &session(), mode).unwrap_err();
        assert_eq!(error.cause(), Some(Cause::CatalogDamaged), "{error}");
        assert!(error.help().unwrap().contains("copy-1"), "{error:?}");
    }
    assert!(fs::read(&newest).unwrap() == copied && !new.exists(), "what cannot be opened is no copy");
    // The newest copy has all, since nothing was written after it.
    assert_eq!(restore(&home, &catalog, &newest), "41 3773");
    fs::write(&catalog, whole).unwrap();
    assert_eq!(restore(&home, &catalog, &older), "40 780");
}

#[test]
fn a_copy_with_a_write_ahead_log_is_restored() {
    let home = home("duckdb", "local");
    let catalog = home.folder.path_of("meta.ducklake");
    write(&home, &["CREATE TABLE t (i BIGINT)"]);
    let store = home.open();
    store.transaction(|connection| connection.execute("INSERT INTO t SELECT range FROM range(40)")).unwrap();
    // As a program that is killed leaves them.
    let killed = home.folder.path_of("killed.ducklake");
    fs::copy(&catalog, &killed).unwrap();
    fs::copy(catalog.with_extension("ducklake.wal"), killed.with_extension("ducklake.wal")).unwrap();
    store.close().unwrap();
    for name in ["meta.ducklake.copy-1", "meta.ducklake.copy-2"] {
        drop(fs::remove_file(home.folder.path_of(name)));
    }
    for suffix in ["ducklake", "ducklake.wal"] {
        fs::rename(killed.with_extension(suffix), catalog.with_extension(suffix)).unwrap();
    }
    write(&home, &["INSERT INTO t VALUES (1000)"]);
    let copy = home.folder.path_of("meta.ducklake.copy-1");
    assert!(copy.with_extension("copy-1.wal").exists());
    assert_eq!(restore(&home, &catalog, &copy), "40 780");
}
