//! `bench`: runs the benchmarks of all crates, or compares what they cost by counts that no machine changes.

use std::ffi::OsString;

use crate::error::{Error, Result};
use crate::repo::Repo;
use crate::setup;
use crate::shell::{lines, run, say};

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

/// The tests that compare counts with recorded ones: the package, their names, and what they count.
const COUNTS: [(&str, &str, &str); 3] = [
    ("metaxy-store-duckdb", "features::scans::", "statements of operations, and rows scanned"),
    ("metaxy-store-duckdb", "features::statements::", "statements for each further feature"),
    ("metaxy-cli", "trips::", "round trips of commands to PostgreSQL, and requests to S3"),
];

/// Compares counts of statements, rows scanned and round trips, not times, with recorded ones.
///
/// # Errors
///
/// When the setup fails, or one differs: a difference is printed with what was recorded. All are compared.
pub(crate) fn check(repo: &Repo) -> Result<()> {
    setup::run(repo, &setup::Options::default())?;
    let mut failed = Vec::new();
    for (package, tests, what) in COUNTS {
        say(format_args!("\nbench: {what}"));
        let test = || repo.cargo(["test", "--quiet", "--package", package, "--test", "it", "--", tests]);
        // Cargo is content with no test of that name.
        if !lines(test().arg("--list"))?.lines().any(|line| line.ends_with(": test")) {
            return Err(Error::new(format!("`{package}` has no test `{tests}`")));
        }
        if run(test().env("INSTA_UPDATE", "no")).is_err() {
            failed.push(what);
        }
    }
    if failed.is_empty() {
        say("\nbench: all counts are as recorded");
        return Ok(());
    }
    let error = Error::new(format!("counts are not as recorded:\n  {}", failed.join("\n  ")));
    Err(error.with_help("what is meant to change is recorded by the same tests with INSTA_UPDATE=always"))
}
