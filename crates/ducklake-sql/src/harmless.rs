//! What is known to be harmless in tables whose keys are not ours: everything else there is kept as a secret.
//!
//! DuckDB, its extensions and libpq decide which keys there are, and a later version may have more. One that is missing
//! in these lists is hidden, which costs a clue; one that is not harmless and listed would be shown.

use crate::attach::ATTACH_OPTIONS;
use crate::credentials::speaks_of_a_credential;
use crate::value::{Secret, Value};

/// A table of a configuration with keys that only DuckDB, an extension or libpq know.
///
/// ```
/// use ducklake_sql::FreeTable;
///
/// assert!(FreeTable::SecretParameters.is_harmless("REGION"));
/// assert!(!FreeTable::SecretParameters.is_harmless("session_token"));
/// assert!(!FreeTable::AttachOptions.is_harmless("meta_encryption_key"));
/// assert!(!FreeTable::Settings.is_harmless("http_proxy"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FreeTable {
    /// Parameters of a secret, `secret_parameters`.
    SecretParameters,
    /// Options of `ATTACH`, `attach_options`.
    AttachOptions,
    /// Options of the catalog's own attach, `metadata_parameters`, and what follows `meta_` in an attach option.
    MetadataParameters,
    /// Settings of DuckDB, `config`.
    Settings,
}

impl FreeTable {
    pub(crate) const ALL: &[Self] =
        &[Self::SecretParameters, Self::AttachOptions, Self::MetadataParameters, Self::Settings];

    /// Whether a text under this key may be shown, its [credentials](crate::credentials()) masked.
    pub fn is_harmless(self, key: &str) -> bool {
        let has = |list: &[&str]| list.iter().any(|harmless| harmless.eq_ignore_ascii_case(key));
        match self {
            Self::SecretParameters => has(SECRET_PARAMETERS),
            Self::AttachOptions => match key.get(..META.len()) {
                Some(meta) if meta.eq_ignore_ascii_case(META) => {
                    Self::MetadataParameters.is_harmless(&key[META.len()..])
                }
                _ => has(ATTACH_OPTIONS) && !key.eq_ignore_ascii_case(METADATA_PARAMETERS),
            },
            Self::MetadataParameters => has(METADATA),
            Self::Settings => has(SETTINGS),
        }
    }

    /// The value of a key as it is kept: texts are secrets unless the key is known to be harmless.
    ///
    /// Booleans and integers stay as they are, but for an integer under a key that has the name of a credential.
    ///
    /// ```
    /// use ducklake_sql::{FreeTable, Secret, Value};
    ///
    /// let hide = |key, value| FreeTable::Settings.hide(key, value);
    /// assert_eq!(hide("memory_limit", "4GB".into()), Value::from("4GB"));
    /// assert_eq!(hide("http_proxy", "host".into()), Value::Secret(Secret::from("host")));
    /// assert_eq!(hide("a_new_setting", 4.into()), Value::from(4));
    /// ```
    pub fn hide(self, key: &str, value: Value) -> Value {
        match value {
            value if self.is_harmless(key) => value,
            Value::Map(entries) if self == Self::AttachOptions && key.eq_ignore_ascii_case(METADATA_PARAMETERS) => {
                let hide = |(key, value): (String, Value)| {
                    let value = Self::MetadataParameters.hide(&key, value);
                    (key, value)
                };
                Value::Map(entries.into_iter().map(hide).collect())
            }
            // DuckDB reads a number from a text, and a password may be all digits.
            Value::Integer(number) if speaks_of_a_credential(key) => Secret::from(number.to_string()).into(),
            other => other.into_secret(),
        }
    }
}

/// What options of the catalog's own attach begin with.
const META: &str = "meta_";
const METADATA_PARAMETERS: &str = "metadata_parameters";

const SECRET_PARAMETERS: &[&str] = &[
    "account_id",
    "account_name",
    "application_name",
    "assume_role_arn",
    "aws_rds_secret",
    "chain",
    "channel_binding",
    "client_certificate_path",
    "client_id",
    "connect_timeout",
    "database",
    "dbname",
    "endpoint",
    "gssencmode",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "kms_key_id",
    "passfile",
    "port",
    "profile",
    "provider",
    "refresh",
    "region",
    "requester_pays",
    "scope",
    "service",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "tenant_id",
    "url_compatibility_mode",
    "url_style",
    "use_ssl",
    "user",
    "validation",
    "verify_ssl",
];

const METADATA: &[&str] = &[
    "block_size",
    "busy_timeout",
    "catalog",
    "compress",
    "encryption_cipher",
    "isolation_level",
    "journal_mode",
    "read_only",
    "read_write",
    "recovery_mode",
    "row_group_size",
    "schema",
    "secret",
    "storage_version",
    "type",
];

const SETTINGS: &[&str] = &[
    "access_mode",
    "allocator_bulk_deallocation_flush_threshold",
    "allocator_flush_threshold",
    "allow_community_extensions",
    "allow_parser_override_extension",
    "allow_persistent_secrets",
    "allow_unredacted_secrets",
    "allow_unsigned_extensions",
    "allowed_configs",
    "allowed_directories",
    "allowed_paths",
    "arrow_output_version",
    "autoinstall_extension_repository",
    "autoinstall_known_extensions",
    "autoload_known_extensions",
    "azure_account_name",
    "azure_credential_chain",
    "azure_endpoint",
    "azure_transport_option_type",
    "binary_as_string",
    "block_allocator_memory",
    "ca_cert_file",
    "calendar",
    "checkpoint_threshold",
    "current_transaction_invalidation_policy",
    "custom_extension_repository",
    "default_collation",
    "default_null_order",
    "default_order",
    "default_secret_storage",
    "deprecated_using_key_syntax",
    "disabled_compression_methods",
    "disabled_filesystems",
    "disabled_log_types",
    "disabled_optimizers",
    "duckdb_api",
    "ducklake_default_data_inlining_row_limit",
    "ducklake_max_retry_count",
    "ducklake_retry_backoff",
    "ducklake_retry_wait_ms",
    "ducklake_target_file_size",
    "ducklake_write_deletion_vectors",
    "enable_curl_server_cert_verification",
    "enable_external_access",
    "enable_global_s3_configuration",
    "enable_http_logging",
    "enable_http_metadata_cache",
    "enable_logging",
    "enable_object_cache",
    "enable_profiling",
    "enable_progress_bar",
    "enable_server_cert_verification",
    "enabled_log_types",
    "errors_as_json",
    "explain_output",
    "extension_directories",
    "extension_directory",
    "external_threads",
    "file_search_path",
    "force_bitpacking_mode",
    "force_compression",
    "force_download",
    "force_variant_shredding",
    "home_directory",
    "http_keep_alive",
    "http_logging_output",
    "http_retries",
    "http_retry_backoff",
    "http_retry_wait_ms",
    "http_timeout",
    "httpfs_client_implementation",
    "integer_division",
    "lambda_syntax",
    "lock_configuration",
    "log_query_path",
    "logging_level",
    "logging_mode",
    "logging_storage",
    "max_memory",
    "max_temp_directory_size",
    "memory_limit",
    "merge_http_secret_into_s3_request",
    "motherduck_attach_mode",
    "motherduck_host",
    "motherduck_saas_mode",
    "null_order",
    "parquet_metadata_cache",
    "pg_connection_cache",
    "pg_connection_limit",
    "pg_debug_show_queries",
    "pg_null_byte_replacement",
    "pg_pool_acquire_mode",
    "pg_pool_max_connections",
    "pg_use_binary_copy",
    "pg_use_ctid_scan",
    "pin_threads",
    "preserve_identifier_case",
    "preserve_insertion_order",
    "profile_output",
    "profiling_coverage",
    "profiling_mode",
    "profiling_output",
    "progress_bar_time",
    "quack_authentication_function",
    "quack_authorization_function",
    "s3_endpoint",
    "s3_kms_key_id",
    "s3_region",
    "s3_requester_pays",
    "s3_uploader_max_filesize",
    "s3_url_compatibility_mode",
    "s3_url_style",
    "s3_use_ssl",
    "schema",
    "search_path",
    "secret_directory",
    "sqlite_all_varchar",
    "sqlite_debug_show_queries",
    "storage_block_prefetch",
    "storage_compatibility_version",
    "streaming_buffer_size",
    "temp_directory",
    "temp_file_encryption",
    "threads",
    "timezone",
    "user",
    "username",
    "validate_external_file_cache",
    "wal_autocheckpoint",
    "worker_threads",
    "write_buffer_row_group_memory_limit",
];
