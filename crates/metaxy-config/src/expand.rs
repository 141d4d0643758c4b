//! `${VAR}`, `${VAR:-default}` and `${VAR-default}` in every text of the files, after they were merged.
//!
//! As in a shell, the default counts where the variable is not set, and with `:-` also where it is empty. As in Python
//! Metaxy a default holds no `}` and no further variable; `$VAR` is plain text; keys, the value of `extend` and the values
//! of variables are not expanded.

use std::ops::Range;

use metaxy_diagnostics::{Node, Value};

use crate::system::System;

/// Expands every text below `node`, and notes in each which variables were not set or empty.
pub(crate) fn expand(node: &mut Node, system: &dyn System) {
    match &mut node.value {
        Value::String(text) => {
            if let Some(expanded) = expand_text(text, system, &mut node.unset) {
                *text = expanded;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| expand(item, system)),
        Value::Table(table) => table.0.iter_mut().for_each(|entry| expand(&mut entry.node, system)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
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

/// The names of the variables that a text refers to.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("${").filter_map(|(at, _)| Some(reference(&text[at..])?.0.name))
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
