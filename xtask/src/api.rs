//! `api [--check]`: writes, or checks, the public API of each published library as a text that a review can read.
//!
//! `rustdoc` describes a crate as JSON in a format that changes between versions of Rust, and calls it unstable: the
//! crate `public-api` reads the format of one version, and `RUSTC_BOOTSTRAP` lets a stable compiler write it.

use public_api::Builder;

use crate::codegen::{Mode, generate};
use crate::error::{Error, Result};
use crate::repo::Repo;
use crate::shell::output;

/// The libraries that are published, dependencies first, with those of their features that add to the API.
const LIBRARIES: [(&str, &str); 5] = [
    ("metaxy-diagnostics", ""),
    ("ducklake-sql", ""),
    ("metaxy-feature", ""),
    ("metaxy-config", "schema"),
    ("metaxy-store-duckdb", ""),
];

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
    let text = |(library, features): &(&str, &str)| {
        Ok((format!("{FOLDER}/{library}.txt"), describe(repo, library, features)?))
    };
    generate(repo, mode, "api", LIBRARIES.iter().map(text).collect::<Result<Vec<_>>>()?)
}

/// The public API of a library, a line for each item.
fn describe(repo: &Repo, library: &str, features: &str) -> Result<String> {
    let mut rustdoc = repo.cargo(["rustdoc", "--quiet", "--lib", "--package", library, "--features", features, "--"]);
    rustdoc.args(["-Z", "unstable-options", "--output-format", "json", "--cap-lints", "allow"]);
    output(rustdoc.env("RUSTC_BOOTSTRAP", "1"))?;
    let json = repo.target().join("doc").join(library.replace('-', "_")).with_extension("json");
    let builder = Builder::from_rustdoc_json(json).omit_auto_trait_impls(true).omit_blanket_impls(true);
    let api = builder.omit_auto_derived_impls(true).build().map_err(|error| {
        let help = format!("the description is read as Rust {RUST} writes it; use that version");
        Error::new(format!("cannot read what rustdoc says of `{library}`")).caused_by(error).with_help(help)
    })?;
    let items: Vec<String> = api.items().map(ToString::to_string).collect();
    Ok(items.join("\n"))
}
