//! Loading extensions whose signature was checked here, which takes a tenth of the time that DuckDB needs for it.
//!
//! DuckDB checks an extension's signature with a SHA-256 that does not use the processor's own instructions: some
//! 130 ms for a file of 36 MB, with each instance, more than all else that opening a lake costs. The same signature is
//! checked here, against the key of DuckDB's own extensions; what passes is loaded while DuckDB does not check, and then
//! DuckDB is told to check for as long as the instance lives, which it cannot be told to stop. What does not pass here is
//! left to DuckDB, which checks it in its own way, with all its keys.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZero;
use std::path::Path;
use std::thread;
use std::time::Instant;

use ducklake_sql::{Extension, StringLiteral, sql};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

/// The key whose signature DuckDB's own extensions have, as PKCS #1: the first of those in DuckDB 1.5.5.
const KEY: &[u8] = include_bytes!("extensions_key.der");

/// What is signed is the digests of these many bytes each; the signature is at the end of the file.
const CHUNK: u64 = 1 << 20;
const SIGNATURE: u64 = 256;

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
        if has_right_signature(Path::new(path.as_str())).unwrap_or(false) {
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
    let mut chunk = Vec::new();
    for number in first..end {
        chunk.clear();
        (&mut file).take(CHUNK.min(signed - number * CHUNK)).read_to_end(&mut chunk)?;
        digests.extend_from_slice(digest(&SHA256, &chunk).as_ref());
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
