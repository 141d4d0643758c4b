//! Texts of others, such as names in a lake, that must not steer the terminal of who reads them.

use std::borrow::Cow;

/// Whether a character does something to a terminal, or to the direction that a text is read in, in place of being shown.
pub(crate) fn steers(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text whose characters that steer are escaped, but for ends of lines and tabs.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |character| steers(character) && !matches!(character, '\n' | '\t'))
}

/// The same on one line.
pub(crate) fn on_one_line(text: &str) -> Cow<'_, str> {
    escaped(text, steers)
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::new();
    for character in text.chars() {
        if is_escaped(character) {
            visible.extend(character.escape_default());
        } else {
            visible.push(character);
        }
    }
    Cow::Owned(visible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_escaped_and_all_else_is_as_it_was() {
        let text = "it's \"a\\b\"\té\u{301}\n";
        assert_eq!(visible(text), text);
        assert_eq!(visible("\u{1b}[31m\r\u{9b}\u{202e}"), "\\u{1b}[31m\\r\\u{9b}\\u{202e}");
        assert_eq!(on_one_line("a\n\tb"), "a\\n\\tb");
    }
}
