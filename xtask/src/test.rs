//! `test`: everything that has to pass, as the README says.
//!
//! Besides the tests themselves it holds that every snapshot file belongs to a test. Insta writes down which files the
//! tests compared with; a file that is on disk and not on that list is left over from a test that is gone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};
use crate::peer;
use crate::repo::Repo;
use crate::setup;
use crate::shell::{run, say};

/// Where Insta writes down the snapshot files that were compared with; below the ignored `target`.
const REFERENCES: &str = "target/insta-references.txt";

/// Brings what the tests need, runs them all, and looks for snapshots without a test.
///
/// # Errors
///
/// When the setup or a test fails, or a snapshot file belongs to no test.
pub(crate) fn test(repo: &Repo) -> Result<()> {
    setup::run(repo, &setup::Options::default())?;
    peer::bring(repo)?;
    let references = repo.path(REFERENCES);
    // Insta appends to the file, and does not make its folder.
    fs::create_dir_all(repo.path("target"))
        .and_then(|()| fs::write(&references, ""))
        .context(|| format!("cannot write `{REFERENCES}`"))?;
    let mut tests = repo.cargo(["test", "--workspace"]);
    run(tests.env("INSTA_UPDATE", "no").env("INSTA_SNAPSHOT_REFERENCES_FILE", &references))?;

    let used = fs::read_to_string(&references).context(|| format!("cannot read `{REFERENCES}`"))?;
    let snapshots: Vec<_> = repo.files()?.into_iter().filter(|path| is_snapshot(path)).collect();
    let unused = unreferenced(&snapshots, &used);
    if unused.is_empty() {
        say(format_args!("test: all passed; each of the {} snapshot files belongs to a test", snapshots.len()));
        return Ok(());
    }
    let list: Vec<_> = unused.iter().map(|path| format!("\n  {}", repo.relative(path))).collect();
    let message = format!("snapshot files that belong to no test:{}", list.concat());
    Err(Error::new(message).with_help("remove them, or bring back the test"))
}

fn is_snapshot(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "snap")
}

/// Those of the snapshot files that are not among the lines of `used`, whatever way these are written.
fn unreferenced<'a>(snapshots: &'a [PathBuf], used: &str) -> Vec<&'a Path> {
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let used: BTreeSet<_> = used.lines().map(|line| canonical(Path::new(line))).collect();
    snapshots.iter().map(PathBuf::as_path).filter(|path| !used.contains(&canonical(path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_without_a_test_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let snapshots = ["one.snap", "two.snap"].map(|name| folder.path().join(name));
        for snapshot in &snapshots {
            fs::write(snapshot, "").expect("a snapshot");
        }
        let used = format!("{0}/./one.snap\n{0}/one.snap\n", folder.path().display());
        assert_eq!(unreferenced(&snapshots, &used), [folder.path().join("two.snap")]);
    }
}
