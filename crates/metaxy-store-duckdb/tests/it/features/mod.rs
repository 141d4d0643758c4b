//! Features in a lake.

mod chains;
pub(crate) mod common;
mod databases;
mod differences;
mod hashes;
mod increments;
mod inputs;
mod marks;
mod provenance;
mod queries;
mod rebases;
mod refusals;
mod rows;
mod scans;
mod statements;
mod tables;
mod writes;
