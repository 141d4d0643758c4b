//! A feature as a project defines it: its specification and what Metaxy stores beside it.

use std::collections::BTreeMap;

use crate::{FeatureKey, FeatureSpec, FieldKey, Json, JsonObject, Result, Truncation, Version, feature_file, messages};

/// The project of a feature: any text but the empty one.
///
/// ```
/// use metaxy_feature::ProjectName;
///
/// assert_eq!("demo".parse::<ProjectName>()?.as_str(), "demo");
/// assert!("".parse::<ProjectName>().is_err());
/// # Ok::<(), metaxy_feature::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectName(Box<str>);

impl ProjectName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Stands in for a project that is missing, which was reported, so that the rest can be checked.
    pub(crate) fn placeholder() -> Self {
        Self("missing".into())
    }
}

impl std::str::FromStr for ProjectName {
    type Err = crate::Error;

    fn from_str(name: &str) -> Result<Self> {
        if name.is_empty() { Err(messages::project_empty().into()) } else { Ok(Self(name.into())) }
    }
}

impl std::fmt::Display for ProjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// A feature of a project: a row of the system table `metaxy_system__feature_versions`.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureDefinition {
    spec: FeatureSpec,
    project: ProjectName,
    schema: JsonObject,
    class_path: Option<String>,
    external: Option<BTreeMap<FieldKey, Version>>,
}

impl FeatureDefinition {
    /// A feature of the project, without schema and class path.
    pub fn new(spec: FeatureSpec, project: ProjectName) -> Self {
        Self { spec, project, schema: JsonObject::new(), class_path: None, external: None }
    }

    /// Reads a feature file: `[[feature]]` tables with the keys of the JSON, and shorthands.
    ///
    /// A dependency or a field may be just its key. A mapping is `"all"`, `"none"` or a table with `type`
    /// (`"default"` if left out), `match_suffix`, `exclude_fields` and `mapping`; a lineage is `"1:1"`, `"N:1"` or a
    /// table with `type` and `on`. A field's `deps` may be `"all"`, and one of them just the key of its feature.
    /// `feature_schema` is the text of a JSON object, needed only for the definition versions of Python
    /// classes. Unknown keys are refused everywhere.
    ///
    /// # Errors
    ///
    /// If the text is not TOML or a feature is not valid; the error lists every problem with line and column.
    ///
    /// ```
    /// use metaxy_feature::{FeatureDefinition, FeatureGraph, Truncation};
    ///
    /// let text = r#"
    /// [[feature]]
    /// key = "video/raw"
    /// id_columns = ["video_id"]
    /// fields = ["audio", "frames"]
    ///
    /// [[feature]]
    /// key = "video/crop"
    /// id_columns = ["video_id"]
    /// deps = ["video/raw"]
    /// fields = [{ key = "audio", code_version = "2" }, "embedding"]
    ///
    /// [[feature]]
    /// key = "video/stats"
    /// id_columns = ["channel_id"]
    /// deps = [{ feature = "video/crop", lineage = { type = "N:1", on = ["channel_id"] }, fields_mapping = "all" }]
    /// "#;
    /// let graph = FeatureGraph::new(FeatureDefinition::from_toml(text, &"demo".parse()?)?)?;
    /// let versions = graph.versions(Truncation::default());
    /// let crop = versions.get(&"video/crop".parse()?).map(|crop| crop.feature.as_str());
    /// assert_eq!(crop, Some("987564b2"));
    /// # Ok::<(), metaxy_feature::Error>(())
    /// ```
    pub fn from_toml(text: &str, project: &ProjectName) -> Result<Vec<Self>> {
        feature_file::definitions(text, project)
    }

    /// The feature with this JSON schema of its columns; it enters the definition version only.
    pub fn with_schema(mut self, schema: JsonObject) -> Self {
        self.schema = schema;
        self
    }

    /// The feature with this path of its Python class, as in `package.Class`; it enters no version.
    pub fn with_class_path(mut self, path: impl Into<String>) -> Self {
        self.class_path = Some(path.into());
        self
    }

    /// The feature as one that another project defines: no part of its project's version, and with these
    /// versions in place of the ones computed for its fields.
    pub fn into_external(mut self, field_versions: BTreeMap<FieldKey, Version>) -> Self {
        self.external = Some(field_versions);
        self
    }

    /// The specification.
    pub fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    /// The feature's key.
    pub fn key(&self) -> &FeatureKey {
        self.spec.key()
    }

    /// The project it belongs to.
    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// The JSON schema of its columns; empty for a feature that is no Python class.
    pub fn schema(&self) -> &JsonObject {
        &self.schema
    }

    /// The path of its Python class.
    pub fn class_path(&self) -> Option<&str> {
        self.class_path.as_deref()
    }

    /// Whether another project defines it.
    pub fn is_external(&self) -> bool {
        self.external.is_some()
    }

    /// The version that an external feature was given for a field.
    pub(crate) fn given_version(&self, field: &FieldKey) -> Option<&Version> {
        self.external.as_ref()?.get(field)
    }

    /// The version of the specification and the schema together.
    pub fn version(&self, truncation: Truncation) -> Version {
        let schema = Json::Object(self.schema.clone()).canonical();
        Version::hash([self.spec.version(truncation).as_str(), &schema], truncation)
    }
}
