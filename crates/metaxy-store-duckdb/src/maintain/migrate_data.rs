//! Moving the data files of a lake: copied below another data path, each compared, and then the catalog names that path.
//!
//! The paths of files are relative to the data path, so the catalog changes in one value. Files are never deleted: the way
//! back is a move to the first path, which copies what is new. Ended anywhere, it can be run again, and goes on with the file
//! at which it was ended.

use std::collections::BTreeMap;
use std::path::Path;

use ducklake_sql::{CatalogKind, Ident, Lake, Mode, StringLiteral, bind, sql};
use metaxy_config::Config;
use serde::Serialize;

use super::backup::needed_files;
use super::fence::History;
use super::problem::Problem;
use super::verify;
use crate::engine::{Connection, Error, ProgressUnit, in_transaction, read_again, repeat};
use crate::lake::data_path::DataPath;
use crate::lake::{CatalogDatabase, OpenOptions, Store};

/// Files by their paths below a data path, with their bytes.
type Listed = BTreeMap<String, i64>;

/// How many older snapshots are compared, unless it is said.
const OLDER: usize = 2;

/// A lake whose files are moved from the storage of one store to that of another, which has the same catalog, see
/// [`run`](Self::run).
///
/// ```no_run
/// use metaxy_config::{Config, LoadOptions, OsSystem};
/// use metaxy_store_duckdb::DataMigration;
///
/// let config = Config::load(&OsSystem, &LoadOptions::default())?.config;
/// let moved = DataMigration::new(&config, "dev", "bucket")?.alone(true).run()?;
/// println!("{} files, of which {} were copied now", moved.files, moved.copied);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct DataMigration<'c> {
    config: &'c Config,
    source: String,
    target: String,
    from: DataPath,
    to: DataPath,
    is_shared: bool,
    options: OpenOptions,
    older: usize,
    alone: bool,
}

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MovedData {
    /// The files of the lake; none where an earlier run has moved them.
    pub files: usize,
    /// Those of them that were copied now, and not by an earlier run.
    pub copied: usize,
    /// The tables that were read before and after, each once for each snapshot.
    pub compared_tables: usize,
}

impl<'c> DataMigration<'c> {
    /// Moves the files of the store `source` to the data path of the store `target`.
    ///
    /// # Errors
    ///
    /// When one of them is not configured or has no lake with files of its own, or their catalogs are not the same.
    pub fn new(config: &'c Config, source: &str, target: &str) -> Result<Self, Error> {
        let lake = |name: &str| -> Result<&Lake, Error> {
            Ok(config.trusted_store(name)?.lake().ok_or_else(|| Problem::NoLakeToMove(name.to_owned()))?)
        };
        let path = |name: &str| -> Result<DataPath, Error> {
            Ok(DataPath::of(lake(name)?).ok_or_else(|| Problem::NoLakeToMove(name.to_owned()))?)
        };
        let options = OpenOptions::default().fallback_stores(false);
        let catalogs = [source, target].map(|store| options.catalog_location(config, store));
        let [of_source, of_target] = catalogs;
        let (of_source, of_target) = (of_source?, of_target?);
        if of_source != of_target {
            return Err(Problem::Catalogs(of_source, of_target).into());
        }
        Ok(Self {
            config,
            source: source.to_owned(),
            target: target.to_owned(),
            from: path(source)?,
            to: path(target)?,
            is_shared: lake(source)?.catalog_kind() != CatalogKind::DuckDb,
            options,
            older: OLDER,
            alone: false,
        })
    }

    /// At how many older snapshots the rows of all tables are compared, beside the newest one; two unless set.
    pub fn older_snapshots(mut self, older: usize) -> Self {
        self.older = older;
        self
    }

    /// Whether no other program has the lake attached. Without this, only a lake in a DuckDB file is moved, which one program
    /// has to itself: any other program would go on writing files below the path that it has read.
    pub fn alone(mut self, alone: bool) -> Self {
        self.alone = alone;
        self
    }

    /// How the lakes are opened: who may end what runs, and who is told how much is done. No fallback stores are opened.
    pub fn open_options(mut self, options: OpenOptions) -> Self {
        self.options = options.fallback_stores(false);
        self
    }

    /// Moves the files. It can be run again, wherever it was ended.
    ///
    /// # Errors
    ///
    /// When another program may have the lake attached, a file has a path of its own or is not there, other files are below
    /// the new data path, a copy is not what was copied, or the lake was written to meanwhile. The lake is where it was then.
    pub fn run(&self) -> Result<MovedData, Error> {
        if self.is_at(&self.to)? {
            // An earlier run has moved them.
            return Ok(MovedData { files: 0, copied: 0, compared_tables: 0 });
        }
        if self.is_shared && !self.alone {
            return Err(Problem::NotAlone.into());
        }
        let source = self.options.open(self.config, &self.source, Mode::Read)?;
        let catalog = source.catalog()?;
        let known = History::read(source.connection(), &catalog)?;
        let before = verify::rows(&source, self.older)?;
        let (connection, files, mut there) = self.look(&source, &catalog)?;
        let sizes = listed(&connection, self.from.as_str())?;
        let bytes = |file: &String| sizes.get(file).and_then(|size| usize::try_from(*size).ok()).unwrap_or_default();
        let (mut copied, mut done, total) = (0, 0, files.iter().map(bytes).sum());
        for file in &files {
            connection.reporter().report(done, total, ProgressUnit::Bytes);
            if self.copy(&connection, file, sizes.get(file).copied(), there.remove(file))? {
                copied += 1;
            }
            done += bytes(file);
        }
        source.close()?;

        self.name_path(&self.from, &self.to, Some(&known))?;
        let after = self.options.open(self.config, &self.target, Mode::Read).and_then(|target| {
            let rows = verify::rows(&target, self.older)?;
            target.close().map(|()| rows)
        });
        let is_same = after.map(|after| after == before);
        if !matches!(is_same, Ok(true)) {
            self.name_path(&self.to, &self.from, None)?;
            is_same?;
            return Err(Problem::Differs("a table has other rows".to_owned()).into());
        }
        Ok(MovedData { files: files.len(), copied, compared_tables: before.len() })
    }

    /// How many files would be moved, and how many of them copied; nothing is changed, and no file is read.
    ///
    /// # Errors
    ///
    /// When they cannot be moved: a file has a path of its own, or other files are below the new data path.
    pub fn dry_run(&self) -> Result<MovedData, Error> {
        let mut moved = MovedData { files: 0, copied: 0, compared_tables: 0 };
        if !self.is_at(&self.to)? {
            let source = self.options.open(self.config, &self.source, Mode::Read)?;
            let (_, files, there) = self.look(&source, &source.catalog()?)?;
            moved.files = files.len();
            moved.copied = files.iter().filter(|file| !there.contains_key(*file)).count();
            source.close()?;
        }
        Ok(moved)
    }

    /// A connection that reaches both storages, the files to move, and those that are below the new data path.
    fn look(&self, source: &Store, catalog: &(Ident, Ident)) -> Result<(Connection, Vec<String>, Listed), Error> {
        let connection = self.options.reach_storage(self.config, &self.target, source.connection().elsewhere()?)?;
        let files = read_again(&connection, || files(&connection, catalog))?;
        let there = listed(&connection, self.to.as_str())?;
        match there.keys().find(|file| !files.contains(file)) {
            Some(foreign) => Err(Problem::ForeignFiles([self.to.as_str(), foreign].concat()).into()),
            None => Ok((connection, files, there)),
        }
    }

    /// Copies a file unless it is there as it should be; whether it was copied.
    fn copy(&self, connection: &Connection, file: &str, size: Option<i64>, there: Option<i64>) -> Result<bool, Error> {
        let [from, to] = [&self.from, &self.to].map(|path| [path.as_str(), file].concat());
        let size = size.ok_or_else(|| Problem::Differs(format!("`{from}` is not there")))?;
        let sum = checksum(connection, &from)?;
        if there == Some(size) && checksum(connection, &to)? == sum {
            return Ok(false);
        }
        if self.to.is_local()
            && let Some(folder) = Path::new(&to).parent()
        {
            std::fs::create_dir_all(folder).map_err(|error| super::backup::file_error("creating", folder, error))?;
        }
        let path = StringLiteral::new(to.as_str())?;
        connection.execute(sql!(
            "COPY (SELECT content FROM read_blob({from})) TO {path} (FORMAT blob)",
            from = bind(from),
            path,
        ))?;
        if checksum(connection, &to)? != sum {
            return Err(Problem::Differs(format!("`{to}` has other bytes")).into());
        }
        Ok(true)
    }

    /// Whether the catalog names this data path.
    fn is_at(&self, path: &DataPath) -> Result<bool, Error> {
        let database = self.database(Mode::Read)?;
        let stored = read_again(&database.connection, || stored_path(&database))?;
        Ok(path.is_stored_as(&stored))
    }

    /// Lets the catalog name another data path than it does, in one transaction, if nothing was written since `known`.
    fn name_path(&self, from: &DataPath, to: &DataPath, known: Option<&History>) -> Result<(), Error> {
        let database = self.database(Mode::Write)?;
        let (name, schema) = &database.name;
        let change = || {
            database.lock_snapshots()?;
            let stored = stored_path(&database)?;
            if !from.is_stored_as(&stored) {
                return Err(Problem::Changed.into());
            }
            // The first statement that writes lets no other program write to SQLite from here on.
            database.connection.execute(sql!(
                "UPDATE {name}.{schema}.ducklake_metadata SET value = {path} WHERE key = 'data_path' AND scope IS NULL",
                name,
                schema,
                path = bind(to.to_store()),
            ))?;
            match known {
                Some(known) if History::read(&database.connection, &database.name)? != *known => {
                    Err(Problem::Changed.into())
                }
                _ => Ok(()),
            }
        };
        repeat(database.connection.retry(), || in_transaction(&database.connection, change), Error::begins_anew)
    }

    fn database(&self, mode: Mode) -> Result<CatalogDatabase, Error> {
        let database = self.options.catalog_database(self.config, &self.source, mode)?;
        database.ok_or_else(|| Problem::NoLakeToMove(self.source.clone()).into())
    }
}

fn stored_path(database: &CatalogDatabase) -> Result<String, Error> {
    let (name, schema) = &database.name;
    database.connection.query_value(sql!(
        "SELECT coalesce(any_value(value), '') FROM {name}.{schema}.ducklake_metadata WHERE key = 'data_path' AND scope IS NULL",
        name,
        schema,
    ))
}

/// The files of a lake, below its data path: those that a snapshot needs.
fn files(connection: &Connection, (database, schema): &(Ident, Ident)) -> Result<Vec<String>, Error> {
    let mut files: Vec<String> =
        needed_files(connection, database, schema)?.into_iter().map(|(path, ..)| path).collect();
    files.sort_unstable();
    files.dedup();
    if let Some(own) = files.iter().find(|file| file.starts_with('/') || file.contains("://")) {
        return Err(Problem::OwnPath(own.clone()).into());
    }
    Ok(files)
}

/// The files below a data path, by their paths from there, with their bytes.
fn listed(connection: &Connection, path: &str) -> Result<Listed, Error> {
    let pattern = bind([path, "**"].concat());
    let found: Vec<(String, i64)> =
        connection.query_rows(sql!("SELECT filename, size FROM read_blob({pattern})", pattern)).or_else(|error| {
            // Below a path that is not there yet is nothing.
            let none = connection
                .query_value::<i64>(sql!("SELECT count(*) FROM glob({p})", p = bind([path, "**"].concat())))?;
            if none == 0 { Ok(Vec::new()) } else { Err(error) }
        })?;
    Ok(found.into_iter().filter_map(|(file, size)| Some((file.strip_prefix(path)?.to_owned(), size))).collect())
}

fn checksum(connection: &Connection, file: &str) -> Result<String, Error> {
    connection.query_value(sql!("SELECT any_value(md5(content)) FROM read_blob({file})", file = bind(file)))
}
