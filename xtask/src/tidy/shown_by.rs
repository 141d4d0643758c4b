//! Tests that documents name as proof: of each row of a table whose last column is headed `shown by` or `test`, they are
//! there.

use std::collections::BTreeSet;

use super::Finding;

/// The headings of columns that name tests.
const HEADINGS: [&str; 2] = ["shown by", "test"];

/// What the pages name, and the functions that there are.
#[derive(Debug, Default)]
pub(super) struct ShownBy {
    named: Vec<(String, usize, String)>,
    functions: BTreeSet<String>,
}

impl ShownBy {
    /// Takes the names from the tables of a page.
    pub(super) fn read_page(&mut self, file: &str, text: &str) {
        let mut is_in_table = false;
        for (number, line) in text.lines().enumerate() {
            let Some(row) = line.strip_prefix('|') else {
                is_in_table = false;
                continue;
            };
            let last = row.trim_end().trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
            is_in_table |= HEADINGS.contains(&last);
            // Files and folders have other characters in their names; a test is named by a sentence.
            let is_test = |name: &&str| {
                name.matches('_').count() > 1
                    && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
            };
            // Some pages write the file into the name.
            let names = last.split('`').skip(1).step_by(2).map(|name| name.rsplit(": ").next().unwrap_or(name));
            let names = names.filter(is_test).filter(|_| is_in_table);
            self.named.extend(names.map(|name| (file.to_owned(), number + 1, name.to_owned())));
        }
    }

    /// Takes the names of the functions of a source file.
    pub(super) fn read_source(&mut self, text: &str) {
        let functions = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")?.split_once('('));
        self.functions.extend(functions.map(|(name, _)| name.to_owned()));
    }

    /// The tests that are not there.
    pub(super) fn check(&self) -> Vec<Finding> {
        let missing = self.named.iter().filter(|(.., name)| !self.functions.contains(name));
        let finding = |(file, line, name): &(String, usize, String)| {
            Finding::new(file, *line, format!("there is no test `{name}`; name the one that shows it"))
        };
        missing.map(finding).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_not_there_is_found() {
        let mut shown_by = ShownBy::default();
        shown_by.read_source("#[test]\nfn rows_are_kept() {}\n");
        shown_by.read_page(
            "a.md",
            "| what | shown by |\n|---|---|\n| a | `a_b.rs`: `rows_are_kept` |\n| b | `c.rs: rows_are_lost` |\n\n| x | `not_a_test` |\n",
        );
        let found: Vec<_> = shown_by.check().into_iter().map(|finding| (finding.line, finding.message)).collect();
        assert_eq!(found, [(4, "there is no test `rows_are_lost`; name the one that shows it".to_owned())]);
    }
}
