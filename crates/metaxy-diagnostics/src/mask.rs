//! Source lines that can be shown: every value in them replaced by `*`, character by character.
//!
//! A masked line has as many characters as the line, so every column stays right. In a file that could be parsed the parser says
//! where the values are. In a broken file nobody knows where a text begins or ends; there only known key names and
//! plain table headers stay readable.

use std::ops::Range;

use crate::tree::{Scalar, Source, Span};

/// What may be shown of a kind of file; everything else is masked.
#[derive(Debug, Clone, Copy)]
pub struct Visibility {
    /// Whether a word is a key of such files. In a file that cannot be parsed, keys stay readable and nothing else.
    pub is_key: fn(&str) -> bool,
    /// Whether the value at a path of keys, positions in lists left out, can be no secret; the second argument is the value
    /// as it is written.
    pub is_harmless: fn(&[&str], &str) -> bool,
    /// The parts of a value, as it is written, that are masked even where the value is shown: the password of a URL.
    pub credentials: fn(&str) -> Vec<Range<usize>>,
    /// The parts of a value, as it is written, that are shown even where the value is masked: the name of a variable.
    pub references: fn(&str) -> Vec<Range<usize>>,
}

impl Visibility {
    /// Nothing but keys, and those only in a file that can be parsed.
    pub const NOTHING: Self =
        Self { is_key: |_| false, is_harmless: |_, _| false, credentials: |_| Vec::new(), references: |_| Vec::new() };
}

/// The line that holds `at`, without its line break, as a range of the text.
pub(crate) fn line_of(text: &str, at: usize) -> Span {
    let at = at.min(text.len());
    let bytes = text.as_bytes();
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let mut end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |newline| at + newline);
    if end > start && bytes[end - 1] == b'\r' {
        end -= 1;
    }
    start..end
}

/// The line with everything masked that might be a secret, except the value at `show`; and where `at` is in it.
pub(crate) fn masked_line(source: &Source, line: &Span, at: &Span, show: bool) -> (String, Span) {
    let text = &source.text[line.clone()];
    let hide = match &source.scalars {
        Some(scalars) => hidden_in_parsed(source, scalars, line, show.then_some(at)),
        None => hidden_in_broken(text, &source.text[..line.start], source.visibility.is_key),
    };
    let mut masked = String::with_capacity(text.len());
    let (mut start, mut end) = (None, None);
    for (offset, char) in text.char_indices() {
        if start.is_none() && line.start + offset >= at.start {
            start = Some(masked.len());
        }
        if end.is_none() && line.start + offset >= at.end {
            end = Some(masked.len());
        }
        masked.push(if hide[offset] { '*' } else { char });
    }
    let start = start.unwrap_or(masked.len());
    let end = end.unwrap_or(masked.len()).max(start);
    (masked, start..end)
}

/// Which bytes of a line of a parsed file to hide: comments, and scalar values but booleans and harmless ones.
fn hidden_in_parsed(source: &Source, scalars: &[Scalar], line: &Span, show: Option<&Span>) -> Vec<bool> {
    let mut hide = vec![false; line.len()];
    let mut taken = vec![false; line.len()];
    let set = |flags: &mut Vec<bool>, span: &Span, flag: bool| {
        let start = span.start.clamp(line.start, line.end) - line.start;
        let end = span.end.clamp(line.start, line.end) - line.start;
        flags[start..end.max(start)].fill(flag);
    };
    let mark = |flags: &mut Vec<bool>, span: &Span| set(flags, span, true);
    let is_there = |span: &Span| span.start < line.end && span.end > line.start;
    for Scalar { span, is_harmless } in scalars.iter().filter(|scalar| is_there(&scalar.span)) {
        mark(&mut taken, span);
        let quotes = quotes(&source.text[span.clone()]);
        let inner = span.start + quotes..span.end.saturating_sub(quotes).max(span.start + quotes);
        let written = &source.text[inner.clone()];
        let within = |part: Range<usize>| inner.start + part.start..inner.start + part.end;
        // An escape may be the `@` or the `=` that tells where a credential is.
        let is_escaped = written.contains('\\');
        if (*is_harmless && !is_escaped) || show == Some(span) {
            for part in (source.visibility.credentials)(written) {
                mark(&mut hide, &within(part));
            }
        } else {
            mark(&mut hide, &inner);
            for part in (source.visibility.references)(written) {
                set(&mut hide, &within(part), false);
            }
        }
    }
    for key in source.keys.iter().filter(|key| is_there(key)) {
        mark(&mut taken, key);
    }
    let text = source.text[line.clone()].bytes();
    if let Some(comment) = text.enumerate().position(|(offset, byte)| byte == b'#' && !taken[offset]) {
        hide[comment + 1..].fill(true);
    }
    hide
}

/// How many quotes a scalar begins and ends with.
fn quotes(scalar: &str) -> usize {
    if scalar.len() >= 6 && (scalar.starts_with("\"\"\"") || scalar.starts_with("'''")) {
        3
    } else {
        usize::from(scalar.starts_with(['"', '\'']))
    }
}

/// Which bytes of a line of a broken file to hide: all but a plain table header, or known names before the first `=`.
fn hidden_in_broken(line: &str, before: &str, is_key: fn(&str) -> bool) -> Vec<bool> {
    let mut hide = vec![true; line.len()];
    hide[..line.len() - line.trim_start().len()].fill(false);
    if before.contains("\"\"\"") || before.contains("'''") {
        return hide;
    }
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-. \t".contains(&byte));
    let header = line.trim();
    let inner = header.trim_start_matches('[').trim_end_matches(']');
    if header.starts_with('[') && plain(inner) {
        hide.fill(false);
        return hide;
    }
    let Some(equals) = line.find('=') else { return hide };
    let known = line[..equals].split('.').all(|word| is_key(word.trim()));
    if known {
        hide[..=equals].fill(false);
    }
    hide
}
