//! The hashes of rows: functions that we register in DuckDB, and expressions made of them.
//!
//! A hash is the lower-case hexadecimal MD5 of a text, or the decimal number that an xxHash of its bytes is (seed 0),
//! cut to its first characters. A function takes the pieces of the text and does all of that in one go: MD5 hashes several
//! rows at a time, and no text is made in between. Its name says what it does (`metaxy_md5_8`), so it stays clear of
//! those that a community extension brings; every connection of an instance has it.

use std::error::Error as StdError;
use std::fmt::Write as _;

use duckdb::core::{DataChunkHandle, FlatVector, Inserter as _, LogicalTypeId};
use duckdb::ffi::duckdb_string_t;
use duckdb::types::DuckString;
use duckdb::vscalar::{ScalarFunctionSignature, VScalar};
use duckdb::vtab::arrow::WritableVector;
use ducklake_sql::{Sql, WriteSql, list, numbered, separated, sql};
use md5_simd::Md5Engine;
use metaxy_config::HashAlgorithm;
use metaxy_feature::Truncation;
use xxhash_rust::{xxh3, xxh32, xxh64};

use crate::table::{HashTag, Problem};

/// How the rows of a lake are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hashing {
    algorithm: HashAlgorithm,
    truncation: Truncation,
    /// What the names of its functions begin with.
    function: &'static str,
    hash: Hash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Md5,
    Xxh32,
    Xxh64,
    Xxh3,
}

impl Hashing {
    pub(crate) fn new(algorithm: HashAlgorithm, truncation: Truncation) -> Result<Self, Problem> {
        let (function, hash) = match algorithm {
            HashAlgorithm::Md5 => ("metaxy_md5_", Hash::Md5),
            HashAlgorithm::Xxhash32 => ("metaxy_xxh32_", Hash::Xxh32),
            HashAlgorithm::Xxhash64 => ("metaxy_xxh64_", Hash::Xxh64),
            HashAlgorithm::Xxh3_64 => ("metaxy_xxh3_64_", Hash::Xxh3),
            other => return Err(Problem::Algorithm(other.as_str())),
        };
        Ok(Self { algorithm, truncation, function, hash })
    }

    /// Registers its function in an instance, for connections that begin a transaction from now on.
    pub(crate) fn register(self, instance: &duckdb::Connection) -> duckdb::Result<()> {
        instance.register_scalar_function_with_state::<HashOfPieces>(&self.function(), &self)
    }

    /// The name of its function.
    pub(crate) fn function(self) -> String {
        [self.function, &self.truncation.length().to_string()].concat()
    }

    /// What the tables that it hashes the rows of are tagged with.
    pub(crate) fn tag(self) -> HashTag {
        HashTag::new(self.algorithm(), self.truncation.length())
    }

    pub(crate) fn truncation(self) -> Truncation {
        self.truncation
    }

    pub(crate) fn algorithm(self) -> &'static str {
        self.algorithm.as_str()
    }

    /// Every algorithm, of whose hash nothing is cut off.
    pub(crate) fn whole() -> impl Iterator<Item = Self> {
        let whole = |algorithm: &HashAlgorithm| Self::new(*algorithm, Truncation::new(64).ok()?).ok();
        HashAlgorithm::ALL.iter().filter_map(whole)
    }

    /// The hash of a text, given in pieces; NULL if one of them is.
    pub(crate) fn of(self, pieces: impl IntoIterator<Item = impl WriteSql>) -> Sql {
        self.call(&list(pieces).into())
    }

    /// The hash of texts joined by `|`, as samples are hashed.
    pub(crate) fn of_joined(self, texts: impl IntoIterator<Item = impl WriteSql>) -> Sql {
        self.call(&separated(", '|', ", texts))
    }

    fn call(self, pieces: &Sql) -> Sql {
        let function = numbered(self.function, self.truncation.length());
        sql!("{function}({pieces})", function, pieces)
    }
}

/// The function: from the pieces of a text to the first characters of its hash.
struct HashOfPieces;

impl VScalar for HashOfPieces {
    type State = Hashing;

    fn invoke(
        hashing: &Hashing,
        input: &mut DataChunkHandle,
        output: &mut dyn WritableVector,
    ) -> Result<(), Box<dyn StdError>> {
        let rows = input.len();
        let columns: Vec<FlatVector<'_>> = (0..input.num_columns()).map(|at| input.flat_vector(at)).collect();
        let columns: Vec<Texts<'_>> = columns.iter().map(|column| Texts::new(column, rows)).collect();
        let mut output = output.flat_vector();
        // The texts of all rows, one behind the other, and which row each is of.
        let mut bytes = Vec::with_capacity(rows * 64);
        let mut texts = Vec::with_capacity(rows);
        for row in 0..rows {
            let start = bytes.len();
            if columns.iter().all(|column| column.append(row, &mut bytes)) {
                texts.push((row, start..bytes.len()));
            } else {
                bytes.truncate(start);
                output.set_null(row);
            }
        }
        let slices: Vec<&[u8]> = texts.iter().map(|(_, range)| &bytes[range.clone()]).collect();
        hashing.hash(&slices, |at, hash| output.insert(texts[at].0, hash));
        Ok(())
    }

    fn signatures() -> Vec<ScalarFunctionSignature> {
        vec![ScalarFunctionSignature::variadic(LogicalTypeId::Varchar.into(), LogicalTypeId::Varchar.into())]
    }
}

impl Hashing {
    /// Hands out the place of each text and the first characters of its hash.
    fn hash(self, texts: &[&[u8]], mut out: impl FnMut(usize, &[u8])) {
        let mut cut = |at, hash: &[u8]| out(at, hash.get(..self.truncation.length()).unwrap_or(hash));
        let mut decimal = String::new();
        let mut number = |at, number: u64| {
            decimal.clear();
            // Writing into a text does not fail.
            _ = write!(decimal, "{number}");
            cut(at, decimal.as_bytes());
        };
        let each = texts.iter().enumerate();
        match self.hash {
            Hash::Md5 => {
                let mut digests = vec![[0; 16]; texts.len()];
                Md5Engine::new().hash_many(texts, &mut digests);
                digests.iter().enumerate().for_each(|(at, digest)| cut(at, &md5_simd::hex_encode_digest(digest)));
            }
            Hash::Xxh32 => each.for_each(|(at, text)| number(at, xxh32::xxh32(text, 0).into())),
            Hash::Xxh64 => each.for_each(|(at, text)| number(at, xxh64::xxh64(text, 0))),
            Hash::Xxh3 => each.for_each(|(at, text)| number(at, xxh3::xxh3_64(text))),
        }
    }
}

/// A column of texts on its way into the function.
struct Texts<'v> {
    column: &'v FlatVector<'v>,
    texts: &'v [duckdb_string_t],
}

impl<'v> Texts<'v> {
    #[expect(unsafe_code, reason = "the only way to the texts that does not copy each of them twice")]
    fn new(column: &'v FlatVector<'v>, rows: usize) -> Self {
        // SAFETY: DuckDB casts what the function is given to the VARCHAR of its signature, whose physical type this is, and
        // flattens it, so that there is an element for each of the rows. Nobody writes to it meanwhile. An element that is
        // NULL may have any bytes, which a union may, and is not read.
        let texts = unsafe { column.as_slice_with_len(rows) };
        Self { column, texts }
    }

    /// Appends the text of a row; false if it is NULL.
    fn append(&self, row: usize, bytes: &mut Vec<u8>) -> bool {
        if self.column.row_is_null(row as u64) {
            return false;
        }
        let mut text = self.texts[row];
        bytes.extend_from_slice(DuckString::new(&mut text).as_bytes());
        true
    }
}
