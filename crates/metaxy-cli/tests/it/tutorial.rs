//! From install to a stale row, as the book says it, where there is nothing but a package.
//!
//! `cargo xtask dist --try` runs this with packages that it has built, in a network of loopback alone. The blocks of
//! the introduction install the program, and those of the tutorial use it, on each of several lakes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use metaxy_testkit::TempDir;

use crate::book::{blocks, check_in, root, said};
use crate::servers::Servers;

/// How long a stranger may need, without reading.
const AT_MOST: Duration = Duration::from_mins(5);

/// A package: its name in a report, how its file ends, and the first word of its block in the introduction.
const PACKAGES: [(&str, &str, &str); 2] = [("archive", ".tar.gz", "tar "), ("wheel", ".whl", "python3 ")];

/// What `init` is asked for; nothing, as in the tutorial, for SQLite and a folder.
const LAKES: [&str; 4] = ["", " --storage s3", " --catalog postgres", " --catalog postgres --storage s3"];

#[test]
#[ignore = "`cargo xtask dist --try` has the packages for it"]
fn a_stale_row_is_found_within_minutes_of_the_install() {
    let path = |name: &str| Some(fs::canonicalize(env::var_os(name)?).expect("a folder"));
    let packages = path("METAXY_TRY_PACKAGES").expect("the folder of the packages");
    let system = System { root: path("METAXY_TRY_ROOT") };
    let mut wrong = String::new();
    for package @ (name, ..) in PACKAGES {
        for lake in LAKES {
            let started = Instant::now();
            wrong += &system.try_tutorial(&packages, package, lake);
            let took = started.elapsed();
            println!("{name}, `metaxy init{lake}`: {:.1} s from the install to a stale row", took.as_secs_f32());
            assert!(took < AT_MOST, "{name}, `metaxy init{lake}`: {took:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Where a stranger works: below the root of a system of its own, or in new folders of this one.
struct System {
    root: Option<PathBuf>,
}

impl System {
    /// Installs a package and does what the tutorial says; what differs.
    fn try_tutorial(&self, packages: &Path, (name, end, install): (&str, &str, &str), lake: &str) -> String {
        let temporary = self.root.as_ref().map_or_else(env::temp_dir, |root| root.join("tmp"));
        let (home, project) = (TempDir::new_in(&temporary), TempDir::new_in(&temporary));
        copy(packages, end, &home);
        let page = |file: &str| fs::read_to_string(root().join("docs/book/src").join(file)).expect("a page");

        let introduction = blocks(&page("introduction.md"));
        let is_it = |(kind, block): &&(String, String)| kind == "sh" && block.starts_with(install);
        let (_, install) = introduction.iter().find(is_it).expect("the block of the package");
        let (text, is_done) = said(self.shell(&home, install, &[]));
        assert!(is_done, "{name}: {install}{text}");
        // A new shell knows of the program by these lines.
        let path: String =
            install.lines().filter(|line| line.starts_with("export ") || line.starts_with(". ")).collect();

        let servers = Servers::start();
        let mut variables = servers.variables.clone();
        if lake.ends_with("s3") {
            // The file has these in comments, since they are for servers other than Amazon's.
            let endpoint = servers.variables.iter().find(|(name, _)| *name == "DUCKLAKE_S3_ENDPOINT");
            variables.extend([
                ("METAXY_STORES__DEV__CONFIG__DUCKLAKE__STORAGE__ENDPOINT", endpoint.expect("it is there").1.clone()),
                ("METAXY_STORES__DEV__CONFIG__DUCKLAKE__STORAGE__URL_STYLE", "path".to_owned()),
            ]);
        }
        let at_home = self.inside(&home);
        let inside = self.inside(&project);
        check_in(&project, &[name, ", metaxy init", lake].concat(), &with_lake(&page("tutorial.md"), lake), &|typed| {
            // The program of a wheel has another name, as the introduction says.
            let alias = if name == "wheel" { "metaxy() { metaxy-rs \"$@\"; }" } else { "" };
            let lines = [&["cd ", &at_home].concat(), &path, alias, &["cd ", &inside].concat(), typed];
            said(self.shell(&project, &lines.join("\n"), &variables))
        })
    }

    /// A shell of the system that runs a script in a folder, with these variables and no other.
    fn shell(&self, folder: &TempDir, script: &str, variables: &[(&str, String)]) -> Command {
        let mut shell = match &self.root {
            Some(root) => {
                let mut shell = Command::new("/usr/sbin/chroot");
                shell.arg(root).arg("/bin/sh");
                shell
            }
            None => Command::new("/bin/sh"),
        };
        let inside = self.inside(folder);
        shell.arg("-ec").arg(["exec 2>&1\ncd ", &inside, "\n", script].concat());
        shell.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", inside);
        shell.envs(variables.iter().map(|(name, value)| (name, value)));
        shell
    }

    /// The path of a folder as the system has it.
    fn inside(&self, folder: &TempDir) -> String {
        let root = self.root.as_deref().unwrap_or(Path::new("/"));
        let below = folder.path().strip_prefix(root).expect("it is below the root");
        Path::new("/").join(below).to_str().expect("a path in UTF-8").to_owned()
    }
}

/// Copies the package that ends so.
fn copy(packages: &Path, end: &str, to: &TempDir) {
    for entry in fs::read_dir(packages).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        if name.ends_with(end) {
            fs::copy(entry.path(), to.path().join(name)).expect("a copy");
        }
    }
}

/// The tutorial with another lake. What `init` says of that one is in the guides.
fn with_lake(tutorial: &str, lake: &str) -> String {
    if lake.is_empty() {
        return tutorial.to_owned();
    }
    let (before, rest) = tutorial.split_once("$ metaxy init\n").expect("the tutorial begins so");
    let (_, rest) = rest.split_once("$ metaxy check\n").expect("and goes on so");
    [before, "$ metaxy init", lake, "\n[…]\n$ metaxy check\n", rest].concat()
}
