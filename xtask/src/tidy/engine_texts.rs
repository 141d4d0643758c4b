//! What DuckDB and the servers behind it say is compared in one file: nowhere else does a source hold such a text, or
//! look for one in the text of an error.

use proc_macro2::{Delimiter, Group, Literal, TokenStream, TokenTree};

use super::Finding;

/// The folder that holds the table of texts, and what is made of them.
const OWN: &str = "crates/metaxy-store-duckdb/src/engine/cause/";

/// The table.
const TABLE: &str = "crates/metaxy-store-duckdb/src/engine/cause/patterns.rs";

/// The constants of the table that hold texts; in the first, the texts of one list occur together.
const TABLES: [&str; 3] = ["PATTERNS", "POSTGRES", "HINTS"];

/// Methods that look for a text in another.
const SEARCHES: [&str; 12] = [
    "contains",
    "ends_with",
    "find",
    "match_indices",
    "matches",
    "rfind",
    "rsplit_once",
    "split",
    "split_once",
    "starts_with",
    "strip_prefix",
    "strip_suffix",
];

/// Methods that give an error's text.
const TEXTS: [&str; 5] = ["to_string", "reason", "without_hints", "engine_error", "into_engine_error"];

/// A text of an engine, shorter ones being words of any sentence.
const SHORTEST: usize = 10;

/// The texts of the table, and the text literals of all other sources.
#[derive(Debug, Default)]
pub(super) struct EngineTexts {
    /// Parts that occur together.
    known: Vec<Vec<String>>,
    used: Vec<(String, usize, String)>,
    findings: Vec<Finding>,
}

impl EngineTexts {
    /// Reads one source file, given by its name from the root.
    pub(super) fn read(&mut self, file: &str, text: &str) {
        let is_source = file.starts_with("crates/") && file.contains("/src/");
        if !is_source || file.starts_with("crates/metaxy-testkit/") || file.ends_with("tests.rs") {
            return;
        }
        // A file that is no Rust is found by the rules on sources.
        let Ok(tokens) = text.parse::<TokenStream>() else { return };
        if file == TABLE {
            self.read_table(&tokens.into_iter().collect::<Vec<_>>());
        } else if !file.starts_with(OWN) {
            self.walk(file, tokens);
        }
    }

    /// What breaks the rule.
    pub(super) fn check(self) -> Vec<Finding> {
        let mut findings = self.findings;
        if self.known.is_empty() {
            findings.push(Finding::new(TABLE, 0, "the table of engine texts is not there: was it moved?"));
        }
        for (file, line, literal) in &self.used {
            if let Some(known) = self.known.iter().find(|known| known.iter().all(|part| literal.contains(part))) {
                let known = known.join("…");
                let message =
                    format!("`{known}` is what an engine says: compare causes, and leave the text to `{TABLE}`");
                findings.push(Finding::new(file, *line, message));
            }
        }
        findings
    }

    /// Takes the literals of the constants that are tables.
    fn read_table(&mut self, tokens: &[TokenTree]) {
        for (index, token) in tokens.iter().enumerate() {
            let is_table = matches!(token, TokenTree::Ident(name) if TABLES.iter().any(|table| name == table))
                && matches!(tokens.get(index.wrapping_sub(1)), Some(TokenTree::Ident(word)) if word == "const");
            if is_table {
                let end = |token: &&TokenTree| !matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';');
                let is_together = matches!(token, TokenTree::Ident(name) if name == TABLES[0]);
                let value: TokenStream = tokens[index..].iter().take_while(end).cloned().collect();
                self.add(value, is_together);
            }
        }
    }

    /// Adds the texts of lists.
    fn add(&mut self, tokens: TokenStream, is_together: bool) {
        let mut parts = Vec::new();
        for token in tokens {
            match token {
                TokenTree::Literal(literal) => parts.extend(text_of(&literal)),
                TokenTree::Group(group) => self.add(group.stream(), is_together),
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
        let entries = if is_together { vec![parts] } else { parts.into_iter().map(|part| vec![part]).collect() };
        for entry in entries {
            let parts: Vec<String> =
                entry.iter().flat_map(|text| text.split('%')).map(|part| part.trim().to_owned()).collect();
            if parts.iter().map(String::len).sum::<usize>() >= SHORTEST {
                self.known.push(parts);
            }
        }
    }

    /// Notes literals, and searches in the text of an error, but for modules of tests and attributes.
    fn walk(&mut self, file: &str, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut is_test = false;
        for (index, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket && is_attribute(&tokens, index) => {
                    is_test |= group.stream().to_string().replace(' ', "") == "cfg(test)";
                }
                TokenTree::Group(group) if is_test && group.delimiter() == Delimiter::Brace => is_test = false,
                TokenTree::Group(group) => self.walk(file, group.stream()),
                TokenTree::Punct(punct) if punct.as_char() == ';' => is_test = false,
                TokenTree::Literal(literal) => {
                    if let Some(text) = text_of(literal) {
                        self.used.push((file.to_owned(), literal.span().start().line, text));
                    }
                }
                TokenTree::Ident(name) if SEARCHES.iter().any(|search| name == search) => {
                    let is_of_literal =
                        matches!(tokens.get(index + 1), Some(TokenTree::Group(group)) if is_literal(group));
                    if is_of_literal && let Some(of) = text_of_error(&tokens[..index]) {
                        let message =
                            format!("`.{of}().{name}(…)` looks for a text in that of an error: ask for its cause");
                        self.findings.push(Finding::new(file, name.span().start().line, message));
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

/// Whether a group is that of `#[…]` or `#![…]`.
fn is_attribute(tokens: &[TokenTree], index: usize) -> bool {
    matches!(tokens.get(index.wrapping_sub(1)), Some(TokenTree::Punct(punct)) if "#!".contains(punct.as_char()))
}

/// Whether arguments are one text.
fn is_literal(arguments: &Group) -> bool {
    let mut tokens = arguments.stream().into_iter();
    matches!((tokens.next(), tokens.next()), (Some(TokenTree::Literal(literal)), None) if text_of(&literal).is_some())
}

/// The method that gave an error's text, where `.` and a call of it on something called an error come before.
fn text_of_error(before: &[TokenTree]) -> Option<String> {
    let [.., TokenTree::Ident(of), TokenTree::Group(_), TokenTree::Punct(dot)] = before else { return None };
    if dot.as_char() != '.' || !TEXTS.iter().any(|text| of == text) {
        return None;
    }
    let called_on = &before[..before.len() - 3];
    let is_error = match called_on {
        [.., TokenTree::Ident(name), TokenTree::Punct(_)] => {
            ["error", "said", "failure", "problem"].iter().any(|word| name.to_string().contains(word))
        }
        _ => false,
    };
    is_error.then(|| of.to_string())
}

/// The text of a literal, its escapes for quotes undone; `None` for other literals.
fn text_of(literal: &Literal) -> Option<String> {
    let written = literal.to_string();
    let inner = written.trim_start_matches(['b', 'r', '#']).strip_prefix('"')?;
    let inner = inner.trim_end_matches('#').strip_suffix('"')?;
    Some(inner.replace("\\\"", "\"").replace("\\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATTERNS: &str = r#"
        const PATTERNS: &[Pattern] = &[says(System::Libpq, &["password is wrong"], Cause::WrongPassword),
            says(System::DuckDb, &["a table", "that fell off"], Cause::MissingTable)];
        const POSTGRES: &[(Cause, &[&str])] = &[(Cause::UnknownDatabase, &["the database%is not there", "it"])];
        const OTHER: &str = "some other text";
    "#;

    fn findings(file: &str, source: &str) -> Vec<(usize, String)> {
        let mut texts = EngineTexts::default();
        texts.read(TABLE, PATTERNS);
        texts.read(file, source);
        texts.check().into_iter().map(|finding| (finding.line, finding.message)).collect()
    }

    #[test]
    fn an_engine_text_elsewhere_is_found() {
        for bad in [
            r#"const DENIED: &str = "password is wrong";"#,
            r#"fn f(text: &str) { g(text.contains("FATAL: password is wrong")) }"#,
            r#"fn f(text: &str) { match text { "the database `x` is not there" => 1, _ => 2 } }"#,
            r#"const TABLE: &str = "a table that fell off";"#,
            "#[cfg(test)]\nmod tests;\nconst DENIED: &str = \"password is wrong\";",
        ] {
            let found = findings("crates/metaxy-cli/src/error.rs", bad);
            assert_eq!(found.len(), 1, "{bad}: {found:?}");
            assert!(found[0].1.contains("compare causes"), "{found:?}");
        }
    }

    #[test]
    fn a_search_in_the_text_of_an_error_is_found() {
        for bad in [
            r#"fn f(error: &Error) -> bool { error.to_string().contains("odd") }"#,
            r#"fn f(engine_error: Error) -> bool { g(engine_error.reason().starts_with("odd")) }"#,
        ] {
            let found = findings("crates/metaxy-cli/src/error.rs", bad);
            assert_eq!(found.len(), 1, "{bad}: {found:?}");
            assert!(found[0].1.contains("ask for its cause"), "{found:?}");
        }
    }

    #[test]
    fn what_is_not_about_errors_passes() {
        for good in [
            r#"fn f(path: &Path) -> bool { path.to_string().contains("://") }"#,
            r#"fn f() -> &str { "some other text, the database, a table" } /* password is wrong */"#,
            "#[cfg(test)]\nmod tests { const SAID: &str = \"password is wrong\"; }",
            r#"#[expect(clippy::panic, reason = "password is wrong")] fn f() {}"#,
        ] {
            assert_eq!(findings("crates/metaxy-cli/src/error.rs", good), [], "{good}");
        }
        let said = r#"const SAID: &str = "password is wrong";"#;
        for file in ["crates/metaxy-cli/tests/it/main.rs", "crates/metaxy-store-duckdb/src/lake/open/tests.rs", TABLE] {
            assert_eq!(findings(file, said), [], "{file}");
        }
    }

    #[test]
    fn a_table_that_is_gone_is_found() {
        assert_eq!(EngineTexts::default().check().len(), 1);
    }
}
