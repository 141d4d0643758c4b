//! Rules on Rust sources: each module says what it is for, SQL is made by the one writer, secrets are exposed in one
//! file, spans of TOML are handled in one crate, and nothing is silenced or left unfinished.
//!
//! The rules look at tokens, so what stands in a comment or in a string is not taken for code.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

use super::Finding;

/// Macros that make text, and so must not make SQL.
const FORMATTING: [&str; 8] = ["format", "format_args", "write", "writeln", "print", "println", "concat", "panic"];

/// Macros that say that something is not done.
const UNFINISHED: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Words that are SQL when they stand in capitals outside of backticks.
const SQL: [&str; 31] = [
    "ALTER",
    "ATTACH",
    "BEGIN",
    "CALL",
    "CHECKPOINT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DELETE",
    "DESCRIBE",
    "DETACH",
    "DROP",
    "EXPLAIN",
    "FROM",
    "INSERT",
    "INSTALL",
    "INTO",
    "JOIN",
    "LOAD",
    "PRAGMA",
    "ROLLBACK",
    "SELECT",
    "SET",
    "SHOW",
    "TRUNCATE",
    "UPDATE",
    "USE",
    "VALUES",
    "VACUUM",
    "WHERE",
    "WITH",
];

/// Ways in which a text begins that is SQL in small letters.
const SMALL_SQL: [&str; 16] = [
    "alter table ",
    "attach '",
    "attach database ",
    "call ducklake",
    "copy (",
    "create or replace ",
    "create schema ",
    "create secret ",
    "create table ",
    "delete from ",
    "drop schema ",
    "drop secret ",
    "drop table ",
    "insert into ",
    "select * ",
    "select count(",
];

/// Types of the TOML parser that know where a value was written.
const SPANS: [&str; 6] = ["Spanned", "DeTable", "DeArray", "DeValue", "DeInteger", "DeFloat"];

/// Where the crate that handles spans of TOML is.
const SPANNING_CRATE: &str = "crates/metaxy-diagnostics/src/";

/// The method that gives out what a secret holds.
const EXPOSE: &str = "expose";

/// Where the one file that exposes secrets is.
const EXPOSING_CRATE: &str = "crates/ducklake-sql/src/";

/// The files in which a secret is exposed.
#[derive(Debug, Default)]
pub(super) struct Exposures {
    files: Vec<String>,
}

impl Exposures {
    /// Checks that it is exactly one file, and the right one.
    pub(super) fn check(&self) -> Vec<Finding> {
        match self.files.as_slice() {
            [] => {
                let message = format!("no `.{EXPOSE}()` anywhere: was it renamed? Then this rule has to know");
                vec![Finding::new(EXPOSING_CRATE, 0, message)]
            }
            [file] if file.starts_with(EXPOSING_CRATE) => Vec::new(),
            files => {
                let message = format!("a secret is exposed here; only one file of `{EXPOSING_CRATE}` may");
                files.iter().map(|file| Finding::new(file, 0, &*message)).collect()
            }
        }
    }
}

/// Checks one source file, and notes whether it exposes a secret.
pub(super) fn check(file: &str, text: &str, exposures: &mut Exposures) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        findings.push(Finding::new(file, 1, "a module begins with `//!` and what it is for"));
    }
    let tokens: TokenStream = match text.parse() {
        Ok(tokens) => tokens,
        Err(error) => {
            findings.push(Finding::new(file, 0, format!("is no Rust: {error}")));
            return findings;
        }
    };
    let is_library = file.starts_with("crates/") && file.contains("/src/");
    let has_no_spans = !file.starts_with(SPANNING_CRATE);
    let mut walk = Walk { file, makes_no_sql: is_library, has_no_spans, exposes: false, findings };
    walk.stream(tokens);
    if walk.exposes && (is_library || file.starts_with("examples/")) {
        exposures.files.push(file.to_owned());
    }
    walk.findings
}

/// A walk over the tokens of a file.
struct Walk<'a> {
    file: &'a str,
    makes_no_sql: bool,
    has_no_spans: bool,
    exposes: bool,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    fn stream(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|index| tokens.get(index));
            let after = tokens.get(index + 1);
            match token {
                TokenTree::Ident(ident) => {
                    let name = ident.to_string();
                    if self.has_no_spans && SPANS.contains(&name.as_str()) {
                        let message = format!("`{name}` is for `{SPANNING_CRATE}`, which knows where a value is");
                        self.find(ident.span(), message);
                    }
                    self.name(&name, before, after, tokens.get(index + 2));
                }
                TokenTree::Group(group) => {
                    let is_attribute = before.is_some_and(|token| is(token, '#') || is(token, '!'));
                    if is_attribute && group.delimiter() == Delimiter::Bracket {
                        self.attribute(group);
                    }
                    self.stream(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    /// Looks at a name, with its neighbours.
    fn name(
        &mut self,
        name: &str,
        before: Option<&TokenTree>,
        after: Option<&TokenTree>,
        second_after: Option<&TokenTree>,
    ) {
        let is_called_on = before.is_some_and(|token| is(token, '.') || is(token, ':'));
        match (after, second_after) {
            (Some(TokenTree::Group(arguments)), _) if is_called_on => {
                self.exposes |= name == EXPOSE;
                if name == "push_str" {
                    self.text_made_from(name, arguments);
                }
            }
            (Some(bang), Some(TokenTree::Group(arguments))) if is(bang, '!') => {
                if UNFINISHED.contains(&name) {
                    self.find(arguments.span_open(), format!("`{name}!` is for work that is not done"));
                }
                if FORMATTING.contains(&name) {
                    self.text_made_from(name, arguments);
                }
            }
            _ => {}
        }
    }

    /// Looks for SQL in the text literals of a call that makes text.
    fn text_made_from(&mut self, called: &str, arguments: &Group) {
        if self.makes_no_sql && literals(arguments.stream()).iter().any(|literal| is_sql(literal)) {
            self.find(
                arguments.span_open(),
                format!("`{called}` makes SQL here; only the writer of `ducklake-sql` may"),
            );
        }
    }

    /// Looks at `[…]` after `#`.
    fn attribute(&mut self, attribute: &Group) {
        let is_allow = |token: &TokenTree| matches!(token, TokenTree::Ident(name) if name == "allow");
        if attribute.stream().into_iter().next().as_ref().is_some_and(is_allow) {
            let message = "`allow` hides what is no longer there; use `expect` with a reason";
            self.find(attribute.span_open(), message.to_owned());
        }
    }

    fn find(&mut self, at: Span, message: String) {
        self.findings.push(Finding::new(self.file, at.start().line, message));
    }
}

/// Whether a token is this character.
fn is(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// All literals in some tokens, as they are written.
fn literals(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Literal(literal) => found.push(literal.to_string()),
            TokenTree::Group(group) => found.extend(literals(group.stream())),
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
    found
}

/// Whether a literal is, or is a part of, SQL. What a message quotes in backticks is not.
fn is_sql(literal: &str) -> bool {
    let unquoted: String = literal.split('`').step_by(2).collect();
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let small = literal.trim_start_matches(['b', 'c', 'r', '#', '"', ' ']);
    unquoted.split(|character| !is_word(character)).any(|word| SQL.contains(&word))
        || SMALL_SQL.iter().any(|start| small.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines and messages for a source, given without its first line.
    fn findings(file: &str, source: &str) -> Vec<String> {
        let found = check(file, &format!("//! A module.\n{source}"), &mut Exposures::default());
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_module_without_its_purpose_is_found() {
        for source in ["fn main() {}", "// A comment.\n", "\n//! Late.\n"] {
            assert_eq!(check("a.rs", source, &mut Exposures::default()).len(), 1, "{source}");
        }
        assert_eq!(findings("a.rs", ""), Vec::<String>::new());
    }

    #[test]
    fn sql_made_from_text_is_found() {
        for bad in [
            r#"format!("SELECT * FROM {table}")"#,
            r#"format!(r"ATTACH '{path}' AS {alias}")"#,
            r#"write!(out, "CREATE SECRET {name}")"#,
            "write!(\n    out,\n    \"DROP TABLE {name}\",\n)",
            r#"sql.push_str(" WHERE a = ")"#,
            r#"String::push_str(&mut sql, "VALUES (")"#,
            r#"concat!("US", "E x; LOAD y")"#,
            r#"format!("insert into {table} values (1)")"#,
            r#"foo(|| vec![format!("DELETE FROM {table}")])"#,
        ] {
            let found = findings("crates/a/src/b.rs", &format!("fn f() {{ {bad}; }}"));
            assert_eq!(found.len(), 1, "{bad}: {found:?}");
            assert!(found.iter().all(|finding| finding.starts_with("crates/a/src/b.rs:2: ")), "{found:?}");
        }
    }

    #[test]
    fn messages_and_comments_are_no_sql() {
        for good in [
            r#"format!("`{name}` was refused by `CREATE SECRET`")"#,
            r#"format!("cannot select a store from {path}")"#,
            r#"format!("USER {name}, DATASET, {FROM_FILE}")"#,
            r#"/* format!("SELECT 1") */ f("SELECT 1")"#,
            r#"keyword("SELECT")"#,
            r#"sql!("SELECT {id} FROM {table}", id, table)"#,
            r#"write_sql!(sql, "DROP TABLE {table}", table = self.table)"#,
        ] {
            assert_eq!(findings("crates/a/src/b.rs", &format!("fn f() {{ {good}; }}")), Vec::<String>::new());
        }
        let in_a_test = r#"fn f() { format!("SELECT 1"); }"#;
        assert_eq!(findings("crates/a/tests/it/main.rs", in_a_test), Vec::<String>::new());
    }

    #[test]
    fn what_is_silenced_or_unfinished_is_found() {
        for bad in ["#[allow(dead_code)]\nfn f() {}", "#![allow(unused)]", "fn f() { todo!() }", "fn f() { dbg!(1); }"]
        {
            assert_eq!(findings("xtask/src/a.rs", bad).len(), 1, "{bad}");
        }
        let good = "#[expect(dead_code, reason = \"later\")]\nfn allow() { let todo = [allow()]; f(\"todo!()\") }";
        assert_eq!(findings("xtask/src/a.rs", good), Vec::<String>::new());
    }

    #[test]
    fn exactly_one_file_exposes_secrets() {
        let exposing = "//! A module.\nfn f(secret: &Secret) { g(secret.expose()); }";
        let only_defining = "//! A module.\nimpl Secret { fn expose(&self) -> &str { &self.0 } }";
        let check_all = |files: &[(&str, &str)]| {
            let mut exposures = Exposures::default();
            for (file, text) in files {
                check(file, text, &mut exposures);
            }
            exposures.check().into_iter().map(|finding| finding.file).collect::<Vec<_>>()
        };
        let (right, wrong) = ("crates/ducklake-sql/src/writer.rs", "crates/metaxy-cli/src/main.rs");
        assert_eq!(check_all(&[(right, exposing), ("crates/a/src/secret.rs", only_defining)]), Vec::<String>::new());
        assert_eq!(check_all(&[(right, only_defining)]), [EXPOSING_CRATE]);
        assert_eq!(check_all(&[(wrong, exposing)]), [wrong]);
        assert_eq!(check_all(&[(right, exposing), (wrong, exposing)]), [right, wrong]);
    }

    #[test]
    fn spans_of_toml_outside_of_their_crate_are_found() {
        for bad in [
            "use toml::Spanned;",
            "fn f(value: serde_spanned::Spanned<String>) {}",
            "use toml::de::{DeTable, DeValue};",
            "fn f() { g(|text| toml::de::DeTable::parse(text)) }",
        ] {
            let found = findings("crates/metaxy-feature/src/file.rs", bad);
            assert!(!found.is_empty(), "{bad}");
            assert!(found.iter().all(|one| one.starts_with("crates/metaxy-feature/src/file.rs:2: ")), "{found:?}");
            assert_eq!(findings("crates/metaxy-diagnostics/src/parse.rs", bad), Vec::<String>::new());
        }
        let good = "/* DeTable */ fn f() { let spanned: toml::Table = g(\"Spanned\"); }";
        assert_eq!(findings("crates/metaxy-feature/src/file.rs", good), Vec::<String>::new());
    }

    #[test]
    fn a_source_that_is_no_rust_is_found() {
        assert_eq!(findings("a.rs", "fn f( {").len(), 1);
    }
}
