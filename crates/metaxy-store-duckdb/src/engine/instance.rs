//! Opening the DuckDB instance.

use std::path::Path;

use ducklake_sql::{Ident, Mode, Parameter, Setting, Sql, Statement};

use super::cause::Facts;
use super::connection::{Connection, engine_text};
use super::engine_error::EngineError;
use super::error::{Error, Kind};

/// Opens DuckDB itself. Extensions come by the plan alone, never by themselves.
pub(crate) fn open_instance(
    database: Option<&Path>,
    settings: &[Setting],
    mode: Mode,
) -> Result<duckdb::Connection, Error> {
    let open = || {
        let mut config = duckdb::Config::default().enable_autoload_extension(false)?;
        for setting in settings {
            let sql = Statement::Set(setting.clone()).to_sql();
            for value in sql.parameters() {
                config = match value {
                    Parameter::Text(text) => config.with(setting.name().as_str(), text)?,
                    Parameter::Integer(number) => config.with(setting.name().as_str(), number.to_string())?,
                    Parameter::Boolean(boolean) => config.with(setting.name().as_str(), boolean.to_string())?,
                };
            }
        }
        match (database, mode) {
            (Some(file), Mode::Write) => duckdb::Connection::open_with_flags(file, config),
            (Some(file), Mode::Read) if file.exists() => {
                let config = config.access_mode(duckdb::AccessMode::ReadOnly)?;
                duckdb::Connection::open_with_flags(file, config)
            }
            (None, _) | (Some(_), Mode::Read) => duckdb::Connection::open_in_memory_with_flags(config),
        }
    };
    open().map_err(|error| {
        let scrub = |text: String, setting: &Setting| Statement::Set(setting.clone()).to_sql().scrub(&text);
        let raw = engine_text(&error);
        let text = settings.iter().fold(raw.clone(), scrub);
        Error::new(Kind::Open(EngineError::new(&raw, text, &Facts::default())))
    })
}

pub(crate) fn current_database(connection: &Connection) -> Result<Ident, Error> {
    let name = connection.text(&Sql::fixed("SELECT current_database()"))?;
    Ident::new(name.unwrap_or_default()).map_err(|problem| Error::query(problem.to_string()))
}
