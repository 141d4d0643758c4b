//! The maintain floor: what a lake is to have and what it has, steps between both, and its upkeep.
//!
//! What is to be done is planned by `ducklake-sql`; here the stored state is read and steps are run. Each step may be
//! interrupted and run again. Every snapshot that is made here has an author and a message.

mod apply;
mod backup;
mod fence;
mod guards;
mod history;
mod migrate;
mod migrate_data;
mod migrate_format;
mod orphans;
mod problem;
mod size;
mod upkeep;
mod verify;

pub use self::apply::{Applied, FailedStep, PlannedLake};
pub use self::backup::{Backup, Restored};
pub use self::history::{ChangeBound, ChangeFeed, LakeSnapshot};
pub use self::migrate::{CatalogMigration, MigrateStep, Migrated};
pub use self::migrate_data::{DataMigration, MovedData};
pub use self::migrate_format::{FormatMigration, MigratedFormat};
pub use self::orphans::{Orphan, Orphans};
pub use self::size::TableSize;
pub use self::upkeep::{LakeSize, MaintainOptions, MaintainStep, Maintained, MaintainedStep, StepOutcome};

use crate::engine::Message;

/// Who makes the snapshots of this floor.
const AUTHOR: &str = "metaxy";

/// The message of a snapshot, as in `metaxy 0.1.0: maintain merge main.t`.
fn message(of: &str) -> Message {
    Message::new(AUTHOR, ["metaxy ", env!("CARGO_PKG_VERSION"), ": ", of].concat())
}
