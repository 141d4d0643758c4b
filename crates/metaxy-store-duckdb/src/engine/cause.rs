//! The causes that the doctor knows: how each is recognised in what an engine or a server says, and what to do.
//!
//! A cause has a stable name. Its explanation is made here and nowhere else, from facts that are no secrets.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! causes {
    ($($(#[$doc:meta])* $cause:ident = $name:literal,)*) => {
        /// Why something does not work, or not as meant.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[$doc])* $cause,)*
        }

        impl Cause {
            /// Every cause.
            pub const ALL: &[Self] = &[$(Self::$cause,)*];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$cause => $name,)*
                }
            }
        }
    };
}

causes! {
    /// The configuration has an error; the evidence has its code.
    ConfigurationError = "configuration-error",
    /// Two stores keep their files in one place.
    SharedDataPath = "shared-data-path",
    /// DuckDB refuses a setting.
    SettingRefused = "setting-refused",
    /// An extension is not in the extension directory.
    ExtensionMissing = "extension-missing",
    /// An extension was built for another version of DuckDB.
    ExtensionOfOtherVersion = "extension-of-other-version",
    /// An extension's signature does not hold.
    ExtensionNotSigned = "extension-not-signed",
    /// An extension gives up while it starts.
    ExtensionNotStarted = "extension-not-started",
    /// A persistent secret has the name of a secret of the plan.
    AmbiguousSecret = "ambiguous-secret",
    /// No secret has the name that the configuration uses.
    MissingSecret = "missing-secret",
    /// Nobody listens at PostgreSQL's address.
    PostgresDown = "postgres-down",
    /// PostgreSQL's host name has no address.
    PostgresHostUnknown = "postgres-host-unknown",
    /// PostgreSQL does not answer in time.
    PostgresTimeout = "postgres-timeout",
    /// PostgreSQL refuses role and password.
    WrongPassword = "wrong-password",
    /// PostgreSQL wants a password, and none was given.
    NoPassword = "no-password",
    /// The server has no such database.
    UnknownDatabase = "unknown-database",
    /// PostgreSQL refuses connections without TLS.
    TlsRequired = "tls-required",
    /// TLS was asked for, and PostgreSQL does not offer it.
    TlsNotOffered = "tls-not-offered",
    /// The certificate of PostgreSQL was issued by an authority that is not trusted.
    WrongCatalogCa = "wrong-catalog-ca",
    /// The file of the authority for PostgreSQL is not there.
    CatalogCaMissing = "catalog-ca-missing",
    /// The role may not connect, or not read the lake's tables, or not make them.
    RoleWithoutRights = "role-without-rights",
    /// The role may read, but not write.
    RoleCannotWrite = "role-cannot-write",
    /// The role may write, but not make tables.
    RoleCannotCreate = "role-cannot-create",
    /// The catalog's file holds another kind of database.
    WrongCatalogFile = "wrong-catalog-file",
    /// The catalog's file may not be read or written.
    CatalogFileDenied = "catalog-file-denied",
    /// Another process holds the catalog.
    CatalogLocked = "catalog-locked",
    /// There is no lake yet; the first write makes it.
    NoLakeYet = "no-lake-yet",
    /// There is no lake, and none may be made.
    NoLake = "no-lake",
    /// The lake's format is newer than the engine.
    CatalogNewer = "catalog-newer",
    /// The lake's format is older than the engine's.
    CatalogOlder = "catalog-older",
    /// MotherDuck's service does not answer.
    MotherDuckDown = "motherduck-down",
    /// MotherDuck's service did not let us in.
    MotherDuckRefused = "motherduck-refused",
    /// The credential chain found no credentials.
    NoCredentials = "no-credentials",
    /// No secret covers the data path.
    NoSecretForPath = "no-secret-for-path",
    /// Another secret than the configured one is used for the data path.
    OtherSecretUsed = "other-secret-used",
    /// Nobody listens at the storage's address.
    StorageDown = "storage-down",
    /// The storage's host name has no address.
    StorageHostUnknown = "storage-host-unknown",
    /// The endpoint has a scheme in it.
    SchemeInEndpoint = "scheme-in-endpoint",
    /// The server does not know buckets as host names.
    PathStyleNeeded = "path-style-needed",
    /// The storage speaks no TLS, or only TLS.
    StorageTlsMismatch = "storage-tls-mismatch",
    /// The certificate of the storage was issued by an authority that is not trusted.
    WrongStorageCa = "wrong-storage-ca",
    /// The storage is there, but out of order.
    StorageUnavailable = "storage-unavailable",
    /// The storage does not know the key.
    WrongKey = "wrong-key",
    /// The key is known, the secret is not its own.
    WrongSecret = "wrong-secret",
    /// The session token has expired.
    TokenExpired = "token-expired",
    /// The session token is missing, or is not that of the key.
    TokenInvalid = "token-invalid",
    /// The clock differs too much from the storage's.
    ClockSkew = "clock-skew",
    /// The bucket belongs to another region.
    WrongRegion = "wrong-region",
    /// There is no such bucket.
    NoSuchBucket = "no-such-bucket",
    /// The key may not list the data path.
    NoPermissionToList = "no-permission-to-list",
    /// The key may not write below the data path.
    NoPermissionToWrite = "no-permission-to-write",
    /// The key may not read below the data path.
    NoPermissionToRead = "no-permission-to-read",
    /// The key may not delete below the data path.
    NoPermissionToDelete = "no-permission-to-delete",
    /// The folder of the data files may not be written.
    FolderDenied = "folder-denied",
    /// There is no space left, by the disk or by a limit.
    DiskFull = "disk-full",
    /// The lake stores another data path than the configured one.
    DataPathDiffers = "data-path-differs",
    /// `override_data_path` lays another data path over the stored one.
    DataPathOverridden = "data-path-overridden",
    /// The stored data path makes DuckLake take live files for orphans.
    DataPathMakesOrphans = "data-path-makes-orphans",
    /// The lake is encrypted, or not, otherwise than configured.
    EncryptionDiffers = "encryption-differs",
    /// A stored inlining limit wins over the configured one.
    InliningDiffers = "inlining-differs",
    /// Most of many files are small.
    ManySmallFiles = "many-small-files",
    /// The catalog holds many rows that belong into files.
    ManyInlinedRows = "many-inlined-rows",
    /// The lake keeps very many snapshots.
    ManySnapshots = "many-snapshots",
}

/// What an explanation may mention; empty where it is not known.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) store: String,
    /// The extension that cannot be loaded.
    pub(crate) extension: String,
    /// The catalog's file, or its kind.
    pub(crate) catalog: String,
    pub(crate) host: String,
    pub(crate) port: String,
    pub(crate) database: String,
    pub(crate) schema: String,
    pub(crate) user: String,
    pub(crate) sslrootcert: String,
    pub(crate) catalog_secret: String,
    pub(crate) data_path: String,
    pub(crate) storage_secret: String,
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) url_style: String,
    /// Whether the storage is Azure's, which has accounts in place of keys.
    pub(crate) is_azure: bool,
}

impl Facts {
    fn bucket(&self) -> &str {
        let rest = self.data_path.split_once("://").map_or("", |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }

    /// Where a field of the catalog is written.
    fn catalog_table(&self) -> String {
        format!("`[stores.{}.config.ducklake.catalog]`", self.store)
    }

    fn storage_table(&self) -> String {
        format!("`[stores.{}.config.ducklake.storage]`", self.store)
    }

    fn options_table(&self) -> String {
        format!("`[stores.{}.config.ducklake.attach_options]`", self.store)
    }
}

/// What DuckDB says of an extension that is there, whole and of its version, but gives up while it starts: installing it
/// anew changes nothing. MotherDuck's does so without its service, after ten seconds.
pub(crate) const NOT_STARTED: &str = "threw an exception";

/// What DuckLake says of a lake whose stored data path is another text than the configured one.
pub(crate) const OTHER_DATA_PATH: &str = "does not match existing data path";

/// The rights that DuckLake needs on its tables, for a person to give.
const ALL_TABLES: &str = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA";

impl Cause {
    /// What loading an extension failed by.
    pub(crate) fn of_extension(text: &str) -> Option<Self> {
        let known = [
            ("built specifically for DuckDB version", Self::ExtensionOfOtherVersion),
            ("signature is either missing or invalid", Self::ExtensionNotSigned),
            ("not found", Self::ExtensionMissing),
            // It asks its service while it starts, for ten seconds.
            ("api.motherduck.com", Self::MotherDuckDown),
            (NOT_STARTED, Self::ExtensionNotStarted),
        ];
        first(text, &known)
    }

    /// What reaching or attaching a catalog failed by.
    pub(crate) fn of_catalog(text: &str) -> Option<Self> {
        let known = [
            ("password authentication failed", Self::WrongPassword),
            ("no password supplied", Self::NoPassword),
            ("no encryption", Self::TlsRequired),
            ("server does not support SSL", Self::TlsNotOffered),
            ("certificate verify failed", Self::WrongCatalogCa),
            ("root certificate file", Self::CatalogCaMissing),
            ("could not translate host name", Self::PostgresHostUnknown),
            ("timeout expired", Self::PostgresTimeout),
            ("Connection refused", Self::PostgresDown),
            ("permission denied for", Self::RoleWithoutRights),
            ("Failed to set encryption", Self::EncryptionDiffers),
            ("Ambiguity", Self::AmbiguousSecret),
            ("Secret with name", Self::MissingSecret),
            ("Could not set lock on file", Self::CatalogLocked),
            ("database is locked", Self::CatalogLocked),
            ("explicitly disabled", Self::NoLake),
            ("Permission denied", Self::CatalogFileDenied),
            ("No space left", Self::DiskFull),
        ];
        if text.contains("FATAL:  database") && text.contains("does not exist") {
            return Some(Self::UnknownDatabase);
        }
        if let Some((catalog, engine)) = versions(text) {
            return Some(if catalog > engine { Self::CatalogNewer } else { Self::CatalogOlder });
        }
        first(text, &known)
    }

    /// What a request to a storage failed by; a permission that lacks is `denied`.
    pub(crate) fn of_storage(text: &str, facts: &Facts, denied: Self) -> Option<Self> {
        let known = [
            ("InvalidAccessKeyId", Self::WrongKey),
            ("SignatureDoesNotMatch", Self::WrongSecret),
            ("ExpiredToken", Self::TokenExpired),
            ("InvalidToken", Self::TokenInvalid),
            ("RequestTimeTooSkewed", Self::ClockSkew),
            ("NoSuchBucket", Self::NoSuchBucket),
            ("AuthorizationHeaderMalformed", Self::WrongRegion),
            ("PermanentRedirect", Self::WrongRegion),
            ("AccessDenied", denied),
            // Azure's words.
            ("AuthorizationFailure", Self::WrongSecret),
            ("AuthenticationFailed", Self::WrongSecret),
            ("ContainerNotFound", Self::NoSuchBucket),
            ("Fail to get a new connection", Self::StorageDown),
            ("HTTP 503", Self::StorageUnavailable),
            ("Could not resolve hostname", Self::StorageHostUnknown),
            ("SSL peer certificate", Self::WrongStorageCa),
            ("SSL connect error", Self::StorageTlsMismatch),
            ("Could not connect to server", Self::StorageDown),
            ("Timeout was reached", Self::StorageDown),
            ("No space left", Self::DiskFull),
            // DuckDB leaves out the code of an answer that has no message.
            ("Authentication Failure", Self::WrongSecret),
        ];
        let cause = first(text, &known)?;
        let is_by_bucket = !facts.endpoint.is_empty() && facts.url_style != "path";
        Some(match cause {
            Self::StorageHostUnknown if facts.endpoint.contains("://") => Self::SchemeInEndpoint,
            Self::StorageHostUnknown if is_by_bucket => Self::PathStyleNeeded,
            cause => cause,
        })
    }

    /// Whether it is the credentials that a storage refuses.
    pub(crate) fn is_about_credentials(self) -> bool {
        matches!(self, Self::WrongKey | Self::WrongSecret | Self::TokenExpired | Self::TokenInvalid)
    }

    /// What a file system failed by.
    pub(crate) fn of_io(error: &std::io::Error) -> Option<Self> {
        use std::io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Some(Self::DiskFull),
            PermissionDenied | ReadOnlyFilesystem => Some(Self::FolderDenied),
            _ => None,
        }
    }

    /// What it means here, and the one thing to do about it.
    #[expect(clippy::too_many_lines, reason = "one explanation each, all in one place")]
    pub(crate) fn explain(self, facts: &Facts, raw: &str) -> (String, String) {
        let Facts { extension, catalog, host, port, database, schema, user, data_path, endpoint, region, .. } = facts;
        let (in_catalog, in_storage, in_options) =
            (facts.catalog_table(), facts.storage_table(), facts.options_table());
        let (store, bucket) = (&facts.store, facts.bucket());
        let (catalog_secret, storage_secret) = (&facts.catalog_secret, &facts.storage_secret);
        match self {
            Self::ConfigurationError => (
                "the configuration has errors".to_owned(),
                "correct the first error; `metaxy check` shows each with its line".to_owned(),
            ),
            Self::SharedDataPath => (
                "another store keeps its files in the same place".to_owned(),
                format!(
                    "give one of the two stores another path in {in_storage}: each lake takes the other's files for \
                     orphans, and cleaning up deletes them"
                ),
            ),
            Self::SettingRefused => (
                "DuckDB refuses a setting of the configuration".to_owned(),
                format!("correct or remove it in `[stores.{store}.config.config]`"),
            ),
            Self::ExtensionMissing => (
                format!("the extension `{extension}` is missing"),
                format!(
                    "run `INSTALL {extension}` in DuckDB 1.5.5; without the internet, `pip download --no-deps \
                     duckdb-extension-{}==1.5.5` elsewhere, and unpack it to where DuckDB looks",
                    extension.replace('_', "-")
                ),
            ),
            Self::ExtensionOfOtherVersion => (
                format!("the extension `{extension}` was built for another version of DuckDB"),
                format!("replace it: run `FORCE INSTALL {extension}` in DuckDB 1.5.5"),
            ),
            Self::ExtensionNotSigned => (
                format!("the extension `{extension}` is not the one that DuckDB signed: it is damaged or changed"),
                format!(
                    "replace it: run `FORCE INSTALL {extension}` in DuckDB 1.5.5; do not allow unsigned extensions"
                ),
            ),
            Self::ExtensionNotStarted => (
                format!("the extension `{extension}` is there, but does not start"),
                "see what it says with `--verbose`; it may need a server or a file that is not there".to_owned(),
            ),
            Self::AmbiguousSecret => (
                "a persistent secret of DuckDB has the name of a secret that this store makes".to_owned(),
                format!(
                    "set another `secret_name` in {in_catalog} or {in_storage}, or run `DROP PERSISTENT SECRET` in \
                     DuckDB for the one in the evidence"
                ),
            ),
            Self::MissingSecret => (
                format!("there is no secret named `{catalog_secret}`"),
                format!(
                    "set host, database, user and password in {in_catalog}, or create a persistent secret of this \
                     name in DuckDB"
                ),
            ),
            Self::PostgresDown => (
                format!("nobody listens at {host}:{port}: PostgreSQL is down, or elsewhere"),
                format!("start PostgreSQL, or correct `host` and `port` in {in_catalog}"),
            ),
            Self::PostgresHostUnknown => {
                (format!("the host name `{host}` has no address"), format!("correct `host` in {in_catalog}"))
            }
            Self::PostgresTimeout => (
                format!("{host}:{port} does not answer"),
                format!("correct `host` and `port` in {in_catalog}, or open the firewall between here and there"),
            ),
            Self::WrongPassword => (
                format!("PostgreSQL refuses the password of the role `{user}`, or knows no such role"),
                format!("correct `password` (or `user`) in {in_catalog}, or the variable that it comes from"),
            ),
            Self::NoPassword => (
                format!("PostgreSQL wants a password for the role `{user}`, and none was given"),
                format!("set `password` in {in_catalog}"),
            ),
            Self::UnknownDatabase => (
                format!("the server has no database `{database}`"),
                format!("correct `database` in {in_catalog}, or create it with `createdb {database}`"),
            ),
            Self::TlsRequired => (
                "PostgreSQL refuses connections without TLS for this role".to_owned(),
                format!("set `secret_parameters.sslmode = \"require\"` in {in_catalog}"),
            ),
            Self::TlsNotOffered => (
                "the configuration asks for TLS, and PostgreSQL does not offer it".to_owned(),
                format!(
                    "switch `ssl` on in the server, or set `secret_parameters.sslmode = \"prefer\"` in {in_catalog}"
                ),
            ),
            Self::WrongCatalogCa => (
                "PostgreSQL's certificate was issued by an authority that is not trusted".to_owned(),
                format!(
                    "set `secret_parameters.sslrootcert` in {in_catalog} to the file of the authority that issued it{}",
                    if facts.sslrootcert.is_empty() {
                        String::new()
                    } else {
                        format!("; now it is `{}`", facts.sslrootcert)
                    }
                ),
            ),
            Self::CatalogCaMissing => (
                format!("the authority's file `{}` is not there", facts.sslrootcert),
                format!("correct `secret_parameters.sslrootcert` in {in_catalog}"),
            ),
            Self::RoleWithoutRights => (
                format!("the role `{user}` may not use the lake's tables in the database `{database}`"),
                format!(
                    "have the owner run `GRANT USAGE, CREATE ON SCHEMA {schema} TO {user}` and `{ALL_TABLES} {schema} \
                     TO {user}`, or set another `user` in {in_catalog}"
                ),
            ),
            Self::RoleCannotWrite => (
                format!("the role `{user}` may read the lake, but not write it"),
                format!(
                    "if this store is to write, have the owner run `{ALL_TABLES} {schema} TO {user}`; if not, set \
                     `read_only = true` in {in_options}"
                ),
            ),
            Self::RoleCannotCreate => (
                format!("the role `{user}` may not make tables, which DuckLake needs for inlined rows"),
                format!("have the owner run `GRANT CREATE ON SCHEMA {schema} TO {user}`"),
            ),
            Self::WrongCatalogFile => (
                format!("the catalog's file `{catalog}` holds another kind of database"),
                format!("set `type` in {in_catalog} to what the file is, or name another file"),
            ),
            Self::CatalogFileDenied => (
                format!("the catalog's file `{catalog}` may not be read or written"),
                "give this user the right to read and write the file and its folder".to_owned(),
            ),
            Self::CatalogLocked => (
                format!("another process holds the catalog `{catalog}`"),
                "close that process, or wait for it; where several processes are the rule, keep the catalog in \
                 PostgreSQL"
                    .to_owned(),
            ),
            Self::NoLakeYet => (
                "there is no lake yet; the first write makes it".to_owned(),
                format!("nothing, if this store is new; else correct the location in {in_catalog}"),
            ),
            Self::NoLake => (
                "there is no lake, and none may be made".to_owned(),
                format!("correct the location in {in_catalog} (or `metadata_schema`), or allow `create_if_not_exists`"),
            ),
            Self::CatalogNewer => (
                "the lake's format is newer than this engine".to_owned(),
                "use a newer release of this program; do not migrate the lake back".to_owned(),
            ),
            Self::CatalogOlder => (
                "the lake's format is older than this engine's".to_owned(),
                format!(
                    "make a copy of the catalog, then set `automatic_migration = true` in {in_options} and open it \
                     once; older programs cannot open it afterwards"
                ),
            ),
            Self::MotherDuckDown => (
                "MotherDuck's service does not answer".to_owned(),
                "open the way from here to api.motherduck.com, or try again later".to_owned(),
            ),
            Self::MotherDuckRefused => (
                "MotherDuck did not let us in".to_owned(),
                "set `motherduck_token` in the environment, and check that its service can be reached from here"
                    .to_owned(),
            ),
            Self::NoCredentials => (
                "the credential chain found no credentials".to_owned(),
                format!(
                    "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, log in to the profile, or correct \
                     `secret_parameters.chain` in {in_storage}"
                ),
            ),
            Self::NoSecretForPath => (
                format!("no secret covers {data_path}"),
                format!(
                    "set {} in {in_storage}, or create the secret `{storage_secret}` in DuckDB \
                     with a scope that begins the data path",
                    if facts.is_azure { "`connection_string`" } else { "`key_id` and `secret`" }
                ),
            ),
            Self::OtherSecretUsed => (
                format!("DuckDB uses another secret than `{storage_secret}` for {data_path}"),
                format!(
                    "drop the secret that the evidence names, narrow its scope, or set its name as `secret_name` in \
                     {in_storage}"
                ),
            ),
            Self::StorageDown => (
                format!("nobody listens at {}: the storage is down, or elsewhere", place(endpoint)),
                format!("start the storage, or correct `endpoint` in {in_storage}"),
            ),
            Self::StorageHostUnknown => (
                format!("the storage's host name has no address: {}", place(endpoint)),
                format!("correct `endpoint` in {in_storage}"),
            ),
            Self::SchemeInEndpoint => (
                format!("the endpoint `{endpoint}` has a scheme in it, where DuckDB wants `host:port`"),
                format!(
                    "set `endpoint = \"{}\"` in {in_storage}, and `use_ssl` for the scheme",
                    endpoint.split_once("://").map_or("", |(_, host)| host)
                ),
            ),
            Self::PathStyleNeeded => (
                format!("the server at {endpoint} does not know the bucket as a host name, `{bucket}.{endpoint}`"),
                format!("set `url_style = \"path\"` in {in_storage}"),
            ),
            Self::StorageTlsMismatch => (
                format!("{} speaks no TLS", place(endpoint)),
                format!("set `use_ssl = false` in {in_storage}, or correct the port of `endpoint`"),
            ),
            Self::WrongStorageCa => (
                "the storage's certificate was issued by an authority that is not trusted".to_owned(),
                format!(
                    "set `ca_cert_file` in `[stores.{store}.config.config]` to the file of the authority that issued it"
                ),
            ),
            Self::StorageUnavailable => {
                (format!("{} answers that it is out of order", place(endpoint)), "try again later".to_owned())
            }
            Self::WrongKey => (
                "the storage does not know the key".to_owned(),
                format!("correct `key_id` in {in_storage}, or the variable that it comes from"),
            ),
            Self::WrongSecret if facts.is_azure => (
                "the storage does not accept the account's key".to_owned(),
                format!("correct `connection_string` in {in_storage}, or the variable that it comes from"),
            ),
            Self::WrongSecret => (
                "the storage knows the key, but the secret is not the key's".to_owned(),
                format!("correct `secret` in {in_storage}, or the variable that it comes from"),
            ),
            Self::TokenExpired => (
                "the session token has expired".to_owned(),
                format!(
                    "get new temporary credentials, and set `key_id`, `secret` and `session_token` in {in_storage}"
                ),
            ),
            Self::TokenInvalid => (
                "the session token is missing, or is not the key's".to_owned(),
                format!("set `secret_parameters.session_token` in {in_storage} to the token that came with the key"),
            ),
            Self::ClockSkew => (
                "this machine's clock differs too much from the storage's".to_owned(),
                "set the clock: switch time synchronisation (NTP) on".to_owned(),
            ),
            Self::WrongRegion => match expected_region(raw) {
                Some(expected) => (
                    format!("the bucket is in the region `{expected}`, not in `{region}`"),
                    format!("set `region = \"{expected}\"` in {in_storage}"),
                ),
                None => (
                    format!("the bucket is not in the region `{region}`"),
                    format!("set `region` in {in_storage} to the bucket's"),
                ),
            },
            Self::NoSuchBucket => (
                format!("there is no bucket `{bucket}` at {}", place(endpoint)),
                format!("correct `bucket` in {in_storage}, or create the bucket"),
            ),
            Self::NoPermissionToList => (
                format!("the key may not list {data_path}"),
                format!(
                    "allow it `s3:ListBucket` on `{bucket}`; reading and writing may work without, but files that \
                     nobody needs are never found"
                ),
            ),
            Self::NoPermissionToWrite => (
                format!("the key may not write below {data_path}"),
                format!("allow it `s3:PutObject` there, or set another `key_id` in {in_storage}"),
            ),
            Self::NoPermissionToRead => (
                format!("the key may not read below {data_path}"),
                format!("allow it `s3:GetObject` there, or set another `key_id` in {in_storage}"),
            ),
            Self::NoPermissionToDelete => (
                format!("the key may not delete below {data_path}"),
                "allow it `s3:DeleteObject` there, and delete the object in the evidence by hand".to_owned(),
            ),
            Self::FolderDenied => (
                format!("the folder {data_path} may not be written"),
                format!("give this user the right to write it, or set another `path` in {in_storage}"),
            ),
            Self::DiskFull => (
                format!("there is no space left for {data_path}"),
                format!("make room on that disk, raise the quota or limit, or set another `path` in {in_storage}"),
            ),
            Self::DataPathDiffers => (
                "the lake keeps its files elsewhere than configured".to_owned(),
                format!(
                    "write the stored path of the evidence into {in_storage}, or correct the catalog: it belongs to \
                     another lake"
                ),
            ),
            Self::DataPathOverridden => (
                "`override_data_path` lays another path over the stored one".to_owned(),
                format!("remove it from {in_options}: rows written now cannot be read under either path"),
            ),
            Self::DataPathMakesOrphans => (
                "DuckLake takes the live files below the stored data path for orphans".to_owned(),
                "never run `ducklake_delete_orphaned_files` or `CHECKPOINT` on this lake; copy it to a new one"
                    .to_owned(),
            ),
            Self::EncryptionDiffers => (
                "the lake is encrypted otherwise than configured".to_owned(),
                format!("make `encrypted` in {in_options} what is stored: it counts only when a lake is made"),
            ),
            Self::InliningDiffers => (
                "a stored inlining limit wins over the configured one".to_owned(),
                "make the two the same, by the configuration or by `set_option`".to_owned(),
            ),
            Self::ManySmallFiles => (
                "most of the lake's files are small, which makes reading slow".to_owned(),
                "run `ducklake_merge_adjacent_files`".to_owned(),
            ),
            Self::ManyInlinedRows => {
                ("many rows are still in the catalog".to_owned(), "run `ducklake_flush_inlined_data`".to_owned())
            }
            Self::ManySnapshots => {
                ("the lake keeps very many snapshots".to_owned(), "run `ducklake_expire_snapshots`".to_owned())
            }
        }
    }
}

/// An endpoint, or the service that is meant without one.
fn place(endpoint: &str) -> &str {
    if endpoint.is_empty() { "the storage's default endpoint" } else { endpoint }
}

/// The region that a storage says it expects.
fn expected_region(text: &str) -> Option<String> {
    let text = text.replace("&apos;", "'").replace("&#39;", "'");
    let (_, rest) = text.split_once("expecting '")?;
    rest.split_once('\'').map(|(region, _)| region.to_owned())
}

/// The first of the texts that occurs.
fn first(text: &str, known: &[(&str, Cause)]) -> Option<Cause> {
    known.iter().find(|(part, _)| text.contains(part)).map(|(_, cause)| *cause)
}

/// The versions in a complaint about a lake's format: the catalog's and the engine's.
fn versions(text: &str) -> Option<(Vec<u32>, Vec<u32>)> {
    let version = |before: &str| -> Option<Vec<u32>> {
        let (_, rest) = text.split_once(before)?;
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(rest.len());
        Some(rest[..end].split('.').filter_map(|part| part.parse().ok()).collect())
    };
    Some((version("catalog version is ")?, version("the extension requires version ")?))
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_explanations_name_one_thing() {
        let names: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        assert_eq!(names.len(), Cause::ALL.len());
        for cause in Cause::ALL {
            let (summary, advice) = cause.explain(&Facts::default(), "");
            assert!(!summary.ends_with('.') && !advice.ends_with('.') && !advice.is_empty(), "{cause}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_recognised() {
        let error = std::fs::write("/dev/full", "a byte").unwrap_err();
        assert_eq!(Cause::of_io(&error), Some(Cause::DiskFull));
        let engine = duckdb::Connection::open_in_memory().unwrap();
        let error = engine.execute_batch("COPY (SELECT 1 AS i) TO '/dev/full' (FORMAT csv)").unwrap_err().to_string();
        assert_eq!(Cause::of_storage(&error, &Facts::default(), Cause::NoPermissionToWrite), Some(Cause::DiskFull));
        assert_eq!(Cause::of_catalog(&error), Some(Cause::DiskFull));
    }

    /// What was seen of servers that are not part of the tests: MotherDuck without a network, Azure's emulator.
    #[test]
    fn what_others_say_is_recognised() {
        assert_eq!(Cause::of_catalog("IO Error: database is locked"), Some(Cause::CatalogLocked));
        let motherduck = "Invalid Input Error: Initialization function \"motherduck_duckdb_cpp_init\" from file \
            \"motherduck.duckdb_extension\" threw an exception: \"Failed to download \
            \"http://api.motherduck.com/extension_version\" (attempt 5): Could not establish connection\"";
        assert_eq!(Cause::of_extension(motherduck), Some(Cause::MotherDuckDown));
        let facts = Facts { is_azure: true, ..Facts::default() };
        for (text, cause) in [
            (
                "IO Error: AzureBlobStorageFileSystem Read to az://lake/prod/* failed with AuthorizationFailure Reason \
                 Phrase: Server failed to authenticate the request.",
                Cause::WrongSecret,
            ),
            ("Fail to get a new connection for: http://127.0.0.1:1. Could not connect to server", Cause::StorageDown),
        ] {
            assert_eq!(Cause::of_storage(text, &facts, Cause::NoPermissionToList), Some(cause));
        }
    }
}
