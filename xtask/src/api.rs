//! `api [--check]`: writes, or checks, the public API of each published library as a text that a review can read.
//!
//! `rustdoc` describes a crate as JSON in a format that changes between versions of Rust, and calls it unstable: the
//! crate `public-api` reads the format of one version, and `RUSTC_BOOTSTRAP` lets a stable compiler write it.

use std::fs;

use public_api::Builder;

use crate::codegen::Mode;
use crate::error::{Context, Error, Result};
use crate::repo::Repo;
use crate::shell::{output, say};

/// The libraries that are published, dependencies first.
pub(crate) const LIBRARIES: [&str; 4] = ["ducklake-sql", "metaxy-feature", "metaxy-config", "metaxy-store-duckdb"];

/// Where the texts are.
const FOLDER: &str = "docs/api";

/// The version of Rust whose description is read.
const RUST: &str = "1.95";

/// Writes or checks the text of every library.
///
/// # Errors
///
/// When a library cannot be described, or its text differs in [`Mode::Check`].
pub(crate) fn api(repo: &Repo, mode: Mode) -> Result<()> {
    let mut differences = Vec::new();
    for library in LIBRARIES {
        let text = describe(repo, library)?;
        let name = format!("{FOLDER}/{library}.txt");
        let path = repo.path(&name);
        let present = if path.exists() {
            fs::read_to_string(&path).context(|| format!("cannot read `{name}`"))?
        } else {
            String::new()
        };
        if present == text {
            continue;
        }
        if mode == Mode::Check {
            differences.push(format!("\n  {name}{}", difference(&present, &text)));
            continue;
        }
        fs::create_dir_all(repo.path(FOLDER)).context(|| format!("cannot make `{FOLDER}`"))?;
        fs::write(&path, text).context(|| format!("cannot write `{name}`"))?;
        say(format_args!("api: wrote {name}"));
    }
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!("the public API is not what its texts say:{}", differences.concat());
    Err(Error::new(message).with_help("if the change is meant, run `cargo xtask api` and commit what it writes"))
}

/// The public API of a library, a line for each item.
fn describe(repo: &Repo, library: &str) -> Result<String> {
    let mut rustdoc = repo.cargo(["rustdoc", "--quiet", "--lib", "--package", library, "--"]);
    rustdoc.args(["-Z", "unstable-options", "--output-format", "json", "--cap-lints", "allow"]);
    output(rustdoc.env("RUSTC_BOOTSTRAP", "1"))?;
    let json = repo.target().join("doc").join(library.replace('-', "_")).with_extension("json");
    let builder = Builder::from_rustdoc_json(json).omit_auto_trait_impls(true).omit_blanket_impls(true);
    let api = builder.omit_auto_derived_impls(true).build().map_err(|error| {
        let help = format!("the description is read as Rust {RUST} writes it; use that version");
        Error::new(format!("cannot read what rustdoc says of `{library}`")).caused_by(error).with_help(help)
    })?;
    let items: Vec<String> = api.items().map(ToString::to_string).collect();
    Ok(items.join("\n") + "\n")
}

/// The lines that one text has and the other has not.
fn difference(present: &str, text: &str) -> String {
    let lines = |sign: char, of: &str, other: &str| {
        let other: std::collections::BTreeSet<&str> = other.lines().collect();
        let lines = of.lines().filter(|line| !other.contains(line)).map(|line| format!("\n    {sign} {line}"));
        lines.collect::<Vec<_>>().concat()
    };
    lines('-', present, text) + &lines('+', text, present)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_is_gone_and_what_is_new() {
        assert_eq!(difference("a\nb\n", "a\nc\n"), "\n    - b\n    + c");
        assert_eq!(difference("a\n", "a\n"), "");
    }
}
