//! Sessions at a shell, each a file of `tests/sessions`: what is typed there, and in the snapshot what is answered.
//!
//! A session is a list of lines of this kind, each in a shell's words:
//!
//! - `metaxy …`, with `NAME=value` before it and `echo text |` before that;
//! - `cp FIXTURE FILE`, from `tests/fixtures`, `{SECRET}` replaced by a secret; `mkdir FOLDER`; `ls`; `cat FILE`;
//! - `# …`, a comment.

use std::fs;
use std::path::{Path, PathBuf};

use metaxy_testkit::{MARKER, SNAPSHOT_FILTERS, TempDir};

use crate::run::{SECRET, metaxy, run};

/// When a graph was recorded.
const WHEN: (&str, &str) = (r#"([" ])20\d\d-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?"#, "$1[WHEN]");

// Two tests, since each session takes its time and the two run side by side.

#[test]
fn sessions_about_configurations_and_lakes() {
    all(|first| !('f'..='p').contains(&first));
}

#[test]
fn sessions_about_features() {
    all(|first| ('f'..='p').contains(&first));
}

/// Runs the sessions whose names begin in a way. `insta::glob!` would take failures of other tests' threads for its own.
fn all(is_one: impl Fn(char) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions");
    let entries = fs::read_dir(&folder).expect("the sessions").map(|entry| entry.expect("an entry").path());
    let mut sessions: Vec<PathBuf> = entries.collect();
    sessions.sort();
    let filters: Vec<_> = SNAPSHOT_FILTERS.iter().copied().chain([WHEN]).collect();
    for path in sessions {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        if !name.chars().next().is_some_and(&is_one) {
            continue;
        }
        let transcript = check(&fs::read_to_string(&path).expect("a readable session"));
        insta::with_settings!({
            filters => filters.iter().copied(),
            omit_expression => true,
            snapshot_suffix => name,
            input_file => path,
        }, {
            insta::assert_snapshot!("sessions", transcript);
        });
    }
}

/// Runs a session; its lines, each with what was answered.
fn check(session: &str) -> String {
    let folder = TempDir::new();
    let mut transcript = String::new();
    for line in session.lines() {
        transcript += if line.is_empty() || line.starts_with('#') { "" } else { "$ " };
        transcript += line;
        transcript += "\n";
        transcript += &typed(line, &folder);
    }
    transcript
}

fn typed(line: &str, folder: &TempDir) -> String {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["#", ..] => String::new(),
        ["cp", fixture, file] => {
            let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
            let text = fs::read_to_string(&fixture).unwrap_or_else(|error| panic!("{}: {error}", fixture.display()));
            folder.write(file, text.replace(SECRET, MARKER));
            String::new()
        }
        ["mkdir", name] => {
            fs::create_dir(folder.join(name)).expect("a new folder");
            String::new()
        }
        ["cat", file] => fs::read_to_string(folder.join(file)).expect("a file that was written"),
        ["ls"] => folder.files().join("\n") + "\n",
        ["echo", input, "|", command @ ..] => program(command, input, folder),
        command => program(command, "", folder),
    }
}

fn program(words: &[&str], input: &str, folder: &TempDir) -> String {
    let program = words.iter().position(|word| *word == "metaxy").unwrap_or_else(|| panic!("no command: {words:?}"));
    let mut command = metaxy(folder, &words[program + 1..]);
    for variable in &words[..program] {
        let (name, value) = variable.split_once('=').unwrap_or_else(|| panic!("no variable: {variable}"));
        command.env(name, value.replace(SECRET, MARKER));
    }
    // Only what opens a lake needs extensions; a preview would show where they are.
    let opens = [
        "sql",
        "doctor",
        "push",
        "history",
        "metadata",
        "features",
        "graph",
        "graph-diff",
        "plan",
        "apply",
        "snapshots",
        "changes",
        "maintain",
        "backup",
        "restore",
        "migrate",
    ];
    if words.iter().any(|word| opens.contains(word)) {
        command.env("METAXY_EXTENSION_DIRECTORY", metaxy_testkit::deps().extensions());
        // The fixtures turn the check of signatures off, which takes its time.
        command.env("METAXY_TRUST", "1");
    }
    run(&mut command, input).transcript()
}

/// The words of a line, as a shell reads them: `'…'` and `"…"` are one word, and `\n` in it is a new line.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match character {
            '\'' | '"' if quote.is_none_or(|quote| quote == character) => {
                quote = if quote.is_none() { Some(character) } else { None };
                word.get_or_insert_default();
            }
            ' ' if quote.is_none() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words.into_iter().map(|word| word.replace("\\n", "\n")).collect()
}
