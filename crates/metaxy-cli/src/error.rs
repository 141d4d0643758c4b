//! Why a command failed, and how that is told: `error: …`, then `help: …`.

use std::fmt::Display;
use std::io;

use ducklake_sql::ENGINE;
use metaxy_config::{Diagnostic, Diagnostics, StoreError};
use metaxy_feature::FeatureKey;
use metaxy_store_duckdb::Cause;
use serde_json::{Value, json};

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
    Lake(#[from] metaxy_store_duckdb::Error),
    /// The configuration asks for what the person has not allowed.
    #[error("{message}")]
    Untrusted { message: String, diagnostics: Diagnostics, command: String },
    /// There is no folder to remember in what is trusted.
    #[error("there is no home directory, so what is trusted cannot be remembered")]
    NoConfigurationFolder,
    /// A line of `.env` cannot be read; it is not shown, since it may hold a secret.
    #[error("line {0} of `.env` is not `NAME=value`")]
    EnvLine(usize),
    /// A file cannot be read or written.
    #[error("{action} `{path}` failed: {source}")]
    File { action: &'static str, path: String, source: io::Error },
    /// The feature files have errors, each with its place.
    #[error("the features have errors: {}", messages(.0))]
    Features(Diagnostics),
    /// There are no feature files, and nothing was pushed either.
    #[error("no feature files are configured, and nothing was pushed to the store `{store}` so far")]
    NoGraph { store: String, in_python: bool },
    /// Nothing was pushed, although there are feature files.
    #[error("nothing was pushed to the store `{0}` so far")]
    NothingPushed(String),
    /// There are no feature files, so nothing can be pushed.
    #[error("there is nothing to push: no feature files are configured")]
    NothingToPush { in_python: bool },
    /// A command that is for the configured project only.
    #[error("`metaxy push` is for the configured project alone")]
    OtherProject,
    /// No such graph was pushed.
    #[error("no graph with the project version `{version}` was pushed to the store `{store}`")]
    UnknownSnapshot { version: String, store: String },
    /// Neither features nor all of them.
    #[error("no feature is named")]
    NothingSelected,
    /// Features, and all of them.
    #[error("`--all-features` is given together with names of features")]
    SelectedTwice,
    /// A feature's key that cannot be one.
    #[error("`{key}` is not a valid feature key: {message}")]
    InvalidKey { key: String, message: String },
    /// Features that are not in the graph.
    #[error("the graph does not have {}", quoted(.keys))]
    UnknownFeatures { keys: Vec<FeatureKey>, known: Vec<String> },
    /// Nothing is left of what was selected.
    #[error("there is no feature to delete from")]
    NoFeatures,
    /// Everything was to be removed.
    #[error("this would remove all rows of the features for good")]
    Unconfirmed,
    /// Some of several features could not be dealt with; each was told of.
    #[error("{failed} of {of} features failed")]
    Some { failed: usize, of: usize },
    /// `metaxy init` finds a file already.
    #[error("`{0}` exists already")]
    Exists(String),
    /// `metaxy lock` would write over something else.
    #[error("`{0}` is no lock file, and is not made one")]
    NoLockFile(String),
    /// No configuration was found, so there is nothing to check.
    #[error(
        "there is no configuration: no metaxy.toml, nor a pyproject.toml with `[tool.metaxy]`, was found from here upward"
    )]
    NoConfiguration,
    /// The lake can only be read, and was to be written.
    #[error("the lake of the store `{0}` can only be read: it is pinned to a snapshot, or attached `read_only`")]
    ReadOnly(String),
    /// A script ends in a transaction that it began.
    #[error(
        "the script ends within a transaction, which is rolled back{}",
        if *.stored { "; what stands before it is stored" } else { ": nothing is stored" }
    )]
    OpenTransaction { stored: bool },
    /// Several statements gave rows, and a Parquet file has those of one.
    #[error("a Parquet file has the rows of one statement, and a second one has rows, too")]
    SecondParquet,
    /// A client of `metaxy mcp` that does not speak the protocol.
    #[error("the client does not speak the Model Context Protocol: {0}")]
    Protocol(String),
    /// Lines cannot be read from the terminal.
    #[error("the terminal cannot be read: {0}")]
    Terminal(String),
    /// Neither a command nor a code.
    #[error("there is no command and no code `{topic}`")]
    UnknownTopic { topic: String, help: Option<String> },
    /// Arguments that do not go together.
    #[error("{message}")]
    Usage { message: &'static str, help: &'static str },
    /// The person at the terminal left a question unanswered.
    #[error("nothing was chosen, so nothing is written")]
    NothingChosen,
    /// Nothing is declared for the lake.
    #[error("nothing is declared for the lake of the store `{0}`")]
    NothingDeclared(String),
    /// A file that is no plan, or of another version.
    #[error("`{0}` is not a plan of `metaxy plan --out`")]
    NoPlan(String),
    /// A plan of another store.
    #[error("the plan is for the store `{plan}`, not for `{store}`")]
    PlanOfOther { plan: String, store: String },
    /// A change that nobody could be asked about.
    #[error("the lake is changed only if that is confirmed")]
    UnconfirmedChange,
    /// The lake has changed while the person was asked.
    #[error("the lake is not as it was when the plan was made")]
    LakeChanged,
    /// A step of a plan failed.
    #[error("a step failed, and {left} after it were not begun: {step}: {error}")]
    NotApplied { step: String, left: usize, error: metaxy_store_duckdb::Error },
    /// A step of the upkeep failed.
    #[error("it ended with an error; what was done before is stored, and it can be run again: {0}")]
    NotMaintained(metaxy_store_duckdb::Error),
    /// A lake that was changed does not have what is declared.
    #[error("a new session does not find what was applied: {0}")]
    NotInForce(String),
    /// The catalog of a store is not written in the configuration file itself.
    #[error(
        "`{file}` does not have the catalog of the store `{store}`: it is in a file that it extends, or in a variable"
    )]
    CatalogElsewhere { file: String, store: String },
    /// A name that is no table's.
    #[error("{message}")]
    InvalidTable { message: String },
    /// A folder or a wheel without an extension.
    #[error("`{from}` does not have the extension `{name}` for this version of DuckDB and this platform")]
    NoExtension { name: String, from: String },
    /// An extension was not installed.
    #[error("the extension `{name}` was not installed: {error}")]
    NotInstalled { name: String, error: metaxy_store_duckdb::Error },
    /// A wheel cannot be read.
    #[error("the wheel `{path}` cannot be read: {source}")]
    Wheel { path: String, source: zip::result::ZipError },
    /// A name that no extension has.
    #[error("`{name}` is not the name of an extension: {problem}")]
    ExtensionName { name: String, problem: ducklake_sql::Problem },
    /// Rows cannot be printed in this format.
    #[error("the rows cannot be printed: {0}")]
    Rows(#[from] arrow::error::ArrowError),
    /// A column is of a type that Parquet does not have.
    #[error("the column `{}` is of a type that Parquet does not have", column.escape_debug())]
    NotOfParquet { column: String },
    /// Rows cannot be written as Parquet.
    #[error("the rows cannot be written as Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The output cannot be written, or the terminal cannot be asked.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Error {
    /// What to do about it, where that is known.
    pub(crate) fn help(&self) -> Option<String> {
        let help = match self {
            Self::Store(error) => return error.help(),
            Self::Lake(error) if error.is_missing_database() => {
                "`metaxy push` creates it, and so does `metaxy sql --mode write`; or correct the store's `database`"
            }
            Self::Lake(error) if error.is_missing_lake() && error.moves_from().is_none() => {
                "`metaxy push` creates it, and so does `metaxy sql --mode write`; or correct the catalog's location"
            }
            Self::Lake(error) if error.is_unpushed() => {
                "push this graph with `metaxy push`, or let the write go on with `--unpushed`"
            }
            Self::Lake(error) if error.cause() == Some(Cause::ReadOnlyLake) => {
                "write with `--mode write`, and to the store that is opened: those of `--with` are only read"
            }
            Self::Lake(error) if error.cause() == Some(Cause::ReadLocked) => {
                "`--mode write` can change the lake, and `--allow-files` reach files, settings and other databases"
            }
            Self::NotInstalled { error, .. } if error.help().is_none() => {
                "without a way to DuckDB's repository, `--from` takes a folder or a wheel that has it"
            }
            Self::NoExtension { name, .. } => {
                let package = name.replace('_', "-");
                return Some(format!(
                    "`pip download --no-deps duckdb-extension-{package}=={}` brings a wheel of it",
                    ENGINE.duckdb
                ));
            }
            Self::Lake(error)
            | Self::NotApplied { error, .. }
            | Self::NotInstalled { error, .. }
            | Self::NotMaintained(error) => return error.help(),
            Self::NothingDeclared(store) => {
                return Some(format!("write what it is to have into `[ext.rust.lake.{store}]` of metaxy.toml"));
            }
            Self::NoPlan(_) | Self::LakeChanged => "make a new one, and read it",
            Self::PlanOfOther { .. } => "name its store with `--store`",
            Self::UnconfirmedChange => "say so with `--yes`, or give a plan that was written with `metaxy plan --out`",
            Self::NotInForce(_) => "another program has changed the lake meanwhile: run `metaxy plan`",
            Self::CatalogElsewhere { .. } => "leave out `--write-config`, and change it where it is",
            Self::InvalidTable { .. } => "write `schema.table`, or the key of a feature, as in `video/crop`",
            Self::Untrusted { command, .. } => {
                return Some(format!("read it; `{command}` allows it as it stands, and `--trust` does so once"));
            }
            Self::NoConfigurationFolder => "set HOME, or use `--trust`",
            Self::EnvLine(_) => "write the value in single quotes, or put a `#` before the line",
            Self::Exists(_) => "choose another file with `--path`, or remove this one",
            Self::NoLockFile(_) => {
                "set `metaxy_lock_path` to a file that ends in `.lock`; what is there and is none has to be removed first"
            }
            Self::NoConfiguration => "write one with `metaxy init`, or name one with `--config-file`",
            Self::ReadOnly(_) => "use `--mode read`",
            Self::OpenTransaction { .. } => {
                "end it with COMMIT, or leave out BEGIN: all statements are one transaction then"
            }
            Self::NotOfParquet { .. } => "select it as `CAST(… AS VARCHAR)`, or choose another format",
            Self::SecondParquet => "print the rows of each statement by a command of its own, or choose another format",
            Self::Usage { help, .. } => help,
            Self::UnknownTopic { help: Some(help), .. } => help,
            Self::UnknownTopic { help: None, .. } => "`metaxy help` lists the commands",
            Self::NoGraph { in_python: true, .. } | Self::NothingToPush { in_python: true } => {
                "the `entrypoints` are Python modules, which only Python Metaxy reads: push their features with `mx push`"
            }
            Self::NoGraph { .. } | Self::NothingToPush { .. } => {
                "name the files in metaxy.toml, as in `[ext.rust] features = [\"features/*.toml\"]`"
            }
            Self::NothingPushed(_) => "record the features with `metaxy push`",
            Self::OtherProject => "leave out `--project` and `--all-projects`, or set `project` in the configuration",
            Self::UnknownSnapshot { .. } => "`metaxy history --all-projects` lists them",
            Self::NothingSelected => "name features, as in `video/crop`, or say `--all-features`",
            Self::SelectedTwice => "leave one of them out",
            Self::InvalidKey { .. } => "a key is lower-case words joined by `/`, as in `video/crop`",
            Self::UnknownFeatures { known, .. } => return Some(["it has ", &quoted(known)].concat()),
            Self::Unconfirmed => "say so with `--yes`, restrict it with `--filter`, or see how many with `--dry-run`",
            _ => return None,
        };
        Some(help.to_owned())
    }

    /// The same for programs, in the shape that Python Metaxy has: a code, a message, and what belongs to that code.
    pub(crate) fn to_json(&self) -> Value {
        let all = "--all-features";
        let (code, details) = match self {
            Self::NothingSelected => ("MISSING_REQUIRED_FLAG", json!({ "required_flags": [all, "<features>"] })),
            Self::SelectedTwice => ("CONFLICTING_FLAGS", json!({ "conflicting_flags": [all, "<features>"] })),
            Self::InvalidKey { key, .. } => ("INVALID_FEATURE_KEY", json!({ "key": key })),
            Self::UnknownFeatures { keys, .. } => {
                let keys: Vec<&str> = keys.iter().map(FeatureKey::as_str).collect();
                ("FEATURES_NOT_FOUND", json!({ "features": keys }))
            }
            Self::NoFeatures | Self::NoGraph { .. } | Self::NothingToPush { .. } => ("NO_FEATURES", json!({})),
            Self::Unconfirmed => ("MISSING_CONFIRMATION", json!({})),
            Self::UnknownSnapshot { version, .. } => ("SNAPSHOT_ERROR", json!({ "project_version": version })),
            Self::Diagnostics(diagnostics) | Self::Features(diagnostics) => ("GENERIC_ERROR", diagnostics.to_json()),
            Self::Untrusted { diagnostics, .. } => ("NOT_TRUSTED", diagnostics.to_json()),
            Self::Lake(error) if error.cause().is_some() => ("GENERIC_ERROR", json!({ "cause": error.cause() })),
            _ => ("GENERIC_ERROR", json!({})),
        };
        let mut error = json!({ "error": code, "message": self.to_string(), "help": self.help() });
        if let (Value::Object(error), Value::Object(details)) = (&mut error, details) {
            error.extend(details);
        }
        error
    }

    /// Whether the person has ended it, by a signal.
    pub(crate) fn is_interrupted(&self) -> bool {
        matches!(self, Self::Lake(error) if error.is_interrupted())
    }

    /// How the program ends because of it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } | Self::UnknownTopic { .. } => Exit::Usage,
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

fn messages(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(Diagnostic::message).collect::<Vec<_>>().join("; ")
}

/// Names in backticks, with commas.
fn quoted<T: Display>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
