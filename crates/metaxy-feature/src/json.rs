//! JSON as Python's `json` module reads and writes it.
//!
//! Versions are hashes of JSON text, so every character counts: integers of any length, `1.0` apart from
//! `1`, `1e+16` for `1e16`, ASCII escapes, `", "` and `": "`. A float is always finite: Metaxy stores `null`
//! for the others (pydantic's JSON mode does).

use std::fmt::{self, Write as _};

use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::{Error, Result, messages};

/// A JSON object that keeps the order of its keys; equality ignores that order, as Python's does.
pub type JsonObject = IndexMap<String, Json>;

/// How deep arrays and objects may be nested, as in `serde_json`.
const MAX_DEPTH: usize = 128;

/// A JSON value.
///
/// [`Display`](fmt::Display) writes it as Python's `json.dumps` does, keys in order of insertion;
/// [`canonical`](Self::canonical) sorts them.
///
/// ```
/// use metaxy_feature::Json;
///
/// let json = Json::parse(r#"{"b": 1e16, "a": [1.0, "é😀", 100000000000000000000]}"#)?;
/// assert_eq!(json.to_string(), r#"{"b": 1e+16, "a": [1.0, "\u00e9\ud83d\ude00", 100000000000000000000]}"#);
/// assert_eq!(json.canonical(), r#"{"a": [1.0, "\u00e9\ud83d\ude00", 100000000000000000000], "b": 1e+16}"#);
/// # Ok::<(), metaxy_feature::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer or a finite float.
    Number(Number),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(JsonObject),
}

impl Json {
    /// Reads JSON text; of a key that is there twice, the last value counts, as in Python.
    ///
    /// # Errors
    ///
    /// If the text is not JSON, is nested more than 128 levels deep, holds half of a surrogate pair, or a number
    /// beyond the largest float. (Python reads the last two, as text that is not Unicode and as `null`.)
    pub fn parse(text: &str) -> Result<Self> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| messages::json_syntax(&error))?;
        parse(raw, 0)
    }

    /// The text that the versions hash: Python's `json.dumps(value, sort_keys=True)`.
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        write(&mut text, self, Keys::Sorted);
        text
    }

    /// The type in words, for messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(number) if number.is_integer() => "an integer",
            Self::Number(_) => "a float",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "a table",
        }
    }

    /// The object, if it is one.
    ///
    /// ```
    /// use metaxy_feature::Json;
    ///
    /// assert!(Json::parse("{}")?.into_object().is_some());
    /// assert!(Json::parse("[]")?.into_object().is_none());
    /// # Ok::<(), metaxy_feature::Error>(())
    /// ```
    pub fn into_object(self) -> Option<JsonObject> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write(&mut text, self, Keys::AsInserted);
        f.write_str(&text)
    }
}

/// An integer of any length or a finite float, kept as the text that Python writes for it.
///
/// ```
/// use metaxy_feature::Number;
///
/// assert_eq!(Number::from(7).as_str(), "7");
/// assert_eq!(Number::from_f64(0.00001).map(|n| n.to_string()).as_deref(), Some("1e-05"));
/// assert_eq!(Number::from_f64(f64::NAN), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number(Box<str>);

impl Number {
    /// The number as Python writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an integer.
    pub fn is_integer(&self) -> bool {
        !self.0.contains(['.', 'e'])
    }

    /// A float with Python's `repr`; `None` unless it is finite.
    pub fn from_f64(value: f64) -> Option<Self> {
        value.is_finite().then(|| Self(python_repr(value).into()))
    }

    /// The number with this JSON text; `None` beyond the largest float.
    fn from_json(text: &str) -> Option<Self> {
        if text.contains(['.', 'e', 'E']) {
            return Self::from_f64(text.parse().ok()?);
        }
        Some(Self(if text == "-0" { "0" } else { text }.into()))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(value.to_string().into())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

/// `null` for what is not finite, as in Metaxy.
impl From<f64> for Json {
    fn from(value: f64) -> Self {
        Number::from_f64(value).map_or(Self::Null, Self::Number)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(values: Vec<T>) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }
}

/// `null` for `None`.
impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<JsonObject> for Json {
    fn from(object: JsonObject) -> Self {
        Self::Object(object)
    }
}

/// An object with these keys, in this order.
pub(crate) fn object<const N: usize>(entries: [(&str, Json); N]) -> Json {
    Json::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Reads one level at a time, because only raw text keeps integers that fit no machine integer.
fn parse(raw: &RawValue, depth: usize) -> Result<Json> {
    fn inside<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T> {
        serde_json::from_str(text).map_err(|error| messages::json_inside(&error).into())
    }

    let text = raw.get();
    if depth == MAX_DEPTH && text.starts_with(['{', '[']) {
        return Err(messages::json_depth(MAX_DEPTH).into());
    }
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let entries = inside::<IndexMap<String, &RawValue>>(text)?;
            let read = |(key, raw): (String, &RawValue)| match parse(raw, depth + 1) {
                Ok(value) => Ok((key, value)),
                Err(error) => Err(error.nested_in(key.as_str())),
            };
            Json::Object(entries.into_iter().map(read).collect::<Result<_>>()?)
        }
        Some(b'[') => {
            let items = inside::<Vec<&RawValue>>(text)?.into_iter().enumerate();
            let read = |(index, raw)| parse(raw, depth + 1).map_err(|error: Error| error.nested_in(index));
            Json::Array(items.map(read).collect::<Result<_>>()?)
        }
        Some(b'"') => Json::String(inside(text)?),
        Some(b't' | b'f') => Json::Bool(inside(text)?),
        Some(b'n') => Json::Null,
        _ => Json::Number(Number::from_json(text).ok_or_else(|| messages::json_number(text))?),
    })
}

/// The order in which keys are written.
#[derive(Clone, Copy)]
enum Keys {
    AsInserted,
    /// By code point, which for UTF-8 is by byte.
    Sorted,
}

fn write(out: &mut String, json: &Json, keys: Keys) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => out.push_str(number.as_str()),
        Json::String(value) => write_string(out, value),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write(out, item, keys);
            }
            out.push(']');
        }
        Json::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            if let Keys::Sorted = keys {
                entries.sort_unstable_by_key(|(key, _)| *key);
            }
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_string(out, key);
                out.push_str(": ");
                write(out, value, keys);
            }
            out.push('}');
        }
    }
}

/// A string in quotes and ASCII, as with Python's `ensure_ascii=True`.
fn write_string(out: &mut String, value: &str) {
    out.push('"');
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// Python's `repr`: the shortest digits that give the float back, with an exponent below 1e-4 and from 1e16 on.
///
/// Rust finds the same digits but for one thing: of two shortest texts equally near to the value it takes the
/// larger one, Python the even one. So does Rust for a given number of digits; but these may give another
/// float (next to a power of two), and then only one shortest text is there to take.
fn python_repr(value: f64) -> String {
    let shortest = format!("{value:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: isize = exponent.parse().unwrap_or_default();
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let (even, text) = if (-4..16).contains(&exponent) {
        let decimals = decimals.saturating_add_signed(-exponent).max(1);
        (format!("{value:.decimals$}"), format!("{value:?}"))
    } else {
        (format!("{value:.decimals$e}"), shortest)
    };
    let text = if even.parse() == Ok(value) { even } else { text };
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
    }
}
