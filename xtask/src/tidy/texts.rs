//! What no file of the repository may say: paths of one machine, and hosts that the ordinary clients know themselves.

use super::Finding;

/// A forbidden text, in two halves so that this file does not hold it, and why it is forbidden.
const FORBIDDEN: [(&str, &str, &str); 8] = [
    ("/ro", "ot/", "a path of one machine"),
    ("/wo", "rk/", "a path of one machine"),
    ("/.car", "go/registry", "a path of one machine"),
    ("registry.np", "mjs", "a registry's host; `npm` knows it"),
    ("pypi", ".org", "a registry's host; `pip` knows it"),
    ("pythonho", "sted", "a registry's host; `pip` knows it"),
    ("index.cra", "tes.io", "a registry's host; `cargo` knows it"),
    ("static.cra", "tes.io", "a registry's host; `cargo` knows it"),
];

/// Looks for forbidden texts in a file.
pub(super) fn check(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (start, end, why) in FORBIDDEN {
            let forbidden = [start, end].concat();
            if line.contains(&forbidden) {
                findings.push(Finding::new(file, number + 1, format!("`{forbidden}` is {why}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_forbidden_text_is_found() {
        for (start, end, _) in FORBIDDEN {
            let text = format!("fine\nsee {start}{end} there\n");
            let lines: Vec<_> = check("a.md", &text).into_iter().map(|finding| finding.line).collect();
            assert_eq!(lines, [2], "{start}{end}");
        }
    }

    #[test]
    fn ordinary_text_passes() {
        assert_eq!(check("a.md", "the root, at work: `crates.io`, PyPI, npm\n"), []);
    }
}
