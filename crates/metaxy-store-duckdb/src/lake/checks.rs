//! The checks of a plan, made on the attached lake.

use ducklake_sql::{AttachPlan, Check, Lake, TableDatabase};

use super::data_files::{DataFiles, was_moved};
use super::data_path::{self, DataPath};
use crate::engine::{Connection, Error, Kind};

/// Makes the checks of a plan, and ends the transaction that its last statement is in.
pub(super) fn check_all(
    connection: &Connection,
    plan: &AttachPlan,
    tables: &TableDatabase,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    let checked = plan.checks().iter().try_for_each(|check| verify(connection, check, tables, plan, warnings));
    let end = if checked.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = connection.execute(end).map(drop);
    checked.and(ended)
}

/// Makes one check; what is wrong but no reason to refuse the lake becomes a warning.
fn verify(
    connection: &Connection,
    check: &Check,
    tables: &TableDatabase,
    plan: &AttachPlan,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    tracing::debug!(check = check.purpose(), "checking");
    let found = connection.text(&check.to_sql());
    match check {
        Check::IsDuckLake { alias, catalog } => {
            let (found, said) = match found {
                Ok(Some(kind)) if kind == catalog.as_str() => return Ok(()),
                Ok(Some(kind)) => (["its catalog is of the kind ", &kind].concat(), None),
                Ok(None) => ("it has no settings".to_owned(), None),
                Err(error) => {
                    let said = error.into_engine_error();
                    (said.to_string(), Some(said))
                }
            };
            Err(Error::new(Kind::NotTheLake { alias: alias.to_string(), found, said }))
        }
        Check::IsNoCatalog { alias } => match found? {
            Some(_) => Err(Error::new(Kind::IsCatalog(alias.to_string()))),
            None => Ok(()),
        },
        Check::DataPath { expected, .. } => {
            let stored = found?.unwrap_or_default();
            if data_path::makes_orphans(&stored) {
                warnings.push(
                    [
                        "the lake stores its data path as `",
                        &stored,
                        "`: DuckLake takes its live files for orphans, so never run `ducklake_delete_orphaned_files` or \
                         CHECKPOINT on it",
                    ]
                    .concat(),
                );
            }
            let configured = tables.lake().and_then(DataPath::of);
            if configured.as_ref().is_none_or(|configured| configured.is_stored_as(&stored)) {
                return Ok(());
            }
            // Where the files cannot be looked for, the more careful answer holds.
            let files = configured.as_ref().and_then(|path| DataFiles::below(path, connection, plan).ok()).flatten();
            if !tables.lake().is_some_and(Lake::overrides_data_path) {
                let is_moved = configured.is_some_and(|configured| was_moved(files, &stored, &configured));
                let is_gone = data_path::is_gone(&stored);
                return Err(Error::new(Kind::DataPath { stored, configured: expected.clone(), is_moved, is_gone }));
            }
            if files.is_none_or(|files| files.missing > 0) {
                warnings.push(
                    [
                        "`override_data_path` puts `",
                        expected,
                        "` over the stored data path `",
                        &stored,
                        "`, and data files of the lake are not there: rows written now cannot be read under either",
                    ]
                    .concat(),
                );
            }
            Ok(())
        }
        _ => Err(Error::query(["a check that this version does not know: ", check.purpose()].concat())),
    }
}
