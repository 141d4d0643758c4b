//! The hash functions that we register.

use ducklake_sql::Sql;
use metaxy_config::HashAlgorithm;
use metaxy_feature::Truncation;
use metaxy_store_duckdb::FeatureOptions;

use crate::features::common::{golden, graph};
use crate::lake::{TempLake, texts};

#[test]
fn every_text_has_the_recorded_hash() {
    let home = TempLake::new();
    let store = home.open();
    // Whoever only runs SQL does without them.
    let missing = store.connection().execute("SELECT metaxy_xxh32_8('a')").unwrap_err();
    assert!(missing.to_string().contains("metaxy_xxh32_8 does not exist"), "{missing}");
    let graph = graph("");
    for (algorithm, hash_algorithm, function) in [
        ("md5", HashAlgorithm::Md5, "SELECT metaxy_md5_64(?)"),
        ("xxhash32", HashAlgorithm::Xxhash32, "SELECT metaxy_xxh32_64(?)"),
        ("xxhash64", HashAlgorithm::Xxhash64, "SELECT metaxy_xxh64_64(?)"),
        ("xxh3_64", HashAlgorithm::Xxh3_64, "SELECT metaxy_xxh3_64_64(?)"),
    ] {
        let truncation = Truncation::new(64).unwrap();
        store.features(&graph, FeatureOptions::new().hash_algorithm(hash_algorithm).truncation(truncation)).unwrap();
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
    let home = TempLake::new();
    let store = home.open();
    let graph = graph("");
    for _ in 0..2 {
        store.features(&graph, FeatureOptions::new()).unwrap();
    }
    let another = store.connection().another().unwrap();
    another.execute("CREATE TEMP TABLE t AS SELECT metaxy_xxh32_8(NULL) AS none, metaxy_xxh32_8('a') AS one").unwrap();
    drop(another);
    assert_eq!(
        texts(&store, "SELECT metaxy_xxh32_8('a', nullif(range::VARCHAR, '1'), 'b') IS NULL FROM range(3)"),
        ["false", "true", "false"]
    );
}

/// Rows are hashed several at a time where their texts are equally long: none may come out as its neighbour's hash.
#[test]
fn many_rows_have_the_hashes_that_the_engine_gives_each() {
    let home = TempLake::new();
    let store = home.open();
    let (hash_algorithm, truncation) = (HashAlgorithm::Md5, Truncation::new(16).unwrap());
    let options = FeatureOptions::new().hash_algorithm(hash_algorithm).truncation(truncation);
    store.features(&graph(""), options).unwrap();
    // Texts of 0 to 200 bytes, over the limits of a block (55, 64, 119), in runs and mixed, some of them NULL.
    let differ = "SELECT (count(*) FILTER (metaxy_md5_16(a, '|', b) IS DISTINCT FROM md5(a || '|' || b)[1:16]))::VARCHAR \
                  FROM (SELECT repeat('ä', run % 100) AS a, CASE WHEN i % 7 < 6 THEN i::VARCHAR END AS b \
                  FROM (SELECT i, CASE WHEN i < 10_000 THEN i // 40 ELSE i END AS run FROM range(20_000) AS t(i)))";
    assert_eq!(texts(&store, differ), ["0"]);
}
