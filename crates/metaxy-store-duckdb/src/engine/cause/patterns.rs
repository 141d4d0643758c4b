//! The one table of what DuckDB, its extensions, PostgreSQL, the storages and the file system say, and what each means.
//!
//! One file because no other may compare such a text.
//!
//! No other file compares the text of an engine: `xtask tidy` holds that. An entry says which system says it; the first
//! entry that fits is the cause. The texts are those of DuckDB 1.5.5 with its extensions, PostgreSQL 13 to 18, S3 (AWS,
//! `MinIO`, the test server), Azure's emulator, and MotherDuck's extension without its service.
//!
//! PostgreSQL speaks the language of its setting `lc_messages`, and `libpq` passes on the text alone, without its
//! SQLSTATE. What `libpq` itself says is English in DuckDB's build of it. A login that the server refuses names the role
//! or the database, in any language; where both have one name, and for all that comes after the login, the table has the
//! words of the languages into which PostgreSQL is translated. A text in another language has no known cause.

use super::{Cause, Facts};

/// What was tried, which decides who may have said a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// An extension was loaded.
    LoadExtension,
    /// A catalog was reached or attached.
    OpenCatalog,
    /// A storage was asked; a right that lacks is this cause.
    AccessStorage(Cause),
    /// A statement ran on the lake, which speaks to the catalog and the storage.
    Query,
}

/// Who says a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    /// DuckDB, of extensions that it loads.
    Loader,
    /// MotherDuck's extension.
    MotherDuck,
    /// DuckDB, of its secrets.
    Secrets,
    /// DuckDB, of tables, transactions and values.
    DuckDb,
    /// DuckDB's reader of CSV or JSON.
    Readers,
    /// DuckLake's extension.
    DuckLake,
    /// SQLite, or DuckDB as a catalog's file.
    CatalogFile,
    /// The client of PostgreSQL within DuckDB; always English.
    Libpq,
    /// PostgreSQL, in the language of the server.
    Postgres,
    /// DuckDB's client of HTTP.
    Http,
    /// S3 and what speaks its protocol.
    S3,
    /// Azure's storage.
    Azure,
    /// The operating system, of files.
    Files,
}

/// What a text means.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    Is(Cause),
    /// A right lacks at a storage: which one is known by the operation.
    Denied,
    /// A file may not be read or written: which one is known by the operation, or by its name.
    FileDenied,
    /// A file could not be read as one of rows: it is the cause only where it is one of the lake.
    DataFile(Cause),
}

/// One entry: the parts that a text has all of, and one that it does not have.
struct Pattern {
    by: System,
    parts: &'static [&'static str],
    unless: &'static str,
    meaning: Meaning,
}

const fn says(by: System, parts: &'static [&'static str], cause: Cause) -> Pattern {
    Pattern { by, parts, unless: "", meaning: Meaning::Is(cause) }
}

const fn data_file(parts: &'static [&'static str], cause: Cause) -> Pattern {
    Pattern { by: System::Files, parts, unless: "", meaning: Meaning::DataFile(cause) }
}

/// What systems say, the more telling first.
const PATTERNS: &[Pattern] = &[
    says(System::DuckDb, &["INTERRUPT Error"], Cause::Interrupted),
    says(System::Loader, &["built specifically for DuckDB version"], Cause::ExtensionOfOtherVersion),
    says(System::Loader, &["signature is either missing or invalid"], Cause::ExtensionNotSigned),
    // It asks its service while it starts, for ten seconds.
    says(System::MotherDuck, &["api.motherduck.com"], Cause::MotherDuckDown),
    // An extension that is whole and of its version, but gives up while it starts: installing it anew changes nothing.
    says(System::Loader, &["threw an exception"], Cause::ExtensionNotStarted),
    says(System::Loader, &["not found"], Cause::ExtensionMissing),
    // Versions of the format are compared, see `formats`.
    // The fence of a lake that was moved, in a catalog of SQLite.
    says(System::DuckLake, &["ducklake_snapshot is not an table"], Cause::LakeMoved),
    says(System::DuckLake, &["Failed to delete snapshots", "Can only delete from base table"], Cause::LakeMoved),
    says(System::DuckLake, &["does not match existing data path"], Cause::DataPathDiffers),
    says(System::DuckLake, &["Failed to set encryption"], Cause::EncryptionDiffers),
    says(System::DuckLake, &["explicitly disabled"], Cause::NoLake),
    says(System::DuckLake, &["in read-only mode: database does not exist"], Cause::NoLake),
    says(System::DuckLake, &["ransaction conflict"], Cause::WriteConflict),
    says(System::DuckLake, &["Exceeded the maximum retry count"], Cause::WriteConflict),
    says(System::Secrets, &["Ambiguity"], Cause::AmbiguousSecret),
    says(System::Secrets, &["Secret with name"], Cause::MissingSecret),
    // The credential chain found nothing.
    says(System::Secrets, &["Secret Validation Failure"], Cause::NoCredentials),
    says(System::CatalogFile, &["Could not set lock on file"], Cause::CatalogLocked),
    says(System::CatalogFile, &["database is locked"], Cause::CatalogLocked),
    says(System::CatalogFile, &["Corrupt database file"], Cause::CatalogDamaged),
    says(System::CatalogFile, &["computed checksum", "does not match stored checksum"], Cause::CatalogDamaged),
    says(System::CatalogFile, &["replaying WAL"], Cause::CatalogDamaged),
    says(System::CatalogFile, &["database disk image is malformed"], Cause::CatalogDamaged),
    // Windows.
    says(System::CatalogFile, &["used by another process"], Cause::CatalogLocked),
    says(System::Libpq, &["no password supplied"], Cause::NoPassword),
    says(System::Libpq, &["server does not support SSL"], Cause::TlsNotOffered),
    says(System::Libpq, &["certificate verify failed"], Cause::WrongCatalogCa),
    says(System::Libpq, &["root certificate file"], Cause::CatalogCaMissing),
    says(System::Libpq, &["could not translate host name"], Cause::PostgresHostUnknown),
    says(System::Libpq, &["timeout expired"], Cause::PostgresTimeout),
    says(System::Libpq, &["Connection timed out"], Cause::PostgresTimeout),
    says(System::Libpq, &["connection to server", "Connection refused"], Cause::PostgresDown),
    says(System::Libpq, &["server closed the connection unexpectedly"], Cause::PostgresDown),
    says(System::Libpq, &["SSL connection has been closed unexpectedly"], Cause::PostgresDown),
    says(System::Libpq, &["could not receive data from server"], Cause::PostgresDown),
    says(System::Libpq, &["could not send data to server"], Cause::PostgresDown),
    says(System::Libpq, &["SSL SYSCALL error"], Cause::PostgresDown),
    says(System::Libpq, &["no connection to the server"], Cause::PostgresDown),
    // SQLite has taken a transaction back by itself, which it does where the file cannot be written, and DuckLake tells only
    // that there is none to be taken back.
    says(System::CatalogFile, &["cannot rollback - no transaction is active"], Cause::CatalogNotWritten),
    says(System::CatalogFile, &["disk I/O error"], Cause::CatalogNotWritten),
    // DuckLake ends the transaction of a connection that is lost, and tells of that alone, without a reason.
    says(System::DuckLake, &["Failed to execute query \"ROLLBACK\""], Cause::PostgresDown),
    // DuckDB's pool of connections.
    says(System::Libpq, &["GetConnection - no connection available"], Cause::PostgresBusy),
    says(System::Libpq, &["connection to server", "Network is unreachable"], Cause::PostgresDown),
    says(System::Libpq, &["connection to server", "No route to host"], Cause::PostgresDown),
    says(System::S3, &["InvalidAccessKeyId"], Cause::WrongKey),
    says(System::S3, &["SignatureDoesNotMatch"], Cause::WrongSecret),
    says(System::S3, &["ExpiredToken"], Cause::TokenExpired),
    says(System::S3, &["InvalidToken"], Cause::TokenInvalid),
    says(System::S3, &["RequestTimeTooSkewed"], Cause::ClockSkew),
    says(System::S3, &["NoSuchBucket"], Cause::NoSuchBucket),
    says(System::S3, &["AuthorizationHeaderMalformed"], Cause::WrongRegion),
    says(System::S3, &["PermanentRedirect"], Cause::WrongRegion),
    Pattern { by: System::S3, parts: &["AccessDenied"], unless: "", meaning: Meaning::Denied },
    says(System::Azure, &["AuthorizationFailure"], Cause::WrongSecret),
    says(System::Azure, &["AuthenticationFailed"], Cause::WrongSecret),
    says(System::Azure, &["ContainerNotFound"], Cause::NoSuchBucket),
    says(System::Azure, &["Fail to get a new connection"], Cause::StorageDown),
    says(System::Http, &["HTTP 503"], Cause::StorageUnavailable),
    says(System::Http, &["Could not resolve hostname"], Cause::StorageHostUnknown),
    says(System::Http, &["SSL peer certificate"], Cause::WrongStorageCa),
    says(System::Http, &["SSL connect error"], Cause::StorageTlsMismatch),
    says(System::Http, &["Could not connect to server"], Cause::StorageDown),
    says(System::Http, &["Timeout was reached"], Cause::StorageTimeout),
    // DuckDB leaves out the code of an answer that has no message.
    says(System::Http, &["Authentication Failure"], Cause::WrongSecret),
    says(System::Files, &["No space left"], Cause::DiskFull),
    says(System::Files, &["Disk quota exceeded"], Cause::DiskFull),
    says(System::Files, &["File too large"], Cause::DiskFull),
    says(System::CatalogFile, &["database or disk is full"], Cause::DiskFull),
    Pattern { by: System::Files, parts: &["Permission denied"], unless: "", meaning: Meaning::FileDenied },
    Pattern { by: System::Files, parts: &["Read-only file system"], unless: "", meaning: Meaning::FileDenied },
    data_file(&["Cannot open file", "No such file or directory"], Cause::FilesMissing),
    data_file(&["too small to be a Parquet file"], Cause::FilesDamaged),
    data_file(&["No magic bytes found"], Cause::FilesDamaged),
    says(System::CatalogFile, &["attempt to write a readonly database"], Cause::CatalogFileDenied),
    says(System::CatalogFile, &["unable to open database file"], Cause::CatalogFileDenied),
    says(System::DuckDb, &["attached in read-only mode"], Cause::ReadOnlyLake),
    says(System::DuckDb, &["disabled by configuration"], Cause::ReadLocked),
    says(System::DuckDb, &["disabled through configuration"], Cause::ReadLocked),
    says(System::DuckDb, &["configuration has been locked"], Cause::ReadLocked),
    // A view that has the name will still have it when a transaction is run again.
    Pattern {
        by: System::DuckDb,
        parts: &["already exists"],
        unless: "View with name",
        meaning: Meaning::Is(Cause::AlreadyExists),
    },
    // Of a table that another writer is making: a SQLite catalog shows it before its columns.
    says(System::DuckDb, &["does not have any columns"], Cause::WriteConflict),
    says(System::DuckLake, &["to DuckLake - unsupported type"], Cause::UnsupportedType),
    // The client library says it, which makes Arrow's columns of DuckDB's.
    says(System::DuckDb, &["decoding ", " columns is not supported"], Cause::UnprintableType),
    says(System::DuckDb, &["Table with name", "does not exist"], Cause::MissingTable),
    says(System::Readers, &["failed to cast column", "from type DOUBLE to", "HUGEINT"], Cause::UnreadableType),
    says(System::Readers, &["Error when converting column"], Cause::ValueOfOtherType),
    says(System::Readers, &["JSON transform error"], Cause::ValueOfOtherType),
    says(System::DuckDb, &["INTERNAL Error:"], Cause::EngineFault),
    says(System::DuckDb, &["database has been invalidated"], Cause::EngineFault),
];

/// What PostgreSQL says, in English and in each language into which it is translated; `%` stands for anything.
///
/// The messages are those of SQLSTATE 28P01, 3D000, 42501, 28000 and 53300; a text in Georgian, Polish, Portuguese or
/// Turkish is known by its names only, see [`refused_login`].
const POSTGRES: &[(Cause, &[&str])] = &[
    (
        Cause::TlsRequired,
        &[
            "pg_hba.conf%no encryption",
            "pg_hba.conf%SSL off",
            "pg_hba.conf%keine Verschlüsselung",
            "pg_hba.conf%sin cifrado",
            "pg_hba.conf%aucun chiffrement",
            "pg_hba.conf%nessuna crittografia",
            "pg_hba.conf%暗号化なし",
            "pg_hba.conf%დაშიფვრის გარეშე",
            "%암호화 안함%pg_hba.conf",
            "pg_hba.conf%без шифрования",
            "pg_hba.conf%ingen kryptering",
            "pg_hba.conf%без шифрування",
        ],
    ),
    (
        Cause::WrongPassword,
        &[
            "password authentication failed",
            "Passwort-Authentifizierung",
            "la autentificación password falló",
            "authentification par mot de passe échouée",
            "autenticazione con password fallita",
            "のパスワード認証に失敗しました",
            "의 password 인증을 실패했습니다",
            "не прошёл проверку подлинности (по паролю)",
            "Lösenordsautentisering misslyckades",
            "не пройшов автентифікацію за допомогою пароля",
            "Password 认证失败",
        ],
    ),
    (
        Cause::UnknownDatabase,
        &[
            "FATAL:  database%does not exist",
            "Datenbank »%« existiert nicht",
            "no existe la base de datos «",
            "la base de données «%» n'existe pas",
            "il database \"%\" non esiste",
            "データベース\"%\"は存在しません",
            "\"%\" 데이터베이스 없음",
            "база данных \"%\" не существует",
            "databasen \"%\" existerar inte",
            "бази даних \"%\" не існує",
            "数据库 \"%\" 不存在",
        ],
    ),
    (
        Cause::RoleWithoutRights,
        &[
            "permission denied for",
            "keine Berechtigung für",
            "permiso denegado a",
            "droit refusé pour",
            "permesso negato per",
            "へのアクセスが拒否されました",
            "წვდომა აკრძალულია",
            "접근 권한 없음",
            "액세스 권한 없음",
            "нет доступа к",
            "доступ к базе%запрещён",
            "rättighet saknas för",
            "немає дозволу для",
            "немає доступу для",
            "权限不够",
        ],
    ),
    (
        Cause::PostgresBusy,
        &[
            "too many clients already",
            "remaining connection slots are reserved",
            "the database system is ",
            "schon zu viele Verbindungen",
            "das Datenbanksystem ",
            "ya tenemos demasiados clientes",
            "el sistema de base de datos está",
            "trop de clients sont déjà connectés",
            "le système de bases de données ",
            "troppi client già connessi",
            "il database si sta ",
            "現在クライアント数が多すぎます",
            "データベースシステムは",
            "최대 동시 접속자 수를 초과했습니다",
            "уже слишком много клиентов",
            "система баз данных ",
            "för många klienter",
            "вже забагато клієнтів",
            "已经有太多的客户",
        ],
    ),
];

/// The kinds of DuckDB's errors that are about a statement or its values, so that nothing outside of it can be why. A
/// value that they quote may be any text.
const OF_STATEMENTS: [&str; 9] = [
    "Parser Error",
    "Syntax Error",
    "Binder Error",
    "Catalog Error",
    "Conversion Error",
    "Constraint Error",
    "Out of Range Error",
    "Mismatch Type Error",
    "Not implemented Error",
];

/// What begins the parts of DuckDB's messages that are about its statements and the options of its readers.
const HINTS: [&str; 7] = [
    "\n\nLINE ",
    "\n\nColumn ",
    "\n\n  file = ",
    "\nPossible ",
    "\nThe search space used was:",
    "\n If this error occurred during read_json",
    "\nTry setting ",
];

/// What DuckLake says before what its catalog said against the rows of a commit.
const COMMIT_FAILED: &str = "Failed to flush changes into DuckLake";

/// What DuckLake says first of a value in its catalog that it cannot read.
const DAMAGED_ROWS: &str = "Conversion Error: Failed to read inlined data from DuckLake";

/// What ends the kind of one of DuckDB's errors.
const KIND_END: &str = " Error: ";

/// What an operation failed by.
pub(super) fn cause_of(text: &str, operation: Operation, facts: &Facts) -> Option<Cause> {
    let class = class_of(text);
    // The statement that DuckDB quotes is not what it says.
    let said = text.split("\n\nLINE ").next().unwrap_or_default();
    let is_of_statement = operation == Operation::Query && class.is_some_and(|class| OF_STATEMENTS.contains(&class));
    let values = ["Conversion Error", "Constraint Error", "Parser Error", "Syntax Error"];
    let quotes_values = operation == Operation::Query && class.is_some_and(|class| values.contains(&class));
    let may_say = |by: System| match operation {
        Operation::LoadExtension => matches!(by, System::Loader | System::MotherDuck),
        Operation::OpenCatalog => !matches!(
            by,
            System::Loader | System::MotherDuck | System::S3 | System::Azure | System::Http | System::Readers
        ),
        Operation::AccessStorage(_) => {
            matches!(by, System::S3 | System::Azure | System::Http | System::Files | System::Secrets)
        }
        Operation::Query if by == System::Readers => true,
        Operation::Query if quotes_values => false,
        Operation::Query if is_of_statement => matches!(by, System::DuckDb | System::DuckLake),
        Operation::Query => by != System::Loader,
    };
    if may_say(System::DuckLake) && moved_to(said).is_some() {
        return Some(Cause::LakeMoved);
    }
    if may_say(System::DuckLake)
        && let Some((catalog, engine)) = formats(said)
    {
        return Some(if catalog > engine { Cause::CatalogNewer } else { Cause::CatalogOlder });
    }
    if operation == Operation::Query && text.starts_with(DAMAGED_ROWS) {
        return Some(Cause::InlinedRowsDamaged);
    }
    if may_say(System::Postgres)
        && let Some(cause) = of_postgres(said, facts)
    {
        let writes = operation == Operation::Query && said.contains(COMMIT_FAILED);
        return Some(if cause == Cause::RoleWithoutRights && writes { Cause::RoleCannotWrite } else { cause });
    }
    let fits = |pattern: &&Pattern| {
        may_say(pattern.by)
            && pattern.parts.iter().all(|part| said.contains(part))
            && (pattern.unless.is_empty() || !said.contains(pattern.unless))
    };
    Some(match PATTERNS.iter().find(fits)?.meaning {
        Meaning::Is(cause) => cause,
        Meaning::Denied => match operation {
            Operation::AccessStorage(denied) => denied,
            _ if ["PUT", "POST"].iter().any(|method| said.contains(method)) => Cause::NoPermissionToWrite,
            _ => Cause::NoPermissionToRead,
        },
        Meaning::FileDenied => denied_file(said, operation, facts)?,
        Meaning::DataFile(cause) => {
            let folder = facts.data_path.trim_end_matches('/');
            (!folder.is_empty() && said.contains(folder)).then_some(cause)?
        }
    })
}

/// The cause that a setting of the storage has, where it is that.
pub(super) fn refined(cause: Cause, facts: &Facts) -> Cause {
    let is_by_bucket = !facts.endpoint.is_empty() && facts.url_style != "path";
    match cause {
        Cause::StorageHostUnknown if facts.endpoint.contains("://") => Cause::SchemeInEndpoint,
        Cause::StorageHostUnknown if is_by_bucket => Cause::PathStyleNeeded,
        cause => cause,
    }
}

/// What PostgreSQL refuses, whatever its language.
fn of_postgres(text: &str, facts: &Facts) -> Option<Cause> {
    let known = POSTGRES.iter().find(|(_, texts)| texts.iter().any(|words| has(text, words)));
    known.map(|(cause, _)| *cause).or_else(|| refused_login(text, facts))
}

/// What a login is refused by, in a language that the table does not know: by the names that the server mentions.
fn refused_login(text: &str, facts: &Facts) -> Option<Cause> {
    let (_, rest) = text.split_once("connection to server at ")?;
    let (_, said) = rest.split_once(" failed: ")?;
    // What `libpq` says itself begins with no severity.
    if !said.split_whitespace().next()?.ends_with(':') {
        return None;
    }
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let names = |name: &str| {
        let is_whole = |(start, found): (usize, &str)| {
            !said[..start].ends_with(is_word) && !said[start + found.len()..].starts_with(is_word)
        };
        !name.is_empty() && said.match_indices(name).any(is_whole)
    };
    match (names(&facts.database), names(&facts.user)) {
        // The name of the privilege is in no language.
        (true, _) if said.contains("CONNECT") => Some(Cause::RoleWithoutRights),
        (true, false) => Some(Cause::UnknownDatabase),
        (false, true) => Some(Cause::WrongPassword),
        _ => None,
    }
}

/// Whether a text has the parts between the `%`, in that order.
fn has(text: &str, words: &str) -> bool {
    let mut rest = text;
    words.split('%').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// Whose file may not be used.
fn denied_file(text: &str, operation: Operation, facts: &Facts) -> Option<Cause> {
    let names = |path: &str| !path.is_empty() && text.contains(path);
    match operation {
        Operation::OpenCatalog => Some(Cause::CatalogFileDenied),
        Operation::AccessStorage(_) => Some(Cause::FolderDenied),
        _ if names(&facts.catalog) => Some(Cause::CatalogFileDenied),
        _ if names(facts.data_path.trim_end_matches('/')) => Some(Cause::FolderDenied),
        _ => None,
    }
}

/// The versions in a complaint about a lake's format: the catalog's and the engine's.
fn formats(text: &str) -> Option<(Vec<u32>, Vec<u32>)> {
    let version = |before: &str| -> Option<Vec<u32>> {
        let (_, rest) = text.split_once(before)?;
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(rest.len());
        Some(rest[..end].split('.').filter_map(|part| part.parse().ok()).collect())
    };
    Some((version("catalog version is ")?, version("the extension requires version ")?))
}

/// What a complaint about a lake's format says of the two versions.
pub(crate) fn formats_of(text: &str) -> &str {
    let versions = text.split_once("mismatch: ").map_or(text, |(_, versions)| versions);
    versions.split(". ").next().unwrap_or_default()
}

/// Where a lake was moved to: its format says so where it is attached, and a trigger where it is written.
pub(super) fn moved_to(text: &str) -> Option<&str> {
    match text.split_once("catalog version is moved to ") {
        Some((_, rest)) => rest.split(", but the extension").next(),
        None => text.split_once("the lake was moved to ")?.1.lines().next(),
    }
}

/// The process that holds a catalog's file, where that is told.
pub(crate) fn lock_holder(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("PID ")?;
    rest.split(')').next()
}

/// The type that DuckLake does not have, where that is told.
pub(super) fn unsupported_type(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("unsupported type ")?;
    rest.lines().next()
}

/// What DuckLake says of a type that it does not take.
pub(crate) fn said_of_unsupported_type(name: &str) -> String {
    ["Failed to convert DuckDB type to DuckLake - unsupported type ", name].concat()
}

/// The type whose values cannot be handed out, where that is told.
pub(super) fn unprintable_type(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("decoding ")?;
    rest.split_once(" columns").map(|(name, _)| name.to_uppercase())
}

/// What DuckDB's client says of a type whose values it does not hand out.
pub(crate) fn said_of_unprintable_type(name: &str, column: &str) -> String {
    ["decoding ", name, " columns is not supported, as of column ", column].concat()
}

/// The column with such values, where that is told.
pub(super) fn unprintable_column(text: &str) -> Option<&str> {
    let (_, column) = text.split_once(", as of column ")?;
    column.lines().next()
}

/// A fault of DuckDB's own, without the stack that follows.
pub(super) fn fault(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The file that could not be written, where that is told.
pub(super) fn file(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("file \"")?;
    rest.split_once('"').map(|(file, _)| file).filter(|file| !file.is_empty())
}

/// The region that a storage says it expects.
pub(super) fn expected_region(text: &str) -> Option<String> {
    let text = text.replace("&apos;", "'").replace("&#39;", "'");
    let (_, rest) = text.split_once("expecting '")?;
    rest.split_once('\'').map(|(region, _)| region.to_owned())
}

/// Where `libpq` says that it asked for a server: host and port, or the host that has no address.
pub(super) fn server(text: &str) -> Option<(String, String)> {
    let quoted = |before: &str| {
        let (_, rest) = text.split_once(before)?;
        rest.split_once('"')
    };
    if let Some((host, rest)) = quoted("connection to server at \"") {
        let digits = rest.split_once("port ").map_or("", |(_, rest)| rest);
        let end = digits.find(|character: char| !character.is_ascii_digit()).unwrap_or(digits.len());
        return Some((host.to_owned(), digits[..end].to_owned()));
    }
    quoted("could not translate host name \"").map(|(host, _)| (host.to_owned(), String::new()))
}

/// The kind that DuckDB gives an error, as in `Catalog Error`; it is the same in every version of a message.
pub(crate) fn class_of(text: &str) -> Option<&str> {
    let (kind, _) = text.lines().next()?.split_once(KIND_END)?;
    let is_kind =
        !kind.is_empty() && kind.chars().all(|character| character.is_alphanumeric() || " _".contains(character));
    is_kind.then(|| &text[..kind.len() + KIND_END.len() - 2])
}

/// What the engine says in its first line, without the kinds of its error.
pub(crate) fn reason_of(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.rsplit_once(KIND_END).map_or(line, |(_, said)| said)
}

/// The text without what DuckDB says about its own statements and options.
pub(crate) fn without_hints(text: &str) -> &str {
    let end = HINTS.iter().filter_map(|hint| text.find(hint)).min();
    text[..end.unwrap_or(text.len())].trim_end()
}

#[cfg(test)]
mod tests;
