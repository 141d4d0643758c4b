//! Variables that are not set, in the middle of a text.

use metaxy_diagnostics::{Node, Value};

use crate::scope::Scope;
use crate::{local_paths, messages, store};

/// Reports every text in which a variable that is not set leaves a hole, in a path as an error: what is left of it may be
/// the root of the machine. An empty text is its field's business.
pub(crate) fn check(root: &Node, scope: &mut Scope<'_>) {
    search(root, &mut Vec::new(), &|keys| is_path(keys, root), scope);
}

fn search<'n>(node: &'n Node, path: &mut Vec<&'n str>, is_path: &dyn Fn(&[&str]) -> bool, scope: &mut Scope<'_>) {
    match &node.value {
        Value::String(text) if !text.is_empty() && !node.unset.is_empty() => {
            let unset = node.unset.iter().filter(|name| scope.system.variable(name).is_none());
            let mut of = node.clone();
            of.unset = unset.cloned().collect();
            if !of.unset.is_empty() {
                let diagnostic =
                    if is_path(path) { messages::unset_in_path(&of) } else { messages::unset_variable(&of) };
                scope.context.report(match path.as_slice() {
                    ["stores", store, ..] => diagnostic.with_store(*store),
                    _ => diagnostic,
                });
            }
        }
        Value::Array(items) => items.iter().for_each(|item| search(item, path, is_path, scope)),
        Value::Table(table) => {
            for entry in &table.0 {
                path.push(&entry.key);
                search(&entry.node, path, is_path, scope);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Whether the text at a path of keys is a path itself, as far as keys are known here.
fn is_path(keys: &[&str], root: &Node) -> bool {
    let type_of = |store: &str| {
        let store = root.as_table()?.get("stores")?.as_table()?.get(store)?;
        match &store.as_table()?.get("type")?.value {
            Value::String(kind) => Some(kind.as_str()),
            _ => None,
        }
    };
    let of_other = |store: &str| type_of(store).is_some_and(|kind| !store::is_duckdb(kind));
    match keys {
        ["stores", store, ..] if of_other(store) => false,
        ["metaxy_lock_path"] | ["ext", "rust", "features"] | ["stores", _, "config", "database"] => true,
        ["stores", _, "config", "config", setting] => store::PATHS.contains(setting),
        ["stores", _, "config", "ducklake", _, key] => ["uri", "path", "data_path", "prefix", "scope"].contains(key),
        ["stores", _, "config", "ducklake", _, "secret_parameters", key] => local_paths::FILES.contains(key),
        _ => false,
    }
}
