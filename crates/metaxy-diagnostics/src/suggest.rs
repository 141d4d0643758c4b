//! Words for messages: what was meant, what there is, and the start of what is too long.

/// How alike two words have to be, from 0 to 1, for one to be taken for a typing mistake of the other.
const ALIKE: f64 = 0.8;

/// As much of a word as is compared: no key is longer.
const COMPARED: usize = 64;

/// As much of a text as is shown.
const LONGEST: usize = 80;

/// The candidate that a typing mistake most likely meant, if there is one that is alike.
///
/// ```
/// use metaxy_diagnostics::nearest;
///
/// assert_eq!(nearest("Databse", &["database", "config"]), Some("database"));
/// assert_eq!(nearest("x", &["database", "config"]), None);
/// ```
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word: String = word.chars().take(COMPARED).collect::<String>().to_lowercase();
    let scored = known.iter().map(|known| (strsim::jaro_winkler(&word, &known.to_lowercase()), *known));
    scored.filter(|(score, _)| *score > ALIKE).max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, near)| near)
}

/// A question after the nearest candidate; `None` when none is alike.
pub fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean `{}`?", excerpt(near)))
}

/// Words in backticks, with commas.
///
/// ```
/// assert_eq!(metaxy_diagnostics::quoted(&["a", "b"]), "`a`, `b`");
/// ```
pub fn quoted<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<_> = words.iter().map(|word| ["`", &excerpt(word.as_ref()), "`"].concat()).collect();
    words.join(", ")
}

/// The start of a text that may be very long, for a message: on one line, 80 characters at most.
///
/// ```
/// use metaxy_diagnostics::excerpt;
///
/// assert_eq!(excerpt("a\nb"), "a\\nb");
/// assert_eq!(excerpt(&"x".repeat(100)), "x".repeat(80) + "…");
/// ```
pub fn excerpt(text: &str) -> String {
    let mut out: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}
