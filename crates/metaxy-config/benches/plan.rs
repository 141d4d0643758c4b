//! From text to text: every combination's file is loaded, planned and displayed. Reads from memory, so that only our own
//! work is measured.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by a panic")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use ducklake_sql::{Mode, Reveal};
use metaxy_config::{Config, LoadOptions, MemorySystem};

/// The first fixture of each combination.
fn combinations() -> BTreeMap<String, MemorySystem> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lakes");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut combinations = BTreeMap::new();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().split("--").next().unwrap().to_owned();
        let text = std::fs::read_to_string(file).unwrap();
        combinations.entry(name).or_insert_with(|| MemorySystem::new().file("/project/metaxy.toml", text));
    }
    combinations
}

fn text_to_text(criterion: &mut Criterion) {
    let combinations = combinations();
    assert_eq!(combinations.len(), 16);
    criterion.bench_function("config to plan to text, 16 combinations", |bencher| {
        bencher.iter(|| {
            for system in combinations.values() {
                let loaded = Config::load(system, &LoadOptions::file("/project/metaxy.toml")).unwrap();
                let plan = loaded.config.default_store().unwrap().plan(Mode::Write);
                black_box(plan.display(Reveal::Masked).to_string());
            }
        });
    });
}

criterion_group!(benches, text_to_text);
criterion_main!(benches);
