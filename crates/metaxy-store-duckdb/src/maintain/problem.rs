//! Why a lake is not changed.

use crate::engine::{Class, Error, Refusal};

/// What is refused before anything is changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("the catalog's server keeps the metadata to itself, so that what is stored cannot be compared or changed")]
    NoMetadata,
    #[error("the store has no lake")]
    NoLake,
    #[error("there is no table {0}")]
    MissingTable(String),
    #[error("the lake stores its data path as `{0}`, so that DuckLake takes its live files for orphans")]
    DataPath(String),
    #[error("`{0}` is where this lake puts no files: another lake may have its files below the same data path")]
    ForeignFiles(String),
    #[error("{0} rows or deletions are kept in the catalog, which no other kind of catalog could take")]
    Inlined(i64),
    #[error("the lake is of the format `{0}`, whose catalog is not known here")]
    OtherFormat(String),
    #[error("the file is no backup of a lake")]
    NoBackup,
    #[error("the lake has tables or snapshots of its own already")]
    NotEmpty,
    #[error("what is declared cannot be applied: {0}")]
    Notes(String),
    #[error("the lake is not as it was when the plan was made")]
    OtherDigest,
    #[error("{0} of the steps destroy something, and the lake is protected")]
    Protected(usize),
}

impl Refusal for Problem {
    fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoMetadata | Self::NoLake | Self::NoBackup => return None,
            Self::Inlined(_) => "`metaxy maintain --only flush --alone` writes them into files",
            Self::OtherFormat(_) => "use a version of this program that knows it",
            Self::NotEmpty => "restore into a store whose catalog has no lake yet",
            Self::DataPath(_) => "never delete orphaned files of this lake; correct the data path in its catalog first",
            Self::ForeignFiles(_) => "give each lake a folder of its own, or delete by hand what is no lake's",
            Self::MissingTable(_) => "`metaxy sql 'SHOW ALL TABLES'` lists them",
            Self::Notes(_) => "correct what is declared",
            Self::OtherDigest => "make a new plan, and read it",
            Self::Protected(_) => {
                "read the plan; `--allow-destructive` lets it be done, or declare the lake with `protect = false`"
            }
        };
        Some(help.to_owned())
    }

    fn class(&self) -> Class {
        match self {
            Self::MissingTable(_) => Class::MissingTable,
            _ => Class::Other,
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::refused(problem)
    }
}
