//! Attaches a DuckLake described by metaxy.toml in DuckDB, and keeps feature metadata in it.
