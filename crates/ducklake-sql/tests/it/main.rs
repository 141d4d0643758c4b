//! What the crate promises of every lake, whatever it is described with.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod declared;
mod describe;
mod names;
mod plans;
mod queries;
