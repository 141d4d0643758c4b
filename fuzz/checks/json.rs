//! JSON, whose canonical text makes the versions of features: no panic, and the text is that of itself.

use metaxy_feature::Json;

/// Tries an input.
pub(crate) fn check(input: &str) {
    if let Ok(value) = Json::parse(input) {
        let canonical = value.canonical();
        let again = Json::parse(&canonical).expect("canonical JSON is JSON");
        assert_eq!(again.canonical(), canonical);
    }
}
