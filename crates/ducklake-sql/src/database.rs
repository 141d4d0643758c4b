//! A database that holds tables: a lake, or a DuckDB database without one.

use crate::lake::{Lake, Mode, encode};
use crate::path::CatalogFile;
use crate::plan::{AttachPlan, Check};
use crate::session::Session;
use crate::statement::{AttachFile, Statement};
use crate::value::{Alias, Ident, StringLiteral};

/// What holds the tables of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableDatabase {
    /// A lake.
    Lake(Lake),
    /// A DuckDB database without a lake.
    DuckDb(DuckDbDatabase),
}

/// A DuckDB database without a lake: a file, one in memory that goes away with its instance, or one in MotherDuck.
///
/// ```
/// use ducklake_sql::{CatalogFile, DuckDbDatabase, Mode, Reveal, Session};
///
/// let database = DuckDbDatabase::file(CatalogFile::new("/srv/rows.duckdb")?);
/// let plan = database.plan(&Session::default(), Mode::Read);
/// let text: Vec<_> = plan.statements().iter().map(|one| one.to_text(Reveal::Masked)).collect();
/// assert_eq!(text, [r#"ATTACH '/srv/rows.duckdb' AS "rows" (TYPE DUCKDB, READ_ONLY)"#, r#"USE "rows""#]);
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuckDbDatabase {
    location: Location,
    alias: Ident,
    must_exist: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Location {
    Memory,
    File(CatalogFile),
    MotherDuck,
}

impl From<Lake> for TableDatabase {
    fn from(lake: Lake) -> Self {
        Self::Lake(lake)
    }
}

impl From<&Lake> for TableDatabase {
    fn from(lake: &Lake) -> Self {
        Self::Lake(lake.clone())
    }
}

impl From<DuckDbDatabase> for TableDatabase {
    fn from(database: DuckDbDatabase) -> Self {
        Self::DuckDb(database)
    }
}

impl TableDatabase {
    /// The lake, if it is one.
    pub fn lake(&self) -> Option<&Lake> {
        match self {
            Self::Lake(lake) => Some(lake),
            Self::DuckDb(_) => None,
        }
    }

    /// The name under which its tables are found.
    pub fn alias(&self) -> &Ident {
        match self {
            Self::Lake(lake) => lake.alias(),
            Self::DuckDb(database) => &database.alias,
        }
    }

    /// Whether it can only be read, whatever the mode, see [`Lake::is_read_only`].
    pub fn is_read_only(&self) -> bool {
        self.lake().is_some_and(Lake::is_read_only)
    }

    /// Whether it is created when it is opened for writing and is not there.
    pub fn creates_if_missing(&self) -> bool {
        match self {
            Self::Lake(lake) => lake.creates_if_missing(),
            Self::DuckDb(database) => !database.must_exist,
        }
    }

    /// The same database as one that is not created when it is opened for writing and is not there.
    pub fn must_exist(&self) -> Self {
        match self {
            Self::Lake(lake) => Self::Lake(lake.must_exist()),
            Self::DuckDb(database) => Self::DuckDb(DuckDbDatabase { must_exist: true, ..database.clone() }),
        }
    }

    /// The same database, brought to the engine's format when it is attached, see [`Lake::migrating`]; one of DuckDB's own
    /// stays as it is.
    pub fn migrating(&self) -> Self {
        match self {
            Self::Lake(lake) => Self::Lake(lake.migrating()),
            Self::DuckDb(database) => Self::DuckDb(database.clone()),
        }
    }

    /// The same database as one that is attached beside another in one instance, see [`Lake::as_secondary`].
    pub fn as_secondary(&self, owner: &str) -> Self {
        match self {
            Self::Lake(lake) => Self::Lake(lake.as_secondary(owner)),
            // Its name there is its alias, as for a lake in MotherDuck.
            Self::DuckDb(database) if database.location == Location::MotherDuck => self.must_exist(),
            Self::DuckDb(database) => {
                let mut alias = String::from("metaxy_beside_");
                encode(owner, &mut alias);
                Self::DuckDb(DuckDbDatabase { alias: Ident::trusted(alias), must_exist: true, ..database.clone() })
            }
        }
    }

    /// The same database under another name in an instance; one in MotherDuck keeps the name that it has there.
    ///
    /// ```
    /// use ducklake_sql::{Alias, CatalogFile, DuckDbDatabase, TableDatabase};
    ///
    /// let database = TableDatabase::from(DuckDbDatabase::file(CatalogFile::new("/srv/rows.duckdb")?));
    /// assert_eq!(database.with_alias(Alias::new("raw")?).alias().as_str(), "raw");
    /// # Ok::<(), ducklake_sql::Problem>(())
    /// ```
    pub fn with_alias(&self, alias: Alias) -> Self {
        match self {
            Self::Lake(lake) => Self::Lake(lake.with_alias(alias)),
            Self::DuckDb(database) if database.location == Location::MotherDuck => self.clone(),
            Self::DuckDb(database) => Self::DuckDb(DuckDbDatabase { alias: alias.ident().clone(), ..database.clone() }),
        }
    }

    /// The statements that attach it, in order, and the checks to make after them.
    pub fn plan(&self, session: &Session, mode: Mode) -> AttachPlan {
        match self {
            Self::Lake(lake) => lake.plan(session, mode),
            Self::DuckDb(database) => database.plan(session, mode),
        }
    }
}

impl DuckDbDatabase {
    /// One in memory.
    pub fn in_memory() -> Self {
        Self { location: Location::Memory, alias: Ident::trusted(name_of("memory")), must_exist: false }
    }

    /// The one in a file, under the name that DuckDB gives it: that of the file up to the first dot.
    pub fn file(file: CatalogFile) -> Self {
        let name = file.as_str().rsplit('/').next().unwrap_or_default();
        let alias = Ident::trusted(name_of(name.split('.').next().unwrap_or_default()));
        Self { location: Location::File(file), alias, must_exist: false }
    }

    /// The one of this name in MotherDuck; the token is a setting of the session, or in the environment.
    ///
    /// ```
    /// use ducklake_sql::{DuckDbDatabase, Ident, Mode, Reveal, Session};
    ///
    /// let plan = DuckDbDatabase::mother_duck(Ident::new("rows")?).plan(&Session::default(), Mode::Write);
    /// let text: Vec<_> = plan.statements().iter().map(|one| one.to_text(Reveal::Masked)).collect();
    /// assert_eq!(text, ["LOAD motherduck", "ATTACH 'md:'", r#"USE "rows""#]);
    /// # Ok::<(), ducklake_sql::Problem>(())
    /// ```
    pub fn mother_duck(name: Ident) -> Self {
        Self { location: Location::MotherDuck, alias: name, must_exist: true }
    }

    /// The name under which its tables are found.
    pub fn alias(&self) -> &Ident {
        &self.alias
    }

    /// Its file; `None` for one in memory or in MotherDuck.
    pub fn path(&self) -> Option<&CatalogFile> {
        match &self.location {
            Location::File(file) => Some(file),
            Location::Memory | Location::MotherDuck => None,
        }
    }

    /// Whether it is in MotherDuck.
    pub fn is_in_motherduck(&self) -> bool {
        self.location == Location::MotherDuck
    }

    /// The statements that attach it, in order, and the checks to make after them.
    ///
    /// It is attached in an instance in memory, as a lake is, so that both are opened, read beside each other and detached
    /// alike.
    pub fn plan(&self, session: &Session, mode: Mode) -> AttachPlan {
        let extensions = if self.is_in_motherduck() { vec!["motherduck"] } else { Vec::new() };
        let mut statements = session.prepare(extensions, None);
        let mut checks = vec![Check::IsNoCatalog { alias: self.alias.clone() }];
        let path = match &self.location {
            Location::Memory => Some(":memory:"),
            Location::File(file) => Some(file.as_str()),
            Location::MotherDuck => None,
        };
        if let Some(path) = path {
            statements.push(Statement::AttachFile(AttachFile {
                path: StringLiteral::trusted(path),
                alias: self.alias.clone(),
                // What is in memory can be read only by whoever has written it.
                read_only: mode == Mode::Read && self.path().is_some(),
            }));
        } else {
            statements.push(Statement::AttachMotherDuck);
            checks.clear();
        }
        statements.push(Statement::Use(self.alias.clone()));
        AttachPlan { mode, alias: self.alias.clone(), catalog: None, at_open: session.at_open(), statements, checks }
    }
}

/// The name of a database in a file that is called so: some names are taken in every instance.
fn name_of(stem: &str) -> String {
    const TAKEN: &[&str] = &["", "main", "memory", "system", "temp"];
    if TAKEN.iter().any(|taken| taken.eq_ignore_ascii_case(stem)) { [stem, "_db"].concat() } else { stem.to_owned() }
}
