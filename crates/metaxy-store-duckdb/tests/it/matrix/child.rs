//! What a process of its own does: this program again, which finds its step in a variable and its configuration in its
//! working directory.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ducklake_sql::{Mode, Reveal};
use metaxy_config::{Config, LoadOptions, OsSystem, Trust};
use metaxy_store_duckdb::{Doctor, Store};
use metaxy_testkit::assert_no_leak;

use crate::lake::value;

const STEP: &str = "METAXY_MATRIX_STEP";
/// What a line of a child's report begins with.
const REPORT: &str = "matrix: ";

/// A step in a process of its own, in a folder, with these variables and no others.
pub(crate) fn command(step: &str, folder: &Path, variables: &BTreeMap<&'static str, String>) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "matrix::child::child", "--nocapture"]).current_dir(folder);
    command.env_clear().envs(variables).env(STEP, step);
    command
}

/// Runs a step; what it reports, or all that it said when it failed. It shows no secret either way.
pub(crate) fn run(
    step: &str,
    folder: &Path,
    variables: &BTreeMap<&'static str, String>,
) -> Result<Vec<String>, String> {
    let output = command(step, folder, variables).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert_no_leak(&text, step);
    if output.status.success() {
        Ok(text.lines().filter_map(|line| line.strip_prefix(REPORT)).map(str::to_owned).collect())
    } else {
        Err(text)
    }
}

/// No test of its own: a step, when this process is a child.
#[test]
fn child() {
    let Ok(step) = env::var(STEP) else { return };
    match step.as_str() {
        "write" => write(),
        "read" => read(),
        "lock" => lock(),
        "serve" => serve(),
        other => panic!("no step `{other}`"),
    }
}

/// A line of the child's report, on a line of its own whatever the test harness writes.
fn report(line: &str) {
    println!("\n{REPORT}{line}");
}

/// Opens the store that the configuration names.
fn open(mode: Mode) -> (Store, Duration) {
    let loaded = Config::load(&OsSystem, &LoadOptions::default().trust(Trust::Everything)).unwrap();
    let start = Instant::now();
    let store = Store::open(&loaded.config, &loaded.config.store, mode).unwrap_or_else(|error| panic!("{error}"));
    let time = start.elapsed();
    assert_eq!(store.warnings(), [] as [&str; 0]);
    // For the search for leaks.
    println!("{store:?}\n{}", store.plan().display(Reveal::Masked));
    (store, time)
}

/// Creates the lake, and 10 000 rows in it: far more than what DuckLake keeps in the catalog.
fn write() {
    let (store, time) = open(Mode::Write);
    let connection = store.connection();
    connection.execute("CREATE TABLE sample (id BIGINT, name VARCHAR)").unwrap();
    let rows = connection.execute("INSERT INTO sample SELECT range, 'name ' || range FROM range(10000)").unwrap();
    assert_eq!(rows, 10_000);
    connection.execute("INSERT INTO sample VALUES (10000, 'kept in the catalog')").unwrap();
    connection.execute("DELETE FROM sample WHERE id < 100").unwrap();
    store.close().unwrap();
    report(&time.as_millis().to_string());
}

/// Reads what the other process wrote, now and as it was, is refused a write, finds nothing for the doctor to say, and
/// drops the table.
fn read() {
    const SUM: &str = "SELECT count(*) || ' ' || sum(id) FROM sample";
    let (store, time) = open(Mode::Read);
    assert_eq!(value(&store, SUM), "9901 50000050");
    // One snapshot each: the lake, the table, the rows, one more row.
    assert_eq!(value(&store, "SELECT count(*) || ' ' || sum(id) FROM sample AT (VERSION => 2)"), "10000 49995000");
    let refused = store.connection().execute("INSERT INTO sample VALUES (1, 'no')").unwrap_err();
    assert!(refused.to_string().contains("read-only"), "{refused}");
    store.close().unwrap();

    let start = Instant::now();
    let examined = Doctor::default()
        .write(true)
        .examine(&Config::load(&OsSystem, &LoadOptions::default().trust(Trust::Everything)), None);
    let doctor = start.elapsed();
    assert!(examined.findings.iter().all(|finding| finding.cause.is_none()), "{examined}");
    println!("{examined:?}");

    let (store, _) = open(Mode::Write);
    store.connection().execute("DROP TABLE sample").unwrap();
    assert_eq!(value(&store, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'sample'"), "0");
    assert_eq!(value(&store, "SELECT count(*) FROM sample AT (VERSION => 3)"), "10001");
    store.close().unwrap();
    report(&time.as_millis().to_string());
    report(&doctor.as_millis().to_string());
}

/// Holds a write lock on the SQLite catalog in the working directory, from when there is a file `locked` until there is a
/// file `let-go`.
fn lock() {
    let duckdb = connect(":memory:");
    let hold = "LOAD sqlite_scanner; ATTACH 'lake.sqlite' AS catalog (TYPE sqlite); BEGIN;
        UPDATE catalog.ducklake_metadata SET value = value";
    duckdb.execute_batch(hold).unwrap();
    std::fs::write("locked", "").unwrap();
    let start = Instant::now();
    while !Path::new("let-go").exists() {
        assert!(start.elapsed() < Duration::from_mins(1), "nobody lets this process go");
        std::thread::sleep(Duration::from_millis(10));
    }
    duckdb.execute_batch("ROLLBACK").unwrap();
}

/// Serves a DuckDB file in the working directory as a catalog, from when there is a file `serving` until the parent
/// closes this process's input.
fn serve() {
    let duckdb = connect("served.duckdb");
    duckdb.execute_batch("LOAD quack").unwrap();
    let [place, token] = ["QUACK_PLACE", "QUACK_TOKEN"].map(|variable| env::var(variable).unwrap());
    duckdb.query_row("CALL quack_serve(?, token => ?)", [place, token], |_| Ok(())).unwrap();
    std::fs::write("serving", "").unwrap();
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
}

/// DuckDB without the store, on a database of its own.
fn connect(database: &str) -> duckdb::Connection {
    let config = duckdb::Config::default().allow_unsigned_extensions().unwrap();
    let duckdb = duckdb::Connection::open_with_flags(database, config).unwrap();
    let extensions = env::var("METAXY_EXTENSION_DIRECTORY").unwrap();
    duckdb.execute("SET extension_directory = ?", [extensions]).unwrap();
    duckdb
}
