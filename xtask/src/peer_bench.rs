//! `bench --peer`: the same steps here, in Python Metaxy and as plain SQL, side by side, and the table of it.
//!
//! Each runs in processes of its own, in turns, so that what else the machine does hits all of them. Of several rounds
//! the best of each figure counts: noise only ever adds.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{Context, Error, Result};
use crate::repo::Repo;
use crate::setup::{make_folder, remove};
use crate::shell::{output, say};
use crate::{page, peer, pins, setup, shell};

/// The line behind which the tables are written.
const MARK: &str = "<!-- What follows is written by `cargo xtask bench --peer`. -->";

/// Where the scripts of the peer are, and the features of the benchmark.
pub(crate) const SCRIPTS: &str = "xtask/peer";

/// From this size on a lake is measured once, and DuckDB has so much memory, but for the peer: beyond it, it spills.
const LARGE: u64 = 10_000_000;
const LARGE_MEMORY: &str = "1.2GB";

const USAGE: &str = "cargo xtask bench --peer [--rows N,M,…] [--rounds N] (ten million rows or more: one round)";

/// What to measure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The sizes of the lakes, in rows.
    rows: Vec<u64>,
    /// How many times each is run that is not [`LARGE`].
    rounds: u64,
}

impl Options {
    /// Reads `--rows` and `--rounds`.
    ///
    /// # Errors
    ///
    /// For anything else.
    pub(crate) fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Self> {
        let mut options = Self { rows: vec![100_000, 1_000_000], rounds: 3 };
        while let Some(arg) = args.next() {
            let value = args.next().and_then(|value| value.into_string().ok()).unwrap_or_default();
            let numbers: Result<Vec<u64>, _> = value.split(',').map(str::parse).collect();
            match (arg.to_str(), numbers.as_deref()) {
                (Some("--rows"), Ok(rows)) => options.rows = rows.to_vec(),
                (Some("--rounds"), Ok(&[rounds])) if rounds > 0 => options.rounds = rounds,
                _ => {
                    let message = format!("`bench --peer` does not know `{} {value}`", arg.display());
                    return Err(Error::new(message).with_help(USAGE));
                }
            }
        }
        Ok(options)
    }
}

/// Who is measured, in the order in which they take turns.
///
/// The peer begins: what it leaves in [`FOLDER`] is what the programs of both are asked about.
const RUNNERS: [Runner; 3] = [Runner::Peer, Runner::Ours, Runner::Floor];

/// Where the peer's lake is, until it runs again.
const FOLDER: &str = "target/peer-bench";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runner {
    Ours,
    Peer,
    Floor,
}

/// Measures, prints the tables and writes them into the page.
///
/// # Errors
///
/// When something cannot be had, a benchmark fails, or the page cannot be written.
pub(crate) fn bench(repo: &Repo, options: &Options) -> Result<()> {
    setup::run(repo, &setup::Options { no_postgres: true, ..Default::default() })?;
    let python = peer::bring(repo)?;
    shell::run(&mut repo.cargo(["build", "--quiet", "--release", "--package", "metaxy-cli"]))?;
    let mut tables = machine(&python)?;
    for rows in &options.rows {
        let mut best: [Vec<Step>; 3] = Default::default();
        let rounds = if *rows < LARGE { options.rounds } else { 1 };
        for round in 1..=rounds {
            say(format_args!("bench: {rows} rows, round {round} of {rounds}"));
            for (runner, best) in RUNNERS.into_iter().zip(&mut best) {
                let printed = run(repo, &python, runner, *rows)?;
                let printed = printed + &status(repo, &python, runner)?;
                keep_best(best, steps(&printed)?);
            }
        }
        tables += &table(*rows, &best);
    }
    remove(&repo.path(FOLDER))?;
    say(&tables);
    page::write(repo, MARK, &tables)
}

/// Runs one benchmark once and returns what it printed.
fn run(repo: &Repo, python: &Path, runner: Runner, rows: u64) -> Result<String> {
    let is_large = rows >= LARGE;
    let rows = rows.to_string();
    let mut command = match runner {
        Runner::Ours | Runner::Floor => {
            let bench = ["bench", "--quiet", "--package", "metaxy-store-duckdb", "--bench", "features", "--"];
            let mut command = repo.cargo(bench);
            command.args(["--rows", &rows]).args((runner == Runner::Floor).then_some("--floor"));
            command.args(is_large.then_some(["--memory-limit", LARGE_MEMORY]).into_iter().flatten());
            command
        }
        Runner::Peer => {
            let folder = repo.path(FOLDER);
            remove(&folder)?;
            make_folder(&folder)?;
            let mut command = script(repo, python, "bench.py");
            command.arg(folder).arg(repo.path(".deps/extensions")).arg(rows);
            command
        }
    };
    Ok(String::from_utf8_lossy(&output(&mut command)?).into_owned())
}

/// One of the scripts beside this crate.
pub(crate) fn script(repo: &Repo, python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    command
        .arg(repo.path(SCRIPTS).join(name))
        .env("PYTHONPATH", repo.path(SCRIPTS))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Asks a program, started by a shell's command, how the peer's lake stands; nothing for the plain SQL.
fn status(repo: &Repo, python: &Path, runner: Runner) -> Result<String> {
    let folder = repo.path(FOLDER);
    let mut command = script(repo, python, "timed.py");
    command.arg("metadata status, from the shell").current_dir(&folder);
    match runner {
        Runner::Floor => return Ok(String::new()),
        Runner::Ours => command.arg(repo.target().join("release/metaxy")),
        Runner::Peer => {
            let file = folder.join("metaxy.toml");
            fs::write(&file, configuration(repo, &folder)).context(|| format!("cannot write `{}`", file.display()))?;
            command.arg(python).arg(repo.path(SCRIPTS).join("cli.py"))
        }
    };
    let printed = output(command.args(["metadata", "status", "bench/child", "--format", "json"]))?;
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// The configuration of the peer's lake, for both.
fn configuration(repo: &Repo, folder: &Path) -> String {
    let text = |path: &Path| toml::Value::from(path.to_string_lossy().into_owned());
    let catalog = format!("sqlite:{}", folder.join("meta.sqlite").display());
    let (features, extensions) = (repo.path(SCRIPTS).join("features.toml"), repo.path(".deps/extensions"));
    format!(
        "project = 'bench'
entrypoints = ['bench_features']
ext.rust.features = [{}]
[stores.dev]
type = 'metaxy.ext.duckdb.DuckDBMetadataStore'
config.database = ':memory:'
config.hash_algorithm = 'md5'
config.config = {{ extension_directory = {} }}
[stores.dev.config.ducklake]
catalog = {{ type = 'sqlite', uri = {} }}
storage = {{ type = 'local', path = {} }}
",
        text(&features),
        text(&extensions),
        toml::Value::from(catalog),
        text(&folder.join("data"))
    )
}

/// What a step cost.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    name: String,
    /// Seconds of wall time, of processor time, and the process's peak memory so far in MB.
    figures: [f64; 3],
}

/// Reads `name  1.234 s  cpu  1.23  peak  1.2 MB`, one a line.
fn steps(printed: &str) -> Result<Vec<Step>> {
    let step = |line: &str| {
        let (name, figures) = line.split_at_checked(38)?;
        let words: Vec<&str> = figures.split_whitespace().collect();
        let [wall, "s", "cpu", cpu, "peak", peak, "MB"] = words.as_slice() else { return None };
        let figures = [wall.parse().ok()?, cpu.parse().ok()?, peak.parse().ok()?];
        Some(Step { name: name.trim().to_owned(), figures })
    };
    let steps: Vec<Step> = printed.lines().filter_map(step).collect();
    if steps.is_empty() {
        return Err(Error::new(format!("a benchmark printed no step:\n{printed}")));
    }
    Ok(steps)
}

/// Keeps the smaller of each figure.
fn keep_best(best: &mut Vec<Step>, steps: Vec<Step>) {
    if best.is_empty() {
        *best = steps;
        return;
    }
    for (best, step) in best.iter_mut().zip(steps) {
        for (best, figure) in best.figures.iter_mut().zip(step.figures) {
            *best = best.min(figure);
        }
    }
}

/// The Markdown table of one size.
fn table(rows: u64, [peer, ours, floor]: &[Vec<Step>; 3]) -> String {
    let limit = format!(", once; `memory_limit` here and for plain SQL: {LARGE_MEMORY}");
    let limit = if rows < LARGE { "" } else { &limit };
    let mut table = format!(
        "\n### {rows} rows{limit}\n\n| step, wall s / cpu s | here | Python Metaxy | plain SQL | Python ÷ here | here ÷ SQL |\n\
         |---|---:|---:|---:|---:|---:|\n"
    );
    let find = |steps: &[Step], name: &str| steps.iter().find(|step| step.name == name).map(|step| step.figures);
    let pair =
        |figures: Option<[f64; 3]>| figures.map_or("–".to_owned(), |[wall, cpu, _]| format!("{wall:.2} / {cpu:.2}"));
    // Processor time is counted in hundredths of a second: of less than some of them no ratio means anything.
    let one_ratio = |one: f64, other: f64, least: f64, digits: usize| {
        if one.min(other) < least { "–".to_owned() } else { format!("{:.digits$}", one / other) }
    };
    let wall = |one: f64, other: f64| one_ratio(one, other, 0.01, 2);
    let cpu = |one: f64, other: f64| one_ratio(one, other, 0.03, 1);
    let ratio = |one: Option<[f64; 3]>, other: Option<[f64; 3]>| match (one, other) {
        (Some(one), Some(other)) => format!("{} / {}", wall(one[0], other[0]), cpu(one[1], other[1])),
        _ => "–".to_owned(),
    };
    for Step { name, figures } in ours {
        let (ours, peer, floor) = (Some(*figures), find(peer, name), find(floor, name));
        let columns = [pair(ours), pair(peer), pair(floor), ratio(peer, ours), ratio(ours, floor)];
        line(&mut table, name, &columns);
    }
    let peak = |steps: &[Step]| steps.iter().map(|step| step.figures[2]).fold(0.0, f64::max);
    let [ours, peer, floor] = [ours, peer, floor].map(|steps| peak(steps));
    let megabytes = [ours, peer, floor].map(|peak| format!("{peak:.0}"));
    let [here, python, sql] = megabytes;
    line(
        &mut table,
        "peak memory, MB",
        &[here, python, sql, one_ratio(peer, ours, 0.03, 1), one_ratio(ours, floor, 0.03, 1)],
    );
    table
}

fn line(table: &mut String, name: &str, columns: &[String]) {
    // Writing to a text cannot fail.
    let _ = writeln!(table, "| {name} | {} |", columns.join(" | "));
}

/// On what machine, how busy, and with which versions.
pub(crate) fn machine(python: &Path) -> Result<String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let memory = read("/proc/meminfo").split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok());
    let gigabytes = memory.map_or("unknown".to_owned(), |kilobytes| format!("{} GB", kilobytes / 1_000_000));
    let load = read("/proc/loadavg").split_whitespace().next().unwrap_or("unknown").to_owned();
    let version = String::from_utf8_lossy(&output(Command::new(python).arg("--version"))?).trim().to_owned();
    let versions = ["metaxy", "polars", "ibis-framework", "narwhals"].map(peer::version);
    Ok(format!(
        "\nMachine: {cores} cores, {gigabytes} of memory, {}; load when it began: {load}. DuckDB {} on both sides; {version} \
         with {}.\n",
        std::env::consts::ARCH,
        pins::DUCKDB,
        versions.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
write root                                 0.500 s  cpu     0.25  peak      10.0 MB
status                                     0.100 s  cpu     0.01  peak      12.0 MB
";

    #[test]
    fn the_table_has_the_best_of_all_rounds() {
        let ours = steps(PRINTED).expect("steps");
        let mut best = steps(&PRINTED.replace("0.500", "0.900")).expect("steps");
        keep_best(&mut best, ours);
        let peer = steps(&PRINTED.replace("0.25", "1.00").replace("status", "other ")).expect("steps");
        let table = table(7, &[peer, best.clone(), best]);
        let lines: Vec<&str> = table.lines().skip(5).collect();
        assert_eq!(
            lines,
            [
                "| write root | 0.50 / 0.25 | 0.50 / 1.00 | 0.50 / 0.25 | 1.00 / 4.0 | 1.00 / 1.0 |",
                "| status | 0.10 / 0.01 | – | 0.10 / 0.01 | – | 1.00 / – |",
                "| peak memory, MB | 12 | 12 | 12 | 1.0 | 1.0 |",
            ]
        );
        steps("nothing").expect_err("no step");
    }

    #[test]
    fn options_are_numbers() {
        let parse = |args: &[&str]| Options::parse(args.iter().map(OsString::from));
        let options = parse(&["--rows", "5,6", "--rounds", "1"]).expect("they are right");
        assert_eq!(options, Options { rows: vec![5, 6], rounds: 1 });
        for wrong in [&["--rows"][..], &["--rounds", "0"], &["--rounds", "1,2"], &["7"]] {
            parse(wrong).expect_err("it is wrong");
        }
    }
}
