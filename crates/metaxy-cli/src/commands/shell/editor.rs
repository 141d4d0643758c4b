//! Lines that are typed: editing, history, completion, and when a statement is complete.

use std::path::PathBuf;

use ducklake_sql::Sql as Statement;
use etcetera::BaseStrategy as _;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Helper};

use crate::error::Error;

/// The commands of the shell itself.
pub(super) const COMMANDS: [(&str, &str); 5] = [
    ("\\d", "list the tables"),
    ("\\d TABLE", "describe a table, or that of a feature, as in `\\d video/crop`"),
    (".read FILE", "run the statements of a file"),
    ("\\?", "show the commands"),
    ("\\q", "end the session, as Ctrl-D does"),
];

/// The words of SQL that are completed.
const KEYWORDS: &str = "ALTER AND AS ASC BETWEEN BY CASE CAST COUNT CREATE DELETE DESC DESCRIBE DISTINCT DROP ELSE END EXCEPT \
     EXISTS EXPLAIN FROM GROUP HAVING IN INSERT INTERSECT INTO IS JOIN LEFT LIKE LIMIT NOT NULL ON OR ORDER OVER PARTITION \
     QUALIFY SELECT SET SHOW SUMMARIZE TABLE TABLES THEN UNION UPDATE USING VALUES WHEN WHERE WITH";

/// So many lines are remembered.
const REMEMBERED: usize = 10_000;

/// What can be completed beside the words of SQL.
#[derive(Debug)]
pub(super) struct Words {
    /// Tables and columns.
    pub(super) names: Vec<String>,
    /// The keys of features.
    pub(super) features: Vec<String>,
}

/// Reads lines from the terminal, or from whatever stdin is.
pub(super) struct Editor {
    editor: rustyline::Editor<Help, FileHistory>,
    /// Where lines are remembered from one session to the next, if there is a folder for that.
    history: Option<PathBuf>,
}

impl Editor {
    pub(super) fn new(words: Words) -> Result<Self, Error> {
        let failed = |error: ReadlineError| Error::Terminal(error.to_string());
        let config = Config::builder().max_history_size(REMEMBERED).map_err(failed)?;
        let config = config.history_ignore_space(true).auto_add_history(false).build();
        let mut editor = rustyline::Editor::with_config(config).map_err(failed)?;
        editor.set_helper(Some(Help(words)));
        let history = etcetera::choose_base_strategy()
            .ok()
            .map(|base| base.state_dir().unwrap_or_else(|| base.data_dir()).join("metaxy").join("history"));
        if let Some(path) = &history {
            // There is none yet, or it is one of another program: a session goes without.
            drop(editor.load_history(path));
        }
        Ok(Self { editor, history })
    }

    /// The next statements, or a command of the shell.
    pub(super) fn read_line(&mut self) -> Result<String, ReadlineError> {
        let line = self.editor.readline("metaxy> ")?;
        if may_be_remembered(&line) {
            self.editor.add_history_entry(line.as_str())?;
        }
        Ok(line)
    }

    /// Remembers the lines for the next session.
    pub(super) fn save(&mut self) {
        if let Some(path) = &self.history {
            let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            // A session that cannot be remembered is over all the same.
            drop(folder.map(|()| self.editor.save_history(path)));
        }
    }
}

/// Whether a line has no word that stands before a secret.
fn may_be_remembered(line: &str) -> bool {
    let line = line.to_lowercase();
    !["secret", "password", "token"].iter().any(|word| line.contains(word))
}

/// What the editor asks while a line is typed.
struct Help(Words);

impl Helper for Help {}

impl Hinter for Help {
    type Hint = String;
}

impl Highlighter for Help {}

impl Validator for Help {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let is_whole = is_complete(context.input());
        Ok(if is_whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

/// Whether there is nothing to be typed any more: a command of the shell, or statements that end in `;`.
fn is_complete(text: &str) -> bool {
    let text = text.trim();
    if text.is_empty() || text.starts_with(['\\', '.']) {
        return true;
    }
    // In a text or a comment that is still open, `;` ends nothing, and stays in the last statement.
    text.ends_with(';') && Statement::script(text).last().is_none_or(|last| !last.text().trim_end().ends_with(';'))
}

impl Completer for Help {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, words) = self.0.completions(line.get(..position).unwrap_or_default());
        let pair = |word: String| Pair { display: word.clone(), replacement: word };
        Ok((start, words.into_iter().map(pair).collect()))
    }
}

impl Words {
    /// Where the last word of a line begins, and what it may be.
    fn completions(&self, line: &str) -> (usize, Vec<String>) {
        let start = line.rfind(|char: char| char.is_whitespace() || "(),;.=<>".contains(char)).map_or(0, |at| at + 1);
        let is_command = line.trim_start().starts_with(['\\', '.']);
        if is_command && !line.contains(char::is_whitespace) {
            let commands = COMMANDS.iter().filter_map(|(command, _)| command.split(' ').next());
            let mut commands: Vec<String> =
                commands.filter(|command| command.starts_with(line)).map(str::to_owned).collect();
            commands.dedup();
            return (0, commands);
        }
        let word = &line[start..];
        let begins = |known: &str| known.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
        let mut found: Vec<String> = self.names.iter().filter(|name| begins(name)).map(|name| quoted(name)).collect();
        if is_command {
            found.extend(self.features.iter().filter(|key| begins(key)).cloned());
        } else if !word.is_empty() {
            found.extend(KEYWORDS.split(' ').filter(|keyword| begins(keyword)).map(str::to_owned));
        }
        (start, found)
    }
}

/// A name as SQL has it.
fn quoted(name: &str) -> String {
    let is_plain = name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
        && !name.starts_with(|char: char| char.is_ascii_digit());
    if is_plain { name.to_owned() } else { ["\"", &name.replace('"', "\"\""), "\""].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_complete_with_its_semicolon() {
        for (text, expected) in [
            ("", true),
            ("\\d", true),
            (".read a.sql", true),
            ("SELECT 1", false),
            ("SELECT 1;", true),
            ("SELECT 1; SELECT", false),
            ("SELECT ';", false),
            ("SELECT '\n;", false),
            ("SELECT ';';", true),
            ("SELECT 1 /* ;", false),
        ] {
            assert_eq!(is_complete(text), expected, "{text}");
        }
    }

    #[test]
    fn the_last_word_is_completed() {
        let names = ["video__raw", "id", "Frames"].map(str::to_owned).to_vec();
        let words = Words { names, features: vec!["video/raw".to_owned()] };
        for (line, start, expected) in [
            ("SELECT i", 7, &["id", "IN", "INSERT", "INTERSECT", "INTO", "IS"][..]),
            ("FROM vid", 5, &["video__raw"]),
            ("SELECT fr", 7, &["\"Frames\"", "FROM"]),
            ("SELECT t.fr", 9, &["\"Frames\"", "FROM"]),
            ("\\d vid", 3, &["video__raw", "video/raw"]),
            ("\\", 0, &["\\d", "\\?", "\\q"]),
            (".re", 0, &[".read"]),
        ] {
            let (found_start, found) = words.completions(line);
            assert_eq!(
                (found_start, found.iter().map(String::as_str).collect::<Vec<_>>()),
                (start, expected.to_vec()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_may_hold_a_secret_is_not_remembered() {
        assert!(may_be_remembered("SELECT 1;"));
        assert!(!may_be_remembered("CREATE SECRET s (TYPE s3, KEY_ID 'a');"));
        assert!(!may_be_remembered("SET password = 'a';"));
    }
}
