//! Graphs, and rows as JSON.

use std::sync::LazyLock;

use arrow::error::ArrowError;
use arrow::json::reader::infer_json_schema_from_iterator;
use arrow::record_batch::RecordBatchReader;
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey, FeatureSpec};
use metaxy_store_duckdb::{Error, FeatureOptions, Features, ReadOptions, Rows, WriteOptions};
use serde_json::{Map, Value, json};
use tracing::subscriber::with_default;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::Registry;

use crate::json::{to_json, to_rows};

/// Runs something with a subscriber of this thread.
///
/// While it is the only one, the first thread that comes to a statement decides for all whether it is wanted, and the
/// thread of another test has no subscriber. With two more, each is asked.
pub(crate) fn with_subscriber<T>(subscriber: impl Subscriber + Send + Sync + 'static, run: impl FnOnce() -> T) -> T {
    static MORE: LazyLock<[Dispatch; 2]> = LazyLock::new(|| [(); 2].map(|()| Dispatch::new(Registry::default())));
    LazyLock::force(&MORE);
    with_default(subscriber, run)
}

/// The features of a feature file.
pub(crate) fn graph(text: &str) -> FeatureGraph {
    FeatureGraph::new(FeatureDefinition::from_toml(text, &"demo".parse().unwrap()).unwrap()).unwrap()
}

/// A recorded graph.
pub(crate) fn golden_graph(name: &str) -> FeatureGraph {
    let golden: Value = read(&format!("../metaxy-feature/tests/golden/graph_{name}.json"));
    let definitions = golden["features"].as_object().unwrap().values().map(|feature| {
        let schema = metaxy_feature::Json::parse(&feature["feature_schema"].to_string()).unwrap();
        FeatureDefinition::new(
            FeatureSpec::from_json(&feature["spec"].to_string()).unwrap(),
            feature["project"].as_str().unwrap().parse().unwrap(),
        )
        .with_schema(schema.into_object().unwrap())
    });
    FeatureGraph::new(definitions).unwrap()
}

/// A recorded file of this crate.
pub(crate) fn golden(name: &str) -> Value {
    read(&format!("tests/golden/{name}.json"))
}

fn read(path: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap()
}

pub(crate) fn key(key: &str) -> FeatureKey {
    key.parse().unwrap()
}

/// Rows as Arrow: every object one row, types as they come.
pub(crate) fn rows(rows: &Value) -> impl RecordBatchReader + use<> {
    let rows = rows.as_array().unwrap();
    to_rows(infer_json_schema_from_iterator(rows.iter().map(Ok::<_, ArrowError>)).unwrap(), rows)
}

/// Rows as JSON, sorted by their text, without the columns that differ from run to run.
pub(crate) fn collect(rows: Rows<'_>) -> Vec<Value> {
    comparable(to_json(rows))
}

/// The same rows in an order and with the keys that recorded and computed ones share.
pub(crate) fn comparable(rows: Vec<Value>) -> Vec<Value> {
    let mut rows: Vec<Value> = rows
        .into_iter()
        .map(|row| {
            let Value::Object(row) = row else { panic!("{row} is no row") };
            let kept = row.into_iter().filter(|(column, _)| {
                !matches!(column.as_str(), "metaxy_created_at" | "metaxy_updated_at" | "metaxy_deleted_at_right")
            });
            let mut kept: Vec<_> = kept.collect();
            kept.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(kept.into_iter().collect::<Map<_, _>>())
        })
        .collect();
    rows.sort_by_key(Value::to_string);
    rows
}

/// Rows without these columns.
pub(crate) fn without(rows: &Value, columns: &[&str]) -> Vec<Value> {
    let strip = |row: &Value| {
        let row = row.as_object().unwrap().iter().filter(|(name, _)| !columns.contains(&name.as_str()));
        Value::Object(row.map(|(name, value)| (name.clone(), value.clone())).collect())
    };
    comparable(rows.as_array().unwrap().iter().map(strip).collect())
}

pub(crate) fn write(features: &Features<'_>, feature: &str, values: &Value) -> Result<usize, Error> {
    features.write(&key(feature), rows(values), &WriteOptions::new())
}

pub(crate) fn read_all(features: &Features<'_>, feature: &str) -> Vec<Value> {
    read_with(features, feature, &ReadOptions::new())
}

pub(crate) fn read_with(features: &Features<'_>, feature: &str, options: &ReadOptions) -> Vec<Value> {
    collect(features.read(&key(feature), options).unwrap())
}

pub(crate) fn md5() -> FeatureOptions {
    FeatureOptions::new().hash_algorithm(metaxy_config::HashAlgorithm::Md5)
}

/// A row of a feature with the single field `default`.
pub(crate) fn row(id: &str, version: &str) -> Value {
    json!({"id": id, "metaxy_provenance_by_field": {"default": version}})
}
