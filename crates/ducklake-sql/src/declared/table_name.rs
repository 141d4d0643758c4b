//! The name of a table of a lake, with its schema.

use std::fmt;

use serde::{Serialize, Serializer};

use super::same_name;
use crate::problem::Problem;
use crate::sql::Writer;
use crate::value::Ident;
use crate::{WriteSql, write_sql};

/// A table of a lake: `video__raw`, which is in `main`, or `schema.table`; a part that has a dot is in double quotes.
///
/// ```
/// use ducklake_sql::TableName;
///
/// assert_eq!(TableName::new("video__raw")?, TableName::new("main.video__raw")?);
/// assert_eq!(TableName::new(r#""my.schema".t"#)?.schema().as_str(), "my.schema");
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    schema: Ident,
    name: Ident,
}

impl TableName {
    /// Reads a name.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn new(text: &str) -> Result<Self, Problem> {
        let mut parts = parts(text).ok_or_else(|| Problem::not_a_table(text))?.into_iter();
        let (first, second) = (parts.next(), parts.next());
        match (first, second, parts.next()) {
            (Some(name), None, None) => Ok(Self { schema: Ident::trusted("main"), name: Ident::new(name)? }),
            (Some(schema), Some(name), None) => Ok(Self { schema: Ident::new(schema)?, name: Ident::new(name)? }),
            _ => Err(Problem::not_a_table(text)),
        }
    }

    /// The table of this name in a schema.
    pub fn of(schema: Ident, name: Ident) -> Self {
        Self { schema, name }
    }

    /// The schema.
    pub fn schema(&self) -> &Ident {
        &self.schema
    }

    /// The table's own name.
    pub fn name(&self) -> &Ident {
        &self.name
    }

    /// Whether both are the same table to DuckDB, which reads names without regard to case.
    pub fn is_same(&self, other: &Self) -> bool {
        same_name(self.schema.as_str(), other.schema.as_str()) && same_name(self.name.as_str(), other.name.as_str())
    }
}

/// The parts between dots, quotes taken off.
fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let (part, after) = if let Some(quoted) = rest.strip_prefix('"') {
            unquoted(quoted)?
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        };
        parts.push(part);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => return Some(parts),
            None => return None,
        }
    }
}

/// A name up to its closing quote, and what stands behind that.
pub(super) fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

/// A name as it is written where names stand without quotes, if it can.
pub(super) fn plain(name: &str) -> String {
    let starts = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    if starts && name.chars().all(|char| char.is_alphanumeric() || char == '_' || char == '-') {
        name.to_owned()
    } else {
        ["\"", &name.replace('"', "\"\""), "\""].concat()
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", plain(self.schema.as_str()), plain(self.name.as_str()))
    }
}

impl Serialize for TableName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl WriteSql for TableName {
    fn write_sql(&self, sql: &mut Writer) {
        write_sql!(sql, "{schema}.{name}", schema = self.schema, name = self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_shown() {
        for (text, shown) in [
            ("t", Some("main.t")),
            ("s.t", Some("s.t")),
            ("\"a.b\".\"c\"\"d\"", Some("\"a.b\".\"c\"\"d\"")),
            ("a b", Some("main.\"a b\"")),
            ("a.b.c", None),
            ("", None),
            ("a.", None),
            (".a", None),
            ("\"a", None),
            ("\"a\"b", None),
            ("a\0", None),
        ] {
            let name = TableName::new(text).ok();
            assert_eq!(name.as_ref().map(ToString::to_string).as_deref(), shown, "{text}");
            if let Some(name) = name {
                assert_eq!(TableName::new(&name.to_string()).unwrap(), name);
            }
        }
    }
}
