//! Bringing a lake that an older DuckLake has made to the format of this one.
//!
//! DuckLake does it where it is attached, and nothing takes it back: DuckDB 1.4 and older cannot open the lake any more. So
//! it is done in a transaction first, which is rolled back, and in which all rows are read. They are compared with those of
//! the lake that was migrated, of which there is a backup.

use std::path::Path;

use ducklake_sql::{Ident, Mode, bind, sql};
use metaxy_config::Config;
use serde::Serialize;

use super::backup::{FORMAT, write_file};
use super::fence::{Content, LakeState};
use super::problem::Problem;
use super::verify;
use crate::engine::{Connection, Error};
use crate::lake::{CatalogDatabase, OpenOptions};

/// A lake of an older format that is brought to that of this DuckLake, see [`run`](Self::run).
///
/// ```no_run
/// use std::path::Path;
///
/// use metaxy_config::{Config, LoadOptions, OsSystem};
/// use metaxy_store_duckdb::FormatMigration;
///
/// let config = Config::load(&OsSystem, &LoadOptions::default())?.config;
/// if let Some(migrated) = FormatMigration::new(&config, "dev")?.run(Path::new("dev.backup"))? {
///     println!("from format {} to {}", migrated.from, migrated.to);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct FormatMigration<'c> {
    config: &'c Config,
    store: String,
    options: OpenOptions,
    older: usize,
}

/// What was brought to another format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigratedFormat {
    /// The format that the lake had.
    pub from: String,
    /// The format of this DuckLake.
    pub to: String,
    /// The tables that were read in full, each once for each snapshot.
    pub compared_tables: usize,
    /// The snapshots at which they were read.
    pub compared_snapshots: Vec<i64>,
}

impl<'c> FormatMigration<'c> {
    /// Migrates the lake of a store.
    ///
    /// # Errors
    ///
    /// When the store is not configured.
    pub fn new(config: &'c Config, store: &str) -> Result<Self, Error> {
        config.trusted_store(store)?;
        let options = OpenOptions::default().fallback_stores(false);
        Ok(Self { config, store: store.to_owned(), options, older: 2 })
    }

    /// At how many older snapshots the rows of all tables are compared, beside the newest one; two unless set.
    pub fn older_snapshots(mut self, older: usize) -> Self {
        self.older = older;
        self
    }

    /// How the lakes are opened: who may end what runs, and who is told how much is done. No fallback stores are opened.
    pub fn open_options(mut self, options: OpenOptions) -> Self {
        self.options = options.fallback_stores(false);
        self
    }

    /// Migrates the lake in a transaction, reads it there, and rolls it back; `None` where it has the newest format.
    ///
    /// # Errors
    ///
    /// When there is no lake, its format is newer, it cannot be migrated, or a table of it cannot be read then.
    pub fn dry_run(&self) -> Result<Option<MigratedFormat>, Error> {
        Ok(self.rehearse()?.map(|(from, rows)| migrated(from, &rows)))
    }

    /// Migrates the lake. Its catalog is written to `backup` first, a new DuckDB file that DuckDB of the older version can
    /// attach as the catalog of the lake. `None` where it has the newest format; there is no backup then.
    ///
    /// Ended anywhere, it can be run again: what migrates is one transaction.
    ///
    /// # Errors
    ///
    /// Those of [`dry_run`](Self::dry_run), and when the backup or the lake cannot be written.
    pub fn run(&self, backup: &Path) -> Result<Option<MigratedFormat>, Error> {
        let Some((from, before)) = self.rehearse()? else { return Ok(None) };
        back_up(&self.database()?, backup)?;
        let store = self.options.clone().migrating().open(self.config, &self.store, Mode::Write)?;
        let migrated = migrated(from, &before);
        let snapshots = migrated.compared_snapshots.iter().copied();
        let after = verify::rows_as_of(&store, snapshots)?;
        if let Some((snapshot, table, ..)) = before.iter().find(|table| !after.contains(table)) {
            return Err(Problem::MigratedDiffers(format!("{table} has other rows at snapshot {snapshot}")).into());
        }
        store.close()?;
        Ok(Some(migrated))
    }

    /// The format of the lake, and all rows of some snapshots as they are read after a migration that is taken back.
    fn rehearse(&self) -> Result<Option<(String, Vec<verify::TableRows>)>, Error> {
        let LakeState { format, .. } = match self.database()?.content()? {
            Content::Lake(lake) if lake.moved_to().is_none() => lake,
            // Opening it says why not.
            _ => {
                self.options.open(self.config, &self.store, Mode::Read)?.close()?;
                return Ok(None);
            }
        };
        if format == FORMAT {
            return Ok(None);
        }
        let read = |connection: &Connection, catalog: &(Ident, Ident)| verify::rows_of(connection, catalog, self.older);
        let rows = self.options.rehearse_migration(self.config, &self.store, read)?;
        Ok(Some((format, rows)))
    }

    fn database(&self) -> Result<CatalogDatabase, Error> {
        let database = self.options.catalog_database(self.config, &self.store, Mode::Read)?;
        database.ok_or_else(|| Problem::NoLakeToMove(self.store.clone()).into())
    }
}

fn migrated(from: String, rows: &[verify::TableRows]) -> MigratedFormat {
    let mut compared_snapshots: Vec<i64> = rows.iter().map(|(snapshot, ..)| *snapshot).collect();
    compared_snapshots.dedup();
    MigratedFormat { from, to: FORMAT.to_owned(), compared_tables: rows.len(), compared_snapshots }
}

/// Copies all tables of a catalog, whatever its format.
fn back_up(catalog: &CatalogDatabase, path: &Path) -> Result<(), Error> {
    let (database, schema) = &catalog.name;
    // Outside of the transaction, since a list of tables begins one in each attached catalog.
    let tables: Vec<(String,)> = catalog.connection.query_rows(sql!(
        "SELECT table_name FROM duckdb_tables()
         WHERE database_name = {database} AND schema_name = {schema} AND starts_with(table_name, 'ducklake_')
         ORDER BY table_name",
        database = bind(database.as_str()),
        schema = bind(schema.as_str()),
    ))?;
    let tables: Vec<Ident> = tables.into_iter().filter_map(|(table,)| Ident::new(table).ok()).collect();
    write_file(&catalog.connection, path, || {
        for table in &tables {
            catalog.connection.execute(sql!(
                "CREATE TABLE metaxy_backup.{table} AS FROM {database}.{schema}.{table}",
                table,
                database,
                schema,
            ))?;
        }
        Ok(())
    })
}
