//! The types of columns: which of Arrow's a lake holds, and how DuckDB writes them.
//!
//! Rows come in many encodings of one type (dictionaries, views). They are staged in one, so that DuckDB gets the type
//! that a table of the lake has. A table that another program made may have types that no rows of ours have.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use ducklake_sql::{Ident, Sql, WriteSql, Writer, list, sql, write_sql};

/// A type that a column of a lake can have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnType {
    Simple(Simple),
    Decimal {
        width: u8,
        scale: u8,
    },
    List(Box<Self>),
    Struct(Vec<(Ident, Self)>),
    Map(Box<Self>, Box<Self>),
    /// One that a lake keeps, but that rows do not come in; they bring a text for it, if anything.
    Kept(&'static str),
}

/// The type of texts.
pub(crate) const TEXT: ColumnType = ColumnType::Simple(Simple::Text);

/// The types of [`ColumnType::Kept`], as DuckDB names them.
///
/// DuckLake 1.0 takes more, but does not keep them as they are: a HUGEINT becomes a double in a file, an INTERVAL is cut
/// to milliseconds, a time with a zone moves to another one.
const KEPT: [&str; 2] = ["JSON", "VARIANT"];

/// A type that is one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Simple {
    Boolean,
    Integer { signed: bool, bits: u8 },
    Float,
    Double,
    Text,
    Blob,
    Date,
    Time,
    Timestamp,
    TimestampS,
    TimestampMs,
    TimestampNs,
    TimestampTz,
    Uuid,
}

impl ColumnType {
    /// The type in which a lake holds a column of Arrow; `None` if it cannot.
    pub(crate) fn of_field(field: &Field) -> Option<Self> {
        match (field.extension_type_name(), field.data_type()) {
            (Some("arrow.uuid"), DataType::FixedSizeBinary(16)) => Some(Self::Simple(Simple::Uuid)),
            (Some("arrow.bool8"), DataType::Int8) => Some(Self::Simple(Simple::Boolean)),
            // Bytes that mean something to another program only.
            (Some("arrow.opaque"), _) => None,
            (_, of) => Self::of(of),
        }
    }

    fn of(found: &DataType) -> Option<Self> {
        use DataType as T;
        let simple = match found {
            T::Boolean => Simple::Boolean,
            T::Int8 => Simple::Integer { signed: true, bits: 8 },
            T::Int16 => Simple::Integer { signed: true, bits: 16 },
            T::Int32 => Simple::Integer { signed: true, bits: 32 },
            T::Int64 => Simple::Integer { signed: true, bits: 64 },
            T::UInt8 => Simple::Integer { signed: false, bits: 8 },
            T::UInt16 => Simple::Integer { signed: false, bits: 16 },
            T::UInt32 => Simple::Integer { signed: false, bits: 32 },
            T::UInt64 => Simple::Integer { signed: false, bits: 64 },
            T::Float32 => Simple::Float,
            T::Float64 => Simple::Double,
            // A column without a single value has no type of its own.
            T::Null | T::Utf8 | T::LargeUtf8 | T::Utf8View => Simple::Text,
            T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => Simple::Blob,
            T::Date32 => Simple::Date,
            T::Time32(_) | T::Time64(_) => Simple::Time,
            T::Timestamp(TimeUnit::Second, None) => Simple::TimestampS,
            T::Timestamp(TimeUnit::Millisecond, None) => Simple::TimestampMs,
            T::Timestamp(TimeUnit::Microsecond, None) => Simple::Timestamp,
            T::Timestamp(TimeUnit::Nanosecond, None) => Simple::TimestampNs,
            T::Timestamp(_, Some(_)) => Simple::TimestampTz,
            T::Decimal128(width, scale) => {
                return Some(Self::Decimal { width: *width, scale: (*scale).try_into().ok()? });
            }
            T::Dictionary(_, values) => return Self::of(values),
            T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) => {
                return Some(Self::List(Box::new(Self::of(item.data_type())?)));
            }
            T::Struct(fields) if !fields.is_empty() => {
                let member = |field: &Arc<Field>| Some((Ident::new(field.name()).ok()?, Self::of(field.data_type())?));
                return Some(Self::Struct(fields.iter().map(member).collect::<Option<_>>()?));
            }
            T::Map(entries, _) => match Self::of(entries.data_type())? {
                Self::Struct(members) => {
                    let [(_, key), (_, value)] = <[_; 2]>::try_from(members).ok()?;
                    return Some(Self::Map(Box::new(key), Box::new(value)));
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(Self::Simple(simple))
    }

    /// Whether it is a point in time, with a zone or without.
    pub(crate) fn is_timestamp(&self) -> bool {
        use Simple::{Timestamp, TimestampMs, TimestampNs, TimestampS, TimestampTz};
        matches!(self, Self::Simple(Timestamp | TimestampMs | TimestampNs | TimestampS | TimestampTz))
    }

    /// Whether it is a time with a zone, or has one in it.
    pub(crate) fn has_zoned_times(&self) -> bool {
        match self {
            Self::Simple(simple) => *simple == Simple::TimestampTz,
            Self::List(item) => item.has_zoned_times(),
            Self::Struct(members) => members.iter().any(|(_, of)| of.has_zoned_times()),
            Self::Map(key, value) => key.has_zoned_times() || value.has_zoned_times(),
            Self::Decimal { .. } | Self::Kept(_) => false,
        }
    }

    /// The type in which rows of this one are staged: UUIDs as texts, from which DuckDB makes them.
    pub(crate) fn staged(&self) -> &Self {
        match self {
            Self::Simple(Simple::Uuid) => &TEXT,
            of => of,
        }
    }

    /// The Arrow type in which rows of this type are staged.
    pub(crate) fn arrow(&self) -> DataType {
        use DataType as T;
        let field = |name: &str, of: &Self| Field::new(name, of.arrow(), true);
        match self {
            Self::Simple(simple) => match simple {
                Simple::Boolean => T::Boolean,
                Simple::Integer { signed: true, bits: 8 } => T::Int8,
                Simple::Integer { signed: true, bits: 16 } => T::Int16,
                Simple::Integer { signed: true, bits: 32 } => T::Int32,
                Simple::Integer { signed: true, .. } => T::Int64,
                Simple::Integer { signed: false, bits: 8 } => T::UInt8,
                Simple::Integer { signed: false, bits: 16 } => T::UInt16,
                Simple::Integer { signed: false, bits: 32 } => T::UInt32,
                Simple::Integer { signed: false, .. } => T::UInt64,
                Simple::Float => T::Float32,
                Simple::Double => T::Float64,
                Simple::Blob => T::Binary,
                Simple::Date => T::Date32,
                Simple::Time => T::Time64(TimeUnit::Microsecond),
                Simple::Timestamp => T::Timestamp(TimeUnit::Microsecond, None),
                Simple::TimestampS => T::Timestamp(TimeUnit::Second, None),
                Simple::TimestampMs => T::Timestamp(TimeUnit::Millisecond, None),
                Simple::TimestampNs => T::Timestamp(TimeUnit::Nanosecond, None),
                Simple::Text | Simple::Uuid => T::Utf8,
                Simple::TimestampTz => T::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            },
            Self::Decimal { width, scale } => T::Decimal128(*width, i8::try_from(*scale).unwrap_or(i8::MAX)),
            Self::List(item) => T::List(Arc::new(field("item", item))),
            Self::Struct(members) => T::Struct(members.iter().map(|(name, of)| field(name.as_str(), of)).collect()),
            Self::Map(key, value) => {
                let entries = T::Struct(vec![field("key", key).with_nullable(false), field("value", value)].into());
                T::Map(Arc::new(Field::new("entries", entries, false)), false)
            }
            Self::Kept(_) => T::Utf8,
        }
    }

    /// Whether values of this type go into a column of the other without loss.
    pub(crate) fn fits(&self, into: &Self) -> bool {
        match (self, into) {
            (Self::Simple(from), Self::Simple(into)) => from.fits(*into),
            (Self::List(from), Self::List(into)) => from.fits(into),
            (Self::Map(key, value), Self::Map(into_key, into_value)) => key.fits(into_key) && value.fits(into_value),
            (Self::Struct(from), Self::Struct(into)) => from.iter().all(|(name, from)| {
                let mut same = into.iter().filter(|(into, _)| into.as_str().eq_ignore_ascii_case(name.as_str()));
                same.any(|(_, into)| from.fits(into))
            }),
            // JSON is read as a text.
            (from, into) => from == into || *from == TEXT && *into == Self::Kept("JSON"),
        }
    }

    /// The type that DuckDB describes with this text; `None` if it is none that we know.
    ///
    /// ```text
    /// STRUCT(a INTEGER, "b c" MAP(VARCHAR, DECIMAL(5,2)[]))
    /// ```
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (of, rest) = Self::parse_one(text)?;
        rest.is_empty().then_some(of)
    }

    /// The type at the beginning of a text, and what follows.
    fn parse_one(text: &str) -> Option<(Self, &str)> {
        let (mut of, mut rest) = if let Some(mut rest) = text.strip_prefix("STRUCT(") {
            let mut members = Vec::new();
            loop {
                let (name, after) = parse_name(rest)?;
                let (member, after) = Self::parse_one(after.strip_prefix(' ')?)?;
                members.push((Ident::new(name).ok()?, member));
                match after.strip_prefix(", ") {
                    Some(after) => rest = after,
                    None => break (Self::Struct(members), after.strip_prefix(')')?),
                }
            }
        } else if let Some(rest) = text.strip_prefix("MAP(") {
            let (key, rest) = Self::parse_one(rest)?;
            let (value, rest) = Self::parse_one(rest.strip_prefix(", ")?)?;
            (Self::Map(Box::new(key), Box::new(value)), rest.strip_prefix(')')?)
        } else if let Some(rest) = text.strip_prefix("DECIMAL(") {
            let (numbers, rest) = rest.split_once(')')?;
            let (width, scale) = numbers.split_once(',')?;
            (Self::Decimal { width: width.parse().ok()?, scale: scale.parse().ok()? }, rest)
        } else {
            let (word, rest) = text.split_at(text.find([',', ')', '[']).unwrap_or(text.len()));
            let kept = || KEPT.into_iter().find(|kept| *kept == word).map(Self::Kept);
            (Simple::parse(word).map(Self::Simple).or_else(kept)?, rest)
        };
        while let Some(after) = rest.strip_prefix("[]") {
            (of, rest) = (Self::List(Box::new(of)), after);
        }
        Some((of, rest))
    }
}

/// The type as DuckDB writes it.
impl WriteSql for ColumnType {
    fn write_sql(&self, sql: &mut Writer) {
        _ = match self {
            Self::Simple(simple) => write_sql!(sql, "{name}", name = Sql::fixed(simple.keyword())),
            Self::Decimal { width, scale } => {
                let [width, scale] = [u64::from(*width), u64::from(*scale)];
                write_sql!(sql, "DECIMAL({width}, {scale})", width, scale)
            }
            Self::List(item) => write_sql!(sql, "{item}[]", item = **item),
            Self::Struct(members) => {
                let members = list(members.iter().map(|(name, of)| sql!("{name} {of}", name, of)));
                write_sql!(sql, "STRUCT({members})", members)
            }
            Self::Map(key, value) => write_sql!(sql, "MAP({key}, {value})", key = **key, value = **value),
            Self::Kept(name) => write_sql!(sql, "{name}", name = Sql::fixed(name)),
        };
    }
}

/// The name at the beginning of a text, quoted where DuckDB does so, and what follows.
fn parse_name(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let (name, rest) = text.split_at(text.find(' ')?);
        return Some((name.to_owned(), rest));
    };
    let mut name = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

impl Simple {
    /// The type that DuckDB calls so.
    fn parse(name: &str) -> Option<Self> {
        const ALL: [Simple; 13] = [
            Simple::Boolean,
            Simple::Float,
            Simple::Double,
            Simple::Text,
            Simple::Blob,
            Simple::Date,
            Simple::Time,
            Simple::Timestamp,
            Simple::TimestampS,
            Simple::TimestampMs,
            Simple::TimestampNs,
            Simple::TimestampTz,
            Simple::Uuid,
        ];
        let integers = [8, 16, 32, 64].into_iter();
        let integers = integers.flat_map(|bits| [true, false].map(|signed| Self::Integer { signed, bits }));
        match name {
            "TIMESTAMP WITH TIME ZONE" => Some(Self::TimestampTz),
            name => ALL.into_iter().chain(integers).find(|one| one.keyword() == name),
        }
    }

    fn keyword(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Integer { signed: true, bits: 8 } => "TINYINT",
            Self::Integer { signed: true, bits: 16 } => "SMALLINT",
            Self::Integer { signed: true, bits: 32 } => "INTEGER",
            Self::Integer { signed: true, .. } => "BIGINT",
            Self::Integer { signed: false, bits: 8 } => "UTINYINT",
            Self::Integer { signed: false, bits: 16 } => "USMALLINT",
            Self::Integer { signed: false, bits: 32 } => "UINTEGER",
            Self::Integer { signed: false, .. } => "UBIGINT",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Text => "VARCHAR",
            Self::Blob => "BLOB",
            Self::Date => "DATE",
            Self::Time => "TIME",
            Self::Timestamp => "TIMESTAMP",
            Self::TimestampS => "TIMESTAMP_S",
            Self::TimestampMs => "TIMESTAMP_MS",
            Self::TimestampNs => "TIMESTAMP_NS",
            Self::Uuid => "UUID",
            Self::TimestampTz => "TIMESTAMPTZ",
        }
    }

    fn fits(self, into: Self) -> bool {
        match (self, into) {
            // A UUID is read as a text.
            (Self::Float, Self::Double)
            | (Self::Text, Self::Uuid)
            | (Self::TimestampS, Self::TimestampMs | Self::Timestamp | Self::TimestampNs)
            | (Self::TimestampMs, Self::Timestamp | Self::TimestampNs) => true,
            // A double holds every integer of up to 53 bits.
            (Self::Integer { bits, .. }, Self::Double) => bits <= 32,
            (Self::Integer { signed, bits }, Self::Integer { signed: into_signed, bits: into_bits }) => {
                signed == into_signed && bits <= into_bits || !signed && into_signed && bits < into_bits
            }
            (from, into) => from == into,
        }
    }
}

/// The type as a person reads it: DuckDB's own words.
impl std::fmt::Display for ColumnType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(sql!("{of}", of = self).text())
    }
}
