//! Reads metaxy.toml into a checked configuration, with diagnostics that never show a secret.
