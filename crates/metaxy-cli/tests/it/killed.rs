//! Commands that are killed while they change a lake, and run again: nothing is lost, and the end is the same.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use metaxy_testkit::{Database, Postgres, TempDir, deps};

use crate::run::{metaxy, run};

fn configuration(catalog: &str, database: Option<&Database<'_>>) -> String {
    let of_catalog = match database {
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
    };
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
