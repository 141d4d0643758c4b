//! The commands, one file each.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod metadata;
pub(crate) mod preview;
pub(crate) mod push;
pub(crate) mod sql;
pub(crate) mod trust;
