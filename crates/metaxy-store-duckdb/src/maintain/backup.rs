//! The catalog of a lake as one file, and a lake made of such a file, in a catalog of any kind.
//!
//! The file is a DuckDB database with a copy of each table of the catalog, as one snapshot has them. Data files are not
//! copied: their paths are relative to the data path, so a lake is restored where its files are. Rows that are kept in the
//! catalog have other types in each kind of catalog, so there must be none: they are flushed before.
//!
//! A lake can also be made of a copy of the file of a DuckDB catalog, as it is kept beside it. Rows that are kept in the
//! catalog are in it; a DuckDB file takes them.

use std::collections::BTreeSet;
use std::path::Path;

use ducklake_sql::{CatalogKind, ENGINE, Ident, Keyword, Sql, StringLiteral, bind, sql};
use serde::Serialize;
use tempfile::TempDir;

use super::fence;
use super::problem::Problem;
use super::size;
use crate::engine::{Connection, Error, Kind, in_transaction, repeat};
use crate::lake::Store;
use crate::lake::catalog_file::Content;

/// The format of lakes whose tables are known here.
pub(super) const FORMAT: &str = ENGINE.lake_format;

/// The tables of a catalog of this format, but for those of inlined rows.
const TABLES: &[&str] = &[
    "ducklake_column",
    "ducklake_column_mapping",
    "ducklake_column_tag",
    "ducklake_data_file",
    "ducklake_delete_file",
    "ducklake_file_column_stats",
    "ducklake_file_partition_value",
    "ducklake_file_variant_stats",
    "ducklake_files_scheduled_for_deletion",
    "ducklake_macro",
    "ducklake_macro_impl",
    "ducklake_macro_parameters",
    "ducklake_metadata",
    "ducklake_name_mapping",
    "ducklake_partition_column",
    "ducklake_partition_info",
    "ducklake_schema",
    "ducklake_schema_versions",
    "ducklake_snapshot",
    "ducklake_snapshot_changes",
    "ducklake_sort_expression",
    "ducklake_sort_info",
    "ducklake_table",
    "ducklake_table_column_stats",
    "ducklake_table_stats",
    "ducklake_tag",
    "ducklake_view",
];

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Backup {
    /// The newest snapshot in it.
    pub snapshot: i64,
    /// How many snapshots it has.
    pub snapshots: i64,
    /// The data files, and files of deletions, that its snapshots need.
    pub files: i64,
    /// The format of the lake.
    pub format: String,
    /// Where the lake had its files.
    pub data_path: String,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Restored {
    /// What the backup holds.
    pub backup: Backup,
    /// The files that are not there.
    pub missing: Vec<String>,
    /// The snapshots that need none of them, in order: all of their rows can be read.
    pub whole: Vec<i64>,
}

/// A file that snapshots need: its path below the data path, or a whole one, and the first and the last that does.
type NeededFile = (String, i64, Option<i64>);

impl Store {
    /// Writes the catalog into a new file, whose folder is made where it is not there. The lake can be open to read.
    ///
    /// A backup is of use as long as the data files of its snapshots are not deleted.
    ///
    /// # Errors
    ///
    /// When rows are kept in the catalog, the lake is of another format, the file is there already, or it cannot be
    /// written.
    pub fn back_up(&self, path: &Path) -> Result<Backup, Error> {
        let catalog = self.catalog()?;
        let connection = self.connection().elsewhere()?;
        write_file(&connection, path, || copy_out(&connection, &catalog))
    }

    /// Makes a lake that has nothing yet the one that a backup was made of, or a copy of a DuckDB catalog's file, and looks
    /// for its files.
    ///
    /// # Errors
    ///
    /// When the lake has tables or snapshots of its own, the file is no backup, or the catalog cannot be written; the
    /// lake has nothing then, as before.
    pub fn restore(&self, path: &Path) -> Result<Restored, Error> {
        self.restore_from(path, None)
    }

    /// The same, as an unfinished copy of the catalog `source`: it takes the place of an earlier one.
    pub(super) fn restore_from(&self, path: &Path, source: Option<&str>) -> Result<Restored, Error> {
        let catalog = self.catalog()?;
        let connection = self.connection().elsewhere()?;
        // The lake must not have a transaction of its own meanwhile.
        let attached = Attached::new(&connection, path, true)?;
        let attachment = attachment(&connection)?;
        if !attachment.inlined.is_empty() && self.plan().catalog() != Some(CatalogKind::DuckDb) {
            return Err(Problem::CopyOfFile.into());
        }
        let restore = || in_transaction(&connection, || copy_in(&connection, &catalog, &attachment, source));
        let backup = repeat(connection.retry(), restore, Error::begins_anew)?;
        attached.detach()?;
        let (database, schema) = &catalog;
        let needed = needed_files(&connection, database, schema)?;
        // What is stored may be relative, and then starts from wherever a program runs.
        let data_path = self.data_path().ok_or(Problem::NoMetadata)?;
        let there = listed(&connection, data_path, needed.iter().map(|(path, ..)| path.as_str()))?;
        let gone: Vec<&NeededFile> = needed.iter().filter(|(path, ..)| !there.contains(path)).collect();
        let snapshots: Vec<(i64,)> = connection.query_rows(sql!(
            "SELECT snapshot_id FROM {database}.{schema}.ducklake_snapshot ORDER BY snapshot_id",
            database,
            schema,
        ))?;
        let is_whole = |id: i64| !gone.iter().any(|(_, begin, end)| *begin <= id && end.is_none_or(|end| id < end));
        let whole = snapshots.into_iter().map(|(id,)| id).filter(|id| is_whole(*id)).collect();
        let missing = gone.iter().map(|(path, ..)| path.clone()).collect();
        Ok(Restored { backup, missing, whole })
    }
}

/// Makes a backup: a new file, into whose database `copy` copies in one transaction.
pub(super) fn write_file<T>(
    connection: &Connection,
    path: &Path,
    mut copy: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let failed = |error| file_error("writing the backup", path, error);
    if path.exists() {
        return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    // There is never half of a backup under its name.
    let folder = TempDir::new_in(folder).map_err(failed)?;
    let new = folder.path().join("backup.duckdb");
    let attached = Attached::new(connection, &new, false)?;
    let backup = repeat(connection.retry(), || in_transaction(connection, &mut copy), Error::begins_anew)?;
    attached.detach()?;
    std::fs::rename(&new, path).map_err(failed)?;
    Ok(backup)
}

pub(super) fn file_error(action: &'static str, path: &Path, error: std::io::Error) -> Error {
    Error::new(Kind::File { action, path: path.display().to_string(), error })
}

/// The file of a backup, attached to the instance until it is dropped.
pub(super) struct Attached<'c>(Option<&'c Connection>);

impl<'c> Attached<'c> {
    pub(super) fn new(connection: &'c Connection, path: &Path, to_read: bool) -> Result<Self, Error> {
        if to_read {
            match Content::of(path).map_err(|error| file_error("reading", path, error))? {
                Content::DuckDb => {}
                Content::Missing => return Err(file_error("reading", path, std::io::ErrorKind::NotFound.into())),
                _ => return Err(Problem::NoBackup.into()),
            }
        }
        let wrong = || file_error("opening the backup", path, std::io::ErrorKind::InvalidFilename.into());
        let path = path.to_str().and_then(|path| StringLiteral::new(path).ok()).ok_or_else(wrong)?;
        let mode = Sql::fixed(if to_read { "READ_ONLY" } else { "READ_WRITE" });
        connection.execute(sql!("ATTACH {path} AS metaxy_backup (TYPE duckdb, {mode})", path, mode))?;
        Ok(Self(Some(connection)))
    }

    pub(super) fn detach(mut self) -> Result<(), Error> {
        self.0.take().map_or(Ok(()), |connection| connection.execute("DETACH metaxy_backup").map(drop))
    }
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            // What failed before is what there is to report.
            drop(connection.execute("DETACH metaxy_backup"));
        }
    }
}

pub(super) fn tables() -> impl Iterator<Item = Keyword> {
    TABLES.iter().filter_map(|table| Keyword::new(*table).ok())
}

/// Fails where the catalog keeps rows of tables.
pub(super) fn refuse_inlined(connection: &Connection, catalog: &(Ident, Ident)) -> Result<(), Error> {
    let tables = size::of_lake(connection, catalog)?.tables;
    match tables.iter().map(|table| table.inlined_rows + table.inlined_deletes).sum() {
        0 => refuse_inlined_of_dropped(connection, catalog),
        inlined => Err(Problem::Inlined(inlined).into()),
    }
}

/// Fails where older snapshots have rows in the catalog of a table that was dropped: it cannot be flushed any more.
fn refuse_inlined_of_dropped(connection: &Connection, (database, schema): &(Ident, Ident)) -> Result<(), Error> {
    let dropped: Vec<(String, String)> = connection.query_rows(sql!(
        "SELECT any_value(t.table_name), i.table_name
         FROM {database}.{schema}.ducklake_inlined_data_tables AS i
         JOIN {database}.{schema}.ducklake_table AS t ON t.table_id = i.table_id
         GROUP BY i.table_id, i.table_name HAVING bool_and(t.end_snapshot IS NOT NULL) ORDER BY ALL",
        database,
        schema,
    ))?;
    for (table, inlined) in dropped {
        let inlined = Ident::new(inlined)?;
        let count = sql!("SELECT count(*) FROM {database}.{schema}.{inlined}", database, schema, inlined);
        match connection.query_value::<i64>(count)? {
            0 => {}
            rows => return Err(Problem::InlinedOfDropped { table, rows }.into()),
        }
    }
    Ok(())
}

/// Copies the catalog into the attached file.
fn copy_out(connection: &Connection, catalog: &(Ident, Ident)) -> Result<Backup, Error> {
    let (database, schema) = catalog;
    refuse_inlined(connection, catalog)?;
    let stored = |key: &str| -> Result<String, Error> {
        connection.query_value(sql!(
            "SELECT coalesce(any_value(value), '') FROM {database}.{schema}.ducklake_metadata WHERE key = {key} AND scope IS NULL",
            database,
            schema,
            key = bind(key),
        ))
    };
    let (format, data_path) = (stored("version")?, stored("data_path")?);
    if format != FORMAT {
        return Err(Problem::OtherFormat(format).into());
    }
    for table in tables() {
        connection.execute(sql!(
            "CREATE TABLE metaxy_backup.{table} AS FROM {database}.{schema}.{table}",
            table,
            database,
            schema
        ))?;
    }
    let (snapshot, snapshots) = connection
        .query_row::<(i64, i64)>("SELECT coalesce(max(snapshot_id), 0), count(*) FROM metaxy_backup.ducklake_snapshot")?
        .unwrap_or_default();
    let files = connection.query_value(
        "SELECT (SELECT count(*) FROM metaxy_backup.ducklake_data_file) + (SELECT count(*) FROM metaxy_backup.ducklake_delete_file)",
    )?;
    connection.execute(sql!(
        "CREATE TABLE metaxy_backup.metaxy_backup AS
         SELECT {snapshot} AS snapshot, {snapshots} AS snapshots, {files} AS files, {format} AS format, {data_path} AS data_path",
        snapshot = bind(snapshot),
        snapshots = bind(snapshots),
        files = bind(files),
        format = bind(format.as_str()),
        data_path = bind(data_path.as_str()),
    ))?;
    Ok(Backup { snapshot, snapshots, files, format, data_path })
}

/// The attached file, as it is to be copied.
struct Attachment {
    backup: Backup,
    /// The schema that has the tables.
    schema: Ident,
    /// The tables with the rows that are kept in the catalog.
    inlined: Vec<Ident>,
}

/// Reads what the attached file is; outside of a transaction, since a list of tables begins one in each attached catalog.
fn attachment(connection: &Connection) -> Result<Attachment, Error> {
    let schema_of = |table: &str| -> Result<Option<String>, Error> {
        let found: Option<(String,)> = connection.query_row(sql!(
            "SELECT schema_name FROM duckdb_tables() WHERE database_name = 'metaxy_backup' AND table_name = {table}",
            table = bind(table),
        ))?;
        Ok(found.map(|(schema,)| schema))
    };
    let ident = |name: String| Ident::new(name).map_err(|_| Error::from(Problem::NoBackup));
    if schema_of("metaxy_backup")?.is_some() {
        let found: Option<(i64, i64, i64, String, String)> = connection
            .query_row("SELECT snapshot, snapshots, files, format, data_path FROM metaxy_backup.metaxy_backup")?;
        let (snapshot, snapshots, files, format, data_path) = found.ok_or(Problem::NoBackup)?;
        let backup = Backup { snapshot, snapshots, files, format, data_path };
        return Ok(Attachment { backup, schema: ident("main".to_owned())?, inlined: Vec::new() });
    }
    let schema = ident(schema_of("ducklake_snapshot")?.ok_or(Problem::NoBackup)?)?;
    let found: Option<(i64, i64, i64, String, String)> = connection.query_row(sql!(
        "SELECT (SELECT max(snapshot_id) FROM metaxy_backup.{schema}.ducklake_snapshot),
                (SELECT count(*) FROM metaxy_backup.{schema}.ducklake_snapshot),
                (SELECT count(*) FROM metaxy_backup.{schema}.ducklake_data_file)
                    + (SELECT count(*) FROM metaxy_backup.{schema}.ducklake_delete_file),
                any_value(value) FILTER (key = 'version'), any_value(value) FILTER (key = 'data_path')
         FROM metaxy_backup.{schema}.ducklake_metadata WHERE scope IS NULL",
        schema,
    ))?;
    let (snapshot, snapshots, files, format, data_path) = found.ok_or(Problem::NoBackup)?;
    let inlined: Vec<(String,)> = connection.query_rows(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'metaxy_backup'
             AND starts_with(table_name, 'ducklake_inlined_') AND table_name <> 'ducklake_inlined_data_tables'
         ORDER BY table_name",
    )?;
    let inlined = inlined.into_iter().map(|(name,)| ident(name)).collect::<Result<_, _>>()?;
    Ok(Attachment { backup: Backup { snapshot, snapshots, files, format, data_path }, schema, inlined })
}

/// Copies the attached file into a catalog that has nothing yet, or an unfinished copy of the catalog `source`.
fn copy_in(
    connection: &Connection,
    catalog: &(Ident, Ident),
    attachment: &Attachment,
    source: Option<&str>,
) -> Result<Backup, Error> {
    let (database, schema) = catalog;
    let Attachment { backup, schema: from, inlined } = attachment;
    if backup.format != FORMAT {
        return Err(Problem::OtherFormat(backup.format.clone()).into());
    }
    let own: Option<(i64, i64)> = connection.query_row(sql!(
        "SELECT (SELECT count(*) FROM {database}.{schema}.ducklake_table), (SELECT max(snapshot_id) FROM {database}.{schema}.ducklake_snapshot)",
        database,
        schema,
    ))?;
    let (own, newest) = own.unwrap_or_default();
    if (own > 0 || newest > 0) && !source.is_some_and(|source| is_copy(connection, catalog, source, newest)) {
        return Err(Problem::NotEmpty.into());
    }
    let encrypted = |of: Sql| -> Result<bool, Error> {
        connection
            .query_value(sql!("SELECT count(*) > 0 FROM {of} WHERE key = 'encrypted' AND lower(value) = 'true'", of))
    };
    let target = sql!("{database}.{schema}.ducklake_metadata", database, schema);
    let of_file = sql!("metaxy_backup.{from}.ducklake_metadata", from);
    let (is_encrypted, target) = (encrypted(of_file)?, encrypted(target)?);
    if is_encrypted != target {
        return Err(Problem::Encrypted { is_encrypted }.into());
    }
    // Its files are where this lake says.
    let kept: Vec<(String, String)> = connection.query_rows(sql!(
        "SELECT key, value FROM {database}.{schema}.ducklake_metadata WHERE key = 'data_path' AND scope IS NULL",
        database,
        schema,
    ))?;
    for table in tables() {
        connection.execute(sql!("DELETE FROM {database}.{schema}.{table}", database, schema, table))?;
        connection.execute(sql!(
            "INSERT INTO {database}.{schema}.{table} BY NAME FROM metaxy_backup.{from}.{table}",
            database,
            schema,
            table,
            from,
        ))?;
    }
    connection.execute(sql!("DELETE FROM {database}.{schema}.ducklake_inlined_data_tables", database, schema))?;
    for table in inlined {
        connection.execute(sql!(
            "CREATE TABLE {database}.{schema}.{table} AS FROM metaxy_backup.{from}.{table}",
            database,
            schema,
            table,
            from,
        ))?;
    }
    if !inlined.is_empty() {
        connection.execute(sql!(
            "INSERT INTO {database}.{schema}.ducklake_inlined_data_tables BY NAME
             FROM metaxy_backup.{from}.ducklake_inlined_data_tables",
            database,
            schema,
            from,
        ))?;
    }
    for (key, value) in kept {
        connection.execute(sql!(
            "UPDATE {database}.{schema}.ducklake_metadata SET value = {value} WHERE key = {key} AND scope IS NULL",
            database,
            schema,
            value = bind(value),
            key = bind(key),
        ))?;
    }
    if let Some(source) = source {
        fence::set_mark(connection, catalog, source, backup.snapshot)?;
    }
    Ok(backup.clone())
}

/// Whether a lake is an unfinished copy of a catalog, and nothing was written to it since.
fn is_copy(connection: &Connection, catalog: &(Ident, Ident), source: &str, newest: i64) -> bool {
    matches!(fence::mark(connection, catalog), Ok(Some((of, snapshot))) if of == source && snapshot == newest)
}

/// The files that some snapshot needs, as they are below the data path.
pub(super) fn needed_files(
    connection: &Connection,
    database: &Ident,
    schema: &Ident,
) -> Result<Vec<NeededFile>, Error> {
    connection.query_rows(sql!(
        "WITH files AS (
             SELECT table_id, path, path_is_relative, begin_snapshot, end_snapshot FROM {database}.{schema}.ducklake_data_file
             UNION ALL
             SELECT table_id, path, path_is_relative, begin_snapshot, end_snapshot FROM {database}.{schema}.ducklake_delete_file
         ), tables AS (
             SELECT table_id, max(schema_id) AS schema_id, max(path) AS path, bool_or(path_is_relative::BOOLEAN) AS is_relative
             FROM {database}.{schema}.ducklake_table GROUP BY table_id
         ), schemas AS (
             SELECT schema_id, max(path) AS path FROM {database}.{schema}.ducklake_schema GROUP BY schema_id
         )
         SELECT CASE WHEN f.path_is_relative::BOOLEAN
                     THEN concat(CASE WHEN t.is_relative THEN s.path ELSE '' END, t.path, f.path) ELSE f.path END,
                f.begin_snapshot, f.end_snapshot
         FROM files AS f JOIN tables AS t USING (table_id) JOIN schemas AS s USING (schema_id)
         ORDER BY ALL",
        database,
        schema,
    ))
}

/// Those of the files that are there.
fn listed<'p>(
    connection: &Connection,
    data_path: &str,
    needed: impl Iterator<Item = &'p str>,
) -> Result<BTreeSet<String>, Error> {
    let prefix = if data_path.ends_with('/') { data_path.to_owned() } else { [data_path, "/"].concat() };
    let below: Vec<(String,)> = connection
        .query_rows(sql!("SELECT file FROM glob({pattern})", pattern = bind([prefix.as_str(), "**"].concat()),))?;
    let mut there: BTreeSet<String> =
        below.into_iter().filter_map(|(file,)| file.strip_prefix(&prefix).map(str::to_owned)).collect();
    // A file with a path of its own is asked for by that.
    for file in needed.filter(|file| file.starts_with('/') || file.contains("://")) {
        let found: i64 = connection.query_value(sql!("SELECT count(*) FROM glob({file})", file = bind(file)))?;
        if found > 0 {
            there.insert(file.to_owned());
        }
    }
    Ok(there)
}
