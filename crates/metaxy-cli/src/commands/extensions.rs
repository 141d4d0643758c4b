//! `metaxy extensions`: what the stores need of DuckDB's extensions, what is there, and how it gets there.

use std::env::consts::{ARCH, OS};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ducklake_sql::{ENGINE, Extension, Mode};
use metaxy_config::Loaded;
use metaxy_store_duckdb::{ExtensionFile, Extensions};
use serde_json::json;
use tempfile::TempDir;
use zip::ZipArchive;

use crate::args::{self, ExtensionsInstall, ExtensionsList, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::table::aligned;

pub(crate) fn run(args: &args::Extensions, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    match args {
        args::Extensions::List(args) => list(args, &needs(&loaded, context, printer)?, context.is_verbose(), printer)?,
        args::Extensions::Install(args) => install(args, &loaded, context, printer)?,
        args::Extensions::Path => {
            let store = context.store(&loaded, printer)?;
            for folder in Extensions::of(store.plan(Mode::Read))?.folders()? {
                writeln!(printer, "{}", folder.display())?;
            }
        }
    }
    Ok(Exit::Done)
}

/// An extension that stores need, and the file that they would load.
struct Need {
    extension: Extension,
    stores: Vec<String>,
    file: Option<ExtensionFile>,
}

/// What the store that is named needs, or all that can be used.
fn needs(loaded: &Loaded, context: &Context, printer: &mut Printer) -> Result<Vec<Need>, Error> {
    let mut needs: Vec<Need> = Vec::new();
    for name in stores(loaded, context, printer)? {
        let plan = loaded.config.store(name).map_err(Error::store)?.plan(Mode::Read);
        let extensions = Extensions::of(plan.clone())?;
        for extension in plan.extensions() {
            let file = extensions.find(extension)?;
            match needs.iter_mut().find(|need| need.extension.name() == extension.name() && need.file == file) {
                Some(need) => need.stores.push(name.to_owned()),
                None => needs.push(Need { extension: extension.clone(), stores: vec![name.to_owned()], file }),
            }
        }
    }
    Ok(needs)
}

/// The store that is named, or all that can be used; those that cannot are told of.
fn stores<'a>(loaded: &'a Loaded, context: &'a Context, printer: &mut Printer) -> Result<Vec<&'a str>, Error> {
    if context.named_store().is_some() {
        return Ok(vec![context.store(loaded, printer)?.name.as_str()]);
    }
    printer.warnings(&loaded.diagnostics, None);
    let (usable, broken): (Vec<_>, Vec<_>) =
        loaded.config.store_names().partition(|name| loaded.config.store(name).is_ok());
    for name in broken {
        printer
            .warn(format_args!("the store `{name}` is left out: it cannot be used"), Some("see `metaxy list stores`"));
    }
    Ok(usable)
}

fn list(args: &ExtensionsList, needs: &[Need], verbose: bool, printer: &mut Printer) -> Result<(), Error> {
    match args.format {
        TextOrJson::Json => printer.json(&json!({
            "version": 1,
            "extensions": needs.iter().map(Need::json).collect::<Vec<_>>(),
        })),
        TextOrJson::Text if needs.is_empty() => {
            printer.note("no extension is needed");
            Ok(())
        }
        TextOrJson::Text if verbose => {
            let rows: Vec<_> = needs.iter().map(|need| need.row(need.sum())).collect();
            Ok(write!(printer, "{}", aligned(["EXTENSION", "STORES", "STATE", "SHA-256", "FILE"], &rows))?)
        }
        TextOrJson::Text => {
            let rows: Vec<_> = needs
                .iter()
                .map(|need| need.row(""))
                .map(|[name, stores, state, _, file]| [name, stores, state, file])
                .collect();
            Ok(write!(printer, "{}", aligned(["EXTENSION", "STORES", "STATE", "FILE"], &rows))?)
        }
    }
}

impl Need {
    fn sum(&self) -> &str {
        self.file.as_ref().map_or("-", |file| &file.sha256)
    }

    fn row(&self, sum: &str) -> [String; 5] {
        let (state, path) = match &self.file {
            Some(file) if file.is_signed => ("signed", file.path.display().to_string()),
            Some(file) => ("unsigned", file.path.display().to_string()),
            None => ("missing", "-".to_owned()),
        };
        [self.extension.name().to_string(), self.stores.join(", "), state.to_owned(), sum.to_owned(), path]
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "name": self.extension.name().as_str(),
            "stores": self.stores,
            "path": self.file.as_ref().map(|file| &file.path),
            "sha256": self.file.as_ref().map(|file| &file.sha256),
            "signed": self.file.as_ref().map(|file| file.is_signed),
        })
    }
}

fn install(args: &ExtensionsInstall, loaded: &Loaded, context: &Context, printer: &mut Printer) -> Result<(), Error> {
    let scratch = TempDir::new()?;
    let mut installed = 0;
    // What is named is for the one store that is meant.
    let stores = if args.names.is_empty() {
        stores(loaded, context, printer)?
    } else {
        vec![context.store(loaded, printer)?.name.as_str()]
    };
    for store in stores {
        // What is installed is loaded: code from where the configuration says, signed or not as it says.
        let trusted = loaded.config.trusted_store(store).map_err(|error| Error::Lake(error.into()))?;
        let plan = trusted.plan(Mode::Read);
        let extensions = Extensions::of(plan.clone())?;
        let mut wanted = Vec::new();
        for name in &args.names {
            let named = Extension::new(name.as_str())
                .map_err(|problem| Error::ExtensionName { name: name.clone(), problem })?;
            // Of one that is configured, its repository is known.
            let configured = plan.extensions().find(|extension| extension.name() == named.name());
            wanted.push(configured.cloned().unwrap_or(named));
        }
        for extension in plan.extensions().filter(|_| args.names.is_empty()) {
            if extensions.find(extension)?.is_none_or(|file| !file.is_signed) {
                wanted.push(extension.clone());
            }
        }
        for extension in wanted {
            let name = extension.name().as_str();
            let from = match &args.from {
                Some(from) => Some(file_in(from, name, &extensions.folders()?, scratch.path())?),
                None => None,
            };
            let file = extensions
                .install(&extension, from.as_deref())
                .map_err(|error| Error::NotInstalled { name: name.to_owned(), error })?;
            printer.note(format_args!("installed {}", file.path.display()));
            installed += 1;
        }
    }
    if installed == 0 {
        printer.note("all extensions that the stores need are there");
    }
    Ok(())
}

/// The file of an extension in what the person has named; one of a wheel is unpacked.
fn file_in(from: &Path, name: &str, folders: &[PathBuf], scratch: &Path) -> Result<PathBuf, Error> {
    let file = [name, ".duckdb_extension"].concat();
    let missing = || Error::NoExtension { name: name.to_owned(), from: from.display().to_string() };
    let metadata = fs::metadata(from).map_err(|error| Error::file("reading", from, error))?;
    if metadata.is_file() {
        if from.extension().is_some_and(|extension| extension == "whl") {
            return unpacked(from, &file, scratch)?.ok_or_else(missing);
        }
        let is_it = from.file_name().is_some_and(|found| *found == *file);
        return if is_it { Ok(from.to_owned()) } else { Err(missing()) };
    }
    // An extension directory ends in the version and the platform.
    let below =
        folders.first().and_then(|folder| Some(Path::new(folder.parent()?.file_name()?).join(folder.file_name()?)));
    let candidates = below.map(|below| from.join(below).join(&file)).into_iter().chain([from.join(&file)]);
    if let Some(found) = candidates.into_iter().find(|path| path.is_file()) {
        return Ok(found);
    }
    let entries = fs::read_dir(from).map_err(|error| Error::file("reading", from, error))?;
    let mut wheels: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| is_wheel(path, name)).collect();
    wheels.sort();
    for wheel in wheels {
        if let Some(found) = unpacked(&wheel, &file, scratch)? {
            return Ok(found);
        }
    }
    Err(missing())
}

/// Whether a file is a wheel for this platform, by its name, that may have the extension.
fn is_wheel(path: &Path, extension: &str) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let processor = if ARCH == "aarch64" { ["aarch64", "arm64"] } else { [ARCH, ARCH] };
    let system = if OS == "macos" { "macosx" } else { OS };
    let stem = ["duckdb_extension_", extension, "-", ENGINE.duckdb, "-"].concat();
    name.strip_suffix(".whl").is_some_and(|tags| {
        tags.starts_with(&stem) && tags.contains(system) && processor.iter().any(|processor| tags.ends_with(processor))
    })
}

/// Unpacks a file of a wheel, whatever its folder is there; `None` where it has none.
fn unpacked(wheel: &Path, file: &str, scratch: &Path) -> Result<Option<PathBuf>, Error> {
    let broken = |source| Error::Wheel { path: wheel.display().to_string(), source };
    let mut archive =
        ZipArchive::new(File::open(wheel).map_err(|error| Error::file("reading", wheel, error))?).map_err(broken)?;
    let end = ["/", file].concat();
    let Some(entry) = archive.file_names().find(|name| name.ends_with(&end)).map(str::to_owned) else {
        return Ok(None);
    };
    let mut entry = archive.by_name(&entry).map_err(broken)?;
    let path = scratch.join(file);
    let failed = |error| Error::file("writing", &path, error);
    std::io::copy(&mut entry, &mut File::create(&path).map_err(failed)?).map_err(failed)?;
    Ok(Some(path))
}
