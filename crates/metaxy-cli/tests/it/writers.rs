//! Several programs that write one lake at the same time by `metaxy sql`. `cargo xtask load` lets them do so for longer.

use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use metaxy_testkit::{Postgres, TempDir, deps};

use crate::crashes::project;
use crate::run::{metaxy, run};

const WRITERS: usize = 4;
const INSERTS: usize = 10;

fn sql(folder: &TempDir, arguments: &[&str]) -> std::process::Command {
    let mut command = metaxy(folder, &[&["sql"], arguments].concat());
    command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions());
    // The extensions were checked when they were brought.
    command.env("METAXY_STORES__DEV__CONFIG__CONFIG__ALLOW_UNSIGNED_EXTENSIONS", "true").env("METAXY_TRUST", "1");
    command
}

#[test]
fn every_insert_of_every_writer_is_stored() {
    let folder = TempDir::new();
    run(&mut metaxy(&folder, &["init", "--catalog", "sqlite", "--storage", "local"]), "").done();
    run(&mut sql(&folder, &["--mode", "write", "CREATE TABLE t (writer INTEGER, number INTEGER)"]), "").done();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let folder = &folder;
            scope.spawn(move || {
                for number in 0..INSERTS {
                    let insert = format!("INSERT INTO t VALUES ({writer}, {number})");
                    let mut command = sql(folder, &["--mode", "write", &insert]);
                    let child: Child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
                    let output = child.wait_with_output().unwrap();
                    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                }
            });
        }
    });
    let count = "SELECT count(*) AS rows, count(DISTINCT (writer, number)) AS different FROM t";
    let rows = run(&mut sql(&folder, &["--format", "csv", count]), "").done();
    assert_eq!(rows, format!("rows,different\n{all},{all}\n", all = WRITERS * INSERTS));
}

/// Writers at once of each kind of operation, on each kind of catalog: all that they have acknowledged is there, and no more.
///
/// Each does as many operations as `METAXY_LOAD_OPERATIONS` says. While they write, a reader sees whole transactions only.
#[test]
#[ignore = "takes minutes"]
fn all_that_many_writers_do_is_done() {
    let operations = std::env::var("METAXY_LOAD_OPERATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(10);
    for catalog in ["sqlite", "postgres"] {
        for writers in [2, 4, 8] {
            let database = Postgres::shared().database();
            let login = format!(
                "{{ type = 'postgres', secret_name = 'pg', host = '{}', port = {}, database = '{}', user = '{}', \
                 password = '''{}''' }}",
                database.host(),
                database.port(),
                database.name(),
                database.owner().user,
                database.owner().password
            );
            let (of_catalog, options) = match catalog {
                "sqlite" => (
                    "{ type = 'sqlite', uri = 'sqlite:meta.sqlite' }",
                    "attach_options = { meta_journal_mode = 'WAL' }",
                ),
                _ => (login.as_str(), ""),
            };
            let folder = project(of_catalog, "{ type = 'local', path = 'data' }", options);
            let done = |text: &str| run(&mut sql(&folder, &["--mode", "write", text]), "").done();
            done("CREATE TABLE inserted AS SELECT -1 AS writer, -1 AS number");
            done("CREATE TABLE updated AS SELECT range AS writer, 0 AS number FROM range(8)");
            done("CREATE TABLE replaced AS SELECT range AS writer, 0 AS number FROM range(8)");
            for operation in ["insert", "update", "delete and insert", "insert many"] {
                let took = Mutex::new(Vec::new());
                std::thread::scope(|scope| {
                    for writer in 0..writers {
                        let (folder, took) = (&folder, &took);
                        scope.spawn(move || {
                            for number in 0..operations {
                                let text = match operation {
                                    "insert" => format!("INSERT INTO inserted VALUES ({writer}, {number})"),
                                    "update" => {
                                        format!("UPDATE updated SET number = number + 1 WHERE writer = {writer}")
                                    }
                                    "insert many" => {
                                        format!("INSERT INTO inserted SELECT {writer} + 100, {number} FROM range(20)")
                                    }
                                    _ => format!(
                                        "DELETE FROM replaced WHERE writer = {writer}; \
                                         INSERT INTO replaced VALUES ({writer}, {number} + 1)"
                                    ),
                                };
                                let start = Instant::now();
                                run(&mut sql(folder, &["--mode", "write", &text]), "").done();
                                took.lock().expect("nobody panicked").push(start.elapsed());
                            }
                        });
                    }
                    let folder = &folder;
                    scope.spawn(move || {
                        for _ in 0..operations {
                            let rows = "SELECT count(*) % 20 AS part, (SELECT count(*) FROM replaced) AS all_of_them \
                                        FROM inserted WHERE writer >= 100";
                            assert_eq!(
                                run(&mut sql(folder, &["--format", "csv", rows]), "").done(),
                                "part,all_of_them\n0,8\n"
                            );
                        }
                    });
                });
                let mut took = took.into_inner().expect("nobody panicked");
                took.sort_unstable();
                let at = |percent: usize| -> Duration { took[(took.len() - 1) * percent / 100] };
                println!(
                    "{catalog}, {writers} writers, {operation}: {} of {} kept; p50 {:?}, p90 {:?}, p99 {:?}, longest {:?}",
                    took.len(),
                    writers * operations,
                    at(50),
                    at(90),
                    at(99),
                    at(100)
                );
            }
            let kept = "SELECT (SELECT count(*) FROM inserted WHERE writer BETWEEN 0 AND 99) AS inserted,
                               (SELECT count(*) FROM inserted WHERE writer >= 100) AS many,
                               (SELECT sum(number) FROM updated) AS updated,
                               (SELECT sum(number) FROM replaced) AS replaced";
            let rows = run(&mut sql(&folder, &["--format", "csv", kept]), "").done();
            let all = writers * operations;
            assert_eq!(rows, format!("inserted,many,updated,replaced\n{all},{},{all},{all}\n", all * 20));
        }
    }
}
