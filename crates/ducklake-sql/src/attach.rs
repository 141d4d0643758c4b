//! The options of `ATTACH` that DuckLake 1.0 has on DuckDB 1.5.5, each with its type.

use std::collections::BTreeMap;

use crate::harmless::FreeTable;
use crate::problem::{Collector, Problem, Problems};
use crate::value::{Ident, Keyword, Value};

/// Every attach option by name, in the order of DuckLake's documentation, `META_…` aside.
///
/// ```
/// assert!(ducklake_sql::ATTACH_OPTIONS.contains(&"busy_timeout"));
/// ```
pub const ATTACH_OPTIONS: &[&str] = &[
    "data_path",
    "override_data_path",
    "metadata_schema",
    "metadata_catalog",
    "metadata_parameters",
    "encrypted",
    "data_inlining_row_limit",
    "snapshot_version",
    "snapshot_time",
    "create_if_not_exists",
    "automatic_migration",
    "busy_timeout",
    "write_deletion_vectors",
    "read_only",
    "read_write",
];

/// The state of a lake to attach: reading it as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Snapshot {
    /// The snapshot of this number.
    Version(i64),
    /// The newest snapshot that is not newer than this time, in any form that DuckDB reads as a timestamp.
    Time(String),
}

/// How a lake is attached, beyond its catalog and storage: typed, checked, nothing unknown.
///
/// ```
/// use ducklake_sql::{AttachOptions, Value};
///
/// let options = AttachOptions::from_pairs([("BUSY_TIMEOUT", Value::from("9000")), ("encrypted", true.into())])?;
/// assert_eq!(options.busy_timeout, Some(9000));
/// assert!(AttachOptions::from_pairs([("max_retries", Value::from(3))]).is_err());
/// # Ok::<(), ducklake_sql::Problems>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttachOptions {
    /// Read and write files below another data path than the stored one: for a lake that was moved with all of its files.
    pub override_data_path: bool,
    /// The schema of the catalog database that holds the metadata.
    pub metadata_schema: Option<Ident>,
    /// The name under which the catalog database itself becomes visible.
    pub metadata_catalog: Option<Ident>,
    /// Parameters of the catalog's own attach, as a map.
    pub metadata_parameters: BTreeMap<String, Value>,
    /// Options of the catalog's own attach, without their `META_`.
    pub meta: BTreeMap<Keyword, Value>,
    /// Whether a new lake encrypts its files.
    pub encrypted: Option<bool>,
    /// Inserts of up to so many rows go into the catalog instead of a file.
    pub data_inlining_row_limit: Option<i64>,
    /// Attach the lake as it was; such a lake can only be read.
    pub snapshot: Option<Snapshot>,
    /// Whether a lake that is not there is created when it is opened for writing; given as true, also in a file that holds
    /// tables of another database.
    pub create_if_not_exists: Option<bool>,
    /// Whether a catalog of an older format is migrated.
    pub automatic_migration: Option<bool>,
    /// How long to wait for a locked catalog, in milliseconds.
    pub busy_timeout: Option<i64>,
    /// Whether to write deletion vectors (experimental).
    pub write_deletion_vectors: Option<bool>,
    /// Attach for reading only, whatever the mode.
    pub read_only: bool,
}

impl AttachOptions {
    /// Reads options as a configuration has them: names in any case, numbers and booleans possibly as text. A text is kept
    /// as a secret unless its name is [known to be harmless](FreeTable::is_harmless).
    ///
    /// # Errors
    ///
    /// All problems at once: unknown options, wrong types, options that exclude each other or are set elsewhere.
    pub fn from_pairs<N: Into<String>>(pairs: impl IntoIterator<Item = (N, Value)>) -> Result<Self, Problems> {
        let mut problems = Collector::default();
        let mut options = Self::default();
        let mut seen = Vec::<String>::new();
        for (name, value) in pairs {
            let name = name.into();
            let key = name.to_ascii_lowercase();
            let value = FreeTable::AttachOptions.hide(&key, value);
            if seen.contains(&key) {
                problems.push(Problem::conflict(
                    name.clone(),
                    ["`", &name, "` is given twice"].concat(),
                    "attach options are read without regard to case; write it once",
                ));
                continue;
            }
            problems.keep(options.set(&key, &name, value).map_err(|problem| problem.at(name)));
            seen.push(key);
        }
        let given = |name: &str| seen.iter().any(|key| key == name);
        for (one, other) in [("snapshot_version", "snapshot_time"), ("read_only", "read_write")] {
            if given(one) && given(other) {
                problems.push(Problem::conflict(
                    other,
                    ["`", one, "` and `", other, "` exclude each other"].concat(),
                    "write only one of them",
                ));
            }
        }
        problems.finish(Some(options))
    }

    fn set(&mut self, key: &str, name: &str, value: Value) -> Result<(), Problem> {
        value.validate()?;
        match key {
            "override_data_path" => self.override_data_path = boolean(&value)?,
            "metadata_schema" => self.metadata_schema = Some(Ident::new(text(value)?)?),
            "metadata_catalog" => self.metadata_catalog = Some(Ident::new(text(value)?)?),
            "metadata_parameters" => self.metadata_parameters = metadata_parameters(value)?,
            "encrypted" => self.encrypted = Some(boolean(&value)?),
            "data_inlining_row_limit" => self.data_inlining_row_limit = Some(count(&value)?),
            "snapshot_version" => self.snapshot = Some(Snapshot::Version(count(&value)?)),
            "snapshot_time" => self.snapshot = Some(Snapshot::Time(text(value)?)),
            "create_if_not_exists" => self.create_if_not_exists = Some(boolean(&value)?),
            "automatic_migration" => self.automatic_migration = Some(boolean(&value)?),
            "busy_timeout" => self.busy_timeout = Some(count(&value)?),
            "write_deletion_vectors" => self.write_deletion_vectors = Some(boolean(&value)?),
            "read_only" => self.read_only = boolean(&value)?,
            "read_write" => self.read_only = !boolean(&value)?,
            "data_path" => {
                return Err(Problem::reserved_option("", name, "the storage says where the data files go"));
            }
            _ => match key.strip_prefix("meta_") {
                Some(rest) => {
                    self.meta.insert(meta_option(name, rest)?, meta_value(value)?);
                }
                None => return Err(Problem::unknown_attach_option(name, nearest(key))),
            },
        }
        Ok(())
    }
}

/// The known option nearest to a misspelt one.
fn nearest(key: &str) -> Option<&'static str> {
    ATTACH_OPTIONS
        .iter()
        .map(|option| (strsim::jaro_winkler(key, option), *option))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, option)| option)
}

/// `META_<X>` goes into SQL text, so nothing that is a secret or that the catalog decides may be among them.
fn meta_option(name: &str, rest: &str) -> Result<Keyword, Problem> {
    const SET_BY_CATALOG: &[&str] = &["type", "secret", "path"];
    let word = Keyword::new(rest)?.upper();
    if SET_BY_CATALOG.contains(&rest) {
        return Err(Problem::reserved_option("", name, "the catalog decides it"));
    }
    if ["password", "passwd", "token", "uri"].iter().any(|secret| rest.contains(secret)) {
        return Err(Problem::reserved_option(
            "",
            name,
            "a credential belongs into the catalog's own fields: there it never becomes part of a SQL text",
        ));
    }
    Ok(word)
}

fn meta_value(value: Value) -> Result<Value, Problem> {
    match value {
        Value::List(_) | Value::Map(_) => Err(Problem::wrong_type("", "a string, a number or a boolean", value.kind())),
        scalar => Ok(scalar),
    }
}

/// The map that DuckLake hands to the catalog's attach; its `TYPE` and `SECRET` follow from the catalog.
fn metadata_parameters(value: Value) -> Result<BTreeMap<String, Value>, Problem> {
    let Value::Map(entries) = value else {
        return Err(Problem::wrong_type("", "a table", value.kind()));
    };
    entries
        .into_iter()
        .map(|(key, value)| {
            meta_option(&key, &key.to_ascii_lowercase())?;
            Ok((key, meta_value(value)?))
        })
        .collect()
}

fn text(value: Value) -> Result<String, Problem> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(Problem::wrong_type("", "a string", other.kind())),
    }
}

fn boolean(value: &Value) -> Result<bool, Problem> {
    match value {
        Value::Boolean(boolean) => Ok(*boolean),
        Value::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" | "t" | "y" => Ok(true),
            "false" | "0" | "no" | "off" | "f" | "n" => Ok(false),
            _ => Err(Problem::wrong_type("", "a boolean", "a string")),
        },
        other => Err(Problem::wrong_type("", "a boolean", other.kind())),
    }
}

/// An integer that is not negative.
fn count(value: &Value) -> Result<i64, Problem> {
    let number = match value {
        Value::Integer(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        _ => return Err(Problem::wrong_type("", "an integer", value.kind())),
    };
    match number {
        Some(number) if number >= 0 => Ok(number),
        Some(_) => Err(Problem::wrong_type("", "an integer of at least 0", "a negative integer")),
        None => Err(Problem::wrong_type("", "an integer", "a string")),
    }
}
