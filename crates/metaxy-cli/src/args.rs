//! The command line: what can be written, and what `--help` says about it. Nothing is done here.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::help;

/// Keeps feature metadata in a DuckLake that metaxy.toml describes.
#[derive(Debug, Parser)]
#[command(name = "metaxy", version, max_term_width = 100, after_help = help::metaxy())]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration file; else `METAXY_CONFIG`, else metaxy.toml or pyproject.toml from here upward
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config_file: Option<PathBuf>,
    /// The store to use; else `METAXY_STORE`, else the file's default
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) store: Option<String>,
    /// When to use colours; `NO_COLOR` turns them off, too
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: clap::ColorChoice,
    /// Say nothing on stderr but errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
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
    /// Find why the store does not work: configuration, catalog, storage and lake
    Doctor(Doctor),
    /// Show the resolved configuration, or the schema of the file
    #[command(subcommand)]
    Config(Config),
    /// List what is configured
    #[command(subcommand)]
    List(List),
    /// Print the completions for a shell
    Completions(Completions),
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
}

/// `metaxy check`
#[derive(Debug, clap::Args)]
#[command(after_help = help::CHECK)]
pub(crate) struct Check {
    /// How to print what is found
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
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
    pub(crate) format: SqlOrJson,
    /// Print passwords and keys instead of ***, so that the text runs in the duckdb shell
    #[arg(long)]
    pub(crate) reveal_secrets: bool,
}

/// `metaxy sql`
#[derive(Debug, clap::Args)]
#[command(after_help = help::SQL)]
pub(crate) struct Sql {
    /// One or more statements, separated by `;`, or - to read them from stdin
    pub(crate) query: String,
    /// How to print the rows of the last statement
    #[arg(long, default_value = "table")]
    pub(crate) format: RowFormat,
    /// Open the lake to read, which creates and changes nothing, or to write
    #[arg(long, default_value = "read")]
    pub(crate) mode: Mode,
}

/// `metaxy doctor`
#[derive(Debug, clap::Args)]
#[command(after_help = help::DOCTOR)]
pub(crate) struct Doctor {
    /// How to print what is found
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
    /// Also put a probe below the data path, get it back and delete it
    #[arg(long)]
    pub(crate) write: bool,
    /// Also print what DuckDB and the servers say themselves, secrets as ***
    #[arg(long)]
    pub(crate) verbose: bool,
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
    Stores(ListStores),
}

/// `metaxy list stores`
#[derive(Debug, clap::Args)]
pub(crate) struct ListStores {
    /// How to print them
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

/// Whether a lake is opened to read or to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Nothing is created or changed
    Read,
    /// Tables can be written; a lake that is not there is created
    Write,
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
    Text,
    /// For programs
    Json,
}

/// As SQL or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SqlOrJson {
    /// Statements, each with a comment that says why it is there
    Sql,
    /// For programs
    Json,
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
}
