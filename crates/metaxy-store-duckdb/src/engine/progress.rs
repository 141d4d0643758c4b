//! Telling how much is done of what takes long.

use std::fmt;
use std::sync::Arc;

/// How much is done of something that takes long, see [`OpenOptions::on_progress`](crate::OpenOptions::on_progress).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// So many are done.
    pub done: u64,
    /// So many there are.
    pub total: u64,
    /// What is counted.
    pub unit: ProgressUnit,
}

/// What is counted of something that takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProgressUnit {
    /// Bytes that are copied.
    Bytes,
    /// Features that are compared or copied.
    Features,
    /// Steps of the maintenance, each of one table.
    Steps,
    /// Tables that are read, each once for each snapshot.
    Tables,
}

/// Whom to tell, if anybody.
#[derive(Clone, Default)]
pub(crate) struct Reporter(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl Reporter {
    pub(crate) fn new(report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(report)))
    }

    /// Tells that so many of all are done.
    pub(crate) fn report(&self, done: usize, total: usize, unit: ProgressUnit) {
        if let Some(report) = &self.0 {
            let [done, total] = [done, total].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
            report(Progress { done, total, unit });
        }
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reporter").field(&self.0.is_some()).finish()
    }
}
