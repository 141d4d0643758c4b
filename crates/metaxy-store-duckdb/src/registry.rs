//! The record of graphs in the lake, shared with Python: which features a project had, and when.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ducklake_sql::{Ident, Sql, WriteSql, bind, list, separated, sql};
use metaxy_feature::{
    Column, FeatureDefinition, FeatureGraph, FeatureKey, FeatureSpec, FeatureVersions, Json, JsonObject, ProjectName,
};

use crate::engine::{Connection, Error, now, read_together, with_retry};
use crate::features::{FeatureOptions, Features};
use crate::lake::Store;
use crate::table::{Listing, Problem, TableName, names};

const TABLE: &str = "metaxy_system__feature_versions";

/// The version of Python Metaxy whose layout we write, for the tag that it keeps.
const LAYOUT: &str = "0.1.11";

/// A graph in the record: project, version, time, number of features.
type GraphRow = (Option<String>, Option<String>, Option<String>, i64);

/// A feature in the record: key, project, specification, schema, class path, version.
type FeatureRow = (Option<String>, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);

/// A feature as it was pushed.
#[derive(Debug, Clone)]
pub(crate) struct PushedFeature {
    pub(crate) definition: FeatureDefinition,
    pub(crate) version: String,
}

/// The version and the specification of features, as each was pushed last, by project and key.
#[derive(Debug, Default)]
pub(crate) struct LastPushed(HashMap<(String, String), (String, String)>);

/// What a push did; see [`Features::push`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Push {
    /// The version of the project, also called its snapshot.
    pub project_version: String,
    /// Whether the project's latest record is of this version already.
    pub already_pushed: bool,
    /// The features whose record was made or brought up to date in it.
    pub updated: Vec<FeatureKey>,
}

impl Push {
    fn of(project_version: &str, already_pushed: bool, new: &[&VersionedFeature<'_>]) -> Self {
        let updated = new.iter().map(|(definition, _)| definition.key().clone()).collect();
        Self { project_version: project_version.to_owned(), already_pushed, updated }
    }
}

/// A feature with its versions.
type VersionedFeature<'f> = (&'f FeatureDefinition, &'f FeatureVersions<'f>);

/// What can be pushed of a project, and into which table.
struct Unpushed<'f> {
    own: Vec<VersionedFeature<'f>>,
    project: &'f ProjectName,
    project_version: String,
    table: TableName,
}

/// A graph that was pushed; see [`Store::history`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushedGraph {
    /// The project.
    pub project: String,
    /// The version of the project.
    pub project_version: String,
    /// When it was first recorded, in UTC, as in `2026-01-31 12:00:00.5`.
    pub recorded_at: String,
    /// How many features it has.
    pub features: usize,
}

/// The last record of a feature, which may be one that is not valid here.
pub(crate) struct PushedRecord {
    pub(crate) key: String,
    pub(crate) project: String,
    pub(crate) feature: Result<PushedFeature, Problem>,
}

impl Features<'_> {
    /// Records the features of the project, unless its latest record says the same.
    ///
    /// The tags are kept with them; the tag `metaxy` is ours, and also says how rows are hashed.
    ///
    /// # Errors
    ///
    /// When the graph has features of several projects and the options name none, or none of the project that they
    /// name, or the lake cannot be written.
    pub fn push(&self, tags: &BTreeMap<String, String>) -> Result<Push, Error> {
        self.must_write()?;
        let Unpushed { own, project, project_version, table } = self.unpushed()?;
        let tags = self.tags(tags);
        let prepare = || self.new_records(&own, project, &project_version, &table);
        with_retry(self.connection, prepare, |(already_pushed, new)| {
            if !new.is_empty() {
                create(self.connection, &table)?;
                let record = |(definition, versions): &&(&FeatureDefinition, &FeatureVersions<'_>)| {
                    let columns = record(definition, versions, &project_version, &tags);
                    let columns = columns
                        .map(|(name, value)| sql!("{value} AS {name}", value = bind(value), name = Sql::fixed(name)));
                    let now = bind(now());
                    sql!("SELECT {columns}, make_timestamp({now}) AS recorded_at", columns = list(columns), now)
                };
                let records = separated(" UNION ALL ", new.iter().map(record));
                self.connection.run(&sql!("INSERT INTO {table} BY NAME {records}", table, records))?;
            }
            Ok(Push::of(&project_version, already_pushed, &new))
        })
    }

    /// What [`push`](Self::push) would do; a store that is open to read is enough for that.
    ///
    /// # Errors
    ///
    /// As for [`push`](Self::push), but that nothing is written.
    pub fn preview_push(&self) -> Result<Push, Error> {
        let Unpushed { own, project, project_version, table } = self.unpushed()?;
        let (already_pushed, new) = self.new_records(&own, project, &project_version, &table)?;
        Ok(Push::of(&project_version, already_pushed, &new))
    }

    /// What can be pushed: the features of the one project.
    fn unpushed(&self) -> Result<Unpushed<'_>, Error> {
        let project = match &self.options.project {
            Some(project) => project,
            None => self.graph.project().map_err(Problem::Feature)?,
        };
        let own = self.versions.iter().filter(|(one, _)| !one.is_external() && one.project() == project);
        let own: Vec<_> = own.collect();
        if own.is_empty() {
            return Err(Problem::EmptyProject(project.to_string()).into());
        }
        let project_version = self.versions.project(project).to_string();
        let table = TableName::in_lake(&[&self.options.table_prefix, TABLE].concat(), &self.alias)?;
        Ok(Unpushed { own, project, project_version, table })
    }

    /// Whether the project's latest record is of this version, and the features whose record is to be made or brought up
    /// to date.
    fn new_records<'o, 'f>(
        &self,
        own: &'o [VersionedFeature<'f>],
        project: &ProjectName,
        project_version: &str,
        table: &TableName,
    ) -> Result<(bool, Vec<&'o VersionedFeature<'f>>), Error> {
        let listing = Listing::new(self.connection);
        self.check_records(&listing)?;
        let exists = listing.has(table)?;
        let latest = if exists { self.latest(table, project.as_str())? } else { None };
        let already_pushed = latest.as_deref() == Some(project_version);
        let recorded =
            if already_pushed { self.recorded(table, project.as_str(), project_version)? } else { BTreeMap::new() };
        let is_new = |(definition, versions): &&VersionedFeature<'_>| {
            recorded.get(definition.key().as_str()).map(String::as_str) != Some(versions.definition.as_str())
        };
        Ok((already_pushed, own.iter().filter(is_new).collect()))
    }

    /// What was pushed last of these features.
    pub(super) fn last_pushed<'d>(
        &self,
        definitions: impl Iterator<Item = &'d FeatureDefinition> + Clone,
        listing: &Listing<'_>,
    ) -> Result<LastPushed, Error> {
        let Some(table) = feature_versions(listing, &self.alias, &self.options.table_prefix)? else {
            return Ok(LastPushed::default());
        };
        let projects: BTreeSet<&str> = definitions.clone().map(|definition| definition.project().as_str()).collect();
        let rows: Vec<(String, String, String, String)> = self.connection.query_rows(sql!(
            "SELECT project, feature_key, metaxy_feature_version, feature_spec
             FROM {table}
             WHERE project IN ({projects}) AND feature_key IN ({features})
             QUALIFY row_number() OVER (PARTITION BY project, feature_key ORDER BY recorded_at DESC) = 1",
            table,
            projects = list(projects.into_iter().map(|project| sql!("{project}", project = bind(project)))),
            features = list(definitions.map(|definition| sql!("{feature}", feature = bind(definition.key().as_str())))),
        ))?;
        Ok(LastPushed(
            rows.into_iter().map(|(project, key, version, spec)| ((project, key), (version, spec))).collect(),
        ))
    }

    /// Refuses a feature of which another version was pushed last.
    pub(super) fn check_pushed(&self, definition: &FeatureDefinition, pushed: &LastPushed) -> Result<(), Error> {
        let (key, version) = (definition.key(), self.feature_version(definition.key())?);
        let name = (definition.project().to_string(), key.to_string());
        let Some((pushed, spec)) = pushed.0.get(&name) else { return Ok(()) };
        let feature = key.clone();
        if pushed != version {
            return Err(Problem::NotPushed { feature, version: version.to_owned(), pushed: pushed.clone() }.into());
        }
        // They are no part of the version, but other ones would take several rows for one.
        let spec = FeatureSpec::from_json(spec).map_err(|error| pushed_spec(key.as_str(), &error))?;
        if spec.id_columns() != definition.spec().id_columns() {
            let ids = |spec: &FeatureSpec| names(spec.id_columns().iter().map(Column::as_str));
            return Err(Problem::OtherIds { feature, ids: ids(definition.spec()), pushed: ids(&spec) }.into());
        }
        Ok(())
    }

    /// The graph that was pushed last with this version of a feature, and its project's version.
    pub(super) fn graph_with(&self, key: &FeatureKey, version: &str) -> Result<(FeatureGraph, String), Error> {
        let unknown = || Problem::UnknownVersion { feature: key.clone(), version: version.to_owned() };
        let listing = Listing::new(self.connection);
        let table = feature_versions(&listing, &self.alias, &self.options.table_prefix)?.ok_or_else(unknown)?;
        let pushed: Option<(String,)> = self.connection.query_row(sql!(
            "SELECT metaxy_project_version
             FROM {table}
             WHERE feature_key = {feature} AND metaxy_feature_version = {version}
             ORDER BY recorded_at DESC
             LIMIT 1",
            table,
            feature = bind(key.as_str()),
            version = bind(version),
        ))?;
        let (project_version,) = pushed.ok_or_else(unknown)?;
        let graph = load(self.connection, &table, Some(&project_version))?.ok_or_else(unknown)?;
        Ok((graph, project_version))
    }

    /// The version of a project that was recorded last.
    fn latest(&self, table: &TableName, project: &str) -> Result<Option<String>, Error> {
        let latest: Option<(Option<String>,)> = self.connection.query_row(sql!(
            "SELECT metaxy_project_version
             FROM {table}
             WHERE project = {project}
             ORDER BY recorded_at DESC NULLS FIRST
             LIMIT 1",
            table,
            project = bind(project),
        ))?;
        Ok(latest.and_then(|(version,)| version))
    }

    /// The definition versions that are recorded of a project's version, by feature.
    fn recorded(&self, table: &TableName, project: &str, version: &str) -> Result<BTreeMap<String, String>, Error> {
        let rows: Vec<(Option<String>, Option<String>)> = self.connection.query_rows(sql!(
            "SELECT feature_key, arg_max(metaxy_definition_version, recorded_at)
             FROM {table}
             WHERE project = {project} AND metaxy_project_version = {version}
             GROUP BY feature_key",
            table,
            project = bind(project),
            version = bind(version),
        ))?;
        Ok(rows.into_iter().filter_map(|(key, of)| Some((key?, of?))).collect())
    }

    /// The tags as Python keeps them: the one called `metaxy` is JSON in a text.
    fn tags(&self, tags: &BTreeMap<String, String>) -> String {
        let own = [
            ("version", LAYOUT.to_owned()),
            ("hash_algorithm", self.hashing.algorithm().to_owned()),
            ("hash_truncation_length", self.hashing.truncation().length().to_string()),
        ];
        let own: JsonObject = own.into_iter().map(|(name, value)| (name.to_owned(), Json::String(value))).collect();
        let tags = tags.iter().map(|(name, value)| (name.clone(), Json::String(value.clone())));
        let mut tags: JsonObject = tags.collect();
        tags.insert("metaxy".to_owned(), Json::String(Json::Object(own).to_string()));
        Json::Object(tags).to_string()
    }
}

impl Store {
    /// The graphs that were pushed into this lake, the latest first.
    ///
    /// # Errors
    ///
    /// When the lake cannot be read.
    pub fn history(&self, options: &FeatureOptions) -> Result<Vec<PushedGraph>, Error> {
        let rows: Vec<GraphRow> = read_together(self.connection(), || {
            let Some(table) = self.feature_versions(options)? else { return Ok(Vec::new()) };
            self.connection().query_rows(sql!(
                "SELECT project, metaxy_project_version, CAST(min(recorded_at) AS VARCHAR), count(DISTINCT feature_key)
                 FROM {table}
                 GROUP BY project, metaxy_project_version
                 ORDER BY min(recorded_at) DESC",
                table,
            ))
        })?;
        let graph = |(project, project_version, recorded_at, features): GraphRow| PushedGraph {
            project: project.unwrap_or_default(),
            project_version: project_version.unwrap_or_default(),
            recorded_at: recorded_at.unwrap_or_default(),
            features: usize::try_from(features).unwrap_or_default(),
        };
        Ok(rows.into_iter().map(graph).collect())
    }

    /// The graph that was pushed with this version; without one, each feature as it was pushed last. Where nothing was
    /// pushed here, the one of the first fallback store that has it.
    ///
    /// # Errors
    ///
    /// When no such graph was pushed (see [`Error::is_missing_graph`]), a feature of it is not valid here, or the lake cannot be read.
    pub fn load_graph(&self, options: &FeatureOptions, project_version: Option<&str>) -> Result<FeatureGraph, Error> {
        let load = |alias, prefix| load_graph(self.connection(), alias, prefix, project_version);
        let own = load(self.plan().alias(), &options.table_prefix);
        let fallbacks = self.secondaries().iter().filter(|secondary| secondary.is_fallback);
        fallbacks.fold(own, |found, secondary| match found {
            Err(error) if error.is_missing_graph() => load(secondary.plan.alias(), &secondary.table_prefix)
                .map_err(|other| if other.is_missing_graph() { error } else { other }),
            found => found,
        })
    }

    fn feature_versions(&self, options: &FeatureOptions) -> Result<Option<TableName>, Error> {
        feature_versions(&Listing::new(self.connection()), self.plan().alias(), &options.table_prefix)
    }
}

/// The graph that was pushed to a lake with this version; without one, each feature as it was pushed last.
pub(crate) fn load_graph(
    connection: &Connection,
    alias: &Ident,
    prefix: &str,
    project_version: Option<&str>,
) -> Result<FeatureGraph, Error> {
    let unknown = || Problem::UnknownSnapshot(project_version.unwrap_or("latest").to_owned());
    read_together(connection, || {
        let table = feature_versions(&Listing::new(connection), alias, prefix)?.ok_or_else(unknown)?;
        Ok(load(connection, &table, project_version)?.ok_or_else(unknown)?)
    })
}

/// The table of records, if there is one.
fn feature_versions(listing: &Listing<'_>, alias: &Ident, prefix: &str) -> Result<Option<TableName>, Error> {
    let table = TableName::in_lake(&[prefix, TABLE].concat(), alias)?;
    Ok(listing.has(&table)?.then_some(table))
}

/// The graph that was pushed with this version, or each feature as it was pushed last; `None` without any.
fn load(
    connection: &Connection,
    table: &TableName,
    project_version: Option<&str>,
) -> Result<Option<FeatureGraph>, Error> {
    let of_version =
        project_version.map(|version| sql!("WHERE metaxy_project_version = {version}", version = bind(version)));
    let features = read_features(connection, table, of_version)?;
    if features.is_empty() {
        return Ok(None);
    }
    let definitions = features.into_iter().map(|record| record.feature.map(|feature| feature.definition));
    let mut definitions: Vec<_> = definitions.collect::<Result<_, _>>()?;
    if project_version.is_some() {
        add_dependencies(connection, table, &mut definitions)?;
    }
    Ok(Some(FeatureGraph::new(definitions).map_err(Problem::Feature)?))
}

/// Adds the features of other projects that these depend on, as they were pushed last: a project's record is of its own.
fn add_dependencies(
    connection: &Connection,
    table: &TableName,
    definitions: &mut Vec<FeatureDefinition>,
) -> Result<(), Error> {
    let mut known: BTreeSet<FeatureKey> = definitions.iter().map(|definition| definition.key().clone()).collect();
    let mut pushed: Option<BTreeMap<_, _>> = None;
    let mut at = 0;
    while let Some(definition) = definitions.get(at) {
        let deps: Vec<FeatureKey> = definition.spec().deps().iter().map(|dep| dep.feature.clone()).collect();
        for key in deps.into_iter().filter(|key| known.insert(key.clone())) {
            let pushed = match &mut pushed {
                Some(pushed) => pushed,
                none => {
                    let records = read_features(connection, table, None::<Sql>)?;
                    none.insert(records.into_iter().map(|record| (record.key, record.feature)).collect())
                }
            };
            if let Some(feature) = pushed.remove(key.as_str()) {
                definitions.push(feature?.definition.into_external(BTreeMap::new()));
            }
        }
        at += 1;
    }
    Ok(())
}

/// The features of other projects than this one, by their keys, as they were pushed last to a database.
pub(crate) fn pushed_features(
    connection: &Connection,
    alias: &Ident,
    prefix: &str,
    without: Option<&ProjectName>,
) -> Result<Vec<PushedRecord>, Error> {
    read_together(connection, || {
        let Some(table) = feature_versions(&Listing::new(connection), alias, prefix)? else { return Ok(Vec::new()) };
        let of_others = without.map(|project| sql!("WHERE project <> {project}", project = bind(project.as_str())));
        read_features(connection, &table, of_others)
    })
}

/// The last record of each feature among these, by its key.
fn read_features(connection: &Connection, table: &TableName, among: impl WriteSql) -> Result<Vec<PushedRecord>, Error> {
    let rows: Vec<FeatureRow> = connection.query_rows(sql!(
        "SELECT feature_key, project, feature_spec, feature_schema, feature_class_path, metaxy_feature_version
         FROM {table} {among}
         QUALIFY row_number() OVER (PARTITION BY feature_key ORDER BY recorded_at DESC) = 1",
        table,
        among,
    ))?;
    let feature = |(key, project, spec, schema, class_path, version): FeatureRow| {
        let [key, project, spec, schema, class_path, version] =
            [key, project, spec, schema, class_path, version].map(Option::unwrap_or_default);
        let of_project = project.clone();
        let definition = || {
            let schema = Json::parse(&schema)?.into_object().unwrap_or_default();
            Ok(FeatureDefinition::new(FeatureSpec::from_json(&spec)?, project.parse()?).with_schema(schema))
        };
        let definition = definition().map_err(|error| pushed_spec(&key, &error));
        let feature = definition.map(|definition| {
            let definition = if class_path.is_empty() { definition } else { definition.with_class_path(class_path) };
            PushedFeature { definition, version }
        });
        PushedRecord { key, project: of_project, feature }
    };
    Ok(rows.into_iter().map(feature).collect())
}

pub(crate) fn pushed_spec(feature: &str, error: &metaxy_feature::Error) -> Problem {
    Problem::PushedSpec { feature: feature.to_owned(), message: error.to_string() }
}

fn create(connection: &Connection, table: &TableName) -> Result<(), Error> {
    connection.execute(sql!(
        "CREATE TABLE IF NOT EXISTS {table} (
             project VARCHAR, feature_key VARCHAR, metaxy_feature_version VARCHAR, metaxy_definition_version VARCHAR,
             recorded_at TIMESTAMP, feature_spec VARCHAR, feature_schema VARCHAR, feature_class_path VARCHAR,
             metaxy_project_version VARCHAR, tags VARCHAR, deleted_at TIMESTAMP
         )",
        table,
    ))?;
    Ok(())
}

/// The columns of a feature's record but for its time.
fn record(
    definition: &FeatureDefinition,
    versions: &FeatureVersions<'_>,
    project_version: &str,
    tags: &str,
) -> [(&'static str, String); 9] {
    [
        ("project", definition.project().to_string()),
        ("feature_key", definition.key().to_string()),
        ("metaxy_feature_version", versions.feature.to_string()),
        ("metaxy_definition_version", versions.definition.to_string()),
        ("feature_spec", definition.spec().to_json().to_string()),
        ("feature_schema", Json::Object(definition.schema().clone()).to_string()),
        ("feature_class_path", definition.class_path().unwrap_or_default().to_owned()),
        ("metaxy_project_version", project_version.to_owned()),
        ("tags", tags.to_owned()),
    ]
}
