//! What is known to need no trust, and what is known to say where something is sent: one list for each.
//!
//! A later version of DuckDB may have more than these. What is missing here needs trust, which costs a person one command;
//! what is here and is not harmless would cost more.

/// Settings that are harmless as long as they are off, which most of them are unless set.
pub(crate) const HARMLESS_WHEN_OFF: &[&str] = &[
    "allow_community_extensions",
    "allow_parser_override_extension",
    "allow_persistent_secrets",
    "allow_unredacted_secrets",
    "allow_unsigned_extensions",
    "autoinstall_known_extensions",
    "autoload_known_extensions",
    "enable_http_logging",
    "enable_logging",
    "enable_profiling",
    "pg_debug_show_queries",
    "sqlite_debug_show_queries",
];

/// The setting that lets DuckDB load what nobody has signed.
pub(crate) const UNSIGNED: &str = "allow_unsigned_extensions";
/// Where extensions are. DuckDB checks their signatures there as everywhere, so it is harmless unless that is off.
pub(crate) const EXTENSION_DIRECTORY: &str = "extension_directory";

/// Extensions of DuckDB's core repository, and the one of the community's that Python Metaxy hashes with. An extension of
/// the community is signed, too, but anybody can have one there, and some run programs.
pub(crate) const HARMLESS_EXTENSIONS: &[&str] = &[
    "autocomplete",
    "avro",
    "aws",
    "azure",
    "core_functions",
    "delta",
    "ducklake",
    "encodings",
    "excel",
    "fts",
    "hashfuncs",
    "http",
    "httpfs",
    "https",
    "iceberg",
    "icu",
    "inet",
    "jemalloc",
    "json",
    "lance",
    "md",
    "motherduck",
    "mysql",
    "mysql_scanner",
    "parquet",
    "postgres",
    "postgres_scanner",
    "quack",
    "s3",
    "spatial",
    "sqlite",
    "sqlite3",
    "sqlite_scanner",
    "tpcds",
    "tpch",
    "unity_catalog",
    "vortex",
    "vss",
];

/// Parameters of a secret that say how a connection is made, and what it is proven with; the rest may send it elsewhere.
pub(crate) const HARMLESS_PARAMETERS: &[&str] = &[
    "access_token",
    "account_id",
    "account_name",
    "application_name",
    "assume_role_arn",
    "bearer_token",
    "chain",
    "channel_binding",
    "client_id",
    "client_secret",
    "connect_timeout",
    "database",
    "dbname",
    "endpoint",
    "external_id",
    "extra_http_headers",
    "gssencmode",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "key_id",
    "kms_key_id",
    "password",
    "port",
    "profile",
    "provider",
    "refresh",
    "refresh_info",
    "region",
    "requester_pays",
    "scope",
    "secret",
    "service",
    "session_token",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "target_session_attrs",
    "tenant_id",
    "token",
    "uri",
    "url_compatibility_mode",
    "url_style",
    "use_ssl",
    "user",
    "validation",
    "verify_ssl",
];

/// Parameters that name files: harmless below the folder of the configuration, whose files are the repository's own.
pub(crate) const FILE_PARAMETERS: &[&str] =
    &["client_certificate_path", "passfile", "servicefile", "sslcert", "sslcrl", "sslcrldir", "sslkey", "sslrootcert"];

/// Parameters, and fields, that say which machine is spoken to.
pub(crate) const HOSTS: &[&str] = &["host", "hostaddr", "endpoint", "servicefile", "uri", "connection_string"];

/// Fields that are shown to whoever has the bucket, in its log.
pub(crate) const SEEN_BY_THE_OWNER: &[&str] = &["prefix", "data_path", "scope"];
/// Fields of which the name of a host is made.
pub(crate) const PARTS_OF_A_HOST: &[&str] = &["region", "account_id", "account_name", "bucket", "data_path"];

/// Fields that are read as a number or one of a few words, so that nothing else can be sent in them.
pub(crate) const NO_TEXTS: &[&str] = &["port", "url_style", "use_ssl", "sslmode"];

/// Variables that are no secret, and that people make names of.
pub(crate) const PLAIN_VARIABLES: &[&str] = &["HOME", "HOSTNAME", "LANG", "LOGNAME", "USER", "USERNAME"];

/// Variables from which libpq takes a credential when a configuration gives none.
pub(crate) const LIBPQ_CREDENTIALS: &[&str] = &["PGPASSWORD", "PGPASSFILE"];
