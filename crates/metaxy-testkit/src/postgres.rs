//! A throwaway PostgreSQL cluster, and in it a database and roles for each test.
//!
//! - One cluster per test process, started by the first test that asks and shared by the rest; a test that needs to stop
//!   a server starts one of its own.
//! - Nothing is left behind. The server is a child of a small shell script that waits on a pipe from the test process.
//!   The pipe closes when that process ends, however it ends (return, panic, abort, kill), and the script stops the
//!   server and removes the folder. If the script itself was killed, the next start sweeps what it left.
//! - PostgreSQL refuses to run as root, so a test run by root gives the cluster to `nobody`.

mod cluster;

use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use postgres::{Client, SimpleQueryMessage};

use crate::leak::MARKER;
use crate::random::token;
use cluster::{Cluster, SUPERUSER};

/// The group whose members the server refuses without TLS.
const TLS_ONLY: &str = "tls_only";

/// A running cluster. It stops when the value is dropped, or the process ends.
#[derive(Debug)]
pub struct Postgres {
    // Goes away first: it is a client of the other.
    admin: Admin,
    cluster: Cluster,
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
        let password = format!("{MARKER}-{}", token());
        let cluster = Cluster::start(&password, tls);
        let admin = cluster.connect("postgres", SUPERUSER, &password).and_then(|mut client| {
            try_run(&mut client, "CREATE ROLE %I", &[TLS_ONLY])?;
            Ok(Admin { client: Mutex::new(client), password })
        });
        let admin = admin.unwrap_or_else(|error| panic!("PostgreSQL refuses its superuser: {error:?}"));
        Self { admin, cluster }
    }

    /// The address to connect to: always `127.0.0.1`.
    #[must_use]
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.cluster.port()
    }

    /// The certificate to trust, for `sslmode=verify-full`. The file lives as long as the cluster.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.cluster.ca_file()
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
        Database { server: self, name, owner, others: Mutex::default() }
    }

    fn role(&self, user: &str) -> Login {
        // What breaks naive quoting, in SQL, connection strings and URLs, belongs in every password.
        let login = Login { user: user.to_owned(), password: format!(r#"{MARKER}-{}'"\ %40@/:?#;="#, token()) };
        run(&mut self.admin.lock(), "CREATE ROLE %I LOGIN PASSWORD %L", &[&login.user, &login.password]);
        login
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
    server: &'a Postgres,
    name: String,
    owner: Login,
    others: Mutex<Vec<String>>,
}

impl Database<'_> {
    /// The address to connect to: always `127.0.0.1`.
    #[must_use]
    pub fn host(&self) -> &'static str {
        self.server.host()
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The certificate to trust, for `sslmode=verify-full`.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.server.ca_file()
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
        let login = self.server.role(&format!("{rights:?}_{}", token()).to_lowercase());
        self.others.lock().unwrap_or_else(PoisonError::into_inner).push(login.user.clone());
        let admin = &mut self.server.admin.lock();
        run(admin, "GRANT CONNECT ON DATABASE %I TO %I", &[&self.name, &login.user]);
        match rights {
            RoleRights::Connect => {}
            RoleRights::Read => run(admin, "GRANT pg_read_all_data TO %I", &[&login.user]),
            RoleRights::Write => run(admin, "GRANT pg_read_all_data, pg_write_all_data TO %I", &[&login.user]),
        }
        login
    }

    /// Makes the server log each statement of those that connect from now on, see [`logged`](Self::logged).
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub fn log_statements(&self) {
        run(&mut self.server.admin.lock(), "ALTER DATABASE %I SET log_statement = 'all'", &[&self.name]);
    }

    /// What the server's log says of this database.
    ///
    /// # Panics
    ///
    /// When the log cannot be read.
    #[must_use]
    pub fn logged(&self) -> String {
        self.server.cluster.logged(&self.name)
    }

    /// Makes the server refuse a role that connects without TLS.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub fn require_tls(&self, login: &Login) {
        run(&mut self.server.admin.lock(), "GRANT %I TO %I", &[TLS_ONLY, &login.user]);
    }

    /// Connects without TLS.
    ///
    /// # Errors
    ///
    /// What the server says.
    pub fn connect(&self, login: &Login) -> Result<Client, postgres::Error> {
        self.server.cluster.connect(&self.name, &login.user, &login.password)
    }

    /// The rows of a query, asked by the superuser, as text; a null is `NULL`.
    ///
    /// # Panics
    ///
    /// When the query fails.
    #[must_use]
    pub fn rows(&self, sql: &'static str) -> Vec<Vec<String>> {
        let messages = self
            .server
            .cluster
            .connect(&self.name, SUPERUSER, &self.server.admin.password)
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
        let admin = &mut self.server.admin.lock();
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
