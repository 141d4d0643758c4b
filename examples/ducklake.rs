//! A DuckLake from `metaxy.toml` to rows: preview it, open it, write a table, read it back, look at what is stored.
//!
//! ```text
//! cargo xtask demo
//! ```

use std::error::Error;
use std::path::Path;

use arrow::util::pretty::pretty_format_batches;
use ducklake_sql::{Mode, Reveal};
use metaxy_config::{Config, LoadOptions, OsSystem};
use metaxy_store_duckdb::Store;

fn main() -> Result<(), Box<dyn Error>> {
    // The store, from the file.
    let config_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../metaxy.toml");
    let loaded = Config::load(&OsSystem, &LoadOptions::file(config_file))?;
    let name = &loaded.config.store;

    // What would be run. Nothing is touched so far.
    let plan = loaded.config.store(name)?.plan(Mode::Write);
    let extensions: Vec<_> = plan.extensions().map(|extension| extension.name().as_str()).collect();
    println!("Store `{name}` needs the extensions {}.\n", extensions.join(", "));
    println!("{}", plan.display(Reveal::Masked));

    // Run it, and write a small table of sample metadata.
    let store = Store::open(&loaded.config, name, Mode::Write)?;
    let connection = store.connection();
    connection.execute(
        "CREATE OR REPLACE TABLE sample AS
         SELECT 'video-' || range AS id, 's3://videos/' || range || '.mp4' AS path, 24 + range % 7 AS frames
         FROM range(1000)",
    )?;

    // Read it back, with what DuckLake keeps about it.
    show(&store, "Rows", "FROM sample ORDER BY id LIMIT 5")?;
    show(&store, "Snapshots", "SELECT snapshot_id, changes FROM ducklake_snapshots(current_database())")?;
    show(
        &store,
        "Data files",
        "SELECT parse_filename(data_file) AS data_file, data_file_size_bytes
         FROM ducklake_list_files(current_database(), 'sample')",
    )?;
    store.close()?;
    Ok(())
}

fn show(store: &Store, title: &str, query: &'static str) -> Result<(), Box<dyn Error>> {
    let batches = store.connection().query(query)?.collect::<Result<Vec<_>, _>>()?;
    println!("{title}:\n{}\n", pretty_format_batches(&batches)?);
    Ok(())
}
