//! `metaxy metadata read`: the rows of a feature, while the engine produces them.

use arrow::array::RecordBatch;
use metaxy_store_duckdb::{ReadOptions, Snapshot, Versions};

use super::named;
use crate::args::MetadataRead;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{self, OpenMode};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::rows;

pub(crate) fn run(args: &MetadataRead, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let key = named(&args.feature)?;
    let loaded = context.load()?;
    let how = OpenMode::reading(&args.fallbacks);
    let project = features::open(context, &loaded, how, printer)?;
    let options = ReadOptions::new()
        .columns(args.columns.clone())
        .filters(args.filters.clone())
        .versions(if args.with_feature_history { Versions::Any } else { Versions::Current })
        .all_rows(args.with_sample_history)
        .deleted(args.include_soft_deleted)
        .at(args.at.as_deref().map_or(Snapshot::Latest, |at| {
            at.parse().map_or_else(|_| Snapshot::Time(at.to_owned()), Snapshot::Number)
        }));
    let features = project.features()?;
    let progress = Progress::new(format!("reading `{key}`"), printer.is_quiet());
    let read = features.read(key, &options).map_err(Error::Lake)?;
    let schema = read.schema();
    let counted = read.inspect(|batch| progress.add(batch.as_ref().map_or(0, RecordBatch::num_rows)));
    let limited = rows::first(counted, args.limit.unwrap_or(usize::MAX));
    args.output.with(printer, |out| rows::print(&schema, limited, args.output.format, out))?;
    drop(progress);
    drop(features);
    project.close()?;
    Ok(Exit::Done)
}
