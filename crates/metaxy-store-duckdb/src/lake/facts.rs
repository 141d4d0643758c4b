//! What is known of a lake, for the advice of an error: where its catalog and its storage are, and with which secrets.
//!
//! Everything here is shown to people, so only fields that are no secrets are taken, without credentials in them.

use ducklake_sql::{
    AttachPlan, Catalog, ObjectKind, Parameter, SecretType, Sql, Statement, Storage, TableDatabase, mask_credentials,
};

use crate::engine::cause::Facts;

/// The facts of a store's lake or database; one that is in no configuration has an empty name of the store.
pub(crate) fn facts_of(store: &str, tables: &TableDatabase, plan: &AttachPlan) -> Facts {
    let mut facts = Facts { store: store.to_owned(), ..Facts::default() };
    let lake = match tables {
        TableDatabase::Lake(lake) => lake,
        TableDatabase::DuckDb(database) => {
            facts.catalog = match database.path() {
                Some(path) => path.to_string(),
                None if database.is_in_motherduck() => ["md:", database.alias().as_str()].concat(),
                None => String::new(),
            };
            return facts;
        }
        _ => return facts,
    };
    facts.catalog = match lake.catalog().and_then(Catalog::file) {
        Some(file) => file.to_string(),
        None => match lake.catalog().and_then(Catalog::url) {
            Some(url) => url.as_str().to_owned(),
            None => lake.catalog_kind().as_str().to_owned(),
        },
    };
    lake.data_path().unwrap_or_default().clone_into(&mut facts.data_path);
    if let Some(Catalog::Postgres(postgres)) = lake.catalog() {
        facts.catalog_secret = postgres.secret_name().to_string();
        let schema = lake.metadata_schema().map_or("public", |schema| schema.as_str());
        schema.clone_into(&mut facts.schema);
    }
    if let Some(Storage::Object(storage)) = lake.storage() {
        facts.storage_secret = storage.secret_name().to_string();
        facts.is_azure = storage.kind() == ObjectKind::Azure;
    }
    for statement in plan.statements() {
        let Statement::CreateSecret(secret) = statement else { continue };
        let sql = statement.to_sql();
        let value = |name: &str| option(&sql, name);
        if secret.kind() == SecretType::Postgres {
            add_login(&mut facts, value);
        } else if secret.name().as_str() == facts.storage_secret {
            add_access(&mut facts, value);
        }
    }
    for field in [&mut facts.catalog, &mut facts.data_path] {
        *field = mask_credentials(field).into_owned();
    }
    facts
}

/// Adds where PostgreSQL is and who logs in, from the fields of a secret.
pub(crate) fn add_login(facts: &mut Facts, value: impl Fn(&str) -> String) {
    for (field, keys) in [
        (&mut facts.host, ["host", "hostaddr"]),
        (&mut facts.port, ["port", ""]),
        (&mut facts.database, ["dbname", "database"]),
        (&mut facts.user, ["user", ""]),
        (&mut facts.sslrootcert, ["sslrootcert", ""]),
    ] {
        if let Some(found) = keys.into_iter().map(&value).find(|found| !found.is_empty()) {
            *field = mask_credentials(&found).into_owned();
        }
    }
}

/// Adds where the storage is, from the fields of a secret.
pub(crate) fn add_access(facts: &mut Facts, value: impl Fn(&str) -> String) {
    for (field, key) in
        [(&mut facts.endpoint, "endpoint"), (&mut facts.region, "region"), (&mut facts.url_style, "url_style")]
    {
        let found = value(key);
        if !found.is_empty() {
            *field = mask_credentials(&found).into_owned();
        }
    }
}

/// The value of an option of a secret.
pub(crate) fn option(sql: &Sql, name: &str) -> String {
    let found = sql.names().zip(sql.parameters()).find(|(option, _)| option.eq_ignore_ascii_case(name));
    match found {
        Some((_, Parameter::Text(text))) => text.to_owned(),
        Some((_, Parameter::Integer(number))) => number.to_string(),
        Some((_, Parameter::Boolean(boolean))) => boolean.to_string(),
        None => String::new(),
    }
}
