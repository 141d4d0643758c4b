//! The store against the real DuckDB, its extensions and real servers.
//!
//! One program for all of it, so that the tests of every part run side by side and share one PostgreSQL. `lake` makes the
//! lakes that they open.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by a panic")]

mod doctor;
mod features;
mod interop;
mod json;
mod lake;
mod maintain;
mod matrix;
mod store;
