//! `ci`: every gate, with the time each took. What needs the compiler, clippy too, works while tests wait for servers and
//! other processes.

use std::env;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::api::DOCUMENT;
use crate::codegen::{Mode, codegen};
use crate::error::{Context as _, Result};
use crate::repo::Repo;
use crate::setup;
use crate::shell::{run, say, times};
use crate::test::test;
use crate::tidy::tidy;

/// A gate: its name, and what runs it.
type Step = (&'static str, fn(&Repo) -> Result<()>);

const STEPS: [Step; 5] = [
    ("fmt", |repo| run(&mut repo.cargo(["fmt", "--all", "--check"]))),
    ("tidy", tidy),
    ("codegen --check", |repo| codegen(repo, Mode::Check)),
    ("setup", |repo| setup::run(repo, &setup::Options::default())),
    ("test and more", |repo| {
        let task = |args: &[&str]| Ok((args.join(" "), this_program(repo, args)?));
        // The others take over what clippy has checked.
        let more = [("clippy".to_owned(), clippy(repo)), ("doc".to_owned(), doc(repo))];
        test(repo, more.into_iter().chain([task(&["api", "--check"])?, task(&["package"])?]).collect())
    }),
];

/// The lints of all crates.
fn clippy(repo: &Repo) -> Command {
    repo.cargo(["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"])
}

/// The documentation of all, private items too; a link that leads nowhere fails.
fn doc(repo: &Repo) -> Command {
    let mut doc = repo.cargo(DOCUMENT);
    doc.arg("--document-private-items").env("RUSTDOCFLAGS", "--deny warnings");
    doc
}

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
