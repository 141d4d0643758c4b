//! Archives that are the same each time: sorted, with fixed times and owners.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::checksums::everything_below;
use crate::error::{Context, Error, Result};

/// The time of every file: 1980-01-01, the first that a wheel can hold.
const TIME: u64 = 315_532_800;

/// A file of an archive: its path there, whether it is a program, and what it holds.
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) is_program: bool,
    pub(super) content: Content,
}

/// What a file holds.
pub(super) enum Content {
    File(PathBuf),
    Text(String),
}

impl Entry {
    /// All files below a folder, with the paths that they get; those without one are left out.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub(super) fn below(folder: &Path, path: impl Fn(&str) -> Option<String>) -> Result<Vec<Self>> {
        let files = everything_below(folder)?.into_iter().filter_map(|file| {
            let relative = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().into_owned();
            let is_program = relative.starts_with("bin/");
            Some(Self { path: path(&relative)?, is_program, content: Content::File(file) })
        });
        Ok(files.collect())
    }

    pub(super) fn text(path: String, text: String) -> Self {
        Self { path, is_program: false, content: Content::Text(text) }
    }

    fn open(&self) -> Result<(Box<dyn io::Read + '_>, u64)> {
        match &self.content {
            Content::Text(text) => Ok((Box::new(text.as_bytes()), text.len() as u64)),
            Content::File(path) => {
                let context = || format!("cannot read `{}`", path.display());
                let size = fs::metadata(path).context(context)?.len();
                Ok((Box::new(BufReader::new(File::open(path).context(context)?)), size))
            }
        }
    }

    fn mode(&self) -> u32 {
        if self.is_program { 0o755 } else { 0o644 }
    }
}

/// Writes a `.tar.gz`.
///
/// # Errors
///
/// When a file cannot be read or written.
pub(super) fn tar(archive: &Path, mut entries: Vec<Entry>, level: u32) -> Result<()> {
    entries.sort_by(|left, right| left.path.cmp(&right.path));
    let failure = || format!("cannot write `{}`", archive.display());
    let file = BufWriter::new(File::create(archive).context(failure)?);
    let mut tar = tar::Builder::new(GzBuilder::new().mtime(0).write(file, Compression::new(level)));
    for entry in &entries {
        let (content, size) = entry.open()?;
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(entry.mode());
        header.set_mtime(TIME);
        tar.append_data(&mut header, &entry.path, content).context(failure)?;
    }
    let compressed = tar.into_inner().context(failure)?;
    compressed.finish().and_then(|mut file| file.flush()).context(failure)
}

/// Writes a wheel, whose last file lists the others with their sums.
///
/// # Errors
///
/// When a file cannot be read or written.
pub(super) fn wheel(wheel: &Path, mut entries: Vec<Entry>, record: &str, level: u32) -> Result<()> {
    entries.sort_by(|left, right| left.path.cmp(&right.path));
    let failure = || format!("cannot write `{}`", wheel.display());
    let mut zip = ZipWriter::new(BufWriter::new(File::create(wheel).context(failure)?));
    let mut sums = String::new();
    let options = |entry: &Entry| {
        let options = SimpleFileOptions::default().last_modified_time(DateTime::default());
        let options = options.compression_method(CompressionMethod::Deflated).compression_level(Some(level.into()));
        options.unix_permissions(entry.mode())
    };
    for entry in &entries {
        let (content, size) = entry.open()?;
        zip.start_file(entry.path.as_str(), options(entry)).map_err(|error| failed(wheel, error))?;
        let mut content = Summed { inner: content, sum: Sha256::new() };
        io::copy(&mut content, &mut zip).context(failure)?;
        let sum = URL_SAFE_NO_PAD.encode(content.sum.finalize());
        sums.extend([&entry.path, ",sha256=", &sum, ",", &size.to_string(), "\n"]);
    }
    sums.extend([record, ",,\n"]);
    let entry = Entry::text(record.to_owned(), sums);
    zip.start_file(record, options(&entry)).map_err(|error| failed(wheel, error))?;
    io::copy(&mut entry.open()?.0, &mut zip).context(failure)?;
    zip.finish().map_err(|error| failed(wheel, error))?.flush().context(failure)
}

fn failed(wheel: &Path, error: zip::result::ZipError) -> Error {
    Error::new(format!("cannot write `{}`", wheel.display())).caused_by(error)
}

/// A reader that sums what is read.
struct Summed<R> {
    inner: R,
    sum: Sha256,
}

impl<R: io::Read> io::Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.sum.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::checksums;

    /// The sums of both archives of a folder whose files were written in this order.
    fn sums(names: [&str; 3]) -> [String; 2] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("source");
        for (age, name) in names.iter().enumerate() {
            let path = source.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, name).expect("a file");
            let time = SystemTime::now() - Duration::from_secs(1000 * age as u64);
            File::options().write(true).open(&path).expect("a file").set_modified(time).expect("another time");
        }
        let entries = || Entry::below(&source, |path| Some(["x/", path].concat())).expect("entries");
        let (archive, wheel_file) = (folder.path().join("a.tar.gz"), folder.path().join("a.whl"));
        tar(&archive, entries(), 6).expect("an archive");
        wheel(&wheel_file, entries(), "x.dist-info/RECORD", 6).expect("a wheel");
        [archive, wheel_file].map(|path| checksums::of(&path).expect("a sum"))
    }

    #[test]
    fn the_same_files_give_the_same_archives_whenever_they_were_written() {
        assert_eq!(sums(["bin/a", "lib/b", "c"]), sums(["c", "bin/a", "lib/b"]));
        assert_ne!(sums(["bin/a", "lib/b", "c"]), sums(["bin/a", "lib/b", "d"]));
    }
}
