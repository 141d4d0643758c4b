//! Writing and reading.

use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Sql, Value as SqlValue, bind, sql};
use metaxy_config::HashAlgorithm;
use metaxy_feature::{FeatureKey, Truncation};
use metaxy_store_duckdb::{Change, Deletion, FeatureOptions, ResolveOptions, Rows, WriteOptions};
use serde_json::{Value, json};

use crate::features::common::{comparable, golden, golden_graph, graph, key, read_all, without, write};
use crate::lake::{TempLake, attach, texts, wal};

/// The algorithm and length of a recorded case, as in `md5/8`.
pub(crate) fn options(case: &str) -> FeatureOptions {
    let (algorithm, length) = case.split_once('/').unwrap();
    let algorithm = HashAlgorithm::ALL.iter().find(|one| one.as_str() == algorithm).unwrap();
    FeatureOptions::new().hash_algorithm(*algorithm).truncation(Truncation::new(length.parse().unwrap()).unwrap())
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
        let home = TempLake::new();
        let store = home.open();
        let features = store.features(&graph, options(case)).unwrap();
        let rows = &recorded["root_rows"];
        assert_eq!(write(&features, "video/raw", &given(rows)).unwrap(), 3);
        assert_eq!(read_all(&features, "video/raw"), comparable(rows.as_array().unwrap().clone()), "{case}");
    }
}

/// The rows of a step are some 300 MB, where DuckDB has 200: whatever could not spill them to disk would fail.
#[test]
fn more_rows_than_there_is_memory_for_are_written_and_resolved() {
    let home = TempLake::new();
    let store = home.open();
    let connection = store.connection();
    connection.execute("SET memory_limit = '200MB'; SET threads = 2").unwrap();
    connection.execute(Sql::fixed("SET temp_directory = ?").with_text("folder", home.join("spilled"))).unwrap();
    let graph = graph(
        "[[feature]]\nkey = 'a'\nid_columns = ['id']\nfields = ['x']\n\n\
         [[feature]]\nkey = 'b'\nid_columns = ['id']\nfields = ['x']\ndeps = ['a']",
    );
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let source = connection.another().unwrap();
    let rows = |step: u64, salt: &str| {
        let rows = sql!(
            "SELECT
                 'sample ' || 7919 * i % 2_000_003 AS id,
                 repeat('text', 20) || i AS text,
                 {{'x': i || {salt}}} AS metaxy_provenance_by_field
             FROM range(0, 2_000_000, {step}) AS t(i)",
            salt = bind(salt),
            step,
        );
        source.query(rows).unwrap()
    };
    let stream = |key: &FeatureKey, rows: Rows<'_>| features.write(key, rows.into_reader(), &WriteOptions::new());
    assert_eq!(stream(&key("a"), rows(1, "")).unwrap(), 2_000_000);
    let mut increment = features.resolve_update(&key("b"), &ResolveOptions::new()).unwrap();
    assert_eq!(stream(&key("b"), increment.rows(Change::New).unwrap()).unwrap(), 2_000_000);
    assert!(features.resolve_update(&key("b"), &ResolveOptions::new()).unwrap().is_empty());

    assert_eq!(stream(&key("a"), rows(100, " again")).unwrap(), 20_000);
    let second = "id = 'sample 7919'".parse().unwrap();
    assert_eq!(features.delete(&key("a"), &[second], Deletion::Soft).unwrap(), 1);
    let mut increment = features.resolve_update(&key("b"), &ResolveOptions::new()).unwrap();
    assert_eq!(Change::ALL.map(|change| increment.count(change)), [0, 20_000, 1]);
    assert_eq!(stream(&key("b"), increment.rows(Change::Stale).unwrap()).unwrap(), 20_000);
    let status = features.status(&key("b"), &ResolveOptions::new()).unwrap();
    assert_eq!((status.rows, status.update.unwrap().orphaned), (Some(2_000_000), 1));
}

/// A stream that nobody reads on keeps its transaction, and with it a SQLite catalog that is not in WAL mode.
#[test]
fn a_write_ends_the_stream_of_the_store_s_connection_and_refuses_its_transaction() {
    let home = TempLake::new();
    let catalog = Catalog::Sqlite(CatalogFile::new(home.join("plain.sqlite")).unwrap());
    let lake = Lake::builder(catalog, LocalFolder::new(home.join("plain")).unwrap()).build().unwrap();
    let store = attach(&lake, Mode::Write).unwrap();
    let graph = graph("[[feature]]\nkey = 'a'\nid_columns = ['id']");
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let rows = |id: &str| json!([{"id": id, "metaxy_provenance_by_field": {"default": "1"}}]);
    write(&features, "a", &rows("1")).unwrap();

    let mut left = store.connection().query("SELECT a.* FROM a, range(1_000_000)").unwrap();
    left.next().unwrap().unwrap();
    write(&features, "a", &rows("2")).unwrap();
    drop(left);

    store.connection().execute("BEGIN TRANSACTION").unwrap();
    let refused = write(&features, "a", &rows("3")).unwrap_err().to_string();
    assert!(refused.contains("within a transaction"), "{refused}");
    store.connection().execute("ROLLBACK").unwrap();
    assert_eq!(read_all(&features, "a").len(), 2);
}

/// A quote within a struct would be lost in the catalog of SQLite, so such rows go into a file, whatever limit is set.
#[test]
fn rows_with_quotes_are_never_inlined() {
    let home = TempLake::new();
    let graph = graph("[[feature]]\nkey = 'a'\nid_columns = ['id']");
    let lake = home.lake_with([("data_inlining_row_limit", SqlValue::Integer(20)), wal()]);
    let store = attach(&lake, Mode::Write).unwrap();
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let rows = |count: u64| {
        let row = |id| json!({"id": id, "metaxy_provenance_by_field": {"default": "it's"}});
        json!((0..count).map(row).collect::<Vec<_>>())
    };
    let quoted = "SELECT count(*) FROM a WHERE metaxy_provenance_by_field.default = 'it''s'";
    for (count, all) in [(20, "20"), (21, "41")] {
        assert_eq!(write(&features, "a", &rows(count)).unwrap(), usize::try_from(count).unwrap());
        assert_eq!(texts(&store, quoted), [all]);
    }
    // The limit holds on for what the catalog keeps.
    store.connection().execute("CREATE TABLE plain AS SELECT range AS i FROM range(20)").unwrap();
    assert_eq!(
        texts(&store, "SELECT file_count FROM ducklake_table_info('ducklake') WHERE table_name = 'plain'"),
        ["0"]
    );
}
