//! Writing rows: checked first, then hashed and inserted in one transaction.

use arrow::record_batch::RecordBatchReader;
use ducklake_sql::{Ident, Sql, Value, Writer};
use metaxy_feature::{FeatureDefinition, FeatureKey, SYSTEM_COLUMNS};

use crate::engine::{Error, end_stream, now, with_retry};
use crate::features::Features;
use crate::query::{Hashing, Latest, check_hash, check_ids};
use crate::table::{
    At, BY_FIELD, ByField, NamedColumn, Problem, Stage, TEXT, Table, id_columns, inlining, members, names, sorted,
};

/// How to write rows; write `WriteOptions { …, ..WriteOptions::default() }`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// The run that made the rows, kept in `metaxy_materialization_id`.
    pub materialization_id: Option<String>,
    /// Whether columns that the table lacks are added to it; refused otherwise.
    pub add_columns: bool,
    /// Whether rows may be of another version of the feature than the one that was pushed last; refused otherwise, since
    /// whoever uses the pushed graph would not see them. A feature that was never pushed can always be written.
    pub unpushed: bool,
}

impl Features<'_> {
    /// Writes rows of a feature: new ones, or ones that replace those with the same ids. The number of rows.
    ///
    /// The rows have the feature's id columns and `metaxy_provenance_by_field`, a struct or map with the version of
    /// each field; and what else is to be kept of a sample. They may have `metaxy_provenance`,
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
    /// features.write(&"video".parse()?, rows, &WriteOptions::default())?;
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
        self.must_write()?;
        let connection = self.connection.elsewhere()?;
        let here = self.on(&connection);
        let mut writes = Vec::new();
        for (key, rows) in features {
            let definition = self.definition(key)?;
            let stage = Stage::fill(&connection, key, id_columns(definition.spec())?, rows)?;
            writes.push(Write::new(definition, stage)?);
        }
        // Not before: the rows may come from that stream.
        end_stream(self.connection)?;
        let look = || writes.iter().map(|write| here.look(write, options)).collect::<Result<Vec<_>, _>>();
        with_retry(&connection, look, |tables| {
            let mut count = 0;
            for (write, target) in writes.iter().zip(tables) {
                count += here.insert(write, target, options)?;
            }
            Ok(count)
        })
    }

    /// Where checked rows go.
    fn look(&self, write: &Write<'_>, options: &WriteOptions) -> Result<Target, Error> {
        let name = self.table_name(write.definition.key())?;
        let table = match Table::find(self.connection, &name, At::Now)? {
            Some(table) => {
                check_hash(&table, self.connection, self.hashing, &write.members)?;
                let (key, ids) = (write.definition.key(), id_columns(write.definition.spec())?);
                Latest::of(&table, &ids, self.feature_version(key)?).check(self.connection, key, &[])?;
                let new = table.new_columns(write.definition.key(), &write.user_columns(), options.add_columns)?;
                Some((table, new))
            }
            None if self.options.create_tables => {
                self.check_records()?;
                None
            }
            None => {
                let (feature, table) = (write.definition.key().clone(), name.name().to_string());
                return Err(Problem::NotCreated { feature, table }.into());
            }
        };
        // A graph of versions cut to another length is none that was pushed, so the hash is looked at first.
        if !options.unpushed {
            self.check_pushed(write.definition)?;
        }
        let columns = write.stage.columns().iter().map(|(name, of)| (name, of));
        let needs_file = inlining::would_lose(self.connection, columns, |sql| write.stage.table().write(sql))?;
        Ok(Target { table, needs_file })
    }

    /// Inserts checked rows, in a transaction that has begun.
    fn insert(&self, write: &Write<'_>, target: Target, options: &WriteOptions) -> Result<usize, Error> {
        let key = write.definition.key();
        let user_columns = write.user_columns();
        let table = if let Some((mut table, new)) = target.table {
            table.grow(self.connection, &new, &write.members)?;
            table
        } else {
            let name = self.table_name(key)?;
            Table::create(self.connection, &name, &user_columns, &write.members, self.options.maps, self.hashing.tag())?
        };
        let project_version = self.project_version(write.definition);
        let feature_version = self.feature_version(key)?;
        let now = now();
        let insert = Sql::build(|sql| {
            table.name().write(sql.keyword("INSERT INTO "));
            sql.keyword(" BY NAME SELECT ");
            for (column, _) in &user_columns {
                sql.keyword("s.").ident(column).keyword(", ");
            }
            write.write_provenance(sql, &table, self.hashing);
            sql.bind("feature version", &Value::from(feature_version)).keyword(" AS metaxy_feature_version, ");
            sql.bind("project version", &Value::from(project_version)).keyword(" AS metaxy_project_version, ");
            table.write_micros(sql, "metaxy_created_at", |sql| {
                sql.keyword(match write.stage.column("metaxy_created_at") {
                    Some((_, TEXT)) => "coalesce(epoch_us(CAST(s.metaxy_created_at AS TIMESTAMPTZ)), ",
                    Some(_) => "coalesce(epoch_us(s.metaxy_created_at), ",
                    None => "(",
                });
                sql.bind("metaxy_created_at", &Value::from(now)).keyword(")");
            });
            table.write_time(sql.keyword(" AS metaxy_created_at, "), "metaxy_updated_at", now);
            sql.keyword(" AS metaxy_updated_at, ");
            match &options.materialization_id {
                Some(id) => sql.bind("materialization id", &Value::from(id.as_str())),
                None => sql.keyword("CAST(NULL AS VARCHAR)"),
            };
            write.stage.table().write(sql.keyword(" AS metaxy_materialization_id FROM "));
            sql.keyword(" AS s");
        });
        let insert = || self.connection.execute(insert);
        if target.needs_file { inlining::without(self.connection, insert) } else { insert() }
    }
}

/// Rows that are checked, as far as they can be without looking at the lake.
struct Write<'w> {
    definition: &'w FeatureDefinition,
    stage: Stage<'w>,
    /// The members of the structs, in the order of the specification.
    members: Vec<Ident>,
    provenance: ByField,
    data_version: Option<ByField>,
}

/// Where rows go, as far as it was there when they were to be inserted.
struct Target {
    /// The table and the columns that it lacks; `None` if it is to be made.
    table: Option<(Table, Vec<NamedColumn>)>,
    /// Whether the catalog would not keep the rows as they are.
    needs_file: bool,
}

impl<'w> Write<'w> {
    fn new(definition: &'w FeatureDefinition, stage: Stage<'w>) -> Result<Self, Error> {
        let (key, spec) = (definition.key(), definition.spec());
        let members = members(spec)?;
        let [provenance, data_version] = BY_FIELD;
        if stage.column(provenance).is_none() {
            return Err(Problem::MissingColumns { feature: key.clone(), columns: names([provenance]) }.into());
        }
        if let Some((column, found)) = stage.column("metaxy_created_at")
            && !(found.is_timestamp() || *found == TEXT)
        {
            let (feature, column, found) = (key.clone(), column.to_string(), found.to_string());
            return Err(Problem::WrongType { feature, column, found, expected: "TIMESTAMPTZ".to_owned() }.into());
        }
        check_ids(&stage, key)?;
        let by_field = |column| stage.by_field(key, column, &members);
        let provenance = by_field(provenance)?.unwrap_or(ByField::Map);
        let data_version = by_field(data_version)?;
        Ok(Self { definition, stage, members, provenance, data_version })
    }

    /// The columns that are not Metaxy's.
    fn user_columns(&self) -> Vec<NamedColumn> {
        let is_user = |(name, _): &&NamedColumn| !SYSTEM_COLUMNS.contains(&name.as_str());
        self.stage.columns().iter().filter(is_user).cloned().collect()
    }

    /// Writes the four columns of versions, each with its name and a comma.
    fn write_provenance(&self, sql: &mut Writer, table: &Table, hashing: Hashing) {
        let has = |column: &str| self.stage.column(column).is_some();
        let provenance = |sql: &mut Writer, member: &Ident| {
            self.provenance.write_member(sql, |sql| _ = sql.keyword("s.metaxy_provenance_by_field"), member);
        };
        let data_version = |sql: &mut Writer, member: &Ident| match &self.data_version {
            None => provenance(sql, member),
            Some(data_version) => {
                sql.keyword("CASE WHEN s.metaxy_data_version_by_field IS NULL THEN ");
                provenance(sql, member);
                data_version.write_member(
                    sql.keyword(" ELSE "),
                    |sql| _ = sql.keyword("s.metaxy_data_version_by_field"),
                    member,
                );
                sql.keyword(" END");
            }
        };
        let sorted = sorted(&self.members);
        let sample = |sql: &mut Writer| {
            if has("metaxy_provenance") {
                sql.keyword("s.metaxy_provenance");
            } else {
                hashing.write_joined(sql, &sorted, |sql, member| provenance(sql, member));
            }
        };
        table.provenance().write_value(sql, &self.members, |sql, at| provenance(sql, &self.members[at]));
        sample(sql.keyword(" AS metaxy_provenance_by_field, "));
        sql.keyword(" AS metaxy_provenance, ");
        table.data_version().write_value(sql, &self.members, |sql, at| data_version(sql, &self.members[at]));
        sql.keyword(" AS metaxy_data_version_by_field, ");
        if has("metaxy_data_version") {
            sample(sql.keyword("coalesce(s.metaxy_data_version, "));
            sql.keyword(")");
        } else {
            hashing.write_joined(sql, &sorted, |sql, member| data_version(sql, member));
        }
        sql.keyword(" AS metaxy_data_version, ");
    }
}
