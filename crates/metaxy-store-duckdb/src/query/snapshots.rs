//! The snapshot of each lake at which an operation looks at its tables.

use ducklake_sql::{Ident, bind, sql};

use crate::engine::{Connection, Error};
use crate::table::At;

/// The snapshot at which every table of a lake is looked at, so that a write in between changes nothing.
pub(crate) struct Snapshots<'c> {
    connection: &'c Connection,
    of: Vec<(Ident, i64)>,
}

impl<'c> Snapshots<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, of: Vec::new() }
    }

    /// Of the lake with this alias: the current one when it was asked for first.
    pub(crate) fn of(&mut self, lake: &Ident) -> Result<At, Error> {
        if let Some((_, known)) = self.of.iter().find(|(known, _)| known == lake) {
            return Ok(At::Snapshot(*known));
        }
        let current = self
            .connection
            .query_value(sql!("SELECT id FROM ducklake_current_snapshot({lake})", lake = bind(lake.as_str()),))?;
        self.of.push((lake.clone(), current));
        Ok(At::Snapshot(current))
    }
}
