//! Feature files: specifications in TOML, and what is wrong with them at its line.

use std::collections::HashMap;
use std::path::PathBuf;

use metaxy_diagnostics::{
    Diagnostic, Diagnostics, Location, Node, Origin, Position, Sources, Table, Value, Visibility,
};

use crate::decode::{self, METADATA};
use crate::error::{Error, Problem, ProblemKind, Problems, Result};
use crate::{
    FeatureDefinition, FeatureGraph, FeatureKey, FeatureSpec, Json, JsonObject, Number, ProjectName, messages,
};

/// The one key of a feature file.
const FEATURE: &str = "feature";

/// Keys whose tables have free names as keys.
const MAPS: [&str; 2] = ["rename", "mapping"];

/// Everything but metadata is written into the lake and into messages, and so may be shown; what has another name than a
/// feature file knows may be anything.
const VISIBILITY: Visibility = Visibility { is_key, is_harmless, ..Visibility::NOTHING };

fn is_key(word: &str) -> bool {
    word == FEATURE || decode::is_key(word)
}

fn is_harmless(path: &[&str], _: &str) -> bool {
    let path = match path {
        [above @ .., map, _] if MAPS.contains(map) => above,
        path => path,
    };
    path.iter().all(|key| is_key(key) && *key != METADATA)
}

/// A feature as a file describes it.
#[derive(Clone)]
struct Feature {
    spec: FeatureSpec,
    schema: JsonObject,
    /// Its table.
    node: Node,
}

impl Feature {
    fn definition(&self, project: &ProjectName) -> FeatureDefinition {
        FeatureDefinition::new(self.spec.clone(), project.clone()).with_schema(self.schema.clone())
    }
}

/// Feature files that make up one graph, with the place of each feature.
///
/// The form of the files is that of [`FeatureDefinition::from_toml`]. What is wrong in one of them, or with all of them
/// together, is reported at its line.
///
/// ```
/// use metaxy_diagnostics::Style;
/// use metaxy_feature::FeatureFiles;
///
/// let mut files = FeatureFiles::new("/project");
/// files.add("/project/raw.toml", "[[feature]]\nkey = 'video/raw'\nid_columns = ['id']".to_owned());
/// files.add("/project/crop.toml", "[[feature]]\nkey = 'crop'\nid_columns = ['id']\ndeps = ['video/row']".to_owned());
/// let error = files.graph(&"demo".parse()?).unwrap_err();
/// assert_eq!(
///     error.render(Style::Plain),
///     "error[unknown-feature]: the feature `crop` depends on `video/row`, which is not in the graph
///  --> crop.toml:4:9
///   |
/// 4 | deps = ['video/row']
///   |         ^^^^^^^^^^^
///   |
///   = help: did you mean `video/raw`?
/// "
/// );
/// # Ok::<(), metaxy_feature::Error>(())
/// ```
#[derive(Clone)]
pub struct FeatureFiles {
    sources: Sources,
    features: Vec<Feature>,
    diagnostics: Vec<Diagnostic>,
}

impl FeatureFiles {
    /// None yet; paths below `current_dir` are shown relative to it.
    pub fn new(current_dir: impl Into<PathBuf>) -> Self {
        Self { sources: Sources::new(current_dir), features: Vec::new(), diagnostics: Vec::new() }
    }

    /// Adds a file.
    pub fn add(&mut self, path: impl Into<PathBuf>, text: String) {
        let before = self.diagnostics.len();
        let root = root(self.sources.parse(path, text, VISIBILITY, &mut self.diagnostics));
        if self.diagnostics.len() > before {
            return;
        }
        match features(&root) {
            Ok(features) => self.features.extend(features),
            Err(error) => {
                self.diagnostics.extend(error.into_problems().into_iter().map(|problem| diagnostic(problem, &root)));
            }
        }
    }

    /// Adds something else that is wrong, such as a file that cannot be read.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// The graph of all features.
    ///
    /// # Errors
    ///
    /// If one of the files is not valid; or else if the features do not form a graph, see [`FeatureGraph::new`].
    pub fn graph(self, project: &ProjectName) -> Result<FeatureGraph, Diagnostics> {
        self.build(project, Vec::new())
    }

    /// The graph of all features, and of those that other projects define; where a file defines a feature too, its
    /// definition is the one.
    ///
    /// # Errors
    ///
    /// As for [`graph`](Self::graph).
    pub fn graph_with(
        self,
        project: &ProjectName,
        external: impl IntoIterator<Item = FeatureDefinition>,
    ) -> Result<FeatureGraph, Diagnostics> {
        self.build(project, external.into_iter().collect())
    }

    /// The features alone, some of which may depend on features of other projects.
    ///
    /// # Errors
    ///
    /// If one of the files is not valid.
    pub fn definitions(self, project: &ProjectName) -> Result<Vec<FeatureDefinition>, Diagnostics> {
        if self.diagnostics.is_empty() {
            return Ok(self.features.iter().map(|feature| feature.definition(project)).collect());
        }
        Err(Diagnostics::new(self.diagnostics, self.sources.into()))
    }

    /// Everything that is wrong with each file by itself, whatever the features depend on.
    pub fn check(self) -> Diagnostics {
        Diagnostics::new(self.diagnostics, self.sources.into())
    }

    /// Everything that is wrong with the files, and with the graph of their features and those of other projects.
    pub fn check_with(self, external: impl IntoIterator<Item = FeatureDefinition>) -> Diagnostics {
        let none = Diagnostics::new(Vec::new(), Sources::new(self.sources.current_dir()).into());
        self.build(&ProjectName::placeholder(), external.into_iter().collect()).err().unwrap_or(none)
    }

    /// That no project is known to which the features could belong.
    pub fn missing_project() -> Diagnostics {
        Diagnostics::new(vec![messages::missing_project().into_diagnostic()], Sources::new("").into())
    }

    fn build(self, project: &ProjectName, mut external: Vec<FeatureDefinition>) -> Result<FeatureGraph, Diagnostics> {
        let Self { sources, features, mut diagnostics } = self;
        external.retain(|external| features.iter().all(|feature| feature.spec.key() != external.key()));
        if diagnostics.is_empty() {
            match FeatureGraph::new(features.iter().map(|feature| feature.definition(project)).chain(external)) {
                Ok(graph) => return Ok(graph),
                Err(error) => {
                    let mut places = Places::new(&features);
                    diagnostics.extend(error.into_problems().into_iter().map(|problem| places.diagnostic(problem)));
                }
            }
        }
        Err(Diagnostics::new(diagnostics, sources.into()))
    }
}

impl std::fmt::Debug for FeatureFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeatureFiles")
            .field("features", &self.features.iter().map(|feature| feature.spec.key()).collect::<Vec<_>>())
            .field("diagnostics", &self.diagnostics)
            .finish_non_exhaustive()
    }
}

/// The tables of features by their keys, in their order.
struct Places<'a> {
    nodes: HashMap<&'a FeatureKey, Vec<&'a Node>>,
    /// How many problems there were so far about a feature that is there again.
    again: HashMap<FeatureKey, usize>,
}

impl<'a> Places<'a> {
    fn new(features: &'a [Feature]) -> Self {
        let mut nodes: HashMap<_, Vec<_>> = HashMap::new();
        for feature in features {
            nodes.entry(feature.spec.key()).or_default().push(&feature.node);
        }
        Self { nodes, again: HashMap::new() }
    }

    /// A problem of the graph at its place; of a feature that is there again, both places.
    fn diagnostic(&mut self, problem: Problem) -> Diagnostic {
        let nodes = problem.feature().and_then(|feature| self.nodes.get(feature)).map(Vec::as_slice);
        let (Some([first, again @ ..]), Some(feature)) = (nodes, problem.feature()) else {
            return problem.into_diagnostic();
        };
        if problem.kind() != ProblemKind::Duplicate {
            return diagnostic(problem, first);
        }
        let index = self.again.entry(feature.clone()).or_default();
        let node = again.get(*index).unwrap_or(first);
        *index += 1;
        let first = problem.origin(first);
        diagnostic(problem, node).with_label(first, "the first definition")
    }
}

/// A problem at its place in the tree that its path starts from.
fn diagnostic(problem: Problem, root: &Node) -> Diagnostic {
    let origin = problem.origin(root);
    problem.into_diagnostic().with_origin(origin)
}

fn root(table: Table) -> Node {
    Node::new(Value::Table(table), Origin::Root)
}

/// Reads the definitions of one file that has no name.
pub(crate) fn definitions(text: &str, project: &ProjectName) -> Result<Vec<FeatureDefinition>> {
    let mut sources = Sources::new("");
    let mut syntax = Vec::new();
    let root = root(sources.parse("", text.to_owned(), VISIBILITY, &mut syntax));
    let position = |origin| match sources.location(origin) {
        Some(Location::File { line, column, .. }) => Some(Position { line, column }),
        _ => None,
    };
    if !syntax.is_empty() {
        let all = Diagnostics::new(syntax, sources.clone().into());
        let problem = |diagnostic: &Diagnostic| {
            let problem = Problem::from_diagnostic(ProblemKind::Syntax, diagnostic.clone());
            match all.location(diagnostic) {
                Some(Location::File { line, column, .. }) => problem.with_position(Position { line, column }),
                _ => problem,
            }
        };
        return Err(all.iter().map(problem).collect::<Vec<_>>().into());
    }
    let features = features(&root).map_err(|error| {
        error.map(|problem| match position(problem.origin(&root)) {
            Some(position) => problem.with_position(position),
            None => problem,
        })
    })?;
    Ok(features.iter().map(|feature| feature.definition(project)).collect())
}

/// The `[[feature]]` tables of a file.
fn features(root: &Node) -> Result<Vec<Feature>> {
    let mut problems = Problems::default();
    let Some(table) = root.as_table() else { return Ok(Vec::new()) };
    for entry in table.0.iter().filter(|entry| entry.key != FEATURE) {
        problems.push(messages::unknown_key(&entry.key, &[FEATURE]));
    }
    let features = match table.get(FEATURE).map(|node| &node.value) {
        None => Some(Vec::new()),
        Some(Value::Array(items)) => problems.catch_all(items.iter().enumerate().map(|(index, node)| {
            let read = json(node).and_then(|json| decode::spec_from_toml(&json));
            let (spec, schema) = read.map_err(|error| error.nested_in(index).nested_in(FEATURE))?;
            Ok(Feature { spec, schema: schema.unwrap_or_default(), node: node.clone() })
        })),
        Some(other) => {
            problems.push(messages::wrong_type("`[[feature]]` tables", other.kind()).nested_in(FEATURE));
            None
        }
    };
    problems.finish(features)
}

fn json(node: &Node) -> Result<Json> {
    Ok(match &node.value {
        Value::String(value) => value.as_str().into(),
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => {
            i64::try_from(*value).map_err(|_| messages::no_json("an integer of more than 64 bits"))?.into()
        }
        Value::Float(value) => {
            Json::Number(Number::from_f64(*value).ok_or_else(|| messages::no_json("a float that is not finite"))?)
        }
        Value::Datetime(_) => return Err(messages::no_json("a date or time").into()),
        Value::Array(items) => {
            let mut problems = Problems::default();
            let items = items.iter().enumerate();
            let items = problems
                .catch_all(items.map(|(index, item)| json(item).map_err(|error: Error| error.nested_in(index))));
            Json::Array(problems.finish(items)?)
        }
        Value::Table(table) => {
            let mut problems = Problems::default();
            let entries = problems.catch_all(table.0.iter().map(|entry| {
                let value = json(&entry.node).map_err(|error| error.nested_in(entry.key.as_str()))?;
                Ok((entry.key.clone(), value))
            }));
            Json::Object(problems.finish(entries)?.into_iter().collect())
        }
    })
}
