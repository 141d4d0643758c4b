//! Random graphs and rows: both implementations go through the same life of one lake, and have to agree at every step.
//!
//! `cargo xtask interop --seed N --cases M` runs other cases, or one of them again.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use serde_json::{Value, json};

use crate::interop::dice::Dice;
use crate::interop::generate::{Generated, graph, items};
use crate::interop::pair::{Catalog, Changes, Feature, Pair, Refused, Settings, Who, assert_same, comparable, made};
use crate::interop::python::Borrowed;

/// What is random of one case, and what came of it.
struct Case<'p> {
    dice: Dice,
    pair: Pair<'p>,
    features: Vec<Generated>,
    /// Whether texts may be odd: DuckLake loses some of them in the small writes that it keeps in its catalog.
    odd: bool,
    seen: Seen,
}

/// What was seen in all cases, by its name.
#[derive(Default)]
struct Seen(BTreeMap<String, usize>);

impl Seen {
    fn count(&mut self, what: impl Into<String>, times: usize) {
        if times > 0 {
            *self.0.entry(what.into()).or_default() += times;
        }
    }
}

/// A process for lakes with structs and one for those with maps.
type Pythons = [Borrowed; 2];

/// Runs these cases, or those that were asked for, and prints what was seen.
fn run(first: u64, cases: u64, case: impl Fn(u64, &mut Pythons, Seen) -> Seen) {
    let number = |name: &str, otherwise| env::var(name).map_or(otherwise, |text| text.parse().unwrap());
    let first = number("METAXY_INTEROP_SEED", first);
    let cases = number("METAXY_INTEROP_CASES", cases);
    let mut pythons = [false, true].map(Borrowed::new);
    let mut seen = Seen::default();
    for seed in first..first + cases {
        let so_far = std::mem::take(&mut seen);
        seen = catch_unwind(AssertUnwindSafe(|| case(seed, &mut pythons, so_far))).unwrap_or_else(|panic| {
            eprintln!("seed {seed} failed; to see it again: cargo xtask interop --seed {seed} --cases 1");
            resume_unwind(panic)
        });
    }
    eprintln!("seeds {first}..{}: {:#?}", first + cases, seen.0);
}

#[test]
fn versions_of_random_graphs_are_those_of_python() {
    run(1, 150, |seed, pythons, mut seen| {
        let mut dice = Dice::new(seed);
        let settings = settings(&mut dice);
        let features: Vec<Feature> = graph(&mut dice).into_iter().map(|generated| generated.feature).collect();
        let outcome = Pair::new(&mut pythons[usize::from(settings.maps)], settings).define(&features);
        seen.count(if outcome.is_ok() { "graphs" } else { "graphs that both refuse" }, 1);
        seen
    });
}

#[test]
fn rows_of_random_lakes_are_those_of_python() {
    run(1, 10, |seed, pythons, seen| {
        let mut dice = Dice::new(seed);
        let settings = settings(&mut dice);
        let (features, pair, odd) =
            (graph(&mut dice), Pair::new(&mut pythons[usize::from(settings.maps)], settings), !settings.inlining);
        let mut case = Case { dice, pair, features, odd, seen };
        case.live();
        case.seen
    });
}

fn settings(dice: &mut Dice) -> Settings {
    let (hash, truncation) =
        dice.pick(&[("md5", 8), ("md5", 8), ("md5", 32), ("xxhash32", 8), ("xxhash64", 16), ("xxh3_64", 12)]);
    Settings { catalog: Catalog::Sqlite, maps: dice.chance(33), hash, truncation, inlining: dice.chance(33) }
}

impl Case<'_> {
    /// The life of a lake: roots are written, what follows from them is resolved and written, roots change, the
    /// code of features changes.
    fn live(&mut self) {
        if !self.define() {
            return;
        }
        for round in 0..3 {
            if round == 2 && !self.change_code() {
                return;
            }
            for feature in self.features.clone() {
                if feature.is_root() {
                    self.write_root(&feature, round);
                } else {
                    self.update(&feature);
                }
                self.read(&feature);
            }
        }
    }

    /// Whether the graph is one; if not, both say so.
    fn define(&mut self) -> bool {
        let features: Vec<Feature> = self.features.iter().map(|generated| generated.feature.clone()).collect();
        let defined = self.pair.define(&features).is_ok();
        self.seen.count(if defined { "graphs" } else { "graphs that both refuse" }, 1);
        defined
    }

    /// Gives a field of every other feature another code version.
    fn change_code(&mut self) -> bool {
        for feature in &mut self.features {
            if self.dice.chance(50) {
                let fields = feature.feature.spec["fields"].as_array_mut().unwrap();
                let field = self.dice.below(fields.len());
                fields[field]["code_version"] = "3".into();
            }
        }
        self.define()
    }

    fn who(&mut self) -> Who {
        self.dice.pick(&[Who::Python, Who::Rust])
    }

    /// Writes samples of a root, after a look at what is new in them; deletes some.
    fn write_root(&mut self, feature: &Generated, round: usize) {
        let mut rows = Vec::new();
        for id in feature.some_ids(&mut self.dice, self.odd, if round == 0 { 70 } else { 40 }) {
            let mut row = feature.row(&mut self.dice, &id);
            row.insert("metaxy_provenance_by_field".to_owned(), feature.versions(&mut self.dice, self.odd));
            rows.push(Value::Object(row));
        }
        self.resolve(feature, Some(&rows));
        if !rows.is_empty() {
            let who = self.who();
            self.write(who, feature, &rows);
        }
        if round > 0 && self.dice.chance(50) {
            self.delete(feature);
        }
    }

    /// Resolves a feature and writes what came out; deletes some.
    fn update(&mut self, feature: &Generated) {
        let Some([new, stale, _]) = self.resolve(feature, None) else { return };
        let overrides = self.dice.chance(20);
        let mut done = BTreeSet::new();
        let mut rows = Vec::new();
        for expected in new.iter().chain(&stale) {
            for id in feature.ids_made_of(expected) {
                if !done.insert(json!(id).to_string()) {
                    continue;
                }
                let mut row = feature.row(&mut self.dice, &id);
                row.insert("metaxy_provenance_by_field".into(), expected["metaxy_provenance_by_field"].clone());
                if overrides {
                    let versions = feature.versions(&mut self.dice, self.odd);
                    let versions = self.dice.pick(&[Value::Null, versions]);
                    row.insert("metaxy_data_version_by_field".into(), versions);
                }
                rows.push(Value::Object(row));
            }
        }
        if !rows.is_empty() {
            let who = self.who();
            self.write(who, feature, &rows);
        }
        if !feature.expands && self.dice.chance(20) {
            self.delete(feature);
        }
    }

    /// What both resolve; `None` if one of them cannot.
    fn resolve(&mut self, feature: &Generated, samples: Option<&[Value]>) -> Option<Changes> {
        if samples.is_some_and(<[Value]>::is_empty) {
            return None;
        }
        let [python, rust] = [Who::Python, Who::Rust].map(|who| self.pair.side(who).resolve(feature.key(), samples));
        match (python, rust) {
            (Ok(python), Ok(rust)) => {
                compare(feature, &python, &rust);
                let names = ["new", "stale", "orphaned"];
                for (name, rows) in names.iter().zip(&rust) {
                    self.seen.count(format!("rows: {name}"), rows.len());
                }
                Some(rust)
            }
            (Err(python), Ok(rust)) => {
                let Some(hazard) = hazard(&python) else { panic!("Python cannot resolve {}: {python}", feature.key()) };
                self.seen.count(hazard, 1);
                Some(rust)
            }
            (Err(python), Err(rust)) => {
                let rust = rust.message.split('`').step_by(2).collect::<Vec<_>>().join("…");
                self.seen.count(format!("both refuse: {} / {rust}", python.kind), 1);
                None
            }
            (Ok(_), Err(rust)) => panic!("Rust cannot resolve {}: {rust}", feature.key()),
        }
    }

    fn write(&mut self, who: Who, feature: &Generated, rows: &[Value]) {
        let side = self.pair.side(who);
        if let Err(refused) = side.write(feature.key(), rows) {
            panic!("{} cannot write {}: {refused}", side.name(), feature.key());
        }
        self.seen.count(format!("rows written by {}", side.name()), rows.len());
    }

    /// Both read the same, to the last column.
    fn read(&mut self, feature: &Generated) {
        let history = self.dice.chance(30);
        let [python, rust] = [Who::Python, Who::Rust].map(|who| self.pair.side(who).read(feature.key(), history));
        match (python, rust) {
            (Ok(python), Ok(rust)) => {
                let what = format!("rows of {}", feature.key());
                assert_same(&comparable(&python, |_| true), &comparable(&rust, |_| true), &what);
                self.seen.count("rows: read", rust.len());
            }
            // Nothing was written yet.
            (Err(_), Err(_)) => {}
            (python, rust) => panic!("only one can read {}: {:?} {:?}", feature.key(), python.err(), rust.err()),
        }
    }

    fn delete(&mut self, feature: &Generated) {
        let item = self.dice.pick(&items(self.odd));
        let filter = format!("\"{}\" = '{}'", feature.ids[0], item.replace('\'', "''"));
        let who = self.who();
        let side = self.pair.side(who);
        match side.delete(feature.key(), &filter) {
            Ok(()) => self.seen.count("deletions", 1),
            // Nothing was written yet.
            Err(refused) if refused.message.contains("has no table") || refused.kind == "FeatureNotFoundError" => {}
            Err(refused) => panic!("{} cannot delete {filter}: {refused}", side.name()),
        }
    }
}

/// What both resolved is the same.
fn compare(feature: &Generated, python: &Changes, rust: &Changes) {
    for (change, name) in ["new", "stale", "orphaned"].into_iter().enumerate() {
        let (python, rust) = (&python[change], &rust[change]);
        let what = format!("{name} rows of {}", feature.key());
        if change < 2 {
            assert_same(&comparable(python, made), &comparable(rust, made), &what);
        } else if feature.expands {
            // Of the parts of an item Python shows any.
            let shared = |name: &str| name == feature.ids[0] || name.starts_with("metaxy_provenance");
            assert_same(&comparable(python, shared), &comparable(rust, shared), &what);
        } else {
            assert_same(&comparable(python, |_| true), &comparable(rust, |_| true), &what);
        }
    }
}

/// The hazard of Python Metaxy 0.1.11, by its number in this project's list, that made it fail.
fn hazard(refused: &Refused) -> Option<&'static str> {
    let known = [("H4: three dependencies leave two columns of one name", "metaxy_deleted_at_right")];
    known.into_iter().find(|(_, says)| refused.message.contains(says)).map(|(name, _)| name)
}
