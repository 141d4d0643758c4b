//! A database that holds tables: a lake, or a DuckDB database without one.

use crate::lake::{Lake, Mode, encode};
use crate::path::CatalogFile;
use crate::plan::{AttachPlan, Check};
use crate::session::Session;
use crate::statement::{AttachFile, Statement};
use crate::value::{Ident, StringLiteral};

/// What holds the tables of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableDatabase {
    /// A lake.
    Lake(Lake),
    /// A DuckDB database without a lake.
    DuckDb(DuckDbDatabase),
}

/// A DuckDB database without a lake: a file, or one in memory that goes away with its instance.
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
    /// `None` for one in memory.
    file: Option<CatalogFile>,
    alias: Ident,
    must_exist: bool,
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

    /// The same database as one that is attached beside another in one instance, see [`Lake::as_secondary`].
    pub fn as_secondary(&self, owner: &str) -> Self {
        match self {
            Self::Lake(lake) => Self::Lake(lake.as_secondary(owner)),
            Self::DuckDb(database) => {
                let mut alias = String::from("metaxy_beside_");
                encode(owner, &mut alias);
                Self::DuckDb(DuckDbDatabase { alias: Ident::trusted(alias), must_exist: true, ..database.clone() })
            }
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
        Self { file: None, alias: Ident::trusted(name_of("memory")), must_exist: false }
    }

    /// The one in a file, under the name that DuckDB gives it: that of the file up to the first dot.
    pub fn file(file: CatalogFile) -> Self {
        let name = file.as_str().rsplit('/').next().unwrap_or_default();
        let alias = Ident::trusted(name_of(name.split('.').next().unwrap_or_default()));
        Self { file: Some(file), alias, must_exist: false }
    }

    /// The name under which its tables are found.
    pub fn alias(&self) -> &Ident {
        &self.alias
    }

    /// Its file; `None` for one in memory.
    pub fn path(&self) -> Option<&CatalogFile> {
        self.file.as_ref()
    }

    /// The statements that attach it, in order, and the checks to make after them.
    ///
    /// It is attached in an instance in memory, as a lake is, so that both are opened, read beside each other and detached
    /// alike.
    pub fn plan(&self, session: &Session, mode: Mode) -> AttachPlan {
        let mut statements = session.prepare(Vec::new(), None);
        statements.push(Statement::AttachFile(AttachFile {
            path: StringLiteral::trusted(self.file.as_ref().map_or(":memory:", CatalogFile::as_str)),
            alias: self.alias.clone(),
            // What is in memory can be read only by whoever has written it.
            read_only: mode == Mode::Read && self.file.is_some(),
        }));
        statements.push(Statement::Use(self.alias.clone()));
        let checks = vec![Check::IsNoCatalog { alias: self.alias.clone() }];
        AttachPlan { mode, alias: self.alias.clone(), catalog: None, at_open: session.at_open(), statements, checks }
    }
}

/// The name of a database in a file that is called so: some names are taken in every instance.
fn name_of(stem: &str) -> String {
    const TAKEN: &[&str] = &["", "main", "memory", "system", "temp"];
    if TAKEN.iter().any(|taken| taken.eq_ignore_ascii_case(stem)) { [stem, "_db"].concat() } else { stem.to_owned() }
}
