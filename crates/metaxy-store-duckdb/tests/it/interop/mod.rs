//! Lakes shared with Python Metaxy: both write and read them in turn, and have to agree on every version, hash and
//! row. The peer is the real thing, at the version that `cargo xtask interop` brings, which runs the tests of this module.
//! `docs/interop.md` lists where both differ.

pub(crate) mod dice;
mod differential;
pub(crate) mod generate;
pub(crate) mod pair;
mod python;
pub(crate) mod rust;
mod shared;
