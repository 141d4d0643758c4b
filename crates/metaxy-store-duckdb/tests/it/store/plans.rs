//! Every plan that a snapshot locks is one that DuckDB understands: run, or prepared where its server is not here.

use std::path::{Path, PathBuf};

use ducklake_sql::{AttachPlan, CatalogKind, Ident, Mode, Reveal, Statement};
use metaxy_config::{Config, LoadOptions, MemorySystem};

use crate::lake::{TempLake, raw, run};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../metaxy-config/tests/fixtures/lakes");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

/// The extension of MotherDuck, which does not even load without its service.
const NOT_HERE: &str = "motherduck";

/// The plan of a fixture whose relative paths are below a folder.
fn plan(fixture: &Path, home: &TempLake, mode: Mode) -> AttachPlan {
    let text = std::fs::read_to_string(fixture).unwrap();
    let system = MemorySystem::new().file(home.path_of("metaxy.toml"), text);
    let loaded = Config::load(&system, &LoadOptions::file(home.path_of("metaxy.toml"))).unwrap();
    loaded.config.default_store().unwrap().plan(mode)
}

/// Whether a statement can be run here, or only prepared: no credentials are found, and no such server answers.
fn runs(statement: &Statement, catalog: Option<CatalogKind>, mode: Mode) -> bool {
    match statement {
        Statement::CreateSecret(_) => {
            let text = statement.to_text(Reveal::Masked);
            // Without a network DuckDB tries for 26 s to reach Amazon's token service. The secret is the same in both modes.
            let is_known = text.contains("CHAIN 'sts'") && mode == Mode::Read;
            !is_known && (!text.contains("PROVIDER 'credential_chain'") || text.contains("VALIDATION 'none'"))
        }
        Statement::Attach(_) | Statement::Use(_) => {
            !matches!(catalog, Some(CatalogKind::Postgres | CatalogKind::Quack))
        }
        _ => true,
    }
}

/// How a statement comes to DuckDB.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As the store runs it, with bound values.
    Bound,
    /// As a text for the shell.
    Shell,
}

fn check(form: Form) {
    let connection = raw();
    // Where one thread runs a statement that waits, a second one would not wait with it, but ask again and again.
    connection.execute_batch("SET threads = 1").unwrap();
    connection.execute_batch("LOAD postgres_scanner; LOAD httpfs; LOAD aws; LOAD azure; LOAD quack").unwrap();
    let memory = Ident::new("memory").unwrap();
    let mut seen = 0;
    for fixture in fixtures() {
        let name = fixture.file_stem().unwrap().to_str().unwrap().to_owned();
        let home = TempLake::new();
        std::fs::create_dir(home.path_of("lake")).unwrap();
        for mode in [Mode::Write, Mode::Read] {
            let plan = plan(&fixture, &home, mode);
            if plan.extensions().any(|extension| extension.name().as_str() == NOT_HERE) {
                continue;
            }
            seen += 1;
            let mut done = Vec::new();
            // The server is asked even when the probe is only prepared.
            let statements = plan.statements().iter().filter(|one| !matches!(one, Statement::ProbeStorage(_)));
            for statement in statements {
                let text = statement.to_text(Reveal::Secrets);
                let runs = runs(statement, plan.catalog(), mode);
                let result = match (runs, form) {
                    (true, Form::Shell) => connection.execute_batch(&text),
                    (true, Form::Bound) => run(&connection, &statement.to_sql()).map(drop),
                    (false, Form::Shell) => connection.prepare(&text).map(drop),
                    (false, Form::Bound) => connection.prepare(statement.to_sql().text()).map(drop),
                };
                result.unwrap_or_else(|error| panic!("{name}: {}: {error}", statement.name()));
                if runs {
                    done.extend(statement.undo(&memory));
                }
            }
            for statement in done.iter().rev() {
                run(&connection, &statement.to_sql()).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }
    assert!(seen > 60, "{seen} plans");
}

// Two tests, since both wait for a server that does not answer.

#[test]
fn duckdb_understands_every_plan_with_bound_values() {
    check(Form::Bound);
}

#[test]
fn duckdb_understands_every_plan_as_a_shell_runs_it() {
    check(Form::Shell);
}

/// The names of the files are the table of combinations: nothing is missing in it.
#[test]
fn there_is_a_fixture_for_every_combination() {
    let mut expected: Vec<String> = ["duckdb", "sqlite", "postgres"]
        .iter()
        .flat_map(|catalog| ["local", "s3", "r2", "gcs"].map(|storage| [catalog, "-", storage].concat()))
        .collect();
    expected.extend(["motherduck-managed", "quack-local", "quack-azure", "postgres-azure"].map(str::to_owned));
    expected.extend(["s3", "r2", "gcs"].map(|storage| ["motherduck-byob-", storage].concat()));
    let names: Vec<_> = fixtures().iter().map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    for combination in &expected {
        assert!(names.iter().any(|name| name.split("--").next() == Some(combination)), "{combination}");
    }
    for name in names {
        assert!(expected.iter().any(|combination| name.split("--").next() == Some(combination)), "{name}");
    }
}
