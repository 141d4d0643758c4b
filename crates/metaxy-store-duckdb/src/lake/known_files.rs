//! The files that a lake's catalog names, and whether they are there as they were written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirEntry, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use ducklake_sql::{AttachPlan, Sql, bind, sql};

use crate::engine::{Connection, Error, Kind, file_of};

/// A data file, or one of deletions, that a snapshot of the lake needs.
pub(crate) struct KnownFile {
    pub(crate) id: i64,
    /// Its table, as `schema.table`.
    pub(crate) table: String,
    pub(crate) path: String,
    pub(crate) size: u64,
    /// How many rows it has, or how many it deletes.
    pub(crate) rows: u64,
    /// The first snapshot that needs it.
    pub(crate) snapshot: i64,
    /// Whether it says which rows of another file are deleted.
    pub(crate) is_of_deletions: bool,
    /// Whether the newest snapshot needs it.
    pub(crate) is_current: bool,
    /// Whether it is a Parquet file that can be read without the lake.
    pub(crate) reads_alone: bool,
}

/// What is wrong with a file.
pub(crate) enum Damage {
    Missing,
    OtherSize(u64),
    /// It cannot be opened, for this reason.
    Denied(String),
}

/// A file as it is read: path, table, number, size, rows, snapshot; of deletions, current, alone.
type Row = (String, String, i64, u64, u64, i64, bool, bool, bool);

/// Every file of every snapshot; `None` where a server keeps the metadata to itself.
pub(crate) fn known_files(
    connection: &Connection,
    plan: &AttachPlan,
    data_path: &str,
) -> Result<Option<Vec<KnownFile>>, Error> {
    let Some((database, schema)) = plan.metadata() else { return Ok(None) };
    // A table that was renamed has several rows, of one path; the last one has its name.
    let rows: Vec<Row> = connection.query_rows(sql!(
        "WITH files AS (
             SELECT data_file_id AS id, table_id, path, path_is_relative, file_size_bytes, record_count AS count,
                    begin_snapshot, end_snapshot, encryption_key, file_format AS format, false AS is_of_deletions
             FROM {database}.{schema}.ducklake_data_file
             UNION ALL
             SELECT delete_file_id, table_id, path, path_is_relative, file_size_bytes, delete_count,
                    begin_snapshot, end_snapshot, encryption_key, format, true
             FROM {database}.{schema}.ducklake_delete_file
         ), tables AS (
             SELECT table_id, max(schema_id) AS schema_id, max(path) AS path,
                    arg_max(table_name, begin_snapshot) AS name, bool_or(path_is_relative::BOOLEAN) AS path_is_relative
             FROM {database}.{schema}.ducklake_table
             GROUP BY table_id
         ), schemas AS (
             SELECT schema_id, max(path) AS path, arg_max(schema_name, begin_snapshot) AS name,
                    bool_or(path_is_relative::BOOLEAN) AS path_is_relative
             FROM {database}.{schema}.ducklake_schema
             GROUP BY schema_id
         ), places AS (
             SELECT table_id, concat(s.name, '.', t.name) AS name,
                    CASE WHEN NOT t.path_is_relative THEN t.path
                         WHEN NOT s.path_is_relative THEN concat(s.path, t.path)
                         ELSE concat({data_path}, s.path, t.path) END AS folder
             FROM tables AS t JOIN schemas AS s USING (schema_id)
         )
         SELECT CASE WHEN f.path_is_relative::BOOLEAN THEN concat(p.folder, f.path) ELSE f.path END AS path,
                p.name,
                f.id,
                f.file_size_bytes,
                coalesce(f.count, 0),
                f.begin_snapshot,
                f.is_of_deletions,
                f.end_snapshot IS NULL,
                f.encryption_key IS NULL AND f.format = 'parquet'
         FROM files AS f JOIN places AS p USING (table_id)
         ORDER BY path",
        database,
        schema,
        data_path = bind(data_path),
    ))?;
    let known = |(path, table, id, size, rows, snapshot, is_of_deletions, is_current, reads_alone)| KnownFile {
        id,
        table,
        path,
        size,
        rows,
        snapshot,
        is_of_deletions,
        is_current,
        reads_alone,
    };
    Ok(Some(rows.into_iter().map(known).collect()))
}

/// The files of a storage by their sizes, of which one listing tells.
pub(crate) struct Listing<'p> {
    data_path: &'p str,
    /// `None` for a folder of this machine, whose files are looked at one by one.
    sizes: Option<BTreeMap<String, u64>>,
}

impl<'p> Listing<'p> {
    /// Lists what is below a data path. A bucket is listed once: a request for each file would take long, and cost.
    pub(crate) fn of(connection: &Connection, data_path: &'p str) -> Result<Self, Error> {
        if !is_remote(data_path) {
            return Ok(Self { data_path, sizes: None });
        }
        let pattern = [data_path, "**"].concat();
        // Without their content, DuckDB takes the sizes from the listing.
        let sizes = Sql::fixed("SELECT filename, size FROM read_blob(?)").with_text("pattern", &pattern);
        let rows = connection.query_rows(sizes).or_else(|error| {
            // It fails where no file is.
            let any = Sql::fixed("SELECT file FROM glob(?) LIMIT 1").with_text("pattern", &pattern);
            if connection.text(&any)?.is_none() { Ok(Vec::new()) } else { Err(error) }
        })?;
        Ok(Self { data_path, sizes: Some(rows.into_iter().collect()) })
    }

    /// What is wrong with a file, if anything is.
    pub(crate) fn damage(&self, file: &KnownFile) -> Option<Damage> {
        let size = match &self.sizes {
            Some(sizes) if file.path.starts_with(self.data_path) => {
                sizes.get(&file.path).copied().ok_or(Damage::Missing)
            }
            // It was added from elsewhere.
            _ if is_remote(&file.path) => Ok(file.size),
            _ => size_of(&file.path),
        };
        match size {
            Ok(size) if size == file.size => None,
            Ok(size) => Some(Damage::OtherSize(size)),
            Err(damage) => Some(damage),
        }
    }
}

/// The files below the data path that no snapshot needs, and that are not about to be removed either; those that a
/// program is about to commit are among them.
pub(crate) fn orphans(
    connection: &Connection,
    plan: &AttachPlan,
    known: &[KnownFile],
    listing: &Listing<'_>,
) -> Result<Vec<String>, Error> {
    let Some((database, schema)) = plan.metadata() else { return Ok(Vec::new()) };
    let scheduled: Vec<(String,)> = connection.query_rows(sql!(
        "SELECT path FROM {database}.{schema}.ducklake_files_scheduled_for_deletion",
        database,
        schema,
    ))?;
    // Names are unique, and paths may be written in several ways.
    let scheduled = scheduled.iter().map(|(path,)| path.as_str());
    let named: BTreeSet<&str> = known.iter().map(|file| file.path.as_str()).chain(scheduled).map(name_of).collect();
    let mut found = Vec::new();
    if let Some(sizes) = &listing.sizes {
        found.extend(sizes.keys().cloned());
    } else {
        add_files(Path::new(listing.data_path), &mut found)?;
    }
    let is_data = |path: &str| path.ends_with(".parquet") || file_of(Path::new(path)).is_some();
    Ok(found.into_iter().filter(|path| is_data(path) && !named.contains(name_of(path))).collect())
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Adds the files below a folder. A symbolic link is not followed: it may lead back.
fn add_files(folder: &Path, found: &mut Vec<String>) -> Result<(), Error> {
    let listed = || -> io::Result<_> {
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(DirEntry::path);
        entries.into_iter().map(|entry| Ok((entry.path(), entry.file_type()?.is_dir()))).collect::<io::Result<Vec<_>>>()
    };
    let entries = match listed() {
        // Nothing was written yet, or a program removes what it finds empty.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(Error::new(Kind::File { action: "listing", path: folder.display().to_string(), error }));
        }
        Ok(entries) => entries,
    };
    for (path, is_folder) in entries {
        if is_folder {
            add_files(&path, found)?;
        } else {
            found.push(path.display().to_string());
        }
    }
    Ok(())
}

fn is_remote(path: &str) -> bool {
    path.contains("://")
}

/// The size of a file of this machine that can be read.
fn size_of(path: &str) -> Result<u64, Damage> {
    let opened = File::open(path).and_then(|file| file.metadata());
    opened.map(|metadata| metadata.len()).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Damage::Missing,
        _ => Damage::Denied(error.to_string()),
    })
}
