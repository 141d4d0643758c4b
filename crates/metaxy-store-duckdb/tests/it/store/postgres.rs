//! A catalog in a real PostgreSQL.

use std::error::Error as _;

use ducklake_sql::{AttachOptions, Lake, Mode, PostgresSpec, Secret, Value};
use metaxy_store_duckdb::{OpenOptions, Store};
use metaxy_testkit::{Database, MARKER, Postgres, assert_no_leak, closed_port};

use crate::lake::{TempLake, session, session_with_signatures, texts};

pub(crate) fn spec(database: &Database<'_>) -> PostgresSpec {
    let mut spec = PostgresSpec::new("pg");
    spec.host = Some(database.host().to_owned());
    spec.port = Some(database.port());
    spec.database = Some(database.name().to_owned());
    spec.user = Some(database.owner().user.clone());
    spec.password = Some(Secret::from(database.owner().password.as_str()));
    spec
}

fn lake(home: &TempLake, spec: PostgresSpec, options: &[(&str, Value)]) -> Lake {
    let options = AttachOptions::from_pairs(options.to_vec()).unwrap();
    Lake::builder(spec.build().unwrap(), home.data()).owner("test").options(options).build().unwrap()
}

#[test]
fn rows_survive_closing_in_the_schema_that_was_asked_for() {
    let database = Postgres::shared().database();
    for schema in [None, Some("meta \"data\"")] {
        let home = TempLake::new();
        let options: Vec<_> = schema.iter().map(|schema| ("metadata_schema", Value::from(*schema))).collect();
        let lake = lake(&home, spec(&database), &options);
        assert!(Store::attach(&lake, &session_with_signatures(), Mode::Read).unwrap_err().is_missing_lake());
        let store = Store::attach(&lake, &session_with_signatures(), Mode::Write).unwrap();
        store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(100)").unwrap();
        store.close().unwrap();
        let store = Store::attach(&lake, &session_with_signatures(), Mode::Read).unwrap();
        assert_eq!(texts(&store, "SELECT count(*) FROM t"), ["100"]);
        assert_eq!(texts(&store, "SELECT catalog_type FROM ducklake_settings('ducklake')"), ["postgres"]);
        store.close().unwrap();
    }
    let schemas = database
        .rows("SELECT table_schema FROM information_schema.tables WHERE table_name = 'ducklake_table' ORDER BY 1");
    assert_eq!(schemas, [["meta \"data\""], ["public"]]);
}

#[test]
fn a_lake_that_must_exist_is_not_created_and_is_written_once_it_does() {
    let database = Postgres::shared().database();
    let home = TempLake::new();
    let lake = lake(&home, spec(&database), &[("metadata_schema", Value::from("meta"))]);
    let open = || {
        let instance = home.path_of("instance.duckdb");
        OpenOptions::default().must_exist(true).attach(Some(&instance), &lake, &session(), Mode::Write)
    };
    let error = open().unwrap_err();
    assert!(error.is_missing_lake(), "{error}");
    assert!(home.files().is_empty(), "{:?}", home.files());
    assert_eq!(database.tables(), Vec::<String>::new());
    let schemas = database.rows("SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'meta'");
    assert!(schemas.is_empty(), "{schemas:?}");

    Store::attach(&lake, &session(), Mode::Write).unwrap().close().unwrap();
    let store = open().unwrap();
    store.connection().execute("CREATE TABLE t AS SELECT 1 AS i").unwrap();
    assert_eq!(texts(&store, "SELECT count(*) FROM t"), ["1"]);
    store.close().unwrap();
}

#[test]
fn a_failed_login_shows_no_password() {
    let database = Postgres::shared().database();
    let mut wrong_password = spec(&database);
    wrong_password.password = Some(Secret::from([MARKER, "-wrong"].concat().as_str()));
    let mut down = spec(&database);
    down.port = Some(closed_port());
    let mut unknown = spec(&database);
    unknown.database = Some("no_such_database".to_owned());
    for (spec, says) in
        [(wrong_password, "password"), (down, "no server listens at 127.0.0.1"), (unknown, "no_such_database")]
    {
        let home = TempLake::new();
        let error = Store::attach(&lake(&home, spec, &[]), &session(), Mode::Write).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_no_leak(
            &format!("{error} {error:?} {:?} {:?}", error.help(), error.source().map(ToString::to_string)),
            says,
        );
        assert!(home.files().is_empty(), "{:?}", home.files());
    }
}
