//! The hashes of rows: functions that we register in DuckDB, and expressions made of them.
//!
//! A hash is the lower-case hexadecimal MD5 of a text, or the decimal number that an xxHash of its bytes is (seed 0),
//! cut to its first characters. The functions have names of their own, so they stay clear of those that a community
//! extension brings; every connection of an instance has them.

use std::error::Error as StdError;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::datatypes::DataType;
use duckdb::vscalar::{ArrowFunctionSignature, VArrowScalar};
use ducklake_sql::Writer;
use metaxy_config::HashAlgorithm;
use metaxy_feature::Truncation;
use xxhash_rust::{xxh3, xxh32, xxh64};

use super::problem::Problem;

/// Registers the functions that DuckDB lacks.
pub(crate) fn register(instance: &duckdb::Connection) -> duckdb::Result<()> {
    instance.register_scalar_function::<Xxh32>("metaxy_xxh32")?;
    instance.register_scalar_function::<Xxh64>("metaxy_xxh64")?;
    instance.register_scalar_function::<Xxh3>("metaxy_xxh3_64")
}

/// Declares one function from a text to a number.
macro_rules! function {
    ($name:ident, $array:ident, $type:ident, $hash:expr) => {
        struct $name;

        impl VArrowScalar for $name {
            type State = ();

            fn invoke((): &(), input: RecordBatch) -> Result<ArrayRef, Box<dyn StdError>> {
                let texts = input.columns().first().and_then(|column| column.as_string_opt::<i32>());
                let texts = texts.ok_or("a hash function takes one text")?;
                Ok(Arc::new(texts.iter().map(|text| text.map(|text| $hash(text.as_bytes()))).collect::<$array>()))
            }

            fn signatures() -> Vec<ArrowFunctionSignature> {
                vec![ArrowFunctionSignature::exact(vec![DataType::Utf8], DataType::$type)]
            }
        }
    };
}

function!(Xxh32, UInt32Array, UInt32, |bytes| xxh32::xxh32(bytes, 0));
function!(Xxh64, UInt64Array, UInt64, |bytes| xxh64::xxh64(bytes, 0));
function!(Xxh3, UInt64Array, UInt64, xxh3::xxh3_64);

/// How the rows of a lake are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hashing {
    algorithm: HashAlgorithm,
    truncation: Truncation,
    /// What stands before and after the text that is hashed.
    call: (&'static str, &'static str),
}

impl Hashing {
    pub(crate) fn new(algorithm: HashAlgorithm, truncation: Truncation) -> Result<Self, Problem> {
        let call = match algorithm {
            HashAlgorithm::Md5 => ("md5(", ")"),
            HashAlgorithm::Xxhash32 => ("CAST(metaxy_xxh32(", ") AS VARCHAR)"),
            HashAlgorithm::Xxhash64 => ("CAST(metaxy_xxh64(", ") AS VARCHAR)"),
            HashAlgorithm::Xxh3_64 => ("CAST(metaxy_xxh3_64(", ") AS VARCHAR)"),
            other => return Err(Problem::Algorithm(other.as_str())),
        };
        Ok(Self { algorithm, truncation, call })
    }

    pub(crate) fn truncation(self) -> Truncation {
        self.truncation
    }

    pub(crate) fn algorithm(self) -> &'static str {
        self.algorithm.as_str()
    }

    /// Every algorithm at this truncation.
    pub(crate) fn all(truncation: Truncation) -> Vec<Self> {
        HashAlgorithm::ALL.iter().filter_map(|algorithm| Self::new(*algorithm, truncation).ok()).collect()
    }

    /// Writes the hash of a text expression; NULL stays NULL.
    pub(crate) fn write(self, sql: &mut Writer, text: impl FnOnce(&mut Writer)) {
        sql.keyword(self.call.0);
        text(sql);
        sql.keyword(self.call.1).keyword("[1:").number(self.truncation.length() as u64).keyword("]");
    }

    /// Writes the hash of texts joined by `|`, as samples are hashed.
    pub(crate) fn write_joined<T>(self, sql: &mut Writer, texts: &[T], mut text: impl FnMut(&mut Writer, &T)) {
        self.write(sql, |sql| {
            for (index, one) in texts.iter().enumerate() {
                sql.keyword(if index == 0 { "" } else { " || '|' || " });
                text(sql, one);
            }
        });
    }
}

/// What a table's record and messages call it: `xxhash32 cut to 8`.
impl std::fmt::Display for Hashing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} cut to {}", self.algorithm.as_str(), self.truncation.length())
    }
}
