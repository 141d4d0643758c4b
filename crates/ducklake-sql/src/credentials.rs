//! Credentials inside of texts that may otherwise be shown: the login of a URL, and values after `password=` and the like.
//!
//! The texts are what people typed and what engines say, so they need not be valid URLs: a parser that follows the
//! standard would give up on a password with a `/` in it, and that password would be shown. Where it is not clear what
//! belongs to a credential, more is taken for one.

use std::borrow::Cow;
use std::ops::Range;

use crate::harmless::FreeTable;
use crate::value::MASK;

/// Where in a text credentials are, as ranges of bytes, in order.
///
/// That is the password of a URL, or all of its login unless it is PostgreSQL's, a value of its query whose name is not
/// known to be harmless, and what follows a name such as `password=` anywhere.
///
/// ```
/// use ducklake_sql::credentials;
///
/// let text = "at postgresql://metaxy:hunter2@host/lake?sslmode=require";
/// assert_eq!(credentials(text).into_iter().map(|range| &text[range]).collect::<Vec<_>>(), ["hunter2"]);
/// assert!(credentials("s3://bucket/lake/").is_empty());
/// ```
pub fn credentials(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if text.contains(['@', '…']) {
        logins(text, &mut found);
    }
    if text.contains('=') {
        pairs(text, &mut found);
    }
    found.retain(|range| !range.is_empty() && text[range.clone()] != *MASK);
    found.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// A text with `***` in the place of its [credentials].
///
/// ```
/// use ducklake_sql::mask_credentials;
///
/// assert_eq!(mask_credentials("https://id:hunter2@host:9000"), "https://***@host:9000");
/// assert_eq!(mask_credentials("md:lake?motherduck_token=hunter2"), "md:lake?motherduck_token=***");
/// ```
pub fn mask_credentials(text: &str) -> Cow<'_, str> {
    let found = credentials(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for range in found {
        masked.push_str(&text[from..range.start]);
        masked.push_str(MASK);
        from = range.end;
    }
    masked.push_str(&text[from..]);
    Cow::Owned(masked)
}

/// Whether a name is one that a credential has.
pub(crate) fn speaks_of_a_credential(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "accesskey",
        "access_key",
        "accountkey",
        "account_key",
        "api_key",
        "apikey",
        "authorization",
        "credential",
        "encryption_key",
        "key_id",
        "passphrase",
        "passwd",
        "password",
        "private_key",
        "pwd",
        "secret",
        "signature",
        "token",
    ];
    let name = name.to_ascii_lowercase();
    name == "sig" || (WORDS.iter().any(|word| name.contains(word)) && !is_harmless(&name))
}

/// Whether a name is known to be harmless in some table.
fn is_harmless(name: &str) -> bool {
    name == "secret_name" || FreeTable::ALL.iter().any(|table| table.is_harmless(name))
}

fn is_quote(char: char) -> bool {
    matches!(char, '"' | '\'' | '`')
}

/// What stands before the `@` of what may be a URL.
fn logins(text: &str, found: &mut Vec<Range<usize>>) {
    // A value that is a URL is one, whatever characters its password has.
    let scheme = text.find("://").filter(|at| *at > 0 && text[..*at].chars().all(is_of_scheme));
    if scheme.is_some() {
        login(text, 0, found);
        return;
    }
    let is_end = |char: char| char.is_whitespace() || is_quote(char) || matches!(char, '<' | '>');
    let mut start = 0;
    for token in text.split(is_end) {
        login(token, start, found);
        start += token.len() + text[start + token.len()..].chars().next().map_or(0, char::len_utf8);
    }
}

fn is_of_scheme(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '+' | '-' | '.' | ':' | '_')
}

/// The login in a text that may be a URL, and begins at `offset`.
fn login(text: &str, offset: usize, found: &mut Vec<Range<usize>>) {
    // A message may have cut a URL before its `@`.
    let Some(at) = text.rfind('@').or_else(|| text.rfind('…')) else { return };
    let is_cut = text[at..].starts_with('…');
    let (scheme, start) = if let Some(colon) = text[..at].find(":/") {
        // One slash is what is left of two where a URL was taken for a path.
        (&text[..colon], at - text[colon + 1..at].trim_start_matches('/').len())
    } else {
        let before_colon = &text[..text[..at].find(':').unwrap_or(at)];
        ("", before_colon.rfind('/').map_or(0, |slash| slash + 1))
    };
    let login = &text[start..at];
    let is_path = login.contains(['/', '?', '#']) || scheme.is_empty();
    match login.find(':') {
        // In a path an `@` is only a character.
        None if is_path || is_cut => {}
        Some(colon) if scheme.ends_with("postgres") || scheme.ends_with("postgresql") => {
            found.push(offset + start + colon + 1..offset + at);
        }
        _ => found.push(offset + start..offset + at),
    }
}

/// What follows `name=`, where the name is one of a credential, or stands in the query of a URL and is not harmless.
fn pairs(text: &str, found: &mut Vec<Range<usize>>) {
    let is_of_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    // The quotes before a pair, but for those within the values of others, which begin nothing.
    let (mut quotes, mut seen) = (Vec::new(), 0);
    for (equals, _) in text.match_indices('=') {
        if let Some(between) = text.get(seen..equals) {
            quotes.extend(between.chars().filter(|char| is_quote(*char)));
            quotes.sort_unstable();
            quotes.dedup();
            seen = equals;
        }
        let before = text[..equals].trim_end_matches([' ', '"', '`']);
        let start = before.rfind(|char| !is_of_name(char)).map_or(0, |at| {
            let length = before[at..].chars().next().map_or(0, char::len_utf8);
            at + length
        });
        let name = &before[start..];
        if name.is_empty() {
            continue;
        }
        let is_adjacent = before.len() == equals;
        let is_in_query = is_adjacent && before[..start].ends_with(['?', '&']);
        let is_unknown = is_in_query && !is_harmless(name) && !is_of_listing(name);
        if !is_unknown && !speaks_of_a_credential(name) {
            continue;
        }
        let blank = text[equals + 1..].len() - text[equals + 1..].trim_start_matches(' ').len();
        let start = equals + 1 + blank;
        match text[start..].chars().next().filter(|char| is_quote(*char)) {
            Some(quote) => found.push(start + 1..start + 1 + quoted(&text[start + 1..], quote)),
            None if blank == 0 => {
                // A quote ends the value only where one of its kind may have begun before.
                let is_end = |char: char| char.is_whitespace() || matches!(char, '&' | ';') || quotes.contains(&char);
                let rest = &text[start..];
                seen = start + rest.find(is_end).unwrap_or(rest.len());
                found.push(start..seen);
            }
            None => {}
        }
    }
}

/// How long a quoted text is, up to the quote that ends it: one that is neither escaped nor doubled.
fn quoted(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at;
        }
    }
    text.len()
}

/// Whether a name is a parameter with which S3 lists, reads and puts files.
fn is_of_listing(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "comp",
        "delimiter",
        "encoding-type",
        "list-type",
        "location",
        "marker",
        "max-keys",
        "maxresults",
        "partnumber",
        "prefix",
        "restype",
        "uploadid",
        "uploads",
        "version",
        "versionid",
    ];
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked_and_nothing_else() {
        for (text, expected) in [
            ("", ""),
            ("s3://bucket/a@b/c=d/", "s3://bucket/a@b/c=d/"),
            ("https://host:9000/bucket?list-type=2&prefix=a", "https://host:9000/bucket?list-type=2&prefix=a"),
            ("metaxy@tenant", "metaxy@tenant"),
            ("WHERE a = 'b' AND c=d", "WHERE a = 'b' AND c=d"),
            ("postgres://u:x@h/d", "postgres://u:***@h/d"),
            ("postgres://u:x/y@z@h/d", "postgres://u:***@h/d"),
            ("postgres://u:x 'y\" z@h/d", "postgres://u:***@h/d"),
            ("ducklake:postgres://u:x@h", "ducklake:postgres://u:***@h"),
            ("https://token@host", "https://***@host"),
            ("id:x@host:9000", "***@host:9000"),
            ("it says \"https://a:x@h\" and 'b:x@h'", "it says \"https://***@h\" and '***@h'"),
            ("s3://id:x/y@b/lake", "s3://***@b/lake"),
            ("md:db?motherduck_token=x&saas_mode=true", "md:db?motherduck_token=***&saas_mode=***"),
            ("host=h password=x'y port=1", "host=h password=*** port=1"),
            ("'md:a?token=x' b", "'md:a?token=***' b"),
            // A quote within a value begins nothing, so it ends no later one.
            ("password=x`y token=x`y", "password=*** token=***"),
            ("password='it\\'s x' port=1", "password='***' port=1"),
            ("PASSWORD = 'it''s x', a", "PASSWORD = '***', a"),
            ("AccountName=a;AccountKey=x==;b=c", "AccountName=a;AccountKey=***;b=c"),
            ("https://h/f?X-Amz-Signature=x&sig=y", "https://h/f?X-Amz-Signature=***&sig=***"),
            ("secret_name=s and secret_directory=d", "secret_name=s and secret_directory=d"),
            ("password=***", "password=***"),
            ("/project/postgresql:/u:x@h/d", "/project/postgresql:/u:***@h/d"),
            ("/project/id:x@h", "/project/***@h"),
            ("postgres://u:x…", "postgres://u:***…"),
            ("s3://bucket…", "s3://bucket…"),
            ("é:x@é", "***@é"),
        ] {
            assert_eq!(mask_credentials(text), expected, "{text}");
        }
    }
}
