//! What a lake has stored of all that can be declared, as its catalog says.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::columns::{PartitionKey, SortKey};
use super::table_name::TableName;
use crate::value::Ident;

/// What an option holds for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OptionScope {
    /// The whole lake.
    Lake,
    /// The tables of a schema.
    Schema(Ident),
    /// A table.
    Table(TableName),
}

/// An option that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredOption {
    /// What it holds for.
    pub scope: OptionScope,
    /// The number of the schema or table in the catalog.
    pub scope_id: Option<i64>,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A table that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredTable {
    /// Its name.
    pub name: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// Its partitions.
    pub partitioned_by: Vec<PartitionKey>,
    /// The order of its rows.
    pub sorted_by: Vec<SortKey>,
    /// What is said about it.
    pub comment: Option<String>,
}

impl StoredTable {
    /// A table without partitions, order and comment.
    pub fn new(name: TableName, columns: Vec<String>) -> Self {
        Self { name, columns, partitioned_by: Vec::new(), sorted_by: Vec::new(), comment: None }
    }
}

/// All that is compared with a declared state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StoredState {
    /// The options.
    pub options: Vec<StoredOption>,
    /// The schemas.
    pub schemas: Vec<Ident>,
    /// The tables.
    pub tables: Vec<StoredTable>,
    /// The views, for which nothing can be declared.
    pub views: Vec<TableName>,
}

impl StoredState {
    /// A hash of all of it, as hexadecimal digits: two states with one digest are the same.
    pub fn digest(&self) -> String {
        digest(self)
    }
}

/// A hash of a value as JSON.
pub(super) fn digest(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    let mut digits = String::new();
    for byte in Sha256::digest(&text) {
        // Writing to a text cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
