//! The program `metaxy`, through the program itself.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so by a panic")]

mod book;
mod browser;
mod combinations;
mod commits;
mod crashes;
mod extensions;
mod faults;
mod files;
mod first_steps;
mod full_disk;
mod inputs;
mod killed;
mod lakes;
mod logs;
mod marker;
mod mcp;
mod output;
mod packages;
mod paths;
mod repair;
mod run;
mod servers;
mod sessions;
mod shell;
mod trips;
mod trust;
mod tutorial;
mod waits;
mod writers;
