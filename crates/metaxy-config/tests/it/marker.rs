//! A marker in the place of every string of every table, one at a time, and under keys that nothing knows: it is in no
//! output, unless its key is known to be harmless.

use std::path::Path;

use metaxy_config::{Config, LoadOptions, MemorySystem};
use toml::{Table, Value};

use crate::{cases, leaks};

/// Keys whose values are shown. Every other key, known or not, hides what is under it.
const HARMLESS: &[&str] = &[
    "store",
    "project",
    "theme",
    "entrypoints",
    "metaxy_lock_path",
    "projects",
    "keys",
    "type",
    "database",
    "hash_algorithm",
    "versioning_engine",
    "table_prefix",
    "fallback_stores",
    "extensions",
    "name",
    "repository",
    "memory_limit",
    "temp_directory",
    "alias",
    "metadata_schema",
    "secret_name",
    "host",
    "user",
    "sslmode",
    "endpoint",
    "region",
    "url_style",
    "bucket",
    "prefix",
    "scope",
    "uri",
    "path",
    "data_path",
    "account_name",
    "account_id",
    "provider",
    "passfile",
];

/// The marker inside of what a harmless key may hold.
const HIDDEN_INSIDE: &[&str] = &[
    "postgresql://metaxy:{}@host:5432/lake",
    "https://{}@host",
    "s3://id:{}/x@bucket/lake/",
    "id:{}@host:9000",
    "md:lake?motherduck_token={}",
    "x.sqlite?password={}&mode=ro",
    "https://host/x?X-Amz-Signature={}",
    "host=h password={} port=1",
    "AccountName=a;AccountKey={};x=y",
];

fn fixture(name: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let text = std::fs::read_to_string(path).expect("the fixture is readable");
    text.parse().expect("the fixture is TOML")
}

/// Configurations that have every table between them, and every key of it.
fn fixtures() -> Vec<Table> {
    let free = "
        [stores.free]
        type = 'duckdb'
        [stores.free.config.config]
        http_proxy = 'x'
        custom_user_agent = 'x'
        a_setting_of_tomorrow = 'x'
        [stores.free.config.ducklake]
        catalog = { type = 'sqlite', uri = 'x.sqlite' }
        storage = { type = 's3', secret_name = 's', bucket = 'b', secret_parameters = { tomorrow = 'x', list = ['x'] } }
        attach_options = { meta_encryption_key = 'x', meta_x = 'x', metadata_parameters = { KEY = 'x' } }
        [[stores.free.config.extensions]]
        name = 'x'
        repository = 'x'
        init_sql = ['x']
        [stores.uri.config.ducklake]
        catalog = { type = 'postgres', secret_name = 'p', secret_parameters = { uri = 'x', passfile = '/x' } }
        storage = { type = 'local', path = 'x' }
        [stores.uri]
        type = 'duckdb'
        [stores.cloud]
        type = 'duckdb'
        config.ducklake.catalog = { type = 'motherduck', database = 'x', region = 'x' }
        config.ducklake.storage = { type = 'gcs', secret_name = 'g', data_path = 'gs://b/', key_id = 'x', secret = 'x' }
        [stores.quack]
        type = 'duckdb'
        config.ducklake.catalog = { type = 'quack', secret_name = 'q', host = 'x', token = 'x' }
        config.ducklake.storage = { type = 'azure', secret_name = 'a', data_path = 'az://b/', connection_string = 'x' }
    ";
    vec![fixture("valid/every-field.toml"), free.parse().expect("it is TOML")]
}

/// A step from a table or list into it.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Item(usize),
}

/// Where every string is, and every table.
fn places(value: &Value, path: &[Step], strings: &mut Vec<Vec<Step>>, tables: &mut Vec<Vec<Step>>) {
    let below = |step: Step| [path, &[step]].concat();
    match value {
        Value::String(_) => strings.push(path.to_vec()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &below(Step::Item(index)), strings, tables);
            }
        }
        Value::Table(table) => {
            tables.push(path.to_vec());
            for (key, value) in table {
                places(value, &below(Step::Key(key.clone())), strings, tables);
            }
        }
        _ => {}
    }
}

fn at<'a>(value: &'a mut Value, path: &[Step]) -> &'a mut Value {
    path.iter().fold(value, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::Item(index) => &mut value[*index],
    })
}

fn key(path: &[Step]) -> &str {
    let key = path.iter().rev().find_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None });
    key.unwrap_or_default()
}

/// Loads the configuration with a value at a place; what can be seen of it holds no marker.
fn check(config: &Value, path: &[Step], change: impl FnOnce(&mut Value)) {
    let mut config = config.clone();
    change(at(&mut config, path));
    let text = toml::to_string(&config).expect("it is TOML");
    let system = MemorySystem::new().file("/project/metaxy.toml", text);
    leaks::assert_none_in_output(&Config::load(&system, &LoadOptions::default()));
}

#[test]
fn no_string_of_any_table_is_shown_unless_its_key_is_harmless() {
    let mut checked = 0;
    for config in fixtures() {
        let config = Value::Table(config);
        let (mut strings, mut tables) = (Vec::new(), Vec::new());
        places(&config, &[], &mut strings, &mut tables);
        for path in &strings {
            let is_shown = HARMLESS.contains(&key(path)) || path.contains(&Step::Key("extra_features".to_owned()));
            let plain = ["{}"].into_iter().filter(|_| !is_shown);
            for form in plain.chain(HIDDEN_INSIDE.iter().copied()) {
                let text = form.replace("{}", &[leaks::MARKER, "x"].concat());
                check(&config, path, |value| *value = text.into());
                checked += 1;
            }
        }
        for path in &tables {
            for (key, value) in [("a_key_of_tomorrow", "x"), ("pasword", "x"), ("SECRET", "x")] {
                let text: Value = [leaks::MARKER, value].concat().into();
                let list: Value = vec![text.clone()].into();
                for value in [text, list] {
                    check(&config, path, |table| {
                        table.as_table_mut().expect("it is a table").insert(key.to_owned(), value);
                    });
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 1000, "{checked}");
}

#[test]
fn what_is_harmless_is_shown_since_it_is_the_clue() {
    let text = "
        [stores.dev]
        type = 'duckdb'
        config.ducklake.catalog = { type = 'postgres', secret_name = 'p', host = 'db.example', port = 5433, password = '${PASSWORD:-x}' }
        config.ducklake.storage = { type = 's3', secret_name = 's', bucket = 'videos', region = 'eu-1', use_ssl = 'perhaps' }
    ";
    let loaded = cases::load(&MemorySystem::new().file("/project/metaxy.toml", text)).expect("it loads");
    let shown = loaded.diagnostics.to_string();
    for clue in ["'postgres'", "'db.example'", "port = 5433", "'${PASSWORD:-*}'", "'s3'", "'videos'", "'eu-1'"] {
        assert!(shown.contains(clue), "{clue} is not in\n{shown}");
    }
}
