//! The program `metaxy`, through the program itself.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so by a panic")]

mod combinations;
mod files;
mod lakes;
mod output;
mod run;
mod sessions;
mod trips;
