//! What is new, stale and orphaned: every recorded increment, row by row.

use metaxy_store_duckdb::{Change, Deletion, Error, Features, Increment, ResolveOptions, WriteOptions};
use serde_json::{Value, json};

use crate::features::common::{collect, comparable, golden, golden_graph, key, md5, read_all, without, write};
use crate::features::writes::{given, options};
use crate::lake::TempLake;

pub(crate) fn resolve(features: &Features<'_>, feature: &str) -> Result<Increment, Error> {
    features.resolve_update(&key(feature), &ResolveOptions::new())
}

pub(crate) fn rows(increment: &mut Increment, change: Change) -> Vec<Value> {
    let rows = collect(increment.rows(change).unwrap());
    assert_eq!(rows.len(), increment.count(change));
    rows
}

/// Recorded rows of an increment, without the column that Python leaks from upstream (H4).
fn expected(rows: &Value) -> Vec<Value> {
    without(rows, &["metaxy_deleted_at"])
}

pub(crate) fn counts(increment: &Increment) -> [usize; 3] {
    Change::ALL.map(|change| increment.count(change))
}

#[test]
fn identity_increments_are_those_of_python() {
    let graph = golden_graph("identity");
    for (case, recorded) in golden("data_identity").as_object().unwrap() {
        let home = TempLake::new();
        let store = home.open();
        let features = store.features(&graph, options(case)).unwrap();
        write(&features, "video/raw", &given(&recorded["root_rows"])).unwrap();

        let mut increment = resolve(&features, "video/crop").unwrap();
        assert_eq!(rows(&mut increment, Change::New), expected(&recorded["crop_new"]), "{case}");
        assert_eq!(counts(&increment), [3, 0, 0]);

        // What comes out goes in again as it is.
        let new = increment.rows(Change::New).unwrap().into_reader();
        features.write(&key("video/crop"), new, &WriteOptions::new()).unwrap();
        assert_eq!(read_all(&features, "video/crop"), comparable(recorded["crop_rows"].as_array().unwrap().clone()));
        assert!(resolve(&features, "video/crop").unwrap().is_empty());

        let Some(second) = recorded.get("increment2") else { continue };
        let path = |rows: &Value| rows[0]["path"].as_str().unwrap().to_owned();
        let root = json!([
            {"video_id": "v1", "path": path(&second["stale"]), "metaxy_provenance_by_field": {"audio": "a1x", "frames": "f1"}},
            {"video_id": "v4", "path": path(&second["new"]), "metaxy_provenance_by_field": {"audio": "a4", "frames": "f4"}},
        ]);
        write(&features, "video/raw", &root).unwrap();
        features.delete(&key("video/raw"), &["video_id = 'v3'".parse().unwrap()], Deletion::Soft).unwrap();
        let mut increment = resolve(&features, "video/crop").unwrap();
        for (change, name) in [(Change::New, "new"), (Change::Stale, "stale")] {
            assert_eq!(rows(&mut increment, change), expected(&second[name]), "{case} {name}");
        }
        assert_eq!(rows(&mut increment, Change::Orphaned), comparable(second["orphaned"].as_array().unwrap().clone()));
    }
}

#[test]
fn mapped_renamed_and_optional_dependencies_are_those_of_python() {
    let graph = golden_graph("mapping");
    let recorded = golden("data_mapping");
    let home = TempLake::new();
    let store = home.open();
    let features = store.features(&graph, md5()).unwrap();
    write(&features, "audio/src-1", &given(&recorded["audio"])).unwrap();
    write(&features, "vid", &given(&recorded["vid"])).unwrap();
    for (feature, name) in [("combo/x", "combo_new"), ("combo/leaf", "leaf_new")] {
        let mut increment = resolve(&features, feature).unwrap();
        assert_eq!(rows(&mut increment, Change::New), expected(&recorded[name]), "{feature}");
        let new = increment.rows(Change::New).unwrap().into_reader();
        features.write(&key(feature), new, &WriteOptions::new()).unwrap();
        assert!(resolve(&features, feature).unwrap().is_empty());
    }
}

#[test]
fn groups_and_their_parts_are_those_of_python() {
    let graph = golden_graph("lineage");
    let recorded = golden("data_lineage");
    let home = TempLake::new();
    let store = home.open();
    let features = store.features(&graph, md5()).unwrap();
    let video = |id: &str, audio: &str, frames: &str| json!({"video_id": id, "metaxy_provenance_by_field": {"audio": audio, "frames": frames}});
    write(&features, "lin/video", &json!([video("v1", "a1", "f1"), video("v2", "a2", "f2")])).unwrap();

    let mut increment = resolve(&features, "lin/frame").unwrap();
    assert_eq!(rows(&mut increment, Change::New), expected(&recorded["frame_new(parent level)"]));

    // The rows of one video have its provenance, and data versions of their own.
    let frames = without(
        &recorded["frame_rows"],
        &[
            "metaxy_data_version",
            "metaxy_deleted_at",
            "metaxy_feature_version",
            "metaxy_materialization_id",
            "metaxy_project_version",
        ],
    );
    write(&features, "lin/frame", &Value::Array(frames)).unwrap();
    assert_eq!(read_all(&features, "lin/frame"), comparable(recorded["frame_rows"].as_array().unwrap().clone()));
    assert!(resolve(&features, "lin/frame").unwrap().is_empty());

    // H11: one row for each frame, as Python has it.
    let mut increment = resolve(&features, "lin/stats").unwrap();
    let stats = expected(&recorded["stats_new(one row per frame!)"]);
    assert_eq!(rows(&mut increment, Change::New), stats);
    let mut one_each = without(&Value::Array(stats), &["frame_id"]);
    one_each.dedup();
    // Or one row for each group, if that is asked for: the first of its frames.
    let distinct = ResolveOptions::new().distinct(true);
    let mut increment = features.resolve_update(&key("lin/stats"), &distinct).unwrap();
    let groups = rows(&mut increment, Change::New);
    assert_eq!(groups.iter().map(|row| &row["frame_id"]).collect::<Vec<_>>(), [&json!(1), &json!(1)]);
    assert_eq!(without(&Value::Array(groups), &["frame_id"]), one_each);
    let new = increment.rows(Change::New).unwrap().into_reader();
    features.write(&key("lin/stats"), new, &WriteOptions::new()).unwrap();
    drop(increment);
    assert!(features.resolve_update(&key("lin/stats"), &distinct).unwrap().is_empty());
    assert!(resolve(&features, "lin/stats").unwrap().is_empty());

    write(&features, "lin/video", &json!([video("v1", "a1b", "f1")])).unwrap();
    let mut increment = resolve(&features, "lin/frame").unwrap();
    assert_eq!(rows(&mut increment, Change::Stale), expected(&recorded["frame_inc_stale"]["stale"]));
    assert_eq!(counts(&increment), [0, 1, 0]);
}
