//! Marks: what differed when a feature was compared, kept in the lake.
//!
//! A mark says that at a snapshot the rows of a feature were what they should be, but for those of some keys. That stays
//! true, whoever writes what afterwards: only those keys can differ later, and those of rows that were inserted or deleted
//! since, in any of the tables that are compared. DuckLake's change feed tells them, as long as the snapshots since the
//! mark are there and no table was altered. The mark is of one comparison: its whole query is part of it.
//!
//! Marks are rows of a table in a schema of its own, which Python Metaxy does not look into. A key is kept as a text.

use ducklake_sql::{Ident, Parameter, Sql, bind, list, numbered, separated, sql};
use ring::digest::{Context, SHA256};

use super::compare::{Comparison, Expected};
use super::pass::{FullPass, Pass};
use super::{Change, Increment, ResolveOptions};
use crate::engine::{Connection, Error, with_retry};
use crate::features::Features;
use crate::query::{Filter, Keys, Snapshots};
use crate::table::{ColumnType, Listing, Simple, Table, TableName};

/// The columns of the table of marks. A row without a key is a mark; the others are its keys.
const COLUMNS: [&str; 5] = ["table_name", "feature_version", "comparison", "snapshot", "key"];

/// The most keys of a mark: reading more takes as long as comparing all rows of many a table.
const MOST_KEYS: usize = 1_000_000;

/// From so many keys on, it is asked whether all rows are compared in less time.
const MANY_KEYS: usize = 100_000;

/// The changes of a snapshot that leave every table what it was, but for its rows.
const HARMLESS: [&str; 14] = [
    "inlined_delete",
    "inlined_insert",
    "flushed_inlined",
    "merge_adjacent",
    "rewrite_delete",
    "scalar_macros_created",
    "scalar_macros_dropped",
    "schemas_created",
    "table_macros_created",
    "table_macros_dropped",
    "tables_deleted_from",
    "tables_inserted_into",
    "views_created",
    "views_dropped",
];

/// What became of a mark; see [`Features::mark`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Marked {
    /// It is in the lake.
    Kept,
    /// The lake has one already, since which nothing has changed.
    Unchanged,
    /// There is none of such a comparison.
    NotKept(FullPass),
}

/// What a mark is about: a comparison at a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Basis {
    lake: Ident,
    table: Ident,
    version: String,
    /// A hash of its query.
    comparison: String,
    snapshot: i64,
    key_types: Vec<ColumnType>,
    /// Whether the lake has a table of marks.
    has_marks: bool,
}

/// A mark that the lake has.
pub(super) struct Mark {
    pub(super) snapshot: i64,
}

/// A table that is compared, and what of it matters here.
struct Compared<'c> {
    table: &'c Table,
    ids: &'c [Ident],
    keys: &'c [Ident],
    groups: Option<&'c [Ident]>,
}

impl Features<'_> {
    /// Keeps in the lake what an increment has found, so that the next one of the same feature, versions, filters and hash
    /// compares only what differed now and what has changed since.
    ///
    /// Whoever writes the rows, and whether they are written at all, does not matter: the mark says what differed at the
    /// snapshot that was compared. It is one transaction of its own.
    ///
    /// ```no_run
    /// use metaxy_store_duckdb::{Features, Pass, ResolveOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let features: Features<'_> = unreachable!();
    /// let (crop, options) = ("video/crop".parse()?, ResolveOptions::new());
    /// features.mark(&features.resolve_update(&crop, &options)?)?;
    /// // Rows are written, by this program or another one.
    /// let next = features.resolve_update(&crop, &options)?;
    /// assert!(matches!(next.pass(), Pass::Changed { .. }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the store was opened to read, or the lake cannot be written.
    pub fn mark(&self, increment: &Increment) -> Result<Marked, Error> {
        self.must_write()?;
        let basis = match &increment.basis {
            Ok(basis) => basis,
            Err(reason) => return Ok(Marked::NotKept(*reason)),
        };
        // The mark itself is a snapshot.
        if matches!(increment.pass, Pass::Changed { since, .. } if basis.snapshot <= since + 1) {
            return Ok(Marked::Unchanged);
        }
        if Change::ALL.iter().map(|change| increment.count(*change)).sum::<usize>() > MOST_KEYS {
            return Ok(Marked::NotKept(FullPass::ManyKeys));
        }
        let connection = &increment.connection;
        let prepare = || Ok(!Listing::new(connection).columns_of_marks(&basis.lake)?.is_empty());
        with_retry(connection, prepare, |has_marks| basis.keep(connection, has_marks, &increment.found))
            .map_err(|error| error.in_operation("marking", basis.table.as_str()))?;
        Ok(Marked::Kept)
    }
}

impl Basis {
    /// What a mark of a comparison is about; or why there can be none.
    pub(super) fn of(
        comparison: &Comparison<'_>,
        features: &Features<'_>,
        options: &ResolveOptions,
        snapshots: &Snapshots<'_>,
    ) -> Result<Result<Self, FullPass>, Error> {
        let table = match (&comparison.expected, &comparison.current) {
            (Expected::Samples(_), _) => return Ok(Err(FullPass::NotUpstream)),
            _ if options.skip_comparison => return Ok(Err(FullPass::NotUpstream)),
            (Expected::Upstream(_), None) => return Ok(Err(FullPass::NoTable)),
            (Expected::Upstream(_), Some(table)) => table,
        };
        let Some(snapshot) = table.snapshot().filter(|_| features.connection.is_local()) else {
            return Ok(Err(FullPass::NoSnapshots));
        };
        let lake = features.alias.clone();
        let key_types = match comparison.key_types(&lake) {
            Ok(key_types) => key_types,
            Err(reason) => return Ok(Err(reason)),
        };
        let listed = snapshots.listing().columns_of_marks(&lake)?;
        Ok(Ok(Self {
            lake,
            table: table.name().name().clone(),
            version: comparison.version.clone(),
            comparison: fingerprint(&comparison.query()),
            snapshot,
            key_types,
            has_marks: COLUMNS.iter().all(|column| listed.iter().any(|listed| listed == column)),
        }))
    }

    /// The mark that the lake has of the comparison, with the keys that have to be compared; or why there is none.
    pub(super) fn changed(
        &self,
        comparison: &Comparison<'_>,
        connection: &Connection,
    ) -> Result<Result<(Mark, Keys), FullPass>, Error> {
        if !self.has_marks {
            return Ok(Err(FullPass::NoMark));
        }
        let tables = comparison.compared();
        let mark = match self.find(connection, &tables)? {
            Ok(mark) => mark,
            Err(reason) => return Ok(Err(reason)),
        };
        let pending = self.pending(&mark);
        let changed = (mark.snapshot < self.snapshot).then(|| self.since(&mark, &tables));
        let query = separated(" UNION ALL ", [Some(pending), changed].into_iter().flatten());
        let keys = Keys::find(connection, self.key_types.len(), &query)?;
        let rows = tables.iter().map(|compared| compared.table.rows()).max().unwrap_or_default();
        if keys.count() > MANY_KEYS && keys.count() as u64 > rows / 4 {
            return Ok(Err(FullPass::ManyKeys));
        }
        Ok(Ok((mark, keys)))
    }

    /// The mark of the comparison, if what has changed since can be told.
    fn find(&self, connection: &Connection, tables: &[Compared<'_>]) -> Result<Result<Mark, FullPass>, Error> {
        // DuckLake writes a name that is not plain in double quotes.
        let names = list(
            tables
                .iter()
                .map(|compared| sql!("lower('main.' || {name})", name = bind(compared.table.name().name().as_str()))),
        );
        let found: Option<(Option<i64>, i64, i64)> = connection.query_row(sql!(
            "WITH mark AS MATERIALIZED (
                 SELECT max(snapshot) AS snapshot FROM {marks} WHERE {is_of_comparison} AND key IS NULL
             ),
             later AS MATERIALIZED (
                 SELECT s.changes
                 FROM ducklake_snapshots({lake}) AS s, mark
                 WHERE s.snapshot_id > mark.snapshot AND s.snapshot_id <= {now}
             )
             SELECT
                 mark.snapshot,
                 (SELECT count(*) FROM later),
                 (
                     SELECT count(*)
                     FROM (SELECT unnest(map_entries(changes)) AS change FROM later)
                     WHERE change.key NOT IN ({harmless})
                         AND (
                             change.key <> 'tables_created'
                             OR len(list_filter(change.value, lambda made: contains(made, chr(34)) OR lower(made) IN ({names}))) > 0
                         )
                 )
             FROM mark",
            marks = self.marks(),
            is_of_comparison = self.is_of_comparison(),
            lake = bind(self.lake.as_str()),
            now = bind(self.snapshot),
            harmless = list(HARMLESS.map(bind)),
            names,
        ))?;
        Ok(match found {
            None | Some((None, ..)) => Err(FullPass::NoMark),
            Some((Some(snapshot), ..)) if snapshot > self.snapshot => Err(FullPass::OlderLake),
            Some((Some(snapshot), later, _)) if later != self.snapshot - snapshot => Err(FullPass::Expired),
            Some((_, _, harmful)) if harmful > 0 => Err(FullPass::Altered),
            Some((Some(snapshot), ..)) => Ok(Mark { snapshot }),
        })
    }

    /// The query of the keys that differed at the mark.
    fn pending(&self, mark: &Mark) -> Sql {
        let key = |(at, of): (usize, &ColumnType)| {
            let part = sql!("split_part(key, ',', {place})", place = at as u64 + 1);
            sql!(
                "CAST(CASE WHEN {part} <> '-' THEN decode(from_base64({part})) END AS {of}) AS {name}",
                part,
                of,
                name = numbered("key_", at),
            )
        };
        sql!(
            "SELECT {keys} FROM {marks} WHERE {is_of_comparison} AND snapshot = {snapshot} AND key IS NOT NULL",
            keys = list(self.key_types.iter().enumerate().map(key)),
            marks = self.marks(),
            is_of_comparison = self.is_of_comparison(),
            snapshot = bind(mark.snapshot),
        )
    }

    /// The query of the keys of the rows that were inserted or deleted after the mark.
    fn since(&self, mark: &Mark, tables: &[Compared<'_>]) -> Sql {
        let feeds = tables.iter().flat_map(|compared| {
            // Without a filter: one by the snapshot ends the process, if the feed does not show it.
            ["ducklake_table_insertions", "ducklake_table_deletions"].map(|feed| {
                let key = |(at, key)| sql!("{key} AS {name}", key, name = numbered("key_", at));
                sql!(
                    "SELECT {keys} FROM {feed}({lake}, 'main', {table}, {from}, {to})",
                    keys = list(compared.keys.iter().enumerate().map(key)),
                    feed = Sql::fixed(feed),
                    lake = bind(self.lake.as_str()),
                    table = bind(compared.table.name().name().as_str()),
                    from = bind(mark.snapshot + 1),
                    to = bind(self.snapshot),
                )
            })
        });
        separated(" UNION ALL ", feeds)
    }

    /// Keeps the keys of what was found, in the place of what was kept of the comparison before.
    fn keep(&self, connection: &Connection, has_marks: bool, found: &TableName) -> Result<(), Error> {
        let lake = &self.lake;
        let is_of_comparison = self.is_of_comparison();
        if has_marks {
            connection.execute(sql!(
                "DELETE FROM {lake}.metaxy_rust.marks
                 WHERE ({is_of_comparison}) OR (table_name = {table} AND feature_version <> {version})",
                lake,
                is_of_comparison,
                table = bind(self.table.as_str()),
                version = bind(self.version.as_str()),
            ))?;
        } else {
            connection.execute(sql!("CREATE SCHEMA IF NOT EXISTS {lake}.metaxy_rust", lake))?;
            connection.execute(sql!(
                "CREATE TABLE IF NOT EXISTS {lake}.metaxy_rust.marks (
                     table_name VARCHAR, feature_version VARCHAR, comparison VARCHAR, snapshot BIGINT, key VARCHAR
                 )",
                lake,
            ))?;
        }
        let part = |at| {
            let key = numbered("key_", at);
            sql!("coalesce(to_base64(encode(CAST({key} AS VARCHAR))), '-')", key)
        };
        let parts = separated(" || ',' || ", (0..self.key_types.len()).map(part));
        connection.execute(sql!(
            "INSERT INTO {lake}.metaxy_rust.marks BY NAME
             SELECT
                 {table} AS table_name,
                 {version} AS feature_version,
                 {comparison} AS comparison,
                 {snapshot} AS snapshot,
                 key
             FROM (SELECT CAST(NULL AS VARCHAR) AS key UNION ALL SELECT DISTINCT {parts} FROM {found})",
            lake,
            table = bind(self.table.as_str()),
            version = bind(self.version.as_str()),
            comparison = bind(self.comparison.as_str()),
            snapshot = bind(self.snapshot),
            parts,
            found,
        ))?;
        Ok(())
    }

    /// The table of marks, as it is at the snapshot that is compared.
    fn marks(&self) -> Sql {
        sql!("{lake}.metaxy_rust.marks AT (VERSION => {snapshot})", lake = self.lake, snapshot = bind(self.snapshot),)
    }

    fn is_of_comparison(&self) -> Sql {
        sql!(
            "table_name = {table} AND comparison = {comparison}",
            table = bind(self.table.as_str()),
            comparison = bind(self.comparison.as_str()),
        )
    }
}

impl Comparison<'_> {
    /// The tables that are compared, the feature's own among them.
    fn compared(&self) -> Vec<Compared<'_>> {
        let mut compared = Vec::new();
        if let Expected::Upstream(upstreams) = &self.expected {
            compared.extend(upstreams.iter().map(|upstream| Compared {
                table: &upstream.table,
                ids: &upstream.ids,
                keys: &upstream.keys,
                groups: upstream.groups.as_deref(),
            }));
        }
        let own = |table| Compared { table, ids: &self.ids, keys: &self.keys, groups: None };
        compared.extend(self.current.as_ref().map(own));
        compared
    }

    /// The types of the columns that rows are compared by; or why the keys that have changed cannot be told.
    fn key_types(&self, lake: &Ident) -> Result<Vec<ColumnType>, FullPass> {
        let tables = self.compared();
        if tables.iter().any(|compared| compared.table.name().database() != Some(lake)) {
            return Err(FullPass::OtherLake);
        }
        // A row that is written again with another key would leave its old one as it is, and so would one of a group.
        let stay = |compared: &Compared<'_>| {
            let groups = compared.groups.unwrap_or(compared.keys);
            compared.keys.iter().all(|key| compared.ids.contains(key) && groups.contains(key))
        };
        if !tables.iter().all(stay) {
            return Err(FullPass::OtherKeys);
        }
        if self.compares_times(&tables) {
            return Err(FullPass::TimeZone);
        }
        let types = |compared: &Compared<'_>| {
            let of = |key: &Ident| compared.table.column(key.as_str())?.1.clone().filter(is_kept);
            compared.keys.iter().map(of).collect::<Option<Vec<_>>>()
        };
        let mut types = tables.iter().map(types);
        let first = types.next().flatten().ok_or(FullPass::KeyTypes)?;
        if types.all(|of| of.as_ref() == Some(&first)) { Ok(first) } else { Err(FullPass::KeyTypes) }
    }

    /// Whether a filter names a column whose values depend on the time zone where they are compared with a text.
    fn compares_times(&self, tables: &[Compared<'_>]) -> bool {
        let own = self.filters.iter().chain(&self.stale_if);
        let mut names: Vec<&str> = own.flat_map(Filter::columns).collect();
        if let Expected::Upstream(upstreams) = &self.expected {
            for upstream in upstreams {
                names.extend(upstream.filters.iter().flat_map(Filter::columns));
                let stored = upstream.renamed_filters.iter().flat_map(Filter::columns).map(|new| {
                    let found = upstream.stored.iter().find(|(_, name)| name.as_str() == new);
                    found.map_or(new, |(stored, _)| stored.as_str())
                });
                names.extend(stored);
            }
        }
        let is_zoned = |name: &&str| {
            tables
                .iter()
                .filter_map(|compared| compared.table.column(name))
                .any(|(_, of)| of.as_ref().is_none_or(|of| *of == ColumnType::Simple(Simple::TimestampTz)))
        };
        names.iter().any(is_zoned)
    }
}

/// Whether a value of this type is the same again after it was a text.
fn is_kept(of: &ColumnType) -> bool {
    match of {
        ColumnType::Simple(of) => {
            matches!(of, Simple::Boolean | Simple::Integer { .. } | Simple::Text | Simple::Date | Simple::Uuid)
        }
        ColumnType::Decimal { .. } => true,
        _ => false,
    }
}

/// A hash of all that a query says, but for the snapshot that it looks at.
fn fingerprint(query: &Sql) -> String {
    let mut context = Context::new(&SHA256);
    let mut add = |bytes: &[u8]| {
        context.update(&(bytes.len() as u64).to_le_bytes());
        context.update(bytes);
    };
    add(query.text().as_bytes());
    for (_, value) in query.names().zip(query.parameters()).filter(|(name, _)| *name != "snapshot") {
        match value {
            Parameter::Text(text) => add(text.as_bytes()),
            Parameter::Integer(number) => add(&number.to_le_bytes()),
            Parameter::Boolean(boolean) => add(&[u8::from(boolean)]),
        }
    }
    let digest = context.finish();
    let digits = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
