//! `[ext.rust.lake.STORE]`: what the lake of a store is to have.

use ducklake_sql::{
    Declared, DeclaredSchema, DeclaredTable, Ident, LAKE_OPTIONS, LakeOption, LakeOptionSpec, Manage, PartitionKey,
    Problem, Setting, SortKey, TableName, Value as LakeValue,
};
use metaxy_diagnostics::{Diagnostic, Entry, Node, Origin, Value};
use metaxy_feature::FeatureKey;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde_json::{Map, Value as Json, json};

use crate::config::{Config, StoreEntry, StoreState, is_error_of};
use crate::decode::{self, Decode as _, Located, options};
use crate::messages;
use crate::options::Unread;
use crate::scope::Scope;
use crate::stores::is_moved;

impl Config {
    /// What the lake of a store is to have: `[ext.rust.lake.STORE]`.
    ///
    /// ```
    /// use metaxy_config::{Config, LoadOptions, MemorySystem};
    ///
    /// let system = MemorySystem::new().file(
    ///     "/project/metaxy.toml",
    ///     r#"
    ///     [stores.dev]
    ///     type = "duckdb"
    ///     config.ducklake.catalog = { type = "sqlite", uri = "sqlite:lake/meta.sqlite" }
    ///     config.ducklake.storage = { type = "local", path = "lake/data" }
    ///     [ext.rust.lake.dev]
    ///     options = { target_file_size = "256MB" }
    ///     "#,
    /// );
    /// let config = Config::load(&system, &LoadOptions::default())?.config;
    /// assert_eq!(config.declared("dev").unwrap().options[0].stored(), "256000000");
    /// # Ok::<(), metaxy_config::LoadError>(())
    /// ```
    pub fn declared(&self, store: &str) -> Option<&Declared> {
        self.declared.iter().find(|(name, _)| name == store).map(|(_, declared)| declared)
    }

    /// The store whose lake `metaxy migrate catalog` moves into this one: `[ext.rust.lake.STORE] migrate_from`.
    ///
    /// ```
    /// use metaxy_config::{Config, LoadOptions, MemorySystem};
    ///
    /// let system = MemorySystem::new().file(
    ///     "/project/metaxy.toml",
    ///     r#"
    ///     [stores.dev]
    ///     type = "duckdb"
    ///     config.ducklake.catalog = { type = "sqlite", uri = "sqlite:meta.sqlite" }
    ///     config.ducklake.storage = { type = "local", path = "data" }
    ///     [stores.next]
    ///     type = "duckdb"
    ///     config.ducklake.catalog = { type = "duckdb", uri = "duckdb:meta.ducklake" }
    ///     config.ducklake.storage = { type = "local", path = "data" }
    ///     [ext.rust.lake.next]
    ///     migrate_from = "dev"
    ///     "#,
    /// );
    /// let config = Config::load(&system, &LoadOptions::default())?.config;
    /// assert_eq!(config.migrate_from("next"), Some("dev"));
    /// assert!(config.is_moved("dev", "next") && !config.is_moved("next", "dev"));
    /// # Ok::<(), metaxy_config::LoadError>(())
    /// ```
    pub fn migrate_from(&self, store: &str) -> Option<&str> {
        self.migrations.iter().find(|(target, _)| target == store).map(|(_, source)| source.as_str())
    }

    /// Whether the lake of one store is moved into the other, by [`migrate_from`](Self::migrate_from) of the second or of
    /// stores in between.
    pub fn is_moved(&self, from: &str, into: &str) -> bool {
        is_moved(from, into, &self.migrations)
    }
}

/// What a lake is to have: `metaxy plan` compares, `metaxy apply` changes.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, rename = "DeclaredLake"))]
pub(crate) struct DeclaredOptions {
    /// `declared` unless given: only what is declared here follows. With `all`, everything else is unset.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Manage>"))]
    pub(crate) manage: Option<Located<String>>,
    /// Whether steps that destroy something need `--allow-destructive`; true unless given.
    pub(crate) protect: Option<bool>,
    /// The store whose lake is to be moved into the catalog of this one: both may have one data path.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(crate) migrate_from: Option<Located<String>>,
    /// Options that the catalog keeps for the whole lake.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::LakeOptions>"))]
    pub(crate) options: Option<Located<Unread>>,
    /// Schemas by their names; one that is missing is created.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<std::collections::BTreeMap<String, DeclaredSchemaOptions>>")
    )]
    pub(crate) schemas: Option<Located<Unread>>,
    /// Tables by their names, as `schema.table`.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<std::collections::BTreeMap<String, DeclaredTableOptions>>")
    )]
    pub(crate) tables: Option<Located<Unread>>,
    /// Tables of features by their keys, as `part/part`.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<std::collections::BTreeMap<String, DeclaredTableOptions>>")
    )]
    pub(crate) features: Option<Located<Unread>>,
    /// How long what is not current is kept.
    #[cfg_attr(feature = "schema", schemars(with = "Option<RetainOptions>"))]
    pub(crate) retain: Option<Located<RetainOptions>>,
}

options!(DeclaredOptions { manage, protect, migrate_from, options, schemas, tables, features, retain });

/// A schema of a lake.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, rename = "DeclaredSchema"))]
pub(crate) struct DeclaredSchemaOptions {
    /// Options that hold for the schema's tables.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::LakeOptions>"))]
    pub(crate) options: Option<Located<Unread>>,
}

options!(DeclaredSchemaOptions { options });

/// A table of a lake.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, rename = "DeclaredTable"))]
pub(crate) struct DeclaredTableOptions {
    /// What new files are partitioned by: columns, or `year(…)`, `month(…)`, `day(…)`, `hour(…)` or `bucket(8, …)` of one.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub(crate) partitioned_by: Option<Vec<Located<String>>>,
    /// What rows of new files are sorted by: columns, each with `ASC` or `DESC`, `NULLS FIRST` or `NULLS LAST`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub(crate) sorted_by: Option<Vec<Located<String>>>,
    /// What is said about the table; nothing, if empty.
    pub(crate) comment: Option<String>,
    /// Options that hold for the table.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::LakeOptions>"))]
    pub(crate) options: Option<Located<Unread>>,
}

options!(DeclaredTableOptions { partitioned_by, sorted_by, comment, options });

/// How long what is not current is kept, as in `30 days`.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, rename = "Retain"))]
pub(crate) struct RetainOptions {
    /// Snapshots: the option `expire_older_than`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(crate) snapshots: Option<Located<String>>,
    /// Files that nothing needs any more: the option `delete_older_than`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(crate) files: Option<Located<String>>,
}

options!(RetainOptions { snapshots, files });

/// Keys of `retain`, with the options that they are.
const RETAIN: [(&str, &str); 2] = [("snapshots", "expire_older_than"), ("files", "delete_older_than")];

/// Whether a value of `[ext.rust.lake.STORE]` can be no secret.
pub(crate) fn is_harmless(path: &[&str]) -> bool {
    match path {
        ["manage" | "protect" | "migrate_from"]
        | ["retain", "snapshots" | "files"]
        | ["tables" | "features", _, "partitioned_by" | "sorted_by"] => true,
        ["options", option] | ["schemas" | "tables" | "features", _, "options", option] => {
            LakeOptionSpec::find(option).is_some()
        }
        _ => false,
    }
}

/// The keys that tables of `[ext.rust.lake.STORE]` have.
pub(crate) fn is_known_word(word: &str) -> bool {
    let tables = [DeclaredOptions::KEYS, DeclaredSchemaOptions::KEYS, DeclaredTableOptions::KEYS, RetainOptions::KEYS];
    tables.iter().any(|keys| keys.contains(&word)) || LakeOptionSpec::find(word).is_some()
}

/// Which store each lake is to be moved from, by the name of the store that it is moved into. What is wrong with one is
/// reported where the rest of its table is read.
pub(crate) fn migrations(node: Option<&Node>) -> Vec<(String, String)> {
    let entries = node.and_then(Node::as_table).map(|table| table.0.as_slice()).unwrap_or_default();
    let source = |entry: &Entry| match &entry.node.as_table()?.get("migrate_from")?.value {
        Value::String(source) => Some((entry.key.clone(), source.clone())),
        _ => None,
    };
    entries.iter().filter_map(source).collect()
}

/// What is declared for each store, by its name.
pub(crate) fn resolve(node: Option<&Node>, stores: &[StoreEntry], scope: &mut Scope<'_>) -> Vec<(String, Declared)> {
    let Some(table) = node.and_then(|node| decode::table(node, &mut scope.context)) else { return Vec::new() };
    let mut all = Vec::new();
    for entry in &table.0 {
        let before = scope.context.diagnostics.len();
        let declared = of_store(entry, stores, scope);
        for diagnostic in &mut scope.context.diagnostics[before..] {
            diagnostic.add_store(&entry.key);
        }
        all.extend(declared.map(|declared| (entry.key.clone(), declared)));
    }
    all
}

fn of_store(entry: &Entry, stores: &[StoreEntry], scope: &mut Scope<'_>) -> Option<Declared> {
    let mut keeps_order = true;
    // Whether such a store has a lake is not known.
    let is_broken = |store: &str, scope: &Scope<'_>| scope.context.diagnostics.iter().any(is_error_of(store));
    let prefix = match stores.iter().find(|store| store.name == entry.key).map(|store| &store.state) {
        Some(StoreState::Ready(store)) if store.lake().is_some() => {
            let is_off = |setting: &Setting| {
                setting.name().as_str() == "preserve_insertion_order" && *setting.value() == LakeValue::Boolean(false)
            };
            keeps_order = !store.session.settings.iter().any(is_off);
            store.table_prefix.clone()
        }
        Some(StoreState::Broken(_)) => String::new(),
        Some(_) if is_broken(&entry.key, scope) => String::new(),
        Some(_) => {
            scope.context.report(messages::no_lake(entry.key_origin, &entry.key));
            return None;
        }
        None => {
            let names: Vec<_> = stores.iter().map(|store| store.name.as_str()).collect();
            scope.context.report(messages::unknown_lake_store(entry.key_origin, &entry.key, &names));
            return None;
        }
    };
    let options = DeclaredOptions::decode(&entry.node, &mut scope.context)?;
    let mut reader = Reader { places: Vec::new(), prefix, keeps_order };
    let mut declared = Declared::default();
    declared.protect = options.protect.unwrap_or(true);
    if let Some(Located { node, value }) = options.manage {
        let names: Vec<_> = Manage::ALL.iter().map(|manage| manage.as_str()).collect();
        match Manage::ALL.iter().find(|manage| manage.as_str() == value) {
            Some(manage) => declared.manage = *manage,
            None => scope.context.report(messages::invalid_choice(node.origin, &value, &names)),
        }
    }
    if let Some(Located { node, value: source }) = options.migrate_from {
        let of_source = stores.iter().find(|store| store.name == source).map(|store| &store.state);
        let diagnostic = match of_source {
            _ if source == entry.key => Some(messages::migrated_from_itself(node.origin)),
            None => {
                let others = stores.iter().map(|store| store.name.as_str()).filter(|name| *name != entry.key);
                Some(messages::unknown_lake_store(node.origin, &source, &others.collect::<Vec<_>>()))
            }
            Some(_) if is_broken(&source, scope) => None,
            Some(StoreState::Ready(store)) if store.lake().is_none() => Some(messages::no_lake(node.origin, &source)),
            Some(StoreState::Other(_)) => Some(messages::no_lake(node.origin, &source)),
            Some(_) => None,
        };
        if let Some(diagnostic) = diagnostic {
            scope.context.report(diagnostic);
        }
    }
    declared.options = reader.options(options.options, true, "", scope);
    if let Some(Located { value: retain, .. }) = options.retain {
        for ((key, option), given) in RETAIN.into_iter().zip([retain.snapshots, retain.files]) {
            let Some(Located { node, value }) = given else { continue };
            match LakeOption::new(option, value.as_str()) {
                Ok(_) if declared.options.iter().any(|known| known.name() == option) => {
                    scope.context.report(messages::retained_twice(node.origin, key, option));
                }
                Ok(option) => declared.options.push(option),
                Err(problem) => scope.context.report(at(&problem, node.origin)),
            }
        }
    }
    for schema in entries(options.schemas, scope) {
        let Some(given) = DeclaredSchemaOptions::decode(&schema.node, &mut scope.context) else { continue };
        match Ident::new(schema.key.as_str()) {
            Ok(name) => {
                let mut found = DeclaredSchema::new(name);
                found.options = reader.options(given.options, false, &["schemas.", &schema.key, "."].concat(), scope);
                declared.schemas.push(found);
            }
            Err(problem) => scope.context.report(at(&problem, schema.key_origin)),
        }
    }
    let tables = entries(options.tables, scope).into_iter().map(|entry| (entry, false));
    let tables: Vec<_> =
        tables.chain(entries(options.features, scope).into_iter().map(|entry| (entry, true))).collect();
    let mut named: Vec<(TableName, Origin)> = Vec::new();
    for (entry, is_feature) in tables {
        let Some(name) = reader.name(&entry, is_feature, scope) else { continue };
        if let Some((_, other)) = named.iter().find(|(known, _)| known.is_same(&name)) {
            scope.context.report(messages::declared_twice(entry.key_origin, *other, &name.to_string()));
            continue;
        }
        named.push((name.clone(), entry.key_origin));
        declared.tables.extend(reader.table(name, &entry, scope));
    }
    if let Err(problems) = declared.check() {
        for problem in problems {
            scope.context.report(at(&problem, reader.origin(problem.field(), &entry.node)));
        }
    }
    Some(declared)
}

/// The entries of a table.
fn entries(node: Option<Located<Unread>>, scope: &mut Scope<'_>) -> Vec<Entry> {
    let table = node.and_then(|Located { node, .. }| decode::table(&node, &mut scope.context).cloned());
    table.map(|table| table.0).unwrap_or_default()
}

/// What is known while the tables of one store are read.
struct Reader {
    /// Where the options of a place are written, each place as [`Declared::check`] names it.
    places: Vec<(String, Node)>,
    /// What the names of the store's tables begin with.
    prefix: String,
    /// Whether DuckDB keeps the order of rows, as it does unless it is told otherwise.
    keeps_order: bool,
}

impl Reader {
    fn options(
        &mut self,
        node: Option<Located<Unread>>,
        is_of_lake: bool,
        place: &str,
        scope: &mut Scope<'_>,
    ) -> Vec<LakeOption> {
        let Some(Located { node, .. }) = node else { return Vec::new() };
        let Some(table) = decode::table(&node, &mut scope.context) else { return Vec::new() };
        let known: Vec<_> = LAKE_OPTIONS.iter().map(|spec| spec.name).collect();
        decode::refuse_unknown(table, &known, &mut scope.context);
        let mut found = Vec::new();
        for entry in &table.0 {
            let Some(spec) = LakeOptionSpec::find(&entry.key) else { continue };
            if !is_of_lake && !spec.is_scoped {
                scope.context.report(at(&Problem::only_of_lake(spec.name), entry.key_origin));
                continue;
            }
            if self.keeps_order && spec.name == "parquet_row_group_size_bytes" {
                scope.context.report(messages::needs_no_order(entry.key_origin));
                continue;
            }
            let Some(value) = LakeValue::decode(&entry.node, &mut scope.context) else { continue };
            match LakeOption::new(spec.name, value) {
                Ok(option) => found.push(option),
                Err(problem) => scope.context.report(messages::problem(&problem, &node)),
            }
        }
        self.places.push((place.to_owned(), node));
        found
    }

    /// Where the option of a problem of the whole is written.
    fn origin(&self, field: &str, otherwise: &Node) -> Origin {
        let option = |place: &str| field.strip_prefix(place)?.strip_prefix("options.");
        let found = self.places.iter().find_map(|(place, node)| Some(node.find(option(place)?).origin));
        found.unwrap_or(otherwise.origin)
    }

    /// The name of a table, given as such or by the key of a feature.
    fn name(&self, entry: &Entry, is_feature: bool, scope: &mut Scope<'_>) -> Option<TableName> {
        let name = if is_feature {
            let key: FeatureKey = match entry.key.parse::<FeatureKey>() {
                Ok(key) => key,
                Err(error) => {
                    for problem in error.problems() {
                        scope.context.report(problem.diagnostic().clone().with_origin(entry.key_origin));
                    }
                    return None;
                }
            };
            let name = Ident::new([self.prefix.as_str(), &key.table_name()].concat());
            name.and_then(|name| Ok(TableName::of(Ident::new("main")?, name)))
        } else {
            TableName::new(&entry.key)
        };
        name.map_err(|problem| scope.context.report(at(&problem, entry.key_origin))).ok()
    }

    fn table(&mut self, name: TableName, entry: &Entry, scope: &mut Scope<'_>) -> Option<DeclaredTable> {
        let given = DeclaredTableOptions::decode(&entry.node, &mut scope.context)?;
        let mut keep = |result: Result<(), (Problem, Origin)>| {
            if let Err((problem, origin)) = result {
                scope.context.report(at(&problem, origin));
            }
        };
        let mut table = DeclaredTable::new(name);
        table.partitioned_by = given.partitioned_by.map(|keys| read_all(keys, PartitionKey::new, &mut keep));
        table.sorted_by = given.sorted_by.map(|keys| read_all(keys, SortKey::new, &mut keep));
        if given.comment.as_ref().is_some_and(|comment| comment.contains('\0')) {
            scope.context.report(messages::nul_byte(entry.node.find("comment").origin));
        } else {
            table.comment = given.comment;
        }
        let place = ["tables.", &table.name.to_string(), "."].concat();
        table.options = self.options(given.options, false, &place, scope);
        Some(table)
    }
}

/// The values that texts of a list are read as; what is wrong is handed out.
fn read_all<T>(
    texts: Vec<Located<String>>,
    read: impl Fn(&str) -> Result<T, Problem>,
    keep: &mut impl FnMut(Result<(), (Problem, Origin)>),
) -> Vec<T> {
    let mut found = Vec::new();
    for Located { node, value } in texts {
        match read(&value) {
            Ok(value) => found.push(value),
            Err(problem) => keep(Err((problem, node.origin))),
        }
    }
    found
}

/// A problem at a place.
fn at(problem: &Problem, origin: Origin) -> Diagnostic {
    let diagnostic = Diagnostic::error(problem.code().as_str(), problem.message()).with_origin(origin);
    match problem.hint() {
        Some(hint) => diagnostic.with_help(hint),
        None => diagnostic,
    }
}

/// What is declared, as it is configured.
pub(crate) fn shown(all: &[(String, Declared)]) -> Option<Json> {
    let all: Map<String, Json> = all.iter().map(|(store, declared)| (store.clone(), shown_lake(declared))).collect();
    (!all.is_empty()).then(|| all.into())
}

fn shown_lake(declared: &Declared) -> Json {
    let schemas = declared
        .schemas
        .iter()
        .map(|schema| (schema.name.as_str().to_owned(), json!({ "options": shown_options(&schema.options) })));
    let tables = declared.tables.iter().map(|table| {
        let shown = json!({
            "partitioned_by": table.partitioned_by,
            "sorted_by": table.sorted_by,
            "comment": table.comment,
            "options": shown_options(&table.options),
        });
        (table.name.to_string(), shown)
    });
    json!({
        "manage": declared.manage.as_str(),
        "protect": declared.protect,
        "options": shown_options(&declared.options),
        "schemas": schemas.collect::<Map<_, _>>(),
        "tables": tables.collect::<Map<_, _>>(),
    })
}

fn shown_options(options: &[LakeOption]) -> Json {
    options.iter().map(|option| (option.name().to_owned(), Json::from(option.stored()))).collect::<Map<_, _>>().into()
}
