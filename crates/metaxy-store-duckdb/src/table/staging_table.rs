//! Rows from outside, put into a temporary table before anything in the lake is touched.
//!
//! They can be checked there, and written again when a transaction has to be retried. Batches go in one at a time; the
//! engine spills the table to disk beyond its memory limit.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchReader};
use ducklake_sql::{Ident, Sql, Writer};
use metaxy_feature::FeatureKey;

use super::sorted_ids::Ascending;
use super::{ByField, ColumnType, Problem, Simple, TableName, ident, names};
use crate::engine::{Connection, Error};

/// A column: its name and type.
pub(crate) type NamedColumn = (Ident, ColumnType);

/// A temporary table of rows; it goes away with the value.
#[derive(Debug)]
pub(crate) struct Stage<'c> {
    connection: &'c Connection,
    table: TableName,
    columns: Vec<NamedColumn>,
    /// The columns by which its rows are told apart, be they there or not.
    ids: Vec<Ident>,
    rows: u64,
    /// Whether its rows came in ascending order of their ids, with none twice.
    is_ascending: bool,
    kept: bool,
}

impl<'c> Stage<'c> {
    /// Reads rows to their end.
    pub(crate) fn fill(
        connection: &'c Connection,
        feature: &FeatureKey,
        ids: Vec<Ident>,
        mut rows: impl RecordBatchReader,
    ) -> Result<Self, Error> {
        let columns = columns(feature, &rows.schema())?;
        let fields: Vec<_> = columns.iter().map(|(name, of)| Field::new(name.as_str(), of.arrow(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let table = TableName::temporary()?;
        let mut stage = Self { connection, table, columns, ids, rows: 0, is_ascending: false, kept: false };
        connection.execute(Sql::build(|sql| {
            stage.table.write(sql.keyword("CREATE TEMP TABLE "));
            for (index, (name, of)) in stage.columns.iter().enumerate() {
                of.staged().write(sql.keyword(if index == 0 { " (" } else { ", " }).ident(name).keyword(" "));
            }
            sql.keyword(")");
        }))?;
        let mut ascending = Ascending::new(&schema, stage.ids.iter().map(Ident::as_str));
        let uniform = rows.by_ref().map(|batch| {
            let batch = batch?;
            let arrays = batch.columns().iter().zip(&stage.columns).map(|(array, (_, of))| uniform(array, of));
            let batch = RecordBatch::try_new(Arc::clone(&schema), arrays.collect::<Result<_, ArrowError>>()?)?;
            ascending.see(&batch)?;
            stage.rows += batch.num_rows() as u64;
            Ok(batch)
        });
        connection.append(stage.table.name(), uniform)?;
        stage.is_ascending = ascending.holds();
        Ok(stage)
    }

    /// Leaves the table to the connection, with which it goes away.
    pub(crate) fn keep(mut self) -> (TableName, Vec<NamedColumn>) {
        self.kept = true;
        (self.table.clone(), std::mem::take(&mut self.columns))
    }

    pub(crate) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// The columns by which its rows are told apart, be they there or not.
    pub(crate) fn ids(&self) -> &[Ident] {
        &self.ids
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether its rows came in ascending order of their ids, with none missing and none twice.
    pub(crate) fn is_ascending(&self) -> bool {
        self.is_ascending
    }

    pub(crate) fn table(&self) -> &TableName {
        &self.table
    }

    pub(crate) fn columns(&self) -> &[NamedColumn] {
        &self.columns
    }

    pub(crate) fn column(&self, name: &str) -> Option<&NamedColumn> {
        self.columns.iter().find(|(column, _)| column.as_str() == name)
    }

    /// The keys of a column of maps, and whether every map has each; `None` if there is no map.
    pub(crate) fn map_keys(&self, column: &'static str) -> Result<Option<Vec<(String, bool)>>, Error> {
        let maps = self.connection.number(&Sql::build(|sql| {
            self.table.write(sql.keyword("SELECT count(").keyword(column).keyword(") FROM "));
        }))?;
        if maps == 0 {
            return Ok(None);
        }
        let keys = self.connection.rows_of_text(&Sql::build(|sql| {
            sql.keyword("SELECT key, CAST(count(*) AS VARCHAR) FROM (SELECT unnest(map_keys(").keyword(column);
            self.table.write(sql.keyword(")) AS key FROM "));
            sql.keyword(") GROUP BY key ORDER BY key");
        }))?;
        let maps = maps.to_string();
        let keys = keys.into_iter().filter_map(|row| <[Option<String>; 2]>::try_from(row).ok());
        Ok(Some(keys.map(|[key, count]| (key.unwrap_or_default(), count.as_ref() == Some(&maps))).collect()))
    }

    /// What a `*_by_field` column of the rows is, if it is there: a struct or map with exactly the feature's fields.
    pub(crate) fn by_field(
        &self,
        feature: &FeatureKey,
        column: &'static str,
        members: &[Ident],
    ) -> Result<Option<ByField>, Error> {
        let Some((_, found)) = self.column(column) else { return Ok(None) };
        let not = || Problem::NotByField { feature: feature.clone(), column, found: found.to_string() };
        let by_field = ByField::of(found).ok_or_else(not)?;
        let members: Vec<&str> = members.iter().map(Ident::as_str).collect();
        let keys = match &by_field {
            ByField::Struct(found) => Some(found.iter().map(|name| (name.to_string(), true)).collect::<Vec<_>>()),
            ByField::Map => self.map_keys(column)?,
        };
        let Some(keys) = keys else { return Ok(Some(by_field)) };
        let is_everywhere = |member: &&&str| keys.iter().any(|(key, everywhere)| key == **member && *everywhere);
        let missing: Vec<&str> = members.iter().filter(|member| !is_everywhere(member)).copied().collect();
        if !missing.is_empty() {
            return Err(Problem::MissingFields { feature: feature.clone(), column, fields: names(missing) }.into());
        }
        let unknown: Vec<&str> =
            keys.iter().map(|(key, _)| key.as_str()).filter(|key| !members.contains(key)).collect();
        if !unknown.is_empty() {
            return Err(Problem::UnknownFields { feature: feature.clone(), column, fields: names(unknown) }.into());
        }
        Ok(Some(by_field))
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // Nothing is lost if this fails: the table goes away with the connection.
        let table = Sql::build(|sql| self.table.write(sql.keyword("DROP TABLE IF EXISTS ")));
        drop(self.connection.execute(table));
    }
}

/// An array in the one encoding in which its type is staged; an error if a value would not stay the same.
fn uniform(array: &ArrayRef, of: &ColumnType) -> Result<ArrayRef, ArrowError> {
    if let (ColumnType::Simple(Simple::Uuid), Some(bytes)) = (of, array.as_fixed_size_binary_opt()) {
        return Ok(Arc::new(bytes.iter().map(|bytes| bytes.map(uuid)).collect::<StringArray>()));
    }
    if let (ColumnType::Decimal { width, .. }, Some(decimals)) = (of, array.as_primitive_opt::<Decimal128Type>()) {
        // What DuckDB hands out for a HUGEINT may have a digit more than its type says.
        decimals.validate_decimal_precision(*width)?;
    }
    let into = of.arrow();
    if *array.data_type() == into {
        return Ok(Arc::clone(array));
    }
    let exact = CastOptions { safe: false, ..CastOptions::default() };
    let mut uniform = cast_with_options(array, &into, &exact)?;
    if *uniform.data_type() != into {
        // From a list of fixed length comes a list whose items are still called as they were.
        uniform = cast_with_options(&uniform, &into, &exact)?;
    }
    let is_time = matches!(array.data_type(), DataType::Time64(_) | DataType::Timestamp(..));
    if is_time && cast_with_options(&uniform, array.data_type(), &exact)?.to_data() != array.to_data() {
        return Err(ArrowError::CastError(
            "a lake keeps such a time to the microsecond, and one has more digits".into(),
        ));
    }
    Ok(uniform)
}

/// The text of a UUID, which DuckDB reads: hyphens may be left out.
fn uuid(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// Writes columns with commas.
pub(crate) fn columns_of<'s>(sql: &'s mut Writer, columns: &[Ident]) -> &'s mut Writer {
    for (index, column) in columns.iter().enumerate() {
        sql.comma(index).ident(column);
    }
    sql
}

/// Whether DuckDB takes a column for the number of a row.
pub(crate) fn is_row_id(column: &Ident) -> bool {
    column.as_str().eq_ignore_ascii_case("rowid")
}

/// The columns of rows, each of a type that a lake holds.
fn columns(feature: &FeatureKey, schema: &Schema) -> Result<Vec<NamedColumn>, Problem> {
    let mut columns: Vec<NamedColumn> = Vec::new();
    for field in schema.fields() {
        let name = ident(field.name())?;
        if columns.iter().any(|(other, _)| other.as_str().eq_ignore_ascii_case(name.as_str())) {
            return Err(Problem::SameColumn { feature: feature.clone(), column: name.to_string() });
        }
        if is_row_id(&name) {
            return Err(Problem::RowId(feature.clone()));
        }
        let unsupported = || Problem::UnsupportedType {
            feature: feature.clone(),
            column: field.name().clone(),
            found: field.data_type().to_string(),
        };
        columns.push((name, ColumnType::of_field(field).ok_or_else(unsupported)?));
    }
    Ok(columns)
}
