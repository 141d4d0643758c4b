//! What is wrong with a configuration, and where; never a secret.
//!
//! The constructors are in `messages`, the text form is in `render`.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::node::{Origin, Sources};
use crate::render::{self, Style};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It works, but probably not as meant.
    Warning,
    /// It does not work.
    Error,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A place that a diagnostic points at.
#[derive(Clone)]
pub(crate) struct Label {
    pub(crate) origin: Origin,
    pub(crate) text: &'static str,
    /// Whether the value there may be shown.
    pub(crate) show: bool,
}

/// One thing that is wrong, or likely to be.
#[derive(Clone)]
pub struct Diagnostic {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// The first one is what it is about.
    pub(crate) labels: Vec<Label>,
    pub(crate) stores: BTreeSet<String>,
}

/// Where a diagnostic points.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// A place in a file; line and column count from 1, the column in characters.
    File {
        /// The file.
        path: PathBuf,
        /// Its line.
        line: usize,
        /// The character in the line.
        column: usize,
    },
    /// An environment variable.
    Variable(String),
}

impl Diagnostic {
    /// The stable code, listed on the reference page.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, as a fragment without full stop.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead, where that is known.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The stores it is about, which an error makes unusable; none when it is about the whole configuration.
    pub fn stores(&self) -> impl Iterator<Item = &str> {
        self.stores.iter().map(String::as_str)
    }

    pub(crate) fn is_fatal(&self) -> bool {
        self.severity == Severity::Error && self.stores.is_empty()
    }
}

impl fmt::Debug for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diagnostic")
            .field("code", &self.code)
            .field("severity", &self.severity)
            .field("message", &self.message)
            .field("help", &self.help)
            .field("stores", &self.stores)
            .finish_non_exhaustive()
    }
}

/// All that was found in one configuration, in the order of the files.
///
/// `Display` is the plain text form, `Debug` lists codes and messages; neither shows a value that may be secret.
#[derive(Clone)]
pub struct Diagnostics {
    pub(crate) list: Vec<Diagnostic>,
    pub(crate) sources: Arc<Sources>,
}

impl Diagnostics {
    /// In the order of the files, what is in no file first and what is in a variable last.
    pub(crate) fn new(mut list: Vec<Diagnostic>, sources: Arc<Sources>) -> Self {
        list.sort_by_key(|diagnostic| match diagnostic.labels.first().map(|label| label.origin) {
            None | Some(Origin::Root) => (0, 0, 0),
            Some(Origin::File { file, start, .. }) => (1, file, start),
            Some(Origin::Variable(variable)) => (2, variable, 0),
        });
        Self { list, sources }
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Where a diagnostic points; `None` when it is about nothing written anywhere.
    pub fn location(&self, diagnostic: &Diagnostic) -> Option<Location> {
        render::location(&self.sources, diagnostic.labels.first()?.origin)
    }

    /// For people: each diagnostic with the line it is about, values masked.
    pub fn render(&self, style: Style) -> String {
        render::render(self, style)
    }

    /// For programs: `{"version": 1, "diagnostics": [{"code", "severity", "message", "help", "file", "line", "column",
    /// "variable", "stores"}]}`; what does not apply is `null`.
    pub fn to_json(&self) -> serde_json::Value {
        let list = self.list.iter().map(|diagnostic| {
            let (mut file, mut line, mut column, mut variable) = (None, None, None, None);
            match self.location(diagnostic) {
                Some(Location::File { path, line: at, column: character }) => {
                    file = Some(path.display().to_string());
                    (line, column) = (Some(at), Some(character));
                }
                Some(Location::Variable(name)) => variable = Some(name),
                None => {}
            }
            json!({
                "code": diagnostic.code,
                "severity": diagnostic.severity.as_str(),
                "message": diagnostic.message,
                "help": diagnostic.help,
                "file": file,
                "line": line,
                "column": column,
                "variable": variable,
                "stores": diagnostic.stores,
            })
        });
        json!({ "version": 1, "diagnostics": list.collect::<Vec<_>>() })
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}
