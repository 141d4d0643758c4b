//! Names of columns, and lists of them.

use std::{fmt, slice, str::FromStr};

use crate::{Error, Result, messages};

/// The ten columns that Metaxy keeps in every feature table (`models/constants.py`).
pub const SYSTEM_COLUMNS: [&str; 10] = [
    "metaxy_provenance_by_field",
    "metaxy_provenance",
    "metaxy_data_version_by_field",
    "metaxy_data_version",
    "metaxy_feature_version",
    "metaxy_project_version",
    "metaxy_created_at",
    "metaxy_updated_at",
    "metaxy_deleted_at",
    "metaxy_materialization_id",
];

/// The name of a column: not empty, without NUL.
///
/// ```
/// use metaxy_feature::Column;
///
/// let column: Column = "video_id".parse()?;
/// assert_eq!(column.as_str(), "video_id");
/// assert!("".parse::<Column>().is_err());
/// # Ok::<(), metaxy_feature::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Column(Box<str>);

impl Column {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one of the [`SYSTEM_COLUMNS`].
    pub fn is_system(&self) -> bool {
        SYSTEM_COLUMNS.contains(&self.as_str())
    }
}

impl FromStr for Column {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        if name.is_empty() {
            return Err(messages::column_empty().into());
        }
        if name.contains('\0') {
            return Err(messages::column_nul(name).into());
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// One or more different columns, in order: the id columns of a feature, or what a lineage joins on.
///
/// ```
/// use metaxy_feature::Columns;
///
/// let ids = Columns::from_names(["video_id", "frame_id"])?;
/// assert_eq!(ids.as_slice().len(), 2);
/// assert!(Columns::from_names(["id", "id"]).is_err());
/// # Ok::<(), metaxy_feature::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// These columns.
    ///
    /// # Errors
    ///
    /// If there is none, or one is there twice.
    pub fn new(columns: Vec<Column>) -> Result<Self> {
        if columns.is_empty() {
            return Err(messages::columns_empty().into());
        }
        match columns.iter().enumerate().find(|(index, column)| columns[..*index].contains(column)) {
            Some((_, column)) => Err(messages::columns_duplicate(column).into()),
            None => Ok(Self(columns)),
        }
    }

    /// The columns with these names.
    ///
    /// # Errors
    ///
    /// If there is none, one is there twice, or one is no [`Column`].
    pub fn from_names<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Result<Self> {
        Self::new(names.into_iter().map(|name| name.as_ref().parse()).collect::<Result<_>>()?)
    }

    /// The columns as a slice, never empty.
    pub fn as_slice(&self) -> &[Column] {
        &self.0
    }

    /// The columns in order.
    pub fn iter(&self) -> slice::Iter<'_, Column> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Columns {
    type Item = &'a Column;
    type IntoIter = slice::Iter<'a, Column>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
