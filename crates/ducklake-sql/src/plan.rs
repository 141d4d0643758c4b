//! A plan: the statements that attach a lake, in order, and the checks to make after them.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use crate::catalog::CatalogKind;
use crate::credentials::{mask_credentials, speaks_of_a_credential};
use crate::lake::Mode;
use crate::parts::bind;
use crate::scrub::Scrub;
use crate::secret::{CreateSecret, SecretType};
use crate::session::{Extension, Setting};
use crate::sql;
use crate::sql::{Reveal, Sql};
use crate::statement::{Attach, Statement};
use crate::value::{Ident, MASK, Value};

/// The version of the JSON shape of [`PlanView`].
pub const PLAN_VERSION: u32 = 1;

/// The statements that attach a lake, in order, with how to undo them and what to check after them.
///
/// ```
/// use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Reveal, Session};
///
/// let catalog = Catalog::DuckDb(CatalogFile::new("/srv/lake/meta.ducklake")?);
/// let lake = Lake::builder(catalog, LocalFolder::new("/srv/lake/data")?).build()?;
/// let plan = lake.plan(&Session::default(), Mode::Read);
/// assert!(plan.display(Reveal::Masked).to_string().contains("READ_ONLY"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachPlan {
    pub(crate) mode: Mode,
    pub(crate) alias: Ident,
    pub(crate) catalog: Option<CatalogKind>,
    pub(crate) at_open: Vec<Setting>,
    pub(crate) statements: Vec<Statement>,
    pub(crate) checks: Vec<Check>,
}

impl AttachPlan {
    /// Whether it opens the lake to read or to write.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The database that is current after it.
    pub fn alias(&self) -> &Ident {
        &self.alias
    }

    /// The kind of the lake's catalog; `None` where it attaches no lake.
    pub fn catalog(&self) -> Option<CatalogKind> {
        self.catalog
    }

    /// The database and the schema in which DuckLake's own tables can be read; `None` where a server keeps them, or there is no
    /// lake.
    ///
    /// ```
    /// use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Session};
    ///
    /// let catalog = Catalog::DuckDb(CatalogFile::new("/srv/lake/meta.ducklake")?);
    /// let lake = Lake::builder(catalog, LocalFolder::new("/srv/lake/data")?).build()?;
    /// let (database, schema) = lake.plan(&Session::default(), Mode::Read).metadata().unwrap();
    /// assert_eq!((database.as_str(), schema.as_str()), ("__ducklake_metadata_ducklake", "main"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn metadata(&self) -> Option<(Ident, Ident)> {
        let schema = match self.catalog? {
            CatalogKind::MotherDuck | CatalogKind::Quack => return None,
            CatalogKind::Postgres => "public",
            CatalogKind::DuckDb | CatalogKind::Sqlite => "main",
        };
        let attach = self.statements.iter().find_map(|statement| match statement {
            Statement::Attach(attach) if attach.alias == self.alias => Some(attach),
            _ => None,
        })?;
        let name = |option: &str, default: &[&str]| match attach.option(option) {
            Some(Value::Text(name)) => Ident::new(name.as_str()).ok(),
            _ => Ident::new(default.concat()).ok(),
        };
        let database = name("METADATA_CATALOG", &["__ducklake_metadata_", self.alias.as_str()])?;
        Some((database, name("METADATA_SCHEMA", &[schema])?))
    }

    /// Settings to make while the instance is opened, since DuckDB refuses them later.
    pub fn settings_at_open(&self) -> &[Setting] {
        &self.at_open
    }

    /// The statements, in order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The checks to make after the last statement; until they hold, nothing may be written.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The extensions it loads, in order.
    pub fn extensions(&self) -> impl Iterator<Item = &Extension> {
        self.statements.iter().filter_map(|statement| match statement {
            Statement::Load(extension) => Some(extension),
            _ => None,
        })
    }

    /// What takes back the statements of a range of positions, the last one first, with `home` as the database that was
    /// current before.
    ///
    /// `undo(0..plan.statements().len(), home)` takes back all of them: that is how a lake is let go.
    pub fn undo(&self, done: Range<usize>, home: &Ident) -> Vec<Statement> {
        let done = self.statements.iter().skip(done.start).take(done.len());
        let undo: Vec<_> = done.filter_map(|statement| statement.undo(home)).collect();
        undo.into_iter().rev().collect()
    }

    /// The same plan for a lake that exists, without saying where its data is: the check of the data path then decides.
    ///
    /// DuckLake compares the configured and the stored data path as texts. Where it refuses to attach, this tells two
    /// spellings of one place from two places.
    pub fn with_stored_data_path(&self) -> Self {
        let mut plan = self.clone();
        for statement in &mut plan.statements {
            match statement {
                Statement::CreateSecret(secret) => secret.forget_data_path(),
                Statement::Attach(attach) => attach.never_create(),
                _ => {}
            }
        }
        plan
    }

    /// The same plan for a lake that exists; where there is none, it fails.
    pub fn must_exist(&self) -> Self {
        self.with_attach(Attach::never_create)
    }

    /// The same plan for a lake that exists, with the configured data path over the stored one.
    ///
    /// It is for a stored path that is relative, which DuckLake takes from the process's working directory, and for one
    /// that is the same place in another spelling. What is stored stays. The check of the data path has to tell whether
    /// both are one place.
    pub fn over_stored_data_path(&self) -> Self {
        self.overriding_data_path().must_exist()
    }

    /// The same plan, with the configured data path over the one that the lake may have stored: for a shell, which cannot
    /// look at it first.
    pub fn overriding_data_path(&self) -> Self {
        self.with_attach(Attach::override_data_path)
    }

    /// The same plan for a lake that is to be created, with this text as the data path that it stores.
    pub fn storing_data_path(&self, path: &str) -> Self {
        let mut plan = self.clone();
        for statement in &mut plan.statements {
            if let Statement::CreateSecret(secret) = statement {
                secret.replace_data_path(path);
            }
        }
        plan
    }

    /// Where the data files of the lake are, with the last slash, as far as it is known.
    pub fn data_path(&self) -> Option<&str> {
        self.checks.iter().find_map(|check| match check {
            Check::DataPath { expected, .. } => Some(expected.as_str()),
            _ => None,
        })
    }

    /// The same plan, of whose lake it is known where it has its files, as [`Check::StoredDataPath`] tells.
    pub fn knowing_data_path(&self, path: &str) -> Self {
        let mut plan = self.clone();
        for check in &mut plan.checks {
            if let Check::StoredDataPath { alias } = check {
                *check = Check::DataPath { alias: alias.clone(), expected: path.to_owned() };
            }
        }
        plan
    }

    /// The same plan, whose connections to PostgreSQL are given up after so many seconds.
    ///
    /// `libpq` itself waits without end for a server that takes a connection and says nothing. The plan stays as it is
    /// where the login decides that itself, by `connect_timeout` or a `uri`, or is a secret that the plan does not make.
    ///
    /// ```
    /// use ducklake_sql::{Lake, LocalFolder, Mode, PostgresSpec, Reveal, Secret, Session};
    ///
    /// let mut catalog = PostgresSpec::new("pg");
    /// catalog.host = Some("db.example".into());
    /// catalog.database = Some("lake".into());
    /// catalog.user = Some("metaxy".into());
    /// catalog.password = Some(Secret::from("hunter2"));
    /// let lake = Lake::builder(catalog.build()?, LocalFolder::new("/srv/lake/data")?).build()?;
    /// let plan = lake.plan(&Session::default(), Mode::Read).with_connect_timeout(10);
    /// assert!(plan.display(Reveal::Masked).to_string().contains("METADATA_PATH 'connect_timeout=10'"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_connect_timeout(&self, seconds: u32) -> Self {
        let mut plan = self.clone();
        let login = self.statements.iter().find_map(|statement| match statement {
            Statement::CreateSecret(secret) if secret.kind() == SecretType::Postgres => Some(secret),
            _ => None,
        });
        let decides = |login: &CreateSecret| ["connect_timeout", "uri"].iter().any(|key| login.get(key).is_some());
        if login.is_some_and(|login| !decides(login)) {
            for statement in &mut plan.statements {
                if let Statement::CreateSecret(secret) = statement {
                    secret.replace_empty_metadata_path(&format!("connect_timeout={seconds}"));
                }
            }
        }
        plan
    }

    fn with_attach(&self, change: impl Fn(&mut Attach)) -> Self {
        let mut plan = self.clone();
        for statement in &mut plan.statements {
            if let Statement::Attach(attach) = statement {
                change(attach);
            }
        }
        plan
    }

    /// The same plan for an instance in which another was run: without what cannot be attached twice.
    pub fn after(&self, earlier: &Self) -> Self {
        let mut plan = self.clone();
        let is_twice = |one: &Statement| *one == Statement::AttachMotherDuck && earlier.statements.contains(one);
        plan.statements.retain(|one| !is_twice(one));
        plan
    }

    /// Replaces every secret of the plan where it occurs in `text`, and credentials of others, see [`Sql::scrub`].
    pub fn scrub(&self, text: &str) -> String {
        let mut scrub = Scrub::default();
        for setting in &self.at_open {
            Statement::Set(setting.clone()).to_sql().add_secrets(&mut scrub, speaks_of_a_credential);
        }
        for statement in &self.statements {
            match statement {
                Statement::Init(written) => Sql::add_literals(written, &mut scrub),
                // Most of their values are secrets only because they are not known to be harmless.
                Statement::Set(_) | Statement::Attach(_) => {
                    statement.to_sql().add_secrets(&mut scrub, speaks_of_a_credential);
                }
                other => other.to_sql().add_secrets(&mut scrub, |_| true),
            }
        }
        scrub.apply(text)
    }

    /// The plan as text: every statement with a comment that says why it is there.
    ///
    /// With [`Reveal::Secrets`] the text runs unchanged in the `duckdb` shell.
    pub fn display(&self, reveal: Reveal) -> impl fmt::Display {
        DisplayPlan { plan: self, reveal }
    }

    /// Why one of its statements is there.
    fn purpose_of(&self, statement: &Statement) -> &'static str {
        match statement {
            Statement::Use(_) if self.catalog.is_none() => {
                "tables without a catalog's name are this database's from here on"
            }
            other => other.purpose(),
        }
    }

    /// The plan for machine-readable output.
    pub fn view(&self, reveal: Reveal) -> PlanView {
        PlanView {
            version: PLAN_VERSION,
            mode: self.mode,
            alias: self.alias.clone(),
            catalog: self.catalog,
            extensions: self.extensions().cloned().collect(),
            settings_at_open: self.at_open.iter().map(|setting| setting.name().to_string()).collect(),
            statements: self
                .statements
                .iter()
                .map(|statement| StatementView::new(statement, self.purpose_of(statement), reveal))
                .collect(),
            checks: self.checks.iter().map(|check| check.purpose().to_owned()).collect(),
        }
    }
}

struct DisplayPlan<'a> {
    plan: &'a AttachPlan,
    reveal: Reveal,
}

impl fmt::Display for DisplayPlan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for setting in &self.plan.at_open {
            writeln!(f, "-- opened with the setting {}, which cannot be made later", setting.name())?;
        }
        for statement in &self.plan.statements {
            writeln!(f, "-- {}\n{};", self.plan.purpose_of(statement), statement.to_text(self.reveal))?;
        }
        for check in &self.plan.checks {
            writeln!(f, "-- then checked: {}", check.purpose())?;
        }
        Ok(())
    }
}

/// A fact about the attached lake that has to hold before anything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// The alias is a lake, and its metadata is in a database of this kind.
    IsDuckLake {
        /// The name the lake is attached under.
        alias: Ident,
        /// The kind its catalog has to be of.
        catalog: CatalogKind,
    },
    /// The database is no lake's catalog, in which other tables would stand between those of the lake.
    IsNoCatalog {
        /// The name the database is attached under.
        alias: Ident,
    },
    /// The lake's data path is this place, however it is spelt.
    DataPath {
        /// The name the lake is attached under.
        alias: Ident,
        /// The configured data path.
        expected: String,
    },
    /// The lake's data path, of which nothing is configured, is one that leads to the same place from everywhere.
    StoredDataPath {
        /// The name the lake is attached under.
        alias: Ident,
    },
}

impl Check {
    /// What is checked, as one line.
    pub fn purpose(&self) -> &'static str {
        match self {
            Self::IsDuckLake { .. } => "the alias is a lake, with a catalog of the configured kind",
            Self::IsNoCatalog { .. } => "the database is not the catalog of a lake",
            Self::DataPath { .. } => "the lake's stored data path is the configured one",
            Self::StoredDataPath { .. } => "the lake's stored data path can be used as it is",
        }
    }

    /// The query for it: one row with one text, or none.
    pub fn to_sql(&self) -> Sql {
        match self {
            // Only a lake has settings, so this fails for a database of any other type.
            Self::IsDuckLake { alias, .. } => {
                sql!("SELECT catalog_type FROM ducklake_settings({alias})", alias = bind(alias.as_str()))
            }
            Self::IsNoCatalog { alias } => sql!(
                "SELECT table_name FROM duckdb_tables()
                 WHERE database_name = {alias} AND table_name = 'ducklake_metadata'
                 LIMIT 1",
                alias = bind(alias.as_str()),
            ),
            // The catalog's own word: the settings would repeat a path that was given over it.
            Self::DataPath { alias, .. } | Self::StoredDataPath { alias } => sql!(
                "SELECT value FROM ducklake_options({alias}) WHERE option_name = 'data_path'",
                alias = bind(alias.as_str()),
            ),
        }
    }
}

/// A plan for machine-readable output; `version` is that of the shape.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PlanView {
    /// The version of this shape: [`PLAN_VERSION`].
    pub version: u32,
    /// Whether it opens the lake to read or to write.
    pub mode: Mode,
    /// The database that is current after it.
    pub alias: Ident,
    /// The kind of the lake's catalog; null where no lake is attached.
    pub catalog: Option<CatalogKind>,
    /// The extensions it loads.
    pub extensions: Vec<Extension>,
    /// The names of settings made while the instance is opened.
    pub settings_at_open: Vec<String>,
    /// The statements, in order.
    pub statements: Vec<StatementView>,
    /// What is checked after them.
    pub checks: Vec<String>,
}

/// A statement for machine-readable output.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct StatementView {
    /// The stable name.
    pub name: &'static str,
    /// Why it is there.
    pub purpose: &'static str,
    /// Whether it holds a secret.
    pub sensitive: bool,
    /// The text with its values inline.
    pub sql: String,
    /// The text that is run, with `?` for each bound value.
    pub execute: String,
    /// The names of the bound values, in order.
    pub bound: Vec<String>,
}

impl StatementView {
    fn new(statement: &Statement, purpose: &'static str, reveal: Reveal) -> Self {
        let sql = statement.to_sql();
        let masked = reveal == Reveal::Masked;
        let execute = match statement {
            Statement::Init(_) if masked => MASK.to_owned(),
            _ if masked => mask_credentials(sql.text()).into_owned(),
            _ => sql.text().to_owned(),
        };
        Self {
            name: statement.name(),
            purpose,
            sensitive: statement.is_sensitive(),
            sql: statement.to_text(reveal),
            execute,
            bound: sql.names().map(str::to_owned).collect(),
        }
    }
}
