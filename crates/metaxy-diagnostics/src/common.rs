//! The diagnostics that every TOML file can have, one constructor each.
//!
//! They are made without a place; [`Diagnostic::with_origin`] or [`Diagnostic::with_shown_origin`] adds it.

use std::fmt::Display;

use crate::diagnostic::Diagnostic;
use crate::suggest::{did_you_mean, excerpt, quoted};

/// The code of a text that is not TOML, or not JSON.
pub const SYNTAX: &str = "syntax";
/// The code of a key that its table does not have.
pub const UNKNOWN_KEY: &str = "unknown-key";
/// The code of a key that its table needs and lacks.
pub const MISSING_KEY: &str = "missing-key";
/// The code of a value of another type than its key has.
pub const WRONG_TYPE: &str = "wrong-type";
/// The code of an integer that is too small or too large.
pub const OUT_OF_RANGE: &str = "out-of-range";
/// The code of a value that is none of a few that exist.
pub const INVALID_CHOICE: &str = "invalid-choice";

impl Diagnostic {
    /// A text that the parser refuses; `message` is the parser's own, which never repeats the text.
    pub fn syntax(message: &str) -> Self {
        Self::error(SYNTAX, message.trim_end().replace('\n', ", "))
    }

    /// A key that is not among those of its table.
    pub fn unknown_key(key: &str, known: &[&str]) -> Self {
        let help = did_you_mean(key, known).unwrap_or_else(|| ["known keys: ", &quoted(known)].concat());
        Self::error(UNKNOWN_KEY, format!("unknown key `{}`", excerpt(key))).with_help(help)
    }

    /// A key that a table needs.
    pub fn missing_key(key: &str) -> Self {
        Self::error(MISSING_KEY, format!("missing key `{}`", excerpt(key)))
    }

    /// A value of another type: `expected` and `found` are words such as `a string` and `an integer`.
    pub fn wrong_type(expected: &str, found: &str) -> Self {
        Self::error(WRONG_TYPE, format!("expected {expected}, found {found}"))
    }

    /// An integer outside of a range.
    pub fn out_of_range(least: &dyn Display, most: &dyn Display) -> Self {
        Self::error(OUT_OF_RANGE, format!("expected an integer from {least} to {most}"))
    }

    /// A value that is none of `choices`, and that can be no secret.
    pub fn invalid_choice(found: &str, choices: &[&str]) -> Self {
        choice(&["unknown value `", &excerpt(found), "`"].concat(), found, choices)
    }

    /// A value that is none of `choices`, and that may be a secret in the wrong place, so that the message is without it.
    pub fn invalid_masked_choice(found: &str, choices: &[&str]) -> Self {
        choice("unknown value", found, choices)
    }
}

fn choice(message: &str, found: &str, choices: &[&str]) -> Diagnostic {
    let one_of = if choices.len() == 1 { "" } else { "one of " };
    let diagnostic = Diagnostic::error(INVALID_CHOICE, [message, "; expected ", one_of, &quoted(choices)].concat());
    match did_you_mean(found, choices) {
        Some(help) => diagnostic.with_help(help),
        None => diagnostic,
    }
}
