//! Faults of catalogs and storages, as each command tells them: what is wrong where, and the one thing to change.

use metaxy_testkit::{
    Database, KeyPair, KeyRights, Login, MARKER, Postgres, RoleRights, S3Options, S3Server, SNAPSHOT_FILTERS, TempDir,
    closed_port, deps,
};

use crate::run::{Ran, metaxy, run};

const LOCAL: &str = r#"{ type = "local", path = "data" }"#;
const SQLITE: &str = r#"{ type = "sqlite", uri = "meta.sqlite" }"#;
const DUCKDB: &str = r#"{ type = "duckdb", uri = "meta.ducklake" }"#;
const BUCKET: &str = "lake";

/// What differs from run to run beside the usual.
const FILTERS: &[(&str, &str)] =
    &[(r"\b(lake|owner|read|write|connect)_[0-9a-f]{16}\b", "${1}_[ID]"), (r"the process \d+", "the process [PID]")];

/// The commands that are tried with every fault.
const COMMANDS: [&[&str]; 3] = [
    &["sql", "FROM a"],
    &["metadata", "status", "--all-features"],
    &["metadata", "write", "--feature", "a", "--unpushed", "rows.jsonl"],
];

/// A folder with a store and a feature `a`, and rows of it.
struct Project {
    folder: TempDir,
    extensions: String,
}

impl Project {
    fn new(catalog: &str, storage: &str) -> Self {
        let project = Self { folder: TempDir::new(), extensions: deps().extensions().display().to_string() };
        project.configure(catalog, storage, "");
        project.folder.write("features/a.toml", "[[feature]]\nkey = 'a'\nid_columns = ['id']");
        let row = |id: u32| format!("{{\"id\": \"{id}\", \"metaxy_provenance_by_field\": {{\"default\": \"1\"}}}}\n");
        // More than DuckLake keeps in its catalog.
        project.folder.write("rows.jsonl", (0..40).map(row).collect::<String>());
        project
    }

    fn configure(&self, catalog: &str, storage: &str, more: &str) {
        let text = format!(
            "project = \"demo\"\nauto_create_tables = true\n[ext.rust]\nfeatures = [\"features/*.toml\"]\n\
             [stores.dev]\ntype = \"duckdb\"\n[stores.dev.config]\ndatabase = \":memory:\"\n{more}\n\
             [stores.dev.config.config]\nthreads = 1\n\
             [stores.dev.config.ducklake]\ncatalog = {catalog}\nstorage = {storage}\n"
        );
        self.folder.write("metaxy.toml", text);
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        run(metaxy(&self.folder, arguments).env("METAXY_EXTENSION_DIRECTORY", &self.extensions), "")
    }

    /// Makes the lake, with the rows in it.
    fn make(&self) {
        self.run(&["push"]).done();
        self.run(COMMANDS[2]).done();
    }

    /// What each command says; none may succeed.
    fn told(&self) -> String {
        let mut told = String::new();
        for arguments in COMMANDS {
            let ran = self.run(arguments);
            told += &["$ metaxy ", &arguments.join(" "), "\n", &ran.transcript()].concat();
            assert_ne!(ran.exit, 0, "{told}");
        }
        told
    }
}

macro_rules! assert_told {
    ($name:literal, $told:expr) => {
        insta::with_settings!({
            filters => FILTERS.iter().chain(SNAPSHOT_FILTERS).copied(),
            prepend_module_to_snapshot => false,
            omit_expression => true,
            snapshot_path => "snapshots/faults",
        }, {
            insta::assert_snapshot!($name, $told);
        });
    };
}

fn postgres(database: &Database<'_>, login: &Login) -> String {
    format!(
        "{{ type = \"postgres\", secret_name = \"pg\", host = \"{}\", port = {}, database = \"{}\", user = \"{}\", \
         password = {:?} }}",
        database.host(),
        database.port(),
        database.name(),
        login.user,
        login.password
    )
}

fn s3(server: &S3Server, key: &KeyPair) -> String {
    format!(
        "{{ type = \"s3\", secret_name = \"storage\", bucket = \"{BUCKET}\", prefix = \"prod\", key_id = \"{}\", \
         secret = {:?}, endpoint = \"{}\", region = \"{}\", url_style = \"path\", use_ssl = false }}",
        key.id,
        key.secret,
        server.endpoint(),
        server.region()
    )
}

/// One text of the configuration replaced.
#[track_caller]
fn but(configured: &str, from: &str, to: &str) -> String {
    assert!(configured.contains(from), "{from} is not configured");
    configured.replace(from, to)
}

#[test]
fn of_postgres() {
    let database = Postgres::shared().database();
    let right = postgres(&database, database.owner());
    let project = Project::new(&right, LOCAL);
    project.make();
    let with = |catalog: &str| {
        project.configure(catalog, LOCAL, "");
        project.told()
    };
    let port = format!("port = {}", database.port());
    assert_told!("postgres-down", with(&but(&right, &port, &format!("port = {}", closed_port()))));
    let wrong = Login { password: [MARKER, "-wrong"].concat(), ..database.owner().clone() };
    assert_told!("wrong-password", with(&postgres(&database, &wrong)));
    assert_told!("unknown-database", with(&but(&right, database.name(), "no_such_database")));
    assert_told!("unknown-host", with(&but(&right, "127.0.0.1", "no-such-host.invalid")));
    assert_told!("no-rights", with(&postgres(&database, &database.role(RoleRights::Connect))));
    let reader = postgres(&database, &database.role(RoleRights::Read));
    project.configure(&reader, LOCAL, "");
    let ran = project.run(COMMANDS[2]);
    assert_told!("no-right-to-write", ran.transcript());
}

#[test]
fn of_a_storage() {
    let server = S3Server::start(S3Options::default());
    server.bucket(BUCKET);
    let right = s3(&server, &server.key(KeyRights::Full));
    let project = Project::new(SQLITE, &right);
    project.make();
    let read = ["sql", "SELECT count(*) FROM a WHERE id <> '7'"];
    project.run(&read).done();
    let told = |storage: &str, what: &str| {
        project.configure(SQLITE, storage, "");
        let mut told = String::new();
        for arguments in [&read[..], COMMANDS[1], COMMANDS[2]] {
            let ran = project.run(arguments);
            told += &["$ metaxy ", &arguments.join(" "), "\n", &ran.transcript()].concat();
        }
        assert!(told.contains(what), "{told}");
        told
    };
    assert_told!("wrong-key", told(&but(&right, "key_id = \"KEY", "key_id = \"OTHER"), "does not know the key"));
    let wrong = KeyPair { secret: [MARKER, "/wrong+"].concat(), ..server.key(KeyRights::Full) };
    assert_told!("wrong-secret", told(&s3(&server, &wrong), "the secret is not the key's"));
    let region = format!("region = \"{}\"", server.region());
    assert_told!("wrong-region", told(&but(&right, &region, "region = \"us-east-1\""), "set `region = "));
    let endpoint = server.endpoint();
    let elsewhere = format!("127.0.0.1:{}", closed_port());
    assert_told!("storage-down", told(&but(&right, &endpoint, &elsewhere), "no server listens at"));
    // Another lake, whose bucket is not there.
    let project = Project::new(SQLITE, &but(&right, "\"lake\"", "\"lkae\""));
    let ran = project.run(COMMANDS[2]);
    assert_told!("no-such-bucket", ran.transcript());
}

#[test]
fn of_files() {
    let project = Project::new(SQLITE, LOCAL);
    assert_told!("no-lake", project.told_but_write());
    project.make();
    // What is a text for `check`, and no place for DuckDB.
    let configured = std::fs::read_to_string(project.folder.join("metaxy.toml")).unwrap();
    project.folder.write("metaxy.toml", but(&configured, "threads = 1", "threads = 1\nTimeZone = 'Mars/X'"));
    assert_told!("setting-refused", project.told());

    let project = Project::new(DUCKDB, LOCAL);
    project.make();
    let catalog = duckdb::Connection::open(project.folder.join("meta.ducklake")).unwrap();
    assert_told!("catalog-locked", project.told());
    let is_version = |version: &str| {
        catalog
            .execute_batch(&format!(
                "UPDATE ducklake_metadata SET value = '{version}' WHERE key = 'version'; CHECKPOINT"
            ))
            .unwrap();
    };
    is_version("9.9");
    drop(catalog);
    assert_told!("newer-format", project.told());
    let catalog = duckdb::Connection::open(project.folder.join("meta.ducklake")).unwrap();
    catalog.execute_batch("UPDATE ducklake_metadata SET value = '0.3' WHERE key = 'version'; CHECKPOINT").unwrap();
    drop(catalog);
    assert_told!("older-format", project.told());
}

#[test]
fn of_extensions() {
    let project = Project { extensions: "none".to_owned(), ..Project::new(SQLITE, LOCAL) };
    let ran = project.run(COMMANDS[2]);
    assert_eq!(ran.exit, 1);
    for way in ["the extension `ducklake` could not be loaded", "help: there are three ways to get it"] {
        assert!(ran.stderr.contains(way), "{}", ran.stderr);
    }
}

#[test]
fn a_disk_that_is_full() {
    let project = Project::new(SQLITE, LOCAL);
    project.make();
    let ran = project.run(&["sql", "--mode", "write", "COPY (SELECT 1 AS i) TO '/dev/full' (FORMAT csv)"]);
    assert_told!("disk-full", ran.transcript());
}

#[test]
fn programs_get_the_cause_and_people_the_engines_words_on_demand() {
    let database = Postgres::shared().database();
    let port = format!("port = {}", database.port());
    let down = but(&postgres(&database, database.owner()), &port, &format!("port = {}", closed_port()));
    let project = Project::new(&down, LOCAL);
    let ran = project.run(&["metadata", "status", "--all-features", "--format", "json"]);
    let error: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a JSON document");
    assert_eq!(error["cause"], "postgres-down", "{error}");
    assert!(!ran.stdout.contains("Connection refused"), "{}", ran.stdout);
    let ran = project.run(&["-v", "sql", "SELECT 1"]);
    assert!(ran.stderr.contains("caused by: IO Error") && ran.stderr.contains("Connection refused"), "{}", ran.stderr);
}

impl Project {
    /// The same for the commands that make no lake.
    fn told_but_write(&self) -> String {
        let mut told = String::new();
        for arguments in &COMMANDS[..2] {
            told += &["$ metaxy ", &arguments.join(" "), "\n", &self.run(arguments).transcript()].concat();
        }
        told
    }
}
