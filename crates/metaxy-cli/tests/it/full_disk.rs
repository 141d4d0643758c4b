//! A disk that is full, where the catalog is: what was not stored is told with its cause, and at once; and what was stored is.

use std::process::Command;

use metaxy_testkit::{TempDir, deps};

use crate::run::{metaxy, run};

const EXTENSIONS: &str = "METAXY_EXTENSION_DIRECTORY";

/// Statements that make so many tables.
fn tables(prefix: &str) -> String {
    let one = |number: i32| format!("CREATE TABLE {prefix}{number} (i INTEGER, j VARCHAR);");
    (0..60).map(one).collect::<Vec<_>>().concat()
}

/// Runs SQL that writes a lake of sixty tables, where no file can become larger than so many blocks; then counts rows.
fn check(catalog: &str, blocks: impl Fn(&TempDir) -> u64, sql: &str, exit: i32, says: &str, rows: &str) {
    let folder = TempDir::new();
    run(&mut metaxy(&folder, &["init", "--catalog", catalog, "--storage", "local"]), "").done();
    folder.write("made.sql", tables("t"));
    folder.write("more.sql", ["INSERT INTO t0 VALUES (1, 'a');", &tables("n")].concat());
    run(metaxy(&folder, &["sql", "--mode", "write", "made.sql"]).env(EXTENSIONS, deps().extensions()), "").done();

    let program = metaxy(&folder, &["sql", "--mode", "write", sql]);
    let mut command = Command::new("sh");
    // The limit is met by a signal, unless that is ignored.
    command.args(["-c", r#"trap '' XFSZ; ulimit -f "$0"; exec "$@""#, &blocks(&folder).to_string()]);
    command.arg(program.get_program()).args(program.get_args()).current_dir(folder.path()).env_clear();
    let ran = run(command.env("HOME", folder.path()).env(EXTENSIONS, deps().extensions()), "");
    assert_eq!((ran.exit, ran.stderr.contains(says)), (exit, true), "{}", ran.transcript());
    assert!(!ran.stderr.contains("attempt"), "{}", ran.stderr);
    let mut count = metaxy(&folder, &["sql", "--format", "csv", "SELECT count(*) AS n FROM t0"]);
    assert_eq!(run(count.env(EXTENSIONS, deps().extensions()), "").done(), ["n\n", rows, "\n"].concat());
}

/// SQLite takes its transaction back, and DuckLake tells of what follows from that.
#[test]
fn a_sqlite_catalog_that_cannot_be_written_is_the_cause() {
    let says = "could not be written: its disk is full, or fails";
    check("sqlite", |_| 20, "INSERT INTO t0 VALUES (1, 'a')", 1, says, "0");
    check("sqlite", |_| 100, "more.sql", 1, says, "0");
}

/// What was committed is in the log; it is only not brought into the file when the lake is let go.
#[test]
fn what_is_in_the_log_of_a_duckdb_catalog_is_stored() {
    // Blocks are of 512 or 1024 bytes.
    let half = |folder: &TempDir| std::fs::metadata(folder.join("lake/catalog.ducklake")).unwrap().len() / 2048;
    let says = "all is stored, in the log beside the catalog's file";
    check("duckdb", half, "INSERT INTO t0 VALUES (1, 'a')", 0, says, "1");
}
