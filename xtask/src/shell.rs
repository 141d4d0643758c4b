//! Talking to the person at the terminal, and running other programs.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _, stderr};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::error::{Error, Result};

/// Says one line on standard error. A terminal that is gone is no reason to stop working.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(stderr(), "{line}");
}

/// Runs a program that talks to the person itself.
///
/// # Errors
///
/// When the program is missing or fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| cannot_start(command, error))?;
    if status.success() { Ok(()) } else { Err(Error::new(format!("`{}` failed: {status}", shown(command)))) }
}

/// Runs a program in silence and returns what it wrote to standard output.
///
/// # Errors
///
/// When the program is missing or fails; what it wrote to standard error is then part of the message.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().map_err(|error| cannot_start(command, error))?;
    if status.success() {
        return Ok(stdout);
    }
    let said = String::from_utf8_lossy(&stderr);
    Err(Error::new(format!("`{}` failed: {status}\n{}", shown(command), said.trim_end())))
}

/// Runs a program that talks to the person on standard error, and returns what it wrote to standard output.
///
/// # Errors
///
/// When the program is missing or fails, or its output is no text.
pub(crate) fn lines(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|error| cannot_start(command, error))?;
    if !output.status.success() {
        return Err(Error::new(format!("`{}` failed: {}", shown(command), output.status)));
    }
    String::from_utf8(output.stdout).map_err(|error| Error::new("output is no text").caused_by(error))
}

/// A table of what took how long.
pub(crate) fn times(rows: &[(impl AsRef<str>, Duration)]) -> String {
    let width = rows.iter().map(|(name, _)| name.as_ref().len()).max().unwrap_or_default();
    let row = |(name, time): &(_, Duration)| format!("  {:<width$}{:>8.1} s", AsRef::as_ref(name), time.as_secs_f32());
    rows.iter().map(row).collect::<Vec<String>>().join("\n")
}

/// The error for a program that cannot be started.
fn cannot_start(command: &Command, error: std::io::Error) -> Error {
    let program = command.get_program().to_string_lossy();
    if error.kind() == ErrorKind::NotFound {
        Error::new(format!("the program `{program}` is not installed"))
    } else {
        Error::new(format!("cannot start `{program}`")).caused_by(error)
    }
}

/// The command as one would type it, for messages only: without the folder of the program.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let words = program.file_name().into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-anywhere")).expect_err("it is not there");
        assert_eq!(error.to_string(), "the program `no-such-program-anywhere` is not installed");
    }

    #[test]
    fn a_failure_shows_what_the_program_said() {
        let mut command = Command::new("sh");
        let error = output(command.args(["-c", "echo oops >&2; exit 3"])).expect_err("it fails");
        assert!(error.to_string().ends_with("failed: exit status: 3\noops"), "{error}");
    }

    #[test]
    fn a_command_is_shown_as_one_types_it() {
        assert_eq!(shown(Command::new("/some/where/cargo").args(["fmt", "--check"])), "cargo fmt --check");
    }
}
