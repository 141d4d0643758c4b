//! The versions of fields, made of the columns of rows that come without.
//!
//! A hash is over names and values, each with its length, so that no two rows that differ are one text. What a value's
//! text would be depends on no setting of the session.

use std::collections::BTreeMap;
use std::str::FromStr;

use ducklake_sql::{Ident, Sql, StringLiteral, any, list, sql};
use metaxy_feature::{Column, FeatureKey, FieldKey, FieldSpec, SYSTEM_COLUMNS};

use super::Hashing;
use crate::engine::Error;
use crate::table::{BY_FIELD, ColumnType, NamedColumn, Problem, Simple, StagingTable, TEXT, ident, names};

/// How the version of each field is made of the columns of a row, for rows without `metaxy_provenance_by_field`.
///
/// It is for features that depend on no other, whose versions nobody else can tell. As a text, which is what
/// `metaxy metadata write --provenance` takes, it is one of these; of a pair, the column is all that follows the first
/// colon, and has no comma:
///
/// - `hash`: every field has the hash of all columns that are not Metaxy's;
/// - `hash=FIELD:COLUMN,…`: a field has the hash of the columns that are named with it, one or more;
/// - `column=FIELD:COLUMN,…`: a field has the value of a column, as a checksum or the time of a change.
///
/// ```
/// use metaxy_store_duckdb::Provenance;
///
/// let made: Provenance = "hash=frames:path,frames:size,audio:sound".parse()?;
/// let pairs = [("frames", "path"), ("frames", "size"), ("audio", "sound")];
/// let pairs = pairs.map(|(field, column)| Ok::<_, metaxy_feature::Error>((field.parse()?, column.parse()?)));
/// assert_eq!(made, Provenance::hash_of(pairs.into_iter().collect::<Result<Vec<_>, _>>()?));
/// assert!("column=frames".parse::<Provenance>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance(Source);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    HashOfAll,
    HashOf(BTreeMap<FieldKey, Vec<Column>>),
    Value(BTreeMap<FieldKey, Column>),
}

impl Provenance {
    /// Every field has the hash of all columns that are not Metaxy's, whatever their order.
    pub fn hash() -> Self {
        Self(Source::HashOfAll)
    }

    /// A field has the hash of the columns that it is paired with.
    pub fn hash_of(columns: impl IntoIterator<Item = (FieldKey, Column)>) -> Self {
        let mut by_field: BTreeMap<FieldKey, Vec<Column>> = BTreeMap::new();
        for (field, column) in columns {
            by_field.entry(field).or_default().push(column);
        }
        Self(Source::HashOf(by_field))
    }

    /// A field has the value of the column that it is paired with; of several, the last.
    pub fn column(columns: impl IntoIterator<Item = (FieldKey, Column)>) -> Self {
        Self(Source::Value(columns.into_iter().collect()))
    }

    /// The rows with the versions that are made of them.
    pub(crate) fn add<'c>(&self, rows: StagingTable<'c>, hashing: Hashing) -> Result<StagingTable<'c>, Error> {
        let [provenance, _] = BY_FIELD;
        let (feature, spec) = (rows.definition().key(), rows.definition().spec());
        if !spec.deps().is_empty() {
            return Err(Problem::ProvenanceOfUpstream(feature.clone()).into());
        }
        if rows.column(provenance).is_some() {
            return Err(Problem::HasProvenance(feature.clone()).into());
        }
        self.check_fields(feature, spec.fields())?;
        let (mut members, mut missing) = (Vec::new(), Vec::new());
        for field in spec.fields() {
            match self.version(&field.key, &rows, hashing)? {
                Some(version) => members.push((ident(&field.key.struct_key())?, version)),
                None => missing.push(field.key.as_str()),
            }
        }
        if !missing.is_empty() {
            return Err(Problem::FieldsWithoutColumns { feature: feature.clone(), fields: names(missing) }.into());
        }
        self.check_values(&rows)?;
        let of = ColumnType::Struct(members.iter().map(|(member, _)| (member.clone(), TEXT)).collect());
        let members = list(members.into_iter().map(|(member, version)| sql!("{member}: {version}", member, version)));
        rows.with_column((ident(provenance)?, of), &sql!("{{{members}}}", members))
    }

    /// Checks that columns are named for fields of the feature only.
    fn check_fields(&self, feature: &FeatureKey, fields: &[FieldSpec]) -> Result<(), Problem> {
        let named: Vec<&FieldKey> = match &self.0 {
            Source::HashOfAll => return Ok(()),
            Source::HashOf(columns) => columns.keys().collect(),
            Source::Value(columns) => columns.keys().collect(),
        };
        let is_unknown = |named: &&FieldKey| fields.iter().all(|field| field.key != **named);
        let unknown: Vec<&str> = named.into_iter().filter(is_unknown).map(FieldKey::as_str).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let known = names(fields.iter().map(|field| field.key.as_str()));
        Err(Problem::NoSuchFields { feature: feature.clone(), fields: names(unknown), known })
    }

    /// The version of a field of the feature; `None` if no column is named for it.
    fn version(&self, field: &FieldKey, rows: &StagingTable<'_>, hashing: Hashing) -> Result<Option<Sql>, Problem> {
        let mut hashed: Vec<&NamedColumn> = match &self.0 {
            Source::Value(columns) => {
                return columns.get(field).map(|column| text(rows, named(rows, column)?)).transpose();
            }
            Source::HashOfAll => {
                let is_user = |(name, _): &&NamedColumn| !SYSTEM_COLUMNS.contains(&name.as_str());
                rows.columns().iter().filter(is_user).collect()
            }
            Source::HashOf(columns) => {
                let Some(columns) = columns.get(field) else { return Ok(None) };
                columns.iter().map(|column| named(rows, column)).collect::<Result<_, _>>()?
            }
        };
        hashed.sort_unstable_by_key(|(name, _)| name.as_str());
        hashed.dedup_by_key(|(name, _)| name.as_str());
        let pieces = hashed.into_iter().map(|column| piece(rows, column)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(hashing.of(pieces)))
    }

    /// Checks that every row has a value in the columns that give versions.
    fn check_values(&self, rows: &StagingTable<'_>) -> Result<(), Error> {
        let Source::Value(columns) = &self.0 else { return Ok(()) };
        let columns: Vec<&Ident> =
            columns.values().map(|column| Ok(&named(rows, column)?.0)).collect::<Result<_, Problem>>()?;
        let is_null = any(columns.iter().map(|column| sql!("{column} IS NULL", column)));
        let count = sql!("SELECT count(*) FROM {table} WHERE {is_null}", table = rows.table(), is_null);
        match rows.connection().query_value(count)? {
            0 => Ok(()),
            count => {
                let columns = names(columns.into_iter().map(Ident::as_str));
                Err(Problem::NullVersions { feature: rows.definition().key().clone(), columns, count }.into())
            }
        }
    }
}

/// A column of the rows; an error if it is not there.
fn named<'r>(rows: &'r StagingTable<'_>, column: &Column) -> Result<&'r NamedColumn, Problem> {
    rows.column(column.as_str()).ok_or_else(|| rows.lacks([column.as_str()]))
}

/// The name and the value of a column, as a hash takes them; never NULL.
fn piece(rows: &StagingTable<'_>, column: &NamedColumn) -> Result<Sql, Problem> {
    let (name, value) = (column.0.as_str(), text(rows, column)?);
    let name = [&name.len().to_string(), ":", name, "="].concat();
    let name = StringLiteral::new(name).map_err(|problem| Problem::Name(problem.to_string()))?;
    Ok(sql!("{name} || coalesce(length({value}) || ':' || {value}, '-')", name, value))
}

/// A value as a text; NULL if it is.
fn text(rows: &StagingTable<'_>, (column, of): &NamedColumn) -> Result<Sql, Problem> {
    match of {
        // As a text it would have the time zone of the session.
        ColumnType::Simple(Simple::TimestampTz) => Ok(sql!(
            "CASE WHEN isfinite({column}) THEN CAST(epoch_us({column}) AS VARCHAR) ELSE CAST({column} AS VARCHAR) END",
            column,
        )),
        nested if nested.has_zoned_times() => Err(Problem::UnhashedType {
            feature: rows.definition().key().clone(),
            column: column.to_string(),
            found: nested.to_string(),
        }),
        _ => Ok(sql!("CAST({column} AS VARCHAR)", column)),
    }
}

impl FromStr for Provenance {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let problem = |what: &str| Problem::Provenance { text: text.to_owned(), what: what.to_owned() };
        let (kind, columns) = match text.split_once('=') {
            None if text == "hash" => return Ok(Self::hash()),
            Some((kind @ ("hash" | "column"), columns)) => (kind, columns),
            _ => return Err(problem("expected `hash`, or `hash=` or `column=` before pairs FIELD:COLUMN").into()),
        };
        let pair = |pair: &str| -> Result<(FieldKey, Column), Problem> {
            let (field, column) = pair.split_once(':').ok_or_else(|| problem("expected FIELD:COLUMN"))?;
            let invalid = |error: metaxy_feature::Error| problem(&error.to_string());
            Ok((field.trim().parse().map_err(invalid)?, column.trim().parse().map_err(invalid)?))
        };
        let pairs = columns.split(',').map(pair).collect::<Result<Vec<_>, _>>()?;
        if kind == "hash" {
            return Ok(Self::hash_of(pairs));
        }
        let mut once = BTreeMap::new();
        for (field, column) in pairs {
            if once.insert(field, column).is_some() {
                return Err(problem("a field can have the value of one column; `hash=…` takes several").into());
            }
        }
        Ok(Self(Source::Value(once)))
    }
}
