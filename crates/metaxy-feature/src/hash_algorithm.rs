//! The hashes of rows' data versions.

/// The hash that the versions of rows are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// xxHash, 32 bits: the default of DuckDB stores.
    #[default]
    Xxhash32,
    /// xxHash, 64 bits.
    Xxhash64,
    /// XXH3, 64 bits.
    Xxh3_64,
    /// MD5.
    Md5,
}

impl HashAlgorithm {
    /// Every algorithm that DuckDB stores have.
    pub const ALL: &[Self] = &[Self::Xxhash32, Self::Xxhash64, Self::Xxh3_64, Self::Md5];

    /// The name in configuration files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Xxhash32 => "xxhash32",
            Self::Xxhash64 => "xxhash64",
            Self::Xxh3_64 => "xxh3_64",
            Self::Md5 => "md5",
        }
    }
}
