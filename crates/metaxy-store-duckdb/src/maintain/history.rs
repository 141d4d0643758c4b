//! The snapshots of a lake, and what changed in a table between two of them.

use ducklake_sql::{Ident, Sql, TableName, bind, separated, sql};

use super::problem::Problem;
use super::size::{InlinedTable, inlined_tables};
use crate::engine::{Connection, Error, Rows, read_again};
use crate::lake::Store;

/// A snapshot of a lake.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LakeSnapshot {
    /// Its number.
    pub id: i64,
    /// When it was made, in UTC.
    pub time: String,
    /// Who made it, if that was said.
    pub author: Option<String>,
    /// What was said about it.
    pub message: Option<String>,
    /// What was done, each with the table or schema it was done to: `inserted_into_table main.t`.
    pub changes: Vec<String>,
    /// The rows that it added, as far as they are not rewritten since.
    pub rows_added: i64,
    /// The rows that it deleted.
    pub rows_deleted: i64,
}

/// Where the feed of changes begins or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeBound {
    /// A snapshot, which need not exist any more.
    Snapshot(i64),
    /// A moment, as DuckDB reads it.
    Time(String),
}

/// Reads a number as that of a snapshot, and everything else as a time.
impl From<&str> for ChangeBound {
    fn from(text: &str) -> Self {
        text.trim().parse().map_or_else(|_| Self::Time(text.to_owned()), Self::Snapshot)
    }
}

/// What changed in a table, see [`Store::changes`].
#[derive(Debug)]
#[non_exhaustive]
pub struct ChangeFeed<'s> {
    /// The changed rows, each with its snapshot, its number and what was done; `None` where no snapshot is in the range.
    pub rows: Option<Rows<'s>>,
    /// What the feed does not show, or shows though it did not change.
    pub warnings: Vec<String>,
    /// The feed is read from the snapshot at which its bounds were looked up.
    _reading: Reading<'s>,
}

/// A transaction that reads, until it is dropped.
#[derive(Debug)]
struct Reading<'c>(&'c Connection);

impl<'c> Reading<'c> {
    fn begin(connection: &'c Connection) -> Result<Self, Error> {
        connection.execute("BEGIN TRANSACTION")?;
        Ok(Self(connection))
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        // It has nothing to undo.
        drop(self.0.execute("ROLLBACK"));
    }
}

/// A snapshot with its changes as DuckLake writes them.
type SnapshotRow = (i64, String, Option<String>, Option<String>, Option<String>, i64);

impl Store {
    /// The snapshots of the lake, the latest first; at most so many.
    ///
    /// # Errors
    ///
    /// When the catalog cannot be read.
    pub fn snapshots(&self, most: usize) -> Result<Vec<LakeSnapshot>, Error> {
        let (database, schema) = self.catalog()?;
        let connection = self.connection();
        read_again(connection, || {
            let rows: Vec<SnapshotRow> = connection.query_rows(sql!(
                "SELECT s.snapshot_id, strftime(CAST(s.snapshot_time AS TIMESTAMPTZ) AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S'),
                     c.author, c.commit_message, c.changes_made, coalesce(f.rows, 0)
                 FROM {database}.{schema}.ducklake_snapshot AS s
                 LEFT JOIN {database}.{schema}.ducklake_snapshot_changes AS c ON c.snapshot_id = s.snapshot_id
                 LEFT JOIN (SELECT begin_snapshot, CAST(sum(record_count) AS BIGINT) AS rows
                     FROM {database}.{schema}.ducklake_data_file GROUP BY begin_snapshot) AS f
                     ON f.begin_snapshot = s.snapshot_id
                 ORDER BY s.snapshot_id DESC LIMIT {most}",
                database,
                schema,
                most,
            ))?;
            let Some(oldest) = rows.last().map(|row| row.0) else { return Ok(Vec::new()) };
            let deleted: Vec<(i64, i64)> = connection.query_rows(sql!(
                "SELECT begin_snapshot, CAST(sum(delete_count) AS BIGINT)
                 FROM {database}.{schema}.ducklake_delete_file WHERE begin_snapshot >= {oldest} GROUP BY ALL",
                database,
                schema,
                oldest = bind(oldest),
            ))?;
            let inlined = inlined(connection, &database, &schema, oldest)?;
            let names = Names::read(connection, &database, &schema)?;
            let sum =
                |of: &[(i64, i64)], id: i64| of.iter().filter(|(at, _)| *at == id).map(|(_, rows)| rows).sum::<i64>();
            let added: Vec<_> = inlined.iter().map(|(id, added, _)| (*id, *added)).collect();
            let gone: Vec<_> = inlined.iter().map(|(id, _, gone)| (*id, *gone)).collect();
            let snapshot = |(id, time, author, message, changes, rows): SnapshotRow| LakeSnapshot {
                id,
                time,
                author,
                message,
                changes: parts(&changes.unwrap_or_default()).iter().map(|change| names.of(change)).collect(),
                rows_added: rows + sum(&added, id),
                rows_deleted: sum(&deleted, id) + sum(&gone, id),
            };
            Ok(rows.into_iter().map(snapshot).collect())
        })
    }

    /// The rows of a table that changed after a snapshot or moment, up to another or to now.
    ///
    /// The columns are `snapshot_id`, `rowid`, `change_type`, and those that the table has at the end.
    ///
    /// # Errors
    ///
    /// When there is no such table, a time cannot be read, or DuckDB fails.
    pub fn changes(
        &self,
        table: &TableName,
        since: &ChangeBound,
        to: Option<&ChangeBound>,
    ) -> Result<ChangeFeed<'_>, Error> {
        let (database, schema) = self.catalog()?;
        let connection = self.connection();
        let reading = Reading::begin(connection)?;
        let number = |at: &ChangeBound, otherwise: i64| -> Result<i64, Error> {
            match at {
                ChangeBound::Snapshot(id) => Ok(*id),
                ChangeBound::Time(time) => {
                    let found: Option<(bool, Option<i64>)> = connection.query_row(sql!(
                        "SELECT TRY_CAST({time} AS TIMESTAMPTZ) IS NOT NULL,
                                (SELECT max(snapshot_id) FROM {database}.{schema}.ducklake_snapshot
                                 WHERE CAST(snapshot_time AS TIMESTAMPTZ) <= TRY_CAST({time} AS TIMESTAMPTZ))",
                        database,
                        schema,
                        time = bind(time.as_str()),
                    ))?;
                    match found {
                        Some((true, snapshot)) => Ok(snapshot.unwrap_or(otherwise)),
                        _ => Err(Problem::NoTime(time.clone()).into()),
                    }
                }
            }
        };
        let since = number(since, -1)?;
        let to = to.map_or(Ok(i64::MAX), |to| number(to, -1))?;
        // Both bounds of a feed have to be snapshots that exist.
        let bounds: Option<(Option<i64>, Option<i64>)> = connection.query_row(sql!(
            "SELECT min(snapshot_id) FILTER (snapshot_id > {since}), max(snapshot_id) FILTER (snapshot_id <= {to})
             FROM {database}.{schema}.ducklake_snapshot",
            since = bind(since),
            to = bind(to),
            database,
            schema,
        ))?;
        let known: Option<(i64, i64)> = connection.query_row(sql!(
            "SELECT t.table_id, t.begin_snapshot FROM {database}.{schema}.ducklake_table AS t
             JOIN {database}.{schema}.ducklake_schema AS s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
             WHERE t.end_snapshot IS NULL AND lower(s.schema_name) = lower({of}) AND lower(t.table_name) = lower({name})",
            database,
            schema,
            of = bind(table.schema().as_str()),
            name = bind(table.name().as_str()),
        ))?;
        let Some((table_id, made)) = known else { return Err(Problem::MissingTable(table.to_string()).into()) };
        let Some((Some(from), Some(end))) = bounds else {
            return Ok(ChangeFeed { rows: None, warnings: Vec::new(), _reading: reading });
        };
        let from = from.max(made);
        if from > end {
            return Ok(ChangeFeed { rows: None, warnings: Vec::new(), _reading: reading });
        }
        let mut warnings = Vec::new();
        // The numbers of snapshots have no gaps but those of expired ones.
        let first = since.max(made - 1);
        let kept: i64 = connection.query_value(sql!(
            "SELECT count(*) FROM {database}.{schema}.ducklake_snapshot WHERE snapshot_id > {first} AND snapshot_id <= {end}",
            database,
            schema,
            first = bind(first),
            end = bind(end),
        ))?;
        if kept < end - first {
            warnings.push(
                "snapshots of this range were expired: rows that were deleted in them for good are not in the feed"
                    .to_owned(),
            );
        }
        let rewritten: bool = connection.query_value(sql!(
            "SELECT count(*) > 0 FROM {database}.{schema}.ducklake_snapshot_changes
             WHERE snapshot_id BETWEEN {from} AND {end}
                 AND list_contains(string_split(changes_made, ','), 'rewrite_delete:' || {table_id})",
            database,
            schema,
            from = bind(from),
            end = bind(end),
            table_id = bind(table_id.to_string()),
        ))?;
        if rewritten {
            warnings.push("files were rewritten in this range: the feed has every row of them again".to_owned());
        }
        // A filter by the snapshot on a feed that does not show it ends the process, so there is none.
        let rows = connection.query(sql!(
            "FROM ducklake_table_changes({lake}, {of}, {name}, {from}, {end}) ORDER BY snapshot_id, rowid, change_type",
            lake = bind(self.plan().alias().as_str()),
            of = bind(table.schema().as_str()),
            name = bind(table.name().as_str()),
            from = bind(from),
            end = bind(end),
        ))?;
        Ok(ChangeFeed { rows: Some(rows), warnings, _reading: reading })
    }

    /// Where the data files are: an absolute path or a URL, with the last slash.
    pub(super) fn data_path(&self) -> Option<&str> {
        self.plan().data_path()
    }

    /// The database and schema in which the catalog has its tables.
    pub(super) fn catalog(&self) -> Result<(Ident, Ident), Error> {
        if self.plan().catalog().is_none() {
            return Err(Problem::NoLake.into());
        }
        self.plan().metadata().ok_or_else(|| Problem::NoMetadata.into())
    }
}

/// The rows that each snapshot has inlined, and those of them that it has deleted.
fn inlined(
    connection: &Connection,
    database: &Ident,
    schema: &Ident,
    oldest: i64,
) -> Result<Vec<(i64, i64, i64)>, Error> {
    let mut parts: Vec<Sql> = Vec::new();
    for InlinedTable { name, has_deletes, .. } in inlined_tables(connection, database, schema, &sql!("true"))? {
        parts.push(if has_deletes {
            sql!(
                "SELECT begin_snapshot AS id, 0 AS added, 1 AS gone FROM {database}.{schema}.{name} WHERE begin_snapshot >= {oldest}",
                database,
                schema,
                name,
                oldest = bind(oldest),
            )
        } else {
            sql!(
                "SELECT begin_snapshot AS id, 1 AS added, 0 AS gone FROM {database}.{schema}.{name} WHERE begin_snapshot >= {oldest}
                 UNION ALL
                 SELECT end_snapshot, 0, 1 FROM {database}.{schema}.{name} WHERE end_snapshot >= {oldest}",
                database,
                schema,
                name,
                oldest = bind(oldest),
            )
        });
    }
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    connection.query_rows(sql!(
        "SELECT id, CAST(sum(added) AS BIGINT), CAST(sum(gone) AS BIGINT) FROM ({parts}) GROUP BY id",
        parts = separated(" UNION ALL ", parts),
    ))
}

/// The names of tables, also of those that are dropped, by their numbers.
struct Names(Vec<(i64, String)>);

impl Names {
    fn read(connection: &Connection, database: &Ident, schema: &Ident) -> Result<Self, Error> {
        connection
            .query_rows(sql!(
                "SELECT t.table_id, max_by(s.schema_name || '.' || t.table_name, t.begin_snapshot)
                 FROM {database}.{schema}.ducklake_table AS t
                 JOIN {database}.{schema}.ducklake_schema AS s ON s.schema_id = t.schema_id
                 GROUP BY t.table_id",
                database,
                schema,
            ))
            .map(Self)
    }

    /// A change with the name of its table: `inserted_into_table:3`, `created_table:"main"."t"`.
    fn of(&self, change: &str) -> String {
        let Some((what, of)) = change.split_once(':') else { return change.to_owned() };
        let id = of.parse::<i64>().ok();
        let name = id.and_then(|id| self.0.iter().find(|(known, _)| *known == id)).map(|(_, name)| name.clone());
        [what, " ", &name.unwrap_or_else(|| of.replace('"', ""))].concat()
    }
}

/// The parts of a text between commas, but for those in double quotes.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut is_quoted) = (Vec::new(), 0, false);
    for (at, character) in text.char_indices() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_with_the_names_of_their_tables() {
        let names = Names(vec![(3, "main.t".to_owned())]);
        let text = "created_table:\"main\".\"a,b\",inserted_into_table:3,dropped_table:9,compacted";
        let changes: Vec<_> = parts(text).into_iter().map(|change| names.of(change)).collect();
        assert_eq!(changes, ["created_table main.a,b", "inserted_into_table main.t", "dropped_table 9", "compacted"]);
        assert!(parts("").is_empty());
    }
}
