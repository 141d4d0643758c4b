//! The one error of a task: what went wrong, why, and what to do about it.

use std::error::Error as StdError;
use std::fmt;

/// The result of a task.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, with what caused it and what to do about it where that is known.
#[derive(Debug)]
pub(crate) struct Error {
    message: String,
    help: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error that says `message`, a lowercase fragment.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, source: None }
    }

    /// The same error, with what to do about it.
    pub(crate) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same error, with what to do about it unless it says so itself.
    pub(crate) fn or_help(self, help: impl Into<String>) -> Self {
        Self { help: self.help.or_else(|| Some(help.into())), ..self }
    }

    /// The same error, with what caused it.
    pub(crate) fn caused_by(self, source: impl StdError + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }

    /// The whole report: the message, its causes, the help.
    pub(crate) fn report(&self) -> Report<'_> {
        Report(self)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Shows an [`Error`] with its causes and its help, over several lines.
#[derive(Debug)]
pub(crate) struct Report<'a>(&'a Error);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, "\n  because: {error}")?;
            cause = error.source();
        }
        match &self.0.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

/// Says what was being done when a foreign error came up.
pub(crate) trait Context<T> {
    /// Wraps the error in one that says `message`.
    fn context(self, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: StdError + Send + Sync + 'static> Context<T> for std::result::Result<T, E> {
    fn context(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::new(message()).caused_by(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_has_message_causes_and_help() {
        let error = Err::<(), _>(std::io::Error::other("disk on fire")).context(|| "cannot write".to_owned());
        let error = error.expect_err("it is an error").with_help("buy another disk");
        let report = error.report().to_string();
        assert_eq!(report, "error: cannot write\n  because: disk on fire\nhelp: buy another disk");
    }
}
