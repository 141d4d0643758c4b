//! The data files: whether those that the lake knows are there and whole, and whether each column of each can be read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;

use ducklake_sql::{Ident, Sql, bind, sql};

use super::report::{CheckName, Outcome, Verdict};
use super::{Run, Target};
use crate::engine::cause::Operation;
use crate::engine::{Cause, EngineError};
use crate::lake::data_path::DataPath;

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
    let known = run.check(CheckName::DataFiles, |run| match known_files(target) {
        Ok(Some(known)) => {
            let verdict = are_there(run, target, &known);
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

/// A data file, or one of deletions, that a snapshot of the lake needs.
struct KnownFile {
    path: String,
    size: u64,
    /// Whether the newest snapshot needs it.
    is_current: bool,
    /// Whether it is a Parquet file that can be read without the lake.
    reads_alone: bool,
}

/// What is wrong with a file.
enum Damage {
    Missing,
    OtherSize(u64),
    /// It cannot be opened, for this reason.
    Denied(String),
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

/// Every file of every snapshot; `None` where a server keeps the metadata to itself.
fn known_files(target: &Target<'_>) -> Result<Option<Vec<KnownFile>>, EngineError> {
    let (Some((database, schema)), Some(data_path)) = (target.plan.metadata(), target.lake.data_path()) else {
        return Ok(None);
    };
    // A table that was renamed has several rows, of one path.
    let rows = target.rows(sql!(
        "WITH files AS (
             SELECT table_id, path, path_is_relative, file_size_bytes, end_snapshot, encryption_key, file_format AS format
             FROM {database}.{schema}.ducklake_data_file
             UNION ALL
             SELECT table_id, path, path_is_relative, file_size_bytes, end_snapshot, encryption_key, format
             FROM {database}.{schema}.ducklake_delete_file
         ), tables AS (
             SELECT table_id, max(schema_id) AS schema_id, max(path) AS path,
                    bool_or(path_is_relative::BOOLEAN) AS path_is_relative
             FROM {database}.{schema}.ducklake_table
             GROUP BY table_id
         ), schemas AS (
             SELECT schema_id, max(path) AS path, bool_or(path_is_relative::BOOLEAN) AS path_is_relative
             FROM {database}.{schema}.ducklake_schema
             GROUP BY schema_id
         ), places AS (
             SELECT table_id,
                    CASE WHEN NOT t.path_is_relative THEN t.path
                         WHEN NOT s.path_is_relative THEN concat(s.path, t.path)
                         ELSE concat({data_path}, s.path, t.path) END AS folder
             FROM tables AS t JOIN schemas AS s USING (schema_id)
         )
         SELECT CASE WHEN f.path_is_relative::BOOLEAN THEN concat(p.folder, f.path) ELSE f.path END AS path,
                f.file_size_bytes::VARCHAR,
                (f.end_snapshot IS NULL)::VARCHAR,
                (f.encryption_key IS NULL AND f.format = 'parquet')::VARCHAR
         FROM files AS f JOIN places AS p USING (table_id)
         ORDER BY path",
        database,
        schema,
        data_path = bind(data_path),
    ))?;
    let known = rows.into_iter().filter_map(|row| {
        let [path, size, is_current, reads_alone] = <[String; 4]>::try_from(row).ok()?;
        let size = size.parse().ok()?;
        Some(KnownFile { path, size, is_current: is_current == "true", reads_alone: reads_alone == "true" })
    });
    Ok(Some(known.collect()))
}

/// Whether the files are there, of the sizes that they were written with.
fn are_there(run: &Run, target: &Target<'_>, known: &[KnownFile]) -> Verdict {
    let is_local = DataPath::of(target.lake).is_some_and(|path| path.is_local());
    // A bucket is listed once; a request for each file would take long, and cost.
    let listed = if is_local || known.is_empty() { Ok(BTreeMap::new()) } else { listed(target) };
    let listed = match listed {
        Ok(listed) => listed,
        Err(said) => return Verdict::skipped("the storage does not list them").raw(said.text()),
    };
    let data_path = target.lake.data_path().unwrap_or_default();
    let look = |file: &KnownFile| {
        let size = if !is_local && file.path.starts_with(data_path) {
            listed.get(&file.path).copied().ok_or(Damage::Missing)
        } else if file.path.contains("://") {
            // It was added from elsewhere.
            Ok(file.size)
        } else {
            size_of(&file.path)
        };
        match size {
            Ok(size) if size == file.size => None,
            Ok(size) => Some(Damage::OtherSize(size)),
            Err(damage) => Some(damage),
        }
    };
    let found: Vec<(&KnownFile, Damage)> = known.iter().filter_map(|file| Some((file, look(file)?))).collect();
    let Some((_, first)) = found.iter().find(|(file, _)| file.is_current).or(found.first()) else {
        return Verdict::ok(format!("all {} are there, as large as they were written", known.len()));
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

/// The size of a file of this machine that can be read.
fn size_of(path: &str) -> Result<u64, Damage> {
    let opened = File::open(path).and_then(|file| file.metadata());
    opened.map(|metadata| metadata.len()).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Damage::Missing,
        _ => Damage::Denied(error.to_string()),
    })
}

/// The sizes of all files below the data path of an object storage, as one listing tells them.
fn listed(target: &Target<'_>) -> Result<BTreeMap<String, u64>, EngineError> {
    let pattern = [target.lake.data_path().unwrap_or_default(), "**"].concat();
    // Without their content, DuckDB takes the sizes from the listing.
    let sizes = Sql::fixed("SELECT filename, size::VARCHAR FROM read_blob(?)").with_text("pattern", &pattern);
    let rows = target.rows(sizes).or_else(|said| {
        // It fails where no file is.
        let none = target.rows(Sql::fixed("SELECT file FROM glob(?) LIMIT 1").with_text("pattern", &pattern))?;
        if none.is_empty() { Ok(Vec::new()) } else { Err(said) }
    })?;
    let size = |row: Vec<String>| {
        let [path, size] = <[String; 2]>::try_from(row).ok()?;
        Some((path, size.parse().ok()?))
    };
    Ok(rows.into_iter().filter_map(size).collect())
}

/// Whether every column of every table can be read to its end, and of every file that only older snapshots need.
fn can_be_read(run: &Run, target: &Target<'_>, known: &[KnownFile]) -> Verdict {
    let tables = Sql::fixed(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ? AND NOT internal ORDER BY ALL",
    );
    let tables = match target.rows(tables.with_text("alias", target.lake.alias().as_str())) {
        Ok(tables) => tables,
        Err(said) => return Verdict::unknown("the lake does not list its tables", said.text()),
    };
    let mut failed: Vec<(String, EngineError)> = Vec::new();
    for row in &tables {
        let [schema, name] = row.as_slice() else { continue };
        let (Ok(schema), Ok(table)) = (Ident::new(schema), Ident::new(name)) else { continue };
        let alias = target.lake.alias();
        // The hash of a value takes all of it. Checksums of pages are in few files, so nothing less would do.
        let read = sql!("SELECT bit_xor(hash(COLUMNS(*))) FROM {alias}.{schema}.{table}", alias, schema, table);
        if let Err(said) = target.run(read) {
            failed.push((format!("table `{name}`"), said));
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
