//! Programs that are killed while they write: what they have said to be done is there, once, and nothing is there by half.
//!
//! `cargo xtask crash` kills many more of them.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use metaxy_testkit::{KeyRights, Postgres, S3Options, S3Server, TempDir, deps};

use crate::run::{Ran, metaxy, run};

/// Where a lake is.
#[derive(Clone, Copy, Debug)]
enum Lake {
    Sqlite,
    SqliteWal,
    DuckDb,
    Postgres,
    SqliteOnS3,
}

/// How many rows a statement writes, and whether they are in a file or in the catalog.
const ROWS: [usize; 2] = [30, 5];

/// A project with a feature, and a store with these inline tables.
pub(crate) fn project(catalog: &str, storage: &str, options: &str) -> TempDir {
    let folder = TempDir::new();
    let text = format!(
        "store = 'dev'\nproject = 'p'\n[ext.rust]\nfeatures = ['features.toml']\n[stores.dev]\ntype = 'duckdb'\n\
         [stores.dev.config]\nauto_create_tables = true\n\
         [stores.dev.config.config]\nextension_directory = '{}'\n\
         [stores.dev.config.ducklake]\ncatalog = {catalog}\nstorage = {storage}\n{options}\n",
        deps().extensions().display()
    );
    folder.write("metaxy.toml", text);
    folder.write("features.toml", "[[feature]]\nkey = 'a'\nid_columns = ['id']\n");
    folder
}

fn done(folder: &TempDir, words: &[&str], input: &str) -> Ran {
    run(&mut metaxy(folder, words), input)
}

/// A time that differs from call to call.
fn random(below: Duration) -> Duration {
    below.mul_f64(f64::from(u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(0)) / f64::from(u32::MAX))
}

/// What a write left: how many rows of each of its number.
fn counted(folder: &TempDir, table: &str, column: &str) -> BTreeMap<String, usize> {
    let query = format!("SELECT {column}::VARCHAR AS number, count(*) AS n FROM {table} GROUP BY ALL");
    let rows = done(folder, &["sql", "--format", "csv", &query], "").done();
    let pair = |line: &str| {
        let (number, count) = line.split_once(',').expect("two columns");
        (number.to_owned(), count.parse().expect("a count"))
    };
    rows.lines().skip(1).map(pair).collect()
}

/// Kills writers of a lake, and looks at it by others; how many were killed in time, and the longest write.
fn kill_writers(folder: &TempDir, lake: Lake, kills: usize) -> (usize, Duration) {
    done(folder, &["push"], "").done();
    let begun = Instant::now();
    done(folder, &["sql", "--mode", "write", "CREATE TABLE t (number INTEGER, i INTEGER)"], "").done();
    let mut longest = begun.elapsed();
    let (mut killed, mut acknowledged, mut number) = (0, Vec::new(), 0);
    while killed < kills {
        number += 1;
        let rows = ROWS[number % 2];
        let is_sql = number % 3 != 0;
        let statement = format!("INSERT INTO t SELECT {number}, range FROM range({rows})");
        let line =
            |row| format!("{{\"id\": \"{number}-{row}\", \"metaxy_provenance_by_field\": {{\"default\": \"1\"}}}}\n");
        folder.write("rows.jsonl", (0..rows).map(line).collect::<String>());
        let words: &[&str] = if is_sql {
            &["sql", "--mode", "write", &statement]
        } else {
            &["metadata", "write", "--feature", "a", "rows.jsonl"]
        };
        let mut command = metaxy(folder, words);
        let start = Instant::now();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        // Most of the time goes into starting, which harms nothing: every second kill is in the later half.
        let pause = if number % 2 == 0 { longest / 2 + random(longest / 2) } else { random(longest) };
        thread::sleep(pause);
        let ended = child.try_wait().expect("it is there").is_some();
        if !ended {
            child.kill().expect("it is there");
        }
        let output = child.wait_with_output().expect("it ends");
        if output.status.success() {
            longest = longest.max(start.elapsed()).min(Duration::from_secs(3));
            acknowledged.push((is_sql, number, rows));
        } else {
            // Whoever was not killed has no reason to fail.
            assert!(!ended, "{lake:?}, {words:?}: {}", String::from_utf8_lossy(&output.stderr));
            killed += 1;
        }
    }
    let by_sql = counted(folder, "t", "number");
    let by_write = match done(folder, &["metadata", "status", "a"], "") {
        ran if ran.exit == 0 && acknowledged.iter().any(|(is_sql, ..)| !is_sql) => {
            counted(folder, "a", "split_part(id, '-', 1)")
        }
        _ => BTreeMap::new(),
    };
    for (number, count) in by_sql.iter().chain(&by_write) {
        let number: usize = number.parse().expect("a number");
        assert_eq!(*count, ROWS[number % 2], "{lake:?}: write {number} is there by half, or twice");
    }
    for (is_sql, number, rows) in acknowledged {
        let found = if is_sql { &by_sql } else { &by_write };
        assert_eq!(found.get(&number.to_string()), Some(&rows), "{lake:?}: write {number} was acknowledged");
    }
    let doctor = done(folder, &["doctor", "--deep"], "");
    assert_eq!(doctor.exit, 0, "{lake:?}: {}", doctor.stdout);
    (killed, longest)
}

fn survives(lakes: &[Lake], kills: usize) {
    let server = S3Server::start(S3Options::default());
    server.bucket("lake");
    let key = server.key(KeyRights::Full);
    let objects = format!(
        "{{ type = 's3', secret_name = 's', bucket = 'lake', key_id = '{}', secret = '''{}''', region = '{}', \
         endpoint = '{}', url_style = 'path', use_ssl = false }}",
        key.id,
        key.secret,
        server.region(),
        server.endpoint()
    );
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
    let (sqlite, local) = ("{ type = 'sqlite', uri = 'sqlite:meta.sqlite' }", "{ type = 'local', path = 'data' }");
    thread::scope(|scope| {
        for lake in lakes {
            let (catalog, storage, options) = match lake {
                Lake::Sqlite => (sqlite, local, ""),
                Lake::SqliteWal => (sqlite, local, "attach_options = { meta_journal_mode = 'WAL' }"),
                Lake::DuckDb => ("{ type = 'duckdb', uri = 'duckdb:meta.ducklake' }", local, ""),
                Lake::Postgres => (login.as_str(), local, ""),
                Lake::SqliteOnS3 => (sqlite, objects.as_str(), ""),
            };
            scope.spawn(move || {
                let (killed, longest) = kill_writers(&project(catalog, storage, options), *lake, kills);
                println!(
                    "{lake:?}: {killed} killed, all that was acknowledged is there; a write took up to {longest:?}"
                );
            });
        }
    });
}

#[test]
fn what_a_killed_program_has_acknowledged_is_there() {
    survives(&[Lake::Sqlite, Lake::DuckDb, Lake::Postgres], 4);
}

/// As many as `METAXY_CRASH_KILLS` says.
#[test]
#[ignore = "takes minutes"]
fn what_many_killed_programs_have_acknowledged_is_there() {
    let kills = std::env::var("METAXY_CRASH_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(100);
    survives(&[Lake::Sqlite, Lake::SqliteWal, Lake::DuckDb, Lake::Postgres], kills);
    survives(&[Lake::SqliteOnS3], kills.div_ceil(3));
}
