//! `package`: packs every published crate as Cargo uploads it, and builds all of them from what was packed.
//!
//! `cargo package` would build each crate with everything that it depends on anew. Here the unpacked crates are in a workspace
//! like the repository's, with all else that is in that one: Cargo then wants the same features of everything that they
//! depend on, and takes what the build of the repository has made of it.

use std::fs;
use std::process::Command;

use crate::api::LIBRARIES;
use crate::error::{Context as _, Error, Result};
use crate::repo::Repo;
use crate::shell::{output, run, say};

/// Where Cargo puts what it packs, and where it is unpacked.
const FOLDER: &str = "package";

/// The folder of the crates.
const CRATES: &str = "crates";

/// Members of the workspace that are not published, and not this program.
const NOT_PUBLISHED: [&str; 2] = ["crates/metaxy-testkit", "examples"];

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
    let crates = folder.join(CRATES);
    fs::create_dir_all(&crates).context(|| format!("cannot create `{}`", repo.relative(&crates)))?;
    for name in &names {
        let stem = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let archive = folder.with_file_name(format!("{stem}.crate"));
        output(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&crates))?;
        let (from, to) = (crates.join(stem), crates.join(name));
        fs::rename(&from, to).context(|| format!("cannot rename `{}`", repo.relative(&from)))?;
    }
    for other in NOT_PUBLISHED {
        output(Command::new("cp").arg("-R").arg(repo.path(other)).arg(folder.join(other)))?;
    }
    let text = fs::read_to_string(repo.path("Cargo.toml")).context(|| "cannot read `Cargo.toml`".to_owned())?;
    let manifest = folder.join("Cargo.toml");
    fs::write(&manifest, workspace(&text, &names)?)
        .context(|| format!("cannot write `{}`", repo.relative(&manifest)))?;
    fs::copy(repo.path("Cargo.lock"), folder.join("Cargo.lock")).context(|| "cannot copy `Cargo.lock`".to_owned())?;
    let path = manifest.to_str().ok_or_else(|| Error::new("the path of the repository is no text"))?;
    // The program as a program of tests, which it has not: a test of the repository's may be running the program itself. It
    // needs all libraries.
    let build = ["test", "--no-run", "--quiet", "--workspace", "--bins", "--manifest-path", path, "--target-dir"];
    run(repo.cargo(build).arg(repo.target()))?;
    say(format_args!("package: {} crates are packed, and build from their packages", names.len()));
    Ok(())
}

/// The manifest of the repository, for a workspace in which the published crates find each other as others would find them.
fn workspace(repository: &str, published: &[&str]) -> Result<String> {
    let mut manifest: toml::Table = repository.parse().context(|| "cannot read `Cargo.toml`".to_owned())?;
    if let Some(workspace) = manifest.get_mut("workspace").and_then(toml::Value::as_table_mut) {
        let members = published.iter().map(|name| [CRATES, "/", name].concat());
        let members = members.chain(NOT_PUBLISHED.iter().map(|&other| other.to_owned()));
        workspace.insert("members".to_owned(), members.collect::<Vec<_>>().into());
    }
    let patches: Vec<_> = published.iter().map(|name| format!("{name} = {{ path = \"{CRATES}/{name}\" }}\n")).collect();
    Ok(format!("{manifest}\n[patch.crates-io]\n{}", patches.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_crates_find_each_other() {
        let repository = "[workspace]\nmembers = ['crates/*', 'xtask']\n[workspace.dependencies]\nserde = '1'\n[profile.dev]\ndebug = 1";
        let manifest: toml::Table = workspace(repository, &["a", "b"]).expect("a manifest").parse().expect("TOML");
        assert_eq!(manifest["workspace"]["members"].as_array().map(Vec::len), Some(2 + NOT_PUBLISHED.len()));
        assert_eq!(manifest["patch"]["crates-io"]["b"]["path"].as_str(), Some("crates/b"));
        // What Cargo builds others with is as it was.
        assert!(manifest["workspace"]["dependencies"].get("serde").is_some() && manifest.contains_key("profile"));
    }
}
