//! What DuckDB 1.5.5 and the extensions of a lake have: versions, and the parameters of each type of secret.
//!
//! A test of the store asks the engine, and says what to write here when it is another version.

use crate::secret::SecretType;

/// The DuckDB that lakes are opened with, and what depends on its version besides
/// [settings](crate::Setting) and [`secret_parameters`].
///
/// ```
/// use ducklake_sql::ENGINE;
///
/// assert_eq!((ENGINE.duckdb, ENGINE.lake_format), ("1.5.5", "1.0"));
/// ```
pub const ENGINE: EngineVersion = EngineVersion { duckdb: "1.5.5", lake_format: "1.0" };

/// A version of DuckDB, with that of the lakes that its DuckLake makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineVersion {
    /// The version of DuckDB and of the packages of its extensions.
    pub duckdb: &'static str,
    /// The format of the lakes that it makes.
    pub lake_format: &'static str,
}

/// The parameters that a secret of this type takes, with any provider; empty for one of a lake.
///
/// ```
/// use ducklake_sql::{SecretType, secret_parameters};
///
/// assert!(secret_parameters(SecretType::Postgres).contains(&"sslmode"));
/// ```
pub fn secret_parameters(kind: SecretType) -> &'static [&'static str] {
    match kind {
        SecretType::Postgres => POSTGRES,
        SecretType::Quack => QUACK,
        SecretType::S3 => S3,
        SecretType::R2 => R2,
        SecretType::Gcs => GCS,
        SecretType::Azure => AZURE,
        SecretType::DuckLake => &[],
    }
}

const POSTGRES: &[&str] = &[
    "application_name",
    "aws_rds_secret",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "database",
    "dbname",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "host",
    "hostaddr",
    "hostname",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "options",
    "passfile",
    "password",
    "port",
    "provider",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "scope",
    "scram_client_key",
    "scram_server_key",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslkeylogfile",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
    "uri",
    "user",
    "username",
];

const QUACK: &[&str] = &["extra_http_headers", "provider", "scope", "token"];

const S3: &[&str] = &[
    "assume_role_arn",
    "chain",
    "endpoint",
    "external_id",
    "extra_http_headers",
    "http_proxy",
    "http_proxy_password",
    "http_proxy_username",
    "key_id",
    "kms_key_id",
    "profile",
    "provider",
    "refresh",
    "refresh_info",
    "region",
    "requester_pays",
    "scope",
    "secret",
    "session_name",
    "session_token",
    "url_compatibility_mode",
    "url_style",
    "use_ssl",
    "validation",
    "verify_ssl",
    "web_identity_token_file",
];

const R2: &[&str] = &[
    "account_id",
    "assume_role_arn",
    "chain",
    "endpoint",
    "external_id",
    "extra_http_headers",
    "http_proxy",
    "http_proxy_password",
    "http_proxy_username",
    "key_id",
    "kms_key_id",
    "profile",
    "provider",
    "refresh",
    "refresh_info",
    "region",
    "requester_pays",
    "scope",
    "secret",
    "session_name",
    "session_token",
    "url_compatibility_mode",
    "url_style",
    "use_ssl",
    "validation",
    "verify_ssl",
    "web_identity_token_file",
];

const GCS: &[&str] = &[
    "assume_role_arn",
    "bearer_token",
    "chain",
    "endpoint",
    "external_id",
    "extra_http_headers",
    "http_proxy",
    "http_proxy_password",
    "http_proxy_username",
    "key_id",
    "kms_key_id",
    "profile",
    "provider",
    "refresh",
    "refresh_info",
    "region",
    "requester_pays",
    "scope",
    "secret",
    "session_name",
    "session_token",
    "url_compatibility_mode",
    "url_style",
    "use_ssl",
    "validation",
    "verify_ssl",
    "web_identity_token_file",
];

const AZURE: &[&str] = &[
    "access_token",
    "account_name",
    "chain",
    "client_certificate_path",
    "client_id",
    "client_secret",
    "connection_string",
    "endpoint",
    "http_proxy",
    "object_id",
    "provider",
    "proxy_password",
    "proxy_user_name",
    "resource_id",
    "scope",
    "tenant_id",
];
