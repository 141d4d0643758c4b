//! The snapshot of each lake at which an operation looks at its tables.

use ducklake_sql::{Ident, Sql, Value};

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
        let current = self.connection.number(&Sql::build(|sql| {
            sql.keyword("SELECT id FROM ducklake_current_snapshot(");
            sql.bind("lake", &Value::from(lake.as_str())).keyword(")");
        }))?;
        self.of.push((lake.clone(), current));
        Ok(At::Snapshot(current))
    }
}
