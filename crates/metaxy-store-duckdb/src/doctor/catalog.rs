//! The catalog: whether it can be reached, what the role may do there, and whether a lake is in it.

use std::fs;
use std::path::Path;

use ducklake_sql::{
    Catalog, CatalogFile as CatalogPath, CatalogKind, Lake, SecretType, Sql, Statement, Storage, StringLiteral, bind,
    sql,
};

use super::report::{CheckName, Outcome, Verdict};
use super::{Run, Target, shown};
use crate::engine::cause::{Operation, formats_of, lock_holder};
use crate::engine::{Cause, EngineError};
use crate::lake::catalog_copy;
use crate::lake::catalog_file::CatalogFile;
use crate::lake::data_files;
use crate::lake::data_path::DataPath;
use crate::lake::facts::add_login;

/// A lake that is attached to be read.
#[derive(Debug)]
pub(super) struct Attached {
    /// Whether DuckLake refused the configured data path, so that the lake is attached by the stored one.
    pub(super) by_stored_path: bool,
}

/// Makes the checks; the lake, if it could be attached.
pub(super) fn examine(run: &mut Run, target: &Target<'_>) -> Option<Attached> {
    let reached = run.check(CheckName::Catalog, |run| match target.lake.catalog() {
        Some(Catalog::Postgres(postgres)) => connect(run, target, postgres.secret_name().as_str()),
        Some(catalog @ (Catalog::DuckDb(_) | Catalog::Sqlite(_))) => look_at_file(run, target, catalog),
        _ => (true, Verdict::skipped("it is reached when the lake is attached")),
    });
    if !reached {
        for name in [CheckName::Rights, CheckName::Lake] {
            run.skip(name, "the catalog cannot be used");
        }
        return None;
    }
    let may_read = run.check(CheckName::Rights, |run| match target.lake.catalog() {
        Some(Catalog::Postgres(_)) => role_rights(run, target),
        Some(catalog) => file_rights(run, catalog, !target.lake.is_read_only()),
        None => (true, Verdict::skipped("MotherDuck does not tell them")),
    });
    if !may_read {
        run.skip(CheckName::Lake, "the role may not read it");
        return None;
    }
    run.check(CheckName::Lake, |run| attach(run, target))
}

/// Attaches PostgreSQL itself, read-only.
fn connect(run: &mut Run, target: &Target<'_>, secret: &str) -> (bool, Verdict) {
    const ABOUT: &str = "
        SELECT version, tls, role, until FROM postgres_query('metaxy_doctor_catalog', $pg$
            SELECT current_setting('server_version') AS version, current_user::text AS role,
                   (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS tls,
                   (SELECT rolvaliduntil FROM pg_roles WHERE rolname = current_user)::text AS until
        $pg$)";
    let create = target.statements().find(|statement| is_secret(statement, SecretType::Postgres));
    let created = create.map_or(Ok(()), |create| target.run(create.to_sql()));
    let (_, _, shown_secret) = match target.secret(secret) {
        Ok(secret) => secret.unwrap_or_default(),
        Err(said) => return (false, Verdict::unknown("DuckDB does not tell the secret", said.text())),
    };
    add_login(&mut run.facts, |key| shown(&shown_secret, key));
    let facts = &run.facts;
    let mut where_it_is = vec![format!("secret `{secret}`")];
    let server = if facts.host.is_empty() { String::new() } else { format!("{}:{}", facts.host, facts.port) };
    for (what, value) in [("server", &server), ("database", &facts.database), ("role", &facts.user)] {
        if !value.is_empty() {
            where_it_is.push(format!("{what} {value}"));
        }
    }
    // A server that does not answer is told after ten seconds. A secret with a time of its own keeps it, and one with a
    // `uri` takes nothing beside it.
    let decides = ["connect_timeout", "uri"].iter().any(|key| !shown(&shown_secret, key).is_empty());
    let login = if decides { sql!("''") } else { sql!("'connect_timeout=10'") };
    let attach = sql!(
        "ATTACH {login} AS metaxy_doctor_catalog (TYPE postgres, READ_ONLY, SECRET {secret})",
        login,
        secret = bind(secret),
    );
    if let Err(said) = created.and_then(|()| target.run(attach)) {
        return (false, failed(run, &said).evidence(where_it_is));
    }
    match target.row::<(String, Option<bool>, String, Option<String>)>(ABOUT) {
        Ok(Some((version, tls, role, until))) => {
            let tls = if tls == Some(true) { "with TLS" } else { "without TLS" };
            where_it_is.push(format!("PostgreSQL {version}, {tls}"));
            where_it_is.extend(until.map(|until| format!("the role's password ends at {until}")));
            run.facts.user = role;
        }
        // One that only speaks its protocol, such as a pool, may not have all that is asked for.
        Ok(None) => where_it_is.push("the server does not tell its version".to_owned()),
        Err(said) => where_it_is.push(format!("the server does not tell its version: {}", said.reason())),
    }
    (true, Verdict::ok("PostgreSQL answers, and accepts role and password").evidence(where_it_is))
}

/// Looks at a catalog's file without opening it as a database.
fn look_at_file(run: &Run, target: &Target<'_>, catalog: &Catalog) -> (bool, Verdict) {
    let kind = if matches!(catalog, Catalog::Sqlite(_)) { "SQLite" } else { "DuckDB" };
    let (goes_on, verdict) = match CatalogFile::prepare(catalog, false) {
        Ok(_) => (true, Verdict::ok([&format!("a {kind} file"), of_copies(target.lake)].concat())),
        // Whether that is bad is for the check of the lake to say.
        Err(error) if error.is_missing_lake() => (true, Verdict::ok("no file yet")),
        Err(error) => {
            let cause = if error.is_wrong_catalog_file() { Cause::WrongCatalogFile } else { Cause::CatalogFileDenied };
            (false, cause.verdict(Outcome::Failed, &run.facts, "").evidence([error.to_string()]))
        }
    };
    let copies = catalog_copy::made(target.lake).into_iter().map(|copy| format!("copy {}", copy.display()));
    (goes_on, verdict.evidence([run.facts.catalog.clone()].into_iter().chain(copies)))
}

/// What there is to know of a lake whose catalog a crash may damage.
fn of_copies(lake: &Lake) -> &'static str {
    match (lake.catalog_kind(), catalog_copy::made(lake).is_empty()) {
        (CatalogKind::DuckDb, true) => ", which a crash may damage",
        (CatalogKind::DuckDb, false) => ", which a crash may damage; a copy is kept",
        _ => "",
    }
}

/// Asks PostgreSQL what the role may do; whether it may read the lake, if there is one.
fn role_rights(run: &mut Run, target: &Target<'_>) -> (bool, Verdict) {
    const RIGHTS: &str = "
        SELECT uses, creates, tables, readable, writable
        FROM postgres_query('metaxy_doctor_catalog', $pg$
            SELECT n.nspname::text AS name,
                   has_schema_privilege(n.oid, 'USAGE') AS uses,
                   has_schema_privilege(n.oid, 'CREATE') AS creates,
                   count(c.oid) AS tables,
                   count(c.oid) FILTER (WHERE has_table_privilege(c.oid, 'SELECT')) AS readable,
                   count(c.oid) FILTER (WHERE has_table_privilege(c.oid, 'INSERT')
                                          AND has_table_privilege(c.oid, 'UPDATE')
                                          AND has_table_privilege(c.oid, 'DELETE')) AS writable
            FROM pg_namespace n LEFT JOIN pg_class c
              ON c.relnamespace = n.oid AND c.relkind = 'r' AND c.relname LIKE 'ducklake\\_%'
            GROUP BY n.oid, n.nspname
        $pg$) WHERE name = ?";
    const IN_DATABASE: &str = "
        SELECT creates FROM postgres_query('metaxy_doctor_catalog', $pg$
            SELECT has_database_privilege(current_database(), 'CREATE') AS creates
        $pg$)";
    let schema = target.lake.metadata_schema().map_or("public", |schema| schema.as_str());
    let untold =
        |said: &EngineError| Verdict::new(Outcome::Warning, "PostgreSQL does not tell the rights").raw(said.text());
    let in_schema = match target.row(Sql::fixed(RIGHTS).with_text("schema", schema)) {
        Ok(in_schema) => in_schema,
        Err(said) => return (true, untold(&said)),
    };
    let facts = &run.facts;
    let Some((uses, creates, tables, readable, writable)): Option<(bool, bool, i64, i64, i64)> = in_schema else {
        // There is no such schema, so DuckLake has to make it.
        let creates = match target.row(IN_DATABASE) {
            Ok(creates) => creates.is_some_and(|(creates,)| creates),
            Err(said) => return (true, untold(&said)),
        };
        let evidence = [format!("no schema `{schema}` yet; making one: {}", yes(creates))];
        let verdict = if creates || !target.lake.creates_if_missing() {
            Verdict::ok("there is nothing to read yet")
        } else {
            Cause::RoleWithoutRights.verdict(Outcome::Failed, facts, "")
        };
        return (creates || !target.lake.creates_if_missing(), verdict.evidence(evidence));
    };
    let has_lake = tables > 0;
    let reads = uses && readable == tables;
    let writes = reads && writable == tables;
    let evidence = [
        format!("role `{}`, schema `{schema}`", facts.user),
        format!("use the schema: {}, make tables: {}", yes(uses), yes(creates)),
        format!("lake's tables: {tables}, may read: {readable}, may write: {writable}"),
    ];
    let is_reader = target.lake.is_read_only();
    let makes_tables = has_lake && !is_reader && writes && creates;
    let shut_out = match makes_tables.then(|| readers_shut_out(target, schema)).transpose() {
        Ok(shut_out) => shut_out.unwrap_or_default(),
        Err(said) => return (true, untold(&said)),
    };
    let (outcome, cause) = match (has_lake, is_reader) {
        (true, _) if !reads => (Outcome::Failed, Some(Cause::RoleWithoutRights)),
        (false, false) if !creates => (Outcome::Failed, Some(Cause::RoleWithoutRights)),
        (true, false) if !writes => (Outcome::Warning, Some(Cause::RoleCannotWrite)),
        (true, false) if !creates => (Outcome::Warning, Some(Cause::RoleCannotCreate)),
        _ if !shut_out.is_empty() => (Outcome::Warning, Some(Cause::DefaultPrivilegesMissing)),
        _ => (Outcome::Ok, None),
    };
    let verdict = match cause {
        Some(cause) => cause.verdict(outcome, facts, ""),
        None if writes && has_lake => Verdict::ok("read, write and make tables"),
        None if creates => Verdict::ok("make the lake's tables"),
        None => Verdict::ok("read"),
    };
    (outcome != Outcome::Failed, verdict.evidence(evidence).evidence(shut_out))
}

/// The roles that were let read the lake's tables, and not those that this role will make: a read of one that they may not
/// read ends their DuckDB instance.
fn readers_shut_out(target: &Target<'_>, schema: &str) -> Result<Vec<String>, EngineError> {
    const READERS: &str = "
        SELECT DISTINCT reader FROM postgres_query('metaxy_doctor_catalog', $pg$
            SELECT n.nspname::text AS name,
                   CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS reader
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
            WHERE c.relkind = 'r' AND c.relname LIKE 'ducklake\\_%' AND a.privilege_type = 'SELECT'
              AND CASE a.grantee WHEN 0 THEN true ELSE NOT pg_has_role(a.grantee, current_user, 'USAGE') END
              AND NOT EXISTS (
                  SELECT FROM pg_default_acl d, aclexplode(d.defaclacl) e
                  WHERE pg_get_userbyid(d.defaclrole) = current_user AND d.defaclobjtype = 'r'
                    AND d.defaclnamespace IN (0, n.oid) AND e.privilege_type = 'SELECT'
                    AND e.grantee IN (0, a.grantee))
        $pg$) WHERE name = ? ORDER BY ALL";
    let readers = target.rows::<(String,)>(Sql::fixed(READERS).with_text("schema", schema))?;
    Ok(readers.into_iter().map(|(reader,)| format!("may read the tables of now: {reader}")).collect())
}

fn yes(it: bool) -> &'static str {
    if it { "yes" } else { "no" }
}

/// Whether a catalog's file can be read and written; opening it to append changes nothing.
fn file_rights(run: &Run, catalog: &Catalog, writes: bool) -> (bool, Verdict) {
    let Some(path) = catalog.file().map(|file| Path::new(file.as_str())) else {
        return (true, Verdict::skipped("the catalog does not tell them"));
    };
    if !path.exists() {
        let above = path.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(path);
        let read_only = fs::metadata(above).is_ok_and(|metadata| metadata.permissions().readonly());
        let evidence = [format!("it would be made in `{}`", above.display())];
        let verdict = if read_only && writes {
            Cause::CatalogFileDenied.verdict(Outcome::Failed, &run.facts, "")
        } else {
            Verdict::ok("there is nothing to read yet")
        };
        return (true, verdict.evidence(evidence));
    }
    let open = |writes| fs::OpenOptions::new().read(true).append(writes).open(path);
    match (open(writes), open(false)) {
        (Ok(_), _) if writes => (true, Verdict::ok("read and write")),
        (Ok(_), _) => (true, Verdict::ok("read")),
        (Err(error), Ok(_)) => {
            let verdict = Cause::CatalogCannotBeWritten.verdict(Outcome::Warning, &run.facts, "");
            (true, verdict.evidence([error.to_string()]))
        }
        (Err(error), Err(_)) => {
            let verdict = Cause::CatalogFileDenied.verdict(Outcome::Failed, &run.facts, "");
            (false, verdict.evidence([error.to_string()]))
        }
    }
}

/// Attaches the lake to read it, as the plan does.
fn attach(run: &mut Run, target: &Target<'_>) -> (Option<Attached>, Verdict) {
    const ABOUT: &str = "
        SELECT (SELECT catalog_type FROM ducklake_settings(?)),
               (SELECT value FROM ducklake_options(?) WHERE option_name = 'version'),
               (SELECT value FROM ducklake_options(?) WHERE option_name = 'created_by')";
    let is_missing = |file: &CatalogPath| !Path::new(file.as_str()).exists();
    if target.lake.catalog().and_then(Catalog::file).is_some_and(is_missing) || data_files::is_emptied(target.lake) {
        return (None, no_lake(run, target, ""));
    }
    let attach_by = |statements: &[Statement]| {
        let own = statements.iter().skip_while(|statement| super::is_preparation(statement));
        own.filter(|statement| !is_elsewhere(statement, target.lake))
            .try_for_each(|statement| target.run(statement.to_sql()))
    };
    let mut attached = Attached { by_stored_path: false };
    let is_relative = DataPath::of(target.lake).is_some_and(|path| path.is_relative());
    let plan = if is_relative { target.plan.over_stored_data_path() } else { target.plan.clone() };
    let mut result = attach_by(plan.statements());
    if result.as_ref().is_err_and(|said| cause_of(run, said) == Some(Cause::DataPathDiffers)) {
        // The lake's own secret names the other path.
        let made = target.statements().find(|statement| is_secret(statement, SecretType::DuckLake));
        if let Some(Statement::CreateSecret(secret)) = made {
            drop(target.run(Statement::DropSecret(secret.name().clone()).to_sql()));
        }
        attached.by_stored_path = true;
        result = attach_by(target.plan.with_stored_data_path().statements());
    }
    match result {
        Err(said) if cause_of(run, &said) == Some(Cause::NoLake) => return (None, no_lake(run, target, said.text())),
        Err(said) => return (None, failed(run, &said)),
        Ok(()) => {}
    }
    let alias = target.lake.alias().as_str();
    let sql = Sql::fixed(ABOUT).with_text("alias", alias).with_text("alias", alias).with_text("alias", alias);
    let configured = target.lake.catalog_kind().as_str();
    match target.row::<(String, Option<String>, Option<String>)>(sql) {
        Ok(Some((kind, version, maker))) if kind == configured => {
            let [version, maker] = [version, maker].map(|told| told.unwrap_or_else(|| "unknown".to_owned()));
            let evidence = format!("catalog {kind}, made by {maker}");
            (Some(attached), Verdict::ok(format!("attached; its format is {version}")).evidence([evidence]))
        }
        Ok(found) => {
            let kind = found.map_or_else(|| "unknown".to_owned(), |(kind, ..)| kind);
            let text = format!("the catalog is {kind}, but configured as {configured}");
            (None, Verdict::new(Outcome::Failed, text).advice("correct the catalog's `type`"))
        }
        Err(said) => (None, failed(run, &said)),
    }
}

/// A verdict on a lake that is not there.
fn no_lake(run: &Run, target: &Target<'_>, raw: &str) -> Verdict {
    if data_files::is_emptied(target.lake) {
        return Cause::CatalogEmptied.verdict(Outcome::Failed, &run.facts, raw);
    }
    if target.lake.creates_if_missing() {
        Cause::NoLakeYet.verdict(Outcome::Warning, &run.facts, raw)
    } else {
        Cause::NoLake.verdict(Outcome::Failed, &run.facts, raw)
    }
}

fn cause_of(run: &Run, said: &EngineError) -> Option<Cause> {
    said.cause(Operation::OpenCatalog, &run.facts)
}

/// A verdict on what an engine or a server said against the catalog.
fn failed(run: &Run, said: &EngineError) -> Verdict {
    let text = said.text();
    let is_motherduck = run.facts.catalog == CatalogKind::MotherDuck.as_str();
    match cause_of(run, said) {
        Some(cause @ (Cause::CatalogNewer | Cause::CatalogOlder)) => {
            cause.verdict(Outcome::Failed, &run.facts, text).evidence([formats_of(text).to_owned()])
        }
        Some(cause @ Cause::CatalogLocked) => {
            let holder = lock_holder(text).map(|pid| format!("the process {pid}"));
            cause.verdict(Outcome::Failed, &run.facts, text).evidence(holder)
        }
        Some(cause) => cause.verdict(Outcome::Failed, &run.facts, text),
        None if is_motherduck => Cause::MotherDuckRefused.verdict(Outcome::Failed, &run.facts, text),
        None => Verdict::unknown("the catalog cannot be attached", text),
    }
}

fn is_secret(statement: &Statement, kind: SecretType) -> bool {
    matches!(statement, Statement::CreateSecret(secret) if secret.kind() == kind && !secret.in_motherduck())
}

/// Whether a statement is for another check, or not to be run at all: a login to the catalog or the storage, what
/// would make a lake or a secret in MotherDuck.
fn is_elsewhere(statement: &Statement, lake: &Lake) -> bool {
    match statement {
        Statement::CreateSecret(secret) => {
            let is_storage = matches!(lake.storage(), Some(Storage::Object(at)) if at.secret_name() == secret.name());
            is_storage || secret.kind() == SecretType::Postgres || secret.in_motherduck()
        }
        Statement::CreateDatabase(_) => true,
        _ => false,
    }
}

/// Detaches the catalog's own database, once the lake is detached.
///
/// Whoever reads a SQLite file in WAL mode leaves two files beside it; whoever may write removes them as the last one,
/// and so this opens it once more to write, and writes nothing.
pub(super) fn detach(target: &Target<'_>) {
    drop(target.run("DETACH DATABASE IF EXISTS metaxy_doctor_catalog"));
    let Some(Catalog::Sqlite(file)) = target.lake.catalog() else { return };
    let Ok(path) = StringLiteral::new(file.as_str()) else { return };
    if !Path::new(&[file.as_str(), "-shm"].concat()).exists() {
        return;
    }
    let attach = sql!("ATTACH {path} AS metaxy_doctor_catalog (TYPE sqlite)", path);
    drop(target.run(attach));
    drop(target.run("SELECT count(*) FROM metaxy_doctor_catalog.ducklake_metadata"));
    drop(target.run("DETACH DATABASE IF EXISTS metaxy_doctor_catalog"));
}
