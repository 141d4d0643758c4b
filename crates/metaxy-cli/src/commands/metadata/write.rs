//! `metaxy metadata write`: rows of a file into a feature, all of them or none.

use metaxy_store_duckdb::WriteOptions;

use crate::args::MetadataWrite;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{How, Opened};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::source::Source;

pub(crate) fn run(args: &MetadataWrite, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let source = Source::find(&args.file, args.format)?;
    let opened = Opened::open(context, &loaded, How::WRITE, printer)?;
    let features = opened.features()?;
    let options = WriteOptions {
        materialization_id: args.materialization_id.clone(),
        add_columns: args.add_columns,
        unpushed: args.unpushed,
    };
    let progress = Progress::new(format!("writing `{}`", args.feature), printer.is_quiet());
    let reader = opened.store.connection().another().map_err(Error::Lake)?;
    let rows = source.rows(&reader, &opened, &args.feature, &args.types, &progress)?;
    let count = features.write(&args.feature, rows, &options).map_err(|error| source.failure(error))?;
    drop(progress);
    printer.note(format_args!("wrote {} of `{}`", super::rows(count), args.feature));
    drop((reader, features));
    opened.store.close().map_err(Error::Lake)?;
    Ok(Exit::Done)
}
