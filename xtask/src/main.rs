//! `cargo xtask`: the maintainers' tasks. One file per task; `cargo xtask help` lists them.

#![forbid(unsafe_code)]

mod api;
mod bench;
#[cfg(test)]
mod book;
mod cases;
mod checksums;
mod ci;
mod codegen;
mod compiler;
mod demo;
mod dist;
mod error;
mod fuzz;
mod long_tests;
mod metadata;
mod newest_duckdb;
mod package;
mod page;
mod paper_bench;
mod peer;
mod peer_bench;
mod pins;
mod release;
mod repo;
mod setup;
mod shell;
mod test;
mod tidy;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use crate::error::{Error, Result};
use crate::long_tests::LongTest;
use crate::repo::Repo;
use crate::shell::say;

const HELP: &str = "\
Usage: cargo xtask TASK

  setup [--no-postgres] [--extensions DIR]
                      bring DuckDB, its extensions and PostgreSQL into .deps, checked
  demo                run the DuckLake example, after setup
  test                run all tests, after setup
  tidy                check the rules that compiler and clippy do not
  codegen [--check]   write, or check, what is generated from the types
  api [--check]       write, or check, the public API of each published library, in docs/api
  dist [--program FILE] [--output FOLDER] [--level N] [--try] [--root FOLDER]
                      make an archive and a wheel that run from anywhere, of a program that is built for release;
                      with --try, follow the tutorial with both, without a network (on Linux, as root), below the root
                      of another system if there is one
  newest-duckdb       build the workspace with the newest crate `duckdb` as well, and test what needs no engine
  cases               print each kind's table of fixtures: cases tried, right, refused with a place or help
  package             pack every published crate, and build all of them from their packages
  release --dry-run   check all that has to be so before this version is published
  interop [--seed N] [--cases M]
                      run the tests that share lakes with Python Metaxy, which it brings into .deps
  increments [--seed N] [--cases M] [--steps S]
                      compare what has changed since a mark with all rows, in random histories of random graphs
  pages               look at pages and drawings in Chromium, which is on the path or named by METAXY_CHROMIUM
  crash [--kills N]   kill programs while they write, N for each kind of catalog, and look at what they have left
  load [--operations N]
                      let programs write at once, and say how long each operation takes
  overhead            say what the store adds to a write that nobody is in the way of
  fuzz [--seconds N] [TARGET…]
                      try inputs on what reads configurations, feature files, filters, JSON and SQL, N seconds each
  roundtrip [--cases N]
                      send N random names and texts through DuckDB
  bench [ARGS…]       run the benchmarks; ARGS go to Criterion
  bench --check       compare counts of statements, rows scanned and round trips with recorded ones
  bench --peer [--rows N,M,…] [--rounds N]
                      run those that Python Metaxy can run too, side by side, and write docs/benchmarks.md
  bench --paper [--rows N,M,…] [--rounds N] [--hash xxhash64|md5]
                      run the benchmark that Python Metaxy publishes, there and here, and write it there too
  ci                  fmt, tidy, codegen --check, setup; test beside clippy, doc, api --check and package
  help                this";

/// What was asked for.
#[derive(Debug)]
enum Task {
    Setup(setup::Options),
    Demo,
    Test,
    Tidy,
    Codegen(codegen::Mode),
    Api(codegen::Mode),
    Cases,
    Dist(dist::Options),
    NewestDuckdb,
    Package,
    Release,
    LongTest(long_tests::Options),
    Fuzz(fuzz::Options),
    Bench(Vec<OsString>),
    BenchCheck,
    PeerBench(peer_bench::Options),
    PaperBench(paper_bench::Options),
    Ci,
    Help,
}

/// Done: 0; the task failed: 1; asked for something that is not there: 2.
fn main() -> ExitCode {
    if let Some(code) = compiler::as_compiler().or_else(api::as_rustdoc) {
        return code;
    }
    let task = match parse(env::args_os().skip(1)) {
        Ok(task) => task,
        Err(error) => {
            say(error.report());
            return ExitCode::from(2);
        }
    };
    match perform(task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(error.report());
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<()> {
    let repo = Repo::find()?;
    match task {
        Task::Setup(options) => setup::run(&repo, &options),
        Task::Demo => demo::demo(&repo),
        Task::Test => test::test(&repo, Vec::new()),
        Task::Tidy => tidy::tidy(&repo),
        Task::Codegen(mode) => codegen::codegen(&repo, mode),
        Task::Api(mode) => api::api(&repo, mode),
        Task::Cases => cases::cases(&repo),
        Task::Dist(options) => dist::dist(&repo, &options),
        Task::NewestDuckdb => newest_duckdb::newest_duckdb(&repo),
        Task::Package => package::package(&repo),
        Task::Release => release::release(&repo),
        Task::LongTest(options) => long_tests::run_long_test(&repo, &options),
        Task::Fuzz(options) => fuzz::fuzz(&repo, &options),
        Task::Bench(args) => bench::bench(&repo, &args),
        Task::BenchCheck => bench::check(&repo),
        Task::PeerBench(options) => peer_bench::bench(&repo, &options),
        Task::PaperBench(options) => paper_bench::bench(&repo, &options),
        Task::Ci => ci::ci(&repo),
        Task::Help => {
            say(HELP);
            Ok(())
        }
    }
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Task> {
    let mut args = args.into_iter();
    let name = args.next().unwrap_or_else(|| "help".into());
    let task = match name.to_str() {
        Some("setup") => Task::Setup(parse_setup(&mut args)?),
        Some("demo") => Task::Demo,
        Some("test") => Task::Test,
        Some("tidy") => Task::Tidy,
        Some("codegen") => Task::Codegen(parse_mode(&mut args)?),
        Some("api") => Task::Api(parse_mode(&mut args)?),
        Some("dist") => Task::Dist(dist::Options::parse(&mut args)?),
        Some("newest-duckdb") => Task::NewestDuckdb,
        Some("cases") => Task::Cases,
        Some("package") => Task::Package,
        Some("release") => release::parse(&mut args).map(|()| Task::Release)?,
        Some("fuzz") => Task::Fuzz(fuzz::Options::parse(&mut args)?),
        Some("bench") => parse_bench(args.by_ref().collect())?,
        Some("ci") => Task::Ci,
        Some("help" | "--help" | "-h") => Task::Help,
        other => match other.and_then(LongTest::find) {
            Some(test) => Task::LongTest(test.parse(&mut args)?),
            None => return Err(unknown(&name)),
        },
    };
    match args.next() {
        Some(arg) => Err(unknown(&arg)),
        None => Ok(task),
    }
}

fn parse_bench(args: Vec<OsString>) -> Result<Task> {
    let rest = || args.iter().skip(1).cloned();
    match args.first().and_then(|arg| arg.to_str()) {
        Some("--peer") => Ok(Task::PeerBench(peer_bench::Options::parse(rest())?)),
        Some("--check") => match args.get(1) {
            None => Ok(Task::BenchCheck),
            Some(arg) => Err(unknown(arg)),
        },
        Some("--paper") => Ok(Task::PaperBench(paper_bench::Options::parse(rest())?)),
        _ => Ok(Task::Bench(args)),
    }
}

fn parse_setup(args: &mut impl Iterator<Item = OsString>) -> Result<setup::Options> {
    let mut options = setup::Options::default();
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--no-postgres") => options.no_postgres = true,
            Some("--extensions") => {
                let folder = args.next().ok_or_else(|| usage("`--extensions` needs a folder"))?;
                options.extensions = Some(folder.into());
            }
            _ => return Err(unknown(&arg)),
        }
    }
    Ok(options)
}

fn parse_mode(args: &mut impl Iterator<Item = OsString>) -> Result<codegen::Mode> {
    match args.next() {
        None => Ok(codegen::Mode::Write),
        Some(arg) if arg == "--check" => Ok(codegen::Mode::Check),
        Some(arg) => Err(unknown(&arg)),
    }
}

fn unknown(arg: &OsString) -> Error {
    usage(format!("unknown argument `{}`", arg.display()))
}

fn usage(message: impl Into<String>) -> Error {
    Error::new(message).with_help(format!("\n{HELP}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> String {
        match parse(line.split_whitespace().map(OsString::from)) {
            Ok(task) => format!("{task:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn arguments_become_tasks() {
        assert_eq!(parsed(""), "Help");
        assert_eq!(parsed("ci"), "Ci");
        assert_eq!(parsed("codegen --check"), "Codegen(Check)");
        assert_eq!(parsed("bench sql"), r#"Bench(["sql"])"#);
        assert_eq!(parsed("bench --check"), "BenchCheck");
        let setup = r#"Setup(Options { no_postgres: true, extensions: Some("x") })"#;
        assert_eq!(parsed("setup --extensions x --no-postgres"), setup);
    }

    #[test]
    fn what_is_not_there_is_refused() {
        assert_eq!(parsed("tidyy"), "unknown argument `tidyy`");
        assert_eq!(parsed("tidy up"), "unknown argument `up`");
        assert_eq!(parsed("bench --check sql"), "unknown argument `sql`");
        assert_eq!(parsed("codegen --chekc"), "unknown argument `--chekc`");
        assert_eq!(parsed("setup --extensions"), "`--extensions` needs a folder");
    }
}
