//! The fuzz targets on their first texts, and on thousands that were made of these by chance, the same ones in every run.
//!
//! `cargo xtask fuzz` tries many more, led by the code that they reach.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../../../fuzz/checks/configuration.rs"]
mod configuration;
#[path = "../../../../fuzz/checks/features.rs"]
mod features;
#[path = "../../../../fuzz/checks/filter.rs"]
mod filter;
#[path = "../../../../fuzz/checks/json.rs"]
mod json;
#[path = "../../../../fuzz/checks/script.rs"]
mod script;

/// The longest text that is changed: in a larger one a change reaches little that is new.
const LONGEST: usize = 2000;

#[test]
fn no_configuration_ends_the_program_or_shows_a_password() {
    let folders = ["crates/metaxy-config/tests/fixtures/valid", "crates/metaxy-config/tests/fixtures/invalid"];
    check(&folders, 300, configuration::check);
}

#[test]
fn no_feature_file_ends_the_program() {
    check(
        &["crates/metaxy-feature/tests/fixtures", "crates/metaxy-cli/tests/fixtures/features"],
        1000,
        features::check,
    );
}

#[test]
fn no_filter_ends_the_program() {
    check(&["fuzz/seeds/filter"], 3000, filter::check);
}

#[test]
fn no_json_ends_the_program() {
    check(&["crates/metaxy-feature/tests/golden"], 2000, json::check);
}

#[test]
fn no_script_ends_the_program() {
    check(&["crates/metaxy-cli/tests/sessions"], 2000, script::check);
}

/// Tries every text in folders, and so many that were made of them.
fn check(folders: &[&str], mutations: usize, target: fn(&str)) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut texts = Vec::new();
    for folder in folders {
        read(&repository.join(folder), &mut texts);
    }
    assert!(!texts.is_empty(), "{folders:?}");
    for text in &texts {
        target(text);
    }
    texts.retain(|text| text.len() <= LONGEST);
    let mut random = Random(1);
    for _ in 0..mutations {
        let mut text = texts[random.below(texts.len())].clone();
        for _ in 0..=random.below(4) {
            random.change(&mut text, &texts);
        }
        target(&text);
    }
}

/// The texts of the files in a folder and those below it, in order.
fn read(folder: &Path, texts: &mut Vec<String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(&path, texts);
        } else if let Ok(text) = String::from_utf8(fs::read(&path).expect("a file")) {
            texts.push(text);
        }
    }
}

/// Numbers that look random and are the same in every run: `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 32).expect("32 bits") % end.max(1)
    }

    /// Two places in a text, the first one first.
    fn range(&mut self, text: &str) -> std::ops::Range<usize> {
        let (one, length) = (self.below(text.len() + 1), self.below(40));
        text.floor_char_boundary(one)..text.ceil_char_boundary((one + length).min(text.len()))
    }

    /// Removes, doubles or moves a part of a text, or puts one of another text or what often ends something there.
    fn change(&mut self, text: &mut String, texts: &[String]) {
        const TELLING: &[&str] = &[
            "\"", "'", "\\", "\n", "\r\n", "\0", "${", "}", "$$", "[", "]", "{", "(", "/*", "--", ";", "=", "é",
            "\u{feff}", "9e999",
        ];
        let range = self.range(text);
        let part = match self.below(4) {
            0 => String::new(),
            1 => text[range.clone()].repeat(2),
            2 => TELLING[self.below(TELLING.len())].to_owned(),
            _ => {
                let other = &texts[self.below(texts.len())];
                let part = self.range(other);
                other[part].to_owned()
            }
        };
        text.replace_range(range, &part);
    }
}
