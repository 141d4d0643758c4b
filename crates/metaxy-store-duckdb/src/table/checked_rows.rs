//! Rows in a temporary table that were checked as far as they can be without a look at the lake.

use ducklake_sql::{Ident, Sql, Writer};
use metaxy_feature::{FeatureDefinition, FeatureKey, SYSTEM_COLUMNS};

use super::{BY_FIELD, ByField, DuplicateIds, NamedColumn, Problem, StagingTable, TableName};
use super::{members, names, write_columns};
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
        if staging.column(provenance).is_none() {
            return Err(missing_columns(key, [provenance]));
        }
        check_ids(&staging)?;
        let Some(provenance) = by_field(&staging, provenance, &members)? else {
            return Err(missing_columns(key, [provenance]));
        };
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
        return Err(missing_columns(feature, missing));
    }
    if rows.is_sorted() {
        return Ok(());
    }
    let nulls = connection.number(&Sql::build(|sql| {
        rows.table().write(sql.keyword("SELECT count(*) FROM "));
        for (index, id) in ids.iter().enumerate() {
            sql.keyword(if index == 0 { " WHERE " } else { " OR " }).ident(id).keyword(" IS NULL");
        }
    }))?;
    if nulls > 0 {
        let columns = names(ids.iter().map(Ident::as_str));
        return Err(Problem::NullIds { feature: feature.clone(), columns, count: nulls }.into());
    }
    let duplicates = DuplicateIds::find(connection, rows.rows(), ids, |sql| rows.table().write(sql))?;
    let twice = |sql: &mut Writer| {
        rows.table().write(write_columns(sql.keyword("SELECT "), ids).keyword(" FROM "));
        if let Some(duplicates) = &duplicates {
            duplicates.write(sql.keyword(" WHERE "), ids);
        }
        write_columns(sql.keyword(" GROUP BY "), ids).keyword(" HAVING count(*) > 1");
    };
    let count = connection.number(&Sql::build(|sql| {
        twice(sql.keyword("SELECT count(*) FROM ("));
        sql.keyword(")");
    }))?;
    if count == 0 {
        return Ok(());
    }
    let example = connection.text(&Sql::build(|sql| {
        write_columns(sql.keyword("SELECT CAST(row("), ids).keyword(") AS VARCHAR) FROM (");
        twice(sql);
        sql.keyword(" LIMIT 1)");
    }));
    let example = example.map_err(Error::query)?.unwrap_or_default();
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
    let maps = connection.number(&Sql::build(|sql| {
        table.write(sql.keyword("SELECT count(").keyword(column).keyword(") FROM "));
    }))?;
    if maps == 0 {
        return Ok(None);
    }
    let keys = connection.rows_of_text(&Sql::build(|sql| {
        sql.keyword("SELECT key, CAST(count(*) AS VARCHAR) FROM (SELECT unnest(map_keys(").keyword(column);
        table.write(sql.keyword(")) AS key FROM "));
        sql.keyword(") GROUP BY key ORDER BY key");
    }))?;
    let maps = maps.to_string();
    let keys = keys.into_iter().filter_map(|row| <[Option<String>; 2]>::try_from(row).ok());
    Ok(Some(keys.map(|[key, count]| (key.unwrap_or_default(), count.as_ref() == Some(&maps))).collect()))
}

fn missing_columns<'c>(feature: &FeatureKey, columns: impl IntoIterator<Item = &'c str>) -> Error {
    Problem::MissingColumns { feature: feature.clone(), columns: names(columns) }.into()
}
