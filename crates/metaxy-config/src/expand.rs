//! `${VAR}`, `${VAR:-default}` and `${VAR-default}` in every text of the files, after they were merged.
//!
//! As in a shell, the default counts where the variable is not set, and with `:-` also where it is empty. As in Python
//! Metaxy a default holds no `}` and no further variable; `$VAR` is plain text; keys, the value of `extend` and the values
//! of variables are not expanded.

use std::collections::HashMap;
use std::ops::Range;

use metaxy_diagnostics::{Node, Origin, Value};

use crate::system::System;

/// The texts that had references, as they are written.
#[derive(Default)]
pub(crate) struct Expanded(HashMap<(usize, usize), String>);

impl Expanded {
    /// The text at this place as it is written; `None` where it has no reference.
    pub(crate) fn written(&self, origin: Origin) -> Option<&str> {
        match origin {
            Origin::File { file, start, .. } => self.0.get(&(file, start)).map(String::as_str),
            Origin::Variable(_) | Origin::Root => None,
        }
    }

    fn add(&mut self, origin: Origin, written: String) {
        if let Origin::File { file, start, .. } = origin {
            self.0.insert((file, start), written);
        }
    }
}

/// Expands every text below `node`, and notes in each which variables were not set or empty.
pub(crate) fn expand(node: &mut Node, system: &dyn System, all: &mut Expanded) {
    match &mut node.value {
        Value::String(text) => {
            if let Some(expanded) = expand_text(text, system, &mut node.unset) {
                all.add(node.origin, std::mem::replace(text, expanded));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| expand(item, system, all)),
        Value::Table(table) => table.0.iter_mut().for_each(|entry| expand(&mut entry.node, system, all)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

/// The names of the variables that a text refers to.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while let Some(start) = rest.find("${") {
            rest = &rest[start..];
            let Some((Reference { name, .. }, after)) = reference(rest) else {
                rest = &rest[2..];
                continue;
            };
            rest = after;
            return Some(name);
        }
        None
    })
}

/// The variable whose value a text is, where it is one reference and nothing else.
pub(crate) fn only_name(text: &str) -> Option<&str> {
    let (Reference { name, .. }, after) = text.starts_with("${").then(|| reference(text)).flatten()?;
    after.is_empty().then_some(name)
}

fn expand_text(text: &str, system: &dyn System, unset: &mut Vec<String>) -> Option<String> {
    if !text.contains("${") {
        return None;
    }
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        expanded.push_str(&rest[..start]);
        rest = &rest[start..];
        let Some((reference, after)) = reference(rest) else {
            expanded.push_str("${");
            rest = &rest[2..];
            continue;
        };
        let is_default = |value: &String| value.is_empty() && reference.is_default_for_empty;
        match (system.variable(reference.name).filter(|value| !is_default(value)), reference.default) {
            (Some(value), _) => {
                if value.is_empty() {
                    unset.push(reference.name.to_owned());
                }
                expanded.push_str(&value);
            }
            (None, Some(default)) => expanded.push_str(default),
            (None, None) => unset.push(reference.name.to_owned()),
        }
        rest = after;
    }
    expanded.push_str(rest);
    Some(expanded)
}

/// What a text is without its references, with their defaults: what is written in it, whatever its variables hold.
pub(crate) fn without_references(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        kept.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some((Reference { default, .. }, after)) = reference(rest) {
            kept.push_str(default.unwrap_or_default());
            rest = after;
        } else {
            kept.push_str("${");
            rest = &rest[2..];
        }
    }
    kept.push_str(rest);
    kept
}

/// Where the names of variables are in a text, each with what is around it; defaults are left out.
pub(crate) fn references(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("${").map(|at| from + at) {
        from = at + 2;
        let Some((Reference { name, default, .. }, after)) = reference(&text[at..]) else { continue };
        let end = text.len() - after.len();
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match default {
            _ if !is_plain => {}
            None => found.push(at..end),
            Some(default) => found.extend([at..end - 1 - default.len(), end - 1..end]),
        }
        from = end;
    }
    found
}

struct Reference<'a> {
    name: &'a str,
    default: Option<&'a str>,
    /// Whether the default also counts for a variable that is set to nothing.
    is_default_for_empty: bool,
}

/// The reference that a text beginning with `${` begins with, and what follows it.
fn reference(text: &str) -> Option<(Reference<'_>, &str)> {
    let inner = &text[2..];
    let end = inner.find(['}', ':', '-'])?;
    let (name, rest) = inner.split_at(end);
    if name.is_empty() {
        return None;
    }
    if let Some(after) = rest.strip_prefix('}') {
        return Some((Reference { name, default: None, is_default_for_empty: false }, after));
    }
    let is_default_for_empty = rest.starts_with(':');
    let (default, after) = rest.strip_prefix(':').unwrap_or(rest).strip_prefix('-')?.split_once('}')?;
    Some((Reference { name, default: Some(default), is_default_for_empty }, after))
}

/// Whether a text has a `${` that is no reference, or a reference within another.
pub(crate) fn is_malformed(text: &str) -> bool {
    text.match_indices("${").any(|(at, _)| match reference(&text[at..]) {
        Some((Reference { name, default, .. }, _)) => {
            name.contains("${") || default.is_some_and(|it| it.contains("${"))
        }
        None => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemorySystem;

    #[test]
    fn only_the_names_of_variables_are_shown() {
        for (text, expected) in [
            ("${A_1}", "${A_1}"),
            ("x${A}y${B:-z}", "${A}${B:-}"),
            ("${A:-}", "${A:-}"),
            ("${a b} ${} $A ${A", ""),
            ("${A${B}}", ""),
        ] {
            assert_eq!(references(text).into_iter().map(|range| &text[range]).collect::<String>(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_left() {
        for (text, expected) in
            [("", ""), ("${A}", ""), ("a${A}b${B}", "ab"), ("${A:-b}${C:-}", "b"), ("${A", "${A"), ("${}$A", "${}$A")]
        {
            assert_eq!(without_references(text), expected, "{text}");
        }
    }

    #[test]
    fn the_names_are_those_that_are_expanded() {
        for (text, expected, only) in [
            ("${A_1}", "A_1", Some("A_1")),
            ("${A:-b}", "A", Some("A")),
            ("${A}${B:-z}", "A B", None),
            ("x${A", "", None),
            ("${${A}", "${A", Some("${A")),
            ("${A}x", "A", None),
        ] {
            assert_eq!(names(text).collect::<Vec<_>>().join(" "), expected, "{text}");
            assert_eq!(only_name(text), only, "{text}");
        }
    }

    #[test]
    fn references_expand_as_in_python() {
        let system = MemorySystem::new().var("SET", "value").var("EMPTY", "").var("A${B", "odd");
        // Each expectation is what Python Metaxy 0.1.11 returned for the same text and variables, but for the last ones.
        for (text, expected) in [
            ("${SET}", "value"),
            ("a-${SET}-${SET}", "a-value-value"),
            ("${UNSET}", ""),
            ("${UNSET:-default}", "default"),
            ("${UNSET:-}", ""),
            ("${UNSET:-a:b}", "a:b"),
            ("${UNSET:-${SET}}", "${SET}"),
            ("$SET ${} ${:-x} ${SET", "$SET ${} ${:-x} ${SET"),
            ("${SET:x}", "${SET:x}"),
            ("${A${B}", "odd"),
            ("${:${SET}", "${:value"),
            ("$${SET}", "$value"),
            ("${EMPTY:-default}", "default"),
            ("${EMPTY-default}", ""),
            ("${UNSET-default}", "default"),
            ("${UNSET-http://a:-b}", "http://a:-b"),
            ("${SET-default}", "value"),
            ("${-x}", "${-x}"),
        ] {
            let expanded = expand_text(text, &system, &mut Vec::new());
            assert_eq!(expanded.as_deref().unwrap_or(text), expected, "{text}");
        }
    }
}
