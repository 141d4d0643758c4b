//! What Cargo says of the packages that the workspace is built from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;

use crate::error::{Context, Error, Result};
use crate::repo::Repo;
use crate::shell::output;

/// The part of `cargo metadata` that is needed here.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
    pub(crate) resolve: Resolve,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    /// Where it comes from; `None` for a crate of the workspace.
    #[serde(default)]
    pub(crate) source: Option<String>,
    #[serde(default)]
    pub(crate) license: Option<String>,
    #[serde(default)]
    pub(crate) repository: Option<String>,
    #[serde(default)]
    pub(crate) manifest_path: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    /// `None` for a normal dependency.
    kind: Option<String>,
}

impl Dependency {
    /// Whether it is needed for more than tests and benchmarks.
    pub(crate) fn is_shipped(&self) -> bool {
        self.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"))
    }

    /// Whether it becomes part of what is built.
    pub(crate) fn is_linked(&self) -> bool {
        self.dep_kinds.iter().any(|kind| kind.kind.is_none())
    }
}

impl Metadata {
    /// Asks Cargo about all packages.
    pub(crate) fn read(repo: &Repo) -> Result<Self> {
        Self::ask(repo, &["--all-features"])
    }

    /// Asks Cargo about those that are used on a platform, given as Rust names it.
    pub(crate) fn read_for(repo: &Repo, platform: &str) -> Result<Self> {
        Self::ask(repo, &["--locked", "--filter-platform", platform])
    }

    fn ask(repo: &Repo, args: &[&str]) -> Result<Self> {
        let text = output(repo.cargo(["metadata", "--format-version", "1"]).args(args))?;
        serde_json::from_slice(&text).context(|| "cannot read what `cargo metadata` says".to_owned())
    }

    /// A package and all that it is linked from, sorted by name and version; and for each, those it uses itself.
    ///
    /// # Errors
    ///
    /// When there is no such package.
    pub(crate) fn linked_into(&self, name: &str) -> Result<Vec<(&Package, Vec<&Package>)>> {
        let packages: BTreeMap<&str, &Package> = self.packages.iter().map(|one| (one.id.as_str(), one)).collect();
        let nodes: BTreeMap<&str, &Node> = self.resolve.nodes.iter().map(|one| (one.id.as_str(), one)).collect();
        let start = self.packages.iter().find(|package| package.name == name);
        let start = start.ok_or_else(|| Error::new(format!("Cargo knows no package `{name}`")))?;
        let uses = |id: &str| -> Vec<&Package> {
            let deps = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
            let linked = deps.iter().filter(|dependency| dependency.is_linked());
            linked.filter_map(|dependency| packages.get(dependency.pkg.as_str()).copied()).collect()
        };
        let mut seen = BTreeSet::from([start.id.as_str()]);
        let mut open = vec![start];
        let mut found = Vec::new();
        while let Some(package) = open.pop() {
            let uses = uses(&package.id);
            open.extend(uses.iter().filter(|one| seen.insert(one.id.as_str())));
            found.push((package, uses));
        }
        found.sort_by_key(|(package, _)| (&package.name, &package.version));
        Ok(found)
    }
}
