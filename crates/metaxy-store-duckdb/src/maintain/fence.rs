//! The fence round the lake of a catalog that was moved: no program attaches it, and none that has it attached writes.
//!
//! The format of the lake, which DuckLake compares before anything else, becomes a text that says where it is now: every
//! program that attaches it fails with that text, those of other languages too. What has the lake attached already must
//! not write either, nor let snapshots expire whose files the moved lake needs: a trigger of PostgreSQL refuses it, and in
//! SQLite, where DuckDB makes no trigger, the table of snapshots is a view. Reading goes on. A DuckDB file belongs to one
//! program at a time, so no other one has it attached.

use ducklake_sql::{CatalogKind, Ident, Sql, StringLiteral, bind, sql};

use super::backup::FORMAT;
use super::problem::Problem;
use crate::engine::{Connection, Error, in_transaction, repeat};
use crate::lake::CatalogDatabase;

/// What the format of a lake that was moved begins with, before where its catalog is.
const MOVED: &str = "moved to ";

/// The table by which a copy is known that is not finished: of which catalog, and its newest snapshot.
const MARK: &str = "metaxy_migration";

/// What is in the database of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// No table.
    Nothing,
    /// Tables that are no lake's.
    OtherTables(Vec<String>),
    /// A lake.
    Lake(LakeState),
}

/// How far a lake is, as its catalog says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LakeState {
    pub(super) format: String,
    pub(super) history: History,
    /// The catalog of which it is a copy that is not finished, and the newest snapshot of the copy.
    pub(super) mark: Option<(String, i64)>,
}

impl LakeState {
    /// Where the catalog is that the lake was moved to.
    pub(super) fn moved_to(&self) -> Option<&str> {
        self.format.strip_prefix(MOVED)
    }
}

/// What tells whether anything was written to a lake: its newest snapshot, how many it has, and its options, which make none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct History {
    pub(super) newest: i64,
    pub(super) snapshots: i64,
    pub(super) options: String,
}

impl History {
    pub(super) fn read(connection: &Connection, (database, schema): &(Ident, Ident)) -> Result<Self, Error> {
        // The format and the data path are what a move changes.
        let found: Option<(i64, i64, String)> = connection.query_row(sql!(
            "SELECT (SELECT coalesce(max(snapshot_id), 0) FROM {database}.{schema}.ducklake_snapshot),
                    (SELECT count(*) FROM {database}.{schema}.ducklake_snapshot),
                    (SELECT coalesce(md5(string_agg(option, '|' ORDER BY option)), '')
                     FROM (SELECT concat_ws('|', key, value, scope, scope_id) AS option
                           FROM {database}.{schema}.ducklake_metadata
                           WHERE key NOT IN ('version', 'data_path')))",
            database,
            schema,
        ))?;
        let (newest, snapshots, options) = found.unwrap_or_default();
        Ok(Self { newest, snapshots, options })
    }
}

impl CatalogDatabase {
    /// What is in it.
    pub(super) fn content(&self) -> Result<Content, Error> {
        let (database, schema) = &self.name;
        let read = || {
            let tables: Vec<(String,)> = self.connection.query_rows(sql!(
                "SELECT table_name FROM duckdb_tables()
                 WHERE database_name = {database} AND schema_name = {schema}
                 ORDER BY table_name",
                database = bind(database.as_str()),
                schema = bind(schema.as_str()),
            ))?;
            let has = |name: &str| tables.iter().any(|(table,)| table == name);
            if !has("ducklake_metadata") {
                let tables: Vec<String> = tables.into_iter().map(|(table,)| table).collect();
                return Ok(if tables.is_empty() { Content::Nothing } else { Content::OtherTables(tables) });
            }
            let format = self.connection.query_value(sql!(
                "SELECT coalesce(any_value(value), '') FROM {database}.{schema}.ducklake_metadata
                 WHERE key = 'version' AND scope IS NULL",
                database,
                schema,
            ))?;
            let mark = if has(MARK) { mark(&self.connection, &self.name)? } else { None };
            let history = History::read(&self.connection, &self.name)?;
            Ok(Content::Lake(LakeState { format, history, mark }))
        };
        repeat(self.connection.retry(), || in_transaction(&self.connection, read), Error::begins_anew)
    }

    /// Puts up the fence, in one transaction, if nothing was written since `known`. `to` is where the lake is now.
    ///
    /// # Errors
    ///
    /// When something was written, or the role of PostgreSQL does not own the tables; there is no fence then.
    pub(super) fn fence(&self, to: &str, known: &History) -> Result<(), Error> {
        let (database, schema) = &self.name;
        let put_up = || {
            self.lock_snapshots()?;
            // The first statement writes, so that SQLite lets no other program write from here on.
            self.set_format(&[MOVED, to].concat())?;
            if History::read(&self.connection, &self.name)? != *known {
                return Err(Problem::Changed.into());
            }
            match self.kind {
                CatalogKind::Postgres => {
                    for statement in trigger(schema, to)? {
                        self.on_postgres(&statement)?;
                    }
                }
                CatalogKind::Sqlite => {
                    self.connection.execute(sql!(
                        "ALTER TABLE {database}.ducklake_snapshot RENAME TO metaxy_moved_snapshot",
                        database,
                    ))?;
                    self.connection.execute(sql!(
                        "CREATE VIEW {database}.ducklake_snapshot AS SELECT * FROM metaxy_moved_snapshot",
                        database,
                    ))?;
                }
                _ => {}
            }
            Ok(())
        };
        repeat(self.connection.retry(), || in_transaction(&self.connection, put_up), Error::begins_anew)
    }

    /// Takes the fence down. With `mark`, the lake becomes an unfinished copy of that catalog in the same transaction.
    pub(super) fn lift(&self, mark: Option<&str>) -> Result<(), Error> {
        let (database, schema) = &self.name;
        let take_down = || {
            self.set_format(FORMAT)?;
            match self.kind {
                CatalogKind::Postgres => {
                    self.on_postgres(&sql!("DROP FUNCTION IF EXISTS {schema}.metaxy_moved() CASCADE", schema))?;
                }
                CatalogKind::Sqlite => {
                    self.connection.execute(sql!("DROP VIEW {database}.ducklake_snapshot", database))?;
                    self.connection.execute(sql!(
                        "ALTER TABLE {database}.metaxy_moved_snapshot RENAME TO ducklake_snapshot",
                        database,
                    ))?;
                }
                _ => {}
            }
            if let Some(source) = mark {
                let history = History::read(&self.connection, &self.name)?;
                set_mark(&self.connection, &self.name, source, history.newest)?;
            }
            Ok(())
        };
        repeat(self.connection.retry(), || in_transaction(&self.connection, take_down), Error::begins_anew)
    }

    /// Lets a copy be a lake as any other.
    pub(super) fn finish(&self) -> Result<(), Error> {
        let (database, schema) = &self.name;
        let finish = || {
            self.connection.execute(sql!("DROP TABLE IF EXISTS {database}.{schema}.metaxy_migration", database, schema))
        };
        repeat(self.connection.retry(), finish, Error::begins_anew).map(drop)
    }

    /// Lets no snapshot be written on PostgreSQL until the transaction that has begun ends. What is being committed is waited
    /// for, and seen by what is read after; readers go on.
    pub(super) fn lock_snapshots(&self) -> Result<(), Error> {
        let (_, schema) = &self.name;
        if self.kind == CatalogKind::Postgres {
            self.on_postgres(&sql!("SET LOCAL lock_timeout = '60s'"))?;
            self.on_postgres(&sql!("LOCK TABLE {schema}.ducklake_snapshot IN SHARE ROW EXCLUSIVE MODE", schema))?;
        }
        Ok(())
    }

    fn set_format(&self, format: &str) -> Result<(), Error> {
        let (database, schema) = &self.name;
        let update = sql!(
            "UPDATE {database}.{schema}.ducklake_metadata SET value = {format} WHERE key = 'version' AND scope IS NULL",
            database,
            schema,
            format = bind(format),
        );
        self.connection.execute(update).map(drop)
    }

    /// Runs a statement of PostgreSQL's own, in the transaction that has begun.
    fn on_postgres(&self, statement: &Sql) -> Result<(), Error> {
        let (database, _) = &self.name;
        let call = sql!(
            "CALL postgres_execute({database}, {statement})",
            database = bind(database.as_str()),
            statement = bind(statement.text()),
        );
        self.connection.execute(call).map(drop)
    }
}

/// What refuses to write snapshots in PostgreSQL, and to remove some.
fn trigger(schema: &Ident, to: &str) -> Result<[Sql; 2], Error> {
    let literal = |text: String| StringLiteral::new(text).map_err(Error::from);
    let message = literal(["the lake was ", MOVED, to].concat())?;
    let body = sql!("BEGIN RAISE EXCEPTION USING MESSAGE = {message}; END", message);
    let body = literal(body.text().to_owned())?;
    Ok([
        sql!(
            "CREATE OR REPLACE FUNCTION {schema}.metaxy_moved() RETURNS trigger LANGUAGE plpgsql AS {body}",
            schema,
            body,
        ),
        sql!(
            "CREATE TRIGGER metaxy_moved BEFORE INSERT OR UPDATE OR DELETE ON {schema}.ducklake_snapshot
             FOR EACH STATEMENT EXECUTE FUNCTION {schema}.metaxy_moved()",
            schema,
        ),
    ])
}

/// Of which catalog a lake is an unfinished copy, and the newest snapshot of that.
pub(super) fn mark(
    connection: &Connection,
    (database, schema): &(Ident, Ident),
) -> Result<Option<(String, i64)>, Error> {
    connection.query_row(sql!("SELECT source, snapshot FROM {database}.{schema}.metaxy_migration", database, schema))
}

/// Says so.
pub(super) fn set_mark(
    connection: &Connection,
    (database, schema): &(Ident, Ident),
    source: &str,
    snapshot: i64,
) -> Result<(), Error> {
    connection.execute(sql!("DROP TABLE IF EXISTS {database}.{schema}.metaxy_migration", database, schema))?;
    connection.execute(sql!(
        "CREATE TABLE {database}.{schema}.metaxy_migration (source VARCHAR, snapshot BIGINT)",
        database,
        schema,
    ))?;
    connection.execute(sql!(
        "INSERT INTO {database}.{schema}.metaxy_migration VALUES ({source}, {snapshot})",
        database,
        schema,
        source = bind(source),
        snapshot = bind(snapshot),
    ))?;
    Ok(())
}
