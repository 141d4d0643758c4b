//! `demo`: runs the DuckLake example, from the repository's `metaxy.toml` to rows in a lake.

use crate::error::Result;
use crate::repo::Repo;
use crate::setup;
use crate::shell::run;

/// Brings what the example needs and runs it.
///
/// # Errors
///
/// When the setup or the example fails.
pub(crate) fn demo(repo: &Repo) -> Result<()> {
    setup::run(repo, &setup::Options { no_postgres: true, ..Default::default() })?;
    run(&mut repo.cargo(["run", "--package", "metaxy-examples", "--example", "ducklake"]))
}
