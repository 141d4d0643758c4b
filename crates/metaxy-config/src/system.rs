//! The only way out: what the configuration reads from the machine.
//!
//! Nothing in this crate but [`OsSystem`] touches files or variables, so that everything can be tried in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::exposure::{self, Exposure};

/// How many bytes [`System::head`] reads: enough to tell the kinds of database file apart.
const HEAD: u64 = 16;

/// How large a file of a configuration may be, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Who has set a variable, which decides what it may do, see [`Trust`](crate::Trust).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum VariableSource {
    /// The person who runs the program, in the environment of the process.
    #[default]
    Environment,
    /// A file beside the configuration, such as `.env`.
    File,
    /// A file beside the configuration, with a value that contains one of the environment.
    FileWithEnvironment,
}

/// What a configuration needs to know about the machine it is read on.
pub trait System {
    /// Who has set a variable that is set; the person, unless a system says otherwise.
    fn source_of(&self, _name: &str) -> VariableSource {
        VariableSource::Environment
    }

    /// The value of an environment variable; `None` when it is unset or not Unicode.
    fn variable(&self, name: &str) -> Option<String>;

    /// Every environment variable whose name and value are Unicode.
    fn variables(&self) -> Vec<(String, String)>;

    /// The working directory.
    ///
    /// # Errors
    ///
    /// When it is gone or cannot be read.
    fn current_dir(&self) -> io::Result<PathBuf>;

    /// The home directory, for `~`.
    fn home_dir(&self) -> Option<PathBuf>;

    /// The extension directory that came with the program, in which DuckDB looks besides its own; none unless a system says
    /// otherwise.
    fn program_extensions(&self) -> Option<PathBuf> {
        None
    }

    /// Whether there is a file (or something readable that is no folder) at a path.
    fn is_file(&self, path: &Path) -> bool;

    /// The whole content of a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, when it is a device or a pipe, which may have no end, or when it is too large.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The whole content of a file that the person has named, which may be a pipe.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is too large.
    fn read_stream(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read(path)
    }

    /// Whether there is a device, a pipe or a socket at a path, which nothing may open that is not named by a person.
    fn is_special(&self, _path: &Path) -> bool {
        false
    }

    /// Who can read a file besides its owner; nobody, unless a system says otherwise.
    fn exposure(&self, _path: &Path) -> Option<Exposure> {
        None
    }

    /// The first 16 bytes of a file, or fewer when it is shorter.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn head(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The names of what is in a folder, in any order; those that are not Unicode are left out.
    ///
    /// # Errors
    ///
    /// When it is no folder or cannot be read.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// The path without symbolic links and `..`.
    ///
    /// # Errors
    ///
    /// When nothing is there.
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf>;
}

const SPECIAL: &str = "it is a device or a pipe";

/// Why a file cannot be read, without what the system says of the path.
pub(crate) fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::Other if error.to_string() == SPECIAL => SPECIAL.to_owned(),
        ErrorKind::FileTooLarge => "it is larger than 4 MiB".to_owned(),
        kind => kind.to_string(),
    }
}

/// The machine itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsSystem;

impl System for OsSystem {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn variables(&self) -> Vec<(String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    fn current_dir(&self) -> io::Result<PathBuf> {
        std::env::current_dir()
    }

    fn home_dir(&self) -> Option<PathBuf> {
        std::env::home_dir()
    }

    fn is_file(&self, path: &Path) -> bool {
        path.exists() && !path.is_dir()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if self.is_special(path) {
            return Err(io::Error::other(SPECIAL));
        }
        self.read_stream(path)
    }

    fn read_stream(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        File::open(path)?.take(LARGEST + 1).read_to_end(&mut content)?;
        if u64::try_from(content.len()).is_ok_and(|length| length > LARGEST) {
            return Err(ErrorKind::FileTooLarge.into());
        }
        Ok(content)
    }

    fn is_special(&self, path: &Path) -> bool {
        path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
    }

    fn exposure(&self, path: &Path) -> Option<Exposure> {
        exposure::of_file(path)
    }

    fn head(&self, path: &Path) -> io::Result<Vec<u8>> {
        if self.is_special(path) {
            return Err(io::Error::other(SPECIAL));
        }
        let mut head = Vec::new();
        File::open(path)?.take(HEAD).read_to_end(&mut head)?;
        Ok(head)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(folder)?;
        let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }
}

/// A machine in memory, for examples and tests: absolute files, variables, the working directory `/project`.
///
/// ```
/// use std::path::Path;
/// use metaxy_config::{MemorySystem, System};
///
/// let system = MemorySystem::new().file("/project/metaxy.toml", "store = 'prod'").var("METAXY_STORE", "dev");
/// assert!(system.is_file(Path::new("/project/metaxy.toml")));
/// assert_eq!(system.variable("METAXY_STORE").as_deref(), Some("dev"));
/// ```
#[derive(Clone)]
pub struct MemorySystem {
    files: BTreeMap<PathBuf, Vec<u8>>,
    exposed: BTreeMap<PathBuf, Exposure>,
    variables: BTreeMap<String, (String, VariableSource)>,
    current_dir: PathBuf,
    program_extensions: Option<PathBuf>,
}

impl MemorySystem {
    /// A machine without files and variables, in `/project`, with the home directory `/home/user`.
    pub fn new() -> Self {
        Self {
            files: BTreeMap::new(),
            exposed: BTreeMap::new(),
            variables: BTreeMap::new(),
            current_dir: "/project".into(),
            program_extensions: None,
        }
    }

    /// Adds a file at an absolute path.
    pub fn file(mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }

    /// Lets others read a file.
    pub fn exposed(mut self, path: impl Into<PathBuf>, exposure: Exposure) -> Self {
        self.exposed.insert(path.into(), exposure);
        self
    }

    /// Sets a variable.
    pub fn var(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.var_of(VariableSource::Environment, name, value)
    }

    /// Sets a variable that somebody else than the person may have set.
    pub fn var_of(mut self, source: VariableSource, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), (value.into(), source));
        self
    }

    /// Changes the working directory.
    pub fn in_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.current_dir = path.into();
        self
    }

    /// Lets an extension directory come with the program.
    pub fn with_program_extensions(mut self, path: impl Into<PathBuf>) -> Self {
        self.program_extensions = Some(path.into());
        self
    }
}

impl Default for MemorySystem {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for MemorySystem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemorySystem").field("current_dir", &self.current_dir).finish_non_exhaustive()
    }
}

impl System for MemorySystem {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|(value, _)| value.clone())
    }

    fn source_of(&self, name: &str) -> VariableSource {
        self.variables.get(name).map(|(_, source)| *source).unwrap_or_default()
    }

    fn variables(&self) -> Vec<(String, String)> {
        self.variables.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect()
    }

    fn current_dir(&self) -> io::Result<PathBuf> {
        Ok(self.current_dir.clone())
    }

    fn home_dir(&self) -> Option<PathBuf> {
        Some("/home/user".into())
    }

    fn program_extensions(&self) -> Option<PathBuf> {
        self.program_extensions.clone()
    }

    fn is_file(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn exposure(&self, path: &Path) -> Option<Exposure> {
        self.exposed.get(path).copied()
    }

    fn head(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut content = self.read(path)?;
        content.truncate(usize::try_from(HEAD).unwrap_or(usize::MAX));
        Ok(content)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let below = self.files.keys().filter_map(|file| file.strip_prefix(folder).ok());
        let names = below.filter_map(|path| path.iter().next()?.to_str()).map(str::to_owned);
        let names: BTreeSet<String> = names.collect();
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names.into_iter().collect()) }
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        let lexical = crate::path::lexical(path);
        let exists = self.files.keys().any(|file| file.starts_with(&lexical));
        if exists { Ok(lexical) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}
