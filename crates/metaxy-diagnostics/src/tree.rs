//! A file as a tree in which every key and every value knows where it was written.
//!
//! No value here implements `Debug` or `Display`: a tree may hold secrets until it is decoded.

use std::path::{Path, PathBuf};

use crate::diagnostic::Location;
use crate::mask::{self, Visibility};

/// Where a key or a value was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In a file of the [`Sources`], as a range of bytes.
    File {
        /// Which file.
        file: usize,
        /// The first byte.
        start: usize,
        /// The byte after the last one.
        end: usize,
    },
    /// In an environment variable of the [`Sources`].
    Variable(usize),
    /// Nowhere: the root of the tree.
    Root,
}

/// A line and a column in a text, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// The position of a byte of a text; past the end it is the end.
    ///
    /// ```
    /// use metaxy_diagnostics::Position;
    ///
    /// assert_eq!(Position::from_offset("a\nbé = 1", 6), Position { line: 2, column: 4 });
    /// ```
    pub fn from_offset(text: &str, byte: usize) -> Self {
        let byte = byte.min(text.len());
        let line = mask::line_of(text, byte);
        // A byte of the line break counts as the end of the line.
        let before = &text[line.start..text.floor_char_boundary(byte).max(line.start)];
        Self { line: text[..line.start].matches('\n').count() + 1, column: before.chars().count() + 1 }
    }
}

/// A file that was read.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// The ranges of scalar values; `None` when the file could not be parsed, so that nobody knows.
    pub(crate) scalars: Option<Vec<Scalar>>,
    /// The ranges of keys, which may contain what looks like a comment.
    pub(crate) keys: Vec<Span>,
    pub(crate) visibility: Visibility,
}

/// Where a scalar value is.
#[derive(Clone)]
pub(crate) struct Scalar {
    pub(crate) span: Span,
    /// Whether it can be no secret.
    pub(crate) is_harmless: bool,
}

/// A range of bytes.
pub(crate) type Span = std::ops::Range<usize>;

/// The files and variables that trees came from.
#[derive(Clone)]
pub struct Sources {
    pub(crate) files: Vec<Source>,
    pub(crate) variables: Vec<String>,
    pub(crate) current_dir: PathBuf,
}

impl Sources {
    /// None yet; paths below `current_dir` are shown relative to it.
    pub fn new(current_dir: impl Into<PathBuf>) -> Self {
        Self { files: Vec::new(), variables: Vec::new(), current_dir: current_dir.into() }
    }

    /// The folder that relative paths of variables start from.
    pub fn current_dir(&self) -> &Path {
        &self.current_dir
    }

    /// Adds a variable.
    pub fn add_variable(&mut self, name: impl Into<String>) -> Origin {
        self.variables.push(name.into());
        Origin::Variable(self.variables.len() - 1)
    }

    /// The folder that relative paths written at `origin` start from.
    pub fn dir(&self, origin: Origin) -> &Path {
        match origin {
            Origin::File { file, .. } => {
                self.files.get(file).and_then(|file| file.path.parent()).unwrap_or(&self.current_dir)
            }
            Origin::Variable(_) | Origin::Root => &self.current_dir,
        }
    }

    /// Where an origin is, for people and programs; `None` for the root, which is written nowhere.
    pub fn location(&self, origin: Origin) -> Option<Location> {
        match origin {
            Origin::File { file, start, .. } => {
                let source = self.files.get(file)?;
                let Position { line, column } = Position::from_offset(&source.text, start);
                let path = source.path.strip_prefix(&self.current_dir).unwrap_or(&source.path).to_owned();
                Some(Location::File { path, line, column })
            }
            Origin::Variable(variable) => self.variables.get(variable).cloned().map(Location::Variable),
            Origin::Root => None,
        }
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// A value and where it was written. A table that is no inline table is written where its name is.
#[derive(Clone)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it was written.
    pub origin: Origin,
    /// Variables named in this string that are not set or empty.
    pub unset: Vec<String>,
}

/// The value of a node.
#[derive(Clone)]
pub enum Value {
    /// A string.
    String(String),
    /// An integer; one that does not fit in 128 bits is the largest that does.
    Integer(i128),
    /// A float.
    Float(f64),
    /// A boolean.
    Boolean(bool),
    /// A date, a time of day or both, as it is written.
    Datetime(String),
    /// A list.
    Array(Vec<Node>),
    /// A table, inline or not.
    Table(Table),
}

impl Value {
    /// The type's name for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Datetime(_) => "a date or time",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A key of a table, with its value.
#[derive(Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub key_origin: Origin,
    /// The value.
    pub node: Node,
}

/// A table, in the order it was written.
#[derive(Clone, Default)]
pub struct Table(pub Vec<Entry>);

impl Node {
    /// A value that was written at this place.
    pub fn new(value: Value, origin: Origin) -> Self {
        Self { value, origin, unset: Vec::new() }
    }

    /// The table, if it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The key and the value at a dotted path below this node; `None` when it is not there.
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        let table = self.as_table()?;
        if let Some(entry) = table.entry_ignoring_case(path) {
            return Some(entry);
        }
        let (key, rest) = path.split_once('.')?;
        table.entry_ignoring_case(key)?.node.entry(rest)
    }

    /// The value at a dotted path below this node, or the closest table above it.
    pub fn find(&self, path: &str) -> &Self {
        match self.entry(path) {
            Some(entry) => &entry.node,
            None => path.rsplit_once('.').map_or(self, |(above, _)| self.find(above)),
        }
    }
}

impl Table {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The key and the value of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    fn entry_ignoring_case(&self, key: &str) -> Option<&Entry> {
        self.entry(key).or_else(|| self.0.iter().find(|entry| entry.key.eq_ignore_ascii_case(key)))
    }

    /// Whether there is such a key.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Replaces the entry of this key in its place, or adds it at the end.
    pub fn set(&mut self, entry: Entry) {
        match self.0.iter_mut().find(|old| old.key == entry.key) {
            Some(old) => *old = entry,
            None => self.0.push(entry),
        }
    }

    /// Takes the entry of a key out.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        let index = self.0.iter().position(|entry| entry.key == key)?;
        Some(self.0.remove(index))
    }
}
