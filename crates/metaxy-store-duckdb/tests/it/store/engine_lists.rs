//! What `ducklake-sql` lists of the engine is what the engine has.

use ducklake_sql::{SETTINGS, SecretType, SettingType, secret_parameters};

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
             WHEN regexp_full_match(input_type, 'U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?') THEN 'Integer'
             ELSE 'Other'
         END
         FROM duckdb_settings() ORDER BY name",
    );
    let listed: Vec<_> = SETTINGS.iter().map(|(name, kind): &(&str, SettingType)| format!("{name} {kind:?}")).collect();
    assert_eq!(listed, found, "write these into `ducklake-sql/src/engine.rs`");
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
