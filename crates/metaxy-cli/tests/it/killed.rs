//! Commands that are killed while they change a lake, and run again: nothing is lost, and the end is the same.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use metaxy_testkit::{Database, Postgres, TempDir, deps};

use crate::run::{metaxy, run};

fn catalog_table(catalog: &str, database: Option<&Database<'_>>) -> String {
    match database {
        Some(database) => format!(
            "{{ type = 'postgres', secret_name = 'pg', host = '{}', port = {}, database = '{}', user = '{}', password = '''{}''' }}",
            database.host(),
            database.port(),
            database.name(),
            database.owner().user,
            database.owner().password
        ),
        None if catalog == "duckdb" => "{ type = 'duckdb', uri = 'duckdb:meta.ducklake' }".to_owned(),
        None => "{ type = 'sqlite', uri = 'sqlite:meta.sqlite' }".to_owned(),
    }
}

fn configuration(catalog: &str, database: Option<&Database<'_>>) -> String {
    let of_catalog = catalog_table(catalog, database);
    format!(
        "[stores.dev]\ntype = 'duckdb'\n[stores.dev.config.ducklake]\ncatalog = {of_catalog}\n\
         storage = {{ type = 'local', path = 'data' }}\n\
         [ext.rust.lake.dev]\nprotect = false\n\
         options = {{ parquet_compression = 'zstd', parquet_version = 2, target_file_size = '1MB', hive_file_pattern = false }}\n\
         schemas.archive.options = {{ parquet_version = 1 }}\n\
         tables.t = {{ partitioned_by = ['part'], sorted_by = ['id'], comment = 'kept', options = {{ auto_compact = true }} }}\n\
         tables.u = {{ comment = 'kept, too' }}\n"
    )
}

fn typed(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = metaxy(folder, arguments);
    command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions());
    command.env("METAXY_STORES__DEV__CONFIG__CONFIG__ALLOW_UNSIGNED_EXTENSIONS", "true");
    command.env("METAXY_STORES__NEXT__CONFIG__CONFIG__ALLOW_UNSIGNED_EXTENSIONS", "true");
    command
}

/// Runs a command again and again, each time for a little longer before it is killed.
fn kill(folder: &TempDir, arguments: &[&str], times: u32, longer: Duration) {
    for time in 1..=times {
        let mut child =
            typed(folder, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        thread::sleep(longer * time);
        drop(child.kill());
        child.wait().expect("it ends");
    }
}

fn check(catalog: &str, times: u32, longer: Duration) {
    let database = (catalog == "postgres").then(|| Postgres::shared().database());
    let folder = TempDir::new();
    folder.write("metaxy.toml", configuration(catalog, database.as_ref()));
    let made =
        "CREATE TABLE t (id BIGINT, part BIGINT); CREATE TABLE u AS SELECT range AS i FROM range(40);".to_owned();
    let filled = (0..6).map(|number| {
        format!(
            "INSERT INTO t SELECT {number} * 100 + range, {number} % 2 FROM range(30);
             DELETE FROM t WHERE id = {number} * 100 + 7;"
        )
    });
    let script = [made].into_iter().chain(filled).collect::<Vec<_>>().concat();
    run(&mut typed(&folder, &["sql", "--mode", "write", &script]), "").done();
    run(
        &mut typed(&folder, &["sql", "--mode", "write", "INSERT INTO t VALUES (-1, 0); INSERT INTO u VALUES (-1)"]),
        "",
    )
    .done();
    let content = || {
        let query = "SELECT count(*), sum(id), count(DISTINCT id), (SELECT sum(i) FROM u) FROM t";
        run(&mut typed(&folder, &["sql", "--format", "csv", query]), "").done()
    };
    let before = content();

    kill(&folder, &["apply", "--yes"], times, longer);
    run(&mut typed(&folder, &["apply", "--yes"]), "").done();
    assert_eq!(run(&mut typed(&folder, &["plan"]), "").exit, 0, "{catalog}: all of it is applied");
    assert_eq!(content(), before, "{catalog}");

    kill(&folder, &["maintain", "--alone"], times, longer);
    run(&mut typed(&folder, &["maintain", "--alone"]), "").done();
    let left = run(&mut typed(&folder, &["maintain", "--alone"]), "").done();
    assert!(left.starts_with("there is nothing to do"), "{catalog}: {left}");
    assert_eq!(content(), before, "{catalog}");
    let older = "SELECT count(*) FROM t AT (VERSION => 1)";
    assert_eq!(run(&mut typed(&folder, &["sql", "--format", "csv", older]), "").done().lines().last(), Some("174"));
}

#[test]
fn killed_commands_are_run_again() {
    check("sqlite", 3, Duration::from_millis(250));
}

#[test]
#[ignore = "the same many times on every catalog, which takes minutes"]
fn killed_commands_are_run_again_many_times() {
    for catalog in ["sqlite", "duckdb", "postgres"] {
        check(catalog, 24, Duration::from_millis(40));
    }
}

/// Moves a lake and takes the move back, each killed again and again: there is one lake that can be attached, with all rows.
fn check_migrated(from: &str, to: &str, times: u32, longer: Duration) {
    let database = [from, to].contains(&"postgres").then(|| Postgres::shared().database());
    let of = |kind: &str| catalog_table(kind, database.as_ref().filter(|_| kind == "postgres"));
    let store = |name: &str, kind: &str| {
        format!(
            "[stores.{name}]\ntype = 'duckdb'\nconfig.ducklake.catalog = {}\n\
             config.ducklake.storage = {{ type = 'local', path = 'data' }}\n",
            of(kind)
        )
    };
    let folder = TempDir::new();
    let declared = "[ext.rust.lake.next]\nmigrate_from = 'dev'\n".to_owned();
    folder.write("metaxy.toml", [store("dev", from), store("next", to), declared].concat());
    let script = "CREATE TABLE t AS SELECT range AS id FROM range(100); COMMENT ON TABLE t IS 'kept';
                  DELETE FROM t WHERE id % 3 = 0; INSERT INTO t SELECT range FROM range(1000, 1050)";
    for statement in script.split(';') {
        run(&mut typed(&folder, &["sql", "--mode", "write", statement]), "").done();
    }
    run(&mut typed(&folder, &["maintain", "--alone", "--only", "flush"]), "").done();
    let query = "SELECT count(*), sum(id), (SELECT count(*) FROM t AT (VERSION => 1)) FROM t";
    let content = |store: &str| run(&mut typed(&folder, &["sql", "--store", store, "--format", "csv", query]), "");
    let before = content("dev").done();
    for (arguments, lake, fenced) in [
        (&["migrate", "catalog", "next"][..], "next", "dev"),
        (&["migrate", "catalog", "next", "--undo"], "dev", "next"),
        (&["migrate", "catalog", "next", "--write-config"], "dev", "next"),
    ] {
        for time in 1..=times {
            kill(&folder, arguments, 1, longer * time);
            // Between the two fences of `--undo`, none can be attached.
            let readable = ["dev", "next"].map(content).into_iter().filter(|read| read.exit == 0);
            let readable: Vec<_> = readable.map(|read| read.stdout).collect();
            assert!(readable.contains(&before) || arguments.contains(&"--undo"), "{from} → {to}, {arguments:?}");
        }
        run(&mut typed(&folder, arguments), "").done();
        assert_eq!(content(lake).done(), before, "{from} → {to}, {arguments:?}");
        let refused = content(fenced);
        assert_eq!(refused.exit, 1, "{from} → {to}, {arguments:?}");
        assert!(refused.stderr.contains("the lake was moved"), "{from} → {to}: {}", refused.stderr);
    }
}

#[test]
fn a_move_that_is_killed_is_run_again() {
    check_migrated("sqlite", "postgres", 3, Duration::from_millis(300));
}

#[test]
#[ignore = "the same many times in every direction, which takes minutes"]
fn moves_that_are_killed_many_times_are_run_again() {
    for from in ["sqlite", "duckdb", "postgres"] {
        for to in ["sqlite", "duckdb", "postgres"] {
            if from != to {
                check_migrated(from, to, 20, Duration::from_millis(60));
            }
        }
    }
}

/// Moves the files of a lake, killed again and again: there is one data path at which all rows can be read, and the files of
/// the other one stay.
fn check_data_moved(catalog: &str, times: u32, longer: Duration) {
    let database = (catalog == "postgres").then(|| Postgres::shared().database());
    let store = |name: &str, path: &str| {
        format!(
            "[stores.{name}]\ntype = 'duckdb'\nconfig.ducklake.catalog = {}\n\
             config.ducklake.storage = {{ type = 'local', path = '{path}' }}\n",
            catalog_table(catalog, database.as_ref())
        )
    };
    let folder = TempDir::new();
    folder.write("metaxy.toml", [store("dev", "data"), store("next", "other")].concat());
    let insert = |number: u32| format!("INSERT INTO t FROM range({number}00, {number}20);");
    let script = ["CREATE TABLE t (id BIGINT);".to_owned()].into_iter().chain((1..=30).map(insert));
    let script: String = script.chain(["DELETE FROM t WHERE id % 7 = 0".to_owned()]).collect();
    run(&mut typed(&folder, &["--store", "dev", "sql", "--mode", "write", &script]), "").done();
    let query = "SELECT count(*), sum(id), (SELECT count(*) FROM t AT (VERSION => 1)) FROM t";
    let content = |store: &str| run(&mut typed(&folder, &["sql", "--store", store, "--format", "csv", query]), "");
    let files = |path: &str| folder.files().into_iter().filter(|file| file.starts_with(path)).count();
    let (before, kept) = (content("dev").done(), files("data/"));
    let arguments = ["--store", "dev", "migrate", "data", "next", "--alone"];
    for time in 1..=times {
        kill(&folder, &arguments, 1, longer * time);
        let read = ["dev", "next"].map(content).into_iter().filter(|read| read.exit == 0);
        let read: Vec<_> = read.map(|read| read.stdout).collect();
        assert!(read.len() == 1 && read[0] == before, "{catalog}: {read:?}");
    }
    run(&mut typed(&folder, &arguments), "").done();
    assert_eq!(content("next").done(), before, "{catalog}");
    let refused = content("dev");
    assert!(refused.exit == 1 && refused.stderr.contains("keeps its data at"), "{catalog}: {}", refused.stderr);
    assert_eq!([files("data/"), files("other/")], [kept; 2], "{catalog}");
}

#[test]
fn a_move_of_files_that_is_killed_is_run_again() {
    check_data_moved("sqlite", 3, Duration::from_millis(150));
}

#[test]
#[ignore = "the same many times on every catalog, which takes minutes"]
fn moves_of_files_that_are_killed_many_times_are_run_again() {
    for catalog in ["sqlite", "duckdb", "postgres"] {
        check_data_moved(catalog, 24, Duration::from_millis(25));
    }
}
