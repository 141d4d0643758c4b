//! `metaxy graph`: draws the graph of features, and what has changed between two.

use std::collections::BTreeSet;

use metaxy_config::Loaded;
use metaxy_feature::{Diagram, DiagramOptions, FeatureDefinition, FeatureGraph, GraphVersions, VersionChange};
use metaxy_store_duckdb::{FeatureOptions, Store};
use serde_json::{Map, Value, json};

use crate::args::{Direction, Drawing, DrawingFormat, Graph, GraphDiff, GraphDiffOfPython, GraphRender};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{self, OpenMode};
use crate::printer::Printer;

pub(crate) fn run(args: &Graph, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    match args {
        Graph::Render(args) => render(args, context, printer),
        Graph::Diff(GraphDiff { from, to, drawing }) => diff([from, to], drawing, context, printer),
    }
}

pub(crate) fn run_of_python(args: &GraphDiffOfPython, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let GraphDiffOfPython::Render(args) = args;
    diff([&args.from_snapshot, &args.to_snapshot], &args.drawing, context, printer)
}

fn render(args: &GraphRender, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let graph = features::graph(context, &loaded, args.snapshot.as_deref(), printer)?;
    let versions = graph.versions(loaded.config.hash_truncation_length);
    draw(Diagram::new(&versions), &args.drawing, &versions, printer)
}

fn diff(graphs: [&String; 2], drawing: &Drawing, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let [from, to] = graphs.map(|name| Wanted::of(name));
    let store = match (from, to) {
        (Wanted::Current, Wanted::Current) => None,
        _ => Some(features::open_store_with(context, &loaded, OpenMode::READ, printer)?),
    };
    let mut graph = |wanted: Wanted<'_>| match (wanted, &store) {
        (Wanted::Latest | Wanted::Version(_), Some((store, options))) => wanted.load(store, options, context, &loaded),
        _ => features::graph(context, &loaded, None, printer),
    };
    let (from, to) = (graph(from)?, graph(to)?);
    if let Some((store, _)) = store {
        store.close().map_err(Error::Lake)?;
    }
    let truncation = loaded.config.hash_truncation_length;
    let to = to.versions(truncation);
    let diagram = Diagram::between(&from.versions(truncation), &to);
    if diagram.is_unchanged() {
        printer.note("both graphs are the same");
    }
    draw(diagram, drawing, &to, printer)
}

/// A graph, as it is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted<'a> {
    /// The one that was recorded last.
    Latest,
    /// That of the feature files, or else of the lake.
    Current,
    /// The one that was recorded with this project version.
    Version(&'a str),
}

impl<'a> Wanted<'a> {
    fn of(name: &'a str) -> Self {
        match name {
            "latest" => Self::Latest,
            "current" => Self::Current,
            version => Self::Version(version),
        }
    }

    /// The graph, where it is one of those that were recorded.
    fn load(
        self,
        store: &Store,
        options: &FeatureOptions,
        context: &Context,
        loaded: &Loaded,
    ) -> Result<FeatureGraph, Error> {
        let name = context.store_name(&loaded.config);
        let version = match self {
            Self::Version(version) => Some(version.to_owned()),
            // Without a project, every feature as it was recorded last.
            _ => match context.project(&loaded.config) {
                Some(project) => {
                    let recorded = store.history(options).map_err(Error::Lake)?.into_iter();
                    recorded.into_iter().find(|graph| graph.project == project).map(|graph| graph.project_version)
                }
                None => None,
            },
        };
        store.load_graph(options, version.as_deref()).map_err(|error| match version {
            Some(version) if error.is_missing_graph() => Error::UnknownSnapshot { version, store: name.to_owned() },
            None if error.is_missing_graph() => Error::NothingPushed(name.to_owned()),
            _ => Error::Lake(error),
        })
    }
}

/// Draws a diagram as it is wanted, to stdout or into a file.
fn draw(diagram: Diagram, args: &Drawing, versions: &GraphVersions<'_>, printer: &mut Printer) -> Result<Exit, Error> {
    let diagram = match &args.feature {
        Some(key) => diagram.around(key, args.up, args.down).ok_or_else(|| Error::UnknownFeatures {
            keys: vec![key.clone()],
            known: versions.iter().map(|(definition, _)| definition.key().to_string()).collect(),
        })?,
        None => diagram,
    };
    let parts = args.parts;
    let of_project = parts.project_version().then(|| project_versions(versions));
    let title: Vec<&str> = args.title.as_deref().into_iter().chain(of_project.as_deref()).collect();
    let diagram = if title.is_empty() { diagram } else { diagram.titled(title.join(" · ")) };
    let mut options = DiagramOptions::new()
        .fields(!args.minimal && parts.fields())
        .feature_versions(!args.minimal && parts.feature_versions())
        .field_versions(!args.minimal && parts.field_versions())
        .code_versions(!args.minimal && parts.code_versions())
        .left_to_right(args.direction == Direction::LeftToRight)
        .coloured(args.output.file().is_none() && printer.has_color());
    if let Some(projects) = parts.projects() {
        options = options.projects(projects);
    }
    if let Some(length) = args.hash_length.filter(|length| *length > 0) {
        options = options.version_length(length);
    }
    let text = match args.format {
        DrawingFormat::Tree => diagram.to_tree(options),
        DrawingFormat::Mermaid => diagram.to_mermaid(options),
        DrawingFormat::Dot => diagram.to_dot(options),
        DrawingFormat::Svg => diagram.to_svg(options),
        DrawingFormat::Json => format!("{:#}\n", json(&diagram)),
    };
    if diagram.nodes().is_empty() {
        printer.note("there are no features in the graph");
    }
    args.output.with(printer, |out| Ok(out.write_all(text.as_bytes())?))?;
    Ok(Exit::Done)
}

/// The projects of a graph, each with its version, as it is pushed.
fn project_versions(versions: &GraphVersions<'_>) -> String {
    let own = versions.iter().map(|(definition, _)| definition).filter(|definition| !definition.is_external());
    let projects: BTreeSet<_> = own.map(FeatureDefinition::project).collect();
    let shown =
        projects.into_iter().map(|project| [project.as_str(), " ", versions.project(project).as_str()].concat());
    shown.collect::<Vec<_>>().join(", ")
}

/// The shape that Python Metaxy has for a comparison, with a version of it.
fn json(diagram: &Diagram) -> Value {
    let field = |(key, version): &(metaxy_feature::FieldKey, VersionChange)| {
        json!({
            "field_key": key.as_str(),
            "old_version": version.old().map(ToString::to_string),
            "new_version": version.new_version().map(ToString::to_string),
            "is_added": version.old().is_none(),
            "is_removed": version.new_version().is_none(),
            "is_changed": version.old().is_some() && version.new_version().is_some(),
        })
    };
    let node = |node: &metaxy_feature::DiagramNode| {
        let upstream = diagram.edges().filter(|(_, to)| **to == node.key).map(|(from, _)| from.as_str());
        let changes = node.fields.iter().filter(|(_, version)| !version.is_unchanged()).map(field);
        let fields = node.fields.iter().map(|(key, version)| {
            (key.to_string(), json!(version.new_version().or(version.old()).map(ToString::to_string)))
        });
        let codes =
            node.fields.iter().filter_map(|(key, _)| Some((key.to_string(), json!(node.code_versions.get(key)?))));
        let value = json!({
            "status": node.version.word(),
            "project": node.project.as_str(),
            "old_version": node.version.old().map(ToString::to_string),
            "new_version": node.version.new_version().map(ToString::to_string),
            "dependencies": upstream.collect::<Vec<_>>(),
            "fields": fields.collect::<Map<_, _>>(),
            "code_versions": codes.collect::<Map<_, _>>(),
            "field_changes": changes.collect::<Vec<_>>(),
        });
        (node.key.to_string(), value)
    };
    let edges = diagram.edges().map(|(from, to)| json!({ "from": from.as_str(), "to": to.as_str() }));
    json!({
        "version": 1,
        "title": diagram.title(),
        "changed": !diagram.is_unchanged(),
        "nodes": diagram.nodes().iter().map(node).collect::<Map<_, _>>(),
        "edges": edges.collect::<Vec<_>>(),
    })
}
