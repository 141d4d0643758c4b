//! What is wrong with rows, tables, features and filters; each says where, and what to do next.

use metaxy_feature::FeatureKey;

use crate::engine::{Class, Error, Refusal};

/// Why a feature's rows could not be written, read or compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("there is no feature `{key}` in the graph")]
    UnknownFeature { key: FeatureKey, known: String },
    #[error("the feature `{feature}` has no table `{table}` in the lake{}", if *and_fallbacks { " or its fallbacks" } else { "" })]
    MissingTable { feature: FeatureKey, table: String, and_fallbacks: bool },
    #[error("there is no table `{table}` for the feature `{feature}`, and none is to be created")]
    NotCreated { feature: FeatureKey, table: String },
    #[error("the store is open in read mode")]
    ReadMode,
    #[error("`default_collation` is {0}, which takes ids that differ for the same")]
    Collation(String),
    #[error("hash algorithm `{0}` is not supported")]
    Algorithm(&'static str),
    #[error("a name cannot be used in the lake: {0}")]
    Name(String),
    #[error("{0}")]
    Feature(metaxy_feature::Error),

    #[error("the rows for `{feature}` lack the column `metaxy_provenance_by_field`, which has a version of each field")]
    NoProvenance { feature: FeatureKey, example: String, is_root: bool },
    #[error("the rows for `{0}` have `metaxy_provenance_by_field`, so no versions are to be made of them")]
    HasProvenance(FeatureKey),
    #[error("the versions of `{0}` come from the features that it depends on, and are not made of its own columns")]
    ProvenanceOfUpstream(FeatureKey),
    #[error("`{text}` does not say how versions are made: {what}")]
    Provenance { text: String, what: String },
    #[error("the fields {fields} of `{feature}` have no column that their version is made of")]
    FieldsWithoutColumns { feature: FeatureKey, fields: String },
    #[error("the feature `{feature}` has no fields {fields}")]
    NoSuchFields { feature: FeatureKey, fields: String, known: String },
    #[error("{count} of the rows for `{feature}` have no value in a column that is to be a version ({columns})")]
    NullVersions { feature: FeatureKey, columns: String, count: i64 },
    #[error("the column `{column}` of the rows for `{feature}` is {found}, of which no version can be made")]
    UnhashedType { feature: FeatureKey, column: String, found: String },
    #[error("the rows for `{feature}` lack the columns {columns}")]
    MissingColumns { feature: FeatureKey, columns: String, found: String },
    #[error("the rows for `{feature}` have two columns `{column}` (the engine does not tell capitals apart)")]
    SameColumn { feature: FeatureKey, column: String },
    #[error("the rows for `{0}` have a column `rowid`, which hides the numbers that the engine gives rows")]
    RowId(FeatureKey),
    #[error("the table `{0}` has a column `rowid`, which hides the numbers that the engine gives rows")]
    RowIdOfTable(String),
    #[error("the column `{column}` of the rows for `{feature}` is of the type {found}, which a lake cannot hold")]
    UnsupportedType { feature: FeatureKey, column: String, found: String },
    #[error("the column `{column}` in the table of `{feature}` is of a type that a lake does not keep as it is")]
    UnkeptType { feature: FeatureKey, column: String },
    #[error("the column `{column}` is {found}, but in the table of `{feature}` it is {expected}")]
    WrongType { feature: FeatureKey, column: String, found: String, expected: String },
    #[error("the table of `{feature}` has no columns {columns}")]
    UnknownColumns { feature: FeatureKey, columns: String },
    #[error("the table of `{feature}` has no columns {columns} to read")]
    NoSuchColumns { feature: FeatureKey, columns: String, known: String },
    #[error("`{column}` of the rows for `{feature}` is {found}, and must be a struct or a map of strings")]
    NotByField { feature: FeatureKey, column: &'static str, found: String },
    #[error("`{column}` of the rows for `{feature}` lacks the fields {fields}")]
    MissingFields { feature: FeatureKey, column: &'static str, fields: String },
    #[error("`{column}` of the rows for `{feature}` has fields that the feature has not: {fields}")]
    UnknownFields { feature: FeatureKey, column: &'static str, fields: String },
    #[error("{count} of the rows for `{feature}` have no value in an id column ({columns})")]
    NullIds { feature: FeatureKey, columns: String, count: i64 },
    #[error("{count} ids are there more than once in the rows for `{feature}`, one of them {example}")]
    DuplicateIds { feature: FeatureKey, count: i64, example: String },

    #[error("the table `{table}` is not a feature table any more: {what}")]
    ForeignTable { table: String, what: String },
    #[error("the table `{table}` was written with {written}, but the store is configured with {configured}")]
    OtherHash { table: String, written: String, configured: String },
    #[error("`{text}` is not a valid filter: {what} at character {at}")]
    Filter { text: String, at: usize, what: String },
    #[error("the filter `{filter}` names the column `{column}`, which the rows of `{feature}` do not have")]
    FilterColumn { filter: String, column: String, feature: FeatureKey },
    #[error("the filter `{filter}` does not fit the columns of `{feature}`: {what}")]
    FilterValue { filter: String, feature: FeatureKey, what: String },

    #[error("the feature `{0}` depends on no other, so its update needs samples")]
    NoSamples(FeatureKey),
    #[error("samples are for features that depend on no other, and `{0}` does")]
    Samples(FeatureKey),
    #[error("the dependencies of `{0}` share no id column to join by")]
    NothingShared(FeatureKey),
    #[error("the dependencies of `{feature}` both have the columns {columns}")]
    Collision { feature: FeatureKey, columns: String },
    #[error("`{feature}` aggregates `{upstream}`, but selects none of {columns}, by which its rows are ordered")]
    Unordered { feature: FeatureKey, upstream: FeatureKey, columns: String },
    #[error("the store `{store}` is not attached as a secondary store")]
    NotAttached { store: String, known: String },
    #[error("the lake cannot be read at `{at}`: {what}")]
    NotThen { at: String, what: String },
    #[error("the store is a DuckDB database without a lake, which keeps no snapshots")]
    NoSnapshots,
    #[error("there is no snapshot `{0}` in the lake")]
    UnknownSnapshot(String),
    #[error("the feature `{feature}` is of the version `{version}` here, but was pushed last with `{pushed}`")]
    NotPushed { feature: FeatureKey, version: String, pushed: String },
    #[error("nobody has pushed {0} to the store")]
    NeverPushed(String),
    #[error(
        "the feature `{feature}` was pushed with the version `{pushed}`, but is of `{version}` with the features here"
    )]
    ExternalVersion { feature: FeatureKey, version: String, pushed: String },
    #[error(
        "the feature `{feature}` of another project is of the version `{version}` in the lock file, but of `{pushed}` in the store"
    )]
    OutOfStep { feature: FeatureKey, version: String, pushed: String },
    #[error("the feature `{feature}` has the id columns {ids} here, but was pushed last with {pushed}")]
    OtherIds { feature: FeatureKey, ids: String, pushed: String },
    #[error("the feature `{feature}` was pushed with a spec that is not valid: {message}")]
    PushedSpec { feature: String, message: String },
    #[error("the feature `{0}` depends on no other: its provenance was given, and cannot be computed anew")]
    RebaseOfRoot(FeatureKey),
    #[error("no graph was pushed in which `{feature}` is of the version `{version}`")]
    UnknownVersion { feature: FeatureKey, version: String },
    #[error("no feature of the graph belongs to the project `{0}`")]
    EmptyProject(String),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::refused(problem)
    }
}

impl Refusal for Problem {
    fn help(&self) -> Option<String> {
        Some(match self {
            Self::UnknownFeature { known, .. } => ["the graph has ", known].concat(),
            Self::MissingTable { .. } => {
                "write rows of the feature first, or correct the store's `table_prefix`".into()
            }
            Self::NotCreated { .. } => "set `auto_create_tables = true` for the store".into(),
            Self::ReadMode => "open it in write mode".into(),
            Self::Collation(_) => "leave the setting out; a query can say COLLATE where it compares".into(),
            Self::UnknownColumns { .. } => {
                "leave them out, or let them be added to the table (`WriteOptions::add_columns`, `--add-columns`)"
                    .into()
            }
            Self::NoSuchColumns { known, .. } | Self::NoSuchFields { known, .. } => ["it has ", known].concat(),
            Self::NoProvenance { is_root: false, .. } | Self::ProvenanceOfUpstream(_) => {
                "write the rows that `metadata increment` (`Features::resolve_update`) gives, which have them".into()
            }
            Self::NoProvenance { example, .. } => [
                "give each row versions that change with the data, as in `",
                example,
                "`; or let them be made of its columns (`WriteOptions::provenance`, `--provenance hash`)",
            ]
            .concat(),
            Self::HasProvenance(_) => "leave out one of both".into(),
            Self::FieldsWithoutColumns { .. } => "name one for each of them, as in `FIELD:COLUMN`".into(),
            Self::NullVersions { .. } => "give each row a value there, or hash the column instead".into(),
            Self::UnhashedType { .. } => {
                "its text would depend on the time zone of the session; name other columns, as in `hash=FIELD:COLUMN`"
                    .into()
            }
            Self::RowId(_) => "rename the column".into(),
            Self::RowIdOfTable(_) => "rename the column with `ALTER TABLE … RENAME COLUMN`".into(),
            Self::MissingFields { .. } => "every field of the feature needs a version in every row".into(),
            Self::UnknownFields { .. } => "leave them out, or add them to the feature's specification".into(),
            Self::DuplicateIds { .. } => "write one row for each id".into(),
            Self::OtherHash { written, .. } => {
                ["configure the store with ", written, ", or write to a lake of its own"].concat()
            }
            Self::ForeignTable { .. } => {
                "restore the column, or drop the table and write the feature's rows again".into()
            }
            Self::Filter { .. } | Self::FilterValue { .. } => {
                "a filter compares columns with values: `size > 10 AND (lang = 'en' OR lang IS NULL)`".into()
            }
            Self::NotPushed { .. } => {
                "push this graph, use the pushed one, or let the write go on (`WriteOptions::unpushed`)".into()
            }
            Self::OtherIds { .. } => {
                "push this graph or use the pushed one; rows of both in one table would take the place of one another"
                    .into()
            }
            Self::PushedSpec { .. } => "push the graph again, from Python or with feature files".into(),
            Self::NullIds { .. } => "give each row a value in every id column".into(),
            Self::MissingColumns { found, .. } => ["add them to the rows, which have ", found].concat(),
            Self::WrongType { expected, .. } => ["give the column as ", expected].concat(),
            Self::RebaseOfRoot(_) => "write its rows again".into(),
            Self::NotThen { .. } => {
                "give the number of a snapshot (`FROM ducklake_snapshots('<alias>')` lists them) or a time, as in \
                 `2026-01-31 12:00:00+00`, when the table was there"
                    .into()
            }
            Self::NeverPushed(_) => "run `metaxy push` in the project that defines it".into(),
            Self::ExternalVersion { .. } => "push the projects that define it and what it depends on again".into(),
            Self::OutOfStep { .. } => "run `metaxy lock` to take it as it is in the store".into(),
            Self::NoSnapshots => "read it as it is now, or keep the rows in a lake".into(),
            Self::UnknownVersion { .. } => "push that graph first".into(),
            Self::UnkeptType { .. } => {
                "as HUGEINT, INTERVAL and TIMETZ; turn it into a DECIMAL(38, 0), a BIGINT or a VARCHAR".into()
            }
            Self::NotAttached { known, .. } if known.is_empty() => {
                "open this store with `OpenOptions::secondary`".into()
            }
            Self::NotAttached { known, .. } => ["attached are ", known].concat(),
            Self::Unordered { .. } => "add them to the dependency's `select`".into(),
            Self::Collision { .. } => "rename them, or select others, in the dependencies".into(),
            _ => return None,
        })
    }

    fn class(&self) -> Class {
        match self {
            Self::NotPushed { .. } => Class::Unpushed,
            Self::MissingTable { .. } | Self::NotCreated { .. } => Class::MissingTable,
            Self::NoProvenance { .. }
            | Self::HasProvenance(_)
            | Self::FieldsWithoutColumns { .. }
            | Self::UnhashedType { .. }
            | Self::MissingColumns { .. }
            | Self::SameColumn { .. }
            | Self::UnsupportedType { .. }
            | Self::UnkeptType { .. }
            | Self::WrongType { .. }
            | Self::UnknownColumns { .. }
            | Self::NoSuchColumns { .. }
            | Self::NotByField { .. }
            | Self::MissingFields { .. }
            | Self::UnknownFields { .. }
            | Self::ForeignTable { .. } => Class::SchemaMismatch,
            Self::Filter { .. } | Self::FilterColumn { .. } | Self::FilterValue { .. } => Class::Filter,
            Self::UnknownSnapshot(_) => Class::MissingGraph,
            _ => Class::Other,
        }
    }
}

/// The first of many names, in the same way.
pub(crate) fn first_names<S: AsRef<str>>(all: impl IntoIterator<Item = S>) -> String {
    const SHOWN: usize = 10;
    let mut all = all.into_iter();
    let shown = names(all.by_ref().take(SHOWN));
    if all.next().is_some() { [&shown, ", …"].concat() } else { shown }
}

/// Names in backticks, with commas: for messages.
pub(crate) fn names<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| ["`", name.as_ref(), "`"].concat()).collect();
    quoted.join(", ")
}
