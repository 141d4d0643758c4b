//! Opening and closing lakes, and the traps in which data is lost.

mod commits;
mod configured;
mod engine_lists;
mod errors;
mod existing;
mod frozen;
mod hostile;
mod leftovers;
mod locked;
mod open;
mod outages;
mod paths;
mod plans;
pub(crate) mod postgres;
mod repair;
mod traps;
