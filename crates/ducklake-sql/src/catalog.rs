//! The catalog of a lake: the database that holds its tables' metadata.

use crate::path::{CatalogFile, CatalogUrl};
use crate::problem::{Collector, Problem, Problems};
use crate::secret::{CreateSecret, SecretType, add_parameters, secret_name};
use crate::spec::spec;
use crate::value::{Ident, Parameters, Secret, Value};

/// Which database holds the metadata, and how to reach it.
///
/// A MotherDuck catalog is not among them: it brings its own rules and is a lake of its own kind, see
/// [`Lake::mother_duck`](crate::Lake::mother_duck).
///
/// ```
/// use ducklake_sql::{Catalog, CatalogFile, CatalogKind};
///
/// let catalog = Catalog::Sqlite(CatalogFile::new("/srv/lake/meta.sqlite")?);
/// assert_eq!(catalog.kind(), CatalogKind::Sqlite);
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Catalog {
    /// A DuckDB file; one process at a time.
    DuckDb(CatalogFile),
    /// A SQLite file; several processes on one machine.
    Sqlite(CatalogFile),
    /// A PostgreSQL database; many machines.
    Postgres(PostgresCatalog),
    /// A DuckDB database that a Quack server shares; many machines.
    Quack(QuackCatalog),
    /// A DuckDB file on a web server or in a bucket, which can only be read.
    Frozen(CatalogUrl),
}

impl Catalog {
    /// The kind of database.
    pub fn kind(&self) -> CatalogKind {
        match self {
            Self::DuckDb(_) | Self::Frozen(_) => CatalogKind::DuckDb,
            Self::Sqlite(_) => CatalogKind::Sqlite,
            Self::Postgres(_) => CatalogKind::Postgres,
            Self::Quack(_) => CatalogKind::Quack,
        }
    }

    /// The file that holds the metadata, where it is one.
    pub fn file(&self) -> Option<&CatalogFile> {
        match self {
            Self::DuckDb(file) | Self::Sqlite(file) => Some(file),
            Self::Postgres(_) | Self::Quack(_) | Self::Frozen(_) => None,
        }
    }

    /// Where it is, if that is a web server or a bucket.
    pub fn url(&self) -> Option<&CatalogUrl> {
        match self {
            Self::Frozen(url) => Some(url),
            _ => None,
        }
    }

    /// The secret that its plan makes or uses, and how it is made where it is ours.
    pub(crate) fn secret(&self) -> Option<(&Ident, Option<&CreateSecret>)> {
        match self {
            Self::DuckDb(_) | Self::Sqlite(_) | Self::Frozen(_) => None,
            Self::Postgres(postgres) => Some((&postgres.name, postgres.create.as_ref())),
            Self::Quack(quack) => Some((&quack.name, quack.create.as_ref())),
        }
    }

    /// Gives another name to the secret that the plan makes, if it makes one.
    pub(crate) fn rename_secret(&mut self, name: &str) {
        let (own, create) = match self {
            Self::DuckDb(_) | Self::Sqlite(_) | Self::Frozen(_) => return,
            Self::Postgres(postgres) => (&mut postgres.name, &mut postgres.create),
            Self::Quack(quack) => (&mut quack.name, &mut quack.create),
        };
        if let Some(secret) = create {
            *own = Ident::trusted(name);
            secret.rename(own.clone());
        }
    }

    /// The `METADATA_PATH` of the lake's secret. The prefix matters: without it a new SQLite catalog becomes a DuckDB
    /// file, and a bare word is taken for the name of a secret.
    pub(crate) fn metadata_path(&self) -> String {
        match self {
            Self::DuckDb(file) => ["duckdb:", file.as_str()].concat(),
            Self::Sqlite(file) => ["sqlite:", file.as_str()].concat(),
            Self::Postgres(_) => String::new(),
            Self::Quack(quack) => quack.location.clone(),
            Self::Frozen(url) => url.as_str().to_owned(),
        }
    }
}

/// The kind of database that holds a lake's metadata, as DuckLake itself names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CatalogKind {
    /// A DuckDB file.
    DuckDb,
    /// A SQLite file.
    Sqlite,
    /// A PostgreSQL database.
    Postgres,
    /// A database that a Quack server shares.
    Quack,
    /// MotherDuck's service.
    MotherDuck,
}

impl CatalogKind {
    /// The name in `ducklake_settings()` and in configuration files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DuckDb => "duckdb",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Quack => "quack",
            Self::MotherDuck => "motherduck",
        }
    }

    /// The kind of a file that begins with these bytes (sixteen are enough), if it is one of a catalog.
    ///
    /// ```
    /// use ducklake_sql::CatalogKind;
    ///
    /// assert_eq!(CatalogKind::of_file(b"SQLite format 3\0"), Some(CatalogKind::Sqlite));
    /// assert_eq!(CatalogKind::of_file(b"........DUCK...."), Some(CatalogKind::DuckDb));
    /// assert_eq!(CatalogKind::of_file(b"PAR1"), None);
    /// ```
    pub fn of_file(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"SQLite format 3\0") {
            Some(Self::Sqlite)
        } else {
            (head.get(8..12) == Some(b"DUCK")).then_some(Self::DuckDb)
        }
    }
}

spec! {
    /// A PostgreSQL catalog as a person describes it; [`build`](Self::build) makes it one that can be used.
    ///
    /// With host, database, user and password the project makes a secret of that name. With only `parameters` (`service`,
    /// `passfile`, `uri`, …) it makes one of just those. With neither, the secret of that name is used as it is.
    ///
    /// ```
    /// use ducklake_sql::{PostgresSpec, Secret};
    ///
    /// let mut spec = PostgresSpec::new("pg");
    /// spec.host = Some("db.example".into());
    /// spec.database = Some("lake".into());
    /// spec.user = Some("metaxy".into());
    /// spec.password = Some(Secret::from("hunter2"));
    /// assert!(spec.build().is_ok());
    /// ```
    #[derive(Debug, Clone, Default)]
    #[non_exhaustive]
    pub struct PostgresSpec {
        /// The name of the secret, to make or to use.
        pub secret_name: String,
        /// The server's host name or address.
        pub host: Option<String>,
        /// The server's port; 5432 unless given.
        pub port: Option<u16>,
        /// The database on that server.
        pub database: Option<String>,
        /// The role to log in as.
        pub user: Option<String>,
        /// The role's password.
        pub password: Option<Secret>,
        /// The schema of the database that holds the metadata; `public` unless given.
        pub metadata_schema: Option<String>,
        /// Further libpq keywords.
        pub parameters as secret_parameters: Parameters,
    }
}

impl PostgresSpec {
    /// A catalog that uses the existing secret of this name.
    pub fn new(secret_name: impl Into<String>) -> Self {
        Self { secret_name: secret_name.into(), ..Self::default() }
    }

    /// Checks the description.
    ///
    /// # Errors
    ///
    /// All problems at once: a credential half given, an empty value, a parameter that repeats a field.
    pub fn build(self) -> Result<Catalog, Problems> {
        const PORT: i64 = 5432;
        /// Ways to log in without a password in the configuration.
        const PASSWORDLESS: &[&str] = &["aws_rds_secret", "passfile", "service", "sslcert", "uri"];

        let mut problems = Collector::default();
        let name = secret_name(&self.secret_name, &mut problems);
        let fields: [(&'static str, Option<Value>); 4] = [
            ("host", self.host.map(Value::Text)),
            ("database", self.database.map(Value::Text)),
            ("user", self.user.map(Value::Text)),
            ("password", self.password.map(Value::Secret)),
        ];
        let present = fields.iter().find(|(_, value)| value.is_some()).map(|(field, _)| *field);
        let passwordless = PASSWORDLESS.iter().any(|name| self.parameters.get(name).is_some());

        let mut options = Vec::new();
        for (field, value) in fields {
            match (value, present) {
                (Some(value), _) => {
                    problems.take(field, value.validate());
                    options.push((field, value));
                }
                (None, Some(present)) if !(field == "password" && passwordless) => {
                    problems.push(Problem::half_given(field, present));
                }
                (None, _) => {}
            }
        }
        match self.port {
            Some(port) if present.is_none() && self.parameters.is_empty() => {
                problems.push(Problem::half_given("host", "port"));
                options.push(("port", Value::Integer(port.into())));
            }
            Some(port) => options.push(("port", Value::Integer(port.into()))),
            None if present.is_some() => options.push(("port", Value::Integer(PORT))),
            None => {}
        }

        let mut secret = CreateSecret::new(name.clone(), SecretType::Postgres);
        for (field, value) in options {
            secret.set(field, value);
        }
        add_parameters(&mut secret, &self.parameters, &mut problems);
        if self.parameters.get("dbname").is_some() && present.is_some() {
            problems.push(Problem::conflict(
                "secret_parameters.dbname",
                "`dbname` and `database` name the same thing",
                "leave `dbname` out",
            ));
        }
        let schema = self.metadata_schema.and_then(|schema| problems.take("metadata_schema", Ident::new(schema)));
        let create = (!secret.is_empty()).then_some(secret);
        problems.finish(Some(Catalog::Postgres(PostgresCatalog { name, create, schema })))
    }
}

/// A PostgreSQL catalog that can be planned: a secret of a name, and how to make it where it is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresCatalog {
    pub(crate) name: Ident,
    pub(crate) create: Option<CreateSecret>,
    pub(crate) schema: Option<Ident>,
}

impl PostgresCatalog {
    /// The name of the secret that DuckLake logs in with.
    pub fn secret_name(&self) -> &Ident {
        &self.name
    }

    /// Whether the password is a token that AWS gives for a while.
    pub(crate) fn uses_aws(&self) -> bool {
        self.create.as_ref().is_some_and(|secret| secret.get("aws_rds_secret").is_some())
    }
}

spec! {
    /// A catalog behind a Quack server as a person describes it; [`build`](Self::build) makes it one that can be used.
    ///
    /// With a token the project makes a secret of that name, for that server only. Without, DuckDB has to know one for it.
    ///
    /// ```
    /// use ducklake_sql::{QuackSpec, Secret};
    ///
    /// let mut spec = QuackSpec::new("quack", "catalog.example");
    /// spec.token = Some(Secret::from("hunter2"));
    /// assert!(spec.build().is_ok());
    /// ```
    #[derive(Debug, Clone, Default)]
    #[non_exhaustive]
    pub struct QuackSpec {
        /// The name of the secret, to make or to use.
        pub secret_name: String,
        /// The server's host name or address.
        pub host: String,
        /// The server's port; 9494 unless given.
        pub port: Option<u16>,
        /// The token that the server asks for; without one DuckDB has to know a secret for it.
        pub token: Option<Secret>,
    }
}

impl QuackSpec {
    /// A catalog on a host that uses an existing secret.
    pub fn new(secret_name: impl Into<String>, host: impl Into<String>) -> Self {
        Self { secret_name: secret_name.into(), host: host.into(), ..Self::default() }
    }

    /// Checks the description.
    ///
    /// # Errors
    ///
    /// All problems at once: an empty value, a host that is none.
    pub fn build(self) -> Result<Catalog, Problems> {
        const PORT: u16 = 9494;
        let mut problems = Collector::default();
        let name = secret_name(&self.secret_name, &mut problems);
        if !self.host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            let problem = Problem::invalid_name("a host", &self.host).at("host");
            problems.push(problem.help("write its name or address, and the port in `port`"));
        }
        problems.take("host", Value::from(self.host.as_str()).validate());
        let location = ["quack:", &self.host, ":", &self.port.unwrap_or(PORT).to_string()].concat();
        let create = self.token.map(|token| {
            let token = Value::Secret(token);
            problems.take("token", token.validate());
            let mut secret = CreateSecret::new(name.clone(), SecretType::Quack);
            secret.set("token", token);
            secret.set("scope", Value::from(location.as_str()));
            secret
        });
        problems.finish(Some(Catalog::Quack(QuackCatalog { name, create, location })))
    }
}

/// A catalog behind a Quack server that can be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuackCatalog {
    name: Ident,
    create: Option<CreateSecret>,
    location: String,
}

impl QuackCatalog {
    /// Where the server is, as `quack:host:port`.
    pub fn location(&self) -> &str {
        &self.location
    }
}
