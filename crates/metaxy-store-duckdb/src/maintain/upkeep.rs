//! The upkeep of a lake: inlined rows go into files, deleted rows out of them, small files become large ones, old
//! snapshots go, and then the files that nothing needs.
//!
//! Each step is a transaction of its own for each table, and leaves the lake whole when it is interrupted. `CHECKPOINT`
//! is never used: it expires before it rewrites, and leaves files with few deleted rows as they are.

use std::fmt;

use ducklake_sql::{Age, CatalogKind, Ident, Sql, TableName, bind, sql};
use serde::{Serialize, Serializer};

use super::guards::{age, ages, files_age_of, passed_over};
use super::message;
use super::size::{self, TableSize};
use crate::engine::{Error, FromRow, ProgressUnit, alone, read_again, transaction_with};
use crate::lake::{InexactColumn, Store, inexact_columns, inlined_owner, inlined_versions};

/// A step of the upkeep; they are taken in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MaintainStep {
    /// Rows that are inlined in the catalog go into files.
    Flush,
    /// Files with deleted rows are written again without them.
    Rewrite,
    /// Small files that follow each other become one.
    Merge,
    /// Snapshots that are older than the declared retention go.
    Expire,
    /// Files that no snapshot needs are deleted, once they are old enough.
    Cleanup,
}

impl MaintainStep {
    /// Every step, in order.
    pub const ALL: &[Self] = &[Self::Flush, Self::Rewrite, Self::Merge, Self::Expire, Self::Cleanup];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flush => "flush",
            Self::Rewrite => "rewrite",
            Self::Merge => "merge",
            Self::Expire => "expire",
            Self::Cleanup => "cleanup",
        }
    }
}

impl fmt::Display for MaintainStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What of the upkeep is done, see [`Store::maintain`].
#[derive(Debug, Clone, Default)]
pub struct MaintainOptions {
    tables: Vec<TableName>,
    only: Vec<MaintainStep>,
    dry_run: bool,
    alone: bool,
}

impl MaintainOptions {
    /// All tables, all steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only these tables, unless there are none; snapshots and files that are deleted are those of the lake.
    pub fn tables(mut self, tables: impl IntoIterator<Item = TableName>) -> Self {
        self.tables = tables.into_iter().collect();
        self
    }

    /// Only these steps, unless there are none.
    pub fn only(mut self, steps: impl IntoIterator<Item = MaintainStep>) -> Self {
        self.only = steps.into_iter().collect();
        self
    }

    /// Whether only to say what would be done.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Whether no other program has the lake attached. Without this, a flush is refused, but of a DuckDB file, which one
    /// program has to itself: statements that run beside it may miss the rows, and after an `ALTER TABLE` it breaks the
    /// programs that have the lake attached.
    pub fn alone(mut self, alone: bool) -> Self {
        self.alone = alone;
        self
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepOutcome {
    /// It was done, or with a dry run would be: how much of what.
    Done(String),
    /// It was not begun, since it is not safe, or has no effect; and what to do about it.
    Refused(String, &'static str),
}

/// A step of the upkeep, for a table or the whole lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MaintainedStep {
    /// The step.
    pub step: MaintainStep,
    /// The table; none where it is for the lake.
    pub table: Option<TableName>,
    /// How it ended.
    pub outcome: StepOutcome,
}

/// What the upkeep has done.
#[derive(Debug)]
#[non_exhaustive]
pub struct Maintained {
    /// The steps for which there was something to do.
    pub steps: Vec<MaintainedStep>,
    /// The lake before.
    pub before: LakeSize,
    /// The lake after; as before with a dry run.
    pub after: LakeSize,
    /// What ended it too early. The steps before are done, and it can be run again.
    pub failed: Option<Error>,
}

impl Serialize for Maintained {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct View<'a> {
            version: u32,
            steps: &'a [MaintainedStep],
            before: &'a LakeSize,
            after: &'a LakeSize,
            failed: Option<String>,
        }
        let failed = self.failed.as_ref().map(ToString::to_string);
        View { version: 1, steps: &self.steps, before: &self.before, after: &self.after, failed }.serialize(serializer)
    }
}

/// How large a lake is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LakeSize {
    /// Its tables.
    pub tables: Vec<TableSize>,
    /// How many snapshots it has.
    pub snapshots: i64,
    /// How many files wait for being deleted.
    pub unused_files: i64,
}

impl Store {
    /// Keeps the lake in shape: see [`MaintainStep`] for the steps. `begins` is told of each before it begins.
    ///
    /// What is not safe for the rows, or for programs that have the lake attached, is refused with its reason; the other
    /// steps are taken. Snapshots expire only where the lake has the option `expire_older_than`, and files are deleted
    /// after two days unless it has `delete_older_than`.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store: metaxy_store_duckdb::Store = unreachable!();
    /// use metaxy_store_duckdb::MaintainOptions;
    ///
    /// let done = store.maintain(&MaintainOptions::new().dry_run(true), |_, _| ())?;
    /// for step in &done.steps {
    ///     println!("{}: {:?}", step.step, step.outcome);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the catalog cannot be read, or a table that is named is not there; nothing was begun then.
    pub fn maintain(
        &self,
        options: &MaintainOptions,
        mut begins: impl FnMut(MaintainStep, Option<&TableName>),
    ) -> Result<Maintained, Error> {
        if !options.dry_run {
            inlined_versions::record(self.connection(), self.plan())?;
        }
        let upkeep = Upkeep::look(self, options)?;
        let before = upkeep.size(options)?;
        let mut steps = Vec::new();
        let mut failed = None;
        let is_asked = |step: &&MaintainStep| options.only.is_empty() || options.only.contains(step);
        let each_table = |step: &MaintainStep| match step {
            MaintainStep::Expire | MaintainStep::Cleanup => vec![(*step, None)],
            _ => before.tables.iter().map(|table| (*step, Some(table))).collect(),
        };
        let all: Vec<_> = MaintainStep::ALL.iter().filter(is_asked).flat_map(each_table).collect();
        for (at, (step, table)) in all.iter().copied().enumerate() {
            let name = table.map(|table| &table.name);
            let done = upkeep.step(step, table, options, || {
                begins(step, name);
                self.connection().reporter().report(at, all.len(), ProgressUnit::Steps);
            });
            match done {
                Ok(None) => {}
                Ok(Some(outcome)) => steps.push(MaintainedStep { step, table: name.cloned(), outcome }),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let after = if options.dry_run { before.clone() } else { upkeep.size(options)? };
        Ok(Maintained { steps, before, after, failed })
    }
}

/// What a call has changed of a table: its schema, its name, files or rows that were read, and files that were made.
type Compacted = (String, String, i64, Option<i64>);

/// What was found out before anything is done.
struct Upkeep<'s> {
    store: &'s Store,
    lake: Ident,
    catalog: (Ident, Ident),
    /// The tables that compaction passes over without a word.
    passed_over: Vec<TableName>,
    /// Tables with columns of which Parquet keeps less than the catalog does.
    inexact: Vec<InexactColumn>,
    /// Tables of the catalog that belong to another role of PostgreSQL, which would lose rows.
    of_others: Vec<String>,
    expire: Option<Age>,
    delete: Age,
    /// Whether a part of a file that is deleted is chosen by an option.
    has_threshold: bool,
}

impl<'s> Upkeep<'s> {
    fn look(store: &'s Store, options: &MaintainOptions) -> Result<Self, Error> {
        let catalog = store.catalog()?;
        let connection = store.connection();
        let lake = store.plan().alias().clone();
        let (passed_over, inexact, stored) = read_again(connection, || {
            Ok((passed_over(connection, &catalog)?, inexact_columns(connection, &lake)?, ages(connection, &lake)?))
        })?;
        let of_others = inlined_owner::of_others(connection, store.plan())?;
        let expire = age(&stored, "expire_older_than")?;
        let delete = files_age_of(&stored)?;
        let has_threshold = stored.iter().any(|(option, _)| option == "rewrite_delete_threshold");
        let upkeep = Self { store, lake, catalog, passed_over, inexact, of_others, expire, delete, has_threshold };
        if !options.tables.is_empty() {
            let known = upkeep.size(&MaintainOptions::new())?.tables;
            for table in &options.tables {
                if !known.iter().any(|known| known.name.is_same(table)) {
                    return Err(super::problem::Problem::MissingTable(table.to_string()).into());
                }
            }
        }
        Ok(upkeep)
    }

    fn size(&self, options: &MaintainOptions) -> Result<LakeSize, Error> {
        let connection = self.store.connection();
        read_again(connection, || {
            let mut found = size::of_lake(connection, &self.catalog)?;
            if !options.tables.is_empty() {
                found.tables.retain(|known| options.tables.iter().any(|table| table.is_same(&known.name)));
            }
            Ok(found)
        })
    }

    /// Takes a step; `None` where there is nothing to do.
    fn step(
        &self,
        step: MaintainStep,
        table: Option<&TableSize>,
        options: &MaintainOptions,
        begins: impl FnOnce(),
    ) -> Result<Option<StepOutcome>, Error> {
        match (step, table) {
            (MaintainStep::Flush, Some(table)) => self.flush(table, options, begins),
            (MaintainStep::Rewrite | MaintainStep::Merge, Some(table)) => self.compact(step, table, options, begins),
            (MaintainStep::Expire, _) => self.expire(options, begins),
            (MaintainStep::Cleanup, _) => self.clean_up(options, begins),
            _ => Ok(None),
        }
    }

    fn is_passed_over(&self, table: &TableSize) -> Option<StepOutcome> {
        self.passed_over.iter().any(|name| name.is_same(&table.name)).then(|| {
            StepOutcome::Refused(
                "the option `auto_compact` is false, so that DuckLake would pass over the table without a word"
                    .to_owned(),
                "set `auto_compact` to true",
            )
        })
    }

    fn flush(
        &self,
        table: &TableSize,
        options: &MaintainOptions,
        begins: impl FnOnce(),
    ) -> Result<Option<StepOutcome>, Error> {
        if table.inlined_rows == 0 && table.inlined_deletes == 0 {
            return Ok(None);
        }
        let refused = |why: String, help| Ok(Some(StepOutcome::Refused(why, help)));
        if let Some(refusal) = self.is_passed_over(table) {
            return Ok(Some(refusal));
        }
        let is_of_table = |column: &&InexactColumn| {
            column.schema == table.name.schema().as_str() && column.table == table.name.name().as_str()
        };
        let inexact: Vec<_> = self.inexact.iter().filter(is_of_table).collect();
        if !inexact.is_empty() {
            let columns: Vec<_> =
                inexact.iter().map(|column| format!("{} {}", column.name, column.type_name)).collect();
            let why = format!("a file does not keep exactly what is inlined in {}", columns.join(", "));
            return refused(why, "change the columns to DECIMAL, TIMESTAMPTZ or BIGINT");
        }
        if !self.of_others.is_empty() {
            let why = format!(
                "{} of the catalog belongs to another role: the flush would report a failure and lose the rows",
                self.of_others.join(", ")
            );
            return refused(why, "give all roles that write one common owner: `ALTER ROLE … SET ROLE …`");
        }
        if !options.alone && self.is_shared() {
            let why = if table.inlined_tables > 1 {
                "the table was altered since rows were inlined: programs that have the lake attached would fail with the next \
                 read, or end"
            } else {
                "statements of other programs that read or delete these rows at the same time may not find them"
            };
            return refused(why.to_owned(), "end the other programs, and say `--alone`");
        }
        let what = format!("{} rows, {} deletions", table.inlined_rows, table.inlined_deletes);
        if options.dry_run {
            return Ok(Some(StepOutcome::Done(what)));
        }
        begins();
        self.run(MaintainStep::Flush, table, |lake, schema, name| {
            sql!(
                "CALL ducklake_flush_inlined_data({lake}, schema_name => {schema}, table_name => {name})",
                lake,
                schema,
                name
            )
        })?;
        // DuckLake may do nothing without a word.
        let connection = self.store.connection();
        let left = read_again(connection, || size::of_table(connection, &self.catalog, table.id))?;
        let left = left.map_or(0, |left| left.inlined_rows);
        if left > 0 {
            return refused(
                format!("{left} rows are still inlined"),
                "look for what writes to the table, and run it again",
            );
        }
        Ok(Some(StepOutcome::Done(what)))
    }

    /// Whether another program can have the lake attached.
    fn is_shared(&self) -> bool {
        self.store.plan().catalog() != Some(CatalogKind::DuckDb)
    }

    fn compact(
        &self,
        step: MaintainStep,
        table: &TableSize,
        options: &MaintainOptions,
        begins: impl FnOnce(),
    ) -> Result<Option<StepOutcome>, Error> {
        // What the steps before have made is not known in a dry run.
        let now = if options.dry_run {
            table.clone()
        } else {
            let connection = self.store.connection();
            match read_again(connection, || size::of_table(connection, &self.catalog, table.id))? {
                Some(found) => found,
                None => return Ok(None),
            }
        };
        let is_due = match step {
            MaintainStep::Rewrite => now.delete_files > 0 || (options.dry_run && now.inlined_deletes > 0),
            _ => now.files > 1,
        };
        if !is_due {
            return Ok(None);
        }
        if let Some(refusal) = self.is_passed_over(table) {
            return Ok(Some(refusal));
        }
        if options.dry_run {
            return Ok(Some(StepOutcome::Done(match step {
                MaintainStep::Rewrite => {
                    format!("files with {} deleted rows", now.deleted_rows + now.inlined_deletes)
                }
                _ => format!("up to {} files of {} bytes", now.files, now.bytes),
            })));
        }
        begins();
        let changed = self.run(step, table, |lake, schema, name| match (step, self.has_threshold) {
            (MaintainStep::Rewrite, true) => {
                sql!("CALL ducklake_rewrite_data_files({lake}, {name}, schema => {schema})", lake, schema, name)
            }
            (MaintainStep::Rewrite, false) => sql!(
                "CALL ducklake_rewrite_data_files({lake}, {name}, schema => {schema}, delete_threshold => 0)",
                lake,
                schema,
                name,
            ),
            _ => sql!("CALL ducklake_merge_adjacent_files({lake}, {name}, schema => {schema})", lake, schema, name),
        })?;
        let (processed, created) = changed.iter().fold((0, 0), |(all, new), (_, _, processed, created)| {
            (all + processed, new + created.unwrap_or_default())
        });
        Ok((processed > 0).then(|| StepOutcome::Done(format!("{processed} files into {created}"))))
    }

    /// Runs a call for a table in a transaction of its own.
    fn run(
        &self,
        step: MaintainStep,
        table: &TableSize,
        call: impl Fn(ducklake_sql::Value, ducklake_sql::Value, ducklake_sql::Value) -> Sql,
    ) -> Result<Vec<Compacted>, Error> {
        let of = ["maintain ", step.as_str(), " ", &table.name.to_string()].concat();
        let bound = |name: &Ident| bind(name.as_str());
        transaction_with(self.store.connection(), &message(&of), |connection| {
            let call = call(bound(&self.lake), bound(table.name.schema()), bound(table.name.name()));
            if step == MaintainStep::Flush {
                let flushed: Vec<(String, String, i64)> = connection.query_rows(call)?;
                return Ok(flushed.into_iter().map(|(schema, name, rows)| (schema, name, rows, None)).collect());
            }
            connection.query_rows(call)
        })
    }

    fn expire(&self, options: &MaintainOptions, begins: impl FnOnce()) -> Result<Option<StepOutcome>, Error> {
        let Some(age) = self.expire else { return Ok(None) };
        let snapshots = self.remove::<(i64,)>(options, begins, |dry_run| {
            sql!(
                "SELECT snapshot_id
                 FROM ducklake_expire_snapshots(
                     {lake}, dry_run => {dry_run}, older_than => now() - CAST({age} AS INTERVAL))",
                lake = bind(self.lake.as_str()),
                dry_run = bind(dry_run),
                age = bind(age.to_string()),
            )
        })?;
        Ok((snapshots > 0).then(|| StepOutcome::Done(format!("{snapshots} snapshots older than {age}"))))
    }

    fn clean_up(&self, options: &MaintainOptions, begins: impl FnOnce()) -> Result<Option<StepOutcome>, Error> {
        let age = self.delete;
        let files = self.remove::<(String,)>(options, begins, |dry_run| {
            sql!(
                "SELECT path
                 FROM ducklake_cleanup_old_files(
                     {lake}, dry_run => {dry_run}, older_than => now() - CAST({age} AS INTERVAL))",
                lake = bind(self.lake.as_str()),
                dry_run = bind(dry_run),
                age = bind(age.to_string()),
            )
        })?;
        Ok((files > 0).then(|| StepOutcome::Done(format!("{files} files unused for {age}"))))
    }

    /// Removes what a call says that it would remove, unless only that is asked for; how much that is.
    fn remove<R: FromRow>(
        &self,
        options: &MaintainOptions,
        begins: impl FnOnce(),
        call: impl Fn(bool) -> Sql,
    ) -> Result<usize, Error> {
        let would: Vec<R> = self.call(&call(true))?;
        if !would.is_empty() && !options.dry_run {
            begins();
            self.call::<R>(&call(false))?;
        }
        Ok(would.len())
    }

    /// Runs a call that is a transaction by itself.
    fn call<R: FromRow>(&self, sql: &Sql) -> Result<Vec<R>, Error> {
        alone(self.store.connection(), |connection| connection.query_rows(sql.clone()))
    }
}
