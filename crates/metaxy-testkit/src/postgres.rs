//! A throwaway PostgreSQL cluster, and in it a database and roles for each test.
//!
//! - One cluster per test process, started by the first test that asks and shared by the rest; a test that needs to stop
//!   a server starts one of its own.
//! - Nothing is left behind. The server is a child of a small shell script that waits on a pipe from the test process.
//!   The pipe closes when that process ends, however it ends (return, panic, abort, kill), and the script stops the
//!   server and removes the folder. If the script itself was killed, the next start sweeps what it left.
//! - PostgreSQL refuses to run as root, so a test run by root gives the cluster to `nobody`.

use std::env;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::deps::deps;
use crate::leak::MARKER;
use crate::random::token;
use crate::tls::CertificateAuthority;

const PREFIX: &str = "metaxy-testkit-postgres-";
const ROOT: u32 = 0;
const SUPERUSER: &str = "postgres";
/// The group whose members the server refuses without TLS.
const TLS_ONLY: &str = "tls_only";
/// The folder in the cluster's of programs that the owner could not run where they are.
const COPY: &str = "programs";
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Lets in who has a password, by TLS or without, except members of one group without.
const PG_HBA: &str = "\
hostssl   all all       127.0.0.1/32 scram-sha-256
hostnossl all +tls_only 127.0.0.1/32 reject
hostnossl all all       127.0.0.1/32 scram-sha-256
";

/// `$1` is the cluster's folder, the rest is the server's command line.
const WATCHDOG: &str = r#"
folder=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
cat <&3 >/dev/null
kill -QUIT "$server"
wait "$server"
cd /
rm -rf "$folder"
"#;

/// A running cluster. It stops when the value is dropped, or the process ends.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    watchdog: Child,
    /// Held to tell the sweep of other processes that this cluster is in use.
    _lock: File,
    admin: Admin,
}

impl Postgres {
    /// The cluster that the tests of this process share.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a cluster of one's own, with TLS.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(true)
    }

    /// Starts a cluster of one's own that does not know TLS.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start_without_tls() -> Self {
        Self::start_with(false)
    }

    fn start_with(tls: bool) -> Self {
        sweep();
        let programs = deps().postgres_bin();
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .unwrap_or_else(|error| panic!("cannot make a folder for PostgreSQL: {error}"));
        let lock = lock_file(folder.path()).and_then(|file| file.lock().map(|()| file));
        let lock = lock.unwrap_or_else(|error| panic!("cannot lock `{}`: {error}", folder.path().display()));
        let owner = Owner::of_new(folder.path());
        let programs = owner.reachable(programs, folder.path());
        let password = format!("{MARKER}-{}", token());
        init(&programs, folder.path(), &owner, &password, tls);

        // Another process may take the port before the server does: then try another one.
        for _ in 0..5 {
            let port = closed_port();
            let log = folder.path().join("server.log");
            let mut watchdog = spawn(&programs, folder.path(), &owner, port);
            match wait_until_ready(&log, port, &password) {
                Ok(client) => {
                    return Self {
                        folder: folder.keep(),
                        port,
                        watchdog,
                        _lock: lock,
                        admin: Admin { client: Mutex::new(client), password },
                    };
                }
                Err(NotReady::PortTaken) => {
                    // The script must not remove the folder, so it is not told: it is stopped.
                    let _ = watchdog.kill();
                    let _ = watchdog.wait();
                    let _ = fs::remove_file(&log);
                }
                Err(NotReady::Failed(why)) => {
                    let text = fs::read_to_string(&log).unwrap_or_default();
                    drop(watchdog.stdin.take());
                    let _ = watchdog.wait();
                    panic!("PostgreSQL does not start: {why}; its log:\n{text}");
                }
            }
        }
        panic!("PostgreSQL does not start: five free ports in turn were taken by others");
    }

    /// The address to connect to: always `127.0.0.1`.
    #[must_use]
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate to trust, for `sslmode=verify-full`. The file lives as long as the cluster.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Makes an empty database that belongs to a new role. Both go away when the value is dropped.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    #[must_use]
    pub fn database(&self) -> Database<'_> {
        let id = token();
        let name = format!("lake_{id}");
        let owner = self.role(&format!("owner_{id}"));
        let admin = &mut self.admin.lock();
        run(admin, "CREATE DATABASE %I OWNER %I", &[&name, &owner.user]);
        run(admin, "REVOKE ALL ON DATABASE %I FROM PUBLIC", &[&name]);
        Database { cluster: self, name, owner, others: Mutex::default() }
    }

    fn role(&self, user: &str) -> Login {
        // What breaks naive quoting, in SQL, connection strings and URLs, belongs in every password.
        let login = Login { user: user.to_owned(), password: format!(r#"{MARKER}-{}'"\ %40@/:?#;="#, token()) };
        run(&mut self.admin.lock(), "CREATE ROLE %I LOGIN PASSWORD %L", &[&login.user, &login.password]);
        login
    }

    fn connect(&self, database: &str, user: &str, password: &str) -> Result<Client, postgres::Error> {
        config(self.port, database, user, password).connect(NoTls)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// The superuser's connection and password.
struct Admin {
    client: Mutex<Client>,
    password: String,
}

impl Admin {
    /// A test that failed while it held the connection is no reason for the others to fail.
    fn lock(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// What a role may do in a [`Database`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoleRights {
    /// Read every table, those that do not exist yet too.
    Read,
    /// Read and write every table, but create none, and no schema.
    Write,
    /// Connect, and nothing else.
    Connect,
}

/// A role that may log in.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// Its password, which carries [`MARKER`] and characters that need quoting.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A database for one test. It is dropped, with its roles, when the value is.
#[derive(Debug)]
pub struct Database<'a> {
    cluster: &'a Postgres,
    name: String,
    owner: Login,
    others: Mutex<Vec<String>>,
}

impl Database<'_> {
    /// The address to connect to: always `127.0.0.1`.
    #[must_use]
    pub fn host(&self) -> &'static str {
        self.cluster.host()
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.cluster.port()
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The certificate to trust, for `sslmode=verify-full`.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.cluster.ca_file()
    }

    /// The role that owns the database and may do everything in it.
    #[must_use]
    pub fn owner(&self) -> &Login {
        &self.owner
    }

    /// Makes a role with fewer rights.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub fn role(&self, rights: RoleRights) -> Login {
        let login = self.cluster.role(&format!("{rights:?}_{}", token()).to_lowercase());
        self.others.lock().unwrap_or_else(PoisonError::into_inner).push(login.user.clone());
        let admin = &mut self.cluster.admin.lock();
        run(admin, "GRANT CONNECT ON DATABASE %I TO %I", &[&self.name, &login.user]);
        match rights {
            RoleRights::Connect => {}
            RoleRights::Read => run(admin, "GRANT pg_read_all_data TO %I", &[&login.user]),
            RoleRights::Write => run(admin, "GRANT pg_read_all_data, pg_write_all_data TO %I", &[&login.user]),
        }
        login
    }

    /// Makes the server refuse a role that connects without TLS.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub fn require_tls(&self, login: &Login) {
        run(&mut self.cluster.admin.lock(), "GRANT %I TO %I", &[TLS_ONLY, &login.user]);
    }

    /// Connects without TLS.
    ///
    /// # Errors
    ///
    /// What the server says.
    pub fn connect(&self, login: &Login) -> Result<Client, postgres::Error> {
        self.cluster.connect(&self.name, &login.user, &login.password)
    }

    /// The rows of a query, asked by the superuser, as text; a null is `NULL`.
    ///
    /// # Panics
    ///
    /// When the query fails.
    #[must_use]
    pub fn rows(&self, sql: &'static str) -> Vec<Vec<String>> {
        let messages = self
            .cluster
            .connect(&self.name, SUPERUSER, &self.cluster.admin.password)
            .and_then(|mut client| client.simple_query(sql))
            .unwrap_or_else(|error| panic!("`{sql}` fails: {error:?}"));
        messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|column| row.get(column).unwrap_or("NULL").to_owned()).collect())
                }
                _ => None,
            })
            .collect()
    }

    /// Every table of the database, as `schema.table`, sorted: none before the first lake.
    ///
    /// # Panics
    ///
    /// When the query fails.
    #[must_use]
    pub fn tables(&self) -> Vec<String> {
        let rows = self.rows(
            "SELECT schemaname || '.' || tablename FROM pg_tables
             WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
        );
        rows.into_iter().flatten().collect()
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // Not in the way of a failing test: what cannot be dropped goes with the cluster.
        let admin = &mut self.cluster.admin.lock();
        let others = self.others.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = try_run(admin, "DROP DATABASE %I WITH (FORCE)", &[&self.name]);
        for role in others.iter().chain([&self.owner.user]) {
            let _ = try_run(admin, "DROP ROLE %I", &[role]);
        }
    }
}

/// A port on 127.0.0.1 where nobody listens: to be refused, or to start a server on.
///
/// # Panics
///
/// When the machine has none left.
#[must_use]
pub fn closed_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .unwrap_or_else(|error| panic!("no free port on 127.0.0.1: {error}"))
        .port()
}

/// Runs a statement whose names (`%I`) and texts (`%L`) the server itself quotes.
fn try_run(client: &mut Client, statement: &'static str, arguments: &[&str]) -> Result<(), postgres::Error> {
    let row = client.query_one("SELECT format($1::text, VARIADIC $2::text[])", &[&statement, &arguments])?;
    client.batch_execute(row.get(0))
}

fn run(client: &mut Client, statement: &'static str, arguments: &[&str]) {
    try_run(client, statement, arguments).unwrap_or_else(|error| panic!("`{statement}` fails: {error:?}"));
}

fn config(port: u16, database: &str, user: &str, password: &str) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).dbname(database).user(user).password(password);
    config.connect_timeout(Duration::from_secs(10));
    config
}

/// Whom the cluster's files and processes belong to.
struct Owner {
    uid: u32,
    gid: u32,
    /// Whether that is somebody else, because root may not run PostgreSQL.
    other: bool,
}

impl Owner {
    /// Who owns a folder just made by this process, or `nobody` if that is root.
    fn of_new(folder: &Path) -> Self {
        let me = Self::of(folder);
        if me.uid != ROOT {
            return me;
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let nobody = users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.first() == Some(&"nobody"))
                .then(|| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))?
        });
        let Some((uid, gid)) = nobody else {
            panic!("PostgreSQL does not run as root, and there is no user `nobody`: run the tests as another user");
        };
        Self { uid, gid, other: true }
    }

    fn of(path: &Path) -> Self {
        let metadata =
            fs::metadata(path).unwrap_or_else(|error| panic!("cannot look at `{}`: {error}", path.display()));
        Self { uid: metadata.uid(), gid: metadata.gid(), other: metadata.uid() != my_uid() }
    }

    /// The programs where the owner may run them: a copy, when a folder above them keeps others out, as root's home does.
    fn reachable(&self, programs: PathBuf, folder: &Path) -> PathBuf {
        let run = |programs: &Path| self.command(programs.join("initdb")).arg("--version").output();
        if !self.other || run(&programs).is_ok() {
            return programs;
        }
        self.give(folder);
        let copy = folder.join(COPY);
        let whole = programs.parent().unwrap_or(&programs);
        let done = Command::new("cp").arg("-R").arg(whole).arg(&copy).status().and_then(|_| {
            Command::new("chown").arg("-R").arg(format!("{}:{}", self.uid, self.gid)).arg(&copy).status()
        });
        assert!(done.is_ok_and(|status| status.success()), "cannot copy `{}` for `nobody`", whole.display());
        let copy = copy.join("bin");
        if let Err(error) = run(&copy) {
            panic!(
                "`nobody` cannot run `{}`: {error}; set TMPDIR to a folder that everybody may enter",
                copy.display()
            );
        }
        copy
    }

    fn give(&self, path: &Path) {
        if self.other {
            chown(path, Some(self.uid), Some(self.gid))
                .unwrap_or_else(|error| panic!("cannot give `{}` to `nobody`: {error}", path.display()));
        }
    }

    /// A command that runs as the owner, and sees no variable that would lead PostgreSQL elsewhere.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC").current_dir("/");
        if self.other {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }
}

/// Who runs this process, asked without a call that would need unsafe code.
fn my_uid() -> u32 {
    tempfile::tempfile()
        .and_then(|file| file.metadata())
        .unwrap_or_else(|error| panic!("cannot make a temporary file: {error}"))
        .uid()
}

/// Makes the cluster's files in an empty folder.
fn init(programs: &Path, folder: &Path, owner: &Owner, password: &str, tls: bool) {
    let write = |name: &str, content: &str| {
        let path = folder.join(name);
        fs::write(&path, content)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o600)))
            .unwrap_or_else(|error| panic!("cannot write `{}`: {error}", path.display()));
        owner.give(&path);
    };
    write("password", password);
    write("pg_hba.conf", PG_HBA);
    let authority = CertificateAuthority::new();
    authority.write(folder.join("ca.pem"));
    if tls {
        let (certificate, key) = authority.issue();
        write("server.pem", &certificate);
        write("server.key", &key);
    }
    owner.give(folder);

    let initdb = programs.join("initdb");
    let output = owner
        .command(&initdb)
        .args(["--auth=scram-sha-256", "--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C"])
        .arg(format!("--username={SUPERUSER}"))
        .arg("--pwfile")
        .arg(folder.join("password"))
        .arg("--pgdata")
        .arg(folder.join("data"))
        .output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("`initdb` fails: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("cannot run `{}`: {error}", initdb.display()),
    }
    let _ = fs::remove_file(folder.join("password"));
}

/// Starts the server under its watchdog.
fn spawn(programs: &Path, folder: &Path, owner: &Owner, port: u16) -> Child {
    let log = File::create(folder.join("server.log"))
        .and_then(|log| Ok((log.try_clone()?, log)))
        .unwrap_or_else(|error| panic!("cannot make PostgreSQL's log: {error}"));
    let tls = folder.join("server.key").exists();
    let mut command = owner.command("/bin/sh");
    command.args(["-c", WATCHDOG, "watchdog"]).arg(folder);
    command.arg(programs.join("postgres")).arg("-D").arg(folder.join("data")).arg("-p").arg(port.to_string());
    let mut set = |name: &str, value: &str| {
        command.arg("-c").arg(format!("{name}={value}"));
    };
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    set("listen_addresses", "127.0.0.1");
    set("unix_socket_directories", "");
    set("hba_file", &path("pg_hba.conf"));
    // A lake opens many connections, and many tests run at once.
    set("max_connections", "200");
    // Nothing here must outlive a crash.
    for name in ["fsync", "full_page_writes", "synchronous_commit", "autovacuum"] {
        set(name, "off");
    }
    if tls {
        set("ssl", "on");
        set("ssl_cert_file", &path("server.pem"));
        set("ssl_key_file", &path("server.key"));
    }
    command
        .stdin(Stdio::piped())
        .stdout(log.0)
        .stderr(log.1)
        // A Ctrl-C in the terminal is for the test process; the watchdog must live to clean up after it.
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start PostgreSQL: {error}"))
}

enum NotReady {
    PortTaken,
    Failed(String),
}

/// Waits until the superuser can log in, and makes what all databases share.
fn wait_until_ready(log: &Path, port: u16, password: &str) -> Result<Client, NotReady> {
    let config = config(port, "postgres", SUPERUSER, password);
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        // Only who knows the password is our server: the port may be somebody else's.
        match config.connect(NoTls) {
            Ok(mut client) => {
                run(&mut client, "CREATE ROLE %I", &[TLS_ONLY]);
                return Ok(client);
            }
            Err(error) => {
                let text = fs::read_to_string(log).unwrap_or_default();
                if text.contains("could not create any TCP/IP sockets") {
                    return Err(NotReady::PortTaken);
                }
                if text.contains("database system is shut down") || Instant::now() > deadline {
                    return Err(NotReady::Failed(error.to_string()));
                }
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn lock_file(folder: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(folder.join("in-use"))
}

/// Removes clusters whose test process is gone and whose watchdog was killed too.
fn sweep() {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let folder = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) || !is_old(&folder) {
            continue;
        }
        // The lock is free once the process that held it is gone.
        let Ok(lock) = File::options().write(true).open(folder.join("in-use")) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        let owner = Owner::of(&folder);
        let copy = folder.join(COPY).join("bin");
        let programs = if copy.is_dir() { copy } else { deps().postgres_bin() };
        let _ = owner
            .command(programs.join("pg_ctl"))
            .args(["stop", "--mode=immediate", "--silent", "--pgdata"])
            .arg(folder.join("data"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let _ = fs::remove_dir_all(&folder);
    }
}

/// Old enough to be past its start, when the folder is there but not yet locked.
fn is_old(folder: &Path) -> bool {
    let age = fs::metadata(folder).and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
    matches!(age, Ok(Ok(age)) if age > Duration::from_mins(1))
}
