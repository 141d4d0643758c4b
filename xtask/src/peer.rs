//! Python Metaxy as a peer: a virtual environment below `.deps`, with exactly the packages that are pinned.
//!
//! A file in the environment says what it was made of, and is written last: one that was cut off, or was made of other
//! pins, is made anew.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::error::{Context, Error, Result};
use crate::repo::Repo;
use crate::setup::{make_folder, remove};
use crate::shell::{output, say};

/// The packages, each with its one version.
const REQUIREMENTS: &str = include_str!("../peer/requirements.txt");

/// Below `.deps`; `metaxy_testkit::Deps::peer` looks there.
const FOLDER: &str = "peer";

/// What has to be there to make the environment, and the first version for which the pins have wheels.
const PYTHON: &str = "import ensurepip, sys, venv; assert sys.version_info >= (3, 11), sys.version";

const WITHOUT: &str = "\
Python 3.11 or newer, with its module `venv` (on Debian the package `python3-venv`), brings Python Metaxy;
without it everything else works: leave out the tests that compare with it: `cargo test -p metaxy-store-duckdb --test it -- --skip interop::`";

/// Brings what is missing, and returns the environment's Python.
///
/// # Errors
///
/// When there is no Python with the module `venv`, or a package cannot be had.
pub(crate) fn bring(repo: &Repo) -> Result<PathBuf> {
    let deps = repo.path(".deps");
    make_folder(&deps)?;
    let lock = File::create(deps.join("peer.lock")).context(|| "cannot write `.deps/peer.lock`".to_owned())?;
    lock.lock().context(|| "cannot lock `.deps/peer.lock`".to_owned())?;
    let environment = deps.join(FOLDER);
    let (python, made_of) = (python_in(&environment), environment.join("made-of.txt"));
    if python.is_file() && fs::read_to_string(&made_of).is_ok_and(|made_of| made_of == REQUIREMENTS) {
        return Ok(python);
    }
    let started = Instant::now();
    let packages = REQUIREMENTS.lines().filter(|line| line.contains("==")).count();
    say(format_args!(
        "peer: bringing Python Metaxy, Apache-2.0 licence, and what it needs, from PyPI: {packages} packages"
    ));
    make(&environment, &python).map_err(|error| error.or_help(WITHOUT))?;
    fs::write(&made_of, REQUIREMENTS).context(|| format!("cannot write `{}`", made_of.display()))?;
    say(format_args!("peer: done, in .deps/{FOLDER} ({:.1} s)", started.elapsed().as_secs_f32()));
    Ok(python)
}

/// A package with its version, as in `metaxy 0.1.11`.
pub(crate) fn version(package: &str) -> String {
    let pin = REQUIREMENTS.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix("=="));
    format!("{package} {}", pin.unwrap_or("unknown"))
}

/// Makes the environment anew.
fn make(environment: &Path, python: &Path) -> Result<()> {
    output(Command::new("python3").args(["-c", PYTHON]))
        .map_err(|error| Error::new("there is no Python that can make a virtual environment").caused_by(error))?;
    remove(environment)?;
    output(Command::new("python3").args(["-m", "venv"]).arg(environment))?;
    let requirements = environment.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).context(|| format!("cannot write `{}`", requirements.display()))?;
    let pip = |args: &[&str]| {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "--no-input"]).args(args);
        pip
    };
    // Nothing that is not pinned comes in, and nothing of a package is run.
    let install = ["install", "--quiet", "--no-deps", "--only-binary=:all:", "--requirement"];
    output(pip(&install).arg(&requirements))?;
    output(&mut pip(&["check"])).map(drop)
}

/// The Python of a virtual environment.
fn python_in(environment: &Path) -> PathBuf {
    environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_one_version() {
        for line in REQUIREMENTS.lines().filter(|line| !line.starts_with('#')) {
            let (name, version) = line.split_once("==").expect("a pin");
            assert!(!name.is_empty() && version.chars().all(|one| one.is_ascii_alphanumeric() || one == '.'), "{line}");
        }
    }

    #[test]
    fn an_environment_that_is_as_pinned_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = folder.path().join(".deps").join(FOLDER);
        let python = python_in(&environment);
        fs::create_dir_all(python.parent().expect("a folder")).expect("a folder");
        fs::write(&python, "").expect("a file");
        fs::write(environment.join("made-of.txt"), REQUIREMENTS).expect("a file");
        assert_eq!(bring(&Repo::at(folder.path())).expect("it is there"), python);
    }
}
