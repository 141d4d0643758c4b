//! Feature files: specifications in TOML.

use toml::de::{DeTable, DeValue};

use crate::{
    Error, FeatureSpec, Json, JsonObject, Number, Result, decode, error,
    error::{Part, Path, Position, Problems, Step},
};

/// Reads the `[[feature]]` tables: each specification, its schema if there is one, and where its key is.
pub(crate) fn parse(text: &str) -> Result<Vec<(FeatureSpec, Option<JsonObject>, Position)>> {
    let document = DeTable::parse(text).map_err(|error| {
        let position = error.span().map(|span| Position::of(text, span.start));
        error::toml_syntax(error.message(), position)
    })?;
    let find = |path: &Path, part| Position::of(text, offset(document.get_ref(), path, part));
    let features = features(document.get_ref()).map_err(|error| error.locate(find))?;
    let located = features.into_iter().enumerate().map(|(index, (spec, schema))| {
        let key = Path::from_iter([Step::from("feature"), Step::from(index), Step::from("key")]);
        (spec, schema, find(&key, Part::Value))
    });
    Ok(located.collect())
}

fn features(document: &DeTable<'_>) -> Result<Vec<(FeatureSpec, Option<JsonObject>)>> {
    let mut problems = Problems::default();
    for key in document.keys().filter(|key| key.get_ref() != "feature") {
        problems.push(error::unknown_key(key.get_ref(), &["feature"]));
    }
    let features = match document.get("feature").map(toml::Spanned::get_ref) {
        None => Some(Vec::new()),
        Some(DeValue::Array(items)) => problems.catch_all(items.iter().enumerate().map(|(index, item)| {
            let feature = json(item.get_ref()).and_then(|json| decode::spec_from_toml(&json));
            feature.map_err(|error| error.under(index).under("feature"))
        })),
        Some(other) => {
            let found = format!("{} {}", article(other), other.type_str());
            problems.push(error::wrong_type("`[[feature]]` tables", &found).under("feature"));
            None
        }
    };
    problems.finish(features)
}

fn article(value: &DeValue<'_>) -> &'static str {
    if let DeValue::Integer(_) | DeValue::Array(_) = value { "an" } else { "a" }
}

fn json(value: &DeValue<'_>) -> Result<Json> {
    Ok(match value {
        DeValue::String(value) => value.as_ref().into(),
        DeValue::Boolean(value) => (*value).into(),
        DeValue::Integer(value) => {
            let integer = i64::from_str_radix(value.as_str(), value.radix());
            integer.map_err(|_| error::toml_no_json("an integer of more than 64 bits"))?.into()
        }
        DeValue::Float(value) => {
            let float = value.as_str().parse().ok().and_then(Number::from_f64);
            Json::Number(float.ok_or_else(|| error::toml_no_json("a float that is not finite"))?)
        }
        DeValue::Datetime(_) => return Err(error::toml_no_json("a date or time").into()),
        DeValue::Array(items) => {
            let mut problems = Problems::default();
            let items = problems.catch_all(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| json(item.get_ref()).map_err(|error: Error| error.under(index))),
            );
            Json::Array(problems.finish(items)?)
        }
        DeValue::Table(table) => {
            let mut problems = Problems::default();
            let entries = problems.catch_all(table.iter().map(|(key, value)| {
                let key: &str = key.get_ref();
                let value = json(value.get_ref()).map_err(|error| error.under(key))?;
                Ok((key.to_owned(), value))
            }));
            Json::Object(problems.finish(entries)?.into_iter().collect())
        }
    })
}

/// The byte where the value at the path starts (or its key), or where the innermost value around it does.
fn offset(document: &DeTable<'_>, path: &Path, part: Part) -> usize {
    let mut offset = 0;
    let mut value = None;
    for step in path.steps() {
        let table = match value {
            None => Some(document),
            Some(value) => DeValue::as_table(value),
        };
        let child = match step {
            Step::Key(key) => table.and_then(|table| table.get_key_value(key.as_str())).map(|(key, value)| {
                let span = if part == Part::Key { key.span() } else { value.span() };
                (span.start, value.get_ref())
            }),
            Step::Index(index) => value
                .and_then(DeValue::as_array)
                .and_then(|items| items.get(*index))
                .map(|item| (item.span().start, item.get_ref())),
        };
        let Some((start, child)) = child else { break };
        (offset, value) = (start, Some(child));
    }
    offset
}
