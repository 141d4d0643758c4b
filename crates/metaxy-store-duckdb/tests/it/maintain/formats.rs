//! Lakes of DuckDB 1.3 and 1.4, brought to the format of this DuckLake: first taken back, then done.

use std::fs;
use std::path::Path;

use ducklake_sql::Mode;
use metaxy_config::Config;
use metaxy_store_duckdb::{Cause, FormatMigration, Store};

use super::migrate::Move;
use crate::lake::{raw, raw_texts, value};

/// The lakes that `golden/formats/make.py` has made: their format, and the kind of their catalog.
const LAKES: [(&str, &str); 4] = [("0.2", "duckdb"), ("0.3", "duckdb"), ("0.3", "sqlite"), ("0.3", "postgres")];

/// An old lake, and a configuration in which it is that of the store `from`.
struct Old {
    at: Move<'static>,
    config: Config,
    catalog: std::path::PathBuf,
}

impl Old {
    fn new(format: &str, kind: &str) -> Self {
        let at = Move::new();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/formats/{format}-{kind}"));
        copy(&golden.join("data"), &at.folder.path().join("data"));
        let tables = fs::read_to_string(golden.join("catalog.sql")).unwrap();
        let catalog = at.folder.path().join(format!("meta.{kind}"));
        if kind == "postgres" {
            let mut client = at.database.connect(at.database.owner()).unwrap();
            client.batch_execute(&["CREATE SCHEMA meta; SET search_path TO meta; ", &tables].concat()).unwrap();
        } else {
            let attach = format!("ATTACH '{}' AS catalog (TYPE {kind}); USE catalog;", catalog.display());
            raw().execute_batch(&(attach + &tables)).unwrap();
        }
        let config = at.config(kind, "sqlite");
        Self { at, config, catalog }
    }

    fn open(&self, mode: Mode) -> Result<Store, metaxy_store_duckdb::Error> {
        Store::open(&self.config, "from", mode)
    }

    /// Nothing was done to it.
    fn assert_old(&self) {
        for mode in [Mode::Read, Mode::Write] {
            let error = self.open(mode).unwrap_err();
            assert_eq!(error.cause(), Some(Cause::CatalogOlder), "{error}");
            assert!(error.help().unwrap().contains("`metaxy migrate format`"), "{:?}", error.help());
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn an_older_lake_is_brought_to_the_newest_format_with_all_that_it_has() {
    for (format, kind) in LAKES {
        let old = Old::new(format, kind);
        old.assert_old();
        let migration = FormatMigration::new(&old.config, "from").unwrap();
        let bytes = fs::read(&old.catalog).ok();
        let rehearsed = migration.dry_run().unwrap().unwrap_or_else(|| panic!("{format} on {kind}"));
        assert_eq!((&*rehearsed.from, &*rehearsed.to), (format, "1.0"), "{kind}");
        assert_eq!((rehearsed.compared_tables, &*rehearsed.compared_snapshots), (4, &[11, 7, 3][..]), "{kind}");
        assert!(fs::read(&old.catalog).ok() == bytes, "the catalog of {format} on {kind} was written");
        old.assert_old();

        let backup = old.at.folder.path().join("lake.backup");
        assert_eq!(migration.run(&backup).unwrap(), Some(rehearsed), "{kind}");
        let store = old.open(Mode::Write).unwrap();
        for (query, expected) in [
            ("SELECT concat_ws(' ', count(*), sum(size)) FROM sample", "91 4004"),
            ("SELECT count(*)::VARCHAR FROM sample AT (VERSION => 2)", "100"),
            ("SELECT tag.name || tag.since::VARCHAR FROM sample WHERE id = 'late'", "it's2025-01-01 12:00:00"),
            ("SELECT concat_ws(' ', count(*), sum(value)) FROM more.part", "5 1.250"),
            // Older versions have qualified the names in views, so that they can be read only where the lake has its old name.
            ("SELECT count(*)::VARCHAR FROM duckdb_views() WHERE view_name = 'small'", "1"),
            (
                "SELECT comment FROM duckdb_tables() WHERE table_name = 'sample' AND database_name <> 'temp'",
                "samples of an older lake",
            ),
            (
                "SELECT value FROM ducklake_options(current_database()) WHERE option_name = 'parquet_compression'",
                "zstd",
            ),
        ] {
            assert_eq!(value(&store, query), expected, "{format} on {kind}: {query}");
        }
        store.connection().execute("INSERT INTO sample (id, size) VALUES ('new', 1)").unwrap();
        store.close().unwrap();

        // The catalog as it was.
        let connection = raw();
        connection.execute_batch(&format!("ATTACH '{}' AS backup (READ_ONLY)", backup.display())).unwrap();
        assert_eq!(
            raw_texts(&connection, "SELECT value FROM backup.ducklake_metadata WHERE key = 'version'"),
            [format]
        );

        let second = old.at.folder.path().join("second.backup");
        assert_eq!(migration.dry_run().unwrap(), None);
        assert_eq!(migration.run(&second).unwrap(), None);
        assert!(!second.exists());
    }
}

#[test]
fn a_lake_that_could_not_be_read_afterwards_stays_as_it_is() {
    for (format, kind) in LAKES {
        let old = Old::new(format, kind);
        let files = old.at.folder.path().join("data/main/sample");
        let lost = fs::read_dir(&files).unwrap().next().unwrap().unwrap().path();
        fs::remove_file(&lost).unwrap();
        let migration = FormatMigration::new(&old.config, "from").unwrap();
        let backup = old.at.folder.path().join("lake.backup");
        for error in [migration.dry_run().unwrap_err(), migration.run(&backup).unwrap_err()] {
            assert_eq!(error.cause(), Some(Cause::FilesMissing), "{format} on {kind}: {error}");
        }
        assert!(!backup.exists());
        old.assert_old();
    }
}
