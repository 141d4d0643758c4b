//! The query floor: which rows of a table count, conditions on them, how rows are hashed, and the versions of
//! their fields.

mod filter;
mod hash_check;
mod hashing;
mod keys;
mod latest;
mod provenance;
mod snapshots;

pub use self::filter::Filter;
pub use self::provenance::Provenance;

pub(crate) use self::hash_check::{check_hash, check_records, check_truncation};
pub(crate) use self::hashing::Hashing;
pub(crate) use self::keys::Keys;
pub(crate) use self::latest::{Latest, column_of_r};
pub(crate) use self::snapshots::{Snapshots, TakenSnapshots};
