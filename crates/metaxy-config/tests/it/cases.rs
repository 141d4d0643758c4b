//! One snapshot per fixture: the masked configuration of a valid one, the diagnostics of an invalid one, the plan of a
//! lake.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ducklake_sql::{Mode, Reveal};
use metaxy_config::{Config, Diagnostics, LoadError, LoadOptions, Loaded, Style, System};

use crate::{archive, leaks};

pub(crate) fn load(system: &dyn System) -> Result<Loaded, LoadError> {
    let result = Config::load(system, &LoadOptions::default());
    leaks::assert_none(&result);
    result
}

/// What is wrong with a configuration and with the feature files that it names.
pub(crate) fn found(result: &Result<Loaded, LoadError>, system: &dyn System) -> Diagnostics {
    let loaded = match result {
        Ok(loaded) => loaded,
        Err(error) => return error.check_features(system),
    };
    match loaded.config.feature_graph(system) {
        Ok(_) => loaded.diagnostics.clone(),
        Err(features) => loaded.diagnostics.merge(&features),
    }
}

#[test]
fn valid() {
    insta::glob!("../fixtures/valid", "*.*", |path| {
        let loaded = load(&archive::machine(path)).unwrap_or_else(|error| panic!("{error}"));
        assert!(!loaded.diagnostics.has_errors(), "{}", loaded.diagnostics);
        let shown = format!("{}\n{}", loaded.config.to_toml(), loaded.diagnostics.render(Style::Plain));
        insta::assert_snapshot!(shown.trim_end());
    });
}

#[test]
fn invalid() {
    insta::glob!("../fixtures/invalid", "*.*", |path| {
        let system = archive::machine(path);
        let result = load(&system);
        let usable = match &result {
            Ok(loaded) => {
                let usable: Vec<_> =
                    loaded.config.store_names().filter(|name| loaded.config.store(name).is_ok()).collect();
                format!("loads; usable stores: {usable:?}")
            }
            Err(_) => "does not load".to_owned(),
        };
        let diagnostics = found(&result, &system);
        leaks::assert_none_in(&diagnostics);
        assert!(!diagnostics.is_empty(), "nothing was found");
        insta::assert_snapshot!(format!("{}\n{usable}", diagnostics.render(Style::Plain)));
    });
}

#[test]
fn lakes() {
    insta::glob!("../fixtures/lakes", "*.toml", |path| {
        let loaded = load(&archive::machine(path)).unwrap_or_else(|error| panic!("{error}"));
        let is_chain = path.to_str().is_some_and(|path| path.contains("gcs--chain"));
        let codes: Vec<_> = loaded.diagnostics.iter().map(metaxy_config::Diagnostic::code).collect();
        let expected: &[&str] = if is_chain { &["gcs-credential-chain"] } else { &[] };
        assert_eq!(codes, expected, "{}", loaded.diagnostics);
        let store = loaded.config.default_store().expect("the store is usable");
        let plan = store.plan(Mode::Write);
        let mut shown = format!("# display\n\n{}\n# execute\n\n", plan.display(Reveal::Masked));
        for statement in plan.statements() {
            let sql = statement.to_sql();
            let bound: Vec<_> = sql.names().collect();
            let _ = writeln!(shown, "{}", sql.text());
            if !bound.is_empty() {
                let _ = writeln!(shown, "  <- {}", bound.join(", "));
            }
        }
        let json = serde_json::to_string_pretty(&plan.view(Reveal::Masked)).expect("a view is JSON");
        let _ = write!(shown, "\n# json\n\n{json}");
        insta::assert_snapshot!(shown);
    });
}

#[test]
fn there_is_a_lake_for_each_combination() {
    let mut expected = BTreeSet::from(["motherduck-managed".to_owned()]);
    for storage in ["s3", "r2", "gcs"] {
        expected.insert(format!("motherduck-byob-{storage}"));
    }
    for catalog in ["duckdb", "sqlite", "postgres"] {
        expected.extend(["local", "s3", "r2", "gcs"].map(|storage| format!("{catalog}-{storage}")));
    }
    expected.extend(["quack-local", "quack-azure", "postgres-azure"].map(str::to_owned));
    let mut found = BTreeSet::new();
    insta::glob!("../fixtures/lakes", "*.toml", |path| {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a fixture has a name");
        found.insert(name.split_once("--").expect("catalog-storage--form").0.to_owned());
    });
    assert_eq!(found, expected);
}

#[test]
fn every_secret_field_of_every_fixture_holds_the_marker() {
    const FIELDS: &[&str] = &[
        "password",
        "key_id",
        "secret",
        "session_token",
        "bearer_token",
        "motherduck_token",
        "token",
        "client_secret",
    ];
    insta::glob!("../fixtures", "*/*.*", |path| {
        let text = std::fs::read_to_string(path).expect("a fixture is readable");
        for (number, line) in text.lines().enumerate() {
            for field in FIELDS {
                for (at, _) in line.match_indices(field) {
                    let is_word = !line[..at].ends_with(|char: char| char.is_ascii_alphanumeric() || char == '_');
                    let value = line[at + field.len()..].trim_start().strip_prefix('=').map(str::trim_start);
                    let Some(value) = value.filter(|_| is_word) else { continue };
                    let value = value.trim_start_matches(['"', '\'']);
                    let is_marked = value.starts_with(leaks::MARKER) || value.starts_with("${");
                    let is_none = value.is_empty() || value.starts_with(['[', '}', ',', ' ', ')', '\\']);
                    assert!(is_marked || is_none, "{}:{}: {field}", path.display(), number + 1);
                }
            }
        }
    });
}
