//! What is wrong with a file, and where; never a secret.
//!
//! The text form is in `render`.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::render::{self, Style};
use crate::tree::{Origin, Sources};

/// How many diagnostics a document has: each takes a look at the whole file.
const MOST_IN_JSON: usize = 1000;

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
    stores: BTreeSet<String>,
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
    fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self { code, severity, message: message.into(), help: None, labels: Vec::new(), stores: BTreeSet::new() }
    }

    /// Something that does not work; `message` is a fragment without full stop, and holds no value that may be a secret.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// Something that works, but probably not as meant.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    fn push_label(mut self, label: Label) -> Self {
        self.labels.push(label);
        self
    }

    /// The same, pointing at a key or a value.
    pub fn with_origin(self, origin: Origin) -> Self {
        self.push_label(Label { origin, text: "", show: false })
    }

    /// The same, pointing at a value that is no secret and is shown.
    pub fn with_shown_origin(self, origin: Origin) -> Self {
        self.push_label(Label { origin, text: "", show: true })
    }

    /// The same, pointing at one more place, with what is there in words.
    pub fn with_label(self, origin: Origin, text: &'static str) -> Self {
        self.push_label(Label { origin, text, show: false })
    }

    /// The same, with what to write instead.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, about one more store.
    pub fn with_store(mut self, store: impl Into<String>) -> Self {
        self.add_store(store);
        self
    }

    /// Says that it is about one more store.
    pub fn add_store(&mut self, store: impl Into<String>) {
        self.stores.insert(store.into());
    }

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

    /// Whether it is about this store.
    pub fn is_about_store(&self, store: &str) -> bool {
        self.stores.contains(store)
    }

    /// Whether it is an error about the whole, not about single stores.
    pub fn is_fatal(&self) -> bool {
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

/// All that was found in some files, in their order.
///
/// `Display` is the plain text form, `Debug` lists codes and messages; neither shows a value that may be secret.
#[derive(Clone)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    pub(crate) sources: Arc<Sources>,
}

impl Diagnostics {
    /// In the order of the files, what is in no file first and what is in a variable last.
    pub fn new(mut list: Vec<Diagnostic>, sources: Arc<Sources>) -> Self {
        list.sort_by_key(|diagnostic| match diagnostic.labels.first().map(|label| label.origin) {
            None | Some(Origin::Root) => (0, 0, 0),
            Some(Origin::File { file, start, .. }) => (1, file, start),
            Some(Origin::Variable(variable)) => (2, variable, 0),
        });
        Self { list, sources }
    }

    /// The same with others after them, which may be about other files.
    ///
    /// ```
    /// use metaxy_diagnostics::{Diagnostic, Diagnostics, Sources};
    ///
    /// let about = |name: &str| {
    ///     let mut sources = Sources::new("/");
    ///     let origin = sources.add_variable(name);
    ///     Diagnostics::new(vec![Diagnostic::missing_key("a").with_origin(origin)], sources.into())
    /// };
    /// let both = about("ONE").merge(&about("TWO"));
    /// assert_eq!(both.to_json()["diagnostics"][1]["variable"], "TWO");
    /// ```
    pub fn merge(&self, others: &Self) -> Self {
        let mut sources = (*self.sources).clone();
        let (files, variables) = (sources.files.len(), sources.variables.len());
        sources.files.extend(others.sources.files.iter().cloned());
        sources.variables.extend(others.sources.variables.iter().cloned());
        let mut list = self.list.clone();
        list.extend(others.list.iter().cloned().map(|mut diagnostic| {
            for label in &mut diagnostic.labels {
                match &mut label.origin {
                    Origin::File { file, .. } => *file += files,
                    Origin::Variable(variable) => *variable += variables,
                    Origin::Root => {}
                }
            }
            diagnostic
        }));
        Self { list, sources: Arc::new(sources) }
    }

    /// Those of them that `keep` keeps, about the same files.
    pub fn filter(&self, keep: impl Fn(&Diagnostic) -> bool) -> Self {
        let list = self.list.iter().filter(|diagnostic| keep(diagnostic)).cloned().collect();
        Self { list, sources: Arc::clone(&self.sources) }
    }

    /// The same with messages and helps as `map` makes them, such as without what they quote of a secret.
    pub fn map_texts(mut self, map: impl Fn(&str) -> String) -> Self {
        for diagnostic in &mut self.list {
            diagnostic.message = map(&diagnostic.message);
            diagnostic.help = diagnostic.help.as_deref().map(&map);
        }
        self
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
        self.sources.location(diagnostic.labels.first()?.origin)
    }

    /// For people: each diagnostic with the line it is about, values masked.
    pub fn render(&self, style: Style) -> String {
        render::render(self, style)
    }

    /// For programs: `{"version": 1, "diagnostics": [{"code", "severity", "message", "help", "file", "line", "column",
    /// "variable", "stores"}]}`; what does not apply is `null`. Of more than a thousand, the first thousand are there, and
    /// `"left_out"` says how many are not.
    pub fn to_json(&self) -> serde_json::Value {
        let list = self.list.iter().take(MOST_IN_JSON).map(|diagnostic| {
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
        let mut document = json!({ "version": 1, "diagnostics": list.collect::<Vec<_>>() });
        let left_out = self.list.len().saturating_sub(MOST_IN_JSON);
        if left_out > 0 {
            document["left_out"] = left_out.into();
        }
        document
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

/// For a caller who stops at it.
impl std::error::Error for Diagnostics {}
