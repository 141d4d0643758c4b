//! The one error of this crate: what happened, to which statement, and what to do next.
//!
//! Whatever DuckDB or a server says is scrubbed of the plan's secrets before it gets in here, so an error, its `Debug`
//! and its sources hold none.

use std::fmt;

use arrow::error::ArrowError;
use metaxy_config::StoreError;

/// Why a store could not be opened, queried or closed.
///
/// Ask the predicates what kind it is; its text is for people.
pub struct Error {
    kind: Box<Kind>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("{0}")]
    Config(StoreError),
    #[error("store `{0}` has no lake: its configuration has no `ducklake` table")]
    NoLakeConfigured(String),
    #[error("the lake can only be read: it is pinned to a snapshot, or its attach options say `read_only`")]
    ReadOnlyLake,
    #[error("there is no lake at `{0}`")]
    MissingLake(String),
    #[error("`{path}` is a {found} file, but the catalog is configured as {configured}")]
    WrongCatalogFile { path: String, found: &'static str, configured: &'static str },
    #[error("the extension `{name}` could not be loaded: {message}")]
    MissingExtension { name: String, message: String, tried_to_install: bool },
    #[error("the extension `{name}` is there, but does not start: {message}")]
    ExtensionNotStarted { name: String, message: String },
    #[error("the lake keeps its data at `{stored}`, but the configuration says `{configured}`")]
    DataPath { stored: String, configured: String },
    #[error("the data path `{data_path}` cannot be reached: {message}")]
    Storage { data_path: String, message: String },
    #[error("`{alias}` is not the lake that was configured: {found}")]
    NotTheLake { alias: String, found: String },
    #[error("{statement} failed: {message}")]
    Statement { statement: &'static str, message: String },
    #[error("the query failed: {0}")]
    Query(String),
    #[error("{0}")]
    Refused(Box<dyn Refusal>),
    #[error("the rows could not be read: {0}")]
    Source(String),
    #[error("another program changed the lake at the same time, {attempts} times: {message}")]
    Conflict { attempts: u32, message: String },
    #[error("the store `{store}`, to be read beside this one, cannot be opened: {error}")]
    Beside { store: String, error: Error },
    #[error("DuckDB could not be opened: {0}")]
    Open(String),
    #[error("{action} `{path}` failed: {message}")]
    File { action: &'static str, path: String, message: String },
}

/// Why a floor above the engine refuses what it was given: its `Display` says what is wrong.
pub(crate) trait Refusal: std::error::Error + Send + Sync + 'static {
    /// What to do about it, where that is known.
    fn help(&self) -> Option<String>;

    /// What a program may want to react to.
    fn class(&self) -> Class;
}

/// What a program may want to react to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Another version of the feature was pushed last.
    Unpushed,
    /// No graph was pushed, or none with the version that was asked for.
    MissingGraph,
    /// Anything else.
    Other,
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind: Box::new(kind) }
    }

    pub(crate) fn refused(refusal: impl Refusal) -> Self {
        Self::new(Kind::Refused(Box::new(refusal)))
    }

    pub(crate) fn query(message: impl Into<String>) -> Self {
        Self::new(Kind::Query(message.into()))
    }

    /// Rows that cannot be read to their end. What a reader of this crate refuses of them is told as it is.
    pub(super) fn source(error: ArrowError) -> Self {
        let error = match error {
            ArrowError::ExternalError(error) => match error.downcast::<Self>() {
                Ok(error) if matches!(error.kind(), Kind::Refused(_)) => return *error,
                Ok(error) => ArrowError::ExternalError(error),
                Err(error) => ArrowError::ExternalError(error),
            },
            error => error,
        };
        Self::new(Kind::Source(error.to_string()))
    }

    /// What happened, to whichever store.
    fn kind(&self) -> &Kind {
        match &*self.kind {
            Kind::Beside { error, .. } => error.kind(),
            kind => kind,
        }
    }

    /// What to do about it, where that is known.
    pub fn help(&self) -> Option<String> {
        match self.kind() {
            Kind::NoLakeConfigured(_) => Some("add a `ducklake` table with a catalog and a storage".to_owned()),
            Kind::ReadOnlyLake => Some("open it in read mode".to_owned()),
            Kind::MissingLake(_) => Some(
                "open it in write mode to create it (unless `create_if_not_exists` is false), or correct the catalog's \
                 location"
                    .to_owned(),
            ),
            Kind::WrongCatalogFile { .. } => {
                Some("set the catalog's `type` to what the file is, or name another file".to_owned())
            }
            Kind::MissingExtension { name, tried_to_install, .. } => Some(missing_extension_help(name, *tried_to_install)),
            Kind::ExtensionNotStarted { name, .. } if name == "motherduck" => Some(
                "it asks MotherDuck's service while it starts: open the way from here to api.motherduck.com, or try again \
                 later"
                    .to_owned(),
            ),
            Kind::DataPath { .. } => Some(
                "write the stored path into the configuration, or name the catalog that belongs to this data path"
                    .to_owned(),
            ),
            Kind::Refused(refusal) => refusal.help(),
            Kind::Conflict { .. } => Some(
                "nothing was written; a SQLite catalog takes several writers only with the attach option \
                 `meta_journal_mode = \"WAL\"`, and one that stays locked is let go when the program that holds it ends"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// Whether DuckDB refused a statement.
    pub(crate) fn is_query(&self) -> bool {
        matches!(self.kind(), Kind::Query(_))
    }

    /// Whether the configuration of the store is at fault; [`diagnostics`](Self::diagnostics) has the details.
    pub fn is_config(&self) -> bool {
        matches!(self.kind(), Kind::Config(_) | Kind::NoLakeConfigured(_))
    }

    /// What is wrong with the configuration of the store, where that is what failed.
    pub fn diagnostics(&self) -> Option<&StoreError> {
        match self.kind() {
            Kind::Config(error) => Some(error),
            _ => None,
        }
    }

    /// Whether an extension could neither be loaded nor installed.
    pub fn is_missing_extension(&self) -> bool {
        matches!(self.kind(), Kind::MissingExtension { .. })
    }

    /// Whether the catalog's file holds another kind of database than the configured one.
    pub fn is_wrong_catalog_file(&self) -> bool {
        matches!(self.kind(), Kind::WrongCatalogFile { .. })
    }

    /// Whether there is no lake where one was to be opened, and none was to be created.
    pub fn is_missing_lake(&self) -> bool {
        matches!(self.kind(), Kind::MissingLake(_))
    }

    /// Whether rows were to be written of another version of a feature than the one that was pushed last.
    pub fn is_unpushed(&self) -> bool {
        matches!(self.kind(), Kind::Refused(refusal) if refusal.class() == Class::Unpushed)
    }

    /// Whether no graph was pushed to the lake, or none with the version that was asked for.
    pub fn is_missing_graph(&self) -> bool {
        matches!(self.kind(), Kind::Refused(refusal) if refusal.class() == Class::MissingGraph)
    }

    /// Whether the lake's stored data path is another place than the configured one.
    pub fn is_data_path_mismatch(&self) -> bool {
        matches!(self.kind(), Kind::DataPath { .. })
    }

    /// Whether the lake can only be read, and was to be written.
    pub fn is_read_only(&self) -> bool {
        matches!(self.kind(), Kind::ReadOnlyLake)
    }
}

/// The three ways to an extension.
fn missing_extension_help(name: &str, tried_to_install: bool) -> String {
    let package = name.replace('_', "-");
    let again = if tried_to_install { " (it was tried, and failed)" } else { "" };
    [
        "there are three ways to get it: with the internet, `INSTALL ",
        name,
        "` in DuckDB 1.5.5",
        again,
        "; without, `pip download --no-deps duckdb-extension-",
        &package,
        "==1.5.5` and unpack it into an extension directory; or set `extension_directory` in the store's `config`, or \
         METAXY_EXTENSION_DIRECTORY, to a folder that has it as `v1.5.5/<platform>/",
        name,
        ".duckdb_extension`",
    ]
    .concat()
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Error").field(&self.kind).finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for Error {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::new(Kind::Config(error))
    }
}

/// What the engine says, without its kind of error and the statement.
pub(crate) fn engine_message(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.rsplit_once(" Error: ").map_or(line, |(_, said)| said).to_owned()
}
