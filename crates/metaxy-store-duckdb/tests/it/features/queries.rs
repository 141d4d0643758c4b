//! What is asked of the lake: each form of query that an operation makes, as it is run.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use metaxy_store_duckdb::{
    Change, CopyOptions, Deletion, Error, FeatureOptions, Features, Filter, OpenOptions, ReadOptions, RebaseOptions,
    ResolveOptions, Snapshot, Store, Versions, WriteOptions,
};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::features::common::{graph, key, row, rows, with_subscriber, write};
use crate::lake::{TempLake, store_tables};

/// The texts of statements, as the engine is given them.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        if attributes.metadata().name() == "statement" {
            attributes.record(&mut Text(&self.0));
        }
    }
}

struct Text<'s>(&'s Mutex<Vec<String>>);

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "sql" {
            self.0.lock().unwrap().push(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// Runs something, and returns the statements that it runs.
fn statements<T>(run: impl FnOnce() -> T) -> (T, Vec<String>) {
    let statements = Statements::default();
    let subscriber = tracing_subscriber::registry().with(statements.clone());
    let done = with_subscriber(subscriber, run);
    let texts = statements.0.lock().unwrap().clone();
    (done, texts)
}

/// Statements for review: one form each, with one name for all temporary tables.
fn shown(statements: &[String]) -> String {
    let options = sqlformat::FormatOptions {
        max_inline_block: 110,
        max_inline_arguments: Some(110),
        max_inline_top_level: Some(110),
        ..sqlformat::FormatOptions::default()
    };
    let mut shown: Vec<String> = Vec::new();
    for statement in statements {
        let text = sqlformat::format(&without_numbers(statement), &sqlformat::QueryParams::None, &options);
        if !shown.contains(&text) {
            shown.push(text);
        }
    }
    let mut text = String::new();
    for statement in shown {
        writeln!(text, "{statement};\n").unwrap();
    }
    text
}

/// The text with the numbers of temporary tables left out.
fn without_numbers(statement: &str) -> String {
    let mut parts = statement.split("metaxy_rows_");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("metaxy_rows");
        text.push_str(part.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    }
    text
}

/// Runs an operation, which has to succeed, and compares its statements with those that are recorded.
#[track_caller]
fn check<T>(name: &str, run: impl FnOnce() -> Result<T, Error>) -> T {
    let (done, statements) = statements(run);
    insta::assert_snapshot!(name, shown(&statements));
    done.unwrap()
}

fn filter(text: &str) -> Vec<Filter> {
    vec![text.parse().unwrap()]
}

/// Two roots, as all graphs of the increments have them.
const ROOTS: &str = "
    [[feature]]\nkey = 'a'\nid_columns = ['id', 'day']\nfields = ['x', 'y']\n
    [[feature]]\nkey = 'b'\nid_columns = ['id', 'day']\nfields = ['z']\n";

fn write_roots(features: &Features<'_>) {
    let a = |id: &str| json!({"id": id, "day": "1", "size": 1, "metaxy_provenance_by_field": {"x": "1", "y": "1"}});
    write(features, "a", &json!([a("1"), a("2")])).unwrap();
    let b = |id: &str| json!({"id": id, "day": "1", "name": "n", "metaxy_provenance_by_field": {"z": "1"}});
    write(features, "b", &json!([b("1"), b("2")])).unwrap();
}

/// Compares and reads what is new and orphaned of a feature that depends on the roots.
#[track_caller]
fn increment(name: &str, feature: &str, store_options: FeatureOptions, options: &ResolveOptions) {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(&[ROOTS, feature].concat());
    let features = store.features(&graph, store_options).unwrap();
    write_roots(&features);
    // Rows of the feature itself, so that there are present ones to compare with.
    let target = key("target");
    let mut first = features.resolve_update(&target, &ResolveOptions::new()).unwrap();
    features.write(&target, first.rows(Change::New).unwrap().into_reader(), &WriteOptions::new()).unwrap();
    check(name, || {
        let mut increment = features.resolve_update(&target, options)?;
        for change in Change::ALL {
            for batch in increment.rows(change)? {
                batch?;
            }
        }
        Ok(())
    });
}

fn target(deps: &str, fields: &str) -> String {
    ["\n[[feature]]\nkey = 'target'\nid_columns = ['id', 'day']\ndeps = [", deps, "]\nfields = [", fields, "]\n"]
        .concat()
}

#[test]
fn an_increment_since_a_mark() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(&[ROOTS, "[[feature]]\nkey = 'target'\nid_columns = ['id', 'day']\ndeps = ['a', 'b']"].concat());
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    write_roots(&features);
    let (target, options) = (key("target"), ResolveOptions::new());
    let mut first = features.resolve_update(&target, &options).unwrap();
    features.write(&target, first.rows(Change::New).unwrap().into_reader(), &WriteOptions::new()).unwrap();
    drop(first);
    let found = features.resolve_update(&target, &options).unwrap();
    check("mark_new_table", || features.mark(&found));
    write_roots(&features);
    let found = check("increment_since_a_mark", || features.resolve_update(&target, &options));
    check("mark", || features.mark(&found));
}

#[test]
fn increments_of_each_lineage() {
    let of_a = "{ key = 't', deps = [{ feature = 'a', fields = ['x'] }] }";
    for (name, lineage) in [
        ("identity", "'1:1'"),
        ("aggregation", "{ type = 'N:1', on = ['id', 'day'] }"),
        ("expansion", "{ type = '1:N', on = ['id', 'day'] }"),
    ] {
        let dep = ["{ feature = 'a', lineage = ", lineage, " }"].concat();
        increment(&["increment_", name].concat(), &target(&dep, of_a), FeatureOptions::new(), &ResolveOptions::new());
    }
    let grouped = "{ feature = 'a', lineage = { type = 'N:1', on = ['id', 'day'] } }";
    let distinct = ResolveOptions::new().distinct(true);
    increment("increment_aggregation_distinct", &target(grouped, of_a), FeatureOptions::new(), &distinct);
}

#[test]
fn increments_of_several_dependencies() {
    let of_both = "{ key = 't', deps = [{ feature = 'a', fields = ['x'] }, { feature = 'b', fields = ['z'] }] }";
    for (name, deps) in [
        ("join", "'a', 'b'"),
        ("optional", "'a', { feature = 'b', optional = true }"),
        ("all_optional", "{ feature = 'a', optional = true }, { feature = 'b', optional = true }"),
        ("renamed", "{ feature = 'a', rename = { size = 'bytes' }, select = ['bytes'], filters = ['bytes > 0'] }, 'b'"),
    ] {
        let name = ["increment_", name].concat();
        increment(&name, &target(deps, of_both), FeatureOptions::new(), &ResolveOptions::new());
    }
}

#[test]
fn increments_with_options() {
    let of_a = "{ key = 't', deps = [{ feature = 'a', fields = ['x', 'y'] }] }";
    let narrowed = ResolveOptions::new()
        .filters(key("a"), filter("size > 0"))
        .global_filters(filter("id != '9'"))
        .stale_if(filter("id = '1'"));
    for (name, store_options, options) in [
        ("filtered", FeatureOptions::new(), narrowed),
        ("without_comparison", FeatureOptions::new(), ResolveOptions::new().skip_comparison(true)),
        ("maps", FeatureOptions::new().maps(true), ResolveOptions::new()),
    ] {
        increment(&["increment_", name].concat(), &target("'a'", of_a), store_options, &options);
    }
}

const ONE: &str = "[[feature]]\nkey = 'a'\nid_columns = ['id']\n";

/// A lake with some rows of one feature, handed to `run`.
fn with_one(options: FeatureOptions, run: impl FnOnce(&Store, &Features<'_>)) {
    let home = TempLake::new();
    let (store, graph) = (home.open(), graph(ONE));
    let features = store.features(&graph, options).unwrap();
    write(&features, "a", &json!([row("1", "1"), row("2", "1")])).unwrap();
    run(&store, &features);
}

fn read(features: &Features<'_>, options: &ReadOptions) -> Result<usize, Error> {
    let mut count = 0;
    for batch in features.read(&key("a"), options)? {
        count += batch?.num_rows();
    }
    Ok(count)
}

#[test]
fn reads_of_each_kind() {
    with_one(FeatureOptions::new(), |_, features| {
        for (name, options) in [
            ("read_latest", ReadOptions::new()),
            ("read_any_version", ReadOptions::new().versions(Versions::Any)),
            ("read_each_version", ReadOptions::new().versions(Versions::Each)),
            ("read_all_rows", ReadOptions::new().all_rows(true).deleted(true)),
            ("read_columns_and_filter", {
                ReadOptions::new()
                    .columns(vec!["id".parse().unwrap()])
                    .filters(filter("id IN ('1', '2') OR id IS NULL"))
            }),
            ("read_at_a_snapshot", ReadOptions::new().at(Snapshot::Number(1))),
        ] {
            check(name, || read(features, &options));
        }
        check("status", || features.status(&key("a"), &ResolveOptions::new()));
        let samples = json!([row("1", "1"), row("3", "1")]);
        check("increment_of_samples", || {
            features.resolve_samples(&key("a"), rows(&samples), &ResolveOptions::new()).map(drop)
        });
    });
}

#[test]
fn writes_of_each_kind() {
    let home = TempLake::new();
    let (store, graph) = (home.open(), graph(ONE));
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    check("push", || features.push(&std::collections::BTreeMap::new()));
    check("history", || store.history(&FeatureOptions::new()));
    check("load_graph", || store.load_graph(&FeatureOptions::new(), None));
    let rows_with = |more: Value| {
        let mut one = row("2", "1");
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([one, row("1", "1")])
    };
    check("write_new_table", || write(&features, "a", &rows_with(json!({}))));
    let wider = rows_with(json!({"size": 1, "metaxy_created_at": "2026-01-01 00:00:00+00"}));
    let adding = WriteOptions::new().add_columns(true);
    check("write_new_column", || features.write(&key("a"), rows(&wider), &adding));
    check("delete_softly", || features.delete(&key("a"), &filter("id = '1'"), Deletion::Soft));
    check("delete_for_good", || features.delete(&key("a"), &filter("id = '2'"), Deletion::Hard));
    check("delete_history", || features.delete_history(&key("a"), &[], Deletion::Hard));
    check("drop_table", || features.drop_table(&key("a")));
}

#[test]
fn rows_of_maps_are_checked_by_their_keys() {
    with_one(FeatureOptions::new().maps(true), |_, features| {
        let reader = || features.read(&key("a"), &ReadOptions::new().columns(vec!["id".parse().unwrap()]));
        reader().unwrap();
        check("write_maps", || write(features, "a", &json!([row("3", "1")])));
    });
}

#[test]
fn a_rebase() {
    let home = TempLake::new();
    let store = home.open();
    let old = graph(
        &[ROOTS, &target("'a'", "{ key = 't', code_version = '1', deps = [{ feature = 'a', fields = ['x'] }] }")]
            .concat(),
    );
    let features = store.features(&old, FeatureOptions::new()).unwrap();
    write_roots(&features);
    let mut first = features.resolve_update(&key("target"), &ResolveOptions::new()).unwrap();
    features.write(&key("target"), first.rows(Change::New).unwrap().into_reader(), &WriteOptions::new()).unwrap();
    let from = features.versions().get(&key("target")).unwrap().feature.as_str().to_owned();

    let new = graph(
        &[ROOTS, &target("'a'", "{ key = 't', code_version = '2', deps = [{ feature = 'a', fields = ['x'] }] }")]
            .concat(),
    );
    let features = store.features(&new, FeatureOptions::new()).unwrap();
    check("rebase", || features.rebase(&key("target"), &from, &RebaseOptions::new()));
}

#[test]
fn a_copy() {
    let home = TempLake::new();
    let lake = |name: &str| {
        let files = [
            ["catalog = { type = \"sqlite\", uri = \"", name, ".sqlite\" }"].concat(),
            ["storage = { type = \"local\", path = \"", name, "\" }"].concat(),
        ];
        store_tables(name, "duckdb", &[], &files.each_ref().map(String::as_str))
    };
    home.write("metaxy.toml", [lake("from"), lake("into")].concat());
    let loaded = home.load().unwrap();
    let graph = graph(ONE);
    let open = |name: &str| OpenOptions::default().open(&loaded.config, name, ducklake_sql::Mode::Write).unwrap();
    let store = open("from");
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    write(&features, "a", &json!([row("1", "1")])).unwrap();
    store.close().unwrap();

    let store =
        OpenOptions::default().secondary("from").open(&loaded.config, "into", ducklake_sql::Mode::Write).unwrap();
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    check("copy_latest", || features.copy("from", [&key("a")], &CopyOptions::new()));
    check("copy_all_rows", || features.copy("from", [&key("a")], &CopyOptions::new().all_rows(true)));
}
