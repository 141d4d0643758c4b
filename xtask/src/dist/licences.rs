//! The licences of all that a package holds: what is in `xtask/dist/NOTICE.txt`, and those of the Rust packages.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::error::Result;
use crate::metadata::Package;
use crate::repo::{read_folder, read_text};

const NOTICE: &str = include_str!("../../dist/NOTICE.txt");

/// How the names of files with licences and notices begin, in lower case.
const NAMES: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];

/// One text: the notice, a list of the packages, and each of their licence texts once, with the packages that have it.
///
/// # Errors
///
/// When a file of a package cannot be read.
pub(super) fn text(packages: &[&Package]) -> Result<String> {
    let mut text = format!("{NOTICE}\nRust packages\n-------------\n\n");
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let name = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or("see below");
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name}: {licence}, {}", package.repository.as_deref().unwrap_or("no repository"));
        for licence in package.manifest_path.parent().map(texts_in).transpose()?.unwrap_or_default() {
            owners.entry(licence).or_default().push(name.clone());
        }
    }
    for (licence, owners) in owners {
        let _ = write!(text, "\n\n==== {}\n\n{}\n", owners.join(", "), licence.trim_end());
    }
    Ok(text)
}

/// The texts of the files with licences in the folder of a package.
fn texts_in(folder: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for (path, kind) in read_folder(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if kind.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            texts.extend(read_text(&path)?);
        }
    }
    texts.sort();
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_text_that_two_packages_have_is_there_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let package = |name: &str, licence: &str| {
            let folder = folder.path().join(name);
            fs::create_dir(&folder).expect("a folder");
            fs::write(folder.join("LICENSE-MIT"), licence).expect("a licence");
            Package {
                id: name.to_owned(),
                name: name.to_owned(),
                version: "1.0.0".to_owned(),
                source: None,
                license: Some("MIT".to_owned()),
                repository: None,
                manifest_path: folder.join("Cargo.toml"),
            }
        };
        let packages = [package("a", "same words"), package("b", "same words"), package("c", "other words")];
        let text = text(&packages.iter().collect::<Vec<_>>()).expect("the licences");
        assert_eq!(text.matches("same words").count(), 1);
        assert!(text.contains("==== a 1.0.0, b 1.0.0\n\nsame words") && text.contains("==== c 1.0.0\n\nother words"));
    }
}
