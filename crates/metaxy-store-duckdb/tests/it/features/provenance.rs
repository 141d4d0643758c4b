//! Versions of fields that are made of the columns of rows.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, Int64Array, ListArray, StringArray, StructArray, TimestampMicrosecondArray,
    TimestampNanosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, TimestampMicrosecondType};
use arrow::record_batch::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use metaxy_store_duckdb::{Change, Error, Features, Provenance, ResolveOptions, WriteOptions};
use serde_json::{Value, json};

use crate::features::common::{graph, key, md5, read_all, row, rows, write};
use crate::lake::TempLake;

const GRAPH: &str = "[[feature]]\nkey = 'a'\nid_columns = ['id']\nfields = ['x', 'y/z']\n\n\
                     [[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']";

fn made(how: &str) -> WriteOptions {
    WriteOptions::new().provenance(how.parse::<Provenance>().unwrap())
}

/// The versions that were written for the ids 1 and on.
fn versions(features: &Features<'_>) -> Vec<Value> {
    let mut rows = read_all(features, "a");
    rows.sort_by_key(|row| row["id"].as_i64());
    rows.into_iter().map(|row| row["metaxy_provenance_by_field"].clone()).collect()
}

/// What is written for rows, in a lake of their own.
fn written(how: &str, rows: impl RecordBatchReader) -> Result<Vec<Value>, Error> {
    let (home, graph) = (TempLake::new(), graph(GRAPH));
    let store = home.open();
    let features = store.features(&graph, md5()).unwrap();
    features.write(&key("a"), rows, &made(how))?;
    Ok(versions(&features))
}

#[test]
fn a_version_is_the_hash_of_all_columns_of_some_or_the_value_of_one() {
    let (size, path) = (md5_of("4:size=1:7"), md5_of("4:path=1:p"));
    let all = md5_of("2:id=1:14:path=1:p4:size=1:7");
    for (how, expected) in [
        ("hash", json!({"x": all, "y_z": all})),
        ("hash=x:size,y/z:path", json!({"x": size, "y_z": path})),
        ("hash=y/z:size,x:path,y/z:path,y/z:size", json!({"x": path, "y_z": md5_of("4:path=1:p4:size=1:7")})),
        ("column=x:size, y/z:path", json!({"x": "7", "y_z": "p"})),
    ] {
        let row = json!([{"id": 1, "size": 7, "path": "p"}]);
        assert_eq!(written(how, rows(&row)).unwrap(), [expected], "{how}");
    }
}

/// The first eight digits, by DuckDB's own function.
fn md5_of(text: &str) -> String {
    let duckdb = duckdb::Connection::open_in_memory().unwrap();
    duckdb.query_row("SELECT md5(?)[:8]", [text], |row| row.get(0)).unwrap()
}

#[test]
fn rows_that_differ_have_other_versions_wherever_the_columns_stand() {
    let pairs = [("a", "bc"), ("ab", "c"), ("", "abc"), ("1:a", "-")];
    let batch = |nulls: [Option<&str>; 2], ids: Vec<i64>| {
        let firsts: Vec<Option<&str>> = pairs.iter().map(|pair| Some(pair.0)).chain([nulls[0]]).collect();
        let seconds: Vec<Option<&str>> = pairs.iter().map(|pair| Some(pair.1)).chain([nulls[1]]).collect();
        let (firsts, seconds): (ArrayRef, ArrayRef) =
            (Arc::new(StringArray::from(firsts)), Arc::new(StringArray::from(seconds)));
        (Arc::new(Int64Array::from(ids)) as ArrayRef, firsts, seconds)
    };
    let mut found = Vec::new();
    for reversed in [false, true] {
        let (ids, one, two) = batch([None, Some("abc")], (1..=5).collect());
        let mut columns = vec![("id", ids), ("one", one), ("two", two)];
        if reversed {
            columns.reverse();
        }
        found.push(written("hash=x:one,x:two,y/z:one", reader(RecordBatch::try_from_iter(columns).unwrap())).unwrap());
    }
    assert_eq!(found[0], found[1]);
    let mut all: Vec<&str> = found[0].iter().filter_map(|versions| versions["x"].as_str()).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 5, "{found:?}");
    assert!(found[0].iter().all(|versions| versions["y_z"].is_string()), "NULL has a hash, too: {found:?}");
}

fn reader(batch: RecordBatch) -> impl RecordBatchReader {
    let schema = batch.schema();
    RecordBatchIterator::new([Ok(batch)], schema)
}

#[test]
fn the_time_zone_of_the_session_is_in_no_version() {
    let (home, graph) = (TempLake::new(), graph(GRAPH));
    let store = home.open();
    let features = store.features(&graph, md5()).unwrap();
    let times = TimestampMicrosecondArray::from(vec![1_700_000_000_000_001]).with_timezone("UTC");
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("id", Arc::clone(&ids)), ("at", Arc::new(times))]).unwrap();
    features.write(&key("a"), reader(batch), &made("column=x:at,y/z:at")).unwrap();
    assert_eq!(versions(&features), [json!({"x": "1700000000000001", "y_z": "1700000000000001"})]);

    let items = ListArray::from_iter_primitive::<TimestampMicrosecondType, _, _>([Some([Some(1)])]);
    let zoned = arrow::compute::cast(
        &items,
        &arrow::datatypes::DataType::new_list(
            arrow::datatypes::DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("+00:00".into())),
            true,
        ),
    );
    let batch = RecordBatch::try_from_iter([("id", ids), ("ats", zoned.unwrap())]).unwrap();
    let error = features.write(&key("a"), reader(batch), &made("hash")).unwrap_err();
    let says = "the column `ats` of the rows for `a` is TIMESTAMPTZ[], of which no version can be made";
    assert!(error.to_string().starts_with(says), "{error}");
}

#[test]
fn nanoseconds_are_not_cut_wherever_they_are() {
    let time = |nanoseconds: i64| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from(vec![nanoseconds]).with_timezone("UTC"))
    };
    let within = |time: ArrayRef| -> ArrayRef {
        let field = Field::new("at", time.data_type().clone(), true);
        let member: ArrayRef = Arc::new(StructArray::from(vec![(Arc::new(field), time)]));
        let item = Arc::new(Field::new("item", member.data_type().clone(), true));
        Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([1]), member, None))
    };
    for (times, is_kept) in [
        (time(1_700_000_000_000_001_000), true),
        (time(1_700_000_000_000_001_001), false),
        (within(time(1_700_000_000_000_001_000)), true),
        (within(time(1_700_000_000_000_001_001)), false),
    ] {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let batch = RecordBatch::try_from_iter([("id", Arc::clone(&ids)), ("v", ids), ("at", times)]).unwrap();
        let (home, graph) = (TempLake::new(), graph(GRAPH));
        let store = home.open();
        match store.features(&graph, md5()).unwrap().write(&key("a"), reader(batch), &made("column=x:v,y/z:v")) {
            Ok(_) => assert!(is_kept),
            Err(error) => assert!(!is_kept && error.to_string().contains("has more digits"), "{error}"),
        }
    }
}

#[test]
fn samples_are_compared_by_versions_that_are_made_of_them() {
    let (home, graph) = (TempLake::new(), graph(GRAPH));
    let store = home.open();
    let features = store.features(&graph, md5()).unwrap();
    let before = json!([{"id": 1, "size": 7}, {"id": 2, "size": 8}]);
    features.write(&key("a"), rows(&before), &made("hash")).unwrap();
    let now = json!([{"id": 1, "size": 7}, {"id": 2, "size": 9}, {"id": 3, "size": 1}]);
    let options = ResolveOptions::new().provenance(Provenance::hash());
    let found = features.resolve_samples(&key("a"), rows(&now), &options).unwrap();
    assert_eq!(Change::ALL.map(|change| found.count(change)), [1, 1, 0]);
    // Without, the versions have to be there.
    assert!(features.resolve_samples(&key("a"), rows(&now), &ResolveOptions::new()).is_err());
}

#[test]
fn what_cannot_be_made_is_refused_before_anything_is_written() {
    for (how, row, message) in [
        ("hash=x:v", json!({"id": 1, "v": 1}), "the fields `y/z` of `a` have no column that their version is made of"),
        ("hash=x:v,y/z:v,w:v", json!({"id": 1, "v": 1}), "the feature `a` has no fields `w`"),
        ("column=x:v,y/z:u", json!({"id": 1, "v": 1}), "the rows for `a` lack the columns `u`"),
        (
            "column=x:v,y/z:v",
            json!({"id": 1, "v": null}),
            "1 of the rows for `a` have no value in a column that is to be a version (`v`, `v`)",
        ),
        (
            "hash",
            json!({"id": 1, "metaxy_provenance_by_field": {"x": "1", "y_z": "1"}}),
            "the rows for `a` have `metaxy_provenance_by_field`, so no versions are to be made of them",
        ),
    ] {
        let error = written(how, rows(&json!([row]))).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}\n{message}");
    }

    let (home, graph) = (TempLake::new(), graph(GRAPH));
    let store = home.open();
    let features = store.features(&graph, md5()).unwrap();
    let error = features.write(&key("b"), rows(&json!([{"id": 1}])), &made("hash")).unwrap_err().to_string();
    let says = "the versions of `b` come from the features that it depends on, and are not made of its own columns";
    assert!(error.starts_with(says), "{error}");
    // What to do about missing versions is another thing for a feature that depends on others.
    let help = |feature: &str| write(&features, feature, &json!([{"id": 1}])).unwrap_err().help().unwrap();
    assert!(help("a").contains(r#"`{"x": "1", "y_z": "1"}`; or let them be made of its columns"#), "{}", help("a"));
    assert!(help("b").starts_with("write the rows that `metadata increment`"), "{}", help("b"));
    let error = write(&features, "a", &json!([row("x", "1")])).unwrap_err().to_string();
    assert!(error.contains("lacks the fields `x`, `y_z`"), "{error}");
}

#[test]
fn what_does_not_say_how_is_refused() {
    for how in
        ["", "Hash", "hash=", "hash=x", "hash=x:", "column", "column=:v", "column=x:v,x:w", "md5=x:v", "hash=X:v"]
    {
        let error = how.parse::<Provenance>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{how}` does not say how versions are made: ")), "{error}");
    }
}
