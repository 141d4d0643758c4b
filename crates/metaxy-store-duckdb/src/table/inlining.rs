//! Rows of a feature that DuckLake must not inline, see [`crate::engine::inlining`]: those with a struct that holds a `'`
//! or `\` in a text.

use ducklake_sql::{Ident, Sql, any, sql};

use super::{ColumnType, Listing};
use crate::engine::Error;
pub(crate) use crate::engine::inlining::without;

/// Whether rows, those that stand behind FROM, are few enough to be inlined in one insert, and hold a struct that would not
/// come back from a catalog as it is.
pub(crate) fn would_lose<'t>(
    listing: &Listing<'_>,
    columns: impl Iterator<Item = (&'t Ident, &'t ColumnType)>,
    rows: &Sql,
) -> Result<bool, Error> {
    let structs: Vec<&Ident> = columns.filter(|(_, of)| has_struct(of)).map(|(name, _)| name).collect();
    if structs.is_empty() {
        return Ok(false);
    }
    let most = listing.most_inlined()?;
    if most == 0 {
        return Ok(false);
    }
    // DuckDB quotes a text within a struct if it holds anything but plain characters.
    let quoted =
        any(structs.into_iter().map(|column| sql!("regexp_matches(CAST({column} AS VARCHAR), '[''\\\\]')", column)));
    let found: i64 = listing.connection().query_value(sql!(
        "SELECT CASE WHEN count(*) <= {most} THEN count(*) FILTER ({quoted}) ELSE 0 END
         FROM (SELECT * FROM {rows} LIMIT {some})",
        most,
        quoted,
        rows,
        some = most.saturating_add(1),
    ))?;
    Ok(found > 0)
}

fn has_struct(of: &ColumnType) -> bool {
    match of {
        ColumnType::Struct(_) => true,
        ColumnType::List(item) => has_struct(item),
        ColumnType::Map(key, value) => has_struct(key) || has_struct(value),
        ColumnType::Kept(name) => *name == "VARIANT",
        ColumnType::Simple(_) | ColumnType::Decimal { .. } => false,
    }
}
