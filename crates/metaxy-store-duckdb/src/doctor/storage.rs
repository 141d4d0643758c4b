//! The storage: which secret is used, whether it is accepted, what may be done, and whether the clocks agree.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ducklake_sql::{ObjectStorage, Sql, Statement, Storage, bind, sql};

use super::report::{CheckName, Outcome, Verdict};
use super::{Run, Target, shown};
use crate::engine::cause::Operation;
use crate::engine::{Cause, EngineError};
use crate::lake::facts::add_access;

/// The largest difference of clocks that is nothing to speak of; storages refuse signatures at fifteen minutes.
const SKEW_TO_WARN_OF: i64 = 300;

/// Makes the checks.
pub(super) fn examine(run: &mut Run, target: &Target<'_>, write: bool) {
    match target.lake.storage() {
        Some(Storage::Object(storage)) if target.lake.catalog().is_some() => {
            examine_objects(run, target, &storage, write);
        }
        Some(Storage::Local(folder)) => examine_folder(run, Path::new(folder.as_str()), write),
        storage => {
            // Who reads the files of a lake of its own names them by the catalog.
            let reason = if storage.is_none() && target.lake.catalog().is_some() {
                "the configuration has no `storage`"
            } else {
                "MotherDuck reaches the storage itself"
            };
            for name in [
                CheckName::StorageSecret,
                CheckName::Credentials,
                CheckName::Storage,
                CheckName::StorageWrite,
                CheckName::Clock,
            ] {
                run.skip(name, reason);
            }
        }
    }
}

fn examine_folder(run: &mut Run, folder: &Path, write: bool) {
    for name in [CheckName::StorageSecret, CheckName::Credentials] {
        run.skip(name, "a folder of this machine needs none");
    }
    run.check(CheckName::Storage, |run| {
        let verdict = match fs::read_dir(folder) {
            Ok(entries) => Verdict::ok(format!("the folder is there, with {} entries", entries.count())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Verdict::ok("there is no such folder yet; the first file creates it")
            }
            // Whoever may enter it can still read the files that the catalog names.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Cause::FolderCannotBeListed.verdict(Outcome::Warning, &run.facts, &error.to_string())
            }
            Err(error) => io_failed(run, &error),
        };
        ((), verdict)
    });
    if write {
        run.check(CheckName::StorageWrite, |run| match probe_folder(folder) {
            Ok(()) => ((), Verdict::ok("a probe was put, got back and deleted")),
            Err(error) => ((), io_failed(run, &error)),
        });
    } else {
        run.skip(CheckName::StorageWrite, "only with --write");
    }
    run.skip(CheckName::Clock, "only signatures depend on it");
}

fn io_failed(run: &Run, error: &std::io::Error) -> Verdict {
    match Cause::of_io(error) {
        Some(cause) => cause.verdict(Outcome::Failed, &run.facts, &error.to_string()),
        None => Verdict::new(Outcome::Failed, format!("the folder cannot be used: {error}")),
    }
}

/// Puts a file into a folder, reads it and removes it, and every folder that was made for it.
fn probe_folder(folder: &Path) -> std::io::Result<()> {
    const CONTENT: &[u8] = b"metaxy doctor";
    let missing: Vec<PathBuf> =
        folder.ancestors().take_while(|folder| !folder.exists()).map(Path::to_path_buf).collect();
    let file = folder.join(probe_name());
    let probe = || {
        fs::create_dir_all(folder)?;
        let mut put = fs::File::create_new(&file)?;
        put.write_all(CONTENT)?;
        put.sync_all()?;
        if fs::read(&file)? == CONTENT { Ok(()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
    };
    let result = probe();
    let removed = if file.exists() { fs::remove_file(&file) } else { Ok(()) };
    for made in missing {
        drop(fs::remove_dir(made));
    }
    result.and(removed)
}

/// A name that nobody else has.
fn probe_name() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("metaxy-doctor-{:x}-{:x}", std::process::id(), now.as_nanos())
}

fn examine_objects(run: &mut Run, target: &Target<'_>, storage: &ObjectStorage, write: bool) {
    let created = run.check(CheckName::StorageSecret, |run| secret_used(run, target, storage));
    let Ok(()) = created else {
        for name in [CheckName::Credentials, CheckName::Storage, CheckName::StorageWrite, CheckName::Clock] {
            run.skip(name, "there are no credentials to use");
        }
        return;
    };
    let start = std::time::Instant::now();
    let (listed, skew) = list(target, storage);
    let took = start.elapsed();
    // One request answers for three checks: the cause of a failure belongs to one of them.
    let is_listed = listed.is_ok();
    let said = listed.err();
    let listing = Operation::AccessStorage(Cause::NoPermissionToList);
    let cause = said.as_ref().and_then(|said| said.cause(listing, &run.facts));
    let text = said.map(|said| said.text().to_owned()).unwrap_or_default();
    let may_not_list = cause == Some(Cause::NoPermissionToList);
    let refused = cause.filter(|cause| cause.is_refused_key());

    let verdict = match refused {
        Some(cause) => cause.verdict(Outcome::Failed, &run.facts, &text),
        None if is_listed || may_not_list => {
            Verdict::ok("the storage accepts them").evidence([expiry(target, storage)])
        }
        None => Verdict::skipped("the storage could not be asked"),
    };
    run.report.findings.push(verdict.into_finding(CheckName::Credentials, took));

    let verdict = match cause {
        _ if is_listed => Verdict::ok("it answers, and lists the data path"),
        _ if refused.is_some() => Verdict::skipped("the credentials are refused"),
        Some(Cause::ClockSkew) => Verdict::skipped("the clocks differ too much"),
        Some(cause) if may_not_list => cause.verdict(Outcome::Warning, &run.facts, &text),
        Some(cause) => cause.verdict(Outcome::Failed, &run.facts, &text),
        None => Verdict::unknown("the storage does not list the data path", &text),
    };
    run.report.findings.push(verdict.into_finding(CheckName::Storage, took));

    if !write {
        run.skip(CheckName::StorageWrite, "only with --write");
    } else if is_listed || may_not_list {
        run.check(CheckName::StorageWrite, |run| ((), probe_objects(run, target)));
    } else {
        run.skip(CheckName::StorageWrite, "the storage cannot be used");
    }
    run.check(CheckName::Clock, |run| {
        let far = skew.filter(|seconds| seconds.abs() > SKEW_TO_WARN_OF);
        let evidence = skew.map(|seconds| format!("this clock is {seconds} s ahead of the storage's"));
        let verdict = match (cause, far) {
            (Some(cause @ Cause::ClockSkew), _) => cause.verdict(Outcome::Failed, &run.facts, &text),
            (_, Some(_)) => Cause::ClockSkew.verdict(Outcome::Warning, &run.facts, ""),
            (_, None) if skew.is_some() => return ((), Verdict::ok("it agrees with the storage's")),
            _ => Verdict::skipped("the storage did not tell the time"),
        };
        ((), verdict.evidence(evidence))
    });
}

/// Makes the storage's secret, and looks which one DuckDB uses for the data path.
fn secret_used(run: &mut Run, target: &Target<'_>, storage: &ObjectStorage) -> (Result<(), ()>, Verdict) {
    let is_its = |statement: &&Statement| match statement {
        Statement::CreateSecret(secret) => secret.name() == storage.secret_name(),
        _ => false,
    };
    let create = target.statements().find(is_its);
    if let Some(create) = create
        && let Err(said) = target.run(create.to_sql())
    {
        let cause = said.cause(Operation::AccessStorage(Cause::NoPermissionToRead), &run.facts);
        let verdict = if cause == Some(Cause::NoCredentials) {
            Cause::NoCredentials.verdict(Outcome::Failed, &run.facts, said.text())
        } else {
            Verdict::unknown("the storage's secret cannot be made", said.text())
        };
        return (Err(()), verdict);
    }
    let name = storage.secret_name().as_str();
    let kind = storage.kind().secret_type().as_str();
    let sql = Sql::fixed("SELECT name FROM which_secret(?, ?)").with_text("path", storage.path().as_str());
    let untold = |said: &EngineError| Verdict::unknown("DuckDB does not tell the secret", said.text());
    let used = match target.row::<(String,)>(sql.with_text("type", kind)) {
        Ok(used) => used.map(|(used,)| used),
        Err(said) => return (Err(()), untold(&said)),
    };
    let of_secret = match target.secret(used.as_deref().unwrap_or(name)) {
        Ok(secret) => secret,
        Err(said) => return (Err(()), untold(&said)),
    };
    let Some(used) = used else {
        let evidence = match of_secret {
            Some((found, _, text)) => {
                format!("`{name}` is of the type {found} and for {}", shown(&text, "scope"))
            }
            None => format!("there is no secret `{name}`"),
        };
        return (Err(()), Cause::NoSecretForPath.verdict(Outcome::Failed, &run.facts, "").evidence([evidence]));
    };
    let (_, persistent, text) = of_secret.unwrap_or_default();
    add_access(&mut run.facts, |key| shown(&text, key));
    let origin = if persistent { "a persistent secret" } else { "made by this configuration" };
    let mut evidence = vec![format!("`{used}` of the type {kind}, {origin}, for {}", shown(&text, "scope"))];
    for key in ["provider", "endpoint", "region", "url_style", "use_ssl"] {
        let value = shown(&text, key);
        if !value.is_empty() {
            evidence.push(format!("{key} {value}"));
        }
    }
    let verdict = if used.eq_ignore_ascii_case(name) {
        Verdict::ok(format!("`{used}` is used for {}", storage.path()))
    } else {
        Cause::OtherSecretUsed.verdict(Outcome::Failed, &run.facts, "")
    };
    (Ok(()), verdict.evidence(evidence))
}

/// Lists a name that no file has; also by how many seconds this clock is ahead of the storage's, where that is told.
fn list(target: &Target<'_>, storage: &ObjectStorage) -> (Result<(), EngineError>, Option<i64>) {
    // The log of requests holds tokens: it is kept in memory, and only the date of an answer is read from it.
    const AHEAD: &str = "
        SELECT round(epoch(sent) - epoch(strptime(date, '%a, %d %b %Y %H:%M:%S GMT')))::BIGINT
        FROM (SELECT timestamp AS sent, coalesce(response.headers['date'], response.headers['Date']) AS date
              FROM duckdb_logs_parsed('HTTP'))
        WHERE date IS NOT NULL ORDER BY sent LIMIT 1";
    drop(target.run("CALL enable_logging('HTTP')"));
    let probe = [storage.path().as_str(), "metaxy-probe-*"].concat();
    let listed = target.row::<(i64,)>(Sql::fixed("SELECT count(*) FROM glob(?)").with_text("probe", probe));
    // What does not tell the time is told so.
    let skew = target.row(AHEAD).ok().flatten().map(|(seconds,)| seconds);
    drop(target.run("CALL disable_logging()"));
    drop(target.run("CALL truncate_duckdb_logs()"));
    (listed.map(drop), skew)
}

/// When the credentials end, where that can be known.
fn expiry(target: &Target<'_>, storage: &ObjectStorage) -> String {
    const EXPIRATION: &str = "AWS_CREDENTIAL_EXPIRATION";
    let (_, _, text) = match target.secret(storage.secret_name().as_str()) {
        Ok(secret) => secret.unwrap_or_default(),
        Err(said) => return format!("DuckDB does not tell when they end: {}", said.reason()),
    };
    let from_chain = shown(&text, "provider") == "credential_chain";
    match std::env::var(EXPIRATION) {
        Ok(when) if from_chain => format!("they end at {when}, says {EXPIRATION}"),
        _ if text.contains("session_token=") => {
            "they have a session token, which does not tell when it ends".to_owned()
        }
        _ if from_chain => "the credential chain does not tell when they end".to_owned(),
        _ => "a key pair does not end by itself".to_owned(),
    }
}

/// Puts an object below the data path, gets it and deletes it, as DuckLake does: with a catalog in memory that is gone
/// afterwards.
fn probe_objects(run: &Run, target: &Target<'_>) -> Verdict {
    let folder = [run.facts.data_path.as_str(), &probe_name(), "/"].concat();
    let attach = sql!(
        "ATTACH 'ducklake::memory:' AS metaxy_doctor_probe (DATA_INLINING_ROW_LIMIT 0, DATA_PATH {data_path})",
        data_path = bind(folder.as_str()),
    );
    let execute = |sql: &'static str| target.run(sql);
    let put = || {
        target.run(attach)?;
        execute("CREATE TABLE metaxy_doctor_probe.main.probe AS SELECT 'metaxy doctor' AS content")
    };
    let delete = || {
        execute("DROP TABLE metaxy_doctor_probe.main.probe")?;
        execute("CALL ducklake_expire_snapshots('metaxy_doctor_probe', older_than => now() + INTERVAL 1 DAY)")?;
        execute("CALL ducklake_cleanup_old_files('metaxy_doctor_probe', cleanup_all => true)")
    };
    let failed = |said: &EngineError, denied: Cause| match said.cause(Operation::AccessStorage(denied), &run.facts) {
        // The credentials are accepted by now: a refusal that gives no reason is about rights.
        Some(Cause::WrongSecret) => denied.verdict(Outcome::Failed, &run.facts, said.text()),
        Some(cause) => cause.verdict(Outcome::Failed, &run.facts, said.text()),
        None => Verdict::unknown("a probe could not be put, got back and deleted", said.text()),
    };
    let get_and_delete = || {
        let got = target.rows::<(String,)>("SELECT content FROM metaxy_doctor_probe.main.probe");
        match (got, delete()) {
            (_, Err(said)) => {
                failed(&said, Cause::NoPermissionToDelete).evidence([format!("it stays, below {folder}")])
            }
            (Err(said), Ok(())) => failed(&said, Cause::NoPermissionToRead),
            (Ok(_), Ok(())) => Verdict::ok("a probe was put, got back and deleted"),
        }
    };
    let verdict = put().map_or_else(|said| failed(&said, Cause::NoPermissionToWrite), |()| get_and_delete());
    drop(target.run("DETACH DATABASE IF EXISTS metaxy_doctor_probe"));
    verdict
}
