//! `test`: everything that has to pass, as the README says.
//!
//! Cargo runs one test program after another, so that a program whose last test is slow leaves all cores but one idle. Here
//! Cargo builds the programs, and as many of them run side by side as there are cores, and the doctests beside them.
//!
//! Besides the tests themselves it holds that every snapshot file belongs to a test. Insta writes down which files the
//! tests compared with; a file that is on disk and not on that list is left over from a test that is gone.

use std::collections::{BTreeSet, VecDeque};
use std::env;
use std::fs;
use std::io::{Write as _, stderr};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use crate::error::{Context, Error, Result};
use crate::peer;
use crate::repo::{Repo, THIS, remove_this_package};
use crate::setup;
use crate::shell::{lines, output, say, times};

/// Where Insta writes down the snapshot files that were compared with; below the ignored `target`.
const REFERENCES: &str = "target/insta-references.txt";

/// How many tests of a program run at once.
const THREADS: &str = "RUST_TEST_THREADS";

/// Where programs write what they need for a moment.
const TEMPORARY: &str = "TMPDIR";

/// Where Linux keeps files in memory, and how many KiB tests may need there.
const MEMORY: &str = "/dev/shm";
const ROOM: u64 = 4 << 20;

/// Something to run beside the tests, and its name.
pub(crate) type Beside = (String, Command);

/// Brings what the tests need, runs them all, and looks for snapshots without a test.
///
/// # Errors
///
/// When the setup, a test or something beside the tests fails, or a snapshot file belongs to no test.
pub(crate) fn test(repo: &Repo, beside: Vec<Beside>) -> Result<()> {
    let mut took = Vec::new();
    let mut timed = |name: &str, started: Instant| took.push((name.to_owned(), started.elapsed()));
    let started = Instant::now();
    setup::run(repo, &setup::Options::default())?;
    timed("setup", started);
    // Packages come from the network while the compiler works.
    let started = Instant::now();
    let programs = thread::scope(|scope| {
        let peer = scope.spawn(|| peer::bring(repo));
        let programs = build(repo)?;
        peer.join().unwrap_or_else(|_| Err(Error::new("bringing Python Metaxy ended early")))?;
        Ok(programs)
    })?;
    timed("build", started);

    let references = repo.path(REFERENCES);
    let memory = memory();
    // Insta appends to the file, and does not make its folder.
    fs::create_dir_all(repo.path("target"))
        .and_then(|()| fs::write(&references, ""))
        .context(|| format!("cannot write `{REFERENCES}`"))?;
    let started = Instant::now();
    let run = Run { references: &references, temporary: memory.as_ref().map(TempDir::path) };
    let ran = run.all(repo, &programs, beside)?;
    timed("all tests", started);
    took.extend(ran.iter().map(|ran| (["  ", &ran.name].concat(), ran.time)));
    say(format_args!("\ntest: where the time went; programs run side by side\n{}", times(&took)));
    let failed: Vec<_> = ran.iter().filter(|ran| !ran.passed).map(|ran| ["\n  ", &ran.name].concat()).collect();
    if !failed.is_empty() {
        let message = format!("tests failed, see above:{}", failed.concat());
        return Err(Error::new(message).with_help("`cargo test -p PACKAGE` runs those of one package alone"));
    }

    let used = fs::read_to_string(&references).context(|| format!("cannot read `{REFERENCES}`"))?;
    let snapshots: Vec<_> = repo.files()?.into_iter().filter(|path| is_snapshot(path)).collect();
    let unused = unreferenced(&snapshots, &used);
    if unused.is_empty() {
        say(format_args!("test: all passed; each of the {} snapshot files belongs to a test", snapshots.len()));
        return Ok(());
    }
    let list: Vec<_> = unused.iter().map(|path| format!("\n  {}", repo.relative(path))).collect();
    let message = format!("snapshot files that belong to no test:{}", list.concat());
    Err(Error::new(message).with_help("remove them, or bring back the test"))
}

/// A program with tests.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    /// Its package and target.
    name: String,
    executable: PathBuf,
    /// Whether its tests are in a folder beside the crate.
    is_integration: bool,
    /// The folder of its package.
    package: PathBuf,
}

/// What Cargo says of a target that it built.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds all test programs; those that probably take longest come first.
fn build(repo: &Repo) -> Result<Vec<Program>> {
    let messages = ["--no-run", "--message-format", "json-render-diagnostics"];
    // This package by itself, as `cargo xtask` has built it, and the others as their doctests need them. Together they
    // would have other features, and a third of all packages would be built twice.
    let parts: [&[_]; 2] = [&["--workspace", "--exclude", THIS], &["--package", THIS]];
    let mut programs = Vec::new();
    for part in parts {
        let said = lines(&mut repo.cargo([&["test"], part, &messages].concat()))?;
        programs.extend(said.lines().filter_map(program));
    }
    if programs.is_empty() {
        return Err(Error::new("Cargo names no test program"));
    }
    // Tests beside a crate run more than those within it; a large program is one with DuckDB in it, or with many tests.
    let size = |program: &Program| fs::metadata(&program.executable).map_or(0, |metadata| metadata.len());
    programs.sort_by_cached_key(|program| std::cmp::Reverse((program.is_integration, size(program))));
    Ok(programs)
}

/// The test program that a line of Cargo's messages is about.
fn program(line: &str) -> Option<Program> {
    let artifact: Artifact = serde_json::from_str(line).ok()?;
    let executable = artifact.executable.filter(|_| artifact.profile.test)?;
    let package = artifact.manifest_path.parent()?.to_owned();
    let kind = artifact.target.kind.first().map_or("", String::as_str);
    let name = format!("{} {kind} {}", package.file_name()?.to_string_lossy(), artifact.target.name);
    Some(Program { name, executable, is_integration: kind == "test", package })
}

/// How a program went.
struct Ran {
    name: String,
    time: Duration,
    passed: bool,
}

/// What all programs are told.
struct Run<'r> {
    /// Where Insta writes down what was compared with.
    references: &'r Path,
    /// Where tests write, unless it is where they do anyway.
    temporary: Option<&'r Path>,
}

impl Run<'_> {
    /// Runs all programs, as many at once as there are cores, beside them what needs the compiler, of which one at a time
    /// can work: the doctests and what a caller adds.
    fn all(&self, repo: &Repo, programs: &[Program], beside: Vec<Beside>) -> Result<Vec<Ran>> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let programs = programs.iter().map(|program| (program.name.clone(), command_of(program))).collect();
        // This package has none.
        let doctests = repo.cargo(["test", "--workspace", "--exclude", THIS, "--doc"]);
        let with_compiler = [("doctests".to_owned(), doctests)].into_iter().chain(beside).collect();
        let queues: [Mutex<VecDeque<Beside>>; 2] = [Mutex::new(programs), Mutex::new(with_compiler)];
        let ran = Mutex::new(Vec::new());
        let work = |queue: &Mutex<VecDeque<Beside>>| -> Result<()> {
            let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            while let Some((name, command)) = next() {
                let done = self.one(name, command, cores)?;
                ran.lock().unwrap_or_else(PoisonError::into_inner).push(done);
            }
            Ok(())
        };
        thread::scope(|scope| {
            let [programs, with_compiler] = &queues;
            let queues = iter::repeat_n(programs, cores).chain([with_compiler]);
            let workers: Vec<_> = queues.map(|queue| scope.spawn(|| work(queue))).collect();
            workers.into_iter().try_for_each(|worker| {
                worker.join().unwrap_or_else(|_| Err(Error::new("a thread that runs tests ended early")))
            })
        })?;
        let mut ran = ran.into_inner().unwrap_or_else(PoisonError::into_inner);
        ran.sort_by_key(|ran| std::cmp::Reverse(ran.time));
        Ok(ran)
    }

    /// Runs one, and shows what it said when it has ended.
    fn one(&self, name: String, mut command: Command, cores: usize) -> Result<Ran> {
        let started = Instant::now();
        command.env("INSTA_UPDATE", "no").env("INSTA_SNAPSHOT_REFERENCES_FILE", self.references);
        // The test of packages makes some.
        command.envs(env::current_exe().ok().map(|xtask| ("METAXY_XTASK", xtask)));
        command.envs(self.temporary.map(|folder| (TEMPORARY, folder)));
        // Many tests wait for a server, for another process or for a lock, and others can work meanwhile.
        if env::var_os(THREADS).is_none() {
            command.env(THREADS, (2 * cores).to_string());
        }
        let output = command.stdin(Stdio::null()).output().context(|| format!("cannot start the tests of {name}"))?;
        let mut said = format!("\n== test: {name}\n").into_bytes();
        said.extend([output.stdout, output.stderr].concat());
        // A terminal that is gone is no reason to stop working.
        drop(stderr().write_all(&said));
        Ok(Ran { name, time: started.elapsed(), passed: output.status.success() })
    }
}

/// A folder in memory for what tests write, where the system has one with room: each commit to a catalog in a file waits
/// for the disk.
fn memory() -> Option<TempDir> {
    if env::var_os(TEMPORARY).is_some() {
        return None;
    }
    let mut df = Command::new("df");
    let room = output(df.args(["-Pk", MEMORY])).ok()?;
    let available: u64 = String::from_utf8(room).ok()?.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    if available < ROOM {
        return None;
    }
    let folder = tempfile::Builder::new().prefix("metaxy-").tempdir_in(MEMORY).ok()?;
    // As `/tmp`: PostgreSQL runs as another user, and what removes its folder too.
    #[cfg(unix)]
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o1777)).ok()?;
    Some(folder)
}

/// A program, started as Cargo starts it.
fn command_of(program: &Program) -> Command {
    let mut command = Command::new(&program.executable);
    remove_this_package(&mut command);
    command.current_dir(&program.package).env("CARGO_MANIFEST_DIR", &program.package);
    command
}

fn is_snapshot(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "snap")
}

/// Those of the snapshot files that are not among the lines of `used`, whatever way these are written.
fn unreferenced<'a>(snapshots: &'a [PathBuf], used: &str) -> Vec<&'a Path> {
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let used: BTreeSet<_> = used.lines().map(|line| canonical(Path::new(line))).collect();
    snapshots.iter().map(PathBuf::as_path).filter(|path| !used.contains(&canonical(path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_those_that_cargo_names() {
        let line = |executable: &str, test: bool| {
            format!(
                r#"{{"reason": "compiler-artifact", "manifest_path": "/r/crates/a/Cargo.toml", "executable": {executable},
                   "target": {{"name": "it", "kind": ["test"]}}, "profile": {{"test": {test}}}}}"#
            )
        };
        let found = program(&line(r#""/r/target/it""#, true)).expect("a program");
        let expected = Program {
            name: "a test it".to_owned(),
            executable: "/r/target/it".into(),
            is_integration: true,
            package: "/r/crates/a".into(),
        };
        assert_eq!(found, expected);
        for other in
            [line("null", true), line(r#""/r/target/metaxy""#, false), r#"{"reason": "build-finished"}"#.into()]
        {
            assert_eq!(program(&other), None, "{other}");
        }
    }

    #[test]
    fn a_snapshot_without_a_test_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let snapshots = ["one.snap", "two.snap"].map(|name| folder.path().join(name));
        for snapshot in &snapshots {
            fs::write(snapshot, "").expect("a snapshot");
        }
        let used = format!("{0}/./one.snap\n{0}/one.snap\n", folder.path().display());
        assert_eq!(unreferenced(&snapshots, &used), [folder.path().join("two.snap")]);
    }
}
