//! The types that columns of CSV and JSON are read in: those that were set, then the feature's table, then its schema.

use std::collections::BTreeMap;

use ducklake_sql::{Ident, StringLiteral, bind, list, sql};
use metaxy_feature::{Column, FeatureDefinition, Json};

use super::FileFormat;
use super::lossless_cast::{time_pattern, with_texts};
use super::reader::Reader;
use crate::engine::{Error, read_again};
use crate::features::Features;
use crate::table::BY_FIELD;

impl Reader<'_, '_> {
    /// The types that are known of the file's columns.
    pub(super) fn types(
        &self,
        features: &Features<'_>,
        columns: &[(Ident, String)],
    ) -> Result<BTreeMap<String, StringLiteral>, Error> {
        let given = &self.file.column_types;
        let has = |name: &str| columns.iter().any(|(column, _)| column.as_str() == name);
        if let Some((unknown, _)) = given.iter().find(|(column, _)| !has(column)) {
            let what = ["has no column `", unknown, "`"].concat();
            return Err(self.wrong(&what, Some("`--type` takes a column of the file and a type of DuckDB")));
        }
        let table = features.table_name(self.definition.key())?;
        let stored = sql!(
            "SELECT column_name, data_type
             FROM duckdb_columns()
             WHERE database_name = {lake} AND table_name = {table}",
            lake = bind(features.alias.as_str()),
            table = bind(table.name().as_str()),
        );
        let stored = read_again(self.connection, || self.connection.query_rows::<(String, String)>(stored.clone()))?;
        let mut types = schema_types(self.definition);
        types.extend(stored);
        types.extend(given.iter().cloned());
        let raw = if self.file.format == FileFormat::Json { "JSON" } else { "VARCHAR" };
        types.extend(BY_FIELD.map(|name| (name.to_owned(), raw.to_owned())));
        let types = types.into_iter().filter(|(name, _)| has(name));
        Ok(types.filter_map(|(name, of)| Some((name, StringLiteral::new(of).ok()?))).collect())
    }

    /// The columns of CSV that are texts, though DuckDB guesses them to be dates, times or booleans: those of which not each
    /// value says so by itself. `01/02/2026` could be two dates, and `26-01-31` is none of the year 26.
    pub(super) fn guessed_texts(
        &self,
        columns: &[(Ident, String)],
        known: &BTreeMap<String, StringLiteral>,
    ) -> Result<Vec<String>, Error> {
        let pattern = |of: &str| match of {
            "BOOLEAN" => Some("(?i)true|false".to_owned()),
            of => time_pattern(of, true),
        };
        let guessed = columns.iter().filter(|(name, _)| !known.contains_key(name.as_str()));
        let guessed: Vec<_> = guessed.filter_map(|(name, of)| Some((name, pattern(of)?))).collect();
        if guessed.is_empty() {
            return Ok(Vec::new());
        }
        let text = |(name, _): &(&Ident, _)| Ok::<_, Error>((name.as_str().to_owned(), StringLiteral::new("VARCHAR")?));
        let texts = guessed.iter().map(text).collect::<Result<BTreeMap<_, _>, _>>()?;
        let each = list(guessed.iter().map(|(name, pattern)| {
            sql!(
                "coalesce(bool_and({name} = '' OR regexp_full_match({name}, {pattern})), true)",
                name,
                pattern = bind(pattern.as_str()),
            )
        }));
        let all: Vec<(bool,)> = self
            .connection
            .query_rows(sql!("SELECT unnest([{each}]) FROM ({read})", each, read = self.typed(columns, &texts)))
            .map_err(|error| self.failed(&error))?;
        let texts = guessed.iter().zip(all).filter(|(_, (says_so,))| !says_so);
        Ok(texts.map(|((name, _), _)| name.as_str().to_owned()).collect())
    }

    /// Refuses ids that DuckDB guesses to be floats: it does so for numbers with too many digits for a whole one, of
    /// which two may become one then.
    pub(super) fn refuse_rounded(
        &self,
        columns: &[(Ident, String)],
        known: &BTreeMap<String, StringLiteral>,
    ) -> Result<(), Error> {
        let is_float = |id: &str| columns.iter().any(|(name, of)| name.as_str() == id && of == "DOUBLE");
        let mut ids = self.definition.spec().id_columns().iter().map(Column::as_str);
        match ids.find(|id| !known.contains_key(*id) && is_float(id)) {
            None => Ok(()),
            Some(id) => {
                let what =
                    ["has numbers in the id column `", id, "` that are not integers of at most 64 bits"].concat();
                Err(self.wrong(&what, Some("say what they are, as in `--type id=VARCHAR` or `--type id=DOUBLE`")))
            }
        }
    }
}

/// A text of JSON is one, even if all that DuckDB looked at are dates. What Metaxy writes itself is what it looks like.
pub(super) fn keep_texts((name, guessed): &mut (Ident, String)) {
    if !name.as_str().starts_with("metaxy_") {
        *guessed = with_texts(guessed, &["DATE", "TIME", "TIMESTAMP", "UUID"]);
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
