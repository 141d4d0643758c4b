//! Opening a lake that exists, by the store and by the same statements typed into DuckDB. Both open an instance, load the
//! extensions, attach, make the lake current, and let it go.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by a panic")]

use criterion::{Criterion, criterion_group, criterion_main};
use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Reveal, Session, Setting, Statement, Value};
use metaxy_store_duckdb::Store;

fn typed(statements: &[Statement], undo: &[Statement]) {
    let config = duckdb::Config::default().enable_autoload_extension(false).unwrap();
    let connection = duckdb::Connection::open_in_memory_with_flags(config).unwrap();
    for statement in statements.iter().chain(undo) {
        connection.execute_batch(&statement.to_text(Reveal::Secrets)).unwrap();
    }
}

fn open(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().canonicalize().unwrap().join(name).to_str().unwrap().to_owned();
    let mut session = Session::default();
    let extensions = std::env::var("METAXY_EXTENSION_DIRECTORY").unwrap();
    session.settings.push(Setting::new("extension_directory", Value::from(extensions)).unwrap());

    let catalogs = [
        ("sqlite", Catalog::Sqlite(CatalogFile::new(path("meta.sqlite")).unwrap())),
        ("duckdb", Catalog::DuckDb(CatalogFile::new(path("meta.ducklake")).unwrap())),
    ];
    for (name, catalog) in catalogs {
        let data = LocalFolder::new(path(name)).unwrap();
        let lake = Lake::on(catalog, data).build().unwrap();
        Store::attach(&lake, &session, Mode::Write).unwrap().close().unwrap();
        let plan = lake.plan(&session, Mode::Write);
        let undo = plan.undo(0..plan.statements().len(), &ducklake_sql::Ident::new("memory").unwrap());
        let mut group = criterion.benchmark_group(["open ", name].concat());
        group.sample_size(20);
        group.bench_function("store", |bencher| {
            bencher.iter(|| Store::attach(&lake, &session, Mode::Write).unwrap().close().unwrap());
        });
        group.bench_function("typed", |bencher| bencher.iter(|| typed(plan.statements(), &undo)));
    }
}

criterion_group!(benches, open);
criterion_main!(benches);
