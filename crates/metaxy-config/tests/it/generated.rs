//! The generated files are what the types say, and agree with what is accepted.

use std::collections::BTreeSet;
use std::path::Path;

use metaxy_config::{diagnostics_page, schema_json};

use crate::{archive, cases};

/// The committed form of a generated file.
fn committed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    std::fs::read_to_string(path).expect("the generated file is committed")
}

#[test]
fn the_schema_is_committed() {
    assert!(committed("schema/metaxy.schema.json") == schema_json(), "run `cargo xtask codegen`");
}

#[test]
fn the_reference_page_is_committed() {
    assert!(committed("docs/reference/diagnostics.md") == diagnostics_page(), "run `cargo xtask codegen`");
}

#[test]
fn every_valid_file_fits_the_schema() {
    let schema = serde_json::from_str(&schema_json()).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    insta::glob!("../fixtures", "{valid,lakes}/*.*", |path| {
        for text in archive::metaxy_tomls(path) {
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let table: toml::Table = text.parse().expect("a valid fixture is TOML");
            let json = serde_json::to_value(table).expect("TOML is JSON");
            let errors: Vec<_> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        }
    });
}

#[test]
fn the_schema_refuses_what_the_loader_refuses() {
    let schema = serde_json::from_str(&schema_json()).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    for (wrong, fine) in [
        ("stroe = 'dev'", "store = 'dev'"),
        ("[stores.dev]\nconfig = {}", "[stores.dev]\ntype = 'duckdb'"),
        ("[stores.dev]\ntype = 'duckdb'\nconfig.databse = 'x'", "[stores.dev]\ntype = 'duckdb'\nconfig.database = 'x'"),
        (
            "[stores.dev]\ntype = 'duckdb'\nconfig.ducklake.catalog = { type = 'sqlite', path = 'x' }",
            "[stores.dev]\ntype = 'duckdb'\nconfig.ducklake.catalog = { type = 'sqlite', uri = 'x' }",
        ),
        (
            "[stores.dev]\ntype = 'duckdb'\nconfig.ducklake.attach_options = { api_version = 1 }",
            "[stores.dev]\ntype = 'duckdb'\nconfig.ducklake.attach_options = { BUSY_TIMEOUT = 1, meta_x = 2 }",
        ),
        ("sync = 1.5", "sync = '${SYNC}'"),
        ("hash_truncation_length = 4", "hash_truncation_length = '${LENGTH}'"),
        (
            "[stores.dev]\ntype = 'duckdb'\nconfig.hash_algorithm = 'md4'",
            "[stores.dev]\ntype = 'duckdb'\nconfig.hash_algorithm = '${HASH}'",
        ),
    ] {
        let json = |text: &str| {
            let table: toml::Table = text.parse().expect("it is TOML");
            serde_json::to_value(table).expect("TOML is JSON")
        };
        assert!(!validator.is_valid(&json(wrong)), "accepted: {wrong}");
        assert!(validator.is_valid(&json(fine)), "refused: {fine}");
    }
}

#[test]
fn every_code_is_listed_and_every_listed_code_is_produced() {
    let page = diagnostics_page();
    let listed: BTreeSet<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect();
    let mut produced = BTreeSet::new();
    insta::glob!("../fixtures", "{valid,invalid}/*.*", |path| {
        let system = archive::machine(path);
        let result = cases::load(&system);
        let needs_trust = result.as_ref().map(|loaded| loaded.config.needs_trust().clone()).into_iter();
        let found = [cases::found(&result, &system)].into_iter().chain(needs_trust);
        produced.extend(found.flat_map(|of| of.iter().map(|one| one.code().to_owned()).collect::<Vec<_>>()));
    });
    assert_eq!(produced, listed);
    for code in ducklake_sql::Code::ALL {
        assert!(listed.contains(code.as_str()), "{code} is not on the page");
    }
}
