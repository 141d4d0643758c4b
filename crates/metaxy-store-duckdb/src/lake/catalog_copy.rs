//! A copy of a catalog in a DuckDB file, made before a program may write it.
//!
//! A program that is killed while DuckDB writes such a file has left one, once in hundreds of times, that cannot be
//! opened any more. So the file, with its write-ahead log, is copied before it is attached to be written: the newest copy
//! has all that was written before the program that was killed. [`Store::restore`](crate::Store::restore) takes it.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ducklake_sql::{Catalog, Lake};

/// What is added to the name of the catalog's file: the newest copy, and one that was the newest until a day ago.
const COPIES: [&str; 2] = [".copy-1", ".copy-2"];
/// What DuckDB adds to the name of a file for its write-ahead log.
const WAL: &str = ".wal";
/// How old the older copy is before the newest takes its place: what damages a file may be seen late.
const DAY: Duration = Duration::from_hours(24);
/// The largest file that is copied, in bytes: where the file system copies each block, it takes some tenths of a second.
const LARGEST: u64 = 256 * 1024 * 1024;

/// A copy that has not taken its place yet; without [`keep`](Self::keep), it goes away.
pub(crate) struct CatalogCopy {
    file: PathBuf,
    new: PathBuf,
    is_kept: bool,
    /// Keeps other processes from copying at the same time.
    _lock: File,
}

impl CatalogCopy {
    /// Copies the catalog's file of a lake, where it is one of DuckDB that has changed since it was copied.
    ///
    /// It must not be attached by this process, which gives up all of its locks on a file when it closes it. What another
    /// process writes to is not copied, and cannot be attached.
    pub(crate) fn make(lake: &Lake) -> io::Result<Option<Self>> {
        let Some(file) = file_of(lake) else { return Ok(None) };
        let Some(before) = State::of(&file)? else { return Ok(None) };
        let is_copied = modified(&with(&file, COPIES[0])).is_some_and(|copied| before.modified < copied);
        if is_copied || before.length > LARGEST {
            return Ok(None);
        }
        let new = with(&file, ".copying");
        // A link may have come with somebody else's repository, and lead anywhere.
        if fs::symlink_metadata(&new).is_ok_and(|found| !found.is_file()) {
            fs::remove_file(&new)?;
        }
        // What another process is copying must stay as it is.
        let lock = File::options().write(true).create(true).truncate(false).open(&new)?;
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        let copy = Self { file, new, is_kept: false, _lock: lock };
        for suffix in ["", WAL] {
            let (from, to) = (with(&copy.file, suffix), with(&copy.new, suffix));
            if suffix == WAL {
                // It may be of a copy that was killed.
                remove_file(&to)?;
            }
            if metadata(&from)?.is_some() {
                // By references to the same blocks, where the file system has that.
                fs::copy(&from, &to)?;
            }
        }
        Ok((State::of(&copy.file)?.as_ref() == Some(&before)).then_some(copy))
    }

    /// Makes it the newest copy, now that the file could be attached.
    pub(crate) fn keep(mut self) -> io::Result<()> {
        let [newest, older] = COPIES.map(|suffix| with(&self.file, suffix));
        let is_old = |copied: SystemTime| copied.elapsed().is_ok_and(|age| age > DAY);
        if newest.is_file() && modified(&older).is_none_or(is_old) {
            rename(&newest, &older)?;
        }
        rename(&self.new, &newest)?;
        // From here on, a file of this name is another process's.
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for CatalogCopy {
    fn drop(&mut self) {
        if !self.is_kept {
            // Why it is not kept matters more than that it stays.
            drop(remove(&self.new));
        }
    }
}

/// The copies of the catalog's file of a lake that are there, the newest first.
pub(crate) fn made(lake: &Lake) -> Vec<PathBuf> {
    let copies = file_of(lake).into_iter().flat_map(|file| COPIES.map(|suffix| with(&file, suffix)));
    copies.filter(|copy| copy.is_file()).collect()
}

/// The catalog's file of a lake, where it is one of DuckDB.
fn file_of(lake: &Lake) -> Option<PathBuf> {
    match lake.catalog()? {
        catalog @ Catalog::DuckDb(_) => Some(PathBuf::from(catalog.file()?.as_str())),
        _ => None,
    }
}

/// What tells that a file, or its write-ahead log, was written to.
#[derive(PartialEq, Eq)]
struct State {
    length: u64,
    modified: SystemTime,
    log: Option<(u64, SystemTime)>,
}

impl State {
    /// That of a file with something in it.
    fn of(file: &Path) -> io::Result<Option<Self>> {
        let state = |found: &Metadata| Ok::<_, io::Error>((found.len(), found.modified()?));
        let log = metadata(&with(file, WAL))?.as_ref().map(state).transpose()?;
        let Some((length, modified)) = metadata(file)?.as_ref().map(state).transpose()? else { return Ok(None) };
        let newest = log.map_or(modified, |(_, log)| log.max(modified));
        Ok((length > 0).then_some(Self { length, modified: newest, log }))
    }
}

fn metadata(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Lets a copy take the place of another. A log never stands beside the file of another copy.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::metadata(from)?;
    remove(to)?;
    for suffix in [WAL, ""] {
        let from = with(from, suffix);
        if metadata(&from)?.is_some() {
            fs::rename(&from, with(to, suffix))?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    remove_file(path)?;
    remove_file(&with(path, WAL))
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
