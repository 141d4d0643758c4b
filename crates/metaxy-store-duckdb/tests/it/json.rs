//! Rows as JSON, in and out.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use arrow::json::writer::LineDelimited;
use arrow::json::{ReaderBuilder, WriterBuilder};
use arrow::record_batch::{RecordBatchIterator, RecordBatchReader};
use metaxy_store_duckdb::Rows;
use serde_json::Value;

/// Objects as rows of this schema.
pub(crate) fn to_rows(schema: Schema, rows: &[Value]) -> impl RecordBatchReader + use<> {
    let mut decoder = ReaderBuilder::new(Arc::new(schema)).build_decoder().unwrap();
    decoder.serialize(rows).unwrap();
    let batch = decoder.flush().unwrap().unwrap();
    let schema = batch.schema();
    RecordBatchIterator::new([Ok(batch)], schema)
}

/// Rows as objects, times in microseconds.
pub(crate) fn to_json(rows: Rows<'_>) -> Vec<Value> {
    let batches: Vec<RecordBatch> = rows.map(|batch| with_numbers_for_times(&batch.unwrap())).collect();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
    writer.write_batches(&batches.iter().collect::<Vec<_>>()).unwrap();
    writer.finish().unwrap();
    let text = String::from_utf8(writer.into_inner()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A batch whose times are numbers: JSON needs to know the name of their zone.
fn with_numbers_for_times(batch: &RecordBatch) -> RecordBatch {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let is_time = matches!(column.data_type(), DataType::Timestamp(_, Some(_)));
        let column = if is_time { cast(column, &DataType::Int64).unwrap() } else { Arc::clone(column) };
        (field.name().clone(), column, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap()
}
