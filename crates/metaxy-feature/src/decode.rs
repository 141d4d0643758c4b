//! From a JSON value to a [`FeatureSpec`].
//!
//! Feature files take the same way in their own [`Dialect`], which refuses more and has shorthands. Errors carry
//! the path to the value, and independent ones are collected.

use std::str::FromStr;

use crate::{
    Columns, Error, FeatureDep, FeatureKey, FeatureSpec, FieldDep, FieldDeps, FieldKey, FieldSpec, FieldsMapping, Json,
    JsonObject, Lineage, Result,
    error::{Problem, Problems},
    json, messages,
    spec::ALL_FIELDS,
};

/// Whose text is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// Python's JSON: the mapping and the lineage each in a wrapper; unknown keys in there are ignored.
    Json,
    /// A feature file: no wrappers, unknown keys refused everywhere, `all` for Python's long word.
    Toml,
}

/// A value of the document.
#[derive(Clone, Copy)]
struct Node<'a> {
    json: &'a Json,
    dialect: Dialect,
}

/// An object of the document.
#[derive(Clone, Copy)]
struct Table<'a> {
    entries: &'a JsonObject,
    dialect: Dialect,
}

pub(crate) fn spec_from_json(json: &Json) -> Result<FeatureSpec> {
    let table = Node { json, dialect: Dialect::Json }.table()?;
    spec(table, SPEC_KEYS)
}

/// Reads one `[[feature]]` of a feature file: the specification, and the schema's text if there is one.
pub(crate) fn spec_from_toml(json: &Json) -> Result<(FeatureSpec, Option<JsonObject>)> {
    let table = Node { json, dialect: Dialect::Toml }.table()?;
    let known = [SPEC_KEYS, &[SCHEMA]].concat();
    let mut problems = Problems::default();
    let spec = problems.catch(spec(table, &known));
    let schema = problems.catch(table.optional(SCHEMA, |node| {
        let json = Json::parse(node.string()?).map_err(Error::without_positions)?;
        let found = json.type_name();
        json.into_object().ok_or_else(|| messages::wrong_type("a JSON object in a string", found).into())
    }));
    problems.finish(spec.zip(schema))
}

/// The key of what the user attached, which may be anything.
pub(crate) const METADATA: &str = "metadata";

const SCHEMA: &str = "feature_schema";

const SPEC_KEYS: &[&str] = &["key", "id_columns", "deps", "fields", METADATA, "description"];

const DEP_KEYS: &[&str] =
    &["feature", "select", "rename", "fields_mapping", "filters", "sql_filters", "lineage", "optional"];

const MAPPING_KEYS: &[&str] = &["type", "match_suffix", "exclude_fields", "mapping"];

const LINEAGE_KEYS: &[&str] = &["type", "on", "id_generation_pattern"];

const FIELD_KEYS: &[&str] = &["key", "code_version", "deps"];

const FIELD_DEP_KEYS: &[&str] = &["feature", "fields"];

/// Whether a word is a key of a feature or of a table in it.
pub(crate) fn is_key(word: &str) -> bool {
    [SPEC_KEYS, &[SCHEMA], DEP_KEYS, MAPPING_KEYS, LINEAGE_KEYS, FIELD_KEYS, FIELD_DEP_KEYS]
        .iter()
        .any(|keys| keys.contains(&word))
}

fn spec(table: Table<'_>, known: &[&str]) -> Result<FeatureSpec> {
    let mut problems = Problems::default();
    problems.catch(table.only(known));
    let key = problems.catch(table.required("key", feature_key));
    let id_columns = problems.catch(table.required("id_columns", columns));
    let deps = problems.catch(table.optional("deps", |node| node.list(dep)));
    let fields = problems.catch(table.optional("fields", |node| match node.list(field)? {
        fields if fields.is_empty() => Err(messages::no_fields().into()),
        fields => Ok(fields),
    }));
    let metadata = problems.catch(table.optional(METADATA, |node| Ok(node.table()?.entries.clone())));
    let description = problems.catch(table.optional("description", |node| node.nullable(Node::text)));

    let builder = key.zip(id_columns).map(|(key, id_columns)| FeatureSpec::builder(key, id_columns));
    let mut builder = problems.finish(builder)?;
    for dep in deps.flatten().into_iter().flatten() {
        builder = builder.dep(dep);
    }
    for field in fields.flatten().into_iter().flatten() {
        builder = builder.field(field);
    }
    if let Some(description) = description.flatten().flatten() {
        builder = builder.description(description);
    }
    builder.metadata(metadata.flatten().unwrap_or_default()).build()
}

/// A dependency, or just the key of its feature.
fn dep(node: Node<'_>) -> Result<FeatureDep> {
    if !matches!(node.json, Json::Object(_)) {
        return Ok(FeatureDep::new(feature_key(node)?));
    }
    let table = node.table()?;
    let mut problems = Problems::default();
    problems.catch(table.only(DEP_KEYS));
    if table.entries.contains_key("filters") && table.entries.contains_key("sql_filters") {
        problems.push(messages::both_keys("filters", "sql_filters"));
    }
    let filters = if table.entries.contains_key("filters") { "filters" } else { "sql_filters" };

    let feature = problems.catch(table.required("feature", feature_key));
    let select = problems.catch(table.nullable("select", |node| node.list(Node::parse)));
    let rename = problems.catch(table.nullable("rename", |node| node.map(Node::parse)));
    let fields_mapping = problems.catch(table.optional("fields_mapping", fields_mapping));
    let filters = problems.catch(table.nullable(filters, |node| node.list(Node::text)));
    let lineage = problems.catch(table.optional("lineage", lineage));
    let optional = problems.catch(table.optional("optional", Node::boolean));

    problems.finish(feature.map(|feature| FeatureDep {
        select: select.flatten(),
        rename: rename.flatten(),
        fields_mapping: fields_mapping.flatten().unwrap_or_default(),
        filters: filters.flatten(),
        lineage: lineage.flatten().unwrap_or(Lineage::Identity),
        optional: optional.flatten().unwrap_or_default(),
        ..FeatureDep::new(feature)
    }))
}

fn fields_mapping(node: Node<'_>) -> Result<FieldsMapping> {
    match node.dialect {
        Dialect::Json => node.table()?.required("mapping", mapping),
        Dialect::Toml => typed(node, mapping),
    }
}

fn mapping(node: Node<'_>) -> Result<FieldsMapping> {
    const TYPES: [&str; 4] = ["default", "specific", "all", "none"];
    let table = node.table()?;
    let kind = match node.dialect {
        Dialect::Json => table.required("type", Node::string)?,
        Dialect::Toml => table.optional("type", Node::string)?.unwrap_or("default"),
    };
    match kind {
        "default" => {
            table.only_strictly(&["type", "match_suffix", "exclude_fields"])?;
            Ok(FieldsMapping::Default {
                match_suffix: table.optional("match_suffix", Node::boolean)?.unwrap_or_default(),
                exclude_fields: table.optional("exclude_fields", |node| node.list(field_key))?.unwrap_or_default(),
            })
        }
        "specific" => {
            table.only_strictly(&["type", "mapping"])?;
            let upstream = |node: Node<'_>| Ok(node.list(field_key)?.into_iter().collect());
            Ok(FieldsMapping::Specific(table.required("mapping", |node| node.map(upstream))?))
        }
        "all" => table.only_strictly(&["type"]).map(|()| FieldsMapping::All),
        "none" => table.only_strictly(&["type"]).map(|()| FieldsMapping::None),
        other => Err(messages::invalid_choice(other, &TYPES).nested_in("type")),
    }
}

fn lineage(node: Node<'_>) -> Result<Lineage> {
    match node.dialect {
        Dialect::Json => node.table()?.required("relationship", relationship),
        Dialect::Toml => typed(node, relationship),
    }
}

fn relationship(node: Node<'_>) -> Result<Lineage> {
    const TYPES: [&str; 3] = ["1:1", "N:1", "1:N"];
    let table = node.table()?;
    let kind = table.required("type", Node::string)?;
    match kind {
        "1:1" => table.only_strictly(&["type"]).map(|()| Lineage::Identity),
        "N:1" => {
            table.only_strictly(&["type", "on"])?;
            Ok(Lineage::Aggregation { on: table.nullable("on", columns)? })
        }
        "1:N" => {
            table.only_strictly(&["type", "on", "id_generation_pattern"])?;
            Ok(Lineage::Expansion {
                on: table.required("on", columns)?,
                id_generation_pattern: table.nullable("id_generation_pattern", Node::text)?,
            })
        }
        other => Err(messages::invalid_choice(other, &TYPES).nested_in("type")),
    }
}

/// A field, or just its key.
fn field(node: Node<'_>) -> Result<FieldSpec> {
    if let Json::String(_) = node.json {
        return Ok(FieldSpec::new(field_key(node)?));
    }
    let table = node.table()?;
    let mut problems = Problems::default();
    problems.catch(table.only(FIELD_KEYS));
    let key = problems.catch(table.optional("key", field_key));
    let code_version = problems.catch(table.optional("code_version", Node::text));
    let deps = problems.catch(table.optional("deps", field_deps));
    problems.finish(key.map(|key| {
        let field = key.map_or_else(FieldSpec::default, FieldSpec::new);
        FieldSpec {
            code_version: code_version.flatten().unwrap_or(field.code_version),
            deps: deps.flatten().unwrap_or(field.deps),
            key: field.key,
        }
    }))
}

fn field_deps(node: Node<'_>) -> Result<FieldDeps> {
    if let Json::String(_) = node.json {
        return node.all_fields().map(|()| FieldDeps::All);
    }
    node.list(field_dep).map(FieldDeps::Listed)
}

fn field_dep(node: Node<'_>) -> Result<FieldDep> {
    if node.dialect == Dialect::Toml && matches!(node.json, Json::String(_)) {
        return Ok(FieldDep { feature: feature_key(node)?, fields: None });
    }
    let table = node.table()?;
    let mut problems = Problems::default();
    problems.catch(table.only(FIELD_DEP_KEYS));
    let feature = problems.catch(table.required("feature", feature_key));
    let fields = problems.catch(table.optional("fields", |node| match node.json {
        Json::String(_) => node.all_fields().map(|()| None),
        _ => node.list(field_key).map(Some),
    }));
    problems.finish(feature.map(|feature| FieldDep { feature, fields: fields.flatten().flatten() }))
}

/// Reads a table with a `type`; in a feature file the type may stand alone.
fn typed<T>(node: Node<'_>, read: impl Fn(Node<'_>) -> Result<T>) -> Result<T> {
    let Json::String(kind) = node.json else { return read(node) };
    let json = json::object([("type", kind.as_str().into())]);
    read(Node { json: &json, ..node })
}

fn columns(node: Node<'_>) -> Result<Columns> {
    Columns::new(node.list(Node::parse)?)
}

fn feature_key(node: Node<'_>) -> Result<FeatureKey> {
    node.key(|parts| FeatureKey::from_parts(parts))
}

fn field_key(node: Node<'_>) -> Result<FieldKey> {
    node.key(|parts| FieldKey::from_parts(parts))
}

impl<'a> Node<'a> {
    fn expected(self, what: &str) -> Problem {
        messages::wrong_type(what, self.json.type_name())
    }

    fn string(self) -> Result<&'a str> {
        match self.json {
            Json::String(value) => Ok(value),
            _ => Err(self.expected("a string").into()),
        }
    }

    fn text(self) -> Result<String> {
        self.string().map(str::to_owned)
    }

    fn parse<T: FromStr<Err = Error>>(self) -> Result<T> {
        self.string()?.parse()
    }

    fn boolean(self) -> Result<bool> {
        match self.json {
            Json::Bool(value) => Ok(*value),
            _ => Err(self.expected("a boolean").into()),
        }
    }

    fn table(self) -> Result<Table<'a>> {
        match self.json {
            Json::Object(entries) => Ok(Table { entries, dialect: self.dialect }),
            _ => Err(self.expected("a table").into()),
        }
    }

    fn nullable<T>(self, read: impl Fn(Self) -> Result<T>) -> Result<Option<T>> {
        if let Json::Null = self.json { Ok(None) } else { read(self).map(Some) }
    }

    /// Every item of an array, each read by `read`.
    fn list<T>(self, read: impl Fn(Self) -> Result<T>) -> Result<Vec<T>> {
        let Json::Array(items) = self.json else {
            return Err(self.expected("a list").into());
        };
        let mut problems = Problems::default();
        let values = problems.catch_all(
            items
                .iter()
                .enumerate()
                .map(|(index, json)| read(Self { json, ..self }).map_err(|error| error.nested_in(index))),
        );
        problems.finish(values)
    }

    /// Every entry of an object, its key parsed and its value read by `read`.
    fn map<K, V, C>(self, read: impl Fn(Self) -> Result<V>) -> Result<C>
    where
        K: FromStr<Err = Error>,
        C: FromIterator<(K, V)>,
    {
        let mut problems = Problems::default();
        let entries = problems.catch_all(self.table()?.entries.iter().map(|(key, json)| {
            let entry = key.parse().and_then(|parsed| Ok((parsed, read(Self { json, ..self })?)));
            entry.map_err(|error: Error| error.nested_in(key.as_str()))
        }));
        problems.finish(entries.map(C::from_iter))
    }

    /// A key as text, as a list of parts, or (as Metaxy reads it) as such a list under `root` or `parts`.
    fn key<T>(self, from_parts: impl Fn(Vec<&str>) -> Result<T>) -> Result<T> {
        let parts = |json: &'a Json| Self { json, ..self }.list(Node::string);
        let parts = match self.json {
            Json::String(key) => key.split('/').collect(),
            Json::Array(_) => parts(self.json)?,
            Json::Object(entries) => match entries.get("root").or_else(|| entries.get("parts")) {
                Some(json) => parts(json)?,
                None => return Err(messages::missing_key("root").into()),
            },
            _ => return Err(self.expected("a key such as `video/raw`").into()),
        };
        from_parts(parts)
    }

    /// Checks the word that stands for all fields.
    fn all_fields(self) -> Result<()> {
        let words = if self.dialect == Dialect::Toml { &["all", ALL_FIELDS][..] } else { &[ALL_FIELDS] };
        let word = self.string()?;
        if words.contains(&word) { Ok(()) } else { Err(messages::invalid_choice(word, &words[..1]).into()) }
    }
}

impl<'a> Table<'a> {
    /// Refuses keys other than these.
    fn only(self, known: &[&str]) -> Result<()> {
        let mut problems = Problems::default();
        for key in self.entries.keys().filter(|key| !known.contains(&key.as_str())) {
            problems.push(messages::unknown_key(key, known));
        }
        problems.finish(Some(()))
    }

    /// Refuses keys other than these, where only a feature file is that strict.
    fn only_strictly(self, known: &[&str]) -> Result<()> {
        if self.dialect == Dialect::Toml { self.only(known) } else { Ok(()) }
    }

    fn optional<T>(self, key: &str, read: impl Fn(Node<'a>) -> Result<T>) -> Result<Option<T>> {
        let Some(json) = self.entries.get(key) else {
            return Ok(None);
        };
        read(Node { json, dialect: self.dialect }).map(Some).map_err(|error| error.nested_in(key))
    }

    /// Where a missing key and `null` mean the same.
    fn nullable<T>(self, key: &str, read: impl Fn(Node<'a>) -> Result<T>) -> Result<Option<T>> {
        self.optional(key, |node| node.nullable(&read)).map(Option::flatten)
    }

    fn required<T>(self, key: &str, read: impl Fn(Node<'a>) -> Result<T>) -> Result<T> {
        self.optional(key, read)?.ok_or_else(|| messages::missing_key(key).into())
    }
}
