//! Which rows are compared: all, or those of the keys that may have changed; and why.

use std::fmt;

/// Which rows were compared to find an increment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pass {
    /// All of them.
    Full(FullPass),
    /// Those of the keys that differed when a mark was kept, and of those that have changed since.
    Changed {
        /// The snapshot that the mark is of.
        since: i64,
        /// How many keys that are.
        keys: usize,
    },
}

/// Why all rows were compared; see [`Features::mark`](crate::Features::mark).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FullPass {
    /// It was asked for.
    Asked,
    /// The rows are compared with samples, or with nothing.
    NotUpstream,
    /// A database without snapshots does not tell what has changed.
    NoSnapshots,
    /// The feature has no table yet.
    NoTable,
    /// An upstream feature is in another lake.
    OtherLake,
    /// A row is compared by columns that are not among its ids, or that a group has several values of.
    OtherKeys,
    /// The columns that rows are compared by are of several types, or of one that is not kept as it is.
    KeyTypes,
    /// What a filter says of a time depends on the time zone of the session.
    TimeZone,
    /// No mark was kept of a comparison like this one.
    NoMark,
    /// Snapshots since the mark are gone, and with them what was deleted.
    Expired,
    /// The lake is older than the mark.
    OlderLake,
    /// A table was made, altered or dropped since the mark.
    Altered,
    /// So many keys have changed that it takes no longer to compare all.
    ManyKeys,
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(reason) => write!(f, "all rows: {reason}"),
            Self::Changed { since, keys: 1 } => {
                write!(f, "the rows of 1 key: it may have changed since snapshot {since}")
            }
            Self::Changed { since, keys } => {
                write!(f, "the rows of {keys} keys: they may have changed since snapshot {since}")
            }
        }
    }
}

impl fmt::Display for FullPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Asked => "that was asked for",
            Self::NotUpstream => "they are not compared with those of other features",
            Self::NoSnapshots => "a database without snapshots does not tell what has changed",
            Self::NoTable => "the feature has no table yet",
            Self::OtherLake => "an upstream feature is in another lake",
            Self::OtherKeys => "rows are compared by columns that are not among their ids",
            Self::KeyTypes => {
                "the columns that rows are compared by are of several types, or of one that no mark keeps"
            }
            Self::TimeZone => "a filter compares a time, whose text depends on the time zone",
            Self::NoMark => "there is no mark of such a comparison",
            Self::Expired => "snapshots since the mark are gone",
            Self::OlderLake => "the lake is older than the mark",
            Self::Altered => "a table was made, altered or dropped since the mark",
            Self::ManyKeys => "so much differs that it takes no longer",
        })
    }
}
