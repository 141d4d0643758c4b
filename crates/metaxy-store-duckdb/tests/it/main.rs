//! The store against the real DuckDB and its extensions.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by a panic")]

mod configured;
mod errors;
mod fixtures;
mod hostile;
mod lakes;
mod open;
mod postgres;
mod traps;
