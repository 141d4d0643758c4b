//! Files that a configuration names by a pattern: `*`, `?` and `[…]` in a name, `**` for folders at any depth.
//!
//! As in a shell, what begins with a dot is matched only by a pattern that does, too.

use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::system::System;

/// How deep `**` goes: a link to a folder above would lead it on for ever.
const DEEPEST: usize = 16;

const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Why a pattern has no answer.
pub(crate) enum Failure {
    /// It is none.
    Pattern(&'static str),
    /// A folder on the way cannot be read.
    Folder(PathBuf, io::Error),
    /// There are too many files and folders where it leads.
    TooMany,
}

/// How many names a pattern may have to look at: `/**` is no list of feature files.
const MOST_NAMES: usize = 100_000;

/// The files that an absolute pattern matches, in the order of their names.
pub(crate) fn matching(pattern: &Path, system: &dyn System) -> Result<Vec<PathBuf>, Failure> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let text = match component {
            Component::Normal(text) => text.to_str().filter(|text| text.contains(['*', '?', '['])),
            _ => None,
        };
        found = match text {
            None => found.into_iter().map(|path| path.join(component)).collect(),
            Some("**") => below(found, system)?,
            Some(text) => {
                let pattern = Pattern::new(text).map_err(|error| Failure::Pattern(error.msg))?;
                each(found, system, |name| pattern.matches_with(name, OPTIONS))?
            }
        };
    }
    found.retain(|path| system.is_file(path));
    Ok(found)
}

/// These folders and all those in them.
fn below(folders: Vec<PathBuf>, system: &dyn System) -> Result<Vec<PathBuf>, Failure> {
    let mut all = folders.clone();
    let mut level = folders;
    for _ in 0..DEEPEST {
        level = each(level, system, |name| !name.starts_with('.'))?;
        level.retain(|path| !system.is_file(path));
        all.extend(level.iter().cloned());
        if all.len() > MOST_NAMES {
            return Err(Failure::TooMany);
        }
    }
    all.sort_unstable();
    Ok(all)
}

/// What is in these folders and has such a name; what is no folder has nothing in it.
fn each(folders: Vec<PathBuf>, system: &dyn System, has: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for folder in folders {
        match system.names(&folder) {
            Ok(names) => found.extend(names.iter().filter(|name| has(name)).map(|name| folder.join(name))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => return Err(Failure::Folder(folder, error)),
        }
        if found.len() > MOST_NAMES {
            return Err(Failure::TooMany);
        }
    }
    found.sort_unstable();
    Ok(found)
}
