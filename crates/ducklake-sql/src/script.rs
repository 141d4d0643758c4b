//! A script that a person wrote, taken apart into its statements.
//!
//! The rules of quotes and comments are those of DuckDB's own scanner. What each statement means is for DuckDB to say;
//! here only its first words are looked at.

use crate::sql::Sql;

impl Sql {
    /// The statements of a script that a person typed, in their order, without those that are empty.
    ///
    /// A `;` ends a statement unless it stands in a text, a quoted name or a comment.
    ///
    /// ```
    /// use ducklake_sql::Sql;
    ///
    /// let statements = Sql::script("SELECT ';'; -- a; b\nCOMMIT;");
    /// assert_eq!(statements.iter().map(Sql::text).collect::<Vec<_>>(), ["SELECT ';'", "-- a; b\nCOMMIT"]);
    /// ```
    pub fn script(text: &str) -> Vec<Self> {
        let mut statements = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = end_of_statement(rest);
            let (statement, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if !without_comments(statement).is_empty() {
                statements.push(Self::user_query(statement.trim()));
            }
            rest = after.strip_prefix(';').unwrap_or(after);
        }
        statements
    }

    /// Whether a person wrote the text, or a part of it, so that it may hold any statement.
    pub fn is_user_query(&self) -> bool {
        self.is_typed()
    }

    /// The text behind blanks and comments, where its first word begins.
    ///
    /// ```
    /// use ducklake_sql::Sql;
    ///
    /// assert_eq!(Sql::user_query("/* the */ -- last\n COMMIT").text_without_comments(), "COMMIT");
    /// ```
    pub fn text_without_comments(&self) -> &str {
        without_comments(self.text())
    }

    /// The first word in upper case, which is empty if it begins with anything else.
    ///
    /// ```
    /// use ducklake_sql::Sql;
    ///
    /// assert_eq!(Sql::fixed(" insert INTO t VALUES (1)").first_word(), "INSERT");
    /// ```
    pub fn first_word(&self) -> String {
        first_word(self.text_without_comments()).to_ascii_uppercase()
    }

    /// The name of the table that an `INSERT`, `UPDATE` or `MERGE` writes to, as it is written there.
    ///
    /// ```
    /// use ducklake_sql::Sql;
    ///
    /// assert_eq!(Sql::user_query("INSERT INTO a.\"b c\"(d) VALUES (1)").written_table(), Some("a.\"b c\""));
    /// assert_eq!(Sql::user_query("DELETE FROM a").written_table(), None);
    /// ```
    pub fn written_table(&self) -> Option<&str> {
        let text = self.text_without_comments();
        let insert = || {
            let rest = behind("INSERT", text)?;
            match behind("OR", rest) {
                Some(rest) => behind("INTO", behind("REPLACE", rest).or_else(|| behind("IGNORE", rest))?),
                None => behind("INTO", rest),
            }
        };
        let merge = || behind("INTO", behind("MERGE", text)?);
        table_name(behind("UPDATE", text).or_else(insert).or_else(merge)?)
    }
}

/// What follows a word with which a text begins.
fn behind<'t>(word: &str, text: &'t str) -> Option<&'t str> {
    let first = first_word(text);
    first.eq_ignore_ascii_case(word).then(|| without_comments(text.get(first.len()..).unwrap_or_default()))
}

/// The name with which a text begins, its parts with dots between them.
fn table_name(text: &str) -> Option<&str> {
    let mut end = 0;
    loop {
        let rest = text.get(end..)?;
        let plain = rest.find(|character| !is_of_name(character)).unwrap_or(rest.len());
        let mut length = plain;
        // A quote twice stands for itself.
        while plain == 0 && rest.get(length..).is_some_and(|rest| rest.starts_with('"')) {
            length += quoted(rest.get(length..)?, '"');
        }
        end += length;
        match text.get(end..)?.chars().next() {
            _ if length == 0 => return None,
            Some('.') => end += 1,
            _ => return text.get(..end),
        }
    }
}

/// The letters and underscores with which a text begins.
fn first_word(text: &str) -> &str {
    let end = text.find(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

/// The position of the `;` that ends the first statement, or the length of the text.
fn end_of_statement(text: &str) -> usize {
    let mut at = 0;
    let mut before = ' ';
    while let Some(rest) = text.get(at..) {
        let Some(character) = rest.chars().next() else { break };
        let length = match character {
            ';' => return at,
            '\'' if is_escaping(text.get(..at).unwrap_or_default()) => escaped_text(rest),
            '\'' | '"' => quoted(rest, character),
            '-' if rest.starts_with("--") => line(rest),
            '/' if rest.starts_with("/*") => comment(rest),
            '$' if !is_of_name(before) => dollar_quoted(rest),
            other => other.len_utf8(),
        };
        before = character;
        at += length;
    }
    text.len()
}

/// Without the blanks and comments before the first word.
fn without_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let length = if rest.starts_with("--") {
            line(rest)
        } else if rest.starts_with("/*") {
            comment(rest)
        } else {
            return rest;
        };
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
}

/// Whether a character can be part of a name or number, so that what follows does not begin another word.
fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$') || !character.is_ascii()
}

/// Whether a text that opens behind this has escapes, as in `e'\''`.
fn is_escaping(before: &str) -> bool {
    let mut last = before.chars().rev();
    last.next().is_some_and(|character| matches!(character, 'e' | 'E')) && !last.next().is_some_and(is_of_name)
}

/// The length of what is quoted; the mark twice stands for itself, and so needs no rule of its own.
fn quoted(text: &str, mark: char) -> usize {
    text.get(1..).and_then(|rest| rest.find(mark)).map_or(text.len(), |end| end + 2)
}

fn escaped_text(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'\\' => 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => 2,
            b'\'' => return at + 1,
            _ => 1,
        };
    }
    text.len()
}

fn line(text: &str) -> usize {
    text.find(['\n', '\r']).unwrap_or(text.len())
}

/// The length of a comment, in which others may stand.
fn comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    let bytes = text.as_bytes();
    while let Some(pair) = bytes.get(at..at + 2) {
        match pair {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of a text between two equal tags, as in `$tag$…$tag$`; of the `$` alone if it opens none.
fn dollar_quoted(text: &str) -> usize {
    let name = text.get(1..).unwrap_or_default();
    let Some(end) = name.find('$') else { return 1 };
    let (name, rest) = name.split_at_checked(end).unwrap_or_default();
    let is_tag = !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|character| is_of_name(character) && character != '$');
    if !is_tag {
        return 1;
    }
    let tag = end + 2;
    let closing = text.get(..tag).unwrap_or_default();
    let inner = rest.get(1..).unwrap_or_default();
    inner.find(closing).map_or(text.len(), |at| tag + at + tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> Vec<String> {
        Sql::script(text).iter().map(|statement| statement.text().to_owned()).collect()
    }

    #[test]
    fn the_table_is_found_that_a_statement_writes_to() {
        for (statement, expected) in [
            ("INSERT INTO t VALUES (1)", Some("t")),
            ("insert or replace into lake.main.t(i) from x", Some("lake.main.t")),
            ("INSERT /* into u */ INTO -- the\n \"a\"\".b\".\"\" BY NAME FROM x", Some("\"a\"\".b\".\"\"")),
            ("INSERT OR IGNORE INTO größe FROM x", Some("größe")),
            ("UPDATE t SET i = 1", Some("t")),
            ("MERGE INTO t USING u ON true", Some("t")),
            ("INSERT INTO t", Some("t")),
            ("INSERT INTO (SELECT 1)", None),
            ("INSERT INTO t.", None),
            ("INSERT INTO \"t", Some("\"t")),
            ("WITH x AS (SELECT 1) INSERT INTO t FROM x", None),
            ("DELETE FROM t", None),
            ("UPDATED t", None),
            ("", None),
        ] {
            assert_eq!(Sql::user_query(statement).written_table(), expected, "{statement}");
        }
    }

    #[test]
    fn a_script_is_cut_where_duckdb_cuts_it() {
        for (script, expected) in [
            ("", &[][..]),
            (" ; ;-- a;\n;", &[]),
            ("SELECT 1", &["SELECT 1"]),
            ("a;b ;\n c;", &["a", "b", "c"]),
            ("a ';' 'it''s;';b", &["a ';' 'it''s;'", "b"]),
            (r"a '\'; b", &[r"a '\'", "b"]),
            (r"a E'\';'; b", &[r"a E'\';'", "b"]),
            (r"a e'it''\';'; b", &[r"a e'it''\';'", "b"]),
            (r"a namee'\'; b", &[r"a namee'\'", "b"]),
            ("a \"x;\"\"\"; b", &["a \"x;\"\"\"", "b"]),
            ("a -- x;\n b; c", &["a -- x;\n b", "c"]),
            ("a -- it's\n; c", &["a -- it's\n", "c"]),
            ("a /* ; /* ; */ ; */ b; c", &["a /* ; /* ; */ ; */ b", "c"]),
            ("a $$;$$; b", &["a $$;$$", "b"]),
            ("a $x$;$$;$x$; b", &["a $x$;$$;$x$", "b"]),
            ("a $1; b $2", &["a $1", "b $2"]),
            ("a b$c$; d$c$", &["a b$c$", "d$c$"]),
            ("a 'open; b", &["a 'open; b"]),
            ("a /* open; b", &["a /* open; b"]),
            ("a $$open; b", &["a $$open; b"]),
            ("ä 'é;'; ü", &["ä 'é;'", "ü"]),
        ] {
            let expected: Vec<String> = expected.iter().map(|text| text.trim().to_owned()).collect();
            assert_eq!(statements(script), expected, "{script}");
        }
    }

    #[test]
    fn the_first_word_stands_behind_comments() {
        for (text, word) in [
            ("  begin;", "BEGIN"),
            ("/* x /* y */ */ -- z\r\n(SELECT 1)", ""),
            ("-- x\nCOMMIT", "COMMIT"),
            ("", ""),
            ("/* open", ""),
        ] {
            assert_eq!(Sql::user_query(text).first_word(), word, "{text}");
        }
    }
}
