//! The tables of a lake and their columns, listed once for all that a transaction looks at.
//!
//! DuckDB's list of tables also tells about how many rows each table has, for which DuckLake asks its catalog once for
//! every table of the lake. So the columns come from DuckDB's list of columns, and the comments and numbers of rows from
//! the catalog's own tables: one statement, whatever the number of tables. A catalog on a server would be asked over a
//! second connection, which takes longer to make than to ask about a few tables.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ducklake_sql::{AttachPlan, CatalogKind, Ident, Sql, bind, sql};

use super::TableName;
use super::hash_tag::HashTag;
use crate::engine::{Connection, Error, inlining};

/// The tables of lakes as one transaction sees them; each lake is listed when a table of it is first asked for.
#[derive(Debug)]
pub(crate) struct Listing<'c> {
    connection: &'c Connection,
    lakes: RefCell<HashMap<Ident, LakeTables>>,
    most_inlined: Cell<Option<u64>>,
}

/// The tables of lakes, for another connection.
#[derive(Debug, Clone)]
pub(crate) struct ListedTables(HashMap<Ident, LakeTables>);

/// The tables and views of a lake's schema `main`.
#[derive(Debug, Default, Clone)]
struct LakeTables {
    by_name: HashMap<String, ListedTable>,
    /// Whether the catalog's own tables were read.
    is_from_catalog: bool,
    /// Whether DuckDB's own list of tables was read too.
    is_complete: bool,
    /// The columns of the table of marks, in their order.
    marks: Vec<String>,
}

impl LakeTables {
    /// Adds what is said of tables.
    fn add(&mut self, rows: Vec<TableRow>) {
        for (name, comment, rows) in rows {
            if let Some(table) = self.by_name.get_mut(&name) {
                table.listed = Listed::new(comment.as_deref(), rows);
                table.is_table = true;
            }
        }
    }
}

/// A table and its columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListedTable {
    /// The names and types of its columns, as DuckDB writes them, in the table's order.
    pub(crate) columns: Vec<(String, String)>,
    pub(crate) listed: Listed,
    /// Whether it is known to be a table: a view has columns too.
    is_table: bool,
}

/// What is said of a table, as it is now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listed {
    /// What it is hashed with, by its comment.
    pub(crate) hash_tag: Option<HashTag>,
    /// About how many rows it has, deleted ones too.
    pub(crate) rows: u64,
}

impl Listed {
    fn new(comment: Option<&str>, rows: Option<i64>) -> Self {
        Self { hash_tag: comment.and_then(HashTag::from_comment), rows: rows.unwrap_or_default().unsigned_abs() }
    }
}

/// What the columns of the table of marks are listed under: the name of a feature's table has no dot.
const MARKS: &str = "metaxy_rust.marks";

/// Of no more tables than these on a server, DuckDB is asked: a further connection to it takes as long.
const ASKED_ONE_BY_ONE: usize = 8;

/// A column: table, name, type, and of the table the comment, the number of rows, and whether the catalog knows it.
type ColumnRow = (String, String, String, Option<String>, Option<i64>, bool);

/// A table: name, comment, number of rows.
type TableRow = (String, Option<String>, Option<i64>);

impl<'c> Listing<'c> {
    /// An empty one, for a transaction of this connection.
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, lakes: RefCell::default(), most_inlined: Cell::default() }
    }

    /// Lists the tables of these lakes, for other connections too.
    pub(crate) fn list_all(&self, lakes: &[&Ident]) -> Result<ListedTables, Error> {
        for lake in lakes {
            let mut tables = self.list(lake)?;
            while !tables.is_complete && tables.by_name.values().any(|table| !table.is_table) {
                self.complete(lake, &mut tables)?;
            }
            self.lakes.borrow_mut().insert((*lake).clone(), tables);
        }
        Ok(ListedTables(self.lakes.borrow().clone()))
    }

    /// What was listed by another connection at the same snapshots.
    pub(crate) fn of(connection: &'c Connection, tables: ListedTables) -> Self {
        Self { connection, lakes: RefCell::new(tables.0), most_inlined: Cell::default() }
    }

    pub(crate) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// The most rows of one insert that the lake keeps in its catalog.
    pub(crate) fn most_inlined(&self) -> Result<u64, Error> {
        if let Some(known) = self.most_inlined.get() {
            return Ok(known);
        }
        let most = inlining::most(self.connection)?;
        self.most_inlined.set(Some(most));
        Ok(most)
    }

    /// What is listed of a table; `None` if the lake has no such table.
    pub(crate) fn find(&self, name: &TableName) -> Result<Option<ListedTable>, Error> {
        let Some(lake) = name.database() else { return Ok(None) };
        let mut lakes = self.lakes.borrow_mut();
        let tables = match lakes.entry(lake.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.list(lake)?),
        };
        let name = name.name().as_str();
        while !tables.is_complete && tables.by_name.get(name).is_some_and(|table| !table.is_table) {
            self.complete(lake, tables)?;
        }
        Ok(tables.by_name.get(name).filter(|table| table.is_table).cloned())
    }

    /// Whether the lake has a table of this name.
    pub(crate) fn has(&self, name: &TableName) -> Result<bool, Error> {
        Ok(self.find(name)?.is_some())
    }

    /// The names of the columns that the lake's table of marks has; none if it has no such table.
    pub(crate) fn columns_of_marks(&self, lake: &Ident) -> Result<Vec<String>, Error> {
        if let Some(tables) = self.lakes.borrow().get(lake) {
            return Ok(tables.marks.clone());
        }
        let tables = self.list(lake)?;
        let marks = tables.marks.clone();
        self.lakes.borrow_mut().insert(lake.clone(), tables);
        Ok(marks)
    }

    fn list(&self, lake: &Ident) -> Result<LakeTables, Error> {
        // Reading the catalog on a server takes a second connection, which costs more than a few tables.
        let is_file = |plan: &&AttachPlan| matches!(plan.catalog(), Some(CatalogKind::DuckDb | CatalogKind::Sqlite));
        let metadata = self.connection.plan_of(lake).filter(is_file).and_then(AttachPlan::metadata);
        let is_read = metadata.is_some();
        let in_catalog = match metadata {
            Some((database, schema)) => in_catalog(lake, &database, &schema),
            None => sql!(
                "SELECT CAST(NULL AS VARCHAR) AS table_name, CAST(NULL AS VARCHAR) AS comment,
                     CAST(NULL AS BIGINT) AS row_count
                 WHERE FALSE"
            ),
        };
        let columns: Vec<ColumnRow> = self.connection.query_rows(sql!(
            "SELECT c.name, c.column_name, c.data_type, t.comment, t.row_count, t.table_name IS NOT NULL
             FROM (
                     SELECT *, if(schema_name = 'main', table_name, {marks}) AS name
                     FROM duckdb_columns()
                     WHERE schema_name = 'main' OR (schema_name = 'metaxy_rust' AND table_name = 'marks')
                 ) AS c
                 LEFT JOIN ({in_catalog}) AS t ON t.table_name = c.name
             WHERE c.database_name = {lake}
             ORDER BY c.name, c.column_index",
            marks = bind(MARKS),
            in_catalog,
            lake = bind(lake.as_str()),
        ))?;
        let mut tables = LakeTables { is_from_catalog: is_read, ..LakeTables::default() };
        for (table, name, of, comment, rows, is_table) in columns {
            let table = tables.by_name.entry(table).or_insert_with(|| {
                let listed = Listed::new(comment.as_deref(), rows);
                ListedTable { columns: Vec::new(), listed, is_table }
            });
            table.columns.push((name, of));
        }
        let marks = tables.by_name.remove(MARKS).unwrap_or_default();
        tables.marks = marks.columns.into_iter().map(|(name, _)| name).collect();
        Ok(tables)
    }

    /// Adds what only DuckDB's own list tells: of tables made in this transaction, and where the catalog cannot be read.
    /// What it does not have is no table. Of many tables on a server, the catalog's own tables are asked first.
    fn complete(&self, lake: &Ident, tables: &mut LakeTables) -> Result<(), Error> {
        let metadata = self.connection.plan_of(lake).and_then(AttachPlan::metadata);
        if let Some((database, schema)) = metadata
            && !tables.is_from_catalog
            && tables.by_name.len() > ASKED_ONE_BY_ONE
        {
            let rows: Vec<TableRow> = self.connection.query_rows(in_catalog(lake, &database, &schema))?;
            tables.add(rows);
            tables.is_from_catalog = true;
            return Ok(());
        }
        let rows: Vec<TableRow> = self.connection.query_rows(sql!(
            "SELECT table_name, comment, estimated_size
             FROM duckdb_tables()
             WHERE database_name = {lake} AND schema_name = 'main'",
            lake = bind(lake.as_str()),
        ))?;
        tables.add(rows);
        tables.is_complete = true;
        Ok(())
    }

    /// The tables among these that say what they are hashed with.
    pub(crate) fn tagged<'n>(&self, names: &'n [TableName]) -> Result<Vec<(&'n TableName, HashTag)>, Error> {
        let mut tagged = Vec::new();
        for name in names {
            let tag = self.find(name)?.and_then(|table| table.listed.hash_tag);
            tagged.extend(tag.map(|tag| (name, tag)));
        }
        Ok(tagged)
    }
}

/// The query of the tables that the catalog has at the transaction's snapshot: the columns `table_name`, `comment` and
/// `row_count`.
fn in_catalog(lake: &Ident, database: &Ident, schema: &Ident) -> Sql {
    let is_then = |table: &'static str| {
        sql!(
            "{table}.begin_snapshot <= now.id AND coalesce(now.id < {table}.end_snapshot, TRUE)",
            table = Sql::fixed(table),
        )
    };
    sql!(
        "WITH now AS MATERIALIZED (SELECT id FROM ducklake_current_snapshot({lake})),
             tags AS (
                 SELECT tag.object_id, tag.value
                 FROM {database}.{schema}.ducklake_tag AS tag, now
                 WHERE tag.key = 'comment' AND {tag_is_then}
             )
         SELECT tab.table_name, tags.value AS comment, stats.record_count AS row_count
         FROM now,
             {database}.{schema}.ducklake_table AS tab
             JOIN {database}.{schema}.ducklake_schema AS sch ON sch.schema_id = tab.schema_id
             LEFT JOIN tags ON tags.object_id = tab.table_id
             LEFT JOIN {database}.{schema}.ducklake_table_stats AS stats ON stats.table_id = tab.table_id
         WHERE sch.schema_name = 'main' AND {schema_is_then} AND {table_is_then}",
        lake = bind(lake.as_str()),
        database,
        schema,
        tag_is_then = is_then("tag"),
        schema_is_then = is_then("sch"),
        table_is_then = is_then("tab"),
    )
}
