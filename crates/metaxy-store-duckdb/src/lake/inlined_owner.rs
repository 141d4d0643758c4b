//! Whose the tables of inlined rows are. A flush by a role of PostgreSQL that does not own them reports a failure, and loses
//! the rows.

use ducklake_sql::{AttachPlan, CatalogKind, StringLiteral, bind, sql};

use crate::engine::{Connection, Error, read_again};

/// Tables with inlined rows that this role does not own, in PostgreSQL.
pub(crate) fn of_others(connection: &Connection, plan: &AttachPlan) -> Result<Vec<String>, Error> {
    let Some((database, schema)) = plan.metadata().filter(|_| plan.catalog() == Some(CatalogKind::Postgres)) else {
        return Ok(Vec::new());
    };
    let literal = |text: &str| StringLiteral::new(text).map_err(Error::from);
    let asked = sql!(
        "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE nspname = {schema} AND relkind = 'r' AND relname LIKE 'ducklake_inlined_%'
             AND has_table_privilege(c.oid, 'DELETE') AND NOT pg_has_role(relowner, 'USAGE') ORDER BY 1",
        schema = literal(schema.as_str())?,
    );
    let found: Vec<(String,)> = read_again(connection, || {
        connection.query_rows(sql!(
            "FROM postgres_query({database}, {asked})",
            database = bind(database.as_str()),
            asked = bind(asked.text()),
        ))
    })?;
    Ok(found.into_iter().map(|(name,)| name).collect())
}
