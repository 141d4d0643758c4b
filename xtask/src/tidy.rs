//! `tidy`: the rules of this repository that the compiler and clippy do not hold.
//!
//! One module per kind of rule; each is a pure function from what it looks at to [`Finding`]s, so that its tests show
//! it failing on a bad input. `cargo test` runs all of them on the repository itself.

mod edges;
mod engine_texts;
mod floors;
mod lengths;
mod links;
mod manifests;
mod shown_by;
mod sources;
mod supply;
mod texts;

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::metadata::Metadata;
use crate::repo::{Repo, read_text};
use crate::shell::say;

/// One place where a rule is broken.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// The file, from the root.
    file: String,
    /// The line, from 1; 0 when it is about the whole file.
    line: usize,
    /// What is wrong, and what to do instead.
    message: String,
}

impl Finding {
    fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Checks the whole repository.
///
/// # Errors
///
/// When a rule is broken; the error lists every place.
pub(crate) fn tidy(repo: &Repo) -> Result<()> {
    let metadata = Metadata::read(repo)?;
    let mut findings = edges::check(&metadata);
    findings.extend(supply::check(&metadata));
    let mut exposures = sources::Exposures::default();
    let mut engine_texts = engine_texts::EngineTexts::default();
    let mut shown_by = shown_by::ShownBy::default();
    let mut files = 0;
    for path in repo.files()? {
        let Some(text) = read_text(&path)? else { continue };
        let name = repo.relative(&path);
        files += 1;
        findings.extend(texts::check(&name, &text));
        if has_extension(&path, "md") {
            shown_by.read_page(&name, &text);
            findings.extend(links::check(&name, &text, |file| {
                read_text(&repo.path(file)).ok().map(Option::unwrap_or_default)
            }));
        }
        if has_extension(&path, "rs") {
            findings.extend(sources::check(&name, &text, &mut exposures));
            findings.extend(floors::check(&name, &text));
            findings.extend(lengths::check(&name, &text));
            engine_texts.read(&name, &text);
            shown_by.read_source(&text);
        }
        if path.file_name().is_some_and(|file| file == "Cargo.toml") {
            findings.extend(manifests::check(&name, &text));
        }
    }
    findings.extend(exposures.check());
    findings.extend(engine_texts.check());
    findings.extend(shown_by.check());
    if findings.is_empty() {
        say(format_args!("tidy: {files} files, nothing to complain about"));
        return Ok(());
    }
    findings.sort();
    let list: Vec<_> = findings.iter().map(|finding| format!("\n  {finding}")).collect();
    Err(Error::new(format!("the repository is not tidy:{}", list.concat())))
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let repo = Repo::find().expect("the repository");
        if let Err(error) = tidy(&repo) {
            panic!("{}", error.report());
        }
    }
}
