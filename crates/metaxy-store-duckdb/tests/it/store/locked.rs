//! A locked store: it reads its lake on each catalog and storage, and does nothing else.

use ducklake_sql::{Mode, Sql};
use metaxy_config::Config;
use metaxy_store_duckdb::{Cause, Error, OpenOptions, Store};
use metaxy_testkit::{Database, KeyRights, Postgres, S3Options, S3Server};

use crate::lake::{BUCKET, DUCKDB, FOR_TESTS, LOCAL, SQLITE, TempLake, postgres, s3, texts};

/// What reads. `{outside}` is a folder that is not the lake's.
const READS: &[&str] = &[
    "SELECT count(*) FROM large",
    "FROM small",
    "SELECT count(*) FROM large AT (VERSION => 1)",
    "FROM large JOIN small USING (i)",
    "SELECT count(*) FROM ducklake_snapshots('ducklake')",
    "FROM ducklake.snapshots()",
    "CALL ducklake_table_info('ducklake')",
    "FROM ducklake_table_changes('ducklake', 'main', 'large', 0, 1)",
    "FROM ducklake_list_files('ducklake', 'large')",
    "SHOW TABLES",
    "SELECT twice(i) FROM harmless",
    "DESCRIBE large",
    "SUMMARIZE small",
    "EXPLAIN FROM large",
    "EXPLAIN ANALYZE FROM large",
    "EXPLAIN (FORMAT json) FROM large",
    "PIVOT small ON i IN (1, 2) USING count(*)",
    "PRAGMA table_info('large')",
    "PRAGMA database_size",
    "SET VARIABLE x = (SELECT max(i) FROM large)",
    "BEGIN; FROM large; COMMIT",
    "USE memory; USE ducklake; FROM large",
    "SELECT ';'; SELECT 'COPY'",
    "-- COPY\nFROM large",
    "SELECT count(*) FROM (SELECT i, random() AS r FROM large, range(1000) ORDER BY r)",
];

/// What does more than read the lake.
const REFUSED: &[&str] = &[
    "COPY large TO '{outside}/x.csv'",
    "COPY large TO '{data}/x.parquet'",
    "COPY (SELECT 1) TO '{data}/x.csv'",
    "COPY large FROM '{outside}/there.csv'",
    "EXPORT DATABASE '{outside}/x'",
    "IMPORT DATABASE '{outside}/x'",
    "ATTACH ':memory:' AS other",
    "ATTACH '{outside}/x.duckdb'",
    "ATTACH '{catalog}' AS other",
    "ATTACH '{catalog}' AS other (TYPE sqlite)",
    "ATTACH 'ducklake:{catalog}' AS other",
    "COPY FROM DATABASE ducklake TO memory",
    "UPDATE __ducklake_metadata_ducklake.ducklake_metadata SET value = 'x'",
    "INSERT INTO large VALUES (1)",
    "DELETE FROM large",
    "DROP TABLE large",
    "CREATE TABLE memory.main.x (i INTEGER)",
    "CREATE OR REPLACE TEMP MACRO f() AS TABLE FROM ducklake_cleanup_old_files('ducklake', cleanup_all => true)",
    "CREATE SECRET other (TYPE s3)",
    "CREATE PERSISTENT SECRET other (TYPE s3)",
    "DROP SECRET IF EXISTS storage",
    "INSTALL json",
    "LOAD json",
    "UPDATE EXTENSIONS",
    "SET threads = 1",
    "SET GLOBAL enable_external_access = true",
    "RESET enable_external_access",
    "SET lock_configuration = false",
    "PRAGMA enable_profiling = 'json'",
    "PRAGMA force_checkpoint",
    "CHECKPOINT",
    "VACUUM",
    "DETACH ducklake",
    "CALL ducklake_merge_adjacent_files('ducklake')",
    "FROM ducklake_cleanup_old_files('ducklake', cleanup_all => true)",
    "FROM ducklake.cleanup_old_files(cleanup_all => true)",
    "FROM ducklake_delete_orphaned_files('ducklake', cleanup_all => true)",
    "SELECT (SELECT count(*) FROM ducklake_flush_inlined_data('ducklake'))",
    "WITH x AS MATERIALIZED (FROM ducklake_expire_snapshots('ducklake', versions => [1])) FROM x",
    "EXPLAIN ANALYZE FROM ducklake_cleanup_old_files('ducklake', cleanup_all => true)",
    "EXPLAIN ANALYZE INSERT INTO large VALUES (1)",
    "SET VARIABLE x = (SELECT count(*) FROM ducklake_cleanup_old_files('ducklake', cleanup_all => true))",
    "SET VARIABLE \"a=1 --\" = (SELECT count(*) FROM ducklake_cleanup_old_files('ducklake', cleanup_all => true))",
    "PREPARE x AS DELETE FROM large",
    "EXECUTE x",
    "FROM query('FROM ducklake_cleanup_old_files(''ducklake'', cleanup_all => true)')",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM sqlite_attach(''{catalog}'')'))",
    "FROM sqlite_query('__ducklake_metadata_ducklake', 'DELETE FROM ducklake_metadata')",
    "FROM sqlite_scan('{outside}/x.sqlite', 'x')",
    "CALL sqlite_attach('{catalog}')",
    "CALL postgres_execute('__ducklake_metadata_ducklake', 'DELETE FROM ducklake_metadata')",
    "FROM postgres_query('__ducklake_metadata_ducklake', 'DELETE FROM ducklake_metadata RETURNING *')",
    "CALL postgres_attach('')",
    "CALL enable_logging(storage => 'file', storage_path => '{outside}/log')",
    "CALL quack_serve()",
    "FROM read_text('{outside}/there.csv')",
    "FROM '{outside}/there.csv'",
    "FROM glob('{outside}/*')",
    "SELECT 1; COPY large TO '{outside}/x.csv'",
    "BEGIN; COPY large TO '{outside}/x.csv'; COMMIT",
    "/* ' */ COPY large TO '{outside}/x.csv' -- '",
    "SELECT E'\\';' ; COPY large TO '{outside}/x.csv' -- '",
    "USE ducklake; COPY large TO '{outside}/x.csv'",
    "EXPLAIN SELECT 1; COPY large TO '{outside}/x.csv'",
    "CALL pragma_version(); COPY large TO '{outside}/x.csv'",
    "FROM deleting",
    "FROM ducklake.main.Deleting AT (VERSION => 8)",
    "FROM by_another",
    "SUMMARIZE by_another",
    "SUMMARIZE ducklake.main.deleting",
    "EXPLAIN ANALYZE FROM deleting",
    "FROM query_table('deleting')",
    "SELECT deleted()",
    "FROM large WHERE i = Main.Deleted()",
    "FROM \"range\nrange\"()",
    "FROM ducklake.main.summary()",
    "SET VARIABLE x = deleted()",
];

fn make_lake(config: &Config) {
    let store = Store::open(config, "prod", Mode::Write).unwrap();
    for statement in [
        "CREATE TABLE large AS SELECT range AS i FROM range(100)",
        "CREATE TABLE small AS SELECT range AS i FROM range(3)",
        "CREATE TABLE gone AS SELECT range AS i FROM range(100)",
        "DROP TABLE gone",
        // Whoever may write to a lake has its readers run this.
        "CREATE VIEW harmless AS SELECT i FROM large WHERE i < 5",
        "CREATE MACRO twice(x) AS x * 2",
        "CREATE VIEW deleting AS FROM ducklake_cleanup_old_files('ducklake', cleanup_all => true)",
        "CREATE VIEW by_another AS SELECT path FROM deleting",
        "CREATE MACRO deleted() AS (SELECT count(*) FROM deleting)",
        "CREATE MACRO summary() AS TABLE FROM ducklake_cleanup_old_files('ducklake', cleanup_all => true)",
        "CREATE MACRO \"range\nrange\"() AS TABLE FROM ducklake_cleanup_old_files('ducklake', cleanup_all => true)",
        // Its file is scheduled for deletion, which is what a reader must not do.
        "CALL ducklake_expire_snapshots('ducklake', versions => [3])",
    ] {
        store.connection().execute(statement).unwrap();
    }
    store.close().unwrap();
}

fn run(store: &Store, statement: String) -> Result<usize, Error> {
    let mut rows = 0;
    for batch in store.connection().query(Sql::user_query(statement))? {
        rows += batch?.num_rows();
    }
    Ok(rows)
}

fn check(catalog: &str, storage: &str, database: Option<&Database<'_>>, server: Option<&S3Server>) {
    let (home, elsewhere) = (TempLake::new(), TempLake::new());
    elsewhere.write("there.csv", "i\n1\n");
    home.configure(
        "prod",
        &[FOR_TESTS],
        &["alias = 'ducklake'", &["catalog = ", catalog].concat(), &["storage = ", storage].concat()],
    );
    let loaded = home.load().unwrap();
    make_lake(&loaded.config);
    let is_local = storage == LOCAL;
    let of_catalog = if catalog == DUCKDB { "meta.ducklake" } else { "meta.sqlite" };
    let texts_of = |statement: &str| {
        let data = if is_local { home.join("data") } else { format!("s3://{BUCKET}/prod") };
        let statement = statement.replace("{outside}", elsewhere.join("").trim_end_matches('/'));
        statement.replace("{data}", &data).replace("{catalog}", &home.join(of_catalog))
    };
    let snapshots = || database.map(|database| database.rows("SELECT key, value FROM ducklake_metadata").len());
    let objects = || server.map(|server| server.objects(BUCKET));
    let options = OpenOptions::default().lock(true);
    let store = options.open(&loaded.config, "prod", Mode::Read).unwrap();
    let before = (home.files_without_wal(), elsewhere.files(), snapshots(), objects());
    for statement in READS {
        run(&store, texts_of(statement)).unwrap_or_else(|error| panic!("{catalog} {storage}: {statement}: {error}"));
    }
    for statement in REFUSED {
        let done = run(&store, texts_of(statement));
        let error = done.err().unwrap_or_else(|| panic!("{catalog} {storage}: {statement} was run"));
        assert!(error.is_read_only(), "{catalog} {storage}: {statement}: {error}");
        let after = (home.files_without_wal(), elsewhere.files(), snapshots(), objects());
        assert_eq!(after, before, "{catalog} {storage}: {statement}");
    }
    // DuckDB's own lock holds for statements of a program, too.
    for statement in ["SET threads = 1", "LOAD azure", "SET GLOBAL enable_external_access = true"] {
        let error = store.connection().execute(statement).unwrap_err();
        assert_eq!(error.cause(), Some(Cause::ReadLocked), "{error}");
    }
    assert_eq!(texts(&store, "SELECT count(*) FROM large"), ["100"]);
    store.close().unwrap();
    assert_eq!((home.files_without_wal(), elsewhere.files(), snapshots(), objects()), before);
}

/// Checks a catalog with local files and with objects.
fn check_both(catalog: &str, database: Option<&Database<'_>>) {
    check(catalog, LOCAL, database, None);
    let server = S3Server::start(S3Options::default());
    server.bucket(BUCKET);
    let key = server.key(KeyRights::Full);
    let database = database.map(|_| Postgres::shared().database());
    let of_database = database.as_ref().map(|database| postgres(database, database.owner(), ""));
    check(of_database.as_deref().unwrap_or(catalog), &s3(&server, &key), database.as_ref(), Some(&server));
}

// One test for each catalog, so that they run side by side.

#[test]
fn statements_only_read_with_a_catalog_in_duckdb() {
    check_both(DUCKDB, None);
}

#[test]
fn statements_only_read_with_a_catalog_in_sqlite() {
    check_both(SQLITE, None);
}

#[test]
fn statements_only_read_with_a_catalog_in_postgres() {
    let database = Postgres::shared().database();
    check_both(&postgres(&database, database.owner(), ""), Some(&database));
}

#[test]
fn a_syntax_error_is_duckdbs() {
    let home = TempLake::new();
    home.configure("prod", &[FOR_TESTS], &[&["catalog = ", SQLITE].concat(), &["storage = ", LOCAL].concat()]);
    let loaded = home.load().unwrap();
    Store::open(&loaded.config, "prod", Mode::Write).unwrap().close().unwrap();
    let store = OpenOptions::default().lock(true).open(&loaded.config, "prod", Mode::Read).unwrap();
    let error = run(&store, "SELEC 1".to_owned()).unwrap_err();
    assert!(error.to_string().contains("syntax error") && !error.is_read_only(), "{error}");
}

#[test]
fn files_that_were_added_can_be_read_and_no_others() {
    let (home, elsewhere) = (TempLake::new(), TempLake::new());
    let store = home.open();
    let file = |name: &str| elsewhere.join(name);
    for (name, statement) in [("a", "COPY (SELECT 1::BIGINT AS i) TO "), ("b", "COPY (SELECT 2::BIGINT AS i) TO ")] {
        run(&store, [statement, "'", &file(name), ".parquet' (FORMAT parquet)"].concat()).unwrap();
    }
    run(&store, "CREATE TABLE t (i BIGINT)".to_owned()).unwrap();
    run(&store, ["CALL ducklake_add_data_files('ducklake', 't', '", &file("a"), ".parquet')"].concat()).unwrap();
    store.close().unwrap();

    let options = OpenOptions::default().lock(true);
    let store = options.attach(None, &home.wal_lake(), &crate::lake::session(), Mode::Read).unwrap();
    assert_eq!(texts(&store, "FROM t"), ["1"]);
    let error = run(&store, ["FROM '", &file("b"), ".parquet'"].concat()).unwrap_err();
    assert_eq!(error.cause(), Some(Cause::ReadLocked), "{error}");
}
