//! Which features a command is about: the ones that are named, or all of the project.

use metaxy_feature::{FeatureGraph, FeatureKey};

use crate::args::Selection;
use crate::error::Error;

/// The features that were selected.
#[derive(Debug)]
pub(crate) struct Selected {
    /// Those in the graph, in the order in which they were named, or else of the graph.
    pub(crate) found: Vec<FeatureKey>,
    /// Those that were named and are not there.
    pub(crate) missing: Vec<FeatureKey>,
}

impl Selection {
    /// Reads the keys: exactly one way to select is allowed.
    pub(crate) fn keys(&self) -> Result<Option<Vec<FeatureKey>>, Error> {
        match (self.named().next(), self.all_features) {
            (None, false) => Err(Error::NothingSelected),
            (None, true) => Ok(None),
            (Some(_), true) => Err(Error::SelectedTwice),
            (Some(_), false) => {
                let key = |key: &String| {
                    key.parse().map_err(|error: metaxy_feature::Error| Error::InvalidKey {
                        key: key.clone(),
                        message: error.to_string(),
                    })
                };
                self.named().map(key).collect::<Result<_, _>>().map(Some)
            }
        }
    }

    /// Looks the keys up in a graph.
    pub(crate) fn resolve(&self, graph: &FeatureGraph, project: Option<&str>) -> Result<Selected, Error> {
        let Some(keys) = self.keys()? else {
            let is_own = |of: &str| project.is_none_or(|project| project == of);
            let own = graph.iter().filter(|definition| is_own(definition.project().as_str()));
            return Ok(Selected { found: own.map(|own| own.key().clone()).collect(), missing: Vec::new() });
        };
        let (found, missing) = keys.into_iter().partition(|key| graph.get(key).is_some());
        Ok(Selected { found, missing })
    }

    /// The same, where every feature that is named has to be there.
    pub(crate) fn resolve_all(&self, graph: &FeatureGraph, project: Option<&str>) -> Result<Vec<FeatureKey>, Error> {
        self.resolve(graph, project)?.or_missing(graph)
    }
}

impl Selected {
    /// The features; an error if one that was named is not there.
    pub(crate) fn or_missing(self, graph: &FeatureGraph) -> Result<Vec<FeatureKey>, Error> {
        if self.missing.is_empty() {
            return Ok(self.found);
        }
        let known = graph.iter().map(|definition| definition.key().to_string()).collect();
        Err(Error::UnknownFeatures { keys: self.missing, known })
    }
}
