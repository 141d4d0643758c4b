//! The snapshot of each lake at which an operation looks at its tables.

use std::cell::{Cell, RefCell};

use ducklake_sql::{Ident, bind, sql};

use crate::engine::{Connection, Error};
use crate::table::{At, Listing};

/// The snapshot at which every table of a lake is looked at, so that a write in between changes nothing; and the tables
/// that each lake has then, if it is used in one transaction.
pub(crate) struct Snapshots<'c> {
    listing: Listing<'c>,
    of: RefCell<Vec<(Ident, i64)>>,
    /// Whether a database was asked for that is no lake.
    has_none: Cell<bool>,
}

impl<'c> Snapshots<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { listing: Listing::new(connection), of: RefCell::default(), has_none: Cell::default() }
    }

    /// The tables of the lakes.
    pub(crate) fn listing(&self) -> &Listing<'c> {
        &self.listing
    }

    /// Whether a database has none, so that only the transaction keeps its tables as they are.
    pub(crate) fn need_transaction(&self) -> bool {
        self.has_none.get()
    }

    /// Of the lake with this alias: the current one when it was asked for first.
    pub(crate) fn of(&self, lake: &Ident) -> Result<At, Error> {
        if !self.listing.connection().is_lake(lake) {
            self.has_none.set(true);
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
