//! From the text of one file to a tree that knows where everything was written.
//!
//! All syntax errors are reported at once, up to a hundred. Their text comes from the parser's fixed messages, never from
//! the file.

use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use crate::diagnostic::Diagnostic;
use crate::mask::Visibility;
use crate::tree::{Entry, Node, Origin, Scalar, Source, Sources, Span, Table, Value};

/// A file with more errors than this is no TOML at all, and the rest would say nothing new.
const MOST_ERRORS: usize = 100;

impl Sources {
    /// Parses a file and adds it. What is wrong with its syntax is added to `diagnostics`; what could be read all the same
    /// is in the table.
    pub fn parse(
        &mut self,
        path: impl Into<PathBuf>,
        text: String,
        visibility: Visibility,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Table {
        let file = self.files.len();
        let (document, errors) = DeTable::parse_recoverable(&text);
        diagnostics.extend(errors.iter().take(MOST_ERRORS).map(|error| {
            let Span { start, end } = error.span().unwrap_or(text.len()..text.len());
            Diagnostic::syntax(error.message()).with_origin(Origin::File { file, start, end })
        }));
        let mut walk = Walk { file, text: &text, visibility, path: Vec::new(), scalars: Vec::new(), keys: Vec::new() };
        let table = walk.table(document.get_ref());
        let Walk { scalars, keys, .. } = walk;
        let scalars = errors.is_empty().then_some(scalars);
        self.files.push(Source { path: path.into(), scalars, keys, visibility, text });
        table
    }
}

/// A walk over a parsed file, which notes where values and keys are, for masking.
struct Walk<'a> {
    file: usize,
    text: &'a str,
    visibility: Visibility,
    /// The keys that lead to the value.
    path: Vec<&'a str>,
    scalars: Vec<Scalar>,
    keys: Vec<Span>,
}

impl<'a> Walk<'a> {
    fn table(&mut self, table: &'a DeTable<'_>) -> Table {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let Span { start, end } = key.span();
            self.keys.push(start..end);
            let key_origin = Origin::File { file: self.file, start, end };
            let key: &str = key.get_ref();
            self.path.push(key);
            let mut node = self.node(value.get_ref(), value.span());
            self.path.pop();
            if let Value::Table(_) = node.value {
                node.origin = key_origin;
            }
            entries.push(Entry { key: key.to_owned(), key_origin, node });
        }
        Table(entries)
    }

    fn node(&mut self, value: &'a DeValue<'_>, span: Span) -> Node {
        let origin = Origin::File { file: self.file, start: span.start, end: span.end };
        if !matches!(value, DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_)) {
            let is_harmless =
                (self.visibility.is_harmless)(&self.path, self.text.get(span.clone()).unwrap_or_default());
            self.scalars.push(Scalar { span, is_harmless });
        }
        let value = match value {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Integer(integer) => {
                // What does not fit here fits nowhere: the target reports it as out of range.
                Value::Integer(i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX))
            }
            DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(boolean) => Value::Boolean(*boolean),
            DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
            DeValue::Array(items) => {
                Value::Array(items.iter().map(|item| self.node(item.get_ref(), item.span())).collect())
            }
            DeValue::Table(inner) => Value::Table(self.table(inner)),
        };
        Node::new(value, origin)
    }
}
