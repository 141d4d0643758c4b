//! `[ext.rust.retry]`: how a transaction is run again when another program was in the way.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::time::Duration;

use metaxy_diagnostics::{Diagnostic, Node};
use serde_json::{Value as Json, json};

use crate::decode::{Decode as _, Located};
use crate::options::RetryOptions;
use crate::scope::Scope;

/// How a transaction is run again when another program was in the way, or a catalog's server was lost.
///
/// ```
/// use std::time::Duration;
///
/// use metaxy_config::{Config, LoadOptions, MemorySystem};
///
/// let system = MemorySystem::new().file("/project/metaxy.toml", "ext.rust.retry.deadline_seconds = 600");
/// let retry = Config::load(&system, &LoadOptions::default())?.config.retry;
/// assert_eq!((retry.deadline, retry.attempts), (Duration::from_secs(600), None));
/// # Ok::<(), metaxy_config::LoadError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often it is run at most; as often as the deadline allows if `None`.
    pub attempts: Option<NonZeroU32>,
    /// How long it is begun anew; with zero, it is run once.
    pub deadline: Duration,
    /// How long the first pause is at most. Each is about twice as long as the one before.
    pub first_pause: Duration,
    /// How long a pause is at most.
    pub longest_pause: Duration,
}

/// Two minutes, with pauses of 40 milliseconds to a second.
impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: None,
            deadline: Duration::from_mins(2),
            first_pause: Duration::from_millis(40),
            longest_pause: Duration::from_secs(1),
        }
    }
}

impl Retry {
    /// What is not the default, as it is configured.
    pub(crate) fn shown(&self) -> Option<Json> {
        let milliseconds = |pause: Duration| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        (*self != Self::default()).then(|| {
            json!({
                "attempts": self.attempts,
                "deadline_seconds": self.deadline.as_secs(),
                "first_pause_milliseconds": milliseconds(self.first_pause),
                "longest_pause_milliseconds": milliseconds(self.longest_pause),
            })
        })
    }
}

/// What the table says, where there is one.
pub(crate) fn resolve(node: Option<&Node>, scope: &mut Scope<'_>) -> Retry {
    let options = node.and_then(|node| RetryOptions::decode(node, &mut scope.context)).unwrap_or_default();
    let default = Retry::default();
    let mut number = |of: Option<Located<i64>>, least: i64| within(of?, least, i64::from(u32::MAX), scope);
    let attempts = number(options.attempts, 1).and_then(|attempts| NonZeroU32::new(u32::try_from(attempts).ok()?));
    let deadline = number(options.deadline_seconds, 0).map(Duration::from_secs);
    let first_pause = number(options.first_pause_milliseconds, 1).map(Duration::from_millis);
    let longest_pause = number(options.longest_pause_milliseconds, 1).map(Duration::from_millis);
    Retry {
        attempts,
        deadline: deadline.unwrap_or(default.deadline),
        first_pause: first_pause.unwrap_or(default.first_pause),
        longest_pause: longest_pause.unwrap_or(default.longest_pause),
    }
}

/// A number between two others, or a report that it is not.
fn within<T: Copy + Display + TryInto<u64> + PartialOrd>(
    Located { node, value }: Located<T>,
    least: T,
    most: T,
    scope: &mut Scope<'_>,
) -> Option<u64> {
    if (least..=most).contains(&value) {
        return value.try_into().ok();
    }
    scope.context.reject(&node, Diagnostic::out_of_range(&least, &most).with_origin(node.origin))
}
