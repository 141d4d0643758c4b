//! Loading extensions whose signature was checked here, which takes a tenth of the time that DuckDB needs for it.
//!
//! DuckDB checks an extension's signature with a SHA-256 that does not use the processor's own instructions: some
//! 130 ms for a file of 36 MB, with each instance, more than all else that opening a lake costs. The same signature is
//! checked here, against the key of DuckDB's own extensions; what passes is loaded while DuckDB does not check, and then
//! DuckDB is told to check for as long as the instance lives, which it cannot be told to stop. What does not pass here is
//! left to DuckDB, which checks it in its own way, with all its keys.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use ducklake_sql::{Extension, StringLiteral, sql};
use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

/// The key whose signature DuckDB's own extensions have, as PKCS #1: the first of those in DuckDB 1.5.5.
const KEY: &[u8] = include_bytes!("extensions_key.der");

/// What is signed is the digests of these many bytes each; the signature is at the end of the file.
const CHUNK: u64 = 1 << 20;
const SIGNATURE: u64 = 256;

/// So much is read at once: what is read is hashed while it is in the processor's cache.
const PART: usize = 64 << 10;

/// The setting that makes DuckDB load extensions unchecked; it can be turned off while DuckDB runs, but not on.
pub(super) const ALLOW_UNSIGNED: &str = "allow_unsigned_extensions";

/// Loads those extensions whose signature is right, and makes DuckDB check whatever is loaded from then on.
///
/// The others are left as they are: the statement that loads them says what is wrong.
///
/// # Errors
///
/// When DuckDB does not go back to checking signatures.
pub(super) fn load(connection: &duckdb::Connection, extensions: &[&Extension]) -> duckdb::Result<()> {
    for path in paths(connection, extensions).unwrap_or_default() {
        let start = Instant::now();
        if was_signed(Path::new(path.as_str())).unwrap_or(false) {
            let checked = start.elapsed();
            let load = sql!("LOAD {path}", path);
            let loaded = connection.execute_batch(load.text());
            tracing::debug!(path = path.as_str(), ?checked, is_loaded = loaded.is_ok(), "an extension is signed");
        }
    }
    connection.execute_batch("SET GLOBAL allow_unsigned_extensions = false")
}

/// The files of the extensions that are installed.
fn paths(connection: &duckdb::Connection, extensions: &[&Extension]) -> duckdb::Result<Vec<StringLiteral>> {
    let installed = "SELECT extension_name, install_path FROM duckdb_extensions() WHERE installed AND NOT loaded";
    let mut statement = connection.prepare(installed)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let rows = rows.collect::<duckdb::Result<Vec<_>>>()?;
    let is_wanted = |name: &str| extensions.iter().any(|extension| extension.name().as_str() == name);
    Ok(rows
        .into_iter()
        .filter(|(name, _)| is_wanted(name))
        .filter_map(|(_, path)| StringLiteral::new(path).ok())
        .collect())
}

/// The same as [`has_right_signature`], which is asked once by a process for a file that stays as it is.
///
/// The system loads a file into a process once, so that looking at it again would check nothing that runs.
fn was_signed(path: &Path) -> io::Result<bool> {
    static SIGNED: Mutex<BTreeSet<State>> = Mutex::new(BTreeSet::new());
    let signed = || SIGNED.lock().unwrap_or_else(PoisonError::into_inner);
    // Before it is read: what changes it meanwhile gives it another state.
    let state = state(path);
    if state.is_some_and(|state| signed().contains(&state)) {
        return Ok(true);
    }
    let is_right = has_right_signature(path)?;
    signed().extend(state.filter(|_| is_right));
    Ok(is_right)
}

/// The device, number and length of a file, and when it was last changed, which no program can set.
type State = (u64, u64, u64, i64, i64);

/// `None` while a change that comes now could have the time of the last one.
#[cfg(unix)]
fn state(path: &Path) -> Option<State> {
    use std::os::unix::fs::MetadataExt as _;
    use std::time::SystemTime;
    let found = std::fs::metadata(path).ok()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let is_settled = found.ctime() < i64::try_from(now.as_secs()).ok()? - 1;
    is_settled.then(|| (found.dev(), found.ino(), found.len(), found.ctime(), found.ctime_nsec()))
}

#[cfg(not(unix))]
fn state(_: &Path) -> Option<State> {
    None
}

/// Whether a file ends with DuckDB's signature of what it holds before.
pub(crate) fn has_right_signature(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let Some(signed) = file.metadata()?.len().checked_sub(SIGNATURE) else { return Ok(false) };
    let mut signature = Vec::new();
    file.seek(SeekFrom::Start(signed))?;
    file.read_to_end(&mut signature)?;
    let digests = digests(path, signed)?;
    Ok(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, KEY).verify(&digests, &signature).is_ok())
}

/// The digests of a file's chunks, one after the other.
fn digests(path: &Path, signed: u64) -> io::Result<Vec<u8>> {
    let chunks = signed.div_ceil(CHUNK);
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(4) as u64;
    let each = chunks.div_ceil(threads).max(1);
    thread::scope(|scope| {
        let parts: Vec<_> = (0..chunks)
            .step_by(usize::try_from(each).unwrap_or(usize::MAX))
            .map(|first| scope.spawn(move || digests_of(path, first, (first + each).min(chunks), signed)))
            .collect();
        let mut all = Vec::new();
        for part in parts {
            all.extend(part.join().map_err(|_| io::Error::other("a thread ended by itself"))??);
        }
        Ok(all)
    })
}

fn digests_of(path: &Path, first: u64, end: u64, signed: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(first * CHUNK))?;
    let mut digests = Vec::with_capacity(SHA256_OUTPUT_LEN);
    let mut part = vec![0; PART];
    for number in first..end {
        let mut left = usize::try_from(CHUNK.min(signed - number * CHUNK)).map_err(io::Error::other)?;
        let mut digest = Context::new(&SHA256);
        while left > 0 {
            let part = &mut part[..left.min(PART)];
            file.read_exact(part)?;
            digest.update(part);
            left -= part.len();
        }
        digests.extend_from_slice(digest.finish().as_ref());
    }
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use metaxy_testkit::{TempDir, deps};

    use super::*;

    fn installed() -> Vec<PathBuf> {
        let mut folder = deps().extensions().clone();
        while let Some(only) =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir())
        {
            folder = only;
        }
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "duckdb_extension")).collect()
    }

    #[test]
    fn a_change_of_a_file_that_was_signed_is_seen() {
        let folder = TempDir::new();
        let file = folder.path().join("extension");
        fs::copy(&installed()[0], &file).unwrap();
        assert_eq!(state(&file), None, "it was changed just now");
        thread::sleep(std::time::Duration::from_secs(2));
        for _ in 0..2 {
            assert!(was_signed(&file).unwrap());
        }
        let (before, modified) = (state(&file).unwrap(), fs::metadata(&file).unwrap().modified().unwrap());
        let mut changed = File::options().write(true).open(&file).unwrap();
        io::Write::write_all(&mut changed, b"x").unwrap();
        // As somebody does who hides a change.
        changed.set_modified(modified).unwrap();
        drop(changed);
        assert!(!was_signed(&file).unwrap());
        thread::sleep(std::time::Duration::from_secs(2));
        assert_ne!(state(&file), Some(before));
        assert!(!was_signed(&file).unwrap());
    }

    #[test]
    fn a_changed_byte_anywhere_is_seen() {
        let all = installed();
        assert!(!all.is_empty());
        for path in &all {
            assert!(has_right_signature(path).unwrap(), "{}", path.display());
        }
        let folder = TempDir::new();
        let changed = folder.path().join("changed");
        let right = fs::read(&all[0]).unwrap();
        let last_chunk = right.len() - 256 - 1;
        for at in [0, right.len() / 2, (1 << 20) - 1, 1 << 20, last_chunk, right.len() - 256, right.len() - 1] {
            let mut bytes = right.clone();
            bytes[at] ^= 1;
            fs::write(&changed, bytes).unwrap();
            assert!(!has_right_signature(&changed).unwrap(), "byte {at}");
        }
        for length in [0, 1, 255, 256, 257, 1 << 20, right.len() - 1] {
            fs::write(&changed, &right[..length]).unwrap();
            assert!(!has_right_signature(&changed).unwrap(), "{length} bytes");
        }
        // Without its last chunk, and that chunk at another place.
        let swapped = [&right[1 << 20..2 << 20], &right[..1 << 20], &right[2 << 20..]].concat();
        fs::write(&changed, swapped).unwrap();
        assert!(!has_right_signature(&changed).unwrap(), "two chunks swapped");
    }
}
