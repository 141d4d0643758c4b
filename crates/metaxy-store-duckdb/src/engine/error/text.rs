//! What an error says: its message, its cause, and what to do about it.

use arrow::error::ArrowError;
use ducklake_sql::ENGINE;

use super::{Class, Context, Error, Inner, Kind, MOVED_ADVICE};
use crate::engine::cause::{Cause, Facts, Operation};
use crate::engine::engine_error::EngineError;

impl Inner {
    pub(super) fn cause(&self) -> Option<Cause> {
        let none = Facts::default();
        let facts = self.facts.as_deref().unwrap_or(&none);
        match &self.kind {
            Kind::Config(_) => Some(Cause::ConfigurationError),
            Kind::MissingLake(_) | Kind::MissingDatabase(_) => Some(Cause::NoLake),
            Kind::WrongCatalogFile { .. } | Kind::NoDatabase { .. } | Kind::IsCatalog(_) => {
                Some(Cause::WrongCatalogFile)
            }
            Kind::DataPath { .. } => Some(Cause::DataPathDiffers),
            Kind::EmptiedCatalog { .. } => Some(Cause::CatalogEmptied),
            Kind::Interrupted => Some(Cause::Interrupted),
            Kind::MissingExtension { said, .. } => said.cause(Operation::LoadExtension, facts),
            Kind::Storage { said, .. } => said.cause(Operation::AccessStorage(Cause::NoPermissionToList), facts),
            Kind::Setting { .. } => Some(Cause::SettingRefused),
            Kind::Statement { operation, said, .. } => said.cause(*operation, facts),
            Kind::Query(said) => said.cause(Operation::Query, facts),
            Kind::Open(said) => said.cause(Operation::OpenCatalog, facts),
            Kind::NotTheLake { said, .. } => said.as_ref()?.cause(Operation::OpenCatalog, facts),
            Kind::Conflict { error, .. }
            | Kind::UnknownOutcome { error, .. }
            | Kind::FilesAtRisk(error)
            | Kind::Secondary { error, .. } => error.cause(),
            Kind::Source(ArrowError::ExternalError(error)) => error.downcast_ref::<Error>()?.cause(),
            Kind::File { error, .. } => match Cause::of_io(error)? {
                Cause::FolderDenied => Some(Cause::CatalogFileDenied),
                cause => Some(cause),
            },
            Kind::Refused(refusal) if refusal.class() == Class::ReadOnly => Some(Cause::ReadLocked),
            Kind::ReadOnlyLake | Kind::Hidden(_) | Kind::Refused(_) | Kind::Source(_) | Kind::OtherTables { .. } => {
                None
            }
        }
    }

    /// See [`Error::moves_from`].
    pub(super) fn moves_from(&self) -> Option<&str> {
        let source = self.facts.as_deref().map(|facts| facts.moves_from.as_str())?;
        (matches!(self.kind, Kind::MissingLake(_)) && !source.is_empty()).then_some(source)
    }

    pub(super) fn help(&self) -> Option<String> {
        match &self.kind {
            Kind::Config(error) => error.help(),
            Kind::ReadOnlyLake => Some("open it in read mode".to_owned()),
            Kind::MissingLake(_) => Some(match self.moves_from() {
                Some(source) => {
                    let target = self.facts.as_deref().map_or("", |facts| &facts.store);
                    format!("`metaxy migrate catalog {target} --store {source}` moves the lake of `{source}` here")
                }
                None if self.facts.as_deref().is_some_and(Facts::names_no_storage) => {
                    "correct the catalog's location, or write `storage`, without which no lake is made".to_owned()
                }
                None => "open it in write mode to create it (unless `create_if_not_exists` is false), or correct the \
                         catalog's location"
                    .to_owned(),
            }),
            Kind::MissingDatabase(_) => {
                Some("open it in write mode to create it, or correct the store's `database`".to_owned())
            }
            Kind::NoDatabase { .. } => Some("name a file that DuckDB has made as the store's `database`".to_owned()),
            Kind::IsCatalog(_) => Some(
                "say in a `ducklake` table which lake it belongs to, or name another file as the store's `database`"
                    .to_owned(),
            ),
            Kind::WrongCatalogFile { .. } => {
                Some("set the catalog's `type` to what the file is, or name another file".to_owned())
            }
            Kind::MissingExtension { name, tried_to_install, .. } => match self.cause() {
                // It asks its service while it starts.
                Some(Cause::MotherDuckDown | Cause::ExtensionNotStarted) if name == "motherduck" => {
                    Some(self.explain(Cause::MotherDuckDown).1)
                }
                Some(Cause::ExtensionNotStarted) => None,
                _ => Some(missing_extension_help(name, *tried_to_install)),
            },
            Kind::DataPath { is_moved: true, .. } => Some(MOVED_ADVICE.to_owned()),
            Kind::DataPath { is_gone: true, .. } => Some(
                "nothing is at the stored path, and not all of the lake's files are at the configured one: bring them \
                 there and set `override_data_path = true` in the `attach_options`, or name the catalog that belongs to \
                 this data path"
                    .to_owned(),
            ),
            Kind::OtherTables { .. } => Some(
                "name a file of its own for the lake's catalog; or, if the lake is to be in this one, set \
                 `create_if_not_exists = true` in the `attach_options`"
                    .to_owned(),
            ),
            Kind::EmptiedCatalog { .. } => Some(self.explain(Cause::CatalogEmptied).1),
            Kind::Setting { .. } => Some(self.explain(Cause::SettingRefused).1),
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
            Kind::UnknownOutcome { lake, token: None, .. } => Some(format!(
                "the script has set a message of its own: look for it in `FROM ducklake_snapshots('{lake}')` when the \
                 server is there again, and run the script again only if it is not there"
            )),
            Kind::UnknownOutcome { lake, token: Some(token), .. } => Some(format!(
                "when the server is there again, `FROM ducklake_snapshots('{lake}') WHERE commit_extra_info = '{token}'` \
                 has a row if the transaction is stored; run it again only if there is none"
            )),
            Kind::FilesAtRisk(_) => Some(
                "read the tables that were written: where a file is missing, DuckLake has removed it, and the rows are to \
                 be written again; do not run the transaction again otherwise"
                    .to_owned(),
            ),
            Kind::Secondary { error, .. } => error.help(),
            _ => {
                let cause = self.cause().filter(|cause| {
                    cause.has_better_words() || matches!(cause, Cause::ReadOnlyLake | Cause::ReadLocked)
                })?;
                let (_, advice) = self.explain(cause);
                Some(advice)
            }
        }
    }

    /// The engine's words, where a kind has them.
    fn raw(&self) -> &str {
        match &self.kind {
            Kind::MissingExtension { said, .. }
            | Kind::Storage { said, .. }
            | Kind::Setting { said, .. }
            | Kind::Statement { said, .. }
            | Kind::Query(said)
            | Kind::Open(said) => said.text(),
            _ => "",
        }
    }

    fn explain(&self, cause: Cause) -> (String, String) {
        let none = Facts::default();
        cause.explain(self.facts.as_deref().unwrap_or(&none), self.raw())
    }

    /// What the engine's words mean, or the words themselves where the engine tells more.
    fn told(&self, said: &EngineError) -> String {
        let none = Facts::default();
        match self.cause().filter(|cause| cause.has_better_words()) {
            Some(cause) => cause.summary(self.facts.as_deref().unwrap_or(&none), said.text()),
            None => said.text().to_owned(),
        }
    }

    pub(super) fn message(&self) -> String {
        match &self.kind {
            Kind::Config(error) => error.to_string(),
            Kind::ReadOnlyLake => {
                "the lake can only be read: it is pinned to a snapshot, or its attach options say `read_only`"
                    .to_owned()
            }
            Kind::MissingDatabase(path) => format!("there is no DuckDB database at `{path}`"),
            Kind::NoDatabase { path, found } => format!("`{path}` is a {found} file, not a DuckDB database"),
            Kind::IsCatalog(alias) => format!("the database `{alias}` is the catalog of a lake"),
            Kind::MissingLake(location) => format!("there is no lake at {location}"),
            Kind::WrongCatalogFile { path, found, configured } => {
                format!("`{path}` is a {found} file, but the catalog is configured as {configured}")
            }
            Kind::MissingExtension { name, said, .. } => match self.cause() {
                Some(Cause::ExtensionNotStarted | Cause::MotherDuckDown) => {
                    format!("the extension `{name}` is there, but does not start: {said}")
                }
                _ => format!("the extension `{name}` could not be loaded: {said}"),
            },
            Kind::OtherTables { path, tables } => {
                format!("`{path}` is not a lake, and holds tables or views of somebody: {}", tables.join(", "))
            }
            Kind::EmptiedCatalog { path, data_path: Some(data_path) } => {
                format!("the catalog's file `{path}` is empty, but data files are below `{data_path}`: it was damaged")
            }
            Kind::EmptiedCatalog { path, data_path: None } => {
                format!(
                    "the catalog's file `{path}` is empty, which that of a lake never is: it was damaged, or never used"
                )
            }
            Kind::DataPath { stored, configured, .. } => {
                format!("the lake keeps its data at `{stored}`, but the configuration says `{configured}`")
            }
            Kind::Storage { data_path, said } => {
                format!("the data path `{data_path}` cannot be reached: {}", self.told(said))
            }
            Kind::NotTheLake { alias, found, .. } => format!("`{alias}` is not the lake that was configured: {found}"),
            Kind::Setting { name, said } => format!("DuckDB refuses the setting `{name}`: {said}"),
            Kind::Statement { statement, said, .. } => format!("{statement} failed: {}", self.told(said)),
            Kind::Hidden(statement) => format!(
                "{statement} failed: an `init_sql` statement of an extension; its text and error are hidden, since they \
                 may hold a secret"
            ),
            Kind::Query(said) => format!("the query failed: {}", self.told(said)),
            Kind::Interrupted => self.explain(Cause::Interrupted).0,
            Kind::Refused(refusal) => refusal.to_string(),
            Kind::Source(error) => format!("the rows could not be read: {error}"),
            Kind::Conflict { attempts, error } => {
                format!("another program changed the lake at the same time, {attempts} times: {error}")
            }
            Kind::UnknownOutcome { error, .. } => format!(
                "the connection to the catalog was lost during the commit, and whether it is stored could not be found \
                 out: {error}"
            ),
            Kind::FilesAtRisk(error) => format!(
                "the connection to the catalog was lost during the commit; it is stored, but DuckLake may have removed \
                 files of it: {error}"
            ),
            Kind::Secondary { store, error } => {
                format!("the secondary store `{store}` cannot be opened: {error}")
            }
            Kind::Open(said) => format!("DuckDB could not be opened: {}", self.told(said)),
            Kind::File { action, path, error } => format!("{action} `{path}` failed: {error}"),
        }
    }
}

impl Context {
    /// What the message does not say already, in parentheses.
    pub(super) fn beyond(&self, message: &str) -> String {
        let is_new = |name: &&String| !message.contains(name.as_str());
        let mut parts = Vec::new();
        if let (Some(operation), Some(feature)) = (self.operation, self.feature.as_ref().filter(is_new)) {
            parts.push(format!("{operation} `{feature}`"));
        }
        parts.extend(self.table.as_ref().filter(is_new).map(|table| format!("table `{table}`")));
        parts.extend(self.attempt.filter(|attempt| *attempt > 1).map(|attempt| format!("attempt {attempt}")));
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
    }
}

/// The three ways to an extension.
fn missing_extension_help(name: &str, tried_to_install: bool) -> String {
    let package = name.replace('_', "-");
    let again = if tried_to_install { " (it was tried, and failed)" } else { "" };
    [
        "there are three ways to get it: with the internet, `INSTALL ",
        name,
        "` in DuckDB ",
        ENGINE.duckdb,
        again,
        "; without, `pip download --no-deps duckdb-extension-",
        &package,
        "==",
        ENGINE.duckdb,
        "` and unpack it into an extension directory; or set `extension_directory` in the store's `config`, or \
         METAXY_EXTENSION_DIRECTORY, to a folder that has it as `v",
        ENGINE.duckdb,
        "/<platform>/",
        name,
        ".duckdb_extension`",
    ]
    .concat()
}
