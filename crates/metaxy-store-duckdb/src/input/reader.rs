//! The query that reads a file of rows with DuckDB's reader for its format.

use std::collections::BTreeMap;

use arrow::array::AsArray as _;
use ducklake_sql::{Ident, Sql, Text, Writer};
use metaxy_feature::{FeatureDefinition, Json, JsonObject};

use super::column_types::keep_texts;
use super::lossless_cast::LosslessCast;
use super::problem::Problem;
use super::{CHANGE_COLUMN, FileFormat, InputFile, InputRows};
use crate::engine::{Connection, Error};
use crate::features::Features;
use crate::table::BY_FIELD;

/// A file that is read for a feature.
pub(super) struct Reader<'c, 'f> {
    pub(super) file: &'c InputFile,
    connection: &'c Connection,
    pub(super) definition: &'f FeatureDefinition,
    /// The path of the file, as DuckDB takes it.
    path: Text,
}

impl<'c, 'f> Reader<'c, 'f> {
    pub(super) fn new(
        file: &'c InputFile,
        connection: &'c Connection,
        definition: &'f FeatureDefinition,
    ) -> Result<Self, Error> {
        Ok(Self { file, connection, definition, path: file.pattern()? })
    }

    pub(super) fn rows(self, features: &Features<'_>) -> Result<InputRows<'c>, Error> {
        let is_json = self.file.format == FileFormat::Json;
        // The reader leaves out the keys of JSON that it did not see, and by itself looks at 20 480 rows.
        let options = |sql: &mut Writer| _ = sql.keyword(if is_json { ", sample_size = -1" } else { "" });
        let read = Sql::build(|sql| self.reader(sql.keyword("FROM "), options));
        let mut columns = self.columns(&read)?;
        if is_json {
            columns.iter_mut().for_each(keep_texts);
        }
        let query = match self.file.format {
            FileFormat::Parquet if self.file.column_types.is_empty() => read,
            FileFormat::Parquet => return Err(self.wrong("is Parquet, which has types", Some("leave `--type` out"))),
            FileFormat::Csv | FileFormat::Json => {
                let known = self.types(features, &columns)?;
                self.text(&columns, &known)?
            }
        };
        let has_change = columns.iter().any(|(name, _)| name.as_str() == CHANGE_COLUMN);
        if has_change {
            self.refuse_orphaned(&query)?;
        }
        let query = Sql::build(|sql| {
            sql.keyword("SELECT * ").keyword(if has_change { "EXCLUDE (metaxy_change) " } else { "" });
            sql.keyword("FROM (").part(&query).keyword(")");
        });
        let rows = self.connection.query(query).map_err(|error| self.failed(&error))?;
        Ok(InputRows::new(self.file, self.path.as_str().to_owned(), rows))
    }

    /// The names and types of the columns that reading it gives, as DuckDB sees them.
    fn columns(&self, read: &Sql) -> Result<Vec<(Ident, String)>, Error> {
        let describe = Sql::build(|sql| {
            sql.keyword("SELECT column_name, column_type FROM (DESCRIBE ").part(read).keyword(")");
        });
        let columns = self.texts(describe)?;
        let column = |(name, of): (String, String)| Ident::new(name).ok().map(|name| (name, of));
        Ok(columns.into_iter().filter_map(column).collect())
    }

    /// Writes the call of DuckDB's reader.
    fn reader(&self, sql: &mut Writer, options: impl FnOnce(&mut Writer)) {
        let (call, end) = match self.file.format {
            FileFormat::Parquet => ("read_parquet(", ")"),
            FileFormat::Csv => ("read_csv(", ", header = true)"),
            FileFormat::Json => ("read_json(", ", format = 'auto')"),
        };
        sql.keyword(call).literal(&self.path);
        options(sql);
        sql.keyword(end);
    }

    /// The query for CSV or JSON, whose columns are of these types.
    fn text(&self, columns: &[(Ident, String)], known: &BTreeMap<String, Text>) -> Result<Sql, Error> {
        let typed = self.typed(columns, known);
        let of_types = self.columns(&typed)?;
        self.refuse_rounded(&of_types, known)?;
        let is_json = self.file.format == FileFormat::Json;
        let casts = of_types.iter().filter(|(name, _)| !BY_FIELD.contains(&name.as_str()));
        let casts: Vec<LosslessCast> = casts.filter_map(|(name, of)| LosslessCast::of(name, of, is_json)).collect();
        let mut read_as = known.clone();
        read_as.extend(casts.iter().map(|one| (one.column().as_str().to_owned(), one.read_as().clone())));
        let read = self.typed(columns, &read_as);
        let mut by_field = Vec::new();
        for (name, _) in columns.iter().filter(|(name, _)| BY_FIELD.contains(&name.as_str())) {
            by_field.push((name, self.members(&read, name)?));
        }
        Ok(Sql::build(|sql| {
            sql.keyword("SELECT *");
            for (index, one) in casts.iter().enumerate() {
                sql.keyword(if index == 0 { " REPLACE (" } else { ", " });
                one.write(sql, &typed);
                sql.keyword(" AS ").ident(one.column());
            }
            for (index, (name, members)) in by_field.iter().enumerate() {
                sql.keyword(if index + casts.len() == 0 { " REPLACE (" } else { ", " });
                sql.keyword("from_json_strict(").ident(name).keyword(", ").literal(members);
                sql.keyword(") AS ").ident(name);
            }
            let is_plain = casts.is_empty() && by_field.is_empty();
            sql.keyword(if is_plain { " FROM (" } else { ") FROM (" }).part(&read).keyword(")");
        }))
    }

    /// Reads CSV or JSON with these types of its columns.
    fn typed(&self, columns: &[(Ident, String)], types: &BTreeMap<String, Text>) -> Sql {
        let is_json = self.file.format == FileFormat::Json;
        // JSON is read with all its columns or none; in CSV only those are named of which a type is known.
        let named: Vec<_> = columns.iter().filter(|(name, _)| is_json || types.contains_key(name.as_str())).collect();
        let write = |sql: &mut Writer| {
            sql.keyword(if is_json { ", columns = {" } else { ", types = {" });
            for (index, (name, guessed)) in named.iter().enumerate() {
                sql.comma(index).ident(name).keyword(": ");
                match (types.get(name.as_str()), Text::new(guessed.as_str())) {
                    (Some(of), _) => sql.literal(of),
                    (None, Ok(of)) => sql.literal(&of),
                    (None, Err(_)) => sql.keyword("'VARCHAR'"),
                };
            }
            sql.keyword("}");
        };
        Sql::build(|sql| {
            self.reader(sql.keyword("FROM "), |sql| {
                if is_json || !named.is_empty() {
                    write(sql);
                }
            });
        })
    }

    /// What the objects of a column have as keys, each a text: the structure for `from_json_strict`.
    ///
    /// All keys that occur are taken, so that one which the feature does not know is refused, not dropped; where none
    /// occurs, those of the feature.
    fn members(&self, read: &Sql, column: &Ident) -> Result<Text, Error> {
        let keys = Sql::build(|sql| {
            sql.keyword("SELECT DISTINCT unnest(json_keys(CAST(").ident(column);
            sql.keyword(" AS JSON))) AS key, '' FROM (").part(read).keyword(") ORDER BY key");
        });
        let mut keys: Vec<String> = self.texts(keys)?.into_iter().map(|(key, _)| key).collect();
        if keys.is_empty() {
            let fields = self.definition.spec().fields().iter();
            keys.extend(fields.map(|field| field.key.struct_key()));
        }
        let members: JsonObject = keys.into_iter().map(|key| (key, Json::String("VARCHAR".to_owned()))).collect();
        let text = Text::new(Json::Object(members).to_string()).ok();
        text.ok_or_else(|| self.wrong("has a key with a NUL character", None))
    }

    /// Rows that are to be removed must not be written.
    fn refuse_orphaned(&self, query: &Sql) -> Result<(), Error> {
        let orphaned = self.texts(Sql::build(|sql| {
            sql.keyword("SELECT CAST(count(*) AS VARCHAR), '' FROM (").part(query);
            sql.keyword(") WHERE metaxy_change = 'orphaned' HAVING count(*) > 0");
        }))?;
        match orphaned.first() {
            None => Ok(()),
            Some((count, _)) => {
                let what = ["holds rows to remove (", count, " `orphaned`), which cannot be written"].concat();
                Err(self.wrong(&what, Some("ask `metadata increment` for `--only new,stale`")))
            }
        }
    }

    /// The rows of a query with two columns of text.
    pub(super) fn texts(&self, query: Sql) -> Result<Vec<(String, String)>, Error> {
        let mut found = Vec::new();
        for batch in self.connection.query(query).map_err(|error| self.failed(&error))? {
            let batch = batch.map_err(|error| self.failed(&error))?;
            let columns = (batch.column(0).as_string_opt::<i32>(), batch.column(1).as_string_opt::<i32>());
            let (Some(first), Some(second)) = columns else { continue };
            let pairs = first.iter().zip(second).filter_map(|(first, second)| Some((first?, second?)));
            found.extend(pairs.map(|(first, second)| (first.to_owned(), second.to_owned())));
        }
        Ok(found)
    }

    fn failed(&self, error: &Error) -> Error {
        Error::refused(Problem::of_engine(&self.file.name, self.path.as_str(), error))
    }

    pub(super) fn wrong(&self, what: &str, help: Option<&'static str>) -> Error {
        Error::refused(Problem::new(&self.file.name, what, help))
    }
}
