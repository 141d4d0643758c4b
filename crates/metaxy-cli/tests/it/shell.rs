//! `metaxy shell` at a terminal: what is typed there, and what is answered.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use metaxy_testkit::{TempDir, deps};
use nix::pty::{Winsize, openpty};

use crate::run::{metaxy, run};

/// Nothing takes as long as this.
const PATIENCE: Duration = Duration::from_mins(1);

/// A program at a terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn new(folder: &TempDir, arguments: &[&str]) -> Self {
        Self::with(folder, arguments, &[])
    }

    fn with(folder: &TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let size = Winsize { ws_row: 50, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a terminal");
        let end = || Stdio::from(pty.slave.try_clone().expect("a terminal"));
        let mut command = metaxy(folder, arguments);
        command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions()).env("TERM", "xterm");
        command.envs(variables.iter().copied());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("the program");
        let keys = File::from(pty.master.try_clone().expect("a terminal"));
        let (sender, screen) = mpsc::channel();
        let mut reader = File::from(pty.master);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // It fails once the program, which has the other end, is gone.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, keys, screen, seen: String::new() }
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("a terminal");
    }

    /// Waits until the screen shows a text, which it has not shown before.
    #[track_caller]
    fn shows(&mut self, text: &str) {
        let start = Instant::now();
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            assert!(start.elapsed() < PATIENCE, "no `{text}` in: {}", self.seen);
            if let Ok(bytes) = self.screen.recv_timeout(Duration::from_millis(100)) {
                self.seen.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
    }
}

#[test]
fn what_is_longer_than_the_terminal_goes_to_the_pager() {
    let folder = TempDir::new();
    let (pager, none) = (("PAGER", "echo it is paged: && head -n 1"), ("PAGER", "cat"));
    // A pager that ends early is no failure, as any reader that leaves.
    for (arguments, variables, is_paged) in [
        (&["config", "schema"][..], &[pager][..], true),
        (&["config", "schema", "--no-pager"], &[pager], false),
        (&["config", "schema"], &[none], false),
        (&["config", "schema"], &[pager, ("TERM", "dumb")], false),
        (&["extensions", "path"], &[pager], false),
    ] {
        let mut terminal = Terminal::with(&folder, arguments, variables);
        let is_done = terminal.child.wait().expect("an end").success();
        while let Ok(bytes) = terminal.screen.recv_timeout(Duration::from_millis(100)) {
            terminal.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        assert_eq!(terminal.seen.contains("it is paged:"), is_paged, "{arguments:?} {variables:?}: {}", terminal.seen);
        assert!(is_done || !is_paged, "{arguments:?} {variables:?}: {}", terminal.seen);
    }
}

fn with_lake() -> TempDir {
    let folder = TempDir::new();
    run(&mut metaxy(&folder, &["init", "--example"]), "").done();
    let create = ["sql", "--mode", "write", "CREATE TABLE sample AS SELECT 42 AS answer"];
    run(metaxy(&folder, &create).env("METAXY_EXTENSION_DIRECTORY", deps().extensions()), "").done();
    folder
}

#[test]
fn what_is_typed_is_edited_completed_run_and_remembered() {
    let folder = with_lake();
    std::fs::write(folder.join("script.sql"), "SELECT 'from' || ' a file' AS x;").expect("a script");
    let mut terminal = Terminal::new(&folder, &["sql"]);
    terminal.shows("`dev` is open to read");
    terminal.shows("metaxy> ");
    // Tab completes the column and the table, and a statement may have several lines.
    terminal.types("SELECT 2 * answ\t\rFROM samp\t;\r");
    terminal.shows("84");
    terminal.shows(" s\r\n");
    terminal.shows("metaxy> ");
    terminal.types("\\d\r");
    terminal.shows("sample");
    terminal.shows("metaxy> ");
    terminal.types("\\d sample\r");
    terminal.shows("answer");
    terminal.shows("metaxy> ");
    terminal.types(".read script.sql\r");
    terminal.shows("from a file");
    terminal.shows("metaxy> ");
    // What is wrong ends nothing, and nothing is written.
    terminal.types("DROP TABLE sample;\r");
    terminal.shows("error");
    terminal.shows("`--mode write`");
    terminal.shows("metaxy> ");
    // Ctrl-C drops a line, Ctrl-D ends the session.
    terminal.types("SELECT nonsense\x03");
    terminal.shows("metaxy> ");
    terminal.types("\x04");
    assert!(terminal.child.wait().expect("an end").success());

    let mut terminal = Terminal::new(&folder, &["shell"]);
    terminal.shows("metaxy> ");
    // The last line is that which was dropped for an error.
    terminal.types("\x1b[A");
    terminal.shows("DROP TABLE sample;");
    terminal.types("\x03");
    terminal.shows("metaxy> ");
    terminal.types("\\q\r");
    assert!(terminal.child.wait().expect("an end").success());
}

#[test]
fn without_a_terminal_lines_come_from_stdin() {
    let folder = with_lake();
    let extensions = deps().extensions();
    let mut shell = metaxy(&folder, &["shell", "--format", "csv"]);
    let ran = run(shell.env("METAXY_EXTENSION_DIRECTORY", &extensions), "SELECT answer\nFROM sample;\n\\x\n");
    assert!(ran.stdout.contains("answer\n42\n"), "{}", ran.stdout);
    assert!(ran.stderr.contains("the shell has no such command"), "{}", ran.stderr);
    assert_eq!(ran.exit, 0);
    let sql = run(metaxy(&folder, &["sql"]).env("METAXY_EXTENSION_DIRECTORY", &extensions), "SELECT 1");
    assert!(sql.exit == 2 && sql.stderr.contains("there is no statement"), "{}", sql.stderr);
}
