//! A configuration that cannot be loaded, and what is still known of its feature files.

use std::fmt;

use metaxy_diagnostics::Diagnostics;
use metaxy_feature::FeatureFiles;

use crate::config::Config;
use crate::features::masked;
use crate::system::System;

/// Why a configuration could not be loaded: at least one error that is not about a single store, and all others found.
#[derive(Clone)]
pub struct LoadError {
    diagnostics: Diagnostics,
    features: Option<Box<KnownFeatures>>,
}

impl LoadError {
    pub(crate) fn new(diagnostics: Diagnostics, features: Option<KnownFeatures>) -> Self {
        Self { diagnostics, features: features.map(Box::new) }
    }

    /// All that was found, warnings and errors of stores included.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// All that was found, and what is wrong with the feature files, as far as it is known which they are.
    ///
    /// ```
    /// use metaxy_config::{Config, LoadOptions, MemorySystem};
    ///
    /// let system = MemorySystem::new()
    ///     .file("/metaxy.toml", "stroe = 'dev'\nproject = 'demo'\next.rust.features = ['video.toml']")
    ///     .file("/video.toml", "[[feature]]\nkey = 'video'");
    /// let error = Config::load(&system, &LoadOptions::default()).unwrap_err();
    /// let found = error.check_features(&system);
    /// let codes: Vec<_> = found.iter().map(|one| one.code()).collect();
    /// assert_eq!(codes, ["unknown-key", "missing-key"]);
    /// ```
    pub fn check_features(&self, system: &dyn System) -> Diagnostics {
        let features = self.features.as_ref().and_then(|features| features.check(system));
        features.map_or_else(|| self.diagnostics.clone(), |features| self.diagnostics.merge(&features))
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LoadError").field(&self.diagnostics).finish()
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnostics.fmt(f)
    }
}

impl std::error::Error for LoadError {}

/// The part of a configuration with errors that says which its feature files are.
#[derive(Clone)]
pub(crate) struct KnownFeatures {
    pub(crate) config: Config,
    /// Whether there may be other files, so that what the features depend on cannot be judged.
    pub(crate) is_partial: bool,
    /// Whether no project is named, not even a wrong one.
    pub(crate) lacks_project: bool,
}

impl KnownFeatures {
    /// What is wrong with the files.
    pub(crate) fn check(&self, system: &dyn System) -> Option<Diagnostics> {
        let (files, external) = self.config.read_features(system)?;
        let found = if self.is_partial { files.check() } else { files.check_with(external) };
        let found = if self.lacks_project { FeatureFiles::missing_project().merge(&found) } else { found };
        Some(masked(found))
    }
}
