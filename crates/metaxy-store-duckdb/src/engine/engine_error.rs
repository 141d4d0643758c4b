//! What the engine says against a statement, without the secrets of its plan.

use std::fmt;

use super::cause::{class_of, reason_of, without_hints};

/// What DuckDB, or a server behind it, says against a statement: the text with which an error of this crate began.
///
/// Secrets of the plan stand in it as `***`. It is the [`source`](std::error::Error::source) of an
/// [`Error`](crate::Error).
#[derive(Clone, PartialEq, Eq)]
pub struct EngineError {
    text: Box<str>,
}

impl EngineError {
    /// A text that holds no secret any more.
    pub(crate) fn scrubbed(text: impl Into<String>) -> Self {
        Self { text: text.into().into() }
    }

    /// The kind that DuckDB gives it, as in `Catalog Error` or `IO Error`, if it has one.
    pub fn class(&self) -> Option<&str> {
        class_of(&self.text)
    }

    /// The first line of what it says, without its kind.
    pub fn reason(&self) -> &str {
        reason_of(&self.text)
    }

    /// What it says, without what it adds about the statement and about options of DuckDB's readers.
    pub fn without_hints(&self) -> &str {
        without_hints(&self.text)
    }

    /// All that it says.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for EngineError {}
