//! Runs the program in a folder of its own, with an environment that holds nothing of this machine.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use metaxy_testkit::{MARKER, TempDir, assert_no_leak};

/// How a run ended, as text.
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Fixtures and sessions write this where a secret stands.
pub(crate) const SECRET: &str = "{SECRET}";

/// The program, ready to run in the folder.
pub(crate) fn metaxy(folder: &TempDir, arguments: &[&str]) -> Command {
    assert_no_leak(&arguments.join(" "), "the arguments of a process");
    let mut command = Command::new(env!("CARGO_BIN_EXE_metaxy"));
    command.args(arguments).current_dir(folder.path()).env_clear().env("HOME", folder.path()).env("TZ", "UTC");
    command
}

/// Runs a command with a text as its input. Only one that was asked to reveals a secret.
pub(crate) fn run(command: &mut Command, input: &str) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program should start");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // A command that does not read its input may be gone already.
    drop(stdin.write_all(input.as_bytes()));
    drop(stdin);
    let Output { status, stdout, stderr } = child.wait_with_output().expect("the program should end");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    let ran = Ran { exit: status.code().expect("an exit code"), stdout: text(stdout), stderr: text(stderr) };
    if !command.get_args().any(|argument| argument == "--reveal-secrets") {
        assert_no_leak(&ran.stdout, "stdout");
    }
    assert_no_leak(&ran.stderr, "stderr");
    ran
}

impl Ran {
    /// The run as a transcript shows it.
    pub(crate) fn transcript(&self) -> String {
        let mut text = String::new();
        for (name, output) in [("", &self.stdout), ("stderr: ", &self.stderr)] {
            for line in output.lines() {
                writeln!(text, "{}", [name, line].concat().trim_end()).expect("a String takes all");
            }
        }
        writeln!(text, "exit {}", self.exit).expect("a String takes all");
        text.replace(MARKER, SECRET)
    }

    /// Fails unless the run went well; its stdout.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.exit, 0, "{}", self.stderr);
        self.stdout
    }
}
