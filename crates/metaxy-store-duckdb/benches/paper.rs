//! Our side of the benchmark that Python Metaxy publishes, as `xtask/peer/paper.py` is Python's.
//!
//! `cargo xtask bench --paper` runs both, makes the configuration, and a table. A step is a process:
//! `cargo bench --bench paper -- STEP GRAPH ROWS CONFIG STORE`, where `fill` writes the samples of the roots, `change` the
//! leaf and a tenth of the first root anew, and `resolve` opens the store and brings into memory what is new and stale.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by a panic")]

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, StructArray, UInt64Array};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatchIterator, RecordBatchReader};
use ducklake_sql::Mode;
use metaxy_config::{Config, LoadOptions, OsSystem};
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey};
use metaxy_store_duckdb::{Change, GraphSource, Project, ProjectOptions, ResolveOptions, WriteOptions};

#[path = "features/step.rs"]
mod step;

const BATCH: u64 = 65_536;
const FIELDS: [&str; 4] = ["audio", "frames", "optical_flow", "embedding"];

fn main() {
    // Cargo adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [step, graph, rows, file, store] = arguments.as_slice() else {
        // As `cargo bench` of everything: only a pair of programs says something.
        return println!("usage: STEP GRAPH ROWS CONFIG STORE; `cargo xtask bench --paper` runs it");
    };
    let config = Config::load(&OsSystem, &LoadOptions::file(file)).unwrap().config;
    let (text, roots, fields) = match graph.as_str() {
        "simple" => (include_str!("paper/simple.toml"), &["bench/root"][..], 2),
        _ => (include_str!("paper/wide.toml"), &["bench/root_0", "bench/root_1"][..], 4),
    };
    let graph = FeatureGraph::new(FeatureDefinition::from_toml(text, &"bench".parse().unwrap()).unwrap()).unwrap();
    let leaf: FeatureKey = "bench/leaf".parse().unwrap();
    let rows: u64 = rows.parse().unwrap();
    let open =
        || Project::open(&config, store, ProjectOptions::new(Mode::Write).graph(GraphSource::Given(graph))).unwrap();
    let write = |project: &Project, at: usize, is_changed: bool| {
        let samples = samples(rows, u64::try_from(at).unwrap(), &FIELDS[..fields], is_changed);
        project.features().unwrap().write(&roots[at].parse().unwrap(), samples, &WriteOptions::new()).unwrap();
    };
    match step.as_str() {
        "fill" => {
            let project = open();
            (0..roots.len()).for_each(|at| write(&project, at, false));
        }
        "change" => {
            let project = open();
            let features = project.features().unwrap();
            let mut increment = features.resolve_update(&leaf, &ResolveOptions::new()).unwrap();
            features.write(&leaf, increment.rows(Change::New).unwrap().into_reader(), &WriteOptions::new()).unwrap();
            drop(increment);
            write(&project, 0, true);
        }
        _ => resolve(open, &leaf),
    }
}

/// Opens a store and brings into memory what is new and stale, timed as Python's is.
fn resolve(open: impl FnOnce() -> Project, leaf: &FeatureKey) {
    let mut held: [Vec<RecordBatch>; 2] = Default::default();
    let cost = step::cost(|| {
        let project = open();
        let features = project.features().unwrap();
        let mut increment = features.resolve_update(leaf, &ResolveOptions::new()).unwrap();
        held = [Change::New, Change::Stale].map(|change| increment.rows(change).unwrap().map(Result::unwrap).collect());
        drop(increment);
        project.close().unwrap();
    });
    let [new, stale] = held.map(|batches| batches.iter().map(RecordBatch::num_rows).sum::<usize>());
    println!("found {new} new, {stale} stale in {:.6} s, {:.2} s of processor time", cost.wall, cost.cpu);
}

/// All samples of a root: versions look random, and so does which of them have changed. `samples` in `xtask/peer/paper.py`
/// makes the same.
fn samples(rows: u64, root: u64, fields: &'static [&str], is_changed: bool) -> impl RecordBatchReader {
    let batch = move |start: u64| -> Result<RecordBatch, ArrowError> {
        let numbers = || start..rows.min(start + BATCH);
        let versions = (0..).zip(fields).map(|(at, &field): (u64, _)| {
            let version = |number: u64| {
                let version = (number * 104_729 + 15_485_863 * (4 * root + at)) % 1_048_583;
                let bumped = is_changed && at == 0 && (number * 7919 % 1_000_003).is_multiple_of(10);
                format!("{}{version}{}", &field[..1], if bumped { "_bumped" } else { "" })
            };
            (field, Arc::new(StringArray::from_iter_values(numbers().map(version))) as ArrayRef)
        });
        let versions = StructArray::try_from(versions.collect::<Vec<_>>())?;
        RecordBatch::try_from_iter([
            ("sample_uid", Arc::new(UInt64Array::from_iter_values(numbers())) as ArrayRef),
            ("metaxy_provenance_by_field", Arc::new(versions) as ArrayRef),
        ])
    };
    let schema = batch(0).unwrap().schema();
    RecordBatchIterator::new((0..rows).step_by(usize::try_from(BATCH).unwrap()).map(batch), schema)
}
