//! An increment of what has changed since a mark, beside one of all rows: `cargo bench --bench marks -- --rows 1000000`.
//!
//! For 1 % and 0.1 % of the rows of a root changed, picked at random or next to each other, it prints seconds of wall and
//! processor time: of finding the increment, of finding it and reading its rows into memory, of the status, and of keeping
//! the mark. Sizes belong into processes of their own.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by a panic")]

use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Session, Setting, Sql, Value, sql};
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey};
use metaxy_store_duckdb::{Change, FeatureOptions, Features, Increment, Pass, ResolveOptions, Store, WriteOptions};
use metaxy_testkit::{TempDir, deps};

#[path = "features/step.rs"]
mod step;

/// A root, and a feature that depends on it.
const GRAPH: &str = include_str!("features/graph.toml");

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let rows = arguments.iter().position(|argument| argument == "--rows").and_then(|at| arguments.get(at + 1));
    let rows: u64 = rows.map_or(100_000, |rows| rows.parse().unwrap());

    let folder = TempDir::new();
    let catalog = Catalog::Sqlite(CatalogFile::new(folder.join("meta.sqlite")).unwrap());
    let lake = Lake::builder(catalog, LocalFolder::new(folder.join("data")).unwrap()).build().unwrap();
    let mut session = Session::default();
    let extensions = deps().extensions().to_str().unwrap().to_owned();
    session.settings.push(Setting::new("extension_directory", Value::from(extensions)).unwrap());
    let store = Store::attach(&lake, &session, Mode::Write).unwrap();
    let graph = FeatureGraph::new(FeatureDefinition::from_toml(GRAPH, &"bench".parse().unwrap()).unwrap()).unwrap();
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let (root, child): (FeatureKey, FeatureKey) = ("bench/root".parse().unwrap(), "bench/child".parse().unwrap());

    let all = made(&store, rows, "0", &sql!("TRUE"));
    features.write(&root, all.query(), &WriteOptions::new()).unwrap();
    drop(all);
    let mut first = features.resolve_update(&child, &ResolveOptions::new()).unwrap();
    features.write(&child, first.rows(Change::New).unwrap().into_reader(), &WriteOptions::new()).unwrap();
    drop(first);
    let none = features.resolve_update(&child, &ResolveOptions::new()).unwrap();
    step("mark, nothing differs", || features.mark(&none).unwrap());
    drop(none);

    let (thousandth, hundredth) = (rows / 1_000, rows / 100);
    for (name, salt, which) in [
        ("0.1 % at random", "1", sql!("hash(i) % 1000 = 1")),
        (
            "0.1 % next to each other",
            "2",
            sql!("i BETWEEN {from} AND {to}", from = rows / 2, to = rows / 2 + thousandth),
        ),
        ("1 % at random", "3", sql!("hash(i) % 100 = 1")),
        ("1 % next to each other", "4", sql!("i BETWEEN {from} AND {to}", from = rows / 3, to = rows / 3 + hundredth)),
    ] {
        let changed = made(&store, rows, salt, &which);
        features.write(&root, changed.query(), &WriteOptions::new()).unwrap();
        drop(changed);
        for (kind, options) in [("all", ResolveOptions::new().full(true)), ("changed", ResolveOptions::new())] {
            let found =
                step(&[name, ", ", kind, ": find"].concat(), || features.resolve_update(&child, &options).unwrap());
            assert_eq!(matches!(found.pass(), Pass::Changed { .. }), kind == "changed", "{}", found.pass());
            drop(found);
            step(&[name, ", ", kind, ": find and read"].concat(), || read(&features, &child, &options));
            step(&[name, ", ", kind, ": status"].concat(), || features.status(&child, &options).unwrap());
        }
        let mut found = features.resolve_update(&child, &ResolveOptions::new()).unwrap();
        step(&[name, ": mark"].concat(), || features.mark(&found).unwrap());
        features.write(&child, found.rows(Change::Stale).unwrap().into_reader(), &WriteOptions::new()).unwrap();
        drop(found);
        // What differed at the mark would be looked at again, beside what the next one changes.
        features.mark(&features.resolve_update(&child, &ResolveOptions::new()).unwrap()).unwrap();
    }
}

/// Samples of the root, in a temporary table of a connection of their own.
struct Made(metaxy_store_duckdb::Connection);

impl Made {
    fn query(&self) -> impl arrow::record_batch::RecordBatchReader + '_ {
        self.0.query("FROM temp.main.made").unwrap().into_reader()
    }
}

/// Those of so many samples for which a condition on `i` holds.
fn made(store: &Store, rows: u64, salt: &'static str, which: &Sql) -> Made {
    let connection = store.connection().another().unwrap();
    connection
        .execute(sql!(
            "CREATE TEMP TABLE made AS
             SELECT
                 's' || lpad(CAST(i AS VARCHAR), 10, '0') AS id,
                 's3://bucket/videos/' || i || '.mp4' AS path,
                 i * 7919 % 1000003 AS size,
                 {{'audio': 'a' || i || '-' || {salt}, 'frames': 'f' || i || '-' || {salt}}}
                     AS metaxy_provenance_by_field
             FROM range({rows}) AS t(i)
             WHERE {which}",
            salt = ducklake_sql::bind(salt),
            rows,
            which,
        ))
        .unwrap();
    Made(connection)
}

/// Finds an increment and reads its rows.
fn read(features: &Features<'_>, child: &FeatureKey, options: &ResolveOptions) -> usize {
    let mut increment: Increment = features.resolve_update(child, options).unwrap();
    let mut count = 0;
    for change in Change::ALL {
        count += increment.rows(change).unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>();
    }
    count
}

/// Runs one step and prints what it cost.
fn step<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let mut done = None;
    let cost = step::cost(|| done = Some(work()));
    println!("{name:44} {:9.3} s  cpu {:8.2}", cost.wall, cost.cpu);
    done.unwrap()
}
