//! Names and texts of any kind go through DuckDB and come back as they were.

use std::cell::OnceCell;

use arrow::array::AsArray as _;
use ducklake_sql::{
    Alias, Ident, Lake, Mode, Reveal, S3Spec, Secret, Session, Sql, Statement, StringLiteral, list, sql,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::lake::{TempLake, raw, raw_texts, run};

/// Parts of texts that break quoting.
const NASTY: &[&str] = &[
    "'",
    "\"",
    ";",
    "--",
    "/*",
    "*/",
    "\n",
    "\r\n",
    "\t",
    "\\",
    "''",
    "\"\"",
    "$$",
    "$1",
    "?",
    "{}",
    "%",
    ".",
    "/",
    "-",
    "select",
    "table",
    "é",
    "漢字",
    "🦆",
    "\u{202e}",
    "\u{feff}",
    " ",
    "'); DROP TABLE t; --",
];

/// Texts that break quoting, by themselves and mixed into others.
fn mixed() -> impl Strategy<Value = String> {
    let piece = prop_oneof![prop::sample::select(NASTY).prop_map(str::to_owned), "[^\\x00]{0,8}"];
    let mixed = prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat());
    mixed.prop_filter("not empty", |text| !text.is_empty())
}

/// The same, and long ones.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![mixed(), prop::sample::select(NASTY).prop_map(|piece| piece.repeat(10_000 / piece.len()))]
}

/// The statements of a plan that attach a lake, without those that prepare the instance.
fn attaching(lake: &Lake) -> Vec<Statement> {
    let plan = lake.plan(&Session::default(), Mode::Write);
    plan.statements().iter().filter(|statement| statement.name() != "load-extension").cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// A secret is the same whether its values were bound or written out for the shell.
    #[test]
    fn a_secret_is_what_was_described(name in hostile(), region in hostile(), key in hostile()) {
        thread_local! { static CONNECTION: OnceCell<duckdb::Connection> = const { OnceCell::new() } }
        CONNECTION.with(|connection| {
            let connection = connection.get_or_init(|| {
                let connection = raw();
                connection.execute_batch("LOAD httpfs").unwrap();
                connection
            });
            let home = TempLake::new();
            let mut storage = S3Spec::new(&name);
            storage.bucket = Some("bucket".into());
            storage.region = Some(region.clone());
            storage.key_id = Some(Secret::from(key.as_str()));
            storage.secret = Some(Secret::from("hunter2"));
            let lake = Lake::builder(home.sqlite(), storage.build().unwrap()).build().unwrap();
            let create = attaching(&lake).into_iter().find(|statement| statement.name() == "create-secret").unwrap();
            let drop = create.undo(&ducklake_sql::Ident::new("memory").unwrap()).unwrap();
            let mut seen = Vec::new();
            for shell in [false, true] {
                if shell {
                    connection.execute_batch(&create.to_text(Reveal::Secrets)).unwrap();
                } else {
                    run(connection, &create.to_sql()).unwrap();
                }
                seen.push(raw_texts(connection, "SELECT name || secret_string FROM duckdb_secrets()"));
                run(connection, &drop.to_sql()).unwrap();
            }
            let [bound, typed] = seen.as_slice() else { unreachable!() };
            prop_assert_eq!(bound, typed);
            prop_assert!(bound[0].contains(&["region=", &region].concat()), "{bound:?}");
            prop_assert!(bound[0].contains(&["key_id=", &key].concat()), "{bound:?}");
            Ok(())
        })?;
    }

    /// A lake is attached under the very name that was asked for, and holds its table.
    #[test]
    fn an_alias_is_what_was_described(alias in hostile(), file in "[^\\x00/]{1,20}") {
        let Ok(alias) = Alias::new(alias) else { return Ok(()) };
        prop_assume!(file != "." && file != "..");
        thread_local! { static CONNECTION: OnceCell<duckdb::Connection> = const { OnceCell::new() } }
        CONNECTION.with(|connection| {
            let connection = connection.get_or_init(raw);
            let home = TempLake::new();
            let catalog = ducklake_sql::CatalogFile::new(home.join(&file)).unwrap();
            let lake = Lake::builder(ducklake_sql::Catalog::DuckDb(catalog), home.data()).alias(alias.clone()).build().unwrap();
            let plan = lake.plan(&Session::default(), Mode::Write);
            let memory = ducklake_sql::Ident::new("memory").unwrap();
            for shell in [false, true] {
                for statement in attaching(&lake) {
                    if shell {
                        connection.execute_batch(&statement.to_text(Reveal::Secrets)).unwrap();
                    } else {
                        run(connection, &statement.to_sql()).unwrap();
                    }
                }
                prop_assert_eq!(raw_texts(connection, "SELECT current_database()"), [alias.as_str()]);
                connection.execute_batch("CREATE OR REPLACE TABLE t AS SELECT 1 AS i").unwrap();
                prop_assert!(home.path_of(&file).is_file(), "{:?}", home.files());
                for statement in plan.undo(0..plan.statements().len(), &memory) {
                    run(connection, &statement.to_sql()).unwrap();
                }
            }
            Ok(())
        })?;
    }
}

/// How many names and texts go through DuckDB; `cargo xtask roundtrip` asks for more.
const CASES: &str = "METAXY_ROUNDTRIP_CASES";

/// Names and texts, many in a statement, as every statement of a plan and of a query writes them.
#[test]
fn names_and_texts_come_back() {
    let cases: usize = std::env::var(CASES).map_or(10_000, |cases| cases.parse().unwrap());
    let connection = raw();
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec((mixed(), mixed()), 100);
    for _ in 0..cases.div_ceil(100) {
        let pairs = strategy.new_tree(&mut runner).unwrap().current();
        let named = |(name, text): &(String, String)| {
            sql!("{text} AS {name}", text = StringLiteral::new(text).ok()?, name = Ident::new(name).ok()?).into()
        };
        let parts: Vec<Sql> = pairs.iter().filter_map(named).collect();
        let query = sql!("SELECT {parts}", parts = list(parts.iter().cloned()));
        let mut statement = connection.prepare(query.text()).unwrap();
        let batch = statement.query_arrow([]).unwrap().next().unwrap();
        assert_eq!(batch.num_columns(), pairs.len());
        for (at, (name, text)) in pairs.iter().enumerate() {
            assert_eq!(batch.schema().field(at).name(), name);
            assert_eq!(batch.column(at).as_string::<i32>().value(0), text);
        }
    }
}

/// DuckDB ends the process when a row of such a type is written to a lake.
#[test]
fn a_type_that_would_end_the_process_is_refused() {
    let home = TempLake::new();
    let store = home.open();
    store.connection().execute("CREATE TABLE t (i BIGINT)").unwrap();
    let of_others = format!(
        "ATTACH 'ducklake:sqlite:{}' AS l; CREATE TABLE l.main.theirs (moment TIME_NS, i BIGINT)",
        home.join("meta.sqlite")
    );
    crate::lake::raw().execute_batch(&of_others).unwrap();
    for statement in [
        "CREATE TABLE u (moment TIME_NS)",
        "create or replace table u as select {'at': '01:02:03'::time_ns} as s from range(20)",
        "CREATE TABLE u AS FROM theirs",
        "ALTER TABLE t ADD COLUMN moment TIME_NS",
        "INSERT INTO theirs VALUES (NULL, 1)",
        "INSERT INTO main.\"theirs\" SELECT NULL, range FROM range(30)",
        "WITH x AS (SELECT 1 AS i) INSERT INTO Theirs (i) SELECT i FROM x",
    ] {
        let run = |one: &metaxy_store_duckdb::Connection| one.execute(statement);
        for error in [run(store.connection()).unwrap_err(), store.transaction(run).unwrap_err()] {
            assert_eq!(error.cause().map(metaxy_store_duckdb::Cause::as_str), Some("unsupported-type"), "{error}");
            assert!(error.to_string().contains("`TIME_NS`") && error.help().unwrap().contains("TIME,"), "{error}");
        }
    }
    for statement in [
        "CREATE TABLE u AS SELECT CAST('01:02:03'::TIME_NS AS TIME) AS moment, TIMESTAMP_NS '2026-01-01' AS stamp FROM range(20)",
        "INSERT INTO t SELECT count(*) FROM u",
        "DROP TABLE theirs",
    ] {
        store.connection().execute(statement).unwrap();
    }
    store.close().unwrap();
}
