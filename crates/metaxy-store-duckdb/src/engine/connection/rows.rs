//! The rows of a query, read as they are made.

use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::SchemaRef;
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

    /// The same rows, if Arrow gets each value as DuckDB has it: by its defaults the largest integers wrap around, zones of
    /// times of day are lost, and some types are bytes of DuckDB's own.
    ///
    /// # Errors
    ///
    /// When a column is of such a type.
    pub fn unchanged(self) -> Result<Self, Error> {
        let types = (0..self.statement.column_count()).map(|column| self.statement.column_logical_type(column));
        match types.into_iter().find_map(|of| changed_type(&of, false)) {
            Some(name) => Err(Error::query(said_of_unprintable_type(name))),
            None => Ok(self),
        }
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
