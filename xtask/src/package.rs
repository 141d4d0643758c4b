//! `package`: packs every published crate as Cargo uploads it, and builds all of them from what was packed.
//!
//! `cargo package` would build each crate with everything that it depends on anew. Here the unpacked crates are one
//! workspace, and what they need from others is built once.

use std::fs;

use crate::api::LIBRARIES;
use crate::error::{Context as _, Error, Result};
use crate::repo::Repo;
use crate::shell::{output, run, say};

/// Where Cargo puts what it packs, and where it is unpacked.
const FOLDER: &str = "package";

/// The program's crate.
pub(crate) const PROGRAM: &str = "metaxy-cli";

/// Packs and builds.
///
/// # Errors
///
/// When a crate cannot be packed, or does not build from its package.
pub(crate) fn package(repo: &Repo) -> Result<()> {
    let names: Vec<&str> = LIBRARIES.into_iter().chain([PROGRAM]).collect();
    let mut pack = repo.cargo(["package", "--quiet", "--no-verify", "--allow-dirty"]);
    run(pack.args(names.iter().flat_map(|name| ["--package", name])))?;

    let folder = repo.target().join(FOLDER).join("unpacked");
    if folder.exists() {
        fs::remove_dir_all(&folder).context(|| format!("cannot remove `{}`", repo.relative(&folder)))?;
    }
    fs::create_dir_all(&folder).context(|| format!("cannot create `{}`", repo.relative(&folder)))?;
    let mut members = Vec::new();
    for name in &names {
        let stem = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let archive = folder.with_file_name(format!("{stem}.crate"));
        output(std::process::Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder))?;
        members.push((*name, stem));
    }
    let manifest = folder.join("Cargo.toml");
    let profile = profile(repo)?;
    fs::write(&manifest, [workspace(&members), profile].concat())
        .context(|| format!("cannot write `{}`", repo.relative(&manifest)))?;
    fs::copy(repo.path("Cargo.lock"), folder.join("Cargo.lock")).context(|| "cannot copy `Cargo.lock`".to_owned())?;
    let path = manifest.to_str().ok_or_else(|| Error::new("the path of the repository is no text"))?;
    // The program as a program of tests, which it has not: a test of the repository's may be running the program itself. It
    // needs all libraries, with the features of what was built for tests before.
    let build =
        ["test", "--no-run", "--quiet", "--package", PROGRAM, "--bins", "--manifest-path", path, "--target-dir"];
    run(repo.cargo(build).arg(repo.target()))?;
    say(format_args!("package: {} crates are packed, and build from their packages", names.len()));
    Ok(())
}

/// How the repository builds: with another profile, all that the crates need would be built again.
fn profile(repo: &Repo) -> Result<String> {
    let text = fs::read_to_string(repo.path("Cargo.toml")).context(|| "cannot read `Cargo.toml`".to_owned())?;
    let mut manifest: toml::Table = text.parse().context(|| "cannot read `Cargo.toml`".to_owned())?;
    manifest.retain(|key, _| key == "profile");
    Ok(format!("\n{manifest}"))
}

/// The manifest of a workspace of crates, each a name and its folder, which find each other there.
fn workspace(members: &[(&str, String)]) -> String {
    let folders: Vec<_> = members.iter().map(|(_, folder)| format!("{folder:?}")).collect();
    let patches: Vec<_> = members.iter().map(|(name, folder)| format!("{name} = {{ path = {folder:?} }}\n")).collect();
    format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n[patch.crates-io]\n{}",
        folders.join(", "),
        patches.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_crates_find_each_other() {
        let manifest = workspace(&[("a", "a-1".to_owned()), ("b", "b-1".to_owned())]);
        let manifest: toml::Table = manifest.parse().expect("TOML");
        assert_eq!(manifest["workspace"]["members"].as_array().map(Vec::len), Some(2));
        assert_eq!(manifest["patch"]["crates-io"]["b"]["path"].as_str(), Some("b-1"));
    }
}
