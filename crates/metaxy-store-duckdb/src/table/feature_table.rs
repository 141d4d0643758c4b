//! A feature's table in the lake: what it is now, and how it is made and grows.
//!
//! Columns are addressed by name, never by position. A table keeps its STRUCT or MAP columns, whatever would be made
//! today. Its comment records the hash that its rows were written with; Python Metaxy reads no comment.

use ducklake_sql::{Ident, Sql, StringLiteral, WriteSql, bind, list, separated, sql};
use metaxy_feature::{FeatureKey, SYSTEM_COLUMNS};

use super::hash_tag::HashTag;
use super::listing::{Listed, Listing};
use super::staging_table::{NamedColumn, is_row_id};
use super::{ColumnType, Problem, Simple, TEXT, TableName, ident, names};
use crate::engine::{Connection, Error};

/// The struct or map columns and those of plain text, by what they hold.
pub(crate) const BY_FIELD: [&str; 2] = ["metaxy_provenance_by_field", "metaxy_data_version_by_field"];

/// A table of the lake as it is at some time.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    name: TableName,
    at: At,
    listed: Listed,
    columns: Vec<Column>,
    /// Of the columns in [`BY_FIELD`], in that order.
    by_field: [ByField; 2],
}

/// A column; the type is `None` where a lake may hold it but we cannot make it.
pub(super) type Column = (Ident, Option<ColumnType>);

/// When a table is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum At {
    #[default]
    Now,
    Snapshot(i64),
    /// A time that DuckDB reads, as in `2026-01-31 12:00:00+00`.
    Time(StringLiteral),
}

/// What the `*_by_field` columns of a table are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ByField {
    /// Structs with these members.
    Struct(Vec<Ident>),
    /// Maps from text to text.
    Map,
}

impl ByField {
    /// What a column of this type is; `None` if it is not a struct or map of strings.
    pub(crate) fn of(found: &ColumnType) -> Option<Self> {
        match found {
            ColumnType::Struct(members) if members.iter().all(|(_, of)| *of == TEXT) => {
                Some(Self::Struct(members.iter().map(|(name, _)| name.clone()).collect()))
            }
            ColumnType::Map(key, value) if **key == TEXT && **value == TEXT => Some(Self::Map),
            _ => None,
        }
    }

    /// The members of a struct.
    pub(crate) fn members(&self) -> Option<&[Ident]> {
        match self {
            Self::Struct(members) => Some(members),
            Self::Map => None,
        }
    }

    /// The version of one field in a column; NULL where there is none.
    pub(crate) fn member(&self, column: &Sql, member: &Ident) -> Sql {
        let name = key(member);
        match self {
            Self::Struct(members) if !members.contains(member) => sql!("CAST(NULL AS VARCHAR)"),
            Self::Struct(_) => sql!("struct_extract({column}, {name})", column, name),
            Self::Map => sql!("element_at({column}, {name})[1]", column, name),
        }
    }

    /// A value of this type, from the versions of fields.
    pub(crate) fn value(&self, members: &[Ident], mut version: impl FnMut(&Ident) -> Sql) -> Sql {
        match self {
            Self::Struct(_) => {
                let entries = list(members.iter().map(|name| sql!("{name}: {version}", name, version = version(name))));
                sql!("{{{entries}}}", entries)
            }
            Self::Map => {
                let entry = |name: &Ident| sql!("{name}: {version}", name = key(name), version = version(name));
                let entries = list(members.iter().map(entry));
                sql!("MAP {{{entries}}}", entries)
            }
        }
    }
}

/// The name of a field as a literal.
fn key(member: &Ident) -> Sql {
    // An identifier has no NUL, and that is all that a literal must not have.
    StringLiteral::new(member.as_str()).map_or_else(|_| sql!("NULL"), |name| sql!("{name}", name))
}

impl Table {
    /// The table of this name, if the listing has one; its rows are those of the given time, which is that of the listing.
    pub(crate) fn find(listing: &Listing<'_>, name: &TableName, at: At) -> Result<Option<Self>, Error> {
        let found = listing.find(name)?;
        found.map(|table| Self::new(name, at, table.listed, table.columns)).transpose()
    }

    /// The table of this name at a time at which it is there; what is listed of it as it is now is not told.
    pub(crate) fn find_then(connection: &Connection, name: &TableName, at: At) -> Result<Self, Error> {
        let described: Vec<(String, String)> = connection.query_rows(sql!(
            "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {table} {at})",
            table = name,
            at = at.clause(),
        ))?;
        Self::new(name, at, Listed::default(), described)
    }

    /// The table with columns of these names and types; an error if they are not those of a feature's table.
    fn new(name: &TableName, at: At, listed: Listed, columns: Vec<(String, String)>) -> Result<Self, Error> {
        let column = |(name, of): (String, String)| Ok((ident(&name)?, ColumnType::parse(&of)));
        let columns = columns.into_iter().map(column).collect::<Result<Vec<Column>, Problem>>()?;
        let foreign = |what: String| Problem::ForeignTable { table: name.name().to_string(), what };
        let find = |wanted: &str| columns.iter().find(|(name, _)| name.as_str() == wanted);
        let missing: Vec<&str> = SYSTEM_COLUMNS.into_iter().filter(|column| find(column).is_none()).collect();
        if !missing.is_empty() {
            return Err(foreign(["it has no ", &names(missing)].concat()).into());
        }
        for column in SYSTEM_COLUMNS.into_iter().filter(|column| !BY_FIELD.contains(column)) {
            let of = find(column).and_then(|(_, of)| of.as_ref());
            let is_time = column.ends_with("_at");
            if !of.is_some_and(|of| if is_time { of.is_timestamp() } else { *of == TEXT }) {
                let of = of.map_or_else(|| "of another type".to_owned(), ColumnType::to_string);
                let expected = if is_time { "TIMESTAMPTZ" } else { "VARCHAR" };
                return Err(foreign(["its `", column, "` is ", &of, ", and must be ", expected].concat()).into());
            }
        }
        if columns.iter().any(|(column, _)| is_row_id(column)) {
            return Err(Problem::RowIdOfTable(name.name().to_string()).into());
        }
        let by_field = |column: &'static str| {
            let found = find(column).and_then(|(_, of)| of.as_ref()).and_then(ByField::of);
            found.ok_or_else(|| foreign(["its `", column, "` is not a struct or map of strings"].concat()))
        };
        let [provenance, data_version] = BY_FIELD.map(by_field);
        let by_field = [provenance?, data_version?];
        Ok(Self { name: name.clone(), at, listed, columns, by_field })
    }

    /// Makes the table of a feature with these columns of the user's.
    pub(crate) fn create(
        connection: &Connection,
        name: &TableName,
        user_columns: &[(Ident, ColumnType)],
        fields: &[Ident],
        map: bool,
        hash_tag: HashTag,
    ) -> Result<Self, Error> {
        let by_field = if map {
            ColumnType::Map(Box::new(TEXT), Box::new(TEXT))
        } else {
            ColumnType::Struct(fields.iter().map(|field| (field.clone(), TEXT)).collect())
        };
        let mut columns: Vec<(Ident, ColumnType)> = user_columns.to_vec();
        for column in SYSTEM_COLUMNS {
            let of = match column {
                column if BY_FIELD.contains(&column) => by_field.clone(),
                column if column.ends_with("_at") => ColumnType::Simple(Simple::TimestampTz),
                _ => TEXT,
            };
            columns.push((ident(column)?, of));
        }
        let definitions = list(columns.iter().map(|(column, of)| sql!("{column} {of}", column, of)));
        connection.execute(sql!("CREATE TABLE {table} ({definitions})", table = name, definitions))?;
        let comment = StringLiteral::new(hash_tag.to_comment());
        let comment = comment?;
        connection.execute(sql!("COMMENT ON TABLE {table} IS {comment}", table = name, comment))?;
        let by_field = if map { ByField::Map } else { ByField::Struct(fields.to_vec()) };
        let by_field = [by_field.clone(), by_field];
        let columns = columns.into_iter().map(|(column, of)| (column, Some(of))).collect();
        let listed = Listed { hash_tag: Some(hash_tag), rows: 0 };
        Ok(Self { name: name.clone(), at: At::Now, listed, columns, by_field })
    }

    /// Adds what a write needs and the table lacks: columns of the user's, and members of its structs.
    pub(crate) fn grow(
        &mut self,
        connection: &Connection,
        user_columns: &[(Ident, ColumnType)],
        fields: &[Ident],
    ) -> Result<(), Error> {
        let table = self.name.clone();
        let add = |path: &[&Ident], of: &ColumnType| {
            let column = separated(".", path);
            connection.execute(sql!("ALTER TABLE {table} ADD COLUMN {column} {of}", table, column, of))
        };
        for (column, of) in user_columns {
            add(&[column], of)?;
        }
        self.columns.extend(user_columns.iter().map(|(column, of)| (column.clone(), Some(of.clone()))));
        for (column, by_field) in BY_FIELD.into_iter().zip(&mut self.by_field) {
            let ByField::Struct(members) = by_field else { continue };
            for field in fields {
                if !members.contains(field) {
                    add(&[&ident(column)?, field], &TEXT)?;
                    members.push(field.clone());
                }
            }
        }
        Ok(())
    }

    /// What its rows are hashed with, where its comment says so.
    pub(crate) fn hash_tag(&self) -> Option<&HashTag> {
        self.listed.hash_tag.as_ref()
    }

    pub(crate) fn name(&self) -> &TableName {
        &self.name
    }

    /// About how many rows were written to it, deleted ones too; zero if it was just made or is read as it was.
    pub(crate) fn rows(&self) -> u64 {
        self.listed.rows
    }

    /// The snapshot at which it is looked at, if it is one.
    pub(crate) fn snapshot(&self) -> Option<i64> {
        if let At::Snapshot(number) = self.at { Some(number) } else { None }
    }

    /// What `metaxy_provenance_by_field` is.
    pub(crate) fn provenance(&self) -> &ByField {
        &self.by_field[0]
    }

    /// What `metaxy_data_version_by_field` is.
    pub(crate) fn data_version(&self) -> &ByField {
        &self.by_field[1]
    }

    /// The column of this name, which DuckDB compares without case.
    pub(crate) fn column(&self, name: &str) -> Option<&(Ident, Option<ColumnType>)> {
        self.columns.iter().find(|(column, _)| column.as_str().eq_ignore_ascii_case(name))
    }

    /// All columns; the type is `None` where a lake may hold it but we cannot make it.
    pub(crate) fn all_columns(&self) -> &[(Ident, Option<ColumnType>)] {
        &self.columns
    }

    /// The columns whose type we know.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&Ident, &ColumnType)> {
        self.columns.iter().filter_map(|(name, of)| Some((name, of.as_ref()?)))
    }

    /// The columns that are not Metaxy's, in the table's order.
    pub(crate) fn user_columns(&self) -> impl Iterator<Item = &Ident> {
        self.columns.iter().map(|(name, _)| name).filter(|name| !SYSTEM_COLUMNS.contains(&name.as_str()))
    }

    /// The table under an alias, as it is at the time at which it is looked at.
    pub(crate) fn aliased(&self, alias: impl WriteSql) -> Sql {
        sql!("{table} AS {alias} {at}", table = self.name, alias, at = self.at.clause())
    }

    /// The same if any rows are wanted, and otherwise its columns without a row, so that DuckDB need not ask the lake's
    /// catalog.
    pub(crate) fn aliased_if(&self, any: bool, alias: impl WriteSql) -> Sql {
        // What is of a type that we do not know can only be told by the lake.
        if any || self.columns.iter().any(|(_, of)| of.is_none()) {
            return self.aliased(alias);
        }
        let columns = list(self.columns().map(|(column, of)| sql!("CAST(NULL AS {of}) AS {column}", of, column)));
        sql!("(SELECT {columns}, CAST(NULL AS BIGINT) AS rowid WHERE FALSE) AS {alias}", columns, alias)
    }

    /// What the columns in [`BY_FIELD`] are, in that order.
    pub(crate) fn by_field(&self) -> &[ByField; 2] {
        &self.by_field
    }

    /// The columns that are not Metaxy's with their types; an error if one is of a type that we cannot make.
    pub(crate) fn typed_user_columns(&self, feature: &FeatureKey) -> Result<Vec<NamedColumn>, Problem> {
        let columns = self.columns.iter().filter(|(name, _)| !SYSTEM_COLUMNS.contains(&name.as_str()));
        let typed = columns.map(|(name, of)| {
            let unkept = || Problem::UnkeptType { feature: feature.clone(), column: name.to_string() };
            Ok((name.clone(), of.clone().ok_or_else(unkept)?))
        });
        typed.collect()
    }

    /// A time in the type of one of the table's columns, from the microseconds since 1970 in UTC.
    pub(crate) fn micros(&self, column: &str, micros: &Sql) -> Sql {
        let is_zoned = self.column(column).is_none_or(|(_, of)| *of == Some(ColumnType::Simple(Simple::TimestampTz)));
        if is_zoned {
            // The offset in the text keeps the session's time zone out of it.
            sql!("CAST(CAST(make_timestamp({micros}) AS VARCHAR) || '+00' AS TIMESTAMPTZ)", micros)
        } else {
            sql!("make_timestamp({micros})", micros)
        }
    }

    /// A time that we know in the type of one of the table's columns.
    pub(crate) fn time(&self, column: &str, micros: i64) -> Sql {
        self.micros(column, &sql!("{micros}", micros = bind(micros)))
    }

    /// When a row became what it is: the later of two rows is the one that counts.
    pub(crate) fn changed_at(&self, row: &'static str) -> Sql {
        let of = |column| self.column(column).map(|(_, of)| of);
        let row = Sql::fixed(row);
        if of("metaxy_deleted_at") == of("metaxy_updated_at") {
            sql!("coalesce({row}.metaxy_deleted_at, {row}.metaxy_updated_at)", row)
        } else {
            // Between a time with a zone and one without, DuckDB would take that of the session.
            sql!("coalesce(epoch_us({row}.metaxy_deleted_at), epoch_us({row}.metaxy_updated_at))", row)
        }
    }

    /// The columns that a table lacks, the others being of types that fit.
    pub(crate) fn new_columns(
        &self,
        feature: &FeatureKey,
        columns: &[NamedColumn],
        may_add: bool,
    ) -> Result<Vec<NamedColumn>, Problem> {
        let mut new = Vec::new();
        for (name, found) in columns {
            let Some((_, expected)) = self.column(name.as_str()) else {
                new.push((name.clone(), found.clone()));
                continue;
            };
            if !expected.as_ref().is_some_and(|expected| found.fits(expected)) {
                let expected = expected.as_ref().map_or_else(|| "of another type".to_owned(), ColumnType::to_string);
                let (feature, column) = (feature.clone(), name.to_string());
                return Err(Problem::WrongType { feature, column, found: found.to_string(), expected });
            }
        }
        if new.is_empty() || may_add {
            return Ok(new);
        }
        let columns = names(new.iter().map(|(name, _)| name.as_str()));
        Err(Problem::UnknownColumns { feature: feature.clone(), columns })
    }
}

impl At {
    /// What follows the alias of a table that is looked at then.
    fn clause(&self) -> Option<Sql> {
        match self {
            Self::Now => None,
            Self::Snapshot(number) => Some(sql!("AT (VERSION => {snapshot})", snapshot = bind(*number))),
            Self::Time(time) => Some(sql!("AT (TIMESTAMP => CAST({time} AS TIMESTAMPTZ))", time)),
        }
    }
}
