//! The operations on a feature's rows: reading, writing, copying, deleting, rebasing, and how a feature stands.

mod copy;
mod delete;
mod read;
mod rebase;
mod status;
mod write;

pub use self::copy::{Copied, CopyOptions};
pub use self::delete::Deletion;
pub use self::read::{ReadOptions, Snapshot, Versions};
pub use self::rebase::RebaseOptions;
pub use self::status::{FeatureStatus, UpdateCounts};
pub use self::write::WriteOptions;
