//! Where rows go: stdout, or a file that is replaced once all of them are there; but nothing takes the place of a pipe or
//! a device.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;

use crate::args::{Output, OutputFile, RowFormat};
use crate::error::Error;
use crate::printer::Printer;

impl OutputFile {
    /// The file to write, where it is not stdout.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.path.as_deref().filter(|path| path.as_os_str() != "-")
    }

    /// Runs `print` with the place that the text goes to.
    pub(crate) fn with<T>(
        &self,
        printer: &mut Printer,
        print: impl FnOnce(&mut dyn Write) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.file() {
            Some(path) => put(path, print),
            None => print(printer),
        }
    }
}

impl Output {
    /// The file to write, where it is not stdout.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| path.as_os_str() != "-")
    }

    /// Runs `print` with the place that the rows go to.
    pub(crate) fn with<T>(
        &self,
        printer: &mut Printer,
        print: impl FnOnce(&mut dyn Write) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(path) = self.file() {
            return put(path, print);
        }
        refuse_terminal(self.format)?;
        print(printer)
    }
}

/// Parquet on a terminal helps nobody.
pub(crate) fn refuse_terminal(format: RowFormat) -> Result<(), Error> {
    if format == RowFormat::Parquet && io::stdout().is_terminal() {
        let message = "Parquet is not for a terminal";
        return Err(Error::Usage { message, help: "send it to a file or another program" });
    }
    Ok(())
}

/// Writes what is at a path, or is to be: a file, or what a symbolic link leads to.
pub(crate) fn put<T>(path: &Path, print: impl FnOnce(&mut dyn Write) -> Result<T, Error>) -> Result<T, Error> {
    // A link that leads nowhere yet cannot be followed; opening it makes what it names.
    let leads_nowhere = path.is_symlink() && !path.exists();
    match path.metadata() {
        Ok(found) if found.is_file() => replaced(path, &path.canonicalize().unwrap_or(path.to_owned()), print),
        Ok(found) if !found.is_dir() => direct(path, print),
        _ if leads_nowhere => direct(path, print),
        _ => replaced(path, path, print),
    }
}

/// Writes into what can only be written to as it is.
fn direct<T>(path: &Path, print: impl FnOnce(&mut dyn Write) -> Result<T, Error>) -> Result<T, Error> {
    let failed = |error| Error::file("writing", path, error);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(failed)?;
    let mut writer = BufWriter::new(file);
    let value = print(&mut writer)?;
    writer.flush().map_err(failed)?;
    Ok(value)
}

/// Writes a file beside the one that is meant, which takes its place at the end: there is never half of it.
fn replaced<T>(named: &Path, path: &Path, print: impl FnOnce(&mut dyn Write) -> Result<T, Error>) -> Result<T, Error> {
    // Which file beside it failed is nothing to the person.
    let failed = |error: io::Error| Error::file("writing", named, error.kind().into());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As for any new file, the umask takes from this.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder).map_err(failed)?;
    let mut writer = BufWriter::new(file);
    let value = print(&mut writer)?;
    let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(value)
}
