//! Columns of every type, and tables as other programs make them.

use ducklake_sql::{Mode, Sql};
use metaxy_store_duckdb::{
    Change, CopyOptions, Deletion, Error, OpenOptions, ReadOptions, ResolveOptions, Store, WriteOptions,
};
use serde_json::{Value, json};

use crate::features::chains::Stores;
use crate::features::common::{collect, graph, key, md5, read_all, read_with, row, write};
use crate::features::increments::{counts, resolve, rows};
use crate::lake::{TempLake, texts};

const ROOT: &str = "[[feature]]\nkey = 'a'\nid_columns = ['id']";

/// So many rows with values in the columns `v0`, `v1`, …, from the engine, as a program hands them on that keeps
/// Arrow's types.
fn write_values(store: &Store, values: &[&str], count: usize) -> Result<usize, Error> {
    let other = store.connection().another().unwrap();
    other.execute("SET arrow_lossless_conversion = true").unwrap();
    let values: Vec<String> = values.iter().enumerate().map(|(at, value)| format!("{value} AS v{at}, ")).collect();
    let values = values.concat();
    let query =
        format!("SELECT range AS id, {values} {{'default': 'x'}} AS metaxy_provenance_by_field FROM range({count})");
    let graph = graph(ROOT);
    let features = store.features(&graph, md5()).unwrap();
    let rows = other.query(Sql::user_query(query)).unwrap().into_reader();
    features.write(&key("a"), rows, &WriteOptions::new())
}

/// The types and values in the columns `v0`, `v1`, …
fn values(store: &Store, count: usize) -> Vec<String> {
    let of = |at: usize| {
        let query =
            format!("SELECT DISTINCT typeof(v{at}) || ' ' || coalesce(CAST(v{at} AS VARCHAR), 'NULL') AS of FROM a");
        let found = collect(store.connection().query(Sql::user_query(query)).unwrap());
        found.iter().map(|row| row["of"].as_str().unwrap()).collect::<Vec<_>>().join(" and ")
    };
    (0..count).map(of).collect()
}

#[test]
fn columns_of_every_type_come_back_from_files_catalogs_and_copies() {
    let cases = [
        ("true", "BOOLEAN true"),
        ("(-128)::TINYINT", "TINYINT -128"),
        ("65535::USMALLINT", "USMALLINT 65535"),
        ("(-9223372036854775808)::BIGINT", "BIGINT -9223372036854775808"),
        ("18446744073709551615::UBIGINT", "UBIGINT 18446744073709551615"),
        ("0.1::FLOAT", "FLOAT 0.1"),
        ("'-inf'::DOUBLE", "DOUBLE -inf"),
        ("1.50::DECIMAL(5, 2)", "DECIMAL(5,2) 1.50"),
        ("'-1.0000000001'::DECIMAL(38, 10)", "DECIMAL(38,10) -1.0000000001"),
        ("'it''s \\ \u{1F600}'", "VARCHAR it's \\ \u{1F600}"),
        ("'a'::ENUM('b', 'a')", "VARCHAR a"),
        ("'{\"a\": 1}'::JSON", "VARCHAR {\"a\": 1}"),
        ("'\\xAA\\x00'::BLOB", "BLOB \\xAA\\x00"),
        ("DATE '1969-07-20'", "DATE 1969-07-20"),
        ("TIME '01:02:03.000004'", "TIME 01:02:03.000004"),
        ("TIMESTAMP '2026-01-31 01:02:03.000004'", "TIMESTAMP 2026-01-31 01:02:03.000004"),
        ("TIMESTAMP_S '2026-01-31 01:02:03'", "TIMESTAMP_S 2026-01-31 01:02:03"),
        ("TIMESTAMP_MS '2026-01-31 01:02:03.004'", "TIMESTAMP_MS 2026-01-31 01:02:03.004"),
        ("TIMESTAMP_NS '2026-01-31 01:02:03.000000004'", "TIMESTAMP_NS 2026-01-31 01:02:03.000000004"),
        ("TIMESTAMPTZ '2026-01-31 01:02:03.000004+00'", "TIMESTAMP WITH TIME ZONE 2026-01-31 01:02:03.000004+00"),
        ("'6f9619ff-8b86-d011-b42d-00cf4fc964ff'::UUID", "UUID 6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        ("[1, NULL, 3]::INTEGER[]", "INTEGER[] [1, NULL, 3]"),
        ("[1, 2]::INTEGER[2]", "INTEGER[] [1, 2]"),
        ("[[1.5], NULL]::DECIMAL(5, 2)[][]", "DECIMAL(5,2)[][] [[1.50], NULL]"),
        ("{'a b': 1, 'c': [{'d': 'x'}]}", "STRUCT(\"a b\" INTEGER, c STRUCT(d VARCHAR)[]) {'a b': 1, 'c': [{'d': x}]}"),
        ("MAP {'k': [DATE '2026-01-31']}", "MAP(VARCHAR, DATE[]) {k=[2026-01-31]}"),
        ("NULL::BIGINT", "BIGINT NULL"),
    ];
    let (given, expected): (Vec<&str>, Vec<&str>) = cases.into_iter().unzip();
    let stores = Stores::new();
    let config = stores.config(["", "", ""]);
    let store = OpenOptions::default().fallback_stores(false).open(&config, "prod", Mode::Write).unwrap();
    // Few rows go into the catalog, many into a file.
    write_values(&store, &given, 1).unwrap();
    assert_eq!(values(&store, given.len()), expected, "in the catalog");
    write_values(&store, &given, 50).unwrap();
    assert_eq!(values(&store, given.len()), expected, "in a file");
    // An increment without rows has their columns all the same.
    let with_child = graph(&[ROOT, "\n\n[[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']"].concat());
    let features = store.features(&with_child, md5()).unwrap();
    let mut increment = resolve(&features, "b").unwrap();
    let schema = increment.rows(Change::New).unwrap().schema();
    assert_eq!(increment.rows(Change::Stale).unwrap().schema(), schema);
    features.write(&key("b"), increment.rows(Change::New).unwrap().into_reader(), &WriteOptions::new()).unwrap();
    let mut increment = resolve(&features, "b").unwrap();
    assert!(increment.is_empty());
    assert_eq!(increment.rows(Change::New).unwrap().schema(), schema);
    let written = features.read(&key("b"), &ReadOptions::new()).unwrap().schema();
    assert_eq!(increment.rows(Change::Orphaned).unwrap().schema(), written);
    drop((increment, features));
    store.close().unwrap();

    let options = OpenOptions::default().fallback_stores(false).secondary("prod");
    let store = options.open(&config, "dev", Mode::Write).unwrap();
    let graph = graph(ROOT);
    store.features(&graph, md5()).unwrap().copy("prod", [&key("a")], &CopyOptions::new()).unwrap();
    assert_eq!(values(&store, given.len()), expected, "in a copy");
    assert_eq!(texts(&store, "SELECT count(*) FROM a"), ["50"]);
}

#[test]
fn what_a_lake_does_not_keep_is_refused_before_anything_is_written() {
    let unsupported =
        |found: &str| format!("the column `v0` of the rows for `a` is of the type {found}, which a lake cannot hold");
    for (value, message) in [
        ("INTERVAL '1 month 3 microseconds'", unsupported("Interval(MonthDayNano)")),
        ("1::HUGEINT", unsupported("FixedSizeBinary(16)")),
        ("1::UHUGEINT", unsupported("FixedSizeBinary(16)")),
        ("'0101'::BIT", unsupported("Binary")),
        ("'01:02:03+02'::TIMETZ", unsupported("FixedSizeBinary(8)")),
    ] {
        let home = TempLake::new();
        let store = home.open();
        assert_eq!(write_values(&store, &[value], 1).unwrap_err().to_string(), message);
        assert_eq!(texts(&store, "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'ducklake'"), ["0"]);
    }
}

#[test]
fn a_table_of_another_program_is_copied_with_its_types_or_not_at_all() {
    for (of, value, expected) in [
        ("UUID", "'6f9619ff-8b86-d011-b42d-00cf4fc964ff'", Some("UUID 6f9619ff-8b86-d011-b42d-00cf4fc964ff")),
        ("JSON", "'{\"a\": 1}'", Some("JSON {\"a\": 1}")),
        ("TIMESTAMP_NS", "'2026-01-31 00:00:00.000000001'", Some("TIMESTAMP_NS 2026-01-31 00:00:00.000000001")),
        ("HUGEINT", "1", None),
        ("INTERVAL", "INTERVAL '1 day'", None),
        ("TIMETZ", "'01:02:03+02'", None),
    ] {
        let stores = Stores::new();
        let config = stores.config(["", "", ""]);
        let graph = graph(ROOT);
        let prod = OpenOptions::default().fallback_stores(false).open(&config, "prod", Mode::Write).unwrap();
        write(&prod.features(&graph, md5()).unwrap(), "a", &json!([row("1", "1")])).unwrap();
        let run = |text: String| prod.connection().execute(Sql::user_query(text)).unwrap();
        run(format!("ALTER TABLE a ADD COLUMN v0 {of}"));
        run(format!("UPDATE a SET v0 = {value}"));
        // Reading and writing go on.
        let features = prod.features(&graph, md5()).unwrap();
        write(&features, "a", &json!([row("2", "1")])).unwrap();
        assert_eq!(texts(&prod, "SELECT id FROM a ORDER BY id"), ["1", "2"], "{of}");
        features.delete(&key("a"), &["id = '2'".parse().unwrap()], Deletion::Hard).unwrap();
        drop(features);
        prod.close().unwrap();

        let options = OpenOptions::default().fallback_stores(false).secondary("prod");
        let store = options.open(&config, "dev", Mode::Write).unwrap();
        let copied = store.features(&graph, md5()).unwrap().copy("prod", [&key("a")], &CopyOptions::new());
        if let Some(expected) = expected {
            assert_eq!(copied.unwrap().rows[&key("a")], 1);
            assert_eq!(values(&store, 1), [expected]);
        } else {
            let message = "the column `v0` in the table of `a` is of a type that a lake does not keep as it is";
            assert_eq!(copied.unwrap_err().to_string(), message);
        }
    }
}

#[test]
fn maps_are_written_compared_deleted_and_copied_as_maps_and_into_structs() {
    let text = format!("{ROOT}\n\n[[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']\nfields = ['x', 'y']");
    let graph = graph(&text);
    let maps = md5().maps(true);
    for [prod_maps, dev_maps] in [[true, true], [true, false], [false, true]] {
        let stores = Stores::new();
        let config = stores.config(["", "", ""]);
        let options = |is_map: bool| maps.clone().maps(is_map);
        let prod = OpenOptions::default().fallback_stores(false).open(&config, "prod", Mode::Write).unwrap();
        let features = prod.features(&graph, options(prod_maps)).unwrap();
        write(&features, "a", &json!([row("1", "1"), row("2", "it's \\"), row("3", "1")])).unwrap();
        let mut increment = resolve(&features, "b").unwrap();
        let made = rows(&mut increment, Change::New);
        let new = increment.rows(Change::New).unwrap().into_reader();
        features.write(&key("b"), new, &WriteOptions::new()).unwrap();
        drop(increment);
        assert!(resolve(&features, "b").unwrap().is_empty());
        write(&features, "a", &json!([row("1", "2")])).unwrap();
        features.delete(&key("a"), &["id = '2'".parse().unwrap()], Deletion::Soft).unwrap();
        features.delete(&key("a"), &["id = '3'".parse().unwrap()], Deletion::Hard).unwrap();
        assert_eq!(counts(&resolve(&features, "b").unwrap()), [0, 1, 2]);
        let of = "SELECT DISTINCT data_type LIKE 'MAP%' FROM duckdb_columns() \
                  WHERE column_name LIKE '%by_field' AND database_name = 'ducklake'";
        assert_eq!(texts(&prod, of), [prod_maps.to_string()]);
        let before = read_all(&features, "b");
        drop(features);
        prod.close().unwrap();

        let open = OpenOptions::default().fallback_stores(false).secondary("prod");
        let dev = open.open(&config, "dev", Mode::Write).unwrap();
        let features = dev.features(&graph, options(dev_maps)).unwrap();
        // The table here is of its own kind; one that is missing is made as the other is.
        write(&features, "a", &json!([row("own", "1")])).unwrap();
        write(&features, "b", &json!([{"id": "own", "metaxy_provenance_by_field": {"x": "1", "y": "1"}}])).unwrap();
        let copied = features.copy("prod", [&key("a"), &key("b")], &CopyOptions::new()).unwrap();
        assert_eq!(copied.rows.values().sum::<usize>(), 4);
        assert_eq!(texts(&dev, of), [dev_maps.to_string()]);
        let of_prod = ReadOptions::new().filters(vec!["id != 'own'".parse().unwrap()]);
        assert_eq!(read_with(&features, "b", &of_prod), before);
        assert_eq!(made.len(), 3);
        assert_eq!(counts(&resolve(&features, "b").unwrap()), [0, 2, 2]);
    }
}

#[test]
fn times_without_a_zone_are_utc_whatever_the_session_s_zone() {
    let home = TempLake::new();
    let store = home.open();
    let text = format!("{ROOT}\n\n[[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']");
    let graph = graph(&text);
    let features = store.features(&graph, md5()).unwrap();
    write(&features, "a", &json!([row("1", "1"), row("2", "1")])).unwrap();
    let retype = |column: &str, of: &str, value: &str| {
        for statement in [
            format!("ALTER TABLE a RENAME COLUMN {column} TO old"),
            format!("ALTER TABLE a ADD COLUMN {column} {of}"),
            format!("UPDATE a SET {column} = {value}"),
            "ALTER TABLE a DROP COLUMN old".to_owned(),
        ] {
            store.connection().execute(Sql::user_query(statement)).unwrap();
        }
    };
    // As a program makes it that knows no zones; then with one of the three in another type than the others.
    for mixed in [false, true] {
        if mixed {
            retype("metaxy_updated_at", "TIMESTAMPTZ", "CAST(CAST(old AS VARCHAR) || '+00' AS TIMESTAMPTZ)");
        } else {
            for column in ["metaxy_created_at", "metaxy_updated_at", "metaxy_deleted_at"] {
                retype(column, "TIMESTAMP", "make_timestamp(epoch_us(old))");
            }
        }
        for zone in ["SET GLOBAL TimeZone = 'Asia/Tokyo'", "SET GLOBAL TimeZone = 'America/New_York'"] {
            store.connection().execute(zone).unwrap();
            write(&features, "a", &json!([row("1", zone)])).unwrap();
            let read = read_all(&features, "a");
            assert_eq!(
                read.iter().find(|row| row["id"] == "1").unwrap()["metaxy_provenance_by_field"]["default"],
                zone
            );
            features.delete(&key("a"), &["id = '2'".parse().unwrap()], Deletion::Soft).unwrap();
            assert_eq!(read_all(&features, "a").len(), 1, "{zone}");
            write(&features, "a", &json!([row("2", "1")])).unwrap();
            assert_eq!(read_all(&features, "a").len(), 2, "{zone}");
            assert_eq!(counts(&resolve(&features, "b").unwrap()), [2, 0, 0]);
            let off = "SELECT count(*) FROM a WHERE abs(epoch_us(metaxy_updated_at) - epoch_us(now())) > 600000000 \
                       OR abs(epoch_us(metaxy_created_at) - epoch_us(now())) > 600000000";
            assert_eq!(texts(&store, off), ["0"], "{zone}");
        }
    }
}

#[test]
fn a_row_comes_from_any_dependency_if_all_are_optional() {
    let home = TempLake::new();
    let store = home.open();
    let text = "[[feature]]\nkey = 'a'\nid_columns = ['id']\n\n[[feature]]\nkey = 'b'\nid_columns = ['id']\n\n\
                [[feature]]\nkey = 'c'\nid_columns = ['id']\n\n\
                [[feature]]\nkey = 'd'\nid_columns = ['id']\n\
                deps = [{ feature = 'a', optional = true }, { feature = 'b', optional = true }, \
                { feature = 'c', optional = true }]";
    let graph = graph(text);
    let features = store.features(&graph, md5()).unwrap();
    let of = |ids: &[&str], column: &str| {
        let row = |id: &&str| json!({"id": id, column: id, "metaxy_provenance_by_field": {"default": column}});
        Value::Array(ids.iter().map(row).collect())
    };
    write(&features, "a", &of(&["1", "2"], "va")).unwrap();
    write(&features, "b", &of(&["2", "3"], "vb")).unwrap();
    write(&features, "c", &of(&["3", "4", "1"], "vc")).unwrap();
    let mut increment = resolve(&features, "d").unwrap();
    let new = rows(&mut increment, Change::New);
    let found: Vec<String> = new
        .iter()
        .map(|row| format!("{} {} {} {}", row["id"], row["va"], row["vb"], row["vc"]).replace('"', ""))
        .collect();
    assert_eq!(found, ["1 1 null 1", "2 2 2 null", "3 null 3 3", "4 null null 4"]);
    let new = increment.rows(Change::New).unwrap().into_reader();
    features.write(&key("d"), new, &WriteOptions::new()).unwrap();
    drop(increment);
    assert!(resolve(&features, "d").unwrap().is_empty());
    features.delete(&key("c"), &[], Deletion::Soft).unwrap();
    assert_eq!(counts(&resolve(&features, "d").unwrap()), [0, 2, 1]);
}

#[test]
fn an_aggregation_whose_order_is_not_selected_is_refused() {
    let home = TempLake::new();
    let store = home.open();
    let text = "[[feature]]\nkey = 'frame'\nid_columns = ['video', 'frame']\n\n\
                [[feature]]\nkey = 'stats'\nid_columns = ['video']\n\
                deps = [{ feature = 'frame', select = ['size'], lineage = { type = 'N:1', on = ['video'] } }]";
    let graph = graph(text);
    let features = store.features(&graph, md5()).unwrap();
    let row = json!({"video": "a", "frame": 1, "size": 1, "metaxy_provenance_by_field": {"default": "1"}});
    write(&features, "frame", &json!([row])).unwrap();
    let error = features.resolve_update(&key("stats"), &ResolveOptions::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`stats` aggregates `frame`, but selects none of `frame`, by which its rows are ordered"
    );
    assert_eq!(error.help().unwrap(), "add them to the dependency's `select`");
}

#[test]
fn two_writers_that_make_the_same_table_both_get_through() {
    let home = TempLake::new();
    home.open().close().unwrap();
    std::thread::scope(|scope| {
        for writer in ["x", "y", "z"] {
            let home = &home;
            scope.spawn(move || {
                let store = home.open();
                let graph = graph(ROOT);
                let features = store.features(&graph, md5()).unwrap();
                // Each brings a column of its own too.
                let options = WriteOptions::new().add_columns(true);
                let rows = json!([{"id": writer, writer: 1, "metaxy_provenance_by_field": {"default": "1"}}]);
                assert_eq!(features.write(&key("a"), crate::features::common::rows(&rows), &options).unwrap(), 1);
            });
        }
    });
    let store = home.open();
    let graph = graph(ROOT);
    let rows = read_all(&store.features(&graph, md5()).unwrap(), "a");
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row[row["id"].as_str().unwrap()] == 1), "{rows:?}");
    assert_eq!(texts(&store, "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'ducklake'"), ["1"]);
}
