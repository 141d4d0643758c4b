//! The page of all keys of `metaxy.toml`, made from the JSON schema of the file.

use std::fmt::Write as _;

use serde_json::Value;

/// The page.
pub(super) fn page() -> String {
    let schema: Value = serde_json::from_str(&metaxy_config::schema_json()).unwrap_or_default();
    let mut page = Page { definitions: &schema["$defs"], text: HEADER.to_owned() };
    page.table("", &schema, None);
    page.text
}

const HEADER: &str = "\
# Keys of metaxy.toml

Every number and every boolean may also be a text, so that it can come from a `${VARIABLE}`. A key can be set by a variable as well:
`METAXY_STORES__DEV__CONFIG__DATABASE` is `database` in `[stores.dev.config]`. Names that you choose are in capitals here.
";

struct Page<'a> {
    definitions: &'a Value,
    text: String,
}

impl<'a> Page<'a> {
    /// What a reference refers to, or the schema itself.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/"));
        name.map_or(schema, |name| &self.definitions[name])
    }

    /// Writes the keys of the table at a path, and then those of the tables below it.
    fn table(&mut self, path: &str, schema: &'a Value, kind: Option<&str>) {
        let kinds = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
        for one in kinds {
            self.table(path, one, one["properties"]["type"]["const"].as_str());
        }
        // A store of another type than DuckDB's has other keys, which are not read here.
        let of_condition = schema["then"]["properties"].as_object();
        let keys: Vec<(&String, &'a Value)> = schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key, of_condition.and_then(|keys| keys.get(key)).unwrap_or(value)))
            .collect();
        if !keys.is_empty() {
            let kind = kind.map_or_else(String::new, |kind| format!(" with `type = \"{kind}\"`"));
            let title = if path.is_empty() { "The file itself".to_owned() } else { format!("`[{path}]`{kind}") };
            let about = schema["description"].as_str().filter(|_| !path.is_empty());
            let about = about.map_or_else(String::new, |about| line(about) + "\n\n");
            // Writing to a text cannot fail.
            let _ = write!(self.text, "\n## {title}\n\n{about}| key | type | what it says |\n|---|---|---|\n");
            for (key, value) in &keys {
                let resolved = self.resolved(value);
                let about = value["description"].as_str().or(resolved["description"].as_str()).unwrap_or_default();
                let _ = writeln!(self.text, "| `{key}` | {} | {} |", self.kind_of(value), line(about));
            }
        }
        for (key, value) in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.below(&path, value);
        }
    }

    /// Writes the tables that a value is, or that are in it.
    fn below(&mut self, path: &str, value: &'a Value) {
        let value = self.resolved(value);
        for choice in value["anyOf"].as_array().into_iter().flatten() {
            self.below(path, choice);
        }
        self.table(path, value, None);
        for (place, name) in [("additionalProperties", ".NAME"), ("items", "[]")] {
            if value[place].is_object() {
                self.below(&[path, name].concat(), &value[place]);
            }
        }
    }

    /// The type of a value, as TOML has it.
    fn kind_of(&self, value: &'a Value) -> String {
        let value = self.resolved(value);
        let choices = value["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
        let named = [value].into_iter().chain(choices).find_map(|one| one["enum"].as_array());
        if let Some(named) = named {
            return named.iter().filter_map(Value::as_str).map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ");
        }
        let kind = match &value["type"] {
            // Whatever can be a text can be one.
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "string"),
            kind => kind.as_str(),
        };
        match (kind, &value["const"]) {
            (_, Value::String(only)) => format!("`{only}`"),
            (Some("array"), _) => format!("list: {}", self.kind_of(&value["items"])),
            (Some("object"), _) => "table".to_owned(),
            (Some(kind), _) => kind.to_owned(),
            (None, _) if value["oneOf"].is_array() => "table".to_owned(),
            (None, _) => {
                let mut kinds: Vec<_> = choices.iter().map(|choice| self.kind_of(choice)).collect();
                kinds.dedup();
                if kinds.is_empty() { "any".to_owned() } else { kinds.join(" or ") }
            }
        }
    }
}

/// A description as one line of a table.
fn line(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_schema_is_on_the_page() {
        fn keys(schema: &Value, found: &mut Vec<String>) {
            match schema {
                Value::Object(object) => {
                    found.extend(
                        object
                            .get("properties")
                            .and_then(Value::as_object)
                            .into_iter()
                            .flatten()
                            .map(|(key, _)| key.clone()),
                    );
                    object.values().for_each(|value| keys(value, found));
                }
                Value::Array(list) => list.iter().for_each(|value| keys(value, found)),
                _ => {}
            }
        }
        let schema = serde_json::from_str(&metaxy_config::schema_json()).expect("the schema");
        let mut all = Vec::new();
        keys(&schema, &mut all);
        let page = page();
        assert!(all.len() > 100, "{all:?}");
        for key in all {
            assert!(page.contains(&format!("| `{key}` | ")), "{key}");
        }
        assert!(page.contains("## `[stores.NAME.config.ducklake.catalog]` with `type = \"postgres\"`"), "{page}");
    }
}
