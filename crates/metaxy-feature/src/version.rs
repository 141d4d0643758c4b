//! Versions: SHA-256 over concatenated texts, in lower-case hex, cut to the configured length.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::{FeatureSpec, Result, messages};

/// How many characters of a hash are kept: 8 to 64, by default 8 (`hash_truncation_length`).
///
/// Versions are cut before they are hashed again, so a version at 8 is not a prefix of the one at 64.
///
/// ```
/// use metaxy_feature::Truncation;
///
/// assert_eq!(Truncation::default().length(), 8);
/// assert!(Truncation::new(7).is_err());
/// # Ok::<(), metaxy_feature::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Truncation(usize);

impl Truncation {
    /// The shortest one, which is the default.
    pub const SHORTEST: Self = Self(8);

    /// The longest one: the whole hash.
    pub const LONGEST: Self = Self(64);

    /// A truncation to this many characters.
    ///
    /// # Errors
    ///
    /// If the length is not between 8 and 64.
    pub fn new(length: usize) -> Result<Self> {
        let is_valid = (Self::SHORTEST.0..=Self::LONGEST.0).contains(&length);
        if is_valid { Ok(Self(length)) } else { Err(messages::truncation(length).into()) }
    }

    /// The number of characters kept.
    pub fn length(self) -> usize {
        self.0
    }
}

impl Default for Truncation {
    fn default() -> Self {
        Self::SHORTEST
    }
}

/// A version of a field, a feature, its code, its definition or a project, as the lake stores it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(Box<str>);

impl Version {
    /// The version's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The version of a project without features.
    pub(crate) fn empty() -> Self {
        Self("empty".into())
    }

    /// The hash of the parts, one after the other.
    pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a str>, truncation: Truncation) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        let hash = hasher.finalize();
        let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(truncation.length());
        Self(nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)).collect())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A version that an external feature was given, of any text.
impl From<&str> for Version {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl FeatureSpec {
    /// The version of the feature's code: its field keys and their code versions, without dependencies.
    pub fn code_version(&self, truncation: Truncation) -> Version {
        let mut fields: Vec<_> =
            self.fields().iter().map(|field| [field.key.as_str(), field.code_version.as_str()]).collect();
        fields.sort_unstable();
        Version::hash(fields.into_iter().flatten(), truncation)
    }

    /// The version of the whole specification, by its canonical JSON.
    pub fn version(&self, truncation: Truncation) -> Version {
        Version::hash([self.to_json().canonical().as_str()], truncation)
    }
}
