//! The rows of a query, read as they are made.

use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use duckdb::core::{LogicalTypeHandle, LogicalTypeId};

use super::{Connection, Error};
use crate::engine::cause::said_of_unprintable_type;

/// The rows of a query, as Arrow batches of up to 2048 rows.
pub struct Rows<'connection> {
    pub(super) schema: SchemaRef,
    pub(super) statement: duckdb::Statement<'connection>,
    pub(super) connection: &'connection Connection,
    pub(super) start: Instant,
    pub(super) count: usize,
}

impl std::fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl<'c> Rows<'c> {
    /// The columns' names and types.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The rows for whatever takes Arrow's own trait, [`Features::write`](crate::Features::write) among it.
    pub fn into_reader(self) -> impl RecordBatchReader + use<'c> {
        let schema = self.schema();
        RecordBatchIterator::new(
            self.map(|batch| batch.map_err(|error| ArrowError::ExternalError(error.into()))),
            schema,
        )
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let connection = self.connection;
        let step = || self.statement.step().map_err(|error| connection.failed(&error, None));
        match connection.running.next(&connection.interrupt, step) {
            Ok(Some(batch)) => {
                let batch = RecordBatch::from(&batch);
                self.count += batch.num_rows();
                Some(Ok(batch))
            }
            Ok(None) => {
                tracing::debug!(rows = self.count, duration = ?self.start.elapsed(), "all rows are read");
                None
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// Checks that Arrow gets each value as DuckDB has it: by its defaults the largest integers wrap around, zones of times of
/// day are lost, and some types are bytes of DuckDB's own. With `arrow_lossless_conversion` they come as extension types.
pub(super) fn are_unchanged(statement: &duckdb::Statement<'_>) -> Result<(), Error> {
    for (column, field) in statement.schema().fields().iter().enumerate() {
        if let Some(of) = changed_type(&statement.column_logical_type(column), false)
            && !has_extension_type(field)
        {
            return Err(Error::query(said_of_unprintable_type(of, field.name())));
        }
    }
    Ok(())
}

/// Whether a value of this field, or one within, is of an extension type that DuckDB has made for it.
fn has_extension_type(field: &Field) -> bool {
    field.extension_type_name() == Some("arrow.opaque")
        || match field.data_type() {
            DataType::List(inner) | DataType::LargeList(inner) | DataType::FixedSizeList(inner, _) => {
                has_extension_type(inner)
            }
            DataType::Map(inner, _) => has_extension_type(inner),
            DataType::Struct(inner) => inner.iter().any(|field| has_extension_type(field)),
            DataType::Union(inner, _) => inner.iter().any(|(_, field)| has_extension_type(field)),
            _ => false,
        }
}

/// The type whose values Arrow gets other than they are, if it is or has such a one.
fn changed_type(of: &LogicalTypeHandle, in_union: bool) -> Option<&'static str> {
    match of.try_id().ok()? {
        LogicalTypeId::UHugeint => Some("UHUGEINT"),
        LogicalTypeId::TimeTZ => Some("TIMETZ"),
        LogicalTypeId::Bit => Some("BIT"),
        LogicalTypeId::Bignum => Some("BIGNUM"),
        // It comes as a decimal with a digit too few, which its reader can widen, but not here.
        LogicalTypeId::Hugeint if in_union => Some("HUGEINT"),
        id @ (LogicalTypeId::List
        | LogicalTypeId::Array
        | LogicalTypeId::Struct
        | LogicalTypeId::Map
        | LogicalTypeId::Union) => {
            let in_union = in_union || id == LogicalTypeId::Union;
            (0..of.num_children()).find_map(|child| changed_type(&of.child(child), in_union))
        }
        _ => None,
    }
}
