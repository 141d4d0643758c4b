//! What a feature is: its key, id columns, dependencies and fields (`models/feature_spec.py`, `field.py`).
//!
//! The parts are plain data, each valid by its types. Rules across parts are checked by
//! [`FeatureSpecBuilder::build`], the only way to a [`FeatureSpec`].

use std::collections::{BTreeSet, HashMap, HashSet};

use indexmap::IndexMap;

use crate::{
    Column, Columns, Error, FeatureKey, FieldKey, Json, JsonObject, Result, decode, error::Problems, json, messages,
};

/// The code version of a field that names none.
pub const INITIAL_CODE_VERSION: &str = "__metaxy_initial__";

/// What stands for all fields in the JSON of a field's dependencies.
pub(crate) const ALL_FIELDS: &str = "__METAXY_ALL_DEP__";

/// The specification of a feature, checked as far as one feature alone can be.
///
/// It comes from a [builder](Self::builder), from [JSON](Self::from_json) or from
/// [TOML](crate::FeatureDefinition::from_toml). It has at least one field; its field keys, their struct keys
/// and its dependencies are unique; no id column has the name of a system column; each field depends on
/// features among `deps` only (unless there are none, when Metaxy ignores what the fields list); and the
/// `rename` and `select` of each dependency agree.
///
/// ```
/// use metaxy_feature::{Columns, FeatureDep, FeatureSpec, FieldSpec, Truncation};
///
/// let crop = FeatureSpec::builder("video/crop".parse()?, Columns::from_names(["video_id"])?)
///     .dep(FeatureDep::new("video/raw".parse()?))
///     .field(FieldSpec { code_version: "2".to_owned(), ..FieldSpec::new("audio".parse()?) })
///     .field(FieldSpec::new("embedding".parse()?))
///     .build()?;
/// assert_eq!(crop.code_version(Truncation::default()).as_str(), "53e533e4");
/// # Ok::<(), metaxy_feature::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSpec {
    key: FeatureKey,
    id_columns: Columns,
    deps: Vec<FeatureDep>,
    fields: Vec<FieldSpec>,
    metadata: JsonObject,
    description: Option<String>,
}

impl FeatureSpec {
    /// Starts the specification of a feature with this key and these id columns.
    pub fn builder(key: FeatureKey, id_columns: Columns) -> FeatureSpecBuilder {
        let (deps, fields, metadata) = (Vec::new(), Vec::new(), JsonObject::new());
        FeatureSpecBuilder(Self { key, id_columns, deps, fields, metadata, description: None })
    }

    /// Reads the JSON that Python Metaxy writes (`model_dump(mode="json")`), and what it accepts for it.
    ///
    /// Unknown keys are refused in the specification, its dependencies, fields and field dependencies, and
    /// ignored inside `mapping`, `fields_mapping`, `lineage` and `relationship`. What Python reads but cannot compute
    /// is refused: an empty list of fields or columns, the same column or dependency twice, an empty key, a field that
    /// depends on a feature outside `deps`. So is what pydantic bends into shape, as a text for a list.
    ///
    /// # Errors
    ///
    /// If the text is not JSON or not a specification; the error lists every problem with its path.
    ///
    /// ```
    /// use metaxy_feature::FeatureSpec;
    ///
    /// let spec = FeatureSpec::from_json(r#"{"key": "video/raw", "id_columns": ["id"], "fields": ["audio"]}"#)?;
    /// assert_eq!(spec.fields()[0].key.as_str(), "audio");
    ///
    /// let error = FeatureSpec::from_json(r#"{"key": "a", "id_column": ["id"]}"#).unwrap_err();
    /// assert_eq!(error.problems()[0].help(), Some("did you mean `id_columns`?"));
    /// # Ok::<(), metaxy_feature::Error>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self> {
        decode::spec_from_json(&Json::parse(text)?)
    }

    /// The specification as JSON, keys in Python's order: `to_string` of it is what the system table holds.
    pub fn to_json(&self) -> Json {
        json::object([
            ("key", self.key.as_str().into()),
            ("id_columns", names(self.id_columns.iter())),
            ("deps", self.deps.iter().map(dep_json).collect::<Vec<_>>().into()),
            ("fields", self.fields.iter().map(field_json).collect::<Vec<_>>().into()),
            ("metadata", self.metadata.clone().into()),
            ("description", self.description.as_deref().into()),
        ])
    }

    /// The feature's key.
    pub fn key(&self) -> &FeatureKey {
        &self.key
    }

    /// The columns that identify a sample.
    pub fn id_columns(&self) -> &Columns {
        &self.id_columns
    }

    /// The features it depends on, in order, none twice; empty for a root feature.
    pub fn deps(&self) -> &[FeatureDep] {
        &self.deps
    }

    /// Its fields in order, at least one.
    pub fn fields(&self) -> &[FieldSpec] {
        &self.fields
    }

    /// What the user attached to the feature.
    pub fn metadata(&self) -> &JsonObject {
        &self.metadata
    }

    /// What the feature is, in words.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }
}

/// Collects the parts of a [`FeatureSpec`]; see [`FeatureSpec::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct FeatureSpecBuilder(FeatureSpec);

impl FeatureSpecBuilder {
    /// Adds a dependency.
    pub fn dep(mut self, dep: FeatureDep) -> Self {
        self.0.deps.push(dep);
        self
    }

    /// Adds a field; without any, the feature has the single field `default`.
    pub fn field(mut self, field: FieldSpec) -> Self {
        self.0.fields.push(field);
        self
    }

    /// Attaches metadata in place of what was attached before.
    pub fn metadata(mut self, metadata: JsonObject) -> Self {
        self.0.metadata = metadata;
        self
    }

    /// Describes the feature.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.0.description = Some(description.into());
        self
    }

    /// The specification.
    ///
    /// # Errors
    ///
    /// If a rule in the documentation of [`FeatureSpec`] is broken; the error lists every problem.
    pub fn build(self) -> Result<FeatureSpec> {
        let mut spec = self.0;
        if spec.fields.is_empty() {
            spec.fields.push(FieldSpec::default());
        }
        let mut problems = Problems::default();
        for (index, column) in spec.id_columns.iter().enumerate().filter(|(_, column)| column.is_system()) {
            problems.push(messages::system_id_column(column).nested_in(index).nested_in("id_columns"));
        }
        let mut features = HashSet::new();
        for (index, dep) in spec.deps.iter().enumerate() {
            if !features.insert(&dep.feature) {
                problems.push(messages::duplicate_dep(&dep.feature).nested_in(index).nested_in("deps"));
            }
            problems.catch(check_columns(dep).map_err(|error| error.nested_in(index).nested_in("deps")));
        }
        let (mut keys, mut struct_keys) = (HashSet::new(), HashMap::new());
        for (index, field) in spec.fields.iter().enumerate() {
            let mut push = |error: Error| problems.push(error.nested_in(index).nested_in("fields"));
            if !keys.insert(&field.key) {
                push(messages::duplicate_field(&field.key).into());
            } else if let Some(other) = struct_keys.insert(field.key.struct_key(), &field.key) {
                push(messages::struct_key_collision(&field.key, other).into());
            }
            if let FieldDeps::Listed(deps) = &field.deps
                && !features.is_empty()
            {
                for (index, dep) in deps.iter().enumerate().filter(|(_, dep)| !features.contains(&dep.feature)) {
                    let problem = messages::field_dep_feature(&field.key, &dep.feature);
                    push(problem.nested_in("feature").nested_in(index).nested_in("deps"));
                }
            }
        }
        problems.finish(Some(spec))
    }
}

/// Whether the renames and the selection of one dependency agree (`versioning/validation.py`).
fn check_columns(dep: &FeatureDep) -> Result<()> {
    let mut problems = Problems::default();
    if let Some(rename) = &dep.rename {
        let mut targets = HashSet::new();
        for (from, to) in rename {
            if to.is_system() {
                problems.push(messages::rename_to_system(to).nested_in(from.as_str()).nested_in("rename"));
            }
            if !targets.insert(to) {
                problems.push(messages::rename_twice(to).nested_in(from.as_str()).nested_in("rename"));
            }
        }
        for (index, column) in dep.select.iter().flatten().enumerate() {
            if let Some(renamed) = rename.get(column)
                && !targets.contains(column)
            {
                problems.push(messages::select_before_rename(column, renamed).nested_in(index).nested_in("select"));
            }
        }
    }
    problems.finish(Some(()))
}

/// A dependency on another feature; write `FeatureDep { …, ..FeatureDep::new(feature) }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureDep {
    /// The upstream feature.
    pub feature: FeatureKey,
    /// The upstream columns to carry over, by their names after `rename`; `None` for all of them, an empty
    /// list for the id and system columns only.
    pub select: Option<Vec<Column>>,
    /// New names of upstream columns, by their old names.
    pub rename: Option<IndexMap<Column, Column>>,
    /// How the feature's fields find their upstream fields here, where they list none.
    pub fields_mapping: FieldsMapping,
    /// Conditions on the upstream rows, as the text of SQL expressions over the renamed columns.
    pub filters: Option<Vec<String>>,
    /// How upstream rows relate to the feature's rows.
    pub lineage: Lineage,
    /// Whether a sample may lack this upstream.
    pub optional: bool,
}

impl FeatureDep {
    /// A required one-to-one dependency with all columns and the default mapping.
    pub fn new(feature: FeatureKey) -> Self {
        Self {
            feature,
            select: None,
            rename: None,
            fields_mapping: FieldsMapping::default(),
            filters: None,
            lineage: Lineage::Identity,
            optional: false,
        }
    }

    /// The upstream column's name after `rename`.
    pub fn renamed<'a>(&'a self, column: &'a Column) -> &'a Column {
        self.rename.as_ref().and_then(|rename| rename.get(column)).unwrap_or(column)
    }
}

/// How the fields of a feature find their upstream fields in one dependency (`models/fields_mapping.py`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldsMapping {
    /// The upstream field with the same key or, if none matches, all of them.
    Default {
        /// Whether upstream fields match whose last parts are the field's key, too.
        match_suffix: bool,
        /// Upstream fields that are left out in any case.
        exclude_fields: Vec<FieldKey>,
    },
    /// The upstream fields listed for the field; one that is not listed, or not upstream, matches nothing.
    Specific(IndexMap<FieldKey, BTreeSet<FieldKey>>),
    /// All upstream fields.
    All,
    /// No upstream field.
    None,
}

/// Matches the whole key and excludes nothing.
impl Default for FieldsMapping {
    fn default() -> Self {
        Self::Default { match_suffix: false, exclude_fields: Vec::new() }
    }
}

impl FieldsMapping {
    /// Which of the upstream fields the field depends on.
    pub(crate) fn matches(&self, field: &FieldKey, upstream: &[FieldSpec]) -> Vec<usize> {
        let all = |keep: &dyn Fn(&FieldKey) -> bool| {
            let kept = upstream.iter().enumerate().filter(|(_, upstream)| keep(&upstream.key));
            kept.map(|(index, _)| index).collect::<Vec<_>>()
        };
        match self {
            Self::Default { match_suffix, exclude_fields } => {
                let matching = all(&|key| {
                    !exclude_fields.contains(key) && (key == field || *match_suffix && key.ends_with(field))
                });
                if matching.is_empty() { all(&|key| !exclude_fields.contains(key)) } else { matching }
            }
            Self::Specific(mapping) => all(&|key| mapping.get(field).is_some_and(|keys| keys.contains(key))),
            Self::All => all(&|_| true),
            Self::None => Vec::new(),
        }
    }
}

/// How upstream rows relate to a feature's rows (`models/lineage.py`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lineage {
    /// One row from one row, `1:1`.
    Identity,
    /// One row from a group of upstream rows, `N:1`.
    Aggregation {
        /// What groups upstream rows; `None` for the feature's id columns.
        on: Option<Columns>,
    },
    /// Several rows from one upstream row, `1:N`.
    Expansion {
        /// The columns of the upstream row that its rows share.
        on: Columns,
        /// A note on how ids are made; Metaxy only stores it.
        id_generation_pattern: Option<String>,
    },
}

/// A field of a feature; write `FieldSpec { …, ..FieldSpec::new(key) }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSpec {
    /// The field's key.
    pub key: FieldKey,
    /// The version of the code that makes the field; another one makes its data stale.
    pub code_version: String,
    /// The upstream fields it depends on.
    pub deps: FieldDeps,
}

impl FieldSpec {
    /// A field with the initial code version that depends on what the mappings give it.
    pub fn new(key: FieldKey) -> Self {
        Self { key, code_version: INITIAL_CODE_VERSION.to_owned(), deps: FieldDeps::default() }
    }
}

/// The field `default`.
impl Default for FieldSpec {
    fn default() -> Self {
        Self::new(FieldKey::default_field())
    }
}

/// What a field depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldDeps {
    /// All fields of all dependencies.
    All,
    /// The fields listed; an empty list, as in Metaxy, means those that the mappings of the dependencies give.
    Listed(Vec<FieldDep>),
}

/// What the mappings of the dependencies give.
impl Default for FieldDeps {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

/// The fields of one upstream feature that a field depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDep {
    /// The upstream feature.
    pub feature: FeatureKey,
    /// Its fields; `None` for all of them.
    pub fields: Option<Vec<FieldKey>>,
}

fn names<'a>(columns: impl IntoIterator<Item = &'a Column>) -> Json {
    columns.into_iter().map(Column::as_str).collect::<Vec<_>>().into()
}

fn keys<'a>(keys: impl IntoIterator<Item = &'a FieldKey>) -> Json {
    keys.into_iter().map(FieldKey::as_str).collect::<Vec<_>>().into()
}

fn dep_json(dep: &FeatureDep) -> Json {
    let rename = dep
        .rename
        .as_ref()
        .map(|rename| rename.iter().map(|(from, to)| (from.to_string(), to.as_str().into())).collect::<JsonObject>());
    json::object([
        ("feature", dep.feature.as_str().into()),
        ("select", dep.select.as_ref().map(names).into()),
        ("rename", rename.into()),
        ("fields_mapping", json::object([("mapping", mapping_json(&dep.fields_mapping))])),
        ("sql_filters", dep.filters.clone().into()),
        ("lineage", json::object([("relationship", lineage_json(&dep.lineage))])),
        ("optional", dep.optional.into()),
    ])
}

fn mapping_json(mapping: &FieldsMapping) -> Json {
    match mapping {
        FieldsMapping::Default { match_suffix, exclude_fields } => json::object([
            ("type", "default".into()),
            ("match_suffix", (*match_suffix).into()),
            ("exclude_fields", keys(exclude_fields)),
        ]),
        FieldsMapping::Specific(mapping) => {
            let parts = |key: &FieldKey| Json::from(key.parts().collect::<Vec<_>>());
            let entry = |(field, upstream): (&FieldKey, &BTreeSet<FieldKey>)| {
                (field.to_string(), upstream.iter().map(parts).collect::<Vec<_>>().into())
            };
            let mapping = mapping.iter().map(entry).collect::<JsonObject>();
            json::object([("type", "specific".into()), ("mapping", mapping.into())])
        }
        FieldsMapping::All => json::object([("type", "all".into())]),
        FieldsMapping::None => json::object([("type", "none".into())]),
    }
}

fn lineage_json(lineage: &Lineage) -> Json {
    match lineage {
        Lineage::Identity => json::object([("type", "1:1".into())]),
        Lineage::Aggregation { on } => json::object([("type", "N:1".into()), ("on", on.as_ref().map(names).into())]),
        Lineage::Expansion { on, id_generation_pattern } => json::object([
            ("type", "1:N".into()),
            ("on", names(on)),
            ("id_generation_pattern", id_generation_pattern.clone().into()),
        ]),
    }
}

fn field_json(field: &FieldSpec) -> Json {
    let dep = |dep: &FieldDep| {
        let fields = dep.fields.as_ref().map_or_else(|| ALL_FIELDS.into(), keys);
        json::object([("feature", dep.feature.as_str().into()), ("fields", fields)])
    };
    let deps = match &field.deps {
        FieldDeps::All => ALL_FIELDS.into(),
        FieldDeps::Listed(deps) => deps.iter().map(dep).collect::<Vec<_>>().into(),
    };
    json::object([
        ("key", field.key.as_str().into()),
        ("code_version", field.code_version.as_str().into()),
        ("deps", deps),
    ])
}
