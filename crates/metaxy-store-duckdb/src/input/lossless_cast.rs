//! Columns of CSV and JSON whose values DuckDB would round to the type that is asked of it: `1.5` to a whole number,
//! `true` to 1.
//!
//! Such a column is read as text, and made what it has to be only where the text says exactly that.

use ducklake_sql::{Ident, Sql, StringLiteral, sql};

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
    of: StringLiteral,
    /// The type that it is read in: the same, with texts for what could be rounded.
    read_as: StringLiteral,
    check: Check,
}

#[derive(Debug)]
enum Check {
    /// A type that is one word.
    Keyword(&'static str),
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
            Some(name) => Check::Keyword(name),
            None => decimal(of).unwrap_or(Check::Nested),
        };
        let read_as = match check {
            Check::Nested if is_json => with_texts(&with_texts(of, &WHOLE), &["BOOLEAN"]),
            Check::Nested => with_texts(of, &WHOLE),
            _ => "VARCHAR".to_owned(),
        };
        let is_other = read_as != of;
        let cast = Self {
            column: column.clone(),
            of: StringLiteral::new(of).ok()?,
            read_as: StringLiteral::new(read_as).ok()?,
            check,
        };
        is_other.then_some(cast)
    }

    pub(super) fn column(&self) -> &Ident {
        &self.column
    }

    pub(super) fn read_as(&self) -> &StringLiteral {
        &self.read_as
    }

    /// The value in its type, or the failure. `typed` reads the same columns in their types.
    pub(super) fn value(&self, typed: &Sql) -> Sql {
        let column = &self.column;
        let refused = self.refused();
        let refused_unless_null = sql!("CASE WHEN {column} IS NOT NULL THEN {refused} END", column, refused);
        match &self.check {
            Check::Keyword(of) => {
                let pattern = match *of {
                    "BOOLEAN" | "DOUBLE" | "FLOAT" => sql!("'.*'"),
                    // No time of day, but midnight.
                    "DATE" => sql!(r"'[^:]*|.*[T ]00:00(:00(\.0+)?)?Z?\s*'"),
                    _ => sql!(r"'\s*[+-]?[0-9]+\s*'"),
                };
                sql!(
                    "coalesce(
                         CASE WHEN regexp_full_match({column}, {pattern}) THEN TRY_CAST({column} AS {of}) END,
                         {refused_unless_null}
                     )",
                    column,
                    pattern,
                    of = Sql::fixed(of),
                    refused_unless_null,
                )
            }
            Check::Decimal { width, scale } => sql!(
                r"coalesce(
                      CASE WHEN regexp_full_match({column}, concat('\s*[+-]?[0-9]*\.?[0-9]{{0,', {scale}, '}}0*\s*'))
                          THEN TRY_CAST({column} AS DECIMAL({width}, {scale})) END,
                      {refused_unless_null}
                  )",
                column,
                width = *width,
                scale = *scale,
                refused_unless_null,
            ),
            // Only a value can name the type of a cast, unless the type stands in the statement itself.
            Check::Nested => sql!(
                "CASE WHEN cast_to_type({cast}, {column}) IS NOT DISTINCT FROM {column} THEN {cast} ELSE {refused} END",
                cast = sql!("cast_to_type({column}, (SELECT {column} FROM ({typed}) LIMIT 0))", column, typed),
                column,
                refused,
            ),
        }
    }

    /// The failure for what is there, and is no value of the type.
    fn refused(&self) -> Sql {
        let before = [REFUSED, "has in the column `", self.column.as_str(), "` the value `"].concat();
        let after = ["`, which is not exactly a value of the type ", self.of.as_str()].concat();
        sql!(
            "error(concat({before}, left(CAST({column} AS VARCHAR), 100), {after}))",
            before = literal(before),
            column = self.column,
            after = literal(after),
        )
    }
}

/// A literal of a text that was checked already.
fn literal(text: String) -> Sql {
    StringLiteral::new(text).map_or_else(|_| sql!("NULL"), |text| sql!("{text}", text))
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
