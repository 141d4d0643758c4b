//! Which module of a crate may use which: the floors inside `metaxy-store-duckdb`.
//!
//! A floor uses only floors below it. The table [`FLOORS`] lists them from the bottom; what a file of one floor names as
//! `crate::…` must be its own floor or one above it in the table. Tests may use all of the crate.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::Finding;

/// Where the crate with floors is.
const SOURCES: &str = "crates/metaxy-store-duckdb/src/";

/// The floors, the lowest first.
const FLOORS: [&str; 13] = [
    "engine",
    "lake",
    "maintain",
    "table",
    "query",
    "features",
    "registry",
    "external",
    "project",
    "increment",
    "ops",
    "input",
    "doctor",
];

/// Checks one source file, given by its name from the root.
pub(super) fn check(file: &str, text: &str) -> Vec<Finding> {
    let Some(module) = file.strip_prefix(SOURCES) else { return Vec::new() };
    let name = module.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    // The root of the crate puts the floors together.
    if name == "lib" || module.ends_with("tests.rs") {
        return Vec::new();
    }
    let Some(own) = position(name) else {
        let message = format!("the module `{name}` is not in the table of floors");
        return vec![Finding::new(file, 0, message)];
    };
    // A file that is no Rust is found by the rules on sources.
    let Ok(tokens) = text.parse() else { return Vec::new() };
    let mut findings = Vec::new();
    walk(tokens, &mut |used, line| {
        let message = match position(used) {
            Some(floor) if floor <= own => return,
            Some(_) => format!("the floor `{name}` must not use the floor `{used}`, which is above it"),
            None => format!("`crate::{used}` is not a floor: name the floor that it is of"),
        };
        findings.push(Finding::new(file, line, message));
    });
    findings
}

fn position(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| *floor == name)
}

/// Hands out the first name after each `crate::`, and its line, but for those in modules of tests.
fn walk(tokens: TokenStream, found: &mut impl FnMut(&str, usize)) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut is_test = false;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket && is_cfg_test(group) => is_test = true,
            TokenTree::Group(group) => {
                // The braces of the item end what `#[cfg(test)]` is about.
                if is_test && group.delimiter() == Delimiter::Brace {
                    is_test = false;
                } else {
                    walk(group.stream(), found);
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => is_test = false,
            TokenTree::Ident(name) if name == "crate" => match tokens.get(index + 3) {
                Some(TokenTree::Ident(used)) if !is_test => found(&used.to_string(), used.span().start().line),
                Some(TokenTree::Group(group)) if !is_test => firsts(group, found),
                _ => {}
            },
            _ => {}
        }
    }
}

/// Hands out the first name of each path in `{…}`.
fn firsts(group: &Group, found: &mut impl FnMut(&str, usize)) {
    let mut is_first = true;
    for token in group.stream() {
        match token {
            TokenTree::Ident(name) if is_first => {
                found(&name.to_string(), name.span().start().line);
                is_first = false;
            }
            TokenTree::Punct(punct) if punct.as_char() == ',' => is_first = true,
            _ => {}
        }
    }
}

/// Whether a group is that of `#[cfg(test)]`.
fn is_cfg_test(group: &Group) -> bool {
    group.stream().to_string().replace(' ', "") == "cfg(test)"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(file: &str, source: &str) -> Vec<String> {
        check(&[SOURCES, file].concat(), source).iter().map(|found| found.message.clone()).collect()
    }

    #[test]
    fn a_floor_uses_itself_and_those_below() {
        let source = "use crate::engine::Error; use crate::table::{Table, TEXT}; fn f() { crate::query::g() }";
        assert_eq!(findings("query/filter.rs", source), Vec::<String>::new());
        assert_eq!(findings("lib.rs", "pub use crate::ops::Copied;"), Vec::<String>::new());
    }

    #[test]
    fn a_use_of_a_floor_above_is_found() {
        let found = ["the floor `engine` must not use the floor `lake`, which is above it"];
        for source in [
            "use crate::lake::Store;",
            "use crate::{engine::Error, lake::Store};",
            "fn f() -> crate::lake::Store { todo() }",
            "#[cfg(test)]\nmod tests;\nuse crate::lake::Store;",
            "#[cfg(test)]\nmod tests { use crate::ops::X; }\nmod other { use crate::lake::Store; }",
        ] {
            assert_eq!(findings("engine/error.rs", source), found, "{source}");
        }
    }

    #[test]
    fn tests_use_what_they_need() {
        let source = "#[cfg(test)]\nmod tests { use crate::ops::ReadOptions; }\n#[cfg(test)]\nuse crate::lake::Store;";
        assert_eq!(findings("engine/error.rs", source), Vec::<String>::new());
        assert_eq!(findings("lake/open/tests.rs", "use crate::ops::ReadOptions;"), Vec::<String>::new());
    }

    #[test]
    fn every_module_is_a_floor() {
        assert_eq!(findings("cellar.rs", ""), ["the module `cellar` is not in the table of floors"]);
        let found = ["`crate::Error` is not a floor: name the floor that it is of"];
        assert_eq!(findings("query/filter.rs", "use crate::Error;"), found);
    }
}
