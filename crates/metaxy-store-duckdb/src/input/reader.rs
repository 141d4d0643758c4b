//! The query that reads a file of rows with DuckDB's reader for its format.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ducklake_sql::{Ident, Sql, StringLiteral, list, sql};
use metaxy_feature::{Column, FeatureDefinition, Json, JsonObject};

use super::column_types::keep_texts;
use super::format::has_quoted_empty;
use super::lossless_cast::LosslessCast;
use super::problem::Problem;
use super::{CHANGE_COLUMN, FileFormat, InputFile, InputRows};
use crate::engine::{Connection, Error};
use crate::features::Features;
use crate::table::BY_FIELD;

/// How many columns CSV and JSON may have. To check the values of all takes DuckDB the square of their number, and a table
/// of a SQLite or PostgreSQL catalog, which is where few rows are put, holds not many more.
const MOST_COLUMNS: usize = 1500;

/// What to do about keys and columns that no table can have as they are.
pub(super) const RENAME: &str = "give it another name";

/// A file that is read for a feature.
pub(super) struct Reader<'c, 'f> {
    pub(super) file: &'c InputFile,
    pub(super) connection: &'c Connection,
    pub(super) definition: &'f FeatureDefinition,
    /// The path of the file, as DuckDB takes it.
    pub(super) path: StringLiteral,
    /// Whether nothing between quotes is an empty text in CSV; DuckDB takes it for NULL unless it is told.
    keeps_empty: bool,
}

impl<'c, 'f> Reader<'c, 'f> {
    pub(super) fn new(
        file: &'c InputFile,
        connection: &'c Connection,
        definition: &'f FeatureDefinition,
    ) -> Result<Self, Error> {
        Ok(Self { file, connection, definition, path: file.pattern()?, keeps_empty: false })
    }

    pub(super) fn rows(mut self, features: &Features<'_>) -> Result<InputRows<'c>, Error> {
        let query = self.query(features)?;
        let rows = self.connection.query(query).map_err(|error| self.failed(&error))?;
        Ok(InputRows::new(self.file, self.path.as_str().to_owned(), rows))
    }

    /// The query of the rows, each column in its type.
    pub(super) fn query(&mut self, features: &Features<'_>) -> Result<Sql, Error> {
        let is_json = self.file.format == FileFormat::Json;
        match self.file.format {
            FileFormat::Json => self.refuse_deep()?,
            FileFormat::Parquet => self.refuse_changed_by_reader()?,
            FileFormat::Csv => {}
        }
        // The reader leaves out the keys of JSON that it did not see, and by itself looks at 20 480 rows.
        let sample_size = is_json.then(|| sql!("sample_size = -1"));
        let read = self.read(sample_size);
        let mut columns = self.columns(&read)?;
        if is_json && self.has_no_keys(&read, &columns)? {
            columns = self.needed_columns()?;
        }
        if self.file.format != FileFormat::Parquet && columns.len() > MOST_COLUMNS {
            let what = ["has ", &columns.len().to_string(), " columns, more than ", &MOST_COLUMNS.to_string()].concat();
            return Err(self.wrong(&what, Some("write it as Parquet, whose types need not be found out")));
        }
        if self.file.format == FileFormat::Csv {
            self.refuse_ragged(&columns)?;
        }
        if is_json {
            self.refuse_renamed(&columns)?;
            columns.iter_mut().for_each(keep_texts);
        }
        let query = match self.file.format {
            FileFormat::Parquet if self.file.column_types.is_empty() => read,
            FileFormat::Parquet => return Err(self.wrong("is Parquet, which has types", Some("leave `--type` out"))),
            FileFormat::Csv | FileFormat::Json => {
                let mut known = self.types(features, &columns)?;
                if !is_json {
                    for name in self.guessed_texts(&columns, &known)? {
                        known.insert(name, StringLiteral::new("VARCHAR")?);
                    }
                }
                self.text(&columns, &known)?
            }
        };
        let has_change = columns.iter().any(|(name, _)| name.as_str() == CHANGE_COLUMN);
        if has_change {
            self.refuse_orphaned(&query)?;
        }
        Ok(if has_change { sql!("SELECT * EXCLUDE (metaxy_change) FROM ({query})", query) } else { query })
    }

    /// The names and types of the columns that reading it gives, as DuckDB sees them.
    fn columns(&self, read: &Sql) -> Result<Vec<(Ident, String)>, Error> {
        let columns = self.pairs(sql!("SELECT column_name, column_type FROM (DESCRIBE {read})", read))?;
        let column = |(name, of)| match Ident::new(name) {
            Ok(name) => Ok((name, of)),
            Err(_) => Err(self.wrong("has a column whose name is empty or has a NUL character", Some(RENAME))),
        };
        columns.into_iter().map(column).collect()
    }

    /// Whether the file is JSON without any row, which has no columns for those who read it: what `metadata increment` prints
    /// where nothing has changed.
    fn has_no_keys(&self, read: &Sql, columns: &[(Ident, String)]) -> Result<bool, Error> {
        if !matches!(columns, [(name, of)] if name.as_str() == "json" && of == "JSON") {
            return Ok(false);
        }
        let rows: i64 = self
            .connection
            .query_value(sql!("SELECT count(*) FROM ({read})", read))
            .map_err(|error| self.failed(&error))?;
        Ok(rows == 0)
    }

    /// The columns without which no rows are taken, and those whose types were set.
    fn needed_columns(&self) -> Result<Vec<(Ident, String)>, Error> {
        let ids = self.definition.spec().id_columns().iter().map(Column::as_str);
        let set = self.file.column_types.iter().map(|(name, _)| name.as_str());
        let mut names: Vec<&str> = ids.chain(set).chain([BY_FIELD[0]]).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| Ok((Ident::new(name)?, "VARCHAR".to_owned()))).collect()
    }

    /// Says which line of CSV is not as its header is: with no delimiter that fits all lines, each of them is one column.
    fn refuse_ragged(&self, columns: &[(Ident, String)]) -> Result<(), Error> {
        let [(header, _)] = columns else { return Ok(()) };
        let parts = |delimiter: &str| header.as_str().split(delimiter).count();
        let Some(delimiter) = [",", ";", "\t", "|"].into_iter().max_by_key(|delimiter| parts(delimiter)) else {
            return Ok(());
        };
        if parts(delimiter) < 2 {
            return Ok(());
        }
        let column = |number: usize| {
            let name = Ident::new(["column", &number.to_string()].concat())?;
            Ok::<_, Error>(sql!("{name}: 'VARCHAR'", name))
        };
        let columns = (0..parts(delimiter)).map(column).collect::<Result<Vec<_>, _>>()?;
        let read = sql!(
            r#"SELECT count(*) FROM read_csv({path}, delim = {delimiter}, columns = {{{columns}}}, auto_detect = false,
                                             header = true, quote = '"', escape = '"')"#,
            path = self.path,
            delimiter = StringLiteral::new(delimiter)?,
            columns = list(columns),
        );
        self.connection.run(&read).map(drop).map_err(|error| self.failed(&error))
    }

    /// Refuses JSON with keys that are empty or differ in case only: DuckDB gives their columns other names, and finds no
    /// values for these.
    fn refuse_renamed(&self, columns: &[(Ident, String)]) -> Result<(), Error> {
        let may_be_new = |name: &str| {
            let of_other = |(before, number): (&str, &str)| {
                is_number(number) && columns.iter().any(|(other, _)| other.as_str().eq_ignore_ascii_case(before))
            };
            name.strip_prefix('C').is_some_and(is_number) || name.rsplit_once('_').is_some_and(of_other)
        };
        if !columns.iter().any(|(name, _)| may_be_new(name.as_str())) {
            return Ok(());
        }
        let keys = sql!(
            "SELECT DISTINCT unnest(json_keys(json)) FROM read_json_objects({path}, format = 'auto')",
            path = self.path,
        );
        let keys: Vec<(String,)> = self.connection.query_rows(keys).map_err(|error| self.failed(&error))?;
        let keys: BTreeSet<String> = keys.into_iter().map(|(key,)| key).collect();
        if keys.contains("") {
            return Err(self.wrong("has an empty key", Some(RENAME)));
        }
        let has_column = |key: &&String| columns.iter().any(|(name, _)| name.as_str() == key.as_str());
        match keys.iter().find(|key| !has_column(key)) {
            Some(key) => {
                let what = ["has the key `", key, "` twice, in upper and lower case: a table does not tell them apart"];
                Err(self.wrong(&what.concat(), Some(RENAME)))
            }
            None => Ok(()),
        }
    }

    /// The call of DuckDB's reader, with an option.
    fn read(&self, option: Option<Sql>) -> Sql {
        let (path, option) = (&self.path, list(option));
        match self.file.format {
            FileFormat::Parquet => sql!("FROM read_parquet({path}, {option})", path, option),
            // What DuckDB would find out by itself: it takes lines that begin with `#` for comments, lines before the one
            // that looks like the header for a title, quotes that do not end for a part of the text, and the first number of
            // `01/02/2026` for the day.
            FileFormat::Csv => sql!(
                r#"FROM read_csv({path}, {option}, header = true, skip = 0, comment = '', quote = '"', escape = '"',
                                 dateformat = '%Y-%m-%d')"#,
                path,
                option,
            ),
            FileFormat::Json => sql!("FROM read_json({path}, {option}, format = 'auto')", path, option),
        }
    }

    /// The query for CSV or JSON, whose columns are of these types.
    fn text(&mut self, columns: &[(Ident, String)], known: &BTreeMap<String, StringLiteral>) -> Result<Sql, Error> {
        let typed = self.typed(columns, known);
        let of_types = self.columns(&typed)?;
        self.refuse_rounded(&of_types, known)?;
        let is_json = self.file.format == FileFormat::Json;
        let cast = |(name, of): &(Ident, String)| {
            let is_guessed = !known.contains_key(name.as_str());
            (!BY_FIELD.contains(&name.as_str())).then(|| LosslessCast::of(name, of, is_guessed, is_json)).flatten()
        };
        let casts: Vec<LosslessCast> = of_types.iter().filter_map(cast).collect();
        let with = |types: &BTreeMap<String, StringLiteral>, change: fn(&LosslessCast) -> &StringLiteral| {
            let changed = casts.iter().map(|one| (one.column().as_str().to_owned(), change(one).clone()));
            types.clone().into_iter().chain(changed).collect::<BTreeMap<_, _>>()
        };
        let of = |(name, of): &(Ident, String)| Some((name.as_str().to_owned(), StringLiteral::new(of.as_str()).ok()?));
        let all: BTreeMap<String, StringLiteral> = of_types.iter().filter_map(of).collect();
        self.read_exactly(columns, &of_types, &with(&all, LosslessCast::read_as))?;
        // What DuckDB guesses depends on how the file is read.
        let chosen = if self.keeps_empty { &all } else { known };
        let typed = self.typed(columns, chosen);
        let read = self.typed(columns, &with(chosen, LosslessCast::read_as));
        let wide = self.typed(columns, &with(chosen, LosslessCast::wide));
        let mut by_field = Vec::new();
        for (name, _) in columns.iter().filter(|(name, _)| BY_FIELD.contains(&name.as_str())) {
            by_field.push((name, self.members(&read, name)?));
        }
        if casts.is_empty() && by_field.is_empty() {
            return Ok(read);
        }
        // `SELECT * REPLACE` would say the same, but it takes DuckDB the square of the number of columns.
        let casts: HashMap<&str, Sql> =
            casts.iter().map(|one| (one.column().as_str(), one.value(&typed, &wide))).collect();
        let selected = list(columns.iter().map(|(column, _)| {
            let members = by_field.iter().find(|(name, _)| *name == column).map(|(_, members)| members);
            match (casts.get(column.as_str()), members) {
                (Some(value), _) => sql!("{value} AS {column}", value = value.clone(), column),
                (None, Some(members)) => sql!("from_json_strict({column}, {members}) AS {column}", column, members),
                (None, None) => sql!("{column}", column),
            }
        }));
        Ok(sql!("SELECT {selected} FROM ({read})", selected, read))
    }

    /// Finds out how to read the file so that its values stay what they are: JSON with long fractions as texts, and CSV
    /// with empty texts, where all columns are of these types then.
    fn read_exactly(
        &mut self,
        columns: &[(Ident, String)],
        of_types: &[(Ident, String)],
        types: &BTreeMap<String, StringLiteral>,
    ) -> Result<(), Error> {
        match (&self.file.exact, self.file.format) {
            // What is JSON in a column stays as it is.
            (Some(exact), _) if !of_types.iter().any(|(name, of)| is_json(name, of)) => {
                self.path = self.file.pattern_of(exact.path())?;
            }
            (None, FileFormat::Csv) if has_quoted_empty(self.file.content.path()) => {
                self.keeps_empty = true;
                let all = sql!("SELECT count(COLUMNS(*)) FROM ({read})", read = self.typed(columns, types));
                // A column of numbers may have its NULLs in quotes.
                self.keeps_empty = self.connection.run(&all).is_ok();
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads CSV or JSON with these types of its columns.
    pub(super) fn typed(&self, columns: &[(Ident, String)], types: &BTreeMap<String, StringLiteral>) -> Sql {
        let is_json = self.file.format == FileFormat::Json;
        // JSON is read with all its columns or none; in CSV only those are named of which a type is known.
        let named: Vec<_> = columns.iter().filter(|(name, _)| is_json || types.contains_key(name.as_str())).collect();
        let column = |(name, guessed): &(Ident, String)| {
            let of = types.get(name.as_str()).cloned().or_else(|| StringLiteral::new(guessed.as_str()).ok());
            match of {
                Some(of) => sql!("{name}: {of}", name, of),
                None => sql!("{name}: 'VARCHAR'", name),
            }
        };
        let columns = list(named.into_iter().map(column));
        self.read(match (is_json, columns.is_empty()) {
            (true, _) => Some(sql!("columns = {{{columns}}}", columns)),
            (false, _) if self.keeps_empty => Some(sql!("types = {{{columns}}}, allow_quoted_nulls = false", columns)),
            (false, false) => Some(sql!("types = {{{columns}}}", columns)),
            (false, true) => None,
        })
    }

    /// What the objects of a column have as keys, each a text: the structure for `from_json_strict`.
    ///
    /// All keys that occur are taken, so that one which the feature does not know is refused, not dropped; where none
    /// occurs, those of the feature.
    fn members(&self, read: &Sql, column: &Ident) -> Result<StringLiteral, Error> {
        let keys = sql!(
            "SELECT DISTINCT unnest(json_keys(CAST({column} AS JSON))) AS key FROM ({read}) ORDER BY key",
            column,
            read,
        );
        let keys = self.connection.query_rows::<(Option<String>,)>(keys).map_err(|error| self.failed(&error))?;
        let mut keys: Vec<String> = keys.into_iter().filter_map(|(key,)| key).collect();
        if keys.is_empty() {
            let fields = self.definition.spec().fields().iter();
            keys.extend(fields.map(|field| field.key.struct_key()));
        }
        let members: JsonObject = keys.into_iter().map(|key| (key, Json::String("VARCHAR".to_owned()))).collect();
        let text = StringLiteral::new(Json::Object(members).to_string()).ok();
        text.ok_or_else(|| self.wrong("has a key with a NUL character", None))
    }

    /// Rows that are to be removed must not be written.
    fn refuse_orphaned(&self, query: &Sql) -> Result<(), Error> {
        let orphaned = sql!("SELECT count(*) FROM ({query}) WHERE metaxy_change = 'orphaned'", query);
        let count: i64 = self.connection.query_value(orphaned).map_err(|error| self.failed(&error))?;
        if count == 0 {
            return Ok(());
        }
        let what = ["holds rows to remove (", &count.to_string(), " `orphaned`), which cannot be written"].concat();
        Err(self.wrong(&what, Some("ask `metadata increment` for `--only new,stale`")))
    }

    /// The rows of a query with two columns of text.
    fn pairs(&self, query: Sql) -> Result<Vec<(String, String)>, Error> {
        self.connection.query_rows(query).map_err(|error| self.failed(&error))
    }

    pub(super) fn failed(&self, error: &Error) -> Error {
        Error::refused(Problem::of_engine(&self.file.name, self.path.as_str(), error))
    }

    pub(super) fn wrong(&self, what: &str, help: Option<&'static str>) -> Error {
        Error::refused(Problem::new(&self.file.name, what, help))
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a column keeps JSON as it is written; versions of fields are read as JSON, and become texts.
fn is_json(name: &Ident, of: &str) -> bool {
    !BY_FIELD.contains(&name.as_str()) && of.contains("JSON")
}
