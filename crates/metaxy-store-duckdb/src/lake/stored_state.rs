//! What the catalog of an attached lake has stored of all that can be declared.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ducklake_sql::{
    AttachPlan, Ident, LAKE_OPTIONS, OptionScope, PartitionKey, SortKey, StoredOption, StoredState, StoredTable,
    TableName, bind, list, sql,
};

use crate::engine::{Connection, Error};

/// An option: its key, its value, its scope, the number of what it is for, and the names of that.
type OptionRow = (String, Option<String>, Option<String>, Option<i64>, Option<String>, Option<String>);

/// Reads it; `None` where a server keeps the catalog to itself.
///
/// It takes one query for each kind of thing, whatever the lake has.
pub(crate) fn read(connection: &Connection, plan: &AttachPlan) -> Result<Option<StoredState>, Error> {
    let Some((database, schema)) = plan.metadata() else { return Ok(None) };
    let mut state = StoredState::default();

    let schemas: Vec<(String,)> = connection.query_rows(sql!(
        "SELECT schema_name FROM {database}.{schema}.ducklake_schema WHERE end_snapshot IS NULL ORDER BY schema_name",
        database,
        schema,
    ))?;
    for (schema,) in schemas {
        state.schemas.push(Ident::new(&schema)?);
    }

    state.views = views(connection, &database, &schema)?;
    let columns: Vec<(i64, String, String, String, i64, Option<String>)> = connection.query_rows(sql!(
        "SELECT t.table_id, s.schema_name, t.table_name, c.column_name, c.column_id, tag.value
         FROM {database}.{schema}.ducklake_table AS t
         JOIN {database}.{schema}.ducklake_schema AS s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
         JOIN {database}.{schema}.ducklake_column AS c
             ON c.table_id = t.table_id AND c.end_snapshot IS NULL AND c.parent_column IS NULL
         LEFT JOIN {database}.{schema}.ducklake_tag AS tag
             ON tag.object_id = t.table_id AND tag.end_snapshot IS NULL AND tag.key = 'comment'
         WHERE t.end_snapshot IS NULL
         ORDER BY s.schema_name, t.table_name, c.column_order",
        database,
        schema,
    ))?;
    let mut tables: BTreeMap<i64, usize> = BTreeMap::new();
    let mut names: BTreeMap<(i64, i64), String> = BTreeMap::new();
    for (id, schema, table, column, column_id, comment) in columns {
        if let Entry::Vacant(new) = tables.entry(id) {
            new.insert(state.tables.len());
            let mut found = StoredTable::new(TableName::of(Ident::new(&schema)?, Ident::new(&table)?), Vec::new());
            found.comment = comment.filter(|comment| !comment.is_empty());
            state.tables.push(found);
        }
        if let Some(table) = state.tables.last_mut() {
            table.columns.push(column.clone());
        }
        names.insert((id, column_id), column);
    }
    let table_of = |state: &mut StoredState, id: i64, add: &mut dyn FnMut(&mut StoredTable)| {
        if let Some(table) = tables.get(&id).and_then(|at| state.tables.get_mut(*at)) {
            add(table);
        }
    };

    let partitions: Vec<(i64, i64, String)> = connection.query_rows(sql!(
        "SELECT i.table_id, c.column_id, c.transform
         FROM {database}.{schema}.ducklake_partition_info AS i
         JOIN {database}.{schema}.ducklake_partition_column AS c ON c.partition_id = i.partition_id AND c.table_id = i.table_id
         WHERE i.end_snapshot IS NULL
         ORDER BY i.table_id, c.partition_key_index",
        database,
        schema,
    ))?;
    for (id, column, transform) in partitions {
        let Some(column) = names.get(&(id, column)) else { continue };
        let key = PartitionKey::stored(Ident::new(column)?, &transform);
        let key = key?;
        table_of(&mut state, id, &mut |table| table.partitioned_by.push(key.clone()));
    }

    let order: Vec<(i64, String, String, String)> = connection.query_rows(sql!(
        "SELECT i.table_id, e.expression, e.sort_direction, e.null_order
         FROM {database}.{schema}.ducklake_sort_info AS i
         JOIN {database}.{schema}.ducklake_sort_expression AS e ON e.sort_id = i.sort_id AND e.table_id = i.table_id
         WHERE i.end_snapshot IS NULL
         ORDER BY i.table_id, e.sort_key_index",
        database,
        schema,
    ))?;
    for (id, expression, direction, nulls) in order {
        table_of(&mut state, id, &mut |table| {
            table.sorted_by.push(SortKey::stored(&expression, &direction, &nulls));
        });
    }

    let known = list(LAKE_OPTIONS.iter().map(|spec| bind(spec.name)));
    let options: Vec<OptionRow> = connection.query_rows(sql!(
        "SELECT m.key, m.value, m.scope, m.scope_id, s.schema_name, t.table_name
         FROM {database}.{schema}.ducklake_metadata AS m
         LEFT JOIN {database}.{schema}.ducklake_table AS t
             ON m.scope = 'table' AND t.table_id = m.scope_id AND t.end_snapshot IS NULL
         LEFT JOIN {database}.{schema}.ducklake_schema AS s
             ON s.schema_id = CASE WHEN m.scope = 'table' THEN t.schema_id ELSE m.scope_id END AND s.end_snapshot IS NULL
         WHERE m.key IN ({known})
         ORDER BY ALL",
        database,
        schema,
        known,
    ))?;
    for (key, value, scope, scope_id, schema, table) in options {
        let scope = match (scope.as_deref(), schema, table) {
            (None, ..) => OptionScope::Lake,
            (Some("schema"), Some(schema), _) => OptionScope::Schema(Ident::new(&schema)?),
            (Some("table"), Some(schema), Some(table)) => {
                OptionScope::Table(TableName::of(Ident::new(&schema)?, Ident::new(&table)?))
            }
            // Of what is not there any more.
            _ => continue,
        };
        // An age that is empty is none.
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            state.options.push(StoredOption { scope, scope_id, name: key, value });
        }
    }
    Ok(Some(state))
}

/// The views of a lake.
fn views(connection: &Connection, database: &Ident, schema: &Ident) -> Result<Vec<TableName>, Error> {
    let views: Vec<(String, String)> = connection.query_rows(sql!(
        "SELECT s.schema_name, v.view_name
         FROM {database}.{schema}.ducklake_view AS v
         JOIN {database}.{schema}.ducklake_schema AS s ON s.schema_id = v.schema_id AND s.end_snapshot IS NULL
         WHERE v.end_snapshot IS NULL
         ORDER BY ALL",
        database,
        schema,
    ))?;
    views.into_iter().map(|(schema, view)| Ok(TableName::of(Ident::new(schema)?, Ident::new(view)?))).collect()
}
