//! What DuckDB needs before a lake: settings, and extensions beyond the lake's own.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::credentials::mask_credentials;
use crate::harmless::FreeTable;
use crate::problem::Problem;
use crate::statement::Statement;
use crate::value::{Keyword, Secret, Value};

/// Settings and further extensions of the DuckDB instance that attaches a lake.
///
/// ```
/// use ducklake_sql::{Session, Setting, Value};
///
/// let mut session = Session::default();
/// session.settings.push(Setting::new("threads", Value::from(4))?);
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// DuckDB's settings, in order.
    pub settings: Vec<Setting>,
    /// Extensions to load besides those that the lake needs.
    pub extensions: Vec<Extension>,
}

impl Session {
    /// The settings to make while the instance is opened.
    pub(crate) fn at_open(&self) -> Vec<Setting> {
        self.settings.iter().filter(|setting| setting.moment() == Moment::Open).cloned().collect()
    }

    /// The statements before anything is attached: settings and extensions, those of a database first.
    pub(crate) fn prepare(&self, extensions: Vec<&'static str>, own_setting: Option<&Setting>) -> Vec<Statement> {
        let set = |moment| {
            let wanted = self.settings.iter().filter(move |setting| setting.moment() == moment);
            wanted.cloned().map(Statement::Set)
        };
        let mut statements: Vec<_> = set(Moment::BeforeExtensions).collect();
        for extension in merge(extensions, &self.extensions) {
            let init: Vec<_> = extension.init().iter().cloned().map(Statement::Init).collect();
            statements.push(Statement::Load(extension));
            statements.extend(init);
        }
        statements.extend(set(Moment::AfterExtensions));
        statements.extend(own_setting.cloned().map(Statement::Set));
        statements
    }
}

/// A database's own extensions and then the further ones; of an extension named twice, the configured one is kept, in the
/// first one's place.
fn merge(own: Vec<&'static str>, further: &[Extension]) -> Vec<Extension> {
    let mut all: Vec<Extension> = own.into_iter().map(Extension::known).collect();
    for extension in further {
        match all.iter_mut().find(|known| known.name() == extension.name()) {
            Some(known) => *known = extension.clone(),
            None => all.push(extension.clone()),
        }
    }
    all
}

/// A DuckDB setting and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    name: Keyword,
    value: Value,
}

/// When a setting has to be made to have an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moment {
    /// While the instance is opened: DuckDB refuses it later.
    Open,
    /// Before extensions are loaded, since it decides how.
    BeforeExtensions,
    /// After extensions are loaded, since it may be one of theirs.
    AfterExtensions,
}

/// Settings that DuckDB 1.5.5 takes only while it opens.
const AT_OPEN: &[&str] = &[
    "allow_community_extensions",
    "allow_unsigned_extensions",
    "custom_user_agent",
    "disable_database_invalidation",
    "duckdb_api",
    "vacuum_rebuild_indexes",
];

/// Settings that decide how extensions and secrets are found.
const BEFORE_EXTENSIONS: &[&str] = &[
    "allow_persistent_secrets",
    "autoinstall_extension_repository",
    "autoinstall_known_extensions",
    "autoload_known_extensions",
    "custom_extension_repository",
    "default_secret_storage",
    "extension_directories",
    "extension_directory",
    "home_directory",
    "secret_directory",
];

/// Settings that DuckDB 1.5.5 has for a connection only: `SET GLOBAL` of one fails.
const LOCAL: &[&str] = &[
    "custom_profiling_settings",
    "debug_force_external",
    "enable_caching_operators",
    "enable_http_logging",
    "enable_profiling",
    "enable_progress_bar",
    "enable_progress_bar_print",
    "http_logging_output",
    "profile_output",
    "profiling_coverage",
    "profiling_mode",
    "profiling_output",
    "progress_bar_time",
    "schema",
    "search_path",
    "streaming_buffer_size",
];

impl Setting {
    /// Checks a setting; a text is kept as a secret unless the name is [known to be harmless](FreeTable::is_harmless).
    ///
    /// # Errors
    ///
    /// When the name is no word, the value is a list or a map or holds a NUL byte, or the setting is `access_mode`,
    /// which the mode of the store decides.
    pub fn new(name: impl Into<String>, value: Value) -> Result<Self, Problem> {
        let name = Keyword::new(name)?;
        let lower = name.as_str().to_ascii_lowercase();
        if lower == "access_mode" {
            return Err(Problem::reserved_option("", "access_mode", "open the store in read or write mode instead"));
        }
        if matches!(value, Value::List(_) | Value::Map(_)) {
            return Err(Problem::wrong_type("", "a string, a number or a boolean", value.kind()));
        }
        if value != Value::from("") {
            value.validate()?;
        }
        let value = FreeTable::Settings.hide(&lower, value);
        Ok(Self { name, value })
    }

    /// The setting's name.
    pub fn name(&self) -> &Keyword {
        &self.name
    }

    /// The setting's value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// When it has to be made.
    pub fn moment(&self) -> Moment {
        if self.is_in(AT_OPEN) {
            Moment::Open
        } else if self.is_in(BEFORE_EXTENSIONS) {
            Moment::BeforeExtensions
        } else {
            Moment::AfterExtensions
        }
    }

    /// Whether it belongs to a connection instead of the whole instance.
    ///
    /// All others are set for the instance: DuckLake's internal connections do not see a plain `SET`.
    pub fn is_local(&self) -> bool {
        self.is_in(LOCAL)
    }

    fn is_in(&self, list: &[&str]) -> bool {
        list.iter().any(|name| name.eq_ignore_ascii_case(self.name.as_str()))
    }
}

/// An extension to load: its name, where to install it from, and statements to run once it is loaded.
///
/// ```
/// use ducklake_sql::Extension;
///
/// assert_eq!(Extension::new("sqlite")?.name().as_str(), "sqlite_scanner");
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Extension {
    name: Keyword,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "masked")]
    repository: Option<String>,
    #[serde(skip)]
    init: Vec<Secret>,
}

/// A repository without the credentials of its URL.
#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn masked<S: Serializer>(repository: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    repository.as_deref().map(mask_credentials).serialize(serializer)
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repository = self.repository.as_deref().map(mask_credentials);
        let Self { name, init, .. } = self;
        f.debug_struct("Extension").field("name", name).field("repository", &repository).field("init", init).finish()
    }
}

impl Extension {
    /// An extension of DuckDB's core repository; DuckDB's own short names are read as the extension they mean.
    ///
    /// # Errors
    ///
    /// When the name is no word.
    pub fn new(name: impl Into<String>) -> Result<Self, Problem> {
        let name = Keyword::new(name.into().to_ascii_lowercase())?;
        Ok(match name.as_str() {
            "sqlite" | "sqlite3" => Self::known("sqlite_scanner"),
            "postgres" => Self::known("postgres_scanner"),
            "md" => Self::known("motherduck"),
            "http" | "https" | "s3" => Self::known("httpfs"),
            _ => Self { name, repository: None, init: Vec::new() },
        })
    }

    pub(crate) fn known(name: &'static str) -> Self {
        Self { name: Keyword::trusted(name), repository: None, init: Vec::new() }
    }

    /// Where it is installed from when it is not there: `core`, `community`, a URL or a folder.
    ///
    /// # Errors
    ///
    /// When the repository is empty or holds a NUL byte.
    pub fn from_repository(mut self, repository: impl Into<String>) -> Result<Self, Problem> {
        let repository = repository.into();
        Value::from(repository.as_str()).validate().map_err(|problem| problem.at("repository"))?;
        self.repository = (repository != "core").then_some(repository);
        Ok(self)
    }

    /// Adds a statement to run after the extension is loaded. It may hold anything, so it is kept like a secret.
    ///
    /// # Errors
    ///
    /// When it is empty or holds a NUL byte.
    pub fn then(mut self, sql: Secret) -> Result<Self, Problem> {
        Value::Secret(sql.clone()).validate().map_err(|problem| problem.at("init_sql"))?;
        self.init.push(sql);
        Ok(self)
    }

    /// The extension's name.
    pub fn name(&self) -> &Keyword {
        &self.name
    }

    /// The repository, where it is not DuckDB's own.
    pub fn repository(&self) -> Option<&str> {
        self.repository.as_deref()
    }

    pub(crate) fn init(&self) -> &[Secret] {
        &self.init
    }
}
