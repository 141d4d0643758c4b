//! From a `ducklake` table to a [`Lake`].
//!
//! What a lake may be is decided in `ducklake-sql`; here its fields are read, paths made absolute and existing files
//! looked at. A problem found there is reported at the place of its field.

use std::path::{Path, PathBuf};

use ducklake_sql::{
    Alias, AttachOptions, AzureSpec, Catalog, CatalogFile, CatalogKind, CatalogUrl, GcsSpec, Lake, LocalFolder,
    MotherDuckSpec, ObjectStorage, Parameters, PostgresSpec, Problems, QuackSpec, R2Spec, S3Spec, Spec, Storage,
    Value as LakeValue,
};
use metaxy_diagnostics::{Node, Origin, Severity};
use serde_json::Value as Json;

use crate::decode::{AttachPairs, Decode, Show};
use crate::local_paths::{PathOf, local_path, other_files, with_absolute_files};
use crate::messages;
use crate::options::{DuckLakeOptions, FileCatalogOptions, LocalOptions};
use crate::path;
use crate::scope::Scope;
use crate::spec::{self, Described};
use crate::types::{CATALOG_TYPES, STORAGE_TYPES, typed};

/// A lake, how to show it, and what tells it apart from others.
pub(crate) struct Resolved {
    pub(crate) lake: Lake,
    pub(crate) shown: Json,
    pub(crate) identity: LakeIdentity,
}

/// What tells two lakes and their data apart.
pub(crate) struct LakeIdentity {
    catalog: CatalogIdentity,
    data: Option<DataLocation>,
    /// Where the data path was written.
    pub(crate) origin: Origin,
}

#[derive(PartialEq)]
enum CatalogIdentity {
    File(CatalogKind, PathBuf),
    /// Host, port, database, schema; `None` for a login that only a secret or its parameters know.
    Postgres(Option<(String, u16, String)>, String),
    Quack(String),
    Url(String),
    MotherDuck(String),
}

#[derive(PartialEq)]
struct DataLocation {
    /// Which machine or service: nothing, or a scheme with an endpoint or account.
    service: String,
    path: PathBuf,
}

impl LakeIdentity {
    /// Whether two lakes that are surely not the same have overlapping data paths.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let (Some(one), Some(two)) = (&self.data, &other.data) else { return false };
        self.is_other_lake(other)
            && one.service == two.service
            && (one.path.starts_with(&two.path) || two.path.starts_with(&one.path))
    }

    /// Whether both have the same data path.
    pub(crate) fn shares_data(&self, other: &Self) -> bool {
        self.data == other.data
    }

    fn is_other_lake(&self, other: &Self) -> bool {
        match (&self.catalog, &other.catalog) {
            (CatalogIdentity::Postgres(one, schema), CatalogIdentity::Postgres(two, other_schema)) => {
                // Two logins of which one is unknown here may well lead to one database.
                (one.is_some() && two.is_some() && one != two) || schema != other_schema
            }
            (one, two) => one != two,
        }
    }
}

/// The lake of the store `owner`, or reports of why there is none.
pub(crate) fn resolve(node: &Node, owner: &str, scope: &mut Scope<'_>) -> Option<Resolved> {
    let node_of_lake = node;
    let mut options = DuckLakeOptions::decode(node, &mut scope.context)?;
    let catalog_node = table_or_older_name(node, "catalog", "metadata_backend", scope);
    let storage_node = table_or_older_name(node, "storage", "storage_backend", scope);
    let catalog = catalog_node.and_then(|catalog| resolve_catalog(catalog, scope));
    let storage = storage_node.and_then(|storage| resolve_storage(storage, scope));
    let is_mother_duck = matches!(catalog, Some(ResolvedCatalog { kind: UnbuiltCatalog::MotherDuck(_), .. }));
    if catalog_node.is_none() {
        scope.context.report(messages::missing_key(node.origin, "catalog", "say where the metadata is"));
    }
    if storage_node.is_none() && catalog.is_some() && !is_mother_duck {
        scope.context.report(messages::no_storage(node.origin));
    }
    // Blank means the default, as in Python Metaxy.
    let alias_text = options.alias.take().map(|alias| alias.trim().to_owned()).filter(|alias| !alias.is_empty());
    let alias = alias_text.as_deref().map_or_else(|| Ok(Alias::default()), Alias::new);
    let alias = scope.keep(alias.map_err(|problem| problem.at("alias").into()), node);
    let attach = attach_options(node, &options, scope);

    let catalog = catalog?;
    let mut identity = LakeIdentity {
        catalog: catalog.identity,
        data: None,
        origin: storage_node.map_or(node.origin, origin_of_data),
    };
    let (storage, shown_storage) = match storage {
        Some(storage) => {
            identity.data = Some(storage.location);
            (Some(storage.storage), Some(storage.shown))
        }
        None => (None, None),
    };
    let lake = match catalog.kind {
        UnbuiltCatalog::Attached(catalog) => {
            let lake = match storage_node {
                Some(_) => Lake::builder(catalog, storage?),
                None => Lake::existing(catalog),
            };
            let lake = match lake.owner(owner).alias(alias?).options(attach?).build() {
                Ok(lake) => lake,
                Err(problems) => {
                    for problem in problems {
                        let of_catalog = problem.field() == "metadata_schema";
                        let node = if of_catalog { catalog_node } else { storage_node };
                        scope.problems([problem], node.unwrap_or(node_of_lake));
                    }
                    return None;
                }
            };
            if let (CatalogIdentity::Postgres(_, schema), Some(given)) = (&mut identity.catalog, lake.metadata_schema())
            {
                given.as_str().clone_into(schema);
            }
            lake
        }
        UnbuiltCatalog::MotherDuck(described) => {
            let errors = |scope: &Scope<'_>| {
                scope.context.diagnostics.iter().filter(|one| one.severity() == Severity::Error).count()
            };
            let before = errors(scope);
            refuse_attach_options(node, alias_text.is_some(), &options, scope);
            let storage = match storage {
                Some(Storage::Object(storage)) => Some(storage),
                Some(_) => {
                    let origin = storage_node.map_or(node.origin, |storage| storage.origin);
                    scope.context.report(messages::local_storage_in_motherduck(origin));
                    None
                }
                None => None,
            };
            let build = |mut spec: MotherDuckSpec| {
                spec.storage = storage;
                spec.build()
            };
            let lake = described.build(build, catalog_node?, scope)?;
            if errors(scope) > before {
                return None;
            }
            lake
        }
    };
    options.alias = Some(lake.alias().to_string()).filter(|_| lake.catalog().is_some());
    Some(Resolved { shown: show(&options, catalog.shown, shown_storage), lake, identity })
}

fn origin_of_data(storage: &Node) -> Origin {
    let of = |key: &str| storage.as_table().and_then(|table| table.get(key)).map(|node| node.origin);
    ["path", "data_path", "prefix", "bucket", "scope"].into_iter().find_map(of).unwrap_or(storage.origin)
}

/// Refuses what is for lakes that are attached, which those of MotherDuck are not.
fn refuse_attach_options(node: &Node, has_alias: bool, options: &DuckLakeOptions, scope: &mut Scope<'_>) {
    let origin = |key: &str| node.entry(key).map_or(node.origin, |entry| entry.key_origin);
    if has_alias {
        scope.context.report(messages::alias_in_motherduck(origin("alias")));
    }
    let has_options = options.attach_options.as_ref().is_some_and(|options| !options.0.is_empty());
    let given =
        [(has_options, "attach_options"), (options.data_inlining_row_limit.is_some(), "data_inlining_row_limit")];
    for (_, key) in given.into_iter().filter(|(is_given, _)| *is_given) {
        scope.context.report(messages::attach_option_in_motherduck(origin(key)));
    }
}

fn show(options: &DuckLakeOptions, catalog: Json, storage: Option<Json>) -> Json {
    let mut shown = serde_json::Map::new();
    shown.insert("catalog".to_owned(), catalog);
    shown.extend(storage.map(|storage| ("storage".to_owned(), storage)));
    if let Some(Json::Object(rest)) = options.show() {
        shown.extend(rest);
    }
    shown.into()
}

/// A table that has an older name; both at once are refused.
fn table_or_older_name<'a>(node: &'a Node, key: &str, old: &str, scope: &mut Scope<'_>) -> Option<&'a Node> {
    let table = node.as_table()?;
    if let (Some(one), Some(two)) = (table.get(key), table.get(old)) {
        scope.context.report(messages::two_names(one.origin, key, two.origin, old));
    }
    table.get(key).or_else(|| table.get(old))
}

fn with_type(kind: &str, options: &impl Show) -> Json {
    let mut shown = serde_json::Map::new();
    shown.insert("type".to_owned(), kind.into());
    if let Some(Json::Object(rest)) = options.show() {
        shown.extend(rest);
    }
    shown.into()
}

enum UnbuiltCatalog {
    Attached(Catalog),
    MotherDuck(Described<MotherDuckSpec>),
}

struct ResolvedCatalog {
    kind: UnbuiltCatalog,
    shown: Json,
    identity: CatalogIdentity,
}

fn resolve_catalog(node: &Node, scope: &mut Scope<'_>) -> Option<ResolvedCatalog> {
    let (kind, node) = typed(node, CATALOG_TYPES, scope)?;
    match kind {
        "duckdb" => file_catalog(kind, &node, Catalog::DuckDb, scope),
        "sqlite" => file_catalog(kind, &node, Catalog::Sqlite, scope),
        "postgres" => postgres(kind, &node, scope),
        "quack" => quack(kind, &node, scope),
        _ => {
            let described = spec::read::<MotherDuckSpec>(kind, &node, scope)?;
            Some(ResolvedCatalog {
                shown: described.shown.clone(),
                identity: CatalogIdentity::MotherDuck(described.spec.database.clone()),
                kind: UnbuiltCatalog::MotherDuck(described),
            })
        }
    }
}

fn file_catalog(
    mut kind: &'static str,
    node: &Node,
    mut catalog: fn(CatalogFile) -> Catalog,
    scope: &mut Scope<'_>,
) -> Option<ResolvedCatalog> {
    /// What other kinds of catalog begin with.
    const PREFIXES: &[&str] =
        &["sqlite", "duckdb", "postgres", "postgresql", "mysql", "md", "motherduck", "ducklake", "quack"];

    let mut options = FileCatalogOptions::decode(node, &mut scope.context)?;
    scope.missing(node, "uri", "name the catalog's file");
    let uri = options.uri.take()?;
    let at = node.find("uri");
    let mut has_prefix = false;
    let path = match uri.split_once(':') {
        Some((prefix, path)) if prefix.eq_ignore_ascii_case(kind) => {
            has_prefix = true;
            path
        }
        Some((prefix, _)) if PREFIXES.iter().any(|known| known.eq_ignore_ascii_case(prefix)) => {
            return scope.context.reject(at, messages::catalog_prefix(at.origin, kind));
        }
        _ => uri.as_str(),
    };
    if path.is_empty() {
        return scope.context.reject(at, messages::empty_value(at, "the `uri`"));
    }
    if CatalogUrl::is_url(path) {
        if kind == "sqlite" {
            let help =
                "write `type = \"postgres\"` for a catalog of many machines; of URLs, only a DuckDB file is read";
            return scope
                .context
                .reject(at, messages::path_spelling(at.origin, "is a URL, of which SQLite reads none", help));
        }
        let url = scope.keep(CatalogUrl::new(path).map_err(|problem| problem.at("uri").into()), node)?;
        let identity = CatalogIdentity::Url(url.as_str().to_owned());
        options.uri = Some(url.as_str().to_owned());
        let kind_of = UnbuiltCatalog::Attached(Catalog::Frozen(url));
        return Some(ResolvedCatalog { shown: with_type(kind, &options), kind: kind_of, identity });
    }
    if path.starts_with("//") && !path.starts_with("////") {
        let why = "begins with `//`, as a URL of SQLAlchemy does";
        let help = [
            "write `",
            kind,
            ":lake.db` for a path relative to this file, or `",
            kind,
            ":/srv/lake.db` for an absolute one",
        ];
        return scope.context.reject(at, messages::path_spelling(at.origin, why, &help.concat()));
    }
    if path.starts_with(":memory:") {
        return scope.context.reject(at, messages::catalog_in_memory(at.origin));
    }
    let path = local_path(path, at, PathOf::Catalog, scope)?;
    let file = scope.keep(CatalogFile::new(&path).map_err(|problem| problem.at("uri").into()), node)?;
    let path = Path::new(file.as_str());
    if scope.system.is_special(path) {
        return scope.context.reject(at, messages::special_file(at.origin));
    }
    if scope.system.is_file(path)
        && let Some(head) = scope.system.head(path).ok().filter(|head| !head.is_empty())
    {
        let found = CatalogKind::of_file(&head);
        if found == Some(CatalogKind::DuckDb) && kind == "sqlite" && !has_prefix {
            scope.context.report(messages::catalog_is_duckdb(at.origin));
            (kind, catalog) = ("duckdb", Catalog::DuckDb);
        } else if found.map(CatalogKind::as_str) != Some(kind) {
            return scope.context.reject(at, messages::catalog_file(at.origin, kind, found));
        }
    }
    if kind == "sqlite" && !has_prefix && scope.is_for_python && !scope.system.is_file(path) {
        scope.context.report(messages::catalog_without_prefix(at.origin, &uri));
    }
    let identity = CatalogIdentity::File(catalog(file.clone()).kind(), path::real(path, scope.system));
    // With its prefix, without which Python Metaxy makes a DuckDB file of a new SQLite catalog.
    options.uri = Some([kind, ":", file.as_str()].concat());
    Some(ResolvedCatalog { shown: with_type(kind, &options), kind: UnbuiltCatalog::Attached(catalog(file)), identity })
}

fn postgres(kind: &str, node: &Node, scope: &mut Scope<'_>) -> Option<ResolvedCatalog> {
    let node = &with_absolute_files(node, scope);
    let described = spec::read::<PostgresSpec>(kind, node, scope)?;
    let (spec, shown) = (&described.spec, described.shown.clone());
    let login = match (&spec.host, &spec.database) {
        (Some(host), Some(database)) => Some((host.to_ascii_lowercase(), spec.port.unwrap_or(5432), database.clone())),
        _ => None,
    };
    let catalog = described.build(PostgresSpec::build, node, scope)?;
    let identity = CatalogIdentity::Postgres(login, "public".to_owned());
    Some(ResolvedCatalog { kind: UnbuiltCatalog::Attached(catalog), shown, identity })
}

fn quack(kind: &str, node: &Node, scope: &mut Scope<'_>) -> Option<ResolvedCatalog> {
    let described = spec::read::<QuackSpec>(kind, node, scope)?;
    let shown = described.shown.clone();
    let catalog = described.build(QuackSpec::build, node, scope)?;
    let Catalog::Quack(quack) = &catalog else { return None };
    let identity = CatalogIdentity::Quack(quack.location().to_ascii_lowercase());
    Some(ResolvedCatalog { kind: UnbuiltCatalog::Attached(catalog), shown, identity })
}

struct ResolvedStorage {
    storage: Storage,
    shown: Json,
    location: DataLocation,
}

fn resolve_storage(node: &Node, scope: &mut Scope<'_>) -> Option<ResolvedStorage> {
    let (kind, node) = &typed(node, STORAGE_TYPES, scope)?;
    match *kind {
        "local" => local(node, scope),
        "s3" => object(kind, node, s3_service, S3Spec::build, scope),
        "r2" => object(kind, node, r2_service, R2Spec::build, scope),
        "gcs" => object(kind, node, |spec: &GcsSpec| vec![endpoint(&spec.parameters)], GcsSpec::build, scope),
        _ => object(kind, node, |spec: &AzureSpec| vec![spec.account_name.clone()], AzureSpec::build, scope),
    }
}

fn local(node: &Node, scope: &mut Scope<'_>) -> Option<ResolvedStorage> {
    let mut options = LocalOptions::decode(node, &mut scope.context)?;
    scope.missing(node, "path", "name the folder of the data files");
    let text = options.path.take()?;
    let at = node.find("path");
    if text.is_empty() {
        return scope.context.reject(at, messages::empty_value(at, "the `path`"));
    }
    let path = local_path(&text, at, PathOf::Data, scope)?;
    let folder = scope.keep(LocalFolder::new(&path).map_err(|problem| problem.at("path").into()), node)?;
    // A path in a file of another folder, or of a variable, is relative to another one.
    let is_of_project = scope.sources.dir(at.origin) == scope.project;
    let folder = match scope.project.to_str() {
        Some(project) => folder.in_project(project, Some(text.as_str()).filter(|_| is_of_project)),
        None => folder,
    };
    let path = path::real(Path::new(folder.as_str()), scope.system);
    if let Some(holds) = other_files(&path, scope) {
        scope.context.report(messages::data_path_not_own(at.origin, holds));
    }
    options.path = Some(folder.to_string());
    Some(ResolvedStorage {
        storage: Storage::Local(folder),
        shown: with_type("local", &options),
        location: DataLocation { service: String::new(), path },
    })
}

/// An object storage, its service told apart by the endpoint or account where one is given.
fn object<S: Spec>(
    kind: &str,
    node: &Node,
    service: fn(&S) -> Vec<Option<String>>,
    check: fn(S) -> Result<ObjectStorage, Problems>,
    scope: &mut Scope<'_>,
) -> Option<ResolvedStorage> {
    let described = spec::read::<S>(kind, node, scope)?;
    let (service, shown) = (service(&described.spec), described.shown.clone());
    let storage = described.build(check, node, scope)?;
    let (_, path) = storage.path().as_str().split_once("://").unwrap_or_default();
    let mut name = storage.kind().scheme().to_owned();
    for part in service.iter().flatten() {
        name.push(' ');
        name.push_str(part);
    }
    let location = DataLocation { service: name, path: PathBuf::from(path) };
    Some(ResolvedStorage { storage: Storage::Object(storage), shown, location })
}

fn s3_service(spec: &S3Spec) -> Vec<Option<String>> {
    let host = spec.endpoint.as_deref().map(|it| it.split_once("://").map_or(it, |(_, host)| host).to_owned());
    vec![host, endpoint(&spec.parameters)]
}

fn r2_service(spec: &R2Spec) -> Vec<Option<String>> {
    vec![spec.account_id.clone(), endpoint(&spec.parameters)]
}

fn endpoint(parameters: &Parameters) -> Option<String> {
    match parameters.get("endpoint") {
        Some(LakeValue::Text(endpoint)) => Some(endpoint.clone()),
        _ => None,
    }
}

fn attach_options(node: &Node, options: &DuckLakeOptions, scope: &mut Scope<'_>) -> Option<AttachOptions> {
    const LIMIT: &str = "data_inlining_row_limit";

    let AttachPairs(mut pairs) = options.attach_options.clone().unwrap_or_default();
    let table = node.find("attach_options");
    if let Some(limit) = options.data_inlining_row_limit {
        let given = pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case(LIMIT)).map(|(_, value)| value);
        match given {
            None => pairs.push((LIMIT.to_owned(), LakeValue::Integer(limit))),
            Some(LakeValue::Integer(given)) if *given == limit => {}
            Some(LakeValue::Text(given)) if given.trim().parse() == Ok(limit) => {}
            Some(_) => {
                let (limit, option) = (node.find(LIMIT).origin, table.find(LIMIT).origin);
                scope.context.report(messages::two_limits(limit, option));
            }
        }
    }
    let checked = match AttachOptions::from_pairs(pairs) {
        Ok(checked) => checked,
        Err(problems) => {
            for problem in problems {
                let is_option = table.entry(problem.field()).is_some();
                scope.problems([problem], if is_option { table } else { node });
            }
            return None;
        }
    };
    Some(checked)
}
