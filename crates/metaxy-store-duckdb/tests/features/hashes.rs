//! The hash functions that we register.

use ducklake_sql::Sql;
use metaxy_store_duckdb::FeatureOptions;

use crate::lake::{Home, golden, graph, texts};

#[test]
fn every_text_has_the_recorded_hash() {
    let home = Home::new();
    let store = home.open();
    // Whoever only runs SQL does without them.
    let missing = store.connection().execute("SELECT metaxy_xxh32('a')").unwrap_err();
    assert!(missing.to_string().contains("metaxy_xxh32 does not exist"), "{missing}");
    let graph = graph("");
    store.features(&graph, FeatureOptions::default()).unwrap();
    for (algorithm, function) in [
        ("md5", "SELECT md5(?)"),
        ("xxhash32", "SELECT CAST(metaxy_xxh32(?) AS VARCHAR)"),
        ("xxhash64", "SELECT CAST(metaxy_xxh64(?) AS VARCHAR)"),
        ("xxh3_64", "SELECT CAST(metaxy_xxh3_64(?) AS VARCHAR)"),
    ] {
        for (text, hash) in golden("hash_strings")[algorithm].as_object().unwrap() {
            let sql = Sql::fixed(function).with_text("text", text.clone());
            let batch = store.connection().query(sql).unwrap().next().unwrap().unwrap();
            let column = batch.column(0).as_any().downcast_ref::<arrow::array::StringArray>().unwrap();
            assert_eq!(column.value(0), hash.as_str().unwrap(), "{algorithm} of {text}");
        }
    }
}

#[test]
fn every_connection_has_the_functions_and_null_stays_null() {
    let home = Home::new();
    let store = home.open();
    let graph = graph("");
    for _ in 0..2 {
        store.features(&graph, FeatureOptions::default()).unwrap();
    }
    let another = store.connection().another().unwrap();
    another.execute("CREATE TEMP TABLE t AS SELECT metaxy_xxh64(NULL) AS none, metaxy_xxh32('a') AS one").unwrap();
    drop(another);
    assert_eq!(
        texts(&store, "SELECT metaxy_xxh64(nullif(range::VARCHAR, '1')) IS NULL FROM range(3)"),
        ["false", "true", "false"]
    );
}
