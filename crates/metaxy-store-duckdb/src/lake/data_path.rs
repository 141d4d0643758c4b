//! Where a lake's data is: what a new lake stores, and whether what a lake has stored is the configured place.
//!
//! DuckLake compares data paths as texts, and takes a relative one from the process's working directory. Here a lake
//! belongs to the folder of its project: a relative path that was stored is the configured place when it leads there from
//! that folder, from the folder of the catalog's file, or from the working directory, as it does for the program that
//! made the lake.

use std::path::{Component, Path, PathBuf};

use ducklake_sql::{Catalog, Lake, Storage};

/// The configured data path of a lake.
#[derive(Debug, Clone)]
pub(crate) struct DataPath {
    configured: String,
    /// The text of the configuration, where it is relative.
    relative: Option<String>,
    /// Where relative paths may start.
    folders: Vec<PathBuf>,
}

impl DataPath {
    /// The data path of a lake; `None` where MotherDuck keeps its data.
    pub(crate) fn of(lake: &Lake) -> Option<Self> {
        let storage = lake.storage()?;
        let mut folders = Vec::new();
        let mut relative = None;
        if let Storage::Local(folder) = &storage {
            folders.extend(folder.project().map(PathBuf::from));
            relative = folder.relative().map(str::to_owned);
            let catalog = lake.catalog().and_then(Catalog::file).and_then(|file| Path::new(file.as_str()).parent());
            folders.extend(catalog.map(Path::to_path_buf));
            folders.extend(std::env::current_dir());
        }
        Some(Self { configured: storage.data_path().to_owned(), relative, folders })
    }

    /// The absolute path or URL, with its last slash.
    pub(crate) fn as_str(&self) -> &str {
        &self.configured
    }

    /// What a new lake stores: the text of the configuration where that is relative, so that other programs can open the
    /// lake with the same configuration.
    pub(crate) fn to_store(&self) -> &str {
        self.relative.as_deref().unwrap_or(&self.configured)
    }

    /// Whether a new lake stores a relative path.
    pub(crate) fn is_relative(&self) -> bool {
        self.relative.is_some()
    }

    /// Whether the path that a lake has stored is this place.
    ///
    /// Local paths may differ by a relative spelling, `..`, symbolic links, repeated or missing slashes.
    pub(crate) fn is_stored_as(&self, stored: &str) -> bool {
        let without_slash = |path: &str| path.trim_end_matches('/').to_owned();
        if without_slash(stored) == without_slash(&self.configured) {
            return true;
        }
        let (Some(stored), Some(configured)) = (local(stored), local(&self.configured)) else { return false };
        let configured = real(configured);
        if stored.is_absolute() {
            return real(stored) == configured;
        }
        self.folders.iter().any(|folder| real(&folder.join(stored)) == configured)
    }

    /// The folders that a stored path may mean; `None` for one that is not on this machine.
    pub(super) fn places_of(&self, stored: &str) -> Option<Vec<PathBuf>> {
        let stored = local(stored)?;
        if stored.is_absolute() {
            return Some(vec![stored.to_owned()]);
        }
        Some(self.folders.iter().map(|folder| folder.join(stored)).collect())
    }

    /// Whether files are on this machine.
    pub(crate) fn is_local(&self) -> bool {
        local(&self.configured).is_some()
    }
}

/// Whether DuckLake takes a stored path from the process's working directory.
pub(crate) fn is_relative(stored: &str) -> bool {
    local(stored).is_some_and(Path::is_relative)
}

/// Whether a stored path is a local one at which nothing is.
pub(crate) fn is_gone(stored: &str) -> bool {
    local(stored).is_some_and(|path| path.is_absolute() && !path.exists())
}

/// Whether DuckLake takes live files below a stored data path for orphans: a local one with `//` in it, or `file://…`.
pub(crate) fn makes_orphans(stored: &str) -> bool {
    stored.starts_with("file://") || (!stored.contains("://") && stored.contains("//"))
}

/// A local path, or `None` for a URL of anything but a file.
fn local(path: &str) -> Option<&Path> {
    let path = path.strip_prefix("file://").unwrap_or(path);
    (!path.contains("://")).then(|| Path::new(path))
}

/// Follows symbolic links as far as the path exists, and takes the rest as it is written.
fn real(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir => {}
            part => {
                resolved.push(part);
                if let Ok(real) = resolved.canonicalize() {
                    resolved = real;
                }
            }
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use ducklake_sql::{CatalogFile, LocalFolder, S3Spec};

    use super::*;

    fn lake(catalog: &str, storage: impl Into<Storage>) -> Lake {
        Lake::builder(Catalog::Sqlite(CatalogFile::new(catalog).unwrap()), storage).build().unwrap()
    }

    /// A data path that is configured by an absolute path or a URL.
    fn configured(path: &str) -> DataPath {
        let storage: Storage = if path.contains("://") {
            let mut spec = S3Spec::new("s3");
            spec.data_path = Some(path.to_owned());
            spec.build().unwrap().into()
        } else {
            LocalFolder::new(path).unwrap().into()
        };
        DataPath::of(&lake("/elsewhere/meta.sqlite", storage)).unwrap()
    }

    #[test]
    fn spellings_of_one_place_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let (data, root) = (data.to_str().unwrap(), folder.path().to_str().unwrap());
        for spelling in [
            data.to_owned(),
            format!("{data}/"),
            format!("{root}//data"),
            format!("{root}/x/../data/"),
            format!("file://{data}"),
        ] {
            assert!(configured(data).is_stored_as(&spelling), "{spelling}");
        }
        assert!(configured("s3://bucket/lake/").is_stored_as("s3://bucket/lake"));
    }

    #[test]
    fn different_places_differ() {
        for (stored, path) in [
            ("/srv/lake/data/", "/srv/lake/data2/"),
            ("s3://bucket/lake/", "s3://bucket/lake2/"),
            ("gs://bucket/lake/", "s3://bucket/lake/"),
            ("s3://bucket/lake/", "/bucket/lake/"),
            ("bucket/lake/", "s3://bucket/lake/"),
        ] {
            assert!(!configured(path).is_stored_as(stored), "{stored} and {path}");
        }
    }

    /// What is stored, how the configuration in `/project` writes the path, what that is, and whether both are one place.
    #[test]
    fn a_relative_path_starts_at_the_project_or_at_the_catalog() {
        for (stored, written, path, same) in [
            ("data/", "data", "/project/data", true),
            ("data", "data/", "/project/data", true),
            ("./data/", "data", "/project/data", true),
            ("data/", "./data", "/project/data", true),
            ("x/../data/", "data", "/project/data", true),
            ("../shared/", "../shared", "/shared", true),
            ("data/", "/project/data", "/project/data", true),
            ("/project/data/", "data", "/project/data", true),
            ("data/", "lake/data", "/project/lake/data", true),
            ("lake/data/", "lake/data", "/project/lake/data", true),
            ("data/", "other", "/project/other", false),
            ("data/", "sub/data", "/project/sub/data", false),
            ("../../data/", "data", "/project/data", false),
        ] {
            let folder = LocalFolder::new(path).unwrap().in_project("/project", Some(written));
            let data_path = DataPath::of(&lake("/project/lake/meta.sqlite", folder)).unwrap();
            assert_eq!(data_path.is_stored_as(stored), same, "{stored} and {written}");
        }
    }

    #[test]
    fn a_new_lake_stores_what_the_configuration_says_where_that_is_relative() {
        for (written, stored) in [
            ("data", "data/"),
            ("data/", "data/"),
            ("./data", "./data/"),
            ("../data", "../data/"),
            // With these, DuckLake would take live files for orphans, or look elsewhere than we do.
            ("data//raw", "/somewhere/"),
            ("~/data", "/somewhere/"),
            ("file:data", "/somewhere/"),
            ("/somewhere", "/somewhere/"),
        ] {
            let folder = LocalFolder::new("/somewhere").unwrap().in_project("/project", Some(written));
            assert_eq!(DataPath::of(&lake("/meta.sqlite", folder)).unwrap().to_store(), stored, "{written}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_followed_before_the_folder_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("a/inner")).unwrap();
        std::os::unix::fs::symlink(root.join("a/inner"), root.join("link")).unwrap();
        let at = |path: &str| root.join(path).to_str().unwrap().to_owned();
        assert!(configured(&at("a/data")).is_stored_as(&at("link/../data")));
        assert!(!configured(&at("data")).is_stored_as(&at("link/../data")));
    }
}
