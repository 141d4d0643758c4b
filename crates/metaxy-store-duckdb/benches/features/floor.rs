//! The same steps with the same results as plain SQL typed into DuckDB: what any implementation pays at least.
//!
//! No check is made, nothing is hashed that is not needed, and no row is staged.

use ducklake_sql::Sql;
use metaxy_store_duckdb::Store;

use super::{count, step};

/// The samples of the root, as `samples` makes them, with Metaxy's columns.
macro_rules! root {
    ($start:literal) => {
        concat!(
            $start,
            "SELECT 's' || lpad(CAST(i AS VARCHAR), 10, '0') AS id, 's3://bucket/videos/' || i || '.mp4' AS path, \
             i * 7919 % 1000003 AS size, {'audio': 'a' || i || '-' || salt, 'frames': 'f' || i || '-' || salt} \
             AS metaxy_provenance_by_field, md5('a' || i || '-' || salt || '|f' || i || '-' || salt)[1:8] \
             AS metaxy_provenance, metaxy_provenance_by_field AS metaxy_data_version_by_field, \
             metaxy_provenance AS metaxy_data_version, 'a' AS metaxy_feature_version, 'p' AS metaxy_project_version, \
             now() AS metaxy_created_at, now() AS metaxy_updated_at, CAST(NULL AS TIMESTAMPTZ) AS metaxy_deleted_at, \
             CAST(NULL AS VARCHAR) AS metaxy_materialization_id \
             FROM (SELECT range AS i, CAST(? AS VARCHAR) AS salt FROM range(0, CAST(? AS BIGINT), CAST(? AS BIGINT)))"
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
            latest!("id, path, size, metaxy_data_version_by_field AS v", "root"),
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
            latest!("id, metaxy_provenance", "child"),
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

pub(crate) fn run(store: &Store, rows: usize) {
    let connection = store.connection();
    let stale = rows.div_ceil(100);
    let samples = |sql: &'static str, salt: &'static str, each: &'static str| {
        let numbers = Sql::fixed(sql).with_text("salt", salt).with_text("rows", rows.to_string());
        connection.execute(numbers.with_text("each", each)).unwrap()
    };
    let read = |sql: &'static str| count(connection.query(sql).unwrap());

    step("write root", || samples(root!("CREATE TABLE root AS "), "0", "1"));
    assert_eq!(step("read root", || read(latest!("*", "root"))), rows);
    assert_eq!(step("resolve, all new", || read(concat!(expected!(), " SELECT * FROM p"))), rows);
    step("write child", || {
        let child = completed!("CREATE TABLE child AS ", concat!(expected!(), " SELECT * FROM p"));
        connection.execute(child).unwrap()
    });
    assert_eq!(step("resolve, no change", || read(changed!("p.*, c.id"))), 0);
    step("write root, 1 %", || samples(root!("INSERT INTO root "), "1", "100"));
    assert_eq!(step("resolve, 1 % stale", || read(changed!("p.*, c.id"))), stale);
    step("write child, 1 %", || {
        connection.execute(completed!("INSERT INTO child ", changed!("p.*"))).unwrap();
    });
    assert_eq!(step("read child", || read(latest!("*", "child"))), rows);
    step("status", || read(changed!("count(*)")));
}
