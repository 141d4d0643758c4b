//! The types of columns: which of Arrow's a lake holds, and how DuckDB writes them.
//!
//! Rows come in many encodings of one type (dictionaries, views, other units). They are staged in one, so that DuckDB
//! gets the type that a table of the lake has.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use ducklake_sql::{Ident, Writer};

/// A type that a column of a lake can have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnType {
    Simple(Simple),
    Decimal { width: u8, scale: u8 },
    List(Box<Self>),
    Struct(Vec<(Ident, Self)>),
    Map(Box<Self>, Box<Self>),
}

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
    TimestampTz,
}

impl ColumnType {
    /// The type in which a lake holds this one of Arrow; `None` if it cannot.
    pub(crate) fn of(found: &DataType) -> Option<Self> {
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
            T::Binary | T::LargeBinary | T::BinaryView => Simple::Blob,
            T::Date32 => Simple::Date,
            T::Time32(_) | T::Time64(_) => Simple::Time,
            T::Timestamp(_, None) => Simple::Timestamp,
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
                Simple::Text => T::Utf8,
                Simple::Blob => T::Binary,
                Simple::Date => T::Date32,
                Simple::Time => T::Time64(TimeUnit::Microsecond),
                Simple::Timestamp => T::Timestamp(TimeUnit::Microsecond, None),
                Simple::TimestampTz => T::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            },
            Self::Decimal { width, scale } => T::Decimal128(*width, i8::try_from(*scale).unwrap_or(i8::MAX)),
            Self::List(item) => T::List(Arc::new(field("item", item))),
            Self::Struct(members) => T::Struct(members.iter().map(|(name, of)| field(name.as_str(), of)).collect()),
            Self::Map(key, value) => {
                let entries = T::Struct(vec![field("key", key).with_nullable(false), field("value", value)].into());
                T::Map(Arc::new(Field::new("entries", entries, false)), false)
            }
        }
    }

    /// Writes the type as DuckDB does.
    pub(crate) fn write(&self, sql: &mut Writer) {
        match self {
            Self::Simple(simple) => _ = sql.keyword(simple.keyword()),
            Self::Decimal { width, scale } => {
                sql.keyword("DECIMAL(").number(u64::from(*width)).keyword(", ");
                sql.number(u64::from(*scale)).keyword(")");
            }
            Self::List(item) => {
                item.write(sql);
                sql.keyword("[]");
            }
            Self::Struct(members) => {
                sql.keyword("STRUCT(");
                for (index, (name, of)) in members.iter().enumerate() {
                    of.write(sql.comma(index).ident(name).keyword(" "));
                }
                sql.keyword(")");
            }
            Self::Map(key, value) => {
                key.write(sql.keyword("MAP("));
                value.write(sql.keyword(", "));
                sql.keyword(")");
            }
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
            (from, into) => from == into,
        }
    }
}

impl Simple {
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
            Self::TimestampTz => "TIMESTAMPTZ",
        }
    }

    fn fits(self, into: Self) -> bool {
        match (self, into) {
            (Self::Float, Self::Double) => true,
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
        f.write_str(ducklake_sql::Sql::build(|sql| self.write(sql)).text())
    }
}
