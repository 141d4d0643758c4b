//! Faults of catalogs and data on this machine, of extensions, and of the configuration itself.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ducklake_sql::Mode;
use metaxy_store_duckdb::{Cause, CheckName, Doctor, Store};
use metaxy_testkit::deps;

use crate::doctor::target::{Target, assert_seen};
use crate::lake::{DUCKDB, LOCAL, SQLITE};

fn lake(catalog: &str) -> Target {
    let target = Target::new(catalog, LOCAL);
    target.make_lake();
    target
}

/// Where extensions for this engine and machine are, below an extension directory.
fn for_this_machine() -> PathBuf {
    let version = deps().extensions().join("v1.5.5");
    let platform = std::fs::read_dir(&version).unwrap().next().unwrap().unwrap();
    Path::new("v1.5.5").join(platform.file_name())
}

/// An extension directory in the target's folder with the real extension `ducklake`, and the setting that names it.
fn extensions(target: &Target) -> (PathBuf, String) {
    let folder = target.folder.path().join("extensions");
    let here = folder.join(for_this_machine());
    std::fs::create_dir_all(&here).unwrap();
    let real = deps().extensions().join(for_this_machine());
    symlink(real.join("ducklake.duckdb_extension"), here.join("ducklake.duckdb_extension")).unwrap();
    let setting = format!("config.extension_directory = {:?}", folder.to_str().unwrap());
    (here, setting)
}

#[test]
fn extension_missing() {
    let target = Target::new(SQLITE, LOCAL);
    let (_, setting) = extensions(&target);
    target.folder.write(
        Path::new("extensions/v1.4.4")
            .join(for_this_machine().file_name().unwrap())
            .join("sqlite_scanner.duckdb_extension")
            .to_str()
            .unwrap(),
        "",
    );
    target.configure_with(&[&setting], SQLITE, LOCAL);
    assert_seen!("extension-missing", target.finds(Cause::ExtensionMissing));
}

#[test]
fn extension_of_another_version() {
    const NAME: &str = "sqlite_scanner.duckdb_extension";
    let target = Target::new(SQLITE, LOCAL);
    let (here, setting) = extensions(&target);
    let mut content = std::fs::read(deps().extensions().join(for_this_machine()).join(NAME)).unwrap();
    let (ours, other) = (b"v1.5.5", b"v1.4.4");
    let at = content.windows(ours.len()).rposition(|window| window == ours).unwrap();
    content[at..at + ours.len()].copy_from_slice(other);
    std::fs::write(here.join(NAME), &content).unwrap();
    target.configure_with(&[&setting], SQLITE, LOCAL);
    assert_seen!("extension-of-other-version", target.finds(Cause::ExtensionOfOtherVersion));

    content[at..at + ours.len()].copy_from_slice(ours);
    content[1000] ^= 1;
    std::fs::write(here.join(NAME), &content).unwrap();
    target.finds(Cause::ExtensionNotSigned);
}

#[test]
fn catalog_newer_and_older_than_the_engine() {
    let target = lake(DUCKDB);
    let is_version = |version: &str| {
        let catalog = duckdb::Connection::open(target.folder.path().join("meta.ducklake")).unwrap();
        let sql = format!("UPDATE ducklake_metadata SET value = '{version}' WHERE key = 'version'; CHECKPOINT");
        catalog.execute_batch(&sql).unwrap();
    };
    is_version("9.9");
    assert_seen!("catalog-newer", target.finds(Cause::CatalogNewer));
    is_version("0.3");
    target.finds(Cause::CatalogOlder);
}

#[test]
fn sqlite_path_that_holds_a_duckdb_file_and_the_reverse() {
    for (made_as, name, configured_as, snapshot) in
        [(DUCKDB, "meta.ducklake", SQLITE, "sqlite"), (SQLITE, "meta.sqlite", DUCKDB, "duckdb")]
    {
        let target = lake(made_as);
        let other = if name == "meta.sqlite" { "meta.ducklake" } else { "meta.sqlite" };
        std::fs::rename(target.folder.path().join(name), target.folder.path().join(other)).unwrap();
        target.configure(configured_as, LOCAL);
        let seen = target.finds(Cause::WrongCatalogFile);
        if snapshot == "sqlite" {
            assert_seen!("sqlite-path-holds-duckdb", seen);
        } else {
            assert_seen!("duckdb-path-holds-sqlite", seen);
        }
    }
}

#[test]
fn data_path_differs_from_the_stored_one() {
    let target = lake(SQLITE);
    let other = r#"{ type = "local", path = "other" }"#;
    target.configure(SQLITE, other);
    assert_seen!("data-path-differs", target.finds(Cause::DataPathDiffers));
}

#[test]
fn two_stores_on_one_data_path() {
    let target = Target::new(SQLITE, LOCAL);
    let text = std::fs::read_to_string(target.folder.path().join("metaxy.toml")).unwrap();
    let second = text.replace("stores.prod", "stores.other").replace("meta.sqlite", "other.sqlite");
    target.folder.write("metaxy.toml", [text, second].concat());
    assert_seen!("two-stores-on-one-data-path", target.finds(Cause::SharedDataPath));
}

#[test]
fn drift_of_options() {
    let target = lake(SQLITE);
    let text = std::fs::read_to_string(target.folder.path().join("metaxy.toml")).unwrap();
    let with = |options: &str| {
        target.folder.write("metaxy.toml", format!("{text}attach_options = {options}\n"));
    };
    with("{ encrypted = true }");
    target.finds(Cause::EncryptionDiffers);
    with("{ data_inlining_row_limit = 7 }");
    assert!(target.examine(&Doctor::default()).is_healthy());
    let store = Store::open(&target.load().unwrap().config, "prod", Mode::Write).unwrap();
    store.connection().execute("CALL ducklake_set_option('ducklake', 'data_inlining_row_limit', 5)").unwrap();
    store.close().unwrap();
    target.warns_of(Cause::InliningDiffers);
    let store = Store::open(&target.load().unwrap().config, "prod", Mode::Write).unwrap();
    store.connection().execute("CREATE TABLE spans (i INTERVAL)").unwrap();
    store.close().unwrap();
    assert!(target.warns_of(Cause::InexactTypes).contains("main.spans.i INTERVAL"));
}

#[test]
fn nothing_is_left_beside_a_catalog_in_wal_mode() {
    let target = lake(SQLITE);
    // The header's two bytes that say so; there is no log to replay.
    let path = target.folder.path().join("meta.sqlite");
    let mut content = std::fs::read(&path).unwrap();
    content[18..20].copy_from_slice(&[2, 2]);
    std::fs::write(&path, content).unwrap();
    let report = target.examine(&Doctor::default().write(true));
    assert!(report.is_healthy(), "{report}");
}

#[test]
fn a_report_for_programs() {
    let target = Target::new(SQLITE, LOCAL);
    target.folder.write("metaxy.toml", "[stores.prod]\ntype = \"duckdb\"\nconfig.datbase = \":memory:\"\n");
    let report = serde_json::to_value(target.examine(&Doctor::default())).unwrap();
    assert_eq!((&report["version"], &report["store"]), (&1.into(), &"prod".into()));
    assert_eq!((&report["healthy"], &report["fix_first"]), (&false.into(), &"configuration".into()));
    let first = &report["findings"][0];
    assert_eq!((&first["check"], &first["outcome"]), (&"configuration".into(), &"failed".into()));
    assert_eq!(first["cause"], "configuration-error");
    assert!(first["milliseconds"].is_u64() && first["evidence"].to_string().contains("unknown-key"), "{first}");
    assert_eq!(report["findings"].as_array().unwrap().len(), CheckName::ALL.len());
}

#[test]
fn a_store_that_is_not_there() {
    let target = Target::new(SQLITE, LOCAL);
    let report = Doctor::default().examine(&target.load(), Some("prud"));
    let first = report.fix_first().unwrap();
    assert!(first.advice.as_ref().unwrap().contains("prod"), "{report}");
}

/// This program again, as a process of its own that runs one test, which does nothing in any other process.
fn child(test: &str, target: &Target) -> Command {
    let mut command = Command::new("sh");
    // A limit on files is met by a signal, unless that is ignored.
    let limit = if test.ends_with("full_disk") { "trap '' XFSZ; ulimit -f 0; " } else { "" };
    command.args(["-c", &[limit, r#"exec "$0" "$@""#].concat()]);
    command.arg(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]);
    command.env("DOCTOR_FOLDER", target.folder.path());
    command
}

fn folder_of_parent() -> Option<PathBuf> {
    std::env::var_os("DOCTOR_FOLDER").map(PathBuf::from)
}

#[test]
fn catalog_locked_by_another_process() {
    let target = lake(DUCKDB);
    let mut holder = child("doctor::files::child_holds_the_catalog", &target)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("held")));
    let seen = target.finds(Cause::CatalogLocked);
    drop(holder.stdin.take());
    lines.for_each(drop);
    assert!(holder.wait().unwrap().success());
    assert_seen!("catalog-locked", seen);
}

/// No test of its own: the process that `catalog_locked_by_another_process` starts.
#[test]
fn child_holds_the_catalog() {
    let Some(folder) = folder_of_parent() else { return };
    let catalog = duckdb::Connection::open(folder.join("meta.ducklake")).unwrap();
    println!("\nheld");
    std::io::stdout().flush().unwrap();
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
    drop(catalog);
}

/// A process that may write no byte more is as good as a full disk: the same writes fail, at the same places.
#[test]
fn disk_full() {
    let target = lake(SQLITE);
    let output = child("doctor::files::child_on_a_full_disk", &target).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, seen) = text.split_once("begin\n").unwrap_or_else(|| panic!("{text}"));
    assert_seen!("disk-full", seen.split_once("end\n").unwrap().0);
}

/// No test of its own: the process that `disk_full` starts.
#[test]
fn child_on_a_full_disk() {
    let Some(folder) = folder_of_parent() else { return };
    let file = folder.join("metaxy.toml");
    let options = metaxy_config::LoadOptions::file(file).trust(metaxy_config::Trust::Everything);
    let loaded = metaxy_config::Config::load(&metaxy_config::OsSystem, &options);
    let report = Doctor::default().write(true).examine(&loaded, Some("prod"));
    assert_eq!(report.fix_first().unwrap().cause, Some(Cause::DiskFull), "{report}");
    println!("\nbegin\n{}end", report.without_raw_texts());
}
