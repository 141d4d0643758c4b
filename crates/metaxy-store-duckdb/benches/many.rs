//! Commands on many small features, timed: each of half of them depends on one of the other half.
//!
//! `cargo bench -p metaxy-store-duckdb --bench many -- --features 500` prints, for each step, seconds of wall and
//! processor time, and milliseconds of processor time for each feature. Each feature has 100 rows unless `--rows` says
//! otherwise, in a lake with a SQLite catalog and local files.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by a panic")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, StructArray};
use arrow::record_batch::RecordBatchIterator;
use ducklake_sql::Mode;
use metaxy_config::{Config, LoadOptions, OsSystem};
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey};
use metaxy_store_duckdb::{CopyOptions, Doctor, FeatureOptions, OpenOptions, ResolveOptions, Store, WriteOptions};
use metaxy_testkit::{TempDir, deps};

#[path = "features/step.rs"]
mod step;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str, default: usize| {
        let value = arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
        value.map_or(default, |value| value.parse().unwrap())
    };
    let (count, rows) = (value("--features", 100), value("--rows", 100));
    let graph = graph(count);
    let keys: Vec<&FeatureKey> = graph.iter().map(FeatureDefinition::key).collect();
    let options = ResolveOptions::new();
    let folder = TempDir::new();
    folder.write("metaxy.toml", ["one", "two"].map(store).concat());
    let loaded = Config::load(&OsSystem, &LoadOptions::file(folder.path().join("metaxy.toml")));
    let config = &loaded.as_ref().unwrap().config;
    let step = |name: &str, work: &mut dyn FnMut()| {
        let cost = step::cost(work);
        let each = cost.cpu * 1000.0 / f64::from(u32::try_from(count).unwrap());
        println!("{count:4} features: {name:20} {:8.2} s  cpu {:8.2}  {each:8.1} ms each", cost.wall, cost.cpu);
    };
    let features = || FeatureOptions::from_config(config, "one").unwrap();

    let store = Store::open(config, "one", Mode::Write).unwrap();
    let one = store.features(&graph, features()).unwrap();
    step("push", &mut || drop(one.push(&BTreeMap::new()).unwrap()));
    step("write, new tables", &mut || {
        let written = keys.iter().map(|key| (*key, samples(rows)));
        one.write_many(written, &WriteOptions::new()).unwrap();
    });
    drop(one);
    store.close().unwrap();

    let store = Store::open(config, "one", Mode::Write).unwrap();
    let one = store.features(&graph, features()).unwrap();
    step("push, no change", &mut || drop(one.push(&BTreeMap::new()).unwrap()));
    step("write, one feature", &mut || {
        assert_eq!(one.write(keys[0], samples(rows), &WriteOptions::new()).unwrap(), rows);
    });
    step("status of all", &mut || {
        let found = one.statuses(keys.iter().map(|key| (*key, &options))).unwrap();
        assert!(found.into_iter().all(|status| status.unwrap().rows == Some(rows)));
    });
    step("status of one", &mut || drop(one.status(keys[0], &options).unwrap()));
    step("history", &mut || drop(store.history(&features()).unwrap()));
    step("graph, as pushed", &mut || drop(store.load_graph(&features(), None).unwrap()));
    drop(one);
    store.close().unwrap();

    let store = OpenOptions::default().secondary("one").open(config, "two", Mode::Write).unwrap();
    let two = store.features(&graph, FeatureOptions::from_config(config, "two").unwrap()).unwrap();
    step("copy, new tables", &mut || drop(two.copy("one", keys.iter().copied(), &CopyOptions::new()).unwrap()));
    step("copy", &mut || drop(two.copy("one", keys.iter().copied(), &CopyOptions::new()).unwrap()));
    drop(two);
    store.close().unwrap();
    step("doctor", &mut || drop(Doctor::default().examine(&loaded, Some("one"))));
}

/// So many features.
fn graph(count: usize) -> FeatureGraph {
    let mut text = String::new();
    for at in 0..count.div_ceil(2) {
        write!(text, "[[feature]]\nkey = 'root/{at}'\nid_columns = ['id']\n").unwrap();
    }
    for at in 0..count / 2 {
        write!(text, "[[feature]]\nkey = 'child/{at}'\nid_columns = ['id']\ndeps = ['root/{at}']\n").unwrap();
    }
    FeatureGraph::new(FeatureDefinition::from_toml(&text, &"bench".parse().unwrap()).unwrap()).unwrap()
}

/// The tables of a store in `metaxy.toml`.
fn store(name: &str) -> String {
    format!(
        "[stores.{name}]\ntype = 'duckdb'\n[stores.{name}.config]\nhash_algorithm = 'md5'\nauto_create_tables = true\n\
         [stores.{name}.config.config]\nextension_directory = '{}'\n[stores.{name}.config.ducklake]\n\
         catalog = {{ type = 'sqlite', uri = 'sqlite:{name}.sqlite' }}\nstorage = {{ type = 'local', path = '{name}' }}\n",
        deps().extensions().display(),
    )
}

/// So many rows of a feature, in memory.
fn samples(rows: usize) -> impl arrow::record_batch::RecordBatchReader {
    let text =
        |prefix: &str| Arc::new(StringArray::from_iter_values((0..rows).map(|id| format!("{prefix}{id}")))) as ArrayRef;
    let versions = StructArray::try_from(vec![("default", text("v"))]).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("id", text("s")),
        ("path", text("s3://bucket/")),
        ("metaxy_provenance_by_field", Arc::new(versions) as ArrayRef),
    ]);
    let batch = batch.unwrap();
    let schema = batch.schema();
    RecordBatchIterator::new([Ok(batch)], schema)
}
