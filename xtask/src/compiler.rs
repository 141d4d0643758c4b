//! In the place of the compiler: what clippy and `rustdoc` have to say is said by the build that tests need anyway.
//!
//! `cargo clippy` and `cargo doc` check all dependencies anew, which takes longer than to check the workspace: what a build
//! makes of them is of no use to either. So `ci` lets Cargo start this program for each crate of the workspace. It starts
//! clippy, which compiles too, and then `rustdoc` with the same arguments: to check the documentation, in which no link may
//! lead nowhere, and for the description of the public API.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::api::{self, LIBRARIES};
use crate::repo::THIS;

/// Tells this program that Cargo has started it in the place of the compiler, and where documentation goes.
const DOCUMENTATION: &str = "XTASK_COMPILES_AND_DOCUMENTS";

/// Lets Cargo start this program in the place of the compiler for the crates of the workspace.
pub(crate) fn stand_in(cargo: &mut Command, this: &Path, target: &Path) {
    cargo.env("RUSTC_WORKSPACE_WRAPPER", this).env(DOCUMENTATION, api::folder(target));
}

/// Compiles a crate, when Cargo has started this program in the place of the compiler.
pub(crate) fn as_compiler() -> Option<ExitCode> {
    let folder = env::var_os(DOCUMENTATION)?;
    let mut arguments = env::args_os().skip(1);
    // Cargo names the compiler first, and build scripts and tests start this program for other tasks.
    let compiler = arguments.next().filter(|compiler| Path::new(compiler).file_stem() == Some(OsStr::new("rustc")))?;
    let arguments: Vec<OsString> = arguments.collect();
    let of = Crate::of(&arguments);
    // Clippy sees all of a library where it is compiled with its tests.
    let mut compile = if of.as_ref().is_some_and(|of| of.is_library) {
        Command::new(compiler)
    } else {
        let mut clippy = Command::new("clippy-driver");
        clippy.arg(compiler);
        clippy
    };
    compile.args(&arguments).args(["--deny", "warnings"]);
    let documents = of.map(|of| of.documents(Path::new(&folder))).unwrap_or_default();
    let code = [compile].into_iter().chain(documents).map(|mut command| code(&mut command)).find(|code| *code != 0);
    Some(ExitCode::from(code.unwrap_or_default()))
}

fn code(command: &mut Command) -> u8 {
    command.status().ok().and_then(|status| u8::try_from(status.code()?).ok()).unwrap_or(1)
}

/// A crate that has documentation.
#[derive(Debug, PartialEq, Eq)]
struct Crate {
    name: String,
    is_library: bool,
    /// What `rustdoc` is told of it.
    arguments: Vec<OsString>,
}

impl Crate {
    /// The crate that a compiler with these arguments compiles, unless it is a build script or a program of tests. Of this
    /// package there is nothing but tests: the program itself is running.
    fn of(arguments: &[OsString]) -> Option<Self> {
        let (mut name, mut is_library, mut is_test, mut kept) = (None, false, false, Vec::new());
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let text = argument.to_str().unwrap_or_default();
            match text {
                "--test" => is_test = true,
                "--out-dir" => drop(rest.next()),
                _ if text.starts_with("--emit") => {}
                "--crate-name" | "--crate-type" => {
                    let value = rest.next()?;
                    kept.extend([argument.clone(), value.clone()]);
                    if text == "--crate-name" {
                        name = value.to_str().map(str::to_owned);
                    } else {
                        is_library = value == "lib";
                    }
                }
                _ => kept.push(argument.clone()),
            }
        }
        // What Cargo only asks of the compiler is of no crate.
        let name = name.filter(|name| name != "___" && !name.starts_with("build_script_"))?;
        (!is_test || name == THIS).then_some(Self { name, is_library, arguments: kept })
    }

    /// What checks its documentation, and describes the API of a library that is published in the folder.
    fn documents(&self, folder: &Path) -> Vec<Command> {
        let rustdoc = |more: &[&str]| {
            let mut rustdoc = Command::new("rustdoc");
            rustdoc.args(&self.arguments).arg("--out-dir").arg(folder).args(more);
            // Both are not stable yet.
            rustdoc.args(["-Z", "unstable-options"]).env("RUSTC_BOOTSTRAP", "1");
            rustdoc
        };
        let check = rustdoc(&["--check", "--document-private-items", "--deny", "warnings"]);
        let is_published = |library: &&&str| self.is_library && library.replace('-', "_") == self.name;
        let description = LIBRARIES.iter().find(is_published).map(|_| rustdoc(&api::DESCRIBE));
        [check].into_iter().chain(description).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Cargo says of a crate, without what is passed on as it is.
    fn of(arguments: &str) -> Option<Crate> {
        Crate::of(&arguments.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn all_that_people_read_is_documented() {
        let library =
            of("--crate-name a_b --edition=2024 a/src/lib.rs --crate-type lib --emit=dep-info,link --out-dir d -L e");
        let kept = "--crate-name a_b --edition=2024 a/src/lib.rs --crate-type lib -L e".split(' ').map(OsString::from);
        assert_eq!(library, Some(Crate { name: "a_b".to_owned(), is_library: true, arguments: kept.collect() }));
        assert!(of("--crate-name a a/src/main.rs --crate-type bin").is_some_and(|program| !program.is_library));
        assert!(of(&format!("--crate-name {THIS} xtask/src/main.rs --test")).is_some());
        for other in [
            "--crate-name it a/tests/it.rs --test",
            "--crate-name build_script_build build.rs --crate-type bin",
            "- --crate-name ___ --print=file-names --crate-type bin",
            "-vV",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn the_api_is_described_of_libraries_that_are_published() {
        let documents = |arguments: &str| {
            let commands = of(arguments).expect("a crate").documents(Path::new("doc"));
            commands.iter().map(|command| command.get_args().any(|argument| argument == "json")).collect::<Vec<_>>()
        };
        assert_eq!(documents("--crate-name ducklake_sql lib.rs --crate-type lib"), [false, true]);
        assert_eq!(documents("--crate-name metaxy_testkit lib.rs --crate-type lib"), [false]);
        assert_eq!(documents("--crate-name ducklake_sql main.rs --crate-type bin"), [false]);
    }
}
