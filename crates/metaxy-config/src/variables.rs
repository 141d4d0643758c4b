//! The names of the environment variables that are read here, each once.

/// The configuration file; when set and not empty it wins even over an explicit path.
pub const METAXY_CONFIG: &str = "METAXY_CONFIG";

/// Where DuckDB finds its extensions, for every store that does not set `extension_directory` itself.
pub const METAXY_EXTENSION_DIRECTORY: &str = "METAXY_EXTENSION_DIRECTORY";

/// The prefix of variables that override what the file says: `METAXY_STORES__DEV__CONFIG__DATABASE`.
pub(crate) const PREFIX: &str = "METAXY_";

/// Variables of Python Metaxy that this program has no use for; a `*` stands for any end.
pub(crate) const OF_PYTHON: &[&str] = &[
    "METAXY_LOG_LEVEL",
    "METAXY_ENTRYPOINT*",
    "METAXY_LOCK_*",
    "METAXY_MCP_*",
    "METAXY_GRAPH_*",
    "METAXY_GRAPH-DIFF_*",
    "METAXY_SHELL_*",
];

/// What separates the keys in the name of such a variable.
pub(crate) const SEPARATOR: &str = "__";
