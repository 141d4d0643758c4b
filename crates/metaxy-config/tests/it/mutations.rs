//! Whatever a file holds: no panic, and no secret.

use std::path::Path;

use metaxy_config::MemorySystem;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::cases;

/// A file with a secret in every field that can hold one.
fn full() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/valid/every-field.toml");
    std::fs::read_to_string(path).expect("the fixture is readable")
}

/// One change to a text.
#[derive(Debug, Clone)]
enum Mutation {
    Delete(prop::sample::Index, usize),
    Insert(prop::sample::Index, String),
    Truncate(prop::sample::Index),
    Duplicate(prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), 1..8_usize).prop_map(|(at, length)| Mutation::Delete(at, length)),
        (index(), r#"[\x00-\x7fé"'=\[\]{}#\n\\.,$]{1,3}"#).prop_map(|(at, text)| Mutation::Insert(at, text)),
        index().prop_map(Mutation::Truncate),
        index().prop_map(Mutation::Duplicate),
    ]
}

fn mutate(text: &mut String, mutation: &Mutation) {
    let at = |text: &str, index: &prop::sample::Index| text.floor_char_boundary(index.index(text.len() + 1));
    match mutation {
        Mutation::Delete(index, length) => {
            let start = at(text, index);
            let end = text.ceil_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end, "");
        }
        Mutation::Insert(index, inserted) => {
            let at = at(text, index);
            text.insert_str(at, inserted);
        }
        Mutation::Truncate(index) => {
            let at = at(text, index);
            text.truncate(at);
        }
        Mutation::Duplicate(index) => {
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            if let Some(line) = lines.get(index.index(lines.len().max(1))) {
                text.push('\n');
                text.push_str(line);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn a_mutated_file_neither_panics_nor_leaks(mutations in vec(mutation(), 1..6)) {
        let mut text = full();
        for mutation in &mutations {
            mutate(&mut text, mutation);
        }
        let _ = cases::load(&MemorySystem::new().file("/project/metaxy.toml", text));
    }

    #[test]
    fn any_bytes_are_reported(bytes in vec(any::<u8>(), 0..400)) {
        let _ = cases::load(&MemorySystem::new().file("/project/metaxy.toml", bytes));
    }

    #[test]
    fn any_variables_are_reported(
        path in vec("(STORES|DEV|CONFIG|DUCKLAKE|CATALOG|EXT|X|PROJECT|SYNC|__)", 1..6),
        value in ".{0,40}|[0-9]{1,30}|\\{\"a\": \\[1, null\\]\\}",
    ) {
        let name = format!("METAXY_{}", path.join("__"));
        let system = MemorySystem::new().file("/project/metaxy.toml", full()).var(name, value);
        let _ = cases::load(&system);
    }
}

#[test]
fn a_file_cut_anywhere_neither_panics_nor_leaks() {
    let text = full();
    for (end, _) in text.char_indices() {
        let _ = cases::load(&MemorySystem::new().file("/project/metaxy.toml", &text[..end]));
    }
}
