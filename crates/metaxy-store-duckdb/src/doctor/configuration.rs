//! What is wrong with the configuration of the store, and with its data path beside those of others.

use metaxy_config::{Config, Diagnostic, Diagnostics, DuckDbStore, LoadError, Loaded, Location, Severity};

use super::Run;
use super::report::{CheckName, Outcome, Verdict};
use crate::engine::Cause;

/// The diagnostic that two stores share a data path, which is a check of its own here.
const OVERLAP: &str = "overlapping-data-paths";
/// The diagnostic of a key that there is not.
const UNKNOWN_KEY: &str = "unknown-key";
/// The diagnostic that the catalog's file is of another kind.
const CATALOG_KIND: &str = "catalog-kind";

/// Makes the checks; the store, unless the configuration is in the way.
pub(super) fn examine<'a>(
    run: &mut Run,
    loaded: &'a Result<Loaded, LoadError>,
    store: &str,
) -> Option<&'a DuckDbStore> {
    let (config, diagnostics) = match loaded {
        Ok(loaded) => (Some(&loaded.config), &loaded.diagnostics),
        Err(error) => (None, error.diagnostics()),
    };
    let concerns = |one: &&Diagnostic| one.stores().next().is_none() || one.stores().any(|name| name == store);
    let (overlaps, others): (Vec<_>, Vec<_>) =
        diagnostics.iter().filter(concerns).partition(|one| one.code() == OVERLAP);

    let ready = run.check(CheckName::Configuration, |run| {
        let verdict = findings(run, diagnostics, &others);
        let (ready, problem) = config.map_or((None, None), |config| usable(run, config, store));
        match problem {
            Some(problem) if verdict.outcome != Outcome::Failed => (ready, problem),
            _ => (ready, verdict),
        }
    });
    run.check(CheckName::DataPathOverlap, |run| {
        let of_moves = config.map(|config| moved_with(config, store)).unwrap_or_default();
        match of_moves.as_slice() {
            _ if !overlaps.is_empty() => {}
            [] => return ((), Verdict::ok("no other store of this configuration keeps its files there")),
            [other] => {
                let what = format!("only `{other}` keeps its files there, too, and one lake is moved to the other");
                return ((), Verdict::ok(what));
            }
            others => {
                let others = others.join("`, `");
                let what =
                    format!("only `{others}` keep their files there, too, and one lake is moved from one to the next");
                return ((), Verdict::ok(what));
            }
        }
        let evidence = overlaps.iter().map(|one| one.message().to_owned());
        ((), Cause::SharedDataPath.verdict(Outcome::Failed, &run.facts, "").evidence(evidence))
    });
    ready
}

/// The stores that the lake of this one is moved from or to.
fn moved_with<'c>(config: &'c Config, store: &str) -> Vec<&'c str> {
    let is_one = |other: &&str| config.is_moved(store, other) || config.is_moved(other, store);
    config.store_names().filter(|other| *other != store).filter(is_one).collect()
}

/// What the configuration's own checks say.
fn findings(run: &Run, diagnostics: &Diagnostics, found: &[&Diagnostic]) -> Verdict {
    let lines = found.iter().map(|one| {
        let place = match diagnostics.location(one) {
            Some(Location::File { path, line, column, .. }) => format!(" ({}:{line}:{column})", path.display()),
            Some(Location::Variable(name)) => format!(" (the variable {name})"),
            _ => String::new(),
        };
        format!("{} {}: {}{place}", one.severity().as_str(), one.code(), one.message())
    });
    let first = |severity| {
        let mut alike = found.iter().filter(|one| one.severity() == severity);
        // A misspelt key is why another one is missing.
        alike.clone().find(|one| one.code() == UNKNOWN_KEY).or_else(|| alike.next())
    };
    let verdict = match (first(Severity::Error), first(Severity::Warning)) {
        (Some(error), _) => {
            let cause = if error.code() == CATALOG_KIND { Cause::WrongCatalogFile } else { Cause::ConfigurationError };
            let verdict = cause.verdict(Outcome::Failed, &run.facts, "").summary(error.message());
            match error.help() {
                Some(help) => verdict.advice(help),
                None => verdict,
            }
        }
        (None, Some(warning)) => {
            let verdict = Verdict::new(Outcome::Warning, "the configuration has warnings");
            verdict.advice(warning.help().unwrap_or("see `metaxy check`"))
        }
        (None, None) => Verdict::ok("no errors, no warnings"),
    };
    verdict.evidence(lines)
}

/// The store of a name, or why there is none.
fn usable<'a>(run: &Run, config: &'a Config, name: &str) -> (Option<&'a DuckDbStore>, Option<Verdict>) {
    match config.trusted_store(name) {
        Ok(store) => (Some(store), None),
        Err(error) if error.is_untrusted() => {
            let evidence = error.diagnostics().into_iter().flatten().map(|need| need.message().to_owned());
            let verdict = Cause::ConfigurationError.verdict(Outcome::Failed, &run.facts, "").summary(error.summary());
            (None, Some(verdict.advice(error.help().unwrap_or_default()).evidence(evidence)))
        }
        // Its errors are among the findings, or are about its data path.
        Err(error) if error.diagnostics().is_some() => (None, None),
        Err(error) => {
            let verdict = Verdict::new(Outcome::Failed, error.to_string());
            (None, Some(verdict.advice(error.help().unwrap_or_default())))
        }
    }
}
