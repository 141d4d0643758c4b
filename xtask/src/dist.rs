//! `dist`: packages that run from anywhere, without a network: an archive, and a wheel for Python's `pip`.
//!
//! Both have the program, DuckDB's library, its extensions, and the licences and parts of all of it. The program finds
//! the library and the extensions in `../lib/metaxy`, which is right in an unpacked archive and in an environment of
//! Python. The same sources give the same bytes: files are sorted, and have one time and one owner.

mod licences;
mod pack;
mod sbom;
mod trial;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checksums;
use crate::error::{Context, Error, Result};
use crate::metadata::Metadata;
use crate::package::PROGRAM;
use crate::pins::{self, Platform};
use crate::repo::Repo;
use crate::setup::{self, make_folder, remove};
use crate::shell::{output, run, say};
use pack::Entry;
use sbom::Binary;
use trial::Trial;

/// The wheel's name on an index, and with `_` that of its files.
const WHEEL: &str = "metaxy-ducklake";

/// The program's name in a wheel: Python Metaxy has `metaxy` and `mx`, and one would replace the other.
const NAME_IN_WHEEL: &str = "metaxy-rs";

/// Where the library is, relative to the root of a package; `../lib/metaxy` from the program, see `metaxy-cli/build.rs`.
const LIBRARY: &str = "lib/metaxy";

/// A folder of the repository by which programs find DuckDB in development, and must not elsewhere.
const DEVELOPMENT: &[u8] = b"/.deps/duckdb";

/// What to pack, and how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The program, built already; else it is built for release.
    program: Option<PathBuf>,
    /// Where the packages go.
    output: PathBuf,
    /// How much to compress, from 0 to 9.
    level: u32,
    /// Whether to follow the tutorial with the packages, and where.
    trial: Option<Trial>,
}

impl Options {
    /// Reads `--program FILE`, `--output FOLDER`, `--level N`, `--try` and `--root FOLDER`.
    ///
    /// # Errors
    ///
    /// For anything else.
    pub(crate) fn parse(args: &mut impl Iterator<Item = OsString>) -> Result<Self> {
        let mut options = Self { program: None, output: "target/dist".into(), level: 9, trial: None };
        while let Some(arg) = args.next() {
            if arg == "--try" {
                options.trial.get_or_insert_default();
                continue;
            }
            let usage = || {
                Error::new(
                    "expected `--program FILE`, `--output FOLDER`, `--level N` (0 to 9), `--try`, `--root FOLDER` or nothing",
                )
            };
            let value = args.next().ok_or_else(usage)?;
            match arg.to_str() {
                Some("--program") => options.program = Some(value.into()),
                Some("--output") => options.output = value.into(),
                Some("--root") => options.trial.get_or_insert_default().root = Some(value.into()),
                Some("--level") => {
                    let level = value.to_str().and_then(|level| level.parse().ok()).filter(|level| *level <= 9);
                    options.level = level.ok_or_else(usage)?;
                }
                _ => return Err(usage()),
            }
        }
        Ok(options)
    }
}

/// Packs.
///
/// # Errors
///
/// When something cannot be had, the program does not build, or it is one that looks for DuckDB in the repository.
pub(crate) fn dist(repo: &Repo, options: &Options) -> Result<()> {
    let platform = Platform::current()?;
    setup::run(repo, &setup::Options { no_postgres: true, ..Default::default() })?;
    let program = match &options.program {
        Some(program) => program.clone(),
        None => build(repo)?,
    };
    let output = repo.path(&options.output);
    let name = format!("metaxy-{}-{}", env!("CARGO_PKG_VERSION"), platform.duckdb);
    let folder = output.join(&name);
    remove(&folder)?;
    lay_out(repo, platform, &program, &folder)?;

    let archive = output.join(format!("{name}.tar.gz"));
    let wheel = output.join(format!(
        "{}-{}-{}.whl",
        WHEEL.replace('-', "_"),
        env!("CARGO_PKG_VERSION"),
        tag(platform, &folder)?
    ));
    pack::tar(&archive, Entry::below(&folder, |path| Some(format!("{name}/{path}")))?, options.level)?;
    pack_wheel(repo, platform, &folder, &wheel, options.level)?;
    let mut sums = String::new();
    for package in [&archive, &wheel] {
        let file = package.file_name().unwrap_or_default().to_string_lossy();
        sums.extend([&*checksums::of(package)?, "  ", &file, "\n"]);
        say(format_args!("dist: {}, {} MB", repo.relative(package), size(package)? / 1_000_000));
    }
    write(&output.join("SHA256SUMS"), sums)?;
    options.trial.as_ref().map_or(Ok(()), |trial| trial.run(repo, &output))
}

/// Builds the program as it is published.
fn build(repo: &Repo) -> Result<PathBuf> {
    let target = repo.target().join("dist/build");
    let mut cargo = repo.cargo(["build", "--release", "--locked", "--package", PROGRAM, "--bin", "metaxy"]);
    // These take the place of the flags by which programs find DuckDB in the repository; no path of this machine stays.
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let flags: Vec<_> = home.iter().map(|home| remap(home, "cargo")).chain([remap(&repo.path(""), "metaxy")]).collect();
    run(cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).arg("--target-dir").arg(&target))?;
    let program = target.join("release/metaxy");
    let bytes = fs::read(&program).context(|| format!("cannot read `{}`", program.display()))?;
    if contains(&bytes, DEVELOPMENT) {
        return Err(Error::new("the program that was built looks for DuckDB in `.deps`, which others could put there"));
    }
    Ok(program)
}

/// Puts everything that a package holds in its place.
fn lay_out(repo: &Repo, platform: &Platform, program: &Path, folder: &Path) -> Result<()> {
    let deps = repo.path(".deps");
    let put = |from: &Path, to: &str| {
        let to = folder.join(to);
        make_folder(to.parent().unwrap_or(folder))?;
        fs::copy(from, &to).context(|| format!("cannot copy `{}`", from.display())).map(|_| to)
    };
    let installed = put(program, "bin/metaxy")?;
    let mut binaries = Vec::new();
    let library =
        put(&deps.join("duckdb").join(platform.library_file), &format!("{LIBRARY}/{}", platform.library_file))?;
    binaries.push(Binary { name: "duckdb", version: pins::DUCKDB, sha256: checksums::of(&library)? });
    for (name, _) in platform.extensions() {
        let file = format!("extensions/v{}/{}/{name}.duckdb_extension", pins::DUCKDB, platform.duckdb);
        let extension = put(&deps.join(&file), &format!("{LIBRARY}/{file}"))?;
        binaries.push(Binary { name, version: pins::DUCKDB, sha256: checksums::of(&extension)? });
    }
    for file in ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        put(&repo.path(file), &format!("share/doc/metaxy/{file}"))?;
    }
    let metadata = Metadata::read_for(repo, &host(repo)?)?;
    let packages = metadata.linked_into(PROGRAM)?;
    let licences = licences::text(&packages.iter().map(|(package, _)| *package).collect::<Vec<_>>())?;
    write(&folder.join("share/doc/metaxy/LICENCES-OF-OTHERS.txt"), licences)?;
    let document = format!("{:#}\n", sbom::document(PROGRAM, &packages, &binaries));
    write(&folder.join("share/doc/metaxy/sbom.cdx.json"), document)?;

    // The program itself knows its pages and completions, which shows too that it starts from here.
    let metaxy = |args: &[&str]| {
        let mut metaxy = Command::new(&installed);
        metaxy.env_clear().args(args);
        metaxy
    };
    output(metaxy(&["man"]).arg(folder.join("share/man/man1")))?;
    for (shell, file) in [
        ("bash", "bash-completion/completions/metaxy"),
        ("fish", "fish/vendor_completions.d/metaxy.fish"),
        ("zsh", "zsh/site-functions/_metaxy"),
    ] {
        write(&folder.join("share").join(file), output(&mut metaxy(&["completions", shell]))?)?;
    }
    Ok(())
}

/// Packs the wheel: program, library and extensions, which `pip` puts below the environment's folder.
fn pack_wheel(repo: &Repo, platform: &Platform, folder: &Path, wheel: &Path, level: u32) -> Result<()> {
    let stem = format!("{}-{}", WHEEL.replace('-', "_"), env!("CARGO_PKG_VERSION"));
    let info = format!("{stem}.dist-info");
    let mut entries = Entry::below(folder, |path| match path.strip_prefix("share/doc/metaxy/") {
        Some("sbom.cdx.json") => Some(format!("{info}/sboms/sbom.cdx.json")),
        Some(file) if file.starts_with("LICEN") => Some(format!("{info}/licenses/{file}")),
        _ if path == "bin/metaxy" => Some(format!("{stem}.data/scripts/{NAME_IN_WHEEL}")),
        _ if path.starts_with(LIBRARY) => Some(format!("{stem}.data/data/{path}")),
        _ => None,
    })?;
    let readme = repo.path("crates/metaxy-cli/README.md");
    let readme = fs::read_to_string(&readme).context(|| format!("cannot read `{}`", readme.display()))?;
    let licences: String = ["LICENCES-OF-OTHERS.txt", "LICENSE-APACHE", "LICENSE-MIT"]
        .map(|file| format!("License-File: {file}\n"))
        .concat();
    entries.push(Entry::text(
        format!("{info}/METADATA"),
        format!(
            "Metadata-Version: 2.4\nName: {WHEEL}\nVersion: {}\n\
             Summary: Metaxy on DuckLake: the program `{NAME_IN_WHEEL}`, with DuckDB and its extensions\n\
             License-Expression: MIT OR Apache-2.0\n{licences}\
             Requires-Python: >=3.8\nDescription-Content-Type: text/markdown\n\n{readme}",
            env!("CARGO_PKG_VERSION")
        ),
    ));
    let tag = tag(platform, folder)?;
    entries.push(Entry::text(
        format!("{info}/WHEEL"),
        format!("Wheel-Version: 1.0\nGenerator: metaxy xtask\nRoot-Is-Purelib: false\nTag: {tag}\n"),
    ));
    pack::wheel(wheel, entries, &format!("{info}/RECORD"), level)
}

/// The tag of the wheel. On Linux it says the oldest glibc on which the program and all beside it start.
fn tag(platform: &Platform, folder: &Path) -> Result<String> {
    let Some((_, processor)) = platform.wheel.split_once("manylinux2014_") else {
        return Ok(format!("py3-none-{}", platform.wheel));
    };
    let mut newest = 17;
    for path in checksums::everything_below(folder)? {
        let is_code = [folder.join("bin"), folder.join(LIBRARY)].iter().any(|below| path.starts_with(below));
        if is_code {
            let bytes = fs::read(&path).context(|| format!("cannot read `{}`", path.display()))?;
            newest = newest.max(glibc(&bytes).unwrap_or_default());
        }
    }
    Ok(format!("py3-none-manylinux_2_{newest}_{processor}"))
}

/// The newest minor version of glibc 2 that a program or library for Linux needs; `None` for another file.
fn glibc(file: &[u8]) -> Option<u32> {
    /// The type of the section that says which versions of which libraries are needed.
    const VERSIONS: usize = 0x6fff_fffe;

    let number = |at: usize, size: usize| -> Option<usize> {
        let bytes = file.get(at..at.checked_add(size)?)?;
        bytes.iter().rev().try_fold(0_usize, |number, byte| number.checked_mul(256)?.checked_add(usize::from(*byte)))
    };
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (sections, size, count) = (number(0x28, 8)?, number(0x3a, 2)?, number(0x3c, 2)?);
    let section = |index: usize| sections.checked_add(index.checked_mul(size)?);
    let versions = (0..count).filter_map(section).find(|at| number(at + 4, 4) == Some(VERSIONS))?;
    let names = section(number(versions + 0x28, 4)?)?;
    let (start, length) = (number(names + 0x18, 8)?, number(names + 0x20, 8)?);
    let names = file.get(start..start.checked_add(length)?)?.split(|byte| *byte == 0);
    let minor =
        names.filter_map(|name| str::from_utf8(name.strip_prefix(b"GLIBC_2.")?).ok()?.split('.').next()?.parse().ok());
    minor.max()
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// The platform that Rust builds for, as Rust names it.
fn host(repo: &Repo) -> Result<String> {
    let said = output(Command::new("rustc").args(["--print", "host-tuple"]).current_dir(repo.path("")))?;
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

fn size(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).context(|| format!("cannot read `{}`", path.display()))?.len())
}

/// Writes a file and makes its folder.
fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    fs::write(path, content).context(|| format!("cannot write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_say_what_is_packed() {
        let parse = |args: &[&str]| Options::parse(&mut args.iter().map(OsString::from));
        let trial = Some(Trial { root: Some("z".into()) });
        let options = Options { program: Some("x".into()), output: "y".into(), level: 1, trial };
        let given = parse(&["--program", "x", "--output", "y", "--level", "1", "--try", "--root", "z"]);
        assert_eq!(given.expect("it is right"), options);
        assert_eq!(parse(&["--try"]).expect("it is right").trial, Some(Trial::default()));
        assert_eq!(parse(&[]).expect("it is right").level, 9);
        for wrong in [&["--level", "10"][..], &["--level"], &["--root"], &["--profile", "dev"], &["x"]] {
            parse(wrong).expect_err("it is wrong");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_glibc_that_a_program_needs_is_found_in_it() {
        let this = fs::read(env::current_exe().expect("this program")).expect("its bytes");
        let needed = glibc(&this).expect("it needs one");
        assert!((17..100).contains(&needed), "{needed}");
        assert_eq!(glibc(b"\x7fELF\x02\x01 cut off"), None);
        assert_eq!(glibc(b"no program"), None);
    }
}
