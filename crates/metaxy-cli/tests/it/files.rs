//! Rows as files: what goes out comes in again, under any name, in any amount, from stdin, too.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal256Array, RecordBatch, StringArray, StructArray, Time64NanosecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, i256};
use metaxy_testkit::{TempDir, deps};
use parquet::arrow::ArrowWriter;

use crate::run::{metaxy, run};

/// A folder with two stores and a feature `a`.
fn with_stores() -> TempDir {
    let folder = TempDir::new();
    folder.write("metaxy.toml", include_str!("../fixtures/two-stores.toml"));
    folder.write("features/a.toml", "[[feature]]\nkey = 'a'\nid_columns = ['id']");
    folder
}

fn command(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = metaxy(folder, arguments);
    // The fixture turns the check of signatures off, which takes its time.
    command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions()).env("METAXY_TRUST", "1");
    command
}

/// Runs what has to succeed; its stdout.
#[track_caller]
fn done(folder: &TempDir, arguments: &[&str], input: &str) -> String {
    run(&mut command(folder, arguments), input).done()
}

const ROWS: &str = r#"
{"id": "001", "size": 5, "share": 0.5, "ok": true, "day": "2026-01-31", "text": "it's, \"quoted\"\nand é", "metaxy_provenance_by_field": {"default": "2026-01-01"}}
{"id": "002", "size": null, "share": null, "ok": null, "day": null, "text": null, "metaxy_provenance_by_field": {"default": "{\"}"}}
"#;

#[test]
fn every_format_goes_out_and_comes_back() {
    let folder = with_stores();
    done(&folder, &["metadata", "write", "--feature", "a", "-"], ROWS);
    let columns = "id,size,share,ok,day,text,metaxy_provenance_by_field,metaxy_created_at";
    let read = ["metadata", "read", "a", "--columns", columns, "--format", "json"];
    let rows = done(&folder, &read, "");
    assert!(rows.contains(r#""id":"001","size":5,"share":0.5,"ok":true,"day":"2026-01-31""#), "{rows}");
    for format in ["parquet", "csv", "json"] {
        // The end of the name says nothing, so that the content has to.
        let file = ["rows.", format, ".txt"].concat();
        done(&folder, &["metadata", "read", "a", "--format", format, "--output", &file], "");
        let write = ["metadata", "write", "--store", "copy", "--feature", "a", &file, "--type", "id=VARCHAR"];
        // Parquet has types.
        done(&folder, if format == "parquet" { &write[..7] } else { &write }, "");
        assert_eq!(done(&folder, &[&read[..], &["--store", "copy"]].concat(), ""), rows, "{format}");
        done(&folder, &["sql", "--store", "copy", "--mode", "write", "DROP TABLE a"], "");
    }
}

#[test]
fn a_name_is_no_pattern() {
    let folder = with_stores();
    for name in ["a*.json", "a[1].json", "a?.json", "it's.json", "a b.json"] {
        folder.write(name, ROWS);
    }
    folder.write("ab.json", "not this one");
    folder.write("a1.json", "not this one");
    for name in ["a*.json", "a[1].json", "a?.json", "it's.json", "a b.json"] {
        done(&folder, &["metadata", "write", "--feature", "a", name], "");
    }
    let rows = done(&folder, &["metadata", "read", "a", "--columns", "id", "--with-sample-history", "-f", "csv"], "");
    assert_eq!(rows.lines().count(), 1 + 5 * 2);
}

/// DuckDB looks at the first 20 480 rows of JSON for its keys, if it is not told to look at all.
#[test]
fn a_key_that_only_the_last_row_has_is_kept() {
    let folder = with_stores();
    let mut rows = String::new();
    for id in 0..30_000 {
        let late = if id == 29_999 { r#", "late": "kept""# } else { "" };
        writeln!(rows, r#"{{"id": "{id}", "metaxy_provenance_by_field": {{"default": "1"}}{late}}}"#).unwrap();
    }
    done(&folder, &["metadata", "write", "--feature", "a", "-"], &rows);
    let read = ["metadata", "read", "a", "--columns", "id,late", "--filter", "late = 'kept'", "--format", "csv"];
    assert_eq!(done(&folder, &read, ""), "id,late\n29999,kept\n");
}

/// DuckDB gives such columns other names, for which it finds no values then.
#[test]
fn a_key_that_no_column_can_have_is_refused() {
    let folder = with_stores();
    let wrong = [
        (r#"{"id": "1", "": 5}"#, "has an empty key"),
        (r#"{"id": "1", "k\u0000y": 5}"#, "has a column whose name is empty or has a NUL character"),
        (r#"{"id": "1", "n": 5, "N": 6}"#, "has the key `N` twice, in upper and lower case"),
        ("{\"id\": \"1\", \"n\": 5}\n{\"id\": \"2\", \"N\": 6}", "has the key `N` twice, in upper and lower case"),
        (r#"[{"id": "1", "n_1": 4, "n": 5, "N": 6}]"#, "has the key `N` twice, in upper and lower case"),
    ];
    for (rows, message) in wrong {
        let write = ["metadata", "write", "--feature", "a", "--provenance", "hash", "-"];
        let ran = run(&mut command(&folder, &write), rows);
        assert!(ran.exit == 1 && ran.stderr.contains(message), "{rows}: {}", ran.stderr);
    }
    let right = r#"{"id": "1", "C2": 4, "n": 5, "n_1": 6}"#;
    done(&folder, &["metadata", "write", "--feature", "a", "--provenance", "hash", "-"], right);
    let read = ["metadata", "read", "a", "--columns", "id,C2,n,n_1", "--format", "csv"];
    assert_eq!(done(&folder, &read, ""), "id,C2,n,n_1\n1,4,5,6\n");
}

/// DuckDB's reader changes these without a word.
#[test]
fn parquet_that_would_come_changed_is_refused() {
    let folder = with_stores();
    let write = |columns: Vec<(&str, ArrayRef)>| {
        let fields: Vec<Field> =
            columns.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.into_iter().map(|(_, values)| values).collect());
        let file = File::create(folder.path().join("rows.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
        writer.write(&batch.unwrap()).unwrap();
        writer.close().unwrap();
        run(&mut command(&folder, &["metadata", "write", "--feature", "a", "--provenance", "hash", "rows.parquet"]), "")
    };
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let zoned: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![123_456_789]).with_timezone("UTC"));
    let time: ArrayRef = Arc::new(Time64NanosecondArray::from(vec![123_456_789]));
    let large = Decimal256Array::from(vec![i256::from(5)]).with_precision_and_scale(60, 0).unwrap();
    let fields = ["b", "B"].map(|name| Arc::new(Field::new(name, DataType::Utf8, true)));
    let nested: ArrayRef = Arc::new(StructArray::from(fields.map(|field| (field, text("x"))).to_vec()));
    for (name, values, message) in [
        ("x", zoned, "has nanoseconds in the column `x`"),
        ("x", time, "has nanoseconds in the column `x`"),
        ("x", Arc::new(large), "has decimals of more than 38 digits in the column `x`"),
        ("ID", text("x"), "has the column `ID` twice"),
        ("", text("x"), "has a column without a name"),
        ("x", nested, "has the column `B` twice"),
    ] {
        let ran = write(vec![("id", text("1")), (name, values)]);
        assert!(ran.exit == 1 && ran.stderr.contains(message), "{}", ran.stderr);
    }
    let local: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![123_456_789]));
    assert_eq!(write(vec![("id", text("1")), ("x", local)]).exit, 0);
    let read = ["metadata", "read", "a", "--columns", "x", "--format", "csv"];
    assert_eq!(done(&folder, &read, ""), "x\n1970-01-01T00:00:00.123456789\n");
}

/// Other programs read a decimal of 39 digits as another number, and seconds as an integer.
#[test]
fn parquet_has_only_what_every_program_reads_as_it_is() {
    let folder = with_stores();
    let parquet = |value: &str| {
        let query = ["SELECT ", value, " AS x"].concat();
        run(&mut command(&folder, &["sql", "--mode", "write", "-f", "parquet", "-o", "x.parquet", &query]), "")
    };
    for (value, of, text) in [
        ("(SELECT sum(range) FROM range(5))", "DECIMAL(38,0)", "10"),
        (
            "[-99999999999999999999999999999999999999::HUGEINT]",
            "DECIMAL(38,0)[]",
            "[-99999999999999999999999999999999999999]",
        ),
        ("TIMESTAMP_S '2026-01-31 10:00:00'", "TIMESTAMP", "2026-01-31 10:00:00"),
        ("{'at': TIMESTAMP_S '2026-01-31 10:00:00'}", "STRUCT(\"at\" TIMESTAMP)", "{'at': '2026-01-31 10:00:00'}"),
        ("TIMESTAMP_NS '2026-01-31 10:00:00.123456789'", "TIMESTAMP_NS", "2026-01-31 10:00:00.123456789"),
    ] {
        let ran = parquet(value);
        assert_eq!(ran.exit, 0, "{value}: {}", ran.stderr);
        let read = "SELECT typeof(x), x::VARCHAR FROM 'x.parquet'";
        let read = run(&mut command(&folder, &["sql", "--allow-files", "-f", "json", read]), "").done();
        let found: serde_json::Value = serde_json::from_str(&read).unwrap();
        let row: Vec<&str> = found[0].as_object().unwrap().values().map(|value| value.as_str().unwrap()).collect();
        assert_eq!(row, [of, text], "{value}");
    }
    for (value, message) in [
        ("[170141183460469231731687303715884105727::HUGEINT]", "the column `x` has a HUGEINT of 39 digits"),
        ("[INTERVAL '1 day']", "the column `x` is of a type that Parquet does not have"),
        ("union_value(n := 1)", "the column `x` is of a type that Parquet does not have"),
    ] {
        let ran = parquet(value);
        assert!(ran.exit == 1 && ran.stderr.contains(message), "{value}: {}", ran.stderr);
    }
}

#[test]
fn many_rows_go_through_in_every_format() {
    let folder = with_stores();
    let mut rows = String::new();
    for id in 0..150_000 {
        writeln!(rows, r#"{{"id": {id}, "metaxy_provenance_by_field": {{"default": "{id}"}}}}"#).unwrap();
    }
    done(&folder, &["metadata", "write", "--feature", "a", "-"], &rows);
    // More than one group of rows, read back from a pipe.
    let out = folder.join("rows.parquet");
    let mut read = command(&folder, &["metadata", "read", "a", "--format", "parquet"]);
    assert!(read.stdout(File::create(&out).unwrap()).status().unwrap().success());
    let mut write = command(&folder, &["metadata", "write", "--store", "copy", "--feature", "a", "-"]);
    assert!(write.stdin(File::open(&out).unwrap()).stderr(Stdio::null()).status().unwrap().success());
    let sum = "SELECT count(*) AS n, sum(id) AS ids, count(DISTINCT metaxy_provenance) AS versions FROM a";
    let sums = ["dev", "copy"].map(|store| done(&folder, &["sql", "--store", store, "--format", "csv", sum], ""));
    assert!(sums[0].starts_with("n,ids,versions\n150000,11249925000,"), "{}", sums[0]);
    assert_eq!(sums[0], sums[1]);
    for format in ["table", "json", "csv", "parquet"] {
        let mut read = command(&folder, &["metadata", "read", "a", "--format", format]);
        let mut child = read.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "a reader that leaves: {format}");
    }
}

#[test]
fn a_file_is_replaced_by_a_whole_one_or_not_at_all() {
    let folder = with_stores();
    done(&folder, &["metadata", "write", "--feature", "a", "-"], ROWS);
    folder.write("rows.csv", "what was there");
    let refused = ["metadata", "read", "a", "--output", "rows.csv", "--format", "csv", "--columns", "nosuch"];
    assert_eq!(run(&mut command(&folder, &refused), "").exit, 1);
    assert_eq!(std::fs::read_to_string(folder.join("rows.csv")).unwrap(), "what was there");
    done(&folder, &["metadata", "read", "a", "--output", "rows.csv", "--format", "csv", "--columns", "id"], "");
    assert_eq!(std::fs::read_to_string(folder.join("rows.csv")).unwrap(), "id\n001\n002\n");
    let left: Vec<_> = folder.files().into_iter().filter(|file| file.starts_with('.')).collect();
    assert_eq!(left, [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_a_pipe_is_written_to() {
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    let folder = with_stores();
    done(&folder, &["metadata", "write", "--feature", "a", "-"], ROWS);
    let read = |file: &str| {
        done(&folder, &["metadata", "read", "a", "--output", file, "--format", "csv", "--columns", "id"], "");
    };
    folder.write("real/rows.csv", "what was there");
    for (target, link) in [("real/rows.csv", "link.csv"), ("link.csv", "second.csv"), ("real/new.csv", "new.csv")] {
        symlink(target, folder.join(link)).unwrap();
        read(link);
        assert!(Path::new(&folder.join(link)).is_symlink(), "{link}");
        assert_eq!(std::fs::read_to_string(folder.join(target)).unwrap(), "id\n001\n002\n", "{link}");
    }
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Opened for both, it holds what is written until it is read, and nobody waits for anybody.
    let mut end = File::options().read(true).write(true).open(&pipe).unwrap();
    read("pipe");
    assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    let mut rows = [0; 11];
    end.read_exact(&mut rows).unwrap();
    assert_eq!(&rows, b"id\n001\n002\n");
}

/// What DuckDB would not come to an end with, or end the process.
#[test]
fn what_is_too_deep_or_too_wide_is_an_error() {
    let folder = with_stores();
    let row = |more: &str| [r#"{"id": "1", "metaxy_provenance_by_field": {"default": "1"}, "#, more, "}\n"].concat();
    let columns = |count: usize| (0..count).map(|at| format!("\"c{at}\": {at}")).collect::<Vec<_>>().join(", ");
    let lists = ["\"deep\": ", &"[".repeat(30_000), &"]".repeat(30_000)].concat();
    let objects = ["\"deep\": ", &"{\"a\": ".repeat(30_000), "1", &"}".repeat(30_000)].concat();
    for (rows, said) in [
        (row(&lists), "is nested more than 100 levels deep"),
        (row(&objects), "is nested more than 100 levels deep"),
        (["[".repeat(30_000), "]".repeat(30_000)].concat(), "is nested more than 100 levels deep"),
        (row(&columns(1499)), "has 1501 columns, more than 1500"),
    ] {
        let ran = run(&mut command(&folder, &["metadata", "write", "--feature", "a", "-"]), &rows);
        assert!(ran.exit == 1 && ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    // This took DuckDB a minute, as long as a statement replaced columns of `*`.
    let start = std::time::Instant::now();
    done(&folder, &["metadata", "write", "--feature", "a", "-"], &row(&columns(600)));
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}
