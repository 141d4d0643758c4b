//! Every problem that features can have, one constructor each.
//!
//! A message is a lowercase fragment; what to write instead is a separate help.

use metaxy_diagnostics::{Diagnostic, Position, did_you_mean};

use crate::error::{Error, Problem, ProblemKind};
use crate::{Column, FeatureKey, FieldKey};

// Keys and columns.

pub(crate) fn key_empty_part(key: &str) -> Problem {
    Problem::new(ProblemKind::Key, format!("the key `{key}` has an empty part"))
        .with_help("write one or more parts joined by `/`, as in `video/raw`")
}

pub(crate) fn key_characters(key: &str, part: &str) -> Problem {
    let message = format!("the part `{part}` of the key `{key}` contains characters other than a-z, 0-9, `_` and `-`");
    Problem::new(ProblemKind::Key, message)
}

pub(crate) fn key_double_underscore(key: &str, part: &str) -> Problem {
    let message = format!("the part `{part}` of the key `{key}` contains two underscores in a row");
    Problem::new(ProblemKind::Key, message).with_help("table names use `__` between parts: write one `_` or `-`")
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
    Problem::new(ProblemKind::Column, format!("the column name `{name}` contains a NUL byte"))
}

pub(crate) fn columns_empty() -> Problem {
    Problem::new(ProblemKind::Column, "the list of columns is empty")
}

pub(crate) fn columns_duplicate(column: &Column) -> Problem {
    Problem::new(ProblemKind::Column, format!("the column `{column}` is listed twice"))
}

pub(crate) fn truncation(length: usize) -> Problem {
    Problem::new(ProblemKind::OutOfRange, format!("a truncation length of {length} is not between 8 and 64"))
}

pub(crate) fn project_empty() -> Problem {
    Problem::new(ProblemKind::Project, "a project name is empty")
}

// Reading JSON and TOML.

pub(crate) fn json_syntax(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let message = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
    Problem::new(ProblemKind::Syntax, format!("the text is not JSON: {message}"))
        .with_position(Position { line, column })
}

pub(crate) fn json_inside(error: &serde_json::Error) -> Problem {
    json_syntax(error).without_position()
}

pub(crate) fn json_depth(limit: usize) -> Problem {
    Problem::new(ProblemKind::Syntax, format!("the JSON is nested more than {limit} levels deep"))
}

pub(crate) fn json_number(text: &str) -> Problem {
    Problem::new(ProblemKind::OutOfRange, format!("the number `{text}` is too large for a float"))
}

pub(crate) fn no_json(what: &str) -> Problem {
    Problem::new(ProblemKind::WrongType, format!("{what} has no JSON form"))
        .with_help("write it as a string, in quotes")
}

pub(crate) fn unknown_key(key: &str, known: &[&str]) -> Error {
    Problem::from_diagnostic(ProblemKind::UnknownKey, Diagnostic::unknown_key(key, known))
        .with_key_part()
        .nested_in(key)
}

pub(crate) fn missing_key(key: &str) -> Problem {
    Problem::from_diagnostic(ProblemKind::MissingKey, Diagnostic::missing_key(key))
}

pub(crate) fn both_keys(key: &str, other: &str) -> Problem {
    Problem::new(ProblemKind::Conflict, format!("`{key}` and `{other}` are two names of the same list"))
        .with_help("keep one of them")
}

pub(crate) fn wrong_type(expected: &str, found: &str) -> Problem {
    Problem::from_diagnostic(ProblemKind::WrongType, Diagnostic::wrong_type(expected, found))
}

pub(crate) fn invalid_choice(found: &str, choices: &[&str]) -> Problem {
    Problem::from_diagnostic(ProblemKind::InvalidChoice, Diagnostic::invalid_choice(found, choices))
}

// One specification.

pub(crate) fn no_fields() -> Problem {
    Problem::new(ProblemKind::EmptyValue, "the list of fields is empty")
        .with_help("leave `fields` out for the single field `default`")
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
    let message = format!("the field `{field}` depends on `{feature}`, which is not a dependency of its feature");
    Problem::new(ProblemKind::UnknownFeature, message).with_help(format!("add `{feature}` to `deps`"))
}

pub(crate) fn rename_to_system(column: &Column) -> Problem {
    Problem::new(ProblemKind::ColumnConflict, format!("a column is renamed to the system column `{column}`"))
}

pub(crate) fn rename_twice(column: &Column) -> Problem {
    Problem::new(ProblemKind::ColumnConflict, format!("two columns are renamed to `{column}`"))
}

pub(crate) fn select_before_rename(column: &Column, renamed: &Column) -> Problem {
    let message = format!("`select` holds `{column}`, which `rename` has renamed to `{renamed}`");
    Problem::new(ProblemKind::ColumnConflict, message).with_help(format!("`rename` comes first: select `{renamed}`"))
}

// The graph.

pub(crate) fn duplicate_feature(feature: &FeatureKey) -> Problem {
    Problem::new(ProblemKind::Duplicate, format!("the feature `{feature}` is defined twice")).with_feature(feature)
}

pub(crate) fn table_collision(feature: &FeatureKey, other: &FeatureKey) -> Problem {
    let message = format!("the features `{other}` and `{feature}` share the table `{}`", feature.table_name());
    Problem::new(ProblemKind::Collision, message).with_feature(feature)
}

pub(crate) fn system_table(feature: &FeatureKey) -> Problem {
    let message =
        format!("the table `{}` of the feature `{feature}` is reserved for system tables", feature.table_name());
    Problem::new(ProblemKind::Collision, message).with_feature(feature)
}

pub(crate) fn unknown_dep(feature: &FeatureKey, dep: &FeatureKey, known: &[&str]) -> Problem {
    let message = format!("the feature `{feature}` depends on `{dep}`, which is not in the graph");
    let problem = Problem::new(ProblemKind::UnknownFeature, message).with_feature(feature);
    match did_you_mean(dep.as_str(), known) {
        Some(help) => problem.with_help(help),
        None => problem.with_help("define it, or run `metaxy lock` if another project has pushed it"),
    }
}

/// The features from one back to itself, so the first and the last are the same.
pub(crate) fn cycle(features: &[&FeatureKey]) -> Problem {
    let names: Vec<String> = features.iter().map(|feature| format!("`{feature}`")).collect();
    let problem = Problem::new(ProblemKind::Cycle, format!("features depend on each other: {}", names.join(" → ")));
    match features.first() {
        Some(first) => problem.with_feature(first),
        None => problem,
    }
}

pub(crate) fn unknown_field(feature: &FeatureKey, field: &FieldKey, dep: &FeatureKey, wanted: &FieldKey) -> Problem {
    let message =
        format!("the field `{field}` of `{feature}` depends on `{wanted}` of `{dep}`, which has no such field");
    Problem::new(ProblemKind::UnknownField, message).with_feature(feature)
}

pub(crate) fn no_upstream_field(feature: &FeatureKey, field: &FieldKey) -> Problem {
    let message = format!("the mappings of `{feature}` leave its field `{field}` without any upstream field");
    Problem::new(ProblemKind::NoUpstreamField, message)
        .with_feature(feature)
        .with_help("list the field's `deps`, or widen the `fields_mapping` of one dependency")
}

pub(crate) fn rename_to_id(feature: &FeatureKey, dep: &FeatureKey, column: &Column) -> Problem {
    let message = format!("`{feature}` renames a column of `{dep}` to `{column}`, an id column of `{dep}`");
    Problem::new(ProblemKind::ColumnConflict, message).with_feature(feature)
}

pub(crate) fn missing_project() -> Problem {
    Problem::new(ProblemKind::MissingProject, "the features of the feature files belong to no project")
        .with_help("add `project = \"…\"` to the configuration")
}

pub(crate) fn no_project() -> Problem {
    Problem::new(ProblemKind::Project, "the graph has no feature of its own, so no project")
}

pub(crate) fn several_projects(projects: &[&str]) -> Problem {
    let message = format!("the graph contains features of several projects: {}", projects.join(", "));
    Problem::new(ProblemKind::Project, message)
}
