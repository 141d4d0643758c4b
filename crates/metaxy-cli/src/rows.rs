//! Rows as a table, as JSON or as CSV, batch by batch while the engine produces them.

use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::csv;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, JsonArray, WriterBuilder, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_schema;

use crate::args::RowFormat;
use crate::error::Error;
use crate::printer::Printer;

/// After so many rows a table is printed and another begun, since the widths of its columns need all of its rows.
const TABLE_ROWS: usize = 10_000;

/// Longer lines of a value are cut in a table.
const TABLE_CELL: usize = 80;

/// Prints rows to stdout.
pub(crate) fn print(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, metaxy_store_duckdb::Error>>,
    format: RowFormat,
    printer: &mut Printer,
) -> Result<(), Error> {
    let batches = batches.map(|batch| Ok(map_columns(&batch.map_err(Error::Lake)?, widened)?));
    match format {
        RowFormat::Table => table(schema, batches, printer),
        RowFormat::Json => json(batches, printer),
        RowFormat::Csv => csv(schema, batches, printer),
    }
}

fn json(batches: impl Iterator<Item = Result<RecordBatch, Error>>, printer: &mut Printer) -> Result<(), Error> {
    // A row that is NULL in a column says so; else a program could not tell it from a column that is not there.
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut *printer);
    for batch in batches {
        writer.write(&batch?)?;
    }
    writer.finish()?;
    Ok(writeln!(printer)?)
}

fn csv(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, Error>>,
    printer: &mut Printer,
) -> Result<(), Error> {
    let mut writer = csv::Writer::new(printer);
    // The header is there without rows, too.
    let none = RecordBatch::new_empty(Arc::clone(schema));
    for batch in std::iter::once(Ok(none)).chain(batches) {
        writer.write(&map_columns(&batch?, |field, column| {
            // CSV has no nested values.
            if column.data_type().is_nested() { as_json(field, column) } else { Ok(Arc::clone(column)) }
        })?)?;
    }
    Ok(())
}

fn table(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, Error>>,
    printer: &mut Printer,
) -> Result<(), Error> {
    let as_cells = |batch: &RecordBatch| map_columns(batch, |_, column| as_cells(column));
    let names = schema.fields().iter().map(|field| Field::new(cell(field.name()), DataType::Utf8, true));
    let header = Arc::new(Schema::new(names.collect::<Vec<_>>()));
    let mut pending = Vec::new();
    let mut rows = 0;
    let mut is_first = true;
    for batch in batches {
        let batch = as_cells(&batch?)?;
        rows += batch.num_rows();
        pending.push(batch);
        if rows >= TABLE_ROWS {
            writeln!(printer, "{}", pretty_format_batches_with_schema(Arc::clone(&header), &pending)?)?;
            pending.clear();
            rows = 0;
            is_first = false;
        }
    }
    if is_first || rows > 0 {
        writeln!(printer, "{}", pretty_format_batches_with_schema(header, &pending)?)?;
    }
    Ok(())
}

/// The batch with every column replaced.
fn map_columns(
    batch: &RecordBatch,
    map: impl Fn(&Arc<Field>, &ArrayRef) -> Result<ArrayRef, ArrowError>,
) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, column)| map(field, column)).collect::<Result<Vec<_>, _>>()?;
    let fields = schema.fields().iter().zip(&columns);
    let fields = fields.map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
}

/// A HUGEINT has up to 39 digits, but comes as a decimal of 38, to which it would be cut.
fn widened(_: &Arc<Field>, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Decimal128(38, 0) => cast(column, &DataType::Decimal256(39, 0)),
        _ => Ok(Arc::clone(column)),
    }
}

/// A column as the texts that a table shows.
fn as_cells(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = FormatOptions::new().with_display_error(true).with_null("NULL");
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let cells = (0..column.len()).map(|row| cell(&formatter.value(row).to_string()));
    Ok(Arc::new(StringArray::from_iter_values(cells)))
}

/// A value whose lines are not too long for a table, and that cannot steer the terminal.
fn cell(value: &str) -> String {
    let mut cell = String::new();
    let mut width = 0;
    for character in value.chars() {
        width = if character == '\n' { 0 } else { width + 1 };
        if width == TABLE_CELL + 1 {
            cell.push('…');
        } else if width <= TABLE_CELL {
            if character.is_control() && character != '\n' {
                cell.extend(character.escape_default());
            } else {
                cell.push(character);
            }
        }
    }
    cell
}

/// A column with each value as JSON.
fn as_json(field: &Arc<Field>, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(field, column, &options)?;
    let values = (0..column.len()).map(|row| {
        if encoder.is_null(row) {
            return None;
        }
        let mut json = Vec::new();
        encoder.encode(row, &mut json);
        Some(String::from_utf8_lossy(&json).into_owned())
    });
    Ok(Arc::new(values.collect::<StringArray>()))
}

/// What DuckDB answers to a statement that is no query: how many rows it changed, or nothing.
pub(crate) fn is_answer(schema: &Schema) -> bool {
    let [field] = schema.fields().as_ref() else { return false };
    matches!((field.name().as_str(), field.data_type()), ("Count", DataType::Int64) | ("Success", DataType::Boolean))
}
