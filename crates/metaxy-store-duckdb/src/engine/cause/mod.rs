//! Why something does not work: the causes, the one table of texts by which each is recognised, and what to do about it.
//!
//! A cause has a stable name. [`patterns`] is the only place that knows what DuckDB, DuckLake, PostgreSQL, the storages
//! and the file system say; [`advice`] explains a cause from facts that are no secrets.

mod advice;
mod patterns;

use std::fmt;

use serde::{Serialize, Serializer};

pub(crate) use self::advice::Facts;
pub(crate) use self::patterns::{
    Operation, class_of, formats_of, lock_holder, reason_of, said_of_unprintable_type, said_of_unsupported_type,
    without_hints,
};

macro_rules! causes {
    ($($(#[doc = $doc:literal])* $cause:ident = $name:literal,)*) => {
        /// Why something does not work, or not as meant.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[doc = $doc])* $cause,)*
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

            /// What it means, in one sentence.
            ///
            /// ```
            /// use metaxy_store_duckdb::Cause;
            ///
            /// assert_eq!(Cause::NoSuchBucket.meaning(), "There is no such bucket.");
            /// ```
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$cause => concat!($($doc),*).trim_ascii(),)*
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
    /// PostgreSQL takes no connection at the moment: it starts, stops, or has too many.
    PostgresBusy = "postgres-busy",
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
    /// The catalog's file may be read, but not written.
    CatalogCannotBeWritten = "catalog-cannot-be-written",
    /// Another process holds the catalog.
    CatalogLocked = "catalog-locked",
    /// The catalog's file could not be written: its disk is full, or fails.
    CatalogNotWritten = "catalog-not-written",
    /// There is no lake yet; the first write creates it.
    NoLakeYet = "no-lake-yet",
    /// There is no lake, and none may be made.
    NoLake = "no-lake",
    /// The file of the catalog is empty, which that of a lake never is.
    CatalogEmptied = "catalog-emptied",
    /// The file of the catalog is damaged.
    CatalogDamaged = "catalog-damaged",
    /// The lake's format is newer than the engine.
    CatalogNewer = "catalog-newer",
    /// The lake's format is older than the engine's.
    CatalogOlder = "catalog-older",
    /// The lake was moved into the catalog of another store.
    LakeMoved = "lake-moved",
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
    /// The storage does not answer in time.
    StorageTimeout = "storage-timeout",
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
    /// Data files that the lake needs are not there.
    FilesMissing = "files-missing",
    /// Data files are not as they were written.
    FilesDamaged = "files-damaged",
    /// Data files may not be read.
    FilesDenied = "files-denied",
    /// Rows in the catalog do not come back as they were written.
    InlinedRowsDamaged = "inlined-rows-damaged",
    /// Rows in the catalog may be read without columns that they have.
    InlinedRowsUnrecorded = "inlined-rows-unrecorded",
    /// What was kept of a comparison does not tell what has changed since.
    MarkWrong = "mark-wrong",
    /// DuckLake has no such type of a column.
    UnsupportedType = "unsupported-type",
    /// A file has other values than the type of the column can hold.
    UnreadableType = "unreadable-type",
    /// Values of a type that have no text here.
    UnprintableType = "unprintable-type",
    /// The folder of the data files may not be listed.
    FolderCannotBeListed = "folder-cannot-be-listed",
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
    /// Columns have types that a file does not keep exactly.
    InexactTypes = "inexact-types",
    /// Most of many files are small.
    ManySmallFiles = "many-small-files",
    /// Many rows of files are deleted, and read all the same.
    ManyDeletedRows = "many-deleted-rows",
    /// The catalog holds many rows that belong into files.
    ManyInlinedRows = "many-inlined-rows",
    /// The lake keeps very many snapshots.
    ManySnapshots = "many-snapshots",
    /// Snapshots are kept longer than is declared for the lake.
    SnapshotsOverdue = "snapshots-overdue",
    /// The lake differs from what is declared for it.
    DeclaredDiffers = "declared-differs",
    /// Tables of inlined rows belong to another role.
    InlinedTablesOfOthers = "inlined-tables-of-others",
    /// Other roles that read the lake may not read the tables that a write makes.
    DefaultPrivilegesMissing = "default-privileges-missing",
    /// Another writer changed the lake at the same time.
    WriteConflict = "write-conflict",
    /// Something of the name is in the lake already.
    AlreadyExists = "already-exists",
    /// There is no table of the name.
    MissingTable = "missing-table",
    /// The lake is attached to be read.
    ReadOnlyLake = "read-only-lake",
    /// The store is locked: it is there to read the lake, and nothing else.
    ReadLocked = "read-locked",
    /// Somebody asked for the end of what ran.
    Interrupted = "interrupted",
    /// A value in a file is not of its column's type.
    ValueOfOtherType = "value-of-other-type",
    /// DuckDB met a fault of its own, and its instance answers nothing more.
    EngineFault = "engine-fault",
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

/// What a text means for each operation that it may be about.
///
/// It is found out before secrets are taken out of the text: a password like `password` takes the telling words along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meanings {
    load_extension: Option<Cause>,
    open_catalog: Option<Cause>,
    access_storage: Option<Cause>,
    query: Option<Cause>,
}

impl Meanings {
    pub(crate) fn of(text: &str, facts: &Facts) -> Self {
        let of = |operation| patterns::cause_of(text, operation, facts);
        Self {
            load_extension: of(Operation::LoadExtension),
            open_catalog: of(Operation::OpenCatalog),
            access_storage: of(Operation::AccessStorage(Cause::NoPermissionToList)),
            query: of(Operation::Query),
        }
    }

    /// The cause for an operation, given what is known of the lake by now.
    pub(crate) fn cause(self, operation: Operation, facts: &Facts) -> Option<Cause> {
        let cause = match operation {
            Operation::LoadExtension => self.load_extension,
            Operation::OpenCatalog => self.open_catalog,
            Operation::AccessStorage(denied) => match self.access_storage {
                Some(Cause::NoPermissionToList) => Some(denied),
                cause => cause,
            },
            Operation::Query => self.query,
        };
        cause.map(|cause| patterns::refined(cause, facts))
    }
}

impl Cause {
    /// What a file system failed by.
    pub(crate) fn of_io(error: &std::io::Error) -> Option<Self> {
        use std::io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Some(Self::DiskFull),
            PermissionDenied | ReadOnlyFilesystem => Some(Self::FolderDenied),
            _ => None,
        }
    }

    /// Whether it is the credentials that a storage refuses.
    pub(crate) fn is_refused_key(self) -> bool {
        matches!(self, Self::WrongKey | Self::WrongSecret | Self::TokenExpired | Self::TokenInvalid)
    }

    /// Whether it is about credentials of any kind: wrong, missing, expired.
    pub(crate) fn is_credentials(self) -> bool {
        let missing =
            matches!(self, Self::NoPassword | Self::NoCredentials | Self::NoSecretForPath | Self::MissingSecret);
        missing || self.is_refused_key() || matches!(self, Self::WrongPassword | Self::MotherDuckRefused)
    }

    /// Whether a server cannot be reached, or does not serve.
    pub(crate) fn is_unreachable(self) -> bool {
        let catalog = matches!(
            self,
            Self::PostgresDown
                | Self::PostgresHostUnknown
                | Self::PostgresTimeout
                | Self::PostgresBusy
                | Self::MotherDuckDown
        );
        catalog
            || matches!(
                self,
                Self::StorageDown | Self::StorageTimeout | Self::StorageHostUnknown | Self::StorageUnavailable
            )
    }

    /// Whether it lies outside of the statement: in a server, a file, the configuration. A summary tells such a cause
    /// better than what the engine says; of any other, the engine tells more.
    pub(crate) fn is_outside(self) -> bool {
        !matches!(
            self,
            Self::WriteConflict
                | Self::AlreadyExists
                | Self::MissingTable
                | Self::ReadOnlyLake
                | Self::ReadLocked
                | Self::ValueOfOtherType
                | Self::UnsupportedType
                | Self::UnreadableType
                | Self::UnprintableType
        )
    }

    /// Whether a summary tells what a person needs better than the engine does.
    pub(crate) fn has_better_words(self) -> bool {
        self.is_outside() || matches!(self, Self::UnsupportedType | Self::UnreadableType | Self::UnprintableType)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_page_of_the_book_has_every_cause() {
        let rows = Cause::ALL.iter().map(|cause| {
            let (_, advice) = cause.explain(&Facts::default(), "");
            [&format!("| `{cause}` | {} | ", cause.meaning()), &advice.replace('|', "\\|"), " |\n"].concat()
        });
        let page = [
            "# Causes\n\nWhat a command or `metaxy doctor` tells when something does not work, and what to do. The name of the cause \
             is stable,\nand in JSON it is `cause`.\n\n| cause | what it means | to do |\n|---|---|---|\n",
            &rows.collect::<String>(),
        ]
        .concat();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/book/src/reference/causes.md");
        if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
            std::fs::write(path, &page).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(found == page, "`{path}` is out of date: run this test with `INSTA_UPDATE=always`");
    }

    #[test]
    fn names_are_unique_and_explanations_name_one_thing() {
        let names: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        assert_eq!(names.len(), Cause::ALL.len());
        for cause in Cause::ALL {
            let (summary, advice) = cause.explain(&Facts::default(), "");
            assert!(!summary.ends_with('.') && !advice.ends_with('.') && !advice.is_empty(), "{cause}");
            for text in [&summary, &advice] {
                assert!(!text.contains("``") && !text.contains("[stores..") && !text.contains(" :"), "{cause}: {text}");
            }
        }
    }
}
