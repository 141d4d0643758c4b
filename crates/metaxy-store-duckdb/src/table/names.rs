//! The names of tables and columns, as SQL identifiers.

use ducklake_sql::{Ident, Sql, WriteSql, Writer, bind, sql, write_sql};
use metaxy_feature::{Column, FeatureKey, FeatureSpec};

use super::Problem;

/// A table of the lake, or a temporary one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    database: Option<Ident>,
    name: Ident,
}

impl TableName {
    /// The table of a feature in the lake attached under this alias.
    pub(crate) fn of(key: &FeatureKey, alias: &Ident, prefix: &str) -> Result<Self, Problem> {
        Ok(Self { database: Some(alias.clone()), name: ident(&[prefix, &key.table_name()].concat())? })
    }

    /// A table of this name in the lake.
    pub(crate) fn in_lake(name: &str, alias: &Ident) -> Result<Self, Problem> {
        Ok(Self { database: Some(alias.clone()), name: ident(name)? })
    }

    /// A temporary table that no other of this process is called.
    pub(crate) fn temporary() -> Result<Self, Problem> {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(Self { database: None, name: ident(&["metaxy_rows_", &number.to_string()].concat())? })
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.name
    }

    /// The alias of its lake; `None` for a temporary table.
    pub(crate) fn database(&self) -> Option<&Ident> {
        self.database.as_ref()
    }
}

impl WriteSql for TableName {
    fn write_sql(&self, sql: &mut Writer) {
        _ = match &self.database {
            Some(database) => write_sql!(sql, "{database}.main.{name}", database, name = self.name),
            None => write_sql!(sql, "temp.main.{name}", name = self.name),
        };
    }
}

pub(crate) fn ident(name: &str) -> Result<Ident, Problem> {
    Ident::new(name).map_err(|problem| Problem::Name(problem.to_string()))
}

/// The names of columns; each is an identifier, since a column is neither empty nor has a NUL.
pub(crate) fn idents<'c>(columns: impl IntoIterator<Item = &'c Column>) -> Result<Vec<Ident>, Problem> {
    columns.into_iter().map(|column| ident(column.as_str())).collect()
}

/// The members of a feature's `*_by_field` structs, in the order of its specification.
pub(crate) fn members(spec: &FeatureSpec) -> Result<Vec<Ident>, Problem> {
    spec.fields().iter().map(|field| ident(&field.key.struct_key())).collect()
}

/// The same in the order in which a sample's hash joins them.
pub(crate) fn sorted(members: &[Ident]) -> Vec<Ident> {
    let mut members = members.to_vec();
    members.sort_unstable();
    members
}

/// The id columns of a feature.
pub(crate) fn id_columns(spec: &FeatureSpec) -> Result<Vec<Ident>, Problem> {
    idents(spec.id_columns())
}

/// A string, bound; NULL if there is none.
pub(crate) fn text_or_null(text: Option<&str>) -> Sql {
    match text {
        Some(text) => sql!("{text}", text = bind(text)),
        None => sql!("CAST(NULL AS VARCHAR)"),
    }
}
