//! The command line: what can be written, and what `--help` says about it. Nothing is done here.
//!
//! One file because it is the whole command line, in the order in which `--help` shows it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use metaxy_feature::{Column, FeatureKey};
use metaxy_store_duckdb::{Filter, Provenance};

use crate::help;
use crate::printer::Talk;

mod extensions;
mod graph;
mod lake;

pub(crate) use extensions::{Extensions, ExtensionsInstall, ExtensionsList};
pub(crate) use graph::{Direction, Drawing, DrawingFormat, Graph, GraphDiff, GraphDiffOfPython, GraphRender};
pub(crate) use lake::{
    Apply, Backup, Changes, Maintain, Migrate, MigrateCatalog, MigrateData, MigrateFormat, Plan, Restore, Snapshots,
};

/// Keeps feature metadata in a DuckLake that metaxy.toml describes.
#[derive(Debug, Parser)]
#[command(name = "metaxy", version, max_term_width = 100, after_help = help::metaxy(), disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Global {
    /// The configuration file; else `METAXY_CONFIG`, else metaxy.toml or pyproject.toml from here upward
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config_file: Option<PathBuf>,
    /// The store to use; else `METAXY_STORE`, else the file's default
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) store: Option<String>,
    /// The project whose features are meant; else the configured one, else all
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "all_projects")]
    pub(crate) project: Option<String>,
    /// Mean the features of all projects
    #[arg(long, global = true)]
    pub(crate) all_projects: bool,
    /// Let the configuration do what is not known to be harmless, as `METAXY_TRUST=1` does; see `metaxy trust`
    #[arg(long, global = true)]
    pub(crate) trust: bool,
    #[command(flatten)]
    pub(crate) other_projects: OtherProjects,
    /// How long to try again when another program is in the way, as in 30s or 5m; else the configured time, else 2m
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration)]
    pub(crate) retry_for: Option<Duration>,
    /// When to use colours; `NO_COLOR` turns them off, too
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: clap::ColorChoice,
    /// Send nothing to a pager; else what is longer than the terminal goes to `PAGER`, or less
    #[arg(long, global = true)]
    pub(crate) no_pager: bool,
    /// Say nothing on stderr but errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Say more on stderr: what failed in the engine's own words, what was opened and waited for; twice: each statement
    #[arg(short = 'v', global = true, action = clap::ArgAction::Count)]
    pub(crate) verbosity: u8,
}

/// How features of other projects are taken.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct OtherProjects {
    /// Take features of other projects as they were pushed last; else as `sync` in the file says, true unless set
    #[arg(long, global = true, overrides_with = "no_sync")]
    sync: bool,
    /// Take features of other projects as metaxy.lock has them
    #[arg(long, global = true, overrides_with = "sync")]
    no_sync: bool,
    /// Fail when such a feature was pushed with another version than metaxy.lock has
    #[arg(long, global = true)]
    locked: bool,
}

impl OtherProjects {
    /// Whether they are taken as they were pushed last, where that was said.
    pub(crate) fn sync(self) -> Option<bool> {
        (self.sync || self.no_sync).then_some(self.sync)
    }

    /// Whether they must be of the versions of the lock file, where that was said.
    pub(crate) fn locked(self) -> Option<bool> {
        self.locked.then_some(true)
    }
}

/// A span of time, as in `30s`, `1h 30m` or `0s`.
fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|_| "expected a duration, as in 30s or 5m".to_owned())?;
    span.try_into().map_err(|_| "a duration cannot be negative".to_owned())
}

impl Global {
    /// How much is to be said on stderr.
    pub(crate) fn talk(&self) -> Talk {
        match (self.quiet, self.verbosity) {
            (true, _) => Talk::Quiet,
            (false, 0) => Talk::Usual,
            (false, _) => Talk::Verbose,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented metaxy.toml
    Init(Init),
    /// Say everything that is wrong with the configuration
    Check(Check),
    /// Show the SQL that attaches the lake, without running it
    Preview(Preview),
    /// Run SQL on the attached lake
    Sql(Sql),
    /// Type SQL line by line, with history and completion, while the lake stays attached
    Shell(Shell),
    /// Find why the store does not work: configuration, catalog, storage and lake
    Doctor(Doctor),
    /// Show the resolved configuration, or the schema of the file
    #[command(subcommand)]
    Config(Config),
    /// List the stores, or the features
    #[command(subcommand)]
    List(List),
    /// Describe features, or their graph
    #[command(subcommand)]
    Describe(Describe),
    /// Draw the graph of features, or what has changed in it
    #[command(subcommand)]
    Graph(Graph),
    /// Draw what has changed in the graph, in the words of Python Metaxy
    #[command(subcommand, hide = true)]
    GraphDiff(GraphDiffOfPython),
    /// Record the features of the project in the lake
    Push(Push),
    /// Write metaxy.lock: the features of other projects that those of this one depend on
    Lock(Lock),
    /// List the graphs that were recorded in the lake, the latest first
    History(History),
    /// Look at, write and delete the rows of features
    #[command(subcommand)]
    Metadata(Metadata),
    /// Compare what is declared for the lake with what it has
    Plan(Plan),
    /// Give the lake what is declared for it; one that is not there is created
    Apply(Apply),
    /// Keep the lake in shape: flush, rewrite, merge, expire, clean up
    Maintain(Maintain),
    /// Write the catalog of the lake into a file
    Backup(Backup),
    /// Make a lake of such a file, in a catalog of any kind
    Restore(Restore),
    /// Move the lake
    #[command(subcommand)]
    Migrate(Migrate),
    /// List the snapshots of the lake, the latest first
    Snapshots(Snapshots),
    /// Print the rows that have changed since a snapshot
    Changes(Changes),
    /// Allow what the configuration asks for and is not known to be harmless, as it stands
    Trust(Trust),
    /// Let an assistant look at features, by the Model Context Protocol on stdin and stdout
    #[command(after_help = help::MCP)]
    Mcp,
    /// Look at and install the extensions of DuckDB that the configuration needs
    #[command(subcommand)]
    Extensions(Extensions),
    /// Print the completions for a shell
    Completions(Completions),
    /// Write the manual pages of all commands into a folder
    #[command(hide = true)]
    Man(Man),
    /// Explain a command, or the code of a diagnostic or a cause
    Help(Help),
}

/// `metaxy init`
#[derive(Debug, clap::Args)]
#[command(after_help = help::INIT)]
pub(crate) struct Init {
    /// Where the tables' metadata is [default: asked for, or sqlite without a terminal]
    #[arg(long)]
    pub(crate) catalog: Option<Catalog>,
    /// Where the data files are [default: asked for, or local without a terminal; none for MotherDuck]
    #[arg(long)]
    pub(crate) storage: Option<Storage>,
    /// The file to write; it must not exist
    #[arg(long, value_name = "FILE", default_value = "metaxy.toml")]
    pub(crate) path: PathBuf,
    /// Also write a first feature file and a file of rows beside it [default: asked for, or not without a terminal]
    #[arg(long)]
    pub(crate) example: bool,
}

/// A catalog to choose; the first is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Catalog {
    /// A SQLite file: several processes on one machine
    Sqlite,
    /// A DuckDB file: one process at a time
    Duckdb,
    /// A PostgreSQL database: many machines
    Postgres,
    /// A Quack server: many machines
    Quack,
    /// MotherDuck keeps it
    Motherduck,
}

/// A storage to choose; the first that goes with the catalog is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Storage {
    /// A folder of this machine
    Local,
    /// MotherDuck keeps the data, too
    None,
    /// Amazon S3, or what speaks its protocol
    S3,
    /// Cloudflare R2
    R2,
    /// Google Cloud Storage
    Gcs,
    /// Azure Blob Storage
    Azure,
}

/// `metaxy check`
#[derive(Debug, clap::Args)]
#[command(after_help = help::CHECK)]
pub(crate) struct Check {
    /// List what the configuration may do only if it is trusted, and fail unless it is
    #[arg(long)]
    pub(crate) untrusted: bool,
    /// How to print what is found
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy trust`
#[derive(Debug, clap::Args)]
#[command(after_help = help::TRUST)]
pub(crate) struct Trust {
    /// The folder of the configuration, or one below it [default: the working directory]
    pub(crate) folder: Option<PathBuf>,
    /// Take back all that was allowed there
    #[arg(long)]
    pub(crate) untrust: bool,
}

/// `metaxy preview`
#[derive(Debug, clap::Args)]
#[command(after_help = help::PREVIEW)]
pub(crate) struct Preview {
    /// Open the lake to write or to read [default: write, where the lake can be written]
    #[arg(long)]
    pub(crate) mode: Option<Mode>,
    /// How to print the statements
    #[arg(long, default_value = "sql")]
    pub(crate) format: PlanFormat,
    /// Print passwords and keys instead of ***, so that the text runs in the duckdb shell
    #[arg(long)]
    pub(crate) reveal_secrets: bool,
}

/// `metaxy sql`
#[derive(Debug, clap::Args)]
#[command(after_help = help::SQL)]
pub(crate) struct Sql {
    /// One or more statements, separated by `;`, or a file FILE.sql that holds them, or - for stdin [default: `metaxy shell`]
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) on: SqlOn,
}

/// `metaxy shell`
#[derive(Debug, clap::Args)]
#[command(after_help = help::SHELL)]
pub(crate) struct Shell {
    #[command(flatten)]
    pub(crate) on: SqlOn,
    /// How to print the rows
    #[arg(long, default_value = "table")]
    pub(crate) format: RowFormat,
}

/// What statements may reach.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SqlOn {
    /// Open the lake to read, which creates and changes nothing, or to write
    #[arg(long, default_value = "read")]
    pub(crate) mode: Mode,
    /// Let statements that read the lake use files, extensions, settings and other databases, too
    #[arg(long)]
    pub(crate) allow_files: bool,
    /// Attach the lake of another store too, to read from it as STORE.TABLE; may be repeated
    #[arg(long, value_name = "STORE")]
    pub(crate) with: Vec<String>,
}

/// `metaxy doctor`
#[derive(Debug, clap::Args)]
#[command(after_help = help::DOCTOR)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Doctor {
    /// How to print what is found
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
    /// Also put a probe below the data path, get it back and delete it
    #[arg(long)]
    pub(crate) write: bool,
    /// Also read every column of every table and every file of older snapshots, and compare all rows of features with a mark
    #[arg(long)]
    pub(crate) deep: bool,
    /// Also print what DuckDB and the servers say themselves, secrets as ***
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Only look for files that the catalog names and that are gone; with --yes, make their tables readable without them
    #[arg(long, conflicts_with_all = ["write", "deep", "verbose"])]
    pub(crate) repair: bool,
    /// Do what --repair tells of
    #[arg(long, requires = "repair")]
    pub(crate) yes: bool,
}

/// `metaxy config`
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print the configuration with all defaults and variables resolved, secrets as ***
    Print(ConfigPrint),
    /// Print the JSON schema of metaxy.toml, for editors
    Schema,
}

/// `metaxy config print`
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigPrint {
    /// How to print it
    #[arg(long, default_value = "toml")]
    pub(crate) format: TomlOrJson,
}

/// `metaxy list`
#[derive(Debug, Subcommand)]
pub(crate) enum List {
    /// List the stores, and whether each can be used
    #[command(alias = "store")]
    Stores(ListStores),
    /// List the features with their versions
    #[command(alias = "feature")]
    Features(ListFeatures),
}

/// `metaxy list stores`
#[derive(Debug, clap::Args)]
pub(crate) struct ListStores {
    /// How to print them
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy list features`
#[derive(Debug, clap::Args)]
#[command(after_help = help::LIST_FEATURES)]
pub(crate) struct ListFeatures {
    /// Also list the fields, and what each depends on; `-v` does so, too
    #[arg(long)]
    pub(crate) verbose: bool,
    /// How to print them
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy describe`
#[derive(Debug, Subcommand)]
pub(crate) enum Describe {
    /// Describe features: fields, versions, dependencies
    #[command(alias = "feature")]
    Features(DescribeFeatures),
    /// Describe the graph: its size, depth, roots and leaves
    Graph(DescribeGraph),
}

/// `metaxy describe features`
#[derive(Debug, clap::Args)]
#[command(after_help = help::DESCRIBE_FEATURES)]
pub(crate) struct DescribeFeatures {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// How to print them
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy describe graph`
#[derive(Debug, clap::Args)]
pub(crate) struct DescribeGraph {
    /// The same as `--snapshot`
    #[arg(id = "positional_snapshot", value_name = "SNAPSHOT", conflicts_with = "snapshot")]
    positional_snapshot: Option<String>,
    #[command(flatten)]
    store: PositionalStore,
    /// The graph that was recorded with this project version, in place of the present one
    #[arg(long, value_name = "VERSION")]
    snapshot: Option<String>,
    /// How to print it
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

impl DescribeGraph {
    /// The project version whose graph is meant, in place of the present one.
    pub(crate) fn snapshot(&self) -> Option<&str> {
        self.snapshot.as_deref().or(self.positional_snapshot.as_deref())
    }
}

/// The store, named without `--store` as Python Metaxy has it.
#[derive(Debug, clap::Args)]
struct PositionalStore {
    /// The same as `--store`
    #[arg(id = "positional_store", value_name = "STORE", conflicts_with = "store")]
    name: Option<String>,
}

/// `metaxy push`
#[derive(Debug, clap::Args)]
#[command(after_help = help::PUSH)]
pub(crate) struct Push {
    #[command(flatten)]
    store: PositionalStore,
    /// A tag to keep with the record; `--tags.KEY VALUE` is the same
    #[arg(long, short, value_name = "KEY=VALUE")]
    pub(crate) tags: Vec<Tag>,
    /// Say what would be recorded, and record nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to say what was done
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy lock`
#[derive(Debug, clap::Args)]
#[command(after_help = help::LOCK)]
pub(crate) struct Lock {
    /// The file to write; else `metaxy_lock_path` of the configuration, else metaxy.lock beside it
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Say what would change in it, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to say what was done
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// A tag of a push.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for Tag {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some(("metaxy", _)) => Err("the tag `metaxy` is kept by the program itself"),
            Some((key, value)) if !key.is_empty() => Ok(Self { key: key.to_owned(), value: value.to_owned() }),
            _ => Err("a tag is written KEY=VALUE"),
        }
    }
}

/// `metaxy history`
#[derive(Debug, clap::Args)]
pub(crate) struct History {
    #[command(flatten)]
    store: PositionalStore,
    /// The same as `--limit`
    #[arg(id = "positional_limit", value_name = "LIMIT", conflicts_with = "limit")]
    positional_limit: Option<usize>,
    /// List so many at most
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// How to print them
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

impl History {
    /// How many are listed at most.
    pub(crate) fn limit(&self) -> usize {
        self.limit.or(self.positional_limit).unwrap_or(usize::MAX)
    }
}

/// `metaxy metadata`
#[derive(Debug, Subcommand)]
pub(crate) enum Metadata {
    /// Count what is new, stale and orphaned in features
    Status(MetadataStatus),
    /// Print the rows of a feature
    Read(MetadataRead),
    /// Write rows of a feature from a file
    Write(MetadataWrite),
    /// Print the rows that a feature has to make, to make again or to remove
    Increment(MetadataIncrement),
    /// Delete rows of features
    Delete(MetadataDelete),
    /// Copy rows of features from one store to another
    Copy(MetadataCopy),
    /// Write rows of one version of a feature again as rows of another
    Rebase(MetadataRebase),
}

/// The features that a command is about: these, or all.
#[derive(Debug, clap::Args)]
pub(crate) struct Selection {
    /// The features, as `part/part`
    #[arg(id = "positional_features", value_name = "FEATURE")]
    positional: Vec<String>,
    /// The same, with its name; once for each
    #[arg(long, alias = "feature", value_name = "FEATURE")]
    features: Vec<String>,
    /// All features of the project
    #[arg(long)]
    pub(crate) all_features: bool,
}

impl Selection {
    /// The features that were named, in either way.
    pub(crate) fn named(&self) -> impl Iterator<Item = &String> {
        self.positional.iter().chain(&self.features)
    }
}

/// The one feature that a command is about.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct OneFeature {
    /// The feature, as `part/part`
    #[arg(id = "positional_feature", value_name = "FEATURE")]
    positional: Option<FeatureKey>,
    /// The same, with its name
    #[arg(long, alias = "features", value_name = "FEATURE")]
    feature: Option<FeatureKey>,
}

impl OneFeature {
    /// The feature; the group makes sure that there is one.
    pub(crate) fn key(&self) -> Option<&FeatureKey> {
        self.positional.as_ref().or(self.feature.as_ref())
    }
}

/// Whether fallback stores are read.
#[derive(Debug, clap::Args)]
pub(crate) struct Fallbacks {
    /// Read from the fallback stores where the store has no table of a feature; this is the default
    #[arg(long, overrides_with = "no_allow_fallback_stores")]
    allow_fallback_stores: bool,
    /// Read from the store itself only
    #[arg(long)]
    no_allow_fallback_stores: bool,
}

impl Fallbacks {
    pub(crate) fn are_read(&self) -> bool {
        self.allow_fallback_stores || !self.no_allow_fallback_stores
    }
}

/// `metaxy metadata status`
#[derive(Debug, clap::Args)]
#[command(after_help = help::METADATA_STATUS)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct MetadataStatus {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Count only the feature's rows that meet this condition; all of them when repeated
    #[arg(long = "filter", value_name = "CONDITION")]
    pub(crate) filters: Vec<Filter>,
    /// The same for the rows of every feature that is looked at
    #[arg(long = "global-filter", value_name = "CONDITION")]
    pub(crate) global_filters: Vec<Filter>,
    /// Count a row as stale that meets this condition, whatever its versions say
    #[arg(long, value_name = "CONDITION")]
    pub(crate) stale_if: Vec<Filter>,
    /// Use the graph that was recorded with this project version
    #[arg(long, value_name = "VERSION")]
    pub(crate) snapshot_id: Option<String>,
    /// Compare all rows, even if the lake has a mark of what differed before
    #[arg(long)]
    pub(crate) full: bool,
    /// Exit with 1 unless every feature is there and needs no update
    #[arg(long)]
    pub(crate) assert_in_sync: bool,
    /// Also print the first rows of each kind
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Also say how many of the input's rows were processed at least once, in percent
    #[arg(long)]
    pub(crate) progress: bool,
    #[command(flatten)]
    pub(crate) fallbacks: Fallbacks,
    /// How to print it
    #[arg(long, default_value = "text")]
    pub(crate) format: StatusFormat,
    #[command(flatten)]
    pub(crate) output: OutputFile,
}

/// `metaxy metadata read`
#[derive(Debug, clap::Args)]
#[command(after_help = help::METADATA_READ)]
pub(crate) struct MetadataRead {
    #[command(flatten)]
    pub(crate) feature: OneFeature,
    /// Only these columns, in this order
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub(crate) columns: Option<Vec<Column>>,
    /// Only rows that meet this condition; all of them when repeated
    #[arg(long = "filter", value_name = "CONDITION")]
    pub(crate) filters: Vec<Filter>,
    /// Of each id the latest row, whatever its feature version
    #[arg(long)]
    pub(crate) with_feature_history: bool,
    /// Every row that was ever written for an id
    #[arg(long)]
    pub(crate) with_sample_history: bool,
    /// Also rows that were deleted softly
    #[arg(long)]
    pub(crate) include_soft_deleted: bool,
    /// Print so many rows at most
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,
    /// The lake as it was: the number of a snapshot, or a time as in `2026-01-31 12:00:00+00`
    #[arg(long, value_name = "WHEN")]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) fallbacks: Fallbacks,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Where text goes.
#[derive(Debug, clap::Args)]
pub(crate) struct OutputFile {
    /// The file to write, which is replaced once all is there; else stdout
    #[arg(id = "output", long = "output", short, value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,
}

/// Where rows go, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Output {
    /// How to print the rows
    #[arg(long, default_value = "table")]
    pub(crate) format: RowFormat,
    /// The file to write, which is replaced once all rows are there; else stdout
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `metaxy metadata write`
#[derive(Debug, clap::Args)]
#[command(after_help = help::METADATA_WRITE, allow_missing_positional = true)]
pub(crate) struct MetadataWrite {
    #[command(flatten)]
    pub(crate) feature: OneFeature,
    /// The rows: Parquet, CSV, or JSON lines; - for stdin
    pub(crate) file: PathBuf,
    /// What the file is [default: by its name or its first bytes]
    #[arg(long)]
    pub(crate) format: Option<FileFormat>,
    /// The type of a column of CSV or JSON, as in `id=VARCHAR` [default: that of the table, else guessed]
    #[arg(long = "type", value_name = "COLUMN=TYPE")]
    pub(crate) types: Vec<ColumnType>,
    /// How the version of each field is made, for rows without `metaxy_provenance_by_field`: `hash`,
    /// `hash=FIELD:COLUMN,…` or `column=FIELD:COLUMN,…`
    #[arg(long, value_name = "HOW")]
    pub(crate) provenance: Option<Provenance>,
    /// The run that made the rows, kept in `metaxy_materialization_id`
    #[arg(long, value_name = "ID")]
    pub(crate) materialization_id: Option<String>,
    /// Add columns to the table that it lacks
    #[arg(long)]
    pub(crate) add_columns: bool,
    /// Write although the feature is of another version here than the one that was pushed last
    #[arg(long)]
    pub(crate) unpushed: bool,
    /// Check the rows and say how many they are, and write none
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// A column of a file and the type in which DuckDB is to read it.
#[derive(Debug, Clone)]
pub(crate) struct ColumnType {
    pub(crate) column: String,
    pub(crate) of: String,
}

impl FromStr for ColumnType {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once('=') {
            Some((column, of)) if !column.is_empty() && !of.is_empty() => {
                Ok(Self { column: column.to_owned(), of: of.to_owned() })
            }
            _ => Err("a type is written COLUMN=TYPE, as in `id=VARCHAR`"),
        }
    }
}

/// What a file of rows can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    /// Apache Parquet
    Parquet,
    /// With a header; nested values as JSON
    Csv,
    /// A row is an object: one a line, or all in an array
    #[value(alias = "jsonl")]
    Json,
}

impl From<FileFormat> for metaxy_store_duckdb::FileFormat {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Parquet => Self::Parquet,
            FileFormat::Csv => Self::Csv,
            FileFormat::Json => Self::Json,
        }
    }
}

/// `metaxy metadata increment`
#[derive(Debug, clap::Args)]
#[command(after_help = help::METADATA_INCREMENT)]
pub(crate) struct MetadataIncrement {
    #[command(flatten)]
    pub(crate) feature: OneFeature,
    /// Only these changes
    #[arg(long = "only", value_name = "CHANGE,…", value_delimiter = ',')]
    pub(crate) only: Option<Vec<Change>>,
    /// The samples of a feature that depends on no other, as for `metadata write`; - for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) samples: Option<PathBuf>,
    /// How the version of each field is made, for samples without `metaxy_provenance_by_field`: `hash`,
    /// `hash=FIELD:COLUMN,…` or `column=FIELD:COLUMN,…`
    #[arg(long, value_name = "HOW", requires = "samples")]
    pub(crate) provenance: Option<Provenance>,
    /// Only the feature's rows that meet this condition; all of them when repeated
    #[arg(long = "filter", value_name = "CONDITION")]
    pub(crate) filters: Vec<Filter>,
    /// The same for the rows of every feature that is looked at
    #[arg(long = "global-filter", value_name = "CONDITION")]
    pub(crate) global_filters: Vec<Filter>,
    /// Take a row as stale that meets this condition, whatever its versions say
    #[arg(long, value_name = "CONDITION")]
    pub(crate) stale_if: Vec<Filter>,
    /// Of the rows that an aggregation makes one of, only the first
    #[arg(long)]
    pub(crate) distinct: bool,
    /// Compare all rows, even if the lake has a mark of what differed before
    #[arg(long)]
    pub(crate) full: bool,
    /// Mark in the lake what differs, so that the next comparison looks only at that and at what has changed since
    #[arg(long, conflicts_with = "samples")]
    pub(crate) mark: bool,
    #[command(flatten)]
    pub(crate) fallbacks: Fallbacks,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What there is to do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Change {
    /// To make
    New,
    /// To make again
    Stale,
    /// To remove
    Orphaned,
}

/// `metaxy metadata delete`
#[derive(Debug, clap::Args)]
#[command(after_help = help::METADATA_DELETE)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct MetadataDelete {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Only rows that meet this condition; all of them when repeated
    #[arg(long = "filter", value_name = "CONDITION")]
    pub(crate) filters: Vec<Filter>,
    /// Mark the rows, so that writing them again brings them back; this is the default
    #[arg(long, alias = "no-hard", conflicts_with = "hard")]
    pub(crate) soft: bool,
    /// Remove the rows
    #[arg(long, alias = "no-soft")]
    pub(crate) hard: bool,
    /// Delete in all versions of the feature, not only the current one
    #[arg(long)]
    pub(crate) with_feature_history: bool,
    /// Really remove all rows of the features, where neither a filter nor `--soft` holds them
    #[arg(long)]
    pub(crate) yes: bool,
    /// Say how many rows it would be, and delete none
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to say what was done
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy metadata copy`
#[derive(Debug, clap::Args)]
#[command(after_help = help::METADATA_COPY)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct MetadataCopy {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// The store to copy from
    #[arg(long, value_name = "NAME")]
    pub(crate) from: String,
    /// The store to copy to
    #[arg(long, value_name = "NAME")]
    pub(crate) to: String,
    /// Only rows that meet this condition; all of them when repeated
    #[arg(long = "filter", value_name = "CONDITION")]
    pub(crate) filters: Vec<Filter>,
    /// Of each id the latest row, whatever its feature version; this is the default
    #[arg(long, overrides_with = "no_with_feature_history")]
    pub(crate) with_feature_history: bool,
    /// Only rows of the current feature version
    #[arg(long)]
    pub(crate) no_with_feature_history: bool,
    /// Of each id the latest row of every feature version
    #[arg(long, conflicts_with_all = ["with_feature_history", "no_with_feature_history"])]
    pub(crate) each_version: bool,
    /// Every row that was ever written for an id
    #[arg(long)]
    pub(crate) with_sample_history: bool,
    /// Add columns to a table that it lacks
    #[arg(long)]
    pub(crate) add_columns: bool,
    /// Say how many rows it would be, and copy none
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to say what was done
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy metadata rebase`
#[derive(Debug, clap::Args)]
#[command(after_help = help::METADATA_REBASE)]
pub(crate) struct MetadataRebase {
    #[command(flatten)]
    pub(crate) feature: OneFeature,
    /// The feature version of the rows
    #[arg(long, value_name = "VERSION")]
    pub(crate) from: String,
    /// The feature version that they get [default: the current one]
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<String>,
    /// Say how many rows it would be, and write none
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to say what was done
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy completions`
#[derive(Debug, clap::Args)]
#[command(after_help = help::COMPLETIONS)]
pub(crate) struct Completions {
    /// The shell to complete for
    pub(crate) shell: clap_complete::Shell,
}

/// `metaxy man`
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The folder, which is made where it is not there
    pub(crate) folder: PathBuf,
}

/// `metaxy help`
#[derive(Debug, clap::Args)]
#[command(after_help = help::HELP)]
pub(crate) struct Help {
    /// The words of a command, or a code [default: all commands]
    #[arg(value_name = "COMMAND|CODE")]
    pub(crate) topic: Vec<String>,
}

/// Whether a lake is opened to read or to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Nothing is created or changed
    Read,
    /// Tables can be written; a lake that is not there is created
    Write,
}

impl SqlOn {
    /// What the lake is open to, in a word.
    pub(crate) fn mode_word(&self) -> &'static str {
        match self.mode {
            Mode::Read => "read",
            Mode::Write => "write",
        }
    }
}

impl From<Mode> for ducklake_sql::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Read => Self::Read,
            Mode::Write => Self::Write,
        }
    }
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextOrJson {
    /// For people
    #[value(alias = "plain")]
    Text,
    /// For programs
    Json,
}

/// For people, for programs, or as a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    /// For people
    #[value(alias = "plain")]
    Text,
    /// For programs
    Json,
    /// A page for a browser, with the graph, sizes and history
    Html,
}

/// As SQL, for programs, or as a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// Statements, each with a comment that says why it is there
    Sql,
    /// For programs
    Json,
    /// A flowchart of Mermaid: which statement needs which secret, catalog and storage
    Mermaid,
}

/// As a configuration file or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TomlOrJson {
    /// As a configuration file
    Toml,
    /// For programs
    Json,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    /// For people: long values are cut
    Table,
    /// An array with an object for each row
    Json,
    /// With a header; nested values as JSON
    Csv,
    /// Apache Parquet
    Parquet,
}

/// Puts `--tags.KEY VALUE`, as Python Metaxy has it, into the form `--tags KEY=VALUE`.
pub(crate) fn with_tags(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut all = Vec::new();
    while let Some(argument) = arguments.next() {
        let text = argument.to_str().unwrap_or_default();
        let key = text.strip_prefix("--tags.").or_else(|| text.strip_prefix("-t."));
        match key.map(str::to_owned) {
            None => {
                all.push(argument);
                if all.last().is_some_and(|argument| argument == "--") {
                    break;
                }
            }
            Some(mut tag) => {
                if !tag.contains('=')
                    && let Some(value) = arguments.next()
                {
                    tag = [&tag, "=", &value.to_string_lossy()].concat();
                }
                all.extend(["--tags".into(), tag.into()]);
            }
        }
    }
    all.extend(arguments);
    all
}

/// The id of what can be said without the name of its option is this and the id of that option.
pub(crate) const BY_PLACE: &str = "positional_";

/// Flags that a person has to type: each is an answer to "really?", which a variable of yesterday cannot give.
pub(crate) const TYPED_ONLY: &[&str] = &["yes", "allow_destructive", "allow_files", "alone", "reveal_secrets"];

/// The whole command line: what is derived, with the spellings that every option of a kind has.
///
/// `--format` is `-f` everywhere, and each flag has its opposite, as in Python Metaxy: of `--verbose --no-verbose` the
/// last counts.
pub(crate) fn command() -> clap::Command {
    with_spellings(Args::command())
}

fn with_spellings(mut command: clap::Command) -> clap::Command {
    let words = |arg: &clap::Arg| -> Vec<String> {
        let aliases = arg.get_all_aliases().unwrap_or_default();
        arg.get_long().into_iter().chain(aliases).map(str::to_owned).collect()
    };
    let taken: Vec<String> = command.get_arguments().flat_map(words).collect();
    let opposite = |arg: &clap::Arg| -> Option<clap::Arg> {
        let negated = ["no-", arg.get_long()?].concat();
        let is_flag = matches!(arg.get_action(), clap::ArgAction::SetTrue) && !arg.get_long()?.starts_with("no-");
        let arg = clap::Arg::new(negated.replace('-', "_")).long(negated.clone()).global(arg.is_global_set());
        (is_flag && !taken.contains(&negated)).then(|| arg.action(clap::ArgAction::SetTrue).hide(true))
    };
    let opposites: Vec<clap::Arg> = command.get_arguments().filter_map(opposite).collect();
    command = command.mut_args(|arg| {
        let arg = match arg.get_long() {
            Some("format") => arg.short('f'),
            _ => arg,
        };
        let negated = ["no_", arg.get_id().as_str()].concat();
        if opposites.iter().any(|opposite| *opposite.get_id() == negated) { arg.overrides_with(negated) } else { arg }
    });
    command.args(opposites).mut_subcommands(with_spellings)
}

impl Command {
    /// The store that was named by its place alone.
    pub(crate) fn positional_store(&self) -> Option<&str> {
        match self {
            Self::Describe(Describe::Graph(DescribeGraph { store, .. }))
            | Self::Push(Push { store, .. })
            | Self::History(History { store, .. }) => store.name.as_deref(),
            _ => None,
        }
    }

    /// Whether a program reads what the command prints, and so why it failed, too.
    pub(crate) fn is_for_programs(&self) -> bool {
        let format = match self {
            Self::Graph(Graph::Render(GraphRender { drawing, .. }) | Graph::Diff(GraphDiff { drawing, .. })) => {
                return drawing.is_for_programs();
            }
            Self::GraphDiff(GraphDiffOfPython::Render(args)) => return args.drawing.is_for_programs(),
            Self::List(List::Features(args)) => args.format,
            Self::Describe(Describe::Features(args)) => args.format,
            Self::Describe(Describe::Graph(args)) => args.format,
            Self::History(args) => args.format,
            Self::Push(args) => args.format,
            Self::Lock(args) => args.format,
            Self::Metadata(Metadata::Delete(args)) => args.format,
            Self::Metadata(Metadata::Copy(args)) => args.format,
            Self::Metadata(Metadata::Rebase(args)) => args.format,
            Self::Plan(args) => args.format,
            Self::Apply(args) => args.format,
            Self::Maintain(args) => args.format,
            Self::Backup(args) => args.format,
            Self::Restore(args) => args.format,
            Self::Migrate(Migrate::Catalog(args)) => args.format,
            Self::Migrate(Migrate::Data(args)) => args.format,
            Self::Migrate(Migrate::Format(args)) => args.format,
            Self::Snapshots(args) => args.format,
            Self::Extensions(Extensions::List(args)) => args.format,
            Self::Metadata(Metadata::Status(args)) => {
                return args.format == StatusFormat::Json && args.output.path.is_none();
            }
            Self::Changes(Changes { output, .. })
            | Self::Metadata(
                Metadata::Read(MetadataRead { output, .. }) | Metadata::Increment(MetadataIncrement { output, .. }),
            ) => {
                return output.format == RowFormat::Json && output.output.is_none();
            }
            _ => TextOrJson::Text,
        };
        format == TextOrJson::Json
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What only reads, and can be printed for programs.
    const READS: &[&str] = &[
        "check",
        "preview",
        "doctor",
        "config print",
        "list stores",
        "list features",
        "describe features",
        "describe graph",
        "graph render",
        "graph diff",
        "graph-diff render",
        "history",
        "metadata status",
        "metadata read",
        "metadata increment",
        "plan",
        "snapshots",
        "changes",
        "extensions list",
    ];

    /// What changes a lake or a file that is there, and can say so first.
    const WRITES: &[&str] = &[
        "push",
        "lock",
        "metadata write",
        "metadata delete",
        "metadata copy",
        "metadata rebase",
        "maintain",
        "migrate catalog",
        "migrate data",
        "migrate format",
    ];

    /// All others, and why they need neither.
    const OTHERS: &[(&str, &str)] = &[
        ("init", "makes files that are not there"),
        ("sql", "runs what a person wrote, to read unless the mode says otherwise"),
        ("shell", "runs what a person wrote, to read unless the mode says otherwise"),
        ("config schema", "has one form"),
        ("apply", "`plan` says it first"),
        ("backup", "makes a file that is not there"),
        ("restore", "makes a lake that is not there"),
        ("trust", "`check --untrusted` says it first"),
        ("mcp", "is a server"),
        ("extensions install", "`extensions list` says it first"),
        ("extensions path", "has one form"),
        ("completions", "has one form"),
        ("man", "has one form"),
        ("help", "is for people"),
    ];

    fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        for below in command.get_subcommands() {
            let path = [path, below.get_name()].join(" ").trim().to_owned();
            if below.has_subcommands() { leaves(below, &path, found) } else { found.push((path, below.clone())) }
        }
    }

    #[test]
    fn every_command_has_the_options_of_its_kind() {
        let mut found = Vec::new();
        leaves(&command(), "", &mut found);
        let others = OTHERS.iter().map(|(name, _)| *name);
        let known: Vec<&str> = READS.iter().chain(WRITES).copied().chain(others).collect();
        let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, known.iter().copied().collect(), "each command is on one of the lists");
        assert_eq!(names.len(), known.len(), "no command is on two of the lists");
        for (name, command) in &found {
            let has = |option: &str| command.get_arguments().any(|arg| arg.get_long() == Some(option));
            assert!(!READS.contains(&name.as_str()) || has("format"), "{name} has no --format");
            assert!(!WRITES.contains(&name.as_str()) || has("dry-run"), "{name} has no --dry-run");
            // Of `metadata write` it is the format of the file that is written.
            assert!(!WRITES.contains(&name.as_str()) || has("format"), "{name} has no --format");
            let output = command.get_arguments().find(|arg| arg.get_long() == Some("output"));
            assert!(output.is_none_or(|arg| arg.get_short() == Some('o')), "{name} has no -o");
        }
        for option in ["quiet", "color", "config-file", "store"] {
            let is_global = command().get_arguments().any(|arg| arg.get_long() == Some(option) && arg.is_global_set());
            assert!(is_global, "{option}");
        }
    }

    /// The commands and options of Python Metaxy 0.1.11, each option with its other spellings.
    const PEER: &str = include_str!("../tests/fixtures/peer-options.txt");

    /// The page that lists what is different.
    const DIFFERENCES: &str = include_str!("../../../docs/interop.md");

    fn find(path: &str) -> Option<clap::Command> {
        path.split(' ').try_fold(command(), |parent, name| parent.find_subcommand(name).cloned())
    }

    #[test]
    fn options_of_python_are_here_or_listed() {
        let is_listed = |command: &str, option: &str| {
            DIFFERENCES.lines().any(|line| [command, option].iter().all(|name| line.contains(&format!("`{name}`"))))
        };
        let mut missing = Vec::new();
        for line in PEER.lines() {
            let (path, options) = line.split_once(':').expect("a command and its options");
            let Some(found) = find(path) else {
                missing.extend((!is_listed(path, path)).then(|| path.to_owned()));
                continue;
            };
            let root = command();
            let known: BTreeSet<String> =
                [&found, &root].iter().flat_map(|command| command.get_arguments()).flat_map(spellings).collect();
            // `--empty-features` is a list without items, which nobody types.
            let typed = |option: &&str| !option.starts_with("--empty-");
            for names in options.split(',').map(str::trim).filter(|names| !names.is_empty()) {
                let names: Vec<&str> = names.split(' ').filter(typed).collect();
                let is_here = names.iter().all(|option| known.contains(*option));
                if !is_here && !names.iter().any(|option| is_listed(path, option)) {
                    missing.push([path, &names.join(" ")].join(" "));
                }
            }
        }
        assert_eq!(missing, [""; 0], "list them in `docs/interop.md`");
    }

    /// Every way in which an option can be typed.
    fn spellings(argument: &clap::Arg) -> Vec<String> {
        let long = argument.get_long().into_iter().chain(argument.get_all_aliases().unwrap_or_default());
        let short = argument.get_short().into_iter().chain(argument.get_all_short_aliases().unwrap_or_default());
        long.map(|name| ["--", name].concat()).chain(short.map(|name| format!("-{name}"))).collect()
    }
}
