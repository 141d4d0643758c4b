//! The declared state of a lake: the options, partitions, sort orders and comments that it is to have.
//!
//! It is compared with what the lake has stored, see [`Declared::difference`]. Values that DuckLake accepts although they
//! make a later write fail, or have no effect, cannot be declared.

mod age;
mod columns;
mod difference;
mod options;
mod stored;
mod table_name;

pub use age::Age;
pub use columns::{PartitionKey, SortKey};
pub use difference::{Difference, Note, Sign, Step};
pub use options::{LAKE_OPTIONS, LakeOption, LakeOptionKind, LakeOptionSpec};
pub use stored::{OptionScope, StoredOption, StoredState, StoredTable};
pub use table_name::TableName;

use crate::problem::{Problem, Problems};
use crate::value::Ident;

/// What of a lake follows its declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Manage {
    /// Only what is declared.
    #[default]
    Declared,
    /// What is not declared is unset, too.
    All,
}

impl Manage {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Declared, Self::All];

    /// The name in configuration files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::All => "all",
        }
    }
}

/// What a lake is to have.
///
/// ```
/// use ducklake_sql::{Declared, LakeOption, StoredState};
///
/// let mut declared = Declared::default();
/// declared.options.push(LakeOption::new("target_file_size", "256MB")?);
/// let steps = declared.difference(&StoredState::default()).steps;
/// assert_eq!(steps[0].to_string(), "+ target_file_size = 256000000: declared, and not stored");
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Declared {
    /// What of the lake follows the declaration.
    pub manage: Manage,
    /// Whether steps that destroy something need to be allowed; true unless it is said.
    pub protect: bool,
    /// The options of the whole lake.
    pub options: Vec<LakeOption>,
    /// The schemas of which something is declared.
    pub schemas: Vec<DeclaredSchema>,
    /// The tables of which something is declared.
    pub tables: Vec<DeclaredTable>,
}

impl Default for Declared {
    fn default() -> Self {
        let (options, schemas, tables) = (Vec::new(), Vec::new(), Vec::new());
        Self { manage: Manage::default(), protect: true, options, schemas, tables }
    }
}

/// What a schema is to have; one that is missing is created.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeclaredSchema {
    /// Its name.
    pub name: Ident,
    /// Its options.
    pub options: Vec<LakeOption>,
}

impl DeclaredSchema {
    /// A schema of which nothing more is declared.
    pub fn new(name: Ident) -> Self {
        Self { name, options: Vec::new() }
    }
}

/// What a table is to have, once it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeclaredTable {
    /// Its name.
    pub name: TableName,
    /// The partitions of files that are written from then on; none, if empty.
    pub partitioned_by: Option<Vec<PartitionKey>>,
    /// The order of rows in files that are written from then on; none, if empty.
    pub sorted_by: Option<Vec<SortKey>>,
    /// What is said about it; nothing, if empty.
    pub comment: Option<String>,
    /// Its options.
    pub options: Vec<LakeOption>,
}

impl DeclaredTable {
    /// A table of which nothing more is declared.
    pub fn new(name: TableName) -> Self {
        Self { name, partitioned_by: None, sorted_by: None, comment: None, options: Vec::new() }
    }
}

impl Declared {
    /// The declared age of an option, as of `expire_older_than`.
    pub fn age(&self, option: &str) -> Option<Age> {
        self.options.iter().find(|declared| declared.name() == option)?.age()
    }

    /// Checks what no single value shows: a compression level needs a codec that has levels.
    ///
    /// # Errors
    ///
    /// Each problem is about the field of an option, as in `options.parquet_compression_level`.
    pub fn check(&self) -> Result<(), Problems> {
        let of_lake = codec(&self.options);
        let of_schema = |schema: &Ident| {
            let declared = self.schemas.iter().find(|declared| same_name(declared.name.as_str(), schema.as_str()));
            declared.and_then(|declared| codec(&declared.options)).or(of_lake)
        };
        let mut problems = Vec::new();
        let mut check = |options: &[LakeOption], inherited: Option<&str>, place: &str| {
            let has_level = options.iter().any(|option| option.name() == LEVEL);
            if has_level && codec(options).or(inherited) != Some("zstd") {
                problems.push(Problem::level_without_zstd([place, "options.", LEVEL].concat()));
            }
        };
        check(&self.options, None, "");
        for schema in &self.schemas {
            check(&schema.options, of_lake, &["schemas.", schema.name.as_str(), "."].concat());
        }
        for table in &self.tables {
            let place = ["tables.", &table.name.to_string(), "."].concat();
            check(&table.options, of_schema(table.name.schema()), &place);
        }
        Problems::of(problems)
    }
}

/// The option that only one codec has.
const LEVEL: &str = "parquet_compression_level";

fn codec(options: &[LakeOption]) -> Option<&str> {
    options.iter().find(|option| option.name() == "parquet_compression").map(LakeOption::stored)
}

/// Whether two names are the same to DuckDB.
fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
