//! What a locked store may reach: the files of its lakes, and nothing else.

use ducklake_sql::{CatalogKind, Ident, Lake, Statement, Value, bind, sql};

use super::store::Store;
use crate::engine::{Connection, Error};

impl Store {
    /// Locks the instance, in which these lakes are attached.
    pub(super) fn lock<'l>(&mut self, own: &'l Lake, beside: impl Iterator<Item = &'l Lake>) -> Result<(), Error> {
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        let locked = lock(&mut connection, [own].into_iter().chain(beside));
        self.connection = Some(connection);
        locked
    }
}

fn lock<'l>(connection: &mut Connection, lakes: impl Iterator<Item = &'l Lake>) -> Result<(), Error> {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for lake in lakes {
        folders.extend(data_paths(connection, lake)?);
        files.extend(files_elsewhere(connection, lake)?);
    }
    connection.lock(&folders, &files)
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
    let schema = match lake.catalog_kind() {
        CatalogKind::MotherDuck | CatalogKind::Quack => return Ok(Vec::new()),
        CatalogKind::Postgres => "public",
        _ => "main",
    };
    let ident = |name: String| Ident::new(name).map_err(|problem| Error::query(problem.to_string()));
    let schema = lake.metadata_schema().map_or_else(|| ident(schema.to_owned()), |schema| Ok(schema.clone()))?;
    let metadata = ident(metadata_of(connection, lake))?;
    let found: Vec<(String,)> = connection.query_rows(sql!(
        "SELECT path FROM {metadata}.{schema}.ducklake_data_file WHERE NOT path_is_relative
         UNION
         SELECT path FROM {metadata}.{schema}.ducklake_delete_file WHERE NOT path_is_relative",
        metadata,
        schema,
    ))?;
    Ok(found.into_iter().map(|(path,)| path).collect())
}

/// The database in which the tables of a lake's catalog are.
fn metadata_of(connection: &Connection, lake: &Lake) -> String {
    let plan = connection.plan();
    // Only the own lake may have another name for it.
    let attached = (plan.alias() == lake.alias()).then(|| {
        plan.statements().iter().find_map(|statement| match statement {
            Statement::Attach(attach) => attach.option("METADATA_CATALOG").cloned(),
            _ => None,
        })
    });
    match attached.flatten() {
        Some(Value::Text(name)) => name,
        _ => ["__ducklake_metadata_", lake.alias().as_str()].concat(),
    }
}
