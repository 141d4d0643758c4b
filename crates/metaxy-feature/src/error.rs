//! What can be wrong with features: one opaque [`Error`] that lists every independent [`Problem`].
//!
//! The constructors of problems are in `messages`. The place of a problem is a path and, in a text that keeps positions, a
//! line and column.

use std::fmt;

use metaxy_diagnostics::{
    Diagnostic, INVALID_CHOICE, MISSING_KEY, Node, OUT_OF_RANGE, Origin, Position, SYNTAX, UNKNOWN_KEY, Value,
    WRONG_TYPE,
};

use crate::FeatureKey;

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why features were refused: one or more problems, all independent ones of one run.
///
/// ```
/// use metaxy_feature::{FeatureKey, ProblemKind};
///
/// let error = "Video/raw".parse::<FeatureKey>().unwrap_err();
/// assert!(error.is(ProblemKind::Key));
/// assert_eq!(
///     error.to_string(),
///     "the part `Video` of the key `Video/raw` contains characters other than a-z, 0-9, `_` and `-`"
/// );
/// ```
#[derive(Debug, Clone)]
pub struct Error(Vec<Problem>);

impl Error {
    /// The problems, in the order in which they were found.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }

    /// Whether a problem of this kind is among them.
    pub fn is(&self, kind: ProblemKind) -> bool {
        self.0.iter().any(|problem| problem.kind == kind)
    }

    /// Puts the problems under a key or an index: what was at `x` is now at `step.x`.
    pub(crate) fn nested_in(mut self, step: impl Into<Step>) -> Self {
        let step = step.into();
        for problem in &mut self.0 {
            problem.path.0.insert(0, step.clone());
        }
        self
    }

    /// Forgets positions, which belong to a text inside the one that is read.
    pub(crate) fn without_positions(self) -> Self {
        Self(self.0.into_iter().map(Problem::without_position).collect())
    }

    /// Each problem changed.
    pub(crate) fn map(self, change: impl FnMut(Problem) -> Problem) -> Self {
        Self(self.0.into_iter().map(change).collect())
    }

    /// The problems themselves.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.0
    }
}

impl From<Vec<Problem>> for Error {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// One thing that is wrong: its kind, its message, where it is and what to write instead.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: ProblemKind,
    diagnostic: Diagnostic,
    path: Path,
    part: Part,
    position: Option<Position>,
    feature: Option<FeatureKey>,
}

impl Problem {
    /// The kind of the problem.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// What is wrong, as a lowercase fragment without the place.
    pub fn message(&self) -> &str {
        self.diagnostic.message()
    }

    /// The same as a diagnostic, which has no place yet.
    pub fn diagnostic(&self) -> &Diagnostic {
        &self.diagnostic
    }

    /// What to write instead, where that is known.
    pub fn help(&self) -> Option<&str> {
        self.diagnostic.help()
    }

    /// Where it is, as in `deps[0].filters`: in the document, in the specification or, of a problem that is about a
    /// [`feature`](Self::feature) of a graph, in that feature; empty for the whole.
    pub fn path(&self) -> String {
        self.path.to_string()
    }

    /// The feature of a graph that it is about; [`FeatureFiles`](crate::FeatureFiles) knows where that was written.
    pub fn feature(&self) -> Option<&FeatureKey> {
        self.feature.as_ref()
    }

    /// Line and column in the text, where the text keeps them.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    pub(crate) fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self::from_diagnostic(kind, Diagnostic::error(kind.code(), message))
    }

    /// A problem that other files can have, too.
    pub(crate) fn from_diagnostic(kind: ProblemKind, diagnostic: Diagnostic) -> Self {
        Self { kind, diagnostic, path: Path::default(), part: Part::Value, position: None, feature: None }
    }

    pub(crate) fn with_help(self, help: impl Into<String>) -> Self {
        Self { diagnostic: self.diagnostic.with_help(help), ..self }
    }

    pub(crate) fn with_position(self, position: Position) -> Self {
        Self { position: Some(position), ..self }
    }

    pub(crate) fn without_position(self) -> Self {
        Self { position: None, ..self }
    }

    pub(crate) fn with_feature(self, feature: &FeatureKey) -> Self {
        Self { feature: Some(feature.clone()), ..self }
    }

    /// The same, about a key itself.
    pub(crate) fn with_key_part(self) -> Self {
        Self { part: Part::Key, ..self }
    }

    /// Puts the problem under a key or an index.
    pub(crate) fn nested_in(self, step: impl Into<Step>) -> Error {
        Error::from(self).nested_in(step)
    }

    /// Where it is in the tree that its path starts from.
    pub(crate) fn origin(&self, root: &Node) -> Origin {
        self.path.origin(self.part, root)
    }

    /// The diagnostic, still without a place.
    pub(crate) fn into_diagnostic(self) -> Diagnostic {
        self.diagnostic
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        } else if self.feature.is_none() && !self.path.0.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(self.message())
    }
}

/// What a [`Problem`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A feature or field key that breaks the naming rules.
    Key,
    /// A column name, or a list of them, that no table can have.
    Column,
    /// Text that is not JSON or not TOML.
    Syntax,
    /// A key that the specification does not know.
    UnknownKey,
    /// A key that the specification needs and that is not there.
    MissingKey,
    /// A value of another type.
    WrongType,
    /// A number that is too small or too large.
    OutOfRange,
    /// A value that is none of those allowed there.
    InvalidChoice,
    /// A list or a text that must not be empty.
    EmptyValue,
    /// One thing under two names.
    Conflict,
    /// A `rename` or `select` of a dependency that contradicts itself or its upstream feature.
    ColumnConflict,
    /// A feature that is not in the graph, or not among the feature's dependencies.
    UnknownFeature,
    /// A field that the upstream feature does not have.
    UnknownField,
    /// A field whose dependency mapping leaves it without any upstream field.
    NoUpstreamField,
    /// Features that depend on each other.
    Cycle,
    /// The same feature, field or dependency twice.
    Duplicate,
    /// Two different keys with the same table name or the same struct key.
    Collision,
    /// Features that belong to no project.
    MissingProject,
    /// A project name that cannot be one, or several projects where one is needed.
    Project,
}

impl ProblemKind {
    /// Every kind, in the order of the reference page.
    pub const ALL: &[Self] = &[
        Self::Key,
        Self::Column,
        Self::Syntax,
        Self::UnknownKey,
        Self::MissingKey,
        Self::WrongType,
        Self::OutOfRange,
        Self::InvalidChoice,
        Self::EmptyValue,
        Self::Conflict,
        Self::ColumnConflict,
        Self::UnknownFeature,
        Self::UnknownField,
        Self::NoUpstreamField,
        Self::Cycle,
        Self::Duplicate,
        Self::Collision,
        Self::MissingProject,
        Self::Project,
    ];

    /// The stable code of its diagnostics; where `metaxy.toml` can have the same mistake, it is the same.
    pub fn code(self) -> &'static str {
        match self {
            Self::Key => "invalid-key",
            Self::Column => "invalid-column",
            Self::Syntax => SYNTAX,
            Self::UnknownKey => UNKNOWN_KEY,
            Self::MissingKey => MISSING_KEY,
            Self::WrongType => WRONG_TYPE,
            Self::OutOfRange => OUT_OF_RANGE,
            Self::InvalidChoice => INVALID_CHOICE,
            Self::EmptyValue => "empty-value",
            Self::Conflict => "conflict",
            Self::ColumnConflict => "column-conflict",
            Self::UnknownFeature => "unknown-feature",
            Self::UnknownField => "unknown-field",
            Self::NoUpstreamField => "no-upstream-field",
            Self::Cycle => "feature-cycle",
            Self::Duplicate => "duplicate",
            Self::Collision => "name-collision",
            Self::MissingProject => "missing-project",
            Self::Project => "invalid-project",
        }
    }

    /// One sentence for a reference page; `None` for what is not of features alone.
    pub fn meaning(self) -> Option<&'static str> {
        Some(match self {
            Self::Key => {
                "The key of a feature or a field breaks the naming rules: parts of `a-z`, `0-9`, `_` and `-`, joined by `/`."
            }
            Self::Column => {
                "A column has a name that no table can have, or a list of columns is empty or names one twice."
            }
            Self::ColumnConflict => {
                "A `rename` or `select` of a dependency contradicts itself or its upstream feature."
            }
            Self::UnknownFeature => {
                "A feature depends on one that no feature file defines, or a field on one that its feature does not depend on."
            }
            Self::UnknownField => "A field depends on a field that the upstream feature does not have.",
            Self::NoUpstreamField => {
                "The mappings of a feature's dependencies leave a field without any upstream field."
            }
            Self::Cycle => "A feature depends on itself, directly or through others.",
            Self::Duplicate => "A feature, a field or a dependency is defined twice.",
            Self::Collision => {
                "Two different keys lead to the same table or to the same member of a struct, or a table is reserved for system tables."
            }
            Self::MissingProject => "There are feature files, but no project to which their features could belong.",
            _ => return None,
        })
    }
}

/// The way from the root of a document to a value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    /// Where the value at the path (or its key) was written, or the innermost value around it.
    fn origin(&self, part: Part, root: &Node) -> Origin {
        let (mut node, mut origin) = (root, root.origin);
        for step in &self.0 {
            let below = match (step, &node.value) {
                (Step::Key(key), Value::Table(table)) => table.entry(key).map(|entry| {
                    let origin = if part == Part::Key { entry.key_origin } else { entry.node.origin };
                    (&entry.node, origin)
                }),
                (Step::Index(index), Value::Array(items)) => items.get(*index).map(|item| (item, item.origin)),
                _ => None,
            };
            let Some(found) = below else { break };
            (node, origin) = found;
        }
        origin
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if index == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// One step of a [`Path`].
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// Whether a problem is about a key itself or about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

/// Collects independent problems while the rest is still read.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// The value, or `None` after keeping the error's problems.
    pub(crate) fn catch<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.0.extend(error.0)).ok()
    }

    /// Keeps one more problem.
    pub(crate) fn push(&mut self, error: impl Into<Error>) {
        self.0.extend(error.into().0);
    }

    /// The values of all results, or `None` after keeping all problems.
    pub(crate) fn catch_all<T>(&mut self, results: impl Iterator<Item = Result<T>>) -> Option<Vec<T>> {
        let values: Vec<Option<T>> = results.map(|result| self.catch(result)).collect();
        values.into_iter().collect()
    }

    /// The value, if nothing went wrong; `value` is `None` only after a problem.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Error(self.0)),
        }
    }
}
