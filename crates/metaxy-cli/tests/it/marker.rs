//! A secret wherever a configuration can have one, in tables with free keys and inside of URLs, too: no command shows it.
//!
//! `run` looks for the secret in all that a command writes.

use metaxy_testkit::{KeyRights, MARKER, S3Options, S3Server, TempDir, assert_no_leak, deps};

use crate::run::{SECRET, metaxy, run};
use crate::servers::Servers;

const LAKE: &str = "
config.ducklake.catalog = { type = 'sqlite', uri = 'lake.sqlite' }
config.ducklake.storage = { type = 'local', path = 'data' }
";

/// What is added to a store with a lake in files.
const WITH_LAKE: &[&str] = &[
    "config.config.http_proxy = 'http://user:{SECRET}@127.0.0.1:1'",
    "config.config.http_proxy_password = '{SECRET}'",
    "config.config.a_setting_of_tomorrow = '{SECRET}'",
    "config.config.custom_user_agent = '{SECRET}'",
    "config.config.memory_limit = 'https://user:{SECRET}@host'",
    "config.config.temp_directory = 'tmp?sig={SECRET}'",
    "config.ducklake.attach_options = { meta_encryption_key = '{SECRET}' }",
    "config.ducklake.attach_options = { meta_journal_mode = 'https://user:{SECRET}@host' }",
    "config.ducklake.attach_options = { metadata_parameters = { ENCRYPTION_KEY = '{SECRET}' } }",
    "config.ducklake.attach_options = { snapshot_time = 'https://user:{SECRET}@host' }",
    "config.ducklake.attach_options = { tomorrow = '{SECRET}' }",
    "config.extensions = [{ name = 'sqlite', init_sql = [\"SET VARIABLE token = '{SECRET}'\"] }]",
    "config.extensions = [{ name = 'sqlite', init_sql = [\"SELEKT '{SECRET}'\"] }]",
    "config.extensions = [{ name = 'nosuch', repository = 'http://user:{SECRET}@127.0.0.1:1' }]",
    "config.database = 'md:lake?motherduck_token={SECRET}'",
    "config.fallback_stores = ['https://user:{SECRET}@host']",
    "config.hash_algorithm = 'https://user:{SECRET}@host'",
];

/// What makes up a store.
const ALONE: &[&str] = &[
    "config.ducklake.catalog = { type = 'sqlite', uri = 'x.sqlite?password={SECRET}' }
     config.ducklake.storage = { type = 'local', path = 'data?token={SECRET}' }",
    "config.ducklake.catalog = { type = 'postgres', secret_name = 'p', secret_parameters = { uri = 'postgresql://u:{SECRET}@127.0.0.1:1/d' } }
     config.ducklake.storage = { type = 'local', path = 'data' }",
    "config.ducklake.catalog = { type = 'postgres', secret_name = 'p', host = 'https://u:{SECRET}@127.0.0.1', database = 'd', user = 'u', password = '{SECRET}' }
     config.ducklake.storage = { type = 'local', path = 'data' }",
    "config.ducklake.catalog = { type = 'sqlite', uri = 'x.sqlite' }
     config.ducklake.storage = { type = 's3', secret_name = 's', bucket = 'b', endpoint = 'http://id:{SECRET}@127.0.0.1:1' }",
    "config.ducklake.catalog = { type = 'sqlite', uri = 'x.sqlite' }
     config.ducklake.storage = { type = 's3', secret_name = 's', bucket = 'b', region = 'https://id:{SECRET}@h', secret_parameters = { tomorrow = '{SECRET}', extra_http_headers = { X = '{SECRET}' } } }",
    "config.ducklake.catalog = { type = 'motherduck', database = 'lake?motherduck_token={SECRET}' }",
];

fn check(name: &str, store: &str) {
    let folder = TempDir::new();
    let text = ["store = 'dev'\n[stores.dev]\ntype = 'duckdb'\n", store].concat().replace(SECRET, MARKER);
    folder.write("metaxy.toml", text);
    for arguments in [
        &["check"][..],
        &["check", "--untrusted"],
        &["preview"],
        &["preview", "--format", "json"],
        &["config", "print"],
        &["config", "print", "--format", "json"],
        &["doctor", "--verbose"],
        &["-vv", "sql", "--mode", "write", "CREATE TABLE t AS SELECT 1 AS id"],
    ] {
        let mut command = metaxy(&folder, arguments);
        command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions()).env("METAXY_TRUST", "1");
        let ran = run(&mut command, "");
        assert!(!(ran.stdout + &ran.stderr).is_empty() || ran.exit == 0, "{name}: {arguments:?}");
    }
}

#[test]
fn no_command_shows_a_secret_beside_a_lake() {
    for store in WITH_LAKE {
        check(store, &[store, LAKE].concat());
    }
}

#[test]
fn no_command_shows_a_secret_of_a_lake() {
    for store in ALONE {
        check(store, store);
    }
}

#[test]
fn a_query_that_fails_shows_no_credential() {
    let folder = TempDir::new();
    folder.write("metaxy.toml", ["[stores.dev]\ntype = 'duckdb'", LAKE].concat());
    // What a person types reaches the program on its input, since arguments can be seen.
    for query in [
        "FROM read_parquet('http://user:{SECRET}@127.0.0.1:1/x.parquet')",
        "ATTACH 'postgres:host=127.0.0.1 port=1 user=u password={SECRET}' AS p (TYPE postgres)",
        "ATTACH 'postgresql://u:{SECRET}@127.0.0.1:1/d' AS p (TYPE postgres)",
        "FROM 'x.parquet?token={SECRET}'",
    ] {
        let mut command = metaxy(&folder, &["-vv", "sql", "--mode", "write", "-"]);
        command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions());
        let ran = run(&mut command, &query.replace(SECRET, MARKER));
        assert_eq!(ran.exit, 1, "{query}: {}", ran.stderr);
    }
}

/// What DuckDB itself shows of an open lake, to a person who may do everything.
#[test]
fn the_engine_shows_no_secret_of_a_lake() {
    let server = S3Server::start(S3Options::default());
    server.bucket("lake");
    let key = server.key(KeyRights::Full);
    assert!(key.secret.contains(MARKER), "nothing would be found");
    let folder = TempDir::new();
    let storage = format!(
        "config.ducklake.catalog = {{ type = 'sqlite', uri = 'lake.sqlite' }}\n\
         config.ducklake.storage = {{ type = 's3', secret_name = 's', bucket = 'lake', key_id = '{}', secret = '{}', \
         endpoint = '{}', region = '{}', url_style = 'path', use_ssl = false }}",
        key.id,
        key.secret,
        server.endpoint(),
        server.region(),
    );
    folder.write("metaxy.toml", ["[stores.dev]\ntype = 'duckdb'\n", &storage].concat());
    let sql = |statements: &str| {
        let mut command = metaxy(&folder, &["-vv", "sql", "--mode", "write", "--format", "json", "-"]);
        command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions()).env("RUST_LOG", "trace");
        run(&mut command, statements).done()
    };
    sql("CREATE TABLE t AS FROM range(100) AS r(id)");
    assert!(sql("FROM duckdb_secrets()").contains("redacted"));
    assert!(sql("EXPLAIN ANALYZE SELECT count(*) FROM t WHERE id > 7").contains("TABLE_SCAN"));
    assert!(sql("FROM duckdb_settings()").contains("threads"));
    assert!(sql("FROM duckdb_databases()").contains("lake.sqlite"));
    sql("PRAGMA enable_profiling = 'json'; SET profiling_output = 'profile.json'; SELECT count(*) FROM t WHERE id > 7");
    assert_no_leak(&std::fs::read_to_string(folder.join("profile.json")).expect("a profile"), "a profile");
    let logged = sql("CALL enable_logging(level = 'trace'); SELECT count(*) FROM t WHERE id > 7; FROM duckdb_logs");
    assert!(logged.contains("SELECT count(*)"), "{logged}");
    // What is left on the disk is the configuration, in which the secret was written.
    for file in folder.files().into_iter().filter(|file| file != "metaxy.toml") {
        let content = std::fs::read(folder.join(&file)).expect("a file that is left");
        assert_no_leak(&String::from_utf8_lossy(&content), &file);
    }
}

/// What the server of a catalog writes down, when it is told to write down everything.
#[test]
fn a_server_is_told_no_secret_in_a_statement() {
    let servers = Servers::start();
    servers.database.log_statements();
    let folder = TempDir::new();
    let metaxy = |arguments: &[&str]| {
        let mut command = metaxy(&folder, arguments);
        command.envs(servers.variables.iter().map(|(name, value)| (name, value)));
        command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions());
        run(&mut command, "")
    };
    metaxy(&["init", "--catalog", "postgres", "--storage", "local"]).done();
    metaxy(&["sql", "--mode", "write", "CREATE TABLE t AS FROM range(100) AS r(id)"]).done();
    metaxy(&["sql", "--mode", "write", "INSERT INTO t VALUES (1)"]).done();
    metaxy(&["doctor", "--write"]);
    assert_eq!(metaxy(&["sql", "FROM nowhere"]).exit, 1);
    let logged = servers.database.logged();
    assert!(logged.contains("statement: ") && logged.contains("ducklake_snapshot"), "{logged}");
    assert_no_leak(&logged, "the server's log");
}

/// A program that crashes leaves its memory nowhere, and shows nothing to who lists processes.
#[cfg(target_os = "linux")]
#[test]
fn a_running_program_shows_no_secret() {
    use std::io::Write as _;
    use std::process::Stdio;

    let folder = TempDir::new();
    folder.write("metaxy.toml", ["[stores.dev]\ntype = 'duckdb'", LAKE].concat());
    let mut command = metaxy(&folder, &["sql", "--mode", "write", "-"]);
    command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program should start");
    let of_process = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
    let has_no_core_dump = || {
        let limits = of_process("limits");
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
        line.split_whitespace().skip(4).take(2).eq(["0", "0"])
    };
    // It waits for its input, but may not have begun yet.
    let is_set = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        has_no_core_dump()
    });
    assert!(is_set, "{}", of_process("limits"));
    for file in ["cmdline", "environ"] {
        assert_no_leak(&of_process(file), file);
    }
    let children = of_process(&format!("task/{}/children", child.id()));
    assert_eq!(children, "", "it starts no other program");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(b"SELECT 1").expect("it reads");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
}
