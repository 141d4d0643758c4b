//! One lake, two writers: whatever one of them leaves, the other goes on with.

use std::fs;

use ducklake_sql::{Declared, DeclaredTable, LakeOption, PartitionKey, TableName};
use metaxy_config::LockFile;
use metaxy_feature::FeatureDefinition;
use metaxy_testkit::TempDir;
use serde_json::{Value, json};

use crate::interop::pair::{
    Catalog, Feature, Implementation as _, Pair, Settings, Type, Who, assert_same, comparable, made,
};
use crate::interop::python::Borrowed;

/// A root and a feature that depends on it; later both have one field more.
fn features(grown: bool) -> Vec<Feature> {
    let fields = |these: &[Value], one_more: &str| {
        let mut fields = these.to_vec();
        fields.extend(grown.then(|| one_more.into()));
        fields
    };
    let raw = json!({"key": "video/raw", "id_columns": ["id"], "fields": fields(&["audio".into(), "frames".into()], "depth")});
    let crop = json!({
        "key": "video/crop",
        "id_columns": ["id"],
        "deps": [{"feature": "video/raw", "rename": {"path": "source"}}],
        "fields": fields(&[json!({"key": "audio", "code_version": "2"}), "face/box".into()], "depth"),
        "metadata": {"größe": 1.5},
    });
    let text = |name: &str| (name.to_owned(), Type::Text);
    let size = ("size".to_owned(), Type::Integer);
    vec![
        Feature { spec: raw, columns: vec![text("id"), text("path"), size.clone()], doc: None },
        Feature { spec: crop, columns: vec![text("id"), text("source"), size], doc: Some("Crops, 日本.".to_owned()) },
    ]
}

/// Samples of the root with these numbers.
fn samples(numbers: std::ops::Range<u32>, salt: &str, grown: bool) -> Vec<Value> {
    let sample = |number: u32| {
        let mut versions =
            json!({"audio": format!("a{number}{salt}"), "frames": format!("f{number} 'ü' \\ \"{salt}\"")});
        if grown {
            versions["depth"] = format!("d{number}{salt}").into();
        }
        let size = if number.is_multiple_of(3) { Value::Null } else { number.into() };
        json!({"id": format!("s{number:03}"), "path": format!("p/{number}"), "size": size, "metaxy_provenance_by_field": versions})
    };
    numbers.map(sample).collect()
}

impl Pair<'_> {
    /// The rows that both read, which have to be the same to the last column.
    fn read_both(&mut self, feature: &str, history: bool) -> Vec<Value> {
        let [python, rust] = [Who::Python, Who::Rust].map(|who| self.side(who).read(feature, history).unwrap());
        assert_same(&comparable(&python, |_| true), &comparable(&rust, |_| true), feature);
        rust
    }

    /// How many rows are new, stale and orphaned, which have to be the same. Each can write its increment then.
    fn resolve_both(&mut self, feature: &str) -> [usize; 3] {
        let python = self.side(Who::Python).resolve(feature, None).unwrap();
        let rust = self.side(Who::Rust).resolve(feature, None).unwrap();
        for change in 0..2 {
            assert_same(&comparable(&python[change], made), &comparable(&rust[change], made), feature);
        }
        assert_same(&comparable(&python[2], |_| true), &comparable(&rust[2], |_| true), feature);
        rust.map(|rows| rows.len())
    }
}

fn check(catalog: Catalog, maps: bool) {
    let mut python = Borrowed::new(maps);
    for first in [Who::Python, Who::Rust] {
        // Small writes of odd texts do not survive DuckLake's inlining when Python makes them.
        let settings = Settings { catalog, maps, hash: "md5", truncation: 8, inlining: false };
        share(&mut Pair::new(&mut python, settings), first, first.other(), maps);
    }
}

fn share(pair: &mut Pair<'_>, first: Who, second: Who, maps: bool) {
    let (raw, crop) = ("video/raw", "video/crop");
    pair.define(&features(false)).unwrap();

    // One pushes and writes; the other finds it pushed, and goes on.
    let (version, already) = pair.side(first).push().unwrap();
    assert!(!already);
    assert_eq!(pair.side(second).push().unwrap(), (version.clone(), true));
    let loaded = pair.side(first).load_graph(&version).unwrap();
    assert_eq!((pair.side(second).load_graph(&version).unwrap(), loaded.len()), (loaded, 2));
    pair.side(first).write(raw, &samples(0..20, "", false)).unwrap();
    assert_eq!(pair.read_both(raw, false).len(), 20);
    assert_eq!(pair.resolve_both(crop), [20, 0, 0]);
    pair.side(second).write_increment(crop, 0).unwrap();
    assert_eq!(pair.resolve_both(crop), [0, 0, 0]);
    assert_eq!(pair.read_both(crop, false).len(), 20);

    // Both write the root, one over rows of the other.
    pair.side(second).write(raw, &samples(2..6, "x", false)).unwrap();
    pair.side(first).write(raw, &samples(5..8, "y", false)).unwrap();
    pair.side(second).write(raw, &samples(19..23, "z", false)).unwrap();
    assert_eq!(pair.read_both(raw, false).len(), 23);
    assert_eq!(pair.resolve_both(crop), [3, 7, 0]);
    for change in [0, 1] {
        pair.side(first).write_increment(crop, change).unwrap();
    }
    assert_eq!(pair.resolve_both(crop), [0, 0, 0]);
    assert_eq!(pair.read_both(crop, false).len(), 23);

    // Both delete; one brings back what the other deleted.
    pair.side(first).delete(raw, "id = 's001'").unwrap();
    pair.side(second).delete(raw, "size > 20").unwrap();
    assert_eq!(pair.read_both(raw, false).len(), 21);
    assert_eq!(pair.resolve_both(crop), [0, 0, 2]);
    pair.side(second).delete(crop, "id IN ('s001', 's022')").unwrap();
    pair.side(first).delete(crop, "size > 20 OR id = 's020'").unwrap();
    assert_eq!(pair.read_both(crop, false).len(), 20);
    assert_eq!(pair.resolve_both(crop), [1, 0, 0]);
    pair.side(second).write(raw, &samples(1..2, "", false)).unwrap();
    assert_eq!(pair.read_both(raw, false).len(), 22);
    assert_eq!(pair.resolve_both(crop), [2, 0, 0]);

    // Nothing of what was there before is lost.
    assert_eq!(pair.read_both(raw, true).len(), 34);

    // Both features gain a field. Python drops the versions of a field that a struct does not have yet (hazard H2), so
    // there this implementation writes first, which gives the field to the struct.
    pair.define(&features(true)).unwrap();
    let (grown, already) = pair.side(second).push().unwrap();
    assert!(!already && grown != version);
    let grower = if maps { first } else { Who::Rust };
    pair.side(grower).write(raw, &samples(0..15, "", true)).unwrap();
    for who in [Who::Python, Who::Rust] {
        pair.side(who).write(raw, &samples(12..14, "w", true)).unwrap();
    }
    assert_eq!(pair.read_both(raw, false).len(), 15);
    assert_eq!(pair.resolve_both(crop), [15, 0, 0]);
    pair.side(grower).write_increment(crop, 0).unwrap();
    assert_eq!(pair.resolve_both(crop), [0, 0, 0]);
    assert_eq!(pair.read_both(crop, false)[0]["metaxy_data_version_by_field"].as_object().unwrap().len(), 3);
}

#[test]
fn on_sqlite_with_structs() {
    check(Catalog::Sqlite, false);
}

#[test]
fn on_sqlite_with_maps() {
    check(Catalog::Sqlite, true);
}

#[test]
fn on_duckdb_with_structs() {
    check(Catalog::DuckDb, false);
}

#[test]
fn on_duckdb_with_maps() {
    check(Catalog::DuckDb, true);
}

#[test]
fn on_postgres_with_structs() {
    check(Catalog::Postgres, false);
}

#[test]
fn on_postgres_with_maps() {
    check(Catalog::Postgres, true);
}

#[test]
fn on_a_duckdb_file_with_structs() {
    check(Catalog::NoLake, false);
}

/// One file with relative paths, whoever makes the lake.
fn check_relative(catalog: Catalog) {
    let mut python = Borrowed::new(true);
    for data in ["data", "./data/", "sub/../data"] {
        for first in [Who::Python, Who::Rust] {
            let settings = Settings { catalog, maps: true, hash: "md5", truncation: 8, inlining: false };
            let mut pair = Pair::relative(&mut python, settings, data);
            pair.define(&features(false)).unwrap();
            for (number, who) in [(0, first), (1, first.other()), (2, first)] {
                pair.side(who).write("video/raw", &samples(number * 10..number * 10 + 10, "", false)).unwrap();
                assert_eq!(pair.read_both("video/raw", false).len(), 10 + 10 * number as usize, "{data}, {first:?}");
            }
        }
    }
}

#[test]
fn on_sqlite_with_relative_paths() {
    check_relative(Catalog::Sqlite);
}

#[test]
fn on_duckdb_with_relative_paths() {
    check_relative(Catalog::DuckDb);
}

#[test]
fn on_postgres_with_relative_paths() {
    check_relative(Catalog::Postgres);
}

#[test]
fn a_lock_file_of_one_is_that_of_the_other() {
    let mut python = Borrowed::new(false);
    let settings = Settings { catalog: Catalog::NoLake, maps: false, hash: "md5", truncation: 8, inlining: false };
    let mut pair = Pair::new(&mut python, settings);
    pair.define(&features(true)).unwrap();
    let home = TempDir::new();
    let path = home.join("metaxy.lock");
    pair.side(Who::Python).push().unwrap();
    assert!(pair.python.lock(&path, &["video/crop"]).unwrap());
    let of_python = LockFile::from_toml(&fs::read_to_string(&path).unwrap()).unwrap();

    pair.side(Who::Rust).push().unwrap();
    let text = "[[feature]]\nkey = 'faces'\nid_columns = ['id']\ndeps = ['video/crop']";
    let own = FeatureDefinition::from_toml(text, &"another".parse().unwrap()).unwrap();
    let of_rust = pair.rust.lock(own);
    assert_eq!((of_rust.definitions().count(), &of_rust), (2, &of_python));
    fs::write(&path, of_rust.to_toml()).unwrap();
    pair.side(Who::Python).push().unwrap();
    assert!(!pair.python.lock(&path, &["video/crop"]).unwrap(), "Python reads this file as its own");
}

#[test]
fn rows_without_an_id_are_seen_alike() {
    let mut python = Borrowed::new(false);
    let settings = Settings { catalog: Catalog::Sqlite, maps: false, hash: "xxhash32", truncation: 8, inlining: false };
    let mut pair = Pair::new(&mut python, settings);
    pair.define(&features(false)).unwrap();
    let mut rows = samples(0..4, "", false);
    rows[2]["id"] = Value::Null;
    let refused = pair.side(Who::Rust).write("video/raw", &rows).unwrap_err();
    assert!(refused.message.contains("no value in an id column"), "{refused}");
    // Python writes them. They equal no other row, not even themselves.
    pair.side(Who::Python).write("video/raw", &rows).unwrap();
    assert_eq!(pair.read_both("video/raw", false).len(), 4);
    assert_eq!(pair.resolve_both("video/crop"), [4, 0, 0]);
    pair.side(Who::Python).write_increment("video/crop", 0).unwrap();
    assert_eq!(pair.resolve_both("video/crop"), [1, 0, 1]);
}

/// Python goes on with the session that it has, and with a new one, after each of our commands on the lake.
#[test]
fn a_lake_that_is_applied_and_kept_is_read_and_written_by_both() {
    let mut python = Borrowed::new(false);
    for catalog in [Catalog::Sqlite, Catalog::DuckDb, Catalog::Postgres] {
        let settings = Settings { catalog, maps: false, hash: "md5", truncation: 8, inlining: false };
        let mut pair = Pair::new(&mut python, settings);
        pair.define(&features(false)).unwrap();
        pair.side(Who::Python).push().unwrap();
        let mut declared = Declared::default();
        let mut table = DeclaredTable::new(TableName::new("video__raw").unwrap());
        for round in 0..2 {
            let from = round * 20;
            pair.side(Who::Python).write("video/raw", &samples(from..from + 12, "", false)).unwrap();
            pair.side(Who::Rust).write("video/raw", &samples(from + 10..from + 20, "x", false)).unwrap();
            pair.side(Who::Python).delete("video/raw", "size = 4").unwrap();
            // A step more of what is declared with each round.
            match round {
                0 => declared.options = vec![LakeOption::new("parquet_compression", "zstd").unwrap()],
                _ => table.partitioned_by = Some(vec![PartitionKey::new("metaxy_feature_version").unwrap()]),
            }
            declared.tables = vec![table.clone()];
            if catalog == Catalog::DuckDb {
                pair.side(Who::Rust);
            }
            assert!(pair.rust.keep(&declared) >= 2, "{catalog:?}, round {round}");
            let count = pair.read_both("video/raw", false).len();
            assert_eq!(count, 20 * (round as usize + 1) - 1, "{catalog:?}, round {round}");
            pair.side(Who::Python).close();
        }
        assert_eq!(pair.resolve_both("video/crop"), [39, 0, 0], "{catalog:?}");
        pair.side(Who::Python).write_increment("video/crop", 0).unwrap();
        assert_eq!(pair.read_both("video/crop", false).len(), 39, "{catalog:?}");
    }
}

/// The fence stops Python too, in the session that it has and in a new one; both go on where the lake is then.
#[test]
fn a_lake_that_is_moved_is_read_and_written_by_both() {
    let mut python = Borrowed::new(false);
    for (from, to) in
        [(Catalog::Sqlite, Catalog::Postgres), (Catalog::Postgres, Catalog::DuckDb), (Catalog::DuckDb, Catalog::Sqlite)]
    {
        let settings = Settings { catalog: from, maps: false, hash: "md5", truncation: 8, inlining: false };
        let mut pair = Pair::new(&mut python, settings);
        pair.define(&features(false)).unwrap();
        pair.side(Who::Python).push().unwrap();
        pair.side(Who::Rust).write("video/raw", &samples(0..20, "", false)).unwrap();
        pair.side(Who::Python).write("video/raw", &samples(15..25, "x", false)).unwrap();
        if from == Catalog::DuckDb {
            pair.python.close();
        }
        let moved = pair.move_to(to);
        for _ in 0..2 {
            let refused = pair.python.write("video/raw", &samples(0..3, "late", false)).unwrap_err();
            let says = ["moved to", "ducklake_snapshot is not an table"];
            assert!(says.iter().any(|text| refused.message.contains(text)), "{from:?}: {refused}");
            pair.python.close();
        }
        pair.go_on(&moved);
        pair.define(&features(false)).unwrap();
        assert_eq!(pair.read_both("video/raw", true).len(), 30, "{from:?} → {to:?}");
        assert_eq!(pair.resolve_both("video/crop"), [25, 0, 0], "{from:?} → {to:?}");
        pair.side(Who::Python).write_increment("video/crop", 0).unwrap();
        pair.side(Who::Rust).write("video/raw", &samples(24..30, "y", false)).unwrap();
        pair.side(Who::Python).write("video/raw", &samples(29..32, "z", false)).unwrap();
        assert_eq!(pair.read_both("video/raw", false).len(), 32, "{from:?} → {to:?}");
        assert_eq!(pair.resolve_both("video/crop"), [7, 1, 0], "{from:?} → {to:?}");
    }
}
