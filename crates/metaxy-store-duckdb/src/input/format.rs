//! What a file of rows can be, told by its name or its first bytes.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use super::compressed;

/// What a file of rows can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// CSV with a header; nested values as JSON.
    Csv,
    /// JSON, each row being an object: one a line, or all in an array.
    Json,
}

impl FileFormat {
    /// What a file is by the end of its name.
    pub(super) fn of_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "parquet" | "pq" => Some(Self::Parquet),
            "csv" | "tsv" => Some(Self::Csv),
            "json" | "jsonl" | "ndjson" => Some(Self::Json),
            _ => None,
        }
    }

    /// What a file is by its first bytes.
    pub(super) fn of_content(path: &Path) -> io::Result<Self> {
        let mut head = Vec::new();
        File::open(path)?.take(512).read_to_end(&mut head)?;
        Ok(if head.starts_with(b"PAR1") {
            Self::Parquet
        } else if head.trim_ascii_start().starts_with(b"{") || head.trim_ascii_start().starts_with(b"[") {
            Self::Json
        } else {
            Self::Csv
        })
    }
}

/// Whether a file of CSV has a field that is nothing between quotes.
pub(super) fn has_quoted_empty(path: &Path) -> bool {
    let Ok(file) = compressed::open(path) else { return false };
    let is_border = |byte: Option<u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'"');
    // The three bytes before the one that is looked at.
    let mut last = [None; 3];
    for byte in BufReader::new(file).bytes().map_while(Result::ok).map(Some).chain([None]) {
        if let [before, Some(b'"'), Some(b'"')] = last
            && is_border(before)
            && is_border(byte)
        {
            return true;
        }
        last = [last[1], last[2], byte];
    }
    false
}
