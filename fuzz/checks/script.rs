//! A script of SQL, and texts with credentials in them: no panic, each statement is one statement, and nothing is masked
//! by halves.

use ducklake_sql::{Sql, mask_credentials};

/// Tries an input.
pub(crate) fn check(input: &str) {
    for statement in Sql::script(input) {
        let again = Sql::script(statement.text());
        assert_eq!(again.iter().map(Sql::text).collect::<Vec<_>>(), [statement.text()]);
        assert!(statement.text().ends_with(statement.text_without_comments()));
    }
    let masked = mask_credentials(input);
    assert_eq!(mask_credentials(&masked), masked);
}
