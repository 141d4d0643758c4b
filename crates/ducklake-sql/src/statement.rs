//! The statements of a plan: what each is called, why it is there, whether it is sensitive, and how it is undone.

use crate::parts::{Named, bind, list};
use crate::path::ObjectPath;
use crate::secret::CreateSecret;
use crate::session::{Extension, Setting};
use crate::sql;
use crate::sql::{Reveal, Sql};
use crate::value::{Ident, Keyword, Secret, StringLiteral, Value};

/// One statement, of a plan or of its undoing.
///
/// Writing one as SQL cannot fail: it is made of checked parts only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Statement {
    /// Makes a setting.
    Set(Setting),
    /// Installs an extension; never part of a plan, but what to do when loading it fails.
    Install(Extension),
    /// Loads an extension.
    Load(Extension),
    /// Runs a statement that the configuration asks for after an extension is loaded.
    Init(Secret),
    /// Creates a secret.
    CreateSecret(CreateSecret),
    /// Asks whether the storage answers, before anything is created in the catalog.
    ///
    /// With inlining, everything up to the first larger insert would succeed on one that does not.
    ProbeStorage(ObjectPath),
    /// Creates a lake in MotherDuck over a bucket of one's own.
    CreateDatabase(CreateDatabase),
    /// Attaches a lake.
    Attach(Attach),
    /// Attaches a DuckDB database without a lake.
    AttachFile(AttachFile),
    /// Attaches MotherDuck.
    AttachMotherDuck,
    /// Makes a database the current one.
    Use(Ident),
    /// Makes the schema `main` of a database of DuckDB's own the current one.
    ///
    /// Without the schema's name, DuckDB would look in the lake that is current for a schema that is called as the database.
    UseMain(Ident),
    /// Detaches a database.
    Detach(Ident),
    /// Drops a secret of this process; never one that is kept on disk.
    DropSecret(Ident),
}

impl Statement {
    /// A stable name for messages and machine-readable output.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Set(_) => "set",
            Self::Install(_) => "install-extension",
            Self::Load(_) => "load-extension",
            Self::Init(_) => "init-extension",
            Self::CreateSecret(_) => "create-secret",
            Self::ProbeStorage(_) => "probe-storage",
            Self::CreateDatabase(_) => "create-database",
            Self::Attach(_) | Self::AttachFile(_) => "attach",
            Self::AttachMotherDuck => "attach-motherduck",
            Self::Use(_) | Self::UseMain(_) => "use",
            Self::Detach(_) => "detach",
            Self::DropSecret(_) => "drop-secret",
        }
    }

    /// Why the statement is there, as one line.
    pub fn purpose(&self) -> &'static str {
        use crate::secret::SecretType;
        match self {
            Self::Set(setting) if setting.is_local() => "a setting of this connection",
            Self::Set(_) => "a setting, for DuckLake's internal connections too",
            Self::Install(_) => "downloads an extension that is not there",
            Self::Load(extension) => match extension.name().as_str() {
                "ducklake" => "the lake format",
                "sqlite_scanner" => "reads and writes the SQLite catalog",
                "postgres_scanner" => "reads and writes the PostgreSQL catalog",
                "httpfs" => "reads and writes object storage",
                "quack" => "reads and writes the catalog of a Quack server",
                "azure" => "reads and writes Azure Blob Storage",
                "aws" => "finds credentials in the environment, profiles and roles",
                "motherduck" => "talks to MotherDuck; its token comes from the environment",
                _ => "an extension that the configuration asks for",
            },
            Self::Init(_) => "a statement that the configuration asks for",
            Self::CreateSecret(secret) => match secret.kind() {
                SecretType::Postgres | SecretType::Quack => "how to log in to the catalog",
                SecretType::DuckLake => "where the metadata and the data files are",
                _ if secret.in_motherduck() => "how MotherDuck's compute reaches the bucket, for the data path only",
                _ => "how to reach the data files, for the data path only",
            },
            Self::ProbeStorage(_) => "the bucket answers, or nothing is created",
            Self::CreateDatabase(_) => "the lake in MotherDuck, over your own bucket",
            Self::Attach(attach) if attach.read_only => "the lake, for reading only: creates nothing",
            Self::Attach(_) => "the lake; fails if the alias is taken, so that nothing lands elsewhere",
            Self::AttachFile(attach) if attach.read_only => "the database, for reading only: creates nothing",
            Self::AttachFile(_) => "the database that holds the tables",
            Self::AttachMotherDuck => "the databases of your MotherDuck account",
            Self::Use(_) => "tables without a catalog's name are the lake's from here on",
            Self::UseMain(_) => "tables without a catalog's name are the instance's own again",
            Self::Detach(_) => "detaches the lake",
            Self::DropSecret(_) => "forgets the credentials",
        }
    }

    /// Whether it holds a secret, so that its text differs by [`Reveal`].
    pub fn is_sensitive(&self) -> bool {
        match self {
            Self::Set(setting) => setting.value().is_sensitive(),
            Self::Init(_) => true,
            Self::CreateSecret(secret) => secret.is_sensitive(),
            Self::Attach(attach) => attach.options.iter().any(|(_, value)| value.is_sensitive()),
            _ => false,
        }
    }

    /// What takes it back, with `home` as the database that was current before; `None` where nothing has to be done.
    ///
    /// A secret in MotherDuck stays: it replaced one of that name, which cannot be brought back.
    pub fn undo(&self, home: &Ident) -> Option<Self> {
        match self {
            Self::CreateSecret(secret) if !secret.in_motherduck() => Some(Self::DropSecret(secret.name().clone())),
            Self::Attach(Attach { alias, .. }) | Self::AttachFile(AttachFile { alias, .. }) => {
                Some(Self::Detach(alias.clone()))
            }
            Self::Use(_) => Some(Self::UseMain(home.clone())),
            _ => None,
        }
    }

    /// The statement to run: values bound, secrets in no text.
    pub fn to_sql(&self) -> Sql {
        match self {
            Self::Set(setting) => {
                let scope = (!setting.is_local()).then(|| sql!("GLOBAL"));
                let (name, value) = (setting.name(), Named(setting.name().as_str(), setting.value()));
                sql!("SET {scope} {name} = {value}", scope, name, value)
            }
            Self::Install(extension) => {
                let from = extension.repository().map(|repository| match Source::of(repository) {
                    Source::Named(repository) => sql!("FROM {repository}", repository),
                    Source::Place(place) => sql!("FROM {place}", place),
                });
                sql!("INSTALL {extension} {from}", extension = extension.name(), from)
            }
            Self::Load(extension) => sql!("LOAD {extension}", extension = extension.name()),
            Self::Init(statement) => Sql::verbatim(statement),
            Self::CreateSecret(secret) => secret.to_sql(),
            Self::ProbeStorage(path) => {
                // Lists one name that no file has: the cheapest question that a bucket answers.
                let data_path = bind([path.as_str(), "metaxy-probe-*"].concat());
                sql!("FROM glob({data_path})", data_path)
            }
            Self::CreateDatabase(CreateDatabase { name, data_path }) => {
                sql!("CREATE DATABASE IF NOT EXISTS {name} (TYPE DUCKLAKE, DATA_PATH {data_path})", name, data_path)
            }
            Self::Attach(attach) => attach.to_sql(),
            Self::AttachFile(AttachFile { path, alias, read_only }) => {
                let read_only = read_only.then(|| sql!("READ_ONLY"));
                // Without the type, DuckDB would take a SQLite file for one.
                let options = list([sql!("TYPE DUCKDB")].into_iter().chain(read_only));
                sql!("ATTACH {path} AS {alias} ({options})", path, alias, options)
            }
            Self::AttachMotherDuck => sql!("ATTACH 'md:'"),
            Self::Use(database) => sql!("USE {database}", database),
            Self::UseMain(database) => sql!("USE {database}.main", database),
            Self::Detach(database) => sql!("DETACH {database}", database),
            Self::DropSecret(secret) => sql!("DROP TEMPORARY SECRET {secret}", secret),
        }
    }

    /// The statement to show, without a semicolon.
    pub fn to_text(&self, reveal: Reveal) -> String {
        match (self, reveal) {
            (Self::Init(_), Reveal::Masked) => "/* hidden, since it may hold a secret */ SELECT NULL".to_owned(),
            _ => self.to_sql().display(reveal),
        }
    }
}

/// Where an extension comes from: a repository that DuckDB knows by name, or a URL or folder.
enum Source {
    Named(Keyword),
    Place(StringLiteral),
}

impl Source {
    fn of(repository: &str) -> Self {
        match Keyword::new(repository) {
            Ok(name) => Self::Named(name),
            Err(_) => Self::Place(StringLiteral::trusted(repository)),
        }
    }
}

/// A lake to create in MotherDuck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateDatabase {
    pub(crate) name: Ident,
    pub(crate) data_path: StringLiteral,
}

/// A DuckDB database without a lake to attach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachFile {
    /// The path of its file, or `:memory:`.
    pub(crate) path: StringLiteral,
    pub(crate) alias: Ident,
    pub(crate) read_only: bool,
}

/// A lake to attach, through its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attach {
    /// A generated name of `[a-z0-9_]`: DuckLake takes any other text for the path of a file.
    pub(crate) secret: Ident,
    pub(crate) alias: Ident,
    pub(crate) read_only: bool,
    pub(crate) options: Vec<(Keyword, Value)>,
}

impl Attach {
    /// The value of an option by its name in SQL, as in `DATA_INLINING_ROW_LIMIT`.
    pub fn option(&self, name: &str) -> Option<&Value> {
        self.options.iter().find(|(option, _)| option.as_str() == name).map(|(_, value)| value)
    }

    /// Attaches only a lake that exists.
    pub(crate) fn never_create(&mut self) {
        self.put_first("CREATE_IF_NOT_EXISTS", false);
    }

    /// Takes the given data path whatever the lake has stored.
    pub(crate) fn override_data_path(&mut self) {
        self.put_first("OVERRIDE_DATA_PATH", true);
    }

    fn put_first(&mut self, option: &'static str, value: bool) {
        self.options.retain(|(name, _)| name.as_str() != option);
        self.options.insert(0, (Keyword::trusted(option), Value::Boolean(value)));
    }

    fn to_sql(&self) -> Sql {
        let path = StringLiteral::trusted(["ducklake:", self.secret.as_str()].concat());
        let read_only = self.read_only.then(|| sql!("READ_ONLY"));
        let options = self.options.iter().map(|(option, value)| {
            let value = Named(option.as_str(), value);
            sql!("{option} {value}", option, value)
        });
        let options = list(read_only.into_iter().chain(options));
        let options = (!options.is_empty()).then(|| sql!("({options})", options));
        sql!("ATTACH {path} AS {alias} {options}", path, alias = self.alias, options)
    }
}
