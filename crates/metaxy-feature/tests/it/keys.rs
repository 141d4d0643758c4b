//! The rules of keys and truncations.

use metaxy_feature::{Column, FeatureKey, FieldKey, ProblemKind, Truncation};
use proptest::prelude::*;

const KEY: &str = "[a-z_][a-z0-9_-]{0,4}(/[a-z0-9_][a-z0-9_-]{0,4}){0,3}";

proptest! {
    #[test]
    fn text_names_a_key(text in KEY) {
        let parts: Vec<&str> = text.split('/').collect();
        let valid = !parts.iter().any(|part| part.contains("__"));
        let key = text.parse::<FeatureKey>();
        prop_assert_eq!(key.is_ok(), valid);
        if let Ok(key) = key {
            prop_assert_eq!(key.as_str(), &text);
            prop_assert_eq!(key.parts().collect::<Vec<_>>(), parts.clone());
            prop_assert_eq!(FeatureKey::from_parts(parts)?, key);
        }
    }

    #[test]
    fn any_text_is_a_key_by_the_rules_or_refused(text in "[a-z0-9_/A\\-\n é]{0,8}") {
        let valid = !text.is_empty() && text.split('/').enumerate().all(|(index, part)| {
            let mut bytes = part.bytes();
            bytes.next().is_some_and(|first| {
                first == b'_' || first.is_ascii_lowercase() || index > 0 && first.is_ascii_digit()
            }) && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
                && !part.contains("__")
        });
        let key = text.parse::<FieldKey>();
        prop_assert_eq!(key.is_ok(), valid);
        if let Err(error) = key {
            prop_assert!(error.is(ProblemKind::Key));
        }
    }

    #[test]
    fn keys_are_ordered_by_their_parts(a in KEY, b in KEY) {
        if let (Ok(a), Ok(b)) = (a.parse::<FeatureKey>(), b.parse::<FeatureKey>()) {
            let parts = |key: &FeatureKey| key.parts().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(a.cmp(&b), parts(&a).cmp(&parts(&b)));
        }
    }

    #[test]
    fn parts_without_underscores_give_each_key_its_own_names(a in "[a-z][a-z0-9]{0,2}(/[a-z0-9]{1,2}){0,3}", b in "[a-z][a-z0-9]{0,2}(/[a-z0-9]{1,2}){0,3}") {
        let (x, y): (FeatureKey, FeatureKey) = (a.parse()?, b.parse()?);
        prop_assert_eq!(x == y, x.table_name() == y.table_name());
        let (x, y): (FieldKey, FieldKey) = (a.parse()?, b.parse()?);
        prop_assert_eq!(x == y, x.struct_key() == y.struct_key());
    }

    #[test]
    fn any_other_text_is_a_column(name: String) {
        let column = name.parse::<Column>();
        prop_assert_eq!(column.is_ok(), !name.is_empty() && !name.contains('\0'));
        if let Ok(column) = column {
            prop_assert_eq!(column.as_str(), &name);
        }
    }

    #[test]
    fn truncations_are_8_to_64(length in 0_usize..100) {
        prop_assert_eq!(Truncation::new(length).map(Truncation::length).ok(), (8..=64).contains(&length).then_some(length));
    }
}

#[test]
fn different_keys_can_share_a_table() {
    let keys = ["a-b", "a_b"].map(|key| key.parse::<FeatureKey>().map(|key| key.table_name()).ok());
    assert_eq!(keys, [Some("a_b".to_owned()), Some("a_b".to_owned())]);
    let keys = ["a_/b", "a/_b"].map(|key| key.parse::<FeatureKey>().map(|key| key.table_name()).ok());
    assert_eq!(keys, [Some("a___b".to_owned()), Some("a___b".to_owned())]);
}
