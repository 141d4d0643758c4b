//! Features of other projects, on which features of one project depend: as they were pushed last to the store, or else to
//! the first of its fallback stores that knows them.

use std::collections::{BTreeMap, BTreeSet};

use metaxy_config::{Config, FeatureSelection};
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey, ProjectName};

use crate::engine::Error;
use crate::features::FeatureOptions;
use crate::lake::Store;
use crate::registry::{PushedFeature, PushedRecord, pushed_features, pushed_spec};
use crate::table::{Problem, names};

/// Features of other projects; see [`Store::external_features`].
#[derive(Debug, Clone)]
pub struct ExternalFeatures {
    found: BTreeMap<FeatureKey, PushedFeature>,
    missing: Vec<FeatureKey>,
}

impl ExternalFeatures {
    /// The features that nobody has pushed.
    pub fn missing(&self) -> &[FeatureKey] {
        &self.missing
    }

    /// Whether the feature is one of those that were found.
    pub fn has(&self, key: &FeatureKey) -> bool {
        self.found.contains_key(key)
    }

    /// The graph of these features and of those that depend on them.
    ///
    /// # Errors
    ///
    /// When they form none.
    pub fn graph(&self, own: impl IntoIterator<Item = FeatureDefinition>) -> Result<FeatureGraph, Error> {
        let external = self.found.values().map(|pushed| pushed.definition.clone().into_external(BTreeMap::new()));
        Ok(FeatureGraph::new(own.into_iter().chain(external)).map_err(Problem::Feature)?)
    }

    /// The same graph, if every feature was found, and each is in it of the version that was pushed.
    ///
    /// # Errors
    ///
    /// When there are others, or they form no graph.
    pub fn complete_graph(
        &self,
        own: impl IntoIterator<Item = FeatureDefinition>,
        options: &FeatureOptions,
    ) -> Result<FeatureGraph, Error> {
        if !self.missing.is_empty() {
            return Err(Problem::NeverPushed(names(self.missing.iter().map(FeatureKey::as_str))).into());
        }
        let graph = self.graph(own)?;
        let versions = graph.versions(options.truncation);
        for (key, pushed) in &self.found {
            let version = versions.get(key).map(|versions| versions.feature.as_str()).unwrap_or_default();
            if version != pushed.version {
                let (feature, version, pushed) = (key.clone(), version.to_owned(), pushed.version.clone());
                return Err(Problem::ExternalVersion { feature, version, pushed }.into());
            }
        }
        Ok(graph)
    }
}

impl Store {
    /// The features of other projects that these features depend on, and those that the selections name, with all that
    /// they depend on themselves.
    ///
    /// ```no_run
    /// use metaxy_feature::FeatureDefinition;
    /// use metaxy_store_duckdb::FeatureOptions;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store: metaxy_store_duckdb::Store = unreachable!();
    /// let text = "[[feature]]\nkey = 'faces'\nid_columns = ['id']\ndeps = ['video/crop']";
    /// let own = FeatureDefinition::from_toml(text, &"faces".parse()?)?;
    /// let external = store.external_features(&FeatureOptions::new(), &own, &[])?;
    /// let graph = external.graph(own)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the store or a fallback store cannot be read, or a feature that is needed is not valid here.
    pub fn external_features(
        &self,
        options: &FeatureOptions,
        own: &[FeatureDefinition],
        selections: &[FeatureSelection],
    ) -> Result<ExternalFeatures, Error> {
        let mut pushed = BTreeMap::new();
        let own_database = (self.plan().alias(), options.table_prefix.as_str());
        let fallbacks = self.secondaries().iter().filter(|secondary| secondary.is_fallback);
        let fallbacks = fallbacks.map(|secondary| (secondary.plan.alias(), secondary.table_prefix.as_str()));
        let project = own.first().map(FeatureDefinition::project).or(options.project.as_ref());
        for (alias, prefix) in [own_database].into_iter().chain(fallbacks) {
            for record in pushed_features(self.connection(), alias, prefix, project)? {
                pushed.entry(record.key.clone()).or_insert(record);
            }
        }
        let is_own: BTreeSet<&FeatureKey> = own.iter().map(FeatureDefinition::key).collect();
        let mut wanted: Vec<FeatureKey> = own.iter().flat_map(deps).cloned().collect();
        let is_selected = |record: &&PushedRecord| {
            let is_its = |project: &ProjectName| project.as_str() == record.project;
            selections.iter().any(|one| one.all || one.projects.iter().any(is_its))
        };
        wanted.extend(selections.iter().flat_map(|one| one.keys.clone()));
        for record in pushed.values().filter(is_selected) {
            wanted.push(record.key.parse().map_err(|error| pushed_spec(&record.key, &error))?);
        }
        let (mut found, mut missing) = (BTreeMap::new(), BTreeSet::new());
        while let Some(key) = wanted.pop() {
            if is_own.contains(&key) || found.contains_key(&key) {
                continue;
            }
            match pushed.remove(key.as_str()) {
                Some(record) => {
                    let feature = record.feature?;
                    wanted.extend(deps(&feature.definition).cloned());
                    found.insert(key, feature);
                }
                None => _ = missing.insert(key),
            }
        }
        Ok(ExternalFeatures { found, missing: missing.into_iter().collect() })
    }
}

fn deps(definition: &FeatureDefinition) -> impl Iterator<Item = &FeatureKey> {
    definition.spec().deps().iter().map(|dep| &dep.feature)
}

/// The graph with its external features, and those that the configuration selects, as they were pushed last; and what is
/// different then.
pub(crate) fn in_step(
    store: &Store,
    config: &Config,
    options: &FeatureOptions,
    graph: FeatureGraph,
) -> Result<(FeatureGraph, Vec<Problem>), Error> {
    let (external, own): (Vec<_>, Vec<_>) = graph.iter().cloned().partition(FeatureDefinition::is_external);
    if external.is_empty() && config.extra_features.is_empty() {
        return Ok((graph, Vec::new()));
    }
    let selections = config.extra_features.clone();
    let found = store.external_features(options, &own, &selections)?;
    let kept = external.iter().filter(|definition| !found.has(definition.key())).cloned();
    let now = found.graph(own.into_iter().chain(kept))?;
    let (before, after) = (graph.versions(options.truncation), now.versions(options.truncation));
    let mut changed = Vec::new();
    for key in external.iter().map(FeatureDefinition::key) {
        let of = |versions: &metaxy_feature::GraphVersions<'_>| versions.get(key).map(|one| one.feature.to_string());
        if !found.has(key) {
            changed.push(Problem::NeverPushed(names([key.as_str()])));
        } else if let (Some(version), Some(pushed)) = (of(&before), of(&after))
            && version != pushed
        {
            changed.push(Problem::OutOfStep { feature: key.clone(), version, pushed });
        }
    }
    Ok((now, changed))
}
