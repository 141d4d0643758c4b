//! Features, their graph and their versions, as Python Metaxy 0.1.11 computes them: pure, without I/O.
//!
//! A [`FeatureSpec`] says what a feature is; it is built in Rust, read from the JSON of a lake's system table or
//! from TOML: one text, or [`FeatureFiles`]. With its project and schema it is a [`FeatureDefinition`]; definitions that depend on each
//! other form a [`FeatureGraph`]. The graph gives the [`versions`](FeatureGraph::versions) that decide which rows
//! are current, and the [`plan`](FeatureGraph::plan) by which the provenance of rows is computed. A [`Diagram`] draws
//! one, or what has changed between two.
//!
//! What is read becomes a type that cannot be invalid, with an [`Error`] that lists all independent problems; what a
//! graph is asked then cannot fail.
//!
//! ```
//! use metaxy_feature::{
//!     Columns, FeatureDefinition, FeatureDep, FeatureGraph, FeatureSpec, FieldSpec, ProjectName, Truncation,
//! };
//!
//! let raw = FeatureSpec::builder("video/raw".parse()?, Columns::from_names(["video_id"])?)
//!     .field(FieldSpec::new("audio".parse()?))
//!     .field(FieldSpec::new("frames".parse()?))
//!     .build()?;
//! let crop = FeatureSpec::builder("video/crop".parse()?, Columns::from_names(["video_id"])?)
//!     .dep(FeatureDep::new("video/raw".parse()?))
//!     .field(FieldSpec { code_version: "2".to_owned(), ..FieldSpec::new("audio".parse()?) })
//!     .field(FieldSpec::new("embedding".parse()?))
//!     .build()?;
//!
//! let project: ProjectName = "demo".parse()?;
//! let graph = FeatureGraph::new([raw, crop].map(|spec| FeatureDefinition::new(spec, project.clone())))?;
//! let versions = graph.versions(Truncation::default());
//! let crop = versions.get(&"video/crop".parse()?).map(|versions| versions.feature.as_str());
//! assert_eq!(crop, Some("987564b2"));
//! # Ok::<(), metaxy_feature::Error>(())
//! ```

#![forbid(unsafe_code)]

mod column;
mod decode;
mod definition;
mod diagram;
mod error;
mod feature_file;
mod graph;
mod hash_algorithm;
mod json;
mod key;
mod messages;
mod plan;
mod spec;
mod version;

pub use column::{Column, Columns, SYSTEM_COLUMNS};
pub use definition::{FeatureDefinition, ProjectName};
pub use diagram::{Diagram, DiagramNode, DiagramOptions, Note, VersionChange, escape_xml};
pub use error::{Error, Problem, ProblemKind, Result};
pub use feature_file::FeatureFiles;
pub use graph::{FeatureGraph, FeatureVersions, GraphVersions};
pub use hash_algorithm::HashAlgorithm;
pub use json::{Json, JsonObject, Number};
pub use key::{FeatureKey, FieldKey};
pub use metaxy_diagnostics::Position;
pub use plan::{DepPlan, FeaturePlan, FieldPlan, ParentPlan};
pub use spec::{
    FeatureDep, FeatureSpec, FeatureSpecBuilder, FieldDep, FieldDeps, FieldSpec, FieldsMapping, INITIAL_CODE_VERSION,
    Lineage,
};
pub use version::{Truncation, Version};

/// What can be shared between threads: a promise of the API.
const _: () = {
    const fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<FeatureGraph>();
    is_shared::<FeatureDefinition>();
    is_shared::<Error>();
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
