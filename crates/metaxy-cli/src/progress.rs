//! A line on a terminal that says what takes so long.

use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is done sooner needs no word.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line is written anew.
const TICK: Duration = Duration::from_millis(200);

/// Shows that something is under way until it is dropped: on stderr, if that is a terminal.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    rows: Arc<AtomicUsize>,
    shown: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins to wait, and to say so after a second.
    pub(crate) fn new(what: impl Into<String>, quiet: bool) -> Self {
        if quiet || !io::stderr().is_terminal() {
            return Self::default();
        }
        Self::on(io::stderr(), what.into(), PATIENCE)
    }

    fn on(mut out: impl Write + Send + 'static, what: String, patience: Duration) -> Self {
        let rows = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&rows);
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let start = Instant::now();
            let mut pause = patience;
            let mut is_shown = false;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let line = line(&what, counted.load(Ordering::Relaxed), start.elapsed());
                // Nobody is left to be told when that fails.
                is_shown |= write!(out, "\r\x1b[K{line}").and_then(|()| out.flush()).is_ok();
                pause = TICK;
            }
            if is_shown {
                drop(write!(out, "\r\x1b[K").and_then(|()| out.flush()));
            }
        });
        Self { rows, shown: Some((stop, thread)) }
    }

    /// Says how many rows are done.
    pub(crate) fn set(&self, rows: u64) {
        self.rows.store(usize::try_from(rows).unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// Counts rows that are done.
    pub(crate) fn add(&self, rows: usize) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.shown.take() {
            drop(stop);
            // A thread that only writes cannot have anything to report.
            drop(thread.join());
        }
    }
}

fn line(what: &str, rows: usize, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match rows {
        0 => format!("{what} … {seconds} s"),
        rows => format!("{what} … {rows} rows, {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().map_err(|_| io::Error::other("poisoned"))?.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        fn text(&self) -> String {
            self.0.lock().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
        }
    }

    #[test]
    fn what_is_slow_is_said_and_wiped_away() {
        let screen = Screen::default();
        let progress = Progress::on(screen.clone(), "writing `a`".to_owned(), Duration::ZERO);
        progress.add(7);
        while !screen.text().contains("writing `a` … 7 rows") {
            thread::yield_now();
        }
        drop(progress);
        assert!(screen.text().ends_with("\r\x1b[K"));
    }

    #[test]
    fn what_is_soon_done_is_not_said() {
        let screen = Screen::default();
        drop(Progress::on(screen.clone(), "writing `a`".to_owned(), Duration::MAX));
        assert_eq!(screen.text(), "");
    }
}
