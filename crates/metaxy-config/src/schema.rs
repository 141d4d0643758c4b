//! The JSON schema of `metaxy.toml`, generated from the `Options` types.
//!
//! A number or a boolean may always be a text as well, since `${VAR}` is one until it is expanded.

use ducklake_sql::{
    AzureSpec, Field, FieldKind, GcsSpec, LAKE_OPTIONS, LakeOptionKind, MotherDuckSpec, PostgresSpec, QuackSpec,
    R2Spec, S3Spec, Spec,
};
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value as Json, json};

use crate::options::{DuckDbOptions, FileCatalogOptions, LocalOptions, Options, RustOptions};

/// The JSON schema of `metaxy.toml`, for editors and other programs.
///
/// `schema/metaxy.schema.json` is this text; a test compares them.
pub fn schema_json() -> String {
    let mut schema =
        schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Options>();
    OrText.transform(&mut schema);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// Lets every number and boolean be a text.
#[derive(Clone)]
struct OrText;

impl Transform for OrText {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut()
            && let Some(Json::Array(choices)) = object.get_mut("anyOf")
        {
            // An optional field of another type is a choice with null; TOML has no null.
            choices.retain(|choice| choice != &json!({ "type": "null" }));
            if let [Json::Object(only)] = choices.as_mut_slice() {
                let only = std::mem::take(only);
                object.remove("anyOf");
                object.extend(only);
            }
        }
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        object.remove("format");
        let Some(kind) = object.get_mut("type") else { return };
        let mut kinds: Vec<Json> = match kind {
            Json::String(kind) => vec![kind.as_str().into()],
            Json::Array(kinds) => std::mem::take(kinds),
            _ => return,
        };
        kinds.retain(|kind| kind != "null");
        let of_text = |kind: &Json| matches!(kind.as_str(), Some("integer" | "number" | "boolean"));
        if kinds.iter().any(of_text) && !kinds.iter().any(|kind| kind == "string") {
            kinds.push("string".into());
        }
        *kind = if let [kind] = kinds.as_slice() { kind.clone() } else { kinds.into() };
    }
}

/// Implements [`JsonSchema`] for a type that exists only to be one.
macro_rules! schemas {
    ($($(#[doc = $doc:literal])* $type:ident = |$generator:ident| $schema:expr;)+) => {$(
        $(#[doc = $doc])*
        pub(crate) struct $type;

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                let mut schema: Schema = $schema;
                schema.insert("description".to_owned(), json!(concat!($($doc),*).trim()));
                schema
            }
        }
    )+};
}

schemas! {
    /// A string, a number or a boolean.
    Scalar = |_generator| json_schema!({ "type": ["string", "number", "boolean"] });
    /// Names with values of any type.
    Anything = |_generator| json_schema!({ "type": "object" });
    /// A plugin of Python Metaxy; what else is in it is the plugin's.
    Plugin = |_generator| json_schema!({
        "type": "object",
        "properties": { "enable": { "type": "boolean", "description": "Whether it is used." } },
    });
    /// Plugins by their names.
    Plugins = |generator| json_schema!({
        "type": "object",
        "properties": { "rust": generator.subschema_for::<RustOptions>() },
        "additionalProperties": generator.subschema_for::<Plugin>(),
    });
    /// A hash that DuckDB stores have.
    HashAlgorithm = |_generator| choices(crate::HashAlgorithm::ALL.iter().map(|it| it.as_str()));
    /// Where Python Metaxy computes versions.
    VersioningEngine = |_generator| choices(crate::VersioningEngine::ALL.iter().map(|it| it.as_str()));
    /// Further options of `ATTACH`.
    AttachOptions = |_generator| attach_options();
    /// The database that holds the metadata.
    Catalog = |generator| one_of([
        ("duckdb", FileCatalogOptions::json_schema(generator)),
        ("sqlite", FileCatalogOptions::json_schema(generator)),
        ("postgres", table::<PostgresSpec>("A catalog in PostgreSQL: a login, or only `secret_parameters`, or the name of an existing secret.", generator)),
        ("quack", table::<QuackSpec>("A catalog that a Quack server shares.", generator)),
        ("motherduck", table::<MotherDuckSpec>("A catalog that MotherDuck keeps.", generator)),
    ]);
    /// Where the data files are.
    Storage = |generator| one_of([
        ("local", LocalOptions::json_schema(generator)),
        ("s3", table::<S3Spec>("Amazon S3, or whatever speaks its protocol.", generator)),
        ("r2", table::<R2Spec>("Cloudflare R2.", generator)),
        ("gcs", table::<GcsSpec>("Google Cloud Storage, with HMAC keys.", generator)),
        ("azure", table::<AzureSpec>("Azure Blob Storage.", generator)),
    ]);
    /// What of a lake follows its declaration.
    Manage = |_generator| choices(ducklake_sql::Manage::ALL.iter().map(|it| it.as_str()));
    /// Options that DuckLake keeps in a lake's catalog.
    LakeOptions = |_generator| lake_options();
    /// A store: its type, and a configuration of that type.
    Store = |generator| {
        let duckdb = generator.subschema_for::<DuckDbOptions>();
        json_schema!({
            "type": "object",
            "additionalProperties": false,
            "required": ["type"],
            "properties": {
                "type": {
                    "type": "string",
                    "description": "`duckdb`, or where Python Metaxy has the class.",
                    "examples": ["duckdb", "metaxy.ext.duckdb.DuckDBMetadataStore"],
                },
                "config": { "type": "object" },
            },
            "if": { "properties": { "type": { "pattern": "^duckdb$|DuckDBMetadataStore$" } } },
            "then": { "properties": { "config": duckdb } },
        })
    };
}

/// The schema of a table without its type.
fn table<S: Spec>(meaning: &str, generator: &mut SchemaGenerator) -> Schema {
    let properties: Map<_, _> =
        S::FIELDS.iter().map(|field| (field.name.to_owned(), property(field, generator).into())).collect();
    json_schema!({
        "description": meaning,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn property(field: &Field, generator: &mut SchemaGenerator) -> Schema {
    let of_kind = match field.kind {
        FieldKind::Port => json_schema!({ "type": "integer", "maximum": u16::MAX, "minimum": 1 }),
        FieldKind::Boolean => json_schema!({ "type": "boolean" }),
        FieldKind::Parameters => generator.subschema_for::<Anything>(),
        _ if !field.choices.is_empty() => choices(field.choices.iter().copied()),
        _ => json_schema!({ "type": "string" }),
    };
    let mut schema = json_schema!({ "description": field.meaning });
    if let (Some(all), Json::Object(of_kind)) = (schema.as_object_mut(), of_kind.to_value()) {
        all.extend(of_kind);
    }
    schema
}

/// Names that exist; or a text with a variable in it, which may become one.
fn choices(names: impl Iterator<Item = &'static str>) -> Schema {
    json_schema!({
        "type": "string",
        "anyOf": [{ "enum": names.collect::<Vec<_>>() }, { "pattern": "\\$\\{" }],
    })
}

/// One of several tables, told apart by `type`.
fn one_of<const N: usize>(shapes: [(&'static str, Schema); N]) -> Schema {
    let shapes = shapes.map(|(name, mut schema)| {
        if let Some(object) = schema.as_object_mut() {
            let properties = object.entry("properties").or_insert_with(|| json!({}));
            if let Some(properties) = properties.as_object_mut() {
                properties.insert("type".to_owned(), json!({ "const": name }));
            }
            object.insert("required".to_owned(), json!(["type"]));
        }
        schema
    });
    json_schema!({ "oneOf": shapes.as_slice() })
}

/// The options that a catalog keeps, each with the type of its value.
fn lake_options() -> Schema {
    let properties = LAKE_OPTIONS.iter().map(|spec| {
        let mut property = match spec.kind {
            LakeOptionKind::Choice(names) => choices(names.iter().copied()),
            LakeOptionKind::ParquetVersion => json_schema!({ "type": "integer", "minimum": 1, "maximum": 2 }),
            LakeOptionKind::Integer { least, most: i64::MAX } => json_schema!({ "type": "integer", "minimum": least }),
            LakeOptionKind::Integer { least, most } => {
                json_schema!({ "type": "integer", "minimum": least, "maximum": most })
            }
            LakeOptionKind::Size => json_schema!({ "type": ["string", "integer"], "minimum": 1 }),
            LakeOptionKind::Boolean => json_schema!({ "type": "boolean" }),
            LakeOptionKind::Fraction => json_schema!({ "type": "number", "minimum": 0, "maximum": 1 }),
            _ => json_schema!({ "type": "string" }),
        };
        property.insert("description".to_owned(), json!(spec.meaning));
        (spec.name.to_owned(), Json::from(property))
    });
    let properties: serde_json::Map<_, _> = properties.collect();
    json_schema!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// The options that DuckLake has, in any case, and `meta_…`.
fn attach_options() -> Schema {
    let any_case = |name: &str| -> String {
        let letter = |char: char| match char.to_ascii_uppercase() {
            upper if upper == char => char.to_string(),
            upper => ['[', char, upper, ']'].iter().collect(),
        };
        name.chars().map(letter).collect()
    };
    let names: Vec<_> = ducklake_sql::ATTACH_OPTIONS.iter().map(|name| any_case(name)).collect();
    let known = ["^(", &names.join("|"), "|", &any_case("meta_"), ".+)$"].concat();
    json_schema!({ "type": "object", "propertyNames": { "pattern": known } })
}
