//! A line on a terminal that says what takes so long.

use std::fmt::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use metaxy_store_duckdb::{Progress as Done, ProgressUnit};

use crate::visible::on_one_line;

/// What is done sooner needs no word.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line is written anew.
const TICK: Duration = Duration::from_millis(200);

/// All lines on stderr, which is written to only if it is a terminal.
static LINES: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// The line of what is under way, and what it counts.
static CURRENT: Mutex<Option<(ProgressBar, Unit)>> = Mutex::new(None);

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    /// What has this name, in the plural.
    Things(&'static str),
}

/// The rows of a file, a feature or an increment.
const ROWS: Unit = Unit::Things("rows");

/// Says how much is done of what is under way: for stores.
pub(crate) fn report(Done { done, total, unit, .. }: Done) {
    let unit = match unit {
        ProgressUnit::Bytes => Unit::Bytes,
        ProgressUnit::Features => Unit::Things("features"),
        ProgressUnit::Tables => Unit::Things("tables"),
        _ => Unit::Things("steps"),
    };
    // A line that is drawn looks at what it counts, so that is not locked when it may be drawn.
    let Some((bar, before)) = current().clone() else { return };
    if before != unit {
        bar.set_position(0);
        bar.reset_eta();
        *current() = Some((bar.clone(), unit));
    }
    bar.set_length(total);
    bar.set_position(done);
}

fn current() -> MutexGuard<'static, Option<(ProgressBar, Unit)>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

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
        // It counts, and is drawn by nobody until it is one of the lines.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
            .with_message(on_one_line(&what.into()).into_owned());
        if quiet || LINES.is_hidden() {
            return Self { bar, waiting: None };
        }
        *current() = Some((bar.clone(), ROWS));
        let (stop, stopped) = mpsc::channel();
        let counted = bar.clone();
        let thread = thread::spawn(move || {
            if stopped.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                counted.set_style(style());
                LINES.add(counted).enable_steady_tick(TICK);
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
            *current() = None;
        }
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{msg} … {bar_of_all}{done}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    style
        .with_key("bar_of_all", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // Writing to a text cannot fail.
            let _ = out.write_str(&bar(state.pos(), state.len()));
        })
        .with_key("done", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let unit = current().as_ref().map_or(ROWS, |(_, unit)| *unit);
            let left = state.len().map(|_| state.eta());
            let _ = out.write_str(&done((state.pos(), state.len()), unit, state.elapsed(), state.per_sec(), left));
        })
}

/// How much is done, as a bar.
fn bar(done: u64, of: Option<u64>) -> String {
    const WIDTH: u64 = 20;
    let Some(of) = of.filter(|of| *of > 0) else { return String::new() };
    let full = usize::try_from(done.min(of) * WIDTH / of).unwrap_or_default();
    let width = usize::try_from(WIDTH).unwrap_or_default();
    format!("[{}{}] ", "#".repeat(full), "-".repeat(width - full))
}

/// How much is done of all, time, rate, and the time that is left where it is known.
fn done((done, of): (u64, Option<u64>), unit: Unit, elapsed: Duration, rate: f64, left: Option<Duration>) -> String {
    let mut text = String::new();
    let is_counted = done > 0;
    if is_counted {
        let of = of.filter(|of| *of > 0);
        let _ = match (unit, of) {
            (Unit::Bytes, Some(of)) => write!(text, "{} of {}, ", HumanBytes(done), HumanBytes(of)),
            (Unit::Bytes, None) => write!(text, "{}, ", HumanBytes(done)),
            (Unit::Things(name), Some(of)) => write!(text, "{done} of {of} {name}, "),
            (Unit::Things(name), None) => write!(text, "{done} {name}, "),
        };
    }
    let _ = write!(text, "{} s", elapsed.as_secs());
    if is_counted {
        let _ = match unit {
            // Less than a byte in a second is none.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rate is positive, and shown rounded"
            )]
            Unit::Bytes => write!(text, ", {}/s", HumanBytes(rate as u64)),
            Unit::Things(name) => write!(text, ", {rate:.0} {name}/s"),
        };
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
    fn what_is_done_is_told_with_its_rate_and_the_time_that_is_left() {
        let seconds = Duration::from_secs;
        let features = Unit::Things("features");
        for (counted, unit, left, expected) in [
            ((0, None), ROWS, None, "3 s"),
            ((0, Some(80)), ROWS, Some(seconds(7)), "3 s"),
            ((60, None), ROWS, None, "60 rows, 3 s, 20 rows/s"),
            ((60, Some(0)), ROWS, None, "60 rows, 3 s, 20 rows/s"),
            ((60, Some(200)), features, Some(seconds(7)), "60 of 200 features, 3 s, 20 features/s, 7 s left"),
            ((4096, Some(1 << 20)), Unit::Bytes, Some(seconds(7)), "4.00 KiB of 1.00 MiB, 3 s, 20 B/s, 7 s left"),
        ] {
            assert_eq!(done(counted, unit, seconds(3), 20.0, left), expected);
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
