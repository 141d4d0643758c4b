//! Spans of time, as DuckDB's intervals are written.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::problem::Problem;

/// How old something must be, as in `30 days`: longer than nothing.
///
/// ```
/// use ducklake_sql::Age;
///
/// assert_eq!(Age::new("48 HOURS")?.to_string(), "48 hours");
/// assert_eq!(Age::new("1 week 2 days")?, Age::new("9 days")?);
/// assert!(Age::new("-1 day").is_err() && Age::new("soon").is_err());
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Age {
    months: u32,
    days: u32,
    seconds: u64,
}

/// Units, each with what one of it is: months, days, seconds.
const UNITS: &[(&str, u32, u32, u64)] = &[
    ("year", 12, 0, 0),
    ("month", 1, 0, 0),
    ("week", 0, 7, 0),
    ("day", 0, 1, 0),
    ("hour", 0, 0, 3600),
    ("minute", 0, 0, 60),
    ("second", 0, 0, 1),
];

impl Age {
    /// Reads an age: numbers, each with its unit.
    ///
    /// # Errors
    ///
    /// When it is none, is negative, or is nothing at all.
    pub fn new(text: &str) -> Result<Self, Problem> {
        match Self::parse(text) {
            Some(age) if age.as_seconds() > 0 => Ok(age),
            _ => Err(Problem::not_an_age()),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut age = Self { months: 0, days: 0, seconds: 0 };
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            if let Some(seconds) = clock(word) {
                age.seconds = age.seconds.checked_add(seconds)?;
                continue;
            }
            let digits = word.find(|char: char| !char.is_ascii_digit()).unwrap_or(word.len());
            let (number, unit) = word.split_at(digits);
            let number: u32 = number.parse().ok()?;
            let unit = if unit.is_empty() { words.next()? } else { unit }.to_ascii_lowercase();
            let unit = unit.strip_suffix('s').unwrap_or(&unit);
            let (_, months, days, seconds) = UNITS.iter().find(|(name, ..)| *name == unit)?;
            age.months = age.months.checked_add(months.checked_mul(number)?)?;
            age.days = age.days.checked_add(days.checked_mul(number)?)?;
            age.seconds = age.seconds.checked_add(seconds.checked_mul(u64::from(number))?)?;
        }
        Some(age)
    }

    /// How long it is in seconds, a month being 30 days.
    pub fn as_seconds(self) -> u64 {
        u64::from(self.months) * 30 * 86_400 + u64::from(self.days) * 86_400 + self.seconds
    }
}

/// `HH:MM:SS`, as DuckDB writes hours.
fn clock(word: &str) -> Option<u64> {
    let mut parts = word.split(':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() { None } else { Some(hours * 3600 + minutes * 60 + seconds) }
}

/// As DuckDB reads it.
impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut is_first = true;
        let mut write = |number: u64, unit: &str| {
            if number == 0 {
                return Ok(());
            }
            let (space, plural) = (if is_first { "" } else { " " }, if number == 1 { "" } else { "s" });
            is_first = false;
            write!(f, "{space}{number} {unit}{plural}")
        };
        write(u64::from(self.months), "month")?;
        write(u64::from(self.days), "day")?;
        match self.seconds {
            seconds if seconds % 3600 == 0 => write(seconds / 3600, "hour"),
            seconds if seconds % 60 == 0 => write(seconds / 60, "minute"),
            seconds => write(seconds, "second"),
        }
    }
}

impl Serialize for Age {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_read_as_duckdb_writes_it() {
        for (text, shown) in [
            ("30 days", Some("30 days")),
            ("1 day", Some("1 day")),
            ("2d", None),
            ("2days", Some("2 days")),
            ("1 year 1 month", Some("13 months")),
            ("1 day 02:00:00", Some("1 day 2 hours")),
            ("00:00:90", Some("90 seconds")),
            ("0 days", None),
            ("", None),
            ("-1 day", None),
            ("1 day ago", None),
            ("99999999999 days", None),
            ("4294967295 years", None),
            ("1.5 days", None),
        ] {
            let age = Age::new(text).ok().map(|age| age.to_string());
            assert_eq!(age.as_deref(), shown, "{text}");
        }
    }
}
