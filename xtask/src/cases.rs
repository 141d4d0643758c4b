//! `cases`: the tables of fixtures, each kind with what was tried, what was right, and what was refused clearly.
//!
//! The numbers are counted in the snapshots, which the tests compare with what the program says.

use std::path::Path;

use crate::error::{Error, Result};
use crate::repo::{Repo, read_text};
use crate::shell::say;

/// What each kind of promise is tried with: the beginnings of the names of snapshots.
const KINDS: [(&str, &[&str]); 6] = [
    (
        "where the data is",
        &[
            "it__cases__invalid@catalog-uris",
            "it__cases__invalid@data-path",
            "it__cases__invalid@databases",
            "it__cases__invalid@overlapping",
            "it__cases__invalid@path-",
            "it__cases__invalid@variable-unset-in-a-path",
            "it__cases__valid@catalog-without-prefix",
            "it__cases__valid@duckdb-databases",
            "it__cases__valid@path",
            "it__sessions__sessions@moved",
            "data-path-differs",
            "two-stores-on-one-data-path",
        ],
    ),
    (
        "secrets",
        &[
            "it__cases__invalid@credentials",
            "it__cases__invalid@hostile",
            "it__cases__invalid@keys-with-crlf",
            "it__cases__invalid@logins",
            "it__cases__invalid@secret-parameters",
            "it__cases__invalid@syntax",
            "it__cases__valid@every-field",
            "it__cases__valid@hostile",
            "it__fixtures__diagnostics@masked",
            "it__sessions__sessions@config",
            "it__sessions__sessions@env",
            "it__sessions__sessions@preview",
            "it__sessions__sessions@secrets",
        ],
    ),
    ("rows that are written and read", &["it__sessions__sessions@exact", "it__sessions__sessions@sql", "inlined-rows"]),
    (
        "errors and checks",
        &[
            "faults/",
            "doctor/snapshots/",
            "it__cases__invalid@",
            "it__fixtures__diagnostics@",
            "it__sessions__sessions@check",
            "it__sessions__sessions@doctor",
            "it__sessions__sessions@metadata-errors",
        ],
    ),
    ("what cannot be expressed elsewhere", &["it__cases__lakes@", "it__cases__valid@existing", "it__combinations__"]),
    ("as users of Python know it", &["it__cases__valid@", "it__fixtures__", "it__sessions__sessions@"]),
];

/// How many cases there are, and how they ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cases {
    right: usize,
    /// Refused, with the place or with what to do.
    clear: usize,
    /// Refused without either.
    bare: usize,
}

/// Prints the tables.
///
/// # Errors
///
/// When a file cannot be read, or a beginning of a name is that of no snapshot.
pub(crate) fn cases(repo: &Repo) -> Result<()> {
    let mut tables: Vec<Vec<(String, Cases)>> = KINDS.iter().map(|_| Vec::new()).collect();
    let mut used = Vec::new();
    for file in repo.files()? {
        let path = repo.relative(&file);
        // The first kind that names a snapshot has it.
        let found = KINDS.iter().enumerate().find_map(|(kind, (_, names))| {
            let name = names.iter().find(|name| is_named(&path, name))?;
            Some((kind, *name))
        });
        if let (Some((kind, name)), Some(text)) = (found, read_text(&file)?) {
            used.push(name);
            if let Some(table) = tables.get_mut(kind) {
                // A valid configuration may have warnings.
                let is_valid = path.contains("__valid@");
                let cases = if is_valid { Cases { right: 1, ..Cases::default() } } else { count(&text) };
                table.push((title(&path), cases));
            }
        }
    }
    for (kind, names) in KINDS {
        if let Some(name) = names.iter().find(|name| !used.contains(name)) {
            return Err(Error::new(format!("no snapshot of the kind `{kind}` begins with `{name}`"))
                .with_help("correct the table in xtask/src/cases.rs"));
        }
    }
    for ((kind, _), table) in KINDS.iter().zip(&tables) {
        say(format_args!("\n{kind}: {}", sum(table)));
        for (title, cases) in table {
            say(format_args!("  {title}: {}", shown(cases)));
        }
    }
    let all: Vec<_> = tables.into_iter().flatten().collect();
    say(format_args!("\nall: {}", sum(&all)));
    Ok(())
}

/// Whether a path is that of a snapshot that begins so, its folder being a part of the beginning or not.
fn is_named(path: &str, name: &str) -> bool {
    let has_beginning = path.match_indices(name).any(|(at, _)| path[..at].ends_with('/'));
    has_beginning && Path::new(path).extension().is_some_and(|extension| extension == "snap")
}

/// The name of a fixture.
fn title(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".snap");
    name.trim_start_matches("it__").replace("__", " ").replace('@', " ")
}

fn sum(table: &[(String, Cases)]) -> String {
    let add = |sum: Cases, (_, cases): &(String, Cases)| Cases {
        right: sum.right + cases.right,
        clear: sum.clear + cases.clear,
        bare: sum.bare + cases.bare,
    };
    format!("fixtures: {}, {}", table.len(), shown(&table.iter().fold(Cases::default(), add)))
}

fn shown(Cases { right, clear, bare }: &Cases) -> String {
    let refused = clear + bare;
    format!("tried: {}, right: {right}, refused: {refused}, of these with a place or help: {clear}", right + refused)
}

/// What a snapshot shows: a session of commands, what is wrong with a file, a report of the doctor, or something right.
fn count(snapshot: &str) -> Cases {
    let body = snapshot.splitn(3, "---\n").last().unwrap_or(snapshot);
    let is_command = |line: &str| line.starts_with("$ ") && line.split(' ').any(|word| word == "metaxy");
    let is_diagnostic = |line: &str| line.starts_with("error[") || line.starts_with("warning[");
    let is_finding = |line: &str| line.starts_with("failed   ") || line.starts_with("warning  ");
    let failed = |block: &str| block.lines().any(|line| line.starts_with("exit ") && line != "exit 0");
    let mut cases = Cases::default();
    let mut add = |block: &str, is_refused: bool| {
        let is_clear = ["help:", "-->", "to do:", "tip:", "Usage:"].iter().any(|word| block.contains(word));
        *match (is_refused, is_clear) {
            (false, _) => &mut cases.right,
            (true, true) => &mut cases.clear,
            (true, false) => &mut cases.bare,
        } += 1;
    };
    if body.lines().any(is_command) {
        let commands = blocks(body, |line| line.starts_with("$ "));
        let commands = commands.filter(|block| block.lines().next().is_some_and(is_command));
        commands.for_each(|block| add(block, failed(block)));
    } else if body.lines().any(is_diagnostic) {
        blocks(body, is_diagnostic).for_each(|block| add(block, true));
    } else if body.lines().any(is_finding) {
        blocks(body, is_finding).for_each(|block| add(block, true));
    } else {
        add(body, false);
    }
    cases
}

/// The parts of a text that begin with such a line.
fn blocks(text: &str, begins: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if begins(line.trim_end()) {
            starts.push(at);
        }
        at += line.len();
    }
    let ends: Vec<_> = starts.iter().copied().skip(1).chain([text.len()]).collect();
    starts.into_iter().zip(ends).filter_map(|(start, end)| text.get(start..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_counted_in_snapshots() {
        for (body, right, clear, bare) in [
            (
                "$ cp a b\n$ metaxy sql a\n1\nexit 0\n$ A=1 metaxy x\nstderr: help: b\nexit 1\n$ metaxy\nexit 2\n",
                1,
                1,
                1,
            ),
            ("error[a]: b\n --> c\n\nwarning[d]: e\n\ndoes not load\n", 0, 1, 1),
            ("store\n\nfailed   a: b\n   to do: c\nok       d\n", 0, 1, 0),
            ("store = 'dev'\n", 1, 0, 0),
        ] {
            let found = count(&["---\nsource: a\n---\n", body].concat());
            assert_eq!(found, Cases { right, clear, bare }, "{body}");
        }
    }
}
