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

/// The types that JSON's reader makes of `true` or of numbers, too. CSV's takes only texts of them.
const LENIENT_IN_JSON: [&str; 3] = ["BOOLEAN", "DOUBLE", "FLOAT"];

/// So many digits a DOUBLE may have that tells them all.
const DIGITS_OF_A_DOUBLE: u64 = 17;

/// The types of dates and times.
const TIMES: [&str; 7] =
    ["DATE", "TIME", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"];

/// How a column is read that must not be rounded.
#[derive(Debug)]
pub(super) struct LosslessCast {
    column: Ident,
    /// The type that it has to get.
    of: StringLiteral,
    /// The type that it is read in: the same, with texts for what could be rounded.
    read_as: StringLiteral,
    /// A type that has what the type would lose, to compare both.
    wide: StringLiteral,
    check: Check,
    /// Whether nothing, in quotes, is NULL, which only CSV has.
    empty_is_null: bool,
}

#[derive(Debug)]
enum Check {
    /// A type that is one word.
    Keyword(&'static str),
    /// A float that was guessed, which must not have more digits than it keeps.
    GuessedDouble,
    /// A date or a time, whose text has this pattern.
    Time(&'static str, String),
    Decimal {
        width: u64,
        scale: u64,
    },
    Nested,
}

impl LosslessCast {
    /// For a column of a type as DuckDB spells it; `None` if its reader takes for the type's values only what they are.
    pub(super) fn of(column: &Ident, of: &str, is_guessed: bool, is_json: bool) -> Option<Self> {
        let lenient = LENIENT_IN_JSON.into_iter().filter(|_| is_json);
        let check = match WHOLE.into_iter().chain(lenient).find(|name| *name == of) {
            Some("DOUBLE") if is_guessed => Check::GuessedDouble,
            Some(name) => Check::Keyword(name),
            None => match (TIMES.into_iter().find(|name| *name == of), time_pattern(of, false)) {
                (Some(name), Some(pattern)) => Check::Time(name, pattern),
                _ => decimal(of).unwrap_or(Check::Nested),
            },
        };
        let read_as = match check {
            Check::Nested => with_texts(of, if is_json { &ROUNDED } else { &ROUNDED[..12] }),
            _ => "VARCHAR".to_owned(),
        };
        let wide = match check {
            Check::Nested => widened(of),
            _ => read_as.clone(),
        };
        let is_other = read_as != of;
        let cast = Self {
            column: column.clone(),
            of: StringLiteral::new(of).ok()?,
            read_as: StringLiteral::new(read_as).ok()?,
            wide: StringLiteral::new(wide).ok()?,
            check,
            empty_is_null: !is_json,
        };
        is_other.then_some(cast)
    }

    /// The type in which the value and what was made of it are compared.
    pub(super) fn wide(&self) -> &StringLiteral {
        &self.wide
    }

    pub(super) fn column(&self) -> &Ident {
        &self.column
    }

    pub(super) fn read_as(&self) -> &StringLiteral {
        &self.read_as
    }

    /// The value in its type, or the failure. `typed` reads the same columns in their types, `wide` in those to compare.
    pub(super) fn value(&self, typed: &Sql, wide: &Sql) -> Sql {
        let column = &self.column;
        let refused = self.refused();
        let is_null = if self.empty_is_null {
            sql!("nullif(CAST({column} AS VARCHAR), '')", column)
        } else {
            sql!("{column}", column)
        };
        let refused_unless_null = sql!("CASE WHEN {is_null} IS NOT NULL THEN {refused} END", is_null, refused);
        match &self.check {
            // Leading zeros are no digits of a number, nor is what stands behind `e`.
            Check::GuessedDouble => sql!(
                "coalesce(
                     CASE WHEN length(ltrim(regexp_replace(
                                   regexp_replace({column}, '[eE].*', ''), '[^0-9]', '', 'g'), '0')) <= {digits}
                         THEN TRY_CAST({column} AS DOUBLE) END,
                     {refused_unless_null}
                 )",
                column,
                digits = DIGITS_OF_A_DOUBLE,
                refused_unless_null,
            ),
            Check::Time(of, pattern) => sql!(
                "coalesce(
                     CASE WHEN regexp_full_match({column}, {pattern}) THEN TRY_CAST({column} AS {of}) END,
                     {refused_unless_null}
                 )",
                column,
                pattern = literal(pattern.clone()),
                of = Sql::fixed(of),
                refused_unless_null,
            ),
            Check::Keyword(of) => {
                let pattern = match *of {
                    "BOOLEAN" | "DOUBLE" | "FLOAT" => sql!("'.*'"),
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
                "CASE WHEN {widened_cast} IS NOT DISTINCT FROM {widened} THEN {cast} ELSE {refused} END",
                widened_cast = cast_as(&cast_as(&sql!("{column}", column), column, typed), column, wide),
                widened = cast_as(&sql!("{column}", column), column, wide),
                cast = cast_as(&sql!("{column}", column), column, typed),
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

/// The text of a date or a time as ISO 8601 has it, with no digits that the type would cut; `None` for other types.
///
/// DuckDB takes other texts, too, and what it takes `01/02/2026` for depends on the other rows. One that is `only_iso` says
/// by itself what it is.
pub(super) fn time_pattern(of: &str, only_iso: bool) -> Option<String> {
    let digits = match of {
        "TIMESTAMP_S" => "0",
        "TIMESTAMP_MS" => "3",
        "TIMESTAMP_NS" => "9",
        _ => "6",
    };
    let time = [r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{0,", digits, "}0*)?)?"].concat();
    let zone = " ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)";
    let date = if only_iso { "[0-9]{4}-[0-9]{2}-[0-9]{2}" } else { "[+-]?[0-9]{4,6}-[0-9]{1,2}-[0-9]{1,2}" };
    let pattern = match of {
        "TIME" => time,
        "DATE" if only_iso => date.to_owned(),
        // No time of day, but midnight.
        "DATE" => [date, r"([T ]00:00(:00(\.0+)?)?Z?)?"].concat(),
        "TIMESTAMP" if only_iso => [date, "[T ]", &time].concat(),
        "TIMESTAMP WITH TIME ZONE" if only_iso => [date, "[T ]", &time, zone].concat(),
        "TIMESTAMP" | "TIMESTAMP_S" | "TIMESTAMP_MS" | "TIMESTAMP_NS" | "TIMESTAMP WITH TIME ZONE" => {
            [date, "([T ]", &time, "(", zone, ")?)?"].concat()
        }
        _ => return None,
    };
    Some(if only_iso { pattern } else { [r"\s*(", &pattern, r"( \(BC\))?|-?infinity)\s*"].concat() })
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

/// The types of which values within others would be rounded, cut, or made of others; the last only in JSON.
const ROUNDED: [&str; 13] = [
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
    "DECIMAL",
    "DATE",
    "BOOLEAN",
];

/// A type with texts for what would be rounded within it, but decimals of more digits, and points in time for dates.
fn widened(of: &str) -> String {
    /// More digits than this no decimal has.
    const WIDTH: u64 = 38;
    const MORE: u64 = 6;
    replaced(of, |word| {
        if let Some(Check::Decimal { width, scale }) = decimal(word) {
            let scale = (WIDTH - width.min(WIDTH) + scale).max((scale + MORE).min(WIDTH)).min(WIDTH);
            return Some(["DECIMAL(38,", &scale.to_string(), ")"].concat());
        }
        match word {
            "DATE" => Some("TIMESTAMP".to_owned()),
            word => (WHOLE.contains(&word) || word == "BOOLEAN").then(|| "VARCHAR".to_owned()),
        }
    })
}

/// A value in the type that a column has in a query.
fn cast_as(value: &Sql, column: &Ident, query: &Sql) -> Sql {
    sql!("cast_to_type({value}, (SELECT {column} FROM ({query}) LIMIT 0))", value, column, query)
}

/// A type as DuckDB spells it, with `VARCHAR` in the place of some that are one word, or `DECIMAL`, wherever in it they
/// stand.
pub(super) fn with_texts(of: &str, types: &[&str]) -> String {
    let name = |word: &str| word.split('(').next().unwrap_or_default().to_owned();
    replaced(of, |word| types.contains(&name(word).as_str()).then(|| "VARCHAR".to_owned()))
}

/// A type as DuckDB spells it, with other types in the place of some that it is made of.
///
/// The name of a struct's member is never taken for a type: a space comes after it.
fn replaced(of: &str, by: impl Fn(&str) -> Option<String>) -> String {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut text = String::new();
    let mut rest = of;
    while let Some(first) = rest.chars().next() {
        let end = match rest.strip_prefix('"') {
            // A doubled quote ends one word and begins another.
            Some(quoted) => quoted.find('"').map_or(rest.len(), |end| end + 2),
            None if rest.starts_with("DECIMAL(") => rest.find(')').map_or(rest.len(), |end| end + 1),
            None if is_word(first) => rest.find(|character| !is_word(character)).unwrap_or(rest.len()),
            None => first.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        let ends = after.is_empty() || after.starts_with([',', ')', '[']);
        let other = if ends { by(word) } else { None };
        text.push_str(other.as_deref().unwrap_or(word));
        rest = after;
    }
    text
}
