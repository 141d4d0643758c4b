//! `bench`: runs the benchmarks of all crates.

use std::ffi::OsString;

use crate::error::Result;
use crate::repo::Repo;
use crate::setup;
use crate::shell::run;

/// Runs the benchmarks; `args` go to Criterion, a filter for instance.
///
/// # Errors
///
/// When the setup or a benchmark fails.
pub(crate) fn bench(repo: &Repo, args: &[OsString]) -> Result<()> {
    setup::run(repo, &setup::Options { no_postgres: true, ..Default::default() })?;
    // Named `bench` targets only: the test programs of the libraries do not know Criterion's arguments.
    run(repo.cargo(["bench", "--workspace", "--bench", "*", "--"]).args(args))
}
