//! What DuckDB 1.5.5 and the extensions of a lake have: their settings, the values they take, and what they can do.
//!
//! A test of the store asks the engine, and says what to write here when it is another version.

/// The type of a setting, as far as a value can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SettingType {
    /// True or false.
    Boolean,
    /// An integer.
    Integer,
    /// An integer from 0.
    Count,
    /// An integer from 1.
    Positive,
    /// A number.
    Float,
    /// A number of bytes with its unit, as `4GB`.
    Size,
    /// One of these, in any case.
    Choice(&'static [&'static str]),
    /// A text or a list.
    Text,
}

impl SettingType {
    /// Whether DuckDB takes a text as a value of this type.
    ///
    /// ```
    /// use ducklake_sql::SettingType;
    ///
    /// assert!(SettingType::Size.takes("4 GB"));
    /// assert!(!SettingType::Size.takes("lots"));
    /// assert!(!SettingType::Positive.takes("-3"));
    /// ```
    pub fn takes(self, text: &str) -> bool {
        let text = text.trim();
        // DuckDB rounds a number with a fraction, and takes `1_000`.
        let number = text.replace('_', "").parse::<f64>().ok();
        let is_from = |least: f64| number.is_some_and(|number| number >= least);
        match self {
            Self::Boolean => is_boolean(text),
            Self::Integer | Self::Float => number.is_some(),
            Self::Count => is_from(0.0),
            Self::Positive => is_from(1.0),
            Self::Size => is_size(text),
            Self::Choice(choices) => choices.iter().any(|choice| choice.eq_ignore_ascii_case(text)),
            Self::Text => true,
        }
    }

    /// What a value of this type is, as a part of a message.
    ///
    /// ```
    /// assert_eq!(ducklake_sql::SettingType::Positive.expected(), "an integer from 1");
    /// ```
    pub fn expected(self) -> &'static str {
        match self {
            Self::Boolean => "a boolean",
            Self::Integer | Self::Float => "a number",
            Self::Count => "an integer from 0",
            Self::Positive => "an integer from 1",
            Self::Size => "a size with its unit, as in `4GB`",
            Self::Choice(_) => "one of its words",
            Self::Text => "a string",
        }
    }
}

fn is_boolean(text: &str) -> bool {
    ["true", "false", "1", "0", "yes", "no", "on", "off", "t", "f", "y", "n"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(text))
}

/// Whether DuckDB reads a size from a text. What is negative, or `none`, means no limit.
fn is_size(text: &str) -> bool {
    if text.starts_with('-') || text == "none" {
        return true;
    }
    let number = text.trim_end_matches(|part: char| part.is_ascii_alphabetic());
    let unit = &text[number.len()..];
    let is_number = !number.starts_with('+') && number.trim_end().parse::<f64>().is_ok();
    is_number && SIZE_UNITS.iter().any(|known| known.eq_ignore_ascii_case(unit))
}

/// The units of sizes that DuckDB knows.
const SIZE_UNITS: &[&str] = &[
    "b",
    "byte",
    "bytes",
    "k",
    "kb",
    "kib",
    "kilobyte",
    "kilobytes",
    "m",
    "mb",
    "mib",
    "megabyte",
    "megabytes",
    "g",
    "gb",
    "gib",
    "gigabyte",
    "gigabytes",
    "t",
    "tb",
    "tib",
    "terabyte",
    "terabytes",
];

/// What a setting can do, and whether its text may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SettingRisk {
    /// It can only change how fast DuckDB is, how much it uses and how it shows things.
    None,
    /// It can open the machine or send something elsewhere, so that a person has to agree. Its text is no secret.
    NeedsTrust,
    /// Its text may hold a credential; a person has to agree, too.
    MayHoldSecret,
}

/// A setting of DuckDB or of an extension of a lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct KnownSetting {
    /// Its name, as DuckDB writes it.
    pub name: &'static str,
    /// The type of its values.
    pub kind: SettingType,
    /// What it can do.
    pub risk: SettingRisk,
}

impl KnownSetting {
    /// The setting of a name in any case; `None` for a later version's, and for MotherDuck's.
    ///
    /// ```
    /// use ducklake_sql::{KnownSetting, SettingRisk};
    ///
    /// assert_eq!(KnownSetting::find("THREADS").map(|setting| setting.risk), Some(SettingRisk::None));
    /// assert_eq!(KnownSetting::find("http_proxy").map(|setting| setting.risk), Some(SettingRisk::MayHoldSecret));
    /// assert_eq!(KnownSetting::find("no_such_setting"), None);
    /// ```
    pub fn find(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
    }
}

const fn setting(name: &'static str, kind: SettingType, risk: SettingRisk) -> KnownSetting {
    KnownSetting { name, kind, risk }
}

/// The settings in the order of their names, but for those of MotherDuck.
///
/// ```
/// use ducklake_sql::SETTINGS;
///
/// assert!(SETTINGS.iter().any(|setting| setting.name == "threads"));
/// ```
pub const SETTINGS: &[KnownSetting] = {
    use SettingRisk::{MayHoldSecret, NeedsTrust, None};
    use SettingType::{Boolean, Choice, Count, Float, Integer, Positive, Size, Text};
    &[
        setting("Calendar", Text, None),
        setting("TimeZone", Text, None),
        setting("__delta_only_variant_encoding_enabled", Boolean, MayHoldSecret),
        setting("access_mode", Text, NeedsTrust),
        setting("allocator_background_threads", Boolean, None),
        setting("allocator_bulk_deallocation_flush_threshold", Size, None),
        setting("allocator_flush_threshold", Size, None),
        setting("allow_asterisks_in_http_paths", Boolean, MayHoldSecret),
        setting("allow_community_extensions", Boolean, NeedsTrust),
        setting("allow_extensions_metadata_mismatch", Boolean, MayHoldSecret),
        setting("allow_parser_override_extension", Choice(&["DEFAULT", "FALLBACK", "STRICT"]), NeedsTrust),
        setting("allow_persistent_secrets", Boolean, NeedsTrust),
        setting("allow_unredacted_secrets", Boolean, NeedsTrust),
        setting("allow_unsigned_extensions", Boolean, NeedsTrust),
        setting("allowed_configs", Text, NeedsTrust),
        setting("allowed_directories", Text, NeedsTrust),
        setting("allowed_paths", Text, NeedsTrust),
        setting("arrow_large_buffer_size", Boolean, None),
        setting("arrow_lossless_conversion", Boolean, None),
        setting("arrow_output_list_view", Boolean, None),
        setting("arrow_output_version", Text, None),
        setting("asof_loop_join_threshold", Count, MayHoldSecret),
        setting("auto_checkpoint_skip_wal_threshold", Count, MayHoldSecret),
        setting("auto_fallback_to_full_download", Boolean, MayHoldSecret),
        setting("autoinstall_extension_repository", Text, NeedsTrust),
        setting("autoinstall_known_extensions", Boolean, NeedsTrust),
        setting("autoload_known_extensions", Boolean, NeedsTrust),
        setting("azure_account_name", Text, NeedsTrust),
        setting("azure_context_caching", Boolean, MayHoldSecret),
        setting("azure_credential_chain", Text, NeedsTrust),
        setting("azure_endpoint", Text, NeedsTrust),
        setting("azure_http_logging", Boolean, MayHoldSecret),
        setting("azure_http_logging_redact_headers", Text, MayHoldSecret),
        setting("azure_http_logging_redact_query_params", Text, MayHoldSecret),
        setting("azure_http_proxy", Text, MayHoldSecret),
        setting("azure_http_stats", Boolean, MayHoldSecret),
        setting("azure_proxy_password", Text, MayHoldSecret),
        setting("azure_proxy_user_name", Text, MayHoldSecret),
        setting("azure_read_buffer_size", Count, MayHoldSecret),
        setting("azure_read_transfer_chunk_size", Integer, MayHoldSecret),
        setting("azure_read_transfer_concurrency", Integer, MayHoldSecret),
        setting("azure_storage_connection_string", Text, MayHoldSecret),
        setting("azure_transport_option_type", Text, NeedsTrust),
        setting("azure_write_block_size", Count, MayHoldSecret),
        setting("azure_write_staged_blocks_per_commit", Count, MayHoldSecret),
        setting("binary_as_string", Boolean, None),
        setting("block_allocator_memory", Text, None),
        setting("ca_cert_file", Text, NeedsTrust),
        setting("catalog_error_max_schemas", Count, MayHoldSecret),
        setting("checkpoint_threshold", Size, None),
        setting(
            "current_transaction_invalidation_policy",
            Choice(&["STANDARD_POLICY", "ALL_ERRORS_INVALIDATE_TRANSACTION"]),
            None,
        ),
        setting("custom_extension_repository", Text, NeedsTrust),
        setting("custom_profiling_settings", Text, MayHoldSecret),
        setting("custom_user_agent", Text, MayHoldSecret),
        setting("debug_asof_iejoin", Boolean, MayHoldSecret),
        setting("debug_checkpoint_abort", Text, MayHoldSecret),
        setting("debug_checkpoint_sleep_ms", Count, MayHoldSecret),
        setting("debug_eviction_queue_sleep_micro_seconds", Count, MayHoldSecret),
        setting("debug_force_external", Boolean, MayHoldSecret),
        setting("debug_force_no_cross_product", Boolean, MayHoldSecret),
        setting("debug_physical_table_scan_execution_strategy", Text, MayHoldSecret),
        setting("debug_skip_checkpoint_on_commit", Boolean, MayHoldSecret),
        setting("debug_verify_blocks", Boolean, MayHoldSecret),
        setting("debug_verify_vector", Text, MayHoldSecret),
        setting("debug_window_mode", Text, MayHoldSecret),
        setting("default_block_size", Count, None),
        setting("default_collation", Text, None),
        setting("default_null_order", Text, None),
        setting("default_order", Choice(&["ASC", "DESC", "ASCENDING", "DESCENDING"]), None),
        setting("default_secret_storage", Text, NeedsTrust),
        setting("deprecated_using_key_syntax", Choice(&["DEFAULT", "UNION_AS_UNION_ALL"]), NeedsTrust),
        setting("disable_database_invalidation", Boolean, MayHoldSecret),
        setting("disable_parquet_prefetching", Boolean, MayHoldSecret),
        setting("disable_timestamptz_casts", Boolean, MayHoldSecret),
        setting("disabled_compression_methods", Text, None),
        setting("disabled_filesystems", Text, NeedsTrust),
        setting("disabled_log_types", Text, NeedsTrust),
        setting("disabled_optimizers", Text, None),
        setting("duckdb_api", Text, NeedsTrust),
        setting("ducklake_default_data_inlining_row_limit", Count, None),
        setting("ducklake_max_retry_count", Count, None),
        setting("ducklake_retry_backoff", Float, None),
        setting("ducklake_retry_wait_ms", Count, None),
        setting("ducklake_target_file_size", Size, None),
        setting("ducklake_write_deletion_vectors", Boolean, None),
        setting("dynamic_or_filter_threshold", Count, None),
        setting("enable_caching_operators", Boolean, MayHoldSecret),
        setting("enable_curl_server_cert_verification", Boolean, NeedsTrust),
        setting("enable_external_access", Boolean, NeedsTrust),
        setting("enable_external_file_cache", Boolean, None),
        setting("enable_fsst_vectors", Boolean, MayHoldSecret),
        setting("enable_geoparquet_conversion", Boolean, MayHoldSecret),
        setting("enable_global_s3_configuration", Boolean, NeedsTrust),
        setting("enable_http_logging", Boolean, NeedsTrust),
        setting("enable_http_metadata_cache", Boolean, None),
        setting("enable_logging", Boolean, NeedsTrust),
        setting("enable_macro_dependencies", Boolean, MayHoldSecret),
        setting("enable_object_cache", Boolean, None),
        setting("enable_profiling", Text, NeedsTrust),
        setting("enable_progress_bar", Boolean, None),
        setting("enable_progress_bar_print", Boolean, None),
        setting("enable_server_cert_verification", Boolean, NeedsTrust),
        setting("enable_view_dependencies", Boolean, MayHoldSecret),
        setting("enabled_log_types", Text, NeedsTrust),
        setting("errors_as_json", Boolean, None),
        setting("experimental_metadata_reuse", Boolean, MayHoldSecret),
        setting("explain_output", Choice(&["ALL", "OPTIMIZED_ONLY", "PHYSICAL_ONLY"]), None),
        setting("extension_directories", Text, NeedsTrust),
        setting("extension_directory", Text, NeedsTrust),
        setting("external_threads", Count, None),
        setting("file_search_path", Text, NeedsTrust),
        setting(
            "force_bitpacking_mode",
            Choice(&["AUTO", "CONSTANT", "CONSTANT_DELTA", "DELTA_FOR", "FOR", "INVALID"]),
            None,
        ),
        setting("force_column_metadata_reuse", Boolean, MayHoldSecret),
        setting("force_compression", Text, None),
        setting("force_download", Boolean, None),
        setting("force_download_threshold", Count, MayHoldSecret),
        setting("force_mbedtls_unsafe", Boolean, MayHoldSecret),
        setting("force_variant_shredding", Text, None),
        setting("geometry_minimum_shredding_size", Integer, MayHoldSecret),
        setting("hf_max_per_page", Count, MayHoldSecret),
        setting("home_directory", Text, NeedsTrust),
        setting("http_keep_alive", Boolean, None),
        setting("http_logging_output", Text, NeedsTrust),
        setting("http_proxy", Text, MayHoldSecret),
        setting("http_proxy_password", Text, MayHoldSecret),
        setting("http_proxy_username", Text, MayHoldSecret),
        setting("http_retries", Count, None),
        setting("http_retry_backoff", Float, None),
        setting("http_retry_wait_ms", Count, None),
        setting("http_timeout", Count, None),
        setting("httpfs_client_implementation", Choice(&["curl", "httplib", "default"]), NeedsTrust),
        setting("httpfs_connection_caching", Boolean, MayHoldSecret),
        setting("httpfs_enable_credential_refresh", Boolean, MayHoldSecret),
        setting("ieee_floating_point_ops", Boolean, None),
        setting("ignore_unknown_crs", Boolean, MayHoldSecret),
        setting("immediate_transaction_mode", Boolean, MayHoldSecret),
        setting("index_scan_max_count", Count, None),
        setting("index_scan_percentage", Float, None),
        setting("integer_division", Boolean, None),
        setting("lambda_syntax", Choice(&["DEFAULT", "ENABLE_SINGLE_ARROW", "DISABLE_SINGLE_ARROW"]), None),
        setting("late_materialization_max_rows", Count, None),
        setting("lock_configuration", Boolean, NeedsTrust),
        setting("log_query_path", Text, NeedsTrust),
        setting("logging_level", Choice(&["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL"]), NeedsTrust),
        setting("logging_mode", Choice(&["LEVEL_ONLY", "DISABLE_SELECTED", "ENABLE_SELECTED"]), NeedsTrust),
        setting("logging_storage", Text, NeedsTrust),
        setting("max_expression_depth", Count, None),
        setting("max_memory", Size, None),
        setting("max_temp_directory_size", Size, None),
        setting("max_vacuum_tasks", Count, None),
        setting("memory_limit", Size, None),
        setting("merge_http_secret_into_s3_request", Boolean, NeedsTrust),
        setting("merge_join_threshold", Count, None),
        setting("nested_loop_join_threshold", Count, None),
        setting("null_order", Text, None),
        setting("old_implicit_casting", Boolean, None),
        setting("order_by_non_integer_literal", Boolean, None),
        setting("ordered_aggregate_threshold", Count, None),
        setting("parquet_metadata_cache", Boolean, None),
        setting("partitioned_write_flush_threshold", Count, None),
        setting("partitioned_write_max_open_files", Count, None),
        setting("password", Text, MayHoldSecret),
        setting("perfect_ht_threshold", Count, None),
        setting("pg_array_as_varchar", Boolean, None),
        setting("pg_connection_cache", Boolean, None),
        setting("pg_connection_limit", Count, None),
        setting("pg_debug_show_queries", Boolean, NeedsTrust),
        setting("pg_experimental_filter_pushdown", Boolean, MayHoldSecret),
        setting("pg_idle_in_transaction_timeout_millis", Count, MayHoldSecret),
        setting("pg_null_byte_replacement", Text, None),
        setting("pg_oauth_token", Text, MayHoldSecret),
        setting("pg_pages_per_task", Count, None),
        setting("pg_pool_acquire_mode", Choice(&["force", "wait", "try"]), None),
        setting("pg_pool_enable_reaper_thread", Boolean, MayHoldSecret),
        setting("pg_pool_enable_thread_local_cache", Boolean, None),
        setting("pg_pool_health_check_query", Text, MayHoldSecret),
        setting("pg_pool_idle_timeout_millis", Count, MayHoldSecret),
        setting("pg_pool_max_connections", Count, None),
        setting("pg_pool_max_lifetime_millis", Count, MayHoldSecret),
        setting("pg_pool_wait_timeout_millis", Count, MayHoldSecret),
        setting("pg_staleness_query", Text, MayHoldSecret),
        setting("pg_staleness_query_enabled", Boolean, MayHoldSecret),
        setting("pg_statement_timeout_millis", Count, MayHoldSecret),
        setting("pg_use_binary_copy", Boolean, None),
        setting("pg_use_ctid_scan", Boolean, None),
        setting("pg_use_information_schema_introspection", Boolean, MayHoldSecret),
        setting("pg_use_text_protocol", Boolean, MayHoldSecret),
        setting("pin_threads", Choice(&["AUTO", "ON", "OFF"]), None),
        setting("pivot_filter_threshold", Count, None),
        setting("pivot_limit", Count, None),
        setting("prefer_range_joins", Boolean, None),
        setting("prefetch_all_parquet_files", Boolean, None),
        setting("preserve_identifier_case", Boolean, None),
        setting("preserve_insertion_order", Boolean, None),
        setting("produce_arrow_string_view", Boolean, MayHoldSecret),
        setting("profile_output", Text, NeedsTrust),
        setting("profiling_coverage", Choice(&["SELECT", "ALL"]), NeedsTrust),
        setting("profiling_mode", Text, NeedsTrust),
        setting("profiling_output", Text, NeedsTrust),
        setting("progress_bar_time", Integer, None),
        setting("quack_authentication_function", Text, NeedsTrust),
        setting("quack_authorization_function", Text, NeedsTrust),
        setting("quack_fetch_batch_chunks", Count, MayHoldSecret),
        setting("quack_loaded_at_us", Integer, MayHoldSecret),
        setting("s3_access_key_id", Text, MayHoldSecret),
        setting("s3_allow_recursive_globbing", Boolean, MayHoldSecret),
        setting("s3_endpoint", Text, NeedsTrust),
        setting("s3_kms_key_id", Text, NeedsTrust),
        setting("s3_region", Text, NeedsTrust),
        setting("s3_requester_pays", Boolean, None),
        setting("s3_secret_access_key", Text, MayHoldSecret),
        setting("s3_session_token", Text, MayHoldSecret),
        setting("s3_uploader_max_filesize", Size, None),
        setting("s3_uploader_max_parts_per_file", Count, None),
        setting("s3_uploader_thread_limit", Count, None),
        setting("s3_url_compatibility_mode", Boolean, NeedsTrust),
        setting("s3_url_style", Text, NeedsTrust),
        setting("s3_use_ssl", Boolean, NeedsTrust),
        setting("s3_version_id_pinning", Boolean, MayHoldSecret),
        setting("scalar_subquery_error_on_multiple_rows", Boolean, None),
        setting("scheduler_process_partial", Boolean, None),
        setting("schema", Text, NeedsTrust),
        setting("search_path", Text, NeedsTrust),
        setting("secret_directory", Text, NeedsTrust),
        setting("sqlite_all_varchar", Boolean, None),
        setting("sqlite_debug_show_queries", Boolean, NeedsTrust),
        setting("sqlite_disable_multithreaded_scans", Boolean, MayHoldSecret),
        setting(
            "storage_block_prefetch",
            Choice(&["REMOTE_ONLY", "NEVER", "ALWAYS_PREFETCH", "DEBUG_FORCE_ALWAYS"]),
            None,
        ),
        setting("storage_compatibility_version", Text, None),
        setting("streaming_buffer_size", Size, None),
        setting("temp_directory", Text, NeedsTrust),
        setting("temp_file_encryption", Boolean, None),
        setting("threads", Positive, None),
        setting("unsafe_disable_etag_checks", Boolean, MayHoldSecret),
        setting("user", Text, NeedsTrust),
        setting("username", Text, NeedsTrust),
        setting("vacuum_rebuild_indexes", Count, MayHoldSecret),
        setting("validate_external_file_cache", Choice(&["VALIDATE_ALL", "VALIDATE_REMOTE", "NO_VALIDATION"]), None),
        setting("variant_minimum_shredding_size", Integer, MayHoldSecret),
        setting("wal_autocheckpoint", Size, None),
        setting("wal_autocheckpoint_entries", Count, MayHoldSecret),
        setting("warnings_as_errors", Boolean, MayHoldSecret),
        setting("whoami_hostname", Text, MayHoldSecret),
        setting("whoami_meta", Text, MayHoldSecret),
        setting("whoami_name", Text, MayHoldSecret),
        setting("whoami_provider", Text, MayHoldSecret),
        setting("whoami_region", Text, MayHoldSecret),
        setting("whoami_started_at", Text, MayHoldSecret),
        setting("worker_threads", Positive, None),
        setting("write_buffer_row_group_count", Count, None),
        setting("write_buffer_row_group_memory_limit", Size, None),
        setting("zstd_min_string_length", Count, None),
    ]
};
