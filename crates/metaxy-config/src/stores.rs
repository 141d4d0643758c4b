//! The stores of a configuration, each resolved alone, then compared with each other.

use std::sync::Arc;

use metaxy_diagnostics::{Diagnostics, Entry, Node, Origin, Table, Value};

use crate::config::{StoreEntry, StoreState, masked};
use crate::decode::Decode;
use crate::scope::Scope;
use crate::trust::{self, Need};
use crate::{messages, store};

/// A store on its way, with what is compared between stores.
struct Candidate<'a> {
    entry: &'a Entry,
    type_name: Option<String>,
    state: CandidateState,
}

enum CandidateState {
    DuckDb(Box<store::Resolved>),
    Other(serde_json::Value),
    Broken,
}

/// The stores, and what in them needs trust.
pub(crate) fn resolve(
    node: Option<&Node>,
    auto_create_tables: bool,
    migrations: &[(String, String)],
    scope: &mut Scope<'_>,
) -> (Vec<StoreEntry>, Vec<Need>) {
    let Some(node) = node else { return (Vec::new(), Vec::new()) };
    let Some(table) = crate::decode::table(node, &mut scope.context) else { return (Vec::new(), Vec::new()) };
    let mut candidates = Vec::new();
    let mut needs = trust::of_stores(node, scope);
    for entry in &table.0 {
        if let Some(config) = entry.node.as_table().and_then(|store| store.get("config")) {
            needs.extend(trust::of_store(&entry.key, config, scope));
        }
        let before = scope.context.diagnostics.len();
        let candidate = candidate(entry, auto_create_tables, scope);
        for diagnostic in &mut scope.context.diagnostics[before..] {
            diagnostic.add_store(&entry.key);
        }
        candidates.extend(candidate);
    }
    check_fallbacks(&candidates, scope);
    check_data_paths(&candidates, migrations, scope);
    let nothing = || Diagnostics::new(Vec::new(), Arc::clone(scope.sources));
    let entries = candidates
        .into_iter()
        .map(|candidate| StoreEntry {
            name: candidate.entry.key.clone(),
            type_name: candidate.type_name,
            state: match candidate.state {
                CandidateState::DuckDb(resolved) => StoreState::Ready(Box::new(resolved.store)),
                CandidateState::Other(shown) => StoreState::Other(shown),
                CandidateState::Broken => StoreState::Broken(nothing()),
            },
        })
        .collect();
    (entries, needs)
}

/// One store; `None` when only variables name it, and not its type.
fn candidate<'a>(entry: &'a Entry, auto_create_tables: bool, scope: &mut Scope<'_>) -> Option<Candidate<'a>> {
    let broken = |type_name| Some(Candidate { entry, type_name, state: CandidateState::Broken });
    if entry.key.is_empty() {
        scope.context.report(messages::invalid_store_name(entry.key_origin, "is empty"));
    } else if entry.key.chars().any(char::is_control) {
        scope.context.report(messages::invalid_store_name(entry.key_origin, "holds a control character"));
    }
    let Some(table) = crate::decode::table(&entry.node, &mut scope.context) else { return broken(None) };
    crate::decode::refuse_unknown(table, &["type", "config"], &mut scope.context);
    let empty = Node::new(Value::Table(Table::default()), entry.node.origin);
    let config = table.get("config").unwrap_or(&empty);
    let Some(type_node) = table.get("type") else {
        if matches!(entry.key_origin, Origin::Variable(_)) {
            scope.context.report(messages::store_left_out(entry.key_origin, &entry.key));
            return None;
        }
        scope.context.report(messages::missing_store_type(entry.node.origin, &entry.key));
        return broken(None);
    };
    let Some(type_name) = String::decode(type_node, &mut scope.context) else { return broken(None) };
    scope.is_for_python = type_name.contains('.');
    let state = if store::is_duckdb(&type_name) {
        match store::resolve(&entry.key, config, auto_create_tables, scope) {
            Some(resolved) => CandidateState::DuckDb(Box::new(resolved)),
            None => CandidateState::Broken,
        }
    } else if type_name.contains('.') {
        scope.context.report(messages::unsupported_store(type_node.origin, &entry.key));
        CandidateState::Other(masked(&config.value))
    } else {
        scope.context.report(messages::invalid_choice(type_node.origin, &type_name, &["duckdb"]));
        CandidateState::Broken
    };
    Some(Candidate { entry, type_name: Some(type_name), state })
}

/// Every fallback store is configured, hashes alike, and leads to no cycle.
fn check_fallbacks(candidates: &[Candidate<'_>], scope: &mut Scope<'_>) {
    let names: Vec<_> = candidates.iter().map(|candidate| candidate.entry.key.as_str()).collect();
    let store_of = |name: &str| {
        candidates.iter().find_map(|candidate| match &candidate.state {
            CandidateState::DuckDb(resolved) if candidate.entry.key == name => Some(resolved),
            _ => None,
        })
    };
    for name in &names {
        let Some(own) = store_of(name) else { continue };
        for (fallback, origin) in &own.fallbacks {
            let mut diagnostics = Vec::new();
            if !names.contains(&fallback.as_str()) {
                diagnostics.push(messages::unknown_fallback(*origin, fallback, &names));
            } else if let Some(chain) = fallback_cycle(name, fallback, &store_of) {
                diagnostics.push(messages::fallback_cycle(*origin, &chain));
            } else if let Some(other) = store_of(fallback) {
                let (hash, other_hash) = (own.store.hash_algorithm, other.store.hash_algorithm);
                if hash != other_hash {
                    let (hash, other_hash) = (hash.as_str(), other_hash.as_str());
                    diagnostics.push(messages::fallback_hash(*origin, hash, fallback, other_hash));
                }
            }
            for diagnostic in diagnostics {
                scope.context.report(diagnostic.with_store(*name));
            }
        }
    }
}

/// The chain of fallbacks that leads from `start` over `next` back to `start`.
fn fallback_cycle<'a>(
    start: &'a str,
    next: &'a str,
    store_of: &impl Fn(&str) -> Option<&'a Box<store::Resolved>>,
) -> Option<Vec<&'a str>> {
    // Breadth first: what each store was reached from.
    let mut reached: Vec<(&str, usize)> = vec![(start, 0), (next, 0)];
    let mut at = 1;
    while let Some(&(name, _)) = reached.get(at) {
        if name == start {
            let mut chain = vec![start];
            let mut step = reached[at].1;
            while step > 0 {
                chain.push(reached[step].0);
                step = reached[step].1;
            }
            chain.push(start);
            chain.reverse();
            return Some(chain);
        }
        for fallback in store_of(name).map(|it| it.store.fallback_stores.as_slice()).unwrap_or_default() {
            let is_new = fallback == start || reached.iter().all(|(known, _)| known != fallback);
            if is_new {
                reached.push((fallback, at));
            }
        }
        at += 1;
    }
    None
}

/// Whether the lake of one store is moved into the other, by as many moves as there may be.
pub(crate) fn is_moved<'m>(from: &str, mut into: &'m str, migrations: &'m [(String, String)]) -> bool {
    // Each leads one store back; what leads back to itself ends.
    for _ in migrations {
        let Some((_, source)) = migrations.iter().find(|(target, _)| target == into) else { return false };
        if source == from {
            return true;
        }
        into = source;
    }
    false
}

/// No two different lakes have overlapping data paths, unless one is moved into the catalog of the other.
fn check_data_paths(candidates: &[Candidate<'_>], migrations: &[(String, String)], scope: &mut Scope<'_>) {
    let are_one = |one: &str, other: &str| is_moved(one, other, migrations) || is_moved(other, one, migrations);
    let identities: Vec<_> = candidates
        .iter()
        .filter_map(|candidate| match &candidate.state {
            CandidateState::DuckDb(resolved) => Some((candidate.entry.key.as_str(), resolved.identity.as_ref()?)),
            _ => None,
        })
        .collect();
    for (index, (other_name, other)) in identities.iter().enumerate() {
        for (name, identity) in &identities[index + 1..] {
            let is_migration = are_one(name, other_name) && identity.shares_data(other);
            if identity.overlaps(other) && !is_migration {
                let diagnostic = messages::overlapping(identity.origin, name, other.origin, other_name);
                scope.context.report(diagnostic.with_store(*name).with_store(*other_name));
            }
        }
    }
}
