//! The rows that come out of a comparison, fetched by their row numbers.

use ducklake_sql::{Ident, Sql, columns, list, numbered, separated, sql};
use metaxy_feature::FeatureKey;

use super::compare::{Comparison, Expected, count_changes};
use super::{Change, ResolveOptions};
use crate::engine::{Connection, Error};
use crate::features::Features;
use crate::query::Snapshots;
use crate::table::{ByField, TableName};

/// What the rows of a feature should be, whatever they are; in a temporary table of the connection.
pub(crate) struct ExpectedRows {
    /// The query of the rows that [`Increment::rows`](super::Increment::rows) would hand out as new.
    pub(crate) rows: Sql,
    /// What its `metaxy_provenance_by_field` is.
    pub(crate) by_field: ByField,
    /// The id columns that its rows have.
    pub(crate) ids: Vec<Ident>,
}

impl Features<'_> {
    /// What the rows of a feature should be, those of one group being one.
    pub(crate) fn expected_rows(&self, connection: &Connection, key: &FeatureKey) -> Result<ExpectedRows, Error> {
        let plan = self.plan(key)?;
        let options = ResolveOptions::new().skip_comparison(true).distinct(true);
        let snapshots = Snapshots::new(connection);
        let upstreams = self.upstreams(&plan, &options, &snapshots)?;
        let carried = upstreams.iter().flat_map(|upstream| upstream.carried.iter().map(|(_, name)| name.clone()));
        let carried: Vec<Ident> = carried.collect();
        let comparison = Comparison::new(self, plan, Expected::Upstream(upstreams), &options, &snapshots)?;
        let found = comparison.find(connection)?;
        let has = |id: &&Ident| comparison.keys.contains(id) || carried.contains(id);
        let ids = comparison.ids.iter().filter(has).cloned().collect();
        let rows = comparison.columns(&found, true);
        Ok(ExpectedRows { rows, by_field: comparison.by_field, ids })
    }
}

impl Comparison<'_> {
    /// How many rows changed in each way, and the queries of them.
    pub(super) fn changes(&self, connection: &Connection, found: &TableName) -> Result<([usize; 3], [Sql; 3]), Error> {
        let counts = count_changes(connection, found)?;
        let mut left = counts.into_iter();
        let queries = Change::ALL.map(|change| {
            // Where there are none, the columns are wanted, and no table needs to be read for them.
            let any = left.next().is_some_and(|count| count > 0);
            self.rows(found, change, any)
        });
        Ok((counts, queries))
    }

    /// The same with the rows in temporary tables, for tables that keep no snapshot: their rows, and the numbers of these,
    /// may be others once the transaction has ended.
    pub(super) fn keep(&self, connection: &Connection, found: &TableName) -> Result<([usize; 3], [Sql; 3]), Error> {
        let (counts, mut queries) = self.changes(connection, found)?;
        for (query, _) in queries.iter_mut().zip(counts).filter(|(_, count)| *count > 0) {
            let kept = TableName::temporary()?;
            connection.execute(sql!("CREATE TEMP TABLE {kept} AS {query}", kept, query = query.clone()))?;
            *query = sql!("FROM {kept}", kept);
        }
        Ok((counts, queries))
    }

    /// The query of the rows that changed in this way, if there are any; of their columns otherwise.
    fn rows(&self, found: &TableName, change: Change, any: bool) -> Sql {
        if change == Change::Orphaned
            && let Some(table) = &self.current
        {
            return sql!(
                "SELECT {columns}
                 FROM {table} JOIN {found} AS found ON c.rowid = found.current_row_id
                 WHERE found.change = 2",
                columns = columns("c", table.all_columns().iter().map(|(column, _)| column)),
                table = table.aliased_if(any, sql!("c")),
                found,
            );
        }
        sql!("{rows} WHERE found.change = {change}", rows = self.columns(found, any), change = change.number())
    }

    /// The query of rows to be made, but for which of them; those of the lake only if there are any.
    pub(super) fn columns(&self, found: &TableName, any: bool) -> Sql {
        let alias = |number| numbered("upstream_", number);
        let on = |number| {
            let row_id = numbered("row_id_", number);
            sql!("{upstream}.rowid = found.{row_id}", upstream = alias(number), row_id)
        };
        let mut given = Vec::new();
        let mut carried = Vec::new();
        let mut joins = Vec::new();
        match &self.expected {
            Expected::Upstream(upstreams) => {
                for (number, upstream) in
                    upstreams.iter().enumerate().filter(|(_, upstream)| !upstream.carried.is_empty())
                {
                    carried.extend(upstream.carried.iter().map(|(stored, new)| {
                        sql!("{upstream}.{stored} AS {new}", upstream = alias(number), stored, new)
                    }));
                    let table = upstream.table.aliased_if(any, alias(number));
                    joins.push(sql!("LEFT JOIN {table} ON {on}", table, on = on(number)));
                }
            }
            Expected::Samples(samples) => {
                let is_made = |name: &Ident| {
                    self.keys.contains(name)
                        || matches!(name.as_str(), "metaxy_provenance" | "metaxy_provenance_by_field")
                };
                for (column, _) in samples.columns.iter().filter(|(name, _)| !is_made(name)) {
                    carried.push(sql!("{upstream}.{column}", upstream = alias(0), column));
                    given.push(column.as_str());
                }
                let samples = &samples.table;
                joins.push(sql!("LEFT JOIN {samples} AS {upstream} ON {on}", samples, upstream = alias(0), on = on(0)));
            }
        }
        let field = |member: &Ident| {
            let at = self.members.iter().position(|other| other == member).unwrap_or_default();
            sql!("found.{field}", field = numbered("field_", at))
        };
        let by_field = self.by_field.value(&self.members, field);
        let key = |(at, key)| sql!("found.{name} AS {key}", name = numbered("key_", at), key);
        // What the samples give of the data version is kept.
        let has = |column| given.contains(&column);
        let data_version_by_field = (!has("metaxy_data_version_by_field"))
            .then(|| sql!("{by_field} AS metaxy_data_version_by_field", by_field));
        let data_version = (!has("metaxy_data_version_by_field") && !has("metaxy_data_version"))
            .then(|| sql!("found.provenance AS metaxy_data_version"));
        sql!(
            "SELECT
                 {keys},
                 {carried},
                 {by_field} AS metaxy_provenance_by_field,
                 found.provenance AS metaxy_provenance,
                 {data_version_by_field},
                 {data_version}
             FROM {found} AS found {joins}",
            keys = list(self.keys.iter().enumerate().map(key)),
            carried = list(carried),
            by_field,
            data_version_by_field = list(data_version_by_field),
            data_version = list(data_version),
            found,
            joins = separated(" ", joins),
        )
    }
}
