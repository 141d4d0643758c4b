//! Rows of files.

use std::cell::RefCell;
use std::io::Write as _;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatchReader as _;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use ducklake_sql::Sql;
use flate2::Compression;
use flate2::write::GzEncoder;
use metaxy_store_duckdb::{
    CHANGE_COLUMN, Change, Error, FeatureOptions, FileFormat, InputFile, InputOptions, ReadOptions, ResolveOptions,
    WriteOptions,
};
use serde_json::{Value, json};

use crate::features::common::{graph, key, read_all, row, write};
use crate::json::to_json;
use crate::lake::{TempLake, raw};

const GRAPH: &str = "[[feature]]\nkey = 'a'\nid_columns = ['id']";

const LINES: &str = r#"
{"id": "001", "metaxy_provenance_by_field": {"default": "1"}, "metaxy_change": "new"}
{"id": "002", "metaxy_provenance_by_field": {"default": "2"}, "metaxy_change": "stale"}
"#;

fn lines(text: &str) -> InputFile {
    InputFile::from_reader("lines", text.as_bytes(), &InputOptions::new()).unwrap()
}

#[test]
fn the_rows_of_a_stream_are_compared_and_written() {
    let (home, graph) = (TempLake::new(), graph(GRAPH));
    let store = home.open();
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let (file, reader) = (lines(LINES), store.connection().another().unwrap());
    assert_eq!(file.format(), FileFormat::Json);

    let samples = file.rows(&reader, &features, &key("a")).unwrap();
    // What there is to do with a row is no column of the feature.
    assert!(samples.schema().column_with_name(CHANGE_COLUMN).is_none());
    let increment = features.resolve_samples(&key("a"), samples, &ResolveOptions::new()).unwrap();
    assert_eq!(Change::ALL.map(|change| increment.count(change)), [2, 0, 0]);

    let seen = RefCell::new(Vec::new());
    let rows = file.rows(&reader, &features, &key("a")).unwrap().on_progress(|rows| seen.borrow_mut().push(rows));
    assert_eq!(features.write(&key("a"), rows, &WriteOptions::new()).unwrap(), 2);
    assert_eq!(seen.into_inner(), [2]);
    let ids: Vec<_> = read_all(&features, "a").iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, ["001", "002"]);
}

#[test]
fn a_column_has_the_type_that_was_set_or_that_of_the_table() {
    let (home, graph) = (TempLake::new(), graph(GRAPH));
    let store = home.open();
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let reader = store.connection().another().unwrap();
    let path = home.join("rows.csv");
    std::fs::write(&path, "id,metaxy_provenance_by_field\n1,\"{\"\"default\"\": \"\"1\"\"}\"\n").unwrap();
    let type_of_id = |options: &InputOptions| {
        let file = InputFile::open(&path, options).unwrap();
        assert_eq!(file.format(), FileFormat::Csv);
        let rows = file.rows(&reader, &features, &key("a")).unwrap();
        rows.schema().field_with_name("id").unwrap().data_type().clone()
    };
    assert_eq!(type_of_id(&InputOptions::new()), DataType::Int64);
    assert_eq!(type_of_id(&InputOptions::new().column_type("id", "VARCHAR")), DataType::Utf8);
    write(&features, "a", &json!([row("x", "1")])).unwrap();
    assert_eq!(type_of_id(&InputOptions::new()), DataType::Utf8);

    let unknown = InputFile::open(&path, &InputOptions::new().column_type("size", "BIGINT")).unwrap();
    let error = unknown.rows(&reader, &features, &key("a")).unwrap_err().to_string();
    assert_eq!(error, ["`", &path, "` has no column `size`"].concat());
}

#[test]
fn a_value_that_does_not_fit_is_told_of_as_the_files_and_nothing_is_written() {
    let (home, graph) = (TempLake::new(), graph(GRAPH));
    let store = home.open();
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let reader = store.connection().another().unwrap();
    write(&features, "a", &json!([{"id": 1, "metaxy_provenance_by_field": {"default": "1"}}])).unwrap();
    // So many that the one that does not fit is met only while they are written.
    let line = |id: String| [r#"{"id": "#, &id, r#", "metaxy_provenance_by_field": {"default": "2"}}"#, "\n"].concat();
    let many = (0..200_000).map(|id| line(id.to_string())).chain([line("1.5".to_owned())]);
    let file = lines(&many.collect::<String>());
    let rows = file.rows(&reader, &features, &key("a")).unwrap();
    let of_rows = features.write(&key("a"), rows, &WriteOptions::new()).unwrap_err();
    let of_file = features.write_file(&key("a"), &file, &WriteOptions::new()).unwrap_err();
    let says = "`lines` has in the column `id` the value `1.5`, which is not exactly a value of the type BIGINT";
    for error in [of_rows, of_file] {
        assert_eq!(error.to_string(), says);
        assert!(error.help().is_some_and(|help| help.starts_with("correct it")), "{:?}", error.help());
    }
    assert_eq!(read_all(&features, "a").len(), 1);
}

/// Values of types that Arrow and a lake have, too.
const VALUES: [&str; 23] = [
    "true",
    "1::TINYINT",
    "1::SMALLINT",
    "1::INTEGER",
    "1::BIGINT",
    "1::UTINYINT",
    "1::USMALLINT",
    "1::UINTEGER",
    "18446744073709551615::UBIGINT",
    "1.5::FLOAT",
    "1.5::DOUBLE",
    "1.50::DECIMAL(9, 2)",
    "12345678901234567890.12::DECIMAL(38, 2)",
    "'a'",
    "'\\x00a'::BLOB",
    "'2026-01-31'::DATE",
    "'12:00:00.000001'::TIME",
    "'2026-01-31 12:00:00.000001'::TIMESTAMP",
    "'2026-01-31 12:00:00.000001+02'::TIMESTAMPTZ",
    "[1, NULL]",
    "[['a'], []]",
    "{'a': 1, 'B': {'c': NULL::DATE}}",
    "MAP {'a': 1.5::FLOAT}",
];

/// Values that come through Arrow as those of another type.
const OTHERS: [&str; 3] = [
    "'01234567-89ab-cdef-0123-456789abcdef'::UUID",
    "['01234567-89ab-cdef-0123-456789abcdef'::UUID]",
    "'a'::ENUM ('b', 'a')",
];

/// What the engine copies by itself is what comes through Arrow.
#[test]
fn a_file_is_written_as_its_rows_are() {
    check_file(&VALUES);
    check_file(&OTHERS);
}

fn check_file(values: &[&str]) {
    let (home, graph) = (
        TempLake::new(),
        graph("[[feature]]\nkey = 'a'\nid_columns = ['id']\n[[feature]]\nkey = 'b'\nid_columns = ['id']"),
    );
    let store = home.open();
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let reader = store.connection().another().unwrap();
    let columns: Vec<String> = values.iter().enumerate().map(|(at, value)| format!("{value} AS c{at}")).collect();
    let nulls: Vec<String> = values.iter().map(|value| format!("CASE WHEN i > 1 THEN {value} END")).collect();
    let path = home.join("rows.parquet");
    let rows = format!(
        "SELECT i AS id, {{'default': i::VARCHAR}} AS metaxy_provenance_by_field, {} FROM range(3) AS numbers(i)
         UNION ALL SELECT i + 3, {{'default': i::VARCHAR}}, {} FROM range(3) AS numbers(i)",
        columns.join(", "),
        nulls.join(", "),
    );
    raw().execute_batch(&format!("COPY ({rows}) TO '{path}'")).unwrap();
    let file = InputFile::open(&path, &InputOptions::new()).unwrap();
    assert_eq!(features.write_file(&key("a"), &file, &WriteOptions::new()).unwrap(), 6);
    let rows = file.rows(&reader, &features, &key("b")).unwrap();
    assert_eq!(features.write(&key("b"), rows, &WriteOptions::new()).unwrap(), 6);
    let described = |table: &str| store.connection().query(Sql::user_query(format!("DESCRIBE {table}"))).unwrap();
    assert_eq!(to_json(described("a")), to_json(described("b")));
    let rows = |table| {
        format!(
            "SELECT * EXCLUDE (metaxy_created_at, metaxy_updated_at, metaxy_feature_version, metaxy_project_version)
             FROM {table}"
        )
    };
    let different = [rows("a"), rows("b")].join(" EXCEPT ALL ");
    assert_eq!(to_json(store.connection().query(Sql::user_query(&different)).unwrap()), Vec::<Value>::new());
}

/// What `metadata increment` prints where nothing has changed.
#[test]
fn a_file_without_rows_is_written_and_makes_no_table() {
    let (home, graph) = (TempLake::new(), graph(GRAPH));
    let store = home.open();
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let reader = store.connection().another().unwrap();
    let empty = ["[]", "", "\n", "id,metaxy_provenance_by_field\n"].map(|text| {
        let format = if text.starts_with("id") { FileFormat::Csv } else { FileFormat::Json };
        let options = InputOptions::new().format(format).column_type("id", "BIGINT");
        InputFile::from_reader("empty", text.as_bytes(), &options).unwrap()
    });
    let write_all = || {
        for file in &empty {
            assert_eq!(features.write_file(&key("a"), file, &WriteOptions::new()).unwrap(), 0);
        }
    };
    write_all();
    assert!(features.read(&key("a"), &ReadOptions::new()).unwrap_err().is_missing_table());
    write(&features, "a", &json!([{"id": 1, "metaxy_provenance_by_field": {"default": "1"}}])).unwrap();
    write_all();
    for file in &empty {
        let samples = file.rows(&reader, &features, &key("a")).unwrap();
        let increment = features.resolve_samples(&key("a"), samples, &ResolveOptions::new()).unwrap();
        assert_eq!(Change::ALL.map(|change| increment.count(change)), [0, 0, 1]);
    }
    assert_eq!(read_all(&features, "a").len(), 1);
}

#[test]
fn rows_that_are_to_be_removed_are_refused() {
    let (home, graph) = (TempLake::new(), graph(GRAPH));
    let store = home.open();
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let reader = store.connection().another().unwrap();
    let file = lines(&LINES.replace("stale", "orphaned"));
    let error = file.rows(&reader, &features, &key("a")).unwrap_err();
    assert_eq!(error.to_string(), "`lines` holds rows to remove (1 `orphaned`), which cannot be written");
}

#[test]
fn what_cannot_be_opened_is_named() {
    let home = TempLake::new();
    for (name, why) in [("none.csv", "No such file"), ("", "is a directory")] {
        let path = home.join(name);
        let error = InputFile::open(&path, &InputOptions::new()).unwrap_err().to_string();
        assert!(error.starts_with(&["reading `", &path, "` failed: "].concat()) && error.contains(why), "{error}");
    }
}

/// A way in which files are compressed, in two parts, as programs that append do.
type Compress = fn(&[u8]) -> Vec<u8>;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn a_compressed_file_is_read_as_the_same_file_that_is_not() {
    let (home, graph) = (TempLake::new(), graph(GRAPH));
    let store = home.open();
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let reader = store.connection().another().unwrap();
    let options = InputOptions::new()
        .column_type("share", "DECIMAL(38,25)")
        .column_type("deep", "STRUCT(l DECIMAL(20,2)[], text VARCHAR)");
    let json = br#"{"id": "1", "share": 0.1234567890123456789012345, "deep": {"l": [12345678901234567.89], "text": ""}, "metaxy_provenance_by_field": {"default": "1"}}
{"id": "2", "share": 2, "deep": null, "metaxy_provenance_by_field": {"default": "1"}}
"#;
    let csv = b"id,share,deep,metaxy_provenance_by_field\n\
                1,0.1234567890123456789012345,\"{\"\"l\"\": [12345678901234567.89], \"\"text\"\": \"\"\"\"}\",\"{\"\"default\"\": \"\"1\"\"}\"\n\
                \"\",1,,\"{\"\"default\"\": \"\"1\"\"}\"\n";
    let read = |name: &str, bytes: &[u8]| {
        let path = home.path_of(name);
        std::fs::write(&path, bytes).unwrap();
        let file = InputFile::open(&path, &options).unwrap();
        let rows = file.rows(&reader, &features, &key("a"))?;
        let text = |batch: RecordBatch| -> String {
            let columns = batch.columns().iter().map(|column| {
                let format = ArrayFormatter::try_new(column, &FormatOptions::default().with_null("NULL")).unwrap();
                (0..batch.num_rows()).map(|row| format.value(row).to_string()).collect::<Vec<_>>().join("|")
            });
            columns.collect::<Vec<_>>().join("\n")
        };
        Ok::<_, Error>(rows.map(|batch| text(batch.unwrap())).collect::<Vec<_>>())
    };
    for (name, bytes) in [("rows.jsonl", &json[..]), ("rows.csv", &csv[..])] {
        let plain = read(name, bytes).unwrap();
        assert!(
            plain[0].contains("0.1234567890123456789012345") && plain[0].contains("12345678901234567.89"),
            "{plain:?}"
        );
        for (end, compress) in [("gz", gzip as Compress), ("zst", zstandard)] {
            let (head, tail) = bytes.split_at(bytes.len() / 2);
            for bytes in [compress(bytes), [compress(head), compress(tail)].concat()] {
                assert_eq!(read(&[name, ".", end].concat(), &bytes).unwrap(), plain, "{name}, {end}");
            }
        }
    }
    let deep = ["{\"id\": ", &"[".repeat(30_000), &"]".repeat(30_000), "}"].concat();
    for (end, compress) in [("gz", gzip as Compress), ("zst", zstandard)] {
        let name = ["deep.json.", end].concat();
        let error = read(&name, &compress(deep.as_bytes())).unwrap_err();
        assert!(error.to_string().contains("is nested more than 100 levels deep"), "{error}");
        let broken = InputFile::open(home.write(&name, &compress(deep.as_bytes())[..40]), &options).unwrap_err();
        assert!(broken.to_string().starts_with("reading `"), "{broken}");
    }
}
