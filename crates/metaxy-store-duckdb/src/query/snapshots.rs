//! The snapshot of each lake at which an operation looks at its tables.

use std::cell::{Cell, RefCell};

use ducklake_sql::{Ident, Mode, bind, sql};

use crate::engine::{Connection, Error};
use crate::table::{At, ListedTables, Listing};

/// The snapshot at which every table of a lake is looked at, so that a write in between changes nothing; and the tables
/// that each lake has then, if it is used in one transaction.
pub(crate) struct Snapshots<'c> {
    listing: Listing<'c>,
    of: RefCell<Vec<(Ident, i64)>>,
    /// Whether a database was asked for that has none and may be written.
    may_change: Cell<bool>,
}

/// The snapshots of lakes and their tables then, for another connection.
#[derive(Debug, Clone)]
pub(crate) struct TakenSnapshots {
    tables: ListedTables,
    of: Vec<(Ident, i64)>,
}

impl<'c> Snapshots<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { listing: Listing::new(connection), of: RefCell::default(), may_change: Cell::default() }
    }

    /// The current snapshots of these lakes and their tables, for other connections too.
    pub(crate) fn take(&self, lakes: &[&Ident]) -> Result<TakenSnapshots, Error> {
        for lake in lakes {
            self.of(lake)?;
        }
        Ok(TakenSnapshots { tables: self.listing.list_all(lakes)?, of: self.of.borrow().clone() })
    }

    /// Those that another connection has taken.
    pub(crate) fn from_taken(connection: &'c Connection, taken: TakenSnapshots) -> Self {
        let listing = Listing::of(connection, taken.tables);
        Self { listing, of: RefCell::new(taken.of), may_change: Cell::default() }
    }

    /// The tables of the lakes.
    pub(crate) fn listing(&self) -> &Listing<'c> {
        &self.listing
    }

    /// Whether only the transaction keeps tables as they are: their database has no snapshots, and may be written.
    pub(crate) fn may_change(&self) -> bool {
        self.may_change.get()
    }

    /// Of the lake with this alias: the current one when it was asked for first.
    pub(crate) fn of(&self, lake: &Ident) -> Result<At, Error> {
        let connection = self.listing.connection();
        if !connection.is_lake(lake) {
            // A file that is attached for reading stays as it is: DuckDB locks it against those who write.
            let is_written = connection.plan_of(lake).is_some_and(|plan| plan.mode() == Mode::Write);
            self.may_change.set(self.may_change.get() || is_written);
            return Ok(At::Now);
        }
        let known = self.of.borrow().iter().find(|(known, _)| known == lake).map(|(_, id)| *id);
        if let Some(known) = known {
            return Ok(At::Snapshot(known));
        }
        let current = self
            .listing
            .connection()
            .query_value(sql!("SELECT id FROM ducklake_current_snapshot({lake})", lake = bind(lake.as_str())))?;
        self.of.borrow_mut().push((lake.clone(), current));
        Ok(At::Snapshot(current))
    }
}
