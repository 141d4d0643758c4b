//! The packages, tried as a stranger would: installed and used as the book says, without a network.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Result;
use crate::package::PROGRAM;
use crate::repo::{Repo, remove_this_package};
use crate::setup;
use crate::shell::run;

/// What follows the book: on several lakes, and with the time that it takes.
const TEST: &str = "tutorial::a_stale_row_is_found_within_minutes_of_the_install";

/// Leaves nothing of the network but loopback, and gives the other system the `/proc` that each system has: programs find
/// by it where they are. Both end with what is run.
const ALONE: &str = r#"
ip link set lo up &&
if [ -n "$METAXY_TRY_ROOT" ]; then mount -t proc proc "$METAXY_TRY_ROOT/proc"; fi &&
exec "$0" "$@"
"#;

/// Where the packages are tried.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Trial {
    /// The root of a system that has a shell, and for the wheel Python's `venv`, as `debootstrap` makes one; else this one.
    pub(super) root: Option<PathBuf>,
}

impl Trial {
    /// Follows the tutorial with the packages of a folder.
    ///
    /// # Errors
    ///
    /// When something is not as the book says, or takes too long.
    pub(super) fn run(&self, repo: &Repo, packages: &Path) -> Result<()> {
        setup::run(repo, &setup::Options::default())?;
        let test = ["test", "--offline", "--package", PROGRAM, "--test", "it"];
        run(repo.cargo(test).arg("--no-run"))?;
        let mut alone = Command::new("unshare");
        alone.args(["--net", "--mount", "sh", "-c", ALONE]);
        remove_this_package(&mut alone);
        let cargo = repo.cargo(test);
        alone.arg(cargo.get_program()).args(cargo.get_args()).current_dir(repo.path(""));
        alone.args(["--", TEST, "--exact", "--ignored", "--nocapture"]).env("METAXY_TRY_PACKAGES", packages);
        if let Some(root) = &self.root {
            alone.env("METAXY_TRY_ROOT", root);
        }
        run(&mut alone)
    }
}
