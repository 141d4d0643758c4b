//! What operations read of the files of a lake, in how many statements: counts that must not grow unseen.

use std::fmt::Write as _;

use ducklake_sql::{StringLiteral, sql};
use metaxy_store_duckdb::{
    Change, Connection, Deletion, Features, Filter, ReadOptions, ResolveOptions, Store, WriteOptions,
};
use serde_json::{Value, json};

use crate::features::common::{graph, key, md5, rows};
use crate::features::statements::statements;
use crate::json::to_json;
use crate::lake::TempLake;

const GRAPH: &str = "
[[feature]]
key = 'root'
id_columns = ['id']

[[feature]]
key = 'child'
id_columns = ['id']
deps = ['root']
";

/// Counts what operations take, in a table.
struct Counted<'s> {
    store: &'s Store,
    /// Where the files of the lake are.
    files: StringLiteral,
    table: String,
}

impl Counted<'_> {
    /// Runs an operation; a line of the table says how many statements it is, and how many rows, and values of them, it
    /// reads of the files of each table.
    fn run<T>(&mut self, name: &str, operation: impl FnOnce() -> T) -> T {
        let connection = self.store.connection();
        query(connection, "CALL truncate_duckdb_logs()");
        let mut done = None;
        let count = statements(|| done = Some(operation()));
        // A file that another operation has written meanwhile is not read.
        let scanned = to_json(connection.query(sql!(
            "SELECT
                 operator.parameters['Table'] AS name,
                 CAST(sum(groups.rows) AS BIGINT) AS rows,
                 CAST(sum(groups.rows * len(string_split(operator.parameters['Projections'], chr(10)))) AS BIGINT) AS cells
             FROM duckdb_logs_parsed('PhysicalOperator') AS operator
             JOIN (
                 SELECT DISTINCT file_name, row_group_id, row_group_num_rows AS rows FROM parquet_metadata({files})
             ) AS groups
                 ON groups.file_name = operator.info['file']
                AND CAST(groups.row_group_id AS VARCHAR) = operator.info['row_group_id']
             WHERE operator.class = 'ParquetReader' AND operator.event = 'ReadRowGroup'
             GROUP BY name
             ORDER BY name DESC",
            files = self.files,
        )).unwrap());
        write!(self.table, "{name:35} {count:2} statements").unwrap();
        for table in scanned {
            write!(
                self.table,
                "; {} {} rows, {} values",
                table["name"].as_str().unwrap(),
                table["rows"],
                table["cells"]
            )
            .unwrap();
        }
        self.table.push('\n');
        done.unwrap()
    }
}

fn query(connection: &Connection, statement: &'static str) {
    connection.query(statement).unwrap().for_each(|batch| drop(batch.unwrap()));
}

/// A sample of the root for each number.
fn samples(numbers: impl Iterator<Item = u32>, version: &str) -> Value {
    let row = |number| {
        json!({
            "id": format!("{number:05}"),
            "path": format!("{number}.mp4"),
            "metaxy_provenance_by_field": {"default": version},
        })
    };
    numbers.map(row).collect()
}

fn write_increment(features: &Features<'_>, change: Change) {
    let mut increment = features.resolve_update(&key("child"), &ResolveOptions::new()).unwrap();
    let rows = increment.rows(change).unwrap().into_reader();
    features.write(&key("child"), rows, &WriteOptions::new()).unwrap();
}

#[test]
fn statements_and_rows_scanned() {
    let home = TempLake::new();
    let (store, graph) = (home.open(), graph(GRAPH));
    let features = store.features(&graph, md5()).unwrap();
    let (root, child) = (key("root"), key("child"));
    query(store.connection(), "CALL enable_logging('PhysicalOperator')");
    let files = StringLiteral::new(home.path_of("data/**/*.parquet").to_str().unwrap()).unwrap();
    let mut counted = Counted { store: &store, files, table: String::new() };
    let write = |samples: Value| features.write(&root, rows(&samples), &WriteOptions::new()).unwrap();
    let read = || to_json(features.read(&root, &ReadOptions::new()).unwrap()).len();
    let find = |options: &ResolveOptions| {
        let increment = features.resolve_update(&child, options).unwrap();
        Change::ALL.map(|change| increment.count(change))
    };
    let (usual, all) = (ResolveOptions::new(), ResolveOptions::new().full(true));

    assert_eq!(counted.run("write 1000 rows, new table", || write(samples(0..1000, "1"))), 1000);
    assert_eq!(counted.run("read", read), 1000);
    assert_eq!(counted.run("increment, all new", || find(&usual)), [1000, 0, 0]);
    counted.run("increment and write, all new", || write_increment(&features, Change::New));
    assert_eq!(counted.run("increment, none", || find(&usual)), [0, 0, 0]);
    counted.run("increment and mark", || {
        let increment = features.resolve_update(&child, &usual).unwrap();
        features.mark(&increment).unwrap()
    });
    assert_eq!(counted.run("write 20 rows", || write(samples((0..1000).step_by(50), "2"))), 20);
    assert_eq!(counted.run("read, 20 rows replaced", read), 1000);
    assert_eq!(counted.run("increment of all rows, 20 stale", || find(&all)), [0, 20, 0]);
    assert_eq!(counted.run("increment since the mark, 20 stale", || find(&usual)), [0, 20, 0]);
    counted.run("status of all rows", || features.status(&child, &all).unwrap());
    counted.run("status since the mark", || features.status(&child, &usual).unwrap());
    let some: Filter = "id < '00100'".parse().unwrap();
    counted.run("delete 100 rows", || features.delete(&root, &[some], Deletion::Soft).unwrap());
    insta::assert_snapshot!(counted.table);
}
