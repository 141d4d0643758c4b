//! `metaxy metadata status`: what is new, stale and orphaned, counted.

use std::fmt::Write as _;

use metaxy_feature::{Diagram, FeatureKey, Truncation};
use metaxy_store_duckdb::{Change, FeatureStatus, Features, Project, ResolveOptions};
use serde_json::{Map, Value, json};

use super::report::{Feature, Report};
use super::resolve_options;
use crate::args::{MetadataStatus, RowFormat, StatusFormat};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{self, OpenMode};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::rows;
use crate::table::aligned;

/// So many snapshots are on a page.
const SNAPSHOTS: usize = 200;

/// So many rows of a kind are shown with `--verbose`.
const SAMPLES: usize = 5;

pub(crate) fn run(args: &MetadataStatus, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    args.selection.keys()?;
    let loaded = context.load()?;
    let snapshot = args.snapshot_id.as_deref();
    let how = OpenMode::reading(&args.fallbacks);
    let project = features::open(context, &loaded, how.with_snapshot(snapshot), printer)?;
    let selected = args.selection.resolve(project.graph(), context.project(&loaded.config))?;
    let missing: Vec<String> = selected.missing.iter().map(ToString::to_string).collect();
    let keys = if args.assert_in_sync { selected.or_missing(project.graph())? } else { selected.found };
    if args.format != StatusFormat::Json && !missing.is_empty() {
        printer.warn(format_args!("the graph does not have `{}`", missing.join("`, `")), None);
    }
    let features = project.features()?;
    let progress = Progress::new("counting", printer.is_quiet());
    let found = Found::of(&features, &keys, args)?;
    drop(progress);
    let shown = match args.format {
        StatusFormat::Text => text(&found, args, printer),
        StatusFormat::Json => format!("{:#}\n", json(&found, &missing, &project, snapshot)),
        StatusFormat::Html => {
            let name = context.project(&loaded.config).unwrap_or("all projects");
            report(&found, name, &project, loaded.config.hash_truncation_length)?.html()
        }
    };
    args.output.with(printer, |out| Ok(out.write_all(shown.as_bytes())?))?;
    errors(&found, args, printer);
    let is_in_sync = found.iter().all(Found::is_in_sync);
    let has_failed = found.iter().any(Found::has_failed);
    drop(features);
    project.close()?;
    Ok(if has_failed || args.assert_in_sync && !is_in_sync { Exit::Failed } else { Exit::Done })
}

/// A feature, and how it stands or why that cannot be told.
struct Found {
    key: FeatureKey,
    standing: Result<Standing, Error>,
}

struct Standing {
    status: FeatureStatus,
    /// How much of the input was processed at least once, in percent; `None` without input.
    progress: Option<f64>,
    /// The first rows of each kind, as lines.
    samples: Vec<String>,
}

impl Found {
    fn of(features: &Features<'_>, keys: &[FeatureKey], args: &MetadataStatus) -> Result<Vec<Self>, Error> {
        let options = |key| resolve_options(key, &args.filters, &args.global_filters, &args.stale_if).full(args.full);
        let options: Vec<_> = keys.iter().map(options).collect();
        let statuses = features.statuses(keys.iter().zip(&options)).map_err(Error::Lake)?;
        let found = keys.iter().zip(&options).zip(statuses).map(|((key, options), status)| {
            let standing =
                status.map_err(Error::Lake).and_then(|status| Standing::of(features, key, options, status, args));
            Self { key: key.clone(), standing }
        });
        Ok(found.collect())
    }

    /// The word for how it stands, as Python Metaxy has it.
    fn word(&self) -> &'static str {
        match &self.standing {
            Err(_) => "error",
            Ok(Standing { status, .. }) if status.rows.is_none() => "missing",
            Ok(Standing { status, .. }) if status.update.is_none() => "root_feature",
            Ok(Standing { status, .. }) if status.needs_update() => "needs_update",
            Ok(_) => "up_to_date",
        }
    }

    /// Whether it was an error that kept it from being compared, not rows upstream that nobody has written yet.
    fn has_failed(&self) -> bool {
        matches!(&self.standing, Err(error) if !matches!(error, Error::Lake(error) if error.is_missing_table()))
    }

    fn is_in_sync(&self) -> bool {
        matches!(self.word(), "up_to_date" | "root_feature")
    }

    fn needs_update(&self) -> bool {
        self.standing.as_ref().is_ok_and(|standing| standing.status.needs_update())
    }

    /// What does not apply is left out.
    fn json(&self, project: &Project) -> Value {
        let standing = self.standing.as_ref().ok();
        let status = standing.map(|standing| &standing.status);
        let update = status.and_then(|status| status.update);
        let table = [project.options().prefix(), &self.key.table_name()].concat();
        let entries = [
            ("feature_key", json!(self.key.as_str())),
            ("status", json!(self.word())),
            ("needs_update", json!(self.needs_update())),
            ("metadata_exists", json!(status.is_some_and(|status| status.rows.is_some()))),
            ("store_rows", json!(status.and_then(|status| status.rows).unwrap_or_default())),
            ("missing", json!(update.map(|update| update.new))),
            ("stale", json!(update.map(|update| update.stale))),
            ("orphaned", json!(update.map(|update| update.orphaned))),
            ("target_version", json!(status.map_or("", |status| &status.version))),
            ("is_root_feature", json!(status.is_some_and(|status| status.update.is_none()))),
            ("sample_details", json!(standing.map(|it| &it.samples).filter(|samples| !samples.is_empty()))),
            ("store_metadata", json!(standing.map(|_| json!({ "name": project.name(), "table_name": table })))),
            ("error_message", json!(self.standing.as_ref().err().map(ToString::to_string))),
            ("progress_percentage", json!(standing.and_then(|standing| standing.progress))),
        ];
        let known = entries.into_iter().filter(|(_, value)| !value.is_null());
        known.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Standing {
    fn of(
        features: &Features<'_>,
        key: &FeatureKey,
        options: &ResolveOptions,
        status: FeatureStatus,
        args: &MetadataStatus,
    ) -> Result<Self, Error> {
        let (mut progress, mut samples) = (None, Vec::new());
        if let Some(update) = status.update {
            if args.progress || args.verbose {
                let all = options.clone().skip_comparison(true);
                let all = features.resolve_update(key, &all).map_err(Error::Lake)?.count(Change::New);
                progress = percentage(all.saturating_sub(update.new), all);
            }
            if args.verbose && status.needs_update() {
                samples = first_rows(features, key, options)?;
            }
        }
        Ok(Self { status, progress, samples })
    }
}

fn percentage(done: usize, all: usize) -> Option<f64> {
    let exact = |count: usize| u32::try_from(count).map(f64::from).ok();
    Some(exact(done)? / exact(all).filter(|all| *all > 0.0)? * 100.0)
}

/// The first rows of each kind, as a table each.
fn first_rows(features: &Features<'_>, key: &FeatureKey, options: &ResolveOptions) -> Result<Vec<String>, Error> {
    let mut increment = features.resolve_update(key, options).map_err(Error::Lake)?;
    let mut texts = Vec::new();
    for (change, title) in [(Change::New, "Missing"), (Change::Stale, "Stale"), (Change::Orphaned, "Orphaned")] {
        if increment.count(change) == 0 {
            continue;
        }
        let mut rows = increment.rows(change).map_err(Error::Lake)?;
        let mut table = Vec::new();
        let schema = rows.schema();
        // One batch is more than enough of them.
        let first = rows.next().map(|batch| batch.map(|batch| batch.slice(0, batch.num_rows().min(SAMPLES))));
        rows::print(&schema, first.into_iter(), RowFormat::Table, &mut table)?;
        texts.push([title, " samples:\n", &String::from_utf8_lossy(&table)].concat());
    }
    Ok(texts)
}

/// A line for each feature, and the first rows of each kind where they are wanted.
fn text(found: &[Found], args: &MetadataStatus, printer: &mut Printer) -> String {
    if found.is_empty() {
        printer.warn("there is no feature to show", None);
        return String::new();
    }
    let row = |found: &Found| {
        let status = found.standing.as_ref().ok().map(|standing| &standing.status);
        let count = |count: Option<usize>| count.map_or("-".to_owned(), |count| count.to_string());
        let update = status.and_then(|status| status.update);
        let mut word = found.word().replace('_', " ");
        if let Ok(Standing { progress: Some(progress), .. }) = &found.standing {
            word = format!("{word} ({progress:.0} %)");
        }
        [
            word,
            found.key.to_string(),
            count(status.map(|status| status.rows.unwrap_or_default())),
            count(update.map(|update| update.new)),
            count(update.map(|update| update.stale)),
            count(update.map(|update| update.orphaned)),
        ]
    };
    let header = ["STATUS", "FEATURE", "MATERIALIZED", "MISSING", "STALE", "ORPHANED"];
    let mut text = aligned(header, &found.iter().map(row).collect::<Vec<_>>());
    for Found { key, standing } in found.iter().filter(|_| args.verbose) {
        for sample in standing.iter().flat_map(|standing| &standing.samples) {
            // Writing to a text cannot fail.
            let _ = write!(text, "\n`{key}`: {sample}");
        }
    }
    text
}

/// Says why features could not be looked at; for programs that is in what is printed.
fn errors(found: &[Found], args: &MetadataStatus, printer: &mut Printer) {
    for Found { key, standing } in found.iter().filter(|_| args.format != StatusFormat::Json) {
        if let Err(error) = standing {
            printer.failure(format_args!("{error} (`{key}`)"), error.help().as_deref());
        }
    }
}

/// The same for a page.
fn report<'r>(
    found: &'r [Found],
    project_name: &'r str,
    project: &'r Project,
    truncation: Truncation,
) -> Result<Report<'r>, Error> {
    let feature = |found: &'r Found| {
        let status = found.standing.as_ref().ok().map(|standing| &standing.status);
        Feature {
            key: &found.key,
            word: found.word(),
            version: status.map(|status| status.version.as_str()),
            rows: status.and_then(|status| status.rows),
            update: status.and_then(|status| status.update),
            error: found.standing.as_ref().err().map(ToString::to_string),
        }
    };
    let store = project.store();
    let has_catalog = store.plan().catalog().is_some() && store.plan().metadata().is_some();
    let lake = if has_catalog {
        Some((store.size().map_err(Error::Lake)?, store.snapshots(SNAPSHOTS).map_err(Error::Lake)?))
    } else {
        None
    };
    Ok(Report {
        project: project_name,
        store: project.name(),
        time: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M").to_string(),
        features: found.iter().map(feature).collect(),
        graph: Diagram::new(&project.graph().versions(truncation)),
        lake,
    })
}

/// The shape that Python Metaxy has.
fn json(found: &[Found], missing: &[String], project: &Project, snapshot: Option<&str>) -> Value {
    if found.is_empty() {
        return json!({
            "version": 1,
            "warning": "No valid features to check",
            "features": {},
            "project_version": snapshot,
            "needs_update": false,
        });
    }
    let mut json = json!({
        "version": 1,
        "project_version": snapshot,
        "features": found.iter().map(|one| (one.key.to_string(), one.json(project))).collect::<Map<_, _>>(),
        "needs_update": found.iter().any(Found::needs_update),
    });
    let mut warnings = Map::new();
    if !missing.is_empty() {
        warnings.insert("missing_in_graph".to_owned(), missing.into());
    }
    let error = |one: &Found| {
        let error = one.standing.as_ref().err()?;
        Some(json!({ "feature": one.key.as_str(), "error": error.to_string(), "help": error.help() }))
    };
    let errors: Vec<_> = found.iter().filter_map(error).collect();
    if !errors.is_empty() {
        warnings.insert("errors".to_owned(), errors.into());
    }
    if !warnings.is_empty() {
        json["warnings"] = warnings.into();
    }
    json
}
