//! Where Python Metaxy 0.1.11 loses rows, mixes them up or fails: what happens here instead. `docs/interop.md` lists the
//! hazards, with the test of each.

use std::collections::BTreeMap;

use ducklake_sql::Mode;
use metaxy_config::HashAlgorithm;
use metaxy_feature::Truncation;
use metaxy_store_duckdb::{
    Change, CopyOptions, Deletion, FeatureOptions, Filter, ReadOptions, RebaseOptions, ResolveOptions, Versions,
    WriteOptions,
};
use serde_json::json;

use crate::features::common::{self, graph, key, md5, read_all, read_with, row, write};
use crate::features::increments::{counts, resolve, rows};
use crate::lake::{TempLake, texts};

/// A root `a` and `b` that depends on it, `b` with these fields.
fn two(fields: &str) -> String {
    format!(
        "[[feature]]\nkey = 'a'\nid_columns = ['id']\n\n\
         [[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']\nfields = [{fields}]\n"
    )
}

#[test]
fn a_feature_that_gains_a_field_keeps_its_versions() {
    for maps in [false, true] {
        let home = TempLake::new();
        let store = home.open();
        let options = md5().maps(maps);
        let old = graph("[[feature]]\nkey = 'a'\nid_columns = ['id']\nfields = ['x']");
        let features = store.features(&old, options.clone()).unwrap();
        write(&features, "a", &json!([{"id": "1", "metaxy_provenance_by_field": {"x": "x1"}}])).unwrap();

        let text = "[[feature]]\nkey = 'a'\nid_columns = ['id']\nfields = ['x', 'z']\n\n\
                    [[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']";
        let new = graph(text);
        let features = store.features(&new, options).unwrap();
        write(&features, "a", &json!([{"id": "1", "metaxy_provenance_by_field": {"z": "z1", "x": "x1"}}])).unwrap();
        let row = &read_all(&features, "a")[0];
        assert_eq!(row["metaxy_data_version_by_field"], json!({"x": "x1", "z": "z1"}), "maps: {maps}");
        assert_eq!(counts(&resolve(&features, "b").unwrap()), [1, 0, 0]);
        // The rows of the old version are still there, and of the old fields.
        let versions = ReadOptions::new().versions(Versions::Each);
        assert_eq!(read_with(&features, "a", &versions).len(), 2);
        // One transaction each: the table grew with the rows.
        assert_eq!(texts(&store, "SELECT max(snapshot_id) FROM ducklake_snapshots('ducklake')"), ["2"]);
    }
}

#[test]
fn columns_go_by_name_and_new_ones_only_when_asked() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph("[[feature]]\nkey = 'a'\nid_columns = ['id']");
    let features = store.features(&graph, md5()).unwrap();
    let by_field = json!({"default": "1"});
    write(&features, "a", &json!([{"id": "a", "v": "va", "metaxy_provenance_by_field": by_field}])).unwrap();
    let other = json!([{"w": "wb", "id": "b", "metaxy_provenance_by_field": by_field}]);
    let error = write(&features, "a", &other).unwrap_err();
    assert_eq!(error.to_string(), "the table of `a` has no columns `w`");
    assert!(error.help().unwrap().contains("add_columns"));
    assert_eq!(read_all(&features, "a").len(), 1);

    let options = WriteOptions::new().add_columns(true);
    features.write(&key("a"), common::rows(&other), &options).unwrap();
    let columns = ["id", "v", "w"].map(|name| name.parse().unwrap()).to_vec();
    let read = read_with(&features, "a", &ReadOptions::new().columns(columns));
    assert_eq!(read, [json!({"id": "a", "v": "va", "w": null}), json!({"id": "b", "v": null, "w": "wb"})]);
}

#[test]
fn several_dependencies_leak_no_system_column() {
    let home = TempLake::new();
    let store = home.open();
    let text = ["a", "b", "c"].map(|name| format!("[[feature]]\nkey = '{name}'\nid_columns = ['id']\n\n")).concat();
    let graph = graph(&(text + "[[feature]]\nkey = 'd'\nid_columns = ['id']\ndeps = ['a', 'b', 'c']"));
    let features = store.features(&graph, md5()).unwrap();
    for name in ["a", "b", "c"] {
        write(&features, name, &json!([row("1", name), row("2", name)])).unwrap();
    }
    let mut increment = resolve(&features, "d").unwrap();
    let new = rows(&mut increment, Change::New);
    assert_eq!(new.len(), 2);
    let columns: Vec<&String> = new[0].as_object().unwrap().keys().collect();
    assert_eq!(
        columns,
        [
            "id",
            "metaxy_data_version",
            "metaxy_data_version_by_field",
            "metaxy_provenance",
            "metaxy_provenance_by_field"
        ]
    );
}

#[test]
fn the_parts_of_an_increment_are_of_one_snapshot() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(&two("'default'"));
    let features = store.features(&graph, md5()).unwrap();
    let by_field = |version: &str| json!({"default": version});
    write(&features, "a", &json!([{"id": "1", "v": "old", "metaxy_provenance_by_field": by_field("1")}])).unwrap();
    let mut increment = resolve(&features, "b").unwrap();
    write(&features, "a", &json!([{"id": "1", "v": "new", "metaxy_provenance_by_field": by_field("2")}])).unwrap();
    features.delete(&key("a"), &[], Deletion::Hard).unwrap();
    assert_eq!(rows(&mut increment, Change::New)[0]["v"], "old");
}

#[test]
fn columns_need_not_hold_the_ids() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph("[[feature]]\nkey = 'a'\nid_columns = ['id']");
    let features = store.features(&graph, md5()).unwrap();
    let by_field = json!({"default": "1"});
    write(&features, "a", &json!([{"id": "a", "v": 7, "metaxy_provenance_by_field": by_field}])).unwrap();
    let only = |name: &str| ReadOptions::new().columns(vec![name.parse().unwrap()]);
    assert_eq!(read_with(&features, "a", &only("v")), [json!({"v": 7})]);
    assert_eq!(read_with(&features, "a", &only("metaxy_feature_version")).len(), 1);
    let by_id = only("v").filters(vec!["id = 'a'".parse().unwrap()]);
    assert_eq!(read_with(&features, "a", &by_id).len(), 1);
}

#[test]
fn a_filter_means_what_it_means_in_sql() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph("[[feature]]\nkey = 'a'\nid_columns = ['id']");
    let features = store.features(&graph, md5()).unwrap();
    let sample = |id: &str, x: serde_json::Value, b: serde_json::Value| json!({"id": id, "x": x, "b": b, "metaxy_provenance_by_field": {"default": "1"}});
    let samples = [
        sample("1", json!(1), json!(true)),
        sample("2", json!(2), json!(false)),
        sample("3", json!(null), json!(null)),
    ];
    write(&features, "a", &json!(samples)).unwrap();
    // Python: of `IS NOT`, no NULL; of `NOT IN (1, NULL)`, the 2; of `TRUE`, an error.
    for (filter, expected) in [
        ("b IS TRUE", "1"),
        ("b IS NOT TRUE", "2 3"),
        ("b IS NOT FALSE", "1 3"),
        ("NOT b", "2"),
        ("b != TRUE", "2"),
        ("x IN (1, NULL)", "1"),
        ("x NOT IN (1, NULL)", ""),
        ("x = NULL", "3"),
        ("x != NULL", "1 2"),
        ("x > NULL", ""),
        ("NOT x IN (1)", "2"),
        ("TRUE", "1 2 3"),
    ] {
        let options = ReadOptions::new().filters(vec![filter.parse().unwrap()]);
        let mut ids: Vec<_> =
            read_with(&features, "a", &options).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        assert_eq!(ids.join(" "), expected, "{filter}");
    }
    for filter in ["x IN ()", "x = 1 -- one", "x = 1 /* one */", "x = 1;"] {
        assert!(filter.parse::<Filter>().is_err(), "{filter}");
    }
}

#[test]
fn the_default_hash_needs_no_extension() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(&two("'default'"));
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    write(&features, "a", &json!([row("1", "1")])).unwrap();
    assert_eq!(counts(&resolve(&features, "b").unwrap()), [1, 0, 0]);
    let loaded = "SELECT count(*) FROM duckdb_extensions() WHERE loaded AND extension_name LIKE '%hash%'";
    assert_eq!(texts(&store, loaded), ["0"]);
}

#[test]
fn several_features_are_written_together_or_not_at_all() {
    let home = TempLake::new();
    let store = home.open();
    let text = "[[feature]]\nkey = 'a'\nid_columns = ['id']\n\n[[feature]]\nkey = 'b'\nid_columns = ['id']";
    let graph = graph(text);
    let features = store.features(&graph, md5()).unwrap();
    let (a, b) = (key("a"), key("b"));
    let numbers = json!([{"id": 1, "metaxy_provenance_by_field": {"default": "1"}}]);
    write(&features, "b", &numbers).unwrap();
    // `b` refuses it only when its table is looked at, after that of `a` was made.
    let both = [(&a, common::rows(&json!([row("1", "1")]))), (&b, common::rows(&json!([row("1", "1")])))];
    let error = features.write_many(both, &WriteOptions::new()).unwrap_err();
    assert_eq!(error.to_string(), "the column `id` is VARCHAR, but in the table of `b` it is BIGINT");
    assert_eq!(texts(&store, "SELECT table_name FROM duckdb_tables() WHERE database_name = 'ducklake'"), ["b"]);

    let both = [(&a, common::rows(&json!([row("1", "1")]))), (&b, common::rows(&numbers))];
    assert_eq!(features.write_many(both, &WriteOptions::new()).unwrap(), 2);
    assert_eq!(texts(&store, "SELECT max(snapshot_id) FROM ducklake_snapshots('ducklake')"), ["2"]);
}

#[test]
fn history_can_be_read_by_version() {
    let home = TempLake::new();
    let store = home.open();
    for code in ["1", "2"] {
        let text = format!(
            "[[feature]]\nkey = 'a'\nid_columns = ['id']\nfields = [{{ key = 'default', code_version = '{code}' }}]"
        );
        let graph = graph(&text);
        let features = store.features(&graph, md5()).unwrap();
        write(&features, "a", &json!([row("1", code)])).unwrap();
        let read = |versions| read_with(&features, "a", &ReadOptions::new().versions(versions)).len();
        assert_eq!(read(Versions::Current), 1);
        assert_eq!(read(Versions::Any), 1);
        assert_eq!(read(Versions::Each).to_string(), code);
    }
}

#[test]
fn reading_makes_no_lake() {
    let home = TempLake::new();
    assert!(home.try_open(Mode::Read).unwrap_err().is_missing_lake());
    assert!(home.files_without_wal().is_empty());
    home.open().close().unwrap();
    let before = home.files_without_wal();
    let store = home.try_open(Mode::Read).unwrap();
    let graph = graph(&two("'default'"));
    let features = store.features(&graph, md5()).unwrap();
    for error in [
        write(&features, "a", &json!([row("1", "1")])).unwrap_err(),
        features.push(&BTreeMap::new()).unwrap_err(),
        features.delete(&key("a"), &[], Deletion::Hard).unwrap_err(),
        features.drop_table(&key("a")).unwrap_err(),
        features.copy("prod", [&key("a")], &CopyOptions::new()).unwrap_err(),
        features.rebase(&key("b"), "old", &RebaseOptions::new()).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "the store is open in read mode");
    }
    store.close().unwrap();
    assert_eq!(home.files_without_wal(), before);
}

#[test]
fn rows_hashed_in_another_way_are_refused_not_stale() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(&two("'default'"));
    let rows = json!([row("1", "1")]);
    write(&store.features(&graph, md5()).unwrap(), "a", &rows).unwrap();
    for (options, configured) in [
        (FeatureOptions::new(), "xxhash32 cut to 8"),
        (md5().truncation(Truncation::new(16).unwrap()), "md5 cut to 16"),
    ] {
        let features = store.features(&graph, options).unwrap();
        let expected =
            format!("the table `a` was written with md5 cut to 8, but the store is configured with {configured}");
        assert_eq!(write(&features, "a", &rows).unwrap_err().to_string(), expected);
        assert_eq!(resolve(&features, "b").unwrap_err().to_string(), expected);
        assert_eq!(features.status(&key("a"), &ResolveOptions::new()).unwrap_err().to_string(), expected);
        // Nor does it get a table or a record beside that one.
        assert_eq!(write(&features, "b", &rows).unwrap_err().to_string(), expected);
        assert_eq!(features.push(&BTreeMap::new()).unwrap_err().to_string(), expected);
        // Only of versions cut to another length it would find none.
        let is_other_length = configured.ends_with("16");
        let read = features.read(&key("a"), &ReadOptions::new());
        assert_eq!(read.err().map(|error| error.to_string()), is_other_length.then_some(expected.clone()));
        let deleted = features.delete(&key("a"), &["id = 'none'".parse().unwrap()], Deletion::Soft);
        assert_eq!(deleted.err().map(|error| error.to_string()), is_other_length.then_some(expected));
    }
}

#[test]
fn rows_of_a_table_without_a_record_speak_for_themselves() {
    for algorithm in HashAlgorithm::ALL {
        let home = TempLake::new();
        let store = home.open();
        // Not in the order in which they are hashed.
        let graph = graph(
            "[[feature]]\nkey = 'a'\nid_columns = ['id']\nfields = ['x', 'c']\n\n\
             [[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']",
        );
        let written = FeatureOptions::new().hash_algorithm(*algorithm);
        let rows = json!([{"id": "1", "metaxy_provenance_by_field": {"x": "1", "c": "2"}}]);
        write(&store.features(&graph, written.clone()).unwrap(), "a", &rows).unwrap();
        // As Python leaves it.
        store.connection().execute("COMMENT ON TABLE a IS NULL").unwrap();
        for other in HashAlgorithm::ALL {
            let options = FeatureOptions::new().hash_algorithm(*other);
            let found = resolve(&store.features(&graph, options).unwrap(), "b");
            match found {
                Ok(increment) => assert!(other == algorithm && counts(&increment) == [1, 0, 0]),
                Err(error) => {
                    let written = format!("was written with {} cut to", algorithm.as_str());
                    assert!(other != algorithm && error.to_string().contains(&written), "{error}");
                }
            }
        }
    }
}

#[test]
fn the_order_of_columns_is_fixed() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(&two("'x', 'y'"));
    let features = store.features(&graph, md5()).unwrap();
    let by_field = json!({"default": "1"});
    write(&features, "a", &json!([{"id": "a", "z": 1, "b": 2, "metaxy_provenance_by_field": by_field}])).unwrap();
    let mut increment = features.resolve_update(&key("b"), &ResolveOptions::new()).unwrap();
    let schema = increment.rows(Change::New).unwrap().schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names[0], "id");
    // JSON sorts what it is read from; what matters is that it is the table's order.
    let table = features.read(&key("a"), &ReadOptions::new()).unwrap().schema();
    let user: Vec<&str> = table.fields().iter().map(|field| field.name().as_str()).take(3).collect();
    assert_eq!(names[..3], user[..3]);
    assert_eq!(
        &names[3..],
        ["metaxy_provenance_by_field", "metaxy_provenance", "metaxy_data_version_by_field", "metaxy_data_version"]
    );
}
