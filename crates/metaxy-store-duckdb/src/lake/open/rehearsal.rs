//! A migration to the engine's format that is taken back: whether a lake of an older format can be brought to it.

use std::sync::Arc;

use ducklake_sql::{Ident, Mode, Statement};
use metaxy_config::Config;

use super::{explain, prepare_file};
use crate::engine::{Connection, Error, open_instance};
use crate::lake::OpenOptions;
use crate::lake::checks::verify_all;
use crate::lake::facts::facts_of;

impl OpenOptions {
    /// The same, for a lake of an older format, which is brought to the engine's.
    pub(crate) fn migrating(mut self) -> Self {
        self.migrates = true;
        self.must_exist = true;
        self
    }

    /// Lets `look` read the lake of a store, whose catalog has this name, in a transaction that brings it to the engine's
    /// format and is rolled back.
    ///
    /// # Errors
    ///
    /// When the store has no lake with a catalog of its own, it cannot be brought to that format, or `look` fails.
    pub(crate) fn rehearse_migration<T>(
        &self,
        config: &Config,
        store: &str,
        look: impl FnOnce(&Connection, &(Ident, Ident)) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let configured = config.trusted_store(store)?;
        let tables = configured.tables.must_exist().migrating();
        prepare_file(&tables, false)?;
        // What it has stored is compared by a check.
        let plan = Arc::new(self.plan(&tables, &configured.session, Mode::Write).over_stored_data_path());
        let facts = Arc::new(facts_of(store, &tables, &plan));
        let name = plan.metadata().ok_or_else(|| Error::query("the store has no lake with a catalog of its own"))?;
        let instance = open_instance(None, &[&plan], Mode::Write).map_err(|error| error.with_facts(&facts))?;
        let connection = Connection::new(instance, Arc::clone(&plan)).with_facts(Arc::clone(&facts));
        let connection = self.watched(connection);
        let connection = connection.with_retry(self.retry.unwrap_or(config.retry));
        for (index, statement) in plan.statements().iter().enumerate() {
            let run = match statement {
                // The transaction has begun.
                Statement::Use(_) => connection.run_statement(statement).map(drop).map_err(|error| (index, error)),
                Statement::Attach(_) => connection
                    .execute("BEGIN TRANSACTION")
                    .map_err(|error| (index, error))
                    .and_then(|_| self.run_statements(&connection, &plan, index..index + 1)),
                _ => self.run_statements(&connection, &plan, index..index + 1),
            };
            run.map_err(|(failed, error)| explain(&plan, failed, error, &facts, self.install))?;
        }
        let mut warnings = Vec::new();
        let looked = verify_all(&connection, &plan, &tables, &mut warnings).and_then(|()| look(&connection, &name));
        let undone = connection.execute("ROLLBACK");
        // The instance ends here, and with it all that the transaction may have left.
        looked.and_then(|found| undone.map(|_| found)).map_err(|error| error.with_facts(&facts))
    }
}
