//! What a transcript cannot show: pipes, colours, text that other programs run.

use std::io::Read as _;
use std::process::Stdio;

use metaxy_testkit::{FileKind, TempDir, deps, file_kind};

use crate::run::{metaxy, run};

/// A folder with the simplest configuration for a catalog.
fn with_lake(catalog: &str) -> TempDir {
    let folder = TempDir::new();
    run(&mut metaxy(&folder, &["init", "--catalog", catalog, "--storage", "local"]), "").done();
    folder
}

#[test]
fn a_preview_runs_as_it_is() {
    for (catalog, file, kind) in
        [("sqlite", "lake/catalog.sqlite", FileKind::Sqlite), ("duckdb", "lake/catalog.ducklake", FileKind::DuckDb)]
    {
        let folder = with_lake(catalog);
        let mut preview = metaxy(&folder, &["preview", "--reveal-secrets"]);
        let text = run(preview.env("METAXY_EXTENSION_DIRECTORY", deps().extensions()), "").done();
        std::fs::create_dir(folder.join("lake")).unwrap();

        let config = duckdb::Config::default().enable_autoload_extension(false).unwrap();
        let duckdb = duckdb::Connection::open_in_memory_with_flags(config).unwrap();
        for statement in text.split_inclusive(";\n") {
            duckdb.execute_batch(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        duckdb.execute_batch("CREATE TABLE sample AS SELECT range AS id FROM range(100)").unwrap();
        let sum: i64 = duckdb.query_row("SELECT sum(id)::BIGINT FROM sample", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 4950);
        drop(duckdb);
        assert_eq!(file_kind(folder.join(file)), kind);

        // What was written that way is there for the program, too.
        let mut sql = metaxy(&folder, &["sql", "--format", "csv", "SELECT count(*) AS n FROM sample"]);
        let rows = run(sql.env("METAXY_EXTENSION_DIRECTORY", deps().extensions()), "").done();
        assert_eq!(rows, "n\n100\n");
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let folder = with_lake("sqlite");
    let extensions = deps().extensions();
    run(metaxy(&folder, &["sql", "--mode", "write", "SELECT 1"]).env("METAXY_EXTENSION_DIRECTORY", &extensions), "")
        .done();
    for arguments in [
        &["sql", "--format", "table", "FROM range(1000000)"][..],
        &["sql", "--format", "json", "FROM range(1000000)"],
        &["sql", "--format", "csv", "FROM range(1000000)"],
        &["config", "schema"],
        &["completions", "bash"],
        &["preview"],
        &["--help"],
    ] {
        let mut command = metaxy(&folder, arguments);
        let command = command.env("METAXY_EXTENSION_DIRECTORY", &extensions).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn rows_are_streamed() {
    let folder = with_lake("duckdb");
    let extensions = deps().extensions();
    run(metaxy(&folder, &["sql", "--mode", "write", "SELECT 1"]).env("METAXY_EXTENSION_DIRECTORY", &extensions), "")
        .done();
    for (format, lines) in [("csv", 30_001), ("table", 30_000 + 3 * 4), ("json", 1)] {
        let mut sql = metaxy(&folder, &["sql", "--format", format, "FROM range(30000)"]);
        let rows = run(sql.env("METAXY_EXTENSION_DIRECTORY", &extensions), "").done();
        if format == "json" {
            let parsed: Vec<serde_json::Value> = serde_json::from_str(&rows).unwrap();
            assert_eq!(parsed.len(), 30_000);
        }
        assert_eq!(rows.lines().count(), lines, "{format}");
    }
}

#[test]
fn colours_come_only_when_they_are_wanted() {
    let folder = TempDir::new();
    folder.write("metaxy.toml", "stroe = 1");
    for command in [&["check"][..], &["preview"], &["--help"], &["frobnicate"]] {
        let colored = |choice: &str, variable: &str| {
            let arguments = [&["--color", choice], command].concat();
            let ran = run(metaxy(&folder, &arguments).env(variable, "1"), "");
            (ran.stdout + &ran.stderr).contains('\x1b')
        };
        assert!(colored("always", "NO_COLOR"), "{command:?}");
        assert!(!colored("never", "CLICOLOR_FORCE"), "{command:?}");
        assert!(!colored("auto", "NO_COLOR"), "{command:?}");
        assert!(!colored("auto", "UNUSED"), "a pipe is no terminal: {command:?}");
    }
}

/// Names that others gave, in a lake or a configuration, do not steer the terminal of who reads them.
#[test]
fn no_name_steers_a_terminal() {
    const TABLE: &str = "\u{1b}[31mred\nline\u{202e}";
    let folder = with_lake("sqlite");
    let declared = r#"
        [ext.rust.lake.dev.tables."main.\u001b[31mred\nline\u202e"]
        comment = "\u001b[32m"
        [ext.rust.lake.dev.schemas."\u001b[35ms".options]
        parquet_version = 2
    "#;
    let configuration = std::fs::read_to_string(folder.join("metaxy.toml")).unwrap() + declared;
    folder.write("metaxy.toml", configuration);
    folder.write(
        "made.sql",
        format!(
            "CREATE TABLE \"{TABLE}\" AS SELECT 1::HUGEINT AS \"\u{1b}[33mcol\";
             CREATE TABLE large AS SELECT range AS i FROM range(100); DELETE FROM large WHERE i = 3;"
        ),
    );
    let told = |arguments: &[&str]| {
        let mut command = metaxy(&folder, arguments);
        let ran = run(command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions()), "");
        let told = ran.stdout + &ran.stderr;
        let steers = |character: char| character.is_control() && character != '\n' || character == '\u{202e}';
        assert!(!told.contains(steers), "{arguments:?}: {told:?}");
        told
    };
    let names = |arguments: &[&str]| {
        let told = told(arguments);
        assert!(told.contains("\\u{1b}["), "{arguments:?}: {told}");
    };
    let (rows, no_column) = (format!("FROM \"{TABLE}\""), "SELECT \"\u{1b}[31m\" FROM large");
    told(&["sql", "--mode", "write", "made.sql"]);
    names(&["plan"]);
    names(&["maintain", "--dry-run"]);
    names(&["apply", "--yes"]);
    names(&["maintain", "--alone"]);
    names(&["doctor", "--deep"]);
    names(&["snapshots"]);
    names(&["sql", &rows]);
    names(&["sql", no_column]);
    names(&["sql", "--mode", "write", no_column]);
    told(&["-vv", "sql", &rows]);
    names(&["changes", &["main.", TABLE].concat(), "--since", "0"]);
    names(&["metadata", "status", TABLE]);
    names(&["--store", TABLE, "plan"]);
    told(&["check"]);
    told(&["config"]);
    told(&["backup"]);
    // What another program reads stays as it is.
    let csv = run(
        metaxy(&folder, &["sql", "--format", "csv", &rows]).env("METAXY_EXTENSION_DIRECTORY", deps().extensions()),
        "",
    );
    assert_eq!(csv.done(), "\u{1b}[33mcol\n1\n");
}

#[test]
fn every_shell_gets_completions_for_every_command() {
    let folder = TempDir::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let completions = run(&mut metaxy(&folder, &["completions", shell]), "").done();
        for word in ["init", "check", "preview", "sql", "config", "list", "stores", "completions", "reveal-secrets"] {
            assert!(completions.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn the_schema_is_that_of_the_configuration() {
    let folder = TempDir::new();
    let schema = run(&mut metaxy(&folder, &["config", "schema"]), "").done();
    assert_eq!(schema.trim_end(), metaxy_config::schema_json().trim_end());
}
