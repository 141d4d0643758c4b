//! What has to be done for a lake to have what is declared: ordered steps, each with its SQL and its reason.

use std::fmt;

use serde::{Serialize, Serializer};

use super::columns::{PartitionKey, SortKey};
use super::options::{LakeOption, LakeOptionSpec};
use super::stored::{OptionScope, StoredOption, StoredState, StoredTable, digest};
use super::table_name::TableName;
use super::{Declared, DeclaredTable, Manage, same_name};
use crate::parts::{bind, list};
use crate::sql;
use crate::sql::{Reveal, Sql};
use crate::value::{Ident, StringLiteral};

/// How a step changes a lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Something that is not there comes.
    Add,
    /// Something becomes something else.
    Change,
    /// Something goes.
    Unset,
}

impl Sign {
    fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Change => "~",
            Self::Unset => "-",
        }
    }
}

/// One thing to do.
///
/// `Display` is a line for people; serialized it has no SQL, which [`Step::to_sql`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    sign: Sign,
    before: Option<String>,
    after: Option<String>,
    destroys: Option<&'static str>,
    action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    CreateSchema(Ident),
    Partition(TableName, Vec<PartitionKey>),
    Sort(TableName, Vec<SortKey>),
    Comment(TableName, Option<String>),
    SetOption(OptionScope, LakeOption),
    UnsetOption(StoredOption),
}

impl Step {
    /// How it changes the lake.
    pub fn sign(&self) -> Sign {
        self.sign
    }

    /// Why what it destroys is gone for good, if it destroys something.
    pub fn destroys(&self) -> Option<&'static str> {
        self.destroys
    }

    /// Whether it is a statement of a transaction; others are run by themselves.
    pub fn is_transactional(&self) -> bool {
        !matches!(self.action, Action::SetOption(..) | Action::UnsetOption(_))
    }

    /// Whether it changes the catalog's own tables, which the lake must not be the current database for.
    pub fn changes_catalog(&self) -> bool {
        matches!(self.action, Action::UnsetOption(_))
    }

    /// What it is about: `target_file_size`, or `main.t partitioned_by`.
    pub fn subject(&self) -> String {
        match &self.action {
            Action::CreateSchema(schema) => format!("schema {schema}"),
            Action::Partition(table, _) => format!("{table} partitioned_by"),
            Action::Sort(table, _) => format!("{table} sorted_by"),
            Action::Comment(table, _) => format!("{table} comment"),
            Action::SetOption(scope, option) => in_scope(scope, option.name()),
            Action::UnsetOption(option) => in_scope(&option.scope, &option.name),
        }
    }

    /// Why it is to be done.
    pub fn reason(&self) -> &'static str {
        match (self.sign, &self.action) {
            (Sign::Add, Action::CreateSchema(_)) => "declared, and not there",
            (Sign::Add, _) => "declared, and not stored",
            (Sign::Change, _) => "declared otherwise",
            (Sign::Unset, _) => "stored, and not declared",
        }
    }

    /// Its statement, on the lake of this alias, whose catalog has its tables in a schema of a database.
    pub fn to_sql(&self, lake: &Ident, catalog: &(Ident, Ident)) -> Sql {
        match &self.action {
            Action::CreateSchema(schema) => sql!("CREATE SCHEMA IF NOT EXISTS {lake}.{schema}", lake, schema),
            Action::Partition(table, keys) if keys.is_empty() => {
                sql!("ALTER TABLE {lake}.{table} RESET PARTITIONED BY", lake, table)
            }
            Action::Partition(table, keys) => {
                sql!("ALTER TABLE {lake}.{table} SET PARTITIONED BY ({keys})", lake, table, keys = list(keys))
            }
            Action::Sort(table, keys) if keys.is_empty() => {
                sql!("ALTER TABLE {lake}.{table} RESET SORTED BY", lake, table)
            }
            Action::Sort(table, keys) => {
                sql!("ALTER TABLE {lake}.{table} SET SORTED BY ({keys})", lake, table, keys = list(keys))
            }
            Action::Comment(table, comment) => {
                let null = || Sql::fixed("NULL");
                // The grammar takes no parameter here.
                let literal = comment.as_deref().and_then(|text| StringLiteral::new(text).ok());
                let comment = literal.map_or_else(null, |literal| sql!("{literal}", literal));
                sql!("COMMENT ON TABLE {lake}.{table} IS {comment}", lake, table, comment)
            }
            Action::SetOption(scope, option) => {
                let lake = bind(lake.as_str());
                let (name, value) = (bind(option.name()), option.argument());
                match scope {
                    OptionScope::Lake => sql!("CALL ducklake_set_option({lake}, {name}, {value})", lake, name, value),
                    OptionScope::Schema(schema) => sql!(
                        "CALL ducklake_set_option({lake}, {name}, {value}, schema => {schema})",
                        lake,
                        name,
                        value,
                        schema = bind(schema.as_str()),
                    ),
                    OptionScope::Table(table) => sql!(
                        "CALL ducklake_set_option({lake}, {name}, {value}, schema => {schema}, table_name => {table})",
                        lake,
                        name,
                        value,
                        schema = bind(table.schema().as_str()),
                        table = bind(table.name().as_str()),
                    ),
                }
            }
            Action::UnsetOption(option) => {
                let (database, schema) = catalog;
                let name = bind(option.name.as_str());
                let scope = match (&option.scope, option.scope_id) {
                    (OptionScope::Schema(_), Some(id)) => sql!("scope = 'schema' AND scope_id = {id}", id = bind(id)),
                    (OptionScope::Table(_), Some(id)) => sql!("scope = 'table' AND scope_id = {id}", id = bind(id)),
                    _ => sql!("scope IS NULL"),
                };
                sql!(
                    "DELETE FROM {database}.{schema}.ducklake_metadata WHERE key = {name} AND {scope}",
                    database,
                    schema,
                    name,
                    scope
                )
            }
        }
    }

    /// Its statement as a person reads it.
    pub fn shown_sql(&self, lake: &Ident, catalog: &(Ident, Ident)) -> String {
        self.to_sql(lake, catalog).display(Reveal::Masked)
    }
}

fn in_scope(scope: &OptionScope, name: &str) -> String {
    match scope {
        OptionScope::Lake => name.to_owned(),
        OptionScope::Schema(schema) => format!("schema {schema} {name}"),
        OptionScope::Table(table) => format!("{table} {name}"),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.destroys.is_some() { "!" } else { self.sign.as_str() };
        write!(f, "{sign} {}", self.subject())?;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, ": {before} → {after}")?,
            (None, Some(after)) => write!(f, " = {after}")?,
            (Some(before), None) => write!(f, ", which is {before}")?,
            (None, None) => {}
        }
        write!(f, ": {}", self.reason())?;
        match self.destroys {
            Some(what) => write!(f, "; {what}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct View<'a> {
            sign: Sign,
            subject: String,
            before: Option<&'a str>,
            after: Option<&'a str>,
            reason: &'static str,
            destroys: Option<&'static str>,
        }
        let (before, after) = (self.before.as_deref(), self.after.as_deref());
        let (subject, reason) = (self.subject(), self.reason());
        View { sign: self.sign, subject, before, after, reason, destroys: self.destroys }.serialize(serializer)
    }
}

/// Something declared for which no step can be planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What, as one line.
    pub message: String,
    /// Whether the declaration cannot be met as it stands.
    pub is_error: bool,
}

/// What has to be done, in order, and what cannot be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The steps: first those of one transaction, then those that are run by themselves.
    pub steps: Vec<Step>,
    /// What no step can be planned for.
    pub notes: Vec<Note>,
}

impl Difference {
    /// A hash of the steps, as hexadecimal digits.
    pub fn digest(&self) -> String {
        digest(self)
    }

    /// Whether something is to be destroyed.
    pub fn destroys(&self) -> bool {
        self.steps.iter().any(|step| step.destroys().is_some())
    }
}

impl Declared {
    /// Compares it with what a lake has stored.
    pub fn difference(&self, stored: &StoredState) -> Difference {
        let mut found = Difference::default();
        for schema in &self.schemas {
            if !stored.schemas.iter().any(|there| same_name(there.as_str(), schema.name.as_str())) {
                found.push(Sign::Add, None, None, Action::CreateSchema(schema.name.clone()));
            }
        }
        for table in &self.tables {
            match stored.tables.iter().find(|there| there.name.is_same(&table.name)) {
                Some(there) => found.table(table, there, self.manage),
                None if stored.views.iter().any(|view| view.is_same(&table.name)) => found.notes.push(Note {
                    message: format!("{} is a view, and only for tables something can be declared", table.name),
                    is_error: true,
                }),
                None => found.notes.push(Note {
                    message: format!("there is no table {}: what is declared for it is not applied yet", table.name),
                    is_error: false,
                }),
            }
        }
        if self.manage == Manage::All {
            let others =
                stored.tables.iter().filter(|there| !self.tables.iter().any(|table| table.name.is_same(&there.name)));
            for there in others {
                found.table(&DeclaredTable::new(there.name.clone()), there, self.manage);
            }
        }
        self.options(stored, &mut found);
        found
    }

    fn options(&self, stored: &StoredState, found: &mut Difference) {
        let of_schemas = self.schemas.iter().map(|schema| (OptionScope::Schema(schema.name.clone()), &schema.options));
        let of_tables =
            self.tables.iter().filter(|table| stored.tables.iter().any(|there| there.name.is_same(&table.name)));
        let of_tables = of_tables.map(|table| (OptionScope::Table(table.name.clone()), &table.options));
        let scopes = [(OptionScope::Lake, &self.options)].into_iter().chain(of_schemas).chain(of_tables);
        let declared: Vec<_> =
            scopes.flat_map(|(scope, options)| options.iter().map(move |option| (scope.clone(), option))).collect();
        for (scope, option) in &declared {
            let there =
                stored.options.iter().find(|there| there.name == option.name() && is_same_scope(&there.scope, scope));
            if there.is_some_and(|there| option.is_stored_as(&there.value)) {
                continue;
            }
            let before = there.map(|there| there.value.clone());
            let sign = if before.is_some() { Sign::Change } else { Sign::Add };
            let destroys = destroys(option, before.as_deref());
            let action = Action::SetOption(scope.clone(), (*option).clone());
            found.push(sign, before, Some(option.stored().to_owned()), action);
            if let Some(step) = found.steps.last_mut() {
                step.destroys = destroys;
            }
        }
        if self.manage != Manage::All {
            return;
        }
        for there in &stored.options {
            let is_declared = declared
                .iter()
                .any(|(scope, option)| option.name() == there.name && is_same_scope(scope, &there.scope));
            if !is_declared && LakeOptionSpec::find(&there.name).is_some() {
                found.push(Sign::Unset, Some(there.value.clone()), None, Action::UnsetOption(there.clone()));
            }
        }
    }
}

fn is_same_scope(one: &OptionScope, other: &OptionScope) -> bool {
    match (one, other) {
        (OptionScope::Lake, OptionScope::Lake) => true,
        (OptionScope::Schema(one), OptionScope::Schema(other)) => same_name(one.as_str(), other.as_str()),
        (OptionScope::Table(one), OptionScope::Table(other)) => one.is_same(other),
        _ => false,
    }
}

/// What a shorter retention takes away with the next maintenance.
fn destroys(option: &LakeOption, before: Option<&str>) -> Option<&'static str> {
    let age = option.age()?.as_seconds();
    let before = before.and_then(|before| super::Age::new(before).ok()).map(super::Age::as_seconds);
    let is_shorter = match (option.name(), before) {
        (_, Some(before)) => age < before,
        ("expire_older_than", None) => true,
        // DuckLake's own age, unless one is stored.
        (_, None) => age < 2 * 86_400,
    };
    let what = match option.name() {
        "expire_older_than" => "snapshots that are older are gone with the next maintenance",
        _ => "files that are older are gone with the next maintenance, also those of a transaction that is still open",
    };
    is_shorter.then_some(what)
}

impl Difference {
    fn push(&mut self, sign: Sign, before: Option<String>, after: Option<String>, action: Action) {
        self.steps.push(Step { sign, before, after, destroys: None, action });
    }

    fn table(&mut self, declared: &DeclaredTable, there: &StoredTable, manage: Manage) {
        let unset = manage == Manage::All;
        let partitions = declared.partitioned_by.clone().or_else(|| unset.then(Vec::new));
        let order = declared.sorted_by.clone().or_else(|| unset.then(Vec::new));
        let comment = declared.comment.clone().or_else(|| unset.then(String::new));
        let name = &there.name;
        if let Some(keys) = partitions {
            let is_same = same_list(&keys, &there.partitioned_by, PartitionKey::is_same);
            let columns = keys.iter().map(PartitionKey::column);
            if !is_same && self.has_columns(there, columns) {
                let (before, after) = (joined(&there.partitioned_by), joined(&keys));
                self.push(sign(before.as_ref(), after.as_ref()), before, after, Action::Partition(name.clone(), keys));
            }
        }
        if let Some(keys) = order {
            let is_same = same_list(&keys, &there.sorted_by, SortKey::is_same);
            if !is_same && self.has_columns(there, keys.iter().filter_map(SortKey::column)) {
                let (before, after) = (joined(&there.sorted_by), joined(&keys));
                self.push(sign(before.as_ref(), after.as_ref()), before, after, Action::Sort(name.clone(), keys));
            }
        }
        if let Some(comment) = comment {
            let comment = Some(comment).filter(|comment| !comment.is_empty());
            if comment != there.comment {
                let quoted = |text: &Option<String>| text.as_ref().map(|text| format!("{text:?}"));
                let (before, after) = (quoted(&there.comment), quoted(&comment));
                self.push(sign(before.as_ref(), after.as_ref()), before, after, Action::Comment(name.clone(), comment));
            }
        }
    }

    /// Whether a table has these columns; one that it lacks is noted.
    fn has_columns<'c>(&mut self, there: &StoredTable, columns: impl Iterator<Item = &'c Ident>) -> bool {
        let mut has_all = true;
        for column in columns {
            if !there.columns.iter().any(|known| same_name(known, column.as_str())) {
                has_all = false;
                let message = format!("the table {} has no column `{column}`", there.name);
                let note = Note { message, is_error: true };
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
            }
        }
        has_all
    }
}

fn sign(before: Option<&String>, after: Option<&String>) -> Sign {
    match (before, after) {
        (None, _) => Sign::Add,
        (Some(_), Some(_)) => Sign::Change,
        (Some(_), None) => Sign::Unset,
    }
}

fn joined<T: fmt::Display>(items: &[T]) -> Option<String> {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    (!items.is_empty()).then(|| items.join(", "))
}

fn same_list<T>(one: &[T], other: &[T], is_same: impl Fn(&T, &T) -> bool) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
}
