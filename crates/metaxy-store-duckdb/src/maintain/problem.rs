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
    #[error(
        "{rows} rows of the dropped table `{table}`, which older snapshots have, are kept in the catalog, which no other kind of catalog could take"
    )]
    InlinedOfDropped { table: String, rows: i64 },
    #[error("rows that are kept in the catalog cannot be flushed: {0}")]
    NotFlushed(String, &'static str),
    #[error("the lake is of the format `{0}`, whose catalog is not known here")]
    OtherFormat(String),
    #[error("the file is no backup of a lake")]
    NoBackup,
    #[error("`{0}` is neither the number of a snapshot nor a time")]
    NoTime(String),
    #[error("the file is a copy of a DuckDB catalog's file, with rows that are kept in the catalog")]
    CopyOfFile,
    #[error("the lake has tables or snapshots of its own already")]
    NotEmpty,
    #[error("the lake that is copied is {}encrypted, and the other one is {}", if *.is_encrypted { "" } else { "not " }, if *.is_encrypted { "not" } else { "encrypted" })]
    Encrypted { is_encrypted: bool },
    #[error("the store `{target}` is not declared to be moved to from `{source_store}`")]
    NotDeclared { source_store: String, target: String },
    #[error("the stores have different data paths: `{0}` and `{1}`")]
    DataPaths(String, String),
    #[error("the stores have different catalogs: {0} and {1}")]
    Catalogs(String, String),
    #[error("programs that have the lake attached would go on writing files below the old data path")]
    NotAlone,
    #[error("the file `{0}` of the lake has a path of its own, outside of the data path")]
    OwnPath(String),
    #[error("the database of the store `{0}` has no lake")]
    NoLakeToMove(String),
    #[error("the database that the lake is to be moved to has other tables: {}", .0.join(", "))]
    OtherTables(Vec<String>),
    #[error("the lake of the store `{store}` was moved to {to}")]
    Moved { store: String, to: String },
    #[error("the lake of the store `{0}` was not moved")]
    NotMoved(String),
    #[error("the lake was written to meanwhile")]
    Changed,
    #[error("the lake of the store `{0}` was written to since it was moved there")]
    TargetChanged(String),
    #[error("the copy is not what was copied: {0}")]
    Differs(String),
    #[error("the lake is not what it was before it was migrated: {0}")]
    MigratedDiffers(String),
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
            Self::NoMetadata | Self::NoLake | Self::NoLakeToMove(_) | Self::NotMoved(_) => {
                return None;
            }
            Self::NoBackup => "name a file that `metaxy backup` has written",
            Self::Inlined(_) => "`metaxy maintain --only flush --alone` writes them into files",
            Self::InlinedOfDropped { .. } => {
                "expire the snapshots that have it: declare `retain.snapshots` for the lake, and run `metaxy apply` and \
                 `metaxy maintain --only expire`; or `CALL ducklake_expire_snapshots(…)`"
            }
            Self::NotFlushed(_, help) => help,
            Self::OtherFormat(_) => "use a version of this program that knows it",
            Self::CopyOfFile => {
                "restore it into a store whose catalog is a DuckDB file; `metaxy migrate catalog` moves that lake to another"
            }
            Self::NotEmpty => "name a store whose catalog has no lake yet",
            Self::Encrypted { .. } => "set `encrypted` in its `attach_options`, and make it anew",
            Self::NotDeclared { source_store, target } => {
                return Some(format!(
                    "write `migrate_from = \"{source_store}\"` into `[ext.rust.lake.{target}]` of metaxy.toml"
                ));
            }
            Self::DataPaths(..) => "give both the same `storage`: the files stay where they are",
            Self::Catalogs(..) => "give both the same `catalog`; `metaxy migrate catalog` moves a lake to another one",
            Self::NotAlone => "end them, and say `--alone`",
            Self::OwnPath(_) => {
                "write its rows into the table anew: files that were added to a lake where they are stay there"
            }
            Self::OtherTables(_) => "name a file that is not there yet, or a `metadata_schema` of its own",
            Self::Moved { .. } => "use the store that has its catalog there",
            Self::Changed => "end what writes to it, and run it again: it is where it was, and nothing is lost",
            Self::TargetChanged(_) => "what was written there would be missing: go on with that lake",
            Self::Differs(_) => "nothing was changed but the copy: run it again, or report this",
            Self::MigratedDiffers(_) => {
                "write nothing to it, and report this: the backup is its catalog as it was, which DuckDB 1.4 attaches"
            }
            Self::DataPath(_) => "never delete orphaned files of this lake; correct the data path in its catalog first",
            Self::ForeignFiles(_) => "give each lake a folder of its own, or delete by hand what is no lake's",
            Self::NoTime(_) => "write one as in `2026-01-31 12:00:00+00`; `metaxy snapshots` lists both",
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
