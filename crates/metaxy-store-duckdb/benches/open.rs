//! Opening a lake that exists, by the store and by the same statements typed into DuckDB, in turns; and where the time
//! goes. Both open an instance, load the extensions, attach, make the lake current, and let it go.
//!
//! `cargo bench -p metaxy-store-duckdb --bench open -- --runs 20` prints milliseconds of wall time, the best of so many
//! runs (10 unless said), for each kind of catalog.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by a panic")]

use std::time::Instant;

use ducklake_sql::{
    AttachPlan, Catalog, CatalogFile, Ident, Lake, LocalFolder, Mode, PostgresSpec, Reveal, Session, Setting,
    Statement, Value,
};
use metaxy_store_duckdb::Store;
use metaxy_testkit::{Postgres, TempDir, deps};

/// Where the time of a typed open goes.
const PARTS: [&str; 6] = ["instance", "extensions", "secrets", "attach", "other", "undo"];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runs = arguments.iter().position(|argument| argument == "--runs").and_then(|at| arguments.get(at + 1));
    let runs: u32 = runs.map_or(10, |runs| runs.parse().unwrap());

    let folder = TempDir::new();
    let mut session = Session::default();
    let extensions = deps().extensions().to_str().unwrap().to_owned();
    session.settings.push(Setting::new("extension_directory", Value::from(extensions)).unwrap());
    let database = Postgres::shared().database();
    let mut postgres = PostgresSpec::new("catalog");
    postgres.host = Some(database.host().to_owned());
    postgres.port = Some(database.port());
    postgres.database = Some(database.name().to_owned());
    postgres.user = Some(database.owner().user.clone());
    postgres.password = Some(database.owner().password.clone().into());
    let catalogs = [
        ("duckdb", Catalog::DuckDb(CatalogFile::new(folder.join("meta.ducklake")).unwrap())),
        ("sqlite", Catalog::Sqlite(CatalogFile::new(folder.join("meta.sqlite")).unwrap())),
        ("postgres", postgres.build().unwrap()),
    ];
    println!("{:10}{:>10}{:>10}{:>8}   of typed: {}", "catalog", "store", "typed", "ratio", PARTS.join(", "));
    for (name, catalog) in catalogs {
        let lake = Lake::builder(catalog, LocalFolder::new(folder.join(name)).unwrap()).build().unwrap();
        let plan = lake.plan(&session, Mode::Write);
        let by_store = || Store::attach(&lake, &session, Mode::Write).unwrap().close().unwrap();
        by_store();
        let (mut store, mut typed) = (f64::INFINITY, [f64::INFINITY; PARTS.len()]);
        for _ in 0..runs {
            let start = Instant::now();
            by_store();
            store = store.min(milliseconds(start));
            let parts = type_in(&plan);
            if parts.iter().sum::<f64>() < typed.iter().sum() {
                typed = parts;
            }
        }
        let sum: f64 = typed.iter().sum();
        let parts = typed.map(|part| format!("{part:.1}")).join(", ");
        println!("{name:10}{store:10.1}{sum:10.1}{:8.2}   {parts}", store / sum);
    }
}

/// Opens and lets go as one would by hand; the milliseconds of each part.
fn type_in(plan: &AttachPlan) -> [f64; PARTS.len()] {
    let mut parts = [0.0; PARTS.len()];
    let start = Instant::now();
    let config = duckdb::Config::default().enable_autoload_extension(false).unwrap();
    let connection = duckdb::Connection::open_in_memory_with_flags(config).unwrap();
    parts[0] = milliseconds(start);
    for statement in plan.statements() {
        let part = match statement {
            Statement::Load(_) => 1,
            Statement::CreateSecret(_) => 2,
            Statement::Attach(_) => 3,
            _ => 4,
        };
        let start = Instant::now();
        connection.execute_batch(&statement.to_text(Reveal::Secrets)).unwrap();
        parts[part] += milliseconds(start);
    }
    let start = Instant::now();
    for statement in plan.undo(0..plan.statements().len(), &Ident::new("memory").unwrap()) {
        connection.execute_batch(&statement.to_text(Reveal::Secrets)).unwrap();
    }
    connection.close().unwrap();
    parts[5] = milliseconds(start);
    parts
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
