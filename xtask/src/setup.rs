//! `setup`: brings DuckDB's library, its extensions and PostgreSQL into `.deps`.
//!
//! Nothing outside of the repository is written and nothing needs root. What is there already is checked against the
//! pinned sums on every run, and only what is missing or wrong is brought. Each part comes into a temporary folder
//! first and is moved to its place when its sums are right, so that a run which is cut off leaves no half of it.

mod fetch;

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::checksums;
use crate::error::{Context, Error, Result};
use crate::pins::{self, Pin, Platform};
use crate::repo::{Repo, read_folder};
use crate::shell::say;

/// How to get along without what `setup` brings.
const WITHOUT: &str = "\
to do without:
  DuckDB's library  set DUCKDB_LIB_DIR to the folder of your own 1.5.5, which the loader must find too, or build
                    DuckDB from source with `--features bundled` (some 20 minutes)
  its extensions    `cargo xtask setup --extensions DIR` takes the pinned ones from a folder; a folder named by
                    METAXY_EXTENSION_DIRECTORY is used as it is; with the internet, DuckDB can install them itself
  PostgreSQL        only tests use it: `cargo xtask setup --no-postgres`, or METAXY_POSTGRES_BIN for programs of yours";

/// What to bring, and from where.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Leave out PostgreSQL, which only tests use.
    pub(crate) no_postgres: bool,
    /// A folder to take the extensions from, before the registry is asked.
    pub(crate) extensions: Option<PathBuf>,
}

/// Brings what is missing.
///
/// # Errors
///
/// When the platform is not pinned, a program it needs is missing, or a sum is wrong; the error says how to do without.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let started = Instant::now();
    let brought = bring_all(repo, options).map_err(|error| error.or_help(WITHOUT))?;
    let seconds = started.elapsed().as_secs_f32();
    if brought == 0 {
        say(format_args!("setup: everything is there and as pinned ({seconds:.1} s)"));
    } else {
        say(format_args!("setup: done, all of it in .deps ({seconds:.1} s)\n{WITHOUT}"));
    }
    Ok(())
}

/// Brings every part that is missing or wrong, and says how many those were.
fn bring_all(repo: &Repo, options: &Options) -> Result<usize> {
    let setup = Setup::begin(repo.path(".deps"), Platform::current()?)?;
    let mut brought = 0;
    if !is_chosen("DUCKDB_LIB_DIR", &setup.deps.join("duckdb")) {
        brought += setup.library()?;
    }
    if !is_chosen("METAXY_EXTENSION_DIRECTORY", &setup.deps.join("extensions")) {
        brought += setup.extensions(options.extensions.as_deref())?;
    }
    if !options.no_postgres && !is_chosen("METAXY_POSTGRES_BIN", &setup.deps.join("postgres/bin")) {
        brought += setup.postgres()?;
    }
    setup.end()?;
    Ok(brought)
}

/// Whether the person set the variable to a folder of their own. Cargo sets it to `ours`: see `.cargo/config.toml`.
fn is_chosen(variable: &str, ours: &Path) -> bool {
    let is_ours = |folder: &OsString| folder.is_empty() || is_same_place(Path::new(folder), ours);
    let theirs = env::var_os(variable).filter(|folder| !is_ours(folder));
    if let Some(folder) = &theirs {
        say(format_args!("setup: {variable} is set, so `{}` is used", folder.display()));
    }
    theirs.is_some()
}

/// Whether two paths lead to the same place, be it there yet or not.
fn is_same_place(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// A run of `setup`, alone in `.deps` as long as it lives.
struct Setup {
    platform: &'static Platform,
    deps: PathBuf,
    /// Where things are unpacked; on the file system of `deps`, so that moving them is one step.
    temporary: PathBuf,
    /// Open, because closing it gives up its lock.
    _lock: File,
}

impl Setup {
    /// Makes `.deps`, waits for a run that is under way, and clears away what one that was cut off left behind.
    fn begin(deps: PathBuf, platform: &'static Platform) -> Result<Self> {
        make_folder(&deps)?;
        let path = deps.join("lock");
        let lock = File::create(&path).context(|| format!("cannot write `{}`", path.display()))?;
        lock.lock().context(|| format!("cannot lock `{}`", path.display()))?;
        let temporary = deps.join("tmp");
        remove(&temporary)?;
        make_folder(&temporary)?;
        Ok(Self { platform, deps, temporary, _lock: lock })
    }

    /// Clears away the temporary folder.
    fn end(&self) -> Result<()> {
        remove(&self.temporary)
    }

    /// Brings DuckDB's library.
    fn library(&self) -> Result<usize> {
        let platform = self.platform;
        let target = self.deps.join("duckdb").join(platform.library_file);
        if is_as_pinned(&target, &platform.library)? {
            return Ok(0);
        }
        let package = platform.library_package();
        announce(format_args!("DuckDB {}, MIT licence, from npm: {package}", pins::DUCKDB));
        let packed = fetch::npm(&package, &self.temporary.join("library"))?;
        check(&packed, platform.library.packed)?;
        let unpacked = fetch::unpack_tar(&packed)?;
        self.put(&unpacked.join("package").join(platform.library_file), &target, &platform.library)?;
        Ok(1)
    }

    /// Brings the extensions: from the given folder those it has, the others from the registry.
    fn extensions(&self, given: Option<&Path>) -> Result<usize> {
        let missing = self.missing_extensions()?;
        let mut from_registry = Vec::new();
        for extension in &missing {
            match given.and_then(|given| self.extension_in(given, extension.name)) {
                Some(source) => {
                    announce(format_args!("extension {} from `{}`", extension.name, source.display()));
                    let copy = self.temporary.join(extension.name);
                    fs::copy(&source, &copy).context(|| format!("cannot copy `{}`", source.display()))?;
                    self.put(&copy, &extension.target, extension.pin)?;
                }
                None => from_registry.push(extension),
            }
        }
        if !from_registry.is_empty() {
            self.extensions_from_registry(&from_registry)?;
        }
        Ok(missing.len())
    }

    /// The extensions that are not in their place as pinned.
    fn missing_extensions(&self) -> Result<Vec<Extension>> {
        let mut missing = Vec::new();
        for (name, pin) in self.platform.extensions() {
            let target = self.deps.join("extensions").join(self.extension_path(name));
            if !is_as_pinned(&target, pin)? {
                missing.push(Extension { name, pin, target });
            }
        }
        Ok(missing)
    }

    /// Where DuckDB looks for an extension below its extension directory.
    fn extension_path(&self, name: &str) -> PathBuf {
        format!("v{}/{}/{name}.duckdb_extension", pins::DUCKDB, self.platform.duckdb).into()
    }

    /// The file of an extension in a given folder, which may be an extension directory or hold the files themselves.
    fn extension_in(&self, folder: &Path, name: &str) -> Option<PathBuf> {
        let candidates = [folder.join(self.extension_path(name)), folder.join(format!("{name}.duckdb_extension"))];
        candidates.into_iter().find(|candidate| candidate.is_file())
    }

    /// Brings extensions from the registry, all with one call.
    fn extensions_from_registry(&self, extensions: &[&Extension]) -> Result<()> {
        let packages: Vec<_> = extensions.iter().map(|extension| extension.package()).collect();
        announce(format_args!("DuckDB's extensions, MIT licence, from PyPI: {}", packages.join(" ")));
        let wheels = self.temporary.join("wheels");
        fetch::pip(&packages, self.platform.wheel, &wheels)?;
        for Extension { name, pin, target } in extensions {
            let stem = format!("duckdb_extension_{name}");
            let packed = wheels.join(format!("{stem}-{}-py3-none-{}.whl", pins::DUCKDB, self.platform.wheel));
            check(&packed, pin.packed)?;
            let unpacked = fetch::unpack_wheel(&packed)?;
            let file = format!("{stem}/extensions/v{}/{name}.duckdb_extension", pins::DUCKDB);
            self.put(&unpacked.join(file), target, pin)?;
        }
        Ok(())
    }

    /// Brings PostgreSQL.
    fn postgres(&self) -> Result<usize> {
        let pin = &self.platform.postgres;
        let target = self.deps.join("postgres");
        if is_as_pinned(&target, pin)? {
            return Ok(0);
        }
        let package = self.platform.postgres_package();
        announce(format_args!("PostgreSQL {}, PostgreSQL licence, from npm: {package}", pins::POSTGRES));
        let packed = fetch::npm(&package, &self.temporary.join("postgres"))?;
        check(&packed, pin.packed)?;
        let package = fetch::unpack_tar(&packed)?.join("package");
        fetch::restore_links(&package)?;
        fetch::set_run_bits(&package.join("native/bin"))?;
        self.put(&package.join("native"), &target, pin)?;
        Ok(1)
    }

    /// Moves what was unpacked to its place, when it is what is pinned.
    fn put(&self, unpacked: &Path, target: &Path, pin: &Pin) -> Result<()> {
        check(unpacked, pin.unpacked)?;
        if let Some(folder) = target.parent() {
            make_folder(folder)?;
        }
        remove(target)?;
        fs::rename(unpacked, target).context(|| format!("cannot move something to `{}`", target.display()))?;
        let shown = target.strip_prefix(&self.deps).unwrap_or(target);
        say(format_args!("  {:>6.1} MB in .deps/{}", megabytes(target)?, shown.display()));
        Ok(())
    }
}

/// An extension to bring.
struct Extension {
    name: &'static str,
    pin: &'static Pin,
    target: PathBuf,
}

impl Extension {
    /// The package that carries it, with its version.
    fn package(&self) -> String {
        format!("duckdb-extension-{}=={}", self.name.replace('_', "-"), pins::DUCKDB)
    }
}

/// Says what is brought now.
fn announce(what: impl Display) {
    say(format_args!("setup: bringing {what}"));
}

/// Whether the file or folder is there and as pinned. One that is there but different is reported.
fn is_as_pinned(target: &Path, pin: &Pin) -> Result<bool> {
    if !target.exists() {
        return Ok(false);
    }
    let as_pinned = checksums::of(target)? == pin.unpacked;
    if !as_pinned {
        say(format_args!("setup: `{}` is not as pinned, so it is brought again", target.display()));
    }
    Ok(as_pinned)
}

/// Refuses a file or folder whose sum is another than the one pinned.
fn check(path: &Path, pinned: &str) -> Result<()> {
    if !path.exists() {
        let message = format!("`{}` did not arrive: the package is not laid out as expected", path.display());
        return Err(Error::new(message));
    }
    let found = checksums::of(path)?;
    if found == pinned {
        return Ok(());
    }
    let message = format!(
        "`{}` is not what is pinned, and was not put to use\n  SHA-256 pinned {pinned}\n  SHA-256 found  {found}",
        path.display()
    );
    Err(Error::new(message).with_help(format!(
        "a download that was cut off or changed on its way; try again. A new version is pinned in `xtask/src/pins.rs`\n\
         {WITHOUT}"
    )))
}

/// Makes a folder and those above it.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).context(|| format!("cannot make the folder `{}`", folder.display()))
}

/// Removes a file or folder, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).context(|| format!("cannot remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}

/// The size of a file or of everything in a folder.
#[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
fn megabytes(path: &Path) -> Result<f64> {
    fn bytes(path: &Path) -> Result<u64> {
        let metadata = path.symlink_metadata().context(|| format!("cannot read `{}`", path.display()))?;
        if metadata.is_dir() {
            read_folder(path)?.iter().map(|(path, _)| bytes(path)).sum()
        } else {
            Ok(metadata.len())
        }
    }
    Ok(bytes(path)? as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_wrong_sum_is_refused_with_both_sums_and_a_way_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "abc").expect("a file");
        check(&file, ABC).expect("the right sum");

        fs::write(&file, "abd").expect("another file");
        let error = check(&file, ABC).expect_err("the wrong sum");
        let report = error.report().to_string();
        for part in [ABC, &checksums::of(&file).expect("a sum"), "DUCKDB_LIB_DIR", "--extensions", "--no-postgres"] {
            assert!(report.contains(part), "{part} is not in: {report}");
        }
    }

    #[test]
    fn a_wrong_file_never_reaches_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let (Some(deps), Ok(platform)) = (Some(folder.path().join("deps")), Platform::current()) else { return };
        let setup = Setup::begin(deps, platform).expect("a run");
        let (unpacked, target) = (setup.temporary.join("file"), setup.deps.join("duckdb/file"));
        fs::write(&unpacked, "abd").expect("a file");
        let pin = Pin { packed: ABC, unpacked: ABC };
        setup.put(&unpacked, &target, &pin).expect_err("the wrong sum");
        assert!(!target.exists());

        fs::write(&unpacked, "abc").expect("a file");
        setup.put(&unpacked, &target, &pin).expect("the right sum");
        assert!(is_as_pinned(&target, &pin).expect("a sum"));
        setup.end().expect("an end");
        assert!(!setup.temporary.exists());
    }

    #[test]
    fn a_given_folder_is_searched_before_the_registry() {
        let folder = tempfile::tempdir().expect("a folder");
        let Ok(platform) = Platform::current() else { return };
        let setup = Setup::begin(folder.path().join("deps"), platform).expect("a run");
        assert_eq!(setup.extension_in(folder.path(), "aws"), None);
        let plain = folder.path().join("aws.duckdb_extension");
        fs::write(&plain, "").expect("a file");
        assert_eq!(setup.extension_in(folder.path(), "aws"), Some(plain));
    }
}
