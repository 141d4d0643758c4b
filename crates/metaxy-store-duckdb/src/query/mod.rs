//! The query floor: which rows of a table count, conditions on them, ids that have several, and how rows are hashed.

mod duplicate_ids;
mod filter;
mod hash_check;
mod hashing;
mod latest;
mod snapshots;

pub use self::filter::Filter;

pub(crate) use self::duplicate_ids::{Repeated, check_ids};
pub(crate) use self::hash_check::{check_hash, check_records, check_truncation};
pub(crate) use self::hashing::Hashing;
pub(crate) use self::latest::{Latest, column_of_r};
pub(crate) use self::snapshots::Snapshots;
