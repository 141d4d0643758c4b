//! Writing and reading.

use metaxy_config::HashAlgorithm;
use metaxy_feature::Truncation;
use metaxy_store_duckdb::FeatureOptions;
use serde_json::Value;

use crate::lake::{Home, comparable, golden, golden_graph, read_all, without, write};

/// The algorithm and length of a recorded case, as in `md5/8`.
pub(crate) fn options(case: &str) -> FeatureOptions {
    let (algorithm, length) = case.split_once('/').unwrap();
    let algorithm = HashAlgorithm::ALL.iter().find(|one| one.as_str() == algorithm).unwrap();
    FeatureOptions {
        hash_algorithm: *algorithm,
        truncation: Truncation::new(length.parse().unwrap()).unwrap(),
        ..FeatureOptions::default()
    }
}

/// What a user gives of a recorded row.
pub(crate) fn given(rows: &Value) -> Value {
    Value::Array(without(
        rows,
        &[
            "metaxy_data_version",
            "metaxy_data_version_by_field",
            "metaxy_deleted_at",
            "metaxy_feature_version",
            "metaxy_materialization_id",
            "metaxy_project_version",
            "metaxy_provenance",
        ],
    ))
}

#[test]
fn written_rows_are_those_that_python_stores() {
    let graph = golden_graph("identity");
    for (case, recorded) in golden("data_identity").as_object().unwrap() {
        let home = Home::new();
        let store = home.open();
        let features = store.features(&graph, options(case)).unwrap();
        let rows = &recorded["root_rows"];
        assert_eq!(write(&features, "video/raw", &given(rows)).unwrap(), 3);
        assert_eq!(read_all(&features, "video/raw"), comparable(rows.as_array().unwrap().clone()), "{case}");
    }
}
