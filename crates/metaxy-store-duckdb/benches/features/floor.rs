//! The same steps with the same results as plain SQL typed into DuckDB: what a program does that trusts its rows.
//!
//! Rows go from Arrow into a temporary table and from there into the lake with one statement. No check is made, nothing is
//! hashed that is not needed, and of two rows with one time any may count.

use arrow::array::Array as _;
use arrow::record_batch::RecordBatchReader;
use duckdb::Connection;
use ducklake_sql::{StringLiteral, sql};
use metaxy_testkit::TempDir;

use super::{samples, step};

const STAGE: &str = "CREATE TEMP TABLE samples (id VARCHAR, path VARCHAR, size BIGINT, \
                     metaxy_provenance_by_field STRUCT(audio VARCHAR, frames VARCHAR))";

/// The staged samples of the root with Metaxy's columns.
macro_rules! root {
    ($start:literal) => {
        concat!(
            $start,
            "SELECT *, md5(metaxy_provenance_by_field.audio || '|' || metaxy_provenance_by_field.frames)[1:8] \
             AS metaxy_provenance, metaxy_provenance_by_field AS metaxy_data_version_by_field, \
             metaxy_provenance AS metaxy_data_version, 'a' AS metaxy_feature_version, 'p' AS metaxy_project_version, \
             now() AS metaxy_created_at, now() AS metaxy_updated_at, CAST(NULL AS TIMESTAMPTZ) AS metaxy_deleted_at, \
             CAST(NULL AS VARCHAR) AS metaxy_materialization_id FROM temp.main.samples"
        )
    };
}

/// The latest row of each id, but for deleted ones.
macro_rules! latest {
    ($columns:literal, $table:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM (SELECT * FROM ",
            $table,
            " WHERE metaxy_feature_version = 'a' QUALIFY row_number() OVER (PARTITION BY id ORDER BY \
             coalesce(metaxy_deleted_at, metaxy_updated_at) DESC) = 1) WHERE metaxy_deleted_at IS NULL"
        )
    };
}

/// What the rows of the child should be, as `p`.
macro_rules! expected {
    () => {
        concat!(
            "WITH u AS (",
            latest!("id, path, size, metaxy_data_version_by_field AS v", "lake.root"),
            "), e AS (SELECT id, path, size, md5('audio|2|bench/root.audio|' || v.audio)[1:8] AS h0, \
             md5('embedding|__metaxy_initial__|bench/root.audio|' || v.audio || '|bench/root.frames|' \
             || v.frames)[1:8] AS h1 FROM u), p AS (SELECT id, path, size, {'audio': h0, 'embedding': h1} \
             AS metaxy_provenance_by_field, md5(h0 || '|' || h1)[1:8] AS metaxy_provenance FROM e)"
        )
    };
}

/// What is new, stale or orphaned, from `p`.
macro_rules! changed {
    ($columns:literal) => {
        concat!(
            expected!(),
            ", c AS (",
            latest!("id, metaxy_provenance", "lake.child"),
            ") SELECT ",
            $columns,
            " FROM p FULL JOIN c ON p.id = c.id WHERE c.id IS NULL OR p.id IS NULL OR c.metaxy_provenance IS NULL \
             OR p.metaxy_provenance <> c.metaxy_provenance"
        )
    };
}

/// The columns that a row of the child has besides.
macro_rules! completed {
    ($start:literal, $rows:expr) => {
        concat!(
            $start,
            "SELECT *, metaxy_provenance_by_field AS metaxy_data_version_by_field, \
             metaxy_provenance AS metaxy_data_version, 'a' AS metaxy_feature_version, 'p' AS metaxy_project_version, \
             now() AS metaxy_created_at, now() AS metaxy_updated_at, CAST(NULL AS TIMESTAMPTZ) AS metaxy_deleted_at, \
             CAST(NULL AS VARCHAR) AS metaxy_materialization_id FROM (",
            $rows,
            ")"
        )
    };
}

pub(crate) fn run(folder: &TempDir, settings: &[(&'static str, String)], rows: i64) {
    let connection = step("open, create the lake", || {
        let connection = Connection::open_in_memory().unwrap();
        for (name, value) in settings {
            connection.execute(&["SET ", name, " = ?"].concat(), [value]).unwrap();
        }
        connection.execute_batch("LOAD ducklake; LOAD sqlite_scanner").unwrap();
        let catalog = StringLiteral::new(["ducklake:sqlite:", &folder.join("meta.sqlite")].concat()).unwrap();
        let data = StringLiteral::new(folder.join("data")).unwrap();
        let attach = sql!("ATTACH {catalog} AS lake (DATA_PATH {data})", catalog, data);
        connection.execute_batch(attach.text()).unwrap();
        connection
    });
    let all = usize::try_from(rows).unwrap();
    let stale = all.div_ceil(100);
    let execute = |sql: &'static str| connection.execute(sql, []).unwrap();
    let read = |sql: &'static str| {
        let mut statement = connection.prepare(sql).unwrap();
        drop(statement.stream_arrow([]).unwrap());
        std::iter::from_fn(|| statement.step().unwrap()).map(|batch| batch.len()).sum::<usize>()
    };
    let write = |samples: Box<dyn RecordBatchReader>, sql: &'static str| {
        execute(STAGE);
        let mut appender = connection.appender_to_catalog_and_db("samples", "temp", "main").unwrap();
        samples.for_each(|batch| appender.append_record_batch(batch.unwrap()).unwrap());
        appender.flush().unwrap();
        execute(sql);
        execute("DROP TABLE temp.main.samples");
    };

    let root = samples(rows, 1, "0");
    step("write root", || write(root, root!("CREATE TABLE lake.root AS ")));
    assert_eq!(step("read root", || read(latest!("*", "lake.root"))), all);
    assert_eq!(step("resolve, all new", || read(concat!(expected!(), " SELECT * FROM p"))), all);
    // Not a step: what it writes it makes at the same time, which no other does.
    execute(completed!("CREATE TABLE lake.child AS ", concat!(expected!(), " SELECT * FROM p")));
    assert_eq!(step("resolve, no change", || read(changed!("p.*, c.id"))), 0);
    let root = samples(rows, 100, "1");
    step("write root, 1 %", || write(root, root!("INSERT INTO lake.root ")));
    assert_eq!(step("resolve, 1 % stale", || read(changed!("p.*, c.id"))), stale);
    execute(completed!("INSERT INTO lake.child ", changed!("p.*")));
    assert_eq!(step("read child", || read(latest!("*", "lake.child"))), all);
    step("status", || read(changed!("count(*)")));
}
