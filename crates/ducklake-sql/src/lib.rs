//! A [DuckLake](https://ducklake.select) lake, and the exact SQL that attaches it in DuckDB.
//!
//! Describe a catalog and a storage, get a [`Lake`]; a lake that exists can be planned, and its [`AttachPlan`] is an ordered
//! list of typed statements. This crate does no I/O, reads no files and knows no DuckDB library: it can be used alone,
//! to show a plan, to hand statements to any DuckDB client, or to test what would be run.
//!
//! ```
//! use ducklake_sql::{Lake, Mode, PostgresSpec, Reveal, S3Spec, Secret, Session};
//!
//! let mut catalog = PostgresSpec::new("pg");
//! catalog.host = Some("db.example".into());
//! catalog.database = Some("lake".into());
//! catalog.user = Some("metaxy".into());
//! catalog.password = Some(Secret::from("hunter2"));
//!
//! let mut storage = S3Spec::new("s3");
//! storage.bucket = Some("bucket".into());
//! storage.key_id = Some(Secret::from("id"));
//! storage.secret = Some(Secret::from("hunter2"));
//!
//! let lake = Lake::builder(catalog.build()?, storage.build()?).owner("prod").build()?;
//! let plan = lake.plan(&Session::default(), Mode::Write);
//!
//! let shown = plan.display(Reveal::Masked).to_string();
//! assert!(shown.contains("PASSWORD '***'") && !shown.contains("hunter2"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it holds
//!
//! - No secret is ever part of a SQL text that is run: values are bound, see [`Sql`]. Only an explicit
//!   [`Reveal::Secrets`] writes one, for a person who pipes the plan into a shell.
//! - No text gets into SQL unquoted, and no character is ever dropped to make it fit.
//! - What DuckLake would take for something else, with data lost or landed elsewhere, cannot be described: a relative
//!   data path, an unscoped secret, a secret's name that reads as a file, an option that does not exist.

#![forbid(unsafe_code)]

mod attach;
mod catalog;
mod credentials;
mod database;
mod declared;
mod engine;
mod flowchart;
mod harmless;
mod lake;
mod motherduck;
mod parts;
mod path;
mod plan;
mod problem;
mod s3;
mod script;
mod scrub;
mod secret;
mod session;
mod settings;
mod spec;
mod sql;
mod statement;
mod storage;
mod template;
mod value;

pub use attach::{ATTACH_OPTIONS, AttachOptions, Snapshot};
pub use catalog::{Catalog, CatalogKind, PostgresCatalog, PostgresSpec, QuackCatalog, QuackSpec};
pub use credentials::{credentials, mask_credentials};
pub use database::{DuckDbDatabase, TableDatabase};
pub use declared::{
    Age, Declared, DeclaredSchema, DeclaredTable, Difference, LAKE_OPTIONS, LakeOption, LakeOptionKind, LakeOptionSpec,
    Manage, Note, OptionScope, PartitionKey, Sign, SortKey, Step, StoredOption, StoredState, StoredTable, TableName,
};
pub use engine::{ENGINE, EngineVersion, secret_parameters};
pub use harmless::FreeTable;
pub use lake::{Lake, LakeBuilder, Mode, generated_name};
pub use motherduck::MotherDuckSpec;
pub use parts::{List, Numbered, WriteSql, all, any, bind, columns, list, numbered, separated};
pub use path::{CatalogFile, CatalogUrl, LocalFolder, ObjectKind, ObjectPath};
pub use plan::{AttachPlan, Check, PLAN_VERSION, PlanView, StatementView};
pub use problem::{Code, Problem, Problems};
pub use s3::S3Spec;
pub use secret::{CreateSecret, SecretType};
pub use session::{Extension, Moment, Session, Setting};
pub use settings::{KnownSetting, SETTINGS, SettingRisk, SettingType};
pub use spec::{Field, FieldKind, FieldValue, Spec};
pub use sql::{Parameter, Reveal, Sql, Writer};
pub use statement::{Attach, AttachFile, CreateDatabase, Statement};
pub use storage::{AzureSpec, GcsSpec, ObjectStorage, R2Spec, Storage};
#[doc(hidden)]
pub use template::Template;
pub use value::{Alias, Ident, Keyword, Parameters, Secret, StringLiteral, Value};

/// What can be shared between threads: a promise of the API.
const _: () = {
    const fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Lake>();
    is_shared::<AttachPlan>();
    is_shared::<Sql>();
    is_shared::<Problems>();
    is_shared::<Secret>();
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
