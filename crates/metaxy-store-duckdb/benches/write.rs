//! Writing rows of a Parquet file to a new table, by the store and as plain SQL, and where the store's time goes.
//!
//! `cargo bench -p metaxy-store-duckdb --bench write -- --rows 1000000 --rounds 5` prints seconds of wall and processor time, the median
//! of so many rounds, for rows in the order of their ids and in none. The plain SQL checks nothing; with a temporary table it
//! does what the store has to do before it can check rows, and write them again when another writer was faster.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by a panic")]

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use ducklake_sql::{
    Catalog, CatalogFile, Lake, LocalFolder, Mode, Session, Setting, Sql, StringLiteral, Value, bind, sql,
};
use metaxy_config::HashAlgorithm;
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey};
use metaxy_store_duckdb::{FeatureOptions, InputFile, InputOptions, Store, WriteOptions};
use metaxy_testkit::{TempDir, deps};

#[path = "features/step.rs"]
mod step;

const GRAPH: &str = include_str!("features/graph.toml");

const STEPS: [&str; 5] = ["read", "read, stage, check", "write", "plain SQL", "plain SQL, through a temporary table"];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, unless_set: u64| {
        let value = arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
        value.map_or(unless_set, |value| value.parse().unwrap())
    };
    let (rows, rounds) = (number("--rows", 100_000), number("--rounds", 3));
    for (name, order) in [("in the order of ids", "id"), ("in no order", "hash(id)")] {
        let folder = TempDir::new();
        let file = folder.join("rows.parquet");
        make_file(&file, rows, &Sql::fixed(order));
        let mut costs: [Vec<step::Cost>; STEPS.len()] = Default::default();
        for _ in 0..rounds {
            for (at, costs) in costs.iter_mut().enumerate() {
                costs.push(run(at, &file, rows));
            }
        }
        println!("{rows} rows {name}");
        for (step, costs) in STEPS.iter().zip(costs) {
            let median = |figure: fn(&step::Cost) -> f64| {
                let mut figures: Vec<f64> = costs.iter().map(figure).collect();
                figures.sort_by(f64::total_cmp);
                figures[figures.len() / 2]
            };
            println!("{step:38} {:9.3} s  cpu {:8.2}", median(|cost| cost.wall), median(|cost| cost.cpu));
        }
    }
}

/// A file with the samples of the other benchmarks.
fn make_file(file: &str, rows: u64, order: &Sql) {
    let connection = duckdb::Connection::open_in_memory().unwrap();
    let copy = sql!(
        "COPY (
             SELECT
                 printf('s%010d', i) AS id,
                 printf('s3://bucket/videos/%d.mp4', i) AS path,
                 i * 7919 % 1000003 AS size,
                 {{'audio': printf('a%d-0', i), 'frames': printf('f%d-0', i)}} AS metaxy_provenance_by_field
             FROM range({rows}) AS numbers(i)
             ORDER BY {order}
         ) TO {file}",
        rows = bind(i64::try_from(rows).unwrap()),
        order,
        file = StringLiteral::new(file).unwrap(),
    );
    let rows = i64::try_from(rows).unwrap();
    connection.execute(copy.text(), [rows]).unwrap();
}

/// One of the steps, in a lake of its own.
fn run(step: usize, file: &str, rows: u64) -> step::Cost {
    let folder = TempDir::new();
    let catalog = Catalog::Sqlite(CatalogFile::new(folder.join("meta.sqlite")).unwrap());
    let lake = Lake::builder(catalog, LocalFolder::new(folder.join("data")).unwrap()).build().unwrap();
    let extensions = deps().extensions().to_str().unwrap().to_owned();
    let mut session = Session::default();
    session.settings.push(Setting::new("extension_directory", Value::from(extensions)).unwrap());
    let store = Store::attach(&lake, &session, Mode::Write).unwrap();
    let rows = usize::try_from(rows).unwrap();

    let graph = FeatureGraph::new(FeatureDefinition::from_toml(GRAPH, &"bench".parse().unwrap()).unwrap()).unwrap();
    let root: FeatureKey = "bench/root".parse().unwrap();
    let features = store.features(&graph, FeatureOptions::new().hash_algorithm(HashAlgorithm::Md5)).unwrap();
    let connection = store.connection();
    let from_file = sql!("read_parquet({file})", file = StringLiteral::new(file).unwrap());
    let insert = |rows: &Sql| {
        let create = sql!(
            "CREATE TABLE root AS
             SELECT
                 *,
                 md5(metaxy_provenance_by_field.audio || '|' || metaxy_provenance_by_field.frames)[1:8] AS metaxy_provenance,
                 metaxy_provenance_by_field AS metaxy_data_version_by_field,
                 metaxy_provenance AS metaxy_data_version,
                 'a' AS metaxy_feature_version,
                 'p' AS metaxy_project_version,
                 now() AS metaxy_created_at,
                 now() AS metaxy_updated_at,
                 CAST(NULL AS TIMESTAMPTZ) AS metaxy_deleted_at,
                 CAST(NULL AS VARCHAR) AS metaxy_materialization_id
             FROM {rows}",
            rows,
        );
        connection.execute(create).unwrap();
    };
    let write = |options: &WriteOptions| {
        let file = InputFile::open(file, &InputOptions::new()).unwrap();
        let written = features.write_file(&root, &file, options).unwrap();
        assert_eq!(written, rows);
    };
    let cost = step::cost(|| match step {
        0 => {
            let (file, files) = (InputFile::open(file, &InputOptions::new()).unwrap(), connection.for_files().unwrap());
            let read = file.rows(&files, &features, &root).unwrap();
            assert_eq!(read.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), rows);
        }
        1 => write(&WriteOptions::new().dry_run(true)),
        2 => write(&WriteOptions::new()),
        3 => insert(&from_file),
        _ => {
            connection.execute(sql!("CREATE TEMP TABLE staged AS FROM {from_file}", from_file)).unwrap();
            insert(&Sql::fixed("temp.main.staged"));
            connection.execute("DROP TABLE temp.main.staged").unwrap();
        }
    });
    if step >= 3 {
        let mut count = connection.query("SELECT count(*) FROM root").unwrap();
        let count = count.next().unwrap().unwrap().column(0).as_primitive::<Int64Type>().value(0);
        assert_eq!(usize::try_from(count).unwrap(), rows);
    }
    cost
}
