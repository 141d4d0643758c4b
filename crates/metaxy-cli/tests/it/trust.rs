//! A configuration or a `.env` of somebody else: what it asks for is not done unless the person says so.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use metaxy_testkit::{MARKER, TempDir, closed_port, deps};

use crate::run::{Ran, SECRET, metaxy, run};

const LAKE: &str = "config.ducklake.catalog = { type = 'sqlite', uri = 'lake.sqlite' }
config.ducklake.storage = { type = 'local', path = 'data' }
";

fn with_extensions(mut command: Command) -> Command {
    command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions());
    command
}

/// Opens the lake to write, by a person who has said nothing.
fn sql(folder: &TempDir, arguments: &[&str]) -> Ran {
    run(&mut with_extensions(metaxy(folder, &[&["sql", "--mode", "write", "SELECT 1"], arguments].concat())), "")
}

fn configure(folder: &TempDir, more: &str) {
    folder.write("metaxy.toml", ["[stores.dev]\ntype = 'duckdb'\n", LAKE, more].concat());
}

#[test]
fn what_a_configuration_asks_for_is_done_only_when_it_is_trusted() {
    let folder = TempDir::new();
    folder.write("kept", "mine");
    let was_done =
        || folder.path().join("out").exists() || fs::read(folder.join("kept")).ok().as_deref() != Some(b"mine");
    for (more, sign) in [
        // SQL of its own.
        (
            "config.extensions = [{ name = 'sqlite', init_sql = [\"COPY (SELECT 1) TO 'out' (FORMAT csv)\"] }]",
            "init_sql",
        ),
        // A setting that overwrites a file.
        ("config.config = { log_query_path = 'kept' }", "log_query_path"),
    ] {
        configure(&folder, more);
        for arguments in
            [&["sql", "--mode", "write", "SELECT 1"][..], &["doctor"], &["metadata", "status", "--all-features"]]
        {
            let ran = run(&mut with_extensions(metaxy(&folder, arguments)), "");
            let said = [&*ran.stdout, &ran.stderr].concat();
            assert!(ran.exit == 1 && said.contains(sign) && said.contains("`metaxy trust`"), "{arguments:?}: {said}");
        }
        assert!(!was_done(), "{more}");
        sql(&folder, &["--trust"]).done();
        assert!(was_done(), "{more}: nothing would have been done anyway");
        folder.write("kept", "mine");
        drop(fs::remove_file(folder.join("out")));
    }
}

#[test]
fn trust_ends_where_the_configuration_changes_or_is_copied() {
    const SQL: &str = "config.extensions = [{ name = 'sqlite', init_sql = ['SELECT 1'] }]";
    let folder = TempDir::new();
    configure(&folder, SQL);
    let listed = run(&mut metaxy(&folder, &["check", "--untrusted"]), "");
    assert!(listed.exit == 1 && listed.stdout.contains("`init_sql` of the extension `sqlite`"), "{}", listed.stdout);
    assert!(run(&mut metaxy(&folder, &["trust"]), "").done().contains("needs-trust"));
    run(&mut metaxy(&folder, &["check", "--untrusted"]), "").done();
    sql(&folder, &[]).done();
    // What is harmless may change.
    configure(&folder, &[SQL, "\nconfig.config = { threads = 2 }"].concat());
    sql(&folder, &[]).done();
    configure(&folder, &SQL.replace("SELECT 1", "SELECT 2"));
    assert_eq!(sql(&folder, &[]).exit, 1);
    configure(&folder, SQL);
    sql(&folder, &[]).done();
    // The home directory is where trust is remembered, so it is the same person.
    fs::create_dir(folder.join("copy")).expect("a new folder");
    fs::copy(folder.join("metaxy.toml"), folder.join("copy/metaxy.toml")).expect("a copy");
    let mut copied = with_extensions(metaxy(&folder, &["sql", "--mode", "write", "SELECT 1"]));
    assert_eq!(run(copied.current_dir(folder.join("copy")), "").exit, 1);
    run(&mut metaxy(&folder, &["trust", "copy"]), "").done();
    run(&mut copied, "").done();

    run(&mut metaxy(&folder, &["trust", "--untrust"]), "").done();
    assert_eq!(sql(&folder, &[]).exit, 1);
    let mut trusted = with_extensions(metaxy(&folder, &["sql", "SELECT 1"]));
    run(trusted.env("METAXY_TRUST", "1"), "").done();
    // The file beside the configuration is no person.
    folder.write(".env", "METAXY_TRUST=1");
    let refused = sql(&folder, &[]);
    assert!(refused.exit == 2 && refused.stderr.contains("`.env` sets `METAXY_TRUST`"), "{}", refused.stderr);
}

/// Why a folder of extensions needs no trust as long as signatures are checked.
#[test]
fn an_extension_that_was_changed_is_not_loaded_without_trust() {
    let folder = TempDir::new();
    let path = deps().extensions().join("v1.5.5");
    let platform = fs::read_dir(&path).expect("a folder").next().expect("a platform").expect("a name").file_name();
    let (from, to) = (path.join(&platform), folder.path().join("ext/v1.5.5").join(&platform));
    fs::create_dir_all(&to).expect("new folders");
    fs::copy(from.join("ducklake.duckdb_extension"), to.join("ducklake.duckdb_extension")).expect("a copy");
    let mut changed = fs::read(from.join("sqlite_scanner.duckdb_extension")).expect("an extension");
    // The signature is at the end: the code is the same, but nobody has signed it.
    *changed.last_mut().expect("some bytes") ^= 1;
    fs::write(to.join("sqlite_scanner.duckdb_extension"), changed).expect("a file");

    let open = |more: &str, arguments: &[&str]| {
        configure(&folder, more);
        run(&mut metaxy(&folder, &[&["-v", "sql", "--mode", "write", "SELECT 1"], arguments].concat()), "")
    };
    let checked = open("config.config = { extension_directory = 'ext' }", &[]);
    assert!(checked.exit == 1 && !checked.stderr.contains("needs trust"), "{}", checked.stderr);
    assert!(checked.stderr.contains("sqlite_scanner") && checked.stderr.contains("signature"), "{}", checked.stderr);
    let unsigned = "config.config = { extension_directory = 'ext', allow_unsigned_extensions = true }";
    let refused = open(unsigned, &[]);
    assert!(refused.exit == 1 && refused.stderr.contains("needs trust"), "{}", refused.stderr);
    open(unsigned, &["--trust"]).done();
}

#[test]
fn a_configuration_has_nothing_overwritten_by_a_lock_file() {
    let folder = TempDir::new();
    folder.write("kept", "[features]\n");
    let lock = |path: &str| {
        folder.write("metaxy.toml", format!("project = 'p'\nmetaxy_lock_path = '{path}'\n[ext.rust]\nfeatures = []"));
        run(&mut metaxy(&folder, &["lock"]), "")
    };
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.join("new"), folder.join("link.lock")).expect("a link");
    // What is no lock file, what a shell would read, and what a link leads to.
    for path in ["kept", ".profile", "link.lock"] {
        let refused = lock(path);
        assert!(refused.exit == 1 && refused.stderr.contains(path), "{path}: {}", refused.stderr);
    }
    assert_eq!(fs::read_to_string(folder.join("kept")).expect("it is there"), "[features]\n");
    assert!(!folder.path().join(".profile").exists() && !folder.path().join("new").exists());
    lock("ours.lock").done();
    lock("ours.lock").done();
}

/// Counts who comes to a port while something is done.
fn visits(listener: &TcpListener, act: impl FnOnce()) -> usize {
    listener.set_nonblocking(true).expect("a setting of the listener");
    act();
    let mut visits = 0;
    let end = Instant::now() + Duration::from_millis(50);
    while Instant::now() < end {
        match listener.accept() {
            Ok(_) => visits += 1,
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
    visits
}

#[test]
fn an_env_file_leads_no_login_and_no_request_elsewhere() {
    const CATALOG: &str =
        "config.ducklake.catalog = { type = 'postgres', secret_name = 'p', host = '127.0.0.2', port = {PORT}, \
                           database = 'd', user = 'u', password = 'p', secret_parameters = { connect_timeout = 2 } }
config.ducklake.storage = { type = 'local', path = 'data' }";
    const STORAGE: &str = "config.ducklake.catalog = { type = 'sqlite', uri = 'lake.sqlite' }
config.ducklake.storage = { type = 's3', secret_name = 's', bucket = 'b', endpoint = 'http://127.0.0.2:{CLOSED}', key_id = 'k', secret = 's' }
config.config = { http_retries = 0 }";
    let folder = TempDir::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    for (store, name, value) in
        [(CATALOG, "PGHOSTADDR", "127.0.0.1".to_owned()), (STORAGE, "HTTP_PROXY", format!("http://127.0.0.1:{port}"))]
    {
        let store = store.replace("{PORT}", &port.to_string()).replace("{CLOSED}", &closed_port().to_string());
        folder.write("metaxy.toml", ["[stores.dev]\ntype = 'duckdb'\n", &store].concat());
        folder.write(".env", format!("{name}={value}\n"));
        let open = |in_environment: bool| {
            let mut command = with_extensions(metaxy(&folder, &["sql", "--mode", "write", "SELECT 1"]));
            if in_environment {
                command.env(name, &value);
            }
            // Whoever listens says nothing, and goes away with what waits.
            let mut child = Ends(command.stderr(Stdio::null()).spawn().expect("the program should start"));
            let end = Instant::now() + Duration::from_secs(5);
            while child.0.try_wait().expect("a process").is_none() && Instant::now() < end {
                if listener.accept().is_ok() {
                    return true;
                }
                thread::sleep(Duration::from_millis(5));
            }
            false
        };
        let mut came = false;
        let later = visits(&listener, || came = open(false));
        assert!(!came && later == 0, "{name} of `.env` is seen by a library");
        assert!(open(true), "{name} leads nowhere, so nothing was tested");
        let listed = run(&mut metaxy(&folder, &["check", "--untrusted"]), "");
        assert!(listed.stderr.contains(name), "{}", listed.stderr);
    }
}

#[test]
fn a_preview_says_what_leads_elsewhere_and_what_needs_trust() {
    let folder = TempDir::new();
    let store = "[stores.dev]
type = 'duckdb'
config.extensions = [{ name = 'sqlite', init_sql = [\"COPY (SELECT '{SECRET}') TO '~/.profile'\"] }]
config.ducklake.catalog = { type = 'postgres', secret_name = 'p', host = 'db.example', database = 'd', user = 'u', password = '{SECRET}' }
config.ducklake.storage = { type = 's3', secret_name = 's', bucket = 'b', key_id = 'k', secret = '{SECRET}' }
";
    folder.write("metaxy.toml", store.replace(SECRET, MARKER));
    let plain = run(&mut metaxy(&folder, &["preview"]), "").done();
    assert!(
        plain.contains("`COPY (SELECT '***') TO '~/.profile'`") && !plain.contains("may lead elsewhere"),
        "{plain}"
    );
    let mut command = metaxy(&folder, &["preview"]);
    let proxy = ["http://id:", MARKER, "@proxy.example"].concat();
    let led = run(command.env("PGHOSTADDR", "10.0.0.1").env("HTTPS_PROXY", proxy), "").done();
    for said in [
        "-- PGHOSTADDR of the environment may lead elsewhere: 10.0.0.1",
        "may lead elsewhere: http://***@proxy.example",
    ] {
        assert!(led.contains(said), "{led}");
    }
}

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[cfg(unix)]
#[test]
fn a_configuration_names_no_device_and_no_pipe() {
    let folder = TempDir::new();
    let made = Command::new("mkfifo").arg(folder.join("pipe")).status().expect("mkfifo should start");
    assert!(made.success());
    for (text, said) in [
        ("extend = '/dev/zero'", "it is a device or a pipe"),
        ("extend = 'pipe'", "it is a device or a pipe"),
        ("project = 'p'\next.rust.features = ['pipe']", "it is a device or a pipe"),
        (
            "[stores.dev]\ntype = 'duckdb'\nconfig.ducklake.catalog = { type = 'sqlite', uri = 'pipe' }
             config.ducklake.storage = { type = 'local', path = 'data' }",
            "the path is that of a device or a pipe",
        ),
        ("[stores.dev]\ntype = 'duckdb'\nconfig.database = '/dev/zero'", "the path is that of a device or a pipe"),
    ] {
        folder.write("metaxy.toml", text);
        let ran = run(&mut metaxy(&folder, &["check"]), "");
        assert!(ran.exit == 1 && ran.stdout.contains(said), "{text}: {}", ran.stdout);
    }
    // A person may name a pipe, but nobody anything without an end.
    let ran = run(&mut metaxy(&folder, &["check", "--config-file", "/dev/zero"]), "");
    assert!(ran.exit == 1 && ran.stdout.contains("larger than 4 MiB"), "{}", ran.stdout);
    run(&mut metaxy(&folder, &["check", "--config-file", "/dev/stdin"]), "store = 'dev'").done();
}
