//! `codegen [--check]`: writes the files that are generated from the types of `metaxy-config`.

mod keys;

use std::fs;

use crate::error::{Context, Error, Result};
use crate::repo::Repo;
use crate::shell::say;

/// A file of the repository and what it has to hold.
type Generated = (&'static str, fn() -> String);

/// Every generated file.
const FILES: [Generated; 3] = [
    ("schema/metaxy.schema.json", metaxy_config::schema_json),
    ("docs/reference/diagnostics.md", metaxy_config::diagnostics_page),
    ("docs/book/src/reference/keys.md", keys::page),
];

/// Whether to write the files or to compare with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write what differs.
    Write,
    /// Fail on what differs.
    Check,
}

/// Writes or checks every generated file.
///
/// # Errors
///
/// When a file cannot be read or written, or differs in [`Mode::Check`].
pub(crate) fn codegen(repo: &Repo, mode: Mode) -> Result<()> {
    generate(repo, mode, "codegen", FILES.map(|(name, content)| (name.to_owned(), content())))
}

/// Writes or checks files, each a name and what it has to hold, for the task that is named.
pub(crate) fn generate(
    repo: &Repo,
    mode: Mode,
    task: &str,
    files: impl IntoIterator<Item = (String, String)>,
) -> Result<()> {
    let mut differences = Vec::new();
    for (name, content) in files {
        let path = repo.path(&name);
        let generated = with_last_newline(content);
        let present = if path.exists() {
            fs::read_to_string(&path).context(|| format!("cannot read `{name}`"))?
        } else {
            String::new()
        };
        match (first_difference(&present, &generated), mode) {
            (None, _) => {}
            (Some(difference), Mode::Check) => differences.push(format!("\n  {name}{difference}")),
            (Some(_), Mode::Write) => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder).context(|| format!("cannot make the folder of `{name}`"))?;
                }
                fs::write(&path, generated).context(|| format!("cannot write `{name}`"))?;
                say(format_args!("{task}: wrote {name}"));
            }
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!("generated files that are out of date:{}", differences.concat());
    Err(Error::new(message).with_help(format!("run `cargo xtask {task}` and commit what it writes")))
}

/// The same text, ending in one newline.
fn with_last_newline(text: String) -> String {
    if text.ends_with('\n') { text } else { text + "\n" }
}

/// Where two texts begin to differ, as lines to show; `None` when they are the same.
fn first_difference(present: &str, generated: &str) -> Option<String> {
    if present == generated {
        return None;
    }
    let (mut old, mut new) = (present.split_inclusive('\n'), generated.split_inclusive('\n'));
    let mut line = 1;
    loop {
        match (old.next(), new.next()) {
            (Some(old), Some(new)) if old == new => line += 1,
            (old, new) => {
                let shown = |line: Option<&str>| line.map_or("(end of file)".to_owned(), |line| format!("{line:?}"));
                return Some(format!(":{line}\n    on disk   {}\n    generated {}", shown(old), shown(new)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_fails_with_the_first_difference_until_the_file_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let repo = Repo::at(folder.path());
        let generate = |mode| generate(&repo, mode, "codegen", [("docs/page.md".to_owned(), "one\ntwo".to_owned())]);
        fs::create_dir(folder.path().join("docs")).expect("a folder");
        fs::write(folder.path().join("docs/page.md"), "one\n2\n").expect("a file");

        let error = generate(Mode::Check).expect_err("it is out of date");
        let expected = "generated files that are out of date:\n  docs/page.md:2\n    \
                        on disk   \"2\\n\"\n    generated \"two\\n\"";
        assert_eq!(error.to_string(), expected);

        generate(Mode::Write).expect("it is written");
        generate(Mode::Check).expect("it is up to date");
    }

    #[test]
    fn what_is_committed_is_what_is_generated() {
        let repo = Repo::find().expect("the repository");
        if let Err(error) = codegen(&repo, Mode::Check) {
            panic!("{}", error.report());
        }
    }
}
