//! Whether a table was written with the hash that is configured, by its tag or by one of its rows.

use ducklake_sql::{Ident, Sql, Value, Writer};

use super::Hashing;
use crate::engine::{Connection, Error};
use crate::table::{HashTag, Problem, Table, TableName, sorted};

/// Refuses a table whose versions are cut to another length, by its tag: none of its rows would be found.
pub(crate) fn check_truncation(table: &Table, hashing: Hashing) -> Result<(), Problem> {
    match table.hash_tag() {
        Some(tag) if tag.length() != Some(hashing.truncation().length()) => {
            Err(hashed_otherwise(table.name(), tag, hashing))
        }
        _ => Ok(()),
    }
}

/// Refuses tables of these names that were hashed in another way, by their tags.
pub(crate) fn check_records(connection: &Connection, tables: &[TableName], hashing: Hashing) -> Result<(), Error> {
    let Some(database) = tables.first().and_then(TableName::database) else { return Ok(()) };
    let recorded = connection.rows_of_text(&Sql::build(|sql| {
        sql.keyword("SELECT table_name, comment FROM duckdb_tables() WHERE database_name = ");
        sql.bind("database", &Value::from(database.as_str())).keyword(" AND schema_name = 'main'");
    }))?;
    for row in recorded {
        let [Some(table), Some(comment)] = <[_; 2]>::try_from(row).unwrap_or_default() else { continue };
        let Some(tag) = HashTag::from_comment(&comment) else { continue };
        let known = tables.iter().find(|known| known.name().as_str() == table);
        if let Some(known) = known.filter(|_| tag != hashing.tag()) {
            return Err(hashed_otherwise(known, &tag, hashing).into());
        }
    }
    Ok(())
}

/// Refuses a table whose rows were hashed in another way, by its tag or by one of its rows.
pub(crate) fn check_hash(
    table: &Table,
    connection: &Connection,
    hashing: Hashing,
    fields: &[Ident],
) -> Result<(), Error> {
    let other = |written: &dyn std::fmt::Display| Err(hashed_otherwise(table.name(), written, hashing).into());
    if let Some(tag) = table.hash_tag() {
        return if *tag == hashing.tag() { Ok(()) } else { other(tag) };
    }
    // Without a tag, as in a table of Python's: what makes the hash of a row that is there?
    let members = sorted(fields);
    let hash = |sql: &mut Writer, hashing: Hashing| {
        hashing.write_joined(sql, &members, |sql, member| {
            table.provenance().write_member(sql, |sql| _ = sql.keyword("metaxy_provenance_by_field"), member);
        });
    };
    let found = connection.text(&Sql::build(|sql| {
        hash(sql.keyword("SELECT CASE WHEN metaxy_provenance = "), hashing);
        sql.keyword(" THEN NULL");
        for candidate in Hashing::whole() {
            hash(sql.keyword(" WHEN starts_with("), candidate);
            sql.keyword(", metaxy_provenance) THEN ").bind("algorithm", &Value::from(candidate.algorithm()));
            sql.keyword(" || ' cut to ' || length(metaxy_provenance)");
        }
        table.write(sql.keyword(" END FROM "), |sql| _ = sql.keyword("r"));
        // A row of this feature as it is: an older one has other fields, or is hashed with another length.
        hash(sql.keyword(" WHERE length(metaxy_provenance) > 0 AND "), hashing);
        sql.keyword(" IS NOT NULL LIMIT 1");
    }));
    match found? {
        Some(written) => other(&written),
        None => Ok(()),
    }
}
/// The refusal of a table that was hashed in another way.
fn hashed_otherwise(table: &TableName, written: &dyn std::fmt::Display, hashing: Hashing) -> Problem {
    let table = table.name().to_string();
    Problem::OtherHash { table, written: written.to_string(), configured: hashing.tag().to_string() }
}
