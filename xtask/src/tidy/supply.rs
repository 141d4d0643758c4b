//! What is taken from others: from crates.io alone, under known licences, and in one version where that can be had.
//!
//! Advisories need a database that no registry of packages has: `cargo deny check advisories` or `cargo audit` look there.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::metadata::{Metadata, Package};

/// Where packages come from, as Cargo says it.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Licences under which code may be linked and handed on, with its notice at most.
const LICENCES: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What only builds the book in a test, and is linked into nothing that is handed on: under MPL-2.0, and fonts under
/// CC-BY-4.0.
const OF_TESTS: [&str; 8] = [
    "font-awesome-as-a-crate",
    "mdbook-core",
    "mdbook-driver",
    "mdbook-html",
    "mdbook-markdown",
    "mdbook-preprocessor",
    "mdbook-renderer",
    "mdbook-summary",
];

/// What is there in several versions, since others have not taken the newer one yet.
const SEVERAL_VERSIONS: [&str; 22] = [
    "atoi",
    "base64",
    "bit-vec",
    "crypto-common",
    "digest",
    "fallible-iterator",
    "foldhash",
    "getrandom",
    "hashbrown",
    "linux-raw-sys",
    "nom",
    "phf",
    "phf_shared",
    "r-efi",
    "rustix",
    "strum",
    "strum_macros",
    "syn",
    "synstructure",
    "wasi",
    "windows-sys",
    "winnow",
];

/// Looks at every package that the workspace is built from.
pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    check_packages(&metadata.packages)
}

fn check_packages(packages: &[Package]) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut messages = Vec::new();
    for package in packages {
        *versions.entry(&package.name).or_default() += 1;
        let Some(source) = &package.source else { continue };
        if source != REGISTRY {
            messages.push(format!("`{}` comes from {source}, and not from crates.io", package.name));
        }
        let is_handed_on = !OF_TESTS.contains(&package.name.as_str());
        if is_handed_on && !package.license.as_deref().is_some_and(is_allowed) {
            let licence = package.license.as_deref().unwrap_or("no licence that it names");
            messages.push(format!("`{}` is under {licence}, which the list of licences does not have", package.name));
        }
    }
    let several: BTreeSet<&str> = versions.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect();
    let listed: BTreeSet<&str> = SEVERAL_VERSIONS.into_iter().collect();
    let new = several.difference(&listed).map(|name| {
        format!(
            "`{name}` is there in several versions: take those that need the same, or add it to the list in `supply.rs`"
        )
    });
    let gone = listed
        .difference(&several)
        .map(|name| format!("`{name}` is there in one version: take it off the list in `supply.rs`"));
    messages.into_iter().chain(new).chain(gone).map(|message| Finding::new("Cargo.lock", 0, message)).collect()
}

/// Whether a licence, as SPDX writes it, gives a choice of which all parts are allowed.
fn is_allowed(licence: &str) -> bool {
    let licence = licence.trim();
    if let Some(parts) = split(licence, " AND ") {
        return parts.iter().all(|part| is_allowed(part));
    }
    // Older manifests have `/` for a choice.
    if let Some(parts) = split(licence, " OR ").or_else(|| split(licence, "/")) {
        return parts.iter().any(|part| is_allowed(part));
    }
    match licence.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => is_allowed(inner),
        None => LICENCES.contains(&licence),
    }
}

/// The parts between an operator that is in no brackets; `None` if it is not there.
fn split<'l>(licence: &'l str, operator: &str) -> Option<Vec<&'l str>> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, character) in licence.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && at >= start && licence[at..].starts_with(operator) => {
                parts.push(&licence[start..at]);
                start = at + operator.len();
            }
            _ => {}
        }
    }
    if parts.is_empty() {
        return None;
    }
    parts.push(&licence[start..]);
    Some(parts)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn licences_are_choices_and_sums() {
        for (licence, allowed) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("MIT OR Apache-2.0 OR LGPL-2.1-or-later", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("Apache-2.0 WITH LLVM-exception OR GPL-3.0-only", true),
            ("GPL-3.0-only", false),
            ("MIT AND GPL-3.0-only", false),
            ("(MIT AND AGPL-3.0-only) OR GPL-2.0-only", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(licence), allowed, "{licence}");
        }
    }

    #[test]
    fn what_comes_from_elsewhere_is_found() {
        let package = |name: &str, source: Option<&str>, license: Option<&str>| Package {
            id: String::new(),
            name: name.to_owned(),
            source: source.map(str::to_owned),
            license: license.map(str::to_owned),
            version: String::new(),
            repository: None,
            manifest_path: PathBuf::new(),
        };
        let listed = SEVERAL_VERSIONS.iter().flat_map(|name| [*name; 2]).map(|name| package(name, None, None));
        let others = [
            package("good", Some(REGISTRY), Some("MIT")),
            package("git", Some("git+https://example.org/x"), Some("MIT")),
            package("bare", Some(REGISTRY), None),
            package("twice", Some(REGISTRY), Some("MIT")),
            package("twice", Some(REGISTRY), Some("MIT")),
        ];
        let packages: Vec<Package> = listed.skip(1).chain(others).collect();
        let found: Vec<String> = check_packages(&packages).into_iter().map(|finding| finding.message).collect();
        for (name, message) in ["`git`", "`bare`", "`twice`", "`atoi`"].into_iter().zip(&found) {
            assert!(message.starts_with(name), "{found:?}");
        }
        assert_eq!(found.len(), 4, "{found:?}");
    }
}
