//! Statements of `init_sql` as they are shown: what they do, without what may be a secret.

use ducklake_sql::mask_credentials;

/// What is shown of a statement that cannot be shown.
const HIDDEN: &str = "***";

/// How many characters are shown.
const LONGEST: usize = 500;

/// A statement as it is written, variables not expanded: without its comments, and with `***` in the place of each literal
/// that does not say where something is read from or written to.
pub(crate) fn shown(written: &str) -> String {
    shown_if_whole(written).unwrap_or_else(|| HIDDEN.to_owned())
}

/// The same of a statement whose literals all end, and so begin where they seem to.
fn shown_if_whole(written: &str) -> Option<String> {
    // Whether this ends a literal depends on what is before the literal.
    if written.contains("\\'") {
        return None;
    }
    let mut shown = String::new();
    let mut rest = written;
    while let Some(first) = rest.chars().next() {
        let (end, replaced) = match rest {
            _ if rest.starts_with("--") => (Some(rest.find('\n').unwrap_or(rest.len())), Some(String::new())),
            _ if rest.starts_with("/*") => (end_of(rest, 2, "*/"), Some(String::new())),
            _ if rest.starts_with('\'') => {
                let end = end_of_quoted(rest);
                let hidden = (!names_a_place(&shown)).then(|| "'***'".to_owned());
                (end, hidden.or_else(|| Some(mask_credentials(&rest[..end?]).into_owned())))
            }
            _ if rest.starts_with('"') => (end_of(rest, 1, "\""), None),
            _ => match dollar_quote(rest) {
                Some(quote) => (end_of(rest, quote.len(), quote), Some("'***'".to_owned())),
                None if first.is_control() => (Some(first.len_utf8()), Some(" ".to_owned())),
                None => (Some(first.len_utf8()), None),
            },
        };
        let end = end?;
        shown.push_str(replaced.as_deref().unwrap_or(&rest[..end]));
        rest = &rest[end..];
    }
    let shown = shown.trim();
    if !begins_a_statement(shown) {
        // What stands in the wrong place may be a secret.
        return None;
    }
    Some(match shown.char_indices().nth(LONGEST) {
        Some((end, _)) => [&shown[..end], "…"].concat(),
        None => shown.to_owned(),
    })
}

/// Where what begins here ends, after `close`.
fn end_of(text: &str, open: usize, close: &str) -> Option<usize> {
    text[open..].find(close).map(|at| open + at + close.len())
}

/// Where a literal ends.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut at = 1;
    while let Some(quote) = text[at..].find('\'').map(|quote| at + quote) {
        at = quote + 1;
        if !text[at..].starts_with('\'') {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// `$$` or `$name$`, which such a literal begins and ends with.
fn dollar_quote(text: &str) -> Option<&str> {
    let end = text.strip_prefix('$')?.find('$')? + 2;
    let is_name = text[1..end - 1].chars().all(|char| char.is_alphanumeric() || char == '_');
    is_name.then(|| &text[..end])
}

/// Whether a literal after this text is a file, a folder or a URL by SQL's own words.
fn names_a_place(before: &str) -> bool {
    const WORDS: &[&str] = &["attach", "copy", "from", "install", "load", "to"];
    let before = before.trim_end();
    let word = before.rsplit(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap_or_default();
    WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether a text begins as a statement of SQL does.
fn begins_a_statement(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "alter",
        "analyze",
        "attach",
        "begin",
        "call",
        "checkpoint",
        "commit",
        "copy",
        "create",
        "delete",
        "describe",
        "detach",
        "drop",
        "execute",
        "explain",
        "export",
        "force",
        "from",
        "import",
        "insert",
        "install",
        "load",
        "merge",
        "pivot",
        "pragma",
        "prepare",
        "reset",
        "select",
        "set",
        "show",
        "summarize",
        "truncate",
        "unpivot",
        "update",
        "use",
        "vacuum",
        "values",
        "with",
    ];
    let word = text.split(|char: char| !char.is_ascii_alphabetic()).next().unwrap_or_default();
    let is_alone = text[word.len()..].chars().next().is_none_or(|next| next.is_whitespace() || next == '(');
    is_alone && WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn places_are_shown_and_other_literals_are_not() {
        for (written, expected) in [
            ("COPY (SELECT 'x') TO '~/.bashrc'", "COPY (SELECT '***') TO '~/.bashrc'"),
            ("install evil FROM 'https://u:pw@evil.example'", "install evil FROM 'https://***@evil.example'"),
            (
                "CREATE SECRET (TYPE s3, SECRET 'it''s', KEY_ID '${KEY}')",
                "CREATE SECRET (TYPE s3, SECRET '***', KEY_ID '***')",
            ),
            ("SET x = $$a'b$$; SELECT $t$'$t$", "SET x = '***'; SELECT '***'"),
            ("SELECT 1 -- it's a secret\n, 2 /* 'x' */", "SELECT 1  , 2"),
            ("SELECT E'a''b', \"c'd\"", "SELECT E'***', \"c'd\""),
        ] {
            assert_eq!(shown(written), expected, "{written}");
        }
        assert!(shown(&["SELECT ", &"é".repeat(1000)].concat()).ends_with("é…"));
        for written in [
            "SET x = hunter2'",
            "SELECT \"hunter2",
            "SELECT hunter2$$",
            "hunter2",
            "hunter2 FROM 'x'",
            "SELEKT 'x'",
            "select-hunter2",
            r"SELECT 'a\', 'hunter2'",
            "",
        ] {
            assert_eq!(shown(written), "***");
        }
    }
}
