//! Opening the DuckDB instance.

use std::path::Path;

use ducklake_sql::{AttachPlan, CatalogKind, Extension, Ident, Mode, Parameter, Setting, Sql, Statement};

use super::cause::Facts;
use super::connection::{Connection, engine_text};
use super::engine_error::EngineError;
use super::error::{Error, Kind};
use super::signed_extensions::{self, ALLOW_UNSIGNED};

/// The settings that say where extensions are. Those signed by DuckDB are loaded before a plan sets any.
const FOLDERS: [&str; 3] = ["extension_directories", "extension_directory", "home_directory"];

/// Opens DuckDB itself for plans that are run in this order, with their extensions loaded where they are installed and
/// signed by DuckDB. All others come by the plan alone, never by themselves.
pub(crate) fn open_instance(
    database: Option<&Path>,
    plans: &[&AttachPlan],
    mode: Mode,
) -> Result<duckdb::Connection, Error> {
    let extensions: Vec<_> = plans.iter().flat_map(|plan| plan.extensions()).collect();
    open_with(database, &settings_of(plans), &extensions, mode)
}

/// Opens DuckDB in memory as a plan would have it, with no extension loaded.
pub(crate) fn open_bare_instance(plan: &AttachPlan) -> Result<duckdb::Connection, Error> {
    open_with(None, &settings_of(&[plan]), &[], Mode::Read)
}

fn open_with(
    database: Option<&Path>,
    settings: &[&Setting],
    extensions: &[&Extension],
    mode: Mode,
) -> Result<duckdb::Connection, Error> {
    let check_here = !extensions.is_empty() && !settings.iter().any(|setting| is_named(setting, ALLOW_UNSIGNED));
    let open = || {
        let mut config = duckdb::Config::default().enable_autoload_extension(false)?;
        if check_here {
            config = config.allow_unsigned_extensions()?;
        }
        for setting in settings {
            let sql = Statement::Set((*setting).clone()).to_sql();
            for value in sql.parameters() {
                config = match value {
                    Parameter::Text(text) => config.with(setting.name().as_str(), text)?,
                    Parameter::Integer(number) => config.with(setting.name().as_str(), number.to_string())?,
                    Parameter::Boolean(boolean) => config.with(setting.name().as_str(), boolean.to_string())?,
                };
            }
        }
        let connection = match (database, mode) {
            (Some(file), Mode::Write) => duckdb::Connection::open_with_flags(file, config),
            (Some(file), Mode::Read) if file.exists() => {
                let config = config.access_mode(duckdb::AccessMode::ReadOnly)?;
                duckdb::Connection::open_with_flags(file, config)
            }
            (None, _) | (Some(_), Mode::Read) => duckdb::Connection::open_in_memory_with_flags(config),
        }?;
        if check_here {
            signed_extensions::load(&connection, extensions)?;
        }
        Ok(connection)
    };
    open().map_err(|error: duckdb::Error| {
        let scrub = |text: String, setting: &&Setting| Statement::Set((*setting).clone()).to_sql().scrub(&text);
        let raw = engine_text(&error);
        let text = settings.iter().fold(raw.clone(), scrub);
        Error::new(Kind::Open(EngineError::new(&raw, text, &Facts::default())))
    })
}

/// What has to be set before DuckDB runs: where plans differ, as the first of them says.
fn settings_of<'p>(plans: &[&'p AttachPlan]) -> Vec<&'p Setting> {
    let mut settings: Vec<&Setting> = Vec::new();
    for plan in plans {
        let folders = plan.statements().iter().filter_map(|statement| match statement {
            Statement::Set(setting) if FOLDERS.iter().any(|folder| is_named(setting, folder)) => Some(setting),
            _ => None,
        });
        for setting in plan.settings_at_open().iter().chain(folders) {
            if !settings.iter().any(|one| is_named(one, setting.name().as_str())) {
                settings.push(setting);
            }
        }
    }
    settings
}

/// Lets a SQLite catalog be read through one connection of each transaction, unless the plan says otherwise.
///
/// DuckDB would open a file of SQLite anew for each scan of a table in it, to scan with several threads. Each time SQLite
/// reads the definitions of all tables, and DuckLake makes one for each table of the lake: a look at one table would take
/// longer the more tables there are.
pub(crate) fn share_sqlite_connection(connection: &Connection, plan: &AttachPlan) {
    let is_set = sets(plan, "sqlite_disable_multithreaded_scans");
    if plan.catalog() == Some(CatalogKind::Sqlite) && !is_set {
        // Without it, reading takes longer and nothing else.
        drop(connection.execute("SET GLOBAL sqlite_disable_multithreaded_scans = true"));
    }
}

/// Keeps DuckDB from giving the rows of one table of a SQLite catalog for those of another one.
///
/// DuckDB 1.5.5 takes scans of two tables of SQLite for the same scan if the tables have the same columns, and computes what is
/// the same of both, such as a count or a join, only once. DuckLake's own queries of the catalog are not safe from it either.
pub(crate) fn keep_sqlite_tables_apart(connection: &Connection, plan: &AttachPlan) -> Result<(), Error> {
    const RULE: &str = "common_subplan";
    if plan.catalog() != Some(CatalogKind::Sqlite) {
        return Ok(());
    }
    let disabled = connection.text(&Sql::fixed("SELECT current_setting('disabled_optimizers')"))?.unwrap_or_default();
    let mut rules: Vec<&str> = disabled.split(',').map(str::trim).filter(|rule| !rule.is_empty()).collect();
    if !rules.contains(&RULE) {
        rules.push(RULE);
        let rules = rules.join(",");
        connection.execute(Sql::fixed("SET GLOBAL disabled_optimizers = ?").with_text("disabled_optimizers", rules))?;
    }
    Ok(())
}

/// Lets the connections to a catalog on PostgreSQL be used without a question whether they are alive, unless the plan says
/// otherwise.
pub(crate) fn leave_out_health_check(connection: &Connection, plan: &AttachPlan) {
    if plan.catalog() == Some(CatalogKind::Postgres) && !sets(plan, "pg_pool_health_check_query") {
        // With it, each transaction takes longer and nothing else.
        drop(connection.execute("SET GLOBAL pg_pool_health_check_query = ''"));
    }
}

/// Whether a plan has a statement that makes this setting.
fn sets(plan: &AttachPlan, name: &str) -> bool {
    let is_it = |statement: &Statement| matches!(statement, Statement::Set(setting) if is_named(setting, name));
    plan.statements().iter().any(is_it)
}

fn is_named(setting: &Setting, name: &str) -> bool {
    setting.name().as_str().eq_ignore_ascii_case(name)
}

pub(crate) fn current_database(connection: &Connection) -> Result<Ident, Error> {
    let name = connection.text(&Sql::fixed("SELECT current_database()"))?;
    Ident::new(name.unwrap_or_default()).map_err(Error::from)
}
