//! Lakes shared with Python Metaxy: both write and read them in turn, and have to agree on every version, hash and
//! row. The peer is the real thing, at the version that `cargo xtask interop` brings, which runs the tests of this module.
//! `docs/interop.md` lists where both differ.

mod dice;
mod differential;
mod generate;
mod pair;
mod python;
mod rust;
mod shared;
