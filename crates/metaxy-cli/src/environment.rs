//! The machine as a command sees it: that of the process, with the variables of a file `.env`.
//!
//! The variables of the file are for `${VAR}` and `METAXY_…` of the configuration alone. They are not put into the
//! environment of the process, where libpq, DuckDB and its extensions would take a host, a proxy or a credential from
//! them: the file may come with somebody else's repository.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use metaxy_config::{Exposure, OsSystem, System, VariableSource};

use crate::error::Error;

const FILE: &str = ".env";

/// The process, and the variables of `.env` that it does not have itself.
#[derive(Debug)]
pub(crate) struct Environment {
    folder: PathBuf,
    of_file: BTreeMap<String, (String, VariableSource)>,
}

impl Environment {
    /// That of the process's working directory.
    pub(crate) fn here() -> Result<Self, Error> {
        // Where it is gone, the configuration says so.
        Self::of(OsSystem.current_dir().unwrap_or_else(|_| PathBuf::from(".")))
    }

    /// That of a command run in this folder.
    pub(crate) fn of(folder: PathBuf) -> Result<Self, Error> {
        let text = text(&folder)?;
        let mut of_file = BTreeMap::new();
        for variable in parsed(&text) {
            let (name, value) = variable?;
            // A value that is not written there was made from variables of the process.
            let is_written = text.contains(&value);
            let source = if is_written { VariableSource::File } else { VariableSource::FileWithEnvironment };
            of_file.entry(name).or_insert((value, source));
        }
        of_file.retain(|name, _| std::env::var_os(name).is_none());
        Ok(Self { folder, of_file })
    }

    /// The variables of `.env` that libraries would look for, which do not reach them.
    pub(crate) fn not_passed_on(&self) -> impl Iterator<Item = &str> {
        self.of_file.keys().map(String::as_str).filter(|name| is_of_a_library(name))
    }
}

/// Whether a library that DuckDB uses looks for a variable of this name.
fn is_of_a_library(name: &str) -> bool {
    const PREFIXES: &[&str] = &["PG", "AWS_", "AZURE_", "GOOGLE_", "MOTHERDUCK_"];
    const SUFFIXES: &[&str] = &["_PROXY"];
    let name = name.to_ascii_uppercase();
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// The variables of the file in the working directory; whoever loads the configuration says what is wrong with it.
pub(crate) fn variables_of_file() -> Vec<(String, String)> {
    let text = text(Path::new("")).unwrap_or_default();
    parsed(&text).filter_map(Result::ok).collect()
}

/// The text of the file in a folder.
fn text(folder: &Path) -> Result<String, Error> {
    let path = folder.join(FILE);
    // A folder of that name is somebody's virtual environment.
    if OsSystem.is_file(&path) { read(&path) } else { Ok(String::new()) }
}

fn parsed(text: &str) -> impl Iterator<Item = Result<(String, String), Error>> {
    dotenvy::from_read_iter(text.as_bytes()).map(move |variable| {
        variable.map_err(|error| match error {
            dotenvy::Error::LineParse(line, _) => Error::EnvLine(line_number(text, &line)),
            dotenvy::Error::Io(error) => Error::file("reading", Path::new(FILE), error),
            _ => Error::file("reading", Path::new(FILE), ErrorKind::InvalidData.into()),
        })
    })
}

fn read(path: &Path) -> Result<String, Error> {
    let read =
        OsSystem.read(path).and_then(|bytes| String::from_utf8(bytes).map_err(|_| ErrorKind::InvalidData.into()));
    read.map_err(|error| Error::file("reading", Path::new(FILE), error))
}

/// Where in a file a text begins, counting lines from 1.
fn line_number(file: &str, text: &str) -> usize {
    let before = file.find(text).map_or("", |start| &file[..start]);
    before.matches('\n').count() + 1
}

impl System for Environment {
    fn variable(&self, name: &str) -> Option<String> {
        OsSystem.variable(name).or_else(|| self.of_file.get(name).map(|(value, _)| value.clone()))
    }

    fn variables(&self) -> Vec<(String, String)> {
        let of_file = self.of_file.iter().map(|(name, (value, _))| (name.clone(), value.clone()));
        OsSystem.variables().into_iter().chain(of_file).collect()
    }

    fn source_of(&self, name: &str) -> VariableSource {
        self.of_file.get(name).map(|(_, source)| *source).unwrap_or_default()
    }

    fn current_dir(&self) -> io::Result<PathBuf> {
        Ok(self.folder.clone())
    }

    fn home_dir(&self) -> Option<PathBuf> {
        OsSystem.home_dir()
    }

    fn program_extensions(&self) -> Option<PathBuf> {
        // A package of the program, be it an archive or a wheel, has them beside the program's folder.
        let program = std::env::current_exe().and_then(|program| program.canonicalize()).ok()?;
        let folder = program.parent()?.parent()?.join("lib/metaxy/extensions");
        folder.is_dir().then_some(folder)
    }

    fn is_file(&self, path: &Path) -> bool {
        OsSystem.is_file(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        OsSystem.read(path)
    }

    fn read_stream(&self, path: &Path) -> io::Result<Vec<u8>> {
        OsSystem.read_stream(path)
    }

    fn is_special(&self, path: &Path) -> bool {
        OsSystem.is_special(path)
    }

    fn exposure(&self, path: &Path) -> Option<Exposure> {
        OsSystem.exposure(path)
    }

    fn head(&self, path: &Path) -> io::Result<Vec<u8>> {
        OsSystem.head(path)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        OsSystem.names(folder)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        OsSystem.canonicalize(path)
    }
}
