//! What `ducklake-sql` lists of the engine is what the engine has.

use ducklake_sql::{ENGINE, SETTINGS, SecretType, SettingType, secret_parameters};
use metaxy_testkit::TempDir;

use crate::lake::{raw, raw_texts};

/// The extensions of a lake, but for that of MotherDuck, which needs its service.
const EXTENSIONS: [&str; 7] = ["httpfs", "ducklake", "sqlite_scanner", "postgres_scanner", "azure", "aws", "quack"];

fn engine() -> duckdb::Connection {
    let engine = raw();
    for extension in EXTENSIONS {
        engine.execute_batch(&["LOAD ", extension].concat()).unwrap();
    }
    engine
}

#[test]
fn the_listed_settings_are_those_of_the_engine() {
    let found = raw_texts(
        &engine(),
        "SELECT name || ' ' || CASE
             WHEN input_type = 'BOOLEAN' THEN 'Boolean'
             WHEN input_type IN ('FLOAT', 'DOUBLE') THEN 'Float'
             WHEN regexp_full_match(input_type, 'U(TINY|SMALL|BIG|HUGE)?INT(EGER)?') THEN 'Count'
             WHEN regexp_full_match(input_type, '(TINY|SMALL|BIG|HUGE)?INT(EGER)?') THEN 'Integer'
             ELSE 'Text'
         END
         FROM duckdb_settings() ORDER BY name",
    );
    // What the engine gives the type of a text, or of an integer, and takes not every one for.
    let listed: Vec<_> = SETTINGS
        .iter()
        .map(|setting| {
            let kind = match setting.kind {
                SettingType::Size | SettingType::Choice(_) => SettingType::Text,
                SettingType::Positive => SettingType::Integer,
                kind => kind,
            };
            format!("{} {kind:?}", setting.name)
        })
        .collect();
    assert_eq!(listed, found, "write these into `ducklake-sql/src/settings.rs`");
}

/// Values of which some are right for a type, and some are not.
const VALUES: [&str; 33] = [
    "4GB",
    "4 gb",
    " 1.5GiB ",
    ".5GB",
    "1e3GB",
    "1kilobyte",
    "2 bytes",
    "1t",
    "none",
    "-1",
    "-x",
    "4G",
    "10",
    "1.",
    "1.GB",
    "lots",
    "80%",
    "1XB",
    "1 kibibyte",
    "+4GB",
    "1_000MB",
    "NONE",
    "unlimited",
    "GB",
    "0",
    "1",
    "2.0",
    "-3",
    "1_0",
    "yes",
    "True",
    "up",
    "NaN",
];

#[test]
fn the_engine_refuses_what_a_setting_does_not_take() {
    let engine = engine();
    let set = |name: &str, value: &str| {
        engine.execute_batch(&format!("SET \"{name}\" = '{value}'")).map_err(|error| error.to_string())
    };
    let mut taken = Vec::new();
    for setting in SETTINGS {
        // It takes any text, and says while a file is written that it is no size.
        if setting.name == "s3_uploader_max_filesize" {
            continue;
        }
        let refused = VALUES.iter().filter(|value| !setting.kind.takes(value));
        taken.extend(refused.filter(|value| set(setting.name, value).is_ok()).map(|value| (setting.name, *value)));
    }
    assert_eq!(taken, [("", ""); 0], "the engine takes them");

    // And the other way, for what is more than a type of the engine.
    for value in VALUES.iter().filter(|value| SettingType::Size.takes(value)) {
        assert_eq!(set("checkpoint_threshold", value), Ok(()), "{value}");
    }
    for setting in SETTINGS {
        if let SettingType::Choice(choices) = setting.kind {
            for choice in choices {
                assert_eq!(set(setting.name, choice), Ok(()), "{} {choice}", setting.name);
            }
        }
    }
}

#[test]
fn the_listed_parameters_are_those_of_the_engine() {
    let engine = engine();
    let kinds = [
        (SecretType::Postgres, &["config"][..]),
        (SecretType::Quack, &["config"]),
        (SecretType::S3, &["config", "credential_chain"]),
        (SecretType::R2, &["config", "credential_chain"]),
        (SecretType::Gcs, &["config", "credential_chain"]),
        (SecretType::Azure, &["config", "credential_chain", "service_principal", "access_token", "managed_identity"]),
    ];
    let mut all: Vec<&str> = kinds.iter().flat_map(|(kind, _)| secret_parameters(*kind)).copied().collect();
    all.extend(["dsn", "ssl_mode", "ssl", "servicefile", "account_key", "aws_access_key_id", "nosuch"]);
    for (kind, providers) in kinds {
        let takes = |name: &&str| {
            providers.iter().any(|provider| {
                let kind = kind.as_str();
                let create =
                    format!(r#"CREATE OR REPLACE TEMPORARY SECRET x (TYPE {kind}, PROVIDER {provider}, "{name}" 'x')"#);
                // What is wrong with the value, or that it is given twice, comes later.
                engine
                    .execute_batch(&create)
                    .map_err(|error| error.to_string())
                    .map_or_else(|error| !error.contains("Unknown parameter"), |()| true)
            })
        };
        let mut found: Vec<&str> = all.iter().copied().filter(takes).collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(secret_parameters(kind), found, "{kind:?}");
    }
}

#[test]
fn the_engine_has_the_version_that_is_listed_and_makes_lakes_of_that_format() {
    let engine = raw();
    assert_eq!(raw_texts(&engine, "SELECT library_version FROM pragma_version()"), [["v", ENGINE.duckdb].concat()]);
    let folder = TempDir::new();
    let attach = format!("ATTACH 'ducklake:{}' AS l (DATA_PATH '{}')", folder.join("l"), folder.join("d"));
    engine.execute_batch(&attach).unwrap();
    let format = raw_texts(&engine, "SELECT value FROM ducklake_options('l') WHERE option_name = 'version'");
    assert_eq!(format, [ENGINE.lake_format]);
}
