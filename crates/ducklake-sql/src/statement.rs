//! The statements of a plan: what each is called, why it is there, whether it is sensitive, and how it is undone.

use crate::path::ObjectPath;
use crate::secret::CreateSecret;
use crate::session::{Extension, Setting};
use crate::sql::{Reveal, Sql, Writer};
use crate::value::{Ident, Secret, Text, Value, Word};

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
    /// Attaches MotherDuck.
    AttachMotherDuck,
    /// Makes a database the current one.
    Use(Ident),
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
            Self::Attach(_) => "attach",
            Self::AttachMotherDuck => "attach-motherduck",
            Self::Use(_) => "use",
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
            Self::AttachMotherDuck => "the databases of your MotherDuck account",
            Self::Use(_) => "tables without a catalog's name are the lake's from here on",
            Self::Detach(_) => "lets go of the lake",
            Self::DropSecret(_) => "forgets the credentials",
        }
    }

    /// Whether it holds a secret, so that its text differs by [`Reveal`].
    pub fn is_sensitive(&self) -> bool {
        match self {
            Self::Set(setting) => setting.value().is_sensitive(),
            Self::Init(_) => true,
            Self::CreateSecret(secret) => secret.is_sensitive(),
            _ => false,
        }
    }

    /// What takes it back, with `home` as the database that was current before; `None` where nothing has to be done.
    ///
    /// A secret in MotherDuck stays: it replaced one of that name, which cannot be brought back.
    pub fn undo(&self, home: &Ident) -> Option<Self> {
        match self {
            Self::CreateSecret(secret) if !secret.in_motherduck() => Some(Self::DropSecret(secret.name().clone())),
            Self::Attach(attach) => Some(Self::Detach(attach.alias.clone())),
            Self::Use(_) => Some(Self::Use(home.clone())),
            _ => None,
        }
    }

    /// The statement to run: values bound, secrets in no text.
    pub fn to_sql(&self) -> Sql {
        let mut sql = Writer::execute();
        self.write(&mut sql);
        sql.finish()
    }

    /// The statement to show, without a semicolon.
    pub fn to_text(&self, reveal: Reveal) -> String {
        let mut sql = Writer::display(reveal);
        self.write(&mut sql);
        sql.into_text()
    }

    fn write(&self, sql: &mut Writer) {
        match self {
            Self::Set(setting) => {
                sql.keyword(if setting.is_local() { "SET " } else { "SET GLOBAL " });
                sql.word(setting.name()).keyword(" = ").bind(setting.name().as_str(), setting.value());
            }
            Self::Install(extension) => {
                sql.keyword("INSTALL ").word(extension.name());
                match extension.repository().map(Source::of) {
                    None => {}
                    Some(Source::Named(repository)) => {
                        sql.keyword(" FROM ").word(&repository);
                    }
                    Some(Source::Place(place)) => {
                        sql.keyword(" FROM ").literal(&place);
                    }
                }
            }
            Self::Load(extension) => {
                sql.keyword("LOAD ").word(extension.name());
            }
            Self::Init(statement) => {
                sql.verbatim(statement, "/* hidden, since it may hold a secret */ SELECT NULL");
            }
            Self::CreateSecret(secret) => secret.write(sql),
            Self::ProbeStorage(path) => {
                // Lists one name that no file has: the cheapest question that a bucket answers.
                let probe = Value::Text([path.as_str(), "metaxy-probe-*"].concat());
                sql.keyword("FROM glob(").bind("data_path", &probe).keyword(")");
            }
            Self::CreateDatabase(create) => {
                sql.keyword("CREATE DATABASE IF NOT EXISTS ").ident(&create.name);
                sql.keyword(" (TYPE DUCKLAKE, DATA_PATH ").literal(&create.data_path).keyword(")");
            }
            Self::Attach(attach) => attach.write(sql),
            Self::AttachMotherDuck => {
                sql.keyword("ATTACH 'md:'");
            }
            Self::Use(database) => {
                sql.keyword("USE ").ident(database);
            }
            Self::Detach(database) => {
                sql.keyword("DETACH ").ident(database);
            }
            Self::DropSecret(secret) => {
                sql.keyword("DROP TEMPORARY SECRET ").ident(secret);
            }
        }
    }
}

/// Where an extension comes from: a repository that DuckDB knows by name, or a URL or folder.
enum Source {
    Named(Word),
    Place(Text),
}

impl Source {
    fn of(repository: &str) -> Self {
        match Word::new(repository) {
            Ok(name) => Self::Named(name),
            Err(_) => Self::Place(Text::trusted(repository)),
        }
    }
}

/// A lake to create in MotherDuck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateDatabase {
    pub(crate) name: Ident,
    pub(crate) data_path: Text,
}

/// A lake to attach, through its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attach {
    /// A generated name of `[a-z0-9_]`: DuckLake takes any other text for the path of a file.
    pub(crate) secret: Ident,
    pub(crate) alias: Ident,
    pub(crate) read_only: bool,
    pub(crate) options: Vec<(Word, Value)>,
}

impl Attach {
    /// The value of an option by its name in SQL, as in `DATA_INLINING_ROW_LIMIT`.
    pub fn option(&self, name: &str) -> Option<&Value> {
        self.options.iter().find(|(option, _)| option.as_str() == name).map(|(_, value)| value)
    }

    /// Attaches only a lake that exists.
    pub(crate) fn never_create(&mut self) {
        const OPTION: &str = "CREATE_IF_NOT_EXISTS";
        self.options.retain(|(option, _)| option.as_str() != OPTION);
        self.options.insert(0, (Word::trusted(OPTION), Value::Boolean(false)));
    }

    fn write(&self, sql: &mut Writer) {
        let path = Text::trusted(["ducklake:", self.secret.as_str()].concat());
        sql.keyword("ATTACH ").literal(&path).keyword(" AS ").ident(&self.alias);
        let flags = usize::from(self.read_only);
        if flags + self.options.len() == 0 {
            return;
        }
        sql.keyword(if self.read_only { " (READ_ONLY" } else { " (" });
        for (index, (option, value)) in self.options.iter().enumerate() {
            sql.comma(index + flags).word(option).keyword(" ").bind(option.as_str(), value);
        }
        sql.keyword(")");
    }
}
