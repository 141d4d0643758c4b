//! Whether two spellings of a data path are the same place.

use std::path::{Component, Path, PathBuf};

/// Whether a lake's stored data path and the configured one are the same place.
///
/// Local paths may differ by a relative spelling, `..`, symbolic links, repeated or missing slashes. A relative path
/// that DuckLake stored is relative to the process's working directory, wherever that is now.
pub(crate) fn same(stored: &str, configured: &str) -> bool {
    let without_slash = |path: &str| path.trim_end_matches('/').to_owned();
    if without_slash(stored) == without_slash(configured) {
        return true;
    }
    match (local(stored), local(configured)) {
        (Some(stored), Some(configured)) => stored == configured,
        _ => false,
    }
}

/// Whether DuckLake takes live files below a stored data path for orphans: a local one with `//` in it, or `file://…`.
pub(crate) fn makes_orphans(stored: &str) -> bool {
    stored.starts_with("file://") || (!stored.contains("://") && stored.contains("//"))
}

/// The real place of a local path, or `None` for a URL of anything but a file.
fn local(path: &str) -> Option<PathBuf> {
    let path = path.strip_prefix("file://").unwrap_or(path);
    if path.contains("://") {
        return None;
    }
    std::path::absolute(path).ok().map(|path| real(&path))
}

/// Follows symbolic links as far as the path exists, and takes the rest as it is written.
fn real(path: &Path) -> PathBuf {
    let mut place = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                place.pop();
            }
            Component::CurDir => {}
            part => {
                place.push(part);
                if let Ok(real) = place.canonicalize() {
                    place = real;
                }
            }
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::same;

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
            assert!(same(&spelling, data), "{spelling}");
        }
        assert!(same("s3://bucket/lake", "s3://bucket/lake/"));
    }

    #[test]
    fn different_places_differ() {
        for (stored, configured) in [
            ("/srv/lake/data/", "/srv/lake/data2/"),
            ("s3://bucket/lake/", "s3://bucket/lake2/"),
            ("s3://bucket/lake/", "gs://bucket/lake/"),
            ("s3://bucket/lake/", "/bucket/lake/"),
        ] {
            assert!(!same(stored, configured), "{stored} and {configured}");
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
        assert!(same(&at("link/../data"), &at("a/data")));
        assert!(!same(&at("link/../data"), &at("data")));
    }
}
