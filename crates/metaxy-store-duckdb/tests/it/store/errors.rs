//! What a program can ask an error, each of an error that was provoked.

use std::error::Error as _;
use std::fmt::Write as _;

use arrow::array::{RecordBatch, StringArray};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatchIterator, RecordBatchReader};
use ducklake_sql::{AttachOptions, Lake, Mode, PostgresSpec, Secret, Session, Sql, Value};
use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureKey};
use metaxy_store_duckdb::{Cause, EngineError, Error, FeatureOptions, Filter, ReadOptions, Store, WriteOptions};
use metaxy_testkit::{Database, Login, MARKER, Postgres, RoleRights, assert_no_leak, closed_port};

use crate::lake::{TempLake, raw, session};

/// The predicates that are true of an error, by name.
fn predicates(error: &Error) -> Vec<&'static str> {
    type Predicate = fn(&Error) -> bool;
    let all: [(&str, Predicate); 15] = [
        ("busy", Error::is_busy),
        ("config", Error::is_config),
        ("conflict", Error::is_conflict),
        ("credentials", Error::is_credentials),
        ("data path mismatch", Error::is_data_path_mismatch),
        ("filter", Error::is_filter),
        ("missing extension", Error::is_missing_extension),
        ("missing lake", Error::is_missing_lake),
        ("missing table", Error::is_missing_table),
        ("read only", Error::is_read_only),
        ("retryable", Error::is_retryable),
        ("schema mismatch", Error::is_schema_mismatch),
        ("unpushed", Error::is_unpushed),
        ("unreachable", Error::is_unreachable),
        ("wrong catalog file", Error::is_wrong_catalog_file),
    ];
    all.into_iter().filter(|(_, is)| is(error)).map(|(name, _)| name).collect()
}

/// Checks what is true of an error, and that nothing of it shows a secret.
#[track_caller]
fn assert_is(error: &Error, wanted: &[&str], cause: impl Into<Option<Cause>>) {
    assert_eq!(predicates(error), wanted, "{error}");
    assert_eq!(error.cause(), cause.into(), "{error}");
    let mut all = format!("{error}\n{error:?}\n{:?}\n{}", error.help(), error.without_hints());
    let mut source = error.source();
    while let Some(one) = source {
        write!(all, "\n{one}\n{one:?}").unwrap();
        source = one.source();
    }
    assert_no_leak(&all, "an error and its sources");
}

/// The engine's own words behind an error.
fn said(error: &Error) -> &EngineError {
    error.source().and_then(|source| source.downcast_ref()).unwrap()
}

fn open(lake: &Lake, mode: Mode) -> Result<Store, Error> {
    Store::attach(lake, &session(), mode)
}

fn postgres(database: &Database<'_>, login: &Login, change: impl FnOnce(&mut PostgresSpec)) -> Lake {
    let mut spec = PostgresSpec::new("pg");
    spec.host = Some(database.host().to_owned());
    spec.port = Some(database.port());
    spec.database = Some(database.name().to_owned());
    spec.user = Some(login.user.clone());
    spec.password = Some(Secret::from(login.password.as_str()));
    change(&mut spec);
    Lake::builder(spec.build().unwrap(), TempLake::new().data()).build().unwrap()
}

#[test]
fn postgres_that_cannot_be_used() {
    let database = Postgres::shared().database();
    let owner = database.owner().clone();
    let port = closed_port();
    let down = postgres(&database, &owner, |spec| spec.port = Some(port));
    let error = open(&down, Mode::Write).unwrap_err();
    assert_is(&error, &["unreachable"], Cause::PostgresDown);
    assert_eq!(
        error.to_string(),
        format!("attach failed: no server listens at 127.0.0.1:{port}: PostgreSQL is down, or elsewhere")
    );
    // A lake that is in no file of configuration.
    assert_eq!(error.help().unwrap(), "start PostgreSQL, or correct `host` and `port` in the catalog's configuration");
    assert_eq!(said(&error).class(), Some("IO Error"));
    assert!(said(&error).text().contains("Connection refused"), "{}", said(&error));

    let unknown_host = postgres(&database, &owner, |spec| spec.host = Some("no-such-host.invalid".to_owned()));
    assert_is(&open(&unknown_host, Mode::Read).unwrap_err(), &["unreachable"], Cause::PostgresHostUnknown);
    let wrong = Login { password: [MARKER, "-wrong"].concat(), ..owner.clone() };
    let error = open(&postgres(&database, &wrong, |_| ()), Mode::Write).unwrap_err();
    assert_is(&error, &["credentials"], Cause::WrongPassword);
    assert!(error.to_string().contains(&owner.user), "{error}");
    let unknown = postgres(&database, &owner, |spec| spec.database = Some("no_such_database".to_owned()));
    assert_is(&open(&unknown, Mode::Write).unwrap_err(), &[], Cause::UnknownDatabase);
}

/// A password that is part of what the server says hides it from people, and not its meaning.
#[test]
fn a_password_that_is_a_word_of_the_message() {
    let database = Postgres::shared().database();
    for password in ["password", "e", "postgres", "failed"] {
        let login = Login { password: password.to_owned(), ..database.owner().clone() };
        let error = open(&postgres(&database, &login, |_| ()), Mode::Write).unwrap_err();
        assert_eq!(error.cause(), Some(Cause::WrongPassword), "{error}");
    }
}

#[test]
fn rights_that_a_role_has_not() {
    let database = Postgres::shared().database();
    let lake = postgres(&database, database.owner(), |_| ());
    let store = open(&lake, Mode::Write).unwrap();
    store.connection().execute("CREATE TABLE t AS SELECT 1 AS i").unwrap();
    store.close().unwrap();
    let same_data = |login: &Login| {
        let options = AttachOptions::from_pairs([("override_data_path", Value::from(true))]).unwrap();
        let lake = postgres(&database, login, |_| ());
        Lake::builder(lake.catalog().unwrap().clone(), lake.storage().unwrap()).options(options).build().unwrap()
    };
    let error = open(&same_data(&database.role(RoleRights::Connect)), Mode::Read).unwrap_err();
    assert_is(&error, &[], Cause::RoleWithoutRights);
    assert!(error.to_string().contains(database.name()), "{error}");
    let store = open(&same_data(&database.role(RoleRights::Read)), Mode::Write).unwrap();
    let error = store.connection().execute("INSERT INTO t VALUES (2)").unwrap_err();
    assert_is(&error, &[], Cause::RoleCannotWrite);
    assert!(error.help().unwrap().contains("GRANT"), "{error}");
}

#[test]
fn a_lake_that_is_not_there_is_named_by_its_place() {
    let database = Postgres::shared().database();
    let error = open(&postgres(&database, database.owner(), |_| ()), Mode::Read).unwrap_err();
    assert_is(&error, &["missing lake"], Cause::NoLake);
    let (port, name) = (database.port(), database.name());
    assert_eq!(error.to_string(), format!("there is no lake at 127.0.0.1:{port}, database `{name}`, schema `public`"));
    let home = TempLake::new();
    let error = open(&home.lake(), Mode::Read).unwrap_err();
    assert_eq!(error.to_string(), format!("there is no lake at `{}`", home.join("meta.sqlite")));
}

#[test]
fn formats_that_differ() {
    let home = TempLake::new();
    open(&home.lake(), Mode::Write).unwrap().close().unwrap();
    for (version, cause, helps) in
        [("9.9", Cause::CatalogNewer, "a newer release"), ("0.3", Cause::CatalogOlder, "metaxy migrate format")]
    {
        raw()
            .execute_batch(&format!(
                "ATTACH '{}' AS meta (TYPE sqlite); UPDATE meta.ducklake_metadata SET value = '{version}' WHERE key = 'version'",
                home.join("meta.sqlite")
            ))
            .unwrap();
        let error = open(&home.lake(), Mode::Write).unwrap_err();
        assert_is(&error, &[], cause);
        assert!(error.to_string().contains(version) && error.help().unwrap().contains(helps), "{error}");
    }
}

#[test]
fn another_writer() {
    let database = Postgres::shared().database();
    let lake = postgres(&database, database.owner(), |_| ());
    let stores = [open(&lake, Mode::Write).unwrap(), open(&lake, Mode::Write).unwrap()];
    stores[0].connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(100)").unwrap();
    for store in &stores {
        store.connection().execute("BEGIN TRANSACTION").unwrap();
        store.connection().execute("DELETE FROM t WHERE i < 50").unwrap();
    }
    stores[0].connection().execute("COMMIT").unwrap();
    let error = stores[1].connection().execute("COMMIT").unwrap_err();
    assert_is(&error, &["conflict", "retryable"], Cause::WriteConflict);
    assert_eq!(said(&error).class(), Some("TransactionContext Error"));

    let home = TempLake::new();
    let lake = home.lake_with([("busy_timeout", Value::from(1))]);
    let stores = [open(&lake, Mode::Write).unwrap(), open(&lake, Mode::Write).unwrap()];
    stores[0].connection().execute("CREATE TABLE t (i INTEGER)").unwrap();
    stores[0].connection().execute("BEGIN TRANSACTION").unwrap();
    drop(stores[0].connection().query("FROM t").unwrap());
    let error = stores[1].connection().execute("INSERT INTO t VALUES (1)").unwrap_err();
    assert_is(&error, &["busy", "retryable"], Cause::CatalogLocked);
}

#[test]
fn statements_that_are_refused() {
    let home = TempLake::new();
    let store = open(&home.lake(), Mode::Write).unwrap();
    let run = |sql: &'static str| store.connection().execute(sql).unwrap_err();
    let error = run("FROM nosuch");
    assert_is(&error, &["missing table"], Cause::MissingTable);
    assert_eq!(said(&error).class(), Some("Catalog Error"));
    assert_eq!(said(&error).reason(), "Table with name nosuch does not exist!");
    assert!(error.to_string().starts_with("the query failed: Catalog Error: Table with name nosuch"), "{error}");
    store.connection().execute("CREATE TABLE t (i INTEGER)").unwrap();
    assert_is(&run("CREATE TABLE t (i INTEGER)"), &[], Cause::AlreadyExists);
    // What a value or a statement says is not what happened.
    assert_is(&run("SELECT CAST('database is locked' AS INTEGER)"), &[], None);
    assert_is(&run("SELEC 'AccessDenied'"), &[], None);
    let error = run("COPY (SELECT 1 AS i) TO '/dev/full' (FORMAT csv)");
    assert_is(&error, &[], Cause::DiskFull);
    assert!(error.to_string().contains("/dev/full"), "{error}");
    let typed = store.connection().execute(Sql::user_query("FROM nosuch")).unwrap_err();
    assert_eq!(typed.to_string(), run("FROM nosuch").to_string());
    store.close().unwrap();

    let store = open(&home.lake(), Mode::Read).unwrap();
    let error = store.connection().execute("CREATE TABLE u (i INTEGER)").unwrap_err();
    assert_is(&error, &["read only"], Cause::ReadOnlyLake);
}

/// Rows with these columns, each the text `a`.
fn rows(columns: &[&str]) -> impl RecordBatchReader + use<> {
    let column = |name: &&str| (name.to_string(), std::sync::Arc::new(StringArray::from(vec!["a"])) as _);
    let batch = RecordBatch::try_from_iter(columns.iter().map(column)).unwrap();
    let schema = batch.schema();
    RecordBatchIterator::new([Ok(batch)], schema)
}

#[test]
fn features_that_do_not_fit() {
    let home = TempLake::new();
    let store = open(&home.lake(), Mode::Write).unwrap();
    let text = "[[feature]]\nkey = 'video'\nid_columns = ['id']";
    let graph = FeatureGraph::new(FeatureDefinition::from_toml(text, &"demo".parse().unwrap()).unwrap()).unwrap();
    let features = store.features(&graph, FeatureOptions::new()).unwrap();
    let key: FeatureKey = "video".parse().unwrap();
    assert_is(&features.read(&key, &ReadOptions::new()).unwrap_err(), &["missing table"], None);
    let options = WriteOptions::new().unpushed(true);
    assert_is(&features.write(&key, rows(&["size"]), &options).unwrap_err(), &["schema mismatch"], None);
    assert_is(&"size >".parse::<Filter>().unwrap_err(), &["filter"], None);

    // Rows that end in an error of their own keep it as the source.
    let schema = rows(&["id"]).schema();
    let broken = ArrowError::from_external_error(std::io::Error::other("the disk fell off").into());
    let error = features.write(&key, RecordBatchIterator::new([Err(broken)], schema), &options).unwrap_err();
    assert_is(&error, &[], None);
    assert!(error.to_string().ends_with("(writing `video`)"), "{error}");
    let source = error.source().unwrap();
    assert!(
        source.downcast_ref::<ArrowError>().is_some() && source.to_string().contains("the disk fell off"),
        "{source}"
    );
}

#[test]
fn an_operating_system_that_refuses_keeps_its_error() {
    let home = TempLake::new();
    std::fs::write(home.path_of("file"), "not a folder").unwrap();
    let catalog = ducklake_sql::CatalogFile::new(home.join("file/meta.sqlite")).unwrap();
    let lake = Lake::builder(ducklake_sql::Catalog::Sqlite(catalog), home.data()).build().unwrap();
    let error = Store::attach(&lake, &Session::default(), Mode::Write).unwrap_err();
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::NotADirectory), "{error}");
}
