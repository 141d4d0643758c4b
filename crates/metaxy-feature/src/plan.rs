//! What is needed to compute the provenance of a feature's rows, as plain data (`models/plan.py`,
//! `versioning/engine.py`).

use crate::{Column, FeatureDep, FeatureGraph, FeatureKey, FeatureSpec, FieldKey, FieldSpec, Lineage, graph::fq_name};

/// How the provenance of a feature follows from its upstream features; see [`FeatureGraph::plan`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FeaturePlan<'g> {
    /// The feature.
    pub spec: &'g FeatureSpec,
    /// Its fields in the order of the specification.
    pub fields: Vec<FieldPlan<'g>>,
    /// Its dependencies in the order of the specification.
    pub deps: Vec<DepPlan<'g>>,
    /// What upstream rows are joined by, and compared by with the feature's rows: the input id columns that
    /// all dependencies share, in the order of the first one. Empty for a root feature, and where they
    /// share none, so that its rows cannot be computed.
    pub input_id_columns: Vec<&'g Column>,
}

impl FeaturePlan<'_> {
    /// The struct keys in the order in which the hash of a sample joins the fields' values: by code point.
    pub fn struct_keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = self.fields.iter().map(|field| field.struct_key.as_str()).collect();
        keys.sort_unstable();
        keys
    }
}

/// How one field's provenance is made: the hash of its key, its code version and, for each parent, the
/// parent's name and data version, joined by `|`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldPlan<'g> {
    /// The field.
    pub key: &'g FieldKey,
    /// Its member of the `*_by_field` structs.
    pub struct_key: String,
    /// Its code version.
    pub code_version: &'g str,
    /// The upstream fields, in the order of their names.
    pub parents: Vec<ParentPlan<'g>>,
}

/// An upstream field of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParentPlan<'g> {
    /// The upstream feature.
    pub feature: &'g FeatureKey,
    /// The upstream field.
    pub field: &'g FieldKey,
    /// Its name in the hashed text: `feature.field`.
    pub name: String,
    /// Its member of the upstream's `*_by_field` structs.
    pub struct_key: String,
    /// Whether the upstream row may be missing; its data version then is the empty text.
    pub optional: bool,
}

/// One dependency of a feature.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DepPlan<'g> {
    /// The dependency.
    pub dep: &'g FeatureDep,
    /// The upstream feature.
    pub upstream: &'g FeatureSpec,
    /// The upstream's id columns by their new names; rows of an aggregation are ordered by them.
    pub id_columns: Vec<&'g Column>,
    /// What identifies a row after the lineage: the upstream's id columns, the columns that an aggregation
    /// groups by, or those that an expansion shares.
    pub input_id_columns: Vec<&'g Column>,
}

impl FeatureGraph {
    /// How the provenance of a feature is computed; `None` if it is not in the graph.
    ///
    /// ```
    /// use metaxy_feature::{FeatureDefinition, FeatureGraph};
    ///
    /// let text = r#"
    /// [[feature]]
    /// key = "video"
    /// id_columns = ["id"]
    /// fields = ["audio", "frames"]
    ///
    /// [[feature]]
    /// key = "text"
    /// id_columns = ["video_id"]
    /// deps = [{ feature = "video", rename = { id = "video_id" } }]
    /// fields = ["audio"]
    /// "#;
    /// let graph = FeatureGraph::new(FeatureDefinition::from_toml(text, &"demo".parse()?)?)?;
    /// let plan = graph.plan(&"text".parse()?).ok_or("not in the graph")?;
    /// assert_eq!(plan.fields[0].parents[0].name, "video.audio");
    /// assert_eq!(plan.input_id_columns[0].as_str(), "video_id");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn plan(&self, key: &FeatureKey) -> Option<FeaturePlan<'_>> {
        let feature = self.resolved(key)?;
        let spec = feature.definition.spec();
        let fields = spec.fields().iter().zip(&feature.parents).map(|(field, parents)| FieldPlan {
            key: &field.key,
            struct_key: field.key.struct_key(),
            code_version: &field.code_version,
            parents: parents.iter().map(|parent| parent_plan(spec, self.field(*parent))).collect(),
        });
        let deps = spec.deps().iter().filter_map(|dep| Some(dep_plan(spec, dep, self.get(&dep.feature)?.spec())));
        let deps: Vec<DepPlan<'_>> = deps.collect();
        let shared = |column: &&Column| deps.iter().all(|dep| dep.input_id_columns.contains(column));
        let first = deps.first().map(|dep| dep.input_id_columns.as_slice()).unwrap_or_default();
        let input_id_columns = first.iter().copied().filter(shared).collect();
        Some(FeaturePlan { spec, fields: fields.collect(), deps, input_id_columns })
    }
}

/// The upstream field as a parent of one of the feature's fields.
fn parent_plan<'g>(spec: &'g FeatureSpec, (upstream, field): (&'g FeatureSpec, &'g FieldSpec)) -> ParentPlan<'g> {
    ParentPlan {
        feature: upstream.key(),
        field: &field.key,
        name: fq_name(upstream.key(), &field.key),
        struct_key: field.key.struct_key(),
        optional: spec.deps().iter().any(|dep| dep.feature == *upstream.key() && dep.optional),
    }
}

fn dep_plan<'g>(spec: &'g FeatureSpec, dep: &'g FeatureDep, upstream: &'g FeatureSpec) -> DepPlan<'g> {
    let id_columns: Vec<&Column> = upstream.id_columns().iter().map(|column| dep.renamed(column)).collect();
    let input_id_columns = match &dep.lineage {
        Lineage::Identity => id_columns.clone(),
        Lineage::Aggregation { on } => on.as_ref().unwrap_or(spec.id_columns()).iter().collect(),
        Lineage::Expansion { on, .. } => on.iter().collect(),
    };
    DepPlan { dep, upstream, id_columns, input_id_columns }
}
