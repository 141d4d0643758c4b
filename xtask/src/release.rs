//! `release --dry-run`: whether this version can be published, as a list that is checked to its end.
//!
//! It publishes nothing: a person runs the commands that it prints when all is well.

use std::ffi::OsString;
use std::fs;

use crate::api::{self, LIBRARIES};
use crate::checksums;
use crate::codegen::{self, Mode};
use crate::error::{Context as _, Error, Result};
use crate::package::{self, PROGRAM};
use crate::repo::Repo;
use crate::shell::{output, say};

/// The version of all crates.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What has to be so, and what looks whether it is; it says what it has found.
type Check = (&'static str, fn(&Repo) -> Result<String>);

/// Quick ones first.
const CHECKS: [Check; 7] = [
    ("everything is committed", committed),
    ("the version is a new one", version),
    ("the changelog tells of it", changelog),
    ("generated files are current", |repo| codegen::codegen(repo, Mode::Check).map(|()| String::new())),
    ("the public API is as written down", |repo| api::api(repo, Mode::Check).map(|()| String::new())),
    ("the version says whether the API broke", api_difference),
    ("archive and wheel are packed", packed),
];

/// Reads `--dry-run`, the one way there is.
///
/// # Errors
///
/// For anything else.
pub(crate) fn parse(args: &mut impl Iterator<Item = OsString>) -> Result<()> {
    match args.next() {
        Some(arg) if arg == "--dry-run" => Ok(()),
        _ => Err(Error::new("expected `--dry-run`").with_help("nothing is published by a program here")),
    }
}

/// Goes through the list.
///
/// # Errors
///
/// When one is not so; the error has all of them.
pub(crate) fn release(repo: &Repo) -> Result<()> {
    let mut wrong = Vec::new();
    let crates: Check = ("the crates build from their packages", |repo| package::package(repo).map(|()| String::new()));
    for (what, check) in CHECKS.into_iter().chain([crates]) {
        match check(repo) {
            Ok(found) if found.is_empty() => say(format_args!("yes  {what}")),
            Ok(found) => say(format_args!("yes  {what}: {found}")),
            Err(error) => {
                say(format_args!("NO   {what}: {error}"));
                wrong.push(what);
            }
        }
    }
    if !wrong.is_empty() {
        return Err(Error::new(format!("{VERSION} cannot be published; not so: {}", wrong.join("; "))));
    }
    let publish = LIBRARIES.iter().copied().chain([PROGRAM]);
    let publish: String = publish.map(|name| ["  cargo publish -p ", name, "\n"].concat()).collect();
    say(format_args!(
        "release: {VERSION} can be published\n  git tag v{VERSION}\n{publish}  and put what is in target/dist beside it"
    ));
    Ok(())
}

fn git(repo: &Repo, args: &[&str]) -> Result<String> {
    let said = output(std::process::Command::new("git").current_dir(repo.path("")).args(args))?;
    String::from_utf8(said).context(|| "what `git` says is no text".to_owned())
}

fn committed(repo: &Repo) -> Result<String> {
    let changed = git(repo, &["status", "--porcelain"])?;
    match changed.lines().count() {
        0 => Ok(git(repo, &["rev-parse", "--short", "HEAD"])?.trim().to_owned()),
        count => Err(Error::new(format!("{count} files differ from the last commit"))),
    }
}

/// The last version that was published, as Git's tags have it.
fn last(repo: &Repo) -> Result<Option<Version>> {
    let tags = git(repo, &["tag", "--list", "v*"])?;
    Ok(tags.lines().filter_map(|tag| Version::parse(tag.strip_prefix('v')?)).max())
}

fn version(repo: &Repo) -> Result<String> {
    let this = Version::parse(VERSION).ok_or_else(|| Error::new(format!("`{VERSION}` is not a version")))?;
    match last(repo)? {
        Some(last) if last >= this => Err(Error::new(format!("{VERSION} does not come after {last}"))),
        Some(last) => Ok(format!("{VERSION} comes after {last}")),
        None => Ok(format!("{VERSION} is the first")),
    }
}

fn changelog(repo: &Repo) -> Result<String> {
    let text = fs::read_to_string(repo.path("CHANGELOG.md")).context(|| "cannot read `CHANGELOG.md`".to_owned())?;
    told(&text, VERSION)
}

/// Whether a changelog has a version with its date, and nothing that is not released.
fn told(changelog: &str, version: &str) -> Result<String> {
    let section = |title: &str| {
        let mut lines = changelog.lines().skip_while(|line| !line.starts_with(title));
        let heading = lines.next()?;
        Some((heading, lines.take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with('-')).count()))
    };
    if let Some((_, waiting @ 1..)) = section("## Unreleased") {
        return Err(Error::new(format!(
            "{waiting} entries are below `## Unreleased`, and not below `## {version} - DATE`"
        )));
    }
    match section(&format!("## {version} - ")) {
        Some((_, 0)) => Err(Error::new(format!("nothing is below `## {version}`"))),
        Some((_, entries)) => Ok(format!("{entries} entries")),
        None => Err(Error::new(format!("there is no `## {version} - DATE`"))),
    }
}

fn api_difference(repo: &Repo) -> Result<String> {
    let Some(last) = last(repo)? else { return Ok("there is nothing to compare with".to_owned()) };
    let difference = git(repo, &["diff", "--unified=0", &format!("v{last}"), "--", "docs/api"])?;
    let count = |sign: char, header: &str| {
        difference.lines().filter(|line| line.starts_with(sign) && !line.starts_with(header)).count()
    };
    let (gone, new) = (count('-', "---"), count('+', "+++"));
    let this = Version::parse(VERSION).ok_or_else(|| Error::new(format!("`{VERSION}` is not a version")))?;
    if gone > 0 && !this.may_break(&last) {
        return Err(Error::new(format!("{gone} items of {last} are gone or changed, which {VERSION} may not do")));
    }
    Ok(format!("{new} items are new, {gone} are gone"))
}

fn packed(repo: &Repo) -> Result<String> {
    let folder = repo.path("target/dist");
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).map_err(|error| {
        Error::new("`target/dist/SHA256SUMS` is not there; run `cargo xtask dist`").caused_by(error)
    })?;
    let mut files = Vec::new();
    for line in sums.lines() {
        let (sum, file) = line.split_once("  ").ok_or_else(|| Error::new("`target/dist/SHA256SUMS` cannot be read"))?;
        if !file.contains(&format!("-{VERSION}-")) {
            return Err(Error::new(format!("`{file}` is of another version; run `cargo xtask dist`")));
        }
        if checksums::of(&folder.join(file))? != sum {
            return Err(Error::new(format!("`{file}` is not what was packed; run `cargo xtask dist`")));
        }
        files.push(file);
    }
    if files.len() < 2 { Err(Error::new("one of them is missing")) } else { Ok(files.join(", ")) }
}

/// A version of three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u64; 3]);

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let numbers: Vec<u64> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Self(numbers.try_into().ok()?))
    }

    /// Whether programs for another version may stop building with this one: the first number that is not 0 has changed.
    fn may_break(&self, other: &Self) -> bool {
        let first = self.0.iter().zip(&other.0).position(|(this, other)| *this != 0 || *other != 0).unwrap_or(2);
        self.0[first] != other.0[first]
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0[0], self.0[1], self.0[2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_that_is_not_zero_says_that_something_broke() {
        for (old, new, may) in [
            ("0.1.0", "0.1.1", false),
            ("0.1.9", "0.2.0", true),
            ("1.2.3", "1.3.0", false),
            ("1.9.0", "2.0.0", true),
            ("0.9.0", "1.0.0", true),
        ] {
            let version = |text| Version::parse(text).expect("a version");
            assert_eq!(version(new).may_break(&version(old)), may, "{old} {new}");
            assert!(version(old) < version(new));
        }
        assert_eq!(Version::parse("0.1"), None);
    }

    #[test]
    fn a_changelog_tells_of_a_version_with_its_date() {
        for (text, fault) in [
            ("## Unreleased\n\n## 0.2.0 - 2026-11-27\n\n- new\n", ""),
            ("## 0.2.0 - 2026-11-27\n\n- new\n\n## 0.1.0 - 2026-01-01\n", ""),
            ("## Unreleased\n\n- new\n", "1 entries are below `## Unreleased`, and not below `## 0.2.0 - DATE`"),
            ("## 0.2.0\n\n- new\n", "there is no `## 0.2.0 - DATE`"),
            ("## 0.2.0 - 2026-11-27\n\n## 0.1.0 - 2026-01-01\n\n- old\n", "nothing is below `## 0.2.0`"),
        ] {
            let found = told(text, "0.2.0").err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(found, fault, "{text}");
        }
    }
}
