//! A configuration with its variables: no panic, and a password in it is in no output.
//!
//! The input is a `metaxy.toml`; what follows a line `===` is lines `NAME=value`.

use metaxy_config::ducklake_sql::{Mode, Reveal};
use metaxy_config::{Config, LoadOptions, MemorySystem, Style};

/// A text that no other part of the input has.
const PASSWORD: &str = "kept-7f3a9c-secret";

/// A store whose password it is, behind what is tried.
const STORE: &str = r#"
[stores.with_a_password]
type = "duckdb"
config.ducklake.catalog = { type = "postgres", secret_name = "pg", host = "db", database = "lake", user = "u", password = "kept-7f3a9c-secret" }
config.ducklake.storage = { type = "local", path = "files" }
"#;

/// Tries an input.
pub(crate) fn check(input: &str) {
    if input.contains(PASSWORD) {
        return;
    }
    let (file, variables) = input.split_once("\n===\n").unwrap_or((input, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let system = variables
        .fold(MemorySystem::new().file("/project/metaxy.toml", [file, STORE].concat()), |system, (name, value)| {
            system.var(name, value)
        });
    let output = match Config::load(&system, &LoadOptions::default()) {
        Ok(loaded) => {
            let config = &loaded.config;
            let mut output = [config.to_toml(), loaded.diagnostics.render(Style::Plain)].concat();
            for store in config.store_names().filter_map(|name| config.store(name).ok()) {
                for mode in [Mode::Read, Mode::Write] {
                    output += &store.plan(mode).display(Reveal::Masked).to_string();
                }
            }
            output
        }
        Err(error) => error.diagnostics().render(Style::Plain),
    };
    assert!(!output.contains(PASSWORD), "{output}");
}
