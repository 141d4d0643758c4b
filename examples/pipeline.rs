//! A pipeline of features: what is new is made, and after a change only what depends on it.
//!
//! ```text
//! cargo run -p metaxy-examples --example pipeline
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use ducklake_sql::Mode;
use metaxy_config::{Config, LoadOptions, OsSystem};
use metaxy_feature::FeatureKey;
use metaxy_store_duckdb::{
    Change, Features, GraphSource, Increment, InputFile, InputOptions, Project, ProjectOptions, ResolveOptions,
    WriteOptions,
};

/// The videos, each with the versions of its fields: hashes of their bytes, or times of their files.
const VIDEOS: &str = r#"
{"id": "1", "path": "videos/1.mp4", "metaxy_provenance_by_field": {"audio": "a1", "frames": "f1"}}
{"id": "2", "path": "videos/2.mp4", "metaxy_provenance_by_field": {"audio": "a2", "frames": "f2"}}
{"id": "3", "path": "videos/3.mp4", "metaxy_provenance_by_field": {"audio": "a3", "frames": "f3"}}
"#;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("pipeline"), &mut io::stdout().lock())
}

/// Runs the pipeline that a folder describes, on a lake below it.
fn run(folder: &Path, out: &mut dyn Write) -> Result<()> {
    let config = Config::load(&OsSystem, &LoadOptions::file(folder.join("metaxy.toml")))?.config;
    let graph = config.feature_graph(&OsSystem)?.ok_or("the configuration names no feature files")?;
    let options = ProjectOptions::new(Mode::Write).graph(GraphSource::Given(graph));
    let project = Project::open(&config, &config.store, options)?;
    project.features()?.push(&[("run".to_owned(), "example".to_owned())].into())?;

    writeln!(out, "Three videos come in.")?;
    update(&project, VIDEOS, out)?;

    writeln!(out, "\nNothing changes.")?;
    update(&project, VIDEOS, out)?;

    writeln!(out, "\nThe audio of one video is recorded again.")?;
    update(&project, &VIDEOS.replace("a2", "a2-again"), out)?;
    Ok(())
}

/// Brings every feature up to date, each after those that it depends on.
fn update(project: &Project, videos: &str, out: &mut dyn Write) -> Result<()> {
    let features = project.features()?;
    let videos = InputFile::from_reader("videos", videos.as_bytes(), &InputOptions::new())?;
    let connection = project.store().connection().another()?;
    for definition in features.graph().iter() {
        let key = definition.key();
        let options = ResolveOptions::new();
        let mut increment = if definition.spec().deps().is_empty() {
            features.resolve_samples(key, videos.rows(&connection, &features, key)?, &options)?
        } else {
            features.resolve_update(key, &options)?
        };
        let [new, stale] = [Change::New, Change::Stale].map(|change| increment.count(change));
        writeln!(out, "  {key:16}  {new} new, {stale} stale")?;
        make(&features, key, &mut increment)?;
    }
    Ok(())
}

/// Makes the rows that are new or stale, and writes them.
fn make(features: &Features<'_>, key: &FeatureKey, increment: &mut Increment) -> Result<()> {
    for change in [Change::New, Change::Stale] {
        // They come with the columns of the features above, and with the versions to write them with. Here is where a
        // program would listen to the audio or look at the frames, and add columns of its own.
        let rows = increment.rows(change)?.into_reader();
        features.write(key, rows, &WriteOptions::new())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use metaxy_testkit::TempDir;

    #[test]
    fn the_book_shows_what_it_prints() -> super::Result<()> {
        let folder = TempDir::new();
        folder.write("metaxy.toml", include_str!("pipeline/metaxy.toml"));
        folder.write("features.toml", include_str!("pipeline/features.toml"));
        let mut out = Vec::new();
        super::run(folder.path(), &mut out)?;
        let out = String::from_utf8(out)?;
        assert!(include_str!("../docs/book/src/reference/crates.md").contains(&out), "{out}");
        Ok(())
    }
}
