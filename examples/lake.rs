//! A lake as code: declared, applied, filled by small writes, kept in shape, moved from SQLite to PostgreSQL, and read there
//! by both languages.
//!
//! ```text
//! cargo run -p metaxy-examples --example lake
//! ```
//!
//! Python Metaxy is what `cargo xtask interop` brings.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use ducklake_sql::{Mode, bind, sql};
use metaxy_config::{Config, LoadOptions, OsSystem, Trust};
use metaxy_store_duckdb::{CatalogMigration, MaintainOptions, StepOutcome, Store};
use metaxy_testkit::{Database, Postgres, TempDir, deps};

/// The store, what its lake is to have, and the store that it is moved to.
const CONFIG: &str = r#"
[stores.dev]
type = "metaxy.ext.duckdb.DuckDBMetadataStore"
[stores.dev.config]
database = ":memory:"
config = { extension_directory = "{EXTENSIONS}", allow_unsigned_extensions = "true" }
ducklake.catalog = { type = "sqlite", uri = "sqlite:meta.sqlite" }
ducklake.storage = { type = "local", path = "data" }

[stores.next]
type = "metaxy.ext.duckdb.DuckDBMetadataStore"
[stores.next.config]
database = ":memory:"
config = { extension_directory = "{EXTENSIONS}", allow_unsigned_extensions = "true" }
ducklake.storage = { type = "local", path = "data" }
[stores.next.config.ducklake.catalog]
type = "postgres"
secret_name = "next"
host = "{HOST}"
port = {PORT}
database = "{DATABASE}"
user = "{USER}"
password = '''{PASSWORD}'''

[ext.rust.lake.dev]
options = { parquet_compression = "zstd", target_file_size = "64MB" }
tables.sample = { comment = "one row for each video", sorted_by = ["id"] }
[ext.rust.lake.next]
migrate_from = "dev"
"#;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    run(&TempDir::new(), &mut io::stdout().lock())
}

fn run(folder: &TempDir, out: &mut dyn Write) -> Result<()> {
    let database = Postgres::shared().database();
    let config = configured(folder, &database)?;
    let declared = config.declared("dev").ok_or("nothing is declared")?;
    let store = Store::open(&config, "dev", Mode::Write)?;
    store.connection().execute("CREATE TABLE sample (id BIGINT, path VARCHAR)")?;

    writeln!(out, "What is declared:")?;
    let plan = store.plan_declared(declared)?;
    for step in &plan.difference.steps {
        writeln!(out, "  {step}")?;
    }
    let applied = store.apply(&plan, false)?;
    writeln!(out, "  {} steps done", applied.done.len())?;
    // What was set is read by a new session.
    store.close()?;
    let store = Store::open(&config, "dev", Mode::Write)?;

    writeln!(out, "\nAfter twenty small writes and a delete:")?;
    for batch in 0..20_i64 {
        let rows = sql!("INSERT INTO sample SELECT {batch} * 20 + range, 'video' FROM range(20)", batch = bind(batch));
        store.transaction(|connection| connection.execute(rows.clone()))?;
    }
    store.transaction(|connection| connection.execute("DELETE FROM sample WHERE id % 10 = 0"))?;
    let done = store.maintain(&MaintainOptions::new().alone(true), |_, _| ())?;
    for step in &done.steps {
        if let StepOutcome::Done(what) = &step.outcome {
            writeln!(out, "  {}: {what}", step.step)?;
        }
    }
    let [before, after] =
        [&done.before, &done.after].map(|size| size.tables.iter().map(|table| table.files).sum::<i64>());
    writeln!(out, "  {before} files before, {after} after")?;
    store.close()?;

    writeln!(out, "\nMoved from SQLite to PostgreSQL:")?;
    let migration = CatalogMigration::new(&config, "dev", "next")?;
    let moved = migration.run(&folder.path().join("lake.backup"), |_| ())?;
    let copied = moved.backup.ok_or("it was moved before")?;
    writeln!(out, "  {} snapshots copied, {} tables compared", copied.snapshots, moved.compared_tables)?;
    let refused = Store::open(&config, "dev", Mode::Write).err().ok_or("it can still be attached")?;
    writeln!(out, "  the SQLite file cannot be attached any more: {}", refused.cause().ok_or(refused)?)?;
    let moved = Store::open(&config, "next", Mode::Read)?;
    let rows: usize = moved.connection().query("FROM sample")?.map(|batch| Ok(batch?.num_rows())).sum::<Result<_>>()?;
    moved.close()?;
    writeln!(out, "  {rows} rows")?;
    write!(out, "{}", read_by_python(folder)?)?;
    Ok(())
}

/// What Python Metaxy reads where the lake is now, by the same configuration.
fn read_by_python(folder: &TempDir) -> Result<String> {
    const SCRIPT: &str = "
import metaxy, offline
store = metaxy.MetaxyConfig.load('metaxy.toml').get_store('next')
with store:
    (rows,) = store._duckdb_raw_connection().execute('SELECT count(*) FROM sample').fetchone()
print(f'  {rows} rows, read by Python Metaxy {metaxy.__version__}')
";
    let mut python = Command::new(deps().peer());
    // It loads extensions that are there, in place of installing them from the network.
    python.env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/../xtask/peer"));
    let ran = python.args(["-c", SCRIPT]).current_dir(folder.path()).output()?;
    if !ran.status.success() {
        return Err(String::from_utf8_lossy(&ran.stderr).into());
    }
    Ok(String::from_utf8(ran.stdout)?)
}

/// The configuration, in a file of the folder.
fn configured(folder: &TempDir, database: &Database<'_>) -> Result<Config> {
    let mut text = CONFIG.replace("{EXTENSIONS}", &deps().extensions().display().to_string());
    for (hole, value) in [
        ("{HOST}", database.host()),
        ("{PORT}", &database.port().to_string()),
        ("{DATABASE}", database.name()),
        ("{USER}", &database.owner().user),
        ("{PASSWORD}", &database.owner().password),
    ] {
        text = text.replace(hole, value);
    }
    let file = folder.write("metaxy.toml", text);
    let options = LoadOptions::file(Path::new(&file)).trust(Trust::Everything);
    Ok(Config::load(&OsSystem, &options)?.config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_what_the_documentation_shows() {
        let mut out = Vec::new();
        run(&TempDir::new(), &mut out).expect("it runs");
        let printed = String::from_utf8(out).expect("it prints text");
        let page = include_str!("../docs/lake.md");
        assert!(page.contains(&printed), "{printed}");
    }
}
