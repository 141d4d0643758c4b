//! The snapshots of a lake, and the feed of changes between them.

use arrow::array::AsArray as _;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use ducklake_sql::TableName;
use metaxy_store_duckdb::{ChangeBound, Store};

use super::home::{Home, homes, other_homes};
use crate::lake::value;

/// The feed as lines `snapshot change id`, and the warnings about it.
fn changes(store: &Store, since: &str, to: Option<&str>) -> (Vec<String>, Vec<String>) {
    let table = TableName::new("t").unwrap();
    let to = to.map(ChangeBound::from);
    let feed = store.changes(&table, &ChangeBound::from(since), to.as_ref()).unwrap();
    let mut lines = Vec::new();
    for batch in feed.rows.into_iter().flatten() {
        let batch = batch.unwrap();
        let number = |name: &str| {
            let column = cast(batch.column_by_name(name).unwrap(), &DataType::Int64).unwrap();
            column.as_primitive::<Int64Type>().clone()
        };
        let (snapshots, ids) = (number("snapshot_id"), number("id"));
        let kinds = cast(batch.column_by_name("change_type").unwrap(), &DataType::Utf8).unwrap();
        let kinds = kinds.as_string::<i32>();
        lines.extend(
            (0..batch.num_rows())
                .map(|row| format!("{} {} {}", snapshots.value(row), kinds.value(row), ids.value(row))),
        );
    }
    lines.sort();
    (lines, feed.warnings)
}

#[test]
fn snapshots_and_changes() {
    homes().iter().for_each(check_history);
}

#[test]
#[ignore = "the other half of the combinations, which takes as long again"]
fn snapshots_and_changes_on_the_other_storage() {
    other_homes().iter().for_each(check_history);
}

/// On a lake that is new.
fn check_history(home: &Home) {
    let name = &home.name;
    let store = home.open();
    let run = |sql: &'static str| store.transaction(|connection| connection.execute(sql)).unwrap();
    run("CREATE TABLE t (id BIGINT, word VARCHAR)");
    run("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    run("INSERT INTO t SELECT range, 'c' FROM range(100, 120)");
    run("DELETE FROM t WHERE id IN (1, 100)");
    run("UPDATE t SET word = 'd' WHERE id = 2");
    let snapshots = store.snapshots(100).unwrap();
    let shown: Vec<_> = snapshots
        .iter()
        .map(|one| format!("{} +{} -{} {}", one.id, one.rows_added, one.rows_deleted, one.changes.join(", ")))
        .collect();
    assert_eq!(
        shown,
        [
            "5 +1 -1 inlined_insert main.t, inlined_delete main.t",
            "4 +0 -2 inlined_delete main.t",
            "3 +20 -0 inserted_into_table main.t",
            "2 +2 -0 inlined_insert main.t",
            "1 +0 -0 created_table main.t",
            "0 +0 -0 created_schema main",
        ],
        "{name}"
    );
    assert_eq!(store.snapshots(2).unwrap(), snapshots[..2], "{name}");
    let (all, warnings) = changes(&store, "1", None);
    assert_eq!((all.len(), warnings), (2 + 20 + 2 + 2, Vec::new()), "{name}: {all:?}");
    let (some, _) = changes(&store, "3", Some("4"));
    assert_eq!(some, ["4 delete 1", "4 delete 100"], "{name}");
    // Bounds need not exist: before the table was made, after the last snapshot, a moment.
    assert_eq!(changes(&store, "-7", Some("1000")).0, all, "{name}");
    assert_eq!(changes(&store, "2000-01-01", Some("2100-01-01 00:00:00+00")).0, all, "{name}");
    for (since, to) in [("5", None), ("1000", None), ("3", Some("2")), ("2100-01-01", None), ("-3", Some("2000-01-01"))]
    {
        assert_eq!(changes(&store, since, to).0, Vec::<String>::new(), "{name}: {since} {to:?}");
    }
    assert!(
        store
            .changes(&TableName::new("nope").unwrap(), &ChangeBound::Snapshot(0), None)
            .unwrap_err()
            .is_missing_table()
    );

    // A rewrite shows every row of its files again, and after an expiry deleted rows are gone: both is said.
    run("CALL ducklake_rewrite_data_files('ducklake', 't', delete_threshold => 0)");
    let (rewritten, warnings) = changes(&store, "1", None);
    assert!(
        rewritten.len() > all.len() && warnings.len() == 1 && warnings[0].contains("rewritten"),
        "{name}: {warnings:?}"
    );
    run("CALL ducklake_expire_snapshots('ducklake', versions => [3, 4])");
    let (_, warnings) = changes(&store, "2", None);
    assert!(warnings.iter().any(|warning| warning.contains("expired")), "{name}: {warnings:?}");
    assert_eq!(value(&store, "SELECT count(*) FROM t"), "20", "{name}");
    store.close().unwrap();
}
