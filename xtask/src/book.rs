//! The book is built as its readers get it, and every link in its pages leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use mdbook_driver::MDBook;

/// The values of an attribute in a page.
fn values<'p>(page: &'p str, attribute: &str) -> impl Iterator<Item = &'p str> {
    let begin = [" ", attribute, "=\""].concat();
    let parts: Vec<&str> = page.split(&begin).skip(1).collect();
    parts.into_iter().filter_map(|part| part.split('"').next())
}

/// A path without `..` in it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

fn pages(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "html") {
            let text = fs::read_to_string(&path).expect("a page");
            found.insert(path, text);
        }
    }
}

#[test]
fn the_book_is_built_and_no_link_in_it_leads_nowhere() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = tempfile::tempdir().expect("a folder");
    let mut book = MDBook::load(repository.join("docs/book")).expect("the book");
    book.config.build.build_dir = target.path().to_owned();
    book.build().expect("the pages");

    let mut all = BTreeMap::new();
    pages(target.path(), &mut all);
    let chapters = fs::read_to_string(repository.join("docs/book/src/SUMMARY.md")).expect("the contents");
    assert!(all.len() > chapters.matches("](").count(), "{} pages", all.len());
    let ids: BTreeMap<&PathBuf, BTreeSet<&str>> =
        all.iter().map(|(path, page)| (path, values(page, "id").collect())).collect();
    let mut broken = Vec::new();
    for (path, page) in &all {
        // That of a page that is not there has links from the root of a site.
        if path.ends_with("404.html") {
            continue;
        }
        for link in values(page, "href").chain(values(page, "src")) {
            if link.contains("://") || link.starts_with("mailto:") || link.starts_with("data:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() { path.clone() } else { plain(&path.parent().expect("a folder").join(file)) };
            let is_there = match ids.get(&to) {
                Some(ids) => anchor.is_empty() || ids.contains(anchor),
                None => anchor.is_empty() && to.is_file(),
            };
            if !is_there {
                broken.push(format!("{}: {link}", path.strip_prefix(target.path()).expect("below it").display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
