//! What is run again, how often, with which pauses: the one loop of attempts.
//!
//! DuckLake retries a commit only against conflicts that it knows; a busy SQLite catalog is none of them, nor a server
//! that was started anew. So whoever runs the statements has to begin again, with a pause that differs from the other
//! writer's.

use std::hash::{BuildHasher as _, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use metaxy_config::Retry;

use super::cause::Cause;
use super::error::{Error, Kind};

/// The time, as the loop of attempts sees it.
trait Clock {
    /// How long ago the first attempt began.
    fn elapsed(&self) -> Duration;

    fn sleep(&mut self, pause: Duration);
}

/// The time of this machine.
struct System(Instant);

impl Clock for System {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&mut self, pause: Duration) {
        thread::sleep(pause);
    }
}

/// Makes attempts until one succeeds, or fails by what another attempt does not change.
pub(crate) fn repeat<T>(
    retry: &Retry,
    run: impl FnMut() -> Result<T, Error>,
    begins_anew: impl Fn(&Error) -> bool,
) -> Result<T, Error> {
    let seed = RandomState::new().hash_one(retry.attempts);
    repeat_by(&mut System(Instant::now()), seed, retry, run, begins_anew)
}

/// The same by a clock, with pauses that a seed decides.
fn repeat_by<T>(
    clock: &mut impl Clock,
    seed: u64,
    retry: &Retry,
    mut run: impl FnMut() -> Result<T, Error>,
    begins_anew: impl Fn(&Error) -> bool,
) -> Result<T, Error> {
    // With jitter, a pause is between the one that is due and twice as long.
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(retry.first_pause / 2)
        .with_max_delay(retry.longest_pause / 2)
        .with_factor(2.0)
        .with_jitter()
        .with_jitter_seed(seed)
        .without_max_times()
        .build();
    let mut attempt = 1;
    loop {
        let _span = tracing::debug_span!("attempt", attempt).entered();
        let error = match run() {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if !begins_anew(&error) {
            return Err(error.in_attempt(attempt));
        }
        let pause = pauses.next().unwrap_or(retry.longest_pause);
        let is_last = retry.attempts.is_some_and(|most| attempt >= most.get());
        if is_last || clock.elapsed() + pause > retry.deadline {
            // A server that is away is no other program that was faster.
            let is_away = error.is_unreachable();
            return Err(if is_away {
                error.in_attempt(attempt)
            } else {
                Error::new(Kind::Conflict { attempts: attempt, error })
            });
        }
        tracing::info!(attempt, ?pause, cause = error.cause().map(Cause::as_str), "the attempt is made again");
        clock.sleep(pause);
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    /// A time that passes only while the loop sleeps, or by a second with each attempt.
    #[derive(Default)]
    struct Told {
        now: Duration,
        pauses: Vec<Duration>,
    }

    impl Clock for Told {
        fn elapsed(&self) -> Duration {
            self.now
        }

        fn sleep(&mut self, pause: Duration) {
            self.now += pause;
            self.pauses.push(pause);
        }
    }

    fn locked() -> Error {
        Error::query("IO Error: database is locked")
    }

    /// The pauses between attempts that all fail in this way, and the last error.
    fn fail(retry: &Retry, seed: u64, error: impl Fn() -> Error) -> (Vec<Duration>, Error) {
        let mut clock = Told::default();
        let failed = repeat_by::<()>(&mut clock, seed, retry, || Err(error()), Error::begins_anew);
        (clock.pauses, failed.unwrap_err())
    }

    #[test]
    fn attempts_end_by_their_number_and_by_the_deadline() {
        let retry = Retry { attempts: NonZeroU32::new(4), ..Retry::default() };
        let (pauses, error) = fail(&retry, 1, locked);
        assert_eq!(pauses.len(), 3);
        assert!(error.is_conflict() && error.to_string().contains("4 times"), "{error}");

        let retry = Retry { deadline: Duration::from_secs(10), ..Retry::default() };
        let (pauses, _) = fail(&retry, 1, locked);
        let all: Duration = pauses.iter().sum();
        assert!(all <= retry.deadline && all + retry.longest_pause > retry.deadline, "{all:?}");
        assert!(fail(&Retry { deadline: Duration::ZERO, ..Retry::default() }, 1, locked).0.is_empty());
    }

    #[test]
    fn pauses_grow_to_the_longest_and_differ_between_writers() {
        let retry = Retry { attempts: NonZeroU32::new(40), ..Retry::default() };
        let (one, other) = (fail(&retry, 1, locked).0, fail(&retry, 2, locked).0);
        assert_ne!(one, other);
        assert_eq!(one, fail(&retry, 1, locked).0);
        for pause in one.iter().chain(&other) {
            assert!((retry.first_pause / 2..=retry.longest_pause).contains(pause), "{pause:?}");
        }
        assert!(one[0] <= retry.first_pause && one[39 - 1] >= retry.longest_pause / 2, "{one:?}");
    }

    #[test]
    fn the_cause_decides() {
        let retry = Retry { attempts: NonZeroU32::new(2), ..Retry::default() };
        for (text, is_made_again) in [
            ("TransactionContext Error: Transaction conflict on table", true),
            ("IO Error: database is locked", true),
            ("IO Error: server closed the connection unexpectedly", true),
            ("IO Error: could not receive data from server: Connection reset by peer", true),
            ("IO Error: SSL connection has been closed unexpectedly", true),
            ("IO Error: connection to server failed: FATAL:  sorry, too many clients already", true),
            ("IO Error: connection to server failed: FATAL:  the database system is starting up", true),
            ("IO Error: PooledConnection::GetConnection - no connection available", true),
            ("IO Error: password authentication failed for user", false),
            ("Catalog Error: Table with name t does not exist!", false),
            ("IO Error: No space left on device", false),
        ] {
            let (pauses, error) = fail(&retry, 1, || Error::query(text));
            assert_eq!(pauses.len(), usize::from(is_made_again), "{text}: {error}");
        }
        // Each attempt is one of its own: what it gives in the end counts.
        let mut left = 3;
        let run = || {
            left -= 1;
            if left > 0 { Err(locked()) } else { Ok(left) }
        };
        assert_eq!(repeat_by(&mut Told::default(), 1, &Retry::default(), run, Error::begins_anew).unwrap(), 0);
    }
}
