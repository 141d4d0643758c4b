//! Links between the pages of the repository, those of the book too: what they lead to is there, and so is its heading.
//!
//! `mdbook` itself is not needed for that, and takes longer to build than all other checks together. Links to other hosts
//! are not looked at.

use super::Finding;

/// Looks at the links of a page; `read` gives the text of a file, given from the root.
pub(super) fn check(file: &str, text: &str, read: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    for (line, target) in links(text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, heading) = target.split_once('#').unwrap_or((target, ""));
        let path = if path.is_empty() { file.to_owned() } else { joined(folder, path) };
        match read(&path) {
            None => {
                findings.push(Finding::new(file, line, format!("`{target}` leads to `{path}`, which is not there")));
            }
            Some(page) if !heading.is_empty() && !anchors(&page).any(|anchor| anchor == heading) => {
                findings.push(Finding::new(file, line, format!("`{path}` has no heading for `#{heading}`")));
            }
            Some(_) => {}
        }
    }
    findings
}

/// The lines of a page that are in no fenced block, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        (!fenced && !is_fence).then_some((number + 1, line))
    })
}

/// The targets of links, each with its line; of an `#include` of the book, the file.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    prose(text).flat_map(|(number, line)| {
        let links = line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        let included = line.strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"));
        links.chain(included).map(move |target| (number, target))
    })
}

/// The anchors of the headings of a page, as GitHub and `mdbook` make them.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = prose(text).filter(|(_, line)| line.starts_with('#'));
    headings.map(|(_, line)| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|one| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_'));
        kept.map(|one| if one == ' ' { '-' } else { one }).collect()
    })
}

/// A path that is given from a folder, from the root.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let read = |file: &str| match file {
            "docs/a.md" => Some("# One\n\n## Two words, `and` more\n\n```text\n# no heading\n```\n".to_owned()),
            "README.md" => Some(String::new()),
            _ => None,
        };
        for (text, found) in [
            ("see [a](a.md), [above](../README.md) and [out](https://example.org/x)", None),
            ("[a heading](a.md#two-words-and-more)", None),
            ("```text\n[code](b.md)\n```", None),
            ("[gone](b.md)", Some("`b.md` leads to `docs/b.md`, which is not there")),
            ("[gone](a.md#no-heading)", Some("`docs/a.md` has no heading for `#no-heading`")),
            ("{{#include ../NOTES.md}}", Some("`../NOTES.md` leads to `NOTES.md`, which is not there")),
        ] {
            let findings = check("docs/page.md", text, read);
            let messages: Vec<_> = findings.iter().map(|finding| finding.message.as_str()).collect();
            assert_eq!(messages, found.into_iter().collect::<Vec<_>>(), "{text}");
        }
    }
}
