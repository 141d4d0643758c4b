//! Rows as a table, as JSON, CSV or Parquet, batch by batch while the engine produces them.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch, StringArray, make_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, JsonArray, WriterBuilder, make_encoder};
use arrow::util::display::{ArrayFormatter, ArrayFormatterFactory as _, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_schema;

use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::args::RowFormat;
use crate::error::Error;
use crate::values::Values;
use crate::visible::steers;

/// After so many rows a table is printed and another begun, since the widths of its columns need all of its rows.
const TABLE_ROWS: usize = 10_000;

/// So many rows of a Parquet file are in memory at a time; it is DuckDB's own number.
const PARQUET_GROUP: usize = 122_880;

/// Longer lines of a value are cut in a table.
const TABLE_CELL: usize = 80;

/// What takes rows, batch by batch.
pub(crate) trait Sink {
    /// Takes more rows, of the columns that it was made for.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error>;

    /// Writes what is left.
    fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// Prints rows.
pub(crate) fn print(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, metaxy_store_duckdb::Error>>,
    format: RowFormat,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut sink = sink(schema, format, out)?;
    for batch in batches {
        sink.write(&batch.map_err(Error::Lake)?)?;
    }
    sink.finish()
}

/// The first rows, so many at most.
pub(crate) fn first<E>(
    batches: impl Iterator<Item = Result<RecordBatch, E>>,
    most: usize,
) -> impl Iterator<Item = Result<RecordBatch, E>> {
    let mut left = most;
    batches.map_while(move |batch| match batch {
        Ok(_) if left == 0 => None,
        Ok(batch) => {
            let taken = batch.num_rows().min(left);
            left -= taken;
            Some(Ok(batch.slice(0, taken)))
        }
        Err(error) => Some(Err(error)),
    })
}

/// A sink that prints the rows of these columns.
pub(crate) fn sink<'w>(
    schema: &SchemaRef,
    format: RowFormat,
    out: &'w mut dyn Write,
) -> Result<Box<dyn Sink + 'w>, Error> {
    // The columns are known without rows, too.
    let none = RecordBatch::new_empty(Arc::clone(schema));
    Ok(match format {
        RowFormat::Table => Box::new(Table::new(&none, out)),
        RowFormat::Json => Box::new(Json::new(out)),
        RowFormat::Csv => Box::new(Csv::new(&none, out)),
        RowFormat::Parquet => Box::new(Parquet::new(&none, out)?),
    })
}

struct Json<'w>(arrow::json::Writer<&'w mut dyn Write, JsonArray>);

impl<'w> Json<'w> {
    fn new(out: &'w mut dyn Write) -> Self {
        // A row that is NULL in a column says so; else a program could not tell it from a column that is not there.
        Self(WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(Values)).build(out))
    }
}

impl Sink for Json<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        Ok(self.0.write(&map_columns(batch, widened)?)?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.0.finish()?;
        Ok(writeln!(self.0.into_inner())?)
    }
}

/// CSV, in which nothing between two commas is NULL, and `""` an empty text.
struct Csv<'w> {
    /// Until it is written: behind the texts of the first rows, which may fail, and without rows, too.
    header: Option<String>,
    out: &'w mut dyn Write,
}

impl<'w> Csv<'w> {
    fn new(none: &RecordBatch, out: &'w mut dyn Write) -> Self {
        let schema = none.schema();
        let names: Vec<String> = schema.fields().iter().map(|field| csv_field(field.name())).collect();
        Self { header: Some(names.join(",")), out }
    }

    fn write_header(&mut self) -> Result<(), Error> {
        Ok(self.header.take().map_or(Ok(()), |header| self.out.write_all([&header, "\n"].concat().as_bytes()))?)
    }
}

impl Sink for Csv<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let batch = map_columns(&map_columns(batch, widened)?, |field, column| {
            // CSV has no nested values.
            if column.data_type().is_nested() { as_json(field, column) } else { Ok(Arc::clone(column)) }
        })?;
        let columns = batch.columns().iter().map(|column| texts(column, "")).collect::<Result<Vec<_>, _>>()?;
        self.write_header()?;
        for row in 0..batch.num_rows() {
            let mut line = String::new();
            for (index, (column, texts)) in batch.columns().iter().zip(&columns).enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let field = texts.get(row).filter(|_| column.is_valid(row)).map(|text| csv_field(text));
                line.push_str(comma);
                line.push_str(&field.unwrap_or_default());
            }
            line.push('\n');
            self.out.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.write_header()
    }
}

/// A text as a field of CSV, in quotes where it needs some.
fn csv_field(text: &str) -> String {
    if text.is_empty() || text.contains([',', '"', '\n', '\r']) {
        ["\"", &text.replace('"', "\"\""), "\""].concat()
    } else {
        text.to_owned()
    }
}

/// Rows until they are printed, since the widths of columns need all of them.
struct Table<'w> {
    header: SchemaRef,
    pending: Vec<RecordBatch>,
    rows: usize,
    is_first: bool,
    out: &'w mut dyn Write,
}

impl<'w> Table<'w> {
    fn new(none: &RecordBatch, out: &'w mut dyn Write) -> Self {
        let schema = none.schema();
        let names = schema.fields().iter().map(|field| Field::new(cell(field.name()), DataType::Utf8, true));
        let header = Arc::new(Schema::new(names.collect::<Vec<_>>()));
        Self { header, pending: Vec::new(), rows: 0, is_first: true, out }
    }

    fn print(&mut self) -> Result<(), Error> {
        writeln!(self.out, "{}", pretty_format_batches_with_schema(Arc::clone(&self.header), &self.pending)?)?;
        self.pending.clear();
        self.rows = 0;
        self.is_first = false;
        Ok(())
    }
}

impl Sink for Table<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.pending.push(map_columns(&map_columns(batch, widened)?, |_, column| as_cells(column))?);
        self.rows += batch.num_rows();
        if self.rows >= TABLE_ROWS { self.print() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        if self.is_first || self.rows > 0 { self.print() } else { Ok(()) }
    }
}

/// A Parquet file, which goes out group by group of rows.
struct Parquet<'w> {
    writer: ArrowWriter<Vec<u8>>,
    out: &'w mut dyn Write,
}

impl<'w> Parquet<'w> {
    fn new(none: &RecordBatch, out: &'w mut dyn Write) -> Result<Self, Error> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(PARQUET_GROUP))
            .build();
        let schema = none.schema();
        if let Some(field) = schema.fields().iter().find(|field| !is_of_parquet(field.data_type())) {
            return Err(Error::NotOfParquet { column: field.name().clone() });
        }
        let schema = map_columns(none, for_parquet)?.schema();
        Ok(Self { writer: ArrowWriter::try_new(Vec::new(), schema, Some(properties))?, out })
    }
}

impl Sink for Parquet<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.writer.write(&map_columns(batch, for_parquet)?)?;
        // The writer counts what it wrote, so what is taken from it here is not missed.
        Ok(self.out.write_all(&std::mem::take(self.writer.inner_mut()))?)
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        let Self { writer, out } = *self;
        Ok(out.write_all(&writer.into_inner()?)?)
    }
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
    as_type(column, |of| match of {
        DataType::Decimal128(38, 0) => Some(DataType::Decimal256(39, 0)),
        _ => None,
    })
}

/// A column as Parquet has it: with no seconds of its own for a timestamp, and at most 38 digits, of which other programs
/// read a decimal.
fn for_parquet(field: &Arc<Field>, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    check_digits(column.as_ref()).map_err(|_| {
        let what = ["the column `", field.name(), "` has a HUGEINT of 39 digits, of which Parquet has 38"];
        ArrowError::CastError(what.concat())
    })?;
    as_type(column, |of| match of {
        DataType::Timestamp(TimeUnit::Second, zone) => Some(DataType::Timestamp(TimeUnit::Millisecond, zone.clone())),
        _ => None,
    })
}

/// Refuses decimals with more digits than their type says.
fn check_digits(column: &dyn Array) -> Result<(), ArrowError> {
    if let (Some(decimals), DataType::Decimal128(digits, _)) =
        (column.as_primitive_opt::<Decimal128Type>(), column.data_type())
    {
        return decimals.validate_decimal_precision(*digits);
    }
    column.to_data().child_data().iter().try_for_each(|part| check_digits(&make_array(part.clone())))
}

/// Whether Parquet has values of a type.
fn is_of_parquet(of: &DataType) -> bool {
    match of {
        DataType::Union(..) | DataType::Interval(_) | DataType::Duration(_) => false,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => is_of_parquet(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_of_parquet(field.data_type())),
        _ => true,
    }
}

/// A column with other types for those that `other` has one for, wherever in its own they stand.
fn as_type(column: &ArrayRef, other: impl Fn(&DataType) -> Option<DataType>) -> Result<ArrayRef, ArrowError> {
    let exact = CastOptions { safe: false, ..CastOptions::default() };
    match replaced(column.data_type(), &other) {
        Some(of) => cast_with_options(column, &of, &exact),
        None => Ok(Arc::clone(column)),
    }
}

/// A type with other ones in it; `None` where there are none to replace.
fn replaced(of: &DataType, other: &impl Fn(&DataType) -> Option<DataType>) -> Option<DataType> {
    let field =
        |field: &Arc<Field>| Some(Arc::new(field.as_ref().clone().with_data_type(replaced(field.data_type(), other)?)));
    match of {
        DataType::List(item) => field(item).map(DataType::List),
        DataType::LargeList(item) => field(item).map(DataType::LargeList),
        DataType::FixedSizeList(item, length) => Some(DataType::FixedSizeList(field(item)?, *length)),
        DataType::Map(entries, is_sorted) => Some(DataType::Map(field(entries)?, *is_sorted)),
        DataType::Struct(fields) => {
            let found: Vec<_> = fields.iter().map(field).collect();
            let has_any = found.iter().any(Option::is_some);
            let fields = fields.iter().zip(found).map(|(field, found)| found.unwrap_or_else(|| Arc::clone(field)));
            has_any.then(|| DataType::Struct(fields.collect()))
        }
        of => other(of),
    }
}

/// A column as the texts that a table shows.
fn as_cells(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let cells = texts(column, "NULL")?;
    Ok(Arc::new(StringArray::from_iter_values(cells.iter().map(|text| cell(text)))))
}

/// The text of each value; an error if one has none.
fn texts(column: &ArrayRef, null: &str) -> Result<Vec<String>, ArrowError> {
    let options = FormatOptions::new().with_display_error(false).with_null(null).with_formatter_factory(Some(&Values));
    let own = Values.create_array_formatter(column, &options, None)?;
    let formatter = own.map_or_else(|| ArrayFormatter::try_new(column, &options), Ok)?;
    (0..column.len()).map(|row| formatter.value(row).try_to_string()).collect()
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
            if steers(character) && character != '\n' {
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
    let options = EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(Values));
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
