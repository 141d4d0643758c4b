//! A lake belongs to the folder of its project: the program finds it from every working directory.

use std::process::Command;

use metaxy_testkit::{TempDir, deps};

use crate::run::{metaxy, run};

/// A project with relative paths, a folder in it, and one elsewhere.
fn project() -> TempDir {
    let folder = TempDir::new();
    let text = format!(
        "store = 'dev'\n[stores.dev]\ntype = 'duckdb'\n\
         [stores.dev.config.config]\nextension_directory = '{}'\n\
         [stores.dev.config.ducklake]\n\
         catalog = {{ type = 'sqlite', uri = 'sqlite:lake/meta.sqlite' }}\nstorage = {{ type = 'local', path = 'lake/data' }}\n",
        deps().extensions().display()
    );
    folder.write("project/metaxy.toml", text);
    for name in ["project/sub", "elsewhere"] {
        std::fs::create_dir_all(folder.path().join(name)).expect("a folder");
    }
    folder
}

/// The program in a folder, with these statements.
fn sql(folder: &TempDir, place: &str, mode: &str, statements: &str) -> Command {
    let mut arguments = vec!["sql", "--format", "csv", "--mode", mode, statements];
    if place == "elsewhere" {
        arguments.extend(["--config-file", "../project/metaxy.toml"]);
    }
    let mut command = metaxy(folder, &arguments);
    command.current_dir(folder.path().join(place));
    command
}

#[test]
fn a_lake_is_found_from_every_working_directory() {
    let places = ["project", "project/sub", "elsewhere"];
    for maker in places {
        let folder = project();
        let make = "CREATE TABLE t AS SELECT range AS i FROM range(100)";
        run(&mut sql(&folder, maker, "write", make), "").done();
        for (number, place) in places.into_iter().enumerate() {
            run(&mut sql(&folder, place, "write", "INSERT INTO t SELECT range FROM range(100)"), "").done();
            for reader in places {
                let ran = run(&mut sql(&folder, reader, "read", "SELECT sum(i)::BIGINT AS sum FROM t"), "");
                assert_eq!(ran.stderr, "", "{maker}, {place}, {reader}");
                assert_eq!(ran.done(), format!("sum\n{}\n", 4950 * (number + 2)), "{maker}, {place}, {reader}");
            }
        }
        let outside =
            folder.files().into_iter().filter(|file| !file.starts_with("project/lake/") && !file.ends_with('/'));
        assert_eq!(outside.collect::<Vec<_>>(), ["project/metaxy.toml"], "{maker}");
    }
}

#[test]
fn a_database_of_others_is_refused_with_what_to_do() {
    let folder = project();
    std::fs::create_dir_all(folder.path().join("project/lake")).expect("a folder");
    // What the program makes for itself as its own database is one of others for a lake.
    let file = folder.join("project/lake/meta.sqlite");
    let make = format!("ATTACH '{file}' AS other (TYPE sqlite); CREATE TABLE other.customers (i INTEGER)");
    let other = folder.path().join("project/other.toml");
    let text = std::fs::read_to_string(folder.path().join("project/metaxy.toml")).expect("it is there");
    std::fs::write(&other, text.replace("lake/", "own/")).expect("it is written");
    let mut command = metaxy(&folder, &["--config-file", "project/other.toml", "sql", "--mode", "write", &make]);
    run(&mut command, "").done();
    let ran = run(&mut sql(&folder, "project", "write", "CREATE TABLE t (i INTEGER)"), "");
    assert_eq!(ran.exit, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("holds tables or views of somebody: customers"), "{}", ran.stderr);
    assert!(ran.stderr.contains("create_if_not_exists = true"), "{}", ran.stderr);
}

/// As the DuckLake example of Python Metaxy has it: without `sqlite:`, Python makes a DuckDB file.
#[test]
fn a_lake_that_python_made_without_a_prefix_is_opened_as_what_it_is() {
    let folder = project();
    let file = folder.path().join("project/metaxy.toml");
    let text = std::fs::read_to_string(&file).expect("it is there");
    let python = text.replace("type = 'duckdb'", "type = 'metaxy.ext.duckdb.DuckDBMetadataStore'");
    let sqlite = python.replace("sqlite:lake/", "lake/");
    let duckdb = python.replace("'sqlite', uri = 'sqlite:lake/", "'duckdb', uri = 'lake/");
    let make = "CREATE TABLE t AS SELECT 7 AS i";
    std::fs::write(&file, &duckdb).expect("it is written");
    run(&mut sql(&folder, "project", "write", make), "").done();
    std::fs::write(&file, &sqlite).expect("it is written");
    let ran = run(&mut sql(&folder, "project", "read", "FROM t"), "");
    assert!(ran.stderr.contains("it is opened as what it is"), "{}", ran.stderr);
    assert_eq!(ran.done(), "i\n7\n");
    // Where there is no lake yet, what to write.
    std::fs::remove_dir_all(folder.path().join("project/lake")).expect("it is there");
    let mut preview = metaxy(&folder, &["preview"]);
    let ran = run(preview.current_dir(folder.path().join("project")), "");
    assert!(ran.stderr.contains("write `uri = \"sqlite:lake/meta.sqlite\"`"), "{}", ran.stderr);
    ran.done();
}
