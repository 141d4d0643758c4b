//! A filter of rows: no panic, and its text means the same when it is read again.

use metaxy_store_duckdb::Filter;

/// Tries an input.
pub(crate) fn check(input: &str) {
    if let Ok(filter) = input.parse::<Filter>() {
        let again: Filter = filter.to_string().parse().expect("a filter that was read can be read again");
        assert_eq!(again.columns(), filter.columns());
    }
}
