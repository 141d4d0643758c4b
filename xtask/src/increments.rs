//! `increments`: the tests that compare what has changed since a mark with what a comparison of all rows finds, with seeds
//! of one's own.

use std::ffi::OsString;

use crate::error::{Error, Result};
use crate::repo::Repo;
use crate::setup;
use crate::shell::run;

const USAGE: &str = "cargo xtask increments [--seed N] [--cases M] [--steps S]";

/// The numbers that there are, and the variables that the tests take them from.
const NUMBERS: [(&str, &str); 3] = [
    ("--seed", "METAXY_INCREMENTS_SEED"),
    ("--cases", "METAXY_INCREMENTS_CASES"),
    ("--steps", "METAXY_INCREMENTS_STEPS"),
];

/// Which random histories to go through; those of every run if nothing is given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options(Vec<(&'static str, u64)>);

impl Options {
    /// Reads `--seed N`, `--cases M` and `--steps S`.
    ///
    /// # Errors
    ///
    /// For anything else.
    pub(crate) fn parse(args: &mut impl Iterator<Item = OsString>) -> Result<Self> {
        let mut options = Vec::new();
        while let Some(arg) = args.next() {
            let failed = |what| Error::new(format!("`{}` {what}", arg.display())).with_help(USAGE);
            let Some((_, variable)) = NUMBERS.iter().find(|(name, _)| arg == *name) else {
                return Err(failed("is not known to `increments`"));
            };
            let number = args.next().and_then(|number| number.to_str()?.parse().ok());
            options.push((*variable, number.ok_or_else(|| failed("needs a number"))?));
        }
        Ok(Self(options))
    }
}

/// Runs the tests.
///
/// # Errors
///
/// When something cannot be had, or a test fails.
pub(crate) fn increments(repo: &Repo, options: &Options) -> Result<()> {
    setup::run(repo, &setup::Options::default())?;
    let mut tests = repo.cargo(["test", "--package", "metaxy-store-duckdb", "--test", "it", "--"]);
    tests.args(["features::marks::", "--nocapture"]);
    tests.envs(options.0.iter().map(|(variable, number)| (variable, number.to_string())));
    run(&mut tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_cases_and_steps_are_numbers() {
        let parse = |args: &[&str]| Options::parse(&mut args.iter().map(OsString::from));
        let options = Options(vec![("METAXY_INCREMENTS_SEED", 7), ("METAXY_INCREMENTS_STEPS", 2)]);
        assert_eq!(parse(&["--seed", "7", "--steps", "2"]).expect("it is right"), options);
        for wrong in [&["--seed"][..], &["--cases", "x"], &["7"]] {
            parse(wrong).expect_err("it is wrong");
        }
    }
}
