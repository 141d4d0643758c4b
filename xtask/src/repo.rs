//! The repository: where it is, the files in it, and the Cargo that builds it.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Context, Error, Result};

/// Folders of the root that hold no source: Git's, Cargo's, what `setup` brings and what the example writes.
const NO_SOURCE: [&str; 4] = [".git", ".deps", "target", "lake"];

/// The repository that a task works on.
#[derive(Debug)]
pub(crate) struct Repo {
    root: PathBuf,
}

impl Repo {
    /// The repository this program belongs to.
    ///
    /// # Errors
    ///
    /// When Cargo did not start the program and the repository is no longer where it was built.
    pub(crate) fn find() -> Result<Self> {
        // Cargo says at run time where the package is; a repository that was moved is found all the same.
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        match Path::new(&package).parent() {
            Some(root) if root.join("Cargo.toml").is_file() => Ok(Self::at(root)),
            _ => Err(Error::new("cannot find the repository").with_help("start me as `cargo xtask`, inside of it")),
        }
    }

    /// The repository whose root is `root`.
    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The path of something, given from the root.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The same path, as seen from the root, with `/`.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }

    /// Cargo, started in the root.
    pub(crate) fn cargo<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).args(args);
        command
    }

    /// All files that belong to the repository, sorted.
    ///
    /// # Errors
    ///
    /// When a folder cannot be read.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for (path, kind) in read_folder(&folder)? {
                if kind.is_file() {
                    files.push(path);
                } else if kind.is_dir() && !self.is_without_source(&path) {
                    folders.push(path);
                }
            }
        }
        files.sort();
        Ok(files)
    }

    fn is_without_source(&self, folder: &Path) -> bool {
        NO_SOURCE.iter().any(|name| folder == self.root.join(name))
    }
}

/// The text of a file, or `None` when it is no text.
///
/// # Errors
///
/// When the file cannot be read.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>> {
    let bytes = fs::read(path).context(|| format!("cannot read `{}`", path.display()))?;
    Ok(String::from_utf8(bytes).ok())
}

/// What is in a folder; nothing when there is none.
///
/// # Errors
///
/// When the folder cannot be read.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<(PathBuf, fs::FileType)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.and_then(|entries| {
            entries.map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))).collect()
        }),
    };
    entries.context(|| format!("cannot read the folder `{}`", folder.display()))
}
