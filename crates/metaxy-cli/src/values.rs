//! The text of every value, where Arrow has none: times without end, years of six digits, the end of a day, numbers and
//! unions, which JSON does not have.

use std::fmt::Write;

use arrow::array::{Array, AsArray as _, UnionArray};
use arrow::datatypes::{
    DataType, Date32Type, Field, FieldRef, Float32Type, Float64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UnionFields,
};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::{ArrayFormatter, ArrayFormatterFactory, DisplayIndex, FormatOptions, FormatResult};

/// Makes what prints values, of columns and within nested values.
#[derive(Debug)]
pub(crate) struct Values;

impl ArrayFormatterFactory for Values {
    fn create_array_formatter<'f>(
        &self,
        array: &'f dyn Array,
        options: &FormatOptions<'f>,
        _: Option<&'f Field>,
    ) -> Result<Option<ArrayFormatter<'f>>, ArrowError> {
        let Some(times) = Times::of(array)? else { return Ok(None) };
        let null = options.null();
        Ok(Some(ArrayFormatter::new(Box::new(Cells { times, null }), options.safe())))
    }
}

impl EncoderFactory for Values {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            DataType::Float32 | DataType::Float64 => Box::new(Floats(array)),
            DataType::Union(fields, _) => Box::new(Unions::new(array.as_union(), fields, options)?),
            _ => match Times::of(array)? {
                Some(times) => Box::new(times),
                None => return Ok(None),
            },
        };
        Ok(Some(NullableEncoder::new(encoder, array.logical_nulls())))
    }
}

/// Dates and times.
struct Times<'a> {
    array: &'a dyn Array,
    usual: ArrayFormatter<'a>,
    of: TimeType,
}

#[derive(Clone, Copy)]
enum TimeType {
    Date,
    /// Of a day, which DuckDB lets end at 24:00.
    Time,
    /// With so many parts in a second, and whether it has a zone.
    Timestamp(TimeUnit, bool),
}

impl<'a> Times<'a> {
    /// The dates or times of an array; `None` if it holds others.
    fn of(array: &'a dyn Array) -> Result<Option<Self>, ArrowError> {
        let of = match array.data_type() {
            DataType::Date32 => TimeType::Date,
            DataType::Time32(_) | DataType::Time64(_) => TimeType::Time,
            DataType::Timestamp(unit, zone) => TimeType::Timestamp(*unit, zone.is_some()),
            _ => return Ok(None),
        };
        let usual = ArrayFormatter::try_new(array, &FormatOptions::new().with_display_error(false))?;
        Ok(Some(Self { array, usual, of }))
    }

    fn text(&self, row: usize) -> String {
        let (value, end) = match self.of {
            TimeType::Date => {
                let days = self.array.as_primitive::<Date32Type>().value(row);
                (i64::from(days), i64::from(i32::MAX))
            }
            TimeType::Timestamp(unit, _) => (self.number(unit, row), i64::MAX),
            // None is without end.
            TimeType::Time => (0, i64::MAX),
        };
        // DuckDB's own words.
        if value == end {
            return "infinity".to_owned();
        }
        if value == -end {
            return "-infinity".to_owned();
        }
        self.usual.value(row).try_to_string().unwrap_or_else(|_| match self.of {
            TimeType::Date => date(value),
            TimeType::Time => "24:00:00".to_owned(),
            TimeType::Timestamp(unit, has_zone) => timestamp(value, unit) + if has_zone { "Z" } else { "" },
        })
    }

    fn number(&self, unit: TimeUnit, row: usize) -> i64 {
        match unit {
            TimeUnit::Second => self.array.as_primitive::<TimestampSecondType>().value(row),
            TimeUnit::Millisecond => self.array.as_primitive::<TimestampMillisecondType>().value(row),
            TimeUnit::Microsecond => self.array.as_primitive::<TimestampMicrosecondType>().value(row),
            TimeUnit::Nanosecond => self.array.as_primitive::<TimestampNanosecondType>().value(row),
        }
    }
}

impl Encoder for Times<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(self.text(row).as_bytes());
        out.push(b'"');
    }
}

/// The same as the cells of a table.
struct Cells<'a> {
    times: Times<'a>,
    null: &'a str,
}

impl DisplayIndex for Cells<'_> {
    fn write(&self, row: usize, out: &mut dyn Write) -> FormatResult {
        if self.times.array.is_null(row) {
            out.write_str(self.null)?;
        } else {
            out.write_str(&self.times.text(row))?;
        }
        Ok(())
    }
}

/// Numbers with a fraction: what JSON has no number for is a text.
struct Floats<'a>(&'a dyn Array);

impl Encoder for Floats<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        // Each with the digits of its own type.
        let (value, text) = if *self.0.data_type() == DataType::Float32 {
            let value = self.0.as_primitive::<Float32Type>().value(row);
            (f64::from(value), serde_json::to_string(&value))
        } else {
            let value = self.0.as_primitive::<Float64Type>().value(row);
            (value, serde_json::to_string(&value))
        };
        let text = match text {
            Ok(text) if value.is_finite() => text,
            _ if value.is_nan() => "\"NaN\"".to_owned(),
            _ if value > 0.0 => "\"Infinity\"".to_owned(),
            _ => "\"-Infinity\"".to_owned(),
        };
        out.extend_from_slice(text.as_bytes());
    }
}

/// Values of one of several members: an object with the name of the member.
struct Unions<'a> {
    array: &'a UnionArray,
    members: Vec<(i8, String, NullableEncoder<'a>)>,
}

impl<'a> Unions<'a> {
    fn new(array: &'a UnionArray, fields: &'a UnionFields, options: &'a EncoderOptions) -> Result<Self, ArrowError> {
        let member = |(id, field): (i8, &'a FieldRef)| {
            let name = serde_json::to_string(field.name()).map_err(|error| ArrowError::JsonError(error.to_string()))?;
            Ok((id, name, make_encoder(field, array.child(id), options)?))
        };
        Ok(Self { array, members: fields.iter().map(member).collect::<Result<_, ArrowError>>()? })
    }
}

impl Encoder for Unions<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let (id, value) = (self.array.type_id(row), self.array.value_offset(row));
        let member = self.members.iter_mut().find(|(of, ..)| *of == id);
        let Some((_, name, encoder)) = member.filter(|(.., encoder)| !encoder.is_null(value)) else {
            return out.extend_from_slice(b"null");
        };
        out.push(b'{');
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        encoder.encode(value, out);
        out.push(b'}');
    }
}

/// A date of the Gregorian calendar from the days since 1970, for years of more digits than Arrow knows.
fn date(days: i64) -> String {
    // The days of 400 years, which begin in March, repeat.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:+05}-{month:02}-{day:02}")
}

fn timestamp(value: i64, unit: TimeUnit) -> String {
    let (parts, digits) = match unit {
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (1_000, 3),
        TimeUnit::Microsecond => (1_000_000, 6),
        TimeUnit::Nanosecond => (1_000_000_000, 9),
    };
    let (seconds, part) = (value.div_euclid(parts), value.rem_euclid(parts));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let fraction = if part == 0 { String::new() } else { format!(".{part:0digits$}") };
    format!("{}T{hour:02}:{minute:02}:{second:02}{fraction}", date(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_of_many_digits_have_a_text() {
        for (days, text) in [
            (0, "+1970-01-01"),
            (11_016, "+2000-02-29"),
            (-719_528, "+0000-01-01"),
            (-719_529, "-0001-12-31"),
            (2_147_483_646, "+5881580-07-10"),
        ] {
            assert_eq!(date(days), text);
        }
        assert_eq!(timestamp(i64::MAX - 1, TimeUnit::Microsecond), "+294247-01-10T04:00:54.775806");
        assert_eq!(timestamp(-1, TimeUnit::Millisecond), "+1969-12-31T23:59:59.999");
    }
}
