//! By what a table is partitioned, and in which order its rows are written.

use std::fmt;

use serde::{Serialize, Serializer};

use super::same_name;
use super::table_name::{plain, unquoted};
use crate::problem::Problem;
use crate::sql::Writer;
use crate::value::Ident;
use crate::{Sql, WriteSql, write_sql};

/// What DuckLake makes of a column before it partitions by it, besides buckets.
const TRANSFORMS: &[&str] = &["year", "month", "day", "hour"];

/// One key of partitions: `column`, `year(column)`, `month(…)`, `day(…)`, `hour(…)` or `bucket(8, column)`.
///
/// ```
/// use ducklake_sql::PartitionKey;
///
/// assert_eq!(PartitionKey::new("Bucket( 8,id )")?.to_string(), "bucket(8, id)");
/// assert!(PartitionKey::new("truncate(id)").is_err());
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionKey {
    column: Ident,
    transform: Transform,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transform {
    Identity,
    Bucket(u32),
    Of(&'static str),
}

impl PartitionKey {
    /// Reads a key.
    ///
    /// # Errors
    ///
    /// When DuckLake has no such key.
    pub fn new(text: &str) -> Result<Self, Problem> {
        let wrong = || Problem::not_a_partition_key(text);
        let text = text.trim();
        let call = text.strip_suffix(')').filter(|_| !text.starts_with('"')).and_then(|text| text.split_once('('));
        let Some((function, inner)) = call else {
            return Ok(Self { column: column(text).ok_or_else(wrong)?, transform: Transform::Identity });
        };
        let function = function.trim().to_ascii_lowercase();
        let (transform, inner) = if function == "bucket" {
            let (buckets, inner) = inner.split_once(',').ok_or_else(wrong)?;
            let buckets = buckets.trim().parse().ok().filter(|buckets| *buckets > 0).ok_or_else(wrong)?;
            (Transform::Bucket(buckets), inner)
        } else {
            let known = TRANSFORMS.iter().find(|known| **known == function).ok_or_else(wrong)?;
            (Transform::Of(known), inner)
        };
        Ok(Self { column: column(inner.trim()).ok_or_else(wrong)?, transform })
    }

    /// The key of a column that a catalog has with this transform: `identity`, `year`, `bucket(8)`.
    ///
    /// # Errors
    ///
    /// When the transform is newer than this crate.
    pub fn stored(column: Ident, transform: &str) -> Result<Self, Problem> {
        let bucket = transform.strip_prefix("bucket(").and_then(|rest| rest.strip_suffix(')')?.parse().ok());
        let transform = match (bucket, TRANSFORMS.iter().find(|known| **known == transform)) {
            (Some(buckets), _) => Transform::Bucket(buckets),
            (None, Some(known)) => Transform::Of(known),
            (None, None) if transform == "identity" => Transform::Identity,
            (None, None) => return Err(Problem::not_a_partition_key(transform)),
        };
        Ok(Self { column, transform })
    }

    /// The column.
    pub fn column(&self) -> &Ident {
        &self.column
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.transform == other.transform && same_name(self.column.as_str(), other.column.as_str())
    }
}

/// A column, with or without quotes.
fn column(text: &str) -> Option<Ident> {
    let name = match text.strip_prefix('"') {
        Some(quoted) => unquoted(quoted).filter(|(_, rest)| rest.is_empty())?.0,
        None if text.contains(['(', ')', ',', '"', ' ', ';', '\'']) => return None,
        None => text.to_owned(),
    };
    Ident::new(name).ok()
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = plain(self.column.as_str());
        match self.transform {
            Transform::Identity => f.write_str(&column),
            Transform::Bucket(buckets) => write!(f, "bucket({buckets}, {column})"),
            Transform::Of(function) => write!(f, "{function}({column})"),
        }
    }
}

impl WriteSql for PartitionKey {
    fn write_sql(&self, sql: &mut Writer) {
        let column = &self.column;
        match self.transform {
            Transform::Identity => write_sql!(sql, "{column}", column),
            Transform::Bucket(buckets) => {
                write_sql!(sql, "bucket({buckets}, {column})", buckets = u64::from(buckets), column)
            }
            Transform::Of(function) => write_sql!(sql, "{function}({column})", function = Sql::fixed(function), column),
        };
    }
}

impl Serialize for PartitionKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One column by which rows are sorted: `column`, `column DESC`, `column ASC NULLS FIRST`.
///
/// ```
/// use ducklake_sql::SortKey;
///
/// assert_eq!(SortKey::new("id desc nulls first")?.to_string(), "id DESC NULLS FIRST");
/// assert!(SortKey::new("lower(id)").is_err());
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    /// A column, or the expression that somebody else has stored.
    by: Result<Ident, String>,
    descending: bool,
    nulls_first: bool,
}

impl SortKey {
    /// Reads a key. Without another word it is ascending, NULL last.
    ///
    /// # Errors
    ///
    /// When it is none. Expressions, which DuckLake has too, cannot be declared.
    pub fn new(text: &str) -> Result<Self, Problem> {
        let wrong = || Problem::not_a_sort_key(text);
        let text = text.trim();
        let (name, rest) = if let Some(quoted) = text.strip_prefix('"') {
            unquoted(quoted).ok_or_else(wrong)?
        } else {
            let end = text.find(' ').unwrap_or(text.len());
            (column(&text[..end]).ok_or_else(wrong)?.as_str().to_owned(), &text[end..])
        };
        let by = Ident::new(name).map_err(|_| wrong())?;
        let words = rest.split_whitespace().map(str::to_ascii_uppercase).collect::<Vec<_>>();
        let (descending, nulls) = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["DESC", nulls @ ..] => (true, nulls.to_vec()),
            ["ASC", nulls @ ..] | nulls => (false, nulls.to_vec()),
        };
        let nulls_first = match nulls.as_slice() {
            [] | ["NULLS", "LAST"] => false,
            ["NULLS", "FIRST"] => true,
            _ => return Err(wrong()),
        };
        Ok(Self { by: Ok(by), descending, nulls_first })
    }

    /// The key that a catalog has: an expression, `ASC` or `DESC`, `NULLS_FIRST` or `NULLS_LAST`.
    pub fn stored(expression: &str, direction: &str, nulls: &str) -> Self {
        Self {
            by: column(expression).ok_or_else(|| expression.to_owned()),
            descending: direction == "DESC",
            nulls_first: nulls == "NULLS_FIRST",
        }
    }

    /// The column; none of an expression.
    pub fn column(&self) -> Option<&Ident> {
        self.by.as_ref().ok()
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same = match (&self.by, &other.by) {
            (Ok(one), Ok(other)) => same_name(one.as_str(), other.as_str()),
            (one, other) => one == other,
        };
        same && self.descending == other.descending && self.nulls_first == other.nulls_first
    }
}

impl fmt::Display for SortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            Ok(column) => f.write_str(&plain(column.as_str()))?,
            Err(expression) => f.write_str(expression)?,
        }
        f.write_str(if self.descending { " DESC" } else { "" })?;
        f.write_str(if self.nulls_first { " NULLS FIRST" } else { "" })
    }
}

impl WriteSql for SortKey {
    fn write_sql(&self, sql: &mut Writer) {
        // Only a key that was read here is written.
        if let Ok(column) = &self.by {
            let direction = Sql::fixed(if self.descending { "DESC" } else { "ASC" });
            let nulls = Sql::fixed(if self.nulls_first { "NULLS FIRST" } else { "NULLS LAST" });
            write_sql!(sql, "{column} {direction} {nulls}", column, direction, nulls);
        }
    }
}

impl Serialize for SortKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_shown() {
        for (text, shown) in [
            ("id", Some("id")),
            ("\"we ird\"", Some("\"we ird\"")),
            ("YEAR( at )", Some("year(at)")),
            ("bucket(8, \"a, b)\")", Some("bucket(8, \"a, b)\")")),
            ("bucket(0, id)", None),
            ("bucket(id)", None),
            ("identity(id)", None),
            ("a b", None),
            ("id; DROP", None),
            ("", None),
        ] {
            let key = PartitionKey::new(text).ok().map(|key| key.to_string());
            assert_eq!(key.as_deref(), shown, "{text}");
        }
        for (text, shown) in [
            ("id", Some("id")),
            ("id asc nulls last", Some("id")),
            ("\"we ird\" DESC", Some("\"we ird\" DESC")),
            ("id NULLS FIRST", Some("id NULLS FIRST")),
            ("id DOWN", None),
            ("lower(id)", None),
            ("", None),
        ] {
            let key = SortKey::new(text).ok().map(|key| key.to_string());
            assert_eq!(key.as_deref(), shown, "{text}");
        }
    }
}
