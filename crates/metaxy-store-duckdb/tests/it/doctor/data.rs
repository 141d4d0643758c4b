//! Data files that are not as they were written, and rows that the catalog does not give back.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ducklake_sql::{Mode, Sql};
use metaxy_store_duckdb::{
    Cause, Change, CheckName, Doctor, FeatureOptions, Features, MaintainOptions, Marked, Outcome, ResolveOptions,
    Store, WriteOptions,
};
use metaxy_testkit::{KeyRights, S3Options, S3Server};
use serde_json::json;

use crate::doctor::target::{Target, assert_seen};
use crate::features::common::{graph, key, write};
use crate::lake::{BUCKET, DUCKDB, LOCAL, SQLITE, raw, s3, value};

/// A lake with a table in two files, a row deleted from one of them, and a table that was dropped.
fn with_files(catalog: &str, storage: &str) -> Target {
    let target = Target::new(catalog, storage);
    let store = Store::open(&target.load().unwrap().config, "prod", Mode::Write).unwrap();
    for statement in [
        "CREATE TABLE first AS SELECT range AS i, range * 2 AS j FROM range(5000)",
        "ALTER TABLE first RENAME TO t",
        "INSERT INTO t SELECT range, 0 FROM range(100)",
        "DELETE FROM t WHERE j BETWEEN 4 AND 400",
        "CREATE TABLE gone AS SELECT range AS i FROM range(100)",
        "DROP TABLE gone",
    ] {
        store.connection().execute(statement).unwrap();
    }
    // A table whose file no test harms.
    store.connection().execute("CREATE TABLE whole AS SELECT range AS i FROM range(100)").unwrap();
    store.close().unwrap();
    target
}

/// The files of the lake below a folder whose names have an end, the largest first.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_str().unwrap().ends_with(end)).collect();
    files.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    files
}

#[test]
fn files_that_are_missing_cut_or_changed() {
    type Harm = fn(&Path);
    let table: [(&str, Harm, Option<Cause>, Cause); 6] = [
        (".parquet", |file| fs::remove_file(file).unwrap(), Some(Cause::FilesMissing), Cause::FilesMissing),
        (".parquet", |file| fs::write(file, "").unwrap(), Some(Cause::FilesDamaged), Cause::FilesDamaged),
        (".parquet", halve, Some(Cause::FilesDamaged), Cause::FilesDamaged),
        ("-delete.parquet", halve, Some(Cause::FilesDamaged), Cause::FilesDamaged),
        ("-delete.parquet", |file| fs::remove_file(file).unwrap(), Some(Cause::FilesMissing), Cause::FilesMissing),
        // As large as before: only reading it tells.
        (".parquet", overwrite, None, Cause::FilesDamaged),
    ];
    for (index, (end, harm, by_default, deep)) in table.into_iter().enumerate() {
        let target = with_files(SQLITE, LOCAL);
        let folder = target.folder.path_of("data/main/first");
        harm(&files(&folder, end)[0]);
        for (doctor, expected) in [(Doctor::default(), by_default), (Doctor::default().deep(true), Some(deep))] {
            let report = target.examine(&doctor);
            assert_eq!(report.fix_first().and_then(|first| first.cause), expected, "{index}: {report}");
        }
        if index == 2 {
            assert_seen!("files-damaged", target.finds_with(&Doctor::default().deep(true), Cause::FilesDamaged));
        }
    }
}

fn halve(file: &Path) {
    let content = fs::read(file).unwrap();
    fs::write(file, &content[..content.len() / 2]).unwrap();
}

fn overwrite(file: &Path) {
    let mut content = fs::read(file).unwrap();
    let middle = content.len() / 2;
    content[4..middle].fill(0xFF);
    fs::write(file, content).unwrap();
}

#[test]
fn a_file_that_only_older_snapshots_need() {
    let target = with_files(DUCKDB, LOCAL);
    assert!(target.examine(&Doctor::default().deep(true)).findings.iter().all(|finding| finding.cause.is_none()));
    fs::remove_file(&files(&target.folder.path_of("data/main/gone"), ".parquet")[0]).unwrap();
    for doctor in [Doctor::default(), Doctor::default().deep(true)] {
        let report = target.examine(&doctor);
        assert!(report.is_healthy(), "{report}");
        let finding = report.finding(CheckName::DataFiles).unwrap();
        assert_eq!((finding.cause, finding.outcome), (Some(Cause::FilesMissing), Outcome::Warning), "{report}");
    }
}

#[test]
fn snapshots_that_are_kept_longer_than_is_declared() {
    let target = with_files(SQLITE, LOCAL);
    let file = target.folder.path_of("metaxy.toml");
    let text = fs::read_to_string(&file).unwrap() + "\n[ext.rust.lake.prod.retain]\nsnapshots = \"30 days\"\n";
    fs::write(&file, text).unwrap();
    let store = Store::open(&target.load().unwrap().config, "prod", Mode::Write).unwrap();
    store.connection().execute("CALL ducklake_set_option('ducklake', 'expire_older_than', '30 days')").unwrap();
    store.close().unwrap();
    let health = || {
        let report = target.examine(&Doctor::default());
        let health = report.finding(CheckName::Health).unwrap();
        (health.outcome, health.summary.clone(), health.evidence.join("\n"))
    };
    let (outcome, _, evidence) = health();
    assert_eq!(outcome, Outcome::Ok, "{evidence}");
    assert!(evidence.contains("bytes of files that only older snapshots need: "), "{evidence}");
    let catalog = target.folder.join("meta.sqlite");
    raw()
        .execute_batch(&format!(
            "LOAD sqlite; ATTACH '{catalog}' AS c (TYPE sqlite);
             UPDATE c.ducklake_snapshot SET snapshot_time = '2020-01-01 00:00:00+00' WHERE snapshot_id < 4"
        ))
        .unwrap();
    let (outcome, summary, evidence) = health();
    assert_eq!((outcome, &*summary), (Outcome::Warning, "snapshots are kept longer than is declared for the lake"));
    assert!(evidence.contains("snapshots older than the declared 30 days: 4"), "{evidence}");
}

#[test]
fn files_of_a_bucket_are_listed_once() {
    let server = S3Server::start(S3Options::default());
    server.bucket(BUCKET);
    let target = with_files(SQLITE, &s3(&server, &server.key(KeyRights::Full)));
    let count = || server.requests().len();
    let before = count();
    let report = target.examine(&Doctor::default());
    assert_eq!(report.finding(CheckName::DataFiles).unwrap().outcome, Outcome::Ok, "{report}");
    // One to look whether the key may list, one for the files.
    let requests = server.requests()[before..].to_vec();
    assert_eq!(requests.len(), 2, "{requests:?}");
    let object = server.objects(BUCKET).into_iter().find(|key| key.contains("/whole/")).unwrap();
    let path = server.object_path(BUCKET, &object);
    halve(&path);
    target.finds(Cause::FilesDamaged);
    fs::remove_file(&path).unwrap();
    target.finds(Cause::FilesMissing);
    // A key that may not list says nothing of files.
    target.configure(SQLITE, &s3(&server, &server.key(KeyRights::NoList)));
    let report = target.examine(&Doctor::default());
    assert_eq!(report.finding(CheckName::DataFiles).unwrap().outcome, Outcome::Skipped, "{report}");
}

#[test]
fn rows_that_the_catalog_does_not_give_back_can_be_saved() {
    let target = Target::new(SQLITE, LOCAL);
    target.make_lake();
    let data = target.folder.join("data/");
    let store = Store::open(&target.load().unwrap().config, "prod", Mode::Write).unwrap();
    store.connection().execute("CREATE TABLE t (i INTEGER, x STRUCT(seen TIMESTAMP, s VARCHAR))").unwrap();
    store.close().unwrap();
    assert!(target.examine(&Doctor::default()).is_healthy());
    let connection = raw();
    let catalog = target.folder.join("meta.sqlite");
    connection
        .execute_batch(&format!(
            "ATTACH 'ducklake:sqlite:{catalog}' AS l (DATA_PATH '{data}', OVERRIDE_DATA_PATH true);
             INSERT INTO l.t VALUES (1, {{seen: TIMESTAMP '2026-01-02 03:04:05', s: 'it''s'}}), (2, {{seen: NULL, s: 'x'}})"
        ))
        .unwrap();
    drop(connection);
    let seen = target.finds(Cause::InlinedRowsDamaged);
    assert_seen!("inlined-rows-damaged", seen);
    let store = Store::open(&target.load().unwrap().config, "prod", Mode::Write).unwrap();
    let connection = store.connection();
    let error = connection.execute("SELECT x FROM t").unwrap_err();
    assert_eq!(error.cause(), Some(Cause::InlinedRowsDamaged), "{error}");
    // What the doctor advises.
    connection.execute("USE memory").unwrap();
    let literal = "SELECT x FROM __ducklake_metadata_ducklake.main.ducklake_inlined_data_3_3 WHERE row_id = 0";
    let literal = value(&store, literal);
    assert_eq!(literal, "{'seen': CAST('2026-01-02 03:04:05' AS TIMESTAMP), 's': 'it''s'}");
    connection
        .execute(
            "UPDATE __ducklake_metadata_ducklake.main.ducklake_inlined_data_3_3
             SET x = CAST({'seen': CAST('2026-01-02 03:04:05' AS TIMESTAMP), 's': 'it''s'} AS VARCHAR)
             WHERE row_id = 0",
        )
        .unwrap();
    store.close().unwrap();
    assert!(target.examine(&Doctor::default()).is_healthy());
    let store = Store::open(&target.load().unwrap().config, "prod", Mode::Write).unwrap();
    assert_eq!(value(&store, "SELECT x.seen::VARCHAR || ' ' || x.s FROM t WHERE i = 1"), "2026-01-02 03:04:05 it's");
    store.connection().execute("CALL ducklake_flush_inlined_data('ducklake')").unwrap();
}

/// What a user who may only read sees of a lake that is well for reading. Whoever runs as root is somebody else for it.
#[test]
fn what_a_reader_can_read_is_not_called_unreadable() {
    let target = with_files(SQLITE, LOCAL);
    let set = |name: &str, mode: u32| {
        fs::set_permissions(target.folder.path_of(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("", 0o755);
    set("meta.sqlite", 0o444);
    // Files can be opened, and not listed.
    set("data", 0o711);
    let mut child = Command::new("sh");
    let command = r#"if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=65534 --regid=65534 --clear-groups "$0" "$@"; fi
                     exec "$0" "$@""#;
    child.args(["-c", command]).arg(std::env::current_exe().unwrap());
    child.args(["doctor::data::child_who_may_only_read", "--exact", "--nocapture"]);
    let output = child.env("DOCTOR_FOLDER", target.folder.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    set("data", 0o755);
    assert!(output.status.success(), "{text}");
    let (_, seen) = text.split_once("begin\n").unwrap_or_else(|| panic!("{text}"));
    assert_seen!("reader", seen.split_once("end\n").unwrap().0);
}

/// No test of its own: the process that `what_a_reader_can_read_is_not_called_unreadable` starts.
#[test]
fn child_who_may_only_read() {
    let Some(folder) = std::env::var_os("DOCTOR_FOLDER").map(PathBuf::from) else { return };
    let file = folder.join("metaxy.toml");
    let options = metaxy_config::LoadOptions::file(file).trust(metaxy_config::Trust::Everything);
    let loaded = metaxy_config::Config::load(&metaxy_config::OsSystem, &options);
    let mut report = Doctor::default().deep(true).examine(&loaded, Some("prod")).without_raw_texts();
    report.findings.retain(|finding| finding.outcome != Outcome::Ok);
    println!("\nbegin\n{report}end");
}

#[test]
fn each_thing_that_maintenance_is_for_has_its_own_advice() {
    let target = Target::new(SQLITE, LOCAL);
    let store = Store::open(&target.load().unwrap().config, "prod", Mode::Write).unwrap();
    let run = |sql: &'static str| store.connection().execute(sql).unwrap();
    run("CREATE TABLE t (i BIGINT)");
    run("BEGIN");
    for _ in 0..200 {
        run("INSERT INTO t FROM range(500)");
    }
    run("COMMIT");
    run("DELETE FROM t WHERE i % 10 = 0");
    store.close().unwrap();
    let found = || {
        let report = target.examine(&Doctor::default());
        let health = report.findings.iter().filter(|finding| finding.check == CheckName::Health);
        health.map(|finding| (finding.cause, finding.evidence.clone())).collect::<Vec<_>>()
    };
    let before = found();
    let causes: Vec<_> = before.iter().map(|(cause, _)| *cause).collect();
    assert_eq!(causes, [Some(Cause::ManySmallFiles), Some(Cause::ManyDeletedRows)], "{before:?}");
    assert!(before[0].1.contains(&"rows in them: 100000, of which deleted: 10000 (10 %)".to_owned()), "{before:?}");

    let store = Store::open(&target.load().unwrap().config, "prod", Mode::Write).unwrap();
    store.maintain(&MaintainOptions::new().alone(true), |_, _| ()).unwrap();
    store.close().unwrap();
    let after = found();
    assert!(after.len() == 1 && after[0].0.is_none(), "{after:?}");
    assert!(after[0].1.contains(&"rows in them: 90000, of which deleted: 0 (0 %)".to_owned()), "{after:?}");
}

#[test]
fn rows_of_the_catalog_that_cannot_be_read_are_not_called_well() {
    let target = Target::new(SQLITE, LOCAL);
    let store = Store::open(&target.load().unwrap().config, "prod", Mode::Write).unwrap();
    let run = |sql: &'static str| store.connection().execute(sql).unwrap();
    run("CREATE TABLE t (i INTEGER, seen STRUCT(day DATE))");
    run("INSERT INTO t (i) VALUES (1)");
    let table = value(&store, "SELECT table_name FROM __ducklake_metadata_ducklake.ducklake_inlined_data_tables");
    store.close().unwrap();
    let catalog = target.folder.join("meta.sqlite");
    raw()
        .execute_batch(&format!("LOAD sqlite_scanner; ATTACH '{catalog}' AS c (TYPE sqlite); DROP TABLE c.{table}"))
        .unwrap();
    let report = target.examine(&Doctor::default());
    for check in [CheckName::InlinedRows, CheckName::Health] {
        let finding = report.findings.iter().find(|finding| finding.check == check).unwrap();
        assert_eq!(finding.outcome, Outcome::Warning, "{report}");
        assert!(finding.raw.as_ref().unwrap().contains(&table), "{report}");
    }
}

/// What hides a change from a mark hides it from every increment that uses it.
#[test]
fn a_mark_that_hides_a_change() {
    let target = Target::new(SQLITE, LOCAL);
    let graph =
        graph("[[feature]]\nkey = 'a'\nid_columns = ['id']\n[[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']");
    let doctor = Doctor::default().deep(true).graph(graph.clone());
    let with_features = |change: &dyn Fn(&Features<'_>)| {
        let store = Store::open(&target.load().unwrap().config, "prod", Mode::Write).unwrap();
        change(&store.features(&graph, FeatureOptions::new()).unwrap());
        store.close().unwrap();
    };
    let marks = |doctor: &Doctor| {
        let report = target.examine(doctor);
        let found = report.finding(CheckName::Marks).unwrap();
        (found.outcome, [std::slice::from_ref(&found.summary), &found.evidence].concat().join("; "))
    };
    let version = |version| json!([{"id": "1", "metaxy_provenance_by_field": {"default": version}}]);
    let keep = |features: &Features<'_>, full| {
        let increment = features.resolve_update(&key("b"), &ResolveOptions::new().full(full)).unwrap();
        assert_eq!(features.mark(&increment).unwrap(), Marked::Kept);
    };

    with_features(&|features| {
        write(features, "a", &version("1")).unwrap();
        let mut new = features.resolve_update(&key("b"), &ResolveOptions::new()).unwrap();
        features.write(&key("b"), new.rows(Change::New).unwrap().into_reader(), &WriteOptions::new()).unwrap();
    });
    assert_eq!(marks(&doctor), (Outcome::Ok, "none are kept".to_owned()));
    with_features(&|features| keep(features, false));
    assert_eq!(marks(&doctor), (Outcome::Ok, "1 tell what a comparison of all rows finds".to_owned()));
    with_features(&|features| assert_eq!(write(features, "a", &version("2")).unwrap(), 1));
    assert_eq!(marks(&doctor), (Outcome::Ok, "1 tell what a comparison of all rows finds".to_owned()));
    let unknown = (Outcome::Skipped, "no features are known whose marks could be compared".to_owned());
    assert_eq!(marks(&Doctor::default().deep(true)), unknown);

    let store = Store::open(&target.load().unwrap().config, "prod", Mode::Write).unwrap();
    let newest = "(SELECT max(snapshot_id) FROM ducklake_snapshots('ducklake'))";
    store.connection().execute(Sql::user_query(format!("UPDATE metaxy_rust.marks SET snapshot = {newest}"))).unwrap();
    store.features(&graph, FeatureOptions::new()).unwrap().push(&BTreeMap::new()).unwrap();
    store.close().unwrap();
    for doctor in [&doctor, &Doctor::default().deep(true)] {
        let seen = target.finds_with(doctor, Cause::MarkWrong);
        assert!(seen.contains("`b`, since snapshot") && seen.contains("1 rows are found by one"), "{seen}");
    }
    with_features(&|features| keep(features, true));
    assert_eq!(marks(&doctor), (Outcome::Ok, "1 tell what a comparison of all rows finds".to_owned()));
}
