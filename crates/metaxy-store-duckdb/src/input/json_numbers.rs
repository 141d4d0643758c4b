//! Numbers of JSON that have more digits than a float: DuckDB's reader rounds them, whatever type it is asked for.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::compressed;

/// So many digits every float keeps.
const KEPT_DIGITS: usize = 15;

/// Copies a file of JSON with such numbers as texts; `None` if it has none. The copy is not compressed.
///
/// Whole numbers stay: DuckDB's reader keeps all of their digits.
pub(super) fn with_long_ones_as_texts(path: &Path) -> io::Result<Option<NamedTempFile>> {
    let mut found = false;
    let begins_as_json = rewrite(compressed::open(path)?, &mut io::sink(), &mut found)?;
    if !found || !begins_as_json {
        return Ok(None);
    }
    let mut copy = NamedTempFile::new()?;
    let mut writer = BufWriter::new(copy.as_file_mut());
    rewrite(compressed::open(path)?, &mut writer, &mut found)?;
    writer.flush()?;
    drop(writer);
    Ok(Some(copy))
}

/// Where in JSON a byte is.
enum Place {
    Outside,
    Text { escaped: bool },
    Number(Vec<u8>),
}

/// Whether the first byte that is no blank is one of JSON; sets `found` at a long number.
fn rewrite(content: impl Read, out: &mut impl Write, found: &mut bool) -> io::Result<bool> {
    let mut place = Place::Outside;
    let mut first = None;
    for byte in BufReader::new(content).bytes() {
        let byte = byte?;
        if first.is_none() && !byte.is_ascii_whitespace() {
            first = Some(byte);
        }
        if let Place::Number(digits) = &mut place {
            if byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-') {
                digits.push(byte);
                continue;
            }
            *found |= write_number(digits, out)?;
            place = Place::Outside;
        }
        place = match (place, byte) {
            (Place::Outside, b'"') => Place::Text { escaped: false },
            (Place::Outside, b'-' | b'0'..=b'9') => {
                place = Place::Number(vec![byte]);
                continue;
            }
            (Place::Text { escaped: false }, b'"') => Place::Outside,
            (Place::Text { escaped }, byte) => Place::Text { escaped: byte == b'\\' && !escaped },
            (place, _) => place,
        };
        out.write_all(&[byte])?;
    }
    if let Place::Number(digits) = &place {
        *found |= write_number(digits, out)?;
    }
    Ok(matches!(first, Some(b'{' | b'[')))
}

/// Writes a number, as a text if it is a long fraction; whether it is.
fn write_number(number: &[u8], out: &mut impl Write) -> io::Result<bool> {
    let mantissa = number.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    let digits = mantissa.iter().filter(|byte| byte.is_ascii_digit()).skip_while(|byte| **byte == b'0').count();
    let is_long = digits > KEPT_DIGITS && (mantissa.contains(&b'.') || mantissa.len() < number.len());
    let quote: &[u8] = if is_long { b"\"" } else { b"" };
    out.write_all(quote)?;
    out.write_all(number)?;
    out.write_all(quote)?;
    Ok(is_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_fractions_become_texts_and_nothing_else() {
        for (json, expected) in [
            (r#"{"a": 0.1234567890123456789, "b": [1.5]}"#, r#"{"a": "0.1234567890123456789", "b": [1.5]}"#),
            (r#"[{"a": -12345678901234567.89}]"#, r#"[{"a": "-12345678901234567.89"}]"#),
            (r#"{"a": 1234567890.123456e10}"#, r#"{"a": "1234567890.123456e10"}"#),
            (r#"{"a": 0.000000000000000000001}"#, r#"{"a": 0.000000000000000000001}"#),
            (r#"{"a": 18446744073709551617}"#, r#"{"a": 18446744073709551617}"#),
            (r#"{"0.1234567890123456789": "1.12345678901234567\" 1.12345678901234567"}"#, ""),
            (r#"{"a\\": 1.12345678901234567}"#, r#"{"a\\": "1.12345678901234567"}"#),
            ("1.12345678901234567", r#""1.12345678901234567""#),
        ] {
            let (mut out, mut found) = (Vec::new(), false);
            let is_json = rewrite(json.as_bytes(), &mut out, &mut found).unwrap();
            let expected = if expected.is_empty() { json } else { expected };
            assert_eq!(String::from_utf8(out).unwrap(), expected);
            assert_eq!((found, is_json), (expected != json, !json.starts_with('1')), "{json}");
        }
    }
}
