//! Faults of a catalog in PostgreSQL.

use metaxy_store_duckdb::{Cause, CheckName, Doctor};
use metaxy_testkit::{CertificateAuthority, Login, MARKER, Postgres, RoleRights, S3Options, S3Server, closed_port};

use crate::doctor::target::{Target, assert_seen};
use crate::lake::{BUCKET, FOR_TESTS, LOCAL, postgres, raw, s3};

#[test]
fn postgres_down() {
    let database = Postgres::shared().database();
    let port = |port: u16| format!("port = {port},");
    let catalog = postgres(&database, database.owner(), "").replace(&port(database.port()), &port(closed_port()));
    assert_seen!("postgres-down", Target::new(&catalog, LOCAL).finds(Cause::PostgresDown));
}

#[test]
fn wrong_password() {
    let database = Postgres::shared().database();
    let login = Login { password: [MARKER, "-wrong'\\\""].concat(), ..database.owner().clone() };
    assert_seen!("wrong-password", Target::new(&postgres(&database, &login, ""), LOCAL).finds(Cause::WrongPassword));
}

#[test]
fn unknown_database() {
    let database = Postgres::shared().database();
    let catalog = postgres(&database, database.owner(), "").replace(database.name(), "no_such_database");
    assert_seen!("unknown-database", Target::new(&catalog, LOCAL).finds(Cause::UnknownDatabase));
}

#[test]
fn role_without_rights() {
    let database = Postgres::shared().database();
    let target = Target::new(&postgres(&database, database.owner(), ""), LOCAL);
    target.make_lake();
    let tables = database.tables();
    target.configure(&postgres(&database, &database.role(RoleRights::Connect), ""), LOCAL);
    assert_seen!("role-without-rights", target.finds(Cause::RoleWithoutRights));
    target.configure(&postgres(&database, &database.role(RoleRights::Read), ""), LOCAL);
    assert_seen!("role-cannot-write", target.warns_of(Cause::RoleCannotWrite));
    target.configure(&postgres(&database, &database.role(RoleRights::Write), ""), LOCAL);
    assert_seen!("role-cannot-create", target.warns_of(Cause::RoleCannotCreate));
    assert_eq!(database.tables(), tables);
}

#[test]
fn role_that_may_not_make_the_lake() {
    let database = Postgres::shared().database();
    let role = database.role(RoleRights::Write);
    let target = Target::new(&postgres(&database, &role, ""), LOCAL);
    target.finds(Cause::RoleWithoutRights);
    assert!(database.tables().is_empty());
}

#[test]
fn tls_required_but_off() {
    let database = Postgres::shared().database();
    database.require_tls(database.owner());
    let catalog = postgres(&database, database.owner(), ", secret_parameters = { sslmode = \"disable\" }");
    assert_seen!("tls-required", Target::new(&catalog, LOCAL).finds(Cause::TlsRequired));
}

#[test]
fn wrong_ca() {
    let database = Postgres::shared().database();
    let verify = |file: &str| format!(", secret_parameters = {{ sslmode = \"verify-full\", sslrootcert = {file:?} }}");
    let target = Target::new(LOCAL, LOCAL);
    let other = target.folder.join("other-ca.pem");
    CertificateAuthority::new().write(&other);
    target.configure(&postgres(&database, database.owner(), &verify(&other)), LOCAL);
    assert_seen!("wrong-ca", target.finds(Cause::WrongCatalogCa));
    let none = target.folder.join("none.pem");
    target.configure(&postgres(&database, database.owner(), &verify(&none)), LOCAL);
    target.finds(Cause::CatalogCaMissing);
    let right = database.ca_file();
    target.configure(&postgres(&database, database.owner(), &verify(right.to_str().unwrap())), LOCAL);
    target.warns_of(Cause::NoLakeYet);
    assert!(database.tables().is_empty());
}

/// The newcomer's case: both halves are wrong, and one thing is to be changed first.
#[test]
fn everything_is_broken() {
    let database = Postgres::shared().database();
    let server = S3Server::start(S3Options::default());
    let key = server.key(metaxy_testkit::KeyRights::Full);
    let login = Login { password: [MARKER, "-old"].concat(), ..database.owner().clone() };
    let target = Target::new(&postgres(&database, &login, ""), &s3(&server, &key));
    let report = target.examine(&Doctor::default());
    assert_eq!(report.fix_first().and_then(|first| first.cause), Some(Cause::WrongPassword), "{report}");
    let raw = report.finding(CheckName::Catalog).and_then(|finding| finding.raw.clone()).unwrap();
    assert!(raw.contains("password authentication failed") && report.to_string().contains(raw.lines().next().unwrap()));
    assert_seen!("everything-is-broken", report.without_raw_texts().to_string());
    target.configure(&postgres(&database, database.owner(), ""), &s3(&server, &key));
    target.finds(Cause::NoSuchBucket);
    server.bucket(BUCKET);
    target.warns_of(Cause::NoLakeYet);
}

/// A login as one text is a secret as a whole; what the server says of it shows no part.
#[test]
fn a_login_as_uri() {
    let database = Postgres::shared().database();
    let uri = |password: &str| {
        let (host, port, name, user) = (database.host(), database.port(), database.name(), &database.owner().user);
        let uri = format!("postgresql://{user}:{password}@{host}:{port}/{name}");
        format!("{{ type = \"postgres\", secret_name = \"pg\", secret_parameters = {{ uri = {uri:?} }} }}")
    };
    let encoded = database.owner().password.bytes().map(|byte| format!("%{byte:02X}"));
    let right = encoded.collect::<Vec<_>>().concat();
    Target::new(&uri(&right), LOCAL).warns_of(Cause::NoLakeYet);
    Target::new(&uri(&[MARKER, "-wrong"].concat()), LOCAL).finds(Cause::WrongPassword);
}

#[test]
fn no_secret_of_the_name() {
    Target::new("{ type = \"postgres\", secret_name = \"pg\" }", LOCAL).finds(Cause::MissingSecret);
}

#[test]
fn a_persistent_secret_of_the_same_name() {
    let database = Postgres::shared().database();
    let target = Target::new(LOCAL, LOCAL);
    let folder = target.folder.join("secrets");
    let connection = raw();
    connection
        .execute_batch(&format!(
            "SET secret_directory = '{folder}'; LOAD postgres_scanner;
             CREATE PERSISTENT SECRET PG (TYPE postgres, HOST 'elsewhere')"
        ))
        .unwrap();
    drop(connection);
    let settings = [FOR_TESTS, &format!("config.secret_directory = {folder:?}")];
    target.configure_with(&settings, &postgres(&database, database.owner(), ""), LOCAL);
    assert_seen!("ambiguous-secret", target.finds(Cause::AmbiguousSecret));
}
