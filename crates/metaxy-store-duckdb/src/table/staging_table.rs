//! What happens to a batch of rows: [`StagingTable`] → [`CheckedRows`](super::CheckedRows) → the lake.
//!
//! 1. [`StagingTable::fill`] reads batches to their end. Each array becomes the one encoding of its type, which no value
//!    may lose anything by; [`SortedIds`] compares the ids of each row with those of the row before; then the batch goes
//!    into a temporary table, which the engine spills to disk beyond its memory limit.
//!    Of a file, [`StagingTable::fill_by_query`] lets the engine do it, where no type has to change.
//!    Versions that are to be made of the rows become one more column of it ([`Provenance`](crate::Provenance)).
//! 2. [`CheckedRows::check`](super::CheckedRows::check) takes the table: id columns that are there, without NULL and
//!    without duplicates (of sorted rows that is known already, of others [`DuplicateIds`](super::DuplicateIds) finds
//!    out), and `*_by_field` columns that have each field of the feature and no other.
//! 3. Who has checked rows looks at the lake with them, and inserts them in one transaction, which can be run again, since
//!    the rows stay where they are; or compares them with the rows of the lake.
//!
//! Nothing in the lake is touched before 3.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchReader};
use ducklake_sql::{Ident, Sql, list, sql};
use metaxy_feature::{FeatureDefinition, FeatureKey};

use super::sorted_ids::SortedIds;
use super::{ColumnType, Problem, Simple, TableName, first_names, id_columns, ident, names};
use crate::engine::{Connection, Error};

/// A column: its name and type.
pub(crate) type NamedColumn = (Ident, ColumnType);

/// A temporary table of rows; it goes away with the value.
#[derive(Debug)]
pub(crate) struct StagingTable<'c> {
    connection: &'c Connection,
    definition: &'c FeatureDefinition,
    table: TableName,
    columns: Vec<NamedColumn>,
    /// The columns by which its rows are told apart, be they there or not.
    ids: Vec<Ident>,
    rows: u64,
    /// Whether its rows came in ascending order of their ids, with none twice.
    is_sorted: bool,
    kept: bool,
}

impl<'c> StagingTable<'c> {
    /// Reads rows of a feature to their end.
    pub(crate) fn fill(
        connection: &'c Connection,
        definition: &'c FeatureDefinition,
        mut rows: impl RecordBatchReader,
    ) -> Result<Self, Error> {
        let mut staging = Self::create(connection, definition, &rows.schema(), ColumnType::staged)?;
        let fields: Vec<_> =
            staging.columns.iter().map(|(name, of)| Field::new(name.as_str(), of.arrow(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let mut sorted = SortedIds::new(&schema, staging.ids.iter().map(Ident::as_str));
        let uniform = rows.by_ref().map(|batch| {
            let batch = batch?;
            let arrays = batch.columns().iter().zip(&staging.columns).map(|(array, (_, of))| uniform(array, of));
            let batch = RecordBatch::try_new(Arc::clone(&schema), arrays.collect::<Result<_, ArrowError>>()?)?;
            sorted.push(&batch)?;
            staging.rows += batch.num_rows() as u64;
            Ok(batch)
        });
        connection.append(staging.table.name(), uniform)?;
        staging.is_sorted = sorted.is_sorted();
        Ok(staging)
    }

    /// Lets the engine put the rows of a query into the table, with all its threads; `None` where a column is not of the
    /// very type that the table has it in, so that a value may change on the way.
    pub(crate) fn fill_by_query(
        connection: &'c Connection,
        definition: &'c FeatureDefinition,
        query: &Sql,
    ) -> Result<Option<Self>, Error> {
        let types = |of: &Sql| {
            let types = sql!("SELECT column_name, column_type FROM (DESCRIBE {of})", of);
            connection.query_rows::<(String, String)>(types)
        };
        let schema = connection.query(sql!("SELECT * FROM ({query}) LIMIT 0", query))?.schema();
        let mut staging = Self::create(connection, definition, &schema, |of| of)?;
        let table = &staging.table;
        if types(query)? != types(&sql!("FROM {table}", table))? {
            return Ok(None);
        }
        connection.execute(sql!("INSERT INTO {table} {query}", table, query))?;
        let rows: i64 = connection.query_value(sql!("SELECT count(*) FROM {table}", table))?;
        staging.rows = u64::try_from(rows).unwrap_or_default();
        Ok(Some(staging))
    }

    /// A table for rows of these columns, without any yet, which has each in this type.
    fn create(
        connection: &'c Connection,
        definition: &'c FeatureDefinition,
        schema: &Schema,
        in_type: impl Fn(&ColumnType) -> &ColumnType,
    ) -> Result<Self, Error> {
        let (ids, columns) = (id_columns(definition.spec())?, columns(definition.key(), schema)?);
        let table = TableName::temporary()?;
        let staging = Self { connection, definition, table, columns, ids, rows: 0, is_sorted: false, kept: false };
        let columns = list(staging.columns.iter().map(|(name, of)| sql!("{name} {of}", name, of = in_type(of))));
        connection.execute(sql!("CREATE TEMP TABLE {table} ({columns})", table = staging.table, columns))?;
        Ok(staging)
    }

    /// The same rows with one more column, of this value.
    pub(crate) fn with_column(mut self, column: NamedColumn, value: &Sql) -> Result<Self, Error> {
        let (name, table) = (&column.0, TableName::temporary()?);
        self.connection.execute(sql!(
            "CREATE TEMP TABLE {table} AS SELECT *, {value} AS {name} FROM {rows}",
            table,
            value,
            name,
            rows = self.table,
        ))?;
        let replaced = std::mem::replace(&mut self.table, table);
        self.columns.push(column);
        self.connection.execute(sql!("DROP TABLE {table}", table = replaced))?;
        Ok(self)
    }

    /// Leaves the table to the connection, with which it goes away.
    pub(crate) fn keep(mut self) -> (TableName, Vec<NamedColumn>) {
        self.kept = true;
        (self.table.clone(), std::mem::take(&mut self.columns))
    }

    pub(crate) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// The feature that its rows are of.
    pub(crate) fn definition(&self) -> &'c FeatureDefinition {
        self.definition
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
    pub(crate) fn is_sorted(&self) -> bool {
        self.is_sorted
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

    /// Says that the rows have no such columns.
    pub(crate) fn lacks<'n>(&self, columns: impl IntoIterator<Item = &'n str>) -> Problem {
        Problem::MissingColumns {
            feature: self.definition.key().clone(),
            columns: names(columns),
            found: first_names(self.columns.iter().map(|(column, _)| column.as_str())),
        }
    }
}

impl Drop for StagingTable<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // Nothing is lost if this fails: the table goes away with the connection.
        drop(self.connection.execute(sql!("DROP TABLE IF EXISTS {table}", table = self.table)));
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
    if has_nanoseconds(array.data_type())
        && cast_with_options(&uniform, array.data_type(), &exact)?.to_data() != array.to_data()
    {
        return Err(ArrowError::CastError(
            "a lake keeps such a time to the microsecond, and one has more digits".into(),
        ));
    }
    Ok(uniform)
}

/// Whether a type has times in nanoseconds, of which a lake keeps microseconds.
fn has_nanoseconds(of: &DataType) -> bool {
    match of {
        DataType::Time64(TimeUnit::Nanosecond) | DataType::Timestamp(TimeUnit::Nanosecond, Some(_)) => true,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => has_nanoseconds(item.data_type()),
        DataType::Struct(members) => members.iter().any(|member| has_nanoseconds(member.data_type())),
        DataType::Dictionary(_, values) => has_nanoseconds(values),
        _ => false,
    }
}

/// The text of a UUID, which DuckDB reads: hyphens may be left out.
fn uuid(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
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
