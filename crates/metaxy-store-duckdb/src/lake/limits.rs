//! How long a storage may say nothing.
//!
//! DuckDB waits 30 seconds for each byte, and asks four times. That is two minutes for a server that takes a connection and
//! never answers.

use ducklake_sql::{AttachPlan, Statement, sql};

use crate::engine::{Connection, Error};

/// How many seconds a storage may say nothing, while files are read and written.
const TIMEOUT: u64 = 10;

/// The same while a lake is opened.
const TIMEOUT_TO_OPEN: u64 = 5;

/// Whether a plan makes a setting itself.
fn sets(plan: &AttachPlan, name: &str) -> bool {
    plan.statements().iter().any(|statement| match statement {
        Statement::Set(setting) => setting.name().as_str().eq_ignore_ascii_case(name),
        _ => false,
    })
}

/// Sets the limit for reading and writing, unless configured.
pub(super) fn limit(connection: &Connection, plan: &AttachPlan) {
    set_timeout(connection, plan, TIMEOUT);
}

fn set_timeout(connection: &Connection, plan: &AttachPlan, seconds: u64) {
    if !sets(plan, "http_timeout") {
        // Azure's extension has no such setting.
        drop(connection.execute(sql!("SET GLOBAL http_timeout = {seconds}", seconds)));
    }
}

/// Asks a storage with even less patience, and only twice, unless configured.
pub(super) fn in_short_time<T>(
    connection: &Connection,
    plan: &AttachPlan,
    ask: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let set_retries = |sql: &'static str| {
        if !sets(plan, "http_retries") {
            drop(connection.execute(sql));
        }
    };
    set_timeout(connection, plan, TIMEOUT_TO_OPEN);
    set_retries("SET GLOBAL http_retries = 1");
    let asked = ask();
    set_retries("RESET GLOBAL http_retries");
    limit(connection, plan);
    asked
}
