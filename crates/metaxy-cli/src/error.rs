//! Why a command failed, and how that is told: `error: …`, then `help: …`.

use std::io;

use metaxy_config::{Diagnostics, StoreError};

use crate::exit::Exit;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The configuration has errors, each with its place in a file.
    #[error("the configuration has errors")]
    Diagnostics(Diagnostics),
    /// A store that is not configured, or not for this program.
    #[error("{0}")]
    Store(StoreError),
    /// The lake could not be attached or queried.
    #[error("{0}")]
    Lake(metaxy_store_duckdb::Error),
    /// A line of `.env` cannot be read; it is not shown, since it may hold a secret.
    #[error("line {0} of `.env` is not `NAME=value`")]
    EnvLine(usize),
    /// A file cannot be read or written.
    #[error("{action} `{path}` failed: {source}")]
    File { action: &'static str, path: String, source: io::Error },
    /// `metaxy init` finds a file already.
    #[error("`{0}` exists already")]
    Exists(String),
    /// No configuration was found, so there is nothing to check.
    #[error("there is no configuration: no metaxy.toml was found from here upward")]
    NoConfiguration,
    /// The store has no lake.
    #[error("the store `{0}` has no lake")]
    NoLake(String),
    /// The lake can only be read, and was to be written.
    #[error("the lake of the store `{0}` can only be read: it is pinned to a snapshot, or attached `read_only`")]
    ReadOnly(String),
    /// Arguments that do not go together.
    #[error("{message}")]
    Usage { message: &'static str, help: &'static str },
    /// The person at the terminal left a question unanswered.
    #[error("nothing was chosen, so nothing is written")]
    NothingChosen,
    /// Rows cannot be printed in this format.
    #[error("the rows cannot be printed: {0}")]
    Rows(#[from] arrow::error::ArrowError),
    /// The output cannot be written, or the terminal cannot be asked.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Error {
    /// What to do about it, where that is known.
    pub(crate) fn help(&self) -> Option<String> {
        let help = match self {
            Self::Store(error) => return error.help(),
            Self::Lake(error) if is_refused_write(error) => "write with `--mode write`",
            Self::Lake(error) => return error.help(),
            Self::EnvLine(_) => "write the value in single quotes, or put a `#` before the line",
            Self::Exists(_) => "choose another file with `--path`, or remove this one",
            Self::NoConfiguration => "write one with `metaxy init`, or name one with `--config-file`",
            Self::NoLake(_) => "add a `ducklake` table with a catalog and a storage; `metaxy init` writes an example",
            Self::ReadOnly(_) => "use `--mode read`",
            Self::Usage { help, .. } => help,
            _ => return None,
        };
        Some(help.to_owned())
    }

    /// How the program ends because of it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } => Exit::Usage,
            _ => Exit::Failed,
        }
    }

    /// A store that cannot be used: its errors where it has some.
    pub(crate) fn store(error: StoreError) -> Self {
        match error.diagnostics() {
            Some(diagnostics) => Self::Diagnostics(diagnostics.clone()),
            None => Self::Store(error),
        }
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(action: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        Self::File { action, path: path.display().to_string(), source }
    }
}

/// Whether DuckDB refused to change a lake that is attached to be read.
fn is_refused_write(error: &metaxy_store_duckdb::Error) -> bool {
    error.to_string().contains("attached in read-only mode")
}
