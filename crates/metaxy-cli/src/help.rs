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
  metaxy graph render                          See the features, and what depends on what
  metaxy push                                  Record the features of the project in the lake
  metaxy metadata status --all-features        See what is to be done
  metaxy sql 'SHOW TABLES'                     Look at the lake itself

Variables of a file .env in the working directory are used for ${VARIABLES} of the configuration,
unless they are set already. They reach no library: what libpq, DuckDB or a cloud's SDK looks for
has to be in the environment.

Every option can come from a variable METAXY_<COMMAND>_<OPTION>: METAXY_PUSH_STORE=prod is
`push --store prod`. What is typed wins; a .env may give the store, the project and the
configuration file. `--yes`, `--alone`, `--allow-destructive`, `--allow-files` and `--reveal-secrets`
have to be typed.";

pub(crate) const INIT: &str = "\
Examples:
  metaxy init                                          Ask, when there is a terminal
  metaxy init --catalog sqlite --storage local
  metaxy init --catalog postgres --storage s3 --path prod.toml
  metaxy init --catalog motherduck --storage none      MotherDuck keeps everything
  metaxy init --example                                A small project that runs at once

Passwords and keys are never written: the file refers to ${VARIABLES}.";

pub(crate) const CHECK: &str = "\
Examples:
  metaxy check                                   All errors and warnings, of every store, at once
  metaxy check --format json | jq '.diagnostics[].code'
  metaxy check --untrusted                       What it may do only if it is trusted

Neither a database nor the network is touched. Warnings alone exit with 0.";

pub(crate) const TRUST: &str = "\
Examples:
  metaxy check --untrusted                       See what the configuration asks for
  metaxy trust                                   Allow it, until it changes
  metaxy trust --untrust                         Take that back
  METAXY_TRUST=1 metaxy push                     Allow it for one command, or where nobody can be asked

A configuration may come with somebody else's repository. Unless it is trusted, it cannot run
SQL of its own (`init_sql`), load code that DuckDB has not signed, make settings that are not
known to be harmless, or send what is in your environment to a host that it names. What is set
in the environment itself, such as METAXY_STORES__DEV__…, needs no trust.";

pub(crate) const PREVIEW: &str = "\
Examples:
  metaxy preview                                 What opening the default store to write would run
  metaxy preview --store prod --mode read
  metaxy preview --format mermaid                Draw which statement needs which secret
  (metaxy preview --reveal-secrets; echo 'SHOW TABLES;') | duckdb

Neither a database nor the network is touched.";

pub(crate) const SQL: &str = "\
Examples:
  metaxy sql 'SHOW TABLES'
  metaxy sql report.sql --format parquet --output report.parquet
  metaxy sql --format csv 'FROM t' > t.csv
  metaxy sql --mode write 'CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1)'
  metaxy sql --mode write - < migration.sql

Only rows are printed on stdout; how many a statement changed is said on stderr. Without
`--mode write` nothing but the lake can be read, unless `--allow-files` is given. Statements
that write are one transaction, which is run again when another writer was faster; a script
that has its own BEGIN is run once.

In JSON, NaN and infinite numbers are texts: \"NaN\", \"Infinity\". A UNION is an
object with its member. Infinite times are `infinity` everywhere. In CSV, NULL is nothing and
an empty text \"\"; several results have an empty line between them. UHUGEINT, TIMETZ, BIT,
BIGNUM and VARIANT are printed as `CAST(… AS VARCHAR)` alone: by themselves they are an error.";

pub(crate) const SHELL: &str = "\
Examples:
  metaxy shell
  metaxy shell --store prod --format csv
  metaxy shell --mode write

A statement ends with `;`, and may have several lines. Tab completes tables, columns and the words of SQL.
  \\d            list the tables              \\d TABLE      describe a table, or that of a feature
  .read FILE    run the statements of a file  \\?            show the commands
  \\q            end the session, as Ctrl-D does
Lines are remembered from one session to the next, but for those that begin with a blank or have the word
secret, password or token. Ctrl-C while a statement runs ends it and the session. With `--mode write`, the
statements that are typed together are one transaction.";

pub(crate) const DOCTOR: &str = "\
Examples:
  metaxy doctor                                  Find the one thing to change
  metaxy doctor --store prod --write             See whether files can be written, too
  metaxy doctor --deep                           See whether all rows can be read
  metaxy doctor --format json | jq '.findings[] | select(.outcome == \"failed\")'
  metaxy doctor --repair                         See which files are gone, and which rows with them
  metaxy doctor --repair --yes                   Make their tables readable without them

Nothing is created or installed, and no file is left. Warnings alone exit with 0.
With --repair, 0 means that no file is gone, or that the tables can be read again.";

pub(crate) const PLAN: &str = "\
Examples:
  metaxy plan                                    What `metaxy apply` would do, with its SQL
  metaxy plan --out lake.plan                    Keep it, to apply exactly that
  metaxy plan --format json | jq '.steps[].subject'

What is declared is in `[ext.rust.lake.STORE]` of metaxy.toml. In front of a step, + adds, ~ changes,
- unsets and ! destroys something. The exit code is 0 where there is nothing to do, and 2 where there
is. Nothing is changed.";

pub(crate) const APPLY: &str = "\
Examples:
  metaxy apply                                   Look at the steps, be asked, apply them
  metaxy apply --yes
  metaxy apply lake.plan                         The steps of a plan, if nothing has changed since

It stops at the first step that fails, says what is done and what is not, and can be run again. Other
programs that are attached keep the options that they have read until they attach again.";

pub(crate) const MAINTAIN: &str = "\
Examples:
  metaxy maintain --dry-run                      What there is to do
  metaxy maintain
  metaxy maintain --alone                        Flush, too, while no other program has the lake attached
  metaxy maintain --table video/crop --only rewrite,merge
  metaxy maintain --orphans --dry-run            Files that the lake does not know, with age and size

The steps are flush, rewrite, merge, expire and cleanup. Snapshots expire only where `retain.snapshots`
is declared and applied, and files are deleted after two days unless `retain.files` says otherwise.
What is not safe is refused with its reason, and the exit code is 1 then. It may be interrupted, and
run again.";

pub(crate) const BACKUP: &str = "\
Examples:
  metaxy backup
  metaxy backup --store prod --to backups        The name of the file is printed on stdout

The file holds the catalog, not the data files: it is of use as long as those of its snapshots are not
deleted, so keep it for no longer than `retain.snapshots` and `retain.files` do. Rows that are inlined
have to be flushed before: `metaxy maintain --only flush --alone`.";

pub(crate) const RESTORE: &str = "\
Examples:
  metaxy restore dev-41.backup --to dev          After the catalog was lost
  metaxy restore dev-41.backup --to new          In a catalog of another kind

The store must have the data path where the files are, and no lake of its own. Where files are missing,
the snapshots that are whole are told, and the exit code is 1.";

pub(crate) const MIGRATE_CATALOG: &str = "\
Examples:
  metaxy migrate catalog next --dry-run          See whether the lake of the default store can be moved
  metaxy migrate catalog next --alone            Flush rows that are inlined first
  metaxy migrate catalog next --write-config     Then the default store has the new catalog, and `next` the old one
  metaxy migrate catalog next --undo

Both stores have one data path, and `[ext.rust.lake.next]` has `migrate_from = \"dev\"`. The catalog is backed
up and copied, and the copy is compared; then no program can attach the lake by its old catalog, and none
that has it attached can write. The old catalog stays. It may be interrupted, and run again. Rows that are
inlined cannot be moved: `--alone` flushes them, which only a program that has the lake to itself may do.";

pub(crate) const MIGRATE_DATA: &str = "\
Examples:
  metaxy migrate data bucket --alone             From a folder to the bucket of the store `bucket`
  metaxy migrate data dev --store bucket --alone And back: only what is new is copied

Both stores have one catalog. Each file is copied and compared by size and checksum, then the catalog names
the new data path, and all rows are compared with those before. The old files stay: delete them when they are
not wanted any more. It may be interrupted, and goes on where it was when it is run again.";

pub(crate) const MIGRATE_FORMAT: &str = "\
Examples:
  metaxy migrate format --dry-run                Whether all can be read then; nothing is changed
  metaxy migrate format --backup-to /srv/backups

A lake of DuckDB 1.3 or 1.4 is migrated in one transaction, after a backup of its catalog. All rows are read and
compared: those of a migration that was taken back with those of the lake. DuckDB 1.4 and older cannot open the
lake any more; the backup is a DuckDB file that they can attach as its catalog.";

pub(crate) const SNAPSHOTS: &str = "\
Examples:
  metaxy snapshots
  metaxy snapshots --last 100 --format json | jq '.snapshots[].message'";

pub(crate) const CHANGES: &str = "\
Examples:
  metaxy changes video/crop --since 41
  metaxy changes main.video__crop --since '2026-01-31 12:00' --to 50 --format csv
  metaxy changes video/crop --since 41 --format parquet --output changed.parquet

The snapshot of --since itself is not in the feed, that of --to is. The columns are those that the
table has at the end, behind `snapshot_id`, `rowid` and `change_type`.";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  metaxy completions bash > ~/.local/share/bash-completion/completions/metaxy
  metaxy completions zsh > ~/.zfunc/_metaxy
  metaxy completions fish > ~/.config/fish/completions/metaxy.fish";

pub(crate) const MCP: &str = "\
A client runs it, as in its configuration
  {\"mcpServers\": {\"metaxy\": {\"command\": \"metaxy\", \"args\": [\"mcp\"]}}}

The tools only read: get_config, list_features, get_feature, list_stores, get_store, get_metadata,
get_status and get_graph. The configuration is read anew for each call.";

pub(crate) const HELP: &str = "\
Examples:
  metaxy help metadata write
  metaxy help half-given-credentials             What a diagnostic of `metaxy check` means
  metaxy help postgres-down                      What a cause of `metaxy doctor` means";

pub(crate) const LIST_FEATURES: &str = "\
Examples:
  metaxy list features
  metaxy list features --verbose                 Also fields, and what each depends on
  metaxy list features --format json | jq -r '.features[].key'

The features are those of the files that `[ext.rust] features` names in metaxy.toml; without any,
those that were pushed to the lake last.";

pub(crate) const DESCRIBE_FEATURES: &str = "\
Examples:
  metaxy describe features video/crop
  metaxy describe features --all-features --format json";

pub(crate) const GRAPH_RENDER: &str = "\
Examples:
  metaxy graph render
  metaxy graph render --feature video/crop --up 1 --down 0
  metaxy graph render --format mermaid --minimal
  metaxy graph render --format dot | dot -Tpng -o graph.png
  metaxy graph render --format svg --output graph.svg";

pub(crate) const GRAPH_DIFF: &str = "\
Examples:
  metaxy graph diff                              What `metaxy push` would record
  metaxy graph diff 754cbb93                     From that project version to the present graph
  metaxy graph diff 754cbb93 latest --format svg --output changed.svg
  metaxy graph diff --format json | jq .changed

In front of what was added is `+`, of what was removed `-`, and of what has changed `~`. `metaxy history`
lists the project versions.";

pub(crate) const PUSH: &str = "\
Examples:
  metaxy push
  metaxy push --tags.git $(git rev-parse HEAD)
  version=$(metaxy push --quiet)                 Only the project version is printed on stdout

A lake that is not there is created.";

pub(crate) const LOCK: &str = "\
Examples:
  metaxy lock
  metaxy lock --store prod

The store, or else its fallback stores, must know the features: run `metaxy push` in the projects that define them.";

pub(crate) const METADATA_STATUS: &str = "\
Examples:
  metaxy metadata status video/crop
  metaxy metadata status --all-features --format json
  metaxy metadata status --all-features --assert-in-sync || echo 'there is work to do'
  metaxy metadata status video/crop --stale-if 'frames < 10'
  metaxy metadata status --all-features --format html --output report.html

A feature that is not in the graph is a warning, or with --assert-in-sync an error.";

pub(crate) const METADATA_READ: &str = "\
Examples:
  metaxy metadata read video/crop
  metaxy metadata read video/crop --columns id,path --filter 'frames > 10' --format csv
  metaxy metadata read video/crop --format parquet --output crop.parquet
  metaxy metadata read video/crop --at 7         As it was in the lake's snapshot 7";

pub(crate) const METADATA_WRITE: &str = "\
Examples:
  metaxy metadata write video/raw videos.parquet
  metaxy metadata write --feature video/raw videos.csv --type id=VARCHAR
  make-rows | metaxy metadata write --feature video/raw -
  metaxy metadata write video/raw videos.csv --provenance hash
  metaxy metadata write video/raw videos.csv --provenance column=audio:audio_sum,frames:frames_sum

The rows have the feature's id columns and `metaxy_provenance_by_field`, with a version for each
field; in CSV and JSON that is an object, as in {\"audio\": \"1\"}. Rows that come from
`metadata increment` have it already. All rows are written, or none.

For a feature that depends on no other, --provenance makes the versions of the row's columns:
  hash                      Every field has the hash of all columns
  hash=FIELD:COLUMN,…       A field has the hash of the columns that are named with it
  column=FIELD:COLUMN,…     A field has the value of a column, such as a checksum";

pub(crate) const METADATA_INCREMENT: &str = "\
Examples:
  metaxy metadata increment --feature video/crop
  metaxy metadata increment --feature video/crop --only new,stale -f parquet -o todo.parquet
  metaxy metadata increment --feature video/crop --mark -f parquet -o todo.parquet
  metaxy metadata increment --feature video/raw --samples videos.csv

With --mark the lake is opened to write. A mark is of one feature, its version, filters and hash.
`-v` says what was compared, and if that was all, why.

The column `metaxy_change` says what there is to do with a row; `metadata write` takes rows that
are new or stale.";

pub(crate) const METADATA_DELETE: &str = "\
Examples:
  metaxy metadata delete video/crop --filter 'frames = 0' --dry-run
  metaxy metadata delete video/crop --filter 'frames = 0'
  metaxy metadata delete --all-features --hard --yes";

pub(crate) const METADATA_COPY: &str = "\
Examples:
  metaxy metadata copy --all-features --from prod --to dev
  metaxy metadata copy video/crop --from prod --to dev --filter \"lang = 'en'\"

All features are copied, or none.";

pub(crate) const METADATA_REBASE: &str = "\
Examples:
  metaxy metadata rebase video/crop --from 987564b2 --dry-run
  metaxy metadata rebase video/crop --from 987564b2

For a change of a feature that leaves its samples as they are. `metaxy list features` shows the
current versions.";

pub(crate) const EXTENSIONS: &str = "\
Examples:
  metaxy extensions list                         What the stores need, and what is there
  metaxy extensions install                      Bring what is missing from DuckDB's repository
  metaxy extensions install --from wheels/       The same without a network
  metaxy extensions path                         Where DuckDB looks for them

DuckDB looks in the store's `extension_directory`, else in METAXY_EXTENSION_DIRECTORY, else in its own
folder and in the one that came with the program. Only what DuckDB has signed is installed.";
