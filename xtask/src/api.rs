//! `api [--check]`: writes, or checks, the public API of each published library as a text that a review can read.
//!
//! `rustdoc` describes a crate as JSON in a format that changes between versions of Rust, and calls it unstable: the
//! crate `public-api` reads the format of one version, and `RUSTC_BOOTSTRAP` lets a stable `rustdoc` write it. Set for all
//! of Cargo, that variable would make every build script run again, and with them everything that depends on one.
//! So this program stands between Cargo and `rustdoc`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use public_api::Builder;

use crate::codegen::{Mode, generate};
use crate::error::{Context as _, Error, Result};
use crate::repo::Repo;
use crate::shell::output;

/// The libraries that are published, dependencies first.
pub(crate) const LIBRARIES: [&str; 5] =
    ["metaxy-diagnostics", "ducklake-sql", "metaxy-feature", "metaxy-config", "metaxy-store-duckdb"];

/// What makes `rustdoc` describe the API of a crate, with its unstable options.
pub(crate) const DESCRIBE: [&str; 4] = ["--output-format", "json", "--cap-lints", "allow"];

/// Where the texts are.
const FOLDER: &str = "docs/api";

/// The version of Rust whose description is read.
const RUST: &str = "1.95";

/// Tells this program that Cargo has started it in the place of `rustdoc`.
const AS_RUSTDOC: &str = "XTASK_AS_RUSTDOC";

/// Writes or checks the text of every library.
///
/// # Errors
///
/// When a library cannot be described, or its text differs in [`Mode::Check`].
pub(crate) fn api(repo: &Repo, mode: Mode) -> Result<()> {
    let this = env::current_exe().context(|| "cannot find this program".to_owned())?;
    let mut rustdoc = repo.cargo(["doc", "--workspace", "--no-deps", "--lib", "--quiet"]);
    output(
        rustdoc
            .env("RUSTDOC", this)
            .env(AS_RUSTDOC, "1")
            .env("RUSTDOCFLAGS", ["-Z unstable-options ", &DESCRIBE.join(" ")].concat()),
    )?;
    compare(repo, mode)
}

/// Where the descriptions are, with the documentation.
pub(crate) fn folder(target: &Path) -> PathBuf {
    target.join("doc")
}

/// Writes or checks the text of every library, as `rustdoc` has described it before.
///
/// # Errors
///
/// Those of [`api`].
pub(crate) fn compare(repo: &Repo, mode: Mode) -> Result<()> {
    let text = |library: &&str| Ok((format!("{FOLDER}/{library}.txt"), describe(repo, library)?));
    generate(repo, mode, "api", LIBRARIES.iter().map(text).collect::<Result<Vec<_>>>()?)
}

/// Runs `rustdoc` in a way that it writes JSON, when Cargo has started this program in its place.
pub(crate) fn as_rustdoc() -> Option<ExitCode> {
    env::var_os(AS_RUSTDOC)?;
    let status = Command::new("rustdoc").args(env::args_os().skip(1)).env("RUSTC_BOOTSTRAP", "1").status();
    let code = status.ok().and_then(|status| u8::try_from(status.code()?).ok());
    Some(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The public API of a library, a line for each item.
fn describe(repo: &Repo, library: &str) -> Result<String> {
    let json = folder(&repo.target()).join(library.replace('-', "_")).with_extension("json");
    let builder = Builder::from_rustdoc_json(json).omit_auto_trait_impls(true).omit_blanket_impls(true);
    let api = builder.omit_auto_derived_impls(true).build().map_err(|error| {
        let help = format!("the description is read as Rust {RUST} writes it; use that version");
        Error::new(format!("cannot read what rustdoc says of `{library}`")).caused_by(error).with_help(help)
    })?;
    let items: Vec<String> = api.items().map(ToString::to_string).collect();
    Ok(items.join("\n"))
}
