//! A graph, or two of them compared, as a picture: as a tree for a terminal, as Mermaid, as Graphviz's DOT, and as SVG.
//!
//! A diagram holds what is drawn, features with their fields and versions and what each of them depends on; the modules
//! below only write it down. The features of two graphs are one diagram, in which each says how it has changed.

mod markup;
mod svg;
mod tree;

use std::collections::{BTreeSet, HashMap};

pub use svg::escape_xml;

use crate::{FeatureKey, FieldKey, GraphVersions, ProjectName, Version};

/// A graph to be drawn, with what has changed in it.
///
/// ```
/// use metaxy_feature::{Diagram, DiagramOptions, FeatureDefinition, FeatureGraph, Truncation};
///
/// let graph = |text| FeatureGraph::new(FeatureDefinition::from_toml(text, &"demo".parse()?)?);
/// let old = graph("[[feature]]\nkey = 'raw'\nid_columns = ['id']")?;
/// let new = graph("[[feature]]\nkey = 'raw'\nid_columns = ['id']\n\n[[feature]]\nkey = 'crop'\nid_columns = ['id']\ndeps = ['raw']")?;
/// let (old, new) = (old.versions(Truncation::default()), new.versions(Truncation::default()));
///
/// let diagram = Diagram::between(&old, &new);
/// let options = DiagramOptions::new().fields(false).versions(false);
/// assert_eq!(diagram.to_tree(options), "raw\n└─ + crop\n");
/// assert!(diagram.to_mermaid(options).starts_with("flowchart TB\n"));
/// # Ok::<(), metaxy_feature::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Diagram {
    nodes: Vec<DiagramNode>,
    /// In the order of the features that depend on others.
    edges: Vec<Edge>,
    title: Option<String>,
}

/// A feature in a diagram.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiagramNode {
    /// Its key.
    pub key: FeatureKey,
    /// The project that defines it.
    pub project: ProjectName,
    /// Its version, and whether that has changed.
    pub version: VersionChange,
    /// Its fields with theirs.
    pub fields: Vec<(FieldKey, VersionChange)>,
    /// The code versions of its fields, those of the new graph where it has them.
    pub code_versions: HashMap<FieldKey, String>,
    /// What else there is to say of it; see [`Diagram::note`].
    pub note: Option<Note>,
}

/// What there is to say of a feature in a diagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// A few words.
    pub text: String,
    /// Whether somebody has to do something about it, so that it stands out.
    pub stands_out: bool,
}

/// A version in one graph or in two that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionChange {
    /// It is the same, or there is one graph only.
    Unchanged(Version),
    /// The new graph alone has it.
    Added(Version),
    /// The old graph alone has it.
    Removed(Version),
    /// It was another one.
    Changed {
        /// The version in the old graph.
        old: Version,
        /// The version in the new graph.
        new: Version,
    },
}

impl VersionChange {
    fn between(old: Option<&Version>, new: Option<&Version>) -> Option<Self> {
        Some(match (old.cloned(), new.cloned()) {
            (Some(old), Some(new)) if old == new => Self::Unchanged(new),
            (Some(old), Some(new)) => Self::Changed { old, new },
            (None, Some(new)) => Self::Added(new),
            (Some(old), None) => Self::Removed(old),
            (None, None) => return None,
        })
    }

    /// The word for it: `unchanged`, `added`, `removed` or `changed`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unchanged(_) => "unchanged",
            Self::Added(_) => "added",
            Self::Removed(_) => "removed",
            Self::Changed { .. } => "changed",
        }
    }

    /// The version in the old graph, if it has one.
    pub fn old(&self) -> Option<&Version> {
        match self {
            Self::Unchanged(version) | Self::Removed(version) | Self::Changed { old: version, .. } => Some(version),
            Self::Added(_) => None,
        }
    }

    /// The version in the new graph, if it has one.
    pub fn new_version(&self) -> Option<&Version> {
        match self {
            Self::Unchanged(version) | Self::Added(version) | Self::Changed { new: version, .. } => Some(version),
            Self::Removed(_) => None,
        }
    }

    /// Whether it is the same in both graphs.
    pub fn is_unchanged(&self) -> bool {
        matches!(self, Self::Unchanged(_))
    }

    /// What stands before a name, so that it can be told without colours.
    fn sign(&self) -> &'static str {
        match self {
            Self::Unchanged(_) => "",
            Self::Added(_) => "+ ",
            Self::Removed(_) => "- ",
            Self::Changed { .. } => "~ ",
        }
    }
}

/// The version, or both: `b9bb54e4 → 987564b2`; with a precision, as in `{:.4}`, so many characters of each.
impl std::fmt::Display for VersionChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unchanged(version) | Self::Added(version) | Self::Removed(version) => version.fmt(f),
            Self::Changed { old, new } => {
                old.fmt(f)?;
                f.write_str(" → ")?;
                new.fmt(f)
            }
        }
    }
}

/// From an upstream feature to one that depends on it, each by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    from: usize,
    to: usize,
    presence: Presence,
}

/// In which of two graphs a dependency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Both,
    OldOnly,
    NewOnly,
}

/// How a diagram is drawn; `DiagramOptions::new()` and what is to be otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct DiagramOptions {
    fields: bool,
    feature_versions: bool,
    field_versions: bool,
    code_versions: bool,
    version_length: Option<usize>,
    projects: Option<bool>,
    left_to_right: bool,
    coloured: bool,
}

impl Default for DiagramOptions {
    fn default() -> Self {
        Self {
            fields: true,
            feature_versions: true,
            field_versions: true,
            code_versions: false,
            version_length: None,
            projects: None,
            left_to_right: false,
            coloured: false,
        }
    }
}

impl DiagramOptions {
    /// Fields and versions, from top to bottom, without colours.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the fields of features are drawn.
    pub fn fields(self, fields: bool) -> Self {
        Self { fields, ..self }
    }

    /// Whether versions are drawn, of features and of fields.
    pub fn versions(self, versions: bool) -> Self {
        self.feature_versions(versions).field_versions(versions)
    }

    /// Whether the versions of features are drawn.
    pub fn feature_versions(self, feature_versions: bool) -> Self {
        Self { feature_versions, ..self }
    }

    /// Whether the versions of fields are drawn.
    pub fn field_versions(self, field_versions: bool) -> Self {
        Self { field_versions, ..self }
    }

    /// Whether the code versions of fields are drawn.
    pub fn code_versions(self, code_versions: bool) -> Self {
        Self { code_versions, ..self }
    }

    /// Draws so many characters of each version, not all.
    pub fn version_length(self, characters: usize) -> Self {
        Self { version_length: Some(characters), ..self }
    }

    /// Whether the projects of features are drawn; otherwise they are where there are several.
    pub fn projects(self, projects: bool) -> Self {
        Self { projects: Some(projects), ..self }
    }

    /// The version as it is drawn.
    fn version(self, version: &VersionChange) -> String {
        self.version_length.map_or_else(|| version.to_string(), |length| format!("{version:.length$}"))
    }

    /// Whether what depends on a feature is to its right, not below it; a tree has one direction only.
    pub fn left_to_right(self, left_to_right: bool) -> Self {
        Self { left_to_right, ..self }
    }

    /// Whether a tree has the colours of a terminal.
    pub fn coloured(self, coloured: bool) -> Self {
        Self { coloured, ..self }
    }
}

impl Diagram {
    /// The features of a graph.
    pub fn new(versions: &GraphVersions<'_>) -> Self {
        Self::between(versions, versions)
    }

    /// The features of two graphs; those that only the old one has stand at the end.
    pub fn between(old: &GraphVersions<'_>, new: &GraphVersions<'_>) -> Self {
        let removed = old.iter().filter(|(definition, _)| new.get(definition.key()).is_none());
        let definitions: Vec<_> = new.iter().chain(removed).map(|(definition, _)| definition).collect();
        let mut code_versions: HashMap<&FeatureKey, HashMap<FieldKey, String>> = HashMap::new();
        for (definition, _) in old.iter().chain(new.iter()) {
            let fields = definition.spec().fields().iter();
            let fields = fields.map(|field| (field.key.clone(), field.code_version.clone()));
            code_versions.entry(definition.key()).or_default().extend(fields);
        }
        let mut nodes = Vec::with_capacity(definitions.len());
        for definition in &definitions {
            let code_versions = code_versions.remove(definition.key()).unwrap_or_default();
            let (old, new) = (old.get(definition.key()), new.get(definition.key()));
            let Some(version) = VersionChange::between(old.map(|it| &it.feature), new.map(|it| &it.feature)) else {
                continue;
            };
            let of = |fields: &[(&FieldKey, Version)]| -> Vec<(FieldKey, Version)> {
                fields.iter().map(|(key, version)| ((*key).clone(), version.clone())).collect()
            };
            let [old, new] = [old, new].map(|versions| versions.map(|it| of(&it.fields)).unwrap_or_default());
            let find = |fields: &[(FieldKey, Version)], key: &FieldKey| {
                fields.iter().find(|(field, _)| field == key).map(|(_, version)| version.clone())
            };
            let removed = old.iter().filter(|(key, _)| find(&new, key).is_none());
            let fields = new.iter().chain(removed).filter_map(|(key, _)| {
                let (old, new) = (find(&old, key), find(&new, key));
                Some((key.clone(), VersionChange::between(old.as_ref(), new.as_ref())?))
            });
            let fields = fields.collect();
            let (key, project) = (definition.key().clone(), definition.project().clone());
            nodes.push(DiagramNode { key, project, version, fields, code_versions, note: None });
        }
        let places: HashMap<&FeatureKey, usize> = nodes.iter().enumerate().map(|(at, node)| (&node.key, at)).collect();
        let deps = |versions: &GraphVersions<'_>| -> Vec<(usize, usize)> {
            let pairs = versions.iter().flat_map(|(definition, _)| {
                let deps = definition.spec().deps().iter().map(|dep| (dep.feature.clone(), definition.key().clone()));
                deps.collect::<Vec<_>>()
            });
            pairs.filter_map(|(from, to)| Some((*places.get(&from)?, *places.get(&to)?))).collect()
        };
        let (old, new) = (deps(old), deps(new));
        let kept = new.iter().map(|edge| (*edge, if old.contains(edge) { Presence::Both } else { Presence::NewOnly }));
        let gone = old.iter().filter(|edge| !new.contains(edge)).map(|edge| (*edge, Presence::OldOnly));
        let edges = kept.chain(gone).map(|((from, to), presence)| Edge { from, to, presence }).collect();
        Self { nodes, edges, title: None }
    }

    /// The same diagram with a title.
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Its title, if it has one.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The features, each behind those that it depends on, and those that were removed at the end.
    pub fn nodes(&self) -> &[DiagramNode] {
        &self.nodes
    }

    /// What depends on what, in either graph: the upstream feature and the one that depends on it.
    pub fn edges(&self) -> impl Iterator<Item = (&FeatureKey, &FeatureKey)> {
        self.edges.iter().map(|edge| (&self.nodes[edge.from].key, &self.nodes[edge.to].key))
    }

    /// Whether two graphs are the same: no feature, no field, no version and no dependency has changed.
    pub fn is_unchanged(&self) -> bool {
        let is_unchanged = |node: &DiagramNode| {
            node.version.is_unchanged() && node.fields.iter().all(|(_, version)| version.is_unchanged())
        };
        self.nodes.iter().all(is_unchanged) && self.edges.iter().all(|edge| edge.presence == Presence::Both)
    }

    /// Says something of a feature, as how many of its rows are stale; nothing is said of one that is not there.
    pub fn note(&mut self, key: &FeatureKey, note: Note) {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.key == *key) {
            node.note = Some(note);
        }
    }

    /// Only a feature, what it depends on, and what depends on it, each so many steps away at most; `None` if it is not
    /// there.
    pub fn around(&self, key: &FeatureKey, up: Option<usize>, down: Option<usize>) -> Option<Self> {
        let start = self.nodes.iter().position(|node| node.key == *key)?;
        let mut kept = BTreeSet::from([start]);
        kept.extend(self.reached(start, up, |edge| (edge.to, edge.from)));
        kept.extend(self.reached(start, down, |edge| (edge.from, edge.to)));
        Some(self.only(&kept))
    }

    /// The features that edges lead to from one, in so many steps at most.
    fn reached(&self, start: usize, steps: Option<usize>, way: impl Fn(&Edge) -> (usize, usize)) -> BTreeSet<usize> {
        let (mut reached, mut last) = (BTreeSet::from([start]), vec![start]);
        let mut left = steps.unwrap_or(usize::MAX);
        while left > 0 && !last.is_empty() {
            let next = self.edges.iter().map(&way).filter(|(from, _)| last.contains(from)).map(|(_, to)| to);
            last = next.collect::<BTreeSet<_>>().into_iter().filter(|to| reached.insert(*to)).collect();
            left -= 1;
        }
        reached
    }

    fn only(&self, kept: &BTreeSet<usize>) -> Self {
        let places: HashMap<usize, usize> = kept.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let edges = self.edges.iter().filter_map(|edge| {
            Some(Edge { from: *places.get(&edge.from)?, to: *places.get(&edge.to)?, presence: edge.presence })
        });
        let nodes = kept.iter().map(|at| self.nodes[*at].clone()).collect();
        Self { nodes, edges: edges.collect(), title: self.title.clone() }
    }

    /// Whether each feature has to say which project it is of: where that was asked for, or there are several.
    fn has_projects(&self, options: DiagramOptions) -> bool {
        options.projects.unwrap_or_else(|| self.nodes.windows(2).any(|pair| pair[0].project != pair[1].project))
    }

    /// The word for what has changed in a feature, or stands out in it.
    fn change(node: &DiagramNode) -> &'static str {
        let stands_out = node.note.as_ref().is_some_and(|note| note.stands_out);
        if node.version.is_unchanged() && stands_out { "changed" } else { node.version.word() }
    }

    /// The lines of a feature: its key, and below it what there is to say of it.
    fn lines(&self, node: &DiagramNode, options: DiagramOptions) -> Vec<Line> {
        let title = [node.version.sign(), node.key.as_str()].concat();
        let mut lines = vec![Line { text: title, change: node.version.word(), is_title: true }];
        let mut line = |text: String, change| lines.push(Line { text, change, is_title: false });
        if self.has_projects(options) {
            line(node.project.to_string(), "unchanged");
        }
        if options.feature_versions {
            line(options.version(&node.version), node.version.word());
        }
        for (key, version) in node.fields.iter().filter(|_| options.fields) {
            let name = [version.sign(), key.as_str()].concat();
            let facts = node.facts_of_field(key, version, options);
            line(if facts.is_empty() { name } else { [&name, " ", &facts].concat() }, version.word());
        }
        if let Some(note) = &node.note {
            line(note.text.clone(), if note.stands_out { "changed" } else { "unchanged" });
        }
        lines
    }
}

impl DiagramNode {
    /// What is drawn behind the key of a field: its version, and its code version.
    fn facts_of_field(&self, key: &FieldKey, version: &VersionChange, options: DiagramOptions) -> String {
        let version = options.field_versions.then(|| options.version(version));
        let code = self.code_versions.get(key).filter(|_| options.code_versions);
        let code = code.map(|code| ["(code ", code, ")"].concat());
        version.into_iter().chain(code).collect::<Vec<_>>().join(" ")
    }
}

/// A line of a feature in a drawing.
struct Line {
    text: String,
    /// The word for its change.
    change: &'static str,
    is_title: bool,
}
