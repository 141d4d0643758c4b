//! Columns of CSV and JSON whose values DuckDB would round to the type that is asked of it: `1.5` to a whole number,
//! `true` to 1.
//!
//! Such a column is read as text, and made what it has to be only where the text says exactly that.

use ducklake_sql::{Ident, Sql, Text, Writer};

/// What the failure begins with; what comes after it tells the person of the file.
pub(super) const REFUSED: &str = "inexact value: ";

/// What to do about it.
pub(super) const HELP: &str =
    "correct it, or give a column that the table does not have yet another type with `--type COLUMN=TYPE`";

/// The types of whole numbers.
const WHOLE: [&str; 10] =
    ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"];

/// The types that JSON's reader makes of `true`, of numbers, or of points in time, too. CSV's takes only texts of them,
/// and has found out how the file writes a date, which no cast knows.
const LENIENT_IN_JSON: [&str; 4] = ["BOOLEAN", "DOUBLE", "FLOAT", "DATE"];

/// How a column is read that must not be rounded.
#[derive(Debug)]
pub(super) struct LosslessCast {
    column: Ident,
    /// The type that it has to get.
    of: Text,
    /// The type that it is read in: the same, with texts for what could be rounded.
    read_as: Text,
    check: Check,
}

#[derive(Debug)]
enum Check {
    /// A type that is one word.
    Word(&'static str),
    Decimal {
        width: u64,
        scale: u64,
    },
    Nested,
}

impl LosslessCast {
    /// For a column of a type as DuckDB spells it; `None` if its reader takes for the type's values only what they are.
    pub(super) fn of(column: &Ident, of: &str, is_json: bool) -> Option<Self> {
        let lenient = LENIENT_IN_JSON.into_iter().filter(|_| is_json);
        let check = match WHOLE.into_iter().chain(lenient).find(|name| *name == of) {
            Some(name) => Check::Word(name),
            None => decimal(of).unwrap_or(Check::Nested),
        };
        let read_as = match check {
            Check::Nested if is_json => with_texts(&with_texts(of, &WHOLE), &["BOOLEAN"]),
            Check::Nested => with_texts(of, &WHOLE),
            _ => "VARCHAR".to_owned(),
        };
        let is_other = read_as != of;
        let cast = Self { column: column.clone(), of: Text::new(of).ok()?, read_as: Text::new(read_as).ok()?, check };
        is_other.then_some(cast)
    }

    pub(super) fn column(&self) -> &Ident {
        &self.column
    }

    pub(super) fn read_as(&self) -> &Text {
        &self.read_as
    }

    /// Writes the value in its type, or the failure. `typed` reads the same columns in their types.
    pub(super) fn write(&self, sql: &mut Writer, typed: &Sql) {
        let column = &self.column;
        match &self.check {
            Check::Word(of) => {
                let pattern = match *of {
                    "BOOLEAN" | "DOUBLE" | "FLOAT" => "'.*'",
                    // No time of day, but midnight.
                    "DATE" => r"'[^:]*|.*[T ]00:00(:00(\.0+)?)?Z?\s*'",
                    _ => r"'\s*[+-]?[0-9]+\s*'",
                };
                sql.keyword("coalesce(CASE WHEN regexp_full_match(").ident(column).keyword(", ").keyword(pattern);
                sql.keyword(") THEN TRY_CAST(").ident(column).keyword(" AS ").keyword(of).keyword(") END, ");
                self.refuse(sql);
            }
            Check::Decimal { width, scale } => {
                sql.keyword("coalesce(CASE WHEN regexp_full_match(").ident(column);
                sql.keyword(r", '\s*[+-]?[0-9]*\.?[0-9]{0,").number(*scale).keyword(r"}0*\s*') THEN TRY_CAST(");
                sql.ident(column).keyword(" AS DECIMAL(").number(*width).keyword(", ").number(*scale);
                sql.keyword(")) END, ");
                self.refuse(sql);
            }
            Check::Nested => {
                // Only a value can name the type of a cast, unless the type stands in the statement itself.
                let cast = |sql: &mut Writer| {
                    sql.keyword("cast_to_type(").ident(column).keyword(", (SELECT ").ident(column);
                    sql.keyword(" FROM (").part(typed).keyword(") LIMIT 0))");
                };
                sql.keyword("CASE WHEN cast_to_type(");
                cast(sql);
                sql.keyword(", ").ident(column).keyword(") IS NOT DISTINCT FROM ").ident(column).keyword(" THEN ");
                cast(sql);
                sql.keyword(" ELSE ");
                self.refuse_any(sql);
                sql.keyword(" END");
                return;
            }
        }
        sql.keyword(")");
    }

    /// The failure for what is there, and is no value of the type.
    fn refuse(&self, sql: &mut Writer) {
        sql.keyword("CASE WHEN ").ident(&self.column).keyword(" IS NOT NULL THEN ");
        self.refuse_any(sql);
        sql.keyword(" END");
    }

    fn refuse_any(&self, sql: &mut Writer) {
        let before = [REFUSED, "has in the column `", self.column.as_str(), "` the value `"].concat();
        let after = ["`, which is not exactly a value of the type ", self.of.as_str()].concat();
        // Both parts are of texts that were checked.
        let (Ok(before), Ok(after)) = (Text::new(before), Text::new(after)) else { return };
        sql.keyword("error(concat(").literal(&before).keyword(", left(CAST(").ident(&self.column);
        sql.keyword(" AS VARCHAR), 100), ").literal(&after).keyword("))");
    }
}

/// `DECIMAL(width,scale)`.
fn decimal(of: &str) -> Option<Check> {
    let (width, scale) = of.strip_prefix("DECIMAL(")?.strip_suffix(')')?.split_once(',')?;
    Some(Check::Decimal { width: width.trim().parse().ok()?, scale: scale.trim().parse().ok()? })
}

/// A type as DuckDB spells it, with `VARCHAR` in the place of some that are one word, wherever in it they stand.
///
/// The name of a struct's member is never taken for a type: a space comes after it.
pub(super) fn with_texts(of: &str, types: &[&str]) -> String {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut text = String::new();
    let mut rest = of;
    while let Some(first) = rest.chars().next() {
        let end = match rest.strip_prefix('"') {
            // A doubled quote ends one word and begins another.
            Some(quoted) => quoted.find('"').map_or(rest.len(), |end| end + 2),
            None if is_word(first) => rest.find(|character| !is_word(character)).unwrap_or(rest.len()),
            None => first.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        let ends = after.is_empty() || after.starts_with([',', ')', '[']);
        text.push_str(if ends && types.contains(&word) { "VARCHAR" } else { word });
        rest = after;
    }
    text
}
