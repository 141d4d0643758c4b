//! Reads `metaxy.toml` into a checked configuration, with diagnostics that never show a secret.
//!
//! ```
//! use ducklake_sql::{Mode, Reveal};
//! use metaxy_config::{Config, LoadOptions, MemorySystem};
//!
//! let system = MemorySystem::new().var("LAKE_PASSWORD", "hunter2").file(
//!     "/project/metaxy.toml",
//!     r#"
//!     store = "prod"
//!
//!     [stores.prod]
//!     type = "duckdb"
//!
//!     [stores.prod.config.ducklake.catalog]
//!     type = "postgres"
//!     secret_name = "pg"
//!     host = "db.example"
//!     port = "${LAKE_PORT:-5432}"
//!     database = "lake"
//!     user = "metaxy"
//!     password = "${LAKE_PASSWORD}"
//!
//!     [stores.prod.config.ducklake.storage]
//!     type = "local"
//!     path = "lake/data"
//!     "#,
//! );
//! let loaded = Config::load(&system, &LoadOptions::default())?;
//! let plan = loaded.config.default_store()?.plan(Mode::Write);
//! let shown = plan.display(Reveal::Masked).to_string();
//! assert!(shown.contains("PASSWORD '***'") && shown.contains("PORT 5432"));
//! assert!(!shown.contains("hunter2"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With [`OsSystem`] in the place of [`MemorySystem`] the files and variables are those of the machine.
//!
//! # What it holds
//!
//! - Files written for Python Metaxy load unchanged; where that would lose data or ignore a mistake, an error says so.
//! - All independent errors come in one run. Those of one store leave the others usable.
//! - No secret is in a message, in a shown source line, in `Debug` or in `Display` of anything.
//! - Nothing but [`System`] reaches out: no file, no variable, no network.

#![forbid(unsafe_code)]

mod config;
mod declared;
mod decode;
mod expand;
mod exposure;
mod faults;
mod features;
mod files;
mod harmless;
mod init_sql;
mod inline_secrets;
mod lake;
mod leftovers;
mod load;
mod load_error;
mod local_paths;
mod lock_file;
mod messages;
mod motherduck;
mod options;
mod overrides;
mod path;
mod print;
mod reference;
mod retry;
#[cfg(feature = "schema")]
mod schema;
mod scope;
mod shapes;
mod spec;
mod store;
mod stores;
mod system;
mod trust;
mod types;
mod unset;
mod variables;

// What the signatures of this crate use.
pub use ducklake_sql;

pub use config::{Config, FeatureSelection, LoadOptions, Loaded, Plugin, StoreError};
pub use exposure::Exposure;
pub use load_error::LoadError;
pub use lock_file::{LockChange, LockFile};
pub use metaxy_diagnostics::{Diagnostic, Diagnostics, Location, Severity, Style};
pub use metaxy_feature::HashAlgorithm;
pub use reference::{codes, diagnostics_page, explain_code};
pub use retry::Retry;
#[cfg(feature = "schema")]
pub use schema::schema_json;
pub use store::{Database, DuckDbStore, VersioningEngine};
pub use system::{MemorySystem, OsSystem, System, VariableSource};
pub use trust::Trust;
pub use variables::{METAXY_CONFIG, METAXY_EXTENSION_DIRECTORY};

/// Whether a word is a key of the whole configuration, so that `METAXY_<KEY>` is read with it.
///
/// ```
/// assert!(metaxy_config::is_key("store") && !metaxy_config::is_key("hard"));
/// ```
pub fn is_key(word: &str) -> bool {
    options::Options::KEYS.contains(&word)
}

/// What can be shared between threads: a promise of the API.
const _: () = {
    const fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Config>();
    is_shared::<Loaded>();
    is_shared::<LoadError>();
    is_shared::<StoreError>();
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
