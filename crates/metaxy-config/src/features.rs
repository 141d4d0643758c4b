//! Features that a configuration names: files that define them, and those of other projects.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ducklake_sql::mask_credentials;
use metaxy_diagnostics::{Diagnostics, Node};
use metaxy_feature::{FeatureDefinition, FeatureFiles, FeatureGraph, FeatureKey, ProjectName};

use crate::config::{Config, FeatureSelection};
use crate::decode::{Decode, Located};
use crate::files::{self, Failure};
use crate::lock_file::LockFile;
use crate::messages;
use crate::options::{KeyOptions, RustOptions, SelectionOptions};
use crate::scope::Scope;
use crate::system::{System, unreadable};

impl Config {
    /// The graph of the features that the [feature files](field@Self::feature_files) define, and of those of other projects
    /// that the [lock file](field@Self::lock_file) holds; `None` where there are no feature files.
    ///
    /// ```
    /// use metaxy_config::{Config, LoadOptions, MemorySystem};
    ///
    /// let system = MemorySystem::new()
    ///     .file("/project/metaxy.toml", "project = 'demo'\next.rust.features = ['video.toml']")
    ///     .file("/project/video.toml", "[[feature]]\nkey = 'video'\nid_columns = ['id']");
    /// let config = Config::load(&system, &LoadOptions::default()).unwrap().config;
    /// let graph = config.feature_graph(&system).unwrap().unwrap();
    /// assert_eq!(graph.iter().count(), 1);
    /// ```
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is not valid, the features do not form a graph, or no `project` is configured to
    /// which they could belong: all of it at once, each at its line.
    pub fn feature_graph(&self, system: &dyn System) -> Result<Option<FeatureGraph>, Diagnostics> {
        let Some((files, external)) = self.read_features(system) else { return Ok(None) };
        let graph = match &self.project {
            Some(project) => files.graph_with(project, external).map(Some),
            None => Err(FeatureFiles::missing_project().merge(&files.check_with(external))),
        };
        graph.map_err(masked)
    }

    /// The features that the feature files define, whatever they depend on; `None` where there are no feature files.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is not valid, or no `project` is configured.
    pub fn feature_definitions(&self, system: &dyn System) -> Result<Option<Vec<FeatureDefinition>>, Diagnostics> {
        let Some(files) = self.read_feature_files(system) else { return Ok(None) };
        let definitions = match &self.project {
            Some(project) => files.definitions(project).map(Some),
            None => Err(FeatureFiles::missing_project().merge(&files.check())),
        };
        definitions.map_err(masked)
    }

    /// What the lock file holds, which is nothing where there is none; or its path, and why it cannot be read.
    ///
    /// # Errors
    ///
    /// When it is no file of text, or was not written by `metaxy lock`.
    pub fn read_lock_file(&self, system: &dyn System) -> Result<LockFile, (&Path, String)> {
        let Some(path) = self.lock_file.as_deref() else { return Ok(LockFile::default()) };
        let bytes = match system.read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(LockFile::default()),
            Err(error) => return Err((path, error.kind().to_string())),
        };
        let text = String::from_utf8(bytes).map_err(|_| (path, ErrorKind::InvalidData.to_string()))?;
        LockFile::from_toml(&text).map_err(|why| (path, why))
    }

    /// The feature files, and the features of other projects that they may depend on.
    pub(crate) fn read_features(&self, system: &dyn System) -> Option<(FeatureFiles, Vec<FeatureDefinition>)> {
        let mut files = self.read_feature_files(system)?;
        let external = match self.read_lock_file(system) {
            Ok(lock) => lock.definitions().collect(),
            Err((path, why)) => {
                files.report(messages::lock_file_unreadable(path, &why));
                Vec::new()
            }
        };
        Some((files, external))
    }

    fn read_feature_files(&self, system: &dyn System) -> Option<FeatureFiles> {
        if self.feature_files.is_empty() {
            return None;
        }
        let mut files = FeatureFiles::new(system.current_dir().unwrap_or_default());
        for path in &self.feature_files {
            let text =
                system.read(path).and_then(|bytes| String::from_utf8(bytes).map_err(|_| ErrorKind::InvalidData.into()));
            match text {
                Ok(text) => files.add(path, text),
                Err(error) => files.report(messages::config_unreadable(path, &unreadable(&error))),
            }
        }
        Some(files)
    }
}

/// Diagnostics without the credentials of what they quote.
pub(crate) fn masked(found: Diagnostics) -> Diagnostics {
    found.map_texts(|text| mask_credentials(text).into_owned())
}

/// The features that one entry of `extra_features` selects.
pub(crate) fn selection(options: SelectionOptions, node: &Node, scope: &mut Scope<'_>) -> FeatureSelection {
    let (projects, keys) = (options.projects.unwrap_or_default(), options.keys.unwrap_or_default());
    let all = options.all.unwrap_or(false);
    if !all && projects.is_empty() && keys.is_empty() {
        scope.context.report(messages::empty_selection(node.origin));
    }
    let project = |Located { node, value }: Located<String>| match value.parse::<ProjectName>() {
        Ok(project) => Some(project),
        Err(_) => scope.context.reject(&node, messages::empty_value(&node, "the project's name")),
    };
    let projects = projects.into_iter().filter_map(project).collect();
    let key = |Located { node, value }: Located<KeyOptions>| {
        let key = match value {
            KeyOptions::Text(text) => text.parse::<FeatureKey>(),
            KeyOptions::Parts(parts) => FeatureKey::from_parts(parts),
        };
        let report = |error: metaxy_feature::Error| {
            let diagnostics =
                error.problems().iter().map(|problem| problem.diagnostic().clone().with_shown_origin(node.origin));
            diagnostics.for_each(|diagnostic| scope.context.report(diagnostic));
        };
        key.map_err(report).ok()
    };
    FeatureSelection { projects, keys: keys.into_iter().filter_map(key).collect(), all }
}

/// The table below `ext` that is ours.
pub(crate) const RUST: &str = "rust";

/// The files that the patterns of `[ext.rust]` match.
pub(crate) fn files(node: Option<&Node>, scope: &mut Scope<'_>) -> Vec<PathBuf> {
    let options = node.and_then(|node| RustOptions::decode(node, &mut scope.context)).unwrap_or_default();
    let patterns = options.features.filter(|_| options.enable != Some(false)).unwrap_or_default();
    let mut all: Vec<PathBuf> = Vec::new();
    for Located { node, value: pattern } in patterns {
        let absolute = crate::path::absolute(&pattern, scope.sources.dir(node.origin), scope.system);
        let found = match files::matching(&absolute, scope.system) {
            _ if pattern.is_empty() => Err(messages::empty_value(&node, "the path of a feature file")),
            Ok(found) if found.is_empty() => Err(messages::no_feature_file(node.origin, &absolute)),
            Ok(found) => Ok(found),
            Err(Failure::TooMany) => {
                Err(messages::invalid_pattern(node.origin, "it leads to too many files and folders"))
            }
            Err(Failure::Pattern(why)) => Err(messages::invalid_pattern(node.origin, why)),
            Err(Failure::Folder(folder, error)) => Err(messages::config_unreadable(&folder, &unreadable(&error))),
        };
        match found {
            Ok(found) => all.extend(found),
            Err(diagnostic) => scope.context.report(diagnostic),
        }
    }
    let mut seen = HashSet::new();
    all.retain(|file| seen.insert(file.clone()));
    all
}
