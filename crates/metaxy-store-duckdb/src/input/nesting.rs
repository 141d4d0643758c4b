//! How deep JSON is nested. DuckDB finds out the types of its values by a function that calls itself for each level, and
//! the process ends where its stack does.

use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use super::compressed;
use super::reader::Reader;
use super::unreadable;
use crate::engine::Error;

/// How deep lists and objects may be nested, a row being one.
pub(super) const DEEPEST: usize = 100;

impl Reader<'_, '_> {
    /// Refuses what is nested deeper than is safe to look at.
    pub(super) fn refuse_deep(&self) -> Result<(), Error> {
        let is_deep = is_deep(self.file.content.path()).map_err(|error| unreadable(&self.file.name, error))?;
        if is_deep { Err(self.too_deep()) } else { Ok(()) }
    }

    pub(super) fn too_deep(&self) -> Error {
        let what = ["is nested more than ", &DEEPEST.to_string(), " levels deep"].concat();
        self.wrong(&what, Some("keep such a value as a text"))
    }
}

fn is_deep(path: &Path) -> io::Result<bool> {
    let mut reader = BufReader::with_capacity(1 << 20, compressed::open(path)?);
    let mut nesting = Nesting::default();
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(false);
        }
        if nesting.reads(bytes) {
            return Ok(true);
        }
        let length = bytes.len();
        reader.consume(length);
    }
}

/// Where in a text of JSON one is.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl Nesting {
    /// Reads on; whether it came deeper than is allowed.
    fn reads(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.in_string => self.is_escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'[' | b'{' => {
                    self.depth += 1;
                    if self.depth > DEEPEST {
                        return true;
                    }
                }
                b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_open_counts() {
        for (text, expected) in [
            ("[".repeat(100), false),
            ("[".repeat(101), true),
            ("{\"a\":".repeat(101), true),
            ("[]{}".repeat(1000), false),
            (["\"", &"[".repeat(1000), "\""].concat(), false),
            (["\"\\\"", &"[".repeat(1000), "\""].concat(), false),
            (["\"\\\\\"", &"[".repeat(1000)].concat(), true),
        ] {
            assert_eq!(Nesting::default().reads(text.as_bytes()), expected, "{text}");
            // Wherever a part of the file ends.
            let mut nesting = Nesting::default();
            assert_eq!(text.as_bytes().chunks(1).any(|part| nesting.reads(part)), expected, "{text}");
        }
    }
}
