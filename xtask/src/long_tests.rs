//! The tasks that run a test with numbers of one's own: longer than in every run, or one of its random cases again.

use std::ffi::OsString;

use crate::error::{Error, Result};
use crate::peer;
use crate::repo::Repo;
use crate::setup;
use crate::shell::run;

/// A test, or several, and the numbers that it takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LongTest {
    /// The task.
    name: &'static str,
    package: &'static str,
    /// What the test program is given.
    arguments: &'static [&'static str],
    /// The options, the variable that the test takes the number of each from, and the number where the task has one of
    /// its own; otherwise it is that of every run.
    numbers: &'static [(&'static str, &'static str, Option<u64>)],
    /// Whether Python Metaxy has to be there.
    with_peer: bool,
}

const STORE: &str = "metaxy-store-duckdb";
const PROGRAM: &str = "metaxy-cli";

const ALL: &[LongTest] = &[
    // Those that share lakes with Python Metaxy.
    LongTest {
        name: "interop",
        package: STORE,
        arguments: &["interop::", "--nocapture"],
        numbers: &[("--seed", "METAXY_INTEROP_SEED", None), ("--cases", "METAXY_INTEROP_CASES", None)],
        with_peer: true,
    },
    // Those that compare what has changed since a mark with what a comparison of all rows finds.
    LongTest {
        name: "increments",
        package: STORE,
        arguments: &["features::marks::", "--nocapture"],
        numbers: &[
            ("--seed", "METAXY_INCREMENTS_SEED", None),
            ("--cases", "METAXY_INCREMENTS_CASES", None),
            ("--steps", "METAXY_INCREMENTS_STEPS", None),
        ],
        with_peer: false,
    },
    // Random names and texts through DuckDB, as many as before a release.
    LongTest {
        name: "roundtrip",
        package: STORE,
        arguments: &["names_and_texts_come_back"],
        numbers: &[("--cases", "METAXY_ROUNDTRIP_CASES", Some(1_000_000))],
        with_peer: false,
    },
    // Programs are killed while they write.
    LongTest {
        name: "crash",
        package: PROGRAM,
        arguments: &[
            "crashes::what_many_killed_programs_have_acknowledged_is_there",
            "--exact",
            "--ignored",
            "--nocapture",
        ],
        numbers: &[("--kills", "METAXY_CRASH_KILLS", None)],
        with_peer: false,
    },
    // Pages and drawings in a real browser.
    LongTest {
        name: "pages",
        package: PROGRAM,
        arguments: &["browser::", "--ignored", "--nocapture"],
        numbers: &[],
        with_peer: false,
    },
    // Programs write at the same time.
    LongTest {
        name: "load",
        package: PROGRAM,
        arguments: &["writers::all_that_many_writers_do_is_done", "--exact", "--ignored", "--nocapture"],
        numbers: &[("--operations", "METAXY_LOAD_OPERATIONS", None)],
        with_peer: false,
    },
    // What the store adds to a write that nobody is in the way of.
    LongTest {
        name: "overhead",
        package: STORE,
        arguments: &["maintain::measure::an_uncontended_write", "--exact", "--ignored", "--nocapture"],
        numbers: &[],
        with_peer: false,
    },
];

/// A test with the numbers that were asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    test: &'static LongTest,
    numbers: Vec<(&'static str, u64)>,
}

impl LongTest {
    /// The test of a task.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|test| test.name == name)
    }

    /// Reads its options, each with a number.
    ///
    /// # Errors
    ///
    /// For anything else.
    pub(crate) fn parse(&'static self, args: &mut impl Iterator<Item = OsString>) -> Result<Options> {
        let own = self.numbers.iter().filter_map(|(_, variable, number)| Some((*variable, (*number)?)));
        let mut numbers: Vec<_> = own.collect();
        while let Some(arg) = args.next() {
            let failed = |what: &str| {
                Error::new(format!("`{}` {what}", arg.display())).with_help("`cargo xtask help` has the options")
            };
            let Some((_, variable, _)) = self.numbers.iter().find(|(name, ..)| arg == *name) else {
                return Err(failed(&format!("is not known to `{}`", self.name)));
            };
            let number = args.next().and_then(|number| number.to_str()?.parse().ok());
            numbers.push((*variable, number.ok_or_else(|| failed("needs a number"))?));
        }
        Ok(Options { test: self, numbers })
    }
}

/// Brings what the test needs, and runs it.
///
/// # Errors
///
/// When something cannot be had, or the test fails.
pub(crate) fn run_long_test(repo: &Repo, options: &Options) -> Result<()> {
    let test = options.test;
    setup::run(repo, &setup::Options::default())?;
    if test.with_peer {
        peer::bring(repo)?;
    }
    let mut tests = repo.cargo(["test", "--package", test.package, "--test", "it", "--"]);
    // Of a variable that is set twice, the last counts.
    tests.envs(options.numbers.iter().map(|(variable, number)| (variable, number.to_string())));
    run(tests.args(test.arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Vec<(&'static str, u64)>> {
        let mut words = line.split_whitespace().map(OsString::from);
        let name = words.next().expect("a task");
        let test = LongTest::find(name.to_str().expect("a name")).expect("it is there");
        Ok(test.parse(&mut words)?.numbers)
    }

    #[test]
    fn options_are_numbers() {
        for (line, expected) in [
            ("interop", &[][..]),
            ("interop --seed 7 --cases 2", &[("METAXY_INTEROP_SEED", 7), ("METAXY_INTEROP_CASES", 2)]),
            ("increments --seed 7 --steps 2", &[("METAXY_INCREMENTS_SEED", 7), ("METAXY_INCREMENTS_STEPS", 2)]),
            ("roundtrip", &[("METAXY_ROUNDTRIP_CASES", 1_000_000)]),
            ("roundtrip --cases 7", &[("METAXY_ROUNDTRIP_CASES", 1_000_000), ("METAXY_ROUNDTRIP_CASES", 7)]),
            ("crash --kills 7", &[("METAXY_CRASH_KILLS", 7)]),
            ("load", &[]),
            ("overhead", &[]),
        ] {
            assert_eq!(parse(line).expect("it is right"), expected, "{line}");
        }
        for wrong in [
            "interop --seed",
            "interop --seed x",
            "interop 7",
            "increments --seed",
            "increments --cases x",
            "increments 7",
            "roundtrip --seed 7",
            "crash --kills",
            "crash --kills x",
            "crash --operations 7",
            "crash 7",
        ] {
            parse(wrong).expect_err(wrong);
        }
    }
}
