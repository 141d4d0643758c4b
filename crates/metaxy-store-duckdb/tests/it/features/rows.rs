//! Rows over time: deleting, resurrecting, travelling, filtering, and two writers at once.

use std::collections::BTreeMap;
use std::thread;

use metaxy_store_duckdb::{Change, Deletion, Filter, ReadOptions, ResolveOptions, Snapshot, WriteOptions};
use serde_json::{Value, json};

use crate::features::common::{self, graph, key, md5, read_all, read_with, row, write};
use crate::features::increments::{counts, resolve, rows};
use crate::lake::{TempLake, texts};

const GRAPH: &str = "[[feature]]\nkey = 'a'\nid_columns = ['id']\n\n\
                     [[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']";

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[test]
fn a_soft_deletion_hides_and_a_write_brings_back() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    write(&features, "a", &json!([row("1", "1"), row("2", "it's \\")])).unwrap();
    let two: Filter = "id = '2'".parse().unwrap();
    assert_eq!(features.delete(&key("a"), std::slice::from_ref(&two), Deletion::Soft).unwrap(), 1);
    assert_eq!(ids(&read_all(&features, "a")), ["1"]);
    let deleted = ReadOptions::new().deleted(true);
    let rows = read_with(&features, "a", &deleted);
    assert_eq!(rows.len(), 2);
    // The text that a catalog would not keep is as it was.
    assert_eq!(rows[1]["metaxy_data_version_by_field"]["default"], "it's \\");
    let every = deleted.all_rows(true);
    assert_eq!(read_with(&features, "a", &every).len(), 3);
    // What is hidden cannot be deleted again.
    assert_eq!(features.delete(&key("a"), &[two], Deletion::Soft).unwrap(), 0);
    write(&features, "a", &json!([row("2", "3")])).unwrap();
    assert_eq!(ids(&read_all(&features, "a")), ["1", "2"]);
}

#[test]
fn a_hard_deletion_removes_every_row_of_its_ids() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    for size in [1, 20] {
        write(&features, "a", &json!([{"id": "1", "size": size, "metaxy_provenance_by_field": {"default": "1"}}]))
            .unwrap();
    }
    // The older row does not meet the filter, and must not come to light.
    assert_eq!(features.delete(&key("a"), &["size > 10".parse().unwrap()], Deletion::Hard).unwrap(), 2);
    assert_eq!(read_all(&features, "a"), [Value::Null; 0]);
    features.drop_table(&key("a")).unwrap();
    assert!(features.drop_table(&key("a")).is_err());
}

#[test]
fn a_lake_can_be_read_as_it_was() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    write(&features, "a", &json!([row("1", "1")])).unwrap();
    write(&features, "a", &json!([row("2", "1")])).unwrap();
    let at = |at| ReadOptions::new().at(at);
    assert_eq!(ids(&read_with(&features, "a", &at(Snapshot::Number(1)))), ["1"]);
    let times =
        texts(&store, "SELECT CAST(snapshot_time AS VARCHAR) FROM ducklake_snapshots('ducklake') ORDER BY snapshot_id");
    assert_eq!(ids(&read_with(&features, "a", &at(Snapshot::Time(times[1].clone())))), ["1"]);
    assert_eq!(ids(&read_with(&features, "a", &at(Snapshot::Latest))), ["1", "2"]);
}

#[test]
fn filters_follow_three_valued_logic() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    let sample = |id: &str, size: Value, lang: Value, ok: Value| json!({"id": id, "size": size, "lang": lang, "ok": ok, "a.b": id, "metaxy_provenance_by_field": {"default": "1"}});
    let rows = json!([
        sample("1", json!(5), json!("en"), json!(true)),
        sample("2", json!(15), json!("it's"), json!(false)),
        sample("3", Value::Null, Value::Null, Value::Null),
    ]);
    write(&features, "a", &rows).unwrap();
    for (filter, expected) in [
        ("size > 10", vec!["2"]),
        ("size>=5 and size<=5.0", vec!["1"]),
        ("NOT (lang = 'en')", vec!["2"]),
        ("lang = 'it''s'", vec!["2"]),
        ("lang IS NULL OR size = 5", vec!["1", "3"]),
        ("lang = NULL", vec!["3"]),
        ("lang != NULL", vec!["1", "2"]),
        ("size IN (5, -1, 1.5e1)", vec!["1", "2"]),
        ("id NOT IN ('1')", vec!["2", "3"]),
        ("ok", vec!["1"]),
        ("NOT ok", vec!["2"]),
        ("ok IS NOT TRUE", vec!["2", "3"]),
        ("ok = false", vec!["2"]),
        ("a.b = '3'", vec!["3"]),
        ("\"a.b\" = id AND size < 6", vec!["1"]),
        ("TRUE", vec!["1", "2", "3"]),
        ("metaxy_updated_at > '2020-01-01' AND id == '1'", vec!["1"]),
        ("5 < size", vec!["2"]),
    ] {
        let filters = vec![filter.parse().unwrap()];
        let found = read_with(&features, "a", &ReadOptions::new().filters(filters));
        assert_eq!(ids(&found), expected, "{filter}");
    }
}

#[test]
fn samples_are_compared_with_a_root() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    let samples = json!([row("1", "1"), row("2", "1")]);
    let resolve =
        |samples: &Value| features.resolve_samples(&key("a"), common::rows(samples), &ResolveOptions::new()).unwrap();
    let mut increment = resolve(&samples);
    assert_eq!(counts(&increment), [2, 0, 0]);
    let new = increment.rows(Change::New).unwrap().into_reader();
    features.write(&key("a"), new, &WriteOptions::new()).unwrap();
    let mut increment = resolve(&json!([row("2", "2"), row("3", "1")]));
    assert_eq!(counts(&increment), [1, 1, 1]);
    assert_eq!(ids(&rows(&mut increment, Change::Orphaned)), ["1"]);
    let error = features.resolve_samples(&key("b"), common::rows(&samples), &ResolveOptions::new()).unwrap_err();
    assert_eq!(error.to_string(), "samples are for features that depend on no other, and `b` does");
}

#[test]
fn updates_can_be_narrowed_forced_and_filtered() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    write(&features, "a", &json!([row("1", "1"), row("2", "1"), row("3", "1")])).unwrap();
    let mut increment = resolve(&features, "b").unwrap();
    let new = increment.rows(Change::New).unwrap().into_reader();
    features.write(&key("b"), new, &WriteOptions::new()).unwrap();
    let count = |options: &ResolveOptions| counts(&features.resolve_update(&key("b"), options).unwrap());
    let filter = |text: &str| vec![text.parse::<Filter>().unwrap()];
    assert_eq!(count(&ResolveOptions::new().stale_if(filter("id > '1'"))), [0, 2, 0]);
    assert_eq!(count(&ResolveOptions::new().skip_comparison(true)), [3, 0, 0]);
    assert_eq!(count(&ResolveOptions::new().global_filters(filter("id = '1'"))), [0, 0, 0]);
    assert_eq!(count(&ResolveOptions::new().filters(key("a"), filter("id = '1'"))), [0, 0, 2]);
    let status = features.status(&key("b"), &ResolveOptions::new()).unwrap();
    assert_eq!((status.rows, status.needs_update()), (Some(3), false));
}

#[test]
fn writers_at_the_same_time_lose_nothing() {
    let home = TempLake::new();
    home.open().close().unwrap();
    thread::scope(|scope| {
        for writer in 0..3 {
            let home = &home;
            scope.spawn(move || {
                let store = home.open();
                let graph = graph(GRAPH);
                let features = store.features(&graph, md5()).unwrap();
                for number in 0..5 {
                    write(&features, "a", &json!([row(&format!("{writer}-{number}"), "1")])).unwrap();
                }
            });
        }
    });
    let store = home.open();
    let graph = graph(GRAPH);
    assert_eq!(read_all(&store.features(&graph, md5()).unwrap(), "a").len(), 15);
}

#[test]
fn a_pushed_graph_comes_back() {
    let home = TempLake::new();
    let store = home.open();
    let options = md5();
    assert!(store.history(&options).unwrap().is_empty());
    let missing = store.load_graph(&options, None).unwrap_err();
    assert_eq!(missing.to_string(), "there is no snapshot `latest` in the lake");
    let graph = graph(GRAPH);
    let features = store.features(&graph, options.clone()).unwrap();
    let push = features.push(&[("git".to_owned(), "abc".to_owned())].into()).unwrap();
    assert!(!push.already_pushed && push.updated.len() == 2);
    let again = features.push(&BTreeMap::default()).unwrap();
    assert!(again.already_pushed && again.updated.is_empty() && again.project_version == push.project_version);
    assert_eq!(
        texts(&store, "SELECT DISTINCT tags FROM metaxy_system__feature_versions"),
        [
            r#"{"git": "abc", "metaxy": "{\"version\": \"0.1.11\", \"hash_algorithm\": \"md5\", \"hash_truncation_length\": \"8\"}"}"#
        ]
    );
    let history = store.history(&options).unwrap();
    assert_eq!((history.len(), history[0].features), (1, 2));
    let loaded = store.load_graph(&options, Some(&push.project_version)).unwrap();
    assert!(loaded.iter().eq(graph.iter()));
    assert!(store.load_graph(&options, Some("nope")).is_err());
}
