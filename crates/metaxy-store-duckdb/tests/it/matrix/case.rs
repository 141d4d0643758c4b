//! One combination: its configuration, its variables and files, and where its bytes have to be.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use metaxy_testkit::{
    Database, FileKind, KeyPair, KeyRights, MARKER, Postgres, S3Server, TempDir, closed_port, deps, file_kind,
};

use crate::lake::FOR_TESTS;
use crate::matrix::child;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Catalog {
    DuckDb,
    Sqlite,
    Postgres,
    Quack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    Local,
    S3,
    R2,
    Gcs,
}

/// Where the credentials are, of a PostgreSQL catalog and of an object storage alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// There is nothing to log in to.
    None,
    /// In the configuration.
    Inline,
    /// In a persistent secret of DuckDB that is there already.
    Existing,
    /// In variables: `PGPASSWORD`, `AWS_…`.
    Environment,
    /// In files that variables name: a service and a password file of PostgreSQL, an AWS profile.
    Profile,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) catalog: Catalog,
    pub(crate) storage: Storage,
    pub(crate) form: Form,
}

impl Case {
    /// Every combination that can run here, in every form that it has.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for catalog in [Catalog::DuckDb, Catalog::Sqlite, Catalog::Postgres, Catalog::Quack] {
            for storage in [Storage::Local, Storage::S3, Storage::R2, Storage::Gcs] {
                let forms: &[Form] = match (catalog, storage) {
                    (Catalog::DuckDb | Catalog::Sqlite, Storage::Local) => &[Form::None],
                    (Catalog::Quack, _) => &[Form::Inline, Form::Existing],
                    _ => &[Form::Inline, Form::Existing, Form::Environment, Form::Profile],
                };
                all.extend(forms.iter().map(|&form| Self { catalog, storage, form }));
            }
        }
        all
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { catalog, storage, form } = self;
        f.pad(&format!("{catalog:?} + {storage:?}, {form:?}").to_lowercase())
    }
}

/// The prefix in the bucket, with what has to be percent-encoded in a request.
const PREFIX: &str = "lake/year=2024/ä b";
const REGION: &str = "eu-test-1";

/// A case on its way: a folder, a database, a bucket and a key pair of its own.
pub(crate) struct Site {
    pub(crate) case: Case,
    pub(crate) home: TempDir,
    pub(crate) database: Option<Database<'static>>,
    quack: Option<Quack>,
    server: &'static S3Server,
    bucket: String,
    key: KeyPair,
    /// All the variables that its processes get.
    pub(crate) variables: BTreeMap<&'static str, String>,
    /// The files that were there before the lake.
    given: Vec<String>,
}

impl Site {
    pub(crate) fn new(case: Case, server: &'static S3Server) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let bucket = format!("bucket-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        server.bucket(&bucket);
        // What a session gives belongs into variables; keys for good belong into the others.
        let key = match case.form {
            Form::Environment => server.session_key(KeyRights::Full),
            _ => server.key(KeyRights::Full),
        };
        let database = (case.catalog == Catalog::Postgres).then(|| Postgres::shared().database());
        let home = TempDir::new();
        let variables = BTreeMap::from([
            ("HOME", home.join("")),
            ("METAXY_EXTENSION_DIRECTORY", deps().extensions().canonicalize().unwrap().to_str().unwrap().to_owned()),
        ]);
        let quack = (case.catalog == Catalog::Quack).then(|| Quack::start(&variables));
        let mut site = Self { case, home, database, quack, server, bucket, key, variables, given: Vec::new() };
        site.write_credentials();
        site.home.write("metaxy.toml", site.config());
        site.given = site.home.files();
        site
    }

    /// Its `metaxy.toml`.
    fn config(&self) -> String {
        // With the credentials in the configuration, all is as it comes; the other forms need not check the same
        // extensions again.
        let config = match self.case.form {
            Form::None | Form::Inline => String::new(),
            Form::Existing => [FOR_TESTS, "\nconfig.secret_directory = 'secrets'"].concat(),
            Form::Environment | Form::Profile => FOR_TESTS.to_owned(),
        };
        let (catalog, storage) = (self.catalog(), self.storage());
        format!(
            r#"
            store = "lake"
            [stores.lake]
            type = "duckdb"
            [stores.lake.config]
            {config}
            [stores.lake.config.ducklake.catalog]
            {catalog}
            [stores.lake.config.ducklake.storage]
            {storage}
            "#
        )
    }

    fn catalog(&self) -> String {
        if let Some(Quack { port, token, .. }) = &self.quack {
            let secret = "type = 'quack'\nsecret_name = 'lake_catalog'";
            let token = if self.case.form == Form::Existing { String::new() } else { format!("token = {token:?}") };
            return format!("{secret}\nhost = '127.0.0.1'\nport = {port}\n{token}");
        }
        let Some(database) = &self.database else {
            let kind = format!("{:?}", self.case.catalog).to_lowercase();
            return format!("type = {kind:?}\nuri = {:?}", self.catalog_file());
        };
        let (host, port, name) = (database.host(), database.port(), database.name());
        let user = &database.owner().user;
        let secret = "type = 'postgres'\nsecret_name = 'lake_catalog'";
        match self.case.form {
            Form::None | Form::Inline => {
                let password = &database.owner().password;
                format!(
                    "{secret}\nhost = {host:?}\nport = {port}\ndatabase = {name:?}\nuser = {user:?}\npassword = {password:?}"
                )
            }
            Form::Existing => secret.to_owned(),
            Form::Environment => format!(
                "{secret}\nsecret_parameters = {{ host = {host:?}, port = {port}, dbname = {name:?}, user = {user:?} }}"
            ),
            Form::Profile => format!("{secret}\nsecret_parameters = {{ service = 'lake' }}"),
        }
    }

    fn storage(&self) -> String {
        let scheme = match self.case.storage {
            Storage::Local => return "type = 'local'\npath = 'data'".to_owned(),
            Storage::S3 => "s3",
            Storage::R2 => "r2",
            Storage::Gcs => "gs",
        };
        let kind = format!("{:?}", self.case.storage).to_lowercase();
        let data_path = format!("{scheme}://{}/{PREFIX}/", self.bucket);
        let endpoint = self.server.endpoint();
        let secret = format!("type = {kind:?}\nsecret_name = 'lake_storage'\ndata_path = {data_path:?}");
        let server = format!("endpoint = {endpoint:?}, url_style = 'path', use_ssl = false, region = {REGION:?}");
        match self.case.form {
            Form::None | Form::Inline => {
                let KeyPair { id, secret: key, .. } = &self.key;
                format!("{secret}\nkey_id = {id:?}\nsecret = {key:?}\nsecret_parameters = {{ {server} }}")
            }
            Form::Existing => secret,
            Form::Environment => {
                format!("{secret}\nsecret_parameters = {{ provider = 'credential_chain', chain = 'env', {server} }}")
            }
            Form::Profile => format!(
                "{secret}\nsecret_parameters = {{ provider = 'credential_chain', chain = ['config'], profile = 'lake', {server} }}"
            ),
        }
    }

    /// Puts the credentials where the form says, other than into the configuration.
    fn write_credentials(&mut self) {
        match self.case.form {
            Form::None | Form::Inline => {}
            Form::Existing => self.keep_secrets(),
            Form::Environment => {
                if let Some(database) = &self.database {
                    self.variables.insert("PGPASSWORD", database.owner().password.clone());
                }
                self.variables.insert("AWS_ACCESS_KEY_ID", self.key.id.clone());
                self.variables.insert("AWS_SECRET_ACCESS_KEY", self.key.secret.clone());
                self.variables.extend(self.key.session_token.clone().map(|token| ("AWS_SESSION_TOKEN", token)));
            }
            Form::Profile => {
                if let Some(database) = &self.database {
                    let (host, port, name) = (database.host(), database.port(), database.name());
                    let owner = database.owner();
                    let service = format!("[lake]\nhost={host}\nport={port}\ndbname={name}\nuser={}\n", owner.user);
                    // In a password file a colon and a backslash are written with a backslash.
                    let password = owner.password.replace('\\', "\\\\").replace(':', "\\:");
                    let passwords = format!("{host}:{port}:{name}:{}:{password}\n", owner.user);
                    self.give("pg_service.conf", "PGSERVICEFILE", &service);
                    self.give("pgpass", "PGPASSFILE", &passwords);
                }
                let KeyPair { id, secret, .. } = &self.key;
                let keys = format!("[lake]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
                self.give("aws-credentials", "AWS_SHARED_CREDENTIALS_FILE", &keys);
                self.give("aws-config", "AWS_CONFIG_FILE", &format!("[profile lake]\nregion = {REGION}\n"));
            }
        }
    }

    fn give(&mut self, name: &str, variable: &'static str, content: &str) {
        let path = self.home.write(name, content);
        // PostgreSQL ignores a password file that others may read.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        self.variables.insert(variable, path.to_str().unwrap().to_owned());
    }

    /// Keeps the secrets on disk, as a person does once by hand.
    fn keep_secrets(&self) {
        let config = duckdb::Config::default().allow_unsigned_extensions().unwrap();
        let duckdb = duckdb::Connection::open_in_memory_with_flags(config).unwrap();
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let mut script = String::new();
        for (setting, value) in [
            ("extension_directory", &self.variables["METAXY_EXTENSION_DIRECTORY"]),
            ("secret_directory", &self.home.join("secrets")),
        ] {
            writeln!(script, "SET {setting} = {};", quoted(value)).unwrap();
        }
        if let Some(database) = &self.database {
            let (host, name, owner) = (database.host(), database.name(), database.owner());
            let (port, user, password) = (database.port(), quoted(&owner.user), quoted(&owner.password));
            writeln!(
                script,
                "LOAD postgres_scanner; CREATE PERSISTENT SECRET lake_catalog (TYPE postgres, HOST '{host}', PORT {port},
                 DATABASE '{name}', USER {user}, PASSWORD {password});"
            )
            .unwrap();
        }
        if let Some(Quack { port, token, .. }) = &self.quack {
            writeln!(
                script,
                "LOAD quack; CREATE PERSISTENT SECRET lake_catalog (TYPE quack, TOKEN '{token}',
                 SCOPE 'quack:127.0.0.1:{port}');"
            )
            .unwrap();
        }
        if self.case.storage != Storage::Local {
            let kind = format!("{:?}", self.case.storage);
            let (endpoint, id, key) = (self.server.endpoint(), quoted(&self.key.id), quoted(&self.key.secret));
            writeln!(
                script,
                "LOAD httpfs; CREATE PERSISTENT SECRET lake_storage (TYPE {kind}, KEY_ID {id}, SECRET {key},
                 REGION '{REGION}', ENDPOINT '{endpoint}', URL_STYLE 'path', USE_SSL false);"
            )
            .unwrap();
        }
        duckdb.execute_batch(&script).unwrap();
    }

    fn catalog_file(&self) -> &'static str {
        if self.case.catalog == Catalog::Sqlite { "meta/lake.sqlite" } else { "meta/lake.ducklake" }
    }

    /// Fails unless every byte is where the configuration says: the metadata in a catalog of its kind, the rows in
    /// Parquet files below the data path, and nothing anywhere else.
    pub(crate) fn check_bytes(&self) {
        let mut files = self.home.files();
        files.retain(|file| !self.given.contains(file));
        let metadata: Vec<_> = files.extract_if(.., |file| file.starts_with("meta/")).collect();
        let kind = || file_kind(self.home.join(self.catalog_file()));
        match (self.case.catalog, &self.database) {
            (Catalog::Postgres, Some(database)) => {
                assert!(
                    database.tables().iter().any(|table| table == "public.ducklake_table"),
                    "{:?}",
                    database.tables()
                );
                assert!(metadata.is_empty(), "{metadata:?}");
            }
            (Catalog::Quack, _) => {
                assert!(metadata.is_empty(), "{metadata:?}");
                self.quack.as_ref().unwrap().check_bytes();
            }
            (catalog, _) => {
                let (copies, metadata): (Vec<_>, Vec<_>) =
                    metadata.into_iter().partition(|file| file.contains(".copy-"));
                assert!(copies.is_empty() || catalog == Catalog::DuckDb, "{copies:?}");
                assert_eq!(metadata, [self.catalog_file()]);
                assert_eq!(kind(), if catalog == Catalog::Sqlite { FileKind::Sqlite } else { FileKind::DuckDb });
            }
        }
        let local: Vec<_> = files.extract_if(.., |file| file.starts_with("data/")).collect();
        assert!(files.is_empty(), "files that nobody asked for: {files:?}");
        let objects = self.server.objects(&self.bucket);
        let data = if self.case.storage == Storage::Local {
            assert!(objects.is_empty(), "{objects:?}");
            local.iter().map(|file| (file.clone(), fs::read(self.home.join(file)).unwrap())).collect::<Vec<_>>()
        } else {
            assert!(local.is_empty(), "{local:?}");
            objects.iter().map(|key| (key.clone(), self.server.object(&self.bucket, key))).collect()
        };
        assert!(!data.is_empty(), "no data file");
        for (name, content) in data {
            let below = if self.case.storage == Storage::Local { "data/".to_owned() } else { format!("{PREFIX}/") };
            assert!(
                name.starts_with(&below) && content.starts_with(b"PAR1"),
                "`{name}` is no Parquet file below `{below}`"
            );
        }
    }
}

/// A server of a catalog: DuckDB itself, in a process of its own that ends with this value.
struct Quack {
    home: TempDir,
    port: u16,
    token: String,
    process: Child,
}

impl Quack {
    fn start(variables: &BTreeMap<&'static str, String>) -> Self {
        let (home, port, token) = (TempDir::new(), closed_port(), format!("{MARKER}-of-a-quack-server"));
        let mut variables = variables.clone();
        variables.insert("QUACK_PLACE", format!("quack:127.0.0.1:{port}"));
        variables.insert("QUACK_TOKEN", token.clone());
        let mut command = child::command("serve", home.path(), &variables);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        while !home.path().join("serving").exists() {
            assert!(process.try_wait().unwrap().is_none(), "the server of the catalog ended: see above");
            thread::sleep(Duration::from_millis(10));
        }
        Self { home, port, token, process }
    }

    /// Fails unless it keeps the metadata, and no row.
    fn check_bytes(&self) {
        assert_eq!(file_kind(self.home.join("served.duckdb")), FileKind::DuckDb);
        let mut files = self.home.files();
        files.retain(|file| !file.starts_with("served.duckdb") && file != "serving");
        assert!(files.is_empty(), "files that nobody asked for: {files:?}");
    }
}

impl Drop for Quack {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}
