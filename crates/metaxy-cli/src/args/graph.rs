//! The commands that draw the graph of features.

use clap::{Subcommand, ValueEnum};
use metaxy_feature::FeatureKey;

use super::OutputFile;
use crate::help;

/// `metaxy graph`
#[derive(Debug, Subcommand)]
pub(crate) enum Graph {
    /// Draw the features, their versions, and what depends on what
    Render(GraphRender),
    /// Draw what has changed between two graphs
    Diff(GraphDiff),
}

/// `metaxy graph render`
#[derive(Debug, clap::Args)]
#[command(after_help = help::GRAPH_RENDER)]
pub(crate) struct GraphRender {
    /// The graph that was recorded with this project version, in place of the present one
    #[arg(long, value_name = "VERSION")]
    pub(crate) snapshot: Option<String>,
    #[command(flatten)]
    pub(crate) drawing: Drawing,
}

/// `metaxy graph diff`
#[derive(Debug, clap::Args)]
#[command(after_help = help::GRAPH_DIFF)]
pub(crate) struct GraphDiff {
    /// The older graph: a project version, `latest` for the last that was recorded, or `current`
    #[arg(value_name = "FROM", default_value = "latest")]
    pub(crate) from: String,
    /// The newer graph, in the same way
    #[arg(value_name = "TO", default_value = "current")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) drawing: Drawing,
}

/// `metaxy graph-diff`, as Python Metaxy has it
#[derive(Debug, Subcommand)]
pub(crate) enum GraphDiffOfPython {
    /// Draw what has changed between two graphs; `metaxy graph diff` does the same
    Render(GraphDiffRender),
}

/// `metaxy graph-diff render`
#[derive(Debug, clap::Args)]
pub(crate) struct GraphDiffRender {
    /// The older graph: a project version, `latest` for the last that was recorded, or `current`
    #[arg(long, value_name = "FROM", default_value = "latest")]
    pub(crate) from_snapshot: String,
    /// The newer graph, in the same way
    #[arg(long, value_name = "TO", default_value = "current")]
    pub(crate) to_snapshot: String,
    #[command(flatten)]
    pub(crate) drawing: Drawing,
}

/// What is drawn of a graph, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Drawing {
    /// How to draw it
    #[arg(long, default_value = "tree")]
    pub(crate) format: DrawingFormat,
    /// Only this feature, what it depends on, and what depends on it
    #[arg(long, alias = "features", value_name = "FEATURE")]
    pub(crate) feature: Option<FeatureKey>,
    /// So many steps from the feature to what it depends on [default: all]
    #[arg(long, value_name = "STEPS", requires = "feature")]
    pub(crate) up: Option<usize>,
    /// So many steps from the feature to what depends on it [default: all]
    #[arg(long, value_name = "STEPS", requires = "feature")]
    pub(crate) down: Option<usize>,
    /// Draw the keys of features only, without fields and versions
    #[arg(long)]
    pub(crate) minimal: bool,
    #[command(flatten)]
    pub(crate) parts: Parts,
    /// A line above the graph
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// Draw so many characters of each version; 0 for all [default: all]
    #[arg(long, value_name = "COUNT")]
    pub(crate) hash_length: Option<usize>,
    /// Where what depends on a feature is
    #[arg(long, value_name = "WAY", default_value = "TB", ignore_case = true)]
    pub(crate) direction: Direction,
    #[command(flatten)]
    pub(crate) output: OutputFile,
}

impl Drawing {
    /// Whether a program reads the drawing.
    pub(crate) fn is_for_programs(&self) -> bool {
        self.format == DrawingFormat::Json && self.output.path.is_none()
    }
}

/// What is drawn of a feature besides its key. Of both options of a pair, the last counts.
#[derive(Debug, Clone, Copy, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Parts {
    #[arg(long, hide = true, overrides_with = "no_show_fields")]
    show_fields: bool,
    /// Draw no fields
    #[arg(long, overrides_with = "show_fields")]
    no_show_fields: bool,
    #[arg(long, hide = true, overrides_with = "no_show_feature_versions")]
    show_feature_versions: bool,
    /// Draw no versions of features
    #[arg(long, overrides_with = "show_feature_versions")]
    no_show_feature_versions: bool,
    #[arg(long, hide = true, overrides_with = "no_show_field_versions")]
    show_field_versions: bool,
    /// Draw no versions of fields
    #[arg(long, overrides_with = "show_field_versions")]
    no_show_field_versions: bool,
    /// Draw the code versions of fields
    #[arg(long, overrides_with = "no_show_code_versions")]
    show_code_versions: bool,
    #[arg(long, hide = true, overrides_with = "show_code_versions")]
    no_show_code_versions: bool,
    /// Draw the version of the project
    #[arg(long, overrides_with = "no_show_project_version")]
    show_project_version: bool,
    #[arg(long, hide = true, overrides_with = "show_project_version")]
    no_show_project_version: bool,
    /// Draw the project of each feature, also if there is one only
    #[arg(long, overrides_with = "no_show_projects")]
    show_projects: bool,
    /// Draw no projects
    #[arg(long, overrides_with = "show_projects")]
    no_show_projects: bool,
}

impl Parts {
    /// Whether fields are drawn.
    pub(crate) fn fields(self) -> bool {
        !self.no_show_fields
    }

    /// Whether the versions of features are drawn.
    pub(crate) fn feature_versions(self) -> bool {
        !self.no_show_feature_versions
    }

    /// Whether the versions of fields are drawn.
    pub(crate) fn field_versions(self) -> bool {
        !self.no_show_field_versions
    }

    /// Whether the code versions of fields are drawn.
    pub(crate) fn code_versions(self) -> bool {
        self.show_code_versions
    }

    /// Whether the version of the project is drawn.
    pub(crate) fn project_version(self) -> bool {
        self.show_project_version
    }

    /// Whether projects are drawn, where that was said.
    pub(crate) fn projects(self) -> Option<bool> {
        (self.show_projects || self.no_show_projects).then_some(self.show_projects)
    }
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DrawingFormat {
    /// Lines for a terminal
    #[value(alias = "terminal")]
    Tree,
    /// A flowchart of Mermaid, as Markdown on GitHub has it
    Mermaid,
    /// The language of Graphviz
    #[value(alias = "graphviz")]
    Dot,
    /// An image for a browser
    Svg,
    /// For programs
    Json,
}

/// Where what depends on a feature is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Direction {
    /// Below it
    #[value(name = "TB")]
    TopToBottom,
    /// To its right
    #[value(name = "LR")]
    LeftToRight,
}
