//! The upkeep of a lake, and the ways in which plain SQL loses rows with it.

use std::thread;
use std::time::Duration;

use ducklake_sql::{Declared, LakeOption, Mode, Sql, TableName};
use metaxy_store_duckdb::{MaintainOptions, MaintainStep, Maintained, StepOutcome, Store};
use metaxy_testkit::{Postgres, RoleRights};

use super::home::{Home, home, homes, other_homes};
use crate::lake::{TempLake, attach, raw, raw_texts, session, texts, value};

/// All rows of all tables, as one number.
const CONTENT: &str =
    "SELECT md5(string_agg(t::VARCHAR, '|' ORDER BY t::VARCHAR)) || (SELECT count(*) FROM s.u) FROM t";

/// A table with small files, deletions and inlined rows, and another one.
fn fill(store: &Store) {
    let run = |sql: &'static str| store.transaction(|connection| connection.execute(sql)).unwrap();
    run("CREATE TABLE t (id BIGINT, word VARCHAR)");
    run("CREATE SCHEMA s");
    run("CREATE TABLE s.u AS SELECT range AS i FROM range(3)");
    for _ in 0..4 {
        run("INSERT INTO t SELECT (SELECT count(*) FROM t) + range, 'w' || range FROM range(25)");
    }
    run("DELETE FROM t WHERE id % 4 = 0");
    run("INSERT INTO t VALUES (1000, 'inlined')");
    run("DELETE FROM t WHERE id IN (1, 2)");
}

fn maintain(store: &Store, options: &MaintainOptions) -> Maintained {
    let done = store.maintain(options, |_, _| ()).unwrap();
    assert!(done.failed.is_none(), "{:?}", done.failed);
    done
}

/// The steps as lines.
fn lines(done: &Maintained) -> Vec<String> {
    let line = |step: &metaxy_store_duckdb::MaintainedStep| {
        let of = step.table.as_ref().map(|table| format!(" {table}")).unwrap_or_default();
        match &step.outcome {
            StepOutcome::Done(what) => format!("{}{of}: {what}", step.step),
            StepOutcome::Refused(why, _) => format!("{}{of} refused: {why}", step.step),
            other => panic!("{other:?}"),
        }
    };
    done.steps.iter().map(line).collect()
}

fn set(store: &Store, name: &str, value: &str) {
    let mut declared = Declared::default();
    declared.options = vec![LakeOption::new(name, value).unwrap()];
    let applied = store.apply(&store.plan_declared(&declared).unwrap(), true).unwrap();
    assert!(applied.failed.is_none(), "{:?}", applied.failed);
}

#[test]
fn a_lake_of_small_writes_is_kept_in_shape() {
    homes().iter().for_each(check_upkeep);
}

#[test]
#[ignore = "the other half of the combinations, which takes as long again"]
fn a_lake_of_small_writes_is_kept_in_shape_on_the_other_storage() {
    other_homes().iter().for_each(check_upkeep);
}

/// On a lake that is new.
fn check_upkeep(home: &Home) {
    let name = &home.name;
    let store = home.open();
    fill(&store);
    set(&store, "require_commit_message", "true");
    store.close().unwrap();
    let store = home.open();
    let before = value(&store, CONTENT);
    let old = value(&store, "SELECT count(*) FROM t AT (VERSION => 5)");
    let snapshots = || value(&store, "SELECT max(snapshot_id) FROM ducklake_snapshots('ducklake')");

    // A dry run says what there is to do, and changes nothing.
    let newest = snapshots();
    let dry = maintain(&store, &MaintainOptions::new().alone(true).dry_run(true));
    assert_eq!((snapshots(), &dry.before), (newest, &dry.after), "{name}");
    let steps: Vec<_> =
        dry.steps.iter().map(|step| (step.step, step.table.as_ref().map(ToString::to_string))).collect();
    let of = |table: &str| Some(table.to_owned());
    assert_eq!(
        steps,
        [
            (MaintainStep::Flush, of("main.t")),
            (MaintainStep::Flush, of("s.u")),
            (MaintainStep::Rewrite, of("main.t")),
            (MaintainStep::Merge, of("main.t")),
        ],
        "{name}: {:?}",
        lines(&dry)
    );

    // One table alone, then all of it.
    let one = MaintainOptions::new().alone(true).tables([TableName::new("S.U").unwrap()]);
    assert_eq!(lines(&maintain(&store, &one)), ["flush s.u: 3 rows, 0 deletions"], "{name}");
    let done = maintain(&store, &MaintainOptions::new().alone(true));
    assert!(done.steps.iter().all(|step| matches!(step.outcome, StepOutcome::Done(_))), "{name}: {:?}", lines(&done));
    let after = &done.after.tables[0];
    let left = (after.files, after.delete_files, after.inlined_rows, after.inlined_deletes);
    assert_eq!(left, (1, 0, 0, 0), "{name}: {:?}", lines(&done));
    assert_eq!(value(&store, CONTENT), before, "{name}");
    assert_eq!(value(&store, "SELECT count(*) FROM t AT (VERSION => 5)"), old, "{name}: an older snapshot");
    assert_eq!(
        lines(&maintain(&store, &MaintainOptions::new().alone(true))),
        Vec::<String>::new(),
        "{name}: nothing is left to do"
    );
    // Each says who made it, and why.
    let messages: Vec<_> =
        store.snapshots(100).unwrap().into_iter().filter_map(|one| Some((one.author?, one.message?))).collect();
    let said = |what: &str| {
        let message = format!("metaxy {}: maintain {what}", env!("CARGO_PKG_VERSION"));
        messages.contains(&("metaxy".to_owned(), message))
    };
    assert!(said("flush main.t") && said("flush s.u") && said("rewrite main.t"), "{name}: {messages:?}");

    // Old snapshots go, and then their files.
    set(&store, "expire_older_than", "1 second");
    set(&store, "delete_older_than", "1 second");
    store.close().unwrap();
    thread::sleep(Duration::from_millis(1100));
    let store = home.open();
    let done = maintain(&store, &MaintainOptions::new().alone(true).only([MaintainStep::Expire]));
    assert_eq!((done.steps.len(), done.after.snapshots), (1, 1), "{name}: {:?}", lines(&done));
    assert!(done.after.unused_files > 0, "{name}");
    thread::sleep(Duration::from_millis(1100));
    let done = maintain(&store, &MaintainOptions::new().alone(true));
    assert_eq!((done.steps.len(), done.after.unused_files), (1, 0), "{name}: {:?}", lines(&done));
    assert_eq!(value(&store, CONTENT), before, "{name}");
    let found = store.orphans().unwrap();
    assert!(found.files.is_empty() && found.foreign.is_empty(), "{name}: {found:?}");
    store.close().unwrap();
}

#[test]
fn a_table_that_compaction_passes_over() {
    // Plain SQL: no error, and nothing done.
    let home = home("sqlite", "local");
    let store = home.open();
    fill(&store);
    set(&store, "auto_compact", "false");
    store.close().unwrap();
    let store = home.open();
    store.connection().execute("CALL ducklake_flush_inlined_data('ducklake', table_name => 't')").unwrap();
    let inlined = maintain(&store, &MaintainOptions::new().dry_run(true)).before.tables[0].inlined_rows;
    assert_eq!(inlined, 1);

    let done = maintain(&store, &MaintainOptions::new());
    assert!(
        !done.steps.is_empty() && lines(&done).iter().all(|line| line.contains("auto_compact")),
        "{:?}",
        lines(&done)
    );
}

#[test]
fn a_flush_that_would_lose_what_is_inlined_exactly() {
    // Plain SQL: the largest number cannot be read any more.
    let home = home("sqlite", "local");
    let store = home.open();
    store.connection().execute("CREATE TABLE t (n HUGEINT)").unwrap();
    store
        .connection()
        .execute("CREATE TABLE raw AS SELECT 170141183460469231731687303715884105727::HUGEINT AS n")
        .unwrap();
    store.connection().execute("INSERT INTO t VALUES (170141183460469231731687303715884105727)").unwrap();
    store.connection().execute("CALL ducklake_flush_inlined_data('ducklake', table_name => 'raw')").unwrap();
    let read = store.connection().query("FROM raw").and_then(|mut rows| rows.next().transpose());
    let is_exact = read.is_ok_and(|batch| format!("{batch:?}").contains("170141183460469231731687303715884105727"));
    assert!(!is_exact);

    let done = maintain(&store, &MaintainOptions::new());
    assert!(
        lines(&done).iter().any(|line| line.starts_with("flush main.t refused") && line.contains("HUGEINT")),
        "{:?}",
        lines(&done)
    );
    assert_eq!(value(&store, "SELECT n::VARCHAR FROM t"), "170141183460469231731687303715884105727");
}

#[test]
fn a_flush_after_an_alter_breaks_sessions_that_are_attached() {
    // Plain SQL: the next read of another session fails.
    let spring = |home: &TempLake| {
        let store = attach(&home.wal_lake(), Mode::Write).unwrap();
        store.connection().execute("CREATE TABLE t (i BIGINT)").unwrap();
        store.connection().execute("INSERT INTO t VALUES (1)").unwrap();
        let reader = attach(&home.wal_lake(), Mode::Read).unwrap();
        store.connection().execute("ALTER TABLE t ADD COLUMN j BIGINT").unwrap();
        store.connection().execute("INSERT INTO t VALUES (2, 2)").unwrap();
        assert_eq!(value(&reader, "SELECT count(*) FROM t"), "2");
        (store, reader)
    };
    let fails = |reader: &Store| {
        let rows = reader.connection().query("SELECT count(*) FROM t");
        rows.and_then(|rows| rows.map(|batch| batch.map(drop)).collect::<Result<Vec<_>, _>>()).is_err()
    };
    let home = TempLake::new();
    let (store, reader) = spring(&home);
    store.connection().execute("CALL ducklake_flush_inlined_data('ducklake', table_name => 't')").unwrap();
    assert!(fails(&reader));

    let home = TempLake::new();
    let (store, reader) = spring(&home);
    let done = maintain(&store, &MaintainOptions::new());
    assert!(lines(&done).iter().any(|line| line.starts_with("flush main.t refused")), "{:?}", lines(&done));
    assert!(!fails(&reader));
    reader.close().unwrap();
    let done = maintain(&store, &MaintainOptions::new().alone(true));
    assert_eq!(done.after.tables[0].inlined_rows, 0, "{:?}", lines(&done));
    assert_eq!(value(&store, "SELECT count(*) FROM t"), "2");
}

#[test]
fn a_flush_by_a_role_that_does_not_own_the_inlined_tables() {
    let database = Postgres::shared().database();
    let folder = TempLake::new();
    let lake = |login: &metaxy_testkit::Login| {
        let mut spec = crate::store::postgres::spec(&database);
        spec.user = Some(login.user.clone());
        spec.password = Some(ducklake_sql::Secret::from(login.password.as_str()));
        ducklake_sql::Lake::builder(spec.build().unwrap(), folder.data()).owner("test").build().unwrap()
    };
    let store = Store::attach(&lake(database.owner()), &session(), Mode::Write).unwrap();
    store.connection().execute("CREATE TABLE t (i BIGINT)").unwrap();
    store.connection().execute("INSERT INTO t VALUES (1), (2), (3)").unwrap();
    store.connection().execute("ALTER TABLE t ADD COLUMN j BIGINT").unwrap();
    store.connection().execute("INSERT INTO t VALUES (4, 4)").unwrap();
    store.close().unwrap();
    let writer = database.role(RoleRights::Write);
    let mut client = database.connect(database.owner()).unwrap();
    client.batch_execute(&format!("GRANT CREATE, USAGE ON SCHEMA public TO \"{}\"", writer.user)).unwrap();

    let store = Store::attach(&lake(&writer), &session(), Mode::Write).unwrap();
    let done = maintain(&store, &MaintainOptions::new().alone(true));
    assert!(lines(&done).iter().any(|line| line.contains("belongs to another role")), "{:?}", lines(&done));
    assert_eq!(value(&store, "SELECT count(*) FROM t"), "4");
    let postgres = crate::lake::postgres(&database, &writer, "");
    folder.configure(
        "dev",
        &[crate::lake::FOR_TESTS, &extensions()],
        &[&format!("catalog = {postgres}"), &format!("storage = {}", crate::lake::LOCAL)],
    );
    let report = metaxy_store_duckdb::Doctor::default().examine(&folder.load(), Some("dev")).to_string();
    assert!(report.contains("belong to another role"), "{report}");
    // Plain SQL: it fails, and the rows are gone.
    let error =
        store.connection().execute("CALL ducklake_flush_inlined_data('ducklake', table_name => 't')").unwrap_err();
    assert!(error.to_string().contains("owner"), "{error}");
    drop(store);
    let store = Store::attach(&lake(database.owner()), &session(), Mode::Read).unwrap();
    let rows = store.connection().query("SELECT sum(i) FROM t");
    let read = rows.and_then(Iterator::collect::<Result<Vec<_>, _>>);
    assert!(read.is_err(), "the files do not exist: {read:?}");
}

#[test]
fn a_checkpoint_leaves_deleted_rows() {
    let of = |home: &Home| {
        let store = home.open();
        store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(1000)").unwrap();
        store.transaction(|connection| connection.execute("DELETE FROM t WHERE i % 10 = 0")).unwrap();
        store
    };
    let first = home("duckdb", "local");
    let store = of(&first);
    store.connection().execute("CHECKPOINT").unwrap();
    store.connection().execute("CHECKPOINT").unwrap();
    assert_eq!(maintain(&store, &MaintainOptions::new().dry_run(true)).before.tables[0].delete_files, 1);
    let second = home("duckdb", "local");
    let done = maintain(&of(&second), &MaintainOptions::new());
    assert_eq!(done.after.tables[0].delete_files, 0, "{:?}", lines(&done));
}

#[test]
fn the_upload_of_an_open_transaction_is_no_orphan() {
    // Plain SQL: the sweep deletes it, COMMIT says that all is well, and the rows cannot be read.
    let folder = TempLake::new();
    let (catalog, data) = (folder.join("l"), folder.join("d"));
    let attach_raw = || {
        let connection = raw();
        connection
            .execute_batch(&format!(
                "ATTACH 'ducklake:sqlite:{catalog}' AS l (DATA_PATH '{data}', META_JOURNAL_MODE 'WAL'); USE l"
            ))
            .unwrap();
        connection
    };
    let writer = attach_raw();
    writer.execute_batch("CREATE TABLE t (i BIGINT); BEGIN; INSERT INTO t SELECT range FROM range(100)").unwrap();
    let sweeper = attach_raw();
    let swept = "SELECT path FROM ducklake_delete_orphaned_files('l', cleanup_all => true)";
    assert_eq!(raw_texts(&sweeper, swept).len(), 1);
    drop(sweeper);
    writer.execute_batch("COMMIT").unwrap();
    assert!(writer.execute_batch("SELECT sum(i) FROM t").is_err());

    let folder = TempLake::new();
    let writer = attach(&folder.wal_lake(), Mode::Write).unwrap();
    writer.connection().execute("CREATE TABLE t (i BIGINT)").unwrap();
    let transaction = writer.begin().unwrap();
    writer.connection().execute("INSERT INTO t SELECT range FROM range(100)").unwrap();
    let sweeper = attach(&folder.wal_lake(), Mode::Write).unwrap();
    let found = sweeper.orphans().unwrap();
    assert!(found.files.len() == 1 && !found.files[0].is_old && found.files[0].bytes > Some(0), "{found:?}");
    assert_eq!((sweeper.delete_orphans(&found).unwrap(), found.foreign.len()), (0, 0));
    sweeper.close().unwrap();
    transaction.commit().unwrap();
    assert_eq!(value(&writer, "SELECT count(*) FROM t"), "100");

    // The files of a lake below its data path are not deleted, however old they are.
    let inner =
        format!("ATTACH 'ducklake:sqlite:{}' AS l (DATA_PATH '{}')", folder.join("inner"), folder.join("data/inner"));
    raw().execute_batch(&format!("{inner}; CREATE TABLE l.t AS SELECT range AS i FROM range(100)")).unwrap();
    set(&writer, "delete_older_than", "1 second");
    writer.close().unwrap();
    thread::sleep(Duration::from_millis(1100));
    let store = attach(&folder.wal_lake(), Mode::Write).unwrap();
    let plain = texts(&store, "SELECT path FROM ducklake_delete_orphaned_files('ducklake', dry_run => true)");
    assert_eq!(plain.len(), 1, "plain SQL would delete it");
    let found = store.orphans().unwrap();
    let error = store.delete_orphans(&found).unwrap_err();
    assert!(error.to_string().contains("data/inner/") && error.help().is_some(), "{error}");
    // What is its own, and old, goes.
    std::fs::remove_dir_all(folder.path_of("data/inner")).unwrap();
    std::fs::copy(plain_file(&store), folder.path_of("data/main/t/left.parquet")).unwrap();
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(store.delete_orphans(&store.orphans().unwrap()).unwrap(), 1);
    assert_eq!(value(&store, "SELECT count(*) FROM t"), "100");
}

/// A data file of the table.
fn plain_file(store: &Store) -> String {
    let files = Sql::fixed("SELECT data_file FROM ducklake_list_files('ducklake', 't')");
    let mut rows = store.connection().query(files).unwrap();
    let batch = rows.next().unwrap().unwrap();
    let column = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
    arrow::array::AsArray::as_string::<i32>(column.as_ref()).value(0).to_owned()
}

/// The line of a configuration that says where the extensions are.
fn extensions() -> String {
    format!("config.extension_directory = '{}'", metaxy_testkit::deps().extensions().display())
}

#[test]
fn the_doctor_says_what_differs_from_what_is_declared() {
    let folder = TempLake::new();
    folder.configure(
        "dev",
        &[crate::lake::FOR_TESTS, &extensions()],
        &[&format!("catalog = {}", crate::lake::SQLITE), &format!("storage = {}", crate::lake::LOCAL)],
    );
    let text = std::fs::read_to_string(folder.path_of("metaxy.toml")).unwrap();
    folder.write("metaxy.toml", text + "[ext.rust.lake.dev]\noptions = { parquet_version = 2 }\n");
    let loaded = folder.load().unwrap();
    let open = || Store::open(&loaded.config, "dev", Mode::Write).unwrap();
    let report = || metaxy_store_duckdb::Doctor::default().examine(&folder.load(), Some("dev")).to_string();
    open().close().unwrap();
    let before = report();
    assert!(before.contains("differs from what is declared") && before.contains("+ parquet_version = V2"), "{before}");
    let store = open();
    let declared = loaded.config.declared("dev").unwrap();
    assert!(store.apply(&store.plan_declared(declared).unwrap(), false).unwrap().failed.is_none());
    store.close().unwrap();
    assert!(!report().contains("declared"), "{}", report());
}

#[test]
fn writers_and_readers_go_on_while_a_lake_is_kept() {
    check_beside("sqlite");
}

#[test]
#[ignore = "the same on PostgreSQL, which takes as long again"]
fn writers_and_readers_go_on_while_a_lake_on_postgres_is_kept() {
    check_beside("postgres");
}

fn check_beside(catalog: &str) {
    let home = home(catalog, "local");
    let store = home.open();
    store.connection().execute("CREATE TABLE t (id BIGINT, writer BIGINT)").unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let is_done = || done.load(std::sync::atomic::Ordering::Relaxed);
    let rows = thread::scope(|scope| {
        let writers: Vec<_> = (0..2_i64)
            .map(|writer| {
                let store = home.open();
                scope.spawn(move || {
                    let mut left = 0;
                    for number in 0..10_i64 {
                        // Some inserts are inlined, some are files; some of their rows are deleted again.
                        let count = if number % 2 == 0 { 3 } else { 20 };
                        store
                            .transaction(|connection| {
                                connection.execute(ducklake_sql::sql!(
                                    "INSERT INTO t SELECT {number} * 100 + range, {writer} FROM range({count})",
                                    number = ducklake_sql::bind(number),
                                    writer = ducklake_sql::bind(writer),
                                    count = ducklake_sql::bind(count),
                                ))
                            })
                            .unwrap();
                        let deleted = store
                            .transaction(|connection| {
                                connection.execute(ducklake_sql::sql!(
                                    "DELETE FROM t WHERE id = {number} * 100 AND writer = {writer}",
                                    number = ducklake_sql::bind(number),
                                    writer = ducklake_sql::bind(writer),
                                ))
                            })
                            .unwrap();
                        assert_eq!(deleted, 1);
                        left += count - 1;
                    }
                    left
                })
            })
            .collect();
        let reader = home.read();
        let reads = scope.spawn(move || {
            let mut reads = 0;
            while !is_done() || reads == 0 {
                assert!(value(&reader, "SELECT count(*) - count(id) FROM t") == "0");
                reads += 1;
            }
            reads
        });
        let mut kept = 0;
        while !writers.iter().all(thread::ScopedJoinHandle::is_finished) || kept < 2 {
            maintain(&store, &MaintainOptions::new());
            kept += 1;
        }
        let rows: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let rows: i64 = rows.into_iter().map(Result::unwrap).sum();
        assert!(reads.join().unwrap() > 0);
        rows
    });
    assert_eq!(value(&store, "SELECT count(*) FROM t"), rows.to_string(), "{catalog}");
    let done = maintain(&store, &MaintainOptions::new().alone(true));
    assert_eq!(done.after.tables[0].inlined_rows, 0, "{catalog}: {:?}", lines(&done));
    assert_eq!(value(&store, "SELECT count(DISTINCT (id, writer)) FROM t"), rows.to_string(), "{catalog}");
}
