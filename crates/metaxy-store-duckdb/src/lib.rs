//! Attaches a [DuckLake](https://ducklake.select) that `metaxy.toml` describes, in DuckDB, and runs SQL on it.
//!
//! The statements are planned by [`ducklake_sql`]; this is the only crate that runs them. [`Store::open`] loads the
//! extensions, runs the plan with bound secrets, checks that what is attached is the lake that was configured, and takes
//! everything back if any of it fails.
//!
//! ```no_run
//! use ducklake_sql::Mode;
//! use metaxy_config::{Config, LoadOptions, OsSystem};
//! use metaxy_store_duckdb::Store;
//!
//! let loaded = Config::load(&OsSystem, &LoadOptions::default())?;
//! let store = Store::open(&loaded.config, &loaded.config.store, Mode::Read)?;
//! for batch in store.connection().query("FROM ducklake_snapshots('ducklake')")? {
//!     println!("{} snapshots", batch?.num_rows());
//! }
//! store.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # DuckDB itself
//!
//! With the feature `bundled` DuckDB 1.5.5 is built from source (about 25 minutes, once). Without, a library of it is
//! linked: set `DUCKDB_LIB_DIR` to its folder.

mod doctor;
mod engine;
mod external;
mod features;
mod increment;
mod input;
mod lake;
mod maintain;
mod ops;
mod project;
mod query;
mod registry;
mod table;

// What the signatures of this crate use.
pub use {arrow, ducklake_sql, metaxy_config, metaxy_feature};

pub use doctor::{CheckName, Doctor, Finding, Outcome, REPORT_VERSION, Report};
pub use engine::{Cause, Connection, EngineError, Error, Interrupt, Progress, ProgressUnit, Rows, Transaction};
pub use external::ExternalFeatures;
pub use features::{FeatureOptions, Features};
pub use increment::{Change, FullPass, Increment, MarkCheck, Marked, Pass, ResolveOptions};
pub use input::{CHANGE_COLUMN, FileFormat, InputFile, InputOptions, InputRows};
pub use lake::{ExtensionFile, Extensions, InexactColumn, MissingFile, OpenOptions, Store};
pub use maintain::{
    Applied, Backup, CatalogMigration, ChangeBound, ChangeFeed, DataMigration, FailedStep, FormatMigration, LakeSize,
    LakeSnapshot, MaintainOptions, MaintainStep, Maintained, MaintainedStep, MigrateStep, Migrated, MigratedFormat,
    MovedData, Orphan, Orphans, PlannedLake, Restored, StepOutcome, TableSize,
};
pub use ops::{
    Copied, CopyOptions, Deletion, FeatureStatus, ReadOptions, RebaseOptions, Snapshot, UpdateCounts, Versions,
    WriteOptions,
};
pub use project::{GraphSource, Project, ProjectOptions};
pub use query::{Filter, Provenance};
pub use registry::{Push, PushedGraph};

/// What can be sent to another thread, and what can be shared between threads: a promise of the API.
const _: () = {
    const fn is_send<T: Send>() {}
    const fn is_shared<T: Send + Sync + 'static>() {}
    is_send::<Store>();
    is_send::<Connection>();
    is_send::<Increment>();
    is_shared::<Error>();
    is_shared::<Interrupt>();
    is_shared::<Report>();
    is_shared::<Filter>();
    is_shared::<FeatureOptions>();
    is_shared::<OpenOptions>();
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
