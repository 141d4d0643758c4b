//! The checks of a plan, made on the attached lake.

use ducklake_sql::{AttachPlan, Check, Lake, Mode, TableDatabase, mask_credentials};

use super::data_files::{DataFiles, was_moved};
use super::data_path::{self, DataPath};
use super::inlined_versions;
use crate::engine::{Class, Connection, Error, Kind, Refusal, read_again};

/// Makes the checks of a plan, and ends the transaction that its last statement is in; the plan with what was learnt, if
/// anything was.
pub(crate) fn check_all(
    connection: &Connection,
    plan: &AttachPlan,
    tables: &TableDatabase,
    mode: Mode,
    warnings: &mut Vec<String>,
) -> Result<Option<AttachPlan>, Error> {
    let checked = verify_all(connection, plan, tables, warnings).and_then(|()| with_stored_data_path(connection, plan));
    let end = if checked.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = connection.execute(end).map(drop);
    let known = checked.and_then(|known| ended.map(|()| known))?;
    // Beside the transaction PostgreSQL would be asked by another connection.
    let elsewhere = connection.elsewhere()?;
    let unrecorded = read_again(&elsewhere, || inlined_versions::unrecorded(&elsewhere, plan))?;
    inlined_versions::mend(connection, plan, &unrecorded, mode, warnings)?;
    Ok(known)
}

/// The plan of a lake that says itself where its files are, with that place.
pub(crate) fn with_stored_data_path(connection: &Connection, plan: &AttachPlan) -> Result<Option<AttachPlan>, Error> {
    let Some(check) = plan.checks().iter().find(|check| matches!(check, Check::StoredDataPath { .. })) else {
        return Ok(None);
    };
    let stored = connection.text(&check.to_sql())?;
    Ok(stored.map(|stored| plan.knowing_data_path(&stored)))
}

/// Makes all checks in the transaction that has begun.
pub(crate) fn verify_all(
    connection: &Connection,
    plan: &AttachPlan,
    tables: &TableDatabase,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    plan.checks().iter().try_for_each(|check| verify(connection, check, tables, plan, warnings))
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
        Check::StoredDataPath { .. } => StoredPath::check(found?.unwrap_or_default()),
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

/// A stored data path that cannot be used as it is, where none is configured.
#[derive(Debug, thiserror::Error)]
enum StoredPath {
    #[error("the lake has its data at `{0}`, which is relative to a folder that it does not name")]
    Relative(String),
    #[error("the lake has its data at `{0}`, and nothing says how to reach that")]
    NeedsSecret(String),
}

impl StoredPath {
    fn check(stored: String) -> Result<(), Error> {
        let needs_secret = |url: &str| !["http://", "https://", "file://"].iter().any(|open| url.starts_with(open));
        if data_path::is_relative(&stored) {
            return Err(Error::refused(Self::Relative(stored)));
        }
        if stored.contains("://") && needs_secret(&stored) {
            return Err(Error::refused(Self::NeedsSecret(mask_credentials(&stored).into_owned())));
        }
        Ok(())
    }
}

impl Refusal for StoredPath {
    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Relative(_) => "say where that is: `storage = { type = \"local\", path = \"…\" }`".to_owned(),
            Self::NeedsSecret(_) => "write `storage`, with its `type`, this path and what it is reached by".to_owned(),
        })
    }

    fn class(&self) -> Class {
        Class::Other
    }
}
