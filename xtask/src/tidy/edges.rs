//! Which crate may depend on which, and what must not come along with it.
//!
//! The direction of the design is the table [`CRATES`]: text becomes a configuration, a plan, SQL, and only then a
//! connection; nothing depends to its right. The pure crates neither build nor link DuckDB, so that their tests never
//! wait for it, and a library user gets no parser of command lines.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::metadata::{Dependency, Metadata};

/// A crate of the workspace and what it may depend on.
struct Rule {
    name: &'static str,
    /// Crates of the workspace it may use; as a dev-dependency also [`TESTKIT`].
    may_use: MayUse,
    /// Whether DuckDB and clap are kept out of everything it depends on.
    pure: bool,
}

/// The crates of the workspace that one may use.
enum MayUse {
    These(&'static [&'static str]),
    All,
}

/// What tests of any crate may use.
const TESTKIT: &str = "metaxy-testkit";

/// Kept out of pure crates, out of their tests too.
const DUCKDB: [&str; 2] = ["duckdb", "libduckdb-sys"];

/// Kept out of pure crates; their benchmarks may use it, because Criterion does.
const CLAP: &str = "clap";

/// Every crate of the workspace.
const CRATES: [Rule; 9] = [
    Rule { name: "ducklake-sql", may_use: MayUse::These(&[]), pure: true },
    Rule { name: "metaxy-diagnostics", may_use: MayUse::These(&[]), pure: true },
    Rule { name: "metaxy-feature", may_use: MayUse::These(&["metaxy-diagnostics"]), pure: true },
    Rule {
        name: "metaxy-config",
        may_use: MayUse::These(&["ducklake-sql", "metaxy-diagnostics", "metaxy-feature"]),
        pure: true,
    },
    Rule {
        name: "metaxy-store-duckdb",
        may_use: MayUse::These(&["ducklake-sql", "metaxy-config", "metaxy-diagnostics", "metaxy-feature"]),
        pure: false,
    },
    Rule {
        name: "metaxy-cli",
        may_use: MayUse::These(&[
            "ducklake-sql",
            "metaxy-config",
            "metaxy-diagnostics",
            "metaxy-feature",
            "metaxy-store-duckdb",
        ]),
        pure: false,
    },
    Rule { name: TESTKIT, may_use: MayUse::All, pure: false },
    Rule { name: "metaxy-examples", may_use: MayUse::All, pure: false },
    // Pure, because `cargo xtask setup` has to build before DuckDB is there.
    Rule {
        name: "xtask",
        may_use: MayUse::These(&["ducklake-sql", "metaxy-config", "metaxy-diagnostics", "metaxy-feature"]),
        pure: true,
    },
];

/// Compares the graph of dependencies with the table.
pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    let graph = Graph::new(metadata);
    let members: BTreeSet<_> = metadata.workspace_members.iter().map(|id| graph.name(id)).collect();
    let mut findings = Vec::new();
    for rule in CRATES.iter().filter(|rule| !members.contains(rule.name)) {
        let message = format!("no crate `{}`, though the table of allowed edges has it", rule.name);
        findings.push(Finding::new("Cargo.toml", 0, message));
    }
    for id in &metadata.workspace_members {
        let name = graph.name(id);
        let Some(rule) = CRATES.iter().find(|rule| rule.name == name) else {
            let message = format!("the crate `{name}` is not in the table of allowed edges");
            findings.push(Finding::new("Cargo.toml", 0, message));
            continue;
        };
        let forbidden = graph.direct(id).filter(|dependency| {
            let used = graph.name(&dependency.pkg);
            members.contains(used) && !rule.allows(used, dependency.is_shipped())
        });
        for dependency in forbidden {
            let message = format!("`{name}` must not depend on `{}`", graph.name(&dependency.pkg));
            findings.push(Finding::new("Cargo.toml", 0, message));
        }
        if rule.pure {
            findings.extend(graph.impurities(id, name));
        }
    }
    findings
}

impl Rule {
    fn allows(&self, used: &str, shipped: bool) -> bool {
        let listed = match self.may_use {
            MayUse::These(names) => names.contains(&used),
            MayUse::All => true,
        };
        // A crate may name itself, to test one of its features.
        listed || (!shipped && (used == TESTKIT || used == self.name))
    }
}

/// The packages by their id.
struct Graph<'a> {
    names: BTreeMap<&'a str, &'a str>,
    dependencies: BTreeMap<&'a str, &'a [Dependency]>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Metadata) -> Self {
        Self {
            names: metadata.packages.iter().map(|package| (&*package.id, &*package.name)).collect(),
            dependencies: metadata.resolve.nodes.iter().map(|node| (&*node.id, &*node.deps)).collect(),
        }
    }

    /// The name of a package; its id where Cargo gives no name.
    fn name(&self, id: &'a str) -> &'a str {
        self.names.get(id).copied().unwrap_or(id)
    }

    fn direct(&self, id: &str) -> impl Iterator<Item = &'a Dependency> {
        self.dependencies.get(id).copied().unwrap_or_default().iter()
    }

    /// What a pure crate depends on and must not.
    fn impurities(&self, id: &'a str, name: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (with_tests, forbidden) in [(true, &DUCKDB[..]), (false, &[CLAP][..])] {
            let start = self.direct(id).filter(|dependency| with_tests || dependency.is_shipped());
            for path in self.paths_to(start, forbidden) {
                let message = format!("`{name}` is pure and must not reach `{}`", path.join("` → `"));
                findings.push(Finding::new("Cargo.toml", 0, message));
            }
        }
        findings
    }

    /// A way to each of the wanted packages that is reached from some dependencies without the dev-dependencies of others.
    fn paths_to(&self, start: impl Iterator<Item = &'a Dependency>, wanted: &[&str]) -> Vec<Vec<&'a str>> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<_> = start.map(|dependency| (&*dependency.pkg, Vec::new())).collect();
        while let Some((id, mut path)) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let name = self.name(id);
            path.push(name);
            if wanted.contains(&name) {
                found.push(path);
                continue;
            }
            let next = self.direct(id).filter(|dependency| dependency.is_shipped());
            open.extend(next.map(|dependency| (&*dependency.pkg, path.clone())));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The findings for the crates of the table, with some dependencies as (from, to, kind).
    fn findings(edges: &[(&str, &str, Option<&str>)]) -> Vec<String> {
        let members: Vec<_> = CRATES.iter().map(|rule| rule.name).collect();
        let names: BTreeSet<_> = edges.iter().flat_map(|(from, to, _)| [*from, *to]).chain(members.clone()).collect();
        let packages: Vec<_> = names.iter().map(|name| json!({"id": name, "name": name})).collect();
        let nodes = names.iter().map(|name| {
            let deps = edges.iter().filter(|(from, ..)| from == name);
            let deps: Vec<_> = deps.map(|(_, to, kind)| json!({"pkg": to, "dep_kinds": [{"kind": kind}]})).collect();
            json!({"id": name, "deps": deps})
        });
        let nodes: Vec<_> = nodes.collect();
        let metadata = json!({"packages": packages, "workspace_members": members, "resolve": {"nodes": nodes}});
        let metadata = serde_json::from_value(metadata).expect("metadata");
        check(&metadata).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn the_allowed_edges_pass() {
        let edges = [
            ("metaxy-config", "ducklake-sql", None),
            ("metaxy-config", "metaxy-feature", None),
            ("metaxy-feature", "metaxy-diagnostics", None),
            ("metaxy-store-duckdb", "metaxy-config", None),
            ("metaxy-store-duckdb", "duckdb", None),
            ("metaxy-config", "metaxy-testkit", Some("dev")),
            ("metaxy-cli", "clap", None),
            ("ducklake-sql", "criterion", Some("dev")),
            ("criterion", "clap", None),
        ];
        assert_eq!(findings(&edges), Vec::<String>::new());
    }

    #[test]
    fn an_edge_to_the_right_is_found() {
        let message = "`ducklake-sql` must not depend on `metaxy-config`";
        assert_eq!(findings(&[("ducklake-sql", "metaxy-config", None)]), [message]);
        assert_eq!(findings(&[("ducklake-sql", "metaxy-config", Some("dev"))]), [message]);
        let message = "`metaxy-feature` must not depend on `metaxy-config`";
        assert_eq!(findings(&[("metaxy-feature", "metaxy-config", None)]), [message]);
    }

    #[test]
    fn the_testkit_is_for_tests() {
        let message = "`metaxy-cli` must not depend on `metaxy-testkit`";
        assert_eq!(findings(&[("metaxy-cli", "metaxy-testkit", None)]), [message]);
    }

    #[test]
    fn duckdb_and_clap_are_found_behind_others_in_pure_crates() {
        let edges = [("metaxy-feature", "helper", None), ("helper", "duckdb", Some("build"))];
        assert_eq!(findings(&edges), ["`metaxy-feature` is pure and must not reach `helper` → `duckdb`"]);

        let edges = [("ducklake-sql", "metaxy-testkit", Some("dev")), ("metaxy-testkit", "libduckdb-sys", None)];
        assert_eq!(findings(&edges), ["`ducklake-sql` is pure and must not reach `metaxy-testkit` → `libduckdb-sys`"]);

        assert_eq!(findings(&[("xtask", "clap", None)]), ["`xtask` is pure and must not reach `clap`"]);
    }

    #[test]
    fn the_table_names_every_crate() {
        let metadata = json!({"packages": [{"id": "n", "name": "new"}], "workspace_members": ["n"],
            "resolve": {"nodes": []}});
        let found = check(&serde_json::from_value(metadata).expect("metadata"));
        assert!(found.iter().any(|finding| finding.message.contains("`new` is not in the table")), "{found:?}");
        assert!(found.iter().any(|finding| finding.message.contains("no crate `metaxy-cli`")), "{found:?}");
    }
}
