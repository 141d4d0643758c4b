//! `bench --paper`: the benchmark that Python Metaxy publishes, there, here, and here on a lake, and the tables of it.
//!
//! Each round has a database file of its own, which Python fills and changes; both programs then look at this file, in turns
//! as to who is first, in processes of their own. What they find has to be the same, or nothing is written.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Context, Error, Result};
use crate::peer_bench::{SCRIPTS, machine, script};
use crate::repo::Repo;
use crate::setup::{make_folder, remove};
use crate::shell::{lines, output, say};
use crate::{page, peer, setup};

/// The line behind which the tables are written.
const MARK: &str = "<!-- What follows is written by `cargo xtask bench --paper`. -->";

/// Where databases and lakes are while they are measured.
const FOLDER: &str = "target/paper-bench";

/// Python's database in it.
const DATABASE: &str = "rows.duckdb";

const USAGE: &str = "cargo xtask bench --paper [--rows N,M,…] [--rounds N] [--hash xxhash64|md5]";

/// What to measure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// How many samples each root has.
    rows: Vec<u64>,
    rounds: usize,
    hash: Hash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Xxhash64,
    Md5,
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xxhash64 => "xxhash64",
            Self::Md5 => "md5",
        })
    }
}

impl Options {
    /// Reads `--rows`, `--rounds` and `--hash`.
    ///
    /// # Errors
    ///
    /// For anything else.
    pub(crate) fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Self> {
        let mut options = Self { rows: vec![10_000, 100_000, 1_000_000], rounds: 10, hash: Hash::Xxhash64 };
        while let Some(arg) = args.next() {
            let value = args.next().and_then(|value| value.into_string().ok()).unwrap_or_default();
            let rows: Result<Vec<u64>, _> = value.split(',').map(str::parse).collect();
            match (arg.to_str(), value.parse(), rows) {
                (Some("--rows"), _, Ok(rows)) => options.rows = rows,
                (Some("--rounds"), Ok(rounds), _) if rounds > 0 => options.rounds = rounds,
                (Some("--hash"), ..) if value == "xxhash64" => options.hash = Hash::Xxhash64,
                (Some("--hash"), ..) if value == "md5" => options.hash = Hash::Md5,
                _ => {
                    let message = format!("`bench --paper` does not know `{} {value}`", arg.display());
                    return Err(Error::new(message).with_help(USAGE));
                }
            }
        }
        Ok(options)
    }

    /// The command that measures the same again.
    fn command(&self) -> String {
        let rows: Vec<String> = self.rows.iter().map(u64::to_string).collect();
        let Self { rounds, hash, .. } = self;
        format!("cargo xtask bench --paper --rows {} --rounds {rounds} --hash {hash}", rows.join(","))
    }
}

/// The graphs of the benchmark: a root with two fields and a leaf with one; two roots with four each and a leaf with two.
const GRAPHS: [&str; 2] = ["simple", "wide"];

/// Who looks for changes, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runner {
    Peer,
    Ours,
    OnLake,
}

/// In the order of the columns.
const RUNNERS: [Runner; 3] = [Runner::Peer, Runner::Ours, Runner::OnLake];

/// What is measured of a process that looks for changes.
#[derive(Debug, Clone, Copy)]
enum Figure {
    Call,
    Process,
    ProcessorTime,
}

impl Figure {
    const ALL: [Self; 3] = [Self::Call, Self::Process, Self::ProcessorTime];

    fn title(self) -> &'static str {
        match self {
            Self::Call => "The call: from opening the store to rows in memory, seconds",
            Self::Process => "The whole process, seconds",
            Self::ProcessorTime => "The whole process, seconds of processor time",
        }
    }
}

/// One process: its [`Figure`]s, and how many rows it found to be new and stale.
#[derive(Debug, PartialEq)]
struct Sample {
    figures: [f64; Figure::ALL.len()],
    found: [u64; 2],
}

/// A row of each table: the samples of each runner.
struct Row {
    name: String,
    samples: [Vec<Sample>; RUNNERS.len()],
}

/// Measures, prints the tables and writes them into the page.
///
/// # Errors
///
/// When something cannot be had, a program fails, both do not find the same, or the page cannot be written.
pub(crate) fn bench(repo: &Repo, options: &Options) -> Result<()> {
    setup::run(repo, &setup::Options { no_postgres: true, ..Default::default() })?;
    let bench = Bench { repo, python: peer::bring(repo)?, program: build(repo)?, hash: options.hash };
    let machine = machine(&bench.python)?;
    let mut rows = Vec::new();
    for graph in GRAPHS {
        for &count in &options.rows {
            let mut of_graph = ["new", "stale"]
                .map(|change| Row { name: format!("{graph}, {count}, {change}"), samples: Default::default() });
            for round in 0..options.rounds {
                say(format_args!("bench: {graph}, {count} rows, round {} of {}", round + 1, options.rounds));
                bench.round(graph, count, round, &mut of_graph)?;
            }
            rows.extend(of_graph);
        }
    }
    let command = options.command();
    let mut tables =
        format!("\n`{command}`; median of {} rounds (and interquartile range).\n{machine}", options.rounds);
    for figure in Figure::ALL {
        tables += &table(figure, &rows);
    }
    say(&tables);
    page::write(repo, MARK, &tables)
}

/// Builds our program for release, and tells where it is.
fn build(repo: &Repo) -> Result<PathBuf> {
    let bench = ["bench", "--quiet", "--package", "metaxy-store-duckdb", "--bench", "paper"];
    let said = lines(repo.cargo(bench).args(["--no-run", "--message-format", "json-render-diagnostics"]))?;
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    };
    said.lines().filter_map(executable).next_back().ok_or_else(|| Error::new("Cargo names no program of the benchmark"))
}

struct Bench<'r> {
    repo: &'r Repo,
    python: PathBuf,
    /// Our program.
    program: PathBuf,
    hash: Hash,
}

impl Bench<'_> {
    /// Fills a database and a lake, measures who looks at them, changes both and measures again.
    fn round(&self, graph: &str, rows: u64, round: usize, [new, stale]: &mut [Row; 2]) -> Result<()> {
        let folder = self.repo.path(FOLDER);
        remove(&folder)?;
        make_folder(&folder)?;
        let file = folder.join("metaxy.toml");
        fs::write(&file, self.configuration(&folder)).context(|| format!("cannot write `{}`", file.display()))?;
        for (step, row) in [("fill", new), ("change", stale)] {
            for runner in [Runner::Peer, Runner::OnLake] {
                output(&mut self.process(runner, step, graph, rows))?;
            }
            // The file has just been written; who reads it first has what the system still does with it.
            let mut order = [0, 1, 2];
            order.rotate_left(round % RUNNERS.len());
            for at in order {
                let printed = output(&mut self.process(RUNNERS[at], "resolve", graph, rows))?;
                row.samples[at].push(sample(&String::from_utf8_lossy(&printed))?);
            }
            check(row)?;
        }
        remove(&folder)
    }

    /// A step of a runner, in a process that says what it cost.
    fn process(&self, runner: Runner, step: &str, graph: &str, rows: u64) -> Command {
        let folder = self.repo.path(FOLDER);
        let mut command = script(self.repo, &self.python, "timed.py");
        command.arg("process");
        let store = match runner {
            Runner::Peer => {
                command.arg(&self.python).arg(self.repo.path(SCRIPTS).join("paper.py"));
                command.args([step, graph, &rows.to_string(), &self.hash.to_string()]).arg(folder.join(DATABASE));
                return command;
            }
            Runner::Ours => "plain",
            Runner::OnLake => "lake",
        };
        command.arg(&self.program).args([step, graph, &rows.to_string()]).arg(folder.join("metaxy.toml")).arg(store);
        command
    }

    /// Our configuration, of Python's database and of a lake.
    fn configuration(&self, folder: &Path) -> String {
        let text = |path: &Path| toml::Value::from(path.to_string_lossy().into_owned());
        let catalog = toml::Value::from(format!("sqlite:{}", folder.join("meta.sqlite").display()));
        let extensions = text(&self.repo.path(".deps/extensions"));
        let (database, data, hash) = (text(&folder.join(DATABASE)), text(&folder.join("data")), self.hash);
        format!(
            "project = 'bench'
auto_create_tables = true
enable_map_datatype = true
[stores.plain]
type = 'duckdb'
config = {{ database = {database}, hash_algorithm = '{hash}' }}
[stores.lake]
type = 'duckdb'
[stores.lake.config]
database = ':memory:'
hash_algorithm = '{hash}'
config = {{ extension_directory = {extensions} }}
[stores.lake.config.ducklake]
catalog = {{ type = 'sqlite', uri = {catalog} }}
storage = {{ type = 'local', path = {data} }}
"
        )
    }
}

/// Reads `found N new, N stale in 1.234 s, 1.23 s of processor time` of a process, and what `timed.py` says of it.
fn sample(printed: &str) -> Result<Sample> {
    let words = |begin: &str| {
        let line = printed.lines().find(|line| line.starts_with(begin))?;
        Some(line.split_whitespace().collect::<Vec<_>>())
    };
    let read = || {
        let (found, process) = (words("found ")?, words("process ")?);
        let (["found", new, "new,", stale, "stale", "in", call, ..], ["process", wall, "s", "cpu", cpu, ..]) =
            (found.as_slice(), process.as_slice())
        else {
            return None;
        };
        let figures = [call.parse().ok()?, wall.parse().ok()?, cpu.parse().ok()?];
        Some(Sample { figures, found: [new.parse().ok()?, stale.parse().ok()?] })
    };
    read().ok_or_else(|| Error::new(format!("a benchmark does not say what it found:\n{printed}")))
}

/// Checks that all that was measured for a row has found the same.
fn check(row: &Row) -> Result<()> {
    let mut found = row.samples.iter().flatten().map(|sample| sample.found);
    let first = found.next();
    match found.find(|found| Some(*found) != first) {
        None => Ok(()),
        Some(other) => Err(Error::new(format!(
            "{}: both do not find the same: {:?} rows are new and stale, or {other:?}",
            row.name,
            first.unwrap_or_default()
        ))),
    }
}

/// The Markdown table of one figure.
fn table(figure: Figure, rows: &[Row]) -> String {
    let mut table = format!(
        "\n### {}\n\n| graph, rows, what is found | Python Metaxy | here | here, on a lake | Python ÷ here | Python ÷ here, on a lake \
         |\n|---|---:|---:|---:|---:|---:|\n",
        figure.title()
    );
    for row in rows {
        let [peer, ours, lake] = row
            .samples
            .each_ref()
            .map(|samples| Spread::of(samples.iter().map(|sample| sample.figures[figure as usize])));
        let (here, on_lake) = (peer.median / ours.median, peer.median / lake.median);
        // Writing to a text cannot fail.
        let _ = writeln!(table, "| {} | {peer} | {ours} | {lake} | {here:.1} | {on_lake:.1} |", row.name);
    }
    table
}

/// The median of some figures, and between which two their middle half is.
struct Spread {
    median: f64,
    quartiles: [f64; 2],
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        // The figure at a quarter, or the mean of both next to it.
        let at = |quarter: usize| {
            let place = quarter * figures.len().saturating_sub(1);
            let [below, above] = [place / 4, place.div_ceil(4)].map(|at| figures.get(at).copied().unwrap_or(f64::NAN));
            f64::midpoint(below, above)
        };
        Self { median: at(2), quartiles: [at(1), at(3)] }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [lower, upper] = self.quartiles;
        write!(f, "{:.2} ({lower:.2}–{upper:.2})", self.median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
found 0 new, 1002 stale in 0.500000 s, 0.40 s of processor time
process                                    1.500 s  cpu     1.25  peak      10.0 MB
";

    fn row(printed: [&str; 3]) -> Row {
        let samples =
            printed.map(|printed| vec![sample(printed).expect("a sample"), sample(printed).expect("a sample")]);
        Row { name: "simple, 7, stale".to_owned(), samples }
    }

    #[test]
    fn a_table_has_medians_spreads_and_ratios() {
        let faster = PRINTED.replace("0.500000", "0.100000");
        let mut row = row([PRINTED, &faster, &faster]);
        row.samples[1][0].figures[0] = 0.2;
        let table = table(Figure::Call, &[row]);
        let line = "| simple, 7, stale | 0.50 (0.50–0.50) | 0.15 (0.15–0.15) | 0.10 (0.10–0.10) | 3.3 | 5.0 |";
        assert_eq!(table.lines().next_back(), Some(line));
        let spread = Spread::of([4.0, 1.0, 2.0, 3.0, 9.0].into_iter());
        assert_eq!(spread.to_string(), "3.00 (2.00–4.00)");
    }

    #[test]
    fn all_have_to_find_the_same() {
        check(&row([PRINTED; 3])).expect("all find the same");
        let other = PRINTED.replace("1002", "1001");
        let error = check(&row([PRINTED, PRINTED, &other])).expect_err("one finds less");
        let message = "simple, 7, stale: both do not find the same: [0, 1002] rows are new and stale, or [0, 1001]";
        assert_eq!(error.to_string(), message);
        sample("process 1 s cpu 1 peak 1 MB").expect_err("it does not say what it found");
    }

    #[test]
    fn options_make_a_command_that_makes_them() {
        let parse = |line: &str| Options::parse(line.split_whitespace().skip(4).map(OsString::from));
        let line = "cargo xtask bench --paper --rows 5,6 --rounds 1 --hash md5";
        assert_eq!(parse(line).expect("it is right").command(), line);
        for wrong in ["--rows", "--rounds 0", "--rounds 1,2", "--hash sha256", "7"] {
            parse(&format!("cargo xtask bench --paper {wrong}")).expect_err("it is wrong");
        }
    }
}
