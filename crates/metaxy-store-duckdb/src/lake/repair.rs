//! Files that the catalog names and that are gone: as long as one of them is missing, its table cannot be read.
//!
//! DuckLake removes the files of a commit whose answer is lost, although the catalog may have its snapshot. Nothing brings
//! their rows back, unless a program that was killed meanwhile has left a second link to them. So what the catalog has of
//! such a file is taken out of it, which leaves every other row as it was.

use std::fs;
use std::path::{Path, PathBuf};

use ducklake_sql::{Ident, bind, list, sql};
use serde::Serialize;

use super::known_files::{Damage, KnownFile, Listing, known_files};
use super::store::Store;
use crate::engine::{Connection, Error, Kind, in_transaction, link_to, repeat};

/// A file that the catalog of a lake names and that is not there, see [`Store::missing_files`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MissingFile {
    /// Where it was.
    pub path: String,
    /// Its table, as `schema.table`.
    pub table: String,
    /// How many rows were in it, or how many rows of another file it marks as deleted.
    pub rows: u64,
    /// Whether it says which rows of another file are deleted: without it they are there again.
    pub is_of_deletions: bool,
    /// Whether the newest snapshot needs it, or older ones only.
    pub is_current: bool,
    /// The first snapshot that needs it.
    pub snapshot: i64,
    /// Whether a second link to it is there, from which it can be brought back with all of its rows.
    pub can_be_restored: bool,
    #[serde(skip)]
    id: i64,
    #[serde(skip)]
    link: Option<PathBuf>,
}

impl MissingFile {
    fn new(file: KnownFile) -> Self {
        let link = link_to(Path::new(&file.path));
        Self {
            path: file.path,
            table: file.table,
            rows: file.rows,
            is_of_deletions: file.is_of_deletions,
            is_current: file.is_current,
            snapshot: file.snapshot,
            can_be_restored: link.is_some(),
            id: file.id,
            link,
        }
    }
}

impl Store {
    /// The files of the lake that its catalog names and that are not there.
    ///
    /// # Errors
    ///
    /// When the catalog or the storage cannot be read.
    pub fn missing_files(&self) -> Result<Vec<MissingFile>, Error> {
        let connection = self.connection().elsewhere()?;
        let data_path = connection.text(&sql!(
            "SELECT data_path FROM ducklake_settings({lake})",
            lake = bind(self.plan().alias().as_str()),
        ))?;
        let Some(data_path) = data_path.filter(|_| self.plan().metadata().is_some()) else { return Ok(Vec::new()) };
        // In this order: what is committed meanwhile is not known, and there all the same.
        let known = known_files(&connection, self.plan(), &data_path)?.unwrap_or_default();
        let listing = Listing::of(&connection, &data_path)?;
        let is_missing = |file: &KnownFile| matches!(listing.damage(file), Some(Damage::Missing));
        Ok(known.into_iter().filter(is_missing).map(MissingFile::new).collect())
    }

    /// Makes tables readable again of which files are missing: brings those back of which a second link is there, and
    /// takes the others out of the catalog, in one transaction. Returns what was missing.
    ///
    /// Rows that were in a file which cannot be brought back are lost before and after. Where it said which rows are
    /// deleted, these are there again, as they were before the deletion.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store: metaxy_store_duckdb::Store = unreachable!();
    /// for file in store.repair()? {
    ///     println!("{}: {} rows of {}", file.path, file.rows, file.table);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the catalog or the storage cannot be read, or the catalog not be written; nothing is taken out of it then.
    pub fn repair(&self) -> Result<Vec<MissingFile>, Error> {
        let missing = self.missing_files()?;
        for file in &missing {
            if let Some(link) = &file.link {
                let failed = |error| Error::new(Kind::File { action: "restoring", path: file.path.clone(), error });
                fs::rename(link, &file.path).map_err(failed)?;
            }
        }
        let lost: Vec<&MissingFile> = missing.iter().filter(|file| file.link.is_none()).collect();
        if !lost.is_empty() {
            let connection = self.connection().elsewhere()?;
            let forget = || in_transaction(&connection, || forget(&connection, &lost));
            repeat(connection.retry(), forget, Error::begins_anew)?;
        }
        Ok(missing)
    }
}

/// What the catalog has of a data file: of its columns, its partition and its deletions, and last the file itself.
const OF_FILES: [&str; 5] = [
    "ducklake_file_column_stats",
    "ducklake_file_variant_stats",
    "ducklake_file_partition_value",
    "ducklake_delete_file",
    "ducklake_data_file",
];

/// Takes files out of the catalog.
fn forget(connection: &Connection, files: &[&MissingFile]) -> Result<(), Error> {
    let plan = connection.plan();
    let Some((database, schema)) = plan.metadata() else { return Ok(()) };
    let (deletions, data): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.is_of_deletions);
    let numbers = |files: &[&&MissingFile]| list(files.iter().map(|file| sql!("{id}", id = bind(file.id))));
    if !deletions.is_empty() {
        // The file of deletions that it took the place of.
        connection.execute(sql!(
            "UPDATE {database}.{schema}.ducklake_delete_file AS before
             SET end_snapshot = NULL
             WHERE delete_file_id NOT IN ({ids}) AND EXISTS (
                 SELECT 1
                 FROM {database}.{schema}.ducklake_delete_file AS lost
                 WHERE lost.delete_file_id IN ({ids}) AND lost.end_snapshot IS NULL
                     AND lost.data_file_id = before.data_file_id AND lost.begin_snapshot = before.end_snapshot
             )",
            database,
            schema,
            ids = numbers(&deletions),
        ))?;
        connection.execute(sql!(
            "DELETE FROM {database}.{schema}.ducklake_delete_file WHERE delete_file_id IN ({ids})",
            database,
            schema,
            ids = numbers(&deletions),
        ))?;
    }
    if data.is_empty() {
        return Ok(());
    }
    let lost: Vec<(i64, i64, i64)> = connection.query_rows(sql!(
        "SELECT table_id, CAST(sum(record_count) AS BIGINT), CAST(sum(file_size_bytes) AS BIGINT)
         FROM {database}.{schema}.ducklake_data_file
         WHERE data_file_id IN ({ids}) AND end_snapshot IS NULL
         GROUP BY table_id",
        database,
        schema,
        ids = numbers(&data),
    ))?;
    for (table, rows, bytes) in lost {
        connection.execute(sql!(
            "UPDATE {database}.{schema}.ducklake_table_stats
             SET record_count = greatest(record_count - {rows}, 0), file_size_bytes = greatest(file_size_bytes - {bytes}, 0)
             WHERE table_id = {table}",
            database,
            schema,
            rows = bind(rows),
            bytes = bind(bytes),
            table = bind(table),
        ))?;
    }
    for table in OF_FILES.map(Ident::new).into_iter().flatten() {
        connection.execute(sql!(
            "DELETE FROM {database}.{schema}.{table} WHERE data_file_id IN ({ids})",
            database,
            schema,
            table,
            ids = numbers(&data),
        ))?;
    }
    Ok(())
}
