//! The command metaxy: preview, check and query a DuckLake described by metaxy.toml.
fn main() {}
