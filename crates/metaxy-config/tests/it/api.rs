//! What callers rely on: predicates, locations, the JSON shapes.

use std::path::Path;

use ducklake_sql::{Mode, Reveal};
use metaxy_config::{Config, Diagnostic, LoadOptions, Location, MemorySystem, Severity};

use crate::{cases, leaks};

const THREE_STORES: &str = "
[stores.dev]
type = 'duckdb'
config.database = ':memory:'
[stores.broken]
type = 'duckdb'
config.databse = 'hunter2-x'
[stores.click]
type = 'metaxy.ext.clickhouse.ClickHouseMetadataStore'
";

fn load(text: &str) -> metaxy_config::Loaded {
    cases::load(&MemorySystem::new().file("/project/metaxy.toml", text)).expect("it loads")
}

#[test]
fn each_store_says_why_it_cannot_be_used() {
    let config = load(THREE_STORES).config;
    assert!(config.store("dev").is_ok() && config.default_store().is_ok());

    let unknown = config.store("prod").expect_err("there is none");
    assert!(unknown.is_unknown() && !unknown.is_unsupported() && unknown.diagnostics().is_none());
    insta::assert_snapshot!(unknown, @"the store `prod` is not configured");
    insta::assert_snapshot!(unknown.help().expect("it helps"), @"known stores: `dev`, `broken`, `click`");

    let unsupported = config.store("click").expect_err("it is Python's");
    assert!(unsupported.is_unsupported());
    assert_eq!(config.store_type("click"), Some("metaxy.ext.clickhouse.ClickHouseMetadataStore"));

    let broken = config.store("broken").expect_err("it has an error");
    let codes: Vec<_> = broken.diagnostics().expect("they are there").iter().map(Diagnostic::code).collect();
    assert_eq!(codes, ["missing-key", "unknown-key"]);

    let none = load("").config.default_store().expect_err("there is none").to_string();
    assert_eq!(none, "no store is configured");
}

#[test]
fn a_diagnostic_says_where() {
    let loaded = load(THREE_STORES);
    let found = loaded.diagnostics.iter().find(|one| one.code() == "unknown-key").expect("it is found");
    assert_eq!(found.severity(), Severity::Error);
    assert_eq!(found.stores().collect::<Vec<_>>(), ["broken"]);
    let Some(Location::File { path, line, column, .. }) = loaded.diagnostics.location(found) else {
        panic!("it is in a file");
    };
    assert_eq!((path.as_path(), line, column), (Path::new("metaxy.toml"), 7, 8));
    let json = loaded.diagnostics.to_json();
    assert_eq!(json["version"], 1);
    insta::assert_snapshot!(format!("{:#}", json["diagnostics"][1]), @r#"
    {
      "code": "unknown-key",
      "severity": "error",
      "message": "unknown key `databse`",
      "help": "did you mean `database`?",
      "file": "metaxy.toml",
      "line": 7,
      "column": 8,
      "variable": null,
      "stores": [
        "broken"
      ]
    }
    "#);
}

/// Many mistakes, in two stores and a feature file.
#[test]
fn all_mistakes_are_told_at_once() {
    let text = r#"
[stores.a]
type = "duckdb"
[stores.a.config]
fallback_stores = ["nosuch"]
ducklake.catalog = { type = "postgres", secret_name = "pg", host = "db:5432", port = 70000, database = "lake", usr = "u" }
ducklake.storage = { type = "s3", secret_name = "s3", bucket = "a..b", region = "eu_west_1", key_id = "x" }
config = { threads = -3 }
[stores.b]
type = "duckdb"
config.ducklake.catalog = { type = "sqlite", uri = "sqlite:b.sqlite" }
config.ducklake.storage = { type = "azur" }
[ext.rust]
features = ["f.toml"]
"#;
    let features = "[[feature]]\nkey = 'a'\nid_columns = ['id']\ndeps = ['nosuch']\n";
    let system = MemorySystem::new().file("/project/metaxy.toml", text).file("/project/f.toml", features);
    let result = Config::load(&system, &LoadOptions::default());
    let found = cases::found(&result, &system);
    let mut codes: Vec<_> = found.iter().map(Diagnostic::code).collect();
    codes.sort_unstable();
    insta::assert_snapshot!(
        codes.join(" "),
        @"half-given-credentials half-given-credentials half-given-credentials invalid-bucket invalid-choice invalid-host invalid-region missing-project out-of-range out-of-range unknown-feature unknown-key unknown-store"
    );
}

#[test]
fn an_explicit_file_that_is_not_there_is_an_error() {
    let error = Config::load(&MemorySystem::new(), &LoadOptions::file("no.toml")).expect_err("it is not there");
    let codes: Vec<_> = error.diagnostics().iter().map(Diagnostic::code).collect();
    assert_eq!(codes, ["config-not-found"]);
}

#[test]
fn what_is_nested_too_deep_is_reported() {
    let deep = 20_000;
    for text in [
        ["ext.x.y = ", &"[".repeat(deep), &"]".repeat(deep)].concat(),
        ["ext.x.y = ", &"{a=".repeat(deep), "1", &"}".repeat(deep)].concat(),
        ["ext.x", &".a".repeat(deep), " = 1"].concat(),
        ["[ext.x", &".a".repeat(deep), "]"].concat(),
    ] {
        let result = cases::load(&MemorySystem::new().file("/project/metaxy.toml", text));
        assert!(result.is_err());
    }
    let variable = ["METAXY_EXT__X", &"__A".repeat(deep)].concat();
    let loaded = cases::load(&MemorySystem::new().var(variable, "1")).expect("it is only a warning");
    assert!(loaded.config.plugins.is_empty() && !loaded.diagnostics.is_empty());
    let json = ["{\"a\": ", &"[".repeat(deep), &"]".repeat(deep), "}"].concat();
    assert!(cases::load(&MemorySystem::new().var("METAXY_EXT", json)).is_err());
}

#[test]
fn a_large_file_of_garbage_is_reported_soon() {
    let text = "= \"hunter2-x\n".repeat(50_000);
    let error = cases::load(&MemorySystem::new().file("/project/metaxy.toml", text)).expect_err("it is garbage");
    assert_eq!(error.diagnostics().iter().count(), 100);
}

#[test]
fn only_an_explicit_reveal_shows_a_secret() {
    let store = "
    [stores.dev]
    type = 'duckdb'
    config.ducklake.catalog = { type = 'sqlite', uri = 'x' }
    config.ducklake.storage = { type = 's3', secret_name = 's', bucket = 'b', key_id = 'hunter2-id', secret = 'hunter2-it''s' }
    "
    .replace("''", "-");
    let loaded = load(&store);
    let plan = loaded.config.store("dev").expect("it is usable").plan(Mode::Write);
    assert!(!plan.display(Reveal::Masked).to_string().contains(leaks::MARKER));
    assert!(plan.display(Reveal::Secrets).to_string().contains("'hunter2-it-s'"));
}

#[test]
fn extensions_that_came_with_the_program_are_found_besides_duckdbs_own() {
    let of_program = MemorySystem::new().with_program_extensions("/opt/o'clock/lib");
    let variable = || of_program.clone().var("METAXY_EXTENSION_DIRECTORY", "/mine");
    let own = "SET GLOBAL extension_directory = '/home/user/.duckdb/extensions';";
    let besides = r"SET GLOBAL extension_directories = '[''/opt/o\''clock/lib'']';";
    for (system, setting, expected) in [
        (of_program.clone(), "", vec![own, besides]),
        (MemorySystem::new(), "", vec![]),
        (variable(), "", vec!["SET GLOBAL extension_directory = '/mine';"]),
        (of_program.clone(), "extension_directory = '/theirs'", vec!["SET GLOBAL extension_directory = '/theirs';"]),
        (of_program.clone(), "home_directory = '/theirs'", vec!["SET GLOBAL home_directory = '/theirs';"]),
    ] {
        let text = format!(
            "[stores.dev]\ntype = 'duckdb'\n[stores.dev.config.config]\n{setting}\n[stores.dev.config.ducklake]\n\
             catalog = {{ type = 'sqlite', uri = 'sqlite:x' }}\nstorage = {{ type = 'local', path = 'y' }}\n"
        );
        let loaded = cases::load(&system.file("/project/metaxy.toml", text)).expect("it is valid");
        let plan =
            loaded.config.store("dev").expect("it is usable").plan(Mode::Read).display(Reveal::Masked).to_string();
        let settings: Vec<_> = plan.lines().filter(|line| line.starts_with("SET ")).collect();
        assert_eq!(settings, expected, "{setting}");
    }
}
