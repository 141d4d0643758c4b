//! Values of a store that cannot be right, or hardly, although their type is: a host with its port, an endpoint with the
//! bucket, a blank from the end of a file, a parameter that DuckDB does not have.
//!
//! What no server, no file and no library takes is an error; what some might take is a warning. No message holds a value.

use std::net::IpAddr;

use ducklake_sql::{KnownSetting, SETTINGS, SecretType, SettingType, secret_parameters};
use metaxy_diagnostics::{Diagnostic, Entry, Node, Severity, Value};

use crate::faults::{Fault, account_fault, bucket_fault, endpoint_fault, host_fault, region_fault, wrong};
use crate::messages;
use crate::scope::Scope;

/// Keys whose values have no blank at an end wherever they are used; elsewhere a name or a password may have one.
const WITHOUT_BLANKS: &[&str] = &[
    "account_id",
    "account_name",
    "bucket",
    "client_id",
    "data_path",
    "endpoint",
    "host",
    "hostaddr",
    "key_id",
    "region",
    "scope",
    "secret",
    "session_token",
    "sslmode",
    "tenant_id",
    "token",
    "url_style",
];

/// Checks all values of a store's configuration.
pub(crate) fn check(config: &Node, scope: &mut Scope<'_>) {
    blanks(config, "", scope);
    let Some(table) = config.as_table() else { return };
    if let Some(settings) = table.get("config") {
        check_settings(settings, table.get("extensions"), scope);
    }
    let Some(lake) = table.get("ducklake").and_then(Node::as_table) else { return };
    for key in ["catalog", "metadata_backend"] {
        if let Some(catalog) = lake.get(key) {
            check_catalog(catalog, scope);
        }
    }
    for key in ["storage", "storage_backend"] {
        if let Some(storage) = lake.get(key) {
            check_storage(storage, scope);
        }
    }
}

fn report(node: &Node, diagnostic: Diagnostic, scope: &mut Scope<'_>) {
    if !scope.context.bad.contains(&node.origin) {
        if diagnostic.severity() == Severity::Error {
            scope.context.bad.push(node.origin);
        }
        scope.context.report(diagnostic);
    }
}

/// Reports what is wrong with a value, which is shown if that can be no secret.
fn report_fault(code: &'static str, what: &str, node: &Node, fault: Option<Fault>, scope: &mut Scope<'_>) {
    if let Some(fault) = fault {
        report(node, messages::fault(code, what, node.origin, &fault), scope);
    }
}

/// The text of a key, where it has one that was not found wrong before.
fn text<'n>(table: &'n Node, key: &str, scope: &Scope<'_>) -> Option<(&'n Node, &'n str)> {
    match table.as_table()?.get(key)? {
        node @ Node { value: Value::String(text), .. } if !scope.context.bad.contains(&node.origin) => {
            // A NUL byte is told of by whoever quotes the value.
            Some((node, text.trim())).filter(|(_, text)| !text.is_empty() && !text.contains('\0'))
        }
        _ => None,
    }
}

/// Texts that begin or end with a blank: most come out of `$(cat file)` or a file of secrets, with the end of its line.
fn blanks(node: &Node, key: &str, scope: &mut Scope<'_>) {
    match &node.value {
        Value::String(text) if text.trim() != text && !text.trim().is_empty() && key != "init_sql" => {
            let is_line_end = text.ends_with(['\n', '\r']);
            let never = WITHOUT_BLANKS.iter().any(|known| known.eq_ignore_ascii_case(key));
            let severity = if never { Severity::Error } else { Severity::Warning };
            let why = if is_line_end { "ends with the end of a line" } else { "begins or ends with a blank" };
            let help = "take it off where the value comes from, as `tr -d '\\r\\n'` does with a file";
            report(
                node,
                messages::fault(messages::BLANKS, "the value", node.origin, &Fault { severity, why, help }),
                scope,
            );
        }
        Value::Array(items) => items.iter().for_each(|item| blanks(item, key, scope)),
        Value::Table(table) => table.0.iter().for_each(|entry| blanks(&entry.node, &entry.key, scope)),
        _ => {}
    }
}

fn check_catalog(catalog: &Node, scope: &mut Scope<'_>) {
    let Some(kind) = catalog.as_table().and_then(|table| table.get("type")) else { return };
    let Value::String(kind) = &kind.value else { return };
    match kind.as_str() {
        "postgres" => {
            let parameters = parameters_of(catalog);
            for table in std::iter::once(catalog).chain(parameters) {
                for key in ["host", "hostname"] {
                    if let Some((node, host)) = text(table, key, scope) {
                        report_fault(messages::INVALID_HOST, "the host", node, host_fault(host), scope);
                    }
                }
                for key in ["database", "dbname"] {
                    if let Some((node, name)) = text(table, key, scope) {
                        let help = "write its name alone; `host`, `port`, `user` and `password` have keys of their own";
                        let fault = if name.contains("://") { wrong("is a URL", help) } else { None };
                        report_fault(messages::INVALID_HOST, "the database", node, fault, scope);
                    }
                }
                port(table, scope);
            }
            if let Some(parameters) = parameters {
                check_libpq(parameters, scope);
                check_values(parameters, SecretType::Postgres, scope);
                check_parameters(parameters, SecretType::Postgres, scope);
            }
        }
        "quack" => {
            if let Some((node, host)) = text(catalog, "host", scope) {
                report_fault(messages::INVALID_HOST, "the host", node, host_fault(host), scope);
            }
            port(catalog, scope);
        }
        "motherduck" => check_region(catalog, scope),
        _ => {}
    }
}

fn parameters_of(table: &Node) -> Option<&Node> {
    table.as_table()?.get("secret_parameters").filter(|parameters| parameters.as_table().is_some())
}

/// A text of ports that libpq takes, one for each host; an integer is checked with its type.
fn port(table: &Node, scope: &mut Scope<'_>) {
    let Some((node, ports)) = text(table, "port", scope) else { return };
    // Whether it is a number at all is the business of its type, but for a list of libpq.
    if ports
        .split(',')
        .any(|port| port.trim().parse::<i64>().is_ok_and(|port| !(1..=i64::from(u16::MAX)).contains(&port)))
    {
        report(node, Diagnostic::out_of_range(&1, &u16::MAX).with_origin(node.origin), scope);
    }
}

/// The values that libpq knows for a keyword.
const LIBPQ_CHOICES: &[(&str, &[&str])] = &[
    ("sslmode", &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]),
    ("gssencmode", &["disable", "prefer", "require"]),
    ("channel_binding", &["disable", "prefer", "require"]),
    ("sslcertmode", &["disable", "allow", "require"]),
    ("sslnegotiation", &["postgres", "direct"]),
    ("load_balance_hosts", &["disable", "random"]),
    ("target_session_attrs", &["any", "read-write", "read-only", "primary", "standby", "prefer-standby"]),
    ("ssl_min_protocol_version", &["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
    ("ssl_max_protocol_version", &["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
    ("keepalives", &["0", "1"]),
    ("sslcompression", &["0", "1"]),
    ("sslsni", &["0", "1"]),
    ("gssdelegation", &["0", "1"]),
];

/// What `require_auth` lists, without a blank; each after a `!`, or none.
const LIBPQ_AUTH: &[&str] = &["password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none"];

/// Keywords of libpq that are numbers.
const LIBPQ_NUMBERS: &[&str] =
    &["connect_timeout", "keepalives_count", "keepalives_idle", "keepalives_interval", "tcp_user_timeout"];

fn check_libpq(parameters: &Node, scope: &mut Scope<'_>) {
    let Some(table) = parameters.as_table() else { return };
    for Entry { key, node, .. } in &table.0 {
        let key = key.to_ascii_lowercase();
        let written = match &node.value {
            Value::String(text) => text.trim().to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Boolean(boolean) => boolean.to_string(),
            _ => continue,
        };
        // An empty value is libpq's default.
        if written.is_empty() || scope.context.bad.contains(&node.origin) {
            continue;
        }
        let choices = LIBPQ_CHOICES.iter().find(|(keyword, _)| *keyword == key);
        if let Some((_, choices)) =
            choices.filter(|(_, choices)| !choices.iter().any(|choice| is_choice(choice, &written)))
        {
            report(node, messages::invalid_choice(node.origin, &written, choices), scope);
        }
        if key == "require_auth" && !is_list_of_methods(&written) {
            report(node, messages::invalid_choice(node.origin, &written, LIBPQ_AUTH), scope);
        }
        if LIBPQ_NUMBERS.contains(&key.as_str()) && written.parse::<i32>().is_err() {
            report(node, Diagnostic::wrong_type("an integer", node.value.kind()).with_origin(node.origin), scope);
        }
        if key == "hostaddr" && written.split(',').any(|address| address.parse::<IpAddr>().is_err()) {
            let help = "write an address as `192.0.2.1` or `2001:db8::1`, or the name in `host`";
            report_fault(messages::INVALID_HOST, "the address", node, wrong("is none", help), scope);
        }
    }
}

fn is_list_of_methods(written: &str) -> bool {
    let is_each = |sign: &str| {
        written.split(',').all(|method| method.strip_prefix(sign).is_some_and(|method| LIBPQ_AUTH.contains(&method)))
    };
    is_each("") || is_each("!")
}

/// libpq compares versions of TLS without regard to case, and everything else with.
fn is_choice(choice: &str, written: &str) -> bool {
    if choice.starts_with("TLS") { choice.eq_ignore_ascii_case(written) } else { choice == written }
}

/// Keywords of other programs, and what DuckDB calls them.
const OTHER_NAMES: &[(SecretType, &str, &str)] = &[
    (SecretType::Postgres, "dsn", "uri"),
    (SecretType::Postgres, "url", "uri"),
    (SecretType::Postgres, "connection_string", "uri"),
    (SecretType::Postgres, "ssl", "sslmode"),
    (SecretType::Postgres, "db", "dbname"),
    (SecretType::Postgres, "timeout", "connect_timeout"),
    (SecretType::S3, "aws_access_key_id", "key_id"),
    (SecretType::S3, "access_key_id", "key_id"),
    (SecretType::S3, "access_key", "key_id"),
    (SecretType::S3, "aws_secret_access_key", "secret"),
    (SecretType::S3, "secret_access_key", "secret"),
    (SecretType::S3, "secret_key", "secret"),
    (SecretType::S3, "aws_session_token", "session_token"),
    (SecretType::S3, "token", "session_token"),
    (SecretType::S3, "endpoint_url", "endpoint"),
    (SecretType::S3, "region_name", "region"),
    (SecretType::S3, "role_arn", "assume_role_arn"),
    (SecretType::S3, "ssl", "use_ssl"),
    (SecretType::Azure, "account_key", "connection_string"),
    (SecretType::Azure, "sas_token", "connection_string"),
    (SecretType::Azure, "account", "account_name"),
];

/// Parameters of storages that are booleans.
const BOOLEANS: &[&str] = &["requester_pays", "url_compatibility_mode", "use_ssl", "verify_ssl"];

/// Values that the parameters of a secret have in DuckDB, in any case.
fn choices(kind: SecretType, key: &str) -> &'static [&'static str] {
    match (kind, key) {
        (SecretType::Postgres | SecretType::Quack, "provider") => &["config"],
        (SecretType::Azure, "provider") => {
            &["config", "credential_chain", "service_principal", "access_token", "managed_identity"]
        }
        (_, "provider") => &["config", "credential_chain"],
        (SecretType::S3 | SecretType::R2 | SecretType::Gcs, "url_style") => &["path", "vhost"],
        (SecretType::S3 | SecretType::R2 | SecretType::Gcs, "validation") => &["exists", "none"],
        _ => &[],
    }
}

/// Values of the parameters of a secret.
fn check_values(parameters: &Node, kind: SecretType, scope: &mut Scope<'_>) {
    let Some(table) = parameters.as_table() else { return };
    for entry in &table.0 {
        let key = entry.key.to_ascii_lowercase();
        let Some((node, written)) = text(parameters, &entry.key, scope) else { continue };
        let choices = choices(kind, &key);
        if !choices.is_empty() && !choices.iter().any(|choice| choice.eq_ignore_ascii_case(written)) {
            report(node, messages::invalid_choice(node.origin, written, choices), scope);
        } else if kind == SecretType::Gcs && key == "provider" && written.eq_ignore_ascii_case("credential_chain") {
            report(node, messages::gcs_credential_chain(node.origin), scope);
        } else if BOOLEANS.contains(&key.as_str()) && !SettingType::Boolean.takes(written) {
            report(node, Diagnostic::wrong_type("a boolean", "a string").with_origin(node.origin), scope);
        }
    }
}

/// The type of the secret that belongs to a catalog or a storage of this `type`.
fn secret_type(kind: &str) -> Option<SecretType> {
    let all =
        [SecretType::Postgres, SecretType::Quack, SecretType::S3, SecretType::R2, SecretType::Gcs, SecretType::Azure];
    all.into_iter().find(|known| known.as_str() == kind)
}

/// The parameter of a secret that a key of its catalog or storage means.
pub(crate) fn parameter(kind: &str, key: &str) -> Option<&'static str> {
    let kind = secret_type(kind)?;
    let key = key.to_ascii_lowercase();
    let known =
        secret_parameters(kind).iter().find(|known| **known == key || known.replace('_', "") == key.replace('_', ""));
    known.copied().or_else(|| other_name(kind, &key))
}

fn other_name(kind: SecretType, key: &str) -> Option<&'static str> {
    let is_of_kind =
        |of: SecretType| of == kind || (of == SecretType::S3 && matches!(kind, SecretType::R2 | SecretType::Gcs));
    OTHER_NAMES.iter().find(|(of, name, _)| is_of_kind(*of) && *name == key).map(|(.., name)| *name)
}

/// Parameters of a secret that DuckDB does not have for its type.
fn check_parameters(parameters: &Node, kind: SecretType, scope: &mut Scope<'_>) {
    let known = secret_parameters(kind);
    let Some(table) = parameters.as_table() else { return };
    for entry in &table.0 {
        let key = entry.key.to_ascii_lowercase();
        // What cannot be a name at all is told of as such.
        let is_word = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if known.contains(&key.as_str()) || !is_word || key.is_empty() || key == "type" {
            continue;
        }
        let other = other_name(kind, &key);
        scope.context.report(messages::unknown_parameter(entry.key_origin, &entry.key, other, known));
    }
}

/// Whether a bucket of S3 in upper case can be reached: on another server than Amazon's, or in the one way that is left there.
fn may_be_in_upper_case(storage: &Node, scope: &Scope<'_>) -> bool {
    let has = |key: &str| {
        let parameters = storage.find("secret_parameters");
        storage.as_table().is_some_and(|table| table.get(key).is_some())
            || parameters.as_table().is_some_and(|table| table.get(key).is_some())
    };
    // A secret that is only named knows its server itself.
    if has("endpoint") || !(has("key_id") || has("provider")) {
        return true;
    }
    let is = |key: &str, wanted: &str, unless_given: bool| match text(storage, key, scope) {
        Some((_, found)) => found == wanted,
        None => unless_given && !has(key),
    };
    is("url_style", "path", false) && is("region", "us-east-1", true)
}

fn check_storage(storage: &Node, scope: &mut Scope<'_>) {
    let Some(kind) = storage.as_table().and_then(|table| table.get("type")) else { return };
    let Value::String(kind) = &kind.value else { return };
    let Some(kind) = secret_type(kind) else { return };
    let may_be_in_upper_case = may_be_in_upper_case(storage, scope);
    let check_bucket = |node, name: &str, scope: &mut Scope<'_>| {
        let fault = bucket_fault(kind, name, may_be_in_upper_case);
        report_fault(messages::INVALID_BUCKET, "the bucket", node, fault, scope);
    };
    let mut bucket = None;
    if let Some((node, name)) = text(storage, "bucket", scope) {
        check_bucket(node, name, scope);
        bucket = Some(name.to_owned());
    }
    for key in ["data_path", "scope"] {
        let Some((node, location)) = text(storage, key, scope) else { continue };
        let Some((_, rest)) = location.split_once("://") else { continue };
        let name = rest.split('/').next().unwrap_or_default();
        // Other characters are told of with the location.
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            check_bucket(node, name, scope);
        }
        bucket = bucket.or_else(|| Some(name.to_owned()));
    }
    let parameters = parameters_of(storage);
    if kind != SecretType::Azure {
        if let Some((node, endpoint)) = text(storage, "endpoint", scope) {
            // The field takes a scheme, and sets `use_ssl` by it.
            let host =
                endpoint.split_once("://").filter(|(scheme, _)| is_http(scheme)).map_or(endpoint, |(_, host)| host);
            report_fault(
                messages::INVALID_ENDPOINT,
                "the endpoint",
                node,
                endpoint_fault(host, bucket.as_deref()),
                scope,
            );
        }
        if let Some((node, endpoint)) = parameters.and_then(|parameters| text(parameters, "endpoint", scope)) {
            let fault = bare_endpoint_fault(endpoint, bucket.as_deref());
            report_fault(messages::INVALID_ENDPOINT, "the endpoint", node, fault, scope);
        }
    }
    if let Some((node, account)) = text(storage, "account_name", scope) {
        report_fault(messages::INVALID_HOST, "the account's name", node, account_fault(account), scope);
    }
    for table in std::iter::once(storage).chain(parameters) {
        check_region(table, scope);
    }
    if let Some(parameters) = parameters {
        check_values(parameters, kind, scope);
        check_parameters(parameters, kind, scope);
    }
}

fn is_http(scheme: &str) -> bool {
    ["http", "https"].iter().any(|http| http.eq_ignore_ascii_case(scheme))
}

fn check_region(table: &Node, scope: &mut Scope<'_>) {
    if let Some((node, region)) = text(table, "region", scope) {
        report_fault(messages::INVALID_REGION, "the region", node, region_fault(region), scope);
    }
}

/// Extensions whose settings are known, besides those that have none.
const KNOWN_EXTENSIONS: &[&str] = &[
    "aws",
    "azure",
    "core_functions",
    "ducklake",
    "httpfs",
    "icu",
    "json",
    "parquet",
    "postgres",
    "postgres_scanner",
    "quack",
    "sqlite",
    "sqlite3",
    "sqlite_scanner",
    "motherduck",
    "md",
    "http",
    "https",
    "s3",
    "spatial",
    "fts",
    "vss",
    "excel",
    "tpch",
    "tpcds",
    "inet",
];

fn check_settings(settings: &Node, extensions: Option<&Node>, scope: &mut Scope<'_>) {
    let Some(table) = settings.as_table() else { return };
    let extensions = match extensions.map(|extensions| &extensions.value) {
        Some(Value::Array(extensions)) => extensions.as_slice(),
        _ => &[],
    };
    let has_others = !extensions.iter().all(|extension| {
        let name = extension.as_table().and_then(|table| table.get("name")).unwrap_or(extension);
        matches!(&name.value, Value::String(name) if KNOWN_EXTENSIONS.contains(&name.to_ascii_lowercase().as_str()))
    });
    let names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    for entry in &table.0 {
        let key = entry.key.to_ascii_lowercase();
        let is_word = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match KnownSetting::find(&key) {
            Some(known) => {
                check_setting(entry, known.kind, scope);
                check_location(settings, &entry.key, scope);
            }
            // MotherDuck's extension cannot be asked without its service.
            None if !is_word || key.is_empty() || key.starts_with("motherduck_") => {}
            None => scope.context.report(messages::unknown_setting(entry.key_origin, &entry.key, &names, has_others)),
        }
    }
}

fn check_setting(entry: &Entry, kind: SettingType, scope: &mut Scope<'_>) {
    let node = &entry.node;
    let written = match &node.value {
        Value::String(text) => text.trim().to_owned(),
        // DuckDB makes a boolean of any number.
        Value::Integer(number) if kind != SettingType::Boolean => number.to_string(),
        Value::Float(number) if kind != SettingType::Boolean => number.to_string(),
        _ => return,
    };
    if written.is_empty() || kind.takes(&written) {
        return;
    }
    match kind {
        SettingType::Choice(choices) => report(node, messages::invalid_choice(node.origin, &written, choices), scope),
        _ => report(node, messages::invalid_setting(node, kind, written.parse::<f64>().is_ok()), scope),
    }
}

/// Settings that say where a storage is, as its own fields do.
fn check_location(settings: &Node, key: &str, scope: &mut Scope<'_>) {
    let Some((node, written)) = text(settings, key, scope) else { return };
    let (code, what, fault) = match key.to_ascii_lowercase().as_str() {
        "s3_endpoint" => (messages::INVALID_ENDPOINT, "the endpoint", bare_endpoint_fault(written, None)),
        "s3_region" => (messages::INVALID_REGION, "the region", region_fault(written)),
        "azure_account_name" => (messages::INVALID_HOST, "the account's name", account_fault(written)),
        _ => return,
    };
    report_fault(code, what, node, fault, scope);
}

/// What no endpoint is that goes to DuckDB as it is.
fn bare_endpoint_fault(endpoint: &str, bucket: Option<&str>) -> Option<Fault> {
    if endpoint.contains("://") {
        let help = "write `host:port`, and `use_ssl = false` for HTTP";
        return wrong("has a scheme, which DuckDB takes for a part of the host", help);
    }
    endpoint_fault(endpoint, bucket)
}
