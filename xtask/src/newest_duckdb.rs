//! `newest-duckdb`: whether the workspace builds with the newest crate `duckdb` as well, and what needs no engine passes.
//!
//! A copy of the repository gets the versions of [`NEWEST`]. Only the compiler sees the newer DuckDB: nothing is run with it
//! until its extensions are packaged, when [`crate::pins`] moves to it.

use std::fs;
use std::path::Path;

use toml_edit::{DocumentMut, Item};

use crate::error::{Context, Error, Result};
use crate::repo::Repo;
use crate::setup::{self, make_folder, remove};
use crate::shell::{run, say};

/// What differs in `[workspace.dependencies]`, and the versions there: those of DuckDB 2.0.0.
const NEWEST: [(&str, &str); 3] = [("duckdb", "=1.20000.1"), ("arrow", "60.1"), ("parquet", "60.1")];

/// What runs without DuckDB.
const PURE: [&str; 4] = ["ducklake-sql", "metaxy-diagnostics", "metaxy-feature", "metaxy-config"];

/// Copies, builds and tests.
///
/// # Errors
///
/// When a crate does not build with these versions, or a test fails.
pub(crate) fn newest_duckdb(repo: &Repo) -> Result<()> {
    setup::run(repo, &setup::Options { no_postgres: true, ..Default::default() })?;
    let folder = repo.target().join("newest-duckdb");
    remove(&folder)?;
    for file in repo.files()? {
        let to = folder.join(repo.relative(&file));
        make_folder(to.parent().unwrap_or(&folder))?;
        fs::copy(&file, &to).context(|| format!("cannot copy `{}`", repo.relative(&file)))?;
    }
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).context(|| "cannot read `Cargo.toml`".to_owned())?;
    fs::write(&manifest, with_versions(&text)?).context(|| format!("cannot write `{}`", repo.relative(&manifest)))?;

    build(repo, &folder, &["check", "--quiet", "--workspace", "--all-targets"])?;
    build(repo, &folder, &[&["test", "--quiet"], &PURE.map(|name| ["--package", name]).concat()[..]].concat())?;
    let versions = NEWEST.map(|(name, version)| format!("{name} {}", version.trim_start_matches('=')));
    say(format_args!("newest-duckdb: all builds with {}, and what needs no engine passes", versions.join(", ")));
    Ok(())
}

/// Runs Cargo in the copy. The library is that of the repository: it is named, but nothing is run with it.
fn build(repo: &Repo, folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut cargo = repo.cargo(arguments.iter().copied());
    cargo.current_dir(folder).env("DUCKDB_LIB_DIR", repo.path(".deps/duckdb"));
    run(cargo.env("CARGO_TARGET_DIR", repo.target()))
}

/// The manifest of the workspace with the versions of [`NEWEST`].
fn with_versions(manifest: &str) -> Result<String> {
    let mut document: DocumentMut = manifest.parse().context(|| "cannot read `Cargo.toml`".to_owned())?;
    for (name, version) in NEWEST {
        let dependency = document["workspace"]["dependencies"].get_mut(name);
        let dependency = dependency.filter(|item| !item.is_none());
        let dependency = dependency.ok_or_else(|| Error::new(format!("`Cargo.toml` has no dependency `{name}`")))?;
        match dependency.as_table_like_mut() {
            Some(table) => drop(table.insert("version", toml_edit::value(version))),
            None => *dependency = Item::from(version),
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_the_workspace_are_replaced() {
        let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"));
        let changed = with_versions(&manifest.expect("the manifest")).expect("it has all of them");
        let changed: toml::Table = changed.parse().expect("TOML");
        let dependencies = &changed["workspace"]["dependencies"];
        assert_eq!(dependencies["duckdb"].as_str(), Some("=1.20000.1"));
        assert_eq!(dependencies["arrow"]["version"].as_str(), Some("60.1"));
        assert_eq!(dependencies["arrow"]["default-features"].as_bool(), Some(false));
        with_versions("[workspace.dependencies]\narrow = '1'").expect_err("it lacks one");
    }
}
