//! Databases of MotherDuck in the spelling of its own URLs: `md:name?motherduck_token=…`.
//!
//! The name is what is left in the tree; what follows `?` becomes settings of DuckDB, of which the token is a secret.

use ducklake_sql::{Setting, Value as LakeValue};
use metaxy_diagnostics::{Node, Value};

use crate::messages;
use crate::scope::Scope;

/// Parameters of a URL, without the `motherduck_` that some are written with, and that all have as settings.
const PARAMETERS: &[&str] = &["token", "attach_mode", "host", "saas_mode"];

/// Takes URLs of a MotherDuck store apart, and returns the settings that they hold.
pub(crate) fn settings(config: &mut Node, scope: &mut Scope<'_>) -> Vec<Setting> {
    let mut settings = Vec::new();
    if !is_motherduck(config) {
        return settings;
    }
    let Value::Table(table) = &mut config.value else { return settings };
    for entry in &mut table.0 {
        match entry.key.as_str() {
            "database" => take_parameters(&mut entry.node, &mut settings, scope),
            "ducklake" => {
                let Value::Table(lake) = &mut entry.node.value else { continue };
                for catalog in lake.0.iter_mut().filter(|entry| is_catalog(&entry.key)) {
                    let Value::Table(catalog) = &mut catalog.node.value else { continue };
                    let Some(database) = catalog.0.iter_mut().find(|entry| entry.key == "database") else { continue };
                    take_parameters(&mut database.node, &mut settings, scope);
                    if let Value::String(text) = &mut database.node.value
                        && let Some(name) = without_scheme(text)
                    {
                        *text = name.to_owned();
                    }
                }
            }
            _ => {}
        }
    }
    settings
}

fn is_catalog(key: &str) -> bool {
    matches!(key, "catalog" | "metadata_backend")
}

fn is_motherduck(config: &Node) -> bool {
    if let Some(table) = config.as_table().filter(|table| !table.has("ducklake")) {
        let database = table.get("database").map(|node| &node.value);
        return matches!(database, Some(Value::String(text)) if without_scheme(text).is_some());
    }
    let lake = config.as_table().and_then(|table| table.get("ducklake")?.as_table());
    let mut catalogs = lake.into_iter().flat_map(|lake| &lake.0).filter(|entry| is_catalog(&entry.key));
    catalogs.any(|catalog| {
        let kind = catalog.node.as_table().and_then(|table| table.get("type"));
        matches!(kind, Some(Node { value: Value::String(kind), .. }) if kind == "motherduck")
    })
}

pub(crate) fn without_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("md:").or_else(|| text.strip_prefix("motherduck:"))
}

/// Takes what follows `?` off a URL.
fn take_parameters(node: &mut Node, settings: &mut Vec<Setting>, scope: &mut Scope<'_>) {
    let Value::String(text) = &node.value else { return };
    let Some((url, parameters)) = text.split_once('?').filter(|_| without_scheme(text).is_some()) else { return };
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let lower = name.to_ascii_lowercase();
        let known = PARAMETERS.iter().find(|known| **known == lower.strip_prefix("motherduck_").unwrap_or(&lower));
        let setting = known.filter(|_| !value.is_empty()).map(|known| {
            let value = match value.parse::<bool>() {
                Ok(boolean) => LakeValue::Boolean(boolean),
                Err(_) => LakeValue::from(value),
            };
            Setting::new(["motherduck_", known].concat(), value)
        });
        match setting {
            Some(Ok(setting)) if settings.iter().all(|known| known.name() != setting.name()) => settings.push(setting),
            // Written in both places.
            Some(Ok(_)) => {}
            _ => {
                scope.context.report(messages::unknown_motherduck_parameter(node.origin, PARAMETERS));
                scope.context.bad.push(node.origin);
            }
        }
    }
    node.value = Value::String(url.to_owned());
}
