//! The cluster: passwords, rights, TLS, and that nothing stays.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, thread};

use metaxy_testkit::{
    CertificateAuthority, Database, Login, MARKER, Postgres, Proxy, RoleRights, TempDir, closed_port,
};
use postgres::error::SqlState;

use crate::tls::handshake;

fn refusal(database: &Database<'_>, login: &Login) -> SqlState {
    let Err(error) = database.connect(login) else { panic!("`{}` may log in", login.user) };
    error.code().unwrap_or_else(|| panic!("no answer of the server: {error}")).clone()
}

#[test]
fn the_owner_logs_in_with_the_right_password_only() {
    let database = Postgres::shared().database();
    assert!(database.owner().password.contains(MARKER));
    let mut client = database.connect(database.owner()).unwrap();
    client.batch_execute("CREATE SCHEMA s; CREATE TABLE s.t (i int); INSERT INTO s.t VALUES (42), (NULL)").unwrap();
    assert_eq!(database.tables(), ["s.t"]);
    assert_eq!(database.rows("SELECT * FROM s.t"), [["42"], ["NULL"]]);

    let wrong = Login { password: MARKER.to_owned(), ..database.owner().clone() };
    assert_eq!(refusal(&database, &wrong), SqlState::INVALID_PASSWORD);
    let unknown = Login { user: "nobody_here".to_owned(), ..database.owner().clone() };
    assert_eq!(refusal(&database, &unknown), SqlState::INVALID_PASSWORD);
}

#[test]
fn a_database_belongs_to_its_test() {
    let (mine, other) = (Postgres::shared().database(), Postgres::shared().database());
    assert_ne!(mine.name(), other.name());
    assert_eq!(refusal(&mine, other.owner()), SqlState::INSUFFICIENT_PRIVILEGE);

    let name = mine.name().to_owned();
    let reader = mine.role(RoleRights::Read).user;
    drop(mine);
    let left = other.rows("SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles");
    assert!(!left.iter().flatten().any(|found| *found == name || *found == reader), "{left:?}");
}

#[test]
fn a_role_may_do_what_its_rights_say() {
    let database = Postgres::shared().database();
    let roles =
        [RoleRights::Read, RoleRights::Write, RoleRights::Connect].map(|rights| (rights, database.role(rights)));
    // A table that is younger than the roles: a lake makes its tables when it is first opened.
    let mut owner = database.connect(database.owner()).unwrap();
    owner.batch_execute("CREATE SCHEMA s; CREATE TABLE s.t (i int)").unwrap();

    for (rights, login) in roles {
        let mut client = database.connect(&login).unwrap();
        let mut allows = |sql| match client.batch_execute(sql) {
            Ok(()) => true,
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => false,
            Err(error) => panic!("`{sql}` as {rights:?}: {error:?}"),
        };
        assert_eq!(allows("SELECT * FROM s.t"), rights != RoleRights::Connect, "{rights:?}");
        assert_eq!(allows("INSERT INTO s.t VALUES (1)"), rights == RoleRights::Write, "{rights:?}");
        assert_eq!(allows("DELETE FROM s.t"), rights == RoleRights::Write, "{rights:?}");
        for create in ["CREATE TABLE s.u (i int)", "CREATE TABLE public.u (i int)", "CREATE SCHEMA u"] {
            assert!(!allows(create), "{rights:?}: {create}");
        }
    }
}

#[test]
fn a_role_can_be_refused_without_tls() {
    let database = Postgres::shared().database();
    let login = database.role(RoleRights::Read);
    database.connect(&login).unwrap();
    database.require_tls(&login);
    assert_eq!(refusal(&database, &login), SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
    database.connect(database.owner()).unwrap();
}

/// Asks for TLS as libpq does: `None` when the server has none.
fn ask_for_tls(server: &Postgres) -> Option<TcpStream> {
    let mut socket = TcpStream::connect((server.host(), server.port())).unwrap();
    socket.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
    let mut answer = [0];
    socket.read_exact(&mut answer).unwrap();
    match answer {
        [b'S'] => Some(socket),
        [b'N'] => None,
        other => panic!("not PostgreSQL's answer: {other:?}"),
    }
}

#[test]
fn tls_holds_with_its_own_authority_and_no_other() {
    let server = Postgres::shared();
    handshake(ask_for_tls(server).unwrap(), &server.ca_file()).unwrap();

    let folder = TempDir::new();
    let other = folder.path().join("other.pem");
    CertificateAuthority::new().write(&other);
    let Err(error) = handshake(ask_for_tls(server).unwrap(), &other) else { panic!("another authority is trusted") };
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
}

#[test]
fn a_stopped_server_refuses_connections_and_leaves_no_folder() {
    let server = Postgres::start_without_tls();
    assert!(ask_for_tls(&server).is_none());
    let (address, folder) = ((server.host(), server.port()), server.ca_file().parent().unwrap().to_path_buf());
    assert!(folder.is_dir());
    drop(server);
    assert!(TcpStream::connect(address).is_err());
    assert!(!folder.exists());
    assert!(TcpStream::connect(("127.0.0.1", closed_port())).is_err());
}

/// This test, once more, in a process that starts a cluster and waits to be killed.
struct Victim {
    process: Child,
    folder: PathBuf,
    port: u16,
}

const VICTIM: &str = "METAXY_TESTKIT_VICTIM";

impl Victim {
    fn start(test: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(VICTIM, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut value = |name: &str| lines.find_map(|line| line.strip_prefix(name).map(str::to_owned)).unwrap();
        let folder = PathBuf::from(value("folder="));
        let port = value("port=").parse().unwrap();
        let victim = Self { process, folder, port };
        assert!(victim.listens() && victim.folder.is_dir());
        victim
    }

    /// In the process that is to be killed.
    fn wait_if_asked() {
        if env::var_os(VICTIM).is_some() {
            let server = Postgres::shared();
            println!("\nfolder={}", server.ca_file().parent().unwrap().display());
            println!("port={}", server.port());
            thread::sleep(Duration::from_mins(10));
        }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn listens(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Also when a test fails before it has killed it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn nothing_stays_when_the_test_process_is_killed() {
    Victim::wait_if_asked();
    let mut victim = Victim::start("postgres::nothing_stays_when_the_test_process_is_killed");
    victim.kill();
    assert!(gone(&victim.folder), "still there: {:?}", fs::read_dir(&victim.folder));
    assert!(!victim.listens());
}

#[cfg(target_os = "linux")]
#[test]
fn the_next_start_sweeps_what_a_killed_watchdog_left() {
    Victim::wait_if_asked();
    let mut victim = Victim::start("postgres::the_next_start_sweeps_what_a_killed_watchdog_left");
    // The watchdog is the parent of the server, whose number is in the first line of its pid file.
    let pid = fs::read_to_string(victim.folder.join("data/postmaster.pid")).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", pid.lines().next().unwrap())).unwrap();
    let watchdog = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim();
    assert!(Command::new("kill").args(["-9", watchdog]).status().unwrap().success());
    let age = |seconds| {
        let then = SystemTime::now() - Duration::from_secs(seconds);
        fs::File::open(&victim.folder).unwrap().set_modified(then).unwrap();
    };

    age(600);
    drop(Postgres::start());
    assert!(victim.listens(), "a cluster in use was swept");
    victim.kill();
    drop(Postgres::start());
    assert!(!victim.folder.exists());
    assert!(!victim.listens());
}

/// Whether the folder goes away soon.
fn gone(folder: &Path) -> bool {
    let start = Instant::now();
    while folder.exists() && start.elapsed() < Duration::from_mins(1) {
        thread::sleep(Duration::from_millis(20));
    }
    !folder.exists()
}

#[test]
fn a_proxy_counts_round_trips_and_delays_them() {
    let database = Postgres::shared().database();
    let proxy = Proxy::before(database.port());
    let Login { user, password } = database.owner();
    let mut client = postgres::Config::new()
        .host(database.host())
        .port(proxy.port())
        .dbname(database.name())
        .user(user)
        .password(password)
        .ssl_mode(postgres::config::SslMode::Disable)
        .connect(postgres::NoTls)
        .unwrap();
    let opening = proxy.take();
    assert_eq!((opening.connections, opening.transactions), (1, 0));
    // The greeting, and the steps of SCRAM.
    assert!((2..=4).contains(&opening.round_trips), "{opening:?}");

    client.batch_execute("SELECT 1; SELECT 2").unwrap();
    assert_eq!(proxy.take().round_trips, 1);
    for statement in ["BEGIN", "SELECT 1", "COMMIT"] {
        client.batch_execute(statement).unwrap();
    }
    let transaction = proxy.take();
    assert_eq!((transaction.connections, transaction.round_trips, transaction.transactions), (0, 3, 1));

    proxy.delay(Duration::from_millis(80));
    let start = Instant::now();
    client.batch_execute("SELECT 1").unwrap();
    assert!(start.elapsed() >= Duration::from_millis(80), "{:?}", start.elapsed());
    drop(client);
    drop(proxy);
}
