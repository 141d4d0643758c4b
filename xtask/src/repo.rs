//! The repository: where it is, the files in it, and the Cargo that builds it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compiler;
use crate::error::{Context, Error, Result};

/// This package.
pub(crate) const THIS: &str = env!("CARGO_PKG_NAME");

/// Folders of the root that hold no source: Git's, Cargo's, what `setup` brings and what the example writes.
const NO_SOURCE: [&str; 4] = [".git", ".deps", "target", "lake"];

/// The repository that a task works on.
#[derive(Debug)]
pub(crate) struct Repo {
    root: PathBuf,
    /// The program that Cargo starts in the place of the compiler, for the crates of the workspace.
    compiler: Option<PathBuf>,
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
        Self { root: root.into(), compiler: None }
    }

    /// The same, whose builds also lint and document its crates.
    ///
    /// # Errors
    ///
    /// When this program does not know where it is.
    pub(crate) fn with_lints(&self) -> Result<Self> {
        let this = env::current_exe().context(|| "cannot find this program".to_owned())?;
        Ok(Self { root: self.root.clone(), compiler: Some(this) })
    }

    /// The path of something, given from the root.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Where Cargo puts what it builds.
    pub(crate) fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), |folder| self.path(folder))
    }

    /// The same path, as seen from the root, with `/`.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }

    /// Cargo, started in the root as a person would start it.
    pub(crate) fn cargo<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).args(args);
        // Passed on, what Cargo says of this package looks like a change to the build scripts that watch those variables,
        // and DuckDB's crates would be built again by each switch between `cargo xtask test` and `cargo test`.
        remove_this_package(&mut command);
        if let Some(compiler) = &self.compiler {
            compiler::stand_in(&mut command, compiler, &self.target());
        }
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
                // In a worktree `.git` is a file.
                if self.is_without_source(&path) {
                    continue;
                }
                if kind.is_file() {
                    files.push(path);
                } else if kind.is_dir() {
                    folders.push(path);
                }
            }
        }
        files.sort();
        Ok(files)
    }

    fn is_without_source(&self, path: &Path) -> bool {
        NO_SOURCE.iter().any(|name| path == self.root.join(name))
    }
}

/// Keeps from a program which package this one is, which Cargo says in variables.
pub(crate) fn remove_this_package(command: &mut Command) {
    for (name, _) in env::vars_os().filter(|(name, _)| is_about_this_package(name)) {
        command.env_remove(name);
    }
}

/// Whether Cargo sets a variable for the one program it runs.
fn is_about_this_package(variable: &OsStr) -> bool {
    let variable = variable.to_string_lossy();
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_started_without_what_is_about_this_package() {
        let removed: Vec<_> =
            Repo::at("somewhere").cargo(["build"]).get_envs().map(|(name, _)| name.to_owned()).collect();
        assert!(removed.contains(&"CARGO_MANIFEST_DIR".into()), "{removed:?}");
        assert!(!is_about_this_package("CARGO_TARGET_DIR".as_ref()));
    }

    #[test]
    fn what_is_no_source_is_not_among_the_files() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["target/a", ".deps/a", ".git/a", "lake/a", "src/lake/a", ".ci/a", "b"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        let repo = Repo::at(folder.path());
        let files: Vec<_> = repo.files().expect("files").iter().map(|path| repo.relative(path)).collect();
        assert_eq!(files, [".ci/a", "b", "src/lake/a"]);
    }
}
