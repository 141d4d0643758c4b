//! Whether a copy of a lake is what was copied: every row of its catalog, and the rows of its tables as DuckLake reads them.

use std::path::Path;

use ducklake_sql::{Ident, Keyword, bind, sql};

use super::backup::{Attached, tables};
use super::guards::table_name;
use super::problem::Problem;
use crate::engine::{Connection, Error, ProgressUnit, read_again};
use crate::lake::Store;

/// A table as a snapshot has it: the snapshot, the name of the table, how many rows it has, and a digest of them.
pub(super) type TableRows = (i64, String, i64, String);

/// Compares each table of the catalog of a store with that of a backup.
///
/// # Errors
///
/// When one has other rows.
pub(super) fn compare_catalogs(store: &Store, backup: &Path) -> Result<(), Error> {
    let catalog = store.catalog()?;
    let connection = store.connection().elsewhere()?;
    let attached = Attached::new(&connection, backup, true)?;
    for table in tables() {
        read_again(&connection, || compare(&connection, &catalog, &table))?;
    }
    attached.detach()
}

fn compare(connection: &Connection, (database, schema): &(Ident, Ident), table: &Keyword) -> Result<(), Error> {
    // Kinds of catalogs have other types, so what was copied is cast as it was for the copy.
    connection.execute(sql!(
        "CREATE OR REPLACE TEMP TABLE metaxy_copied AS FROM {database}.{schema}.{table} LIMIT 0",
        database,
        schema,
        table,
    ))?;
    connection.execute(sql!("INSERT INTO metaxy_copied BY NAME FROM metaxy_backup.{table}", table))?;
    // The data path is the place as the other store writes it.
    let own = (table.as_str() == "ducklake_metadata").then(|| sql!("WHERE key <> 'data_path'"));
    let different: i64 = connection.query_value(sql!(
        "WITH copied AS (FROM metaxy_copied {own}), stored AS (FROM {database}.{schema}.{table} {own})
         SELECT (SELECT count(*) FROM (FROM copied EXCEPT ALL FROM stored))
              + (SELECT count(*) FROM (FROM stored EXCEPT ALL FROM copied))",
        own,
        database,
        schema,
        table,
    ))?;
    if different > 0 {
        return Err(Problem::Differs(format!("{different} rows of {table} differ")).into());
    }
    Ok(())
}

/// Reads every table in full, at the newest snapshot and at so many older ones, spread over all that there are.
pub(super) fn rows(store: &Store, older: usize) -> Result<Vec<TableRows>, Error> {
    let catalog = store.catalog()?;
    rows_as_of(store, spread(&snapshots(store.connection(), &catalog)?, older))
}

/// Reads every table in full at some snapshots.
pub(super) fn rows_as_of(store: &Store, snapshots: impl IntoIterator<Item = i64>) -> Result<Vec<TableRows>, Error> {
    let catalog = store.catalog()?;
    let snapshots: Vec<i64> = snapshots.into_iter().collect();
    let mut found = Vec::new();
    for (at, snapshot) in snapshots.iter().enumerate() {
        store.attach_again()?;
        found.extend(rows_at(store.connection(), &catalog, &[*snapshot], (at, snapshots.len()))?);
    }
    Ok(found)
}

/// The same as [`rows`] of the lake that is the current database, whose catalog has this name, and which is not attached again.
pub(super) fn rows_of(
    connection: &Connection,
    catalog: &(Ident, Ident),
    older: usize,
) -> Result<Vec<TableRows>, Error> {
    let snapshots = spread(&snapshots(connection, catalog)?, older);
    rows_at(connection, catalog, &snapshots, (0, snapshots.len()))
}

fn snapshots(connection: &Connection, (database, schema): &(Ident, Ident)) -> Result<Vec<(i64,)>, Error> {
    read_again(connection, || {
        connection.query_rows(sql!(
            "SELECT snapshot_id FROM {database}.{schema}.ducklake_snapshot ORDER BY snapshot_id",
            database,
            schema,
        ))
    })
}

/// The rows at some of all snapshots that are looked at, from the `first` on.
fn rows_at(
    connection: &Connection,
    (database, schema): &(Ident, Ident),
    snapshots: &[i64],
    (first, all): (usize, usize),
) -> Result<Vec<TableRows>, Error> {
    let mut found = Vec::new();
    for (at, snapshot) in (first..).zip(snapshots.iter().copied()) {
        let tables: Vec<(String, String)> = read_again(connection, || {
            connection.query_rows(sql!(
                "SELECT s.schema_name, t.table_name
                 FROM {database}.{schema}.ducklake_table AS t
                 JOIN {database}.{schema}.ducklake_schema AS s
                     ON s.schema_id = t.schema_id AND s.begin_snapshot <= {snapshot}
                     AND (s.end_snapshot IS NULL OR s.end_snapshot > {snapshot})
                 WHERE t.begin_snapshot <= {snapshot} AND (t.end_snapshot IS NULL OR t.end_snapshot > {snapshot})
                 ORDER BY ALL",
                database,
                schema,
                snapshot = bind(snapshot),
            ))
        })?;
        for (number, (schema, table)) in tables.iter().enumerate() {
            // How many tables the other snapshots have is not known yet; most have as many.
            connection.reporter().report(at * tables.len() + number, all * tables.len(), ProgressUnit::Tables);
            let name = table_name(schema, table)?;
            // In no order, and with each row as often as it is there.
            let read = || {
                connection.query_row(sql!(
                    "SELECT count(*), concat_ws(' ', sum(hash(metaxy_row)::HUGEINT), bit_xor(hash(metaxy_row)))
                     FROM (FROM {name} AT (VERSION => {snapshot})) AS metaxy_row",
                    name,
                    snapshot = snapshot.unsigned_abs(),
                ))
            };
            let (rows, digest): (i64, String) = read_again(connection, read)?.unwrap_or_default();
            found.push((snapshot, name.to_string(), rows, digest));
        }
    }
    Ok(found)
}

/// The newest of some snapshots, and so many others at the same distance; all of them, if there are no more.
fn spread(snapshots: &[(i64,)], older: usize) -> Vec<i64> {
    let last = snapshots.len().saturating_sub(1);
    let older = older.min(last);
    let positions = (0..=older).map(|step| last - (last + 1) * step / (older + 1));
    positions.filter_map(|at| snapshots.get(at).map(|(id,)| *id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_chosen_from_the_newest_on() {
        let all: Vec<_> = (1..=9).map(|id| (id,)).collect();
        for (from, older, chosen) in [
            (&all[..], 0, &[9][..]),
            (&all[..], 1, &[9, 5]),
            (&all[..], 3, &[9, 7, 5, 3]),
            (&all[..2], 5, &[2, 1]),
            (&all[..1], 2, &[1]),
            (&all[..0], 2, &[]),
        ] {
            assert_eq!(spread(from, older), chosen, "{older} of {from:?}");
        }
    }
}
