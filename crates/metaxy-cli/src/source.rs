//! Rows of a file: Parquet, CSV or JSON, read by DuckDB as a stream.
//!
//! Parquet has types. Of CSV and JSON, columns that the feature's table has are read in its types, so that `001` stays
//! a text where it is one; others as the feature's schema says, and what nothing says is guessed by DuckDB, but a text
//! of JSON is taken for one. Versions of fields are never guessed: they are texts, whatever they look like.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use arrow::array::AsArray as _;
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatchIterator, RecordBatchReader};
use ducklake_sql::{Ident, Sql, Text, Value, Writer};
use metaxy_feature::{Column, FeatureDefinition, FeatureKey, Json};
use metaxy_store_duckdb::{Cause, Connection};
use tempfile::NamedTempFile;

use crate::args::{ColumnType, FileFormat};
use crate::error::Error;
use crate::exact::{self, Exact};
use crate::features::Opened;
use crate::progress::Progress;

/// What `metaxy metadata increment` says of a row; it is no column of the feature.
pub(crate) const CHANGE: &str = "metaxy_change";

/// The columns that hold the versions of fields.
const BY_FIELD: [&str; 2] = ["metaxy_provenance_by_field", "metaxy_data_version_by_field"];

/// A file of rows.
#[derive(Debug)]
pub(crate) struct Source {
    /// The name that the person knows it by.
    name: String,
    path: Text,
    format: FileFormat,
    /// Why its rows ended too early, if they did.
    failure: RefCell<Option<Error>>,
    /// What came from stdin; it goes away with the source.
    #[expect(dead_code, reason = "kept for its end")]
    spool: Option<NamedTempFile>,
}

impl Source {
    /// Finds out what a file is. Stdin is put into a temporary file: it is read more than once, and Parquet from its end.
    pub(crate) fn find(file: &Path, format: Option<FileFormat>) -> Result<Self, Error> {
        if file.as_os_str() == "-" {
            let failed = |error| Error::file("reading", Path::new("stdin"), error);
            let mut spool = NamedTempFile::new().map_err(failed)?;
            io::copy(&mut io::stdin().lock(), &mut spool).map_err(failed)?;
            let found = Self::new("stdin", spool.path(), format)?;
            return Ok(Self { spool: Some(spool), ..found });
        }
        let failed = |error| Error::file("reading", file, error);
        let path = file.canonicalize().map_err(failed)?;
        if path.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        Self::new(&file.display().to_string(), &path, format)
    }

    fn new(name: &str, path: &Path, format: Option<FileFormat>) -> Result<Self, Error> {
        let failed = |error| Error::file("reading", Path::new(name), error);
        let format = match format.or_else(|| by_name(path)) {
            Some(format) => format,
            None => by_content(path).map_err(failed)?,
        };
        let text = path.to_str().and_then(|path| Text::new(literally(path)).ok());
        let path = text.ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
        Ok(Self { name: name.to_owned(), path, format, failure: RefCell::new(None), spool: None })
    }

    /// The rows, for a feature that they are to be written to or compared with.
    ///
    /// When they end in an error, [`failure`](Self::failure) tells it better than whoever reads them.
    pub(crate) fn rows<'c>(
        &'c self,
        connection: &'c Connection,
        opened: &Opened,
        feature: &FeatureKey,
        types: &[ColumnType],
        progress: &'c Progress,
    ) -> Result<impl RecordBatchReader + use<'c>, Error> {
        let is_json = self.format == FileFormat::Json;
        // The reader leaves out the keys of JSON that it did not see, and by itself looks at 20 480 rows.
        let options = |sql: &mut Writer| _ = sql.keyword(if is_json { ", sample_size = -1" } else { "" });
        let read = Sql::build(|sql| self.reader(sql.keyword("FROM "), options));
        let mut columns = self.columns(connection, &read)?;
        if is_json {
            columns.iter_mut().for_each(keep_texts);
        }
        let query = match self.format {
            FileFormat::Parquet if types.is_empty() => read,
            FileFormat::Parquet => {
                return Err(Error::Usage { message: "Parquet has types", help: "leave `--type` out" });
            }
            FileFormat::Csv | FileFormat::Json => {
                let known = self.types(connection, opened, feature, types, &columns)?;
                self.text(connection, &columns, &known, opened.graph.get(feature))?
            }
        };
        let has_change = columns.iter().any(|(name, _)| name.as_str() == CHANGE);
        if has_change {
            self.refuse_orphaned(connection, &query)?;
        }
        let query = Sql::build(|sql| {
            sql.keyword("SELECT * ").keyword(if has_change { "EXCLUDE (metaxy_change) " } else { "" });
            sql.keyword("FROM (").part(&query).keyword(")");
        });
        let rows = connection.query(query).map_err(|error| self.failed(&error))?;
        let schema = rows.schema();
        let rows = rows.map(|batch| match batch {
            Ok(batch) => {
                progress.add(batch.num_rows());
                Ok(batch)
            }
            Err(error) => {
                self.failure.replace(Some(self.failed(&error)));
                Err(ArrowError::ExternalError(error.into()))
            }
        });
        Ok(RecordBatchIterator::new(rows, schema))
    }

    /// Why something that its rows were given to failed: because of the file, if that could not be read to its end.
    pub(crate) fn failure(&self, error: metaxy_store_duckdb::Error) -> Error {
        self.failure.take().unwrap_or(Error::Lake(error))
    }

    /// The names and types of the columns that reading it gives, as DuckDB sees them.
    fn columns(&self, connection: &Connection, read: &Sql) -> Result<Vec<(Ident, String)>, Error> {
        let describe = Sql::build(|sql| {
            sql.keyword("SELECT column_name, column_type FROM (DESCRIBE ").part(read).keyword(")");
        });
        let columns = self.texts(connection, describe)?;
        let column = |(name, of): (String, String)| Ident::new(name).ok().map(|name| (name, of));
        Ok(columns.into_iter().filter_map(column).collect())
    }

    /// Writes the call of DuckDB's reader.
    fn reader(&self, sql: &mut Writer, options: impl FnOnce(&mut Writer)) {
        let (call, end) = match self.format {
            FileFormat::Parquet => ("read_parquet(", ")"),
            FileFormat::Csv => ("read_csv(", ", header = true)"),
            FileFormat::Json => ("read_json(", ", format = 'auto')"),
        };
        sql.keyword(call).literal(&self.path);
        options(sql);
        sql.keyword(end);
    }

    /// The query for CSV or JSON, whose columns are of these types.
    fn text(
        &self,
        connection: &Connection,
        columns: &[(Ident, String)],
        known: &BTreeMap<String, Text>,
        feature: Option<&FeatureDefinition>,
    ) -> Result<Sql, Error> {
        let typed = self.typed(columns, known);
        let of_types = self.columns(connection, &typed)?;
        self.refuse_rounded(&of_types, known, feature)?;
        let is_json = self.format == FileFormat::Json;
        let exact = of_types.iter().filter(|(name, _)| !BY_FIELD.contains(&name.as_str()));
        let exact: Vec<Exact> = exact.filter_map(|(name, of)| Exact::of(name, of, is_json)).collect();
        let mut read_as = known.clone();
        read_as.extend(exact.iter().map(|one| (one.column().as_str().to_owned(), one.read_as().clone())));
        let read = self.typed(columns, &read_as);
        let mut by_field = Vec::new();
        for (name, _) in columns.iter().filter(|(name, _)| BY_FIELD.contains(&name.as_str())) {
            by_field.push((name, self.members(connection, &read, name, feature)?));
        }
        Ok(Sql::build(|sql| {
            sql.keyword("SELECT *");
            for (index, one) in exact.iter().enumerate() {
                sql.keyword(if index == 0 { " REPLACE (" } else { ", " });
                one.write(sql, &typed);
                sql.keyword(" AS ").ident(one.column());
            }
            for (index, (name, members)) in by_field.iter().enumerate() {
                sql.keyword(if index + exact.len() == 0 { " REPLACE (" } else { ", " });
                sql.keyword("from_json_strict(").ident(name).keyword(", ").literal(members);
                sql.keyword(") AS ").ident(name);
            }
            let is_plain = exact.is_empty() && by_field.is_empty();
            sql.keyword(if is_plain { " FROM (" } else { ") FROM (" }).part(&read).keyword(")");
        }))
    }

    /// Reads CSV or JSON with these types of its columns.
    fn typed(&self, columns: &[(Ident, String)], types: &BTreeMap<String, Text>) -> Sql {
        let is_json = self.format == FileFormat::Json;
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
    fn members(
        &self,
        connection: &Connection,
        read: &Sql,
        column: &Ident,
        feature: Option<&FeatureDefinition>,
    ) -> Result<Text, Error> {
        let keys = Sql::build(|sql| {
            sql.keyword("SELECT DISTINCT unnest(json_keys(CAST(").ident(column);
            sql.keyword(" AS JSON))) AS key, '' FROM (").part(read).keyword(") ORDER BY key");
        });
        let mut keys: Vec<String> = self.texts(connection, keys)?.into_iter().map(|(key, _)| key).collect();
        if keys.is_empty() {
            let fields = feature.into_iter().flat_map(|definition| definition.spec().fields());
            keys.extend(fields.map(|field| field.key.struct_key()));
        }
        let members: serde_json::Map<_, _> = keys.into_iter().map(|key| (key, "VARCHAR".into())).collect();
        let text = Text::new(serde_json::Value::Object(members).to_string()).ok();
        text.ok_or_else(|| self.wrong("has a key with a NUL character", None))
    }

    /// The types that are known of its columns: from the command line, the feature's table, or its schema.
    fn types(
        &self,
        connection: &Connection,
        opened: &Opened,
        feature: &FeatureKey,
        given: &[ColumnType],
        columns: &[(Ident, String)],
    ) -> Result<BTreeMap<String, Text>, Error> {
        let has = |name: &str| columns.iter().any(|(column, _)| column.as_str() == name);
        if let Some(unknown) = given.iter().find(|one| !has(&one.column)) {
            let what = ["has no column `", &unknown.column, "`"].concat();
            return Err(self.wrong(&what, Some("`--type` takes a column of the file and a type of DuckDB")));
        }
        let table = [&opened.options.table_prefix, feature.table_name().as_str()].concat();
        let stored = Sql::build(|sql| {
            sql.keyword("SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ");
            sql.bind("lake", &Value::from(opened.store.plan().alias().as_str()));
            sql.keyword(" AND table_name = ").bind("table", &Value::from(table));
        });
        let mut types: BTreeMap<String, String> = opened.graph.get(feature).map(schema_types).unwrap_or_default();
        types.extend(self.texts(connection, stored)?);
        types.extend(given.iter().map(|one| (one.column.clone(), one.of.clone())));
        let raw = if self.format == FileFormat::Json { "JSON" } else { "VARCHAR" };
        types.extend(BY_FIELD.map(|name| (name.to_owned(), raw.to_owned())));
        let types = types.into_iter().filter(|(name, _)| has(name));
        Ok(types.filter_map(|(name, of)| Some((name, Text::new(of).ok()?))).collect())
    }

    /// A number with too many digits for a whole one is guessed to be a float, which has fewer: two ids may become one.
    fn refuse_rounded(
        &self,
        columns: &[(Ident, String)],
        known: &BTreeMap<String, Text>,
        feature: Option<&FeatureDefinition>,
    ) -> Result<(), Error> {
        let is_float = |id: &str| columns.iter().any(|(name, of)| name.as_str() == id && of == "DOUBLE");
        let mut ids = feature.into_iter().flat_map(|definition| definition.spec().id_columns()).map(Column::as_str);
        match ids.find(|id| !known.contains_key(*id) && is_float(id)) {
            None => Ok(()),
            Some(id) => {
                let what =
                    ["has numbers in the id column `", id, "` that are no whole ones of at most 64 bits"].concat();
                Err(self.wrong(&what, Some("say what they are, as in `--type id=VARCHAR` or `--type id=DOUBLE`")))
            }
        }
    }

    /// Rows that are to be removed must not be written.
    fn refuse_orphaned(&self, connection: &Connection, query: &Sql) -> Result<(), Error> {
        let orphaned = self.texts(
            connection,
            Sql::build(|sql| {
                sql.keyword("SELECT CAST(count(*) AS VARCHAR), '' FROM (").part(query);
                sql.keyword(") WHERE metaxy_change = 'orphaned' HAVING count(*) > 0");
            }),
        )?;
        match orphaned.first() {
            None => Ok(()),
            Some((count, _)) => {
                let what = ["holds rows to remove (", count, " `orphaned`), which cannot be written"].concat();
                Err(self.wrong(&what, Some("ask `metadata increment` for `--only new,stale`")))
            }
        }
    }

    /// The rows of a query with two columns of text.
    fn texts(&self, connection: &Connection, query: Sql) -> Result<Vec<(String, String)>, Error> {
        let mut found = Vec::new();
        for batch in connection.query(query).map_err(|error| self.failed(&error))? {
            let batch = batch.map_err(|error| self.failed(&error))?;
            let columns = (batch.column(0).as_string_opt::<i32>(), batch.column(1).as_string_opt::<i32>());
            let (Some(first), Some(second)) = columns else { continue };
            let pairs = first.iter().zip(second).filter_map(|(first, second)| Some((first?, second?)));
            found.extend(pairs.map(|(first, second)| (first.to_owned(), second.to_owned())));
        }
        Ok(found)
    }

    fn failed(&self, error: &metaxy_store_duckdb::Error) -> Error {
        let message = error.to_string();
        if let Some((_, what)) = message.split_once(exact::REFUSED) {
            return self.wrong(what, Some(exact::HELP));
        }
        // The statement and the file that DuckDB names are not what the person wrote.
        let message = error.without_hints().replace(self.path.as_str(), &self.name);
        let is_of_type = error.cause() == Some(Cause::ValueOfOtherType);
        self.wrong(&["cannot be read: ", &message].concat(), is_of_type.then_some(exact::HELP))
    }

    fn wrong(&self, what: &str, help: Option<&'static str>) -> Error {
        Error::Source { file: self.name.clone(), what: what.to_owned(), help }
    }
}

/// A text of JSON is one, even if all that DuckDB looked at are dates. What Metaxy writes itself is what it looks like.
fn keep_texts((name, guessed): &mut (Ident, String)) {
    if !name.as_str().starts_with("metaxy_") {
        *guessed = exact::with_texts(guessed, &["DATE", "TIME", "TIMESTAMP", "UUID"]);
    }
}

/// The types of columns that a feature's JSON schema tells.
fn schema_types(definition: &FeatureDefinition) -> BTreeMap<String, String> {
    let Some(Json::Object(properties)) = definition.schema().get("properties") else { return BTreeMap::new() };
    let of = |(name, property): (&String, &Json)| {
        let Json::Object(property) = property else { return None };
        let Some(Json::String(of)) = property.get("type") else { return None };
        let of = match of.as_str() {
            "string" => "VARCHAR",
            "integer" => "BIGINT",
            "number" => "DOUBLE",
            "boolean" => "BOOLEAN",
            _ => return None,
        };
        Some((name.clone(), of.to_owned()))
    };
    properties.iter().filter(|(name, _)| !name.starts_with("metaxy_")).filter_map(of).collect()
}

/// What a file is by the end of its name.
fn by_name(path: &Path) -> Option<FileFormat> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "parquet" | "pq" => Some(FileFormat::Parquet),
        "csv" | "tsv" => Some(FileFormat::Csv),
        "json" | "jsonl" | "ndjson" => Some(FileFormat::Json),
        _ => None,
    }
}

/// What a file is by its first bytes.
fn by_content(path: &Path) -> io::Result<FileFormat> {
    let mut head = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut head)?;
    Ok(if head.starts_with(b"PAR1") {
        FileFormat::Parquet
    } else if head.trim_ascii_start().starts_with(b"{") || head.trim_ascii_start().starts_with(b"[") {
        FileFormat::Json
    } else {
        FileFormat::Csv
    })
}

/// A path that DuckDB does not take for a pattern.
fn literally(path: &str) -> String {
    let mut text = String::new();
    for character in path.chars() {
        match character {
            '*' | '?' | '[' => text.extend(['[', character, ']']),
            other => text.push(other),
        }
    }
    text
}
