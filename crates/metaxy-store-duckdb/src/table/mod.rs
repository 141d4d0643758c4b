//! The table floor: a feature's table in the lake, its names, columns and types, and rows on their way into it.

mod checked_rows;
mod column_type;
mod duplicate_ids;
mod feature_table;
mod hash_tag;
pub(crate) mod inlining;
mod listing;
mod names;
mod problem;
mod sorted_ids;
mod staging_table;

pub(crate) use self::checked_rows::CheckedRows;
pub(crate) use self::column_type::{ColumnType, Simple, TEXT};
pub(crate) use self::duplicate_ids::DuplicateIds;
pub(crate) use self::feature_table::{At, BY_FIELD, ByField, Table};
pub(crate) use self::hash_tag::HashTag;
pub(crate) use self::listing::{ListedTables, Listing};
pub(crate) use self::names::{TableName, id_columns, ident, idents, members, sorted, text_or_null};
pub(crate) use self::problem::{Problem, first_names, names};
pub(crate) use self::staging_table::{NamedColumn, StagingTable};
