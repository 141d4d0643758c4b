//! A feature file, and the specification of a feature as JSON: no panic, and what was read is written and read again as
//! the same.

use metaxy_feature::{FeatureFiles, FeatureSpec, ProjectName};

/// Tries an input.
pub(crate) fn check(input: &str) {
    let project: ProjectName = "project".parse().expect("a name");
    let mut files = FeatureFiles::new("/project");
    files.add("/project/features.toml", input.to_owned());
    match files.graph(&project) {
        Ok(graph) => {
            for definition in graph.iter() {
                same_again(definition.spec());
            }
        }
        Err(diagnostics) => assert!(diagnostics.has_errors()),
    }
    if let Ok(spec) = FeatureSpec::from_json(input) {
        same_again(&spec);
    }
}

fn same_again(spec: &FeatureSpec) {
    let text = spec.to_json().canonical();
    let again = FeatureSpec::from_json(&text).expect("what was written can be read");
    assert_eq!(again.to_json().canonical(), text);
}
