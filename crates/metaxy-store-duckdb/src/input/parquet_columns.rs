//! Columns of Parquet whose values or names DuckDB's reader would change without a word: it cuts nanoseconds, makes floats
//! of large decimals, and gives columns other names that have none, or differ in upper and lower case only.

use std::collections::HashSet;

use ducklake_sql::sql;

use super::nesting::DEEPEST;
use super::reader::{RENAME, Reader};
use crate::engine::Error;

/// So many digits DuckDB's decimals have.
const MOST_DIGITS: i64 = 38;

/// A column of a file, or a part of one: its name, how many parts it has, its logical type, and the digits of a decimal.
type Part = (String, Option<i64>, Option<String>, Option<i64>);

impl Reader<'_, '_> {
    /// Refuses Parquet with such columns.
    pub(super) fn refuse_changed_by_reader(&self) -> Result<(), Error> {
        let parts =
            sql!("SELECT name, num_children, logical_type, precision FROM parquet_schema({path})", path = self.path,);
        let parts: Vec<Part> = self.connection.query_rows(parts).map_err(|error| self.failed(&error))?;
        self.check_parts(&mut parts.into_iter(), 1, 0)
    }

    /// Checks so many parts that stand beside each other, each of which is followed by its own.
    fn check_parts(&self, parts: &mut impl Iterator<Item = Part>, count: i64, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(self.too_deep());
        }
        let mut names = HashSet::new();
        for _ in 0..count {
            let Some((name, children, logical_type, precision)) = parts.next() else { return Ok(()) };
            let logical_type = logical_type.unwrap_or_default();
            let wrong = |before: &str, after: &str, help| {
                Err(self.wrong(&[before, " the column `", &name, "`", after].concat(), Some(help)))
            };
            if name.is_empty() {
                return Err(self.wrong("has a column without a name", Some(RENAME)));
            }
            if !names.insert(name.to_ascii_lowercase()) {
                return wrong("has", " twice, and a table does not tell upper and lower case apart", RENAME);
            }
            let has_other_type = logical_type.starts_with("TimeType") || logical_type.contains("isAdjustedToUTC=1");
            if logical_type.contains("NANOS=NanoSeconds") && has_other_type {
                let help = "write it in microseconds, or as a timestamp without a time zone";
                return wrong("has nanoseconds in", ", of which a table would keep microseconds", help);
            }
            if precision.is_some_and(|digits| digits > MOST_DIGITS) {
                return wrong(
                    "has decimals of more than 38 digits in",
                    "",
                    "write them as texts, or with fewer digits",
                );
            }
            self.check_parts(parts, children.unwrap_or_default(), depth + 1)?;
        }
        Ok(())
    }
}
