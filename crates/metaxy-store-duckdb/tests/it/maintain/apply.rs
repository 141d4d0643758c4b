//! What is declared is applied, and what DuckLake would take although it is wrong cannot be.

use ducklake_sql::{
    Declared, DeclaredSchema, DeclaredTable, Ident, LAKE_OPTIONS, LakeOption, Manage, Mode, PartitionKey, SortKey, Sql,
    TableName, Value,
};
use metaxy_store_duckdb::{PlannedLake, Store};

use super::home::{Home, home, homes, other_homes};
use crate::lake::{TempLake, attach, raw, raw_texts, texts, value};

fn option(name: &str, value: impl Into<Value>) -> LakeOption {
    LakeOption::new(name, value).unwrap()
}

/// A value of every option that is not DuckLake's own.
fn all_options() -> Vec<LakeOption> {
    vec![
        option("parquet_compression", "zstd"),
        option("parquet_version", 2),
        option("parquet_compression_level", 9),
        option("parquet_row_group_size", 10_000),
        option("parquet_row_group_size_bytes", "64MiB"),
        option("target_file_size", "1.5MB"),
        option("data_inlining_row_limit", 5),
        option("require_commit_message", true),
        option("rewrite_delete_threshold", "0.25"),
        option("hive_file_pattern", false),
        option("delete_older_than", "3 days"),
        option("expire_older_than", "1 month 2 days"),
        option("auto_compact", true),
        option("per_thread_output", true),
        option("write_deletion_vectors", false),
        option("sort_on_insert", false),
    ]
}

fn declared() -> Declared {
    let mut declared = Declared::default();
    declared.options = all_options();
    let mut schema = DeclaredSchema::new(Ident::new("new schema").unwrap());
    schema.options = vec![option("target_file_size", "2MB")];
    declared.schemas = vec![schema];
    let mut table = DeclaredTable::new(TableName::new("T").unwrap());
    table.partitioned_by =
        Some(["year(made)", "bucket(4, id)", "\"we ird\""].map(|key| PartitionKey::new(key).unwrap()).to_vec());
    table.sorted_by = Some(["id DESC NULLS FIRST", "made"].map(|key| SortKey::new(key).unwrap()).to_vec());
    table.comment = Some("it's \"raw\"\n".to_owned());
    table.options = vec![option("parquet_row_group_size", 20_000)];
    declared.tables = vec![table];
    declared
}

fn plan(store: &Store, declared: &Declared) -> PlannedLake {
    store.plan_declared(declared).unwrap()
}

fn lines(plan: &PlannedLake) -> Vec<String> {
    plan.difference.steps.iter().map(ToString::to_string).collect()
}

/// Applies all of it.
fn apply(home: &Home, declared: &Declared) {
    let store = home.open();
    let applied = store.apply(&plan(&store, declared), true).unwrap();
    assert!(applied.failed.is_none() && applied.left.is_empty(), "{}: {:?}", home.name, applied.failed);
    store.close().unwrap();
}

const MADE: &str = "CREATE TABLE t (id BIGINT, made TIMESTAMP, \"we ird\" VARCHAR)";

#[test]
fn what_is_declared_is_applied_once_and_taken_back() {
    assert_eq!(all_options().len(), LAKE_OPTIONS.len());
    homes().iter().for_each(check_applied);
}

#[test]
#[ignore = "the other half of the combinations, which takes as long again"]
fn what_is_declared_is_applied_once_and_taken_back_on_the_other_storage() {
    other_homes().iter().for_each(check_applied);
}

/// On a lake that is new.
fn check_applied(home: &Home) {
    let name = &home.name;
    let store = home.open();
    store.connection().execute(MADE).unwrap();
    store.close().unwrap();
    let store = home.read();
    let before = plan(&store, &declared());
    assert_eq!(before.difference.steps.len(), 1 + 3 + 16 + 1 + 1, "{name}: {:#?}", lines(&before));
    store.close().unwrap();

    apply(home, &declared());
    let store = home.open();
    let after = plan(&store, &declared());
    assert_eq!(lines(&after), Vec::<String>::new(), "{name}");
    assert_ne!(after.digest, before.digest, "{name}");
    assert!(after.check_digest(&before.digest).is_err() && after.check_digest(&after.digest).is_ok());
    // Its snapshots say who made them; rows can be written, and need a message from now on.
    let messages = "SELECT author || ' ' || commit_message FROM ducklake_snapshots('ducklake')
                        WHERE commit_message IS NOT NULL";
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(texts(&store, messages), [format!("metaxy metaxy {version}: apply what is declared")], "{name}");
    let insert = "INSERT INTO t SELECT range, TIMESTAMP '2020-01-01', 'x' FROM range(100)";
    assert!(store.connection().execute(insert).is_err(), "{name}: it has no message");
    store.connection().execute("BEGIN").unwrap();
    store.connection().execute("CALL ducklake_set_commit_message('ducklake', 'a', 'b')").unwrap();
    store.connection().execute(insert).unwrap();
    store.connection().execute("COMMIT").unwrap();
    assert_eq!(value(&store, "SELECT count(*) FROM t"), "100", "{name}");
    assert_eq!(value(&store, "SELECT comment FROM duckdb_tables() WHERE table_name = 't'"), "it's \"raw\"\n");
    store.close().unwrap();

    // All of it goes where nothing is declared, and all is managed.
    let mut nothing = Declared::default();
    nothing.manage = Manage::All;
    apply(home, &nothing);
    let store = home.open();
    assert_eq!(lines(&plan(&store, &nothing)), Vec::<String>::new(), "{name}");
    assert_eq!(value(&store, "SELECT count(*) FROM ducklake_options('ducklake')"), "4", "{name}");
    store.connection().execute("INSERT INTO t SELECT range, NULL, 'x' FROM range(100)").unwrap();
    assert_eq!(value(&store, "SELECT count(*) FROM t"), "200", "{name}");
    store.close().unwrap();
}

#[test]
fn it_stops_at_what_fails_and_can_be_run_again() {
    let home = home("sqlite", "local");
    let store = home.open();
    store.connection().execute(MADE).unwrap();
    let mut wanted = declared();
    let stale = plan(&store, &wanted);
    // Between the plan and its steps, the column goes.
    store.connection().execute("ALTER TABLE t DROP COLUMN made").unwrap();
    let applied = store.apply(&stale, true).unwrap();
    let failed = applied.failed.unwrap();
    assert_eq!(failed.step.subject(), "main.t partitioned_by", "{}", failed.error);
    assert!(applied.done.is_empty() && applied.left.len() == stale.difference.steps.len() - 1);
    // A new plan says why, and is refused as a whole.
    let error = store.apply(&plan(&store, &wanted), true).unwrap_err();
    assert!(error.to_string().contains("has no column `made`"), "{error}");
    // Nothing of the transaction is there.
    assert_eq!(value(&store, "SELECT count(*) FROM duckdb_schemas() WHERE schema_name = 'new schema'"), "0");
    store.connection().execute("ALTER TABLE t ADD COLUMN made TIMESTAMP").unwrap();
    let error = store.apply(&plan(&store, &wanted), false).unwrap_err();
    assert!(error.to_string().contains("destroy") && error.help().is_some(), "{error}");
    wanted.protect = false;
    let applied = store.apply(&plan(&store, &wanted), false).unwrap();
    assert!(applied.failed.is_none(), "{:?}", applied.failed);
}

#[test]
fn values_that_make_later_writes_fail() {
    // Plain SQL: both are taken, and no row can be written any more.
    for (option, value) in [("target_file_size", "-1"), ("parquet_compression_level", "9")] {
        let home = TempLake::new();
        let connection = raw();
        let (catalog, data) = (home.join("l"), home.join("d"));
        connection
            .execute_batch(&format!("ATTACH 'ducklake:sqlite:{catalog}' AS l (DATA_PATH '{data}'); USE l"))
            .unwrap();
        connection.execute_batch("CREATE TABLE t (i BIGINT)").unwrap();
        connection.execute_batch(&format!("CALL l.set_option('{option}', {value})")).unwrap();
        assert!(connection.execute_batch("INSERT INTO t SELECT range FROM range(100)").is_err(), "{option}");
    }
    assert!(LakeOption::new("target_file_size", -1).is_err());
    let mut declared = Declared::default();
    declared.options = vec![option("parquet_compression_level", 9)];
    assert!(declared.check().is_err());
}

#[test]
fn an_option_that_was_rolled_back_is_written_with() {
    // Plain SQL: after ROLLBACK, the session goes on with the value.
    let home = TempLake::new();
    let connection = raw();
    let (catalog, data) = (home.join("l"), home.join("d"));
    connection.execute_batch(&format!("ATTACH 'ducklake:sqlite:{catalog}' AS l (DATA_PATH '{data}'); USE l")).unwrap();
    connection
        .execute_batch("BEGIN; CALL l.set_option('parquet_compression', 'zstd'); ROLLBACK; CREATE TABLE t AS SELECT range AS i FROM range(100)")
        .unwrap();
    assert_eq!(
        raw_texts(&connection, "SELECT count(*)::VARCHAR FROM l.options() WHERE option_name = 'parquet_compression'"),
        ["0"]
    );
    let codec = format!("SELECT DISTINCT compression FROM parquet_metadata('{data}/main/t/*.parquet')");
    assert_eq!(raw_texts(&connection, &codec), ["ZSTD"]);

    // Here it is set by itself, and what is read back comes from a new session.
    let home = super::home::home("sqlite", "local");
    let mut declared = Declared::default();
    declared.options = vec![option("parquet_compression", "gzip")];
    apply(&home, &declared);
    let store = home.open();
    store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(100)").unwrap();
    let codec =
        format!("SELECT DISTINCT compression FROM parquet_metadata('{}/main/t/*.parquet')", home.folder.join("data"));
    let mut rows = store.connection().query(Sql::user_query(codec)).unwrap();
    assert!(format!("{:?}", rows.next().unwrap().unwrap().column(0)).contains("GZIP"));
}

#[test]
fn a_catalog_that_is_changed_while_its_lake_is_current_stays_locked() {
    // Plain SQL, with SQLite: the commit fails, and so does all that follows.
    let home = TempLake::new();
    let connection = raw();
    let (catalog, data) = (home.join("l"), home.join("d"));
    connection.execute_batch(&format!("ATTACH 'ducklake:sqlite:{catalog}' AS l (DATA_PATH '{data}'); USE l")).unwrap();
    connection.execute_batch("CALL l.set_option('parquet_version', 2)").unwrap();
    let unset = "DELETE FROM __ducklake_metadata_l.ducklake_metadata WHERE key = 'parquet_version'";
    assert!(connection.execute_batch(unset).is_err() || connection.execute_batch("CREATE TABLE t (i BIGINT)").is_err());
    drop(connection);

    let home = TempLake::new();
    let store = attach(&home.lake(), Mode::Write).unwrap();
    store.connection().execute("CALL ducklake_set_option('ducklake', 'parquet_version', 2)").unwrap();
    let mut nothing = Declared::default();
    nothing.manage = Manage::All;
    let applied = store.apply(&plan(&store, &nothing), false).unwrap();
    assert!(applied.failed.is_none(), "{:?}", applied.failed);
    store.connection().execute("CREATE TABLE t (i BIGINT)").unwrap();
}
