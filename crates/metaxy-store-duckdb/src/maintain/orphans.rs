//! Files below the data path that the lake does not know: listed, and deleted once they are old enough.
//!
//! The file of a transaction that is still open is one of them, so none is deleted that is younger than the age of the
//! lake's option `delete_older_than`. Nothing is deleted where another lake may have its files below the same path.

use ducklake_sql::{Age, Value, bind, sql};
use serde::Serialize;

use super::guards::files_age;
use super::problem::Problem;

use crate::engine::{Error, alone, read_again};
use crate::lake::{Store, data_path};

/// A file that the lake does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Orphan {
    /// Where it is.
    pub path: String,
    /// Its bytes, where the storage says so.
    pub bytes: Option<i64>,
    /// For how many seconds it was not changed, where the storage says so.
    pub age_seconds: Option<i64>,
    /// Whether it is old enough to be deleted.
    pub is_old: bool,
}

/// All files that the lake does not know, see [`Store::orphans`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Orphans {
    /// The files.
    pub files: Vec<Orphan>,
    /// How old one must be to be deleted.
    pub older_than: Age,
    /// Files that are at no place where this lake puts any: they may be those of another lake.
    pub foreign: Vec<String>,
}

impl Store {
    /// Lists the files below the data path that the lake does not know.
    ///
    /// # Errors
    ///
    /// When the storage cannot be listed, or the lake has stored its data path so that live files would be taken for
    /// orphans.
    pub fn orphans(&self) -> Result<Orphans, Error> {
        let (database, schema) = self.catalog()?;
        let connection = self.connection();
        let lake = bind(self.plan().alias().as_str());
        let older_than = files_age(self)?;
        let stored: String = connection.query_value(sql!(
            "SELECT value FROM {database}.{schema}.ducklake_metadata WHERE key = 'data_path' AND scope IS NULL",
            database,
            schema,
        ))?;
        if data_path::makes_orphans(&stored) {
            return Err(Problem::DataPath(stored).into());
        }
        let schemas: Vec<(String,)> = connection.query_rows(sql!(
            "SELECT DISTINCT rtrim(path, '/') FROM {database}.{schema}.ducklake_schema WHERE path_is_relative",
            database,
            schema,
        ))?;
        let unknown: Vec<(String,)> = alone(connection, |connection| {
            connection.query_rows(sql!(
                "SELECT path FROM ducklake_delete_orphaned_files({lake}, dry_run => true, cleanup_all => true) ORDER BY path",
                lake,
            ))
        })?;
        let old: Vec<(String,)> = alone(connection, |connection| {
            connection.query_rows(sql!(
                "SELECT path FROM ducklake_delete_orphaned_files({lake}, dry_run => true, older_than => now() - CAST({age} AS INTERVAL))",
                lake,
                age = bind(older_than.to_string()),
            ))
        })?;
        let paths: Vec<Value> = unknown.iter().map(|(path,)| path.as_str().into()).collect();
        let known: Vec<(String, i64, i64)> = if paths.is_empty() {
            Vec::new()
        } else {
            read_again(connection, || {
                connection.query_rows(sql!(
                    "SELECT filename, CAST(size AS BIGINT), CAST(epoch(now()) - epoch(last_modified) AS BIGINT) FROM read_blob({paths})",
                    paths = Value::List(paths.clone()),
                ))
            })?
        };
        let files: Vec<Orphan> = unknown
            .into_iter()
            .map(|(path,)| {
                let found = known.iter().find(|(known, ..)| *known == path);
                let is_old = old.iter().any(|(old,)| *old == path);
                let (bytes, age_seconds) = (found.map(|found| found.1), found.map(|found| found.2));
                Orphan { path, bytes, age_seconds, is_old }
            })
            .collect();
        let is_own = |file: &&Orphan| {
            let places = [stored.as_str(), self.data_path().unwrap_or(&stored)];
            let relative = places.iter().find_map(|place| file.path.strip_prefix(*place));
            let relative = relative.map(|path| path.trim_start_matches('/'));
            let parts: Vec<&str> = relative.unwrap_or_default().split('/').collect();
            matches!(parts.as_slice(), [schema, _, partitions @ .., _]
                if schemas.iter().any(|(known,)| known == schema) && partitions.iter().all(|part| part.contains('=')))
        };
        let foreign = files.iter().filter(|file| !is_own(file)).map(|file| file.path.clone()).collect();
        Ok(Orphans { files, older_than, foreign })
    }

    /// Deletes those of the files that are old enough; how many they were.
    ///
    /// # Errors
    ///
    /// When a file may be that of another lake, or cannot be deleted.
    pub fn delete_orphans(&self, found: &Orphans) -> Result<usize, Error> {
        if let Some(foreign) = found.foreign.first() {
            return Err(Problem::ForeignFiles(foreign.clone()).into());
        }
        let deleted: Vec<(String,)> = alone(self.connection(), |connection| {
            connection.query_rows(sql!(
                "SELECT path FROM ducklake_delete_orphaned_files({lake}, older_than => now() - CAST({age} AS INTERVAL))",
                lake = bind(self.plan().alias().as_str()),
                age = bind(found.older_than.to_string()),
            ))
        })?;
        Ok(deleted.len())
    }
}
