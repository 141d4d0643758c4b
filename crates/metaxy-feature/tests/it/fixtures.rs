//! Feature files and specifications: what they mean, or every problem in them.
//!
//! A new case is a new file in `tests/fixtures`: `*.toml` is read as a feature file and made a graph, `*.json` as
//! one specification.

use std::fmt::Write as _;

use metaxy_diagnostics::Style;
use metaxy_feature::{Error, FeatureDefinition, FeatureFiles, FeatureGraph, FeatureSpec, Truncation};

#[test]
fn feature_files() {
    insta::glob!("../fixtures", "*.toml", |path| {
        let text = std::fs::read_to_string(path).expect("a readable fixture");
        insta::assert_snapshot!(check(&text, graph));
    });
}

/// Each mistake with its line, as in `metaxy.toml`.
#[test]
fn diagnostics() {
    insta::glob!("../fixtures", "*.toml", |path| {
        let text = std::fs::read_to_string(path).expect("a readable fixture");
        let mut files = FeatureFiles::new("/project");
        files.add("/project/features.toml", text);
        let Err(found) = files.graph(&"demo".parse().expect("a project name")) else { return };
        let shown = found.render(Style::Plain);
        assert!(!shown.contains("hunter2"), "{shown}");
        insta::assert_snapshot!(shown);
    });
}

#[test]
fn a_file_cut_anywhere_neither_panics_nor_leaks() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/masked.toml");
    let text = std::fs::read_to_string(path).expect("a readable fixture");
    for (end, _) in text.char_indices() {
        let mut files = FeatureFiles::new("/project");
        files.add("/project/features.toml", text[..end].to_owned());
        let Err(found) = files.graph(&"demo".parse().expect("a project name")) else { continue };
        let shown = format!("{}{found:?}{:#}", found.render(Style::Plain), found.to_json());
        assert!(!shown.contains("hunter2"), "cut at {end}: {shown}");
    }
}

#[test]
fn mistakes_of_several_files_are_shown_together() {
    let mut files = FeatureFiles::new("/project");
    files.add("/project/features/a.toml", "[[feature]]\nkey = 'a'\nid_columns = ['id']".to_owned());
    files.add("/elsewhere/b.toml", "[[feature]]\nid_columns = ['id']\nkey = 'a'\ndeps = ['c']".to_owned());
    let found = files.graph(&"demo".parse().expect("a project name")).expect_err("the feature is there twice");
    insta::assert_snapshot!(found.render(Style::Plain), @"
    error[duplicate]: the feature `a` is defined twice
     --> /elsewhere/b.toml:3:7
      |
    3 | key = 'a'
      |       ^^^
      |
     ::: features/a.toml:2:7
      |
    2 | key = 'a'
      |       --- the first definition
    ");
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
            if let Some(help) = problem.help() {
                let _ = writeln!(out, "  help: {help}");
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
