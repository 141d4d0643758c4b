//! A lake that is moved into the catalog of another store: every direction, its fence, and its way back.

use std::path::Path;
use std::sync::{Arc, Mutex};

use ducklake_sql::Mode;
use metaxy_config::{Config, LoadOptions, OsSystem, Trust};
use metaxy_store_duckdb::{
    CatalogMigration, Cause, DataMigration, Error, MaintainOptions, Migrated, OpenOptions, Progress, ProgressUnit,
    Store,
};
use metaxy_testkit::{Database, KeyRights, Postgres, TempDir, deps};

use super::backup::{content, fill};
use super::home::SERVER;
use crate::lake::{BUCKET, LOCAL, postgres, s3, texts, value};

const KINDS: [&str; 3] = ["sqlite", "duckdb", "postgres"];

/// A folder with a configuration in which the lake of the store `from` is moved to the store `to`.
pub(super) struct Move<'d> {
    pub(super) folder: TempDir,
    pub(super) database: Database<'d>,
}

impl Move<'_> {
    pub(super) fn new() -> Self {
        Move { folder: TempDir::new(), database: Postgres::shared().database() }
    }

    fn catalog(&self, kind: &str) -> String {
        let database = &self.database;
        match kind {
            "postgres" => postgres(database, database.owner(), ", metadata_schema = 'meta'"),
            kind => format!("{{ type = '{kind}', uri = '{kind}:meta.{kind}' }}"),
        }
    }

    pub(super) fn config(&self, from: &str, to: &str) -> Config {
        self.load([(from, LOCAL), (to, LOCAL)], "[ext.rust.lake.to]\nmigrate_from = 'from'\n")
    }

    /// The stores `from` and `to`, each with its catalog and its storage.
    fn load(&self, [from, to]: [(&str, &str); 2], more: &str) -> Config {
        let store = |name: &str, (catalog, storage): (&str, &str)| {
            format!(
                "[stores.{name}]\ntype = 'duckdb'\n\
                 config.config = {{ extension_directory = '{}', allow_unsigned_extensions = true }}\n\
                 config.ducklake.catalog = {}\nconfig.ducklake.storage = {storage}\n",
                deps().extensions().display(),
                self.catalog(catalog)
            )
        };
        let text = [&store("from", from), &store("to", to), more].concat();
        let file = self.folder.write("metaxy.toml", text);
        Config::load(&OsSystem, &LoadOptions::file(&file).trust(Trust::Everything)).unwrap().config
    }

    fn run(&self, config: &Config, backup: &str) -> Result<Migrated, Error> {
        CatalogMigration::new(config, "from", "to")?.run(Path::new(&self.folder.join(backup)), |_| ())
    }
}

fn undo(config: &Config) -> Result<(), Error> {
    CatalogMigration::new(config, "from", "to")?.undo()
}

/// Moves a lake from a catalog of this kind into one of each other kind.
#[test]
fn rows_in_the_catalog_are_flushed_where_no_other_program_has_the_lake() {
    for (from, to) in [("sqlite", "postgres"), ("duckdb", "sqlite"), ("postgres", "duckdb")] {
        let lake = Move::new();
        let config = lake.config(from, to);
        let rows = |store: &str| {
            let store = Store::open(&config, store, Mode::Write).unwrap();
            texts(&store, "SELECT t::VARCHAR FROM t ORDER BY ALL")
        };
        let source = Store::open(&config, "from", Mode::Write).unwrap();
        fill(&source);
        source.close().unwrap();
        let before = rows("from");
        let migration = CatalogMigration::new(&config, "from", "to").unwrap().alone(true);
        assert!(!migration.is_done().unwrap(), "{from}");
        let mut steps = Vec::new();
        migration.run(&lake.folder.path().join("lake.backup"), |step| steps.push(step.as_str())).unwrap();
        assert_eq!(steps, ["flush", "backup", "copy", "verify", "fence"], "{from}");
        assert_eq!(rows("to"), before, "{from} to {to}");
    }
}

fn check(from: &str) {
    let lake = Move::new();
    let [one, two]: [&str; 2] = KINDS.into_iter().filter(|kind| *kind != from).collect::<Vec<_>>().try_into().unwrap();
    let config = lake.config(from, one);
    let open = |config: &Config, store: &str| Store::open(config, store, Mode::Write);
    let moved = |error: Error, to: &str| {
        assert_eq!(error.cause(), Some(Cause::LakeMoved), "{from}: {error}");
        let place = match to {
            "" => String::new(),
            "postgres" => "schema `meta`".to_owned(),
            kind => format!("meta.{kind}`"),
        };
        assert!(error.to_string().contains(&place), "{from}: {error}");
    };
    let error = open(&config, "to").unwrap_err();
    assert!(error.is_missing_lake(), "{from}: a lake is not made where another one is to be moved to: {error}");
    let source = open(&config, "from").unwrap();
    fill(&source);
    source.close().unwrap();

    assert!(undo(&config).unwrap_err().to_string().contains("was not moved"), "{from}");
    let error = lake.run(&config, "inlined.backup").unwrap_err();
    assert!(error.to_string().contains("kept in the catalog"), "{from}: {error}");
    let source = open(&config, "from").unwrap();
    source.maintain(&MaintainOptions::new().alone(true), |_, _| ()).unwrap();
    let before = content(&source);
    // Another program cannot have a DuckDB file.
    let attached = if from == "duckdb" {
        source.close().unwrap();
        None
    } else {
        Some(source)
    };

    let done = lake.run(&config, "one.backup").unwrap();
    assert!(done.compared_tables > 2 && done.compared_snapshots.len() == 3, "{from} → {one}: {done:?}");
    assert_eq!(lake.run(&config, "none.backup").unwrap().backup, None, "{from} → {one}: it is done");
    moved(open(&config, "from").unwrap_err(), one);
    moved(Store::open(&config, "from", Mode::Read).unwrap_err(), one);
    if let Some(attached) = &attached {
        for sql in [
            "INSERT INTO t (id) VALUES (1000)",
            "INSERT INTO t (id) SELECT range FROM range(2000, 2050)",
            "CREATE TABLE late (i INTEGER)",
            "CALL ducklake_expire_snapshots('ducklake', older_than => now())",
        ] {
            let error = attached.transaction(|connection| connection.execute(sql)).unwrap_err();
            // The fence in SQLite cannot say where it is.
            moved(error, if from == "postgres" { one } else { "" });
        }
        assert_eq!(content(attached), before, "{from}: what has it attached goes on reading");
    }
    let target = open(&config, "to").unwrap();
    assert_eq!(content(&target), before, "{from} → {one}");
    target.close().unwrap();

    undo(&config).unwrap();
    moved(open(&config, "to").unwrap_err(), from);
    undo(&config).unwrap();
    let write = "INSERT INTO t (id) SELECT range FROM range(3000, 3050)";
    let source = attached.unwrap_or_else(|| open(&config, "from").unwrap());
    source.transaction(|connection| connection.execute(write)).unwrap();
    source.close().unwrap();
    // It has a snapshot more than the copy that the undone move has left.
    lake.run(&config, "again.backup").unwrap();
    undo(&config).unwrap();

    let config = lake.config(from, two);
    let source = open(&config, "from").unwrap();
    let before = content(&source);
    source.close().unwrap();
    lake.run(&config, "two.backup").unwrap();
    let target = open(&config, "to").unwrap();
    assert_eq!(content(&target), before, "{from} → {two}");
    target.transaction(|connection| connection.execute("INSERT INTO t (id) VALUES (1)")).unwrap();
    target.transaction(|connection| connection.execute("INSERT INTO t (id) SELECT range FROM range(50)")).unwrap();
    assert_eq!(value(&target, "SELECT count(*) FROM t"), "241", "{from} → {two}");
    target.close().unwrap();
    let error = undo(&config).unwrap_err();
    assert!(error.to_string().contains("was written to since"), "{from}: {error}");
    moved(open(&config, "from").unwrap_err(), two);
}

#[test]
fn a_lake_moves_from_sqlite_and_back() {
    check("sqlite");
}

#[test]
fn a_lake_moves_from_duckdb_and_back() {
    check("duckdb");
}

#[test]
fn a_lake_moves_from_postgres_and_back() {
    check("postgres");
}

/// Moves the files of a lake with a catalog of this kind, and back.
fn check_data(catalog: &str, from: &str, to: &str) {
    let lake = Move::new();
    let config = lake.load([(catalog, from), (catalog, to)], "");
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let run = |from: &str, to: &str| {
        let told = Arc::clone(&told);
        let migration = DataMigration::new(&config, from, to).unwrap().alone(true);
        let options = OpenOptions::default().on_progress(move |progress| told.lock().unwrap().push(progress));
        migration.open_options(options).run()
    };
    let open = |store: &str| Store::open(&config, store, Mode::Write);
    let source = open("from").unwrap();
    for sql in [
        "CREATE TABLE t AS SELECT range AS id FROM range(100)",
        "DELETE FROM t WHERE id % 5 = 0",
        "INSERT INTO t VALUES (1000)",
        "INSERT INTO t SELECT range FROM range(200, 250)",
        "CREATE VIEW v AS SELECT id FROM t WHERE id > 20",
        "CREATE MACRO twice(x) AS x * 2",
    ] {
        source.transaction(|connection| connection.execute(sql)).unwrap();
    }
    let before = content(&source);
    let file = value(&source, "SELECT data_file FROM ducklake_list_files('ducklake', 't') LIMIT 1");
    source.close().unwrap();
    let differs = |store: &str| {
        let error = open(store).unwrap_err().to_string();
        assert!(error.contains("keeps its data at"), "{catalog}, {store}: {error}");
    };
    differs("to");
    if catalog != "duckdb" {
        let error = DataMigration::new(&config, "from", "to").unwrap().run().unwrap_err();
        assert!(error.to_string().contains("go on writing"), "{catalog}: {error}");
    }
    if to == OTHER {
        let foreign = lake.folder.write("other/main/t/foreign.parquet", "no file of the lake");
        let error = run("from", "to").unwrap_err();
        assert!(error.to_string().contains("puts no files"), "{catalog}: {error}");
        std::fs::remove_file(foreign).unwrap();
        // What an earlier run has left that was ended while it wrote a file.
        let (_, name) = file.split_once("/main/").unwrap();
        lake.folder.write(&["other/main/", name].concat(), "PAR1, and then the end");
    }

    told.lock().unwrap().clear();
    let moved = run("from", "to").unwrap();
    assert!(moved.files > 2 && moved.copied == moved.files && moved.compared_tables > 2, "{catalog}: {moved:?}");
    let told = std::mem::take(&mut *told.lock().unwrap());
    let parts = |unit: ProgressUnit| told.iter().filter(move |progress| progress.unit == unit);
    assert_eq!(parts(ProgressUnit::Bytes).count(), moved.files, "{catalog}: {told:?}");
    assert_eq!(parts(ProgressUnit::Tables).count(), 2 * moved.compared_tables, "{catalog}: {told:?}");
    assert!(told.iter().all(|progress| progress.done < progress.total), "{catalog}: {told:?}");
    assert_eq!(run("from", "to").unwrap().files, 0, "{catalog}: it is done");
    differs("from");
    let target = open("to").unwrap();
    assert_eq!(content(&target), before, "{catalog}");
    let write = "INSERT INTO t (id) SELECT range FROM range(3000, 3050)";
    target.transaction(|connection| connection.execute(write)).unwrap();
    let before = content(&target);
    target.close().unwrap();

    let back = run("to", "from").unwrap();
    assert_eq!((back.files, back.copied), (moved.files + 1, 1), "{catalog}: only what is new is copied");
    let source = open("from").unwrap();
    assert_eq!(content(&source), before, "{catalog}");
    source.close().unwrap();
}

const OTHER: &str = "{ type = 'local', path = 'other' }";

#[test]
fn files_move_to_another_data_path_and_back() {
    SERVER.bucket(BUCKET);
    let key = SERVER.key(KeyRights::Full);
    let bucket = |prefix: &str| s3(&SERVER, &key).replace("\"prod\"", &format!("\"{prefix}\""));
    check_data("sqlite", LOCAL, &bucket("to"));
    check_data("postgres", &bucket("from"), OTHER);
    check_data("duckdb", &bucket("one"), &bucket("two"));
}

#[test]
fn files_of_another_catalog_are_not_moved() {
    let lake = Move::new();
    let config = lake.load([("sqlite", LOCAL), ("duckdb", OTHER)], "");
    let error = DataMigration::new(&config, "from", "to").unwrap_err();
    assert!(error.to_string().contains("different catalogs"), "{error}");
}
