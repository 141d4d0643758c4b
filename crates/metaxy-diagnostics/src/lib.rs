//! TOML files as trees that know where each key and value was written, and diagnostics about them.
//!
//! `metaxy.toml` and feature files are read and reported through this crate, so that a mistake in either shows its line
//! in the same way: code, message, file, line, column, the line itself with its secrets masked, and what to write instead.
//!
//! ```
//! use metaxy_diagnostics::{Diagnostic, Diagnostics, Sources, Style, Visibility};
//!
//! let mut sources = Sources::new("/project");
//! let mut found = Vec::new();
//! let table = sources.parse("/project/a.toml", "colour = 'red'".to_owned(), Visibility::NOTHING, &mut found);
//! for entry in &table.0 {
//!     found.push(Diagnostic::unknown_key(&entry.key, &["color"]).with_origin(entry.key_origin));
//! }
//! let text = Diagnostics::new(found, sources.into()).render(Style::Plain);
//! assert!(text.contains("colour = '***'") && text.contains("help: did you mean `color`?"), "{text}");
//! ```
//!
//! # What it holds
//!
//! - It does no I/O: texts come in, texts go out.
//! - No value is in a shown line unless its place in the file says that it can be no secret, or the diagnostic does.
//! - It is the only crate of the workspace that handles the spans of the TOML parser.

#![forbid(unsafe_code)]

mod common;
mod diagnostic;
mod mask;
mod parse;
mod render;
mod suggest;
mod tree;

pub use common::{INVALID_CHOICE, MISSING_KEY, OUT_OF_RANGE, SYNTAX, UNKNOWN_KEY, WRONG_TYPE};
pub use diagnostic::{Diagnostic, Diagnostics, Location, Severity};
pub use mask::Visibility;
pub use render::Style;
pub use suggest::{did_you_mean, excerpt, nearest, quoted};
pub use tree::{Entry, Node, Origin, Position, Sources, Table, Value};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
