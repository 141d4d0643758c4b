//! The JSON writer against what Python's `json.dumps` wrote, and its rules.

use metaxy_feature::{Json, JsonObject, Number};
use proptest::prelude::*;

/// Each line of the fixture holds a text, and what Python writes for it: as inserted, and sorted.
#[test]
fn writes_as_python_does() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/json_dumps.tsv"));
    for line in text.expect("the fixture").lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [input, inserted, sorted] = columns[..] else { panic!("three columns in {line}") };
        let json = Json::parse(input).expect(input);
        assert_eq!(json.to_string(), inserted, "of {input}");
        assert_eq!(json.canonical(), sorted, "of {input}");
    }
}

#[test]
fn refuses_what_is_no_json() {
    let deep = "[".repeat(129) + &"]".repeat(129);
    let deeper = "[".repeat(100_000) + &"]".repeat(100_000);
    for text in
        ["", "{", "[1,]", "NaN", "Infinity", "01", "1 2", "'a'", r#""\ud800""#, "{1: 2}", "1e400", &deep, &deeper]
    {
        assert!(Json::parse(text).is_err(), "{}", text.get(..20).unwrap_or(text));
    }
    assert!(Json::parse(&("[".repeat(128) + &"]".repeat(128))).is_ok());
}

proptest! {
    #[test]
    fn reads_what_it_writes(json in json()) {
        prop_assert_eq!(&Json::parse(&json.to_string())?, &json);
        prop_assert_eq!(&Json::parse(&json.canonical())?, &json);
        prop_assert_eq!(Json::parse(&json.canonical())?.canonical(), json.canonical());
    }

    #[test]
    fn equal_values_have_one_canonical_text(json in json()) {
        prop_assert_eq!(reversed(&json).canonical(), json.canonical());
        prop_assert_eq!(reversed(&json), json);
    }

    #[test]
    fn floats_come_back(bits: u64) {
        let float = f64::from_bits(bits);
        if let Some(number) = Number::from_f64(float) {
            prop_assert_eq!(number.as_str().parse::<f64>().map(f64::to_bits), Ok(bits));
        } else {
            prop_assert!(!float.is_finite());
            prop_assert_eq!(Json::from(float), Json::Null);
        }
    }
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let entries = prop::collection::vec((any::<String>(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Json::Array),
            entries.prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

/// The same value with the keys of every object in the opposite order.
fn reversed(json: &Json) -> Json {
    match json {
        Json::Array(items) => Json::Array(items.iter().map(reversed).collect()),
        Json::Object(object) => {
            let entries = object.iter().rev().map(|(key, value)| (key.clone(), reversed(value)));
            Json::Object(entries.collect::<JsonObject>())
        }
        other => other.clone(),
    }
}
