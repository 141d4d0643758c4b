//! The commands, one file each.

pub(crate) mod apply;
pub(crate) mod backup;
pub(crate) mod changes;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod extensions;
pub(crate) mod graph;
pub(crate) mod help;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod maintain;
pub(crate) mod man;
pub(crate) mod mcp;
pub(crate) mod metadata;
pub(crate) mod plan;
pub(crate) mod preview;
pub(crate) mod push;
pub(crate) mod shell;
pub(crate) mod snapshots;
pub(crate) mod sql;
pub(crate) mod trust;
