//! How long a source file may be: one over [`MOST_LINES`] says at its top why it is one.

use super::Finding;

/// The lines of a file that a reader takes in as one room.
const MOST_LINES: usize = 500;

/// How the reason begins, in the comment of the module.
const REASON: &str = "//! One file because ";

/// Checks one Rust source, given by its name from the root. Tests may be as long as they have cases.
pub(super) fn check(file: &str, text: &str) -> Option<Finding> {
    if file.contains("/tests/") || file.ends_with("/tests.rs") {
        return None;
    }
    // Tests stand at the end of a file.
    let own = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let lines = own.lines().count();
    let has_reason = || text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.starts_with(REASON));
    if lines <= MOST_LINES || has_reason() {
        return None;
    }
    let message = format!("has {lines} lines without its tests: split it, or say at its top why not (`{REASON}…`)");
    Some(Finding::new(file, 0, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_found(file: &str, head: &str, lines: usize, tests: &str) -> bool {
        let body = "fn f() {}\n".repeat(lines);
        check(file, &format!("//! A module.\n{head}{body}{tests}")).is_some()
    }

    #[test]
    fn a_long_file_needs_a_reason() {
        assert!(!is_found("a/src/b.rs", "", MOST_LINES - 1, ""));
        assert!(is_found("a/src/b.rs", "", MOST_LINES, ""));
        assert!(!is_found("a/src/b.rs", "//!\n//! One file because all of it is data.\n", MOST_LINES, ""));
    }

    #[test]
    fn tests_do_not_count() {
        let tests = format!("\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(MOST_LINES));
        assert!(!is_found("a/src/b.rs", "", 10, &tests));
        assert!(!is_found("a/tests/it/main.rs", "", 2 * MOST_LINES, ""));
    }
}
