//! Descriptions of catalogs and storages, whose fields are those that `ducklake-sql` lists: read, and shown.

use ducklake_sql::{
    AzureSpec, Field, FieldKind, FieldValue, GcsSpec, MotherDuckSpec, PostgresSpec, Problems, QuackSpec, R2Spec,
    S3Spec, Spec,
};
use metaxy_diagnostics::{Diagnostic, Node, Table};
use serde_json::{Map, Value as Json};

use crate::decode::{self, Context, Decode};
use crate::scope::Scope;
use crate::{messages, shapes};

/// A description that was read from a table.
pub(crate) struct Described<S> {
    pub(crate) spec: S,
    /// The table with its type, secrets masked.
    pub(crate) shown: Json,
    /// Fields that cannot be left out and were, or could not be read; this was reported.
    missing: Vec<&'static str>,
}

/// Reads a table of this type.
pub(crate) fn read<S: Spec>(kind: &str, node: &Node, scope: &mut Scope<'_>) -> Option<Described<S>> {
    let table = decode::table(node, &mut scope.context)?;
    let names: Vec<_> = S::FIELDS.iter().map(|field| field.name).collect();
    for entry in table.0.iter().filter(|entry| !names.contains(&entry.key.as_str())) {
        let unknown = Diagnostic::unknown_key(&entry.key, &names).with_origin(entry.key_origin);
        let parameter = shapes::parameter(kind, &entry.key).filter(|_| names.contains(&"secret_parameters"));
        scope.context.report(match parameter {
            Some(parameter) if names.contains(&parameter) => unknown.with_help(["write `", parameter, "`"].concat()),
            Some(parameter) => messages::in_parameters(unknown, parameter),
            None => unknown,
        });
    }
    let mut spec = S::default();
    let mut missing = Vec::new();
    for (field, value) in S::FIELDS.iter().zip(spec.values()) {
        let is_there = fill(value, field, table, &mut scope.context);
        if !is_there && field.kind == FieldKind::Required {
            if !table.has(field.name) {
                scope.context.report(messages::missing_field(node.origin, field));
            }
            missing.push(field.name);
        }
    }
    let mut shown = Map::new();
    shown.insert("type".to_owned(), kind.into());
    for (field, value) in S::FIELDS.iter().zip(spec.values()) {
        shown.extend(show(&value).map(|value| (field.name.to_owned(), value)));
    }
    Some(Described { spec, shown: shown.into(), missing })
}

impl<S> Described<S> {
    /// What `build` makes of it; what is wrong with it is reported.
    pub(crate) fn build<T>(
        self,
        build: impl FnOnce(S) -> Result<T, Problems>,
        node: &Node,
        scope: &mut Scope<'_>,
    ) -> Option<T> {
        match build(self.spec) {
            Ok(whole) => Some(whole).filter(|_| self.missing.is_empty()),
            Err(problems) => {
                scope.problems(problems.into_iter().filter(|problem| !self.missing.contains(&problem.field())), node);
                None
            }
        }
    }
}

/// Fills in a field; whether it has a value then.
fn fill(value: FieldValue<'_>, field: &Field, table: &Table, context: &mut Context) -> bool {
    fn set<T: Decode>(target: &mut Option<T>, field: &Field, table: &Table, context: &mut Context) -> bool {
        *target = decode::field(table, field.name, context);
        target.is_some()
    }
    match value {
        FieldValue::Required(target) => {
            let text = decode::field::<String>(table, field.name, context);
            let is_there = text.is_some();
            *target = text.unwrap_or_default();
            is_there
        }
        FieldValue::String(target) => set(target, field, table, context),
        FieldValue::Secret(target) => set(target, field, table, context),
        FieldValue::Port(target) => set(target, field, table, context),
        FieldValue::Boolean(target) => set(target, field, table, context),
        FieldValue::Parameters(target) => {
            *target = decode::field(table, field.name, context).unwrap_or_default();
            !target.is_empty()
        }
        // A kind of field that is newer than this function cannot be read.
        _ => false,
    }
}

fn show(value: &FieldValue<'_>) -> Option<Json> {
    let json = match value {
        FieldValue::Required(text) => serde_json::to_value(text),
        FieldValue::String(text) => serde_json::to_value(text),
        FieldValue::Secret(secret) => serde_json::to_value(secret),
        FieldValue::Port(port) => serde_json::to_value(port),
        FieldValue::Boolean(boolean) => serde_json::to_value(boolean),
        FieldValue::Parameters(parameters) if parameters.is_empty() => return None,
        FieldValue::Parameters(parameters) => serde_json::to_value(parameters),
        _ => return None,
    };
    json.ok().filter(|json| !json.is_null())
}

/// Whether a word is the name of a field of some description.
pub(crate) fn is_field(word: &str) -> bool {
    fields().any(|field| field.name == word)
}

/// The kinds of the fields of all descriptions that have this name.
pub(crate) fn kinds(word: &str) -> impl Iterator<Item = FieldKind> {
    fields().filter(move |field| field.name == word).map(|field| field.kind)
}

/// The fields of all descriptions.
fn fields() -> impl Iterator<Item = &'static Field> {
    [
        PostgresSpec::FIELDS,
        QuackSpec::FIELDS,
        MotherDuckSpec::FIELDS,
        S3Spec::FIELDS,
        R2Spec::FIELDS,
        GcsSpec::FIELDS,
        AzureSpec::FIELDS,
    ]
    .into_iter()
    .flatten()
}
