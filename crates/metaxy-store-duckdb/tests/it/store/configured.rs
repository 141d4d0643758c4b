//! Stores opened by a configuration file.

use ducklake_sql::Mode;
use metaxy_config::{Config, LoadOptions, Loaded, OsSystem};
use metaxy_feature::{FeatureDefinition, FeatureGraph};
use metaxy_store_duckdb::{Error, GraphSource, OpenOptions, Project, ProjectOptions, Store};

use crate::lake::{TempLake, raw, raw_texts, texts};

fn load(home: &TempLake, text: &str) -> Loaded {
    std::fs::write(home.path_of("metaxy.toml"), text).unwrap();
    Config::load(&OsSystem, &LoadOptions::file(home.path_of("metaxy.toml"))).unwrap()
}

const TWO_STORES: &str = r#"
[stores.dev]
type = "metaxy.ext.duckdb.DuckDBMetadataStore"
[stores.dev.config]
database = ":memory:"
[stores.dev.config.ducklake]
catalog = { type = "sqlite", uri = "sqlite:dev/meta.sqlite" }
storage = { type = "local", path = "data" }

[stores.prod]
type = "duckdb"
[stores.prod.config]
database = ":memory:"
config = { threads = 2 }
[stores.prod.config.ducklake]
catalog = { type = "duckdb", uri = "prod/meta.ducklake" }
storage = { type = "local", path = "DATA" }
"#;

#[test]
fn relative_paths_are_below_the_file() {
    let home = TempLake::new();
    let config = load(&home, &TWO_STORES.replace("DATA", "other")).config;
    for (name, kind) in [("dev", "sqlite"), ("prod", "duckdb")] {
        let store = Store::open(&config, name, Mode::Write).unwrap();
        store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(100)").unwrap();
        assert_eq!(texts(&store, "SELECT catalog_type FROM ducklake_settings('ducklake')"), [kind]);
        store.close().unwrap();
    }
    for file in ["dev/meta.sqlite", "prod/meta.ducklake", "data/main/t", "other/main/t"] {
        assert!(home.path_of(file).exists(), "{file} of {:?}", home.files());
    }
}

#[test]
fn a_project_has_the_graph_that_was_pushed_to_its_store_or_to_another() {
    let home = TempLake::new();
    let config = load(&home, &TWO_STORES.replace("DATA", "other")).config;
    let text = "[[feature]]\nkey = 'a'\nid_columns = ['id']";
    let graph = FeatureGraph::new(FeatureDefinition::from_toml(text, &"demo".parse().unwrap()).unwrap()).unwrap();
    let given = ProjectOptions::new(Mode::Write).graph(GraphSource::Given(graph));
    let project = Project::open(&config, "dev", given).unwrap();
    let version = project.features().unwrap().push(&[].into()).unwrap().project_version;
    project.close().unwrap();

    for source in [GraphSource::Pushed, GraphSource::Snapshot(version)] {
        let project = Project::open(&config, "dev", ProjectOptions::new(Mode::Read).graph(source)).unwrap();
        assert_eq!((project.name(), project.graph().iter().count()), ("dev", 1));
        project.close().unwrap();
    }
    let unknown = ProjectOptions::new(Mode::Read).graph(GraphSource::Snapshot("x".to_owned()));
    assert!(Project::open(&config, "dev", unknown).unwrap_err().is_missing_graph());

    let open = OpenOptions::default().secondary("dev");
    let other = ProjectOptions::new(Mode::Write).open_options(open).graph(GraphSource::PushedTo("dev".to_owned()));
    // What a check refuses creates no lake.
    let refused = Project::open_checked(&config, "prod", other.clone(), |graph| {
        assert_eq!(graph.iter().count(), 1);
        Err::<(), _>(Box::<dyn std::error::Error>::from("refused"))
    });
    assert_eq!(refused.unwrap_err().to_string(), "refused");
    assert!(!home.path_of("prod").exists(), "{:?}", home.files());
    Project::open(&config, "prod", other).unwrap().close().unwrap();
    let own: Result<_, Error> = Project::open(&config, "prod", ProjectOptions::new(Mode::Read));
    assert!(own.unwrap_err().is_missing_graph());
}

#[test]
fn what_cannot_be_opened_says_why() {
    let home = TempLake::new();
    let other = "[stores.other]\ntype = 'metaxy.ext.lancedb.LanceDBMetadataStore'\nconfig.uri = 'rows'";
    let config = load(&home, other).config;
    for (name, says) in [("other", "cannot be opened here"), ("unknown", "not configured")] {
        let error = Store::open(&config, name, Mode::Read).unwrap_err();
        assert!(error.to_string().contains(says) && error.is_config(), "{error}");
    }
}

#[test]
fn two_lakes_on_one_data_path() {
    for nested in ["data", "data/inner"] {
        let home = TempLake::new();
        let connection = raw();
        for (alias, data) in [("one", "data"), ("two", nested)] {
            let (catalog, data) = (home.join(&[alias, ".sqlite"].concat()), home.join(data));
            connection
                .execute_batch(&format!(
                    "ATTACH 'ducklake:sqlite:{catalog}' AS {alias} (DATA_PATH '{data}');
                     CREATE TABLE {alias}.main.t AS SELECT range AS i FROM range(100)"
                ))
                .unwrap();
        }
        let orphans = "SELECT path FROM ducklake_delete_orphaned_files('one', dry_run => true, cleanup_all => true)";
        assert_eq!(raw_texts(&connection, orphans).len(), 1, "{nested}: a live file of the other lake");

        let config = load(&home, &TWO_STORES.replace("DATA", nested)).config;
        for name in ["dev", "prod"] {
            let error = Store::open(&config, name, Mode::Write).unwrap_err();
            let found = error.diagnostics().and_then(|error| error.diagnostics()).unwrap();
            assert!(found.iter().any(|one| one.code() == "overlapping-data-paths"), "{error}");
        }
    }
}
