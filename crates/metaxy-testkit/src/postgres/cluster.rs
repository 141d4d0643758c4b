//! The cluster's files and processes: made, started, watched, swept.

use std::env;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};

use super::closed_port;
use crate::deps::deps;
use crate::tls::CertificateAuthority;

pub(super) const SUPERUSER: &str = "postgres";
const PREFIX: &str = "metaxy-testkit-postgres-";
const ROOT: u32 = 0;
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

/// A running server, its folder and its watchdog.
#[derive(Debug)]
pub(super) struct Cluster {
    folder: PathBuf,
    port: u16,
    watchdog: Child,
    /// Held to tell the sweep of other processes that this cluster is in use.
    _lock: File,
}

impl Cluster {
    /// Starts a cluster whose superuser has this password.
    pub(super) fn start(password: &str, tls: bool) -> Self {
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
        init(&programs, folder.path(), &owner, password, tls);

        // Another process may take the port before the server does: then try another one.
        for _ in 0..5 {
            let port = closed_port();
            let log = folder.path().join("server.log");
            let mut watchdog = spawn(&programs, folder.path(), &owner, port);
            match wait_until_ready(&log, port, password) {
                Ok(()) => return Self { folder: folder.keep(), port, watchdog, _lock: lock },
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

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What the server has said of a database.
    pub(super) fn logged(&self, database: &str) -> String {
        let log = self.folder.join("server.log");
        let text = fs::read_to_string(&log).unwrap_or_else(|error| panic!("cannot read `{}`: {error}", log.display()));
        let mut is_of_it = false;
        let lines = text.lines().filter(|line| {
            // What does not fit on a line goes on after a tab.
            is_of_it = if line.starts_with('\t') { is_of_it } else { line.contains(&[" ", database, " "].concat()) };
            is_of_it
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    pub(super) fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Connects without TLS.
    pub(super) fn connect(&self, database: &str, user: &str, password: &str) -> Result<Client, postgres::Error> {
        config(self.port, database, user, password).connect(NoTls)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
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
    set("log_line_prefix", "%m [%p] %d ");
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

/// Waits until the superuser can log in.
fn wait_until_ready(log: &Path, port: u16, password: &str) -> Result<(), NotReady> {
    let config = config(port, "postgres", SUPERUSER, password);
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        // Only who knows the password is our server: the port may be somebody else's.
        match config.connect(NoTls) {
            Ok(_) => return Ok(()),
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
