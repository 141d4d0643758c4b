//! Each combination from a text of configuration to rows and back, in processes of its own, with where its bytes are.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Instant;

use metaxy_testkit::{S3Options, S3Server};

use crate::case::{Case, Site};
use crate::child;

/// The server that all cases share.
fn server() -> &'static S3Server {
    static SERVER: OnceLock<S3Server> = OnceLock::new();
    SERVER.get_or_init(|| S3Server::start(S3Options::default()))
}

/// How a case goes: the milliseconds that creating the lake took, opening it again, and the doctor.
fn run(case: Case, number: usize) -> Result<[String; 3], String> {
    let site = Site::new(case, number, server());
    let step = |name| child::run(name, site.home.path(), &site.variables);
    let created = step("write")?.concat();
    site.check_bytes();
    let [opened, doctor] = <[String; 2]>::try_from(step("read")?).map_err(|lines| lines.concat())?;
    site.check_bytes();
    Ok([created, opened, doctor])
}

#[test]
fn every_combination_keeps_its_rows_where_it_says() {
    let cases = Case::all();
    let results: Vec<Mutex<String>> = cases.iter().map(|_| Mutex::default()).collect();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(&case) = cases.get(number) else { return };
            let start = Instant::now();
            let result = catch_unwind(AssertUnwindSafe(|| run(case, number)));
            let result = result.unwrap_or_else(|_| Err("bytes are not where they belong: see above".to_owned()));
            let result = result.map_err(|why| failures.lock().unwrap().push(format!("{case}: {why}")));
            let (result, times) = match result {
                Ok(times) => ("ok", times),
                Err(()) => ("FAILED", Default::default()),
            };
            let whole = start.elapsed().as_millis();
            let [created, opened, doctor] = times;
            *results[number].lock().unwrap() =
                format!("{case:32} {result:8} {created:>9} {opened:>9} {doctor:>9} {whole:>9}");
        }
    };
    let workers = thread::available_parallelism().unwrap().get();
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));

    // Not `eprintln!`, which is kept from whoever runs the tests while they pass.
    let head = format!(
        "{:32} {:8} {:>9} {:>9} {:>9} {:>9}",
        "combination", "result", "create ms", "open ms", "doctor ms", "whole ms"
    );
    let lines = results.iter().map(|line| line.lock().unwrap().clone());
    let table = std::iter::once(head).chain(lines).map(|line| line + "\n").collect::<String>();
    std::io::stderr().write_all(table.as_bytes()).unwrap();
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
