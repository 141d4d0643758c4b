//! The extensions that a plan loads: where DuckDB looks for them, which are there, and how one gets there.
//!
//! The instance has the plan's settings and loads nothing, so that a lake need not be reachable, or be there at all.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ducklake_sql::{AttachPlan, Extension, Sql, Statement, StringLiteral, sql};
use ring::digest::{Context, SHA256};

use crate::engine::{Class, Connection, Error, Kind, Refusal, has_right_signature, open_bare_instance};

/// The extensions of DuckDB as a plan has them.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Session};
/// use metaxy_store_duckdb::Extensions;
///
/// let catalog = Catalog::Sqlite(CatalogFile::new("/srv/lake.sqlite")?);
/// let plan = Lake::builder(catalog, LocalFolder::new("/srv/data")?).build()?.plan(&Session::default(), Mode::Read);
/// let extensions = Extensions::of(plan.clone())?;
/// for extension in plan.extensions() {
///     let there = extensions.find(extension)?.is_some();
///     println!("{} is {}", extension.name(), if there { "there" } else { "missing" });
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Extensions {
    connection: Connection,
}

/// The file of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExtensionFile {
    /// Where it is.
    pub path: PathBuf,
    /// The SHA-256 sum of its content, in hexadecimal.
    pub sha256: String,
    /// Whether it is signed by DuckDB, and no byte of it was changed since.
    pub is_signed: bool,
}

impl Extensions {
    /// Those of DuckDB with the settings of a plan.
    ///
    /// # Errors
    ///
    /// When DuckDB does not open, or refuses a setting.
    pub fn of(plan: AttachPlan) -> Result<Self, Error> {
        let instance = open_bare_instance(&plan)?;
        Ok(Self { connection: Connection::new(instance, Arc::new(plan)) })
    }

    /// The folders of the files, of this version of DuckDB and for this platform; what is installed goes to the first.
    ///
    /// # Errors
    ///
    /// When DuckDB does not tell.
    pub fn folders(&self) -> Result<Vec<PathBuf>, Error> {
        Ok(folders(&self.connection)?.into_iter().map(expanded).collect())
    }

    /// The file that DuckDB would load; `None` where there is none.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn find(&self, extension: &Extension) -> Result<Option<ExtensionFile>, Error> {
        let installed =
            Sql::fixed("SELECT extension_name, install_path FROM duckdb_extensions() WHERE installed AND NOT loaded");
        let rows: Vec<(String, Option<String>)> = self.connection.query_rows(installed)?;
        let found = rows.into_iter().find(|(name, _)| name == extension.name().as_str());
        let found = found.and_then(|(_, path)| path).map(PathBuf::from);
        // DuckDB lists only the extensions that it knows by name.
        let file = [extension.name().as_str(), ".duckdb_extension"].concat();
        let found = match found {
            Some(path) => Some(path),
            None => self.folders()?.into_iter().map(|folder| folder.join(&file)).find(|path| path.is_file()),
        };
        found.map(|path| ExtensionFile::read(&path)).transpose()
    }

    /// Installs an extension, from a file or else from its repository, and loads it; one that is there is replaced.
    ///
    /// # Errors
    ///
    /// When the file is not signed by DuckDB, when it is for another version or platform, when there is no way to the
    /// repository, or when what was installed does not load.
    pub fn install(&self, extension: &Extension, from: Option<&Path>) -> Result<ExtensionFile, Error> {
        let name = extension.name();
        if let Some(path) = from {
            if !ExtensionFile::read(path)?.is_signed {
                return Err(Error::refused(Problem::Unsigned(path.display().to_string())));
            }
            let path = path.to_str().and_then(|path| StringLiteral::new(path).ok());
            let path = path.ok_or_else(|| Error::refused(Problem::Path))?;
            self.connection.execute(sql!("FORCE INSTALL {path}", path))?;
        } else {
            let install = Statement::Install(extension.clone()).to_sql();
            self.connection.execute(sql!("FORCE {install}", install))?;
        }
        self.connection.run_statement(&Statement::Load(extension.clone()))?;
        let path = self.connection.text(
            &Sql::fixed("SELECT install_path FROM duckdb_extensions() WHERE loaded AND extension_name = ?")
                .with_text("name", name.as_str()),
        )?;
        let path = path.map(PathBuf::from);
        path.map_or_else(
            || Err(Error::refused(Problem::NotListed(name.to_string()))),
            |path| ExtensionFile::read(&path),
        )
    }
}

impl ExtensionFile {
    fn read(path: &Path) -> Result<Self, Error> {
        let read = || Ok((sum(path)?, has_right_signature(path)?));
        let (sha256, is_signed) = read().map_err(|error| {
            let path = path.display().to_string();
            Error::new(Kind::File { action: "reading", path, error })
        })?;
        Ok(Self { path: path.to_owned(), sha256, is_signed })
    }
}

/// Where DuckDB looks for extensions, the folder to install into first; `~` is as DuckDB has it.
pub(crate) fn folders(connection: &Connection) -> Result<Vec<PathBuf>, Error> {
    let sql = "WITH given AS (
                   SELECT [current_setting('extension_directory')::VARCHAR] || current_setting('extension_directories')::VARCHAR[]
                          AS folders,
                          coalesce(nullif(current_setting('home_directory')::VARCHAR, ''), '~') AS home
               ), used AS (
                   SELECT unnest(CASE WHEN list_has_any(folders, ['']) AND len(folders) = 1
                                      THEN [home || '/.duckdb/extensions'] ELSE folders END) AS folder
                   FROM given
               )
               SELECT folder || '/' || library_version || '/' || platform
               FROM used, pragma_version(), pragma_platform()
               WHERE folder <> ''";
    let rows: Vec<(String,)> = connection.query_rows(sql)?;
    Ok(rows.into_iter().map(|(folder,)| PathBuf::from(folder)).collect())
}

/// The path with `~` replaced by the home directory, where there is one.
fn expanded(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(below), Some(home)) => home.join(below),
        _ => path,
    }
}

fn sum(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => context.update(buffer.get(..read).unwrap_or_default()),
        }
    }
    let sum = context.finish();
    let halves = sum.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Ok(halves.filter_map(|half| char::from_digit(half.into(), 16)).collect())
}

/// Why an extension is not installed.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("`{0}` is not signed by DuckDB, or was changed since")]
    Unsigned(String),
    #[error("the path of the extension's file is not Unicode")]
    Path,
    #[error("DuckDB has loaded `{0}`, and does not list it")]
    NotListed(String),
}

impl Refusal for Problem {
    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Unsigned(_) => "take the file from DuckDB's repository, or from a wheel of it, again",
            Self::Path => "copy it to another path",
            Self::NotListed(_) => return None,
        };
        Some(help.to_owned())
    }

    fn class(&self) -> Class {
        Class::Other
    }
}
