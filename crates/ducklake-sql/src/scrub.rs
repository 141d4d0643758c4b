//! Secrets taken out of a text that an engine or a server wrote, and that may quote what it was given.

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::credentials::{credentials, mask_credentials};
use crate::value::MASK;

/// The secrets to be replaced in a text.
#[derive(Default)]
pub(crate) struct Scrub {
    /// With whether a short one is replaced within words, too.
    secrets: Vec<(Zeroizing<String>, bool)>,
}

impl Scrub {
    /// A text shorter than this is part of many words.
    const SHORT: usize = 6;

    /// Adds a secret in the forms in which it may be quoted: as it is, without blanks around it, with its quotes escaped, and
    /// the credentials of the URL that it may be.
    ///
    /// What is not surely a secret, only not known to be harmless, is replaced within words only when it is long.
    pub(crate) fn add(&mut self, secret: &str, is_sure: bool) {
        let mut add = |form: String| self.secrets.push((Zeroizing::new(form), is_sure));
        add(secret.to_owned());
        add(secret.trim().to_owned());
        add(secret.replace('\'', "''"));
        add(secret.replace('\\', "\\\\").replace('\'', "\\'"));
        self.add_credentials(secret);
    }

    /// Adds the credentials that a text holds, as they are and decoded.
    pub(crate) fn add_credentials(&mut self, text: &str) {
        for range in credentials(text) {
            let credential = &text[range];
            let decoded = credential.split(':').map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned());
            for form in decoded.chain([credential.to_owned()]) {
                self.secrets.push((Zeroizing::new(form), true));
            }
        }
    }

    /// Adds a literal of a statement that may hold anything; of short ones, most are words such as `true`.
    pub(crate) fn add_literal(&mut self, literal: &str) {
        if literal.len() > Self::SHORT {
            self.add(literal, true);
        }
    }

    /// The text with `***` in the place of every secret, and of credentials that were not added.
    pub(crate) fn apply(mut self, text: &str) -> String {
        // The longest first, so that a secret which contains another leaves nothing behind.
        self.secrets.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        let scrubbed = self.secrets.iter().fold(text.to_owned(), |text, (secret, is_sure)| {
            if secret.is_empty() {
                text
            } else if *is_sure || secret.len() >= Self::SHORT {
                text.replace(secret.as_str(), MASK)
            } else {
                replace_word(&text, secret)
            }
        });
        mask_credentials(&scrubbed).into_owned()
    }
}

/// Replaces a secret where no letter or digit is beside it.
fn replace_word(text: &str, secret: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(secret) {
        let is_beside = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
        let after = at + secret.len();
        if !is_beside(text[..at].chars().next_back()) && !is_beside(text[after..].chars().next()) {
            replaced.push_str(&text[from..at]);
            replaced.push_str(MASK);
            from = after;
        }
    }
    replaced.push_str(&text[from..]);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrub(secret: &str, is_sure: bool, text: &str) -> String {
        let mut scrub = Scrub::default();
        scrub.add(secret, is_sure);
        scrub.apply(text)
    }

    #[test]
    fn a_secret_is_replaced_however_it_is_quoted() {
        for (secret, text, expected) in [
            ("hunter2", "with hunter2x", "with ***x"),
            ("hunter2\n", "with hunter2", "with ***"),
            ("it's", "'it''s' and it\\'s", "'***' and ***"),
            ("postgres://u:hun%20ter@h", "no login with hun ter or hun%20ter", "no login with *** or ***"),
            ("", "nothing", "nothing"),
        ] {
            assert_eq!(scrub(secret, true, text), expected, "{secret}");
        }
    }

    #[test]
    fn a_short_text_that_may_be_none_is_no_part_of_a_word() {
        assert_eq!(scrub("on", false, "on connection `on`"), "*** connection `***`");
        assert_eq!(scrub("on", true, "connection"), "c***necti***");
    }
}
