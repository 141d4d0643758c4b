//! Bad input: a clear error, and nothing written.

use std::collections::BTreeMap;

use ducklake_sql::{Mode, Sql};
use metaxy_store_duckdb::{Filter, ReadOptions, ResolveOptions, Snapshot, WriteOptions};
use serde_json::{Value, json};

use crate::features::common::{self, graph, key, md5, read_all, row, write};
use crate::features::increments::resolve;
use crate::lake::{TempLake, texts};

const GRAPH: &str = "[[feature]]\nkey = 'a'\nid_columns = ['id']\nfields = ['x', 'y']\n\n\
                     [[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']";

fn good() -> Value {
    json!([{"id": 1, "v": "v", "metaxy_provenance_by_field": {"x": "1", "y": "1"}}])
}

#[test]
fn rows_that_do_not_fit_are_refused_before_anything_is_written() {
    let by_field = json!({"x": "1", "y": "1"});
    for (rows, message) in [
        (json!([{"metaxy_provenance_by_field": by_field}]), "the rows for `a` lack the columns `id`"),
        (
            json!([{"id": 1}]),
            "the rows for `a` lack the column `metaxy_provenance_by_field`, which has a version of each field",
        ),
        (
            json!([{"id": 1, "metaxy_provenance_by_field": "x"}]),
            "`metaxy_provenance_by_field` of the rows for `a` is VARCHAR, and must be a struct or a map of strings",
        ),
        (
            json!([{"id": 1, "metaxy_provenance_by_field": {"x": 1, "y": 2}}]),
            "`metaxy_provenance_by_field` of the rows for `a` is STRUCT(\"x\" BIGINT, \"y\" BIGINT), and must be a struct \
             or a map of strings",
        ),
        (
            json!([{"id": 1, "metaxy_provenance_by_field": {"x": "1"}}]),
            "`metaxy_provenance_by_field` of the rows for `a` lacks the fields `y`",
        ),
        (
            json!([{"id": 1, "metaxy_provenance_by_field": {"x": "1", "y": "1", "z": "1"}}]),
            "`metaxy_provenance_by_field` of the rows for `a` has fields that the feature has not: `z`",
        ),
        (
            json!([{"id": 1, "metaxy_provenance_by_field": by_field}, {"id": 1, "metaxy_provenance_by_field": by_field}]),
            "1 ids are there more than once in the rows for `a`, one of them (1)",
        ),
        (
            json!([{"id": 1, "metaxy_provenance_by_field": by_field}, {"id": null, "metaxy_provenance_by_field": by_field}]),
            "1 of the rows for `a` have no value in an id column (`id`)",
        ),
        (
            json!([{"id": "one", "metaxy_provenance_by_field": by_field}]),
            "the column `id` is VARCHAR, but in the table of `a` it is BIGINT",
        ),
        (
            json!([{"id": 1, "RowId": 1, "metaxy_provenance_by_field": by_field}]),
            "the rows for `a` have a column `rowid`, which hides the numbers that the engine gives rows",
        ),
        (json!([{"id": 1, "ID": 1, "metaxy_provenance_by_field": by_field}]), "the rows for `a` have two columns"),
    ] {
        let home = TempLake::new();
        let store = home.open();
        let graph = graph(GRAPH);
        let features = store.features(&graph, md5()).unwrap();
        write(&features, "a", &good()).unwrap();
        let before = read_all(&features, "a");
        let error = write(&features, "a", &rows).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}\n{message}");
        assert_eq!(read_all(&features, "a"), before, "{message}");
        assert_eq!(texts(&store, "SELECT max(snapshot_id) FROM ducklake_snapshots('ducklake')"), ["1"]);
        assert_eq!(texts(&store, "SELECT table_name FROM duckdb_tables() WHERE temporary"), [""; 0]);
    }
}

#[test]
fn unknown_features_tables_and_columns_are_named() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    let read = |key: &str| features.read(&key.parse().unwrap(), &ReadOptions::new()).unwrap_err();
    assert_eq!(read("c").to_string(), "there is no feature `c` in the graph");
    assert_eq!(read("c").help().unwrap(), "the graph has `a`, `b`");
    assert_eq!(read("a").to_string(), "the feature `a` has no table `a` in the lake");
    assert_eq!(resolve(&features, "b").unwrap_err().to_string(), "the feature `a` has no table `a` in the lake");
    let needs = resolve(&features, "a").unwrap_err();
    assert_eq!(needs.to_string(), "the feature `a` depends on no other, so its update needs samples");

    write(&features, "a", &good()).unwrap();
    let columns = ReadOptions::new().columns(vec!["w".parse().unwrap()]);
    let error = features.read(&key("a"), &columns).unwrap_err();
    assert_eq!(error.to_string(), "the table of `a` has no columns `w` to read");
    let filter: Filter = "w = 1".parse().unwrap();
    let filters = ReadOptions::new().filters(vec![filter.clone()]);
    let error = features.read(&key("a"), &filters).unwrap_err().to_string();
    assert_eq!(error, "the filter `w = 1` names the column `w`, which the rows of `a` do not have");
    let global = ResolveOptions::new().global_filters(vec![filter]);
    assert_eq!(features.resolve_update(&key("b"), &global).unwrap_err().to_string(), error);
}

#[test]
fn values_that_would_come_changed_are_not_read() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    write(&features, "a", &good()).unwrap();
    store.connection().execute("ALTER TABLE a ADD COLUMN zoned TIMETZ").unwrap();
    let error = features.read(&key("a"), &ReadOptions::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the query failed: values of the type TIMETZ in the column `zoned` cannot be read as they are"
    );
    let others = ReadOptions::new().columns(vec!["v".parse().unwrap()]);
    features.read(&key("a"), &others).unwrap();
}

#[test]
fn a_table_is_not_made_unless_it_may_be_nor_in_read_mode() {
    let home = TempLake::new();
    let graph = graph(GRAPH);
    let store = home.open();
    let options = md5().create_tables(false);
    let features = store.features(&graph, options).unwrap();
    let error = write(&features, "a", &good()).unwrap_err().to_string();
    assert_eq!(error, "there is no table `a` for the feature `a`, and none is to be created");
    drop(features);
    store.close().unwrap();
    let store = home.try_open(Mode::Read).unwrap();
    let features = store.features(&graph, md5()).unwrap();
    assert_eq!(write(&features, "a", &good()).unwrap_err().to_string(), "the store is open in read mode");
}

/// In no order, and so many that not all of them are grouped.
#[test]
fn an_id_that_comes_twice_is_found_among_many() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    let source = store.connection().another().unwrap();
    let rows = "SELECT 7919 * i % 500_009 AS id, {'x': '1', 'y': '1'} AS metaxy_provenance_by_field \
                FROM range(500_010) AS t(i)";
    let rows = source.query(rows).unwrap().into_reader();
    let refused = features.write(&key("a"), rows, &WriteOptions::new()).unwrap_err().to_string();
    assert!(refused.contains("1 ids are there more than once in the rows for `a`, one of them (0)"), "{refused}");
}

/// Under NOCASE, a read would hide `a` behind `A`, and an update would take one for the other.
#[test]
fn a_collation_that_makes_one_id_of_two_is_refused() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    for (collation, is_exact) in [("NOCASE", false), ("Binary", true), ("NOACCENT.NOCASE", false), ("", true)] {
        store.connection().execute(Sql::fixed("SET default_collation = ?").with_text("collation", collation)).unwrap();
        match store.features(&graph, md5()) {
            Ok(_) => assert!(is_exact, "{collation}"),
            Err(error) => assert!(!is_exact && error.to_string().contains(collation), "{collation}: {error}"),
        }
    }
}

#[test]
fn a_table_that_another_program_changed_is_refused() {
    let foreign = |what: &str| ["the table `a` is not a feature table any more: ", what].concat();
    let restore = "restore the column, or drop the table and write the feature's rows again";
    for (change, expected, help) in [
        ("ALTER TABLE a DROP COLUMN metaxy_deleted_at", foreign("it has no `metaxy_deleted_at`"), restore),
        ("ALTER TABLE a DROP COLUMN id", foreign("it has no `id`"), restore),
        (
            "ALTER TABLE a DROP COLUMN metaxy_data_version_by_field; \
             ALTER TABLE a ADD COLUMN metaxy_data_version_by_field VARCHAR",
            foreign("its `metaxy_data_version_by_field` is not a struct or map of strings"),
            restore,
        ),
        (
            "ALTER TABLE a DROP COLUMN metaxy_updated_at; ALTER TABLE a ADD COLUMN metaxy_updated_at VARCHAR",
            foreign("its `metaxy_updated_at` is VARCHAR, and must be TIMESTAMPTZ"),
            restore,
        ),
        (
            "ALTER TABLE a DROP COLUMN metaxy_provenance; ALTER TABLE a ADD COLUMN metaxy_provenance INTEGER",
            foreign("its `metaxy_provenance` is INTEGER, and must be VARCHAR"),
            restore,
        ),
        (
            "ALTER TABLE a ADD COLUMN RowId BIGINT",
            "the table `a` has a column `rowid`, which hides the numbers that the engine gives rows".to_owned(),
            "rename the column with `ALTER TABLE … RENAME COLUMN`",
        ),
    ] {
        let home = TempLake::new();
        let store = home.open();
        let graph = graph(GRAPH);
        let features = store.features(&graph, md5()).unwrap();
        write(&features, "a", &good()).unwrap();
        for statement in change.split(';') {
            store.connection().execute(ducklake_sql::Sql::user_query(statement)).unwrap();
        }
        let read = features.read(&key("a"), &ReadOptions::new()).unwrap_err();
        assert_eq!((read.to_string(), read.help().as_deref()), (expected.clone(), Some(help)));
        assert_eq!(resolve(&features, "b").unwrap_err().to_string(), expected);
        let options = WriteOptions::new().add_columns(true);
        assert_eq!(features.write(&key("a"), common::rows(&good()), &options).unwrap_err().to_string(), expected);
    }
}

/// Python leaves versions out that a table has no member for; the rows would seem to be up to date for ever.
#[test]
fn rows_without_the_version_of_a_field_are_refused_not_up_to_date() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    write(&features, "a", &good()).unwrap();
    store.connection().execute("ALTER TABLE a DROP COLUMN metaxy_data_version_by_field.y").unwrap();
    let expected = "the table `a` is not a feature table any more: its `metaxy_data_version_by_field` has no `y`";
    assert_eq!(resolve(&features, "b").unwrap_err().to_string(), expected);
    // Without rows of this version there is nothing that they lack.
    store.connection().execute("UPDATE a SET metaxy_feature_version = 'before'").unwrap();
    assert!(resolve(&features, "b").unwrap().is_empty());
}

#[test]
fn maps_have_exactly_the_fields_of_the_feature() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    let source = store.connection().another().unwrap();
    let write =
        |rows: &'static str| features.write(&key("a"), source.query(rows).unwrap().into_reader(), &WriteOptions::new());
    for (rows, message) in [
        (
            "SELECT * FROM (VALUES (1, MAP {'x': '1', 'y': '1'}), (2, MAP {'x': '1'})) AS t(id, metaxy_provenance_by_field)",
            "`metaxy_provenance_by_field` of the rows for `a` lacks the fields `y`",
        ),
        (
            "SELECT 1 AS id, MAP {'x': '1', 'y': '1', 'z': '1'} AS metaxy_provenance_by_field",
            "`metaxy_provenance_by_field` of the rows for `a` has fields that the feature has not: `z`",
        ),
        (
            "SELECT 1 AS id, MAP {'x': '1', 'y': '1'} AS metaxy_provenance_by_field, \
             MAP {} :: MAP(VARCHAR, VARCHAR) AS metaxy_data_version_by_field",
            "`metaxy_data_version_by_field` of the rows for `a` lacks the fields `x`, `y`",
        ),
    ] {
        assert_eq!(write(rows).unwrap_err().to_string(), message);
    }
    let rows = "SELECT 1 AS id, MAP {'y': '1', 'x': '2'} AS metaxy_provenance_by_field, \
                NULL :: MAP(VARCHAR, VARCHAR) AS metaxy_data_version_by_field";
    assert_eq!(write(rows).unwrap(), 1);
    assert_eq!(read_all(&features, "a")[0]["metaxy_data_version_by_field"], json!({"x": "2", "y": "1"}));
}

/// They are no part of a feature's version, but decide which rows take the place of which.
#[test]
fn other_id_columns_than_those_that_were_pushed_are_refused() {
    let home = TempLake::new();
    let store = home.open();
    let (pushed, other) = (graph(GRAPH), graph(&GRAPH.replacen("['id']", "['v']", 1)));
    store.features(&pushed, md5()).unwrap().push(&BTreeMap::new()).unwrap();
    let features = store.features(&other, md5()).unwrap();
    let refused = write(&features, "a", &good()).unwrap_err().to_string();
    assert_eq!(refused, "the feature `a` has the id columns `v` here, but was pushed last with `id`");
    let unpushed = WriteOptions::new().unpushed(true);
    assert_eq!(features.write(&key("a"), common::rows(&good()), &unpushed).unwrap(), 1);
}

#[test]
fn a_spec_that_another_program_broke_is_named() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    store.features(&graph, md5()).unwrap().push(&BTreeMap::new()).unwrap();
    let broken = "UPDATE metaxy_system__feature_versions SET feature_spec = '{' WHERE feature_key = 'b'";
    store.connection().execute(broken).unwrap();
    let error = store.load_graph(&md5(), None).unwrap_err();
    assert!(
        error.to_string().starts_with("the feature `b` was pushed with a spec that is not valid: line 1"),
        "{error}"
    );
}

/// It will still be there when the write is tried again.
#[test]
fn a_view_with_the_name_of_the_table_is_no_other_writer() {
    let home = TempLake::new();
    let store = home.open();
    store.connection().execute("CREATE VIEW a AS SELECT 1 AS one").unwrap();
    let graph = graph(GRAPH);
    let error = write(&store.features(&graph, md5()).unwrap(), "a", &good()).unwrap_err().to_string();
    assert!(error.contains("View with name") && !error.contains("another program"), "{error}");
}

#[test]
fn what_is_no_filter_says_where() {
    for (text, message) in [
        ("", "`` is not a valid filter: a column or a value is missing at character 1"),
        ("size >", "`size >` is not a valid filter: a column or a value is missing at character 7"),
        (
            "1; DROP TABLE a",
            "`1; DROP TABLE a` is not a valid filter: this character means nothing here at character 2",
        ),
        ("size = 'x", "`size = 'x` is not a valid filter: this quote is not closed at character 8"),
        ("(size = 1", "`(size = 1` is not a valid filter: a `)` is missing at character 10"),
        (
            "length(name) > 1",
            "`length(name) > 1` is not a valid filter: something stands behind the condition at character 7",
        ),
        ("a IN (b)", "`a IN (b)` is not a valid filter: a list holds values, not columns at character 7"),
        ("a LIKE 'x'", "`a LIKE 'x'` is not a valid filter: something stands behind the condition at character 3"),
        ("a = 1 -- x", "`a = 1 -- x` is not a valid filter: something stands behind the condition at character 7"),
    ] {
        assert_eq!(text.parse::<Filter>().unwrap_err().to_string(), message);
    }
    let deep = "(".repeat(10_000) + "a" + &")".repeat(10_000);
    assert!(deep.parse::<Filter>().unwrap_err().to_string().contains("nested too deep"));
}

#[test]
fn a_filter_whose_values_do_not_fit_the_columns_is_refused() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    write(
        &features,
        "a",
        &json!([{"id": 1, "v": "v", "ok": true, "metaxy_provenance_by_field": {"x": "1", "y": "1"}}]),
    )
    .unwrap();
    let read = |filter: &str| {
        let options = ReadOptions::new().filters(vec![filter.parse().unwrap()]);
        features.read(&key("a"), &options).map(|rows| rows.map(|batch| batch.unwrap().num_rows()).sum::<usize>())
    };
    for (filter, what) in [
        ("id = 'one'", "Could not convert string 'one' to INT64"),
        ("NOT (v = 5)", "`v` is a string, which is compared with a value in single quotes"),
        ("v IN ('v', TRUE)", "`v` is a string, which is compared with a value in single quotes"),
        ("id = 1 OR v", "`v` is not a boolean, so it must be compared with a value"),
        (
            "metaxy_updated_at > 'yesterday'",
            "invalid timestamp field format: \"yesterday\", expected format is (YYYY-MM-DD HH:MM:SS[.US][±HH[:MM[:SS]]| ZONE])",
        ),
    ] {
        let error = read(filter).unwrap_err();
        assert_eq!(error.to_string(), ["the filter `", filter, "` does not fit the columns of `a`: ", what].concat());
        assert!(error.help().unwrap().contains("compares columns with values"));
    }
    for filter in ["id = '1'", "ok", "NOT (v = 'w') AND id < 2.5", "metaxy_updated_at > '2020-01-01'"] {
        assert_eq!(read(filter).unwrap(), 1, "{filter}");
    }
}

#[test]
fn a_snapshot_at_which_there_is_nothing_to_read_is_named() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    write(&features, "a", &good()).unwrap();
    for (at, message) in [
        (Snapshot::Number(0), "the lake cannot be read at `0`: Table with name a does not exist at version 0!"),
        (Snapshot::Number(99), "the lake cannot be read at `99`: No snapshot found at version 99"),
        (
            Snapshot::Time("2020-01-01".to_owned()),
            "the lake cannot be read at `2020-01-01`: No snapshot found at timestamp 2020-01-01 00:00:00+00",
        ),
        (Snapshot::Time("once".to_owned()), "the lake cannot be read at `once`: invalid timestamp field format"),
    ] {
        let error = features.read(&key("a"), &ReadOptions::new().at(at)).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn odd_texts_and_names_survive() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph("[[feature]]\nkey = 'a'\nid_columns = ['my \"id\"; DROP TABLE a']");
    let features = store.features(&graph, md5()).unwrap();
    let odd = "it's \"odd\"\\ 日本 \u{1F600} ; -- ?";
    let rows = json!([{"my \"id\"; DROP TABLE a": odd, "v'": "x\ty", "metaxy_provenance_by_field": {"default": odd}}]);
    features.write(&key("a"), common::rows(&rows), &WriteOptions::new()).unwrap();
    let read = read_all(&features, "a");
    assert_eq!(read[0]["my \"id\"; DROP TABLE a"], odd);
    assert_eq!(read[0]["metaxy_data_version_by_field"]["default"], odd);
    assert_eq!(row("1", "1")["id"], "1");
}
