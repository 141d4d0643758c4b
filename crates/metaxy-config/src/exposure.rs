//! Who can read a file, besides the person whose it is.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Who can read a file besides its owner, as [`System::exposure`](crate::System::exposure) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exposure {
    /// Whoever has the git repository that tracks it.
    Git,
    /// Every user of the machine.
    Everybody,
}

/// How large a file of git may be that is looked at, in bytes; the index of a million files is larger.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Who can read a file of this machine.
pub(crate) fn of_file(path: &Path) -> Option<Exposure> {
    // What a link leads to is read, and is what git would have to track.
    let path = path.canonicalize().ok().filter(|path| path.is_file())?;
    if is_tracked(&path) {
        return Some(Exposure::Git);
    }
    is_readable_by_everybody(&path).then_some(Exposure::Everybody)
}

#[cfg(unix)]
fn is_readable_by_everybody(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    const READ: u32 = 0o004;
    const SEARCH: u32 = 0o001;
    let allows = |path: &Path, bit| path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & bit != 0);
    // A folder on the way that others may not enter keeps them from all below it.
    allows(path, READ) && path.ancestors().skip(1).all(|folder| allows(folder, SEARCH))
}

#[cfg(not(unix))]
const fn is_readable_by_everybody(_path: &Path) -> bool {
    false
}

/// Whether the nearest git repository tracks a file: its index has the name.
///
/// Git itself is not asked, since the configuration of a repository can make it run programs. Names that an index of
/// version 4 keeps by halves are not found.
fn is_tracked(path: &Path) -> bool {
    let Some(folder) = path.ancestors().skip(1).find(|folder| folder.join(".git").exists()) else { return false };
    let Some(index) = git_folder(folder).and_then(|git| read(&git.join("index"))) else { return false };
    let name = path.strip_prefix(folder).unwrap_or(path).as_os_str().as_encoded_bytes();
    // Before a name are the lower byte of its length and what else there is of its file; behind it is a zero.
    let [.., length] = name.len().min(0xfff).to_be_bytes();
    let entry = [&[length], name, &[0]].concat();
    index.windows(entry.len()).any(|window| window == entry)
}

/// The folder of a repository's files: in a worktree and in a submodule, `.git` is a file that names it.
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = String::from_utf8(read(&git)?).ok()?;
    Some(folder.join(text.strip_prefix("gitdir:")?.trim()))
}

/// The content of a file that is neither special nor too large.
fn read(path: &Path) -> Option<Vec<u8>> {
    let is_read = path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST);
    let mut content = Vec::new();
    is_read.then(|| File::open(path).ok()?.take(LARGEST).read_to_end(&mut content).ok()).flatten()?;
    Some(content)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_seen_by_those_who_may_enter_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("metaxy.toml");
        fs::write(&file, "").expect("a file");
        for (of_folder, of_file_, expected) in
            [(0o755, 0o644, Some(Exposure::Everybody)), (0o755, 0o640, None), (0o750, 0o644, None)]
        {
            let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
            set(folder.path(), of_folder);
            set(&file, of_file_);
            assert_eq!(of_file(&file), expected, "{of_folder:o} {of_file_:o}");
        }
        assert_eq!(of_file(&folder.path().join("nosuch")), None);
    }

    #[test]
    fn git_tracks_what_its_index_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        // An entry ends with its flags, whose lower bits are the length of the name, the name, and a zero.
        let index = [b"DIRC\0\0\0\x02\0\0\0\x01".as_slice(), &[0; 60], &[0, 15], b"sub/metaxy.toml", &[0; 6]].concat();
        fs::create_dir_all(root.join("sub")).expect("a folder");
        fs::create_dir_all(root.join("elsewhere")).expect("a folder");
        for (file, expected) in [("sub/metaxy.toml", true), ("metaxy.toml", false), ("ub/metaxy.toml", false)] {
            fs::create_dir_all(root.join(file).parent().expect("a folder")).expect("a folder");
            fs::write(root.join(file), "").expect("a file");
            drop(fs::remove_dir_all(root.join(".git")));
            drop(fs::remove_file(root.join(".git")));
            assert_ne!(of_file(&root.join(file)), Some(Exposure::Git), "there is no repository");
            fs::create_dir(root.join(".git")).expect("a folder");
            fs::write(root.join(".git/index"), &index).expect("a file");
            assert_eq!(of_file(&root.join(file)) == Some(Exposure::Git), expected, "{file}");
            // A worktree's `.git` is a file.
            fs::rename(root.join(".git/index"), root.join("elsewhere/index")).expect("the same file system");
            fs::remove_dir(root.join(".git")).expect("it is empty");
            fs::write(root.join(".git"), "gitdir: elsewhere\n").expect("a file");
            assert_eq!(of_file(&root.join(file)) == Some(Exposure::Git), expected, "{file}");
        }
    }
}
