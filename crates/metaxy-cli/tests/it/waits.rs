//! What does not go on: servers that take a connection and say nothing, and statements that a person ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use metaxy_testkit::{KeyRights, S3Options, S3Server, TempDir, deps};

use crate::run::{metaxy, run};

const SQLITE: &str = r#"{ type = "sqlite", uri = "sqlite:meta.sqlite" }"#;
const LOCAL: &str = r#"{ type = "local", path = "data" }"#;

fn project(catalog: &str, storage: &str) -> TempDir {
    let folder = TempDir::new();
    let text = format!(
        "store = 'dev'\n[stores.dev]\ntype = 'duckdb'\n\
         [stores.dev.config.config]\nextension_directory = '{}'\n\
         [stores.dev.config.ducklake]\ncatalog = {catalog}\nstorage = {storage}\n",
        deps().extensions().display()
    );
    folder.write("metaxy.toml", text);
    folder
}

/// A port where the system takes connections that nobody answers.
fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let (_listener, port) = silent();
    let login = |more: &str| {
        format!(
            "{{ type = 'postgres', secret_name = 'pg', host = '127.0.0.1', port = {port}, database = 'd', user = 'u', \
             password = 'p'{more} }}"
        )
    };
    let storage = format!(
        "{{ type = 's3', secret_name = 's', bucket = 'lake', key_id = 'k', secret = 'x', region = 'r', \
         endpoint = 'http://127.0.0.1:{port}', url_style = 'path' }}"
    );
    let write = ["sql", "--mode", "write", "CREATE TABLE t (i INTEGER)"];
    let read = ["sql", "SELECT 1"];
    // Rows in a bucket, which is at the silent port then.
    let server = S3Server::start(S3Options::default());
    server.bucket("lake");
    let key = server.key(KeyRights::Full);
    let server_port = server.endpoint().rsplit(':').next().expect("a port").to_owned();
    let text = storage.replace(&port.to_string(), &server_port);
    let text = text.replace("key_id = 'k', secret = 'x'", &format!("key_id = '{}', secret = '{}'", key.id, key.secret));
    let text = text.replace("region = 'r'", &format!("region = '{}'", server.region()));
    let moved = project(SQLITE, &text);
    run(&mut metaxy(&moved, &["sql", "--mode", "write", "CREATE TABLE t AS FROM range(100)"]), "").done();
    let ask =
        ["sql", "--format", "csv", "SELECT current_setting('http_timeout') AS s, current_setting('http_retries') AS r"];
    assert_eq!(run(&mut metaxy(&moved, &ask), "").done(), "s,r\n10,3\n");
    let config = moved.join("metaxy.toml");
    let text = std::fs::read_to_string(&config).expect("it is there").replace(&server_port, &port.to_string());
    let settings = "http_timeout = 2\nhttp_retries = 0\n[stores.dev.config.ducklake]";
    moved.write("metaxy.toml", text.replace("[stores.dev.config.ducklake]", settings));
    let rows = ["sql", "FROM t"];
    // All at once, since all that they do is to wait.
    let waiting = [
        (project(&login(""), LOCAL), &read[..], "help: correct `host` and `port`", 10..60),
        (project(&login(", secret_parameters = { connect_timeout = '2' }"), LOCAL), &read[..], "correct `host`", 2..60),
        (project(&login(""), LOCAL), &["doctor"][..], "does not answer", 10..60),
        (project(SQLITE, &storage), &write[..], "help: correct `endpoint`", 5..60),
        (moved, &rows[..], "raise `http_timeout`", 2..20),
    ];
    thread::scope(|scope| {
        for (folder, arguments, told, seconds) in &waiting {
            scope.spawn(move || {
                let start = Instant::now();
                let ran = run(&mut metaxy(folder, arguments), "");
                let took = start.elapsed().as_secs();
                let said = [ran.stdout.as_str(), &ran.stderr].concat();
                assert!(ran.exit == 1 && said.contains("does not answer") && said.contains(told), "{said}");
                assert!(seconds.contains(&took), "{arguments:?} took {took} s, not {seconds:?}");
            });
        }
    });
}

#[cfg(unix)]
#[test]
fn a_statement_that_is_ended_leaves_nothing_in_the_lake() {
    let folder = project(SQLITE, LOCAL);
    run(&mut metaxy(&folder, &["sql", "--mode", "write", "CREATE TABLE t (i INTEGER)"]), "").done();
    // More than anybody waits for.
    let endless = "INSERT INTO t FROM range(400000) UNION ALL SELECT count(*) FROM range(1000000000000)";
    let script = ["INSERT INTO t VALUES (1); ", endless].concat();
    let begun = ["BEGIN; INSERT INTO t VALUES (1); ", endless, "; COMMIT"].concat();
    let query = "SELECT count(*) FROM range(1000000000000)";
    let (_listener, port) = silent();
    let login = format!(
        "{{ type = 'postgres', secret_name = 'pg', host = '127.0.0.1', port = {port}, database = 'd', user = 'u', \
         password = 'p' }}"
    );
    let elsewhere = project(&login, LOCAL);
    let opened = "opened";
    for (folder, arguments, begins_with, signal, exit, told) in [
        (&folder, &["-v", "sql", "--mode", "write", &script][..], opened, "INT", 130, "it was interrupted"),
        (&folder, &["-v", "sql", "--mode", "write", &begun][..], opened, "TERM", 143, "nothing is stored"),
        (&folder, &["-v", "sql", query][..], opened, "INT", 130, "it was interrupted"),
        // What waits for a server cannot be ended but with the program.
        (&elsewhere, &["sql", query][..], "", "TERM", 143, ""),
        // Nor what waits for its input.
        (&folder, &["sql", "-"][..], "", "INT", 130, ""),
    ] {
        let mut command = metaxy(folder, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let mut said = String::new();
        while !begins_with.is_empty() && !said.contains(begins_with) {
            assert_ne!(stderr.read_line(&mut said).expect("it is a text"), 0, "{arguments:?}: {said}");
        }
        // Nothing tells that the program waits.
        thread::sleep(Duration::from_millis(if begins_with.is_empty() { 3000 } else { 500 }));
        let sent = Command::new("kill").args([&["-", signal].concat(), &child.id().to_string()]).status();
        assert!(sent.expect("it is there").success());
        let start = Instant::now();
        stderr.read_to_string(&mut said).expect("it is a text");
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(exit), "{arguments:?}: {said}");
        assert!(said.contains(told), "{arguments:?}: {said}");
        assert!(start.elapsed() < Duration::from_secs(10), "{arguments:?}");
    }
    let files = folder.files().into_iter().filter(|file| file.ends_with(".parquet")).collect::<Vec<_>>();
    assert_eq!(files, [""; 0]);
    let rows = ["sql", "--format", "csv", "SELECT count(*)::INTEGER AS n FROM t"];
    assert_eq!(run(&mut metaxy(&folder, &rows), "").done(), "n\n0\n");
    run(&mut metaxy(&folder, &["sql", "--mode", "write", "INSERT INTO t VALUES (2)"]), "").done();
}
