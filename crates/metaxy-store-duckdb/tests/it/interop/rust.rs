//! This implementation, behind the same few questions as Python's.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::datatypes::{DataType, Field, Fields, Schema};
use ducklake_sql::{Declared, Mode};
use metaxy_config::{Config, LoadOptions, LockFile, OsSystem, Trust};
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureSpec, Json};
use metaxy_store_duckdb::{
    Change, Deletion, Error, FeatureOptions, Features, Increment, MaintainOptions, ReadOptions, ResolveOptions, Store,
    WriteOptions,
};
use serde_json::{Value, json};

use crate::interop::pair::{Changes, Feature, Implementation, Refused, Type};
use crate::json::{to_json, to_rows};

pub(crate) struct Rust {
    config: Config,
    options: FeatureOptions,
    graph: FeatureGraph,
    columns: BTreeMap<String, Vec<(String, Type)>>,
    store: Option<Store>,
    increment: Option<Increment>,
}

impl Rust {
    pub(crate) fn new(file: &Path) -> Self {
        let config = Config::load(&OsSystem, &LoadOptions::file(file).trust(Trust::Everything)).unwrap().config;
        let options = FeatureOptions::from_config(&config, &config.store).unwrap();
        let graph = FeatureGraph::new([]).unwrap();
        Self { config, options, graph, columns: BTreeMap::new(), store: None, increment: None }
    }

    /// Applies what is declared for the lake, and keeps it in shape.
    pub(crate) fn keep(&mut self, declared: &Declared) -> usize {
        self.store = None;
        let store = Store::open(&self.config, &self.config.store, Mode::Write).unwrap();
        let applied = store.apply(&store.plan_declared(declared).unwrap(), true).unwrap();
        assert!(applied.failed.is_none(), "{:?}", applied.failed);
        store.close().unwrap();
        let store = Store::open(&self.config, &self.config.store, Mode::Write).unwrap();
        let done = store.maintain(&MaintainOptions::new(), |_, _| ()).unwrap();
        assert!(done.failed.is_none(), "{:?}", done.failed);
        store.close().unwrap();
        applied.done.len() + done.steps.len()
    }

    /// Defines features, with the schemas of Python's classes where there are any: a definition's version is made of
    /// them. What is told is what Python tells.
    pub(crate) fn define(&mut self, features: &[Feature], schemas: Option<&Value>) -> Result<Value, Refused> {
        let project = self.config.project.clone().unwrap();
        let mut definitions = Vec::new();
        for feature in features {
            let mut spec = feature.spec.clone();
            if let Some(doc) = feature.doc.as_ref().filter(|_| spec["description"].is_null()) {
                spec["description"] = doc.as_str().into();
            }
            let spec = FeatureSpec::from_json(&spec.to_string())?;
            let schema = schemas.map_or_else(|| "{}".to_owned(), |all| all[spec.key().as_str()]["schema"].to_string());
            let schema = Json::parse(&schema)?.into_object().unwrap();
            definitions.push(FeatureDefinition::new(spec, project.clone()).with_schema(schema));
        }
        self.graph = FeatureGraph::new(definitions)?;
        self.columns = features.iter().map(|feature| (feature.key().to_owned(), feature.columns.clone())).collect();
        let versions = self.graph.versions(self.config.hash_truncation_length);
        let described = versions.iter().map(|(definition, versions)| {
            let fields = versions.fields.iter().map(|(key, version)| (key.to_string(), version.as_str().into()));
            let spec: Value = serde_json::from_str(&definition.spec().to_json().to_string()).unwrap();
            let described = json!({
                "spec": spec,
                "table": definition.key().table_name(),
                "feature": versions.feature.as_str(),
                "definition": versions.definition.as_str(),
                "spec_version": versions.spec.as_str(),
                "code": versions.code.as_str(),
                "fields": fields.collect::<serde_json::Map<_, _>>(),
            });
            (definition.key().to_string(), described)
        });
        let described: serde_json::Map<_, _> = described.collect();
        Ok(json!({"project_version": versions.project(&project).as_str(), "features": described}))
    }

    fn open(&mut self) -> Result<(), Error> {
        if self.store.is_none() {
            self.store = Some(Store::open(&self.config, &self.config.store, Mode::Write)?);
        }
        Ok(())
    }

    fn features(&mut self) -> Result<Features<'_>, Error> {
        self.open()?;
        self.store.as_ref().unwrap().features(&self.graph, self.options.clone())
    }

    /// The lock file of these features of another project.
    pub(crate) fn lock(&mut self, own: Vec<FeatureDefinition>) -> LockFile {
        self.open().unwrap();
        let external = self.store.as_ref().unwrap().external_features(&self.options, &own, &[]).unwrap();
        let graph = external.complete_graph(own, &self.options).unwrap();
        LockFile::new(&graph, self.config.hash_truncation_length, |key| external.has(key))
    }

    fn rows(&self, feature: &str, rows: &[Value]) -> impl arrow::record_batch::RecordBatchReader + use<> {
        let spec = self.graph.get(&feature.parse().unwrap()).unwrap().spec();
        typed(spec, &self.columns[feature], rows)
    }
}

/// Rows of a feature with these columns; those of versions as far as the first row has them.
pub(crate) fn typed(
    spec: &FeatureSpec,
    columns: &[(String, Type)],
    rows: &[Value],
) -> impl arrow::record_batch::RecordBatchReader + use<> {
    let texts = spec.fields().iter().map(|field| Field::new(field.key.struct_key(), DataType::Utf8, true));
    let by_field = DataType::Struct(texts.collect::<Fields>());
    let user = columns.iter().map(|(name, of)| (name.as_str(), of.arrow()));
    let by_field = ["metaxy_provenance_by_field", "metaxy_data_version_by_field"].map(|name| (name, by_field.clone()));
    let given = |name: &str| rows[0].get(name).is_some();
    let fields = user.chain(by_field).filter(|(name, _)| given(name));
    let schema = Schema::new(fields.map(|(name, of)| Field::new(name, of, true)).collect::<Vec<_>>());
    to_rows(schema, rows)
}

impl Implementation for Rust {
    fn name(&self) -> &'static str {
        "Rust"
    }

    fn close(&mut self) {
        self.increment = None;
        if let Some(store) = self.store.take() {
            store.close().unwrap();
        }
    }

    fn write(&mut self, feature: &str, rows: &[Value]) -> Result<(), Refused> {
        let rows = self.rows(feature, rows);
        self.features()?.write(&feature.parse()?, rows, &WriteOptions::new())?;
        Ok(())
    }

    fn read(&mut self, feature: &str, history: bool) -> Result<Vec<Value>, Refused> {
        let options = ReadOptions::new().all_rows(history).deleted(history);
        let features = self.features()?;
        let rows = to_json(features.read(&feature.parse()?, &options)?);
        Ok(rows)
    }

    fn resolve(&mut self, feature: &str, samples: Option<&[Value]>) -> Result<Changes, Refused> {
        let (key, options) = (feature.parse()?, ResolveOptions::new());
        let samples = samples.map(|samples| self.rows(feature, samples));
        let features = self.features()?;
        let mut increment = match samples {
            Some(samples) => features.resolve_samples(&key, samples, &options)?,
            None => features.resolve_update(&key, &options)?,
        };
        let mut changes = Changes::default();
        for (change, rows) in Change::ALL.into_iter().zip(&mut changes) {
            *rows = to_json(increment.rows(change)?);
            assert_eq!(rows.len(), increment.count(change));
        }
        self.increment = Some(increment);
        Ok(changes)
    }

    fn write_increment(&mut self, feature: &str, change: usize) -> Result<(), Refused> {
        let mut increment = self.increment.take().unwrap();
        let rows = increment.rows(Change::ALL[change])?.into_reader();
        self.features()?.write(&feature.parse()?, rows, &WriteOptions::new())?;
        self.increment = Some(increment);
        Ok(())
    }

    fn delete(&mut self, feature: &str, filter: &str) -> Result<(), Refused> {
        self.features()?.delete(&feature.parse()?, &[filter.parse()?], Deletion::Soft)?;
        Ok(())
    }

    fn push(&mut self) -> Result<(String, bool), Refused> {
        let pushed = self.features()?.push(&[("by".to_owned(), "rust".to_owned())].into())?;
        Ok((pushed.project_version, pushed.already_pushed))
    }

    fn load_graph(&mut self, project_version: &str) -> Result<Vec<(String, String, String)>, Refused> {
        self.open()?;
        let graph = self.store.as_ref().unwrap().load_graph(&self.options, Some(project_version))?;
        let versions = graph.versions(self.config.hash_truncation_length);
        let feature = |(definition, versions): (&FeatureDefinition, &metaxy_feature::FeatureVersions<'_>)| {
            (definition.key().to_string(), versions.feature.to_string(), versions.definition.to_string())
        };
        let mut features: Vec<_> = versions.iter().map(feature).collect();
        features.sort();
        Ok(features)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { kind: "Error".to_owned(), message: error.to_string() }
    }
}

impl From<metaxy_feature::Error> for Refused {
    fn from(error: metaxy_feature::Error) -> Self {
        Self { kind: "metaxy_feature::Error".to_owned(), message: error.to_string() }
    }
}
