//! What a locked store may reach: the files of its lakes, and nothing else.

use ducklake_sql::{AttachPlan, Lake, TableDatabase, bind, sql};

use super::store::Store;
use crate::engine::{Connection, Error, StoredQuery, in_transaction};

impl Store {
    /// Locks the instance, in which these are attached. What DuckDB has attached itself, it may read whatever the lock.
    pub(super) fn lock<'l>(
        &mut self,
        own: &'l TableDatabase,
        secondaries: impl Iterator<Item = &'l TableDatabase>,
    ) -> Result<(), Error> {
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        let locked = lock(&mut connection, [own].into_iter().chain(secondaries).filter_map(TableDatabase::lake));
        self.connection = Some(connection);
        locked
    }
}

fn lock<'l>(connection: &mut Connection, lakes: impl Iterator<Item = &'l Lake>) -> Result<(), Error> {
    let (mut folders, mut files, mut stored) = (Vec::new(), Vec::new(), Vec::new());
    let other = connection.elsewhere()?;
    for lake in lakes {
        // Not in one transaction with the rest: DuckLake's functions and its tables would each hold a connection to the
        // catalog's server.
        folders.extend(data_paths(&other, lake)?);
        in_transaction(&other, || {
            files.extend(files_elsewhere(&other, lake)?);
            stored.extend(stored_queries(&other, lake)?);
            Ok(())
        })?;
    }
    connection.lock(&folders, &files, stored)
}

/// The data path as it is used, and as it is stored; each ends with a `/`.
fn data_paths(connection: &Connection, lake: &Lake) -> Result<Vec<String>, Error> {
    let found: Vec<(Option<String>,)> = connection.query_rows(sql!(
        "SELECT data_path FROM ducklake_settings({lake})
         UNION
         SELECT value FROM ducklake_options({lake}) WHERE option_name = 'data_path'",
        lake = bind(lake.alias().as_str()),
    ))?;
    let with_slash = |path: String| if path.ends_with('/') { path } else { path + "/" };
    Ok(found.into_iter().filter_map(|(path,)| path).map(with_slash).collect())
}

/// The files of a lake that are not below its data path, as those that `ducklake_add_data_files` has added.
fn files_elsewhere(connection: &Connection, lake: &Lake) -> Result<Vec<String>, Error> {
    let metadata = connection.plan_of(lake.alias()).and_then(AttachPlan::metadata);
    let Some((database, schema)) = metadata else { return Ok(Vec::new()) };
    let found: Vec<(String,)> = connection.query_rows(sql!(
        "SELECT path FROM {database}.{schema}.ducklake_data_file WHERE NOT path_is_relative
         UNION
         SELECT path FROM {database}.{schema}.ducklake_delete_file WHERE NOT path_is_relative",
        database,
        schema,
    ))?;
    Ok(found.into_iter().map(|(path,)| path).collect())
}

/// The views and macros of a lake, those that were replaced too: a query can ask for an older snapshot. A catalog whose
/// server keeps its metadata to itself does not tell them.
fn stored_queries(connection: &Connection, lake: &Lake) -> Result<Vec<StoredQuery>, Error> {
    let metadata = connection.plan_of(lake.alias()).and_then(AttachPlan::metadata);
    let Some((database, schema)) = metadata else { return Ok(Vec::new()) };
    let found: Vec<(String, String)> = connection.query_rows(sql!(
        "SELECT view_name, sql FROM {database}.{schema}.ducklake_view
         UNION
         SELECT macro_name, CASE WHEN type = 'scalar' THEN concat('SELECT ', sql) ELSE sql END
         FROM {database}.{schema}.ducklake_macro JOIN {database}.{schema}.ducklake_macro_impl USING (macro_id)",
        database,
        schema,
    ))?;
    Ok(found.into_iter().map(|(name, text)| StoredQuery { name, text }).collect())
}
