//! Increments of what has changed since a mark: random graphs and histories, where a comparison of all rows says what is
//! right. `cargo xtask increments --seed N --cases M --steps S` runs others, or one of them again.

use std::collections::BTreeMap;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use ducklake_sql::{Mode, Sql};
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey, FeatureSpec, Truncation};
use metaxy_store_duckdb::{
    Change, Deletion, Error, FeatureOptions, Features, FullPass, Increment, MaintainOptions, MaintainStep, Marked,
    Pass, ResolveOptions, Store, WriteOptions,
};
use serde_json::{Value, json};

use crate::features::common::{graph, key, md5, write};
use crate::interop::dice::Dice;
use crate::interop::generate::{self, Generated};
use crate::interop::rust::typed;
use crate::json::to_json;
use crate::lake::{TempLake, attach};
use crate::maintain::home::home;

/// The changes of an increment, and which rows were compared.
fn resolve(
    features: &Features<'_>,
    feature: &str,
    options: &ResolveOptions,
) -> Result<([Vec<String>; 3], Pass), Error> {
    let mut increment = features.resolve_update(&key(feature), options)?;
    let rows = Change::ALL.map(|change| rows(&mut increment, change));
    Ok((rows, increment.pass()))
}

fn rows(increment: &mut Increment, change: Change) -> Vec<String> {
    let mut rows: Vec<String> = to_json(increment.rows(change).unwrap()).iter().map(Value::to_string).collect();
    assert_eq!(rows.len(), increment.count(change));
    rows.sort();
    rows
}

/// What was seen, by its name.
type Seen = BTreeMap<String, usize>;

/// A lake with a history.
struct Case<'f> {
    dice: Dice,
    store: &'f Store,
    features: Features<'f>,
    generated: &'f [Generated],
    /// How each feature that depends on others is compared.
    options: Vec<(&'f Generated, ResolveOptions)>,
    seen: &'f mut Seen,
}

impl Case<'_> {
    fn count(&mut self, what: impl Into<String>) {
        *self.seen.entry(what.into()).or_default() += 1;
    }

    fn step(&mut self) {
        let at = self.dice.below(self.generated.len());
        let feature = &self.generated[at];
        let table = feature.key().parse::<FeatureKey>().unwrap().table_name();
        // A condition that some rows meet.
        let some_rows = format!("WHERE hash(metaxy_provenance, metaxy_data_version) % 5 = {}", self.dice.below(5));
        match self.dice.below(20) {
            0..5 => {
                let roots: Vec<&Generated> = self.generated.iter().filter(|feature| feature.is_root()).collect();
                let root = self.dice.pick(&roots);
                let percent = self.dice.pick(&[5, 15, 50]);
                self.write_root(root, percent);
            }
            5..11 => self.write_increment(None),
            11 => self.delete(feature, Deletion::Soft),
            12 => self.delete(feature, Deletion::Hard),
            // As other programs write: without looking at what is there, some with a time long past.
            13 => self.sql(&format!(
                "INSERT INTO {table} SELECT * REPLACE (metaxy_updated_at - INTERVAL 1 DAY AS metaxy_updated_at,
                     'other' AS metaxy_provenance, 'other' AS metaxy_data_version) FROM {table} {some_rows}",
            )),
            14 => self.sql(&format!("DELETE FROM {table} {some_rows}")),
            15 => self
                .sql(&format!("UPDATE {table} SET metaxy_provenance = 'other', metaxy_deleted_at = NULL {some_rows}")),
            16 => {
                let step = self.dice.pick(&[MaintainStep::Flush, MaintainStep::Rewrite, MaintainStep::Merge]);
                self.count(format!("maintained: {step}"));
                let done = self.store.maintain(&MaintainOptions::new().only([step]), |_, _| ()).unwrap();
                assert!(done.failed.is_none(), "{:?}", done.failed);
            }
            17 if self.dice.chance(50) => {
                let lake = self.store.plan().alias();
                self.sql(&format!("CALL ducklake_expire_snapshots('{lake}', older_than => now() + INTERVAL 1 DAY)"));
            }
            18 if self.dice.chance(50) => self.sql(&format!("COMMENT ON COLUMN {table}.metaxy_provenance IS 'x'")),
            18 => self.sql(&format!("CREATE OR REPLACE TABLE {table} AS FROM {table} {some_rows}")),
            _ => self.mark(),
        }
    }

    /// Runs SQL of another program; a table that is not there yet is none of its business.
    fn sql(&mut self, text: &str) {
        match self.store.connection().execute(Sql::user_query(text)) {
            Ok(_) => self.count(format!("sql: {}", text.split_whitespace().next().unwrap())),
            Err(error) => assert!(error.to_string().contains("does not exist"), "{text}: {error}"),
        }
    }

    fn write_root(&mut self, root: &Generated, percent: usize) {
        let mut written = Vec::new();
        for ids in root.some_ids(&mut self.dice, true, percent) {
            let mut row = root.row(&mut self.dice, &ids);
            row.insert("metaxy_provenance_by_field".to_owned(), root.versions(&mut self.dice, true));
            written.push(Value::Object(row));
        }
        self.write(root, &written);
    }

    /// Writes some of what an increment finds, of this feature or of any.
    fn write_increment(&mut self, at: Option<usize>) {
        let at = at.unwrap_or_else(|| self.dice.below(self.options.len()));
        let (feature, options) = self.options[at].clone();
        let Ok(mut increment) = self.features.resolve_update(&key(feature.key()), &options) else { return };
        if self.dice.chance(50) {
            self.features.mark(&increment).unwrap();
        }
        let mut found = to_json(increment.rows(Change::New).unwrap());
        found.extend(to_json(increment.rows(Change::Stale).unwrap()));
        drop(increment);
        let percent = self.dice.pick(&[20, 80, 100, 100]);
        let mut written: BTreeMap<String, Value> = BTreeMap::new();
        for expected in self.dice.some(&found, percent) {
            for ids in feature.ids_made_of(&expected) {
                let mut row = feature.row(&mut self.dice, &ids);
                row.insert("metaxy_provenance_by_field".into(), expected["metaxy_provenance_by_field"].clone());
                written.insert(json!(ids).to_string(), Value::Object(row));
            }
        }
        self.write(feature, &written.into_values().collect::<Vec<_>>());
    }

    fn write(&mut self, feature: &Generated, written: &[Value]) {
        if written.is_empty() {
            return;
        }
        let key = key(feature.key());
        let spec = self.features.graph().get(&key).unwrap().spec();
        let rows = typed(spec, &feature.feature.columns, written);
        self.features.write(&key, rows, &WriteOptions::new()).unwrap();
        self.count("writes");
    }

    fn delete(&mut self, feature: &Generated, deletion: Deletion) {
        let item = self.dice.pick(&generate::items(true));
        let filter = format!("\"{}\" = '{}'", feature.ids[0], item.replace('\'', "''")).parse().unwrap();
        match self.features.delete(&key(feature.key()), &[filter], deletion) {
            Ok(_) => self.count(format!("deletions: {deletion:?}")),
            Err(error) => assert!(error.is_missing_table(), "{error}"),
        }
    }

    fn mark(&mut self) {
        let at = self.dice.below(self.options.len());
        let (feature, options) = self.options[at].clone();
        if let Ok(increment) = self.features.resolve_update(&key(feature.key()), &options) {
            let marked = self.features.mark(&increment).unwrap();
            self.count(format!("marked: {marked:?}"));
        }
    }

    /// Compares each feature both ways.
    fn compare(&mut self) {
        for (feature, options) in self.options.clone() {
            // Each takes its time.
            if !self.dice.chance(30) {
                continue;
            }
            let all = resolve(&self.features, feature.key(), &options.clone().full(true));
            let changed = resolve(&self.features, feature.key(), &options);
            let ((all, _), (changed, pass)) = match (all, changed) {
                (Ok(all), Ok(changed)) => (all, changed),
                (Err(all), Err(changed)) => {
                    assert_eq!(all.to_string(), changed.to_string());
                    continue;
                }
                (all, changed) => panic!("{all:?} {changed:?}"),
            };
            assert_eq!(changed, all, "{}, {pass}", feature.key());
            if self.dice.chance(20) {
                let status = |options: &ResolveOptions| self.features.status(&key(feature.key()), options).unwrap();
                assert_eq!(status(&options), status(&options.clone().full(true)), "{}, {pass}", feature.key());
            }
            let what = match pass {
                Pass::Changed { keys: 0, .. } => "compared: no key".to_owned(),
                Pass::Changed { .. } if all.iter().all(Vec::is_empty) => "compared: keys, nothing differs".to_owned(),
                Pass::Changed { .. } => "compared: keys, some differ".to_owned(),
                Pass::Full(reason) => format!("compared: all, {reason:?}"),
                _ => format!("compared: {pass}"),
            };
            self.count(what);
        }
    }
}

/// A number that a variable of the environment has.
fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Goes through random histories of random graphs in lakes of one kind.
fn run(catalog: &str, first: u64, cases: u64, steps: u64) -> Seen {
    let first = number("METAXY_INCREMENTS_SEED", first);
    let cases = number("METAXY_INCREMENTS_CASES", cases);
    let steps = number("METAXY_INCREMENTS_STEPS", steps);
    let mut counts = Seen::new();
    for seed in first..first + cases {
        let home = home(catalog, "local");
        let store = attach(&home.lake, Mode::Write).unwrap();
        let case = || live(&store, seed, steps, &mut counts);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(case)) {
            eprintln!("to see it again: cargo xtask increments --seed {seed} --cases 1 --steps {steps}");
            resume_unwind(panic);
        }
        store.close().unwrap();
    }
    eprintln!("seeds {first}..{}: {counts:#?}", first + cases);
    counts
}

fn live(store: &Store, seed: u64, steps: u64, counts: &mut Seen) {
    let mut dice = Dice::new(seed);
    let (generated, graph) = loop {
        let generated = generate::graph(&mut dice);
        let specs = generated.iter().map(|one| FeatureSpec::from_json(&one.feature.spec.to_string()));
        let Ok(specs) = specs.collect::<Result<Vec<_>, _>>() else { continue };
        let definitions = specs.into_iter().map(|spec| FeatureDefinition::new(spec, "demo".parse().unwrap()));
        let has_both = generated.iter().any(Generated::is_root) && !generated.iter().all(Generated::is_root);
        if let (Ok(graph), true) = (FeatureGraph::new(definitions), has_both) {
            break (generated, graph);
        }
    };
    let features = store.features(&graph, FeatureOptions::new().maps(dice.chance(30))).unwrap();
    let mut options = Vec::new();
    for feature in generated.iter().filter(|feature| !feature.is_root()) {
        options.push((feature, ResolveOptions::new()));
        let mut other = ResolveOptions::new().distinct(dice.chance(50));
        if let Some((name, of)) = feature.own.first() {
            let condition = generate::filter(&mut dice, name, *of).parse().unwrap();
            other = if dice.chance(50) {
                other.stale_if([condition])
            } else {
                other.filters(key(feature.key()), [condition])
            };
        }
        options.push((feature, other));
    }
    let mut case = Case { dice, store, features, generated: &generated, options, seen: counts };
    for root in generated.iter().filter(|feature| feature.is_root()) {
        case.write_root(root, 70);
    }
    for at in 0..case.options.len() {
        case.write_increment(Some(at));
    }
    for _ in 0..steps {
        case.step();
        case.compare();
    }
}

/// Goes through those of every run, or those that were asked for; in the first, both ways must have been gone.
fn check(catalog: &str, seed: u64, steps: u64) {
    let counts = run(catalog, seed, 1, steps);
    let has = |what: &str| counts.keys().any(|name| name.starts_with(what));
    let is_usual = env::var("METAXY_INCREMENTS_SEED").is_err();
    assert!(!is_usual || has("compared: keys") && has("compared: all"), "{counts:#?}");
}

#[test]
fn all_rows_are_compared_where_it_cannot_be_told_what_has_changed() {
    let home = TempLake::new();
    let store = home.open();
    let graph = graph(
        "[[feature]]\nkey = 'a'\nid_columns = ['id']\n
         [[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']\n
         [[feature]]\nkey = 'day'\nid_columns = ['day']\n
         deps = [{ feature = 'a', lineage = { type = 'N:1', on = ['day'] } }]",
    );
    let features = store.features(&graph, md5()).unwrap();
    let a = |id: &str, version: &str| json!({"id": id, "day": "1", "metaxy_provenance_by_field": {"default": version}});
    write(&features, "a", &json!([a("1", "1"), a("2", "1"), a("3", "1")])).unwrap();
    let (usual, full) = (ResolveOptions::new(), ResolveOptions::new().full(true));
    let resolve = |feature, options: &ResolveOptions| features.resolve_update(&key(feature), options).unwrap();
    let pass = |feature, options: &ResolveOptions| resolve(feature, options).pass();
    let mark = || features.mark(&resolve("b", &usual)).unwrap();
    let sql = |text: &'static str| store.connection().execute(text).unwrap();
    let since = |pass| match pass {
        Pass::Changed { keys, .. } => keys,
        _ => panic!("{pass}"),
    };

    assert_eq!(mark(), Marked::NotKept(FullPass::NoTable));
    for feature in ["b", "day"] {
        let mut new = resolve(feature, &usual.clone().distinct(true));
        features.write(&key(feature), new.rows(Change::New).unwrap().into_reader(), &WriteOptions::new()).unwrap();
    }
    assert_eq!(pass("b", &usual), Pass::Full(FullPass::NoMark));
    assert_eq!(mark(), Marked::Kept);
    assert_eq!(mark(), Marked::Unchanged);
    assert_eq!(since(pass("b", &usual)), 0);
    write(&features, "a", &json!([a("1", "2")])).unwrap();
    assert_eq!(since(pass("b", &usual)), 1);
    assert_eq!(mark(), Marked::Kept);
    // What differs stays to be looked at, and so does what is deleted.
    sql("DELETE FROM a WHERE id = '2'");
    assert_eq!(since(pass("b", &usual)), 2);

    assert_eq!(pass("b", &full), Pass::Full(FullPass::Asked));
    assert_eq!(pass("b", &usual.clone().skip_comparison(true)), Pass::Full(FullPass::NotUpstream));
    assert_eq!(pass("b", &usual.clone().stale_if(["id = '2'".parse().unwrap()])), Pass::Full(FullPass::NoMark));
    let time = ["metaxy_updated_at > '2020-01-01'".parse().unwrap()];
    assert_eq!(pass("b", &usual.clone().stale_if(time)), Pass::Full(FullPass::TimeZone));
    assert_eq!(pass("day", &usual), Pass::Full(FullPass::OtherKeys));
    // Nor another hash.
    let other = store.features(&graph, md5().truncation(Truncation::LONGEST));
    assert!(other.unwrap().resolve_update(&key("b"), &usual).is_err());

    sql("CREATE OR REPLACE TABLE a AS FROM a WHERE id = '3'");
    let anew = resolve("b", &usual);
    assert_eq!((anew.pass(), anew.count(Change::Orphaned)), (Pass::Full(FullPass::Altered), 2));
    assert_eq!(features.mark(&anew).unwrap(), Marked::Kept);
    assert_eq!(since(pass("b", &usual)), 2);
    sql("DELETE FROM b WHERE id = '3'");
    sql("CALL ducklake_expire_snapshots('ducklake', older_than => now() + INTERVAL 1 DAY)");
    let expired = resolve("b", &usual);
    assert_eq!((expired.pass(), expired.count(Change::New)), (Pass::Full(FullPass::Expired), 1));
}

#[test]
fn what_has_changed_since_a_mark_is_what_a_comparison_of_all_finds_with_sqlite() {
    check("sqlite", 1, 40);
}

#[test]
fn what_has_changed_since_a_mark_is_what_a_comparison_of_all_finds_with_duckdb() {
    check("duckdb", 1001, 15);
}

#[test]
fn what_has_changed_since_a_mark_is_what_a_comparison_of_all_finds_with_postgres() {
    check("postgres", 2001, 15);
}
