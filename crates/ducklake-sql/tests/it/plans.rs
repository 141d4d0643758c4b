//! What a plan promises, beyond its text: order, undoing, reading only, hiding.

use ducklake_sql::{
    AttachOptions, AttachPlan, Catalog, CatalogFile, Extension, Ident, Lake, LocalFolder, Mode, PostgresSpec, Reveal,
    S3Spec, Secret, Session, Setting, Storage, Value,
};

const MARKER: &str = "hunter2-in-a-plan";

/// PostgreSQL and S3, with a secret wherever one can be.
fn lake(options: AttachOptions) -> Lake {
    let mut catalog = PostgresSpec::new("pg");
    (catalog.host, catalog.database, catalog.user) = (Some("h".into()), Some("d".into()), Some("u".into()));
    catalog.password = Some(Secret::from(MARKER));
    let mut storage = S3Spec::new("s3");
    storage.bucket = Some("bucket".into());
    storage.key_id = Some(Secret::from(MARKER));
    storage.secret = Some(Secret::from(MARKER));
    let headers = [("Authorization".to_owned(), Value::from(MARKER))];
    storage.parameters.insert("extra_http_headers", Value::Map(headers.into_iter().collect()));
    Lake::builder(catalog.build().unwrap(), storage.build().unwrap()).owner("test").options(options).build().unwrap()
}

fn session() -> Session {
    let mut session = Session::default();
    for (name, value) in [
        ("threads", Value::from(2)),
        ("extension_directory", "/ext".into()),
        ("custom_user_agent", "metaxy".into()),
        ("http_proxy_password", MARKER.into()),
        ("search_path", "main".into()),
    ] {
        session.settings.push(Setting::new(name, value).unwrap());
    }
    let spatial =
        Extension::new("spatial").unwrap().then(Secret::from(format!("SELECT '{MARKER}';").as_str())).unwrap();
    session.extensions = vec![Extension::new("postgres").unwrap(), spatial];
    session
}

#[test]
fn in_order_each_with_its_reason() {
    let options =
        AttachOptions::from_pairs([("metadata_schema", Value::from("meta")), ("busy_timeout", 9.into())]).unwrap();
    let plan = lake(options).plan(&session(), Mode::Write);
    insta::assert_snapshot!(plan.display(Reveal::Masked).to_string());
}

#[test]
fn its_texts_hold_no_secret_unless_revealed() {
    let plan = lake(AttachOptions::default()).plan(&session(), Mode::Write);
    let executed: String = plan.statements().iter().map(|statement| statement.to_sql().text().to_owned()).collect();
    let hidden = [
        plan.display(Reveal::Masked).to_string(),
        serde_json::to_string(&plan.view(Reveal::Masked)).unwrap(),
        format!("{plan:?}"),
        // A statement of the configuration's own is run as it stands.
        executed.replace(&format!("SELECT '{MARKER}'"), ""),
        plan.scrub(&format!("no login with {MARKER}")),
    ];
    for text in hidden {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(plan.display(Reveal::Secrets).to_string().matches(MARKER).count(), 6);
}

#[test]
fn undoing_goes_backwards() {
    let plan = lake(AttachOptions::default()).plan(&Session::default(), Mode::Write);
    let home = Ident::new("memory").unwrap();
    let undo =
        |done| plan.undo(done, &home).iter().map(|one| one.to_text(Reveal::Masked)).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(undo(0..plan.statements().len()), @r#"
    USE "memory".main
    DETACH "ducklake"
    DROP TEMPORARY SECRET "metaxy_test__ducklake"
    DROP TEMPORARY SECRET "s3"
    DROP TEMPORARY SECRET "pg"
    "#);
    assert_eq!(undo(0..3), "", "extensions stay");
}

#[test]
fn reading_creates_nothing() {
    for lake in [
        lake(AttachOptions::default()),
        Lake::builder(Catalog::Sqlite(CatalogFile::new("/m").unwrap()), LocalFolder::new("/d").unwrap())
            .build()
            .unwrap(),
    ] {
        let text = lake.plan(&Session::default(), Mode::Read).display(Reveal::Masked).to_string();
        assert!(text.contains("READ_ONLY, CREATE_IF_NOT_EXISTS false"), "{text}");
    }
}

#[test]
fn a_lake_at_a_snapshot_is_planned_for_reading() {
    for pair in
        [("snapshot_version", Value::from(3)), ("snapshot_time", "2026-01-01".into()), ("read_only", true.into())]
    {
        let lake = lake(AttachOptions::from_pairs([pair]).unwrap());
        assert!(lake.is_read_only() && !lake.creates_if_missing());
        assert_eq!(lake.plan(&Session::default(), Mode::Write).mode(), Mode::Read);
    }
}

#[test]
fn a_lake_that_must_exist_is_planned_for_writing_without_creating_it() {
    let own = lake(AttachOptions::default()).must_exist();
    let mut motherduck = Lake::mother_duck("db");
    motherduck.storage = match lake(AttachOptions::default()).storage() {
        Some(Storage::Object(storage)) => Some(storage),
        other => panic!("an object storage: {other:?}"),
    };
    let motherduck = motherduck.build().unwrap();
    assert!(motherduck.creates_if_missing());
    for (lake, says_so) in [(own, true), (motherduck.must_exist(), false)] {
        assert!(!lake.creates_if_missing());
        let plan = lake.plan(&Session::default(), Mode::Write);
        assert_eq!(plan.mode(), Mode::Write);
        let text = plan.display(Reveal::Masked).to_string();
        assert!(!text.contains("READ_ONLY") && !text.contains("CREATE DATABASE"), "{text}");
        assert_eq!(text.contains("CREATE_IF_NOT_EXISTS false"), says_so, "{text}");
    }
}

#[test]
fn the_stored_data_path_is_asked_for_without_creating() {
    let plan = lake(AttachOptions::default()).plan(&Session::default(), Mode::Write).with_stored_data_path();
    let text = plan.display(Reveal::Masked).to_string();
    assert!(!text.contains(", DATA_PATH") && text.contains("(CREATE_IF_NOT_EXISTS false)"), "{text}");
}

#[test]
fn a_data_path_is_laid_over_the_stored_one_or_stored_as_another_text() {
    let plan = lake(AttachOptions::default()).plan(&Session::default(), Mode::Write);
    let text = |plan: AttachPlan| plan.display(Reveal::Masked).to_string();
    for (plan, options) in [
        (plan.must_exist(), "(CREATE_IF_NOT_EXISTS false)"),
        (plan.overriding_data_path(), "(OVERRIDE_DATA_PATH true)"),
        (plan.over_stored_data_path(), "(CREATE_IF_NOT_EXISTS false, OVERRIDE_DATA_PATH true)"),
        (plan.over_stored_data_path().over_stored_data_path(), "(CREATE_IF_NOT_EXISTS false, OVERRIDE_DATA_PATH true)"),
    ] {
        let text = text(plan);
        assert!(text.contains(options), "{text}");
    }
    assert!(text(plan.storing_data_path("./data/")).contains("DATA_PATH './data/'"));
}

#[test]
fn a_lake_beside_another_shares_no_name_with_it_and_is_only_read() {
    let options = AttachOptions::from_pairs([("metadata_catalog", Value::from("meta"))]).unwrap();
    let lake = lake(options);
    let (own, secondaries) = (
        lake.plan(&Session::default(), Mode::Write),
        // A name like `prod-eu` could not be an alias that needs no quotes.
        lake.as_secondary("prod-eu").plan(&Session::default(), Mode::Write),
    );
    assert_eq!((secondaries.mode(), secondaries.alias().as_str()), (Mode::Read, "metaxy_beside_prod_2deu"));
    let home = Ident::new("memory").unwrap();
    let names = |plan: &ducklake_sql::AttachPlan| {
        let undo = plan.undo(0..plan.statements().len(), &home).into_iter().skip(1);
        undo.map(|one| one.to_text(Reveal::Masked)).collect::<Vec<_>>()
    };
    insta::assert_snapshot!(names(&secondaries).join("\n"), @r#"
    DETACH "metaxy_beside_prod_2deu"
    DROP TEMPORARY SECRET "metaxy_test__metaxy_5fbeside_5fprod_5f2deu"
    DROP TEMPORARY SECRET "metaxy_beside_prod_2deu__storage"
    DROP TEMPORARY SECRET "metaxy_beside_prod_2deu__catalog"
    "#);
    assert!(names(&own).iter().all(|one| !names(&secondaries).contains(one)));
    let text = secondaries.display(Reveal::Masked).to_string();
    assert!(text.contains("'SECRET': 'metaxy_beside_prod_2deu__catalog'") && !text.contains("'meta'"), "{text}");
}

#[test]
fn two_lakes_in_motherduck_are_attached_once() {
    let plan = |name: &str| Lake::mother_duck(name).build().unwrap().plan(&Session::default(), Mode::Write);
    let names = plan("prod").after(&plan("dev"));
    let names: Vec<_> = names.statements().iter().map(ducklake_sql::Statement::name).collect();
    assert_eq!(names, ["load-extension", "use"]);
}
