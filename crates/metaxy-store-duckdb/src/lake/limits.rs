//! How long a storage may take to answer while a lake is opened.

use ducklake_sql::{AttachPlan, Statement};

use crate::engine::{Connection, Error};

/// Asks a storage with less patience than DuckDB has for the reading of files, which is two minutes; unless configured.
pub(super) fn in_short_time<T>(
    connection: &Connection,
    plan: &AttachPlan,
    ask: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    const LIMITS: [(&str, &str, &str); 2] = [
        ("http_timeout", "SET GLOBAL http_timeout = 5", "RESET GLOBAL http_timeout"),
        ("http_retries", "SET GLOBAL http_retries = 1", "RESET GLOBAL http_retries"),
    ];
    let is_set = |name: &str| {
        plan.statements().iter().any(|statement| match statement {
            Statement::Set(setting) => setting.name().as_str().eq_ignore_ascii_case(name),
            _ => false,
        })
    };
    let limits = || LIMITS.iter().filter(|(name, ..)| !is_set(name));
    // Azure's extension has no such settings.
    limits().for_each(|(_, set, _)| drop(connection.execute(*set)));
    let asked = ask();
    limits().for_each(|(.., reset)| drop(connection.execute(*reset)));
    asked
}
