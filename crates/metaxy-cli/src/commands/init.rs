//! `metaxy init`: writes a commented metaxy.toml for a catalog and a storage, and a first feature file with rows for it.
//!
//! The text is put together from the files in `templates`. What is secret in it is a variable, and a file that is there is
//! never overwritten.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::path::Path;

use clap::ValueEnum;

use crate::args::{Catalog, Init, Storage};
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(args: &Init, printer: &mut Printer) -> Result<Exit, Error> {
    refuse_existing(&args.path)?;
    let (catalog, storage) = choose(args)?;
    let with_example = args.example || wants_example()?;
    let store = if with_example { with_features(STORE) } else { STORE.to_owned() };
    let text = [&store, catalog_template(catalog), storage_template(storage)].concat();
    let folder = args.path.parent().unwrap_or(Path::new(""));
    let mut files = vec![(args.path.clone(), text.as_str())];
    if with_example {
        files.extend(EXAMPLE.map(|(name, text)| (folder.join(name), text)));
        files.iter().try_for_each(|(path, _)| refuse_existing(path))?;
        let features = folder.join(FEATURES);
        fs::create_dir_all(&features).map_err(|error| Error::file("making", &features, error))?;
    }
    for (path, text) in files {
        write_new(&path, text)?;
        printer.note(format_args!("wrote {}", path.display()));
    }
    let variables = required_variables(&text);
    if !variables.is_empty() {
        printer.note(format_args!("set {}, in the environment or in a file .env", variables.join(", ")));
    }
    printer.note("next:");
    for command in next_commands(&args.path, with_example) {
        printer.note(format_args!("  metaxy {command}"));
    }
    Ok(Exit::Done)
}

const STORE: &str = include_str!("../../templates/store.toml");

/// The folder of the feature files.
const FEATURES: &str = "features";

/// The files of the example beside the configuration.
const EXAMPLE: [(&str, &str); 2] = [
    ("features/video.toml", include_str!("../../templates/example/features.toml")),
    ("videos.csv", include_str!("../../templates/example/videos.csv")),
];

fn refuse_existing(path: &Path) -> Result<(), Error> {
    if path.exists() { Err(Error::Exists(path.display().to_string())) } else { Ok(()) }
}

/// Whether the person at the terminal wants the example; nobody else does unless it is asked for.
fn wants_example() -> Result<bool, Error> {
    if !asks() {
        return Ok(false);
    }
    let question =
        dialoguer::Confirm::new().with_prompt("Also write a first feature file and a file of rows").default(true);
    let answer = question.interact_opt().map_err(|dialoguer::Error::IO(error)| error)?;
    answer.ok_or(Error::NothingChosen)
}

/// The template with the settings for features, which are comments in it.
fn with_features(template: &str) -> String {
    ["project", "ext.rust.features", "auto_create_tables"]
        .iter()
        .fold(template.to_owned(), |text, name| text.replace(&["# ", name, " ="].concat(), &[name, " ="].concat()))
}

/// Three commands to go on with.
fn next_commands(path: &Path, with_example: bool) -> [String; 3] {
    let option =
        if path.as_os_str() == "metaxy.toml" { String::new() } else { format!(" --config-file {}", quoted(path)) };
    let rows = quoted(&path.with_file_name("videos.csv"));
    let commands = if with_example {
        [
            format!("metadata write video/raw {rows} --provenance column=audio:audio_sum,frames:frames_sum"),
            "metadata status --all-features".to_owned(),
            "metadata increment video/transcript".to_owned(),
        ]
    } else {
        ["check", "preview", "sql --mode write 'CREATE TABLE sample AS SELECT 1 AS id'"].map(str::to_owned)
    };
    commands.map(|command| command + &option)
}

/// A path as a word of a shell.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |char: char| char.is_alphanumeric() || "/._-+=:@%".contains(char);
    if path.chars().all(is_plain) { path } else { ["'", &path.replace('\'', r"'\''"), "'"].concat() }
}

/// Whether there is somebody to ask.
fn asks() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn catalog_template(catalog: Catalog) -> &'static str {
    match catalog {
        Catalog::Sqlite => include_str!("../../templates/catalog-sqlite.toml"),
        Catalog::Duckdb => include_str!("../../templates/catalog-duckdb.toml"),
        Catalog::Postgres => include_str!("../../templates/catalog-postgres.toml"),
        Catalog::Quack => include_str!("../../templates/catalog-quack.toml"),
        Catalog::Motherduck => include_str!("../../templates/catalog-motherduck.toml"),
    }
}

fn storage_template(storage: Storage) -> &'static str {
    match storage {
        Storage::Local => include_str!("../../templates/storage-local.toml"),
        Storage::S3 => include_str!("../../templates/storage-s3.toml"),
        Storage::R2 => include_str!("../../templates/storage-r2.toml"),
        Storage::Gcs => include_str!("../../templates/storage-gcs.toml"),
        Storage::Azure => include_str!("../../templates/storage-azure.toml"),
        Storage::None => "",
    }
}

/// Whether a lake can be made of both.
fn go_together(catalog: Catalog, storage: Storage) -> bool {
    match catalog {
        // MotherDuck cannot reach files of this machine, and nobody has tried it with Azure here.
        Catalog::Motherduck => !matches!(storage, Storage::Local | Storage::Azure),
        _ => storage != Storage::None,
    }
}

/// What the arguments say; the rest is asked for where there is a terminal, and else the simplest.
fn choose(args: &Init) -> Result<(Catalog, Storage), Error> {
    let asks = asks();
    let fits = |catalog: &Catalog| args.storage.is_none_or(|storage| go_together(*catalog, storage));
    let catalog = pick(
        "The catalog, where the tables' metadata is",
        args.catalog,
        Catalog::value_variants().iter().copied().filter(fits).collect(),
        asks,
    )?;
    let fits = |storage: &Storage| go_together(catalog, *storage);
    let storage = pick(
        "The storage, where the data files are",
        args.storage,
        Storage::value_variants().iter().copied().filter(fits).collect(),
        asks,
    )?;
    match catalog {
        _ if go_together(catalog, storage) => Ok((catalog, storage)),
        Catalog::Motherduck => Err(Error::Usage {
            message: "MotherDuck cannot reach files of this machine, and is not offered with Azure",
            help: "choose the storage s3, r2, gcs or none",
        }),
        _ => Err(Error::Usage {
            message: "only MotherDuck keeps the data itself",
            help: "choose the storage local, s3, r2, gcs or azure, or the catalog motherduck",
        }),
    }
}

/// The one that is given, or that the person at the terminal chooses, or else the first.
fn pick<T: ValueEnum>(question: &str, given: Option<T>, mut choices: Vec<T>, asks: bool) -> Result<T, Error> {
    if let Some(given) = given {
        return Ok(given);
    }
    let chosen = if asks {
        let question = dialoguer::Select::new().with_prompt(question).default(0).items(choices.iter().map(described));
        question.interact_opt().map_err(|dialoguer::Error::IO(error)| error)?
    } else {
        Some(0)
    };
    match chosen {
        Some(index) if index < choices.len() => Ok(choices.swap_remove(index)),
        _ => Err(Error::NothingChosen),
    }
}

/// A choice as its argument, with what `--help` says about it.
fn described<T: ValueEnum>(choice: &T) -> String {
    let value = choice.to_possible_value();
    let help = value.as_ref().and_then(|value| value.get_help()).map(ToString::to_string).unwrap_or_default();
    format!("{:<11} {help}", value.as_ref().map_or("", |value| value.get_name()))
}

/// Writes a file that is not there; one that appears meanwhile is left alone, too.
fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Error::Exists(path.display().to_string()));
        }
        Err(error) => return Err(Error::file("writing", path, error)),
    };
    file.write_all(text.as_bytes()).map_err(|error| {
        // Half a file would be in the way of the next attempt.
        drop(fs::remove_file(path));
        Error::file("writing", path, error)
    })
}

/// The variables that a text refers to without a default, in order, comments left out.
fn required_variables(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let references = lines.flat_map(|line| line.split("${").skip(1)).filter_map(|rest| rest.split('}').next());
    references.filter(|name| !name.contains(":-")).collect()
}
