//! Runs the test servers until standard input ends, to try something by hand against them:
//!
//! ```text
//! cargo run --package metaxy-testkit --example servers [-- tls]
//! ```
//!
//! What is needed to connect comes as `name = "value"`, with the escapes of TOML.

use metaxy_testkit::{KeyRights, Postgres, RoleRights, S3Options, S3Server};

fn main() -> std::io::Result<()> {
    let database = Postgres::shared().database();
    let reader = database.role(RoleRights::Read);
    let storage = S3Server::start(S3Options { tls: std::env::args().any(|arg| arg == "tls"), ..S3Options::default() });
    storage.bucket("lake");
    let key = storage.key(KeyRights::Full);
    let session = storage.session_key(KeyRights::Full);
    for (name, value) in [
        ("postgres_host", database.host()),
        ("postgres_port", &database.port().to_string()),
        ("postgres_database", database.name()),
        ("postgres_user", &database.owner().user),
        ("postgres_password", &database.owner().password),
        ("postgres_reader", &reader.user),
        ("postgres_reader_password", &reader.password),
        ("postgres_ca_file", &database.ca_file().to_string_lossy()),
        ("s3_bucket", "lake"),
        ("s3_endpoint", &storage.endpoint()),
        ("s3_region", storage.region()),
        ("s3_key_id", &key.id),
        ("s3_secret", &key.secret),
        ("s3_session_key_id", &session.id),
        ("s3_session_secret", &session.secret),
        ("s3_session_token", session.session_token.as_deref().unwrap_or_default()),
        ("s3_ca_file", &storage.ca_file().to_string_lossy()),
    ] {
        println!("{name} = {value:?}");
    }
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    for request in storage.requests() {
        println!("{request}");
    }
    Ok(())
}
