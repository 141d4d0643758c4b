//! The doctor: finds why a store does not work, before data is at risk, and names the one thing to change.
//!
//! It runs the plan of a store for reading, statement by statement, in a DuckDB instance of its own, and looks at each
//! part on the way. What holds for every check:
//!
//! - it creates no lake, and leaves no file, no secret and no attached database: extensions are not installed, catalogs
//!   are attached read-only, and a probe object exists for a moment, and only when it was asked for (an `init_sql` of the
//!   configuration runs as always, and what it does is its own);
//! - what engines and servers say is scrubbed of secrets before it becomes part of a report;
//! - a check whose precondition failed is skipped and says so; independent checks go on.

mod catalog;
mod configuration;
mod database;
mod files;
mod inlined;
mod lake;
mod marks;
mod report;
mod storage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ducklake_sql::{AttachPlan, Ident, Lake, Mode, Sql, Statement, TableDatabase, mask_credentials};
use metaxy_config::{Config, LoadError, Loaded};
use metaxy_feature::FeatureGraph;

use crate::engine::cause::{Facts, Operation};
use crate::engine::{
    Cause, Connection, EngineError, Error, FromRow, keep_sqlite_tables_apart, leave_out_health_check, open_instance,
    share_sqlite_connection,
};
use crate::lake::checks::with_stored_data_path;
use crate::lake::extensions;
use crate::lake::facts::facts_of;
use report::Verdict;

pub use report::{CheckName, Finding, Outcome, REPORT_VERSION, Report};

/// Examines a store: its configuration, catalog, storage and lake.
///
/// ```no_run
/// use metaxy_config::{Config, LoadOptions, OsSystem};
/// use metaxy_store_duckdb::Doctor;
///
/// let loaded = Config::load(&OsSystem, &LoadOptions::default());
/// let report = Doctor::default().examine(&loaded, Some("prod"));
/// print!("{report}");
/// if let Some(first) = report.fix_first() {
///     println!("{:?}: {:?}", first.cause, first.advice);
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Doctor {
    write: bool,
    deep: bool,
    graph: Option<FeatureGraph>,
}

impl Doctor {
    /// Whether to put, get and delete a probe below the data path; without, nothing is ever written there.
    ///
    /// A probe goes to a folder of its own, `metaxy-doctor-…`. Where the storage lets it be put but not deleted, it
    /// stays, and the report has its name.
    pub fn write(mut self, write: bool) -> Self {
        self.write = write;
        self
    }

    /// Whether to read every column of every table, and every file of older snapshots, and to compare all rows of the
    /// features that have marks (see [`Features::mark`](crate::Features::mark)); without, only whether the files are there
    /// and as large as they were written.
    ///
    /// It takes as long as reading the whole lake.
    pub fn deep(mut self, deep: bool) -> Self {
        self.deep = deep;
        self
    }

    /// The features whose marks are compared; those that were pushed last to the lake unless set.
    pub fn graph(mut self, graph: impl Into<Option<FeatureGraph>>) -> Self {
        self.graph = graph.into();
        self
    }

    /// Makes every check on a store of a configuration, or on its default store.
    ///
    /// It cannot fail: what goes wrong is what it is there to report.
    pub fn examine(&self, loaded: &Result<Loaded, LoadError>, store: Option<&str>) -> Report {
        let name = match (store, loaded) {
            (Some(name), _) => name,
            (None, Ok(loaded)) => &loaded.config.store,
            (None, Err(_)) => "dev",
        };
        let mut run = Run::new(name);
        let ready = configuration::examine(&mut run, loaded, name);
        match ready.map(|store| (&store.tables, store.plan(Mode::Read))) {
            Some((TableDatabase::Lake(lake), plan)) => {
                self.examine_lake(&mut run, lake, plan, loaded.as_ref().ok().map(|loaded| &loaded.config));
            }
            Some((tables, plan)) => database::examine(&mut run, tables, plan),
            None => run.skip_rest("the configuration has to be corrected first"),
        }
        run.report
    }

    fn examine_lake(&self, run: &mut Run, lake: &Lake, plan: AttachPlan, config: Option<&Config>) {
        let kind = lake.catalog_kind().as_str();
        let own = if lake.catalog().is_some() { "as the lake says" } else { "MotherDuck's own storage" };
        let data_path = lake.data_path().unwrap_or(own);
        run.report.subject = mask_credentials(&format!("catalog {kind}, data path {data_path}")).into_owned();
        run.facts = facts_of(&run.report.store, &lake.into(), &plan);
        let plan = Arc::new(plan);
        let Some(connection) = run.check(CheckName::Extensions, |run| prepare(run, &plan)) else {
            run.skip_rest("DuckDB is not ready");
            return;
        };
        let target = Target { connection: &connection, lake, plan: &plan };
        run.check(CheckName::SecretNames, |run| ((), target.secret_names(run)));
        let attached = catalog::examine(run, &target);
        storage::examine(run, &target, self.write);
        match &attached {
            Some(attached) => {
                lake::examine_settings(run, &target, attached);
                files::examine(run, &target, self.deep);
                inlined::examine(run, &target);
                match config.filter(|_| self.deep) {
                    Some(config) => marks::examine(run, &target, self.graph.as_ref(), config),
                    None => run.skip(CheckName::Marks, "only with --deep"),
                }
                lake::examine_health(run, &target, config.and_then(|config| config.declared(&run.report.store)));
            }
            None => run.skip_rest("the lake is not attached"),
        }
        target.detach();
    }
}

/// The checks made so far, and what was learnt on the way.
struct Run {
    report: Report,
    facts: Facts,
}

impl Run {
    fn new(store: &str) -> Self {
        let report = Report { store: store.to_owned(), subject: String::new(), findings: Vec::new() };
        Self { report, facts: Facts { store: store.to_owned(), ..Facts::default() } }
    }

    /// Makes a check and takes its time.
    fn check<T>(&mut self, name: CheckName, examine: impl FnOnce(&mut Self) -> (T, Verdict)) -> T {
        let start = Instant::now();
        let (result, verdict) = examine(self);
        self.report.findings.push(verdict.into_finding(name, start.elapsed()));
        result
    }

    /// Makes a check that may find several things, each with what to do about it.
    fn check_all(&mut self, name: CheckName, examine: impl FnOnce(&Self) -> Vec<Verdict>) {
        let start = Instant::now();
        let verdicts = examine(self);
        let duration = start.elapsed();
        self.report.findings.extend(verdicts.into_iter().map(|verdict| verdict.into_finding(name, duration)));
    }

    fn skip(&mut self, name: CheckName, why: &str) {
        self.report.findings.push(Verdict::skipped(why).into_finding(name, Duration::ZERO));
    }

    /// Skips every check that was not made.
    fn skip_rest(&mut self, why: &str) {
        for name in CheckName::ALL {
            if self.report.finding(*name).is_none() {
                self.skip(*name, why);
            }
        }
    }
}

/// The lake under examination, and the instance it is examined in.
struct Target<'a> {
    connection: &'a Connection,
    lake: &'a Lake,
    plan: &'a AttachPlan,
}

impl Target<'_> {
    /// Where the data files are, as configured or else as stored; `None` where a server keeps that to itself.
    fn data_path(&self) -> Result<Option<String>, EngineError> {
        if let Some(configured) = self.lake.data_path() {
            return Ok(Some(configured.to_owned()));
        }
        let stored = with_stored_data_path(self.connection, self.plan).map_err(Error::into_engine_error)?;
        Ok(stored.and_then(|plan| plan.data_path().map(str::to_owned)))
    }

    fn rows<R: FromRow>(&self, sql: impl Into<Sql>) -> Result<Vec<R>, EngineError> {
        self.connection.query_rows(sql).map_err(Error::into_engine_error)
    }

    /// The first row of a query, if it has one.
    fn row<R: FromRow>(&self, sql: impl Into<Sql>) -> Result<Option<R>, EngineError> {
        self.connection.query_row(sql).map_err(Error::into_engine_error)
    }

    fn run(&self, sql: impl Into<Sql>) -> Result<(), EngineError> {
        self.connection.run(&sql.into()).map(drop).map_err(Error::into_engine_error)
    }

    /// The plan's statements after extensions and settings: secrets, `ATTACH`, `USE`.
    fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.plan.statements().iter().skip_while(|statement| is_preparation(statement))
    }

    /// What DuckDB shows of a secret, itself without credentials: `(type, persistent, "name=…;endpoint=…")`.
    fn secret(&self, name: &str) -> Result<Option<(String, bool, String)>, EngineError> {
        let sql = Sql::fixed(
            "SELECT type, persistent, secret_string FROM duckdb_secrets()
             WHERE lower(name) = lower(?) ORDER BY persistent LIMIT 1",
        );
        self.row(sql.with_text("name", name))
    }

    /// Whether a persistent secret would make a name of the plan ambiguous.
    fn secret_names(&self, run: &Run) -> Verdict {
        let names: Vec<&str> = self
            .statements()
            .filter_map(|statement| match statement {
                Statement::CreateSecret(secret) => Some(secret.name().as_str()),
                _ => None,
            })
            .collect();
        let sql = "SELECT name, storage FROM duckdb_secrets() WHERE persistent ORDER BY name";
        let persistent: Vec<(String, String)> = match self.rows(sql) {
            Ok(rows) => rows,
            Err(said) => return Verdict::new(Outcome::Warning, "DuckDB does not show its secrets").raw(said.text()),
        };
        let is_own = |(name, _): &&(String, String)| names.iter().any(|own| own.eq_ignore_ascii_case(name));
        let found = persistent.iter().filter(is_own).map(|(name, storage)| format!("`{name}` in `{storage}`"));
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            return Verdict::ok("no persistent secret has a name that this store uses");
        }
        Cause::AmbiguousSecret.verdict(Outcome::Failed, &run.facts, "").evidence(found)
    }

    /// Detaches and forgets everything; what is not there needs no undoing.
    fn detach(&self) {
        let Ok(home) = Ident::new("memory") else { return };
        for statement in self.plan.undo(0..self.plan.statements().len(), &home) {
            drop(self.run(statement.to_sql()));
        }
        catalog::detach(self);
    }
}

/// Whether a statement of a plan comes before its secrets.
fn is_preparation(statement: &Statement) -> bool {
    matches!(statement, Statement::Set(_) | Statement::Load(_) | Statement::Init(_))
}

/// Opens DuckDB, and makes the plan's settings and loads its extensions; never installs one.
fn prepare(run: &mut Run, plan: &Arc<AttachPlan>) -> (Option<Connection>, Verdict) {
    let failed = |run: &Run, cause: Option<Cause>, what: String, text: &str| match cause {
        Some(cause) => cause.verdict(Outcome::Failed, &run.facts, text).evidence([what]),
        None => Verdict::unknown(what, text),
    };
    let connection = match open_instance(None, &[plan.as_ref()], Mode::Read) {
        Ok(instance) => Connection::new(instance, Arc::clone(plan)).with_facts(Arc::new(run.facts.clone())),
        Err(error) => {
            let text = plan.scrub(error.into_engine_error().text());
            return (None, failed(run, Some(Cause::SettingRefused), "DuckDB cannot be opened".to_owned(), &text));
        }
    };
    let mut loaded = Vec::new();
    let mut missing: Option<Verdict> = None;
    for statement in plan.statements().iter().take_while(|statement| is_preparation(statement)) {
        let Err(error) = connection.run_statement(statement) else {
            if let Statement::Load(extension) = statement {
                loaded.push(extension.name().to_string());
            }
            continue;
        };
        let said = error.into_engine_error();
        let text = said.text();
        missing = Some(match (statement, missing) {
            (Statement::Load(extension), None) => {
                run.facts.extension = extension.name().to_string();
                let cause = said.cause(Operation::LoadExtension, &run.facts);
                let verdict = failed(run, cause, format!("`{}` cannot be loaded", extension.name()), text);
                verdict.evidence(where_extensions_are(&connection, extension.name().as_str()))
            }
            (Statement::Load(extension), Some(verdict)) => {
                verdict.evidence([format!("`{}` cannot be loaded", extension.name())])
            }
            (Statement::Set(setting), None) => {
                let what = format!("the setting `{}` is refused", setting.name());
                failed(run, Some(Cause::SettingRefused), what, text)
            }
            // Its text and error may hold a secret that nothing here knows of.
            (_, None) => Verdict::new(Outcome::Failed, "an `init_sql` statement of an extension fails"),
            // What fails after a missing extension may follow from it.
            (_, Some(verdict)) => verdict,
        });
    }
    if let Some(verdict) = missing {
        return (None, verdict);
    }
    be_quick(&connection, plan);
    share_sqlite_connection(&connection, plan);
    if let Err(error) = keep_sqlite_tables_apart(&connection, plan) {
        return (None, Verdict::new(Outcome::Failed, error.to_string()));
    }
    leave_out_health_check(&connection, plan);
    let verdict = match versions(&connection, &loaded) {
        Ok(versions) => Verdict::ok("all that the lake needs are there").evidence(versions),
        Err(error) => Verdict::new(Outcome::Warning, "DuckDB does not tell its version").raw(error.to_string()),
    };
    (Some(connection), verdict)
}

/// The version of DuckDB, and those of its extensions that were loaded.
fn versions(connection: &Connection, loaded: &[String]) -> Result<Vec<String>, Error> {
    let engine = "SELECT library_version, source_id FROM pragma_version()";
    let extensions = "SELECT extension_name, extension_version FROM duckdb_extensions()
                      WHERE loaded AND install_mode <> 'STATICALLY_LINKED'";
    let engine: Vec<(String, String)> = connection.query_rows(engine)?;
    let extensions: Vec<(String, Option<String>)> = connection.query_rows(extensions)?;
    let engine = engine.into_iter().map(|(version, source)| format!("DuckDB {version} {source}"));
    let extensions = extensions
        .into_iter()
        .filter(|(name, _)| loaded.contains(name))
        .map(|(name, version)| [name, version.unwrap_or_default()].join(" "));
    Ok(engine.chain(extensions).collect())
}

/// Lets a storage that is down be told in a moment: fewer retries, and a shorter timeout, unless configured.
fn be_quick(connection: &Connection, plan: &AttachPlan) {
    for (name, sql) in
        [("http_retries", "SET GLOBAL http_retries = 1"), ("http_timeout", "SET GLOBAL http_timeout = 10")]
    {
        let is_it = |statement: &Statement| match statement {
            Statement::Set(setting) => setting.name().as_str().eq_ignore_ascii_case(name),
            _ => false,
        };
        if !plan.statements().iter().any(is_it) {
            // Only object storage has these settings.
            drop(connection.run(&Sql::fixed(sql)));
        }
    }
}

/// Where DuckDB looks for an extension, and which other versions of it are there.
fn where_extensions_are(connection: &Connection, name: &str) -> Vec<String> {
    let file = [name, ".duckdb_extension"].concat();
    let mut facts = Vec::new();
    let folders = match extensions::folders(connection) {
        Ok(folders) => folders,
        Err(error) => return vec![format!("DuckDB does not tell where it looks for extensions: {error}")],
    };
    for folder in folders {
        facts.push(format!("DuckDB looks for `{}`", folder.join(&file).display()));
        let Some((version, platform)) = folder.parent().zip(folder.file_name()) else { continue };
        let all = version.parent().and_then(|all| std::fs::read_dir(all).ok()).into_iter().flatten().flatten();
        let others = all.filter(|other| other.path().join(platform).join(&file).is_file() && other.path() != version);
        let mut others: Vec<_> = others.map(|other| other.file_name().to_string_lossy().into_owned()).collect();
        others.sort();
        facts.extend(others.into_iter().map(|other| format!("there is one for DuckDB {other}, which does not fit")));
    }
    facts
}

/// The value of a key in what DuckDB shows of a secret.
fn shown(secret: &str, key: &str) -> String {
    let value = secret.split(';').find_map(|part| part.split_once('=').filter(|(found, _)| *found == key));
    value.map(|(_, value)| value.to_owned()).unwrap_or_default()
}
