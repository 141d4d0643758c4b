//! The lake floor: attaching lakes and checking them, undoing what failed, data paths, catalog files, and the doctor.

mod attempt;
mod catalog_copy;
pub(crate) mod catalog_file;
mod checks;
mod data_files;
pub(crate) mod data_path;
mod doctor;
mod extensions;
mod facts;
mod inexact_columns;
pub(crate) mod inlined_owner;
pub(crate) mod inlined_versions;
mod known_files;
mod limits;
mod lock;
mod open;
mod repair;
mod store;
pub(crate) mod stored_state;

pub use self::doctor::{CheckName, Doctor, Finding, Outcome, REPORT_VERSION, Report};
pub use self::extensions::{ExtensionFile, Extensions};
pub use self::inexact_columns::InexactColumn;
pub use self::open::OpenOptions;
pub use self::repair::MissingFile;
pub use self::store::Store;

pub(crate) use self::inexact_columns::inexact_columns;
pub(crate) use self::open::CatalogDatabase;
pub(crate) use self::store::Secondary;
