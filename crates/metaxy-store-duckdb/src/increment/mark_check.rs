//! Whether a mark still tells what a comparison of all rows finds.

use ducklake_sql::{list, numbered, sql};
use metaxy_feature::FeatureKey;

use super::ResolveOptions;
use super::pass::{FullPass, Pass};
use crate::engine::{Error, read_again};
use crate::features::Features;
use crate::query::Snapshots;

/// What came of looking at a mark; see [`Features::check_mark`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MarkCheck {
    /// All rows are compared anyway, and this is why.
    NotUsed(FullPass),
    /// Both comparisons find the same.
    Right {
        /// The snapshot that the mark is of.
        since: i64,
    },
    /// They do not.
    Wrong {
        /// The snapshot that the mark is of.
        since: i64,
        /// How many rows only one of them finds.
        rows: usize,
    },
}

impl Features<'_> {
    /// Compares a feature's rows by the mark that was kept of this comparison, compares all of them, and says whether both
    /// find the same keys, changes and versions. It takes longer than either.
    ///
    /// ```no_run
    /// use metaxy_store_duckdb::{Features, MarkCheck, ResolveOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let features: Features<'_> = unreachable!();
    /// if let MarkCheck::Wrong { rows, .. } = features.check_mark(&"video/crop".parse()?, &ResolveOptions::new())? {
    ///     println!("{rows} rows differ: keep a new mark of a comparison of all");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`resolve_update`](Self::resolve_update).
    pub fn check_mark(&self, key: &FeatureKey, options: &ResolveOptions) -> Result<MarkCheck, Error> {
        let connection = self.connection.elsewhere()?;
        let features = self.on(&connection);
        let check = || {
            let snapshots = Snapshots::new(&connection);
            let compare = |full| features.compare(features.plan(key)?, &options.clone().full(full), &snapshots);
            let by_mark = compare(false)?;
            let since = match by_mark.pass {
                Pass::Full(reason) => return Ok(MarkCheck::NotUsed(reason)),
                Pass::Changed { since, .. } => since,
            };
            let all = compare(true)?;
            let [found, expected] = [by_mark.find(&connection)?, all.find(&connection)?];
            let keys = (0..all.keys.len()).map(|at| numbered("key_", at));
            let fields = (0..all.members.len()).map(|at| numbered("field_", at));
            let columns = list(keys.chain(fields));
            let [found, expected] = [found, expected]
                .map(|table| sql!("SELECT change, provenance, {columns} FROM {table}", columns, table));
            let rows: i64 = connection.query_value(sql!(
                "SELECT count(*) FROM (({found} EXCEPT ALL {expected}) UNION ALL ({expected} EXCEPT ALL {found}))",
                found,
                expected,
            ))?;
            Ok(match usize::try_from(rows).unwrap_or(usize::MAX) {
                0 => MarkCheck::Right { since },
                rows => MarkCheck::Wrong { since, rows },
            })
        };
        read_again(&connection, check).map_err(|error| error.in_operation("comparing", key.as_str()))
    }
}
