//! Getting packages with the registries' ordinary clients, and unpacking them.
//!
//! Invariants: everything is written below the given folder, the clients' caches included; nothing of a package is
//! run; an archive is unpacked only after its sum was found right by the caller.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::make_folder;
use crate::error::{Context, Error, Result};
use crate::repo::read_folder;
use crate::shell::output;

/// Gets an npm package, given with its version, into `folder` and returns the archive.
pub(super) fn npm(package: &str, folder: &Path) -> Result<PathBuf> {
    make_folder(folder)?;
    let mut npm = Command::new("npm");
    npm.args(["pack", "--loglevel=error", "--ignore-scripts", package])
        .current_dir(folder)
        .env("npm_config_cache", folder.join("cache"))
        .env("npm_config_update_notifier", "false");
    output(&mut npm)?;
    let files = read_folder(folder)?;
    files
        .into_iter()
        .map(|(path, _)| path)
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .ok_or_else(|| Error::new(format!("`npm pack {package}` brought no archive")))
}

/// Gets the wheels of Python packages, given with their versions, for one platform into `folder`.
pub(super) fn pip(packages: &[String], platform: &str, folder: &Path) -> Result<()> {
    let mut pip = python();
    pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-input", "download"])
        .args(["--no-deps", "--only-binary=:all:", "--platform", platform, "--dest"])
        .arg(folder)
        .args(packages);
    output(&mut pip).map(drop)
}

/// Unpacks an archive of npm beside it and returns the folder.
pub(super) fn unpack_tar(archive: &Path) -> Result<PathBuf> {
    let folder = archive.with_extension("unpacked");
    make_folder(&folder)?;
    let mut tar = Command::new("tar");
    output(tar.arg("-xzf").arg(archive).arg("-C").arg(&folder))?;
    Ok(folder)
}

/// Unpacks a wheel beside it and returns the folder.
pub(super) fn unpack_wheel(wheel: &Path) -> Result<PathBuf> {
    let folder = wheel.with_extension("unpacked");
    output(python().args(["-m", "zipfile", "-e"]).arg(wheel).arg(&folder))?;
    Ok(folder)
}

/// Python, which has been with `pip` and an unpacker of wheels wherever it was installed.
fn python() -> Command {
    Command::new("python3")
}

/// A symbolic link that an npm package could not hold, as its list has it.
#[derive(Deserialize)]
struct Link {
    /// What the link leads to, from the package's root.
    source: PathBuf,
    /// The link itself, from the package's root.
    target: PathBuf,
}

/// Makes the symbolic links listed in `native/pg-symlinks.json` of an unpacked package.
pub(super) fn restore_links(package: &Path) -> Result<()> {
    let list = package.join("native/pg-symlinks.json");
    let context = || format!("cannot read the links in `{}`", list.display());
    let text = fs::read_to_string(&list).context(context)?;
    let links: Vec<Link> = serde_json::from_str(&text).context(context)?;
    for Link { source, target } in links {
        let link = package.join(&target);
        // Every link of these packages is in the folder of what it leads to, so its text is a bare file name.
        let (true, Some(name)) = (source.parent() == target.parent(), source.file_name()) else {
            return Err(Error::new(format!("the link `{}` leads to another folder", link.display())));
        };
        symlink(Path::new(name), &link).context(|| format!("cannot make the link `{}`", link.display()))?;
    }
    Ok(())
}

/// Makes every file in a folder a program.
pub(super) fn set_run_bits(folder: &Path) -> Result<()> {
    for (file, _) in read_folder(folder)? {
        make_executable(&file).context(|| format!("cannot make `{}` a program", file.display()))?;
    }
    Ok(())
}

#[cfg(unix)]
fn symlink(leads_to: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(leads_to, link)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn make_executable(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn package(list: &str) -> tempfile::TempDir {
        let package = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(package.path().join("native/lib")).expect("a folder");
        fs::write(package.path().join("native/pg-symlinks.json"), list).expect("a list");
        package
    }

    #[test]
    fn links_are_restored_from_the_list() {
        let package = package(r#"[{"source": "native/lib/libpq.so.5.18", "target": "native/lib/libpq.so"}]"#);
        restore_links(package.path()).expect("the link");
        let link = fs::read_link(package.path().join("native/lib/libpq.so")).expect("a link");
        assert_eq!(link, Path::new("libpq.so.5.18"));
    }

    #[test]
    fn a_link_out_of_its_folder_is_refused() {
        let package = package(r#"[{"source": "/etc/passwd", "target": "native/lib/libpq.so"}]"#);
        restore_links(package.path()).expect_err("it leads elsewhere");
    }
}
