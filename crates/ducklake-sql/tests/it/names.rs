//! The generated name of a lake's secret.

use ducklake_sql::{Alias, generated_name};
use proptest::prelude::*;

fn alias() -> impl Strategy<Value = Alias> {
    "[^\\x00]{1,12}".prop_filter_map("reserved", |text| Alias::new(text).ok())
}

/// Few characters, so that different names come near each other.
fn near() -> impl Strategy<Value = String> {
    "[a_A2f.-]{0,6}"
}

proptest! {
    #[test]
    fn it_is_a_word_that_ducklake_takes_for_a_secret(owner in any::<String>(), alias in alias()) {
        let name = generated_name(&owner, &alias);
        prop_assert!(name.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
    }

    #[test]
    fn different_stores_and_aliases_have_different_names(
        (owner, alias, other_owner, other_alias) in (near(), near(), near(), near())
    ) {
        let (Ok(alias), Ok(other_alias)) = (Alias::new(alias), Alias::new(other_alias)) else { return Ok(()) };
        let same = owner == other_owner && alias == other_alias;
        prop_assert_eq!(generated_name(&owner, &alias) == generated_name(&other_owner, &other_alias), same);
    }
}

#[test]
fn what_a_naive_encoding_would_confuse() {
    let named = |owner: &str, alias: &str| generated_name(owner, &Alias::new(alias).unwrap()).to_string();
    insta::assert_snapshot!(
        [named("a_b", "c"), named("a", "b_c"), named("a-b", "c"), named("Prod", "c"), named("prod", "c"), named("", "é")]
            .join("\n"),
        @r"
    metaxy_a_5fb__c
    metaxy_a__b_5fc
    metaxy_a_2db__c
    metaxy__50rod__c
    metaxy_prod__c
    metaxy____c3_a9
    "
    );
}
