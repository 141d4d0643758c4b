//! Random graphs: features of two levels, with every kind of dependency between them.
//!
//! A coarse feature has one row per item, a fine one several, its parts. So a dependency of a feature on one of its own
//! level is 1:1, of a coarse on a fine one N:1, of a fine on a coarse one 1:N.

use serde_json::{Map, Value, json};

use crate::interop::dice::Dice;
use crate::interop::pair::{Feature, Type};

/// Names of the columns that identify an item, of those that identify its parts, and of fields.
const ITEMS: [&str; 3] = ["item", "k", "ключ"];
const PARTS: [&str; 3] = ["part", "p", "№"];
const FIELDS: [&str; 7] = ["default", "audio", "frames", "audio/en", "x/audio", "meta-data", "x/y/frames"];
const KEYS: [&str; 6] = ["video", "a-b", "x_y/z", "raw/0", "_u", "v/w-1/x"];

/// Texts that break what is careless with them.
const ODD: [&str; 5] = ["it's", "a|b", "\\", "\"é\" 日本", ""];

/// How many id columns a feature has: one, or one for its parts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Coarse,
    Fine,
}

/// A generated feature.
#[derive(Debug, Clone)]
pub(crate) struct Generated {
    pub(crate) feature: Feature,
    pub(crate) level: Level,
    /// Its id columns: of the item, and of the part.
    pub(crate) ids: Vec<&'static str>,
    /// Its other columns.
    pub(crate) own: Vec<(String, Type)>,
    /// Whether its rows are parts of rows of all its dependencies.
    pub(crate) expands: bool,
    fields: Vec<String>,
}

impl Generated {
    pub(crate) fn key(&self) -> &str {
        self.feature.key()
    }

    pub(crate) fn is_root(&self) -> bool {
        self.feature.spec["deps"].as_array().unwrap().is_empty()
    }

    /// The members of its structs.
    pub(crate) fn members(&self) -> Vec<String> {
        self.fields.iter().map(|field| field.replace('/', "_")).collect()
    }

    /// The ids of some samples.
    pub(crate) fn some_ids(&self, dice: &mut Dice, odd: bool, percent: usize) -> Vec<Vec<Value>> {
        let mut ids = Vec::new();
        for item in items(odd) {
            let item = Value::from(item);
            if self.level == Level::Coarse {
                ids.push(vec![item]);
            } else {
                ids.extend((0..4).map(|part| vec![item.clone(), part.into()]));
            }
        }
        dice.some(&ids, percent)
    }

    /// The ids of the rows that are made of a row of an increment.
    pub(crate) fn ids_made_of(&self, expected: &Value) -> Vec<Vec<Value>> {
        if !self.expands {
            return vec![self.ids.iter().map(|id| expected.get(*id).cloned().unwrap_or_default()).collect()];
        }
        let item = &expected[self.ids[0]];
        (0..parts(item)).map(|part| vec![item.clone(), part.into()]).collect()
    }

    /// A row with these ids, and random values in the feature's own columns.
    pub(crate) fn row(&self, dice: &mut Dice, ids: &[Value]) -> Map<String, Value> {
        let mut row: Map<_, _> = self.ids.iter().map(|id| (*id).to_owned()).zip(ids.iter().cloned()).collect();
        for (name, of) in &self.own {
            row.insert(name.clone(), value(dice, *of));
        }
        row
    }

    /// Random versions of its fields.
    pub(crate) fn versions(&self, dice: &mut Dice, odd: bool) -> Value {
        self.members().into_iter().map(|member| (member, version(dice, odd))).collect::<Map<_, _>>().into()
    }
}

fn value(dice: &mut Dice, of: Type) -> Value {
    if dice.chance(20) {
        return Value::Null;
    }
    match of {
        Type::Text => dice.pick(&["x", "é", "it's", "NULL", "10"]).into(),
        Type::Integer => dice.pick(&[-3, 0, 2, i64::MAX]).into(),
        Type::Float => dice.pick(&[-0.5, 0.25, 1.5, 1e300]).into(),
        Type::Boolean => dice.chance(50).into(),
    }
}

/// A version of a field: seldom none.
fn version(dice: &mut Dice, odd: bool) -> Value {
    match dice.below(20) {
        0 => Value::Null,
        1..4 if odd => dice.pick(&ODD).into(),
        _ => format!("v{}", dice.below(5)).into(),
    }
}

/// The items that there may be.
pub(crate) fn items(odd: bool) -> Vec<&'static str> {
    let mut items = vec!["1", "2", "10", "é", "日本"];
    items.extend(odd.then_some(ODD).into_iter().flatten());
    items
}

/// How many parts an item has, always.
fn parts(item: &Value) -> usize {
    1 + item.to_string().len() % 3
}

/// Features of one project, each after those it depends on.
pub(crate) fn graph(dice: &mut Dice) -> Vec<Generated> {
    let mut features: Vec<Generated> = Vec::new();
    for number in 0..3 + dice.below(3) {
        let feature = feature(dice, number, &features);
        features.push(feature);
    }
    features
}

fn feature(dice: &mut Dice, number: usize, earlier: &[Generated]) -> Generated {
    let level = if dice.chance(50) { Level::Coarse } else { Level::Fine };
    let mut ids = vec![dice.pick(&ITEMS)];
    if level == Level::Fine {
        ids.push(dice.pick(&PARTS));
    }
    let key = format!("{}{number}", dice.pick(&KEYS));
    let types = [Type::Text, Type::Integer, Type::Float, Type::Boolean];
    let own = |at: usize, dice: &mut Dice| (format!("{}{number}", ["v", "größe ", "w"][at]), dice.pick(&types));
    let own: Vec<_> = (0..dice.below(4)).map(|at| own(at, dice)).collect();
    let mut fields = dice.some(&FIELDS, 35);
    // The last parts of a key and the whole of another would be one member of a struct.
    fields.retain(|field| *field != "x/audio" || number.is_multiple_of(2));
    if fields.is_empty() {
        fields.push("default");
    }
    let upstream = if number == 0 || dice.chance(25) { Vec::new() } else { upstream(dice, level, earlier) };
    let expands = level == Level::Fine && upstream.iter().any(|dep| dep.level == Level::Coarse);
    let deps: Vec<Value> = upstream.iter().map(|dep| dependency(dice, dep, level, &ids, &fields)).collect();
    let fields_json: Vec<Value> = fields.iter().map(|field| field_json(dice, field, &upstream)).collect();
    let spec = json!({
        "key": key,
        "id_columns": ids,
        "deps": deps,
        "fields": fields_json,
        "metadata": metadata(dice),
        "description": dice.pick(&[Value::Null, Value::Null, "A feature.\n\nÜber \"alles\".".into()]),
    });
    let id_types = [Type::Text, Type::Integer];
    let columns = ids.iter().zip(id_types).map(|(id, of)| ((*id).to_owned(), of)).chain(own.iter().cloned()).collect();
    let doc = dice.pick(&[None, Some("From the class, 日本.".to_owned())]);
    let fields = fields.into_iter().map(str::to_owned).collect();
    Generated { feature: Feature { spec, columns, doc }, level, ids, own, expands, fields }
}

/// One to three earlier features; a fine feature depends on fine ones or on coarse ones, not on both: the rows it would
/// be compared by are then those of items, of which Python takes any part.
fn upstream(dice: &mut Dice, level: Level, earlier: &[Generated]) -> Vec<Generated> {
    let first = dice.pick(earlier);
    let mut chosen = vec![first.clone()];
    for other in earlier.iter().rev() {
        let fits = level == Level::Coarse || other.level == first.level;
        if other.key() != first.key() && fits && chosen.len() < 3 && dice.chance(60) {
            chosen.push(other.clone());
        }
    }
    chosen
}

fn dependency(dice: &mut Dice, dep: &Generated, level: Level, ids: &[&'static str], fields: &[&str]) -> Value {
    let mut rename = Map::new();
    for (theirs, ours) in dep.ids.iter().zip(ids) {
        if theirs != ours {
            rename.insert((*theirs).to_owned(), (*ours).into());
        }
    }
    let aggregates = level == Level::Coarse && dep.level == Level::Fine;
    if aggregates && dice.chance(60) {
        // Parts of two dependencies would have one name.
        rename.insert(dep.ids[1].to_owned(), format!("part of {}", dep.key()).into());
    }
    for (name, _) in &dep.own {
        if dice.chance(25) {
            rename.insert(name.clone(), format!("{name} neu").into());
        }
    }
    let new_name = |name: &str| rename.get(name).map_or(name.to_owned(), |new| new.as_str().unwrap().to_owned());
    let select = dice.chance(35).then(|| {
        let mut select: Vec<String> = dice.some(&dep.own, 50).iter().map(|(name, _)| new_name(name)).collect();
        if aggregates {
            // Without the ids of the parts their order, and with it the hash, is anyone's guess.
            select.extend(dep.ids.iter().map(|name| new_name(name)));
        }
        select
    });
    let filters: Vec<String> =
        dice.some(&dep.own, 20).iter().map(|(name, of)| filter(dice, &new_name(name), *of)).collect();
    let on = json!([ids[0]]);
    let lineage = match (level, dep.level) {
        (Level::Coarse, Level::Fine) => json!({"type": "N:1", "on": dice.pick(&[Value::Null, on])}),
        (Level::Fine, Level::Coarse) => json!({"type": "1:N", "on": on, "id_generation_pattern": null}),
        _ => json!({"type": "1:1"}),
    };
    json!({
        "feature": dep.key(),
        "select": select,
        "rename": if rename.is_empty() { Value::Null } else { rename.into() },
        "fields_mapping": {"mapping": mapping(dice, dep, fields)},
        "sql_filters": if filters.is_empty() { Value::Null } else { filters.into() },
        "lineage": {"relationship": lineage},
        "optional": dice.chance(25),
    })
}

/// A condition on a column.
pub(crate) fn filter(dice: &mut Dice, column: &str, of: Type) -> String {
    let column = format!("\"{column}\"");
    let is_null = format!("{column} IS {}NULL", dice.pick(&["", "NOT "]));
    let compared = match of {
        Type::Text => dice.pick(&[
            format!("{column} != 'it''s'"),
            format!("NOT ({column} = 'é' OR {column} IS NULL)"),
            format!("{column} IN ('x', 'é')"),
        ]),
        Type::Integer => dice.pick(&[format!("{column} >= -2"), format!("{column} < 3 AND {column} <> 0")]),
        Type::Float => dice.pick(&[format!("{column} > 0.25"), format!("NOT {column} <= 1.5")]),
        Type::Boolean => dice.pick(&[column.clone() + " IS TRUE", format!("{column} = FALSE")]),
    };
    dice.pick(&[is_null, compared.clone(), compared])
}

fn mapping(dice: &mut Dice, dep: &Generated, fields: &[&str]) -> Value {
    let parts = |field: &String| Value::from(field.split('/').collect::<Vec<_>>());
    match dice.below(10) {
        0 => json!({"type": "all"}),
        1 => json!({"type": "none"}),
        2 | 3 => {
            let mut mapping = Map::new();
            for field in fields {
                let mut theirs = dice.some(&dep.fields, 50);
                theirs.sort();
                if !theirs.is_empty() {
                    mapping.insert((*field).to_owned(), theirs.iter().map(parts).collect());
                }
            }
            json!({"type": "specific", "mapping": mapping})
        }
        _ => json!({
            "type": "default", "match_suffix": dice.chance(50), "exclude_fields": dice.some(&dep.fields, 15),
        }),
    }
}

fn field_json(dice: &mut Dice, field: &str, upstream: &[Generated]) -> Value {
    let deps = match dice.below(10) {
        0 => Value::from("__METAXY_ALL_DEP__"),
        1 | 2 => {
            let mut deps: Vec<Value> = Vec::new();
            for dep in upstream {
                let fields = dice.some(&dep.fields, 50);
                if !fields.is_empty() {
                    let fields = dice.pick(&[Value::from("__METAXY_ALL_DEP__"), fields.into()]);
                    deps.push(json!({"feature": dep.key(), "fields": fields}));
                }
            }
            deps.into()
        }
        _ => json!([]),
    };
    json!({"key": field, "code_version": dice.pick(&["__metaxy_initial__", "1", "2", "é|"]), "deps": deps})
}

fn metadata(dice: &mut Dice) -> Value {
    dice.pick(&[json!({}), json!({}), json!({"owner": "größe", "b": [1, 1.0, null], "a": {"z": true, "y": 1e300}})])
}
