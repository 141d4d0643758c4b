//! What is known to be harmless in tables whose keys are not ours: everything else there is kept as a secret.
//!
//! DuckDB, its extensions and libpq decide which keys there are, and a later version may have more. One that is missing
//! in these lists is hidden, which costs a clue; one that is not harmless and listed would be shown.

use crate::attach::ATTACH_OPTIONS;
use crate::credentials::speaks_of_a_credential;
use crate::settings::{KnownSetting, SettingRisk};
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
            Self::Settings => {
                KnownSetting::find(key).is_some_and(|setting| setting.risk != SettingRisk::MayHoldSecret)
                    || has(MOTHERDUCK_SETTINGS)
            }
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

/// Those of MotherDuck, whose extension cannot be asked without its service.
const MOTHERDUCK_SETTINGS: &[&str] = &["motherduck_attach_mode", "motherduck_host", "motherduck_saas_mode"];
