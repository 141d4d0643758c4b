//! What another program would have replaced in a text, and nothing here does: `$NAME`, `{{ name }}`, `$(command)`, `%NAME%`,
//! `<name>`, and what begins with `${` without being a reference.
//!
//! Looked for in the texts as they are written, since the value of a variable may hold anything; of variables only in
//! those that override the configuration.

use metaxy_diagnostics::{Node, Origin, Value};

use crate::system::System;
use crate::{expand, messages, options};

/// Something that is left in a text.
pub(crate) struct Leftover {
    what: &'static str,
    help: &'static str,
    pub(crate) origin: Origin,
    /// Whether the value cannot be right with it.
    pub(crate) is_certain: bool,
    pub(crate) store: Option<String>,
}

impl Leftover {
    pub(crate) fn diagnostic(&self) -> metaxy_diagnostics::Diagnostic {
        let diagnostic = messages::not_expanded(self.origin, self.is_certain, self.what, self.help);
        match &self.store {
            Some(store) => diagnostic.with_store(store),
            None => diagnostic,
        }
    }
}

/// Keys whose values have no `$`, `{`, `%` or `<` wherever they are used.
const NAMES: &[&str] = &["account_id", "account_name", "bucket", "endpoint", "host", "hostaddr", "port", "region"];

/// Everything that is left in the texts of files, before their variables are expanded.
pub(crate) fn in_files(root: &Node, system: &dyn System) -> Vec<Leftover> {
    let mut found = Vec::new();
    search(root, &mut Vec::new(), system, &mut found);
    found
}

/// Everything that is left in the variables that override them, in which nothing is expanded.
pub(crate) fn in_variables(root: &Node, system: &dyn System) -> Vec<Leftover> {
    let mut found = in_files(root, system);
    found.retain(|leftover| matches!(leftover.origin, Origin::Variable(_)));
    found
}

fn search<'n>(node: &'n Node, path: &mut Vec<&'n str>, system: &dyn System, found: &mut Vec<Leftover>) {
    match &node.value {
        Value::String(text) => {
            let key = path.last().copied().unwrap_or_default();
            // A word of a secret may look like anything, so it has to be the whole of it.
            let is_secret = !options::is_harmless(path, "\"\"") && !NAMES.contains(&key);
            if let Some((what, help)) = left_in(text, node.origin, is_secret, system) {
                let store = (path.first() == Some(&"stores")).then(|| path.get(1).map(|name| (*name).to_owned()));
                let is_certain = NAMES.contains(&key);
                found.push(Leftover { what, help, origin: node.origin, is_certain, store: store.flatten() });
            }
        }
        Value::Array(items) => items.iter().for_each(|item| search(item, path, system, found)),
        Value::Table(table) => {
            for entry in &table.0 {
                let is_of_others = match (path.as_slice(), entry.key.as_str()) {
                    // Statements have a `$` of their own, and plugins of Python whatever they like.
                    (_, "init_sql") => true,
                    (["ext"], plugin) => plugin != "rust",
                    _ => false,
                };
                if !is_of_others {
                    path.push(&entry.key);
                    search(&entry.node, path, system, found);
                    path.pop();
                }
            }
        }
        _ => {}
    }
}

/// What is left in a text, in words, and what to write.
fn left_in(text: &str, origin: Origin, is_secret: bool, system: &dyn System) -> Option<(&'static str, &'static str)> {
    let is_file = !matches!(origin, Origin::Variable(_));
    let help = if is_file {
        "write `${NAME}`, or `${NAME:-default}`"
    } else {
        "set the variable to the value itself: in variables nothing is expanded"
    };
    let encloses = |open: &str, close: &str| text.split_once(open).is_some_and(|(_, rest)| rest.contains(close));
    if encloses("{{", "}}") || encloses("{%", "%}") {
        return Some((
            "a template `{{ … }}`",
            "let the program that knows it write this file, or use a variable: `${NAME}`",
        ));
    }
    if encloses("$(", ")") {
        return Some(("a command `$(…)`", "no command is run; put what it prints into a variable: `${NAME}`"));
    }
    if !is_file && expand::names(text).next().is_some() {
        return Some(("`${NAME}`", help));
    }
    if expand::is_malformed(text) {
        return Some((
            "what begins with `${`",
            "write `${NAME}`, `${NAME:-default}` or `${NAME-default}`; they do not nest",
        ));
    }
    let is_variable = |name: &str, is_whole: bool| {
        let is_upper = name.len() > 1 && name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
        !name.is_empty()
            && (system.variable(name).is_some() || (is_whole && !is_secret) || (is_upper && (is_whole || !is_secret)))
    };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        let name = word(after);
        let is_whole = before.is_empty() && rest.len() == text.len() && name.len() == after.len();
        let is_escaped = before.ends_with(['$', '\\']);
        if !is_escaped && is_variable(name, is_whole) && (is_whole || !is_secret) {
            return Some(("`$NAME`", help));
        }
        rest = after;
    }
    if let Some((_, after)) = text.split_once('%').filter(|_| !is_secret) {
        let name = word(after);
        let is_upper = name.len() > 2 && name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
        if is_upper && after[name.len()..].starts_with('%') {
            return Some(("`%NAME%`", help));
        }
    }
    let inner = text.trim().strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or_default();
    let is_placeholder = inner.starts_with(|char: char| char.is_ascii_alphabetic())
        && inner.chars().all(|char| char.is_ascii_alphanumeric() || [' ', '_', '-', '.'].contains(&char));
    is_placeholder.then_some(("`<…>`", "write the value in its place"))
}

/// The name of a variable that a text begins with.
fn word(text: &str) -> &str {
    if text.starts_with(|char: char| char.is_ascii_digit()) {
        return "";
    }
    let end = text.find(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemorySystem;

    #[test]
    fn only_what_is_left_is_found() {
        let system = MemorySystem::new().var("SET", "x").var("set", "x");
        // What is found in a text that may be shown, and in one that may be a password.
        for (text, shown, secret) in [
            ("plain", false, false),
            ("${SET}", false, false),
            ("${SET:-a}-${SET-b}", false, false),
            ("$SET", true, true),
            ("a/$SET/b", true, false),
            ("$set", true, true),
            ("$HOME/lake", true, false),
            ("$UNKNOWN", true, true),
            ("$unknown", true, false),
            ("a/$unknown", false, false),
            ("pa$$word", false, false),
            ("cost: 5$", false, false),
            ("$1", false, false),
            ("^a$", false, false),
            ("\\$HOME", false, false),
            ("{{ host }}", true, true),
            ("a {{host}} b", true, true),
            ("{% if x %}", true, true),
            ("{\"a\": {\"b\": 1}}", false, false),
            ("$(cat key)", true, true),
            ("${SET", true, true),
            ("${}", true, true),
            ("${SET:default}", true, true),
            ("${SET:?needed}", true, true),
            ("${SET:-${SET}}", true, true),
            ("%APPDATA%/lake", true, false),
            ("100%", false, false),
            ("a%20b%2Fc", false, false),
            ("<your-bucket>", true, true),
            ("a < b > c", false, false),
        ] {
            assert_eq!(left_in(text, Origin::Root, false, &system).is_some(), shown, "{text}");
            assert_eq!(left_in(text, Origin::Root, true, &system).is_some(), secret, "{text}, which may be a secret");
        }
    }
}
