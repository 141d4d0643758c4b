//! `interop`: the tests that share lakes with Python Metaxy, with seeds of one's own.

use std::ffi::OsString;

use crate::error::{Error, Result};
use crate::peer;
use crate::repo::Repo;
use crate::setup;
use crate::shell::run;

/// Which random cases to run; those of every run if nothing is given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The seed of the first case; each case has the next one.
    seed: Option<u64>,
    /// How many cases.
    cases: Option<u64>,
}

impl Options {
    /// Reads `--seed N` and `--cases M`.
    ///
    /// # Errors
    ///
    /// For anything else.
    pub(crate) fn parse(args: &mut impl Iterator<Item = OsString>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(arg) = args.next() {
            let value = match arg.to_str() {
                Some("--seed") => &mut options.seed,
                Some("--cases") => &mut options.cases,
                _ => return Err(Error::new(format!("`interop` does not know `{}`", arg.display())).with_help(USAGE)),
            };
            let number = args.next().and_then(|number| number.to_str()?.parse().ok());
            let missing = || Error::new(format!("`{}` needs a number", arg.display())).with_help(USAGE);
            *value = Some(number.ok_or_else(missing)?);
        }
        Ok(options)
    }
}

const USAGE: &str = "cargo xtask interop [--seed N] [--cases M]";

/// Brings Python Metaxy and runs the tests with it.
///
/// # Errors
///
/// When something cannot be had, or a test fails.
pub(crate) fn interop(repo: &Repo, options: &Options) -> Result<()> {
    setup::run(repo, &setup::Options::default())?;
    peer::bring(repo)?;
    let mut tests =
        repo.cargo(["test", "--package", "metaxy-store-duckdb", "--test", "it", "--", "interop::", "--nocapture"]);
    for (name, value) in [("METAXY_INTEROP_SEED", options.seed), ("METAXY_INTEROP_CASES", options.cases)] {
        if let Some(value) = value {
            tests.env(name, value.to_string());
        }
    }
    run(&mut tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_and_cases_are_numbers() {
        let parse = |args: &[&str]| Options::parse(&mut args.iter().map(OsString::from));
        let options = Options { seed: Some(7), cases: Some(2) };
        assert_eq!(parse(&["--seed", "7", "--cases", "2"]).expect("it is right"), options);
        for wrong in [&["--seed"][..], &["--seed", "x"], &["7"]] {
            parse(wrong).expect_err("it is wrong");
        }
    }
}
