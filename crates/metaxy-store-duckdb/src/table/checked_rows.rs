//! Rows in a temporary table that were checked as far as they can be without a look at the lake.

use ducklake_sql::{Ident, Sql, any, list, sql};
use metaxy_feature::{FeatureDefinition, SYSTEM_COLUMNS};

use super::{BY_FIELD, ByField, DuplicateIds, NamedColumn, Problem, StagingTable, TableName};
use super::{members, names};
use crate::engine::{Connection, Error};

/// Rows of a feature of which each has ids, no two have the same, and every one has the version of each field.
///
/// Only [`CheckedRows::check`] makes one, so what takes one need not check again.
#[derive(Debug)]
pub(crate) struct CheckedRows<'r> {
    staging: StagingTable<'r>,
    members: Vec<Ident>,
    provenance: ByField,
    data_version: Option<ByField>,
}

impl<'r> CheckedRows<'r> {
    /// Checks the rows of a table.
    pub(crate) fn check(staging: StagingTable<'r>) -> Result<Self, Error> {
        let (key, spec) = (staging.definition().key(), staging.definition().spec());
        let members = members(spec)?;
        let [provenance, data_version] = BY_FIELD;
        let missing = || {
            let example = spec.fields().iter().map(|field| [r#"""#, &field.key.struct_key(), r#"": "1""#].concat());
            let example = ["{", &example.collect::<Vec<_>>().join(", "), "}"].concat();
            Problem::NoProvenance { feature: key.clone(), example, is_root: spec.deps().is_empty() }
        };
        if staging.column(provenance).is_none() {
            return Err(missing().into());
        }
        check_ids(&staging)?;
        let provenance = by_field(&staging, provenance, &members)?.ok_or_else(missing)?;
        let data_version = by_field(&staging, data_version, &members)?;
        Ok(Self { staging, members, provenance, data_version })
    }

    /// The feature that they are of.
    pub(crate) fn definition(&self) -> &'r FeatureDefinition {
        self.staging.definition()
    }

    /// The temporary table that they are in.
    pub(crate) fn table(&self) -> &TableName {
        self.staging.table()
    }

    /// How many they are.
    pub(crate) fn count(&self) -> u64 {
        self.staging.rows()
    }

    pub(crate) fn columns(&self) -> &[NamedColumn] {
        self.staging.columns()
    }

    pub(crate) fn column(&self, name: &str) -> Option<&NamedColumn> {
        self.staging.column(name)
    }

    /// The columns that are not Metaxy's.
    pub(crate) fn user_columns(&self) -> Vec<NamedColumn> {
        let is_user = |(name, _): &&NamedColumn| !SYSTEM_COLUMNS.contains(&name.as_str());
        self.columns().iter().filter(is_user).cloned().collect()
    }

    /// The members of the structs, in the order of the specification.
    pub(crate) fn members(&self) -> &[Ident] {
        &self.members
    }

    /// What their `metaxy_provenance_by_field` is.
    pub(crate) fn provenance(&self) -> &ByField {
        &self.provenance
    }

    /// What their `metaxy_data_version_by_field` is, if it is there.
    pub(crate) fn data_version(&self) -> Option<&ByField> {
        self.data_version.as_ref()
    }

    /// Leaves the table to the connection, with which it goes away: its name, columns, and what its provenance is.
    pub(crate) fn keep(self) -> (TableName, Vec<NamedColumn>, ByField) {
        let (table, columns) = self.staging.keep();
        (table, columns, self.provenance)
    }
}

/// Checks that every row has an id, and no two the same.
fn check_ids(rows: &StagingTable<'_>) -> Result<(), Error> {
    let (feature, ids, connection) = (rows.definition().key(), rows.ids(), rows.connection());
    let missing: Vec<&str> = ids.iter().map(Ident::as_str).filter(|id| rows.column(id).is_none()).collect();
    if !missing.is_empty() {
        return Err(rows.lacks(missing).into());
    }
    if rows.is_sorted() {
        return Ok(());
    }
    let is_null = any(ids.iter().map(|id| sql!("{id} IS NULL", id)));
    let table = rows.table();
    let nulls: i64 = connection.query_value(sql!("SELECT count(*) FROM {table} WHERE {is_null}", table, is_null))?;
    if nulls > 0 {
        let columns = names(ids.iter().map(Ident::as_str));
        return Err(Problem::NullIds { feature: feature.clone(), columns, count: nulls }.into());
    }
    let duplicates = DuplicateIds::find(connection, rows.rows(), ids, &sql!("{table}", table))?;
    let among = duplicates.map(|duplicates| sql!("WHERE {among}", among = duplicates.condition(ids)));
    let ids = list(ids);
    let twice = sql!("SELECT {ids} FROM {table} {among} GROUP BY {ids} HAVING count(*) > 1", ids, table, among);
    let count: i64 = connection.query_value(sql!("SELECT count(*) FROM ({twice})", twice))?;
    if count == 0 {
        return Ok(());
    }
    let example: String =
        connection.query_value(sql!("SELECT CAST(row({ids}) AS VARCHAR) FROM ({twice} LIMIT 1)", ids, twice))?;
    Err(Problem::DuplicateIds { feature: feature.clone(), count, example }.into())
}

/// What a `*_by_field` column of the rows is, if it is there: a struct or map with exactly the feature's fields.
fn by_field(rows: &StagingTable<'_>, column: &'static str, members: &[Ident]) -> Result<Option<ByField>, Error> {
    let Some((_, found)) = rows.column(column) else { return Ok(None) };
    let feature = rows.definition().key();
    let not = || Problem::NotByField { feature: feature.clone(), column, found: found.to_string() };
    let by_field = ByField::of(found).ok_or_else(not)?;
    let members: Vec<&str> = members.iter().map(Ident::as_str).collect();
    let keys = match &by_field {
        ByField::Struct(found) => Some(found.iter().map(|name| (name.to_string(), true)).collect::<Vec<_>>()),
        ByField::Map => map_keys(rows.connection(), rows.table(), column)?,
    };
    let Some(keys) = keys else { return Ok(Some(by_field)) };
    let is_everywhere = |member: &&&str| keys.iter().any(|(key, everywhere)| key == **member && *everywhere);
    let missing: Vec<&str> = members.iter().filter(|member| !is_everywhere(member)).copied().collect();
    if !missing.is_empty() {
        return Err(Problem::MissingFields { feature: feature.clone(), column, fields: names(missing) }.into());
    }
    let unknown: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).filter(|key| !members.contains(key)).collect();
    if !unknown.is_empty() {
        return Err(Problem::UnknownFields { feature: feature.clone(), column, fields: names(unknown) }.into());
    }
    Ok(Some(by_field))
}

/// The keys of a column of maps, and whether every map has each; `None` if there is no map.
fn map_keys(
    connection: &Connection,
    table: &TableName,
    column: &'static str,
) -> Result<Option<Vec<(String, bool)>>, Error> {
    let column = Sql::fixed(column);
    let maps: i64 = connection.query_value(sql!("SELECT count({column}) FROM {table}", column, table))?;
    if maps == 0 {
        return Ok(None);
    }
    let keys: Vec<(String, i64)> = connection.query_rows(sql!(
        "SELECT key, count(*)
         FROM (SELECT unnest(map_keys({column})) AS key FROM {table})
         GROUP BY key
         ORDER BY key",
        column,
        table,
    ))?;
    Ok(Some(keys.into_iter().map(|(key, count)| (key, count == maps)).collect()))
}
