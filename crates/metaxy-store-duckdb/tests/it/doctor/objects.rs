//! Faults of an object storage.

use std::time::Duration;

use metaxy_store_duckdb::{Cause, CheckName, Doctor, Outcome};
use metaxy_testkit::{CertificateAuthority, Fault, KeyPair, KeyRights, MARKER, S3Options, S3Server};

use crate::doctor::target::{Target, assert_seen};
use crate::lake::{BUCKET, FOR_TESTS, SQLITE, raw, s3};

fn server() -> S3Server {
    let server = S3Server::start(S3Options::default());
    server.bucket(BUCKET);
    server
}

/// A lake on a storage that is well, to be made worse.
fn target(server: &S3Server) -> Target {
    let target = Target::new(SQLITE, &s3(server, &server.key(KeyRights::Full)));
    target.make_lake();
    target
}

/// A lake on a storage whose configuration has one text replaced.
fn replaced(server: &S3Server, from: &str, to: &str) -> Target {
    let key = server.key(KeyRights::Full);
    let storage = s3(server, &key);
    assert!(storage.contains(from), "{from} is not in the configuration");
    Target::new(SQLITE, &storage.replace(from, to))
}

#[test]
fn s3_down() {
    let server = server();
    let target = target(&server);
    server.inject(Fault::RefuseConnections);
    assert_seen!("s3-down", target.finds(Cause::StorageDown));
    server.heal();
    server.inject(Fault::Unavailable);
    target.finds(Cause::StorageUnavailable);
}

#[test]
fn wrong_key() {
    assert_seen!("wrong-key", replaced(&server(), "key_id = \"KEY", "key_id = \"OTHER").finds(Cause::WrongKey));
}

#[test]
fn wrong_secret() {
    let server = server();
    let key = KeyPair { secret: [MARKER, "/wrong+"].concat(), ..server.key(KeyRights::Full) };
    assert_seen!("wrong-secret", Target::new(SQLITE, &s3(&server, &key)).finds(Cause::WrongSecret));
}

#[test]
fn no_such_bucket() {
    let server = S3Server::start(S3Options::default());
    assert_seen!(
        "no-such-bucket",
        replaced(&server, "bucket = \"lake\"", "bucket = \"lkae\"").finds(Cause::NoSuchBucket)
    );
}

#[test]
fn no_permission_to_write() {
    let server = server();
    let target = target(&server);
    let before = server.objects(BUCKET);
    target.configure(SQLITE, &s3(&server, &server.key(KeyRights::ReadOnly)));
    assert!(target.examine(&Doctor::default()).is_healthy());
    let seen = target.finds_with(&Doctor::default().write(true), Cause::NoPermissionToWrite);
    assert_seen!("no-permission-to-write", seen);
    assert_eq!(server.objects(BUCKET), before);
}

#[test]
fn no_permission_to_list() {
    let server = server();
    let target = target(&server);
    target.configure(SQLITE, &s3(&server, &server.key(KeyRights::NoList)));
    assert_seen!("no-permission-to-list", target.warns_of(Cause::NoPermissionToList));
    let before = server.objects(BUCKET);
    let report = target.examine(&Doctor::default().write(true));
    assert_eq!(report.finding(CheckName::StorageWrite).unwrap().outcome, Outcome::Ok, "{report}");
    assert_eq!(server.objects(BUCKET), before);
}

#[test]
fn wrong_region() {
    let server = server();
    assert_seen!(
        "wrong-region",
        replaced(&server, "region = \"eu-test-1\"", "region = \"us-east-1\"").finds(Cause::WrongRegion)
    );
}

#[test]
fn scheme_in_the_endpoint() {
    let server = server();
    // As a field the scheme is taken off, and in the parameters it is refused; a secret of one's own has it as it is.
    let field = format!("endpoint = \"{}\", ", server.endpoint());
    let target = replaced(&server, &field, "");
    let key = server.key(KeyRights::Full);
    let storage = s3(&server, &key).replace(&field, "");
    let parameters = format!(", secret_parameters = {{ endpoint = \"http://{}\" }} }}", server.endpoint());
    target.configure(SQLITE, &storage.replace(" }", &parameters));
    target.finds(Cause::ConfigurationError);
    let secret = format!(
        "extensions = [{{ name = 'httpfs', init_sql = [\"CREATE SECRET storage (TYPE s3, KEY_ID '{}', SECRET '{}', \
         ENDPOINT 'http://{}', REGION '{}', URL_STYLE 'path', USE_SSL false)\"] }}]",
        key.id,
        key.secret,
        server.endpoint(),
        server.region()
    );
    let storage = format!("{{ type = \"s3\", secret_name = \"storage\", bucket = \"{BUCKET}\", prefix = \"prod\" }}");
    target.configure_with(&[FOR_TESTS, &secret], SQLITE, &storage);
    assert_seen!("scheme-in-endpoint", target.finds(Cause::SchemeInEndpoint));
    replaced(&server, "endpoint = \"", "endpoint = \"http://").warns_of(Cause::NoLakeYet);
}

#[test]
fn path_style_needed() {
    assert_seen!("path-style-needed", replaced(&server(), "url_style = \"path\", ", "").finds(Cause::PathStyleNeeded));
}

#[test]
fn expired_session_token() {
    let server = server();
    let key = server.session_key(KeyRights::Full);
    let target = Target::new(SQLITE, &s3(&server, &key));
    target.warns_of(Cause::NoLakeYet);
    server.expire(&key);
    assert_seen!("expired-session-token", target.finds(Cause::TokenExpired));
    let without = KeyPair { session_token: None, ..server.session_key(KeyRights::Full) };
    Target::new(SQLITE, &s3(&server, &without)).finds(Cause::TokenInvalid);
}

#[test]
fn clock_skew() {
    let server = server();
    let target = target(&server);
    server.inject(Fault::ClockAhead(Duration::from_mins(20)));
    assert_seen!("clock-skew", target.finds(Cause::ClockSkew));
    server.inject(Fault::ClockAhead(Duration::from_mins(8)));
    target.warns_of(Cause::ClockSkew);
}

#[test]
fn tls_of_the_storage() {
    let tls = S3Server::start(S3Options { tls: true, ..S3Options::default() });
    tls.bucket(BUCKET);
    let storage = s3(&tls, &tls.key(KeyRights::Full)).replace("use_ssl = false", "use_ssl = true");
    let target = Target::new(SQLITE, &storage);
    let ca = |file: &str| format!("config.ca_cert_file = {file:?}");
    let other = target.folder.join("other-ca.pem");
    CertificateAuthority::new().write(&other);
    target.configure_with(&[FOR_TESTS, &ca(&other)], SQLITE, &storage);
    target.finds(Cause::WrongStorageCa);
    target.configure_with(&[FOR_TESTS, &ca(tls.ca_file().to_str().unwrap())], SQLITE, &storage);
    target.warns_of(Cause::NoLakeYet);
    replaced(&server(), "use_ssl = false", "use_ssl = true").finds(Cause::StorageTlsMismatch);
}

#[test]
fn no_credentials_in_the_chain() {
    let server = server();
    let chain =
        "secret_parameters = { provider = \"credential_chain\", chain = \"config\", profile = \"no-such-profile\" }";
    let storage = format!("{{ type = \"s3\", secret_name = \"storage\", bucket = \"lake\", {chain} }}");
    Target::new(SQLITE, &storage).finds(Cause::NoCredentials);
    drop(server);
}

#[test]
fn persistent_secrets() {
    let server = server();
    let key = server.key(KeyRights::Full);
    let target = Target::new(SQLITE, &s3(&server, &key));
    let folder = target.folder.join("secrets");
    let connection = raw();
    connection
        .execute_batch(&format!(
            "SET secret_directory = '{folder}'; LOAD httpfs;
             CREATE PERSISTENT SECRET kept (TYPE s3, KEY_ID '{}', SECRET '{}', ENDPOINT '{}', REGION '{}',
                                            URL_STYLE 'path', USE_SSL false, SCOPE 's3://{BUCKET}/prod/')",
            key.id,
            key.secret,
            server.endpoint(),
            server.region()
        ))
        .unwrap();
    drop(connection);
    let settings = [FOR_TESTS, &format!("config.secret_directory = {folder:?}")];
    let by_name =
        |name: &str| format!("{{ type = \"s3\", secret_name = \"{name}\", data_path = \"s3://{BUCKET}/prod/\" }}");
    target.configure_with(&settings, SQLITE, &by_name("kept"));
    target.warns_of(Cause::NoLakeYet);
    target.configure_with(&settings, SQLITE, &by_name("other"));
    assert_seen!("other-secret-used", target.finds(Cause::OtherSecretUsed));
}

#[test]
fn no_secret_covers_the_data_path() {
    let storage = r#"{ type = "s3", secret_name = "storage", bucket = "lake" }"#;
    Target::new(SQLITE, storage).finds(Cause::NoSecretForPath);
}
