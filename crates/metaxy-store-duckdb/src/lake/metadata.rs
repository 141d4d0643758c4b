//! Where DuckLake's own tables are: a database that it attaches under a name of its own, and a schema.

use ducklake_sql::{CatalogKind, Ident, Lake, Plan, Statement, Value, Writer};

/// The database and the schema with the metadata of a lake that is attached.
pub(super) struct Metadata {
    database: Ident,
    schema: Ident,
}

impl Metadata {
    /// `None` where a server keeps the metadata to itself.
    pub(super) fn of(lake: &Lake, plan: &Plan) -> Option<Self> {
        let named = plan.statements().iter().find_map(|statement| match statement {
            Statement::Attach(attach) => attach.option("METADATA_CATALOG"),
            _ => None,
        });
        let database = match named {
            Some(Value::Text(name)) => name.clone(),
            _ => ["__ducklake_metadata_", lake.alias().as_str()].concat(),
        };
        let schema = match lake.catalog_kind() {
            CatalogKind::MotherDuck | CatalogKind::Quack => return None,
            CatalogKind::Postgres => "public",
            _ => "main",
        };
        let schema = lake.metadata_schema().cloned().or_else(|| Ident::new(schema).ok())?;
        Some(Self { database: Ident::new(database).ok()?, schema })
    }

    pub(super) fn schema<'w>(&self, sql: &'w mut Writer) -> &'w mut Writer {
        sql.ident(&self.database).keyword(".").ident(&self.schema)
    }

    pub(super) fn table<'w>(&self, sql: &'w mut Writer, name: &'static str) -> &'w mut Writer {
        self.schema(sql).keyword(".").keyword(name)
    }
}
