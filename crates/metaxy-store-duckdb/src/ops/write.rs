//! Writing rows: checked first, then hashed and inserted in one transaction.

use std::cell::OnceCell;

use arrow::record_batch::RecordBatchReader;
use ducklake_sql::{Ident, List, Sql, bind, columns, list, sql};
use metaxy_feature::{FeatureDefinition, FeatureKey};

use crate::engine::{Connection, Error, end_stream, now, with_retry};
use crate::features::Features;
use crate::query::{Hashing, Latest, Provenance, check_hash};
use crate::table::{
    At, CheckedRows, Listing, NamedColumn, Problem, StagingTable, TEXT, Table, id_columns, inlining, sorted,
    text_or_null,
};

/// How to write rows; `WriteOptions::new()` and what is to be otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteOptions {
    pub(crate) materialization_id: Option<String>,
    pub(crate) add_columns: bool,
    pub(crate) unpushed: bool,
    pub(crate) provenance: Option<Provenance>,
    pub(crate) dry_run: bool,
}

impl WriteOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The run that made the rows, kept in `metaxy_materialization_id`.
    pub fn materialization_id(mut self, materialization_id: impl Into<Option<String>>) -> Self {
        self.materialization_id = materialization_id.into();
        self
    }

    /// Whether columns that the table lacks are added to it; refused otherwise.
    pub fn add_columns(mut self, add_columns: bool) -> Self {
        self.add_columns = add_columns;
        self
    }

    /// Whether rows may be of another version of the feature than the one that was pushed last; refused otherwise, since
    /// whoever uses the pushed graph would not see them. A feature that was never pushed can always be written.
    pub fn unpushed(mut self, unpushed: bool) -> Self {
        self.unpushed = unpushed;
        self
    }

    /// How the versions of fields are made of rows that have none; refused without, and where the rows have them.
    pub fn provenance(mut self, provenance: impl Into<Option<Provenance>>) -> Self {
        self.provenance = provenance.into();
        self
    }

    /// Whether only to check the rows and the table that they are for; a store that is open to read is enough then.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

impl Features<'_> {
    /// Writes rows of a feature: new ones, or ones that replace those with the same ids. The number of rows.
    ///
    /// The rows have the feature's id columns and `metaxy_provenance_by_field`, a struct or map with the version of
    /// each field, unless [`WriteOptions::provenance`] says how to make it; and what else is to be kept of a sample. They may have `metaxy_provenance`,
    /// `metaxy_data_version_by_field`, `metaxy_data_version` and `metaxy_created_at`; other system columns are made anew.
    /// They are read once, in batches, into a temporary table, and checked there. The table is made and grown, and the
    /// rows inserted, in one transaction, which is run again when another writer was faster. It is one of its own: settings
    /// and transactions of the store's connection are not for it, and a stream that is still read there ends.
    ///
    /// ```no_run
    /// use std::sync::Arc;
    ///
    /// use arrow::array::{ArrayRef, RecordBatch, RecordBatchIterator, StringArray, StructArray};
    /// use metaxy_store_duckdb::{Features, WriteOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let features: Features<'_> = unreachable!();
    /// let text = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    /// let versions = StructArray::try_from(vec![("default", text(["1", "1"]))])?;
    /// let batch = RecordBatch::try_from_iter([
    ///     ("id", text(["a", "b"])),
    ///     ("metaxy_provenance_by_field", Arc::new(versions)),
    /// ])?;
    /// let schema = batch.schema();
    /// let rows = RecordBatchIterator::new([Ok(batch)], schema);
    /// features.write(&"video".parse()?, rows, &WriteOptions::new())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the rows do not fit the feature or its table, the table was written with another hash or changed by another
    /// program, another version of the feature was pushed last, or the lake cannot be written. Nothing is written then.
    pub fn write(
        &self,
        key: &FeatureKey,
        rows: impl RecordBatchReader,
        options: &WriteOptions,
    ) -> Result<usize, Error> {
        self.write_many([(key, rows)], options).map_err(|error| error.in_operation("writing", key.as_str()))
    }

    /// Writes rows of several features in one transaction: all of them, or none.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    pub fn write_many<'k, R: RecordBatchReader>(
        &self,
        features: impl IntoIterator<Item = (&'k FeatureKey, R)>,
        options: &WriteOptions,
    ) -> Result<usize, Error> {
        if !options.dry_run {
            self.must_write()?;
        }
        let connection = self.connection.elsewhere()?;
        let mut checked = Vec::new();
        for (key, rows) in features {
            let stage = || StagingTable::fill(&connection, self.definition(key)?, rows);
            let rows = stage().and_then(|staging| self.checked(staging, options));
            checked.push(rows.map_err(|error| error.in_operation("writing", key.as_str()))?);
        }
        self.write_checked(&connection, &checked, options)
    }

    /// Writes the rows that are put into a temporary table of the connection that this is called with. Without any, no table
    /// is made where their types are not known.
    pub(crate) fn write_staged(
        &self,
        key: &FeatureKey,
        options: &WriteOptions,
        has_types: bool,
        stage: impl for<'c> FnOnce(&'c Connection, &'c FeatureDefinition) -> Result<StagingTable<'c>, Error>,
    ) -> Result<usize, Error> {
        if !options.dry_run {
            self.must_write()?;
        }
        let connection = self.connection.elsewhere()?;
        let write = || {
            let rows = self.checked(stage(&connection, self.definition(key)?)?, options)?;
            if rows.count() == 0 && !has_types {
                return Ok(0);
            }
            self.write_checked(&connection, &[rows], options)
        };
        write().map_err(|error| error.in_operation("writing", key.as_str()))
    }

    /// Writes checked rows of this connection in one transaction.
    fn write_checked(
        &self,
        connection: &Connection,
        checked: &[CheckedRows<'_>],
        options: &WriteOptions,
    ) -> Result<usize, Error> {
        let here = self.on(connection);
        let of = |key: &FeatureKey, error: Error| error.in_operation("writing", key.as_str());
        // Not before: the rows may come from that stream.
        end_stream(self.connection)?;
        let prepare = || {
            let listing = Listing::new(connection);
            // Asked for when the first of them was found to be hashed as its table is.
            let pushed = OnceCell::new();
            let check_pushed = |definition: &FeatureDefinition| {
                if options.unpushed {
                    return Ok(());
                }
                let pushed = if let Some(pushed) = pushed.get() {
                    pushed
                } else {
                    let found = here.last_pushed(checked.iter().map(CheckedRows::definition), &listing)?;
                    pushed.get_or_init(|| found)
                };
                here.check_pushed(definition, pushed)
            };
            let prepare = |rows: &CheckedRows<'_>| {
                let prepared = here.prepare(rows, options, &listing, check_pushed);
                prepared.map_err(|error| of(rows.definition().key(), error))
            };
            checked.iter().map(prepare).collect::<Result<Vec<_>, _>>()
        };
        if options.dry_run {
            prepare()?;
            let count: u64 = checked.iter().map(CheckedRows::count).sum();
            return Ok(usize::try_from(count).unwrap_or(usize::MAX));
        }
        with_retry(connection, prepare, |tables| {
            let mut count = 0;
            for (rows, target) in checked.iter().zip(tables) {
                let inserted = here.insert(rows, target, options);
                count += inserted.map_err(|error| of(rows.definition().key(), error))?;
            }
            Ok(count)
        })
    }

    /// Rows of a feature that can be written.
    fn checked<'c>(&self, mut staging: StagingTable<'c>, options: &WriteOptions) -> Result<CheckedRows<'c>, Error> {
        check_created_at(&staging)?;
        if let Some(provenance) = &options.provenance {
            staging = provenance.add(staging, self.hashing)?;
        }
        CheckedRows::check(staging)
    }

    /// Where checked rows go.
    fn prepare(
        &self,
        rows: &CheckedRows<'_>,
        options: &WriteOptions,
        listing: &Listing<'_>,
        check_pushed: impl FnOnce(&FeatureDefinition) -> Result<(), Error>,
    ) -> Result<Target, Error> {
        let name = self.table_name(rows.definition().key())?;
        let table = match Table::find(listing, &name, At::Now)? {
            Some(table) => {
                check_hash(&table, self.connection, self.hashing, rows.members())?;
                let (key, ids) = (rows.definition().key(), id_columns(rows.definition().spec())?);
                Latest::of(&table, &ids, self.feature_version(key)?).check(self.connection, key, &[])?;
                let new = table.new_columns(rows.definition().key(), &rows.user_columns(), options.add_columns)?;
                Some((table, new))
            }
            None if self.options.create_tables => {
                self.check_records(listing)?;
                None
            }
            None => {
                let (feature, table) = (rows.definition().key().clone(), name.name().to_string());
                return Err(Problem::NotCreated { feature, table }.into());
            }
        };
        // A graph of versions cut to another length is none that was pushed, so the hash is looked at first.
        check_pushed(rows.definition())?;
        let columns = rows.columns().iter().map(|(name, of)| (name, of));
        let needs_file = inlining::would_lose(listing, columns, &sql!("{rows}", rows = rows.table()))?;
        Ok(Target { table, needs_file })
    }

    /// Inserts checked rows, in a transaction that has begun.
    fn insert(&self, rows: &CheckedRows<'_>, target: Target, options: &WriteOptions) -> Result<usize, Error> {
        let key = rows.definition().key();
        let user_columns = rows.user_columns();
        let table = if let Some((mut table, new)) = target.table {
            table.grow(self.connection, &new, rows.members())?;
            table
        } else {
            let name = self.table_name(key)?;
            Table::create(self.connection, &name, &user_columns, rows.members(), self.options.maps, self.hashing.tag())?
        };
        let project_version = self.project_version(rows.definition());
        let feature_version = self.feature_version(key)?;
        let now = now();
        let created_at = match rows.column("metaxy_created_at") {
            Some((_, TEXT)) => {
                sql!("coalesce(epoch_us(CAST(s.metaxy_created_at AS TIMESTAMPTZ)), {now})", now = bind(now))
            }
            Some(_) => sql!("coalesce(epoch_us(s.metaxy_created_at), {now})", now = bind(now)),
            None => sql!("{now}", now = bind(now)),
        };
        let insert = sql!(
            "INSERT INTO {table} BY NAME
             SELECT
                 {user_columns},
                 {versions},
                 {feature_version} AS metaxy_feature_version,
                 {project_version} AS metaxy_project_version,
                 {created_at} AS metaxy_created_at,
                 {updated_at} AS metaxy_updated_at,
                 {materialization_id} AS metaxy_materialization_id
             FROM {rows} AS s",
            table = table.name(),
            user_columns = columns("s", user_columns.iter().map(|(column, _)| column)),
            versions = versions(rows, &table, self.hashing),
            feature_version = bind(feature_version),
            project_version = bind(project_version),
            created_at = table.micros("metaxy_created_at", &created_at),
            updated_at = table.time("metaxy_updated_at", now),
            materialization_id = text_or_null(options.materialization_id.as_deref()),
            rows = rows.table(),
        );
        let insert = || self.connection.run(&insert);
        if target.needs_file { inlining::without(self.connection, insert) } else { insert() }
    }
}

/// Where rows go, as far as it was there when they were to be inserted.
struct Target {
    /// The table and the columns that it lacks; `None` if it is to be made.
    table: Option<(Table, Vec<NamedColumn>)>,
    /// Whether the catalog would not keep the rows as they are.
    needs_file: bool,
}

/// Checks that the times at which rows were made are times, or texts of them.
fn check_created_at(rows: &StagingTable<'_>) -> Result<(), Problem> {
    match rows.column("metaxy_created_at") {
        Some((column, found)) if !found.is_timestamp() && *found != TEXT => {
            let (feature, column, found) = (rows.definition().key().clone(), column.to_string(), found.to_string());
            Err(Problem::WrongType { feature, column, found, expected: "TIMESTAMPTZ".to_owned() })
        }
        _ => Ok(()),
    }
}

/// The four columns of versions, each with its name.
fn versions(rows: &CheckedRows<'_>, table: &Table, hashing: Hashing) -> List {
    let has = |column: &str| rows.column(column).is_some();
    let provenance = |member: &Ident| rows.provenance().member(&Sql::fixed("s.metaxy_provenance_by_field"), member);
    let data_version = |member: &Ident| match rows.data_version() {
        None => provenance(member),
        Some(data_version) => sql!(
            "CASE WHEN s.metaxy_data_version_by_field IS NULL THEN {provenance} ELSE {data_version} END",
            provenance = provenance(member),
            data_version = data_version.member(&Sql::fixed("s.metaxy_data_version_by_field"), member),
        ),
    };
    let sorted = sorted(rows.members());
    let of_sample = if has("metaxy_provenance") {
        sql!("s.metaxy_provenance")
    } else {
        hashing.of_joined(sorted.iter().map(provenance))
    };
    let data_version_of_sample = if has("metaxy_data_version") {
        sql!("coalesce(s.metaxy_data_version, {of_sample})", of_sample)
    } else {
        hashing.of_joined(sorted.iter().map(data_version))
    };
    let provenance_by_field = table.provenance().value(rows.members(), provenance);
    let data_version_by_field = table.data_version().value(rows.members(), data_version);
    list([
        sql!("{provenance_by_field} AS metaxy_provenance_by_field", provenance_by_field),
        sql!("{of_sample} AS metaxy_provenance", of_sample),
        sql!("{data_version_by_field} AS metaxy_data_version_by_field", data_version_by_field),
        sql!("{data_version_of_sample} AS metaxy_data_version", data_version_of_sample),
    ])
}
