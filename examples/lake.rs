//! A lake as code: declared, applied, filled by small writes, kept in shape, and moved into a catalog of another kind.
//!
//! ```text
//! cargo run -p metaxy-examples --example lake
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use ducklake_sql::{Mode, bind, sql};
use metaxy_config::{Config, LoadOptions, OsSystem, Trust};
use metaxy_store_duckdb::{MaintainOptions, StepOutcome, Store};
use metaxy_testkit::{TempDir, deps};

/// The store, and what its lake is to have.
const CONFIG: &str = r#"
[stores.dev]
type = "duckdb"
config.config = { extension_directory = "{EXTENSIONS}", allow_unsigned_extensions = true }
config.ducklake.catalog = { type = "{KIND}", uri = "{KIND}:meta.{KIND}" }
config.ducklake.storage = { type = "local", path = "data" }

[ext.rust.lake.dev]
options = { parquet_compression = "zstd", target_file_size = "64MB" }
tables.sample = { comment = "one row for each video", sorted_by = ["id"] }
"#;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    run(&TempDir::new(), &mut io::stdout().lock())
}

fn run(folder: &TempDir, out: &mut dyn Write) -> Result<()> {
    let config = configured(folder, "sqlite")?;
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

    writeln!(out, "\nMoved from SQLite to a DuckDB file:")?;
    let backup = folder.path().join("lake.backup");
    store.back_up(&backup)?;
    store.close()?;
    let moved = Store::open(&configured(folder, "duckdb")?, "dev", Mode::Write)?;
    let restored = moved.restore(&backup)?;
    moved.close()?;
    writeln!(out, "  {} of {} snapshots are whole", restored.whole.len(), restored.backup.snapshots)?;
    let moved = Store::open(&configured(folder, "duckdb")?, "dev", Mode::Read)?;
    let rows: usize = moved.connection().query("FROM sample")?.map(|batch| Ok(batch?.num_rows())).sum::<Result<_>>()?;
    writeln!(out, "  {rows} rows")?;
    moved.close()?;
    Ok(())
}

/// The configuration with a catalog of this kind, in a file of the folder.
fn configured(folder: &TempDir, kind: &str) -> Result<Config> {
    let extensions = deps().extensions();
    let text = CONFIG.replace("{KIND}", kind).replace("{EXTENSIONS}", &extensions.display().to_string());
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
