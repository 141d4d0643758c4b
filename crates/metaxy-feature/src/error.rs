//! What can be wrong with features: one opaque [`Error`] that lists every independent [`Problem`].
//!
//! Each diagnostic has one constructor function, all of them in this file. A message is a lowercase
//! fragment; what to write instead is a separate hint; the place is a path and, in TOML, a line and column.

use std::fmt;

use crate::{Column, FeatureKey, FieldKey};

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
///     "the part `Video` of the key `Video/raw` holds other characters than a-z, 0-9, `_` and `-`"
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
    pub(crate) fn under(mut self, step: impl Into<Step>) -> Self {
        let step = step.into();
        for problem in &mut self.0 {
            problem.path.0.insert(0, step.clone());
        }
        self
    }

    /// Forgets positions, which belong to a text inside the one that is read.
    pub(crate) fn without_positions(mut self) -> Self {
        for problem in &mut self.0 {
            problem.position = None;
        }
        self
    }

    /// Gives each problem the position that `find` knows for its path.
    pub(crate) fn locate(mut self, find: impl Fn(&Path, Part) -> Position) -> Self {
        for problem in &mut self.0 {
            problem.position.get_or_insert_with(|| find(&problem.path, problem.part));
        }
        self
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
    message: String,
    hint: Option<String>,
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
        &self.message
    }

    /// What to write instead, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Where in the document or the specification it is, as in `deps[0].filters`; empty for the whole.
    pub fn path(&self) -> String {
        self.path.to_string()
    }

    /// The feature of a graph that it is about; [`FeatureDefinition::from_toml_located`] knows where that was written.
    ///
    /// [`FeatureDefinition::from_toml_located`]: crate::FeatureDefinition::from_toml_located
    pub fn feature(&self) -> Option<&FeatureKey> {
        self.feature.as_ref()
    }

    /// Line and column in the text, where the text keeps them.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        let (message, path) = (message.into(), Path::default());
        Self { kind, message, hint: None, path, part: Part::Value, position: None, feature: None }
    }

    fn hint_with(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn about(mut self, feature: &FeatureKey) -> Self {
        self.feature = Some(feature.clone());
        self
    }

    /// Puts the problem under a key or an index.
    pub(crate) fn under(self, step: impl Into<Step>) -> Error {
        Error::from(self).under(step)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        } else if !self.path.0.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
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
    pub(crate) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self { line, column }
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
    /// Text that is no JSON or no TOML.
    Syntax,
    /// A key that the specification does not know.
    UnknownKey,
    /// A key that the specification needs and that is not there.
    MissingKey,
    /// A value of another type, or outside the values allowed there.
    Value,
    /// A `rename` or `select` of a dependency that contradicts itself or its upstream feature.
    Columns,
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
    /// A truncation length outside 8 to 64.
    Truncation,
    /// No project, or several where one is needed.
    Project,
}

/// The way from the root of a document to a value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl FromIterator<Step> for Path {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self(steps.into_iter().collect())
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

// Keys and columns.

pub(crate) fn key_empty_part(key: &str) -> Problem {
    Problem::new(ProblemKind::Key, format!("the key `{key}` has an empty part"))
        .hint_with("write one or more parts joined by `/`, as in `video/raw`")
}

pub(crate) fn key_characters(key: &str, part: &str) -> Problem {
    let message = format!("the part `{part}` of the key `{key}` holds other characters than a-z, 0-9, `_` and `-`");
    Problem::new(ProblemKind::Key, message)
}

pub(crate) fn key_double_underscore(key: &str, part: &str) -> Problem {
    let message = format!("the part `{part}` of the key `{key}` holds two underscores in a row");
    Problem::new(ProblemKind::Key, message).hint_with("table names use `__` between parts: write one `_` or `-`")
}

pub(crate) fn key_start(key: &str, part: &str, first: bool) -> Problem {
    let allowed = if first { "a letter or `_`" } else { "a letter, a digit or `_`" };
    let message = format!("the part `{part}` of the key `{key}` does not start with {allowed}");
    Problem::new(ProblemKind::Key, message)
}

pub(crate) fn column_empty() -> Problem {
    Problem::new(ProblemKind::Column, "a column name is empty")
}

pub(crate) fn column_nul(name: &str) -> Problem {
    let name = name.escape_debug();
    Problem::new(ProblemKind::Column, format!("the column name `{name}` holds a NUL character"))
}

pub(crate) fn columns_empty() -> Problem {
    Problem::new(ProblemKind::Column, "the list of columns is empty")
}

pub(crate) fn columns_duplicate(column: &Column) -> Problem {
    Problem::new(ProblemKind::Column, format!("the column `{column}` is listed twice"))
}

pub(crate) fn truncation(length: usize) -> Problem {
    Problem::new(ProblemKind::Truncation, format!("a truncation length of {length} is not between 8 and 64"))
}

pub(crate) fn project_empty() -> Problem {
    Problem::new(ProblemKind::Project, "a project name is empty")
}

// Reading JSON and TOML.

pub(crate) fn json_syntax(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let message = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
    let mut problem = Problem::new(ProblemKind::Syntax, format!("the text is no JSON: {message}"));
    problem.position = Some(Position { line, column });
    problem
}

pub(crate) fn json_inside(error: &serde_json::Error) -> Problem {
    Problem { position: None, ..json_syntax(error) }
}

pub(crate) fn json_depth(limit: usize) -> Problem {
    Problem::new(ProblemKind::Syntax, format!("the JSON is nested more than {limit} levels deep"))
}

pub(crate) fn json_number(text: &str) -> Problem {
    Problem::new(ProblemKind::Value, format!("the number `{text}` is too large for a float"))
}

pub(crate) fn toml_syntax(message: &str, position: Option<Position>) -> Problem {
    let message = message.trim_end().replace('\n', ", ");
    let mut problem = Problem::new(ProblemKind::Syntax, format!("the text is no TOML: {message}"));
    problem.position = position;
    problem
}

pub(crate) fn toml_no_json(what: &str) -> Problem {
    Problem::new(ProblemKind::Value, format!("{what} has no JSON form")).hint_with("write it as text, in quotes")
}

pub(crate) fn unknown_key(key: &str, known: &[&str]) -> Error {
    let hint = match closest(key, known) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("known keys: {}", known.join(", ")),
    };
    let problem = Problem::new(ProblemKind::UnknownKey, format!("unknown key `{key}`")).hint_with(hint);
    Problem { part: Part::Key, ..problem }.under(key)
}

pub(crate) fn missing_key(key: &str) -> Problem {
    Problem::new(ProblemKind::MissingKey, format!("the key `{key}` is missing"))
}

pub(crate) fn both_keys(key: &str, other: &str) -> Problem {
    Problem::new(ProblemKind::Duplicate, format!("`{key}` and `{other}` are two names of the same list"))
}

pub(crate) fn wrong_type(expected: &str, found: &str) -> Problem {
    Problem::new(ProblemKind::Value, format!("expected {expected}, found {found}"))
}

pub(crate) fn wrong_word(found: &str, allowed: &[&str]) -> Problem {
    let words: Vec<String> = allowed.iter().map(|word| format!("`{word}`")).collect();
    let problem = Problem::new(ProblemKind::Value, format!("expected {}, found `{found}`", words.join(" or ")));
    match closest(found, allowed) {
        Some(close) => problem.hint_with(format!("did you mean `{close}`?")),
        None => problem,
    }
}

/// The candidate that a typing mistake most likely meant.
fn closest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let scored = candidates.iter().map(|candidate| (strsim::jaro_winkler(word, candidate), *candidate));
    scored.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, candidate)| candidate)
}

// One specification.

pub(crate) fn no_fields() -> Problem {
    Problem::new(ProblemKind::Value, "the list of fields is empty")
        .hint_with("leave `fields` out for the single field `default`")
}

pub(crate) fn system_id_column(column: &Column) -> Problem {
    Problem::new(ProblemKind::Column, format!("the id column `{column}` has the name of a system column"))
}

pub(crate) fn duplicate_field(field: &FieldKey) -> Problem {
    Problem::new(ProblemKind::Duplicate, format!("the field `{field}` is defined twice"))
}

pub(crate) fn struct_key_collision(field: &FieldKey, other: &FieldKey) -> Problem {
    let message = format!("the fields `{other}` and `{field}` share the struct key `{}`", field.struct_key());
    Problem::new(ProblemKind::Collision, message)
}

pub(crate) fn duplicate_dep(feature: &FeatureKey) -> Problem {
    Problem::new(ProblemKind::Duplicate, format!("the dependency on `{feature}` is listed twice"))
}

pub(crate) fn field_dep_feature(field: &FieldKey, feature: &FeatureKey) -> Problem {
    let message = format!("the field `{field}` depends on `{feature}`, which is no dependency of its feature");
    Problem::new(ProblemKind::UnknownFeature, message).hint_with(format!("add `{feature}` to `deps`"))
}

pub(crate) fn rename_to_system(column: &Column) -> Problem {
    Problem::new(ProblemKind::Columns, format!("a column is renamed to the system column `{column}`"))
}

pub(crate) fn rename_twice(column: &Column) -> Problem {
    Problem::new(ProblemKind::Columns, format!("two columns are renamed to `{column}`"))
}

pub(crate) fn select_before_rename(column: &Column, renamed: &Column) -> Problem {
    let message = format!("`select` holds `{column}`, which `rename` has renamed to `{renamed}`");
    Problem::new(ProblemKind::Columns, message).hint_with(format!("`rename` comes first: select `{renamed}`"))
}

// The graph.

pub(crate) fn duplicate_feature(feature: &FeatureKey) -> Problem {
    Problem::new(ProblemKind::Duplicate, format!("the feature `{feature}` is defined twice")).about(feature)
}

pub(crate) fn table_collision(feature: &FeatureKey, other: &FeatureKey) -> Problem {
    let message = format!("the features `{other}` and `{feature}` share the table `{}`", feature.table_name());
    Problem::new(ProblemKind::Collision, message).about(feature)
}

pub(crate) fn system_table(feature: &FeatureKey) -> Problem {
    let message = format!("the table `{}` of the feature `{feature}` is kept for system tables", feature.table_name());
    Problem::new(ProblemKind::Collision, message).about(feature)
}

pub(crate) fn unknown_dep(feature: &FeatureKey, dep: &FeatureKey, known: &[&str]) -> Problem {
    let message = format!("the feature `{feature}` depends on `{dep}`, which is not in the graph");
    let problem = Problem::new(ProblemKind::UnknownFeature, message).about(feature);
    match closest(dep.as_str(), known) {
        Some(close) => problem.hint_with(format!("did you mean `{close}`?")),
        None => problem,
    }
}

pub(crate) fn cycle(features: &[&FeatureKey]) -> Problem {
    let names: Vec<String> = features.iter().map(|feature| format!("`{feature}`")).collect();
    let problem = Problem::new(ProblemKind::Cycle, format!("features depend on each other: {}", names.join(" → ")));
    Problem { feature: features.first().copied().cloned(), ..problem }
}

pub(crate) fn unknown_field(feature: &FeatureKey, field: &FieldKey, dep: &FeatureKey, wanted: &FieldKey) -> Problem {
    let message =
        format!("the field `{field}` of `{feature}` depends on `{wanted}` of `{dep}`, which has no such field");
    Problem::new(ProblemKind::UnknownField, message).about(feature)
}

pub(crate) fn no_upstream_field(feature: &FeatureKey, field: &FieldKey) -> Problem {
    let message = format!("the mappings of `{feature}` leave its field `{field}` without any upstream field");
    Problem::new(ProblemKind::NoUpstreamField, message)
        .about(feature)
        .hint_with("list the field's `deps`, or widen the `fields_mapping` of one dependency")
}

pub(crate) fn rename_to_id(feature: &FeatureKey, dep: &FeatureKey, column: &Column) -> Problem {
    let message = format!("`{feature}` renames a column of `{dep}` to `{column}`, an id column of `{dep}`");
    Problem::new(ProblemKind::Columns, message).about(feature)
}

pub(crate) fn no_project() -> Problem {
    Problem::new(ProblemKind::Project, "the graph has no feature of its own, so no project")
}

pub(crate) fn several_projects(projects: &[&str]) -> Problem {
    let message = format!("the graph holds features of several projects: {}", projects.join(", "));
    Problem::new(ProblemKind::Project, message)
}
