//! One marker that every secret of a test carries, and the check that nothing shows it.

/// Part of every secret that this crate makes, and to be part of every secret that a test makes up.
///
/// Letters, digits and `-`: quoting for SQL, JSON, TOML or a URL leaves it as it is, so a quoted leak is found too.
pub const MARKER: &str = "hunter2-mQ7xVd93KpZt";

/// The shortest piece of the marker that counts as a leak: a secret cut short is no masked secret.
const PIECE: usize = 8;

/// Fails when `text` shows [`MARKER`], a piece of it, or either in another case, in hexadecimal or in Base64.
///
/// `place` names the output in the failure's message: "stderr of `metaxy doctor`".
///
/// # Panics
///
/// When there is a leak.
#[track_caller]
pub fn assert_no_leak(text: &str, place: &str) {
    if let Some(line) = leak(text) {
        panic!("a secret leaks into {place}: {line}");
    }
}

/// The first line with a leak.
fn leak(text: &str) -> Option<&str> {
    text.lines().find(|line| {
        let folded = line.to_ascii_lowercase();
        pieces(&MARKER.to_ascii_lowercase()).any(|piece| folded.contains(piece))
            || folded.contains(&hex(MARKER.as_bytes()))
            || (0..3).any(|offset| {
                let encoded = base64_inside(MARKER.as_bytes(), offset);
                line.contains(&encoded) || line.contains(&encoded.replace('+', "-").replace('/', "_"))
            })
    })
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    (0..=text.len() - PIECE).map(move |start| &text[start..start + PIECE])
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// What Base64 makes of `bytes` when they begin `offset` bytes after a multiple of three: only the digits that do not
/// depend on what stands around them.
fn base64_inside(bytes: &[u8], offset: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let skip = (3 - offset) % 3;
    bytes[skip..]
        .chunks_exact(3)
        .flat_map(|chunk| {
            let bits = u32::from(chunk[0]) << 16 | u32::from(chunk[1]) << 8 | u32::from(chunk[2]);
            [18, 12, 6, 0].map(|shift| char::from(DIGITS[(bits >> shift & 63) as usize]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_leak_however_it_is_written() {
        for text in [
            MARKER,
            "password=hunter2-mQ7xVd93KpZt-0123",
            "first line\n  Some(\"HUNTER2-MQ7XVD93KPZT\")",
            "cut short: hunter2-…",
            "tail only: …Vd93KpZt",
            "68756e746572322d6d51377856643933 4b705a74 68756e746572322d6d513778566439334b705a74",
            // `printf %s "$MARKER" | base64`, with 0, 1 and 2 bytes before.
            "aHVudGVyMi1tUTd4VmQ5M0twWnQ=",
            "eGh1bnRlcjItbVE3eFZkOTNLcFp0",
            "eHhodW50ZXIyLW1RN3hWZDkzS3BadA==",
        ] {
            assert!(leak(text).is_some(), "not found: {text}");
        }
    }

    #[test]
    fn leaves_what_is_no_leak() {
        for text in ["", "PASSWORD '***'", "hunter", "hun***", "user \u{fe0f} metaxy at [port]\nhunt\ner2-mQ7"] {
            assert_eq!(leak(text), None);
        }
    }
}
