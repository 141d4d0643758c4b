//! Rows that come in ascending order of their ids: none of those is missing or there twice, so nothing has to be counted.

use arrow::array::{Array as _, BooleanArray, RecordBatch};
use arrow::compute::kernels::cmp::{eq, lt};
use arrow::compute::{and, or};
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;

/// Whether the rows of batches come in strictly ascending order of some columns, as far as they were pushed.
pub(crate) struct SortedIds {
    /// Where the columns are; `None` when the rows do not, or it cannot be told.
    columns: Option<Vec<usize>>,
    /// The last row that was seen.
    last: Option<RecordBatch>,
}

impl SortedIds {
    /// For texts and whole numbers: what the engine takes for the same is the same in Arrow too, but for a collation.
    pub(crate) fn new<'n>(schema: &Schema, columns: impl Iterator<Item = &'n str>) -> Self {
        let find = |name| {
            let (at, field) = schema.column_with_name(name)?;
            (*field.data_type() == DataType::Utf8 || field.data_type().is_integer()).then_some(at)
        };
        Self { columns: columns.map(find).collect(), last: None }
    }

    /// Whether the rows so far are sorted by their ids, with none missing and none twice.
    pub(crate) fn is_sorted(&self) -> bool {
        self.columns.is_some()
    }

    /// Compares the next rows with those before them.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let Some(columns) = &self.columns else { return Ok(()) };
        let Some(before) = batch.num_rows().checked_sub(1) else { return Ok(()) };
        let rows = batch.project(columns)?;
        let first = rows.slice(0, 1);
        let is_whole = rows.columns().iter().all(|column| column.null_count() == 0);
        let is_next = self.last.as_ref().map_or(Ok(true), |last| are_below(last, &first))?;
        if is_whole && is_next && are_below(&rows.slice(0, before), &rows.slice(1, before))? {
            self.last = Some(rows.slice(before, 1));
        } else {
            self.columns = None;
        }
        Ok(())
    }
}

/// Whether each row of `low` is below that of `high`, by the first column in which they differ.
fn are_below(low: &RecordBatch, high: &RecordBatch) -> Result<bool, ArrowError> {
    let mut below: Option<BooleanArray> = None;
    for (low, high) in low.columns().iter().zip(high.columns()).rev() {
        let less = lt(low, high)?;
        below = Some(match below {
            None => less,
            Some(below) => or(&less, &and(&eq(low, high)?, &below)?)?,
        });
    }
    Ok(below.is_some_and(|below| below.true_count() == below.len()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    type Row = (Option<String>, i64);

    fn holds(batches: &[Vec<Row>]) -> bool {
        let batch = |rows: &Vec<Row>| {
            let texts: ArrayRef = Arc::new(rows.iter().map(|row| row.0.as_deref()).collect::<StringArray>());
            let numbers: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>());
            RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("t", texts, true)]).unwrap()
        };
        let mut sorted = SortedIds::new(&batch(&Vec::new()).schema(), ["t", "n"].into_iter());
        for rows in batches {
            sorted.push(&batch(rows)).unwrap();
        }
        sorted.is_sorted()
    }

    fn batches() -> impl Strategy<Value = Vec<Vec<Row>>> {
        let row = (prop::option::weighted(0.9, "[a-c]{0,2}"), -2_i64..3);
        prop::collection::vec(prop::collection::vec(row, 0..4), 0..4)
    }

    proptest! {
        #[test]
        fn rows_ascend_when_each_is_above_the_one_before(
            mut batches in batches(),
            is_sorted in any::<bool>(),
        ) {
            if is_sorted {
                let mut rows: Vec<Row> = batches.concat();
                rows.sort();
                let mut rows = rows.into_iter();
                batches = batches.iter().map(|batch| rows.by_ref().take(batch.len()).collect()).collect();
            }
            let rows = batches.concat();
            let expected = rows.iter().all(|row| row.0.is_some()) && rows.is_sorted_by(|low, high| low < high);
            prop_assert_eq!(holds(&batches), expected);
        }
    }

    #[test]
    fn a_row_alone_needs_an_id_too() {
        assert!(holds(&[vec![(Some("a".to_owned()), 1)]]));
        assert!(!holds(&[vec![(None, 1)]]));
    }

    #[test]
    fn of_other_types_nothing_is_said() {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, 0.0]));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let mut sorted = SortedIds::new(&batch.schema(), ["n"].into_iter());
        sorted.push(&batch).unwrap();
        assert!(!sorted.is_sorted());
        assert!(!SortedIds::new(&batch.schema(), ["unknown"].into_iter()).is_sorted());
    }
}
