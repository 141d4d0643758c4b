//! Stores that are read beside another one: fallbacks, and the sources of copies.

use ducklake_sql::Mode;
use metaxy_config::{Config, LoadOptions, MemorySystem, Trust};
use metaxy_store_duckdb::{
    Change, CopyOptions, Deletion, FeatureOptions, OpenOptions, ReadOptions, ResolveOptions, Store, Versions,
    WriteOptions,
};
use metaxy_testkit::{Database, Login, MARKER, Postgres, TempDir, assert_no_leak, deps};
use serde_json::{Value, json};

use crate::features::common::{collect, graph, key, md5, read_all, read_with, row, write};
use crate::features::increments::{counts, resolve};
use crate::lake::{FOR_TESTS, postgres, texts};

const GRAPH: &str = "[[feature]]\nkey = 'a'\nid_columns = ['id']\n\n\
                     [[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']";

/// A configuration with the stores `dev`, `staging` and `prod`, each on a lake of its own, all with the same alias.
pub(crate) struct Stores {
    home: TempDir,
}

impl Stores {
    pub(crate) fn new() -> Self {
        Self { home: TempDir::new() }
    }

    /// `dev` falls back to `staging`, and that to `prod`, each with `more` in its table.
    pub(crate) fn config(&self, more: [&str; 3]) -> Config {
        let fallbacks = ["fallback_stores = ['staging']", "fallback_stores = ['prod']", ""];
        let stores = ["dev", "staging", "prod"].iter().zip(fallbacks).zip(more).map(|((name, fallbacks), more)| {
            // SQLite and DuckDB files take turns.
            let kind = if *name == "staging" { "duckdb" } else { "sqlite" };
            format!(
                "[stores.{name}]\ntype = 'duckdb'\n[stores.{name}.config]\nhash_algorithm = 'md5'\n\
                 {FOR_TESTS}\n{fallbacks}\n{more}\n\
                 auto_create_tables = true\n[stores.{name}.config.ducklake]\n\
                 catalog = {{ type = '{kind}', uri = '{name}/meta.{kind}' }}\n\
                 storage = {{ type = 'local', path = '{name}/data' }}\n"
            )
        });
        self.load(&stores.collect::<String>())
    }

    pub(crate) fn load(&self, text: &str) -> Config {
        let system = MemorySystem::new()
            .var("METAXY_EXTENSION_DIRECTORY", deps().extensions().to_str().unwrap())
            .file(self.home.join("metaxy.toml"), text);
        Config::load(&system, &LoadOptions::file(self.home.join("metaxy.toml")).trust(Trust::Everything))
            .unwrap()
            .config
    }
}

/// Writes rows into a store, which is made if it is not there.
pub(crate) fn fill(config: &Config, store: &str, feature: &str, rows: &Value) {
    let store = OpenOptions::default().fallback_stores(false).open(config, store, Mode::Write).unwrap();
    let graph = graph(GRAPH);
    write(&store.features(&graph, md5()).unwrap(), feature, rows).unwrap();
    store.close().unwrap();
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[test]
fn what_a_store_lacks_is_read_from_the_first_fallback_that_has_it() {
    let stores = Stores::new();
    let config = stores.config(["", "", ""]);
    fill(&config, "prod", "a", &json!([row("p", "1")]));
    fill(&config, "staging", "b", &json!([row("s", "1")]));
    let store = Store::open(&config, "dev", Mode::Write).unwrap();
    assert_eq!(store.fallback_stores().collect::<Vec<_>>(), ["staging", "prod"]);
    assert_eq!(texts(&store, "SELECT current_database()"), ["ducklake"]);
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();

    assert_eq!(ids(&read_all(&features, "a")), ["p"]);
    // Its own rows are never those of a fallback.
    let mut increment = resolve(&features, "b").unwrap();
    assert_eq!(counts(&increment), [1, 0, 0]);
    let status = features.status(&key("b"), &ResolveOptions::new()).unwrap();
    assert_eq!((status.rows, status.update.unwrap().new), (Some(1), 1));

    // A write makes the own table, and from then on the fallback's one is not looked at.
    let new = increment.rows(Change::New).unwrap().into_reader();
    features.write(&key("b"), new, &WriteOptions::new()).unwrap();
    assert_eq!(ids(&read_all(&features, "b")), ["p"]);
    drop(increment);
    // An own table without rows counts too.
    write(&features, "a", &json!([row("d", "1")])).unwrap();
    features.delete(&key("a"), &[], Deletion::Hard).unwrap();
    assert!(read_all(&features, "a").is_empty());
    store.close().unwrap();

    let prod = Store::open(&config, "prod", Mode::Read).unwrap();
    assert_eq!(texts(&prod, "SELECT table_name FROM duckdb_tables() WHERE database_name = 'ducklake'"), ["a"]);
    assert_eq!(texts(&prod, "SELECT max(snapshot_id) FROM ducklake_snapshots('ducklake')"), ["1"]);
}

#[test]
fn fallbacks_can_be_left_out() {
    let stores = Stores::new();
    let config = stores.config(["", "", ""]);
    fill(&config, "prod", "a", &json!([row("p", "1")]));
    fill(&config, "staging", "b", &json!([row("s", "1")]));
    let graph = graph(GRAPH);
    let store = Store::open(&config, "dev", Mode::Write).unwrap();
    let features = store.features(&graph, md5()).unwrap();
    let own = ReadOptions::new().own_only(true);
    let error = features.read(&key("a"), &own).unwrap_err();
    assert_eq!(error.to_string(), "the feature `a` has no table `a` in the lake");
    let own = ResolveOptions::new().own_only(true);
    assert_eq!(features.resolve_update(&key("b"), &own).unwrap_err().to_string(), error.to_string());
    assert_eq!(features.delete(&key("a"), &[], Deletion::Soft).unwrap_err().to_string(), error.to_string());
    drop(features);
    drop(store);

    let store = OpenOptions::default().fallback_stores(false).open(&config, "dev", Mode::Write).unwrap();
    assert_eq!(store.fallback_stores().count(), 0);
    let features = store.features(&graph, md5()).unwrap();
    assert_eq!(features.read(&key("a"), &ReadOptions::new()).unwrap_err().to_string(), error.to_string());
}

#[test]
fn a_feature_that_no_store_has_is_named_with_the_fallbacks() {
    let stores = Stores::new();
    let config = stores.config(["", "", ""]);
    fill(&config, "prod", "b", &json!([row("p", "1")]));
    fill(&config, "staging", "b", &json!([row("s", "1")]));
    let store = Store::open(&config, "dev", Mode::Write).unwrap();
    let graph = graph(GRAPH);
    let features = store.features(&graph, md5()).unwrap();
    let error = features.read(&key("a"), &ReadOptions::new()).unwrap_err();
    assert_eq!(error.to_string(), "the feature `a` has no table `a` in the lake or its fallbacks");
}

#[test]
fn each_lake_has_its_own_prefix_of_tables() {
    let stores = Stores::new();
    let config = stores.config(["table_prefix = 'd_'", "", "table_prefix = 'p_'"]);
    let graph = graph(GRAPH);
    {
        let prod = Store::open(&config, "prod", Mode::Write).unwrap();
        let features = prod.features(&graph, FeatureOptions::from_config(&config, "prod").unwrap()).unwrap();
        write(&features, "a", &json!([row("p", "1")])).unwrap();
    }
    fill(&config, "staging", "b", &json!([row("s", "1")]));
    let store = Store::open(&config, "dev", Mode::Write).unwrap();
    let features = store.features(&graph, FeatureOptions::from_config(&config, "dev").unwrap()).unwrap();
    assert_eq!(ids(&read_all(&features, "a")), ["p"]);
}

#[test]
fn a_fallback_that_cannot_be_read_is_named_and_nothing_is_made() {
    let stores = Stores::new();
    let config = stores.config(["", "", ""]);
    fill(&config, "staging", "a", &json!([row("s", "1")]));
    let before = stores.home.files();
    let error = Store::open(&config, "dev", Mode::Write).unwrap_err();
    assert!(error.to_string().starts_with("the secondary store `prod` cannot be opened: there is no lake"));
    assert!(error.is_missing_lake() && error.help().is_some());
    assert_eq!(stores.home.files(), before);
}

#[test]
fn a_fallback_that_hashes_in_another_way_is_refused() {
    let stores = Stores::new();
    let other = "[stores.dev]\ntype = 'duckdb'\nconfig = { hash_algorithm = 'md5', fallback_stores = ['prod'], \
                 database = 'dev.duckdb' }\n[stores.prod]\ntype = 'duckdb'\nconfig = { database = 'prod.duckdb' }";
    let error = Store::open(&stores.load(other), "dev", Mode::Write).unwrap_err();
    assert!(error.is_config(), "{error}");
    assert!(error.to_string().contains("this store hashes with `md5`, its fallback `prod` with `xxhash32`"), "{error}");
}

#[test]
fn secrets_of_one_name_do_not_collide_and_do_not_leak() {
    let database = [Postgres::shared().database(), Postgres::shared().database()];
    let stores = Stores::new();
    let store = |name: &str, database: &Database<'_>, password: &str, fallback: &str| {
        format!(
            "[stores.{name}]\ntype = 'duckdb'\n[stores.{name}.config]\nauto_create_tables = true\n\
             hash_algorithm = 'md5'\n{FOR_TESTS}\n{fallback}\n[stores.{name}.config.ducklake]\n\
             catalog = {}\nstorage = {{ type = 'local', path = '{name}' }}\n",
            postgres(database, &Login { password: password.to_owned(), ..database.owner().clone() }, ""),
        )
    };
    let config = |prod: &str| {
        let dev = store("dev", &database[0], &database[0].owner().password, "fallback_stores = ['prod']");
        stores.load(&(dev + &store("prod", &database[1], prod, "")))
    };
    let wrong = config(MARKER);
    let config = config(&database[1].owner().password);
    fill(&config, "prod", "a", &json!([row("p", "1")]));
    let graph = graph(GRAPH);
    let dev = Store::open(&config, "dev", Mode::Write).unwrap();
    assert_eq!(ids(&read_all(&dev.features(&graph, md5()).unwrap(), "a")), ["p"]);
    let refused = dev.connection().execute("DROP TABLE metaxy_beside_prod.a").unwrap_err();
    assert!(refused.to_string().contains("read-only"), "{refused}");
    let other = dev.connection().another().unwrap();
    dev.close().unwrap();
    other.execute("USE memory").unwrap();
    let left =
        "SELECT name FROM duckdb_secrets() UNION ALL SELECT database_name FROM duckdb_databases() WHERE NOT internal";
    assert_eq!(collect(other.query(left).unwrap()), [json!({"name": "memory"})]);

    // The fallback's password is wrong: it is in no error.
    let error = Store::open(&wrong, "dev", Mode::Write).unwrap_err();
    assert!(error.to_string().contains("the secondary store `prod`"), "{error}");
    assert_no_leak(&format!("{error} {error:?}"), "the fallback's password");
}

/// Rows of both features of [`GRAPH`] in `prod`, whose `a` was written in two versions, and has a deletion.
fn with_history(config: &Config) {
    let prod = OpenOptions::default().fallback_stores(false).open(config, "prod", Mode::Write).unwrap();
    let old = graph("[[feature]]\nkey = 'a'\nid_columns = ['id']\nfields = ['old']");
    let old = prod.features(&old, md5()).unwrap();
    let row_of_old = |id: &str, size: i64| json!({"id": id, "size": size, "metaxy_provenance_by_field": {"old": "o"}});
    write(&old, "a", &json!([row_of_old("1", 1), row_of_old("2", 1), row_of_old("3", 1)])).unwrap();
    let graph = graph(GRAPH);
    let features = prod.features(&graph, md5()).unwrap();
    let new = |id: &str, size: i64| json!({"id": id, "size": size, "metaxy_provenance_by_field": {"default": "n"}});
    write(&features, "a", &json!([new("1", 2), new("4", 2), new("5", 2)])).unwrap();
    write(&features, "a", &json!([new("4", 3)])).unwrap();
    features.delete(&key("a"), &["id = '5'".parse().unwrap()], Deletion::Soft).unwrap();
    write(&features, "b", &json!([row("1", "1")])).unwrap();
}

/// What matters of a row: its id, size, and which versions it has.
fn summary(rows: Vec<Value>) -> Vec<String> {
    let one = |row: Value| {
        let fields = row["metaxy_provenance_by_field"].as_object().unwrap();
        let fields: Vec<_> = fields.iter().filter(|(_, of)| !of.is_null()).map(|(field, _)| field.as_str()).collect();
        format!("{} {} {}", row["id"].as_str().unwrap(), row["size"], fields.join(","))
    };
    let mut summary: Vec<String> = rows.into_iter().map(one).collect();
    summary.sort();
    summary
}

#[test]
fn features_are_copied_together_with_their_versions_and_times() {
    let stores = Stores::new();
    let config = stores.config(["", "", ""]);
    with_history(&config);
    let store =
        OpenOptions::default().fallback_stores(false).secondary("prod").open(&config, "dev", Mode::Write).unwrap();
    let graph = graph(&(GRAPH.to_owned() + "\n[[feature]]\nkey = 'c'\nid_columns = ['id']"));
    let features = store.features(&graph, md5()).unwrap();
    let (a, b, c) = (key("a"), key("b"), key("c"));
    let options = CopyOptions::new().materialization_id("copy".to_owned());
    let copied = features.copy("prod", [&a, &b, &c], &options).unwrap();
    assert_eq!(copied.rows, [(a.clone(), 4), (b, 1)].into());
    assert_eq!(copied.missing, [c]);
    // H9: of each id one row, whatever its version.
    let any = ReadOptions::new().versions(Versions::Any);
    assert_eq!(summary(read_with(&features, "a", &any)), ["1 2 default", "2 1 old", "3 1 old", "4 3 default"]);
    assert_eq!(summary(read_all(&features, "a")), ["1 2 default", "4 3 default"]);
    assert_eq!(texts(&store, "SELECT max(snapshot_id) FROM ducklake_snapshots('ducklake')"), ["1"]);
    let same = "SELECT count(*) FROM a AS c JOIN metaxy_beside_prod.a AS p USING (id, metaxy_provenance, \
                metaxy_feature_version, metaxy_project_version, metaxy_data_version, metaxy_created_at) \
                WHERE c.metaxy_updated_at > p.metaxy_updated_at AND c.metaxy_materialization_id = 'copy'";
    assert_eq!(texts(&store, same), ["4"]);
}

#[test]
fn every_version_and_the_whole_history_can_be_copied_too() {
    for (options, rows, each, every) in [
        (CopyOptions::new().versions(Versions::Current), 2, 2, 2),
        (CopyOptions::new().versions(Versions::Any), 4, 4, 4),
        (CopyOptions::new().versions(Versions::Each), 5, 5, 5),
        (CopyOptions::new().all_rows(true), 8, 5, 8),
        (CopyOptions::new().global_filters(vec!["size > 1".parse().unwrap()]), 2, 2, 2),
        (CopyOptions::new().filters(key("a"), vec!["id = '3'".parse().unwrap()]), 1, 1, 1),
    ] {
        let stores = Stores::new();
        let config = stores.config(["", "", ""]);
        with_history(&config);
        let store = OpenOptions::default().fallback_stores(false).secondary("prod").open(&config, "dev", Mode::Write);
        let store = store.unwrap();
        let graph = graph(GRAPH);
        let features = store.features(&graph, md5()).unwrap();
        let copied = features.copy("prod", [&key("a")], &options).unwrap();
        assert_eq!(copied.rows, [(key("a"), rows)].into(), "{options:?}");
        let read = |options: ReadOptions| read_with(&features, "a", &options).len();
        let of_each = ReadOptions::new().versions(Versions::Each);
        assert_eq!(read(of_each), each, "{options:?}");
        let all = ReadOptions::new().versions(Versions::Any).all_rows(true).deleted(true);
        assert_eq!(read(all), every, "{options:?}");
        // What was the latest of an id still is: the row that was deleted stays so.
        let latest = summary(read_all(&features, "a"));
        assert!(latest.iter().all(|row| ["1 2 default", "4 3 default"].contains(&row.as_str())), "{latest:?}");
    }
}

#[test]
fn what_cannot_be_copied_is_refused_and_nothing_is_copied() {
    let by_field = json!({"default": "1"});
    for (own, options, message) in [
        (
            json!([{"id": "x", "size": "big", "metaxy_provenance_by_field": by_field}]),
            CopyOptions::new(),
            "the column `size` is BIGINT, but in the table of `a` it is VARCHAR",
        ),
        (json!([row("x", "1")]), CopyOptions::new(), "the table of `a` has no columns `size`"),
        (
            json!([row("x", "1")]),
            CopyOptions::new().global_filters(vec!["nope = 1".parse().unwrap()]),
            "the filter `nope = 1` names the column `nope`, which the rows of `a` do not have",
        ),
    ] {
        let stores = Stores::new();
        let config = stores.config(["", "", ""]);
        with_history(&config);
        fill(&config, "dev", "a", &own);
        let store = OpenOptions::default().fallback_stores(false).secondary("prod").open(&config, "dev", Mode::Write);
        let store = store.unwrap();
        let graph = graph(GRAPH);
        let features = store.features(&graph, md5()).unwrap();
        let error = features.copy("prod", [&key("b"), &key("a")], &options).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(texts(&store, "SELECT table_name FROM duckdb_tables() WHERE database_name = 'ducklake'"), ["a"]);
        let error = features.copy("staging", [&key("a")], &options).unwrap_err();
        assert_eq!(error.to_string(), "the store `staging` is not attached as a secondary store");
        assert_eq!(error.help().unwrap(), "attached are `prod`");
        // Columns are added only when that is asked for.
        if message.contains("no columns") {
            let adding = CopyOptions::new().add_columns(true);
            assert_eq!(features.copy("prod", [&key("a")], &adding).unwrap().rows[&key("a")], 4);
            assert_eq!(summary(read_all(&features, "a")), ["1 2 default", "4 3 default", "x null default"]);
        }
    }
}
