//! Every catalog with every storage that goes with it: `metaxy init` writes it, `check` accepts it, `preview` plans it.

use metaxy_testkit::{MARKER, SNAPSHOT_FILTERS, TempDir, assert_no_leak};

use crate::run::{metaxy, run};

const CATALOGS: [&str; 5] = ["duckdb", "sqlite", "postgres", "quack", "motherduck"];
const STORAGES: [&str; 6] = ["local", "s3", "r2", "gcs", "azure", "none"];

#[test]
fn every_combination_is_written_accepted_and_planned() {
    let mut combinations = 0;
    for catalog in CATALOGS {
        for storage in STORAGES {
            let folder = TempDir::new();
            let init = ["init", "--catalog", catalog, "--storage", storage];
            let written = run(&mut metaxy(&folder, &init), "");
            if written.exit != 0 {
                assert_eq!((written.exit, folder.files()), (2, Vec::new()), "{catalog} and {storage}");
                continue;
            }
            combinations += 1;
            insta::with_settings!({ filters => SNAPSHOT_FILTERS.iter().copied(), omit_expression => true }, {
                insta::assert_snapshot!(format!("{catalog}+{storage}"), check(&folder, &written.transcript()));
            });
        }
    }
    assert_eq!(combinations, 24);
}

/// The file, and what the commands say about it.
fn check(folder: &TempDir, written: &str) -> String {
    let file = std::fs::read_to_string(folder.join("metaxy.toml")).expect("the file that was written");
    let run = |arguments: &[&str]| {
        let mut command = metaxy(folder, arguments);
        for name in variables(written) {
            command.env(name, value(name));
        }
        run(&mut command, "")
    };
    let checked = run(&["check"]);
    assert_eq!((checked.exit, checked.stdout.as_str()), (0, ""), "{}", checked.stderr);
    let json = run(&["preview", "--format", "json"]).done();
    serde_json::from_str::<serde_json::Value>(&json).expect("a JSON document");
    assert_no_leak(&run(&["config", "print"]).done(), "config print");

    let masked = run(&["preview"]).done();
    let revealed = run(&["preview", "--reveal-secrets"]).done();
    assert_eq!(revealed.replace(MARKER, "***"), masked, "nothing but secrets differs");
    let has_secret = ["SECRET", "PASSWORD", "TOKEN", "CONNECTION"].iter().any(|word| written.contains(word));
    assert_eq!(revealed.contains(MARKER), has_secret, "a secret is there when it is asked for");
    [written, "\n", &file, "\n-- metaxy preview --------\n\n", &masked].concat()
}

/// The variables that `metaxy init` says have to be set.
fn variables(written: &str) -> Vec<&str> {
    let line = written.lines().find_map(|line| line.strip_prefix("stderr: set "));
    let names = line.and_then(|line| line.split_once(", in the environment")).map_or("", |(names, _)| names);
    names.split(", ").filter(|name| !name.is_empty()).collect()
}

/// A value for a variable: a secret, unless its name says that it is none.
fn value(name: &str) -> &str {
    match name {
        "DUCKLAKE_R2_ACCOUNT_ID" => "0123456789abcdef0123456789abcdef",
        _ if name.ends_with("_BUCKET") || name.ends_with("_CONTAINER") => "bucket",
        _ if name.ends_with("_USER") => "metaxy",
        _ => MARKER,
    }
}
