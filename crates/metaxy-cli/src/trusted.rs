//! What a person has trusted: a file for each, in a folder of their configuration.
//!
//! The name of a file is a hash of the folder of the configuration and of all in it that needs trust, as
//! [`Config::trust_digest`] has it. So whatever of that changes later is not trusted, and a copy of it elsewhere is not,
//! either. In the file is the folder, for people and for `--untrust`.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use metaxy_config::Config;
use tempfile::NamedTempFile;

use crate::error::Error;

/// What was trusted in a folder.
#[derive(Debug)]
pub(crate) struct Trusted {
    files: PathBuf,
    folder: PathBuf,
}

impl Trusted {
    /// For configurations of this folder; `None` where a person has no folder for configurations.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        let files = etcetera::choose_base_strategy().ok()?.config_dir().join("metaxy").join("trusted");
        // Through a link it is the same folder.
        Some(Self { files, folder: folder.canonicalize().unwrap_or_else(|_| folder.to_owned()) })
    }

    /// Whether all that needs trust in this configuration was trusted as it stands.
    pub(crate) fn has(&self, config: &Config) -> bool {
        let path = config.trust_digest().map(|digest| self.files.join(digest));
        path.is_some_and(|path| fs::read(path).is_ok_and(|content| content == self.content()))
    }

    /// Trusts all of it.
    pub(crate) fn add(&self, config: &Config) -> Result<(), Error> {
        let Some(digest) = config.trust_digest() else { return Ok(()) };
        let path = self.files.join(digest);
        let write = || {
            fs::create_dir_all(&self.files)?;
            // Complete or not at all; others cannot read it.
            let mut file = NamedTempFile::new_in(&self.files)?;
            file.write_all(&self.content())?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|error| Error::file("writing", &path, error))
    }

    /// Takes back all that was trusted in the folder; how many files that were.
    pub(crate) fn remove_all(&self) -> Result<usize, Error> {
        let remove = || -> io::Result<usize> {
            let mut removed = 0;
            for entry in fs::read_dir(&self.files)? {
                let path = entry?.path();
                if fs::read(&path).is_ok_and(|content| content == self.content()) {
                    fs::remove_file(&path)?;
                    removed += 1;
                }
            }
            Ok(removed)
        };
        match remove() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            other => other.map_err(|error| Error::file("removing", &self.files, error)),
        }
    }

    fn content(&self) -> Vec<u8> {
        [self.folder.as_os_str().as_encoded_bytes(), b"\n"].concat()
    }
}
