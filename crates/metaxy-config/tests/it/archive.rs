//! A machine written down as one text: its files, its variables, its working directory.
//!
//! A `.toml` fixture is `/project/metaxy.toml`. A `.txt` fixture is a sequence of parts, each begun by a line
//! `-- what --`: a file (`-- metaxy.toml --`, relative to `/project`), the environment (`-- env --`, `NAME=value` per
//! line), the working directory (`-- cwd sub --`). In a part `-- bytes meta.db --` the text `\0` is a NUL byte, `\x` is a
//! byte that is no UTF-8, and the last line break does not count. Git tracks the file of a part `-- tracked metaxy.toml --`, and
//! everybody can read that of `-- readable metaxy.toml --`, which both are empty. Wherever they stand, `{{10kB}}` is ten thousand letters
//! and `{{CR}}` a carriage return.

use std::path::Path;

use metaxy_config::{Exposure, MemorySystem};

/// The text of a fixture.
pub(crate) fn text(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a fixture is readable");
    text.replace("{{10kB}}", &"x".repeat(10_000)).replace("{{CR}}", "\r")
}

/// The machine that a fixture describes.
pub(crate) fn machine(path: &Path) -> MemorySystem {
    let text = text(path);
    if path.extension().is_some_and(|extension| extension == "toml") {
        return MemorySystem::new().file("/project/metaxy.toml", text);
    }
    let mut system = MemorySystem::new();
    for (what, content) in parts(&text) {
        system = match what.split_once(' ') {
            None if what == "env" => content.lines().fold(system, |system, line| {
                let (name, value) = line.split_once('=').expect("a variable has a value");
                system.var(name, value.replace("\\n", "\n"))
            }),
            Some(("cwd", dir)) => system.in_dir(Path::new("/project").join(dir)),
            Some(("bytes", name)) => {
                let content = content.strip_suffix('\n').unwrap_or(&content).replace("\\0", "\0");
                let bytes = content.split("\\x").map(str::as_bytes).collect::<Vec<_>>().join(&0xff);
                system.file(Path::new("/project").join(name), bytes)
            }
            Some(("tracked", name)) => system.exposed(Path::new("/project").join(name), Exposure::Git),
            Some(("readable", name)) => system.exposed(Path::new("/project").join(name), Exposure::Everybody),
            _ => system.file(Path::new("/project").join(what), content),
        };
    }
    system
}

/// The text of every `metaxy.toml` in a fixture.
pub(crate) fn metaxy_tomls(path: &Path) -> Vec<String> {
    let text = text(path);
    if path.extension().is_some_and(|extension| extension == "toml") {
        return vec![text];
    }
    let of_name = |(what, content): (String, String)| what.ends_with("metaxy.toml").then_some(content);
    parts(&text).into_iter().filter_map(of_name).collect()
}

/// Every part with its content; comments before the first one do not count.
fn parts(text: &str) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let header = line.trim_end().strip_prefix("-- ").and_then(|line| line.strip_suffix(" --"));
        match (header, parts.last_mut()) {
            (Some(what), _) => parts.push((what.to_owned(), String::new())),
            (None, Some((_, content))) => content.push_str(line),
            (None, None) => {}
        }
    }
    parts
}
