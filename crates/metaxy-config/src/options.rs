//! What a configuration file can say, as it says it: every field optional, nothing checked beyond its type.
//!
//! The JSON schema is generated from these types, so their documentation is what an editor shows.

use ducklake_sql::{FieldKind, FreeTable, Secret, Value};
use metaxy_diagnostics::{Node, Value as NodeValue};
#[cfg(feature = "schema")]
use schemars::JsonSchema;

use crate::decode::{AttachPairs, Context, Decode, Located, Map, Show, options};
use crate::{declared, spec};

/// The whole of `metaxy.toml`, or `[tool.metaxy]` in `pyproject.toml`.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, rename = "Metaxy"))]
pub(crate) struct Options {
    /// The store to use when none is named; `dev` unless given.
    pub(crate) store: Option<String>,
    /// The stores, by name.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<std::collections::BTreeMap<String, crate::schema::Store>>")
    )]
    #[expect(dead_code, reason = "resolved from the tree; here for the schema")]
    pub(crate) stores: Option<Unread>,
    /// Another configuration file to inherit from, relative to this one.
    #[expect(dead_code, reason = "followed before anything is decoded; here for the schema")]
    pub(crate) extend: Option<String>,
    /// Python modules that define features.
    pub(crate) entrypoints: Option<Vec<String>>,
    /// The colours in which Python Metaxy draws graphs.
    pub(crate) theme: Option<String>,
    /// Settings of plugins, by plugin; those of this program are in `rust`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Plugins>"))]
    #[expect(dead_code, reason = "resolved from the tree; here for the schema")]
    pub(crate) ext: Option<Unread>,
    /// How many characters of a hash are kept: 8, unless given, to 64.
    #[cfg_attr(feature = "schema", schemars(range(min = 8, max = 64)))]
    pub(crate) hash_truncation_length: Option<i64>,
    /// Whether Python Metaxy keeps maps as maps (experimental there).
    pub(crate) enable_map_datatype: Option<bool>,
    /// Whether stores make the tables they need; a store can say otherwise.
    pub(crate) auto_create_tables: Option<bool>,
    /// The project's name: letters, digits, `-` and single `_`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub(crate) project: Option<String>,
    /// Whether a feature of another project with another version than the locked one is an error.
    pub(crate) locked: Option<bool>,
    /// Whether definitions of features of other projects are brought up to date from the store.
    pub(crate) sync: Option<bool>,
    /// Features of other projects to load.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<SelectionOptions>>"))]
    pub(crate) extra_features: Option<Vec<Located<SelectionOptions>>>,
    /// The lock file, relative to this file; `metaxy.lock` beside it unless given.
    pub(crate) metaxy_lock_path: Option<String>,
}

options!(Options {
    store,
    stores,
    extend,
    entrypoints,
    theme,
    ext,
    hash_truncation_length,
    enable_map_datatype,
    auto_create_tables,
    project,
    locked,
    sync,
    extra_features,
    metaxy_lock_path,
});

/// Something that a later stage reads from the tree itself.
#[derive(Default)]
pub(crate) struct Unread;

impl Decode for Unread {
    fn decode(_: &Node, _: &mut Context) -> Option<Self> {
        Some(Self)
    }
}

impl Show for Unread {
    fn show(&self) -> Option<serde_json::Value> {
        None
    }
}

/// What only this program reads.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, rename = "Rust"))]
pub(crate) struct RustOptions {
    /// Whether the features count; they do unless this is `false`.
    pub(crate) enable: Option<bool>,
    /// The files that define features, relative to this file: paths, or patterns with `*`, `?`, `[…]` and `**`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub(crate) features: Option<Vec<Located<String>>>,
    /// How a transaction is run again when another program was in the way.
    #[cfg_attr(feature = "schema", schemars(with = "Option<RetryOptions>"))]
    #[expect(dead_code, reason = "resolved from the tree; here for the schema")]
    pub(crate) retry: Option<Unread>,
    /// What the lakes of stores are to have, by the names of the stores.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<std::collections::BTreeMap<String, crate::declared::DeclaredOptions>>")
    )]
    #[expect(dead_code, reason = "resolved from the tree; here for the schema")]
    pub(crate) lake: Option<Unread>,
}

options!(RustOptions { enable, features, retry, lake });

/// How a transaction is run again when another program was in the way, or a catalog's server was lost.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, rename = "Retry"))]
pub(crate) struct RetryOptions {
    /// How often it is run at most; as often as the deadline allows unless given.
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>", range(min = 1)))]
    pub(crate) attempts: Option<Located<i64>>,
    /// For how many seconds it is begun anew: 120 unless given. With 0 it is run once.
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    pub(crate) deadline_seconds: Option<Located<i64>>,
    /// The longest that the first pause can be: 40 milliseconds unless given.
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>", range(min = 1)))]
    pub(crate) first_pause_milliseconds: Option<Located<i64>>,
    /// The longest that any pause can be: 1000 milliseconds unless given.
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>", range(min = 1)))]
    pub(crate) longest_pause_milliseconds: Option<Located<i64>>,
}

options!(RetryOptions { attempts, deadline_seconds, first_pause_milliseconds, longest_pause_milliseconds });

/// Features to load: of projects, single ones, or all.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, rename = "FeatureSelection"))]
pub(crate) struct SelectionOptions {
    /// All features of these projects.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub(crate) projects: Option<Vec<Located<String>>>,
    /// These features, as `part/part`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<KeyOptions>>"))]
    pub(crate) keys: Option<Vec<Located<KeyOptions>>>,
    /// Every feature in the store.
    pub(crate) all: Option<bool>,
}

options!(SelectionOptions { projects, keys, all });

/// A feature's key: `part/part`, or a list of parts.
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(untagged, rename = "FeatureKey"))]
pub(crate) enum KeyOptions {
    /// `part/part`
    Text(String),
    /// `["part", "part"]`
    Parts(Vec<String>),
}

impl Decode for KeyOptions {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        match &node.value {
            NodeValue::Array(_) => Decode::decode(node, context).map(Self::Parts),
            _ => Decode::decode(node, context).map(Self::Text),
        }
    }
}

/// The configuration of a DuckDB store.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, rename = "DuckDbStore"))]
pub(crate) struct DuckDbOptions {
    /// DuckDB's own database: a path, `:memory:`, or `md:name` for one in MotherDuck. It holds the tables, unless `ducklake` says
    /// where a lake is.
    pub(crate) database: Option<String>,
    /// DuckDB's settings.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<std::collections::BTreeMap<String, crate::schema::Scalar>>")
    )]
    pub(crate) config: Option<Map<Value>>,
    /// Extensions to load besides those that the lake needs.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<ExtensionEntry>>"))]
    pub(crate) extensions: Option<Vec<Located<ExtensionEntry>>>,
    /// The lake that holds the tables.
    #[cfg_attr(feature = "schema", schemars(with = "Option<DuckLakeOptions>"))]
    #[expect(dead_code, reason = "resolved from the tree; here for the schema")]
    pub(crate) ducklake: Option<Unread>,
    /// Stores to read from, in order, where a table is missing in this one.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub(crate) fallback_stores: Option<Vec<Located<String>>>,
    /// The hash for versions: `xxhash32` unless given, `xxhash64`, `xxh3_64` or `md5`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::HashAlgorithm>"))]
    pub(crate) hash_algorithm: Option<String>,
    /// Where Python Metaxy computes versions: `auto` unless given, `native` or `polars`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::VersioningEngine>"))]
    pub(crate) versioning_engine: Option<String>,
    /// What every table's name begins with.
    pub(crate) table_prefix: Option<String>,
    /// Whether the store makes the tables it needs.
    pub(crate) auto_create_tables: Option<bool>,
}

options!(DuckDbOptions {
    database,
    config,
    extensions,
    ducklake,
    fallback_stores,
    hash_algorithm,
    versioning_engine,
    table_prefix,
    auto_create_tables,
});

/// An extension of DuckDB.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, rename = "Extension"))]
pub(crate) struct ExtensionOptions {
    /// Its name.
    pub(crate) name: Option<String>,
    /// Where it is installed from when it is not there: `core` unless given, `community`, a URL or a folder.
    pub(crate) repository: Option<String>,
    /// Statements to run once it is loaded.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub(crate) init_sql: Option<Vec<Secret>>,
}

options!(ExtensionOptions { name, repository, init_sql });

/// An extension of DuckDB: its name, or a table.
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(untagged))]
pub(crate) enum ExtensionEntry {
    /// Its name.
    Name(String),
    /// Its name and more.
    Table(ExtensionOptions),
}

impl Decode for ExtensionEntry {
    fn decode(node: &Node, context: &mut Context) -> Option<Self> {
        match &node.value {
            NodeValue::String(name) => Some(Self::Name(name.clone())),
            _ => ExtensionOptions::decode(node, context).map(Self::Table),
        }
    }
}

/// A lake: where its metadata is, where its data files are, and how it is attached.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, rename = "DuckLake"))]
pub(crate) struct DuckLakeOptions {
    /// The database that holds the metadata.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Catalog>"))]
    pub(crate) catalog: Option<Unread>,
    /// An older name of `catalog`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Catalog>"))]
    pub(crate) metadata_backend: Option<Unread>,
    /// Where the data files are; left out where MotherDuck keeps them.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Storage>"))]
    pub(crate) storage: Option<Unread>,
    /// An older name of `storage`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Storage>"))]
    pub(crate) storage_backend: Option<Unread>,
    /// The name under which the lake is attached; `ducklake` unless given.
    pub(crate) alias: Option<String>,
    /// Further options of `ATTACH`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::AttachOptions>"))]
    pub(crate) attach_options: Option<AttachPairs>,
    /// Inserts of up to so many rows go into the catalog instead of a file.
    pub(crate) data_inlining_row_limit: Option<i64>,
}

options!(shown DuckLakeOptions {
    catalog, metadata_backend, storage, storage_backend, alias, attach_options, data_inlining_row_limit,
});

/// A catalog in a file.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub(crate) struct FileCatalogOptions {
    /// The file, relative to this one; also with the prefix `sqlite:` or `duckdb:`.
    pub(crate) uri: Option<String>,
}

options!(shown FileCatalogOptions { uri });

/// A folder of this machine.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub(crate) struct LocalOptions {
    /// The folder, relative to this file.
    pub(crate) path: Option<String>,
}

options!(shown LocalOptions { path });

/// Whether a word is the name of a field somewhere, so that it can be shown even in a broken file.
pub(crate) fn is_known_word(word: &str) -> bool {
    let tables = [
        Options::KEYS,
        RustOptions::KEYS,
        RetryOptions::KEYS,
        SelectionOptions::KEYS,
        DuckDbOptions::KEYS,
        ExtensionOptions::KEYS,
        DuckLakeOptions::KEYS,
        FileCatalogOptions::KEYS,
        LocalOptions::KEYS,
        &["type", "enable", "rust"],
    ];
    tables.iter().any(|keys| keys.contains(&word)) || spec::is_field(word) || declared::is_known_word(word)
}

/// Whether the value at a path of keys, positions in lists left out, can be no secret, as it is written.
pub(crate) fn is_harmless(path: &[&str], written: &str) -> bool {
    match path {
        ["tool", "metaxy", rest @ ..] => is_harmless(rest, written),
        ["stores", _, "config", rest @ ..] => is_harmless_in_store(rest, written),
        ["ext", "rust", "lake", _, rest @ ..] => declared::is_harmless(rest),
        ["stores", _, "type"]
        | ["extra_features", "projects" | "keys"]
        | ["ext", "rust", "features"]
        | ["store" | "extend" | "entrypoints" | "theme" | "project" | "metaxy_lock_path"] => true,
        ["hash_truncation_length" | "enable_map_datatype" | "auto_create_tables" | "locked" | "sync"]
        | ["extra_features", "all"]
        | ["ext", "rust", "enable"]
        | ["ext", "rust", "retry", _] => is_number_or_boolean(written),
        _ => false,
    }
}

fn is_harmless_in_store(path: &[&str], written: &str) -> bool {
    match path {
        ["database" | "extensions" | "fallback_stores" | "hash_algorithm" | "versioning_engine" | "table_prefix"]
        | ["extensions", "name" | "repository"]
        | ["ducklake", "alias"] => true,
        ["auto_create_tables"] | ["ducklake", "data_inlining_row_limit"] => is_number_or_boolean(written),
        ["config", setting] => FreeTable::Settings.is_harmless(setting),
        ["ducklake", "attach_options", option] => FreeTable::AttachOptions.is_harmless(option),
        ["ducklake", "attach_options", parameters, parameter] => {
            parameters.eq_ignore_ascii_case("metadata_parameters")
                && FreeTable::MetadataParameters.is_harmless(parameter)
        }
        ["ducklake", "catalog" | "metadata_backend" | "storage" | "storage_backend", rest @ ..] => match rest {
            ["type" | "uri" | "path"] => true,
            ["secret_parameters", parameter] => FreeTable::SecretParameters.is_harmless(parameter),
            [key] => match spec::kinds(key).collect::<Vec<_>>().as_slice() {
                [] => false,
                kinds if kinds.iter().all(|kind| matches!(kind, FieldKind::Required | FieldKind::String)) => true,
                kinds => {
                    kinds.iter().all(|kind| matches!(kind, FieldKind::Port | FieldKind::Boolean))
                        && is_number_or_boolean(written)
                }
            },
            _ => false,
        },
        _ => false,
    }
}

/// Whether a value is what a key wants that is no text: a text in its place may be anything.
fn is_number_or_boolean(written: &str) -> bool {
    let text = written.trim_matches(['"', '\'']);
    text.parse::<f64>().is_ok() || text.parse::<bool>().is_ok()
}
