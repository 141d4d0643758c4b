//! SHA-256 sums of files and of whole folders.
//!
//! The sum of a folder covers every file's path, run bit and content and every link's target, so that two folders
//! have the same sum only when they are the same.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::{Context, Result};
use crate::repo::read_folder;

/// The sum of a file or of a folder, in hexadecimal.
///
/// # Errors
///
/// When a part of it cannot be read.
pub(crate) fn of(path: &Path) -> Result<String> {
    if path.is_dir() { of_folder(path) } else { of_file(path) }
}

/// The sum of one file, in hexadecimal.
fn of_file(path: &Path) -> Result<String> {
    let context = || format!("cannot read `{}`", path.display());
    let mut file = File::open(path).context(context)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).context(context)?;
        match buffer.get(..read) {
            Some(bytes) if !bytes.is_empty() => sum.update(bytes),
            _ => return Ok(hexadecimal(&sum.finalize())),
        }
    }
}

/// The sum of a folder and everything below it, in hexadecimal.
fn of_folder(folder: &Path) -> Result<String> {
    let mut sum = Sha256::new();
    for path in everything_below(folder)? {
        let context = || format!("cannot read `{}`", path.display());
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        let metadata = path.symlink_metadata().context(context)?;
        let (kind, what) = if metadata.is_symlink() {
            ("link", fs::read_link(&path).context(context)?.to_string_lossy().into_owned())
        } else if is_executable(&metadata) {
            ("program", of_file(&path)?)
        } else {
            ("file", of_file(&path)?)
        };
        for part in [name.as_str(), kind, what.as_str()] {
            sum.update(part);
            sum.update([0]);
        }
    }
    Ok(hexadecimal(&sum.finalize()))
}

/// All files and links below a folder, sorted by path.
pub(crate) fn everything_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for (path, kind) in read_folder(&folder)? {
            if kind.is_dir() { folders.push(path) } else { paths.push(path) }
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn the_sum_of_a_file_is_its_sha256() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("abc");
        fs::write(&file, "abc").expect("a file");
        let sum = of_file(&file).expect("a sum");
        assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn the_sum_of_a_folder_changes_with_every_part_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("a"), folder.path().join("l"));
        let sum = || of_folder(folder.path()).expect("a sum");
        let mut seen = vec![sum()];
        fs::write(&file, "1").expect("a file");
        seen.push(sum());
        fs::write(&file, "2").expect("other content");
        seen.push(sum());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a run bit");
        seen.push(sum());
        symlink("a", &link).expect("a link");
        seen.push(sum());
        fs::rename(&link, folder.path().join("m")).expect("another name");
        seen.push(sum());
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }
}
