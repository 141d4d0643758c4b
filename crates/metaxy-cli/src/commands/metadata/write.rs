//! `metaxy metadata write`: rows of a file into a feature, all of them or none.

use metaxy_store_duckdb::{FileFormat, InputOptions, WriteOptions};

use super::named;
use crate::args::MetadataWrite;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{self, OpenMode};
use crate::printer::Printer;
use crate::progress::Progress;

pub(crate) fn run(args: &MetadataWrite, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let key = named(&args.feature)?;
    let loaded = context.load()?;
    let mut options = InputOptions::new();
    if let Some(format) = args.format {
        options = options.format(format.into());
    }
    for of in &args.types {
        options = options.column_type(&of.column, &of.of);
    }
    let file = super::input(&args.file, &options)?;
    if file.format() == FileFormat::Parquet && !args.types.is_empty() {
        return Err(Error::Usage { message: "Parquet has types", help: "leave `--type` out" });
    }
    let mode = if args.dry_run { OpenMode::READ_OWN } else { OpenMode::WRITE };
    let project = features::open(context, &loaded, mode, printer)?;
    let features = project.features()?;
    let options = WriteOptions::new()
        .materialization_id(args.materialization_id.clone())
        .add_columns(args.add_columns)
        .unpushed(args.unpushed)
        .provenance(args.provenance.clone())
        .dry_run(args.dry_run);
    let progress = Progress::new(format!("writing `{key}`"), printer.is_quiet());
    let count = features.write_file(key, &file, &options).map_err(Error::Lake)?;
    drop(progress);
    let wrote = if args.dry_run { "would write" } else { "wrote" };
    printer.note(format_args!("{wrote} {} of `{key}`", super::rows(count)));
    drop(features);
    printer.closed(project.close())?;
    Ok(Exit::Done)
}
