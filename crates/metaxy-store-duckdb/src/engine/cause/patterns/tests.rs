//! What was seen of engines and servers, and what it is understood as.

use super::*;

fn catalog(text: &str, facts: &Facts) -> Option<Cause> {
    cause_of(text, Operation::OpenCatalog, facts)
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_recognised() {
    let error = std::fs::write("/dev/full", "a byte").unwrap_err();
    assert_eq!(Cause::of_io(&error), Some(Cause::DiskFull));
    let engine = duckdb::Connection::open_in_memory().unwrap();
    let error = engine.execute_batch("COPY (SELECT 1 AS i) TO '/dev/full' (FORMAT csv)").unwrap_err().to_string();
    let facts = Facts::default();
    for operation in [Operation::AccessStorage(Cause::NoPermissionToWrite), Operation::OpenCatalog, Operation::Query] {
        assert_eq!(cause_of(&error, operation, &facts), Some(Cause::DiskFull), "{error}");
    }
    assert!(Cause::DiskFull.summary(&facts, &error).contains("/dev/full"), "{error}");
}

/// What was seen of servers that are not part of the tests: MotherDuck without a network, Azure's emulator.
#[test]
fn what_others_say_is_recognised() {
    let motherduck = "Invalid Input Error: Initialization function \"motherduck_duckdb_cpp_init\" from file \
        \"motherduck.duckdb_extension\" threw an exception: \"Failed to download \
        \"http://api.motherduck.com/extension_version\" (attempt 5): Could not establish connection\"";
    let facts = Facts { is_azure: true, ..Facts::default() };
    assert_eq!(cause_of(motherduck, Operation::LoadExtension, &facts), Some(Cause::MotherDuckDown));
    for (text, cause) in [
        (
            "IO Error: AzureBlobStorageFileSystem Read to az://lake/prod/* failed with AuthorizationFailure Reason \
             Phrase: Server failed to authenticate the request.",
            Cause::WrongSecret,
        ),
        ("Fail to get a new connection for: http://127.0.0.1:1. Could not connect to server", Cause::StorageDown),
    ] {
        let operation = Operation::AccessStorage(Cause::NoPermissionToList);
        assert_eq!(cause_of(text, operation, &facts), Some(cause));
    }
}

/// SQLite was seen to say this where its disk was full, and PostgreSQL's connection to be lost where that reason is missing.
#[test]
fn what_follows_from_a_transaction_that_sqlite_took_back_is_no_lost_connection() {
    let lost = "TransactionContext Error: Failed to commit: Failed to execute query \"ROLLBACK\"";
    let taken_back = [lost, ": cannot rollback - no transaction is active"].concat();
    for (text, cause) in [(lost, Cause::PostgresDown), (&taken_back, Cause::CatalogNotWritten)] {
        assert_eq!(cause_of(text, Operation::Query, &Facts::default()), Some(cause));
    }
}

/// What PostgreSQL 15 was seen to answer, by its `lc_messages`: a wrong password, no such database, no right to
/// connect, no right on a table.
const ANSWERS: &[[&str; 4]] = &[
    [
        "FATAL:  password authentication failed for user \"me\"",
        "FATAL:  database \"lake\" does not exist",
        "FATAL:  permission denied for database \"lake\"\nDETAIL:  User does not have CONNECT privilege.",
        "ERROR:  permission denied for table ducklake_metadata",
    ],
    [
        "FATAL:  Passwort-Authentifizierung für Benutzer »me« fehlgeschlagen",
        "FATAL:  Datenbank »lake« existiert nicht",
        "FATAL:  keine Berechtigung für Datenbank »lake«\nDETAIL:  Benutzer hat das CONNECT-Privileg nicht.",
        "FEHLER:  keine Berechtigung für Tabelle ducklake_metadata",
    ],
    [
        "FATAL:  la autentificación password falló para el usuario «me»",
        "FATAL:  no existe la base de datos «lake»",
        "FATAL:  permiso denegado a la base de datos «lake»\nDETALLE:  Usuario no tiene privilegios de conexión.",
        "ERROR:  permiso denegado a la tabla ducklake_metadata",
    ],
    [
        "FATAL:  authentification par mot de passe échouée pour l'utilisateur  « me »",
        "FATAL:  la base de données « lake » n'existe pas",
        "FATAL:  droit refusé pour la base de données « lake »\nDÉTAIL : L'utilisateur n'a pas le droit CONNECT.",
        "ERREUR:  droit refusé pour la table ducklake_metadata",
    ],
    [
        "FATAL:  ユーザー\"me\"のパスワード認証に失敗しました",
        "FATAL:  データベース\"lake\"は存在しません",
        "FATAL:  データベース\"lake\"へのアクセスが拒否されました\nDETAIL:  ユーザーはCONNECT権限を持ちません。",
        "ERROR:  テーブル ducklake_metadata へのアクセスが拒否されました",
    ],
    [
        "치명적오류:  사용자 \"me\"의 password 인증을 실패했습니다",
        "치명적오류:  \"lake\" 데이터베이스 없음",
        "치명적오류:  \"lake\" 데이터베이스 액세스 권한 없음\n상세정보:  사용자에게 CONNECT 권한이 없습니다.",
        "오류:  ducklake_metadata 테이블에 대한 접근 권한 없음",
    ],
    [
        "ВАЖНО:  пользователь \"me\" не прошёл проверку подлинности (по паролю)",
        "ВАЖНО:  база данных \"lake\" не существует",
        "ВАЖНО:  доступ к базе \"lake\" запрещён\nПОДРОБНОСТИ:  Пользователь не имеет привилегии CONNECT.",
        "ОШИБКА:  нет доступа к таблице ducklake_metadata",
    ],
    [
        "致命错误:  用户 \"me\" Password 认证失败",
        "致命错误:  数据库 \"lake\" 不存在",
        "致命错误:  访问数据库\"lake\"的权限不够\n描述:  用户没有CONNECT权限.",
        "错误:  对表 ducklake_metadata 权限不够",
    ],
];

const CAUSES: [Cause; 4] =
    [Cause::WrongPassword, Cause::UnknownDatabase, Cause::RoleWithoutRights, Cause::RoleWithoutRights];

fn from_server(answer: &str) -> String {
    ["IO Error: Unable to connect: connection to server at \"127.0.0.1\", port 5432 failed: ", answer].concat()
}

#[test]
fn postgres_is_understood_in_other_languages() {
    // Role and database of one name: the words have to tell.
    let alike = Facts { user: "me".to_owned(), database: "me".to_owned(), ..Facts::default() };
    for answers in ANSWERS {
        for (answer, cause) in answers.iter().zip(CAUSES) {
            assert_eq!(catalog(&from_server(answer), &alike), Some(cause), "{answer}");
        }
    }
}

#[test]
fn a_login_refused_in_an_unknown_language_is_known_by_its_names() {
    let facts = Facts { user: "me".to_owned(), database: "lake".to_owned(), ..Facts::default() };
    for (answer, cause) in [
        ("ÖLÜMCÜL:  \"me\" kullanıcısı için şifre doğrulaması başarısız oldu", Some(Cause::WrongPassword)),
        ("ÖLÜMCÜL:  \"lake\" veritabanı mevcut değil", Some(Cause::UnknownDatabase)),
        ("ÖLÜMCÜL:  \"lake\" veritabanına CONNECT izni yok", Some(Cause::RoleWithoutRights)),
        ("ÖLÜMCÜL:  bir şey oldu", None),
        // What `libpq` says itself names no severity.
        ("the lake of me is dry", None),
    ] {
        assert_eq!(catalog(&from_server(answer), &facts), cause, "{answer}");
    }
}

#[test]
fn what_a_statement_or_a_value_says_is_no_cause() {
    for text in [
        "Conversion Error: Could not convert string 'database is locked' to INT32",
        "Parser Error: syntax error at or near \"No space left\"",
        "Binder Error: Referenced column \"AccessDenied\" not found in FROM clause!",
        "Invalid Input Error: odd\n\nLINE 1: SELECT 'database is locked'",
        "IO Error: what nobody knows",
    ] {
        assert_eq!(cause_of(text, Operation::Query, &Facts::default()), None, "{text}");
    }
}

#[test]
fn a_text_is_taken_apart() {
    let text = "IO Error: HTTP Error: gone\nTry setting x";
    assert_eq!((class_of(text), reason_of(text)), (Some("IO Error"), "gone"));
    assert_eq!(without_hints(text), "IO Error: HTTP Error: gone");
    assert_eq!(class_of("Wrong number of parameters"), None);
    let locked = "Conflicting lock is held in /usr/bin/metaxy (PID 42). See also";
    assert_eq!(lock_holder(locked), Some("42"));
    let mismatch = "DuckLake catalog version mismatch: catalog version is 2.0, but the extension requires version \
        1.0. To automatically migrate";
    assert_eq!(catalog(mismatch, &Facts::default()), Some(Cause::CatalogNewer));
    assert_eq!(formats_of(mismatch), "catalog version is 2.0, but the extension requires version 1.0");
    let moved = mismatch.replace("2.0", "moved to db:5432, database `lake`");
    let place = Some("db:5432, database `lake`");
    assert_eq!((catalog(&moved, &Facts::default()), moved_to(&moved)), (Some(Cause::LakeMoved), place));
}
