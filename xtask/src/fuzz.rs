//! `fuzz [--seconds N] [TARGET…]`: runs the targets in `fuzz/`, each of which ends at the first input that it does not survive.
//!
//! A stable compiler marks which code an input reaches, all that libFuzzer needs; `cargo fuzz` would need a nightly one for
//! sanitizers, which find little in code that is safe.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use crate::error::{Context as _, Error, Result};
use crate::repo::Repo;
use crate::setup;
use crate::shell::{lines, run, say};

/// The targets, and the folders with texts to begin with.
const TARGETS: [(&str, &[&str]); 5] = [
    ("configuration", &["crates/metaxy-config/tests/fixtures/valid", "crates/metaxy-config/tests/fixtures/invalid"]),
    ("features", &["crates/metaxy-feature/tests/fixtures", "crates/metaxy-cli/tests/fixtures/features"]),
    ("filter", &["fuzz/seeds/filter"]),
    ("json", &["crates/metaxy-feature/tests/golden"]),
    ("script", &["crates/metaxy-cli/tests/sessions"]),
];

/// Marks the edges of the control flow, and what is compared.
const MARKED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions --cfg fuzzing";

/// Where the programs, what they have found and the inputs that reach most code are; below the ignored `target`.
const FOLDER: &str = "fuzz";

const USAGE: &str = "cargo xtask fuzz [--seconds N] [TARGET…]";

/// What to run, and for how long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// For each target.
    seconds: u64,
    /// All of them if it is empty.
    targets: Vec<&'static str>,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// For a target or an option that is not there.
    pub(crate) fn parse(args: &mut impl Iterator<Item = OsString>) -> Result<Self> {
        let mut options = Self { seconds: 60, targets: Vec::new() };
        while let Some(arg) = args.next() {
            if arg == "--seconds" {
                let seconds = args.next().and_then(|number| number.to_str()?.parse().ok());
                options.seconds = seconds.ok_or_else(|| Error::new("`--seconds` needs a number").with_help(USAGE))?;
            } else if let Some((target, _)) = TARGETS.iter().find(|(target, _)| arg == *target) {
                options.targets.push(target);
            } else {
                let known = TARGETS.map(|(target, _)| target).join(", ");
                let message = format!("`fuzz` does not know `{}`; there are: {known}", arg.display());
                return Err(Error::new(message).with_help(USAGE));
            }
        }
        Ok(options)
    }
}

/// Builds the targets and runs one after another.
///
/// # Errors
///
/// When they cannot be built, or an input ends one.
pub(crate) fn fuzz(repo: &Repo, options: &Options) -> Result<()> {
    setup::run(repo, &setup::Options { no_postgres: true, ..setup::Options::default() })?;
    let compiler = lines(Command::new("rustc").arg("-vV"))?;
    let host = compiler.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Error::new("`rustc -vV` names no host"))?;
    let folder = repo.target().join(FOLDER);
    // With a target, only what is run there is marked, and no build script.
    let mut build = repo.cargo(["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", host]);
    run(build.arg("--target-dir").arg(&folder).env("RUSTFLAGS", MARKED))?;
    for (target, seeds) in TARGETS {
        if !options.targets.is_empty() && !options.targets.contains(&target) {
            continue;
        }
        let corpus = folder.join("corpus").join(target);
        fs::create_dir_all(&corpus).context(|| format!("cannot create `{}`", repo.relative(&corpus)))?;
        let mut program = Command::new(folder.join(host).join("release").join(target));
        program.current_dir(repo.path("")).env("LD_LIBRARY_PATH", repo.path(".deps/duckdb"));
        program.arg(format!("-max_total_time={}", options.seconds)).args(["-timeout=10", "-rss_limit_mb=2048"]);
        program.args(["-max_len=20000", "-verbosity=0", "-print_final_stats=1"]);
        // A prefix, not a folder: the name of an input that ends a target begins with the target's.
        program.arg(format!("-artifact_prefix={}-", folder.join(target).display()));
        say(format_args!("\nfuzz: {target}, {} s", options.seconds));
        run(program.arg(&corpus).args(seeds))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_named_and_known() {
        let parse = |args: &[&str]| Options::parse(&mut args.iter().map(OsString::from));
        let options = Options { seconds: 7, targets: vec!["json", "filter"] };
        assert_eq!(parse(&["json", "--seconds", "7", "filter"]).expect("it is right"), options);
        for wrong in [&["--seconds"][..], &["--seconds", "x"], &["nosuch"]] {
            parse(wrong).expect_err("it is wrong");
        }
    }

    #[test]
    fn every_target_has_a_program_and_every_seed_a_folder() {
        let repo = Repo::find().expect("the repository");
        let tests = fs::read_to_string(repo.path("crates/metaxy-cli/tests/it/inputs.rs")).expect("the file is there");
        for (target, seeds) in TARGETS {
            assert!(repo.path(format!("fuzz/targets/{target}.rs")).is_file(), "{target}");
            assert!(seeds.iter().all(|seed| repo.path(seed).is_dir()), "{target}");
            // Every run of the tests tries them, too.
            assert!(seeds.iter().all(|seed| tests.contains(&format!("{seed:?}"))), "{target}");
        }
    }
}
