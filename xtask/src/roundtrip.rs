//! `roundtrip [--cases N]`: the test that sends random names and texts through DuckDB, with more of them than in every run.

use std::ffi::OsString;

use crate::error::{Error, Result};
use crate::repo::Repo;
use crate::setup;
use crate::shell::run;

const USAGE: &str = "cargo xtask roundtrip [--cases N]";

/// How many names and texts if nothing else is asked for: those of a release.
const CASES: u64 = 1_000_000;

/// Reads `--cases N`.
///
/// # Errors
///
/// For anything else.
pub(crate) fn parse(args: &mut impl Iterator<Item = OsString>) -> Result<u64> {
    match args.next() {
        None => Ok(CASES),
        Some(arg) if arg == "--cases" => args
            .next()
            .and_then(|number| number.to_str()?.parse().ok())
            .ok_or_else(|| Error::new("`--cases` needs a number").with_help(USAGE)),
        Some(arg) => Err(Error::new(format!("`roundtrip` does not know `{}`", arg.display())).with_help(USAGE)),
    }
}

/// Runs the test.
///
/// # Errors
///
/// When it cannot be built, or a name or text comes back as another one.
pub(crate) fn roundtrip(repo: &Repo, cases: u64) -> Result<()> {
    setup::run(repo, &setup::Options::default())?;
    let test = ["--package", "metaxy-store-duckdb", "--test", "it", "--", "names_and_texts_come_back"];
    let mut test = repo.cargo([&["test"], &test[..]].concat());
    run(test.env("METAXY_ROUNDTRIP_CASES", cases.to_string()))
}
