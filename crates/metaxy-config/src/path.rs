//! Paths as a configuration writes them, made absolute.
//!
//! A relative path starts from the folder of the file that names it, `~` is the home directory, and `..` is what it is on
//! disk: it goes up from where a symbolic link leads to.

use std::path::{Component, Path, PathBuf};

use crate::system::System;

/// The path without `.` and `//`, and with `..` taken from the text alone.
pub(crate) fn lexical(path: &Path) -> PathBuf {
    go_up(path, |_| None)
}

/// The absolute path that `text`, written in `dir`, means.
pub(crate) fn absolute(text: &str, dir: &Path, system: &dyn System) -> PathBuf {
    let home = || system.home_dir().filter(|_| text == "~" || text.starts_with("~/"));
    let path = match home() {
        Some(home) => home.join(text[1..].trim_start_matches('/')),
        None => dir.join(text),
    };
    go_up(&path, |prefix| system.canonicalize(prefix).ok())
}

/// The path as it is on disk, as far as it exists: for telling whether two paths are one place.
pub(crate) fn real(path: &Path, system: &dyn System) -> PathBuf {
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (system.canonicalize(ancestor), path.strip_prefix(ancestor)) {
            // Joining nothing would add a slash.
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}

fn go_up(path: &Path, real: impl Fn(&Path) -> Option<PathBuf>) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if let Some(real) = real(&result) {
                    result = real;
                }
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}
