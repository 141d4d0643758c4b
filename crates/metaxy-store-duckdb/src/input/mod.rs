//! The input floor: the rows of files. Parquet, CSV and JSON are read by DuckDB, as a stream.
//!
//! Parquet has types. Of CSV and JSON, columns that the feature's table has are read in its types, so that `001` stays
//! a text where it is one; others as the feature's schema says, and what nothing says is guessed by DuckDB, but a text
//! of JSON is taken for one. Versions of fields are never guessed: they are texts, whatever they look like.

mod column_types;
mod compressed;
mod format;
mod json_numbers;
mod lossless_cast;
mod nesting;
mod parquet_columns;
mod problem;
mod reader;
mod rows;
mod write;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ducklake_sql::StringLiteral;
use metaxy_feature::FeatureKey;
use tempfile::NamedTempFile;

use self::reader::Reader;
use crate::engine::{Connection, Error, Kind};
use crate::features::Features;

pub use self::format::FileFormat;
pub use self::rows::InputRows;

/// The column that says what there is to do with a row; it is no column of a feature.
///
/// `metaxy metadata increment` writes it, and [`InputFile::rows`] leaves it out.
pub const CHANGE_COLUMN: &str = "metaxy_change";

/// How to read a file of rows.
///
/// ```
/// use metaxy_store_duckdb::{FileFormat, InputOptions};
///
/// let options = InputOptions::new().format(FileFormat::Csv).column_type("id", "VARCHAR");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputOptions {
    format: Option<FileFormat>,
    column_types: Vec<(String, String)>,
}

impl InputOptions {
    /// The format by the file's name or its first bytes, and types from the feature.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the file is; by its name, or else its first bytes, unless set.
    pub fn format(mut self, format: FileFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// The type of a column of CSV or JSON, as DuckDB spells it; that of the feature's table or schema, or a guess,
    /// unless set.
    pub fn column_type(mut self, column: impl Into<String>, of: impl Into<String>) -> Self {
        self.column_types.push((column.into(), of.into()));
        self
    }
}

/// A file of rows.
///
/// ```no_run
/// use metaxy_store_duckdb::{Features, InputFile, InputOptions, ResolveOptions, Store, WriteOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store: Store = unreachable!();
/// # let features: Features<'_> = unreachable!();
/// let key = "video".parse()?;
/// let file = InputFile::open("videos.csv", &InputOptions::new())?;
/// let connection = store.connection().for_files()?;
/// let samples = file.rows(&connection, &features, &key)?.on_progress(|rows| eprintln!("{rows} rows"));
/// let new = features.resolve_samples(&key, samples, &ResolveOptions::new())?;
/// features.write_file(&key, &file, &WriteOptions::new())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct InputFile {
    /// The name that the person knows it by.
    name: String,
    content: Content,
    /// The same JSON with long fractions as texts, where it has some.
    exact: Option<NamedTempFile>,
    format: FileFormat,
    column_types: Vec<(String, String)>,
}

/// Where the bytes of a file are.
#[derive(Debug)]
enum Content {
    /// In a file of the person's.
    File(PathBuf),
    /// In a temporary file, which goes away with the value.
    Temporary(NamedTempFile),
}

impl Content {
    fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Temporary(file) => file.path(),
        }
    }
}

impl InputFile {
    /// Finds a file, and what it is.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn open(path: impl AsRef<Path>, options: &InputOptions) -> Result<Self, Error> {
        let name = path.as_ref().display().to_string();
        let found = path.as_ref().canonicalize().map_err(|error| unreadable(&name, error))?;
        if found.is_dir() {
            return Err(unreadable(&name, io::ErrorKind::IsADirectory.into()));
        }
        Self::new(name, Content::File(found), options)
    }

    /// Reads a stream, such as stdin, to its end, into a temporary file: it is read more than once, and Parquet from
    /// its end. The name is for errors, and may end as that of a file of its format does.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or the temporary file not be written.
    pub fn from_reader(name: impl Into<String>, mut reader: impl Read, options: &InputOptions) -> Result<Self, Error> {
        let name = name.into();
        let mut copy = || {
            let mut file = NamedTempFile::new()?;
            io::copy(&mut reader, &mut file)?;
            Ok(file)
        };
        let file = copy().map_err(|error| unreadable(&name, error))?;
        Self::new(name, Content::Temporary(file), options)
    }

    fn new(name: String, content: Content, options: &InputOptions) -> Result<Self, Error> {
        let named = match &content {
            // A link may have any name.
            Content::File(path) => path,
            Content::Temporary(_) => Path::new(&name),
        };
        let format = match options.format.or_else(|| FileFormat::of_name(named)) {
            Some(format) => format,
            None => FileFormat::of_content(content.path()).map_err(|error| unreadable(&name, error))?,
        };
        let exact = match format {
            FileFormat::Json => json_numbers::with_long_ones_as_texts(content.path()),
            FileFormat::Csv | FileFormat::Parquet => Ok(None),
        };
        let exact = exact.map_err(|error| unreadable(&name, error))?;
        let file = Self { name, content, exact, format, column_types: options.column_types.clone() };
        file.pattern()?;
        Ok(file)
    }

    /// What it is.
    pub fn format(&self) -> FileFormat {
        self.format
    }

    /// Its rows, for a feature that they are to be written to or compared with.
    ///
    /// The connection is one to the features' store that nothing else runs statements on while the rows are read, see
    /// [`Connection::for_files`].
    ///
    /// # Errors
    ///
    /// When the feature is not in the graph, the file cannot be read, has not a column whose type was set, has ids that
    /// would be rounded, or rows that are to be removed rather than written. While the rows are read: when a value is
    /// not exactly one of its column's type.
    pub fn rows<'c>(
        &'c self,
        connection: &'c Connection,
        features: &Features<'_>,
        key: &FeatureKey,
    ) -> Result<InputRows<'c>, Error> {
        Reader::new(self, connection, features.definition(key)?)?.rows(features)
    }

    /// Its path as DuckDB's readers take it.
    fn pattern(&self) -> Result<StringLiteral, Error> {
        self.pattern_of(self.content.path())
    }

    fn pattern_of(&self, path: &Path) -> Result<StringLiteral, Error> {
        let text = path.to_str().and_then(|path| StringLiteral::new(literally(path)).ok());
        text.ok_or_else(|| unreadable(&self.name, io::ErrorKind::InvalidFilename.into()))
    }
}

fn unreadable(name: &str, error: io::Error) -> Error {
    Error::new(Kind::File { action: "reading", path: name.to_owned(), error })
}

/// A path that DuckDB does not take for a pattern.
fn literally(path: &str) -> String {
    let mut text = String::new();
    for character in path.chars() {
        match character {
            '*' | '?' | '[' => text.extend(['[', character, ']']),
            other => text.push(other),
        }
    }
    text
}
