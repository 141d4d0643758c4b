//! Lakes whose catalog names files that are gone, as after a commit of another program whose answer was lost.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use ducklake_sql::Mode;
use metaxy_store_duckdb::{Cause, Doctor, Store};
use metaxy_testkit::{KeyRights, Postgres, S3Options, S3Server, deps};

use crate::lake::{BUCKET, FOR_TESTS, LOCAL, SQLITE, TempLake, postgres, s3, texts, value};

/// The end of the name of a second link.
const LINK: &str = ".metaxy0123456789abcdef0123456789abcdef";

#[test]
fn tables_whose_files_are_gone_can_be_read_again() {
    let database = Postgres::shared().database();
    let others = Postgres::shared().database();
    let server = S3Server::start(S3Options::default());
    server.bucket(BUCKET);
    let objects = s3(&server, &server.key(KeyRights::Full));
    let login = postgres(&database, database.owner(), "");
    let other_login = postgres(&others, others.owner(), "");
    for (name, catalog, storage) in
        [("sqlite", SQLITE, LOCAL), ("postgres", &login, LOCAL), ("postgres, s3", &other_login, &objects)]
    {
        let home = TempLake::new();
        let extensions = format!("config.extension_directory = '{}'", deps().extensions().display());
        let storage_line = storage.replace("\"prod\"", &format!("\"{}\"", name.replace(", ", "-")));
        let lake = [format!("alias = 'lake'\ncatalog = {catalog}"), format!("storage = {storage_line}")];
        home.configure("prod", &[&extensions, FOR_TESTS], &[&lake[0], &lake[1]]);
        let loaded = home.load();
        let open = |mode| Store::open(&loaded.as_ref().unwrap().config, "prod", mode).unwrap();
        let files = || -> Vec<PathBuf> {
            if storage == LOCAL {
                let found = home.files().into_iter().filter(|file| file.contains("ducklake-"));
                found.map(|file| home.path_of(&file)).collect()
            } else {
                let of_lake = [&name.replace(", ", "-"), "/"].concat();
                let found = server.objects(BUCKET).into_iter().filter(|key| key.starts_with(&of_lake));
                found.map(|key| server.object_path(BUCKET, &key)).collect()
            }
        };
        let store = open(Mode::Write);
        let run = |statement: &'static str| {
            let before = files();
            store.connection().execute(statement).unwrap();
            files().into_iter().filter(|file| !before.contains(file)).collect::<Vec<_>>()
        };
        run("CREATE TABLE t AS SELECT range AS i, 'x' AS s FROM range(100)");
        run("DELETE FROM t WHERE i = 7");
        run("CREATE TABLE whole AS SELECT range AS i FROM range(100)");
        run("CREATE TABLE p (i BIGINT, part BIGINT)");
        run("ALTER TABLE p SET PARTITIONED BY (part)");
        run("INSERT INTO p SELECT range, range % 2 FROM range(100)");
        let before = "SELECT concat((SELECT count(*) || ' ' || sum(i) || ' ' || max(s) FROM t), ', ', (SELECT count(*) || ' ' || sum(i) FROM p))";
        let as_it_was = value(&store, before);
        // Each is one transaction, whose files are removed.
        let mut lost = run("INSERT INTO t SELECT range + 1000, 'y' FROM range(50)");
        lost.extend(run("UPDATE t SET s = 'z' WHERE i % 4 = 1"));
        lost.extend(run("DELETE FROM t WHERE i > 60 AND i < 100"));
        lost.extend(run("INSERT INTO p SELECT range + 500, range % 3 FROM range(60)"));
        assert!(lost.len() == 8, "{lost:?}");
        for file in &lost {
            fs::remove_file(file).unwrap();
        }
        store.close().unwrap();

        let first = Doctor::default().examine(&loaded, Some("prod"));
        let first = first.fix_first().unwrap();
        assert_eq!(first.cause, Some(Cause::FilesMissing), "{name}");
        assert!(first.advice.as_ref().unwrap().contains("metaxy doctor --repair"), "{first:?}");
        let store = open(Mode::Read);
        let missing = store.missing_files().unwrap();
        // DuckLake has written one of the files of deletions anew, with those of the one before it.
        assert_eq!(missing.len(), lost.len() - 1, "{name}: {missing:?}");
        let rows = |of: &str| missing.iter().filter(|file| file.table == of).map(|file| file.rows).collect::<Vec<_>>();
        assert!(rows("main.t").contains(&50), "{missing:?}");
        assert_eq!(rows("main.p").iter().sum::<u64>(), 60, "{missing:?}");
        store.close().unwrap();

        let store = open(Mode::Write);
        assert_eq!(store.repair().unwrap(), missing, "{name}");
        store.close().unwrap();
        let store = open(Mode::Write);
        assert_eq!(value(&store, before), as_it_was, "{name}");
        // Every snapshot, too.
        let snapshots = texts(&store, "SELECT snapshot_id FROM ducklake_snapshots('lake') ORDER BY snapshot_id");
        for snapshot in &snapshots[2..] {
            let at = format!("SELECT count(s) + sum(i) FROM t AT (VERSION => {snapshot})");
            store.connection().execute(ducklake_sql::Sql::user_query(at)).unwrap();
        }
        store.connection().execute("INSERT INTO t SELECT range, 'new' FROM range(30)").unwrap();
        store.connection().execute("UPDATE p SET i = i + 1").unwrap();
        assert_eq!(texts(&store, "SELECT count(*) FROM t UNION ALL SELECT count(*) FROM p"), ["129", "100"], "{name}");
        assert_eq!(store.repair().unwrap(), []);
        store.close().unwrap();
        let report = Doctor::default().deep(true).examine(&loaded, Some("prod"));
        assert!(report.is_healthy(), "{name}: {report}");
    }
}

#[test]
fn a_second_link_that_a_killed_program_left_brings_a_file_back_and_is_removed_when_it_is_old() {
    let database = Postgres::shared().database();
    let home = TempLake::new();
    let extensions = format!("config.extension_directory = '{}'", deps().extensions().display());
    let catalog = format!("alias = 'lake'\ncatalog = {}", postgres(&database, database.owner(), ""));
    home.configure("prod", &[&extensions, FOR_TESTS], &[&catalog, &format!("storage = {LOCAL}")]);
    let loaded = home.load();
    let open = || Store::open(&loaded.as_ref().unwrap().config, "prod", Mode::Write).unwrap();
    let insert = |store: &Store| store.transaction(|one| one.execute("INSERT INTO t FROM range(100)")).unwrap();
    let store = open();
    store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(100)").unwrap();
    store.close().unwrap();
    let file = home.files().into_iter().find(|file| file.contains("ducklake-")).unwrap();
    let (path, link) = (home.path_of(&file), home.path_of(&[&file, LINK].concat()));

    fs::rename(&path, &link).unwrap();
    let store = open();
    let missing = store.repair().unwrap();
    assert!(missing.len() == 1 && missing[0].can_be_restored && path.is_file() && !link.exists(), "{missing:?}");
    assert_eq!(value(&store, "SELECT count(i) FROM t"), "100");
    store.close().unwrap();

    fs::hard_link(&path, &link).unwrap();
    let orphan = path.with_file_name("ducklake-01a219d0-96db-7dd8-8832-58ef131b708e.parquet");
    fs::copy(&path, &orphan).unwrap();
    let told = Doctor::default().examine(&loaded, Some("prod")).to_string();
    assert!(told.contains("1 second links to files") && told.contains("1 files that no snapshot needs"), "{told}");
    for (age, is_kept) in [(23, true), (25, false)] {
        // The commit may be another program's, which needs it.
        let written = SystemTime::now() - Duration::from_hours(age);
        File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        let store = open();
        insert(&store);
        store.close().unwrap();
        assert_eq!(link.exists(), is_kept, "{age} hours");
    }
    assert!(path.is_file() && orphan.is_file());
    assert_eq!(home.files().iter().filter(|file| file.contains(".metaxy")).count(), 0);
}
