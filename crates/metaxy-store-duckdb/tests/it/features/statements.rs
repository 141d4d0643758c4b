//! Many features in one transaction: how many statements that takes, and that one feature does not disturb another.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey};
use metaxy_store_duckdb::{Features, ReadOptions, ResolveOptions, Versions, WriteOptions};
use serde_json::Value;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber};

use crate::features::common::{graph, key, md5, read_all, row, rows};
use crate::lake::TempLake;

/// Counts the spans of statements.
#[derive(Default)]
struct Statements(Arc<AtomicU64>);

impl Subscriber for Statements {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        if span.metadata().name() == "statement" {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// How many statements are run.
fn statements<T>(run: impl FnOnce() -> T) -> u64 {
    let count = Arc::new(AtomicU64::new(0));
    with_default(Statements(Arc::clone(&count)), run);
    count.load(Ordering::SeqCst)
}

/// So many features without dependencies, and as many with one.
fn pairs(count: usize) -> FeatureGraph {
    let mut text = String::new();
    for at in 0..count {
        write!(text, "[[feature]]\nkey = 'root/{at}'\nid_columns = ['id']\n").unwrap();
        write!(text, "[[feature]]\nkey = 'child/{at}'\nid_columns = ['id']\ndeps = ['root/{at}']\n").unwrap();
    }
    graph(&text)
}

fn twenty_rows() -> Value {
    (0..20).map(|id| row(&id.to_string(), "1")).collect()
}

/// Writes rows of every feature in one transaction.
fn fill(features: &Features<'_>) -> u64 {
    let keys: Vec<_> = features.graph().iter().map(FeatureDefinition::key).collect();
    let written = keys.iter().map(|key| (*key, rows(&twenty_rows())));
    statements(|| features.write_many(written, &WriteOptions::new().unpushed(true)).unwrap())
}

#[test]
fn each_further_feature_takes_few_statements() {
    let counts = [1, 2, 10].map(|count| {
        let home = TempLake::new();
        let (store, graph) = (home.open(), pairs(count));
        let features = store.features(&graph, md5()).unwrap();
        let options = ResolveOptions::new();
        let keys: Vec<&FeatureKey> = graph.iter().map(FeatureDefinition::key).collect();
        let push = statements(|| features.push(&BTreeMap::new()).unwrap());
        let write = fill(&features);
        let again = fill(&features);
        let status = statements(|| {
            for status in features.statuses(keys.iter().map(|key| (*key, &options))).unwrap() {
                assert_eq!(status.unwrap().rows, Some(20));
            }
        });
        let one = statements(|| features.status(keys[0], &options).unwrap());
        [push, write, again, status, one]
    });
    let mut table = String::new();
    for (at, name) in ["push", "write, new tables", "write", "status of all", "status of one"].into_iter().enumerate() {
        let [one, two, ten] = counts.map(|counts| counts[at]);
        let each = two - one;
        assert_eq!(ten, one + 9 * each, "{name}: {counts:?}");
        writeln!(table, "{name:20} {one:3} statements, {each:2} more for each further pair").unwrap();
    }
    insta::assert_snapshot!(table, @"
    push                   7 statements,  0 more for each further pair
    write, new tables     27 statements, 20 more for each further pair
    write                 23 statements, 16 more for each further pair
    status of all          7 statements,  3 more for each further pair
    status of one          5 statements,  0 more for each further pair
    ");
}

#[test]
fn what_the_engine_refuses_of_one_feature_leaves_the_others() {
    let home = TempLake::new();
    let (store, graph) = (home.open(), pairs(3));
    let features = store.features(&graph, md5()).unwrap();
    fill(&features);
    let folder = home.path_of("data").join("main/root__1");
    for file in fs::read_dir(&folder).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    let keys = ["root/0", "root/1", "child/1", "unknown", "root/2", "child/2"].map(key);
    let options = ResolveOptions::new();
    let found = features.statuses(keys.iter().map(|key| (key, &options))).unwrap();
    let rows: Vec<_> = found.iter().map(|status| status.as_ref().map(|status| status.rows).ok()).collect();
    assert_eq!(rows, [Some(Some(20)), None, None, None, Some(Some(20)), Some(Some(20))]);
    assert!(found[1].as_ref().unwrap_err().to_string().contains("root/1"), "{:?}", found[1]);
}

#[test]
fn a_view_is_no_table_of_a_feature() {
    let home = TempLake::new();
    let (store, graph) = (home.open(), pairs(1));
    let features = store.features(&graph, md5()).unwrap();
    fill(&features);
    store.connection().execute("CREATE VIEW another AS FROM root__0").unwrap();
    store.connection().execute("DROP TABLE child__0").unwrap();
    store.connection().execute("CREATE VIEW child__0 AS FROM root__0").unwrap();
    assert!(features.read(&key("child/0"), &ReadOptions::default()).unwrap_err().is_missing_table());
    assert_eq!(features.status(&key("child/0"), &ResolveOptions::new()).unwrap().rows, None);
    assert_eq!(read_all(&features, "root/0").len(), 20);
}

#[test]
fn a_table_made_in_the_transaction_that_reads_is_seen() {
    let home = TempLake::new();
    let (store, graph) = (home.open(), pairs(1));
    let features = store.features(&graph, md5()).unwrap();
    fill(&features);
    let connection = store.connection();
    for statement in ["BEGIN", "DROP TABLE child__0", "CREATE TABLE child__0 AS FROM root__0 LIMIT 7"] {
        connection.execute(statement).unwrap();
    }
    let any = ReadOptions::new().versions(Versions::Any);
    let read = || features.read(&key("child/0"), &any).unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>();
    assert_eq!(read(), 7);
    connection.execute("ROLLBACK").unwrap();
    assert_eq!(read(), 20);
}
