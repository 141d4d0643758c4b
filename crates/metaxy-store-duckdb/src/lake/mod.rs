//! The lake floor: attaching lakes and checking them, undoing what failed, data paths, and catalog files.

mod attempt;
pub(crate) mod catalog_copy;
pub(crate) mod catalog_file;
pub(crate) mod checks;
pub(crate) mod data_files;
pub(crate) mod data_path;
pub(crate) mod extensions;
pub(crate) mod facts;
mod inexact_columns;
pub(crate) mod inlined_owner;
pub(crate) mod inlined_versions;
pub(crate) mod known_files;
mod limits;
mod lock;
mod open;
mod repair;
mod store;
pub(crate) mod stored_state;

pub use self::extensions::{ExtensionFile, Extensions};
pub use self::inexact_columns::InexactColumn;
pub use self::open::OpenOptions;
pub use self::repair::MissingFile;
pub use self::store::Store;

pub(crate) use self::inexact_columns::inexact_columns;
pub(crate) use self::open::CatalogDatabase;
pub(crate) use self::store::Secondary;
