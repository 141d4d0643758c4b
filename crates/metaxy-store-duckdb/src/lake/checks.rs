//! The checks of a plan, made on the attached lake.

use ducklake_sql::{Check, Lake};

use super::data_path;
use crate::engine::{Connection, Error, Kind};

/// Makes one check; what is wrong but no reason to refuse the lake becomes a warning.
pub(super) fn verify(
    connection: &Connection,
    check: &Check,
    lake: &Lake,
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
            if data_path::same(&stored, expected) {
                Ok(())
            } else if lake.overrides_data_path() {
                warnings.push(
                    [
                        "`override_data_path` puts `",
                        expected,
                        "` over the stored data path `",
                        &stored,
                        "`: rows written now cannot be read under either",
                    ]
                    .concat(),
                );
                Ok(())
            } else {
                Err(Error::new(Kind::DataPath { stored, configured: expected.clone() }))
            }
        }
        _ => Err(Error::query(["a check that this version does not know: ", check.purpose()].concat())),
    }
}
