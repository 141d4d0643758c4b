//! What the engine says against a statement, without the secrets of its plan.

use std::fmt;

use super::cause::{Cause, Facts, Meanings, Operation, class_of, reason_of, without_hints};

/// What DuckDB, or a server behind it, says against a statement: the text with which an error of this crate began.
///
/// Secrets of the plan stand in it as `***`. It is the [`source`](std::error::Error::source) of an
/// [`Error`](crate::Error).
#[derive(Clone, PartialEq, Eq)]
pub struct EngineError {
    text: Box<str>,
    meanings: Meanings,
}

impl EngineError {
    /// What the engine said, and the same without secrets, which is all that is kept of it.
    pub(crate) fn new(raw: &str, scrubbed: String, facts: &Facts) -> Self {
        Self { text: scrubbed.into(), meanings: Meanings::of(raw, facts) }
    }

    /// A text that never held a secret.
    pub(crate) fn harmless(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { meanings: Meanings::of(&text, &Facts::default()), text: text.into() }
    }

    /// Why an operation failed by it.
    pub(crate) fn cause(&self, operation: Operation, facts: &Facts) -> Option<Cause> {
        self.meanings.cause(operation, facts)
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
