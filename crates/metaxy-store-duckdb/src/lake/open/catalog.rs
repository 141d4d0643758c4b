//! The database of a lake's catalog, attached by itself: for what DuckLake refuses to attach, or must not see half done.

use std::sync::Arc;

use ducklake_sql::{Catalog, CatalogKind, Ident, Lake, Mode, SecretType, Sql, Statement, StringLiteral, bind, sql};
use metaxy_config::Config;

use super::{explain, prepare_file};
use crate::engine::cause::Operation;
use crate::engine::{Connection, Error, Kind, keep_sqlite_tables_apart, open_instance, share_sqlite_connection};
use crate::lake::OpenOptions;
use crate::lake::facts::{facts_of, option};

/// The database of a lake's catalog, in an instance of its own. The instance goes away with it.
pub(crate) struct CatalogDatabase {
    pub(crate) connection: Connection,
    pub(crate) kind: CatalogKind,
    /// The name of the database and of the schema in which the catalog has its tables.
    pub(crate) name: (Ident, Ident),
}

impl OpenOptions {
    /// Where the catalog of a store's lake is, for people.
    ///
    /// # Errors
    ///
    /// When the store is not configured.
    pub(crate) fn catalog_location(&self, config: &Config, store: &str) -> Result<String, Error> {
        let configured = config.trusted_store(store)?;
        let plan = self.plan(&configured.tables, &configured.session, Mode::Read);
        Ok(facts_of(store, &configured.tables, &plan).catalog_location())
    }

    /// Lets a connection reach the storage of another store, too.
    ///
    /// # Errors
    ///
    /// When the store is not configured, or its storage does not answer.
    pub(crate) fn reach_storage(
        &self,
        config: &Config,
        store: &str,
        connection: Connection,
    ) -> Result<Connection, Error> {
        let configured = config.trusted_store(store)?;
        // Secrets of the same names do not collide then.
        let plan = self.plan(&configured.tables.as_secondary(store), &configured.session, Mode::Read);
        let facts = Arc::new(facts_of(store, &configured.tables, &plan));
        let connection = connection.with_secondaries([plan.clone()]);
        for (index, statement) in plan.statements().iter().enumerate() {
            let is_needed = match statement {
                Statement::Load(_) | Statement::ProbeStorage(_) => true,
                Statement::CreateSecret(secret) => {
                    !matches!(secret.kind(), SecretType::DuckLake | SecretType::Postgres | SecretType::Quack)
                }
                _ => false,
            };
            if is_needed {
                let run = self.run_statements(&connection, &plan, index..index + 1);
                run.map_err(|(failed, error)| explain(&plan, failed, error, &facts, self.install))?;
            }
        }
        Ok(connection)
    }

    /// Attaches the database of the catalog of a store's lake, whatever is in it; `None` where there is no file yet.
    ///
    /// # Errors
    ///
    /// When the store has no lake with a catalog of its own, or the database cannot be attached.
    pub(crate) fn catalog_database(
        &self,
        config: &Config,
        store: &str,
        mode: Mode,
    ) -> Result<Option<CatalogDatabase>, Error> {
        let configured = config.trusted_store(store)?;
        let no_catalog = || Error::query("the store has no lake with a catalog of its own");
        let (tables, lake) = (&configured.tables, configured.lake().ok_or_else(no_catalog)?);
        match prepare_file(tables, false) {
            Err(error) if error.is_missing_lake() => return Ok(None),
            prepared => prepared.map(drop)?,
        }
        let plan = Arc::new(self.plan(tables, &configured.session, mode));
        let facts = Arc::new(facts_of(store, tables, &plan));
        let name = plan.metadata().ok_or_else(no_catalog)?;
        let instance = open_instance(None, &[&plan], mode).map_err(|error| error.with_facts(&facts))?;
        let connection = Connection::new(instance, Arc::clone(&plan)).with_facts(Arc::clone(&facts));
        let connection = self.watched(connection);
        let connection = connection.with_retry(self.retry.unwrap_or(config.retry));
        for (index, statement) in plan.statements().iter().enumerate() {
            match statement {
                Statement::Attach(_) => break,
                // No data file is looked at.
                Statement::ProbeStorage(_) => {}
                _ => self
                    .run_statements(&connection, &plan, index..index + 1)
                    .map_err(|(failed, error)| explain(&plan, failed, error, &facts, self.install))?,
            }
        }
        share_sqlite_connection(&connection, &plan);
        keep_sqlite_tables_apart(&connection, &plan)?;
        let login = plan.statements().iter().find_map(|statement| match statement {
            Statement::CreateSecret(secret) if secret.kind() == SecretType::DuckLake => {
                Some(option(&statement.to_sql(), "metadata_path"))
            }
            _ => None,
        });
        let attach = attach(lake, &name, &login.unwrap_or_default(), mode).ok_or_else(no_catalog)?;
        if let Err(error) = connection.execute(attach) {
            let (statement, operation) = ("attach", Operation::OpenCatalog);
            let kind = Kind::Statement { statement, operation, said: error.into_engine_error() };
            return Err(Error::new(kind).with_facts(&facts));
        }
        Ok(Some(CatalogDatabase { connection, kind: lake.catalog_kind(), name }))
    }
}

/// The statement that attaches it; `None` where a server keeps it to itself. `login` is for PostgreSQL, beside the secret.
fn attach(lake: &Lake, (database, schema): &(Ident, Ident), login: &str, mode: Mode) -> Option<Sql> {
    let read_only = Sql::fixed(if mode == Mode::Read { "READ_ONLY" } else { "READ_WRITE" });
    let literal = |text: &str| StringLiteral::new(text).ok();
    Some(match lake.catalog()? {
        Catalog::DuckDb(file) => {
            sql!(
                "ATTACH {file} AS {database} (TYPE duckdb, {read_only})",
                file = literal(file.as_str())?,
                database,
                read_only
            )
        }
        Catalog::Sqlite(file) => {
            sql!(
                "ATTACH {file} AS {database} (TYPE sqlite, {read_only})",
                file = literal(file.as_str())?,
                database,
                read_only
            )
        }
        Catalog::Postgres(postgres) => sql!(
            "ATTACH {login} AS {database} (TYPE postgres, SECRET {secret}, SCHEMA {schema}, {read_only})",
            login = literal(login)?,
            database,
            secret = bind(postgres.secret_name().as_str()),
            schema = bind(schema.as_str()),
            read_only,
        ),
        _ => return None,
    })
}
