//! The book in `docs/book`: what its pages show is typed and answered as they say.
//!
//! Each page has a folder of its own. In the order of the page,
//!
//! - a block that begins with `# file: NAME` becomes that file, and `# append: NAME` adds to it;
//! - in a block `console`, each line after `$ ` is run by a shell, with those that follow it after `> `; what stands
//!   below is what it prints, on stdout and stderr. `[…]` stands for what is left out.
//!
//! Variables lead to a PostgreSQL and an S3 server, which pages about them use.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use metaxy_testkit::{TempDir, assert_no_leak, deps};

use crate::servers::Servers;

/// Stands for anything, a part of a line or many lines.
const LEFT_OUT: &str = "[…]";

#[test]
fn every_block_of_the_book_is_as_the_program_does() {
    let mut wrong = String::new();
    let mut checked = 0;
    for page in pages(&root().join("docs/book/src")) {
        let text = fs::read_to_string(&page).expect("a readable page");
        if text.contains("```console") {
            wrong += &check(&page.display().to_string(), &text);
            checked += 1;
        }
    }
    assert!(checked > 5, "only {checked} pages have a block");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_commands_in_the_book_are_those_of_the_program() {
    let mut text = String::from(
        "# Commands\n\n<!-- Written from the program by `INSTA_UPDATE=always cargo test -p metaxy-cli --test it book`. -->\n",
    );
    describe(&mut Vec::new(), &mut text);
    let path = root().join("docs/book/src/reference/commands.md");
    if env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, &text).expect("a page that can be written");
    }
    assert!(fs::read_to_string(&path).is_ok_and(|page| page == text), "`{}` is out of date", path.display());
}

/// Adds what the help of a command says, and of those below it.
fn describe(path: &mut Vec<String>, text: &mut String) {
    let mut help = Command::new(env!("CARGO_BIN_EXE_metaxy"));
    help.env_clear().args(&*path).arg("--help");
    let output = help.output().expect("the program should start");
    assert!(output.status.success(), "{path:?}");
    let help = String::from_utf8(output.stdout).expect("help is UTF-8");
    // What every command takes is said once, with the program.
    let (own, after) = help.split_once("\nGlobal options:\n").unwrap_or((&help, ""));
    let after = if path.is_empty() {
        ["\nGlobal options:\n", after].concat()
    } else {
        after.find("\n\nE").map_or_else(String::new, |at| after[at + 1..].to_owned())
    };
    let title = [&["metaxy".to_owned()], path.as_slice()].concat().join(" ");
    let said = [own.trim_end(), "\n", &after].concat();
    text.extend(["\n## ", &title, "\n\n```text\n", said.trim_end(), "\n```\n"]);
    let commands = own.split_once("\nCommands:\n").map(|(_, rest)| rest.split("\n\n").next().unwrap_or_default());
    let names = commands.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    for name in names.filter(|name| !name.is_empty() && *name != "help") {
        path.push(name.to_owned());
        describe(path, text);
        path.pop();
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All pages below a folder, sorted.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut pages: Vec<_> = entries
        .flat_map(|path| if path.is_dir() { pages(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    pages
}

/// What differs on a page.
fn check(name: &str, page: &str) -> String {
    let home = TempDir::new();
    let servers = page.contains("DUCKLAKE_").then(Servers::start);
    check_in(&home, name, page, &|typed| run(typed, &home, servers.as_ref()))
}

/// What differs on a page whose files go into a folder. `run` gives what a command prints, and whether it went well.
pub(crate) fn check_in(home: &TempDir, name: &str, page: &str, run: &dyn Fn(&str) -> (String, bool)) -> String {
    let mut wrong = String::new();
    for (kind, block) in blocks(page) {
        if let Some((file, content)) = block.strip_prefix("# file: ").and_then(|rest| rest.split_once('\n')) {
            home.write(file, content);
        } else if let Some((file, content)) = block.strip_prefix("# append: ").and_then(|rest| rest.split_once('\n')) {
            let before = fs::read_to_string(home.join(file)).expect("a file that is there");
            home.write(file, [&before, "\n", content].concat());
        } else if kind == "console" {
            for (typed, shown) in commands(&block) {
                let (said, is_done) = run(&typed);
                // What is left out could hide a failure.
                if !matches(&shown, &said) || (!is_done && !shown.contains("error")) {
                    wrong.extend([name, ":\n$ ", &typed, "\n", &said, "--- and not, as it says:\n", &shown, "\n"]);
                }
            }
        }
    }
    wrong
}

/// The fenced blocks of a page, each with its kind.
pub(crate) fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => open = Some((kind.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, block))) => *block += &[line, "\n"].concat(),
            (None, None) => {}
        }
    }
    blocks
}

/// The commands of a block, each with what is shown below it.
fn commands(block: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push((command.to_owned(), String::new()));
        } else if let Some((command, shown)) = commands.last_mut() {
            match line.strip_prefix("> ").filter(|_| shown.is_empty()) {
                Some(more) => *command += &["\n", more].concat(),
                None => *shown += &[line, "\n"].concat(),
            }
        }
    }
    commands
}

/// Runs a command in a shell; all that it prints, and whether it went well.
fn run(command: &str, home: &TempDir, servers: Option<&Servers>) -> (String, bool) {
    let mut shell = Command::new("sh");
    let program = Path::new(env!("CARGO_BIN_EXE_metaxy")).parent().expect("a folder").to_owned();
    let path = [program.display().to_string().as_str(), ":/usr/bin:/bin"].concat();
    shell.arg("-c").arg(["exec 2>&1\n", command].concat()).current_dir(home.path());
    shell.env_clear().env("PATH", path).env("HOME", home.path()).env("TZ", "UTC");
    shell.env("METAXY_EXTENSION_DIRECTORY", deps().extensions());
    shell.envs(servers.map(|servers| servers.variables.clone()).into_iter().flatten());
    said(shell)
}

/// All that a shell prints whose stderr is its stdout, and whether it went well.
pub(crate) fn said(mut shell: Command) -> (String, bool) {
    let output = shell.output().expect("a shell should start");
    let said = String::from_utf8(output.stdout).expect("output is UTF-8");
    assert_no_leak(&said, "a block of the book");
    (said.lines().map(|line| [line.trim_end(), "\n"].concat()).collect(), output.status.success())
}

/// Whether a text is what is shown, with anything where something was left out.
fn matches(shown: &str, said: &str) -> bool {
    let parts: Vec<&str> = shown.split(LEFT_OUT).collect();
    let [first, .., last] = parts.as_slice() else { return shown.trim_end() == said.trim_end() };
    let Some(mut rest) = said.strip_prefix(first) else { return false };
    for part in &parts[1..parts.len() - 1] {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.trim_end().ends_with(last.trim_end())
}

#[test]
fn what_is_left_out_may_be_anything_and_nothing_else_may() {
    for (shown, said, is_it) in [
        ("a\n", "a\n", true),
        ("a\n", "b\n", false),
        ("a […] b\n", "a long way to b\n", true),
        ("a […] b\n", "a long way to c\n", false),
        ("[…]\nend\n", "much\nmore\nend\n", true),
        ("a […] c […] b\n", "a b\n", false),
        ("", "something\n", false),
    ] {
        assert_eq!(matches(shown, said), is_it, "{shown:?} {said:?}");
    }
}
