//! Secrets that are written in a file which others can read, too.
//!
//! Looked for in the texts as they are written: what stands in a variable is not in the file.

use metaxy_diagnostics::{Diagnostic, Location, Node, Origin, Sources, Value};

use crate::exposure::Exposure;
use crate::leftovers::Leftover;
use crate::system::System;
use crate::{expand, messages};

/// How the names of secrets end.
const ENDS: &[&str] = &[
    "access_key",
    "account_key",
    "api_key",
    "authorization",
    "connection_string",
    "encryption_key",
    "passphrase",
    "password",
    "private_key",
    "secret",
    "token",
];

/// A warning of every secret in the files of a tree whose variables are not expanded yet, where others can read the file.
/// What was `left` in a text is no secret yet.
pub(crate) fn in_files(root: &Node, left: &[Leftover], sources: &Sources, system: &dyn System) -> Vec<Diagnostic> {
    let mut search = Search { left, sources, system, seen: Vec::new(), found: Vec::new() };
    search.look(root, &mut Vec::new());
    search.found
}

struct Search<'a> {
    left: &'a [Leftover],
    sources: &'a Sources,
    system: &'a dyn System,
    /// The files that were asked about.
    seen: Vec<(usize, Option<Exposure>)>,
    found: Vec<Diagnostic>,
}

impl Search<'_> {
    fn look<'n>(&mut self, node: &'n Node, path: &mut Vec<&'n str>) {
        match &node.value {
            Value::String(text) if holds_secret(path, text) => self.report(node.origin, path),
            Value::Array(items) => items.iter().for_each(|item| self.look(item, path)),
            Value::Table(table) => {
                for entry in &table.0 {
                    // Plugins of Python have whatever they like.
                    if path.as_slice() != ["ext"] || entry.key == "rust" {
                        path.push(&entry.key);
                        self.look(&entry.node, path);
                        path.pop();
                    }
                }
            }
            _ => {}
        }
    }

    fn report(&mut self, origin: Origin, path: &[&str]) {
        if self.left.iter().any(|leftover| leftover.origin == origin) {
            return;
        }
        let Some(exposure) = self.exposure(origin) else { return };
        let store = if let ["stores", store, ..] = path { Some(*store) } else { None };
        let key = path.last().copied().unwrap_or_default();
        let diagnostic = messages::inline_secret(origin, exposure, &variable(store, key));
        self.found.push(match store {
            Some(store) => diagnostic.with_store(store),
            None => diagnostic,
        });
    }

    /// Who can read the file of an origin.
    fn exposure(&mut self, origin: Origin) -> Option<Exposure> {
        let Origin::File { file, .. } = origin else { return None };
        if let Some((_, exposure)) = self.seen.iter().find(|(seen, _)| *seen == file) {
            return *exposure;
        }
        let exposure = match self.sources.location(origin) {
            Some(Location::File { path, .. }) => self.system.exposure(&self.sources.current_dir().join(path)),
            _ => None,
        };
        self.seen.push((file, exposure));
        exposure
    }
}

/// Whether a text at a path of keys holds a secret that is written there, not only the name of a variable.
fn holds_secret(path: &[&str], text: &str) -> bool {
    let is_written = |text: &str| !expand::without_references(text).trim().is_empty();
    if is_secret(path) {
        return is_written(text);
    }
    ducklake_sql::credentials(text).into_iter().any(|range| is_written(&text[range]))
}

/// Whether the value at a path of keys is a secret.
fn is_secret(path: &[&str]) -> bool {
    let key = path.last().copied().unwrap_or_default().to_ascii_lowercase();
    // Its value is the name of a secret that Amazon keeps.
    key != "aws_rds_secret" && ENDS.iter().any(|end| key.ends_with(end))
}

/// The variable that a secret could be in.
fn variable(store: Option<&str>, key: &str) -> String {
    let words = [store.unwrap_or("METAXY_SECRET"), "_", key].concat();
    let of_name = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_uppercase() } else { '_' };
    words.chars().take(60).map(of_name).collect()
}
