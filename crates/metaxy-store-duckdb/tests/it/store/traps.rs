//! The traps in which data is lost or lands elsewhere: each is first sprung with plain SQL, then met with the store.

use std::path::Path;

use arrow::array::AsArray as _;
use ducklake_sql::{Catalog, Lake, LocalFolder, Mode, S3Spec, Secret, Sql, TableName, Value};
use metaxy_store_duckdb::{Cause, ChangeBound, CheckName, Connection, Doctor, MaintainOptions, OpenOptions, Store};
use metaxy_testkit::{Database, Login, Postgres, RoleRights, deps};

use crate::lake::{FOR_TESTS, LOCAL, TempLake, postgres, raw, raw_at, raw_texts, session, texts};

const ROWS: &str = "CREATE TABLE t AS SELECT range AS i FROM range(100)";

/// `ATTACH 'ducklake:sqlite:…' AS l` on a data path, with a table of a hundred rows in it.
fn raw_lake(catalog: &str, data: &str) -> duckdb::Connection {
    let connection = raw();
    connection
        .execute_batch(&format!("ATTACH 'ducklake:sqlite:{catalog}' AS l (DATA_PATH '{data}'); USE l; {ROWS}"))
        .unwrap();
    connection
}

const ORPHANS: &str = "SELECT path FROM ducklake_delete_orphaned_files('l', dry_run => true, cleanup_all => true)";

#[test]
fn an_alias_that_is_taken() {
    let home = TempLake::new();
    let plain = home.path_of("ducklake.duckdb");
    let connection = raw_at(Some(&plain));
    let attach = format!("ATTACH IF NOT EXISTS 'ducklake:sqlite:{}' AS ducklake", home.join("meta.sqlite"));
    connection.execute_batch(&[&attach, "; USE ducklake; ", ROWS].concat()).unwrap();
    assert!(!home.path_of("meta.sqlite").exists(), "the attach did nothing");
    assert_eq!(
        raw_texts(&connection, "SELECT type FROM duckdb_databases() WHERE database_name = 'ducklake'"),
        ["duckdb"]
    );
    drop(connection);

    let error = OpenOptions::default().attach(Some(&plain), &home.lake(), &session(), Mode::Write).unwrap_err();
    assert!(error.to_string().contains("already"), "{error}");
    assert_eq!(home.files(), ["ducklake.duckdb"]);
}

#[test]
fn a_data_path_that_makes_live_files_orphans() {
    for spelling in [|root: &str| [root, "//data/"].concat(), |root: &str| ["file://", root, "/data/"].concat()] {
        let home = TempLake::new();
        let data = spelling(home.join("").trim_end_matches('/'));
        let connection = raw_lake(&home.join("raw.sqlite"), &data);
        assert_eq!(raw_texts(&connection, ORPHANS).len(), 1, "{data}: the only file, and it is live");
        connection.execute_batch("USE memory; DETACH l").unwrap();

        let folder = LocalFolder::new(data.trim_start_matches("file://")).unwrap();
        let lake = Lake::builder(home.sqlite(), folder).alias(ducklake_sql::Alias::new("l").unwrap()).build().unwrap();
        std::fs::remove_dir_all(home.path_of("data")).unwrap();
        let store = Store::attach(&lake, &session(), Mode::Write).unwrap();
        store.connection().execute(ROWS).unwrap();
        assert!(texts(&store, ORPHANS).is_empty(), "{data}");
    }
    assert!(LocalFolder::new("file:///data/").is_err());
}

#[test]
fn a_lake_of_others_with_such_a_path_opens_with_a_warning() {
    let home = TempLake::new();
    drop(raw_lake(&home.join("meta.sqlite"), &[&home.join(""), "/data/"].concat()));
    let store = Store::attach(&home.lake(), &session(), Mode::Write).unwrap();
    assert!(store.warnings().iter().any(|warning| warning.contains("orphan")), "{:?}", store.warnings());
}

#[test]
fn another_data_path_over_the_stored_one() {
    let home = TempLake::new();
    let (catalog, data, other) = (home.join("meta.sqlite"), home.join("data/"), home.join("other/"));
    let connection = raw_lake(&catalog, &data);
    connection.execute_batch("USE memory; DETACH l").unwrap();
    let attach = |path: &str| {
        let connection = raw();
        connection
            .execute_batch(&format!(
                "ATTACH 'ducklake:sqlite:{catalog}' AS l (DATA_PATH '{path}', OVERRIDE_DATA_PATH true); USE l"
            ))
            .unwrap();
        connection
    };
    attach(&other).execute_batch("INSERT INTO t SELECT range FROM range(100)").unwrap();
    for path in [&data, &other] {
        assert!(attach(path).execute_batch("SELECT sum(i) FROM t").is_err(), "{path}");
    }

    let moved = |options: &[(&str, Value)]| {
        Lake::builder(home.sqlite(), LocalFolder::new(&other).unwrap())
            .options(ducklake_sql::AttachOptions::from_pairs(options.to_vec()).unwrap())
            .build()
            .unwrap()
    };
    let error = Store::attach(&moved(&[]), &session(), Mode::Write).unwrap_err();
    assert!(error.is_data_path_mismatch(), "{error}");
    let store = Store::attach(&moved(&[("override_data_path", true.into())]), &session(), Mode::Read).unwrap();
    assert!(store.warnings().iter().any(|warning| warning.contains(&data)), "{:?}", store.warnings());
    store.close().unwrap();

    let same = home.lake_with([("override_data_path", true.into())]);
    let store = Store::attach(&same, &session(), Mode::Read).unwrap();
    assert!(store.warnings().is_empty(), "{:?}", store.warnings());
}

#[test]
fn a_bucket_that_nobody_reached() {
    let unreachable = |home: &TempLake| {
        let mut storage = S3Spec::new("s3");
        storage.bucket = Some("bucket".into());
        storage.endpoint = Some("http://127.0.0.1:1".into());
        storage.key_id = Some(Secret::from("id"));
        storage.secret = Some(Secret::from("hunter2-trap"));
        Lake::builder(home.sqlite(), storage.build().unwrap()).build().unwrap()
    };
    let home = TempLake::new();
    let connection = raw();
    connection.execute_batch("LOAD httpfs").unwrap();
    let plan = unreachable(&home).plan(&session(), Mode::Write);
    for statement in plan.statements().iter().filter(|statement| statement.name() != "probe-storage") {
        crate::lake::run(&connection, &statement.to_sql()).unwrap();
    }
    connection.execute_batch("CREATE TABLE t (i BIGINT); INSERT INTO t SELECT range FROM range(10)").unwrap();
    assert!(connection.execute_batch("INSERT INTO t SELECT range FROM range(11)").is_err(), "only now");

    let home = TempLake::new();
    let error = Store::attach(&unreachable(&home), &session(), Mode::Write).unwrap_err();
    assert!(error.to_string().contains("s3://bucket/"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    assert!(home.files().is_empty(), "{:?}", home.files());
}

#[test]
fn a_lake_that_reading_creates() {
    let home = TempLake::new();
    let attach =
        format!("ATTACH 'ducklake:sqlite:{}' AS l (DATA_PATH '{}')", home.join("raw.sqlite"), home.join("data"));
    raw().execute_batch(&[&attach, "; SELECT 1"].concat()).unwrap();
    assert_eq!(home.files(), ["raw.sqlite"]);

    let error = Store::attach(&home.lake(), &session(), Mode::Read).unwrap_err();
    assert!(error.is_missing_lake(), "{error}");
    let missing = home.path_of("main.duckdb");
    let error = OpenOptions::default().attach(Some(&missing), &home.lake(), &session(), Mode::Read).unwrap_err();
    assert!(error.is_missing_lake(), "{error}");
    assert_eq!(home.files(), ["raw.sqlite"]);
}

#[test]
fn secrets_that_a_failed_attach_leaves_behind() {
    let home = TempLake::new();
    std::fs::create_dir(home.path_of("meta.sqlite")).unwrap();
    let connection = raw();
    let failed = home
        .lake()
        .plan(&session(), Mode::Write)
        .statements()
        .iter()
        .find_map(|statement| crate::lake::run(&connection, &statement.to_sql()).err().map(|_| statement.name()));
    assert_eq!(failed, Some("attach"));
    assert_eq!(raw_texts(&connection, "SELECT name FROM duckdb_secrets()"), ["metaxy_test__ducklake"]);
    // What the store leaves in its instance is seen from inside: `store::tests`.
}

#[test]
fn a_current_database_cannot_be_detached() {
    let home = TempLake::new();
    let connection = raw_lake(&home.join("raw.sqlite"), &home.join("raw"));
    assert!(connection.execute_batch("DETACH l").is_err());

    let main: &Path = &home.path_of("main.duckdb");
    for database in [None, Some(main)] {
        let store = OpenOptions::default().attach(database, &home.lake(), &session(), Mode::Write).unwrap();
        store.close().unwrap();
    }
}

/// Types and values that a catalog without structs does not give back, once they are inlined.
const LOST: &[(&str, &str)] = &[
    ("STRUCT(a VARCHAR)", "{'a': 'it''s'}"),
    ("STRUCT(a TIMESTAMP)", "{'a': TIMESTAMP '2020-01-01 01:02:03'}"),
    ("STRUCT(a DATE)", "{'a': DATE '2020-01-01'}"),
    ("STRUCT(a UUID)", "{'a': UUID '00000000-0000-0000-0000-000000000001'}"),
    ("STRUCT(a BLOB)", "{'a': CAST('\\xAA' AS BLOB)}"),
    ("STRUCT(a DOUBLE)", "{'a': CAST('nan' AS DOUBLE)}"),
    ("JSON[]", "[CAST('{\"a\": 1}' AS JSON)]"),
];

/// The same SQL as a person would write it, with its parts put in.
fn filled(statement: &str, of: &str, value: &str) -> String {
    statement.replace("{of}", of).replace("{value}", value)
}

const KEPT: &str = "SELECT CAST(count(*) FILTER (x IS NOT DISTINCT FROM CAST({value} AS {of})) AS VARCHAR) FROM t";

#[test]
fn structs_that_a_catalog_loses() {
    // Plain SQL: nothing is said, and the value is another one or cannot be read.
    for (of, value) in LOST {
        let home = TempLake::new();
        let attach =
            format!("ATTACH 'ducklake:sqlite:{}' AS l (DATA_PATH '{}'); USE l", home.join("l"), home.join("d"));
        let connection = raw();
        connection.execute_batch(&attach).unwrap();
        let made = filled("CREATE TABLE t (x {of}); INSERT INTO t SELECT {value}", of, value);
        connection.execute_batch(&made).unwrap();
        let kept = connection.query_row(&filled(KEPT, of, value), [], |row| row.get::<_, String>(0));
        assert!(kept.as_deref().is_ok_and(|kept| kept == "0") || kept.is_err(), "{of}: {kept:?}");
    }
}

#[test]
fn structs_are_kept_out_of_a_catalog_that_loses_them() {
    let database = Postgres::shared().database();
    for catalog in ["duckdb", "sqlite", "postgres"] {
        for limit in [None, Some(20)] {
            check_kept(catalog, &database, limit);
        }
    }
}

fn check_kept(catalog: &str, database: &Database<'_>, limit: Option<i64>) {
    let home = TempLake::new();
    let of_catalog: Catalog = match catalog {
        "duckdb" => home.duckdb(),
        "sqlite" => home.sqlite(),
        _ => super::postgres::spec(database).build().unwrap(),
    };
    let limits = limit.map(|limit| ("data_inlining_row_limit", Value::Integer(limit)));
    let mut options: Vec<_> = limits.into_iter().collect();
    if catalog == "postgres" {
        options.push(("metadata_schema", Value::from(format!("limit_{}", limit.unwrap_or_default()))));
    }
    let options = ducklake_sql::AttachOptions::from_pairs(options).unwrap();
    let lake = Lake::builder(of_catalog, home.data()).options(options).build().unwrap();
    let store = Store::attach(&lake, &session(), Mode::Write).unwrap();
    // A few types are enough to show that all ways pass one guard.
    let is_direct = |index: usize| index % 3 == 1 && limit.is_some();
    let all_kept = |store: &Store| {
        let tables = LOST.iter().enumerate().flat_map(|(index, lost)| [("t", index, lost), ("d", index, lost)]);
        for (way, index, (of, value)) in tables.filter(|(way, index, _)| *way == "t" || is_direct(*index)) {
            let kept = filled(KEPT, of, value).replace("FROM t", &format!("FROM {way}{index}"));
            let mut rows = store.connection().query(Sql::user_query(kept)).unwrap();
            let batch = rows.next().unwrap().unwrap();
            assert_eq!(batch.column(0).as_string::<i32>().value(0), "4", "{catalog} {limit:?}: {way} {of}");
        }
    };
    for (index, (of, value)) in LOST.iter().enumerate() {
        let run_in = |way: &str, connection: &Connection, statement: &str| {
            let statement = filled(statement, of, value).replace("{t}", &format!("{way}{index}"));
            connection.execute(Sql::user_query(statement)).map(drop)
        };
        // By one statement, in a table that is there, and changed.
        for statement in [
            "CREATE TABLE {t} AS SELECT CAST({value} AS {of}) AS x, 0 AS i",
            "INSERT INTO {t} VALUES ({value}, 1)",
            "INSERT INTO {t} VALUES (NULL, 2)",
            "UPDATE {t} SET x = {value} WHERE i = 2",
        ] {
            store.transaction(|connection| run_in("t", connection, statement)).unwrap();
            if is_direct(index) {
                // As a program does that knows of no transactions.
                run_in("d", store.connection(), statement).unwrap();
            }
        }
        let script = ["BEGIN", "INSERT INTO {t} VALUES ({value}, 3)", "COMMIT"];
        let run_script = |way: &str, connection: &Connection| {
            script.iter().try_for_each(|statement| run_in(way, connection, statement))
        };
        store.without_inlining(|connection| run_script("t", connection)).unwrap();
        if is_direct(index) {
            run_script("d", &store.connection().another().unwrap()).unwrap();
        }
    }
    all_kept(&store);
    store.close().unwrap();
    let store = Store::attach(&lake, &session(), Mode::Write).unwrap();
    all_kept(&store);
    // What the catalog keeps is inlined on.
    store.connection().execute("CREATE TABLE plain AS SELECT range AS i FROM range(5)").unwrap();
    let files = "SELECT CAST(file_count AS VARCHAR) FROM ducklake_table_info('ducklake') WHERE table_name = 'plain'";
    assert_eq!(texts(&store, files), ["0"], "{catalog} {limit:?}");
}

#[test]
fn one_table_of_a_sqlite_catalog_that_is_taken_for_another() {
    let fill = "CREATE TABLE a (i INTEGER); CREATE TABLE b (i INTEGER); INSERT INTO a FROM range(5); INSERT INTO b FROM range(3)";
    let count = "SELECT count(*)::VARCHAR FROM a WHERE i >= 0 UNION ALL SELECT count(*)::VARCHAR FROM b WHERE i >= 0";
    let home = TempLake::new();
    let plain = raw();
    plain.execute_batch(&format!("ATTACH '{}' AS s (TYPE sqlite); USE s; {fill}", home.join("plain.sqlite"))).unwrap();
    plain.execute_batch("SET sqlite_disable_multithreaded_scans = true").unwrap();
    assert_eq!(raw_texts(&plain, count), ["5", "5"], "the count of the first table, twice");

    let database = Postgres::shared().database();
    for catalog in [home.sqlite(), home.duckdb(), super::postgres::spec(&database).build().unwrap()] {
        let kind = catalog.kind();
        let lake = Lake::builder(catalog, home.data()).build().unwrap();
        let store = Store::attach(&lake, &session(), Mode::Write).unwrap();
        store.connection().execute(fill).unwrap();
        // Few rows are in tables of the catalog.
        let tables = texts(
            &store,
            "SELECT table_name FROM __ducklake_metadata_ducklake.ducklake_inlined_data_tables ORDER BY table_id",
        );
        let inlined = |table: &str| ["FROM __ducklake_metadata_ducklake.", table].concat();
        let count = count.replace("FROM a", &inlined(&tables[0])).replace("FROM b", &inlined(&tables[1]));
        let mut counts = Vec::new();
        for batch in store.connection().query(Sql::user_query(count)).unwrap() {
            counts.extend(batch.unwrap().column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        assert_eq!(counts, ["5", "3"], "{kind:?}");
    }
}

/// Whether an instance is dead: after that it answers nothing.
fn is_dead(connection: &duckdb::Connection) -> bool {
    connection.execute_batch("SELECT 1").is_err_and(|error| error.to_string().contains("invalidated"))
}

#[test]
fn deletions_are_filtered_by_a_snapshot_that_is_not_selected() {
    const FILL: [&str; 5] = [
        "CREATE TABLE t AS SELECT range AS i, 'x' AS v FROM range(100)",
        "INSERT INTO t SELECT range, 'y' FROM range(100, 300)",
        "DELETE FROM t WHERE i < 100",
        "DELETE FROM t WHERE i = 150",
        "DELETE FROM t WHERE i > 200",
    ];
    let home = TempLake::new();
    let connection = raw();
    let attach = format!("ATTACH 'ducklake:sqlite:{}' AS l (DATA_PATH '{}'); USE l", home.join("l"), home.join("d"));
    connection.execute_batch(&[&attach, "; ", &FILL.join("; ")].concat()).unwrap();
    let deleted = "SELECT v FROM ducklake_table_deletions('l', 'main', 't', 1, 5) WHERE snapshot_id > 3";
    connection.query_row(deleted, [], |row| row.get::<_, String>(0)).unwrap_err();
    assert!(is_dead(&connection));

    let home = TempLake::new();
    let store = home.open();
    for statement in FILL {
        store.connection().execute(statement).unwrap();
    }
    let feed = store.changes(&TableName::new("t").unwrap(), &ChangeBound::from("3"), None).unwrap();
    let rows: usize = feed.rows.unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 100);
    assert_eq!(texts(&store, "SELECT count(*) FROM t"), ["100"]);
}

#[test]
fn a_reader_may_not_read_a_table_that_a_write_made() {
    let database = Postgres::shared().database();
    let reader = database.role(RoleRights::Connect);
    let home = TempLake::new();
    let configure = |login: &Login| {
        let extensions = format!("config.extension_directory = '{}'", deps().extensions().display());
        let catalog = ["catalog = ", &postgres(&database, login, "")].concat();
        home.configure("prod", &[&extensions, FOR_TESTS], &[&catalog, &["storage = ", LOCAL].concat()]);
    };
    let open = |mode| Store::open(&home.load().unwrap().config, "prod", mode);
    let cause = |check: CheckName| {
        let report = Doctor::default().examine(&home.load(), Some("prod"));
        report.finding(check).and_then(|finding| finding.cause)
    };
    configure(database.owner());
    let store = open(Mode::Write).unwrap();
    let run = |sql: &'static str| store.connection().execute(sql).unwrap();
    run("CREATE TABLE t (i INTEGER)");
    run("INSERT INTO t VALUES (1)");
    assert_eq!(cause(CheckName::Rights), None);
    let grant = |sql: &str| {
        let sql = sql.replace("{reader}", &reader.user);
        database.connect(database.owner()).unwrap().batch_execute(&sql).unwrap();
    };
    grant("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}");
    // Before it is too late.
    assert_eq!(cause(CheckName::Rights), Some(Cause::DefaultPrivilegesMissing));
    run("ALTER TABLE t ADD COLUMN j INTEGER");
    run("INSERT INTO t VALUES (2, 2)");

    let connection = raw();
    let login = format!(
        "LOAD postgres_scanner; CREATE SECRET s (TYPE postgres, HOST '127.0.0.1', PORT {}, DATABASE '{}', USER '{}', PASSWORD $p${}$p$);
         ATTACH 'ducklake:postgres:' AS l (META_SECRET s, DATA_PATH '{}/', OVERRIDE_DATA_PATH, READ_ONLY)",
        database.port(), database.name(), reader.user, reader.password, home.join("data"),
    );
    connection.execute_batch(&login).unwrap();
    connection.query_row("SELECT sum(i)::BIGINT FROM l.t", [], |row| row.get::<_, i64>(0)).unwrap_err();
    assert!(is_dead(&connection));

    configure(&reader);
    assert_eq!(cause(CheckName::Rights), Some(Cause::RoleWithoutRights));
    let reading = open(Mode::Read).unwrap();
    let error = reading.connection().query("SELECT sum(i) FROM t").map(drop).unwrap_err();
    assert_eq!(error.cause(), Some(Cause::EngineFault), "{error}");

    grant(
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader};
         ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {reader}",
    );
    run("ALTER TABLE t ADD COLUMN k INTEGER");
    run("INSERT INTO t VALUES (3, 3, 3)");
    let reading = open(Mode::Read).unwrap();
    assert_eq!(texts(&reading, "SELECT sum(i) FROM t"), ["6"]);
    assert_eq!(cause(CheckName::Rights), Some(Cause::RoleCannotWrite));
    configure(database.owner());
    assert_eq!(cause(CheckName::Rights), None);
}

#[test]
fn other_tables_are_missed_at_a_snapshot_that_made_a_table_for_inlined_rows() {
    let home = TempLake::new();
    let attach = |limit: u32| {
        let connection = raw();
        let (catalog, data) = (home.join("l"), home.join("d"));
        let sql = format!(
            "ATTACH 'ducklake:sqlite:{catalog}' AS l (DATA_PATH '{data}', DATA_INLINING_ROW_LIMIT {limit}, \
             META_JOURNAL_MODE 'WAL'); USE l"
        );
        connection.execute_batch(&sql).unwrap();
        connection
    };
    let run = |connection: &duckdb::Connection, sql: &str| connection.execute_batch(sql).unwrap();
    let count = |connection: &duckdb::Connection, of: &str| {
        connection.query_row(&format!("SELECT count(*) FROM {of}"), [], |row| row.get::<_, i64>(0))
    };
    let maker = attach(0);
    run(
        &maker,
        "CREATE TABLE a (i INTEGER); CREATE TABLE b (i INTEGER); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
    );
    drop(maker);
    let reader = attach(10);
    run(&reader, "INSERT INTO a VALUES (2)");
    run(&reader, "INSERT INTO b VALUES (2)");
    drop(reader);
    let reader = attach(10);
    assert_eq!(count(&reader, "a AT (VERSION => 4)").unwrap(), 1);
    let missed = count(&reader, "b AT (VERSION => 5)").unwrap_err();
    assert!(missed.to_string().contains("Table with name b does not exist at version 5"), "{missed}");
    assert_eq!(count(&attach(10), "b AT (VERSION => 5)").unwrap(), 1);
}

#[test]
fn rows_in_a_catalog_lose_columns_once_anything_else_is_made() {
    let database = Postgres::shared().database();
    for catalog in ["duckdb", "sqlite", "postgres"] {
        let home = TempLake::new();
        let place = match catalog {
            "duckdb" => format!("ducklake:{}", home.join("meta.duckdb")),
            "sqlite" => format!("ducklake:sqlite:{}", home.join("meta.sqlite")),
            _ => format!(
                "ducklake:postgres:host={} port={} dbname={} user={} password={}",
                database.host(),
                database.port(),
                database.name(),
                database.owner().user,
                quoted(&database.owner().password)
            ),
        };
        let data = home.join("data");
        let run = |limit: u32, statements: &str| {
            let connection = raw();
            let place = place.replace('\'', "''");
            let sql = format!(
                "LOAD postgres_scanner; ATTACH '{place}' AS l (DATA_PATH '{data}', DATA_INLINING_ROW_LIMIT {limit}); USE l; {statements}"
            );
            connection.execute_batch(&sql).unwrap();
            raw_texts(&connection, "SELECT i || coalesce(' ' || j, '') FROM t ORDER BY ALL")
        };
        run(0, "CREATE TABLE t (i INTEGER); ALTER TABLE t ADD COLUMN j INTEGER");
        assert_eq!(run(10, "INSERT INTO t VALUES (1, 2)"), ["1 2"], "{catalog}");
        run(10, "CREATE TABLE other (i INTEGER)");
        assert_eq!(run(10, "SELECT 1"), ["1"], "{catalog}: as DuckLake reads it");

        let extensions = format!("config.extension_directory = '{}'", deps().extensions().display());
        let of_catalog = match catalog {
            "postgres" => postgres(&database, database.owner(), ""),
            _ => format!("{{ type = '{catalog}', uri = '{catalog}:meta.{catalog}' }}"),
        };
        let lake = ["catalog = ", &of_catalog].concat();
        home.configure("prod", &[&extensions, FOR_TESTS], &[&lake, &["storage = ", LOCAL].concat()]);
        let open = |mode| Store::open(&home.load().unwrap().config, "prod", mode).unwrap();
        let found = |store: &Store| texts(store, "SELECT i || ' ' || coalesce(j::VARCHAR, '') FROM t ORDER BY ALL");
        let reading = open(Mode::Read);
        let warning = reading.warnings().first().unwrap_or_else(|| panic!("{catalog}: no warning"));
        assert!(warning.contains("rows of `t`") && warning.contains("--repair"), "{warning}");
        reading.close().unwrap();
        let report = Doctor::default().examine(&home.load(), Some("prod"));
        let finding = report.finding(CheckName::InlinedRows).and_then(|finding| finding.cause);
        assert_eq!(finding, Some(Cause::InlinedRowsUnrecorded), "{report}");
        let store = open(Mode::Write);
        assert_eq!(found(&store), ["1 2"], "{catalog}");
        store.maintain(&MaintainOptions::new().alone(true), |_, _| ()).unwrap();
        assert_eq!(found(&store), ["1 2"], "{catalog}");
        store.close().unwrap();
        let reading = open(Mode::Read);
        assert_eq!(reading.warnings(), [""; 0], "{catalog}");
        assert_eq!(found(&reading), ["1 2"], "{catalog}");
    }
}

/// A value in a connection string of PostgreSQL.
fn quoted(value: &str) -> String {
    ["'", &value.replace('\\', "\\\\").replace('\'', "\\'"), "'"].concat()
}
