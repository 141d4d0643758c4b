//! What stands below the options in `--help`: examples, and what a newcomer asks next.

use crate::exit::Exit;

/// Below `metaxy --help`.
pub(crate) fn metaxy() -> String {
    [METAXY, Exit::HELP].join("\n\n")
}

const METAXY: &str = "\
Examples:
  metaxy init                                  Write a metaxy.toml for a lake on this machine
  metaxy check                                 See whether it is right
  metaxy preview                               See what will be run
  metaxy sql --mode write 'CREATE TABLE t AS SELECT 1 AS id'
  metaxy sql 'FROM t'                          Read it back

A file .env in the working directory is read first; variables that are set already win.";

pub(crate) const INIT: &str = "\
Examples:
  metaxy init                                          Ask, when there is a terminal
  metaxy init --catalog sqlite --storage local
  metaxy init --catalog postgres --storage s3 --path prod.toml
  metaxy init --catalog motherduck --storage none      MotherDuck keeps everything

Passwords and keys are never written: the file refers to ${VARIABLES}.";

pub(crate) const CHECK: &str = "\
Examples:
  metaxy check                                   All errors and warnings, of every store, at once
  metaxy check --format json | jq '.diagnostics[].code'

Neither a database nor the network is touched. Warnings alone exit with 0.";

pub(crate) const PREVIEW: &str = "\
Examples:
  metaxy preview                                 What opening the default store to write would run
  metaxy preview --store prod --mode read
  (metaxy preview --reveal-secrets; echo 'SHOW TABLES;') | duckdb

Neither a database nor the network is touched.";

pub(crate) const SQL: &str = "\
Examples:
  metaxy sql 'SHOW TABLES'
  metaxy sql --format csv 'FROM t' > t.csv
  metaxy sql --mode write 'CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1)'
  metaxy sql --mode write - < migration.sql

Only rows are printed on stdout; how many a statement changed is said on stderr.";

pub(crate) const DOCTOR: &str = "\
Examples:
  metaxy doctor                                  Find the one thing to change
  metaxy doctor --store prod --write             See whether files can be written, too
  metaxy doctor --format json | jq '.findings[] | select(.outcome == \"failed\")'

Nothing is created or installed, and no file is left. Warnings alone exit with 0.";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  metaxy completions bash > ~/.local/share/bash-completion/completions/metaxy
  metaxy completions zsh > ~/.zfunc/_metaxy
  metaxy completions fish > ~/.config/fish/completions/metaxy.fish";
