//! What is logged: each statement without its values, and never a secret, however much is asked for.

use metaxy_testkit::{KeyRights, MARKER, Postgres, S3Options, S3Server, TempDir, assert_no_leak, deps};

use crate::run::{Ran, metaxy, run};

/// A folder with a store on PostgreSQL and S3, and a feature `a`.
fn project() -> (TempDir, S3Server, metaxy_testkit::Database<'static>) {
    let database = Postgres::shared().database();
    let server = S3Server::start(S3Options::default());
    server.bucket("lake");
    let key = server.key(KeyRights::Full);
    let folder = TempDir::new();
    folder.write(
        "metaxy.toml",
        format!(
            "project = \"demo\"\nauto_create_tables = true\n[ext.rust]\nfeatures = [\"a.toml\"]\n\
             [stores.dev]\ntype = \"duckdb\"\n\
             [stores.dev.config.ducklake]\n\
             catalog = {{ type = \"postgres\", secret_name = \"pg\", host = \"{}\", port = {}, database = \"{}\", \
             user = \"{}\", password = {:?} }}\n\
             storage = {{ type = \"s3\", secret_name = \"storage\", bucket = \"lake\", key_id = \"{}\", secret = {:?}, \
             endpoint = \"{}\", region = \"{}\", url_style = \"path\", use_ssl = false }}\n",
            database.host(),
            database.port(),
            database.name(),
            database.owner().user,
            database.owner().password,
            key.id,
            key.secret,
            server.endpoint(),
            server.region()
        ),
    );
    folder.write("a.toml", "[[feature]]\nkey = 'a'\nid_columns = ['id']");
    folder.write("rows.jsonl", "{\"id\": \"kept-out\", \"metaxy_provenance_by_field\": {\"default\": \"1\"}}\n");
    (folder, server, database)
}

fn logged(folder: &TempDir, log: &str, arguments: &[&str]) -> Ran {
    let mut command = metaxy(folder, arguments);
    command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions()).env("METAXY_TRUST", "1");
    if !log.is_empty() {
        command.env("RUST_LOG", log);
    }
    run(&mut command, "")
}

#[test]
fn a_log_holds_statements_and_no_secret() {
    let (folder, _server, _database) = project();
    for (log, verbose) in [("", "-vv"), ("trace", "-q")] {
        for arguments in [
            &["push"][..],
            &["metadata", "write", "--feature", "a", "rows.jsonl"],
            &["metadata", "status", "--all-features"],
            &["metadata", "read", "a", "--format", "csv"],
            &["sql", "FROM a"],
            &["doctor", "--write", "--verbose"],
        ] {
            let ran = logged(&folder, log, &[&[verbose][..], arguments].concat());
            assert_eq!(ran.exit, 0, "{}", ran.stderr);
            assert_no_leak(&ran.stderr, &arguments.join(" "));
            for part in
                ["statement{", "CREATE TEMPORARY SECRET \\\"pg\\\" (TYPE postgres, HOST ?", "PASSWORD ?", "duration="]
            {
                assert!(ran.stderr.contains(part), "{arguments:?} logs no `{part}`: {}", ran.stderr);
            }
            assert!(!ran.stderr.contains("kept-out"), "a value is logged: {}", ran.stderr);
        }
    }
}

#[test]
fn what_a_person_wrote_is_not_logged() {
    let (folder, _server, _database) = project();
    // Secrets come by the environment, so that no process shows them among its arguments.
    let mut command = metaxy(&folder, &["-vv", "sql", "--mode", "write", "-"]);
    command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions()).env("RUST_LOG", "trace");
    let typed = ["CREATE SECRET mine (TYPE s3, KEY_ID 'key', SECRET '", MARKER, "')"].concat();
    let ran = run(&mut command, &typed);
    assert!(ran.stderr.contains("(a statement that a person wrote)"), "{}", ran.stderr);
    assert_no_leak(&ran.stderr, "the log of a statement that a person wrote");
}

#[test]
fn nothing_is_logged_unless_asked_for() {
    let folder = TempDir::new();
    folder.write("metaxy.toml", include_str!("../fixtures/two-stores.toml"));
    folder.write("features/a.toml", "[[feature]]\nkey = 'a'\nid_columns = ['id']");
    let push = |verbose: &[&str]| logged(&folder, "", &[verbose, &["push"]].concat());
    let plain = push(&[]);
    assert!(!plain.stderr.contains("opened") && !plain.stderr.contains("statement"), "{}", plain.stderr);
    let some = push(&["-v"]);
    assert!(some.stderr.contains("opened duration=") && !some.stderr.contains("statement{"), "{}", some.stderr);
    assert!(push(&["-vv"]).stderr.contains("statement{"));
}
