//! `metaxy describe`: features in detail, and their graph as a whole.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::io::Write as _;

use metaxy_feature::{FeatureDefinition, FeatureDep, FeatureGraph, FeatureKey, FieldPlan, Json, Truncation};
use serde_json::{Value, json};

use crate::args::{Describe, DescribeFeatures, DescribeGraph, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features;
use crate::printer::Printer;

pub(crate) fn run(args: &Describe, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    match args {
        Describe::Features(args) => features(args, context, printer),
        Describe::Graph(args) => graph(args, context, printer),
    }
}

fn features(args: &DescribeFeatures, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    args.selection.keys()?;
    let loaded = context.load()?;
    let graph = features::graph(context, &loaded, None, printer)?;
    let keys = args.selection.resolve_all(&graph, context.project(&loaded.config))?;
    let all = Described::all(&graph, loaded.config.hash_truncation_length);
    let selected = keys.iter().filter_map(|key| all.iter().find(|one| one.definition.key() == key));
    let selected: Vec<_> = selected.collect();
    match (args.format, selected.as_slice()) {
        (TextOrJson::Text, []) => printer.note("there are no features in the project"),
        (TextOrJson::Text, selected) => {
            let texts: Vec<String> = selected.iter().map(|one| one.text()).collect();
            write!(printer, "{}", texts.join("\n"))?;
        }
        // As Python Metaxy prints it: one alone is no list.
        (TextOrJson::Json, [one]) => printer.json(&one.described())?,
        (TextOrJson::Json, selected) => {
            let selected: Vec<_> = selected.iter().map(|one| one.described()).collect();
            printer.json(&json!({ "features": selected }))?;
        }
    }
    Ok(Exit::Done)
}

/// A feature with its versions, and what each of its fields depends on.
pub(crate) struct Described<'g> {
    definition: &'g FeatureDefinition,
    version: String,
    fields: Vec<DescribedField<'g>>,
}

/// A field with its version, and the upstream fields.
pub(crate) struct DescribedField<'g> {
    pub(crate) key: &'g str,
    pub(crate) code_version: &'g str,
    pub(crate) version: String,
    parents: Vec<(&'g FeatureKey, Vec<&'g str>)>,
}

impl DescribedField<'_> {
    /// The upstream fields as `feature.field`.
    pub(crate) fn parents(&self) -> Vec<String> {
        let names = |(feature, fields): &(&FeatureKey, Vec<&str>)| -> Vec<String> {
            fields.iter().map(|field| format!("{feature}.{field}")).collect()
        };
        self.parents.iter().flat_map(names).collect()
    }
}

impl<'g> Described<'g> {
    /// Every feature of a graph, in its order.
    pub(crate) fn all(graph: &'g FeatureGraph, truncation: Truncation) -> Vec<Self> {
        let versions = graph.versions(truncation);
        let describe = |definition: &'g FeatureDefinition| {
            let (versions, plan) = (versions.get(definition.key())?, graph.plan(definition.key())?);
            let fields = plan.fields.into_iter().zip(&versions.fields).map(|(plan, (_, version))| DescribedField {
                key: plan.key.as_str(),
                code_version: plan.code_version,
                version: version.to_string(),
                parents: by_feature(&plan),
            });
            Some(Self { definition, version: versions.feature.to_string(), fields: fields.collect() })
        };
        graph.iter().filter_map(describe).collect()
    }

    pub(crate) fn key(&self) -> &str {
        self.definition.key().as_str()
    }

    pub(crate) fn project(&self) -> &str {
        self.definition.project().as_str()
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn fields(&self) -> &[DescribedField<'g>] {
        &self.fields
    }

    /// The features it depends on.
    pub(crate) fn deps(&self) -> Vec<&str> {
        self.definition.spec().deps().iter().map(|dep| dep.feature.as_str()).collect()
    }

    /// Where it is defined: the path of its Python class, if it is one.
    pub(crate) fn source(&self) -> String {
        self.definition.class_path().unwrap_or("-").to_owned()
    }

    /// As `metaxy list features` has it.
    pub(crate) fn listed(&self, verbose: bool) -> Value {
        let mut listed = json!({
            "key": self.key(),
            "version": self.version,
            "is_root": self.deps().is_empty(),
            "is_external": self.definition.is_external(),
            "project": self.project(),
            "source": self.definition.class_path(),
            "field_count": self.fields.len(),
            "fields": self.fields.iter().map(|field| field.json(verbose)).collect::<Vec<_>>(),
        });
        if verbose && !self.deps().is_empty() {
            listed["deps"] = self.deps().into();
        }
        listed
    }

    /// As `metaxy describe features` has it.
    fn described(&self) -> Value {
        let spec = self.definition.spec();
        let mut described = json!({
            "project": self.project(),
            "key": self.key(),
            "version": self.version,
            "description": spec.description(),
            "is_external": self.definition.is_external(),
            "source": self.definition.class_path(),
            "id_columns": spec.id_columns().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "fields": self.fields.iter().map(|field| field.json(true)).collect::<Vec<_>>(),
            "dependencies": spec.deps().iter().map(dependency).collect::<Vec<_>>(),
        });
        if !spec.metadata().is_empty() {
            // One writer of JSON is read by the other.
            let metadata = Json::Object(spec.metadata().clone()).to_string();
            described["metadata"] = serde_json::from_str(&metadata).unwrap_or_default();
        }
        described
    }

    fn text(&self) -> String {
        let spec = self.definition.spec();
        let mut text = format!("{} ({}) of {}\n", self.key(), self.version, self.project());
        let mut line = |line: std::fmt::Arguments<'_>| {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "  {line}");
        };
        if let Some(path) = self.definition.class_path() {
            line(format_args!("source: {path}"));
        }
        for described in spec.description().into_iter().flat_map(str::lines) {
            line(format_args!("{described}"));
        }
        let ids: Vec<_> = spec.id_columns().iter().map(ToString::to_string).collect();
        line(format_args!("id columns: {}", ids.join(", ")));
        line(format_args!("fields:"));
        for field in &self.fields {
            match field.parents().join(", ").as_str() {
                "" => line(format_args!("  {} ({})", field.key, field.version)),
                parents => line(format_args!("  {} ({}) from {parents}", field.key, field.version)),
            }
        }
        line(format_args!("depends on:{}", if spec.deps().is_empty() { " nothing (a root feature)" } else { "" }));
        for dep in spec.deps() {
            let mut notes: Vec<String> = Vec::new();
            if let Some(select) = &dep.select {
                let columns: Vec<_> = select.iter().map(ToString::to_string).collect();
                notes.push(format!(
                    "select {}",
                    if columns.is_empty() { "nothing".to_owned() } else { columns.join(", ") }
                ));
            }
            for (from, to) in dep.rename.iter().flatten() {
                notes.push(format!("rename {from} to {to}"));
            }
            notes.extend(dep.optional.then(|| "optional".to_owned()));
            line(format_args!("  {}{}{}", dep.feature, if notes.is_empty() { "" } else { ": " }, notes.join("; ")));
        }
        if !spec.metadata().is_empty() {
            line(format_args!("metadata: {}", Json::Object(spec.metadata().clone())));
        }
        text
    }
}

impl DescribedField<'_> {
    fn json(&self, with_deps: bool) -> Value {
        let mut field = json!({ "key": self.key, "code_version": self.code_version, "version": self.version });
        if with_deps && !self.parents.is_empty() {
            let dep =
                |(feature, fields): &(&FeatureKey, Vec<&str>)| json!({ "feature": feature.as_str(), "fields": fields });
            field["deps"] = self.parents.iter().map(dep).collect();
        }
        field
    }
}

/// The upstream fields of a field, sorted, so that two runs print the same.
fn by_feature<'g>(plan: &FieldPlan<'g>) -> Vec<(&'g FeatureKey, Vec<&'g str>)> {
    let mut features: BTreeMap<&FeatureKey, Vec<&str>> = BTreeMap::new();
    for parent in &plan.parents {
        features.entry(parent.feature).or_default().push(parent.field.as_str());
    }
    features.into_iter().collect()
}

fn dependency(dep: &FeatureDep) -> Value {
    let mut json = json!({ "feature": dep.feature.as_str() });
    if let Some(select) = &dep.select {
        json["select"] = select.iter().map(ToString::to_string).collect();
    }
    if let Some(rename) = dep.rename.as_ref().filter(|rename| !rename.is_empty()) {
        json["rename"] = rename.iter().map(|(from, to)| (from.to_string(), Value::from(to.to_string()))).collect();
    }
    if dep.optional {
        json["optional"] = true.into();
    }
    json
}

fn graph(args: &DescribeGraph, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let graph = features::graph(context, &loaded, args.snapshot(), printer)?;
    let project = context.project(&loaded.config);
    let shape = Shape::of(&graph, project);
    let versions = graph.versions(loaded.config.hash_truncation_length);
    let projects: BTreeMap<&str, usize> = graph.iter().fold(BTreeMap::new(), |mut projects, definition| {
        *projects.entry(definition.project().as_str()).or_default() += 1;
        projects
    });
    // A version belongs to one project.
    let own = graph.iter().map(FeatureDefinition::project).find(|of| match project {
        Some(project) => of.as_str() == project,
        None => projects.len() == 1,
    });
    let version = own.map(|project| versions.project(project).to_string());
    match args.format {
        TextOrJson::Text => {
            let mut facts = vec![["project version", version.as_deref().unwrap_or("-")].map(str::to_owned)];
            facts.push(["features".to_owned(), shape.features.to_string()]);
            facts.push(["depth".to_owned(), shape.depth.to_string()]);
            facts.push(["roots".to_owned(), shape.roots.join(", ")]);
            facts.push(["leaves".to_owned(), shape.leaves.join(", ")]);
            if projects.len() > 1 {
                let projects: Vec<_> = projects.iter().map(|(name, count)| format!("{name} ({count})")).collect();
                facts.push(["projects".to_owned(), projects.join(", ")]);
            }
            write!(printer, "{}", crate::table::aligned(["GRAPH", ""], &facts))?;
        }
        TextOrJson::Json => printer.json(&json!({
            "version": 1,
            "project_version": version,
            "feature_count": shape.features,
            "graph_depth": shape.depth,
            "root_features": shape.roots,
            "leaf_features": shape.leaves,
            "projects": projects,
        }))?,
    }
    Ok(Exit::Done)
}

/// What there is to say about a graph as a whole, or about one project's part of it.
struct Shape<'g> {
    features: usize,
    /// The features on the longest way from a root to a leaf.
    depth: usize,
    roots: Vec<&'g str>,
    leaves: Vec<&'g str>,
}

impl<'g> Shape<'g> {
    fn of(graph: &'g FeatureGraph, project: Option<&str>) -> Self {
        let is_own =
            |definition: &&FeatureDefinition| project.is_none_or(|project| definition.project().as_str() == project);
        let own: Vec<&FeatureDefinition> = graph.iter().filter(is_own).collect();
        let mut depths: HashMap<&FeatureKey, usize> = HashMap::new();
        // Dependencies come before their features.
        for definition in graph.iter() {
            let below = definition.spec().deps().iter().filter_map(|dep| depths.get(&dep.feature)).max();
            depths.insert(definition.key(), below.copied().unwrap_or_default() + 1);
        }
        let used: HashSet<&FeatureKey> =
            own.iter().flat_map(|definition| definition.spec().deps()).map(|dep| &dep.feature).collect();
        let keys = |is: &dyn Fn(&FeatureDefinition) -> bool| {
            own.iter().filter(|one| is(one)).map(|one| one.key().as_str()).collect::<Vec<&str>>()
        };
        Self {
            features: own.len(),
            depth: own.iter().filter_map(|one| depths.get(one.key())).max().copied().unwrap_or_default(),
            roots: keys(&|one| one.spec().deps().is_empty()),
            leaves: keys(&|one| !used.contains(one.key())),
        }
    }
}
