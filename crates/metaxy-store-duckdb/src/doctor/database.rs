//! A DuckDB database without a lake: whether its file can be opened to be read, and what is in it.

use std::sync::Arc;

use ducklake_sql::{AttachPlan, Sql, TableDatabase};

use super::report::{CheckName, Outcome, Verdict};
use super::{Run, facts_of, is_preparation, prepare};
use crate::engine::cause::Operation;
use crate::engine::{Cause, Connection, Error};
use crate::lake::catalog_file::CatalogFile;

/// Makes the checks that there are without a lake.
pub(super) fn examine(run: &mut Run, tables: &TableDatabase, plan: AttachPlan) {
    run.facts = facts_of(&run.report.store, tables, &plan);
    let path = if run.facts.catalog.is_empty() { "memory" } else { &run.facts.catalog };
    run.report.subject = ["DuckDB database in ", path].concat();
    let plan = Arc::new(plan);
    let connection = run.check(CheckName::Extensions, |run| prepare(run, &plan));
    if let Some(connection) = connection
        && run.check(CheckName::Catalog, |run| attach(run, tables, &plan, &connection))
    {
        run.check(CheckName::Health, |_| ((), health(&plan, &connection)));
    }
    run.skip_rest(match run.report.finding(CheckName::Health) {
        Some(_) => "the store has no lake",
        None => "the database is not attached",
    });
}

/// Attaches the database for reading; whether there is one.
fn attach(run: &Run, tables: &TableDatabase, plan: &AttachPlan, connection: &Connection) -> (bool, Verdict) {
    if let TableDatabase::DuckDb(database) = tables
        && let Err(error) = CatalogFile::prepare_database(database, false)
    {
        let verdict = if error.is_missing_lake() {
            Verdict::new(Outcome::Warning, "no file yet").advice("the first write makes it")
        } else {
            failed(run, &error)
        };
        return (false, verdict.evidence([run.facts.catalog.clone()]));
    }
    let statements = plan.statements().iter().skip_while(|statement| is_preparation(statement));
    let attached = statements.map(|statement| connection.run_statement(statement));
    let attached = attached.collect::<Result<Vec<_>, _>>();
    let checked = attached
        .and_then(|_| plan.checks().iter().find_map(|check| connection.text(&check.to_sql()).transpose()).transpose());
    match checked {
        Ok(None) => (true, Verdict::ok("a DuckDB file")),
        Ok(Some(_)) => {
            let verdict = Cause::WrongCatalogFile.verdict(Outcome::Failed, &run.facts, "");
            let advice = "say in a `ducklake` table which lake it belongs to, or name another file as `database`";
            (false, verdict.summary("the database is the catalog of a lake").advice(advice))
        }
        Err(error) => (false, failed(run, &error)),
    }
}

fn failed(run: &Run, error: &Error) -> Verdict {
    match error.cause_of(Operation::OpenCatalog) {
        Some(cause) => cause.verdict(Outcome::Failed, &run.facts, "").evidence([error.to_string()]),
        None => Verdict::unknown("the database cannot be opened", error.to_string()),
    }
}

fn health(plan: &AttachPlan, connection: &Connection) -> Verdict {
    let tables = Sql::fixed("SELECT count(*) FROM duckdb_tables() WHERE database_name = ? AND NOT internal");
    match connection.query_value::<i64>(tables.with_text("database", plan.alias().as_str())) {
        Ok(tables) => Verdict::ok(format!("tables: {tables}")),
        Err(error) => Verdict::new(Outcome::Warning, "the tables cannot be counted").raw(error.to_string()),
    }
}
