//! A line on a terminal that says what takes so long.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// What is done sooner needs no word.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line is written anew.
const TICK: Duration = Duration::from_millis(200);

/// All lines on stderr, which is written to only if it is a terminal.
static LINES: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Writes no line until `show`, for a program that has the terminal to itself.
pub(crate) fn hide() {
    // Nobody is left to be told when that fails.
    drop(LINES.clear());
    LINES.set_draw_target(ProgressDrawTarget::hidden());
}

/// Writes lines again.
pub(crate) fn show() {
    LINES.set_draw_target(ProgressDrawTarget::stderr());
}

/// Shows that something is under way until it is dropped: on stderr, if that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    waiting: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins to wait, and to say so after a second.
    pub(crate) fn new(what: impl Into<String>, quiet: bool) -> Self {
        let bar = ProgressBar::no_length().with_message(what.into());
        if quiet || LINES.is_hidden() {
            return Self { bar: ProgressBar::hidden(), waiting: None };
        }
        let (stop, stopped) = mpsc::channel();
        let counted = bar.clone();
        let thread = thread::spawn(move || {
            if stopped.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let shown = LINES.add(counted);
                shown.set_style(style());
                shown.enable_steady_tick(TICK);
            }
        });
        Self { bar, waiting: Some((stop, thread)) }
    }

    /// With the number of rows that there are, where it is known: how many are left then tells the time that is left.
    pub(crate) fn of(self, rows: Option<u64>) -> Self {
        if let Some(rows) = rows {
            self.bar.set_length(rows);
        }
        self
    }

    /// Says how many rows are done.
    pub(crate) fn set(&self, rows: u64) {
        self.bar.set_position(rows);
    }

    /// Counts rows that are done.
    pub(crate) fn add(&self, rows: usize) {
        self.bar.inc(u64::try_from(rows).unwrap_or(u64::MAX));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.waiting.take() {
            drop(stop);
            // A thread that only waits cannot have anything to report.
            drop(thread.join());
            self.bar.finish_and_clear();
            LINES.remove(&self.bar);
        }
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{msg} … {bar_of_rows}{done}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    style
        .with_key("bar_of_rows", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // Writing to a text cannot fail.
            let _ = out.write_str(&bar(state.pos(), state.len()));
        })
        .with_key("done", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let left = state.len().map(|_| state.eta());
            let _ = out.write_str(&done(state.pos(), state.elapsed(), state.per_sec(), left));
        })
}

/// How much of the rows is done, as a bar.
fn bar(rows: u64, of: Option<u64>) -> String {
    const WIDTH: u64 = 20;
    let Some(of) = of.filter(|of| *of > 0) else { return String::new() };
    let full = usize::try_from(rows.min(of) * WIDTH / of).unwrap_or_default();
    let width = usize::try_from(WIDTH).unwrap_or_default();
    format!("[{}{}] ", "#".repeat(full), "-".repeat(width - full))
}

/// How much is done: rows, time, rate, and the time that is left where it is known.
fn done(rows: u64, elapsed: Duration, rate: f64, left: Option<Duration>) -> String {
    let mut text = String::new();
    if rows > 0 {
        let _ = write!(text, "{rows} rows, ");
    }
    let _ = write!(text, "{} s", elapsed.as_secs());
    if rows > 0 {
        let _ = write!(text, ", {rate:.0} rows/s");
        if let Some(left) = left {
            let _ = write!(text, ", {} s left", left.as_secs());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_with_their_rate_and_the_time_that_is_left() {
        let seconds = Duration::from_secs;
        for (rows, left, expected) in [
            (0, None, "3 s"),
            (0, Some(seconds(7)), "3 s"),
            (60, None, "60 rows, 3 s, 20 rows/s"),
            (60, Some(seconds(7)), "60 rows, 3 s, 20 rows/s, 7 s left"),
        ] {
            assert_eq!(done(rows, seconds(3), 20.0, left), expected);
        }
        for (rows, of, expected) in [
            (5, None, ""),
            (0, Some(0), ""),
            (5, Some(10), "[##########----------] "),
            (11, Some(10), "[####################] "),
        ] {
            assert_eq!(bar(rows, of), expected);
        }
    }
}
