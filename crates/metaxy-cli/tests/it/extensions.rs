//! `metaxy extensions install`: from wheels and folders, and only what DuckDB has signed.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use metaxy_testkit::{TempDir, deps};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::run::{Ran, metaxy, run};

/// The file of an extension as `cargo xtask setup` brought it.
fn brought(name: &str) -> PathBuf {
    let pattern = deps().extensions().join("v1.5.5");
    let platform = fs::read_dir(pattern).expect("a folder").next().expect("a platform").expect("a platform").path();
    platform.join(name).with_extension("duckdb_extension")
}

/// A wheel with an extension in it.
fn wheel(folder: &TempDir, name: &str, extension: &str, content: &[u8]) {
    fs::create_dir_all(folder.join("wheels")).expect("it can be written");
    let mut zip = ZipWriter::new(File::create(folder.join(&["wheels/", name].concat())).expect("it can be written"));
    let path = format!("duckdb_extension_{extension}/extensions/v1.5.5/{extension}.duckdb_extension");
    zip.start_file(path, SimpleFileOptions::default().compression_method(CompressionMethod::Stored))
        .expect("it can be written");
    zip.write_all(content).expect("it can be written");
    zip.finish().expect("it can be written");
}

fn extensions(folder: &TempDir, arguments: &str) -> Ran {
    let words: Vec<&str> = ["extensions"].into_iter().chain(arguments.split(' ')).collect();
    run(metaxy(folder, &words).env("METAXY_EXTENSION_DIRECTORY", folder.join("mine")), "")
}

#[test]
fn extensions_come_from_wheels_and_files_and_are_signed() {
    let folder = TempDir::new();
    run(&mut metaxy(&folder, &["init"]), "").done();
    let (ducklake, sqlite) =
        (fs::read(brought("ducklake")).expect("a file"), fs::read(brought("sqlite_scanner")).expect("a file"));

    // A changed byte, another file, another platform and nothing at all are refused, and leave nothing.
    let mut changed = ducklake.clone();
    changed[1 << 20] ^= 1;
    wheel(&folder, "changed.whl", "ducklake", &changed);
    wheel(&folder, "duckdb_extension_ducklake-1.5.5-py3-none-win_amd64.whl", "ducklake", &ducklake);
    folder.write("broken.whl", "no wheel");
    for (from, message) in [
        ("wheels/changed.whl", "is not signed by DuckDB, or was changed since"),
        ("broken.whl", "the wheel `broken.whl` cannot be read"),
        ("metaxy.toml", "`metaxy.toml` does not have the extension `ducklake`"),
        ("wheels", "`wheels` does not have the extension `ducklake`"),
        ("nowhere", "reading `nowhere` failed"),
    ] {
        let ran = extensions(&folder, &["install --from ", from].concat());
        assert!(ran.exit == 1 && ran.stderr.contains(message), "{from}: {}", ran.stderr);
    }
    assert!(!fs::exists(folder.join("mine")).expect("an answer"));

    // The wheels of another package index are named so.
    let tag = match std::env::consts::OS {
        "macos" => ["macosx_11_0_", if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }],
        _ => ["manylinux2014_", std::env::consts::ARCH],
    };
    let name = ["duckdb_extension_ducklake-1.5.5-py3-none-", &tag.concat(), ".whl"].concat();
    wheel(&folder, &name, "ducklake", &ducklake);
    fs::write(folder.join("wheels/sqlite_scanner.duckdb_extension"), &sqlite).expect("it can be written");
    let ran = extensions(&folder, "install --from wheels");
    assert_eq!((ran.exit, ran.stderr.matches("installed ").count()), (0, 2), "{}", ran.stderr);
    let ran = extensions(&folder, "install --from nowhere");
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, "all extensions that the stores need are there\n"));

    let listed: serde_json::Value = serde_json::from_str(&extensions(&folder, "list -f json").done()).expect("JSON");
    let one = &listed["extensions"][0];
    assert_eq!((one["name"].as_str(), one["signed"].as_bool()), (Some("ducklake"), Some(true)));
    assert_eq!(one["stores"], serde_json::json!(["dev"]));
    assert!(one["sha256"].as_str().is_some_and(|sum| sum.len() == 64), "{one}");

    // What was damaged later is told of, and replaced.
    let installed = one["path"].as_str().expect("a path");
    fs::write(installed, &changed).expect("it can be written");
    let listed = extensions(&folder, "list").done();
    assert!(listed.contains("ducklake        dev     unsigned  "), "{listed}");
    let ran = extensions(&folder, "install --from wheels");
    assert_eq!((ran.exit, ran.stderr.matches("installed ").count()), (0, 1), "{}", ran.stderr);
    assert_eq!(fs::read(installed).expect("a file"), ducklake);
}

#[test]
fn nothing_is_installed_for_a_configuration_that_is_not_trusted() {
    let folder = TempDir::new();
    run(&mut metaxy(&folder, &["init"]), "").done();
    let mut config = fs::read_to_string(folder.join("metaxy.toml")).expect("a file");
    config += "\n[stores.dev.config.config]\nallow_unsigned_extensions = true\n";
    folder.write("metaxy.toml", config);
    fs::create_dir(folder.join("brought")).expect("it can be written");
    fs::copy(brought("ducklake"), folder.join("brought/ducklake.duckdb_extension")).expect("it can be written");
    let ran = extensions(&folder, "install ducklake --from brought");
    assert!(ran.exit == 1 && ran.stderr.contains("`metaxy trust`"), "{}", ran.stderr);
    assert!(!fs::exists(folder.join("mine")).expect("an answer"));
    extensions(&folder, "install ducklake --from brought --trust").done();
}
