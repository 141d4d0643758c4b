//! Several programs that write one lake at the same time by `metaxy sql`.

use std::process::{Child, Stdio};

use metaxy_testkit::{TempDir, deps};

use crate::run::{metaxy, run};

const WRITERS: usize = 4;
const INSERTS: usize = 10;

fn sql(folder: &TempDir, arguments: &[&str]) -> std::process::Command {
    let mut command = metaxy(folder, &[&["sql"], arguments].concat());
    command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions());
    // The extensions were checked when they were brought.
    command.env("METAXY_STORES__DEV__CONFIG__CONFIG__ALLOW_UNSIGNED_EXTENSIONS", "true");
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
