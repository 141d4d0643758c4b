//! Which files make up a configuration, and their texts merged into one tree.
//!
//! The order is that of Python Metaxy: find the file, follow `extend`, merge, expand `${VAR}`, apply `METAXY_*`.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use metaxy_diagnostics::{Diagnostic, Entry, Node, Origin, Sources, Table, Value, Visibility};

use crate::config::LoadOptions;
use crate::expand::Expanded;
use crate::leftovers::{self, Leftover};
use crate::system::{System, VariableSource, unreadable};
use crate::{expand, inline_secrets, messages, options, overrides, path, variables};

pub(crate) const METAXY_TOML: &str = "metaxy.toml";
pub(crate) const PYPROJECT_TOML: &str = "pyproject.toml";

/// How many files may inherit from each other: each costs stack, and nobody needs as many.
const LONGEST_CHAIN: usize = 32;

/// A secret may be anywhere, so a value is shown only where its key is known to be harmless, or a diagnostic says that it
/// is no secret.
const VISIBILITY: Visibility = Visibility {
    is_key: options::is_known_word,
    is_harmless: options::is_harmless,
    credentials: ducklake_sql::credentials,
    references: expand::references,
};

/// The whole of a configuration, before it is decoded.
pub(crate) struct Tree {
    pub(crate) root: Node,
    pub(crate) sources: Sources,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) leftovers: Vec<Leftover>,
    pub(crate) expanded: Expanded,
}

/// Reads all that belongs to a configuration. What is wrong with its files is in the diagnostics.
pub(crate) fn load(system: &dyn System, options: &LoadOptions) -> Tree {
    let current_dir = system.current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let sources = Sources::new(current_dir);
    let mut loader = Loader { system, sources, diagnostics: Vec::new(), referenced: HashSet::new() };
    let found = loader.discover(options.config_file.as_deref());
    let mut table = Table::default();
    if let Some(found) = &found {
        table = loader.read_named(found);
    }
    let mut root = Node::new(Value::Table(table), Origin::Root);
    let mut leftovers = leftovers::in_files(&root, system);
    let inline = inline_secrets::in_files(&root, &leftovers, &loader.sources, system);
    loader.diagnostics.extend(inline);
    let mut expanded = Expanded::default();
    expand::expand(&mut root, system, &mut expanded);
    if let Value::Table(table) = &mut root.value {
        overrides::apply(table, system, &mut loader.sources, &mut loader.diagnostics);
    }
    leftovers.extend(leftovers::in_variables(&root, system));
    if let Some(known) = &options.known_variables {
        for (name, _) in system.variables() {
            if let Some(known) = overrides::unread(&name, known, &loader.referenced) {
                let origin = loader.sources.add_variable(name.clone());
                loader.diagnostics.push(messages::unread_variable(origin, &name, &known));
            }
        }
    }
    let Loader { sources, diagnostics, .. } = loader;
    Tree { root, sources, diagnostics, config_file: found.map(|found| found.path), leftovers, expanded }
}

/// The file to begin with, and the variable that named it.
struct Found {
    path: PathBuf,
    variable: Option<Origin>,
    /// Whether the person named it, so that it may be a pipe.
    is_named: bool,
}

struct Loader<'a> {
    system: &'a dyn System,
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
    /// The variables that the files refer to, also where a value does not count in the end.
    referenced: HashSet<String>,
}

impl Loader<'_> {
    fn discover(&mut self, explicit: Option<&Path>) -> Option<Found> {
        if let Some(path) = self.system.variable(variables::METAXY_CONFIG).filter(|path| !path.is_empty()) {
            let variable = Some(self.sources.add_variable(variables::METAXY_CONFIG));
            let path = path::absolute(&path, self.sources.current_dir(), self.system);
            let is_named = self.system.source_of(variables::METAXY_CONFIG) == VariableSource::Environment;
            return Some(Found { path, variable, is_named });
        }
        if let Some(path) = explicit {
            let path = path::lexical(&self.sources.current_dir().join(path));
            return Some(Found { path, variable: None, is_named: true });
        }
        let path = self.sources.current_dir().ancestors().find_map(|dir| {
            let metaxy = dir.join(METAXY_TOML);
            if self.system.is_file(&metaxy) {
                return Some(metaxy);
            }
            let pyproject = dir.join(PYPROJECT_TOML);
            (self.system.is_file(&pyproject) && self.has_metaxy(&pyproject)).then_some(pyproject)
        })?;
        Some(Found { path, variable: None, is_named: false })
    }

    /// Whether a `pyproject.toml` holds a configuration: `[tool.metaxy]`, not empty.
    fn has_metaxy(&self, path: &Path) -> bool {
        let Some(text) = self.system.read(path).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return false;
        };
        let table = Sources::new("").parse(path, text, VISIBILITY, &mut Vec::new());
        tool_metaxy(table).is_some_and(|table| !table.0.is_empty())
    }

    fn read_named(&mut self, found: &Found) -> Table {
        let mut chain = Vec::new();
        let bytes = if found.is_named { self.system.read_stream(&found.path) } else { self.system.read(&found.path) };
        self.parse(&found.path, bytes, &mut chain, messages::config_not_found(&found.path, found.variable))
    }

    /// The content of a file with all it inherits; `missing` is reported when it is not there.
    fn parse(
        &mut self,
        path: &Path,
        bytes: io::Result<Vec<u8>>,
        chain: &mut Vec<PathBuf>,
        missing: Diagnostic,
    ) -> Table {
        let text = match bytes {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.diagnostics.push(missing);
                return Table::default();
            }
            Err(error) => Err(unreadable(&error)),
        };
        let text = match text {
            Ok(text) => text,
            Err(why) => {
                self.diagnostics.push(messages::config_unreadable(path, &why));
                return Table::default();
            }
        };
        self.referenced.extend(expand::names(&text).map(str::to_owned));
        let table = self.sources.parse(path, text, VISIBILITY, &mut self.diagnostics);
        let is_pyproject = path.file_name().is_some_and(|name| name == PYPROJECT_TOML);
        let mut table = if is_pyproject { tool_metaxy(table).unwrap_or_default() } else { table };

        chain.push(path::real(path, self.system));
        let Some(extend) = table.remove("extend") else { return table };
        let Value::String(parent) = &extend.node.value else {
            let origin = extend.node.origin;
            self.diagnostics.push(Diagnostic::wrong_type("a string", extend.node.value.kind()).with_origin(origin));
            return table;
        };
        let origin = extend.node.origin;
        let parent = path::absolute(parent, self.sources.dir(origin), self.system);
        let real = path::real(&parent, self.system);
        if chain.contains(&real) {
            chain.push(real);
            self.diagnostics.push(messages::extend_cycle(origin, chain));
            return table;
        }
        if chain.len() >= LONGEST_CHAIN {
            self.diagnostics.push(messages::extend_too_deep(origin, LONGEST_CHAIN));
            return table;
        }
        let bytes = self.system.read(&parent);
        let parent = self.parse(&parent, bytes, chain, messages::extend_not_found(origin, &parent));
        merge(parent, table)
    }
}

fn tool_metaxy(mut table: Table) -> Option<Table> {
    for key in ["tool", "metaxy"] {
        match table.remove(key)?.node.value {
            Value::Table(inner) => table = inner,
            _ => return None,
        }
    }
    Some(table)
}

/// A child over its parent, as Python Metaxy merges: one level of tables, lists one after the other, else the child.
fn merge(parent: Table, child: Table) -> Table {
    let mut merged = parent;
    for entry in child.0 {
        let position = merged.0.iter().position(|old| old.key == entry.key);
        let Some(old) = position.and_then(|position| merged.0.get_mut(position)) else {
            merged.0.push(entry);
            continue;
        };
        let Entry { key, key_origin, node } = entry;
        let unset = node.unset;
        let value = match (std::mem::replace(&mut old.node.value, Value::Boolean(false)), node.value) {
            (Value::Table(mut below), Value::Table(above)) => {
                above.0.into_iter().for_each(|entry| below.set(entry));
                Value::Table(below)
            }
            (Value::Array(mut below), Value::Array(above)) => {
                below.extend(above);
                Value::Array(below)
            }
            (_, above) => above,
        };
        *old = Entry { key, key_origin, node: Node { value, origin: node.origin, unset } };
    }
    merged
}
