//! `metaxy lock`: writes the lock file, with the features of other projects that those of this one depend on.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use metaxy_config::{LockFile, OsSystem};
use metaxy_feature::FeatureGraph;
use serde_json::json;

use crate::args::{Lock, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features::{self, OpenMode};
use crate::printer::Printer;

pub(crate) fn run(args: &Lock, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    if context.names_a_project() {
        return Err(Error::Usage {
            message: "`metaxy lock` is for the configured project alone",
            help: "leave out `--project` and `--all-projects`",
        });
    }
    let loaded = context.load()?;
    let config = &loaded.config;
    let own = config.feature_definitions(&OsSystem).map_err(Error::Features)?.unwrap_or_default();
    let path = args.output.clone().or_else(|| config.lock_file.clone()).unwrap_or_else(|| PathBuf::from("metaxy.lock"));
    let needs_none = config.extra_features.is_empty() && FeatureGraph::new(own.iter().cloned()).is_ok();
    let lock = if needs_none {
        LockFile::default()
    } else {
        let (store, options) = features::open_store_with(context, &loaded, OpenMode::READ, printer)?;
        let external = store.external_features(&options, &own, &config.extra_features).map_err(Error::Lake)?;
        let graph = external.complete_graph(own, &options).map_err(Error::Lake)?;
        store.close()?;
        LockFile::new(&graph, config.hash_truncation_length, |key| external.has(key))
    };
    let earlier = earlier(&path, printer)?;
    if args.output.is_none() && !path.exists() && path.extension().is_none_or(|extension| extension != "lock") {
        return Err(Error::NoLockFile(path.display().to_string()));
    }
    if !args.dry_run {
        std::fs::write(&path, lock.to_toml()).map_err(|error| Error::file("writing", &path, error))?;
    }
    let changes = lock.changes(&earlier);
    if args.format == TextOrJson::Json {
        let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
        printer.json(&json!({ "version": 1, "dry_run": args.dry_run, "path": path, "changes": changes }))?;
        return Ok(Exit::Done);
    }
    for change in &changes {
        printer.note(change);
    }
    let done = match (changes.is_empty(), args.dry_run) {
        (true, _) => "is up to date",
        (false, false) => "is written",
        (false, true) => "would be written",
    };
    printer.note(format_args!("{} {done}", path.display()));
    Ok(Exit::Done)
}

/// The lock file that is there.
///
/// A configuration, which may be somebody else's, says where it is: what is no lock file is not written over, and neither
/// is what a link leads to where nothing is.
fn earlier(path: &Path, printer: &mut Printer) -> Result<LockFile, Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => return Ok(LockFile::default()),
        Err(error) => return Err(Error::file("reading", path, error)),
    };
    if !text.trim().is_empty() && !LockFile::begins(&text) {
        return Err(Error::NoLockFile(path.display().to_string()));
    }
    Ok(LockFile::from_toml(&text).unwrap_or_else(|why| {
        printer.warn(format_args!("{} cannot be read, and is written anew: {why}", path.display()), None);
        LockFile::default()
    }))
}
