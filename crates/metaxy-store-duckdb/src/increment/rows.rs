//! The rows that come out of a comparison, fetched by their row numbers.

use ducklake_sql::{Ident, Sql, Writer};
use metaxy_feature::FeatureKey;

use super::compare::{Diff, Expected, count_changes};
use super::{Change, Increment, ResolveOptions};
use crate::engine::{Connection, Error};
use crate::features::Features;
use crate::query::Snapshots;
use crate::table::{ByField, TableName};

/// What the rows of a feature should be, whatever they are; in a temporary table of the connection.
pub(crate) struct Made {
    /// The query of the rows that [`Increment::rows`] would hand out as new.
    pub(crate) rows: Sql,
    /// What its `metaxy_provenance_by_field` is.
    pub(crate) by_field: ByField,
    /// The id columns that its rows have.
    pub(crate) ids: Vec<Ident>,
}

impl Features<'_> {
    /// Makes what the rows of a feature should be, those of one group being one.
    pub(crate) fn make(&self, connection: &Connection, key: &FeatureKey) -> Result<Made, Error> {
        let plan = self.plan(key)?;
        let options = ResolveOptions { skip_comparison: true, distinct: true, ..ResolveOptions::default() };
        let mut snapshots = Snapshots::new(connection);
        let sides = self.sides(&plan, &options, &mut snapshots)?;
        let carried = sides.iter().flat_map(|side| side.carried.iter().map(|(_, name)| name.clone()));
        let carried: Vec<Ident> = carried.collect();
        let diff = Diff::new(self, plan, Expected::Upstream(sides), &options, &mut snapshots)?;
        let found = diff.find(connection)?;
        let has = |id: &&Ident| diff.keys.contains(id) || carried.contains(id);
        let ids = diff.ids.iter().filter(has).cloned().collect();
        let rows = Sql::build(|sql| diff.write_columns(sql, &found, true));
        Ok(Made { rows, by_field: diff.by_field, ids })
    }
}

impl Diff<'_> {
    /// Keeps what was found with the connection.
    pub(super) fn into_increment(self, connection: Connection, found: &TableName) -> Result<Increment, Error> {
        let counts = count_changes(&connection, found)?;
        let mut left = counts.into_iter();
        let queries = Change::ALL.map(|change| {
            Sql::build(|sql| {
                // Where there are none, the columns are wanted, and no table needs to be read for them.
                let any = left.next().is_some_and(|count| count > 0);
                self.write_rows(sql, found, change, any);
            })
        });
        Ok(Increment { connection, counts, queries })
    }

    /// Writes the query of the rows that changed in this way, if there are any; of their columns otherwise.
    pub(super) fn write_rows(&self, sql: &mut Writer, found: &TableName, change: Change, any: bool) {
        if change == Change::Orphaned
            && let Some(table) = &self.current
        {
            for (index, (column, _)) in table.all_columns().iter().enumerate() {
                sql.keyword(if index == 0 { "SELECT c." } else { ", c." }).ident(column);
            }
            table.write_if(any, sql.keyword(" FROM "), |sql| _ = sql.keyword("c"));
            found.write(sql.keyword(" JOIN "));
            sql.keyword(" AS f ON c.rowid = f.rc WHERE f.change = 2");
            return;
        }
        self.write_columns(sql, found, any);
        sql.keyword(" WHERE f.change = ").number(change.number());
    }

    /// Writes the query of rows to be made, but for which of them; those of the lake only if there are any.
    pub(super) fn write_columns(&self, sql: &mut Writer, found: &TableName, any: bool) {
        sql.keyword("SELECT ");
        for (index, key) in self.keys.iter().enumerate() {
            sql.keyword("f.k").number(index as u64).keyword(" AS ").ident(key).keyword(", ");
        }
        let mut given = Vec::new();
        match &self.expected {
            Expected::Upstream(sides) => {
                for (number, side) in sides.iter().enumerate() {
                    for (stored, new) in &side.carried {
                        sql.keyword("u").number(number as u64).keyword(".").ident(stored).keyword(" AS ").ident(new);
                        sql.keyword(", ");
                    }
                }
            }
            Expected::Samples(samples) => {
                let made = |name: &Ident| {
                    self.keys.contains(name)
                        || matches!(name.as_str(), "metaxy_provenance" | "metaxy_provenance_by_field")
                };
                for (column, _) in samples.columns.iter().filter(|(name, _)| !made(name)) {
                    sql.keyword("u0.").ident(column).keyword(", ");
                    given.push(column.as_str());
                }
            }
        }
        let by_field = |sql: &mut Writer| {
            self.by_field.write_value(sql, &self.members, |sql, at| _ = sql.keyword("f.h").number(at as u64));
        };
        by_field(sql);
        sql.keyword(" AS metaxy_provenance_by_field, f.p AS metaxy_provenance");
        if !given.contains(&"metaxy_data_version_by_field") {
            by_field(sql.keyword(", "));
            sql.keyword(" AS metaxy_data_version_by_field");
            if !given.contains(&"metaxy_data_version") {
                sql.keyword(", f.p AS metaxy_data_version");
            }
        }
        found.write(sql.keyword(" FROM "));
        sql.keyword(" AS f");
        let on = |sql: &mut Writer, number: u64| {
            sql.keyword(" ON u").number(number).keyword(".rowid = f.r").number(number);
        };
        match &self.expected {
            Expected::Upstream(sides) => {
                for (number, side) in sides.iter().enumerate().filter(|(_, side)| !side.carried.is_empty()) {
                    let number = number as u64;
                    let alias = |sql: &mut Writer| _ = sql.keyword("u").number(number);
                    side.table.write_if(any, sql.keyword(" LEFT JOIN "), alias);
                    on(sql, number);
                }
            }
            Expected::Samples(samples) => {
                samples.table.write(sql.keyword(" LEFT JOIN "));
                on(sql.keyword(" AS u0"), 0);
            }
        }
    }
}
