//! Names and passwords that no other test has.

use std::hash::{BuildHasher, RandomState};

/// 16 hexadecimal digits, different with every call.
pub(crate) fn token() -> String {
    format!("{:016x}", RandomState::new().hash_one(0))
}
