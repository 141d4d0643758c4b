//! The commands about a lake as a whole: what is declared for it, its snapshots, its upkeep.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::{Output, TextOrJson};
use crate::help;

/// `metaxy plan`
#[derive(Debug, clap::Args)]
#[command(after_help = help::PLAN)]
pub(crate) struct Plan {
    /// How to print the steps
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
    /// Also write the plan to a file, for `metaxy apply FILE`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// `metaxy apply`
#[derive(Debug, clap::Args)]
#[command(after_help = help::APPLY)]
pub(crate) struct Apply {
    /// The plan to apply; refused if the lake, or what is declared, has changed since [default: a new plan]
    pub(crate) file: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Also take steps that destroy something in a lake that is protected
    #[arg(long)]
    pub(crate) allow_destructive: bool,
    /// How to print what was done
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy snapshots`
#[derive(Debug, clap::Args)]
#[command(after_help = help::SNAPSHOTS)]
pub(crate) struct Snapshots {
    /// How many, the latest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) last: usize,
    /// How to print them
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy changes`
#[derive(Debug, clap::Args)]
#[command(after_help = help::CHANGES)]
pub(crate) struct Changes {
    /// A feature, as in `video/crop`, or a table, as in `main.video__crop`
    #[arg(value_name = "FEATURE|TABLE")]
    pub(crate) table: String,
    /// The snapshot, or the moment, after which rows have changed
    #[arg(long, value_name = "SNAPSHOT|TIME")]
    pub(crate) since: String,
    /// The last snapshot, or moment [default: now]
    #[arg(long, value_name = "SNAPSHOT|TIME")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `metaxy maintain`
#[derive(Debug, clap::Args)]
#[command(after_help = help::MAINTAIN)]
pub(crate) struct Maintain {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Only this table or feature; several when repeated
    #[arg(long = "table", value_name = "FEATURE|TABLE")]
    pub(crate) tables: Vec<String>,
    /// Only these steps
    #[arg(long, value_name = "STEP,…", value_delimiter = ',')]
    pub(crate) only: Vec<MaintainStep>,
    /// No other program has the lake attached, so that inlined rows can be flushed
    #[arg(long)]
    pub(crate) alone: bool,
    /// List files below the data path that the lake does not know, and delete those that are old enough
    #[arg(long, conflicts_with_all = ["tables", "only", "alone"])]
    pub(crate) orphans: bool,
    /// How to print what was done
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// A step of the upkeep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MaintainStep {
    /// Write rows that are inlined in the catalog into files
    Flush,
    /// Write files with deleted rows again, without them
    Rewrite,
    /// Make one file of small ones
    Merge,
    /// Let snapshots go that are older than `retain.snapshots`
    Expire,
    /// Delete files that nothing needs any more, once they are older than `retain.files`
    Cleanup,
}

impl From<MaintainStep> for metaxy_store_duckdb::MaintainStep {
    fn from(step: MaintainStep) -> Self {
        match step {
            MaintainStep::Flush => Self::Flush,
            MaintainStep::Rewrite => Self::Rewrite,
            MaintainStep::Merge => Self::Merge,
            MaintainStep::Expire => Self::Expire,
            MaintainStep::Cleanup => Self::Cleanup,
        }
    }
}

/// `metaxy backup`
#[derive(Debug, clap::Args)]
#[command(after_help = help::BACKUP)]
pub(crate) struct Backup {
    /// The folder to write it into
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(crate) to: PathBuf,
    /// How to print what was done
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy restore`
#[derive(Debug, clap::Args)]
#[command(after_help = help::RESTORE)]
pub(crate) struct Restore {
    /// The backup
    pub(crate) file: PathBuf,
    /// The store whose lake is made; it must have nothing yet
    #[arg(long, value_name = "STORE")]
    pub(crate) to: String,
    /// How to print what was done
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy migrate`
#[derive(Debug, Subcommand)]
pub(crate) enum Migrate {
    /// Move the lake into the catalog of another store; its data files stay where they are
    Catalog(MigrateCatalog),
    /// Move the data files of the lake to the storage of another store; its catalog stays where it is
    Data(MigrateData),
    /// Bring the lake to the format of this DuckLake; older ones cannot open it any more
    Format(MigrateFormat),
}

/// `metaxy migrate format`
#[derive(Debug, clap::Args)]
#[command(after_help = help::MIGRATE_FORMAT)]
pub(crate) struct MigrateFormat {
    /// Migrate the lake in a transaction, read all of it there, and take it back
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The folder to write the backup into
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(crate) backup_to: PathBuf,
    /// At how many older snapshots all rows are compared, beside the newest one
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) older_snapshots: usize,
    /// How to print what was done
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy migrate data`
#[derive(Debug, clap::Args)]
#[command(after_help = help::MIGRATE_DATA)]
pub(crate) struct MigrateData {
    /// The store to whose storage they are moved; it has the same catalog
    #[arg(value_name = "STORE")]
    pub(crate) target: String,
    /// Say how many files would be moved, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// No other program has the lake attached
    #[arg(long)]
    pub(crate) alone: bool,
    /// At how many older snapshots all rows are compared, beside the newest one
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) older_snapshots: usize,
    /// How to print what was done
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}

/// `metaxy migrate catalog`
#[derive(Debug, clap::Args)]
#[command(after_help = help::MIGRATE_CATALOG)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct MigrateCatalog {
    /// The store to move it to, whose `migrate_from` names the store that has the lake
    #[arg(value_name = "STORE")]
    pub(crate) target: String,
    /// Say whether it can be moved, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// No other program has the lake attached, so that rows that are inlined can be flushed first
    #[arg(long, conflicts_with = "undo")]
    pub(crate) alone: bool,
    /// Take the move back, if nothing was written since
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) undo: bool,
    /// Let both stores exchange their catalogs in the configuration file, so that the name of the store stays
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) write_config: bool,
    /// The folder to write the backup into
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(crate) backup_to: PathBuf,
    /// At how many older snapshots all rows are compared, beside the newest one
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) older_snapshots: usize,
    /// How to print what was done
    #[arg(long, default_value = "text")]
    pub(crate) format: TextOrJson,
}
