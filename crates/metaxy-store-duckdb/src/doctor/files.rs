//! The data files: whether those that the lake knows are there and whole, and whether each column of each can be read.

use std::path::Path;

use ducklake_sql::{Ident, Sql, sql};

use super::report::{CheckName, Outcome, Verdict};
use super::{Run, Target};
use crate::engine::cause::Operation;
use crate::engine::{Cause, EngineError, Error, file_of};
use crate::lake::known_files::{Damage, KnownFile, Listing, known_files, orphans};

/// So many files or tables are named; the others are counted.
const NAMED: usize = 5;

/// Makes the checks; that of the content only where it was asked for.
pub(super) fn examine(run: &mut Run, target: &Target<'_>, deep: bool) {
    let settings = run.report.finding(CheckName::StoredSettings);
    if settings.is_some_and(|finding| finding.cause == Some(Cause::DataPathDiffers)) {
        for name in [CheckName::DataFiles, CheckName::Content] {
            run.skip(name, "the data path has to be corrected first");
        }
        return;
    }
    let known = run.check(CheckName::DataFiles, |run| match known(target) {
        Ok(Some((data_path, known))) => {
            let verdict = are_there(run, target, &data_path, &known);
            (known, verdict)
        }
        Ok(None) => (Vec::new(), Verdict::skipped("the catalog's server keeps the metadata")),
        Err(said) => {
            (Vec::new(), Verdict::new(Outcome::Warning, "the lake's metadata cannot be read").raw(said.text()))
        }
    });
    if deep {
        run.check(CheckName::Content, |run| ((), can_be_read(run, target, &known)));
    } else {
        run.skip(CheckName::Content, "only with --deep");
    }
}

impl Damage {
    fn cause(&self) -> Cause {
        match self {
            Self::Missing => Cause::FilesMissing,
            Self::OtherSize(_) => Cause::FilesDamaged,
            Self::Denied(_) => Cause::FilesDenied,
        }
    }

    fn describe(&self, file: &KnownFile) -> String {
        match self {
            Self::Missing => format!("{}: not there", file.path),
            Self::OtherSize(0) => format!("{}: empty", file.path),
            Self::OtherSize(found) => format!("{}: {found} bytes, {} were written", file.path, file.size),
            Self::Denied(why) => format!("{}: {why}", file.path),
        }
    }
}

/// The data path, and every file of every snapshot; `None` where a server keeps the metadata to itself.
fn known(target: &Target<'_>) -> Result<Option<(String, Vec<KnownFile>)>, EngineError> {
    let Some(data_path) = target.data_path()? else { return Ok(None) };
    let known = known_files(target.connection, target.plan, &data_path).map_err(Error::into_engine_error)?;
    Ok(known.map(|known| (data_path, known)))
}

/// Whether the files are there, of the sizes that they were written with.
fn are_there(run: &Run, target: &Target<'_>, data_path: &str, known: &[KnownFile]) -> Verdict {
    let listing = match Listing::of(target.connection, data_path) {
        Ok(listing) => listing,
        Err(error) => {
            let said = error.into_engine_error();
            return Verdict::skipped("the storage does not list them").raw(said.text());
        }
    };
    let found: Vec<(&KnownFile, Damage)> =
        known.iter().filter_map(|file| Some((file, listing.damage(file)?))).collect();
    let Some((_, first)) = found.iter().find(|(file, _)| file.is_current).or(found.first()) else {
        let what = format!("all {} are there, as large as they were written", known.len());
        return Verdict::ok(what).evidence(orphans_of(target, known, &listing));
    };
    let is_current = found.iter().any(|(file, _)| file.is_current);
    let (outcome, of_the_past) = if is_current {
        (Outcome::Failed, None)
    } else {
        (Outcome::Warning, Some("no rows of now are in them: only older snapshots cannot be read".to_owned()))
    };
    let count = format!("of {} files, {} are not as they were written", known.len(), found.len());
    let named = found.iter().take(NAMED).map(|(file, damage)| damage.describe(file));
    first.cause().verdict(outcome, &run.facts, "").evidence([count]).evidence(of_the_past).evidence(named)
}

/// What is to say of files that no snapshot needs.
fn orphans_of(target: &Target<'_>, known: &[KnownFile], listing: &Listing<'_>) -> Vec<String> {
    let found = match orphans(target.connection, target.plan, known, listing) {
        Ok(found) => found,
        Err(error) => return vec![format!("files that no snapshot needs were not looked for: {error}")],
    };
    let (links, orphans): (Vec<&String>, Vec<&String>) =
        found.iter().partition(|path| file_of(Path::new(path)).is_some());
    let named = |paths: &[&String]| {
        let more = if paths.len() > NAMED { ", …" } else { "" };
        paths.iter().take(NAMED).map(|path| path.as_str()).collect::<Vec<_>>().join(", ") + more
    };
    let orphans = (!orphans.is_empty()).then(|| {
        format!(
            "{} files that no snapshot needs (orphans), or that a program is about to commit: {}",
            orphans.len(),
            named(&orphans)
        )
    });
    let links = (!links.is_empty()).then(|| {
        format!(
            "{} second links to files, which a program left that was killed while it committed; after a day, the next \
             commit to their table removes them: {}",
            links.len(),
            named(&links)
        )
    });
    orphans.into_iter().chain(links).collect()
}

/// Whether every column of every table can be read to its end, and of every file that only older snapshots need.
fn can_be_read(run: &Run, target: &Target<'_>, known: &[KnownFile]) -> Verdict {
    let tables = Sql::fixed(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ? AND NOT internal ORDER BY ALL",
    );
    let tables: Vec<(String, String)> = match target.rows(tables.with_text("alias", target.lake.alias().as_str())) {
        Ok(tables) => tables,
        Err(said) => return Verdict::unknown("the lake does not list its tables", said.text()),
    };
    let mut failed: Vec<(String, EngineError)> = Vec::new();
    for (schema, name) in &tables {
        let read = || {
            let [schema, table] = [schema, name].map(Ident::new);
            let (schema, table, alias) = (schema?, table?, target.lake.alias());
            // The hash of a value takes all of it. Checksums of pages are in few files, so nothing less would do.
            target.connection.execute(sql!(
                "SELECT bit_xor(hash(COLUMNS(*))) FROM {alias}.{schema}.{table}",
                alias,
                schema,
                table,
            ))
        };
        if let Err(error) = read() {
            failed.push((format!("table `{name}`"), error.into_engine_error()));
        }
    }
    let is_whole = failed.is_empty();
    // A table tells of one of its files only.
    for file in known.iter().filter(|file| file.reads_alone && !(is_whole && file.is_current)) {
        let read = Sql::fixed("SELECT bit_xor(hash(COLUMNS(*))) FROM read_parquet(?)").with_text("file", &file.path);
        if let Err(said) = target.run(read) {
            failed.push((file.path.clone(), said));
        }
    }
    let Some((_, first)) = failed.first() else {
        return Verdict::ok(format!("every column of {} tables can be read", tables.len()));
    };
    let cause = first.cause(Operation::Query, &run.facts).filter(|cause| cause.is_outside());
    let outcome = if is_whole { Outcome::Warning } else { Outcome::Failed };
    let named = failed.iter().take(NAMED).map(|(what, said)| format!("{what}: {}", said.reason()));
    let more = failed.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("and {more} more"));
    cause.unwrap_or(Cause::FilesDamaged).verdict(outcome, &run.facts, first.text()).evidence(named).evidence(more)
}
