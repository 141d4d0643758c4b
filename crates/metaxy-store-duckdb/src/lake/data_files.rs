//! The data files of a lake: whether those that the lake knows are below a data path, and whether any are there.

use std::collections::BTreeSet;
use std::path::Path;

use ducklake_sql::{AttachPlan, Catalog, Lake, Sql, sql};

use super::catalog_file::{self, Content};
use super::data_path::{DataPath, is_gone};
use crate::engine::{Connection, Error, Kind};

/// How many data files a lake knows, and how many of them are not below a data path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataFiles {
    pub(crate) count: usize,
    pub(crate) missing: usize,
}

impl DataFiles {
    /// Looks for the files of the attached lake's current snapshot; `None` where a server keeps the metadata to itself.
    ///
    /// Files with a path of their own, from outside of the data path, do not count.
    pub(crate) fn below(
        data_path: &DataPath,
        connection: &Connection,
        plan: &AttachPlan,
    ) -> Result<Option<Self>, Error> {
        let Some((database, schema)) = plan.metadata() else { return Ok(None) };
        let known: Vec<(String,)> = connection.query_rows(sql!(
            "SELECT concat(CASE WHEN t.path_is_relative THEN s.path ELSE '' END, t.path, f.path)
             FROM {database}.{schema}.ducklake_data_file AS f
             JOIN {database}.{schema}.ducklake_table AS t ON t.table_id = f.table_id AND t.end_snapshot IS NULL
             JOIN {database}.{schema}.ducklake_schema AS s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
             WHERE f.end_snapshot IS NULL AND f.path_is_relative AND (NOT t.path_is_relative OR s.path_is_relative)",
            database,
            schema,
        ))?;
        let is_there: Box<dyn Fn(&str) -> bool> = if data_path.is_local() {
            Box::new(|file| Path::new(data_path.as_str()).join(file).is_file())
        } else {
            let pattern = [data_path.as_str(), "**"].concat();
            let found = Sql::fixed("SELECT file FROM glob(?)").with_text("pattern", &pattern);
            let found: Vec<(String,)> = connection.query_rows(found)?;
            let found: BTreeSet<String> = found.into_iter().map(|(file,)| file).collect();
            Box::new(move |file| found.contains(&[data_path.as_str(), file].concat()))
        };
        let missing = known.iter().filter(|(file,)| !is_there(file)).count();
        Ok(Some(Self { count: known.len(), missing }))
    }
}

/// Whether a lake that has stored another path than the configured one was moved or renamed: all of its data files are at
/// the configured place, and surely none at the stored one, where else the lake would be written by others.
pub(crate) fn was_moved(files: Option<DataFiles>, stored: &str, configured: &DataPath) -> bool {
    match files {
        Some(DataFiles { count: 0, .. }) => is_gone(stored),
        Some(DataFiles { missing, .. }) => {
            missing == 0
                && configured
                    .places_of(stored)
                    .is_some_and(|places| !places.iter().any(|place| are_below_folder(place)))
        }
        None => false,
    }
}

/// Whether Parquet files are below a data path. Where it cannot be listed, none are seen.
pub(crate) fn are_below(data_path: &DataPath, connection: &Connection) -> bool {
    if data_path.is_local() {
        return are_below_folder(Path::new(data_path.as_str()));
    }
    let pattern = [data_path.as_str(), "**/*.parquet"].concat();
    let found = connection.text(&Sql::fixed("SELECT file FROM glob(?) LIMIT 1").with_text("pattern", &pattern));
    matches!(found, Ok(Some(_)))
}

/// The same for a folder of this machine.
pub(crate) fn are_below_folder(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_parquet = |path: &Path| path.extension().is_some_and(|extension| extension == "parquet");
    // A symbolic link is not followed: it may lead back.
    entries.into_iter().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => are_below_folder(&entry.path()),
        Ok(_) => is_parquet(&entry.path()),
        Err(_) => false,
    })
}

/// Whether the catalog's file is there and empty.
///
/// No program that made a lake leaves one: the file was cut to nothing, or a program that failed to open a lake made it.
/// SQLite's library makes one when it opens a file that is not there, so does DuckLake that may not create a lake.
pub(crate) fn is_emptied(lake: &Lake) -> bool {
    catalog_file::content_of(lake) == Some(Content::Empty)
}

/// The error for such a catalog; without a connection, data files of this machine are looked for.
pub(crate) fn emptied(lake: &Lake, connection: Option<&Connection>) -> Error {
    let path = lake.catalog().and_then(Catalog::file).map(ToString::to_string).unwrap_or_default();
    let has_files = DataPath::of(lake).is_some_and(|data_path| match connection {
        Some(connection) => are_below(&data_path, connection),
        None => data_path.is_local() && are_below_folder(Path::new(data_path.as_str())),
    });
    let data_path = lake.data_path().filter(|_| has_files).map(str::to_owned);
    Error::new(Kind::EmptiedCatalog { path, data_path })
}
