//! Signals that end the program: what runs is interrupted and undone first, as far as that takes a moment only.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use metaxy_store_duckdb::Interrupt;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// How long to undo what was begun. Nothing ends a wait for a server that does not answer but its own limit.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often to look for a signal.
const TICK: Duration = Duration::from_millis(20);

/// What shells add to the number of the signal that ended a program, for its exit code.
const ENDED_BY: u8 = 128;

/// The signal that came, if one did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// Waits for signals, each of which interrupts what runs; a second one ends the program at once.
    ///
    /// # Errors
    ///
    /// When the system does not let signals be handled.
    pub(crate) fn watch(interrupt: Interrupt) -> io::Result<Self> {
        let signals = Self::default();
        let came_before = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal only arms what ends the program by the second.
            flag::register_conditional_shutdown(signal, i32::from(ENDED_BY) + signal, Arc::clone(&came_before))?;
            flag::register(signal, Arc::clone(&came_before))?;
            flag::register_usize(signal, Arc::clone(&signals.0), usize::try_from(signal).unwrap_or_default())?;
        }
        let watched = signals.clone();
        thread::spawn(move || watched.end(&interrupt));
        Ok(signals)
    }

    /// The exit code of a program that was ended by the signal that came.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            signal => u8::try_from(signal).ok().map(|signal| signal.saturating_add(ENDED_BY)),
        }
    }

    /// Waits for a signal, and interrupts until the program ends.
    fn end(&self, interrupt: &Interrupt) {
        let code = loop {
            match self.exit_code() {
                Some(code) => break code,
                None => thread::sleep(TICK),
            }
        };
        let start = Instant::now();
        while interrupt.is_in_use() && start.elapsed() < PATIENCE {
            interrupt.request();
            thread::sleep(TICK);
        }
        // Whoever has no store open has nothing to undo, but may wait for its input.
        if !interrupt.is_requested() || start.elapsed() >= PATIENCE {
            low_level::exit(code.into());
        }
        // The store is closed: what is left is to say so.
        thread::sleep(PATIENCE);
        low_level::exit(code.into());
    }
}
