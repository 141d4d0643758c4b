//! The storage: which secret is used, whether it is accepted, what may be done, and whether the clocks agree.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ducklake_sql::{ObjectKind, ObjectStorage, Sql, Statement, Storage};

use super::report::{CheckName, Outcome, Verdict};
use super::{Patient, Visit, shown};
use crate::engine::Cause;

/// The largest difference of clocks that is nothing to speak of; storages refuse signatures at fifteen minutes.
const SKEW_TO_WARN_OF: i64 = 300;

/// Makes the checks.
pub(super) fn examine(visit: &mut Visit, patient: &Patient<'_>, write: bool) {
    patient.lake.data_path().unwrap_or_default().clone_into(&mut visit.facts.data_path);
    match patient.lake.storage() {
        Some(Storage::Object(storage)) if patient.lake.catalog().is_some() => {
            examine_objects(visit, patient, &storage, write);
        }
        Some(Storage::Local(folder)) => examine_folder(visit, Path::new(folder.as_str()), write),
        _ => {
            for name in [
                CheckName::StorageSecret,
                CheckName::Credentials,
                CheckName::Storage,
                CheckName::StorageWrite,
                CheckName::Clock,
            ] {
                visit.skip(name, "MotherDuck reaches the storage itself");
            }
        }
    }
}

fn examine_folder(visit: &mut Visit, folder: &Path, write: bool) {
    for name in [CheckName::StorageSecret, CheckName::Credentials] {
        visit.skip(name, "a folder of this machine needs none");
    }
    visit.check(CheckName::Storage, |visit| {
        let verdict = match fs::read_dir(folder) {
            Ok(entries) => Verdict::ok(format!("the folder is there, with {} entries", entries.count())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Verdict::ok("there is no such folder yet; the first file makes it")
            }
            Err(error) => io_failed(visit, &error),
        };
        ((), verdict)
    });
    if write {
        visit.check(CheckName::StorageWrite, |visit| match probe_folder(folder) {
            Ok(()) => ((), Verdict::ok("a probe was put, got back and deleted")),
            Err(error) => ((), io_failed(visit, &error)),
        });
    } else {
        visit.skip(CheckName::StorageWrite, "only with --write");
    }
    visit.skip(CheckName::Clock, "only signatures depend on it");
}

fn io_failed(visit: &Visit, error: &std::io::Error) -> Verdict {
    match Cause::of_io(error) {
        Some(cause) => cause.verdict(Outcome::Failed, &visit.facts, &error.to_string()),
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

fn examine_objects(visit: &mut Visit, patient: &Patient<'_>, storage: &ObjectStorage, write: bool) {
    visit.facts.storage_secret = storage.secret_name().to_string();
    visit.facts.is_azure = storage.kind() == ObjectKind::Azure;
    let created = visit.check(CheckName::StorageSecret, |visit| secret_used(visit, patient, storage));
    let Ok(()) = created else {
        for name in [CheckName::Credentials, CheckName::Storage, CheckName::StorageWrite, CheckName::Clock] {
            visit.skip(name, "there are no credentials to use");
        }
        return;
    };
    let start = std::time::Instant::now();
    let (listed, skew) = list(patient, storage);
    let took = start.elapsed();
    // One request answers for three checks: the cause of a failure belongs to one of them.
    let is_listed = listed.is_ok();
    let text = listed.err().unwrap_or_default();
    let cause = Cause::of_storage(&text, &visit.facts, Cause::NoPermissionToList);
    let may_not_list = cause == Some(Cause::NoPermissionToList);
    let refused = cause.filter(|cause| cause.is_about_credentials());

    let verdict = match refused {
        Some(cause) => cause.verdict(Outcome::Failed, &visit.facts, &text),
        None if is_listed || may_not_list => {
            Verdict::ok("the storage accepts them").evidence([expiry(patient, storage)])
        }
        None => Verdict::skipped("the storage could not be asked"),
    };
    visit.report.findings.push(verdict.into_finding(CheckName::Credentials, took));

    let verdict = match cause {
        _ if is_listed => Verdict::ok("it answers, and lists the data path"),
        _ if refused.is_some() => Verdict::skipped("the credentials are refused"),
        Some(Cause::ClockSkew) => Verdict::skipped("the clocks differ too much"),
        Some(cause) if may_not_list => cause.verdict(Outcome::Warning, &visit.facts, &text),
        Some(cause) => cause.verdict(Outcome::Failed, &visit.facts, &text),
        None => Verdict::unknown("the storage does not list the data path", &text),
    };
    visit.report.findings.push(verdict.into_finding(CheckName::Storage, took));

    if !write {
        visit.skip(CheckName::StorageWrite, "only with --write");
    } else if is_listed || may_not_list {
        visit.check(CheckName::StorageWrite, |visit| ((), probe_objects(visit, patient)));
    } else {
        visit.skip(CheckName::StorageWrite, "the storage cannot be used");
    }
    visit.check(CheckName::Clock, |visit| {
        let far = skew.filter(|seconds| seconds.abs() > SKEW_TO_WARN_OF);
        let evidence = skew.map(|seconds| format!("this clock is {seconds} s ahead of the storage's"));
        let verdict = match (cause, far) {
            (Some(cause @ Cause::ClockSkew), _) => cause.verdict(Outcome::Failed, &visit.facts, &text),
            (_, Some(_)) => Cause::ClockSkew.verdict(Outcome::Warning, &visit.facts, ""),
            (_, None) if skew.is_some() => return ((), Verdict::ok("it agrees with the storage's")),
            _ => Verdict::skipped("the storage did not tell the time"),
        };
        ((), verdict.evidence(evidence))
    });
}

/// Makes the storage's secret, and looks which one DuckDB uses for the data path.
fn secret_used(visit: &mut Visit, patient: &Patient<'_>, storage: &ObjectStorage) -> (Result<(), ()>, Verdict) {
    const CHAIN_FOUND_NOTHING: &str = "Secret Validation Failure";
    let is_its = |statement: &&Statement| match statement {
        Statement::CreateSecret(secret) => secret.name() == storage.secret_name(),
        _ => false,
    };
    let create = patient.statements().find(is_its);
    if let Some(create) = create
        && let Err(text) = patient.run(create.to_sql())
    {
        let verdict = if text.contains(CHAIN_FOUND_NOTHING) {
            Cause::NoCredentials.verdict(Outcome::Failed, &visit.facts, &text)
        } else {
            Verdict::unknown("the storage's secret cannot be made", text)
        };
        return (Err(()), verdict);
    }
    let name = storage.secret_name().as_str();
    let kind = storage.kind().secret_type().as_str();
    let sql = Sql::fixed("SELECT name FROM which_secret(?, ?)").with_text("path", storage.path().as_str());
    let used = match patient.rows(sql.with_text("type", kind)) {
        Ok(rows) => rows.concat(),
        Err(text) => return (Err(()), Verdict::unknown("DuckDB does not tell the secret", text)),
    };
    let Some(used) = used.first() else {
        let evidence = match patient.secret(name) {
            Some((found, _, text)) => {
                format!("`{name}` is of the type {found} and for {}", shown(&text, "scope"))
            }
            None => format!("there is no secret `{name}`"),
        };
        return (Err(()), Cause::NoSecretForPath.verdict(Outcome::Failed, &visit.facts, "").evidence([evidence]));
    };
    let (_, persistent, text) = patient.secret(used).unwrap_or_default();
    for (field, key) in [
        (&mut visit.facts.endpoint, "endpoint"),
        (&mut visit.facts.region, "region"),
        (&mut visit.facts.url_style, "url_style"),
    ] {
        *field = shown(&text, key);
    }
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
        Cause::OtherSecretUsed.verdict(Outcome::Failed, &visit.facts, "")
    };
    (Ok(()), verdict.evidence(evidence))
}

/// Lists a name that no file has; also by how many seconds this clock is ahead of the storage's, where that is told.
fn list(patient: &Patient<'_>, storage: &ObjectStorage) -> (Result<(), String>, Option<i64>) {
    // The log of requests holds tokens: it is kept in memory, and only the date of an answer is read from it.
    const AHEAD: &str = "
        SELECT round(epoch(sent) - epoch(strptime(date, '%a, %d %b %Y %H:%M:%S GMT')))::BIGINT::VARCHAR
        FROM (SELECT timestamp AS sent, coalesce(response.headers['date'], response.headers['Date']) AS date
              FROM duckdb_logs_parsed('HTTP'))
        WHERE date IS NOT NULL ORDER BY sent LIMIT 1";
    drop(patient.run("CALL enable_logging('HTTP')"));
    let probe = [storage.path().as_str(), "metaxy-probe-*"].concat();
    let listed = patient.rows(Sql::fixed("SELECT count(*)::VARCHAR FROM glob(?)").with_text("probe", probe));
    let skew = patient.rows(AHEAD).ok().and_then(|rows| rows.concat().first()?.parse().ok());
    drop(patient.run("CALL disable_logging()"));
    drop(patient.run("CALL truncate_duckdb_logs()"));
    (listed.map(drop), skew)
}

/// When the credentials end, where that can be known.
fn expiry(patient: &Patient<'_>, storage: &ObjectStorage) -> String {
    const EXPIRATION: &str = "AWS_CREDENTIAL_EXPIRATION";
    let (_, _, text) = patient.secret(storage.secret_name().as_str()).unwrap_or_default();
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
fn probe_objects(visit: &Visit, patient: &Patient<'_>) -> Verdict {
    let folder = [visit.facts.data_path.as_str(), &probe_name(), "/"].concat();
    let attach = Sql::build(|sql| {
        sql.keyword("ATTACH 'ducklake::memory:' AS metaxy_doctor_probe (DATA_INLINING_ROW_LIMIT 0, DATA_PATH ");
        sql.bind("data_path", &folder.as_str().into()).keyword(")");
    });
    let run = |sql: &'static str| patient.run(sql);
    let put = || {
        patient.run(attach)?;
        run("CREATE TABLE metaxy_doctor_probe.main.probe AS SELECT 'metaxy doctor' AS content")
    };
    let delete = || {
        run("DROP TABLE metaxy_doctor_probe.main.probe")?;
        run("CALL ducklake_expire_snapshots('metaxy_doctor_probe', older_than => now() + INTERVAL 1 DAY)")?;
        run("CALL ducklake_cleanup_old_files('metaxy_doctor_probe', cleanup_all => true)")
    };
    let failed = |text: &str, denied: Cause| match Cause::of_storage(text, &visit.facts, denied) {
        // The credentials are accepted by now: a refusal that gives no reason is about rights.
        Some(Cause::WrongSecret) => denied.verdict(Outcome::Failed, &visit.facts, text),
        Some(cause) => cause.verdict(Outcome::Failed, &visit.facts, text),
        None => Verdict::unknown("a probe could not be put, got back and deleted", text),
    };
    let get_and_delete = || {
        let object = patient.rows("SELECT data_file FROM ducklake_list_files('metaxy_doctor_probe', 'probe')");
        let got = patient.rows("SELECT content FROM metaxy_doctor_probe.main.probe");
        match (got, delete()) {
            (_, Err(text)) => {
                let left = object.unwrap_or_default().concat().into_iter().map(|object| format!("it stays: {object}"));
                failed(&text, Cause::NoPermissionToDelete).evidence(left)
            }
            (Err(text), Ok(())) => failed(&text, Cause::NoPermissionToRead),
            (Ok(_), Ok(())) => Verdict::ok("a probe was put, got back and deleted"),
        }
    };
    let verdict = put().map_or_else(|text| failed(&text, Cause::NoPermissionToWrite), |()| get_and_delete());
    drop(patient.run("DETACH DATABASE IF EXISTS metaxy_doctor_probe"));
    verdict
}
