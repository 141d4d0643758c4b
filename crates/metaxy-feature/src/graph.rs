//! Features that depend on each other, checked as a whole; what asks a graph cannot fail.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry};

use crate::{
    Error, FeatureDefinition, FeatureKey, FeatureSpec, FieldDeps, FieldKey, FieldSpec, ProjectName, Result, Truncation,
    Version, error::Problems, messages,
};

/// Features whose dependencies are all there and resolved.
///
/// Every dependency is in the graph, none leads back to its feature, no two features share a key or a table
/// or take a system table, every field that a field lists exists, every field of a feature with
/// dependencies that lists none gets one from the mappings, and no rename hits an id column of its upstream.
#[derive(Debug, Clone)]
pub struct FeatureGraph {
    /// In topological order.
    features: Vec<Resolved>,
    index: HashMap<FeatureKey, usize>,
}

/// A feature and, for each of its fields, the upstream fields.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) definition: FeatureDefinition,
    pub(crate) parents: Vec<Vec<FieldId>>,
}

/// The place of a field in a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldId {
    pub(crate) feature: usize,
    pub(crate) field: usize,
}

impl FeatureGraph {
    /// The graph of these features, in any order.
    ///
    /// # Errors
    ///
    /// If a rule above is broken; the error lists every independent problem.
    ///
    /// ```
    /// use metaxy_feature::{FeatureDefinition, FeatureGraph, ProblemKind};
    ///
    /// let text = r#"
    /// [[feature]]
    /// key = "a"
    /// id_columns = ["id"]
    /// deps = ["b"]
    ///
    /// [[feature]]
    /// key = "b"
    /// id_columns = ["id"]
    /// deps = ["a"]
    /// "#;
    /// let error = FeatureGraph::new(FeatureDefinition::from_toml(text, &"demo".parse()?)?).unwrap_err();
    /// assert!(error.is(ProblemKind::Cycle));
    /// assert_eq!(error.to_string(), "features depend on each other: `a` → `b` → `a`");
    /// # Ok::<(), metaxy_feature::Error>(())
    /// ```
    pub fn new(definitions: impl IntoIterator<Item = FeatureDefinition>) -> Result<Self> {
        let mut problems = Problems::default();
        let mut by_name = BTreeMap::new();
        for definition in definitions {
            match by_name.entry(definition.key().to_string()) {
                Entry::Occupied(_) => problems.push(messages::duplicate_feature(definition.key()).nested_in(KEY)),
                Entry::Vacant(place) => _ = place.insert(definition),
            }
        }
        problems.catch(check_tables(&by_name));
        problems.catch(check_deps(&by_name));
        let order = problems.catch(topological_order(&by_name));
        let order = problems.finish(order)?;

        let index: HashMap<FeatureKey, usize> = order.into_iter().enumerate().map(|(at, key)| (key, at)).collect();
        let mut definitions: Vec<_> = by_name.into_values().collect();
        definitions.sort_unstable_by_key(|definition| index.get(definition.key()));
        let mut problems = Problems::default();
        let specs: Vec<&FeatureSpec> = definitions.iter().map(FeatureDefinition::spec).collect();
        let parents = specs.iter().map(|spec| resolve(spec, &specs, &index));
        let parents: Vec<_> = parents.map(|result| problems.catch(result).unwrap_or_default()).collect();
        problems.finish(Some(()))?;
        let features = definitions.into_iter().zip(parents);
        let features = features.map(|(definition, parents)| Resolved { definition, parents }).collect();
        Ok(Self { features, index })
    }

    /// The feature with this key.
    pub fn get(&self, key: &FeatureKey) -> Option<&FeatureDefinition> {
        self.resolved(key).map(|feature| &feature.definition)
    }

    /// The features, each after those it depends on, in the order of Python's `topological_sort_features`.
    pub fn iter(&self) -> impl Iterator<Item = &FeatureDefinition> {
        self.features.iter().map(|feature| &feature.definition)
    }

    /// The single project of the features that are not external.
    ///
    /// # Errors
    ///
    /// If there is no such feature, or they belong to several projects.
    pub fn project(&self) -> Result<&ProjectName> {
        let own = self.iter().filter(|definition| !definition.is_external());
        let projects: BTreeSet<_> = own.map(FeatureDefinition::project).collect();
        match (projects.first(), projects.len()) {
            (Some(project), 1) => Ok(project),
            (None, _) => Err(messages::no_project().into()),
            _ => {
                let names: Vec<&str> = projects.into_iter().map(ProjectName::as_str).collect();
                Err(messages::several_projects(&names).into())
            }
        }
    }

    /// All versions at this truncation.
    pub fn versions(&self, truncation: Truncation) -> GraphVersions<'_> {
        let mut features: Vec<FeatureVersions<'_>> = Vec::with_capacity(self.features.len());
        for Resolved { definition, parents } in &self.features {
            let spec = definition.spec();
            let fields = spec.fields().iter().zip(parents).map(|(field, parents)| {
                let computed = || {
                    let name = fq_name(spec.key(), &field.key);
                    let parents = parents.iter().map(|id| features[id.feature].fields[id.field].1.as_str());
                    Version::hash([name.as_str(), &field.code_version].into_iter().chain(parents), truncation)
                };
                let version = definition.given_version(&field.key).cloned().unwrap_or_else(computed);
                (&field.key, version)
            });
            let fields: Vec<_> = fields.collect();
            let mut sorted: Vec<_> = fields.iter().map(|(key, version)| [key.as_str(), version.as_str()]).collect();
            sorted.sort_unstable();
            features.push(FeatureVersions {
                feature: Version::hash(sorted.into_iter().flatten(), truncation),
                code: spec.code_version(truncation),
                spec: spec.version(truncation),
                definition: definition.version(truncation),
                fields,
            });
        }
        GraphVersions { graph: self, features, truncation }
    }

    pub(crate) fn resolved(&self, key: &FeatureKey) -> Option<&Resolved> {
        self.features.get(*self.index.get(key)?)
    }

    pub(crate) fn field(&self, id: FieldId) -> (&FeatureSpec, &FieldSpec) {
        let spec = self.features[id.feature].definition.spec();
        (spec, &spec.fields()[id.field])
    }
}

/// The versions of all features of a graph; see [`FeatureGraph::versions`].
#[derive(Debug, Clone)]
pub struct GraphVersions<'g> {
    graph: &'g FeatureGraph,
    /// As in the graph.
    features: Vec<FeatureVersions<'g>>,
    truncation: Truncation,
}

impl<'g> GraphVersions<'g> {
    /// The versions of the feature with this key.
    pub fn get(&self, key: &FeatureKey) -> Option<&FeatureVersions<'g>> {
        self.features.get(*self.graph.index.get(key)?)
    }

    /// The features with their versions, in the order of [`FeatureGraph::iter`].
    pub fn iter(&self) -> impl Iterator<Item = (&'g FeatureDefinition, &FeatureVersions<'g>)> {
        self.graph.iter().zip(&self.features)
    }

    /// The version of a project, also called its snapshot: of the definitions of its features without
    /// external ones, ordered by key; the word `empty` if it has none.
    pub fn project(&self, project: &ProjectName) -> Version {
        let own = |definition: &FeatureDefinition| !definition.is_external() && definition.project() == project;
        let mut features: Vec<_> = self.iter().filter(|(definition, _)| own(definition)).collect();
        if features.is_empty() {
            return Version::empty();
        }
        features.sort_unstable_by_key(|(definition, _)| definition.key());
        let parts =
            features.iter().flat_map(|(feature, versions)| [feature.key().as_str(), versions.definition.as_str()]);
        Version::hash(parts, self.truncation)
    }
}

/// The versions of one feature (`models/feature.py`, `feature_spec.py`, `feature_definition.py`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureVersions<'g> {
    /// Of each field in the order of the specification: its key, code version and upstream field versions.
    pub fields: Vec<(&'g FieldKey, Version)>,
    /// Of the feature: its field keys and field versions. Rows are kept by it.
    pub feature: Version,
    /// See [`FeatureSpec::code_version`].
    pub code: Version,
    /// See [`FeatureSpec::version`].
    pub spec: Version,
    /// See [`FeatureDefinition::version`].
    pub definition: Version,
}

/// A field's name in a graph: what versions hash and what upstream fields are sorted by.
pub(crate) fn fq_name(feature: &FeatureKey, field: &FieldKey) -> String {
    format!("{feature}.{field}")
}

/// Where the key of a feature is in its specification.
const KEY: &str = "key";

/// By the text of the key, which is Python's order of traversal.
type ByName = BTreeMap<String, FeatureDefinition>;

fn check_tables(features: &ByName) -> Result<()> {
    let mut problems = Problems::default();
    let mut tables = HashMap::new();
    for key in features.values().map(FeatureDefinition::key) {
        let table = key.table_name();
        if table.starts_with("metaxy_system__") {
            problems.push(messages::system_table(key).nested_in(KEY));
        }
        if let Some(other) = tables.insert(table, key) {
            problems.push(messages::table_collision(key, other).nested_in(KEY));
        }
    }
    problems.finish(Some(()))
}

/// Whether dependencies exist and their renames leave the upstream's id columns alone.
fn check_deps(features: &ByName) -> Result<()> {
    let mut problems = Problems::default();
    let names: Vec<&str> = features.keys().map(String::as_str).collect();
    for spec in features.values().map(FeatureDefinition::spec) {
        for (index, dep) in spec.deps().iter().enumerate() {
            let mut push = |error: Error| problems.push(error.nested_in(index).nested_in("deps"));
            let Some(upstream) = features.get(dep.feature.as_str()) else {
                push(messages::unknown_dep(spec.key(), &dep.feature, &names).nested_in("feature"));
                continue;
            };
            let ids = upstream.spec().id_columns().as_slice();
            for (from, to) in dep.rename.iter().flatten().filter(|(_, to)| ids.contains(to)) {
                push(messages::rename_to_id(spec.key(), &dep.feature, to).nested_in(from.as_str()).nested_in("rename"));
            }
        }
    }
    problems.finish(Some(()))
}

/// Depth first, dependencies before their features, both in the order of their text.
fn topological_order(features: &ByName) -> Result<Vec<FeatureKey>> {
    /// A feature on the way down, and its dependencies not visited yet.
    struct Visit<'a> {
        key: &'a FeatureKey,
        deps: std::vec::IntoIter<&'a FeatureDefinition>,
    }
    let visit = |definition: &'_ FeatureDefinition| {
        let deps = definition.spec().deps().iter();
        let mut deps: Vec<_> = deps.filter_map(|dep| features.get(dep.feature.as_str())).collect();
        deps.sort_unstable_by_key(|dep| dep.key().as_str());
        deps.into_iter()
    };

    let mut problems = Problems::default();
    let (mut order, mut done) = (Vec::new(), BTreeSet::new());
    for definition in features.values() {
        let mut path: Vec<Visit<'_>> = Vec::new();
        let mut next = Some(definition);
        loop {
            if let Some(definition) = next.take_if(|definition| !done.contains(definition.key())) {
                let key = definition.key();
                if let Some(start) = path.iter().position(|visit| visit.key == key) {
                    let cycle: Vec<_> = path[start..].iter().map(|visit| visit.key).chain([key]).collect();
                    problems.push(cycle_at_its_dep(&cycle, features));
                } else {
                    path.push(Visit { key, deps: visit(definition) });
                }
            }
            let Some(current) = path.last_mut() else { break };
            next = current.deps.next();
            if next.is_none() {
                done.insert(current.key);
                order.push(current.key.clone());
                path.pop();
            }
        }
    }
    problems.finish(Some(order))
}

/// The cycle as a problem of its first feature, at the dependency that leads on to the next one.
fn cycle_at_its_dep(cycle: &[&FeatureKey], features: &ByName) -> Error {
    let problem = messages::cycle(cycle);
    let dep = if let [first, next, ..] = cycle {
        let deps = features.get(first.as_str()).map(|first| first.spec().deps()).unwrap_or_default();
        deps.iter().position(|dep| dep.feature == **next)
    } else {
        None
    };
    match dep {
        Some(index) => problem.nested_in("feature").nested_in(index).nested_in("deps"),
        None => problem.into(),
    }
}

/// The upstream fields of each field of a feature (`models/plan.py`), sorted by their names in the graph.
fn resolve(
    spec: &FeatureSpec,
    specs: &[&FeatureSpec],
    index: &HashMap<FeatureKey, usize>,
) -> Result<Vec<Vec<FieldId>>> {
    let mut problems = Problems::default();
    let upstream = |key: &FeatureKey| index.get(key).map(|feature| (*feature, specs[*feature]));
    let all = |feature: usize, upstream: &FeatureSpec| {
        (0..upstream.fields().len()).map(|field| FieldId { feature, field }).collect::<Vec<_>>()
    };
    let mut fields = Vec::with_capacity(spec.fields().len());
    for (index, field) in spec.fields().iter().enumerate() {
        let at_field = |error: Error| error.nested_in(index).nested_in("fields");
        let mut parents = Vec::new();
        match &field.deps {
            // Metaxy ignores what the fields of a root feature list.
            _ if spec.deps().is_empty() => {}
            FieldDeps::All => {
                for (feature, upstream) in spec.deps().iter().filter_map(|dep| upstream(&dep.feature)) {
                    parents.extend(all(feature, upstream));
                }
            }
            FieldDeps::Listed(deps) if deps.is_empty() => {
                for dep in spec.deps() {
                    let Some((feature, upstream)) = upstream(&dep.feature) else { continue };
                    let matches = dep.fields_mapping.matches(&field.key, upstream.fields());
                    parents.extend(matches.into_iter().map(|field| FieldId { feature, field }));
                }
                if parents.is_empty() {
                    problems.push(at_field(messages::no_upstream_field(spec.key(), &field.key).into()));
                }
            }
            FieldDeps::Listed(deps) => {
                for (dep_index, dep) in deps.iter().enumerate() {
                    let Some((feature, upstream)) = upstream(&dep.feature) else { continue };
                    let Some(wanted) = &dep.fields else {
                        parents.extend(all(feature, upstream));
                        continue;
                    };
                    for (key_index, key) in wanted.iter().enumerate() {
                        if let Some(field) = upstream.fields().iter().position(|field| field.key == *key) {
                            parents.push(FieldId { feature, field });
                        } else {
                            let problem = messages::unknown_field(spec.key(), &field.key, &dep.feature, key);
                            let of_dep = problem.nested_in(key_index).nested_in("fields").nested_in(dep_index);
                            problems.push(at_field(of_dep.nested_in("deps")));
                        }
                    }
                }
            }
        }
        let name = |id: &FieldId| fq_name(specs[id.feature].key(), &specs[id.feature].fields()[id.field].key);
        parents.sort_by_cached_key(name);
        parents.dedup();
        fields.push(parents);
    }
    problems.finish(Some(fields))
}
