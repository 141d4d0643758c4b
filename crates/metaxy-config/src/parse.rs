//! From the text of one file to a tree that knows where everything was written.
//!
//! All syntax errors are reported at once, up to a hundred. Their text comes from the parser's fixed messages, never from the file.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::diagnostic::Diagnostic;
use crate::messages;
use crate::node::{Entry, Node, Origin, Source, Span, Table, Value};

/// A file with more errors than this is no TOML at all, and the rest would say nothing new.
const MOST_ERRORS: usize = 100;

/// Parses a file, which becomes the `file`th source.
pub(crate) fn parse(path: &Path, text: String, file: usize) -> (Source, Table, Vec<Diagnostic>) {
    let (document, errors) = DeTable::parse_recoverable(&text);
    let diagnostics: Vec<_> = errors
        .iter()
        .take(MOST_ERRORS)
        .map(|error| {
            let Span { start, end } = error.span().unwrap_or(text.len()..text.len());
            messages::syntax(Origin::File { file, start, end }, error.message())
        })
        .collect();
    let mut spans = Spans::default();
    let table = table(document.get_ref(), file, &mut spans);
    let broken = !diagnostics.is_empty();
    let scalars = (!broken).then_some(spans.scalars);
    (Source { path: path.to_owned(), scalars, keys: spans.keys, text }, table, diagnostics)
}

/// Where the values and keys are, for masking.
#[derive(Default)]
struct Spans {
    scalars: Vec<Span>,
    keys: Vec<Span>,
}

fn table(table: &DeTable<'_>, file: usize, spans: &mut Spans) -> Table {
    let entries = table.iter().map(|(key, value)| {
        spans.keys.push(key.span());
        let key_origin = Origin::File { file, start: key.span().start, end: key.span().end };
        let mut node = node(value.get_ref(), value.span(), file, spans);
        if let Value::Table(_) = node.value {
            node.origin = key_origin;
        }
        Entry { key: key.get_ref().to_string(), key_origin, node }
    });
    Table(entries.collect())
}

fn node(value: &DeValue<'_>, span: Span, file: usize, spans: &mut Spans) -> Node {
    let origin = Origin::File { file, start: span.start, end: span.end };
    let is_secret = !matches!(value, DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_));
    if is_secret {
        spans.scalars.push(span);
    }
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => {
            // What does not fit here fits nowhere: the target reports it as out of range.
            Value::Integer(i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX))
        }
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
        DeValue::Array(array) => {
            Value::Array(array.iter().map(|item| node(item.get_ref(), item.span(), file, spans)).collect())
        }
        DeValue::Table(inner) => Value::Table(table(inner, file, spans)),
    };
    Node::new(value, origin)
}
