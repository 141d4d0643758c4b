//! A pager for what is longer than the terminal: the program that `PAGER` names, else `less`.

use std::env;
use std::io::{self, IsTerminal as _, Write};
use std::process::{Child, Command, Stdio};

use terminal_size::{Height, Width};

use crate::progress;

/// The pager where `PAGER` names none.
const DEFAULT: &str = "less";

/// What `less` is told where `LESS` says nothing: end with a text of one screen and by Ctrl-C, show colours, and leave the
/// text on the screen.
const LESS: &str = "FRXK";

/// Text for a terminal: held back until it is longer than the screen, and then sent to a pager.
#[derive(Debug)]
pub(crate) struct Paged {
    /// A command for the shell.
    pager: String,
    /// How many lines the screen has, and how many characters a line.
    height: usize,
    width: usize,
    /// What was not written yet, and the lines of the screen that it needs.
    held: Vec<u8>,
    lines: usize,
    running: Option<Child>,
}

impl Paged {
    /// One for stdout, where that is a terminal and the person has a pager.
    pub(crate) fn new() -> Option<Self> {
        let pager = chosen(env::var("PAGER").ok(), env::var("TERM").ok().as_deref())?;
        if !io::stdout().is_terminal() {
            return None;
        }
        let (Width(width), Height(height)) = terminal_size::terminal_size_of(io::stdout())?;
        Some(Self::on(pager, width.into(), height.into()))
    }

    fn on(pager: String, width: usize, height: usize) -> Self {
        Self { pager, height, width: width.max(1), held: Vec::new(), lines: 0, running: None }
    }

    /// Whether the pager has the screen.
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Starts the pager with what was held back. One that cannot be started is no reason to show nothing.
    fn start(&mut self) -> io::Result<()> {
        // Lines that are written anew would land in the pager's screen.
        progress::hide();
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(&self.pager).stdin(Stdio::piped());
        if env::var_os("LESS").is_none() {
            shell.env("LESS", LESS);
        }
        self.running = shell.spawn().ok();
        let held = std::mem::take(&mut self.held);
        self.out().write_all(&held)
    }

    /// Where text goes that is not held back.
    fn out(&mut self) -> Box<dyn Write + '_> {
        match self.running.as_mut().and_then(|pager| pager.stdin.as_mut()) {
            Some(pager) => Box::new(pager),
            None => Box::new(io::stdout()),
        }
    }
}

impl Write for Paged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.lines >= self.height {
            return self.out().write(bytes);
        }
        self.held.extend(bytes);
        self.lines = lines(&self.held, self.width);
        if self.lines >= self.height {
            self.start()?;
        }
        Ok(bytes.len())
    }

    /// Shows all that was written, and waits until the person has left the pager.
    fn flush(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let mut out = self.out();
        let shown = out.write_all(&held).and_then(|()| out.flush());
        drop(out);
        self.lines = 0;
        if let Some(mut pager) = self.running.take() {
            drop(pager.stdin.take());
            pager.wait()?;
            progress::show();
        }
        shown
    }
}

impl Drop for Paged {
    fn drop(&mut self) {
        // Nobody is left to be told when that fails.
        drop(self.flush());
    }
}

/// The pager that these variables ask for; `None` where the text is to be written as it is.
fn chosen(pager: Option<String>, terminal: Option<&str>) -> Option<String> {
    let pager = pager.unwrap_or_else(|| DEFAULT.to_owned());
    let is_wanted = !matches!(pager.trim(), "" | "cat") && terminal != Some("dumb");
    is_wanted.then_some(pager)
}

/// How many lines of a screen a text needs, where long ones are wrapped.
fn lines(text: &[u8], width: usize) -> usize {
    text.split_inclusive(|byte| *byte == b'\n').map(|line| line.len().saturating_sub(1).div_ceil(width).max(1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pager_is_chosen_by_variables() {
        for (pager, terminal, expected) in [
            (None, Some("xterm"), Some("less")),
            (Some("most -s"), None, Some("most -s")),
            (Some("cat"), Some("xterm"), None),
            (Some(""), Some("xterm"), None),
            (None, Some("dumb"), None),
        ] {
            let found = chosen(pager.map(str::to_owned), terminal);
            assert_eq!(found.as_deref(), expected, "{pager:?} {terminal:?}");
        }
    }

    #[test]
    fn lines_are_counted_as_a_screen_shows_them() {
        for (text, expected) in [("", 0), ("a", 1), ("a\n", 1), ("\n\n", 2), ("abcd\n", 1), ("abcde\n", 2)] {
            assert_eq!(lines(text.as_bytes(), 4), expected, "{text:?}");
        }
    }

    #[test]
    fn only_what_is_longer_than_the_screen_goes_to_the_pager() {
        let folder = tempfile::tempdir().expect("a folder");
        for (text, expected) in [("1\n2\n", None), ("1\n2\n3\n", Some("1\n2\n3\n"))] {
            let file = folder.path().join(text.len().to_string());
            let mut paged = Paged::on(format!("cat > '{}'", file.display()), 80, 3);
            for line in text.split_inclusive('\n') {
                paged.write_all(line.as_bytes()).expect("it is written");
            }
            assert_eq!(paged.is_running(), expected.is_some(), "{text:?}");
            paged.flush().expect("it is shown");
            assert_eq!(std::fs::read_to_string(&file).ok().as_deref(), expected, "{text:?}");
        }
    }
}
