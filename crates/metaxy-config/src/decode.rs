//! From a tree to the `Options` types: types, coercion of text, unknown keys.
//!
//! Decoding never stops at the first error: what is wrong is reported and left out, everything else is decoded. A
//! message says what kind of value was found, never the value itself.
//!
//! Serde is not used here on purpose: a derived `Deserialize` stops at the first error, has no place for positions, and
//! may echo a value. The [`options!`] macro does for a struct what the derive would, and fails to compile when a field
//! is forgotten.

use ducklake_sql::{FreeTable, Parameters, Secret, Value as LakeValue};
use metaxy_diagnostics::{Diagnostic, Entry, Node, Origin, Table, Value};

use crate::messages;

/// Collects what is wrong while a tree is decoded.
#[derive(Default)]
pub(crate) struct Context {
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Where something was found that could not be decoded: later stages say nothing more about it.
    pub(crate) bad: Vec<Origin>,
}

impl Context {
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports a value that is of no use; `None`, to be returned.
    pub(crate) fn reject<T>(&mut self, node: &Node, diagnostic: Diagnostic) -> Option<T> {
        self.bad.push(node.origin);
        self.diagnostics.push(diagnostic);
        None
    }

    fn wrong_type<T>(&mut self, node: &Node, expected: &str) -> Option<T> {
        self.reject(node, Diagnostic::wrong_type(expected, node.value.kind()).with_origin(node.origin))
    }
}

/// A type that can be read from a tree.
pub(crate) trait Decode: Sized {
    fn decode(node: &Node, context: &mut Context) -> Option<Self>;
}

/// A type that can be shown, secrets masked; `None` when there is nothing to show.
pub(crate) trait Show {
    fn show(&self) -> Option<serde_json::Value>;
}

/// Implements [`Decode`] for a struct whose fields are all `Option`, one per key; unknown keys are reported. After `shown`,
/// implements [`Show`] as well.
macro_rules! options {
    (shown $type:ident { $($field:ident),+ $(,)? }) => {
        $crate::decode::options!($type { $($field),+ });

        impl $crate::decode::Show for $type {
            fn show(&self) -> Option<serde_json::Value> {
                let mut object = serde_json::Map::new();
                $(
                    let shown = $crate::decode::Show::show(&self.$field);
                    object.extend(shown.map(|shown| (stringify!($field).to_owned(), shown)));
                )+
                Some(object.into())
            }
        }
    };
    ($type:ident { $($field:ident),+ $(,)? }) => {
        impl $type {
            pub(crate) const KEYS: &[&str] = &[$(stringify!($field)),+];
        }

        impl $crate::decode::Decode for $type {
            fn decode(node: &metaxy_diagnostics::Node, context: &mut $crate::decode::Context) -> Option<Self> {
                let table = $crate::decode::table(node, context)?;
                $crate::decode::refuse_unknown(table, Self::KEYS, context);
                Some(Self { $($field: $crate::decode::field(table, stringify!($field), context)),+ })
            }
        }
    };
}
pub(crate) use options;

/// The value of a field, where it is given and of the right type.
pub(crate) fn field<T: Decode>(table: &Table, key: &str, context: &mut Context) -> Option<T> {
    table.get(key).and_then(|node| T::decode(node, context))
}

/// A table. One that a variable holds as JSON was read when the variables were.
pub(crate) fn table<'a>(node: &'a Node, context: &mut Context) -> Option<&'a Table> {
    match &node.value {
        Value::Table(table) => Some(table),
        Value::String(_) if is_variable(node) => context.reject(node, messages::not_json(node.origin, "a table")),
        _ => context.wrong_type(node, "a table"),
    }
}

/// Reports every key that is not among `known`.
pub(crate) fn refuse_unknown(table: &Table, known: &[&str], context: &mut Context) {
    for entry in &table.0 {
        if !known.contains(&entry.key.as_str()) {
            context.report(Diagnostic::unknown_key(&entry.key, known).with_origin(entry.key_origin));
        }
    }
}

fn is_variable(node: &Node) -> bool {
    matches!(node.origin, Origin::Variable(_))
}

/// JSON as a tree, `null` left out: that is what a variable holds where a list or a table is wanted.
pub(crate) fn from_json(text: &str, origin: Origin) -> Option<Node> {
    fn node(json: serde_json::Value, origin: Origin) -> Option<Node> {
        let value = match json {
            serde_json::Value::Null => return None,
            serde_json::Value::Bool(boolean) => Value::Boolean(boolean),
            serde_json::Value::Number(number) => match number.as_i128() {
                Some(integer) => Value::Integer(integer),
                None => Value::Float(number.as_f64()?),
            },
            serde_json::Value::String(text) => Value::String(text),
            serde_json::Value::Array(items) => {
                Value::Array(items.into_iter().filter_map(|item| node(item, origin)).collect())
            }
            serde_json::Value::Object(entries) => {
                let entries = entries
                    .into_iter()
                    .filter_map(|(key, value)| Some(Entry { key, key_origin: origin, node: node(value, origin)? }));
                Value::Table(Table(entries.collect()))
            }
        };
        Some(Node::new(value, origin))
    }
    node(serde_json::from_str(text).ok()?, origin)
}

impl Decode for String {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        match &node.value {
            Value::String(text) => Some(text.clone()),
            _ => context.wrong_type(node, "a string"),
        }
    }
}

impl Decode for Secret {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        String::decode(node, context).map(Secret::from)
    }
}

impl Decode for bool {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        match &node.value {
            Value::Boolean(boolean) => Some(*boolean),
            Value::Integer(0) => Some(false),
            Value::Integer(1) => Some(true),
            Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
                "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
                _ => context.reject(node, messages::not_a(node, "a boolean")),
            },
            _ => context.wrong_type(node, "a boolean"),
        }
    }
}

impl Decode for i64 {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        integer(node, i64::MIN, i64::MAX, context)
    }
}

/// A port, the only integer of this type; none is 0.
impl Decode for u16 {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        integer(node, 1, u16::MAX, context)
    }
}

fn integer<T>(node: &Node, least: T, most: T, context: &mut Context) -> Option<T>
where
    T: Copy + PartialOrd + TryFrom<i128> + std::fmt::Display,
{
    let number = match &node.value {
        Value::Integer(number) => *number,
        Value::String(text) => match text.trim().parse() {
            Ok(number) => number,
            Err(_) => return context.reject(node, messages::not_a(node, "an integer")),
        },
        _ => return context.wrong_type(node, "an integer"),
    };
    match T::try_from(number) {
        Ok(number) if (least..=most).contains(&number) => Some(number),
        _ => context.reject(node, Diagnostic::out_of_range(&least, &most).with_origin(node.origin)),
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        let parsed;
        let items = match &node.value {
            Value::Array(items) => items,
            Value::String(text) if is_variable(node) => match from_json(text, node.origin) {
                Some(Node { value: Value::Array(items), .. }) => {
                    parsed = items;
                    &parsed
                }
                _ => return context.reject(node, messages::not_json(node.origin, "a list")),
            },
            _ => return context.wrong_type(node, "a list"),
        };
        Some(items.iter().filter_map(|item| T::decode(item, context)).collect())
    }
}

/// An element of a list, with the node it came from: those that could not be decoded are left out.
pub(crate) struct Located<T> {
    pub(crate) node: Node,
    pub(crate) value: T,
}

impl<T: Decode> Decode for Located<T> {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        Some(Self { node: node.clone(), value: T::decode(node, context)? })
    }
}

/// A table whose keys are names, in the order it was written.
#[derive(Clone, Debug)]
pub(crate) struct Map<T>(pub(crate) Vec<(String, T)>);

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Decode> Decode for Map<T> {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        let table = table(node, context)?;
        let decode = |entry: &Entry| Some((entry.key.clone(), T::decode(&entry.node, context)?));
        Some(Self(table.0.iter().filter_map(decode).collect()))
    }
}

/// A value of any type, for options that only DuckDB knows.
impl Decode for LakeValue {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        Some(match &node.value {
            Value::String(text) if is_variable(node) && text.trim_start().starts_with(['[', '{']) => {
                match from_json(text, node.origin) {
                    Some(parsed) => return Self::decode(&parsed, context),
                    None => Self::Text(text.clone()),
                }
            }
            Value::String(text) | Value::Datetime(text) => Self::Text(text.clone()),
            Value::Integer(number) => match i64::try_from(*number) {
                Ok(number) => Self::Integer(number),
                Err(_) => {
                    return context
                        .reject(node, Diagnostic::out_of_range(&i64::MIN, &i64::MAX).with_origin(node.origin));
                }
            },
            Value::Float(number) => Self::Text(number.to_string()),
            Value::Boolean(boolean) => Self::Boolean(*boolean),
            Value::Array(items) => Self::List(items.iter().filter_map(|item| Self::decode(item, context)).collect()),
            Value::Table(table) => {
                let decode = |entry: &Entry| Some((entry.key.clone(), Self::decode(&entry.node, context)?));
                Self::Map(table.0.iter().filter_map(decode).collect())
            }
        })
    }
}

/// What is not known to be harmless is a secret from here on.
impl Decode for Parameters {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        let parameters = Map::<LakeValue>::decode(node, context)?.0.into_iter().map(|(name, value)| {
            let value = match value {
                // DuckDB reads a number from a text, and a password may be all digits.
                LakeValue::Integer(number) if !FreeTable::SecretParameters.is_harmless(&name) => {
                    Secret::from(number.to_string()).into()
                }
                other => other,
            };
            (name, value)
        });
        Some(parameters.collect())
    }
}

/// Options of `ATTACH`, in which what is not known to be harmless is a secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttachPairs(pub(crate) Vec<(String, LakeValue)>);

impl Decode for AttachPairs {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        let pairs = Map::<LakeValue>::decode(node, context)?.0.into_iter();
        let hide = |(name, value): (String, LakeValue)| {
            let value = FreeTable::AttachOptions.hide(&name, value);
            (name, value)
        };
        Some(Self(pairs.map(hide).collect()))
    }
}

impl Show for AttachPairs {
    fn show(&self) -> Option<serde_json::Value> {
        let entries = self.0.iter().filter_map(|(key, value)| Some((key.clone(), value.show()?)));
        Some(entries.collect::<serde_json::Map<_, _>>().into())
    }
}

macro_rules! show_as_json {
    ($($type:ty),+) => {$(
        impl Show for $type {
            fn show(&self) -> Option<serde_json::Value> {
                serde_json::to_value(self).ok()
            }
        }
    )+};
}

// A `Secret` serializes as `***`.
show_as_json!(String, i64, LakeValue);

impl<T: Show> Show for Option<T> {
    fn show(&self) -> Option<serde_json::Value> {
        self.as_ref().and_then(Show::show)
    }
}

impl<T: Show> Show for Vec<T> {
    fn show(&self) -> Option<serde_json::Value> {
        Some(self.iter().filter_map(Show::show).collect::<Vec<_>>().into())
    }
}
