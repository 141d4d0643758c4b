//! `crash` and `load`: the tests that kill programs while they write, and that let many write at once, as long as one likes.

use std::ffi::OsString;

use crate::error::{Error, Result};
use crate::repo::Repo;
use crate::setup;
use crate::shell::run;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stress {
    /// Programs are killed.
    Crash,
    /// Programs write at the same time.
    Load,
}

impl Stress {
    /// The test that is run, what its number is called, and the variable that the test takes it from.
    fn test(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Crash => {
                ("crashes::what_many_killed_programs_have_acknowledged_is_there", "--kills", "METAXY_CRASH_KILLS")
            }
            Self::Load => ("writers::all_that_many_writers_do_is_done", "--operations", "METAXY_LOAD_OPERATIONS"),
        }
    }
}

/// What to run, and how often: as the test says if nothing is given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    stress: Stress,
    times: Option<u64>,
}

impl Options {
    /// Reads `--kills N` or `--operations N`.
    ///
    /// # Errors
    ///
    /// For anything else.
    pub(crate) fn parse(stress: Stress, args: &mut impl Iterator<Item = OsString>) -> Result<Self> {
        let (_, name, _) = stress.test();
        let usage = || Error::new(format!("expected `{name} N` or nothing"));
        let times = match args.next() {
            None => None,
            Some(arg) if arg == name => {
                let number = args.next().and_then(|number| number.to_str()?.parse().ok());
                Some(number.ok_or_else(usage)?)
            }
            Some(_) => return Err(usage()),
        };
        Ok(Self { stress, times })
    }
}

/// Runs the test.
///
/// # Errors
///
/// When something cannot be had, or the test fails.
pub(crate) fn stress(repo: &Repo, options: &Options) -> Result<()> {
    setup::run(repo, &setup::Options::default())?;
    let (test, _, variable) = options.stress.test();
    let mut tests = repo.cargo(["test", "--package", "metaxy-cli", "--test", "it", "--"]);
    tests.args([test, "--exact", "--ignored", "--nocapture"]);
    if let Some(times) = options.times {
        tests.env(variable, times.to_string());
    }
    run(&mut tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers() {
        let parse = |stress, args: &[&str]| Options::parse(stress, &mut args.iter().map(OsString::from));
        let options = Options { stress: Stress::Crash, times: Some(7) };
        assert_eq!(parse(Stress::Crash, &["--kills", "7"]).expect("it is right"), options);
        assert_eq!(parse(Stress::Load, &[]).expect("it is right").times, None);
        for wrong in [&["--kills"][..], &["--kills", "x"], &["--operations", "7"], &["7"]] {
            parse(Stress::Crash, wrong).expect_err("it is wrong");
        }
    }
}
