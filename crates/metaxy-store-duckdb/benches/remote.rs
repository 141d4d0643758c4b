//! A catalog on PostgreSQL that is so many milliseconds away: what a command waits for, and what each of many small
//! writes does that one open store makes.
//!
//! `cargo bench -p metaxy-store-duckdb --bench remote -- --delays 0,10,50 --writes 100` prints, for each step, seconds and
//! round trips. Each answer of the server is held back for so long by a proxy.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by a panic")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, StringArray, StructArray};
use arrow::record_batch::{RecordBatchIterator, RecordBatchReader};
use ducklake_sql::{Lake, LocalFolder, Mode, PostgresSpec, Session, Setting, Value};
use metaxy_config::HashAlgorithm;
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey};
use metaxy_store_duckdb::{FeatureOptions, OpenOptions, ReadOptions, ResolveOptions, Store, WriteOptions};
use metaxy_testkit::{Postgres, Proxy, TempDir, deps};

const GRAPH: &str = "
[[feature]]
key = 'a'
id_columns = ['id']

[[feature]]
key = 'b'
id_columns = ['id']
deps = ['a']
";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str, default: &str| {
        let value = arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
        value.map_or(default.to_owned(), String::clone)
    };
    let writes: u32 = value("--writes", "100").parse().unwrap();
    for delay in value("--delays", "0,10,50").split(',') {
        run(Duration::from_millis(delay.parse().unwrap()), writes);
    }
}

fn run(delay: Duration, writes: u32) {
    let database = Postgres::shared().database();
    let proxy = Proxy::before(database.port());
    let folder = TempDir::new();
    let mut postgres = PostgresSpec::new("catalog");
    postgres.host = Some(database.host().to_owned());
    postgres.port = Some(proxy.port());
    postgres.database = Some(database.name().to_owned());
    postgres.user = Some(database.owner().user.clone());
    postgres.password = Some(database.owner().password.clone().into());
    let lake =
        Lake::builder(postgres.build().unwrap(), LocalFolder::new(folder.join("data")).unwrap()).build().unwrap();
    let mut session = Session::default();
    let extensions = deps().extensions().to_str().unwrap().to_owned();
    session.settings.push(Setting::new("extension_directory", Value::from(extensions)).unwrap());
    let graph = FeatureGraph::new(FeatureDefinition::from_toml(GRAPH, &"bench".parse().unwrap()).unwrap()).unwrap();
    let (a, b): (FeatureKey, FeatureKey) = ("a".parse().unwrap(), "b".parse().unwrap());
    let open = |mode| OpenOptions::default().health_check(false).attach(None, &lake, &session, mode).unwrap();
    let options = || FeatureOptions::new().hash_algorithm(HashAlgorithm::Md5);
    let write = |store: &Store, key: &FeatureKey| {
        let features = store.features(&graph, options()).unwrap();
        features.write(key, rows(), &WriteOptions::new()).unwrap();
    };
    {
        let store = open(Mode::Write);
        store.features(&graph, options()).unwrap().push(&BTreeMap::new()).unwrap();
        write(&store, &a);
        write(&store, &b);
    }
    proxy.delay(delay);
    let step = |name: &str, times: u32, work: &mut dyn FnMut()| {
        proxy.take();
        let start = Instant::now();
        work();
        let seconds = start.elapsed().as_secs_f64() / f64::from(times);
        let traffic = proxy.take();
        let (trips, transactions) = (traffic.round_trips / u64::from(times), traffic.transactions / u64::from(times));
        println!(
            "{:4} ms: {name:34} {seconds:7.2} s  {trips:4} round trips  {transactions:3} transactions",
            delay.as_millis()
        );
    };
    step("open and close", 1, &mut || drop(open(Mode::Read)));
    step("open, status of two features", 1, &mut || {
        let (store, resolve) = (open(Mode::Read), ResolveOptions::new());
        let features = store.features(&graph, options()).unwrap();
        let found = features.statuses([(&a, &resolve), (&b, &resolve)]).unwrap();
        assert!(found.into_iter().all(|status| status.is_ok()));
    });
    step("open, read 20 rows", 1, &mut || {
        let store = open(Mode::Read);
        let read = store.features(&graph, options()).unwrap().read(&a, &ReadOptions::new()).unwrap();
        assert_eq!(read.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 20);
    });
    step("open, write 20 rows", 1, &mut || write(&open(Mode::Write), &b));
    let store = open(Mode::Write);
    step("each of many writes of 20 rows", writes, &mut || (0..writes).for_each(|_| write(&store, &b)));
}

fn rows() -> impl RecordBatchReader {
    let text = || Arc::new(StringArray::from_iter_values((0..20).map(|id| id.to_string()))) as ArrayRef;
    let versions = StructArray::try_from(vec![("default", text())]).unwrap();
    let batch =
        RecordBatch::try_from_iter([("id", text()), ("metaxy_provenance_by_field", Arc::new(versions) as ArrayRef)]);
    let batch = batch.unwrap();
    let schema = batch.schema();
    RecordBatchIterator::new([Ok(batch)], schema)
}
