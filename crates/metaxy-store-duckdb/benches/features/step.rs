//! What a step of a benchmark costs.

use std::time::Instant;

/// The seconds that something took.
pub(crate) struct Cost {
    pub(crate) wall: f64,
    /// Of processor time of this process, on Linux.
    pub(crate) cpu: f64,
}

/// Runs something, and measures it.
pub(crate) fn cost(work: impl FnOnce()) -> Cost {
    let (wall, cpu) = (Instant::now(), processor_time());
    work();
    Cost { wall: wall.elapsed().as_secs_f64(), cpu: processor_time() - cpu }
}

/// The seconds of processor time of this process so far, on Linux.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // Fields 14 and 15 of the line, in hundredths of a second.
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
