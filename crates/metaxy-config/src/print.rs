//! A configuration as text again: resolved, every secret masked.

use ducklake_sql::{Value as LakeValue, mask_credentials};
use metaxy_feature::{FeatureKey, ProjectName};
use serde_json::{Map, Value as Json, json};

use crate::config::{Config, StoreEntry, StoreState};
use crate::declared;
use crate::store::{Database, DuckDbStore};

impl Config {
    /// The resolved configuration for programs, in the shape that Python Metaxy prints it: that of `metaxy.toml` with every
    /// key, `null` where it has no value. Secrets are `***`; of stores that cannot be used there is only the type.
    ///
    /// ```
    /// use metaxy_config::{Config, LoadOptions, MemorySystem};
    ///
    /// let system = MemorySystem::new().file("/project/metaxy.toml", "project = 'video'");
    /// let json = Config::load(&system, &LoadOptions::default())?.config.to_json();
    /// assert!(json["project"] == "video" && json["store"] == "dev" && json["extend"].is_null());
    /// # Ok::<(), metaxy_config::LoadError>(())
    /// ```
    pub fn to_json(&self) -> Json {
        masked(self.shown())
    }

    /// The resolved configuration as a `metaxy.toml`, secrets as `***`.
    pub fn to_toml(&self) -> String {
        match toml_value(masked(self.shown())) {
            Some(toml::Value::Table(table)) => table.to_string(),
            _ => String::new(),
        }
    }

    fn shown(&self) -> Json {
        let selections = self.extra_features.iter().map(|selection| {
            let projects: Vec<_> = selection.projects.iter().map(ProjectName::as_str).collect();
            let keys: Vec<_> = selection.keys.iter().map(FeatureKey::as_str).collect();
            json!({ "projects": projects, "keys": keys, "all": selection.all })
        });
        let plugins = self.plugins.iter().map(|plugin| {
            let mut table = Map::new();
            table.insert("enable".to_owned(), plugin.enable.into());
            table.extend(plugin.shown.as_object().cloned().unwrap_or_default());
            (plugin.name.clone(), table.into())
        });
        // What a pattern has matched must match itself when it is read again.
        let files = self.feature_files.iter().map(|path| glob::Pattern::escape(&path.to_string_lossy()));
        let files = Some(files.collect::<Vec<_>>()).filter(|files| !files.is_empty());
        let rust = [
            ("features", files.map(Json::from)),
            ("retry", self.retry.shown()),
            ("lake", declared::shown(&self.declared)),
        ];
        let rust: Map<_, _> = rust.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
        let rust = (!rust.is_empty()).then(|| ("rust".to_owned(), Json::Object(rust)));
        let stores = self.stores.iter().map(|entry| (entry.name.clone(), shown_store(entry)));
        json!({
            "store": self.store,
            "stores": stores.collect::<Map<_, _>>(),
            // It was followed.
            "extend": null,
            "entrypoints": self.entrypoints,
            "theme": self.theme,
            "ext": plugins.chain(rust).collect::<Map<_, _>>(),
            "hash_truncation_length": self.hash_truncation_length.length(),
            "enable_map_datatype": self.enable_map_datatype,
            "auto_create_tables": self.auto_create_tables,
            "project": self.project.as_ref().map(ProjectName::as_str),
            "locked": self.locked,
            "sync": self.sync,
            "extra_features": selections.collect::<Vec<_>>(),
            "metaxy_lock_path": self.lock_file.as_ref().map(|path| path.to_string_lossy()),
        })
    }
}

fn shown_store(entry: &StoreEntry) -> Json {
    let config = match &entry.state {
        StoreState::Ready(store) => Some(shown_duckdb(store)),
        StoreState::Other(shown) => Some(shown.clone()),
        StoreState::Broken(_) => None,
    };
    match config {
        Some(config) => json!({ "type": entry.type_name, "config": config }),
        None => json!({ "type": entry.type_name }),
    }
}

fn shown_duckdb(store: &DuckDbStore) -> Json {
    let settings = store.session.settings.iter().map(|setting| {
        let value: &LakeValue = setting.value();
        (setting.name().to_string(), json!(value))
    });
    json!({
        "database": match &store.database {
            Database::Memory => ":memory:".into(),
            Database::File(path) => path.to_string_lossy(),
            Database::MotherDuck(name) => ["md:", name.as_str()].concat().into(),
        },
        "hash_algorithm": store.hash_algorithm.as_str(),
        "versioning_engine": store.versioning_engine.as_str(),
        "table_prefix": store.table_prefix,
        "auto_create_tables": store.auto_create_tables,
        "fallback_stores": store.fallback_stores,
        "config": Some(settings.collect::<Map<_, _>>()).filter(|settings| !settings.is_empty()),
        "extensions": store.session.extensions,
        "ducklake": store.shown_lake,
    })
}

/// The same without the credentials that a text may hold whose key is harmless.
pub(crate) fn masked(json: Json) -> Json {
    match json {
        Json::String(text) => mask_credentials(&text).into(),
        Json::Array(items) => items.into_iter().map(masked).collect(),
        Json::Object(entries) => entries.into_iter().map(|(key, value)| (key, masked(value))).collect(),
        other => other,
    }
}

/// TOML has no null: what is null is left out.
pub(crate) fn toml_value(json: Json) -> Option<toml::Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(boolean) => boolean.into(),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64()?.into(),
        },
        Json::String(text) => text.into(),
        Json::Array(items) => items.into_iter().filter_map(toml_value).collect::<Vec<_>>().into(),
        Json::Object(entries) => {
            let entries = entries.into_iter().filter_map(|(key, value)| Some((key, toml_value(value)?)));
            toml::Value::Table(entries.collect())
        }
    })
}
