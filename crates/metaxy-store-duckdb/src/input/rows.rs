//! The rows of a file, as Arrow, while the engine reads them.

use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatchReader;

use super::InputFile;
use super::problem::Problem;
use crate::engine::{Error, Rows};

/// The rows of a file, each column in its type; see [`InputFile::rows`].
pub struct InputRows<'c> {
    file: &'c InputFile,
    /// What the engine knows the file by.
    path: String,
    rows: Rows<'c>,
    count: u64,
    on_progress: Option<Box<dyn FnMut(u64) + 'c>>,
}

impl<'c> InputRows<'c> {
    pub(super) fn new(file: &'c InputFile, path: String, rows: Rows<'c>) -> Self {
        Self { file, path, rows, count: 0, on_progress: None }
    }

    /// Calls this after each batch, with how many rows there were so far.
    pub fn on_progress(mut self, report: impl FnMut(u64) + 'c) -> Self {
        self.on_progress = Some(Box::new(report));
        self
    }
}

impl fmt::Debug for InputRows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputRows").field("file", self.file).field("count", &self.count).finish_non_exhaustive()
    }
}

impl Iterator for InputRows<'_> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.rows.next()?.map_err(|error| {
            let problem = Problem::of_engine(&self.file.name, &self.path, &error);
            ArrowError::ExternalError(Error::refused(problem).into())
        });
        if let Ok(batch) = &batch {
            self.count += batch.num_rows() as u64;
            if let Some(report) = &mut self.on_progress {
                report(self.count);
            }
        }
        Some(batch)
    }
}

impl RecordBatchReader for InputRows<'_> {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }
}
