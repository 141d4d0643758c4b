//! What is wrong with a file of rows.

use super::lossless_cast;
use crate::engine::{Cause, Class, Error, Refusal};

/// Why a file's rows cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` {what}")]
pub(super) struct Problem {
    file: String,
    what: String,
    help: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(file: &str, what: &str, help: Option<&'static str>) -> Self {
        Self { file: file.to_owned(), what: what.to_owned(), help }
    }

    /// What DuckDB says against a file, in the words of who named it: `path` is what DuckDB knows it by.
    pub(super) fn of_engine(file: &str, path: &str, error: &Error) -> Self {
        let message = error.without_hints();
        if let Some((_, what)) = message.split_once(lossless_cast::REFUSED) {
            return Self::new(file, what, Some(lossless_cast::HELP));
        }
        // The statement and the file that DuckDB names are not what the person wrote.
        let message = message.replace(path, file);
        let is_of_type = error.cause() == Some(Cause::ValueOfOtherType);
        Self::new(file, &["cannot be read: ", &message].concat(), is_of_type.then_some(lossless_cast::HELP))
    }
}

impl Refusal for Problem {
    fn help(&self) -> Option<String> {
        self.help.map(str::to_owned)
    }

    fn class(&self) -> Class {
        Class::Other
    }
}
