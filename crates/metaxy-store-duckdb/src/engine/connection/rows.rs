//! The rows of a query, read as they are made.

use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchIterator, RecordBatchReader};

use super::{Connection, Error};

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
