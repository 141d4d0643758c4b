//! Many features in one transaction: how many statements that takes, and that one feature does not disturb another.

use std::collections::{BTreeMap, HashSet};
use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::{fs, iter, mem};

use ducklake_sql::Mode;
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey};
use metaxy_store_duckdb::{
    CopyOptions, Doctor, Features, OpenOptions, ReadOptions, ResolveOptions, Store, Versions, WriteOptions,
};
use metaxy_testkit::deps;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::features::common::{graph, key, md5, read_all, row, rows, with_subscriber, write};
use crate::lake::{FOR_TESTS, TempLake, store_tables};

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
pub(crate) fn statements<T>(run: impl FnOnce() -> T) -> u64 {
    let count = Arc::new(AtomicU64::new(0));
    with_subscriber(Statements(Arc::clone(&count)), run);
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

/// A line for each name, from the statements of one, two and ten pairs; each further pair must take as many.
fn per_pair<const N: usize>(names: &[&str; N], counts: &[[u64; N]; 3]) -> String {
    let mut table = String::new();
    for (at, name) in names.iter().enumerate() {
        let [one, two, ten] = counts.map(|counts| counts[at]);
        let each = two - one;
        assert_eq!(ten, one + 9 * each, "{name}: {counts:?}");
        writeln!(table, "{name:20} {one:3} statements, {each:2} more for each further pair").unwrap();
    }
    table
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
    let names = ["push", "write, new tables", "write", "status of all", "status of one"];
    insta::assert_snapshot!(per_pair(&names, &counts), @"
    push                   7 statements,  0 more for each further pair
    write, new tables     25 statements, 16 more for each further pair
    write                 21 statements, 12 more for each further pair
    status of all          6 statements,  2 more for each further pair
    status of one          5 statements,  0 more for each further pair
    ");
}

#[test]
fn a_copy_and_the_doctor_take_few_statements_for_each_further_feature() {
    let counts = [1, 2, 10].map(|count| {
        let (home, graph) = (TempLake::new(), pairs(count));
        let catalog = |store| format!("catalog = {{ type = 'sqlite', uri = 'sqlite:{store}.sqlite' }}");
        let storage = |store| format!("storage = {{ type = 'local', path = '{store}' }}");
        let extensions = format!("config.extension_directory = '{}'", deps().extensions().display());
        let tables = ["from", "into"]
            .map(|store| store_tables(store, "duckdb", &[&extensions, FOR_TESTS], &[&catalog(store), &storage(store)]));
        home.write("metaxy.toml", tables.concat());
        let loaded = home.load();
        let config = &loaded.as_ref().unwrap().config;
        let store = Store::open(config, "from", Mode::Write).unwrap();
        fill(&store.features(&graph, md5()).unwrap());
        store.close().unwrap();
        let store = OpenOptions::default().secondary("from").open(config, "into", Mode::Write).unwrap();
        let features = store.features(&graph, md5()).unwrap();
        let keys = || graph.iter().map(FeatureDefinition::key);
        let copy = statements(|| features.copy("from", keys(), &CopyOptions::new()).unwrap());
        let again = statements(|| features.copy("from", keys(), &CopyOptions::new()).unwrap());
        drop(features);
        store.close().unwrap();
        let doctor = statements(|| Doctor::default().examine(&loaded, Some("from")));
        [copy, again, doctor]
    });
    let names = ["copy, new tables", "copy", "doctor"];
    insta::assert_snapshot!(per_pair(&names, &counts), @"
    copy, new tables      16 statements,  8 more for each further pair
    copy                  12 statements,  4 more for each further pair
    doctor                30 statements,  0 more for each further pair
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
    let six = ["root/0", "root/1", "child/1", "unknown", "root/2", "child/2"].map(key);
    let rows_of_six = [Some(Some(20)), None, None, None, Some(Some(20)), Some(Some(20))];
    // By several connections, as many features are looked at.
    for times in [1, 6] {
        let options = ResolveOptions::new();
        let keys = iter::repeat_n(&six, times).flatten();
        let found = features.statuses(keys.map(|key| (key, &options))).unwrap();
        let rows: Vec<_> = found.iter().map(|status| status.as_ref().map(|status| status.rows).ok()).collect();
        assert_eq!(rows, rows_of_six.repeat(times));
        assert!(found[1].as_ref().unwrap_err().to_string().contains("root/1"), "{:?}", found[1]);
    }
}

#[test]
fn many_features_are_looked_at_by_several_connections_at_one_snapshot() {
    let home = TempLake::new();
    let (store, graph) = (home.open(), pairs(1));
    let features = store.features(&graph, md5()).unwrap();
    fill(&features);
    store.connection().execute("SET GLOBAL threads = 2").unwrap();
    let (options, child) = (ResolveOptions::new(), key("child/0"));
    let begun = Begun::default();
    let statuses = |count: usize| {
        let begun = begun.clone();
        let found = with_subscriber(begun.clone(), || features.statuses(iter::repeat_n((&child, &options), count)));
        (found.unwrap(), mem::take(&mut *begun.0.lock().unwrap()))
    };
    let (one, begun_for_one) = statuses(1);
    let (many, begun_for_many) = statuses(64);
    assert_eq!(begun_for_one.len(), 1);
    // One lists the tables, and each connection looks at some of the features.
    let threads: HashSet<_> = begun_for_many.iter().collect();
    assert!(threads.len() > 1 && begun_for_many.len() == threads.len() + 1, "{begun_for_many:?}");
    assert!(many.iter().all(|status| status.as_ref().unwrap() == one[0].as_ref().unwrap()));
    store.connection().execute("SET GLOBAL threads = 1").unwrap();
    assert_eq!(statuses(64).1.len(), 1);
}

/// In which threads a transaction was begun.
#[derive(Default, Clone)]
struct Begun(Arc<Mutex<Vec<ThreadId>>>);

impl Subscriber for Begun {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        struct Visitor(bool);

        impl Visit for Visitor {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0 |= field.name() == "sql" && format!("{value:?}").contains("BEGIN");
            }
        }

        let mut visitor = Visitor(false);
        span.record(&mut visitor);
        if visitor.0 {
            self.0.lock().unwrap().push(thread::current().id());
        }
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn present_rows_are_counted_once_however_many_rows_they_are_compared_with() {
    let home = TempLake::new();
    let graph = graph(
        "[[feature]]\nkey = 'a'\nid_columns = ['id']\n[[feature]]\nkey = 'frame'\nid_columns = ['id', 'number']\n\
         [[feature]]\nkey = 'joined'\nid_columns = ['id']\ndeps = ['a', 'frame']",
    );
    let store = home.open();
    let features = store.features(&graph, md5()).unwrap();
    let twice = |id: &str| {
        [1, 2].map(|number| json!({"id": id, "number": number, "metaxy_provenance_by_field": {"default": "1"}}))
    };
    write(&features, "a", &json!([row("1", "1"), row("2", "1")])).unwrap();
    write(&features, "frame", &["1", "2"].map(twice).concat().into()).unwrap();
    write(&features, "joined", &json!([row("1", "1"), row("3", "1")])).unwrap();
    let status = features.status(&key("joined"), &ResolveOptions::new()).unwrap();
    let update = status.update.unwrap();
    assert_eq!((status.rows, update.new, update.stale, update.orphaned), (Some(2), 2, 2, 1));
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
