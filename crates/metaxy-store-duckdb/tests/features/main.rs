//! Features in a lake, against the real DuckDB and DuckLake.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by a panic")]

mod chains;
#[path = "../common/rows.rs"]
mod common;
mod hashes;
mod hazards;
mod increments;
mod inputs;
mod lake;
mod rebases;
mod refusals;
mod rows;
mod tables;
mod writes;
