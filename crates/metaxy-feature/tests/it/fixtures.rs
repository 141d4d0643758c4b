//! Feature files and specifications: what they mean, or every problem in them.
//!
//! A new case is a new file in `tests/fixtures`: `*.toml` is read as a feature file and made a graph, `*.json` as
//! one specification.

use std::fmt::Write as _;

use metaxy_feature::{Error, FeatureDefinition, FeatureGraph, FeatureSpec, Truncation};

#[test]
fn feature_files() {
    insta::glob!("../fixtures", "*.toml", |path| {
        let text = std::fs::read_to_string(path).expect("a readable fixture");
        insta::assert_snapshot!(check(&text, graph));
    });
}

#[test]
fn specifications() {
    insta::glob!("../fixtures", "*.json", |path| {
        let text = std::fs::read_to_string(path).expect("a readable fixture");
        insta::assert_snapshot!(check(&text, |text| Ok(FeatureSpec::from_json(text)?.to_json().to_string())));
    });
}

/// What the text means or, one per line, what is wrong with it.
fn check(text: &str, read: impl Fn(&str) -> Result<String, Error>) -> String {
    read(text).unwrap_or_else(|error| {
        error.problems().iter().fold(String::new(), |mut out, problem| {
            let _ = writeln!(out, "{:?} at `{}`", problem.kind(), problem.path());
            let _ = writeln!(out, "  {problem}");
            if let Some(hint) = problem.hint() {
                let _ = writeln!(out, "  hint: {hint}");
            }
            out
        })
    })
}

/// Each feature's JSON, feature version, and plan.
fn graph(text: &str) -> Result<String, Error> {
    let graph = FeatureGraph::new(FeatureDefinition::from_toml(text, &"demo".parse()?)?)?;
    let versions = graph.versions(Truncation::default());
    let mut out = String::new();
    for (feature, versions) in versions.iter() {
        let _ = writeln!(out, "{} {}\n  {}", feature.key(), versions.feature, feature.spec().to_json());
        let Some(plan) = graph.plan(feature.key()) else { continue };
        for dep in &plan.deps {
            let _ = writeln!(out, "  {} ids {:?}, input {:?}", dep.dep.feature, dep.id_columns, dep.input_id_columns);
        }
        let _ = writeln!(out, "  joined by {:?}", plan.input_id_columns);
        for field in &plan.fields {
            let parents: Vec<_> = field
                .parents
                .iter()
                .map(|parent| {
                    let mark = if parent.optional { "?" } else { "" };
                    format!("{}{mark} ({})", parent.name, parent.struct_key)
                })
                .collect();
            let _ = writeln!(
                out,
                "  {} ({}) {} <- {}",
                field.key,
                field.struct_key,
                field.code_version,
                parents.join(", ")
            );
        }
    }
    Ok(out)
}
