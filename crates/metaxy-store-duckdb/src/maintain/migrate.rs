//! Moving a lake into the catalog of another store: copied, compared, and then the one that was copied is fenced.
//!
//! Data files stay where they are. The copy is one transaction, and so is the fence, which is put up only round a lake
//! that nothing was written to since it was copied. Ended anywhere, it can be run again: there is the source as it was, with
//! an unfinished copy or none, or there is the whole copy and a fence round the source.

use std::path::Path;

use ducklake_sql::{Lake, Mode};
use metaxy_config::Config;
use serde::Serialize;

use super::backup::{Backup, FORMAT, refuse_inlined};
use super::fence::{Content, History, LakeState};
use super::problem::Problem;
use super::upkeep::{MaintainOptions, MaintainStep, StepOutcome};
use super::verify;
use crate::engine::{Error, read_again};
use crate::lake::{CatalogDatabase, OpenOptions, Store};

/// How many older snapshots are compared, unless it is said.
const OLDER: usize = 2;

/// A step of moving a lake into another catalog; they are taken in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MigrateStep {
    /// Rows that are inlined in the catalog go into files, see [`CatalogMigration::alone`].
    Flush,
    /// The catalog is written into a file.
    Backup,
    /// The file is copied into the other catalog, in one transaction.
    Copy,
    /// Both catalogs and the rows of all tables are compared.
    Verify,
    /// The source says where the lake is now, and cannot be attached any more.
    Fence,
}

impl MigrateStep {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flush => "flush",
            Self::Backup => "backup",
            Self::Copy => "copy",
            Self::Verify => "verify",
            Self::Fence => "fence",
        }
    }
}

/// A lake that is moved from the catalog of one store into that of another, see [`run`](Self::run).
///
/// ```no_run
/// use std::path::Path;
///
/// use metaxy_config::{Config, LoadOptions, OsSystem};
/// use metaxy_store_duckdb::CatalogMigration;
///
/// let config = Config::load(&OsSystem, &LoadOptions::default())?.config;
/// let migration = CatalogMigration::new(&config, "dev", "next")?;
/// let done = migration.run(Path::new("dev.backup"), |step| println!("{}", step.as_str()))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct CatalogMigration<'c> {
    config: &'c Config,
    source: Place,
    target: Place,
    options: OpenOptions,
    older: usize,
    alone: bool,
}

/// A store, and where its catalog is.
#[derive(Debug, Clone)]
struct Place {
    store: String,
    catalog: String,
}

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Migrated {
    /// What was copied; none where an earlier run had copied it and put up the fence.
    pub backup: Option<Backup>,
    /// The tables that were read in both lakes, each once for each snapshot.
    pub compared_tables: usize,
    /// The snapshots at which they were read.
    pub compared_snapshots: Vec<i64>,
}

impl<'c> CatalogMigration<'c> {
    /// Moves the lake of the store `source` to the store `target`, which names it in `migrate_from`.
    ///
    /// # Errors
    ///
    /// When one of them is not configured or has no lake, the target does not name the source, or their data paths differ.
    pub fn new(config: &'c Config, source: &str, target: &str) -> Result<Self, Error> {
        let lake = |name: &str| -> Result<&Lake, Error> {
            Ok(config.trusted_store(name)?.lake().ok_or_else(|| Problem::NoLakeToMove(name.to_owned()))?)
        };
        let (from, to) = (lake(source)?, lake(target)?);
        if config.migrate_from(target) != Some(source) {
            return Err(Problem::NotDeclared { source_store: source.to_owned(), target: target.to_owned() }.into());
        }
        let path = |lake: &Lake| lake.data_path().unwrap_or_default().to_owned();
        if path(from) != path(to) {
            return Err(Problem::DataPaths(path(from), path(to)).into());
        }
        let options = OpenOptions::default().fallback_stores(false);
        let place = |store: &str| -> Result<Place, Error> {
            Ok(Place { store: store.to_owned(), catalog: options.catalog_location(config, store)? })
        };
        Ok(Self { config, source: place(source)?, target: place(target)?, options, older: OLDER, alone: false })
    }

    /// At how many older snapshots the rows of all tables are compared, beside the newest one; two unless set.
    pub fn older_snapshots(mut self, older: usize) -> Self {
        self.older = older;
        self
    }

    /// Whether no other program has the lake attached. Without this, the rows that are inlined have to be flushed before, see
    /// [`MaintainOptions::alone`]; with it, that is a step of the move.
    pub fn alone(mut self, alone: bool) -> Self {
        self.alone = alone;
        self
    }

    /// How the lakes are opened: who may end what runs, and who is told how much is done. No fallback stores are opened.
    pub fn open_options(mut self, options: OpenOptions) -> Self {
        self.options = options.fallback_stores(false);
        self
    }

    /// Whether the lake was moved already, and otherwise whether it can be moved; nothing is changed.
    ///
    /// # Errors
    ///
    /// When it cannot be moved: rows are kept in the catalog of the source and are not to be flushed, or the target has a
    /// lake or other tables.
    pub fn is_done(&self) -> Result<bool, Error> {
        if self.is_moved_to_target(&self.lake_of(&self.source)?)? {
            return Ok(true);
        }
        match self.content_of(&self.target)? {
            Content::Nothing => {}
            Content::Lake(lake) if self.takes_copy(&lake) => {}
            Content::Lake(_) => return Err(Problem::NotEmpty.into()),
            Content::OtherTables(tables) => return Err(Problem::OtherTables(tables).into()),
        }
        let source = self.options.open(self.config, &self.source.store, Mode::Read)?;
        let catalog = source.catalog()?;
        if !self.alone {
            read_again(source.connection(), || refuse_inlined(source.connection(), &catalog))?;
        }
        source.close()?;
        Ok(false)
    }

    /// Moves the lake. `backup` is where its catalog is written to first; `begins` is told of each step before it begins.
    ///
    /// It can be run again, wherever it was ended. Programs that have the source attached go on reading it; they cannot write
    /// from the fence on, and none can attach it.
    ///
    /// # Errors
    ///
    /// When rows are kept in the catalog of the source, the target has a lake or other tables, the copy is not what was
    /// copied, or the source was written to meanwhile. The source is as it was then.
    pub fn run(&self, backup: &Path, mut begins: impl FnMut(MigrateStep)) -> Result<Migrated, Error> {
        let mut migrated = Migrated { backup: None, compared_tables: 0, compared_snapshots: Vec::new() };
        if self.is_done()? {
            return self.finish().map(|()| migrated);
        }
        if self.alone {
            begins(MigrateStep::Flush);
            self.flush()?;
        }
        begins(MigrateStep::Backup);
        let source = self.options.open(self.config, &self.source.store, Mode::Read)?;
        let known = History::read(source.connection(), &source.catalog()?)?;
        migrated.backup = Some(source.back_up(backup)?);

        begins(MigrateStep::Copy);
        self.lift_of_target()?;
        let target = self.options.clone().copying().open(self.config, &self.target.store, Mode::Write)?;
        target.restore_from(backup, Some(&self.source.catalog))?;
        target.close()?;

        begins(MigrateStep::Verify);
        let target = self.options.open(self.config, &self.target.store, Mode::Read)?;
        verify::compare_catalogs(&target, backup)?;
        self.compare_rows(&source, &target, &mut migrated)?;
        target.close()?;
        source.close()?;

        begins(MigrateStep::Fence);
        self.database(&self.source)?.fence(&self.target.catalog, &known)?;
        self.finish()?;
        Ok(migrated)
    }

    /// Takes the move back: fences the target, and lets the source be attached again. It can be run again, too.
    ///
    /// # Errors
    ///
    /// When the source was not moved to the target, or the target was written to since.
    pub fn undo(&self) -> Result<(), Error> {
        let source = self.lake_of(&self.source)?;
        let is_moved = self.is_moved_to_target(&source)?;
        // In this order: at no time can both be written.
        match self.content_of(&self.target)? {
            Content::Lake(target) if target.moved_to() == Some(&self.source.catalog) => {
                if !is_moved {
                    return Ok(());
                }
            }
            _ if !is_moved => return Err(Problem::NotMoved(self.source.store.clone()).into()),
            Content::Lake(target) if target.history == source.history => {
                self.database(&self.target)?.fence(&self.source.catalog, &target.history)?;
            }
            Content::Lake(_) => return Err(Problem::TargetChanged(self.target.store.clone()).into()),
            // The copy was removed.
            Content::Nothing | Content::OtherTables(_) => {}
        }
        self.database(&self.source)?.lift(None)
    }

    /// Writes the rows that are kept in the catalog of the source into files. That none is left is looked at by the backup.
    fn flush(&self) -> Result<(), Error> {
        let source = self.options.clone().must_exist(true).open(self.config, &self.source.store, Mode::Write)?;
        let options = MaintainOptions::new().only([MaintainStep::Flush]).alone(true);
        let done = source.maintain(&options, |_, _| ())?;
        if let Some(error) = done.failed {
            return Err(error);
        }
        for step in done.steps {
            if let StepOutcome::Refused(why, help) = step.outcome {
                return Err(Problem::NotFlushed(why, help).into());
            }
        }
        source.close()
    }

    /// Compares the rows of all tables in both lakes.
    fn compare_rows(&self, source: &Store, target: &Store, migrated: &mut Migrated) -> Result<(), Error> {
        let (before, after) = (verify::rows(source, self.older)?, verify::rows(target, self.older)?);
        if let Some((snapshot, table, ..)) = before.iter().find(|table| !after.contains(table)) {
            return Err(Problem::Differs(format!("{table} has other rows at snapshot {snapshot}")).into());
        }
        if before.len() != after.len() {
            return Err(Problem::Differs("it has other tables".to_owned()).into());
        }
        migrated.compared_tables = before.len();
        migrated.compared_snapshots = before.into_iter().map(|(snapshot, ..)| snapshot).collect();
        migrated.compared_snapshots.dedup();
        Ok(())
    }

    /// Lets the copy be a lake as any other.
    fn finish(&self) -> Result<(), Error> {
        self.database(&self.target)?.finish()
    }

    /// Makes of a target that was fenced by [`undo`](Self::undo) an unfinished copy, whose place a new one takes.
    fn lift_of_target(&self) -> Result<(), Error> {
        match self.content_of(&self.target)? {
            Content::Lake(lake) if lake.moved_to() == Some(&self.source.catalog) => {
                self.database(&self.target)?.lift(Some(&self.source.catalog))
            }
            _ => Ok(()),
        }
    }

    /// Whether a copy may take the place of the lake that the target has.
    fn takes_copy(&self, lake: &LakeState) -> bool {
        let is_new = lake.history.newest == 0;
        let is_unfinished =
            lake.mark.as_ref().is_some_and(|(of, newest)| *of == self.source.catalog && *newest == lake.history.newest);
        is_new || is_unfinished || lake.moved_to() == Some(&self.source.catalog)
    }

    /// Whether a source has the fence that this move puts up.
    fn is_moved_to_target(&self, source: &LakeState) -> Result<bool, Error> {
        match source.moved_to() {
            Some(to) if to == self.target.catalog => Ok(true),
            Some(to) => Err(Problem::Moved { store: self.source.store.clone(), to: to.to_owned() }.into()),
            None if source.format != FORMAT => Err(Problem::OtherFormat(source.format.clone()).into()),
            None => Ok(false),
        }
    }

    fn lake_of(&self, place: &Place) -> Result<LakeState, Error> {
        match self.content_of(place)? {
            Content::Lake(lake) => Ok(lake),
            _ => Err(Problem::NoLakeToMove(place.store.clone()).into()),
        }
    }

    fn content_of(&self, place: &Place) -> Result<Content, Error> {
        let database = self.options.catalog_database(self.config, &place.store, Mode::Read)?;
        database.map_or(Ok(Content::Nothing), |database| database.content())
    }

    /// The database of a catalog, to write to it.
    fn database(&self, place: &Place) -> Result<CatalogDatabase, Error> {
        let database = self.options.catalog_database(self.config, &place.store, Mode::Write)?;
        database.ok_or_else(|| Problem::NoLakeToMove(place.store.clone()).into())
    }
}
