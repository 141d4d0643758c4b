//! The steps from what a lake has stored to what is declared, with their SQL for each kind of catalog.

use std::fmt::Write as _;

use ducklake_sql::{
    AttachOptions, Catalog, CatalogFile, Declared, DeclaredSchema, DeclaredTable, Ident, Lake, LakeOption, LocalFolder,
    Manage, Mode, OptionScope, PartitionKey, PostgresSpec, S3Spec, Secret, Session, SortKey, Storage, StoredOption,
    StoredState, StoredTable, TableName, Value,
};

fn table(text: &str) -> TableName {
    TableName::new(text).unwrap()
}

fn option(name: &str, value: impl Into<Value>) -> LakeOption {
    LakeOption::new(name, value).unwrap()
}

fn declared() -> Declared {
    let mut declared = Declared::default();
    declared.options = vec![
        option("parquet_compression", "zstd"),
        option("target_file_size", "256MB"),
        option("expire_older_than", "30 days"),
        option("delete_older_than", "1 week"),
        option("require_commit_message", true),
    ];
    let mut schema = DeclaredSchema::new(Ident::new("archive").unwrap());
    schema.options = vec![option("parquet_version", 2)];
    declared.schemas = vec![schema];
    let mut video = DeclaredTable::new(table("Video__raw"));
    video.partitioned_by = Some(vec![
        PartitionKey::new("metaxy_feature_version").unwrap(),
        PartitionKey::new("bucket(8, \"we ird\")").unwrap(),
    ]);
    video.sorted_by = Some(Vec::new());
    video.comment = Some("it's raw".to_owned());
    video.options = vec![option("parquet_row_group_size", 122_880)];
    let mut other = DeclaredTable::new(table("other"));
    other.sorted_by = Some(vec![SortKey::new("gone").unwrap()]);
    let others = ["archive.missing", "Seen"].map(|name| DeclaredTable::new(table(name)));
    declared.tables = [video, other].into_iter().chain(others).collect();
    declared
}

fn stored() -> StoredState {
    let option = |scope: OptionScope, scope_id, name: &str, value: &str| StoredOption {
        scope,
        scope_id,
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let columns = || ["id", "we ird", "metaxy_feature_version"].map(str::to_owned).to_vec();
    let mut video = StoredTable::new(table("video__raw"), columns());
    video.sorted_by = vec![SortKey::stored("lower(id)", "ASC", "NULLS_LAST")];
    video.comment = Some("raw".to_owned());
    StoredState {
        options: vec![
            option(OptionScope::Lake, None, "parquet_compression", "snappy"),
            option(OptionScope::Lake, None, "target_file_size", "256000000"),
            option(OptionScope::Lake, None, "expire_older_than", "2 months"),
            option(OptionScope::Lake, None, "per_thread_output", "true"),
            option(OptionScope::Schema(Ident::new("main").unwrap()), Some(0), "auto_compact", "false"),
            option(OptionScope::Table(table("other")), Some(7), "parquet_version", "V2"),
        ],
        schemas: vec![Ident::new("main").unwrap()],
        tables: vec![video, StoredTable::new(table("other"), columns())],
        views: vec![table("seen")],
    }
}

/// The steps as a person sees them.
fn shown(declared: &Declared, stored: &StoredState, lake: &Lake) -> String {
    let plan = lake.plan(&Session::default(), Mode::Write);
    let catalog = plan.metadata().unwrap();
    let difference = declared.difference(stored);
    let mut text = String::new();
    for step in &difference.steps {
        let way = if step.is_transactional() { "" } else { "autocommit: " };
        writeln!(text, "{step}\n    {way}{}", step.shown_sql(plan.alias(), &catalog)).unwrap();
    }
    for note in &difference.notes {
        writeln!(text, "{}: {}", if note.is_error { "error" } else { "note" }, note.message).unwrap();
    }
    text
}

#[test]
fn steps_for_each_catalog_and_storage() {
    let mut pg = PostgresSpec::new("pg");
    (pg.host, pg.database, pg.user) = (Some("h".into()), Some("d".into()), Some("u".into()));
    pg.password = Some(Secret::from("hunter2"));
    let catalogs = [
        ("sqlite", Catalog::Sqlite(CatalogFile::new("/lake/meta.sqlite").unwrap())),
        ("duckdb", Catalog::DuckDb(CatalogFile::new("/lake/meta.ducklake").unwrap())),
        ("postgres", pg.build().unwrap()),
    ];
    let mut s3 = S3Spec::new("s3");
    s3.bucket = Some("bucket".into());
    let storages: [(&str, Storage); 2] =
        [("local", LocalFolder::new("/lake/data").unwrap().into()), ("s3", s3.build().unwrap().into())];
    for (of_catalog, catalog) in catalogs {
        let all = storages.iter().map(|(_, storage)| {
            let schema = AttachOptions::from_pairs([("metadata_schema", Value::from("meta"))]).unwrap();
            let options = if of_catalog == "postgres" { schema } else { AttachOptions::default() };
            let lake = Lake::builder(catalog.clone(), storage.clone()).options(options).build().unwrap();
            let mut all = declared();
            all.manage = Manage::All;
            shown(&all, &stored(), &lake)
        });
        let all: Vec<String> = all.collect();
        // No step depends on where the files are.
        assert_eq!(all[0], all[1], "{of_catalog} on {}", storages[1].0);
        insta::assert_snapshot!(format!("declared-{of_catalog}"), all[0]);
    }
}

#[test]
fn what_is_not_declared_is_left_alone_unless_all_is_managed() {
    let lines = |declared: &Declared, stored: &StoredState| -> Vec<String> {
        declared.difference(stored).steps.iter().map(ToString::to_string).collect()
    };
    assert_eq!(lines(&Declared::default(), &stored()), Vec::<String>::new());
    let mut all = Declared::default();
    all.manage = Manage::All;
    // The options, and the order and the comment of the one table that has them.
    assert_eq!(lines(&all, &stored()).len(), stored().options.len() + 2);
    // What was applied is not applied again.
    let mut applied = StoredState { schemas: vec![Ident::new("Main").unwrap()], ..StoredState::default() };
    let mut declared = Declared::default();
    declared.options = vec![option("delete_older_than", "48 hours"), option("rewrite_delete_threshold", "0.5")];
    declared.schemas = vec![DeclaredSchema::new(Ident::new("main").unwrap())];
    for (name, value) in [("delete_older_than", "48:00:00"), ("rewrite_delete_threshold", "0.500000")] {
        let (name, value) = (name.to_owned(), value.to_owned());
        applied.options.push(StoredOption { scope: OptionScope::Lake, scope_id: None, name, value });
    }
    assert_eq!(lines(&declared, &applied), Vec::<String>::new());
}

#[test]
fn a_shorter_retention_destroys() {
    for (name, value, before, destroys) in [
        ("expire_older_than", "30 days", None, true),
        ("expire_older_than", "30 days", Some("29 days"), false),
        ("expire_older_than", "30 days", Some("2 months"), true),
        ("delete_older_than", "2 days", None, false),
        ("delete_older_than", "1 hour", None, true),
        ("delete_older_than", "1 day", Some("25 hours"), true),
        ("target_file_size", "1MB", Some("2000000"), false),
    ] {
        let mut declared = Declared::default();
        declared.options = vec![option(name, value)];
        let of_lake = |value: &str| StoredOption {
            scope: OptionScope::Lake,
            scope_id: None,
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let stored = StoredState { options: before.map(of_lake).into_iter().collect(), ..StoredState::default() };
        assert_eq!(declared.difference(&stored).destroys(), destroys, "{name} {before:?} → {value}");
    }
}

#[test]
fn a_compression_level_needs_zstd() {
    let level = || option("parquet_compression_level", 3);
    let codec = |name: &str| option("parquet_compression", name);
    let on_table = |of_lake: Vec<LakeOption>, of_table: Vec<LakeOption>| {
        let mut declared = Declared::default();
        let mut table = DeclaredTable::new(table("t"));
        table.options = of_table;
        (declared.options, declared.tables) = (of_lake, vec![table]);
        declared.check().map_err(|problems| problems.iter().map(|one| one.field().to_owned()).collect::<Vec<_>>())
    };
    let of_lake = "options.parquet_compression_level".to_owned();
    let in_table = "tables.main.t.options.parquet_compression_level".to_owned();
    assert_eq!(on_table(vec![level()], vec![]), Err(vec![of_lake.clone()]));
    assert_eq!(on_table(vec![level(), codec("gzip")], vec![level()]), Err(vec![of_lake, in_table.clone()]));
    assert_eq!(on_table(vec![codec("zstd")], vec![level()]), Ok(()));
    assert_eq!(on_table(vec![codec("zstd")], vec![codec("snappy"), level()]), Err(vec![in_table]));
    assert_eq!(on_table(vec![], vec![codec("zstd"), level()]), Ok(()));
}
