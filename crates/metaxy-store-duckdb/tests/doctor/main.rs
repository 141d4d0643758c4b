//! The doctor against real servers and files: each fault is made, and a snapshot shows what the person sees of it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod files;
mod healthy;
mod objects;
mod patient;
mod postgres;
