//! A feature's table in the lake: what it is now, and how it is made and grows.
//!
//! Columns are addressed by name, never by position. A table keeps its STRUCT or MAP columns, whatever would be made
//! today. Its comment records the hash that its rows were written with; Python Metaxy reads no comment.

use ducklake_sql::{Ident, Sql, Text, Value, Writer};
use metaxy_feature::{FeatureKey, SYSTEM_COLUMNS};

use super::hash_tag::HashTag;
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
    /// The type is `None` where a lake may hold it but we cannot make it.
    columns: Vec<(Ident, Option<ColumnType>)>,
    /// Of the columns in [`BY_FIELD`], in that order.
    by_field: [ByField; 2],
}

/// What the engine's list of tables says of one, as it is now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listed {
    /// What it is hashed with, by its comment.
    hash_tag: Option<HashTag>,
    /// About how many rows it has, deleted ones too.
    rows: u64,
}

/// When a table is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum At {
    #[default]
    Now,
    Snapshot(i64),
    /// A time that DuckDB reads, as in `2026-01-31 12:00:00+00`.
    Time(Text),
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
    /// What a column of this type is; `None` if it is no struct or map of texts.
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

    /// Writes the version of one field, which is NULL where there is none.
    pub(crate) fn write_member(&self, sql: &mut Writer, column: impl FnOnce(&mut Writer), member: &Ident) {
        match self {
            Self::Struct(members) if !members.contains(member) => _ = sql.keyword("CAST(NULL AS VARCHAR)"),
            Self::Struct(_) => {
                sql.keyword("struct_extract(");
                column(sql);
                write_key(sql.keyword(", "), member);
                sql.keyword(")");
            }
            Self::Map => {
                sql.keyword("element_at(");
                column(sql);
                write_key(sql.keyword(", "), member);
                sql.keyword(")[1]");
            }
        }
    }

    /// Writes a value of this type, from the versions of fields.
    pub(crate) fn write_value(&self, sql: &mut Writer, members: &[Ident], mut value: impl FnMut(&mut Writer, usize)) {
        let map = *self == Self::Map;
        sql.keyword(if map { "MAP {" } else { "{" });
        for (index, member) in members.iter().enumerate() {
            sql.comma(index);
            if map {
                write_key(sql, member);
            } else {
                sql.ident(member);
            }
            value(sql.keyword(": "), index);
        }
        sql.keyword("}");
    }
}

/// Writes a field's name as a text.
fn write_key(sql: &mut Writer, member: &Ident) {
    // An identifier has no NUL, and that is all that a text must not have.
    if let Ok(text) = Text::new(member.as_str()) {
        sql.literal(&text);
    }
}

impl Table {
    /// The table of this name, if there is one now; its columns are those of the given time.
    pub(crate) fn find(connection: &Connection, name: &TableName, at: At) -> Result<Option<Self>, Error> {
        let listed = Self::listed(connection, name)?;
        listed.map(|listed| Self::look(connection, name, at, listed)).transpose()
    }

    /// The table of this name, which is there at the given time.
    pub(crate) fn look(connection: &Connection, name: &TableName, at: At, listed: Listed) -> Result<Self, Error> {
        let described = connection.rows_of_text(&Sql::build(|sql| {
            name.write(sql.keyword("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "));
            at.write(sql);
            sql.keyword(")");
        }))?;
        let mut columns = Vec::new();
        for row in described {
            let [column, of] = <[_; 2]>::try_from(row).unwrap_or_default();
            columns.push((ident(&column.unwrap_or_default())?, ColumnType::parse(&of.unwrap_or_default())));
        }
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
            found.ok_or_else(|| foreign(["its `", column, "` is no struct or map of texts"].concat()))
        };
        let [provenance, data_version] = BY_FIELD.map(by_field);
        let by_field = [provenance?, data_version?];
        Ok(Self { name: name.clone(), at, listed, columns, by_field })
    }

    /// Whether there is a table of this name in the lake.
    pub(crate) fn exists(connection: &Connection, name: &TableName) -> Result<bool, Error> {
        Ok(Self::listed(connection, name)?.is_some())
    }

    /// What is said of a table; `None` if there is no such table.
    fn listed(connection: &Connection, name: &TableName) -> Result<Option<Listed>, Error> {
        let sql = Sql::build(|sql| {
            sql.keyword("SELECT comment, CAST(estimated_size AS VARCHAR) FROM duckdb_tables() WHERE database_name = ");
            sql.bind("database", &Value::from(name.database().map(Ident::as_str).unwrap_or_default()));
            sql.keyword(" AND schema_name = 'main' AND table_name = ");
            sql.bind("table", &Value::from(name.name().as_str()));
        });
        let listed = connection.rows_of_text(&sql)?.into_iter().next();
        Ok(listed.map(|row| {
            let [comment, rows] = <[_; 2]>::try_from(row).unwrap_or_default();
            let hash_tag = comment.and_then(|comment| HashTag::from_comment(&comment));
            Listed { hash_tag, rows: rows.and_then(|rows| rows.parse().ok()).unwrap_or_default() }
        }))
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
        connection.execute(Sql::build(|sql| {
            name.write(sql.keyword("CREATE TABLE "));
            for (index, (column, of)) in columns.iter().enumerate() {
                of.write(sql.keyword(if index == 0 { " (" } else { ", " }).ident(column).keyword(" "));
            }
            sql.keyword(")");
        }))?;
        let comment = Text::new(hash_tag.to_comment());
        let comment = comment.map_err(|problem| Error::query(problem.to_string()))?;
        connection.execute(Sql::build(|sql| {
            name.write(sql.keyword("COMMENT ON TABLE "));
            sql.keyword(" IS ").literal(&comment);
        }))?;
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
        let add = |path: &[&Ident], of: &ColumnType| {
            connection.execute(Sql::build(|sql| {
                self.name.write(sql.keyword("ALTER TABLE "));
                for (index, part) in path.iter().enumerate() {
                    sql.keyword(if index == 0 { " ADD COLUMN " } else { "." }).ident(part);
                }
                of.write(sql.keyword(" "));
            }))
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

    /// Writes the table, the alias that it gets, and the time at which it is looked at.
    pub(crate) fn write(&self, sql: &mut Writer, alias: impl FnOnce(&mut Writer)) {
        self.name.write(sql);
        alias(sql.keyword(" AS "));
        self.at.write(sql);
    }

    /// Writes the table with its rows if any are wanted, and otherwise so that DuckDB need not ask the lake's catalog.
    pub(crate) fn write_if(&self, any: bool, sql: &mut Writer, alias: impl FnOnce(&mut Writer)) {
        // What is of a type that we do not know can only be told by the lake.
        if any || self.columns.iter().any(|(_, of)| of.is_none()) {
            return self.write(sql, alias);
        }
        sql.keyword("(SELECT ");
        for (column, of) in self.columns() {
            of.write(sql.keyword("CAST(NULL AS "));
            sql.keyword(") AS ").ident(column).keyword(", ");
        }
        alias(sql.keyword("CAST(NULL AS BIGINT) AS rowid WHERE FALSE) AS "));
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

    /// Writes a time in the type of one of the table's columns, from the microseconds since 1970 in UTC.
    pub(crate) fn write_micros(&self, sql: &mut Writer, column: &str, micros: impl FnOnce(&mut Writer)) {
        let is_zoned = self.column(column).is_none_or(|(_, of)| *of == Some(ColumnType::Simple(Simple::TimestampTz)));
        // The offset in the text keeps the session's time zone out of it.
        sql.keyword(if is_zoned { "CAST(CAST(make_timestamp(" } else { "make_timestamp(" });
        micros(sql);
        sql.keyword(if is_zoned { ") AS VARCHAR) || '+00' AS TIMESTAMPTZ)" } else { ")" });
    }

    /// Writes a time that we know in the type of one of the table's columns.
    pub(crate) fn write_time(&self, sql: &mut Writer, column: &str, micros: i64) {
        self.write_micros(sql, column, |sql| _ = sql.bind(column, &Value::from(micros)));
    }

    /// Writes when a row became what it is: the later of two rows is the one that counts.
    pub(crate) fn write_changed_at(&self, sql: &mut Writer, row: &'static str) {
        let of = |column| self.column(column).map(|(_, of)| of);
        let is_same = of("metaxy_deleted_at") == of("metaxy_updated_at");
        // Between a time with a zone and one without, DuckDB would take that of the session.
        let (before, between, after) =
            if is_same { ("coalesce(", ", ", ")") } else { ("coalesce(epoch_us(", "), epoch_us(", "))") };
        sql.keyword(before).keyword(row).keyword("metaxy_deleted_at").keyword(between);
        sql.keyword(row).keyword("metaxy_updated_at").keyword(after);
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
    fn write(&self, sql: &mut Writer) {
        match self {
            Self::Now => {}
            Self::Snapshot(number) => {
                sql.keyword(" AT (VERSION => ").bind("snapshot", &Value::from(*number)).keyword(")");
            }
            Self::Time(time) => {
                sql.keyword(" AT (TIMESTAMP => CAST(").literal(time).keyword(" AS TIMESTAMPTZ))");
            }
        }
    }
}
