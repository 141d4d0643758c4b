//! Rows of one version written again as rows of another, and graphs that differ from the pushed one.

use metaxy_store_duckdb::{Deletion, Features, ReadOptions, RebaseOptions, Versions, WriteOptions};
use serde_json::{Value, json};

use crate::features::common::{self, graph, key, md5, read_all, read_with, row, write};
use crate::features::increments::{counts, resolve};
use crate::lake::{TempLake, texts};

/// A root `a` and `b` that depends on it, `b` with this code version and these fields.
fn two(code: &str, fields: &str) -> String {
    format!(
        "[[feature]]\nkey = 'a'\nid_columns = ['id']\n\n\
         [[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']\n\
         fields = [{{ key = 'x', code_version = '{code}' }}{fields}]\n"
    )
}

fn version<'f>(features: &'f Features<'_>, feature: &str) -> &'f str {
    features.versions().get(&key(feature)).unwrap().feature.as_str()
}

/// Makes all that is new of `b`, with a size, and for `3` a data version of the user's own.
fn make(features: &Features<'_>) {
    let rows = json!([
        {"id": "1", "size": 1, "metaxy_provenance_by_field": {"x": "p1"}, "metaxy_data_version_by_field": null, "metaxy_data_version": null},
        {"id": "2", "size": 2, "metaxy_provenance_by_field": {"x": "p2"}, "metaxy_data_version_by_field": null, "metaxy_data_version": null},
        {"id": "3", "size": 3, "metaxy_provenance_by_field": {"x": "p3"}, "metaxy_data_version_by_field": {"x": "mine"}, "metaxy_data_version": "own"},
    ]);
    write(features, "b", &rows).unwrap();
}

#[test]
fn rows_get_the_provenance_of_the_other_version_and_keep_the_rest() {
    for maps in [false, true] {
        let home = TempLake::new();
        let store = home.open();
        let options = md5().maps(maps);
        let (old, new) = (graph(&two("1", "")), graph(&two("2", ", 'z'")));
        let old = store.features(&old, options.clone()).unwrap();
        write(&old, "a", &json!([row("1", "1"), row("2", "1"), row("3", "1")])).unwrap();
        make(&old);
        old.delete(&key("b"), &["id = '2'".parse().unwrap()], Deletion::Soft).unwrap();
        let new = store.features(&new, options).unwrap();
        assert_eq!(counts(&resolve(&new, "b").unwrap()), [3, 0, 0]);

        let from = version(&old, "b").to_owned();
        let dry = RebaseOptions::new().dry_run(true);
        assert_eq!(new.rebase(&key("b"), &from, &dry).unwrap(), 2);
        assert!(read_all(&new, "b").is_empty());
        let options = RebaseOptions::new().materialization_id("rebase".to_owned());
        assert_eq!(new.rebase(&key("b"), &from, &options).unwrap(), 2);
        // Only what was deleted is missing; its rows are those that the graph asks for.
        assert_eq!(counts(&resolve(&new, "b").unwrap()), [1, 0, 0]);
        let rows = read_all(&new, "b");
        let of = |row: &Value| row["metaxy_data_version_by_field"].as_object().unwrap().get("x").unwrap().clone();
        assert_eq!((&rows[0]["size"], &rows[0]["metaxy_data_version"]), (&json!(1), &rows[0]["metaxy_provenance"]));
        assert_eq!(rows[0]["metaxy_data_version_by_field"], rows[0]["metaxy_provenance_by_field"]);
        assert_eq!((&rows[1]["metaxy_data_version"], of(&rows[1])), (&json!("own"), json!("mine")));
        assert_eq!(rows[1]["metaxy_project_version"], rows[0]["metaxy_project_version"]);
        let kept = "SELECT count(DISTINCT metaxy_created_at) || ' ' || count(DISTINCT metaxy_updated_at) FROM b WHERE id = '3'";
        assert_eq!(texts(&store, kept), ["1 2"]);
        // Whose latest row is of the other version is not taken again.
        assert_eq!(new.rebase(&key("b"), &from, &options).unwrap(), 0);
    }
}

#[test]
fn an_older_version_comes_from_the_graph_that_was_pushed() {
    let home = TempLake::new();
    let store = home.open();
    let (old, new) = (graph(&two("1", "")), graph(&two("2", "")));
    let old = store.features(&old, md5()).unwrap();
    old.push(&[].into()).unwrap();
    write(&old, "a", &json!([row("1", "1"), row("2", "1"), row("3", "1")])).unwrap();
    let new = store.features(&new, md5()).unwrap();
    new.push(&[].into()).unwrap();
    make(&new);
    let to = RebaseOptions::new().to(version(&old, "b").to_owned());
    assert_eq!(new.rebase(&key("b"), version(&new, "b"), &to).unwrap(), 3);
    assert!(resolve(&old, "b").unwrap().is_empty());
    let one = ReadOptions::new().versions(Versions::One(version(&old, "b").to_owned()));
    let project = old.versions().project(&"demo".parse().unwrap()).to_string();
    assert!(read_with(&new, "b", &one).iter().all(|row| row["metaxy_project_version"] == json!(project)));
}

#[test]
fn a_group_becomes_one_row_and_its_parts_take_its_provenance() {
    let home = TempLake::new();
    let store = home.open();
    let of = |code: &str| {
        graph(&format!(
            "[[feature]]\nkey = 'frame'\nid_columns = ['video', 'frame']\n\n\
             [[feature]]\nkey = 'stats'\nid_columns = ['video']\n\
             deps = [{{ feature = 'frame', lineage = {{ type = 'N:1', on = ['video'] }} }}]\n\
             fields = [{{ key = 'default', code_version = '{code}' }}]\n\n\
             [[feature]]\nkey = 'part'\nid_columns = ['video', 'part']\n\
             deps = [{{ feature = 'stats', lineage = {{ type = '1:N', on = ['video'] }} }}]\n\
             fields = [{{ key = 'default', code_version = '{code}' }}]\n"
        ))
    };
    let (old, new) = (of("1"), of("2"));
    let (old, new) = (store.features(&old, md5()).unwrap(), store.features(&new, md5()).unwrap());
    let frame = |video: &str, frame: i64| json!({"video": video, "frame": frame, "metaxy_provenance_by_field": {"default": "1"}});
    write(&old, "frame", &json!([frame("a", 1), frame("a", 2), frame("b", 1)])).unwrap();
    let of_video = |video: &str| json!({"video": video, "metaxy_provenance_by_field": {"default": "1"}});
    write(&old, "stats", &json!([of_video("a"), of_video("b")])).unwrap();
    write(&new, "stats", &json!([of_video("a"), of_video("b")])).unwrap();
    let part = |part: i64| json!({"video": "a", "part": part, "metaxy_provenance_by_field": {"default": "1"}});
    write(&old, "part", &json!([part(1), part(2)])).unwrap();
    assert_eq!(new.rebase(&key("part"), version(&old, "part"), &RebaseOptions::new()).unwrap(), 2);
    assert_eq!(counts(&resolve(&new, "part").unwrap()), [1, 0, 0]);

    store
        .connection()
        .execute("DELETE FROM stats WHERE metaxy_updated_at = (SELECT max(metaxy_updated_at) FROM stats)")
        .unwrap();
    assert_eq!(new.rebase(&key("stats"), version(&old, "stats"), &RebaseOptions::new()).unwrap(), 2);
    assert_eq!(read_all(&new, "stats").len(), 2);
    assert!(resolve(&new, "stats").unwrap().is_empty());
}

#[test]
fn what_cannot_be_rebased_is_refused() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(&two("1", ""));
    let features = store.features(&graph, md5()).unwrap();
    let rebase = |feature: &str, to: Option<&str>| {
        let options = RebaseOptions::new().to(to.map(str::to_owned));
        features.rebase(&key(feature), "old", &options).unwrap_err().to_string()
    };
    let message = "the feature `a` depends on no other: its provenance was given, and cannot be computed anew";
    assert_eq!(rebase("a", None), message);
    assert_eq!(rebase("b", Some("nope")), "no graph was pushed in which `b` is of the version `nope`");
    features.push(&[].into()).unwrap();
    assert_eq!(rebase("b", Some("nope")), "no graph was pushed in which `b` is of the version `nope`");
    assert_eq!(rebase("b", None), "the feature `b` has no table `b` in the lake");
}

#[test]
fn a_feature_of_another_version_than_the_pushed_one_is_not_written() {
    let home = TempLake::new();
    let store = home.open();
    let (old, new) = (graph(&two("1", "")), graph(&two("2", "")));
    let (old, new) = (store.features(&old, md5()).unwrap(), store.features(&new, md5()).unwrap());
    let rows = json!([{"id": "1", "metaxy_provenance_by_field": {"x": "1"}}]);
    // Without any push, as in Python.
    write(&new, "b", &rows).unwrap();
    old.push(&[].into()).unwrap();
    let error = write(&new, "b", &rows).unwrap_err();
    let expected = format!(
        "the feature `b` is of the version `{}` here, but was pushed last with `{}`",
        version(&new, "b"),
        version(&old, "b")
    );
    assert_eq!(error.to_string(), expected);
    assert!(error.help().unwrap().contains("push this graph"));
    assert_eq!(texts(&store, "SELECT count(*) FROM b"), ["1"]);
    // Its other feature is of the pushed version.
    write(&new, "a", &json!([row("1", "1")])).unwrap();
    let options = WriteOptions::new().unpushed(true);
    assert_eq!(new.write(&key("b"), common::rows(&rows), &options).unwrap(), 1);
    new.push(&[].into()).unwrap();
    write(&new, "b", &rows).unwrap();
    assert!(write(&old, "b", &rows).is_err());
    old.push(&[].into()).unwrap();
    write(&old, "b", &rows).unwrap();
}
