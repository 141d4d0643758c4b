//! How often commands open a lake, as the server of its catalog counts it.

use std::thread;
use std::time::Duration;

use ducklake_sql::Mode;
use metaxy_config::{Config, LoadOptions, OsSystem};
use metaxy_feature::{FeatureDefinition, FeatureGraph};
use metaxy_store_duckdb::{Deletion, FeatureOptions, OpenOptions};
use metaxy_testkit::{Database, Postgres, TempDir, deps};

use crate::run::{Ran, metaxy, run};

const FEATURES: &str = "[[feature]]\nkey = 'a'\nid_columns = ['id']";

const ROWS: &str = r#"{"id": "1", "metaxy_provenance_by_field": {"default": "1"}}"#;

/// Two stores with catalogs on PostgreSQL, configured with feature files in `metaxy.toml` and without in `without.toml`.
struct Home<'s> {
    folder: TempDir,
    stores: [(&'static str, Database<'s>); 2],
}

impl Home<'_> {
    fn new() -> Self {
        let folder = TempDir::new();
        let stores = ["one", "two"].map(|name| (name, Postgres::shared().database()));
        let store = |(name, database): &(&str, Database<'_>)| {
            format!(
                "[stores.{name}]\ntype = 'duckdb'\n\
                 [stores.{name}.config]\nauto_create_tables = true\n[stores.{name}.config.config]\nextension_directory = '{}'\n\
                 [stores.{name}.config.ducklake]\nalias = 'lake'\n\
                 [stores.{name}.config.ducklake.catalog]\ntype = 'postgres'\nsecret_name = 'catalog'\n\
                 host = '{}'\nport = {}\ndatabase = '{}'\nuser = '{}'\npassword = '''{}'''\n\
                 [stores.{name}.config.ducklake.storage]\ntype = 'local'\npath = '{name}'\n",
                deps().extensions().display(),
                database.host(),
                database.port(),
                database.name(),
                database.owner().user,
                database.owner().password,
            )
        };
        let stores_text = stores.each_ref().map(store).concat();
        let begin = "store = 'one'\nproject = 'demo'\n";
        folder.write("metaxy.toml", [begin, "[ext.rust]\nfeatures = ['features.toml']\n", &stores_text].concat());
        folder.write("without.toml", [begin, &stores_text].concat());
        folder.write("features.toml", FEATURES);
        folder.write("rows.jsonl", ROWS);
        Self { folder, stores }
    }

    fn run(&self, line: &str) -> Ran {
        let words: Vec<&str> = line.split(' ').collect();
        run(&mut metaxy(&self.folder, &words), "")
    }

    /// How many connections each store's server has counted so far.
    fn connections(&self) -> [u64; 2] {
        self.stores.each_ref().map(|(_, database)| {
            // One is counted when the server has ended it, which may be after the program that had it.
            let others =
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
            while !database.rows(others).is_empty() {
                thread::sleep(Duration::from_millis(100));
            }
            let count = "SELECT sessions FROM pg_stat_database WHERE datname = current_database()";
            database.rows(count)[0][0].parse().expect("a count")
        })
    }

    /// How many connections to each store's server something needs, and those by which they are counted.
    fn connections_for(&self, act: impl FnOnce()) -> [u64; 2] {
        let before = self.connections();
        act();
        let after = self.connections();
        [after[0] - before[0], after[1] - before[1]]
    }

    fn connections_of(&self, line: &str) -> [u64; 2] {
        self.connections_for(|| _ = self.run(line).done())
    }
}

#[test]
fn no_command_opens_a_lake_twice() {
    let home = Home::new();
    home.run("push").done();
    home.run("push --store two").done();
    home.run("metadata write --feature a rows.jsonl").done();
    // To attach a lake takes one connection, and a query that reads no table of it no more.
    let [once, none] = home.connections_of("sql VALUES(1)");
    assert_eq!(once, none + 1);
    for line in [
        "metadata delete a --filter id='x' --dry-run",
        "metadata read a",
        "metadata status a",
        "metadata increment a --samples rows.jsonl",
        "push",
        "history",
        "metadata read a --config-file without.toml",
        "list features --config-file without.toml",
    ] {
        assert_eq!(home.connections_of(line), [once, none], "{line}");
    }
    // What changes rows takes more, but no more than a program that opens the lake once.
    let program = || {
        let config = Config::load(&OsSystem, &LoadOptions::file(home.folder.join("metaxy.toml"))).expect("it is valid");
        let store = OpenOptions::default().must_exist(true).open(&config.config, "one", Mode::Write).expect("it opens");
        let graph = FeatureDefinition::from_toml(FEATURES, &"demo".parse().expect("a name"));
        let graph = FeatureGraph::new(graph.expect("it is valid")).expect("it is valid");
        let features = store.features(&graph, FeatureOptions::new()).expect("they are valid");
        let filter = "id = 'x'".parse().expect("a filter");
        features.delete(&"a".parse().expect("a key"), &[filter], Deletion::Soft).expect("nothing is in its way");
        store.close().expect("it closes");
    };
    let delete = home.connections_for(program);
    for line in ["metadata delete a --filter id='x'", "metadata delete a --filter id='x' --config-file without.toml"] {
        assert_eq!(home.connections_of(line), delete, "{line}");
    }
    // A copy attaches both lakes, whichever of them has the graph.
    let copy = home.connections_of("metadata copy --from one --to two a");
    assert_eq!(home.connections_of("metadata copy --from one --to two a --config-file without.toml"), copy);
}

#[test]
fn no_lake_is_created_to_copy_features_that_are_not_in_the_graph() {
    let home = Home::new();
    home.run("push").done();
    for file in ["metaxy.toml", "without.toml"] {
        let ran = home.run(&["metadata copy --from one --to two b --config-file ", file].concat());
        assert!(ran.exit != 0 && ran.stderr.contains("the graph does not have `b`"), "{file}: {}", ran.stderr);
        assert_eq!(home.stores[1].1.tables(), Vec::<String>::new(), "{file}");
    }
}

#[test]
fn no_lake_is_created_to_change_rows_of_it() {
    let home = Home::new();
    for line in ["metadata delete a --filter id='x'", "metadata rebase a --from x"] {
        let ran = home.run(line);
        assert!(ran.exit != 0 && ran.stderr.contains("there is no lake"), "{line}: {}", ran.stderr);
        assert_eq!(home.stores[0].1.tables(), Vec::<String>::new(), "{line}");
        assert_eq!(home.folder.files(), ["features.toml", "metaxy.toml", "rows.jsonl", "without.toml"], "{line}");
    }
}
