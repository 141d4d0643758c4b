//! The file of a DuckDB or SQLite catalog: what it is before a lake is attached, and how to leave no trace of a failure.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use ducklake_sql::{Catalog, CatalogKind, DuckDbDatabase, Lake, StringLiteral, sql};

use crate::engine::{Connection, Error, Kind};

/// A catalog's file, as it was before the attempt to attach.
#[derive(Debug)]
pub(crate) struct CatalogFile {
    path: PathBuf,
    existed: bool,
    /// Folders made for it, the outermost first.
    made: Vec<PathBuf>,
}

impl CatalogFile {
    /// Looks at the catalog's file and makes its folder if a lake may be created; `None` where it is no file.
    ///
    /// A missing file is an error unless the lake may be created, since SQLite would leave an empty one behind. So is a
    /// file of another kind: DuckDB would take it for a corrupt one, or worse, not.
    pub(crate) fn prepare(catalog: &Catalog, creates: bool) -> Result<Option<Self>, Error> {
        let (Some(file), Catalog::DuckDb(_) | Catalog::Sqlite(_)) = (catalog.file(), catalog) else {
            return Ok(None);
        };
        let expected = if matches!(catalog, Catalog::Sqlite(_)) { Content::Sqlite } else { Content::DuckDb };
        let missing = || Kind::MissingLake(["`", file.as_str(), "`"].concat());
        let wrong = |found: Content| Kind::WrongCatalogFile {
            path: file.to_string(),
            found: found.name(),
            configured: expected.name(),
        };
        Self::prepare_file(PathBuf::from(file.as_str()), expected, creates, missing, wrong).map(Some)
    }

    /// The same for the file of a DuckDB database without a lake.
    pub(crate) fn prepare_database(database: &DuckDbDatabase, creates: bool) -> Result<Option<Self>, Error> {
        let Some(file) = database.path() else { return Ok(None) };
        let missing = || Kind::MissingDatabase(file.to_string());
        let wrong = |found: Content| Kind::NoDatabase { path: file.to_string(), found: found.name() };
        Self::prepare_file(PathBuf::from(file.as_str()), Content::DuckDb, creates, missing, wrong).map(Some)
    }

    fn prepare_file(
        path: PathBuf,
        expected: Content,
        creates: bool,
        missing: impl FnOnce() -> Kind,
        wrong: impl FnOnce(Content) -> Kind,
    ) -> Result<Self, Error> {
        let found = Content::of(&path).map_err(|error| failed("reading", &path, error))?;
        match found {
            Content::Missing | Content::Empty if !creates => Err(Error::new(missing())),
            Content::Missing | Content::Empty => {
                let made = match path.parent() {
                    Some(folder) => {
                        make_folders(folder).map_err(|error| failed("creating the folder of", &path, error))?
                    }
                    None => Vec::new(),
                };
                Ok(Self { path, existed: found == Content::Empty, made })
            }
            _ if found == expected => Ok(Self { path, existed: true, made: Vec::new() }),
            _ => Err(Error::new(wrong(found))),
        }
    }

    /// Removes what a failed attempt left: a file without content that was not there, and the folders made for it if
    /// they are empty.
    pub(crate) fn restore(self) {
        if !self.existed {
            remove_without_content(&self.path);
        }
        for folder in self.made.iter().rev() {
            drop(fs::remove_dir(folder));
        }
    }
}

/// Removes a file that is empty, or a DuckDB database that nothing was ever stored in. A file with anything in it stays,
/// for it may be another process's lake by now.
pub(crate) fn remove_without_content(path: &Path) {
    /// Three headers; the first table adds a block of 256 KiB.
    const EMPTY_DATABASE: u64 = 3 * 4096;
    let is_without_content = match Content::of(path) {
        Ok(Content::Empty) => true,
        Ok(Content::DuckDb) => fs::metadata(path).is_ok_and(|metadata| metadata.len() <= EMPTY_DATABASE),
        _ => false,
    };
    if is_without_content {
        // Nothing is lost if this fails: there is no lake in such a file.
        drop(fs::remove_file(path));
    }
}

/// What the file of a lake's catalog is now; `None` where it is no file, or cannot be read.
pub(crate) fn content_of(lake: &Lake) -> Option<Content> {
    Content::of(Path::new(lake.catalog()?.file()?.as_str())).ok()
}

/// The tables, views and whatever else of a catalog's file that a lake has not made, a few of them; it has to be attached by nobody.
///
/// Where the file cannot be attached by itself, as when it is encrypted, none are seen.
pub(crate) fn other_tables(connection: &Connection, lake: &Lake) -> Result<Vec<String>, Error> {
    let Some(file) = lake.catalog().and_then(Catalog::file) else { return Ok(Vec::new()) };
    let Ok(path) = StringLiteral::new(file.as_str()) else { return Ok(Vec::new()) };
    let attach = match lake.catalog_kind() {
        CatalogKind::Sqlite => sql!("ATTACH {path} AS metaxy_catalog_file (TYPE sqlite, READ_ONLY)", path),
        _ => sql!("ATTACH {path} AS metaxy_catalog_file (READ_ONLY)", path),
    };
    if connection.run(&attach).is_err() {
        return Ok(Vec::new());
    }
    // Whatever somebody has made there: the file is theirs.
    let tables = connection.query_rows(sql!(
        "WITH made AS (
             SELECT table_name AS name, database_name, internal FROM duckdb_tables()
             UNION ALL
             SELECT view_name, database_name, internal FROM duckdb_views()
             UNION ALL
             SELECT sequence_name, database_name, false FROM duckdb_sequences()
             UNION ALL
             SELECT function_name, database_name, internal FROM duckdb_functions()
             UNION ALL
             SELECT type_name, database_name, internal FROM duckdb_types()
             UNION ALL
             SELECT schema_name, database_name, internal FROM duckdb_schemas()
         )
         SELECT DISTINCT name FROM made
         WHERE database_name = 'metaxy_catalog_file' AND NOT internal
             AND NOT EXISTS (FROM made WHERE database_name = 'metaxy_catalog_file' AND name = 'ducklake_metadata')
         ORDER BY name LIMIT 5",
    ));
    connection.execute("DETACH metaxy_catalog_file")?;
    Ok(tables?.into_iter().map(|(table,)| table).collect())
}

fn failed(action: &'static str, path: &Path, error: std::io::Error) -> Error {
    Error::new(Kind::File { action, path: path.display().to_string(), error })
}

/// Makes a folder and those above it; the ones that were not there, the outermost first.
fn make_folders(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let missing = folder.ancestors().take_while(|folder| !folder.exists());
    let mut made: Vec<_> = missing.map(Path::to_path_buf).collect();
    made.reverse();
    fs::create_dir_all(folder)?;
    Ok(made)
}

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Missing,
    Empty,
    Sqlite,
    DuckDb,
    Other,
}

impl Content {
    pub(crate) fn of(path: &Path) -> std::io::Result<Self> {
        const HEAD: u64 = 16;
        let mut head = Vec::new();
        match fs::File::open(path) {
            Ok(file) => file.take(HEAD).read_to_end(&mut head)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::Missing),
            Err(error) => return Err(error),
        };
        Ok(match CatalogKind::of_file(&head) {
            _ if head.is_empty() => Self::Empty,
            Some(CatalogKind::Sqlite) => Self::Sqlite,
            Some(CatalogKind::DuckDb) => Self::DuckDb,
            _ => Self::Other,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Empty => "empty",
            Self::Sqlite => "SQLite",
            Self::DuckDb => "DuckDB",
            Self::Other => "neither a DuckDB nor a SQLite",
        }
    }
}
