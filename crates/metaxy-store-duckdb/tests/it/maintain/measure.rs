//! How long the upkeep takes and what it gains, as a table: `cargo test -p metaxy-store-duckdb --test it -- --ignored
//! --nocapture measure`.

use std::time::{Duration, Instant};

use ducklake_sql::{Declared, LakeOption, Mode, bind, sql};
use metaxy_store_duckdb::{MaintainOptions, Store};

use super::home::home;
use crate::lake::{raw, run, session, value};

const FILES: i64 = 1000;
const ROWS: i64 = 50;

/// The shortest of a few runs.
fn time(mut run: impl FnMut()) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        run();
        shortest = shortest.min(start.elapsed());
    }
    shortest
}

#[test]
#[ignore = "a measurement, which takes minutes"]
fn a_thousand_small_files() {
    println!("catalog     read before  read after  upkeep   open     open and plan");
    for catalog in ["sqlite", "duckdb", "postgres"] {
        let home = home(catalog, "local");
        let store = home.open();
        store.connection().execute("CREATE TABLE t (id BIGINT, word VARCHAR)").unwrap();
        for file in 0..FILES {
            let insert = sql!(
                "INSERT INTO t SELECT {file} * {rows} + range, 'word ' || range FROM range({rows})",
                file = bind(file),
                rows = bind(ROWS),
            );
            store.connection().execute(insert).unwrap();
        }
        store.connection().execute("DELETE FROM t WHERE id % 10 = 0").unwrap();
        let read = || assert_eq!(value(&store, "SELECT count(word) FROM t"), (FILES * ROWS * 9 / 10).to_string());
        let before = time(read);
        let start = Instant::now();
        let done = store.maintain(&MaintainOptions::new().alone(true), |_, _| ()).unwrap();
        let upkeep = start.elapsed();
        assert!(done.failed.is_none() && done.after.tables[0].files == 1, "{done:?}");
        let after = time(read);
        let mut declared = Declared::default();
        declared.options = vec![LakeOption::new("target_file_size", "256MB").unwrap()];
        store.apply(&store.plan_declared(&declared).unwrap(), false).unwrap();
        store.close().unwrap();
        let open = || Store::attach(&home.lake, &session(), Mode::Read).unwrap();
        let opened = time(|| open().close().unwrap());
        let planned = time(|| {
            let store = open();
            assert!(store.plan_declared(&declared).unwrap().is_done());
            store.close().unwrap();
        });
        let ms = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1000.0);
        println!(
            "{catalog:<10}  {:<11}  {:<10}  {:<7}  {:<7}  {} (× {:.2})",
            ms(before),
            ms(after),
            ms(upkeep),
            ms(opened),
            ms(planned),
            planned.as_secs_f64() / opened.as_secs_f64()
        );
    }
}

/// What the store adds to a write that nobody is in the way of: the same statement by DuckDB alone on another lake, by the
/// store's connection, which guards types and files, and in the store's transaction, with its retry and token; in turn.
#[test]
#[ignore = "a measurement"]
fn an_uncontended_write() {
    const WRITES: usize = 60;
    const CREATE: &str = "CREATE TABLE t (i BIGINT)";
    println!("catalog     rows  DuckDB alone  by a connection      in a transaction");
    for catalog in ["sqlite", "duckdb", "postgres"] {
        let (one, other) = (home(catalog, "local"), home(catalog, "local"));
        let alone = raw();
        alone.execute_batch("LOAD postgres_scanner").unwrap();
        for statement in one.lake.plan(&session(), Mode::Write).statements() {
            run(&alone, &statement.to_sql()).unwrap();
        }
        alone.execute_batch(CREATE).unwrap();
        let store = other.open();
        store.connection().execute(CREATE).unwrap();
        // Rows that are kept in the catalog, and rows in a file.
        for (rows, insert) in [(1, "INSERT INTO t VALUES (1)"), (1000, "INSERT INTO t FROM range(1000)")] {
            let (mut by_duckdb, mut by_connection, mut by_store) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..WRITES {
                let start = Instant::now();
                alone.execute_batch(&["BEGIN; ", insert, "; COMMIT"].concat()).unwrap();
                by_duckdb.push(start.elapsed());
                let start = Instant::now();
                store.connection().execute(insert).unwrap();
                by_connection.push(start.elapsed());
                let start = Instant::now();
                store.transaction(|connection| connection.execute(insert)).unwrap();
                by_store.push(start.elapsed());
            }
            let median = |times: &mut Vec<Duration>| {
                times.sort_unstable();
                times[times.len() / 2].as_secs_f64() * 1000.0
            };
            let [first, second, third] = [&mut by_duckdb, &mut by_connection, &mut by_store].map(median);
            let more = |than: f64, time: f64| format!("{time:.2} ms ({:+.1} %)", (time / than - 1.0) * 100.0);
            let (third, second) = (more(second, third), more(first, second));
            println!("{catalog:<10}  {rows:<4}  {first:>9.2} ms  {second:<19}  {third}");
        }
    }
}
