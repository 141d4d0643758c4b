//! The command about the extensions of DuckDB.

use std::path::PathBuf;

use clap::Subcommand;

use super::TextOrJson;
use crate::help;

/// `metaxy extensions`
#[derive(Debug, Subcommand)]
#[command(after_help = help::EXTENSIONS)]
pub(crate) enum Extensions {
    /// List what the stores need, whether it is there, and where
    List(ExtensionsList),
    /// Install what is missing, from DuckDB's repository, a folder or a wheel
    Install(ExtensionsInstall),
    /// Print the folders in which DuckDB looks, the one that is installed into first
    Path,
}

/// `metaxy extensions list`
#[derive(Debug, clap::Args)]
pub(crate) struct ExtensionsList {
    /// How to print them; `-v` adds the sums to the text
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy extensions install`
#[derive(Debug, clap::Args)]
pub(crate) struct ExtensionsInstall {
    /// The extensions, which are replaced where they are there [default: those that are missing]
    pub(crate) names: Vec<String>,
    /// A folder with extensions or wheels, a wheel, or the file of an extension [default: DuckDB's repository]
    #[arg(long, value_name = "PATH")]
    pub(crate) from: Option<PathBuf>,
}
