//! A configuration as a tree in which every key and every value knows where it was written.
//!
//! No value here implements `Debug` or `Display`: a tree holds secrets until it is decoded.

use std::path::{Path, PathBuf};

/// Where a key or a value was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In a file, as a range of bytes.
    File { file: usize, start: usize, end: usize },
    /// In an environment variable.
    Variable(usize),
    /// Nowhere: the root of the tree.
    Root,
}

/// A file that was read.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// The ranges of scalar values; `None` when the file could not be parsed, so that nobody knows.
    pub(crate) scalars: Option<Vec<Span>>,
    /// The ranges of keys, which may contain what looks like a comment.
    pub(crate) keys: Vec<Span>,
}

/// A range of bytes.
pub(crate) type Span = std::ops::Range<usize>;

/// The files and variables that the tree came from.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) files: Vec<Source>,
    pub(crate) variables: Vec<String>,
    pub(crate) current_dir: PathBuf,
}

impl Sources {
    /// The folder that relative paths written at `origin` start from.
    pub(crate) fn dir(&self, origin: Origin) -> &Path {
        match origin {
            Origin::File { file, .. } => {
                self.files.get(file).and_then(|file| file.path.parent()).unwrap_or(&self.current_dir)
            }
            Origin::Variable(_) | Origin::Root => &self.current_dir,
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
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
    /// Variables named in this text that are not set or empty.
    pub(crate) unset: Vec<String>,
}

/// The value of a node.
#[derive(Clone)]
pub(crate) enum Value {
    Text(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
}

impl Value {
    /// The type's name for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
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
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_origin: Origin,
    pub(crate) node: Node,
}

/// A table, in the order it was written.
#[derive(Clone, Default)]
pub(crate) struct Table(pub(crate) Vec<Entry>);

impl Node {
    pub(crate) fn new(value: Value, origin: Origin) -> Self {
        Self { value, origin, unset: Vec::new() }
    }

    pub(crate) fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The key and the value at a dotted path below this node; `None` when it is not there.
    pub(crate) fn entry(&self, path: &str) -> Option<&Entry> {
        let table = self.as_table()?;
        if let Some(entry) = table.entry_ignoring_case(path) {
            return Some(entry);
        }
        let (key, rest) = path.split_once('.')?;
        table.entry_ignoring_case(key)?.node.entry(rest)
    }

    /// The value at a dotted path below this node, or the closest table above it.
    pub(crate) fn find(&self, path: &str) -> &Self {
        match self.entry(path) {
            Some(entry) => &entry.node,
            None => path.rsplit_once('.').map_or(self, |(above, _)| self.find(above)),
        }
    }
}

impl Table {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.0.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    fn entry_ignoring_case(&self, key: &str) -> Option<&Entry> {
        let same = self.0.iter().find(|entry| entry.key == key);
        same.or_else(|| self.0.iter().find(|entry| entry.key.eq_ignore_ascii_case(key)))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Replaces the entry of this key in its place, or adds it at the end.
    pub(crate) fn set(&mut self, entry: Entry) {
        match self.0.iter_mut().find(|old| old.key == entry.key) {
            Some(old) => *old = entry,
            None => self.0.push(entry),
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Entry> {
        let index = self.0.iter().position(|entry| entry.key == key)?;
        Some(self.0.remove(index))
    }
}
