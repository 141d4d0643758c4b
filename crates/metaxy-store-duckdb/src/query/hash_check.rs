//! Whether a table was written with the hash that is configured, by its tag or by one of its rows.

use ducklake_sql::{Ident, Sql, bind, separated, sql};

use super::Hashing;
use crate::engine::{Connection, Error};
use crate::table::{Listing, Problem, Table, TableName, sorted};

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
pub(crate) fn check_records(listing: &Listing<'_>, tables: &[TableName], hashing: Hashing) -> Result<(), Error> {
    match listing.tagged(tables)?.into_iter().find(|(_, tag)| *tag != hashing.tag()) {
        Some((table, tag)) => Err(hashed_otherwise(table, &tag, hashing).into()),
        None => Ok(()),
    }
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
    let by_field = Sql::fixed("r.metaxy_provenance_by_field");
    let members = sorted(fields);
    let hash =
        |hashing: Hashing| hashing.of_joined(members.iter().map(|member| table.provenance().member(&by_field, member)));
    let written = separated(
        " ",
        Hashing::whole().map(|candidate| {
            sql!(
                "WHEN starts_with({hash}, r.metaxy_provenance)
                 THEN {algorithm} || ' cut to ' || length(r.metaxy_provenance)",
                hash = hash(candidate),
                algorithm = bind(candidate.algorithm()),
            )
        }),
    );
    // A row of this feature as it is: an older one has other fields, or is hashed with another length.
    let found: Option<(Option<String>,)> = connection.query_row(sql!(
        "SELECT CASE WHEN r.metaxy_provenance = {configured} THEN NULL {written} END
         FROM {table}
         WHERE length(r.metaxy_provenance) > 0 AND {configured} IS NOT NULL
         LIMIT 1",
        configured = hash(hashing),
        written,
        table = table.aliased(sql!("r")),
    ))?;
    match found.and_then(|(written,)| written) {
        Some(written) => other(&written),
        None => Ok(()),
    }
}

/// The refusal of a table that was hashed in another way.
fn hashed_otherwise(table: &TableName, written: &dyn std::fmt::Display, hashing: Hashing) -> Problem {
    let table = table.name().to_string();
    Problem::OtherHash { table, written: written.to_string(), configured: hashing.tag().to_string() }
}
