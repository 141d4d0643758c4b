//! Lakes shared with Python Metaxy: both write and read them in turn, and have to agree on every version, hash and
//! row. The peer is the real thing, at the version that `cargo xtask interop` brings.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by a panic")]

#[path = "../common/rows.rs"]
mod common;
mod dice;
mod differential;
mod generate;
mod pair;
mod python;
mod rust;
mod shared;
