//! Each combination from a text of configuration to rows and back, in processes of its own, with where its bytes are.

use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::time::Instant;

use metaxy_testkit::{S3Options, S3Server};

use crate::matrix::case::{Case, Catalog, Site};
use crate::matrix::child;

/// The server that all cases share.
fn server() -> &'static S3Server {
    static SERVER: OnceLock<S3Server> = OnceLock::new();
    SERVER.get_or_init(|| S3Server::start(S3Options::default()))
}

/// How a case goes: the milliseconds that creating the lake took, opening it again, and the doctor.
fn run(case: Case) -> Result<[String; 3], String> {
    let site = Site::new(case, server());
    let step = |name| child::run(name, site.home.path(), &site.variables);
    let created = step("write")?.concat();
    site.check_bytes();
    let [opened, doctor] = <[String; 2]>::try_from(step("read")?).map_err(|lines| lines.concat())?;
    site.check_bytes();
    Ok([created, opened, doctor])
}

/// Runs every combination of a catalog, and shows how all of them went when one failed.
fn check(catalog: Catalog) {
    let head = format!(
        "{:32} {:8} {:>9} {:>9} {:>9} {:>9}\n",
        "combination", "result", "create ms", "open ms", "doctor ms", "whole ms"
    );
    let (mut table, mut failures) = (head, Vec::new());
    for case in Case::all().into_iter().filter(|case| case.catalog == catalog) {
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| run(case)));
        let result = result.unwrap_or_else(|_| Err("bytes are not where they belong: see above".to_owned()));
        let result = result.map_err(|why| failures.push(format!("{case}: {why}")));
        let (result, [created, opened, doctor]) = match result {
            Ok(times) => ("ok", times),
            Err(()) => ("FAILED", Default::default()),
        };
        let whole = start.elapsed().as_millis();
        writeln!(table, "{case:32} {result:8} {created:>9} {opened:>9} {doctor:>9} {whole:>9}").unwrap();
    }
    // Not `eprintln!`, which is kept from whoever runs the tests while they pass.
    std::io::stderr().write_all(table.as_bytes()).unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

// One test for each catalog, so that they run side by side with each other and with the rest.

#[test]
fn every_combination_with_duckdb_keeps_its_rows_where_it_says() {
    check(Catalog::DuckDb);
}

#[test]
fn every_combination_with_sqlite_keeps_its_rows_where_it_says() {
    check(Catalog::Sqlite);
}

#[test]
fn every_combination_with_postgres_keeps_its_rows_where_it_says() {
    check(Catalog::Postgres);
}

#[test]
fn every_combination_with_quack_keeps_its_rows_where_it_says() {
    check(Catalog::Quack);
}
