//! The steps of a pipeline on one lake, timed: the same as those of `xtask/peer/bench.py`, with the same rows.
//!
//! `cargo bench --bench features -- --rows 1000000` prints, for each step, seconds of wall and processor time and the
//! process's peak memory in MB; with `--floor` the same for plain SQL, with `--memory-limit 1GB` where DuckDB has no more.
//! Sizes belong into processes of their own: the peak never falls. `cargo xtask bench --peer` runs all of them, Python Metaxy too, and makes a table.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by a panic")]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatchIterator, RecordBatchReader};
use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Session, Setting, Value};
use metaxy_config::HashAlgorithm;
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey};
use metaxy_store_duckdb::{
    Change, FeatureOptions, Features, Increment, ReadOptions, ResolveOptions, Rows, Store, WriteOptions,
};
use metaxy_testkit::{TempDir, deps};

#[path = "features/floor.rs"]
mod floor;
#[path = "features/step.rs"]
mod step;

/// A root, and a feature that depends on it.
const GRAPH: &str = include_str!("features/graph.toml");

const BATCH: i64 = 65_536;

/// More rows than these are not held in memory.
const HELD: usize = 1_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value =
        |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    let rows: i64 = value("--rows").map_or(100_000, |rows| rows.parse().unwrap());

    let folder = TempDir::new();
    let mut settings = vec![("extension_directory", deps().extensions().to_str().unwrap().to_owned())];
    if let Some(limit) = value("--memory-limit") {
        settings.extend([("memory_limit", limit.clone()), ("temp_directory", folder.join("spilled"))]);
    }
    if arguments.iter().any(|argument| argument == "--floor") {
        return floor::run(&folder, &settings, rows);
    }
    let catalog = Catalog::Sqlite(CatalogFile::new(folder.join("meta.sqlite")).unwrap());
    let lake = Lake::builder(catalog, LocalFolder::new(folder.join("data")).unwrap()).build().unwrap();
    let mut session = Session::default();
    let settings = settings.into_iter().map(|(name, value)| Setting::new(name, Value::from(value)).unwrap());
    session.settings.extend(settings);
    let store = step("open, create the lake", || Store::attach(&lake, &session, Mode::Write).unwrap());
    run(&store, rows);
}

fn run(store: &Store, rows: i64) {
    let graph = FeatureGraph::new(FeatureDefinition::from_toml(GRAPH, &"bench".parse().unwrap()).unwrap()).unwrap();
    let (root, child): (FeatureKey, FeatureKey) = ("bench/root".parse().unwrap(), "bench/child".parse().unwrap());
    let options = FeatureOptions::new().hash_algorithm(HashAlgorithm::Md5);
    let features = store.features(&graph, options).unwrap();
    let write = WriteOptions::new();
    let stale = usize::try_from((rows + 99) / 100).unwrap();
    let all = usize::try_from(rows).unwrap();

    let made = samples(rows, 1, "0");
    step("write root", || features.write(&root, made, &write).unwrap());
    let read = |key| features.read(key, &ReadOptions::new()).unwrap();
    assert_eq!(step("read root", || count(read(&root))), all);
    let (mut increment, held) = resolve(&features, &child, "resolve, all new", [all, 0, 0]);
    let new = made_of(&mut increment, Change::New, held);
    step("write child", || features.write(&child, new, &write).unwrap());
    drop(increment);
    resolve(&features, &child, "resolve, no change", [0, 0, 0]);
    let made = samples(rows, 100, "1");
    step("write root, 1 %", || features.write(&root, made, &write).unwrap());
    let (mut increment, held) = resolve(&features, &child, "resolve, 1 % stale", [0, stale, 0]);
    let stale = made_of(&mut increment, Change::Stale, held);
    step("write child, 1 %", || features.write(&child, stale, &write).unwrap());
    assert_eq!(step("read child", || count(read(&child))), all);
    step("status", || features.status(&child, &ResolveOptions::new()).unwrap());
}

/// Resolves, and reads the rows that come out into memory, unless there are more than [`HELD`].
fn resolve(
    features: &Features<'_>,
    key: &FeatureKey,
    name: &str,
    expected: [usize; 3],
) -> (Increment, Vec<RecordBatch>) {
    let mut held = Vec::new();
    let increment = step(name, || {
        let mut increment = features.resolve_update(key, &ResolveOptions::new()).unwrap();
        let counts = Change::ALL.map(|change| {
            let rows = increment.rows(change).unwrap().map(Result::unwrap);
            let keep = |batch: RecordBatch| {
                let count = batch.num_rows();
                held.extend((expected[0] <= HELD).then_some(batch));
                count
            };
            rows.map(keep).sum::<usize>()
        });
        assert_eq!(counts, expected);
        increment
    });
    assert_eq!(Change::ALL.map(|change| increment.count(change)), expected);
    (increment, held)
}

/// Rows that are held, or those of the increment.
fn made_of(increment: &mut Increment, change: Change, held: Vec<RecordBatch>) -> Box<dyn RecordBatchReader + '_> {
    match held.first().map(RecordBatch::schema) {
        Some(schema) => Box::new(RecordBatchIterator::new(held.into_iter().map(Ok), schema)),
        None => Box::new(increment.rows(change).unwrap().into_reader()),
    }
}

fn count(rows: Rows<'_>) -> usize {
    rows.map(|batch| batch.unwrap().num_rows()).sum()
}

/// Every `each`th sample of so many, in memory; of more than [`HELD`] made while it is read.
fn samples(rows: i64, each: i64, salt: &'static str) -> Box<dyn RecordBatchReader> {
    let batch = move |start: i64| -> Result<RecordBatch, ArrowError> {
        let numbers = || (start..rows.min(start + BATCH * each)).step_by(usize::try_from(each).unwrap());
        let text =
            |make: &dyn Fn(i64) -> String| Arc::new(StringArray::from_iter_values(numbers().map(make))) as ArrayRef;
        let versions = StructArray::try_from(vec![
            ("audio", text(&|i| format!("a{i}-{salt}"))),
            ("frames", text(&|i| format!("f{i}-{salt}"))),
        ])?;
        RecordBatch::try_from_iter([
            ("id", text(&|i| format!("s{i:010}"))),
            ("path", text(&|i| format!("s3://bucket/videos/{i}.mp4"))),
            ("size", Arc::new(Int64Array::from_iter_values(numbers().map(|i| i * 7919 % 1_000_003))) as ArrayRef),
            ("metaxy_provenance_by_field", Arc::new(versions) as ArrayRef),
        ])
    };
    let schema = batch(0).unwrap().schema();
    let starts = (0..rows).step_by(usize::try_from(BATCH * each).unwrap());
    let batches = starts.map(batch);
    if usize::try_from(rows).unwrap() > HELD {
        return Box::new(RecordBatchIterator::new(batches, schema));
    }
    Box::new(RecordBatchIterator::new(batches.collect::<Vec<_>>(), schema))
}

/// Runs one step and prints what it cost.
fn step<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let mut done = None;
    let cost = step::cost(|| done = Some(work()));
    println!("{name:38} {:9.3} s  cpu {:8.2}  peak {:9.1} MB", cost.wall, cost.cpu, peak());
    done.unwrap()
}

/// The peak memory of this process in MB, on Linux.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1024.0
}
