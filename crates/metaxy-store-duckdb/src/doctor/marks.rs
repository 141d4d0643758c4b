//! The marks: whether what was kept of comparisons still tells what a comparison of all rows finds.

use ducklake_sql::{Mode, sql};
use metaxy_config::Config;
use metaxy_feature::FeatureGraph;

use super::report::{CheckName, Outcome, Verdict};
use super::{Run, Target};
use crate::engine::{Cause, Error};
use crate::features::{FeatureOptions, Features};
use crate::increment::{MarkCheck, ResolveOptions};
use crate::registry::load_graph;
use crate::table::Listing;

/// Makes the check, of the features of a graph or else of those that were pushed last.
pub(super) fn examine(run: &mut Run, target: &Target<'_>, graph: Option<&FeatureGraph>, config: &Config) {
    run.check(CheckName::Marks, |run| {
        let verdict = compared(run, target, graph, config).unwrap_or_else(|error| {
            if error.is_missing_graph() {
                return Verdict::skipped("no features are known whose marks could be compared");
            }
            Verdict::new(Outcome::Warning, "the marks cannot be compared").raw(error.to_string())
        });
        ((), verdict)
    });
}

fn compared(run: &Run, target: &Target<'_>, graph: Option<&FeatureGraph>, config: &Config) -> Result<Verdict, Error> {
    let (connection, lake) = (target.connection, target.lake.alias());
    if Listing::new(connection).columns_of_marks(lake)?.is_empty() {
        return Ok(Verdict::ok("none are kept"));
    }
    // Each table that has any, as often as it has one.
    let kept: Vec<(String,)> =
        connection.query_rows(sql!("SELECT table_name FROM {lake}.metaxy_rust.marks WHERE key IS NULL", lake))?;
    if kept.is_empty() {
        return Ok(Verdict::ok("none are kept"));
    }
    let options = FeatureOptions::from_config(config, &run.report.store)?;
    let pushed;
    let graph = if let Some(graph) = graph {
        graph
    } else {
        pushed = load_graph(connection, lake, options.prefix(), None)?;
        &pushed
    };
    let features = Features::new(connection, (Mode::Read, lake), &[], graph, options)?;
    let (mut right, mut wrong, mut failed) = (0, Vec::new(), Vec::new());
    for definition in graph.iter().filter(|definition| !definition.spec().deps().is_empty()) {
        let key = definition.key();
        let table = features.table_name(key)?;
        if !kept.iter().any(|(of,)| of == table.name().as_str()) {
            continue;
        }
        match features.check_mark(key, &ResolveOptions::new()) {
            Ok(MarkCheck::Right { .. }) => right += 1,
            Ok(MarkCheck::Wrong { since, rows }) => {
                wrong.push(format!("`{key}`, since snapshot {since}: {rows} rows are found by one comparison only"));
            }
            Ok(MarkCheck::NotUsed(_)) => {}
            // Where a table is nowhere, or in a fallback store, there is no mark.
            Err(error) if error.is_missing_table() => {}
            Err(error) => failed.push(error.to_string()),
        }
    }
    let looked_at = right + wrong.len() + failed.len();
    let others = kept.len().saturating_sub(looked_at);
    let others = (others > 0).then(|| {
        format!(
            "{others} not compared: of comparisons with filters, of other features or versions, or not used any more"
        )
    });
    let verdict = if !wrong.is_empty() {
        Cause::MarkWrong.verdict(Outcome::Failed, &run.facts, "").evidence(wrong).evidence(failed)
    } else if !failed.is_empty() {
        Verdict::new(Outcome::Warning, "some cannot be compared").evidence(failed)
    } else {
        Verdict::ok(format!("{right} tell what a comparison of all rows finds"))
    };
    Ok(verdict.evidence(others))
}
