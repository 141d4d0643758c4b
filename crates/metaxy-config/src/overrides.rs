//! `METAXY_*` variables laid over what the files say: `METAXY_STORES__DEV__CONFIG__DATABASE`.
//!
//! Names are read without regard to case, so `DEV` reaches a store that a file calls `Dev`; a store that no file knows gets
//! the name in lower case. A value that is a JSON object is merged into the table at its place; everything else stays the
//! text it is, and is read as its field wants it. Values are not expanded.

use std::collections::HashSet;

use metaxy_diagnostics::{Diagnostic, Entry, Node, Origin, Sources, Table, Value};

use crate::decode::from_json;
use crate::messages;
use crate::options::Options;
use crate::system::System;
use crate::variables::{METAXY_CONFIG, METAXY_EXTENSION_DIRECTORY, OF_PYTHON, PREFIX, SEPARATOR};

/// Keys of the root that hold tables, so that a variable may go on below them.
const TABLES: &[&str] = &["stores", "ext"];

/// No configuration is as deep as this, and a deeper name could only exhaust the stack.
const DEEPEST: usize = 64;

/// Lays every override over `root`, the shorter names first.
pub(crate) fn apply(root: &mut Table, system: &dyn System, sources: &mut Sources, diagnostics: &mut Vec<Diagnostic>) {
    let mut overrides: Vec<(Vec<String>, String, String)> = Vec::new();
    for (name, value) in system.variables() {
        let upper = name.to_ascii_uppercase();
        let Some(rest) = upper.strip_prefix(PREFIX).map(|rest| &name[name.len() - rest.len()..]) else { continue };
        let path: Vec<String> = rest.split(SEPARATOR).map(str::to_owned).collect();
        let first = path[0].to_ascii_lowercase();
        let is_nested = path.len() > 1;
        // `extend` is followed in files only.
        let is_key = Options::KEYS.contains(&first.as_str()) && first != "extend";
        let leads_nowhere =
            !TABLES.contains(&first.as_str()) || path.iter().any(String::is_empty) || path.len() > DEEPEST;
        if is_nested && leads_nowhere {
            let origin = sources.add_variable(name.clone());
            diagnostics.push(messages::unknown_variable(origin, &name, &first, TABLES));
        } else if is_key {
            overrides.push((path, name, value));
        }
    }
    overrides.sort_by(|left, right| (left.0.len(), &left.1).cmp(&(right.0.len(), &right.1)));
    for (path, name, value) in overrides {
        let origin = sources.add_variable(name);
        put(root, &path, value, origin);
    }
}

/// All variables that are read, where this is one `METAXY_…` that is not among them.
pub(crate) fn unread(name: &str, of_program: &[String], referenced: &HashSet<String>) -> Option<Vec<String>> {
    let upper = name.to_ascii_uppercase();
    // Those with two underscores override the configuration, or are told of as such.
    if !upper.starts_with(PREFIX) || upper.contains(SEPARATOR) || referenced.contains(name) {
        return None;
    }
    let keys = Options::KEYS.iter().filter(|key| **key != "extend");
    let own = [METAXY_CONFIG, METAXY_EXTENSION_DIRECTORY].map(str::to_owned);
    let mut known: Vec<String> = keys.map(|key| [PREFIX, &key.to_ascii_uppercase()].concat()).chain(own).collect();
    let is_known = |known: &str| match known.strip_suffix('*') {
        Some(start) => upper.starts_with(start),
        None => upper == known,
    };
    if of_program.iter().any(|known| is_known(known)) || OF_PYTHON.iter().any(|known| is_known(known)) {
        return None;
    }
    let is_read = known.iter().any(|known| is_known(known));
    known.extend(of_program.iter().filter(|name| !name.ends_with('*')).cloned());
    (!is_read).then_some(known)
}

fn put(table: &mut Table, path: &[String], value: String, origin: Origin) {
    let Some((segment, rest)) = path.split_first() else { return };
    let lower = segment.to_ascii_lowercase();
    let same = [
        table.0.iter().position(|entry| entry.key == *segment),
        table.0.iter().position(|entry| entry.key == lower),
        table.0.iter().position(|entry| entry.key.eq_ignore_ascii_case(segment)),
    ];
    let position = same.into_iter().flatten().next().unwrap_or_else(|| {
        let node = Node::new(Value::Table(Table::default()), origin);
        table.0.push(Entry { key: lower, key_origin: origin, node });
        table.0.len() - 1
    });
    let entry = &mut table.0[position];
    if rest.is_empty() {
        match (&mut entry.node.value, from_json(&value, origin)) {
            (Value::Table(below), Some(Node { value: Value::Table(above), .. })) => merge(below, above),
            _ => entry.node = Node::new(Value::String(value), origin),
        }
    } else {
        if !matches!(entry.node.value, Value::Table(_)) {
            entry.node = Node::new(Value::Table(Table::default()), origin);
        }
        if let Value::Table(inner) = &mut entry.node.value {
            put(inner, rest, value, origin);
        }
    }
}

/// Lays one table over another, at every depth.
fn merge(below: &mut Table, above: Table) {
    for entry in above.0 {
        match below.0.iter_mut().find(|old| old.key == entry.key) {
            Some(Entry { node: Node { value: Value::Table(below), .. }, .. })
                if matches!(entry.node.value, Value::Table(_)) =>
            {
                if let Value::Table(above) = entry.node.value {
                    merge(below, above);
                }
            }
            _ => below.set(entry),
        }
    }
}
