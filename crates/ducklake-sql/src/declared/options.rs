//! The options that DuckLake keeps in a lake's catalog: their values are checked before they are sent.

use serde::Serialize;

use super::age::Age;
use crate::problem::Problem;
use crate::value::Value;

/// An option that DuckLake keeps in the catalog of a lake, for all of it, a schema or a table.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LakeOptionSpec {
    /// Its name.
    pub name: &'static str,
    /// What it is, as one sentence.
    pub meaning: &'static str,
    /// The type of its value.
    pub kind: LakeOptionKind,
    /// Whether it has an effect at a schema or a table; DuckLake stores it there in any case.
    pub is_scoped: bool,
}

/// The type of an option's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LakeOptionKind {
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A version of Parquet: 1 or 2.
    ParquetVersion,
    /// An integer between two others.
    Integer {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
    },
    /// A number of bytes: an integer, or a text as `256MB`.
    Size,
    /// True or false.
    Boolean,
    /// A number from 0 to 1.
    Fraction,
    /// A span of time, see [`Age`].
    Age,
}

const fn scoped(name: &'static str, meaning: &'static str, kind: LakeOptionKind) -> LakeOptionSpec {
    LakeOptionSpec { name, meaning, kind, is_scoped: true }
}

const fn of_lake(name: &'static str, meaning: &'static str, kind: LakeOptionKind) -> LakeOptionSpec {
    LakeOptionSpec { name, meaning, kind, is_scoped: false }
}

/// The codecs of Parquet files.
const CODECS: &[&str] = &["uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4", "lz4_raw"];

/// Every option, in the order of DuckLake's documentation.
pub const LAKE_OPTIONS: &[LakeOptionSpec] = &[
    scoped("parquet_compression", "The codec of Parquet files.", LakeOptionKind::Choice(CODECS)),
    scoped("parquet_version", "The version of Parquet.", LakeOptionKind::ParquetVersion),
    scoped(
        "parquet_compression_level",
        "How hard `zstd` compresses; no other codec has levels.",
        LakeOptionKind::Integer { least: 0, most: 22 },
    ),
    scoped(
        "parquet_row_group_size",
        "How many rows a row group has.",
        LakeOptionKind::Integer { least: 1, most: i64::MAX },
    ),
    scoped("parquet_row_group_size_bytes", "How many bytes a row group has.", LakeOptionKind::Size),
    scoped("target_file_size", "How large files become when rows are written and files merged.", LakeOptionKind::Size),
    scoped(
        "data_inlining_row_limit",
        "Inserts of up to so many rows go into the catalog.",
        LakeOptionKind::Integer { least: 0, most: i64::MAX },
    ),
    of_lake("require_commit_message", "Whether every snapshot needs a message.", LakeOptionKind::Boolean),
    scoped(
        "rewrite_delete_threshold",
        "Which part of a file's rows must be deleted before it is rewritten.",
        LakeOptionKind::Fraction,
    ),
    scoped("hive_file_pattern", "Whether folders of partitions are called `key=value`.", LakeOptionKind::Boolean),
    of_lake("delete_older_than", "How old unused files must be to be deleted.", LakeOptionKind::Age),
    of_lake("expire_older_than", "How old snapshots must be to be expired.", LakeOptionKind::Age),
    scoped("auto_compact", "Whether compaction looks at tables here at all.", LakeOptionKind::Boolean),
    scoped("per_thread_output", "Whether each thread writes a file of its own.", LakeOptionKind::Boolean),
    scoped("write_deletion_vectors", "Whether deletes are deletion vectors (experimental).", LakeOptionKind::Boolean),
    scoped("sort_on_insert", "Whether inserts sort rows, too.", LakeOptionKind::Boolean),
];

impl LakeOptionSpec {
    /// The option of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        LAKE_OPTIONS.iter().find(|spec| spec.name == name)
    }
}

/// An option with a value that DuckLake takes and that has the effect it says.
///
/// ```
/// use ducklake_sql::LakeOption;
///
/// assert_eq!(LakeOption::new("target_file_size", "1.5 GB")?.stored(), "1500000000");
/// assert_eq!(LakeOption::new("parquet_version", 2)?.stored(), "V2");
/// // DuckLake takes both, and then no row can be written any more.
/// assert!(LakeOption::new("target_file_size", -1).is_err());
/// assert!(LakeOption::new("parquet_compression_level", 99).is_err());
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LakeOption {
    #[serde(skip)]
    spec: &'static LakeOptionSpec,
    name: &'static str,
    /// As DuckLake stores it.
    value: String,
}

impl LakeOption {
    /// Checks a value. A text is read as a number or a boolean where one is expected.
    ///
    /// # Errors
    ///
    /// When there is no such option, or the value is none for it; the problem is about the field of the option's name.
    pub fn new(name: &str, value: impl Into<Value>) -> Result<Self, Problem> {
        let known: Vec<_> = LAKE_OPTIONS.iter().map(|spec| spec.name).collect();
        let spec = LakeOptionSpec::find(name).ok_or_else(|| Problem::invalid_choice(name.to_owned(), name, &known))?;
        let value = checked(spec.kind, &value.into()).map_err(|problem| problem.at(spec.name))?;
        Ok(Self { spec, name: spec.name, value })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What is known of the option.
    pub fn spec(&self) -> &'static LakeOptionSpec {
        self.spec
    }

    /// Its value as DuckLake stores it.
    pub fn stored(&self) -> &str {
        &self.value
    }

    /// Its value, where that is an age.
    pub fn age(&self) -> Option<Age> {
        if self.spec.kind == LakeOptionKind::Age { Age::new(&self.value).ok() } else { None }
    }

    /// Whether a stored text is this value.
    pub(super) fn is_stored_as(&self, stored: &str) -> bool {
        match self.age() {
            Some(age) => Age::new(stored).is_ok_and(|stored| stored == age),
            None => self.value == stored,
        }
    }

    /// The value as an argument of `set_option`.
    pub(super) fn argument(&self) -> Value {
        let integer = |text: &str| text.parse::<i64>().map_or_else(|_| Value::from(text), Value::Integer);
        match self.spec.kind {
            LakeOptionKind::Choice(_) | LakeOptionKind::Fraction | LakeOptionKind::Age => self.value.as_str().into(),
            LakeOptionKind::ParquetVersion => integer(self.value.trim_start_matches('V')),
            LakeOptionKind::Integer { .. } => integer(&self.value),
            // A number without a unit is refused.
            LakeOptionKind::Size => [&self.value, "B"].concat().into(),
            LakeOptionKind::Boolean => (self.value == "true").into(),
        }
    }
}

/// The text that DuckLake stores for a value.
fn checked(kind: LakeOptionKind, value: &Value) -> Result<String, Problem> {
    let wrong = |expected: &str| Err(Problem::wrong_type("", expected, value.kind()));
    let text = match value {
        Value::Text(text) => text.trim().to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        _ => return wrong("a string, a number or a boolean"),
    };
    match kind {
        LakeOptionKind::Choice(choices) => {
            let lower = text.to_ascii_lowercase();
            if choices.contains(&lower.as_str()) { Ok(lower) } else { Err(Problem::invalid_choice("", &text, choices)) }
        }
        LakeOptionKind::ParquetVersion => match text.trim_start_matches(['v', 'V']) {
            version @ ("1" | "2") => Ok(["V", version].concat()),
            _ => Err(Problem::invalid_choice("", &text, &["1", "2"])),
        },
        LakeOptionKind::Integer { least, most } => match text.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
            Ok(_) => Err(Problem::out_of_range(least, most)),
            Err(_) => wrong("an integer"),
        },
        LakeOptionKind::Size => match size(&text) {
            Some(bytes) => Ok(bytes.to_string()),
            None => Err(Problem::not_a_size()),
        },
        LakeOptionKind::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok("true".to_owned()),
            "false" | "0" | "no" | "off" => Ok("false".to_owned()),
            _ => wrong("a boolean"),
        },
        LakeOptionKind::Fraction => match text.parse::<f64>() {
            Ok(number) if (0.0..=1.0).contains(&number) => Ok(format!("{number:.6}")),
            _ => Err(Problem::not_a_fraction()),
        },
        LakeOptionKind::Age => Age::new(&text).map(|age| age.to_string()),
    }
}

/// The units of DuckDB's sizes, in bytes; without one it is bytes.
const UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("b", 1),
    ("byte", 1),
    ("bytes", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// A size in bytes, at least one.
fn size(text: &str) -> Option<u64> {
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || part.is_empty() || part.len() > 12 {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(*factor)?;
    let scale = 10_u128.pow(u32::try_from(part.len()).ok()?);
    let part = u128::from(part.parse::<u64>().ok()?) * u128::from(*factor) / scale;
    // What is stored is read as a signed integer by some programs.
    let bytes = whole.checked_add(u64::try_from(part).ok()?)?;
    (1..=1 << 62).contains(&bytes).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(name: &str, value: impl Into<Value>) -> String {
        match LakeOption::new(name, value) {
            Ok(option) => option.stored().to_owned(),
            Err(problem) => format!("{}: {}", problem.code(), problem.message()),
        }
    }

    #[test]
    fn values_are_checked_and_normalised() {
        for (name, value, expected) in [
            ("parquet_compression", Value::from("ZSTD"), "zstd"),
            ("parquet_version", 1.into(), "V1"),
            ("parquet_version", "V2".into(), "V2"),
            ("parquet_compression_level", 22.into(), "22"),
            ("parquet_row_group_size", "122880".into(), "122880"),
            ("parquet_row_group_size_bytes", 1_000_000.into(), "1000000"),
            ("target_file_size", "128MiB".into(), "134217728"),
            ("target_file_size", "1.5GB".into(), "1500000000"),
            ("data_inlining_row_limit", 0.into(), "0"),
            ("require_commit_message", "yes".into(), "true"),
            ("rewrite_delete_threshold", "0.5".into(), "0.500000"),
            ("rewrite_delete_threshold", 1.into(), "1.000000"),
            ("delete_older_than", "48 hours".into(), "48 hours"),
            ("auto_compact", false.into(), "false"),
        ] {
            assert_eq!(stored(name, value.clone()), expected, "{name} {value:?}");
        }
        for (name, value) in [
            ("parquet_compression", Value::from("none")),
            ("parquet_version", 3.into()),
            ("parquet_compression_level", (-1).into()),
            ("parquet_compression_level", 23.into()),
            ("parquet_row_group_size", 0.into()),
            ("parquet_row_group_size_bytes", "0".into()),
            ("target_file_size", (-1).into()),
            ("target_file_size", "-5MB".into()),
            ("target_file_size", "many".into()),
            ("target_file_size", "99999999TB".into()),
            ("data_inlining_row_limit", (-1).into()),
            ("require_commit_message", "x".into()),
            ("rewrite_delete_threshold", 2.into()),
            ("rewrite_delete_threshold", "NaN".into()),
            ("delete_older_than", "".into()),
            ("expire_older_than", "-1 day".into()),
            ("compression", "zstd".into()),
            ("auto_compact", Value::List(Vec::new())),
        ] {
            assert!(LakeOption::new(name, value.clone()).is_err(), "{name} {value:?}");
        }
    }
}
