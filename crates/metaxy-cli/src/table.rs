//! Columns of text, aligned.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::visible::on_one_line;

/// Lines with a header, every column but the last as wide as its longest cell.
pub(crate) fn aligned<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let header = header.map(Cow::Borrowed);
    let rows = rows.iter().map(|row| row.each_ref().map(|cell| on_one_line(cell)));
    let rows: Vec<[Cow<'_, str>; N]> = std::iter::once(header).chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a text cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
