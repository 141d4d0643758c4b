//! `metaxy metadata increment`: the rows that a feature has to make, to make again or to remove.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use metaxy_feature::FeatureKey;
use metaxy_store_duckdb::{CHANGE_COLUMN, Change, Increment, InputFile, InputOptions, Marked, Project};

use super::{named, resolve_options, rows as in_words};
use crate::args::{self, MetadataIncrement};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{self, OpenMode};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::rows;

pub(crate) fn run(args: &MetadataIncrement, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let key = named(&args.feature)?;
    let loaded = context.load()?;
    let samples = args.samples.as_deref().map(|file| super::input(file, &InputOptions::new())).transpose()?;
    let reading = OpenMode::reading(&args.fallbacks);
    let how = if args.mark { reading.and_writing() } else { reading };
    let project = features::open(context, &loaded, how, printer)?;
    let progress = Progress::new(format!("comparing `{key}`"), printer.is_quiet());
    let mut increment = resolve(args, key, &project, samples.as_ref(), &progress)?;
    drop(progress);
    let counts = Change::ALL.map(|change| format!("{} {}", increment.count(change), name(change)));
    printer.note(format_args!("{}", counts.join(", ")));
    let wanted = wanted(args);
    let count = wanted.iter().map(|one| increment.count(*one)).sum();
    let progress =
        Progress::new(format!("fetching {}", in_words(count)), printer.is_quiet()).of(u64::try_from(count).ok());
    args.output.with(printer, |out| {
        let schema = schema(&mut increment, &wanted)?;
        let mut sink = rows::sink(&schema, args.output.format, out)?;
        for change in wanted {
            for batch in increment.rows(change).map_err(Error::Lake)? {
                let batch = conformed(&batch.map_err(Error::Lake)?, &schema, change)?;
                progress.add(batch.num_rows());
                sink.write(&batch)?;
            }
        }
        sink.finish()
    })?;
    drop(progress);
    if args.mark {
        match project.features()?.mark(&increment).map_err(Error::Lake)? {
            Marked::Kept => printer.note("what differs is marked"),
            Marked::Unchanged => printer.note("nothing has changed since the mark"),
            Marked::NotKept(reason) => printer.warn(format_args!("what differs is not marked: {reason}"), None),
            _ => {}
        }
    }
    drop(increment);
    printer.closed(project.close())?;
    Ok(Exit::Done)
}

fn resolve(
    args: &MetadataIncrement,
    key: &FeatureKey,
    project: &Project,
    samples: Option<&InputFile>,
    progress: &Progress,
) -> Result<Increment, Error> {
    let options = resolve_options(key, &args.filters, &args.global_filters, &args.stale_if);
    let options = options.distinct(args.distinct).provenance(args.provenance.clone()).full(args.full);
    let features = project.features()?;
    let Some(samples) = samples else { return features.resolve_update(key, &options).map_err(Error::Lake) };
    let reader = project.store().connection().for_files().map_err(Error::Lake)?;
    let rows = samples.rows(&reader, &features, key).map_err(Error::Lake)?;
    let rows = rows.on_progress(|rows| progress.set(rows));
    features.resolve_samples(key, rows, &options).map_err(Error::Lake)
}

/// The changes that are wanted, each once, in their order.
fn wanted(args: &MetadataIncrement) -> Vec<Change> {
    let is_wanted = |change: &Change| {
        let word = match change {
            Change::New => args::Change::New,
            Change::Stale => args::Change::Stale,
            Change::Orphaned => args::Change::Orphaned,
        };
        args.only.as_ref().is_none_or(|only| only.contains(&word))
    };
    Change::ALL.into_iter().filter(is_wanted).collect()
}

fn name(change: Change) -> &'static str {
    match change {
        Change::New => "new",
        Change::Stale => "stale",
        Change::Orphaned => "orphaned",
    }
}

/// The column that says what there is to do, and the columns of all kinds of rows; the first that has one says its type.
fn schema(increment: &mut Increment, wanted: &[Change]) -> Result<SchemaRef, Error> {
    let mut fields = vec![Arc::new(Field::new(CHANGE_COLUMN, DataType::Utf8, false))];
    for change in wanted {
        let schema = increment.rows(*change).map_err(Error::Lake)?.schema();
        for field in schema.fields() {
            if fields.iter().all(|known| known.name() != field.name()) {
                fields.push(Arc::new(field.as_ref().clone().with_nullable(true)));
            }
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The rows with all columns: what they do not have is NULL.
fn conformed(batch: &RecordBatch, schema: &SchemaRef, change: Change) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
        match batch.column_by_name(field.name()) {
            _ if field.name() == CHANGE_COLUMN => {
                Ok(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(name(change), batch.num_rows()))))
            }
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => {
                cast_with_options(column, field.data_type(), &CastOptions { safe: false, ..CastOptions::default() })
            }
        }
    };
    RecordBatch::try_new(Arc::clone(schema), schema.fields().iter().map(column).collect::<Result<_, _>>()?)
}
