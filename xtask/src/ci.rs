//! `ci`: every gate, with the time each took. One build is for tests, clippy and documentation, see [`crate::compiler`], and
//! what else needs the compiler works while tests wait for servers and other processes.

use std::env;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::api::compare;
use crate::codegen::{Mode, codegen};
use crate::error::{Context as _, Result};
use crate::repo::{Repo, THIS};
use crate::setup;
use crate::shell::{run, say, times};
use crate::test::test;
use crate::tidy::tidy;

/// A gate: its name, and what runs it.
type Step = (&'static str, fn(&Repo) -> Result<()>);

const STEPS: [Step; 6] = [
    ("fmt", |repo| run(&mut repo.cargo(["fmt", "--all", "--check"]))),
    ("tidy", tidy),
    ("codegen --check", |repo| codegen(repo, Mode::Check)),
    ("setup", |repo| setup::run(repo, &setup::Options::default())),
    ("test, clippy, doc", |repo| {
        let repo = repo.with_lints()?;
        let benches = repo.cargo(["test", "--workspace", "--exclude", THIS, "--benches", "--no-run"]);
        test(&repo, vec![("benches".to_owned(), benches), ("package".to_owned(), this_program(&repo, &["package"])?)])
    }),
    // The build has described them.
    ("api --check", |repo| compare(repo, Mode::Check)),
];

/// Another task, by this program.
fn this_program(repo: &Repo, args: &[&str]) -> Result<Command> {
    let mut program = Command::new(env::current_exe().context(|| "cannot find this program".to_owned())?);
    program.args(args).current_dir(repo.path(""));
    Ok(program)
}

/// Passes every gate; the first that does not pass ends it.
///
/// # Errors
///
/// That of the gate that did not pass.
pub(crate) fn ci(repo: &Repo) -> Result<()> {
    let mut rows = Vec::new();
    let mut result = Ok(());
    for (name, step) in STEPS {
        say(format_args!("\n== ci: {name}"));
        let started = Instant::now();
        result = step(repo);
        rows.push((name, started.elapsed()));
        if result.is_err() {
            break;
        }
    }
    say(summary(&rows, result.is_ok()));
    result
}

/// The table of times at the end.
fn summary(rows: &[(&str, Duration)], passed: bool) -> String {
    let last = rows.last().map_or("", |(name, _)| name);
    let outcome = if passed { "passed".to_owned() } else { format!("failed at {last}") };
    let total = rows.iter().map(|(_, time)| *time).sum();
    let rows: Vec<_> = rows.iter().copied().chain([("total", total)]).collect();
    format!("\n== ci: {outcome}\n{}", times(&rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_the_gate_that_failed() {
        let times = [("fmt", Duration::from_millis(900)), ("clippy", Duration::from_secs(61))];
        let expected = "\n== ci: failed at clippy\n  fmt        0.9 s\n  clippy    61.0 s\n  total     61.9 s";
        assert_eq!(summary(&times, false), expected);
    }
}
