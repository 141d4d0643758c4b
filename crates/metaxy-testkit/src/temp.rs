//! A folder for one test, and what lies in it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A folder that is removed when the value goes out of scope.
///
/// Its path is canonical, so it compares equal to the paths that DuckDB and DuckLake give back.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
    _guard: tempfile::TempDir,
}

impl TempDir {
    /// Makes a new, empty folder.
    ///
    /// # Panics
    ///
    /// When the folder for temporary files cannot be written.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it touches the disk, which a default should not")]
    pub fn new() -> Self {
        Self::new_in(&std::env::temp_dir())
    }

    /// Makes a new, empty folder below another.
    ///
    /// # Panics
    ///
    /// When the other cannot be written.
    #[must_use]
    pub fn new_in(parent: &Path) -> Self {
        let mut builder = tempfile::Builder::new();
        builder.prefix("metaxy-test-");
        // As a home directory is: nobody else reads what is below it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let made = builder.tempdir_in(parent);
        let guard = made.unwrap_or_else(|error| panic!("cannot make a temporary folder: {error}"));
        let path = fs::canonicalize(guard.path())
            .unwrap_or_else(|error| panic!("cannot resolve `{}`: {error}", guard.path().display()));
        Self { path, _guard: guard }
    }

    /// The folder's canonical path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in the folder, as text: what a configuration file wants.
    ///
    /// # Panics
    ///
    /// When the path is no UTF-8.
    #[must_use]
    pub fn join(&self, name: &str) -> String {
        let path = self.path.join(name);
        path.to_str().unwrap_or_else(|| panic!("`{}` is no UTF-8", path.display())).to_owned()
    }

    /// Writes a file, with the folders above it, and returns its path.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).unwrap_or_else(|error| panic!("cannot make `{}`: {error}", parent.display()));
        }
        fs::write(&path, content).unwrap_or_else(|error| panic!("cannot write `{}`: {error}", path.display()));
        path
    }

    /// Every file below the folder, as `a/b/c`, sorted; an empty folder as `a/b/`.
    ///
    /// # Panics
    ///
    /// When a folder cannot be read.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        files_below(&self.path)
    }
}

/// Every file below `root`, relative to it and sorted; an empty folder with a `/` at its end.
pub(crate) fn files_below(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries: Vec<PathBuf> = fs::read_dir(&folder)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .unwrap_or_else(|error| panic!("cannot read `{}`: {error}", folder.display()));
        let relative = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
        if entries.is_empty() && folder != root {
            found.push(relative(&folder) + "/");
        }
        for path in entries {
            // A link is a file here, wherever it leads.
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                found.push(relative(&path));
            }
        }
    }
    found.sort();
    found
}

/// What a file holds, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A DuckDB database.
    DuckDb,
    /// A SQLite database.
    Sqlite,
    /// A Parquet file.
    Parquet,
    /// Anything else, and an empty file.
    Other,
}

/// Tells what `path` holds without any database library.
///
/// # Panics
///
/// When it cannot be read.
#[must_use]
pub fn file_kind(path: impl AsRef<Path>) -> FileKind {
    let path = path.as_ref();
    let mut head = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(16).read_to_end(&mut head))
        .unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()));
    if head.starts_with(b"SQLite format 3\0") {
        FileKind::Sqlite
    } else if head.get(8..12) == Some(b"DUCK") {
        FileKind::DuckDb
    } else if head.starts_with(b"PAR1") {
        FileKind::Parquet
    } else {
        FileKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_canonical_lists_its_files_and_goes_away() {
        let folder = TempDir::new();
        assert_eq!(fs::canonicalize(folder.path()).unwrap(), folder.path());
        folder.write("b/c.txt", "x");
        folder.write("a.txt", "x");
        fs::create_dir(folder.path().join("empty")).unwrap();
        assert_eq!(folder.files(), ["a.txt", "b/c.txt", "empty/"]);

        let path = folder.path().to_path_buf();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_is_known_by_its_first_bytes() {
        let folder = TempDir::new();
        for (content, kind) in [
            (&b"SQLite format 3\0\x10\0"[..], FileKind::Sqlite),
            (&b"\x01\x02\x03\x04\x05\x06\x07\x08DUCK\x40\0\0\0\0\0\0\0"[..], FileKind::DuckDb),
            (&b"PAR1\x15\x04"[..], FileKind::Parquet),
            (&b"DUCK"[..], FileKind::Other),
            (&b""[..], FileKind::Other),
        ] {
            assert_eq!(file_kind(folder.write("file", content)), kind);
        }
    }
}
