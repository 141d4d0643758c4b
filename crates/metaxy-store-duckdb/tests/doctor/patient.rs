//! A store to examine: its configuration, its folder, and what must hold of every report on it.

use ducklake_sql::Mode;
use metaxy_config::{Config, LoadError, LoadOptions, Loaded, OsSystem};
use metaxy_store_duckdb::{Cause, Doctor, Outcome, Report, Store};
use metaxy_testkit::{Database, KeyPair, Login, S3Server, SNAPSHOT_FILTERS, TempDir, assert_no_leak};

/// What differs from run to run beside the usual.
const FILTERS: &[(&str, &str)] = &[
    (r"\b(lake|owner|read|write|connect)_[0-9a-f]{16}\b", "${1}_[ID]"),
    (r"\b(PostgreSQL|DuckDB|ducklake|httpfs|\w+_scanner) v?[0-9][0-9a-f.]+( [0-9a-f]{10})?\b", "$1 [VERSION]"),
    (r"\b(DuckDB|ducklake|httpfs|\w+_scanner) [0-9a-f]{7,10}\b", "$1 [VERSION]"),
    (r"(linux|osx)_(amd64|arm64)", "[PLATFORM]"),
    (r"the process \d+", "the process [PID]"),
    (r"-?\d+ s ahead", "[TIME] ahead"),
    (r"\d+ ms", "[TIME]"),
];

/// A folder with a `metaxy.toml` that has the store `prod`.
pub(crate) struct Patient {
    pub(crate) folder: TempDir,
}

impl Patient {
    /// A store with these inline tables.
    pub(crate) fn new(catalog: &str, storage: &str) -> Self {
        let patient = Self { folder: TempDir::new() };
        patient.configure(catalog, storage, "");
        patient
    }

    /// Writes the configuration anew; `more` goes to the store's `config`.
    pub(crate) fn configure(&self, catalog: &str, storage: &str, more: &str) {
        let text = format!(
            "[stores.prod]\ntype = \"duckdb\"\n[stores.prod.config]\ndatabase = \":memory:\"\n{more}\n\
             [stores.prod.config.ducklake]\ncatalog = {catalog}\nstorage = {storage}\n"
        );
        self.folder.write("metaxy.toml", text);
    }

    pub(crate) fn load(&self) -> Result<Loaded, LoadError> {
        Config::load(&OsSystem, &LoadOptions::file(self.folder.join("metaxy.toml")))
    }

    /// Makes the lake, with a table of a hundred rows in a file and one of three rows in the catalog.
    pub(crate) fn make_lake(&self) {
        let store = Store::open(&self.load().unwrap().config, "prod", Mode::Write).unwrap();
        store.connection().execute("CREATE TABLE large AS SELECT range AS i FROM range(100)").unwrap();
        store.connection().execute("CREATE TABLE small AS SELECT range AS i FROM range(3)").unwrap();
        store.close().unwrap();
    }

    /// Examines the store; holds what no examination may do.
    pub(crate) fn examine(&self, doctor: &Doctor) -> Report {
        let before = self.folder.files();
        let report = doctor.examine(&self.load(), Some("prod"));
        let json = serde_json::to_string(&report).unwrap();
        assert_no_leak(&format!("{report}\n{report:?}\n{json}"), "the doctor's report");
        assert_eq!(self.folder.files(), before, "the doctor leaves a file, or takes one away");
        report
    }

    /// Examines the store and finds this as the first thing to change.
    #[track_caller]
    pub(crate) fn finds(&self, cause: Cause) -> String {
        self.finds_with(&Doctor::default(), cause)
    }

    #[track_caller]
    pub(crate) fn finds_with(&self, doctor: &Doctor, cause: Cause) -> String {
        let report = self.examine(doctor);
        assert_eq!(report.fix_first().and_then(|first| first.cause), Some(cause), "{report}");
        assert!(!report.is_healthy());
        seen(report)
    }

    /// Examines the store and finds this as a warning, and nothing that failed.
    #[track_caller]
    pub(crate) fn warns_of(&self, cause: Cause) -> String {
        let report = self.examine(&Doctor::default());
        assert!(report.is_healthy(), "{report}");
        assert!(report.findings.iter().any(|finding| finding.cause == Some(cause)), "{report}");
        seen(report)
    }
}

/// What the person sees of it, without the checks that found all well: `healthy` has those.
fn seen(report: Report) -> String {
    let mut report = report.without_raw_texts();
    report.findings.retain(|finding| finding.outcome != Outcome::Ok);
    report.to_string()
}

/// Compares with a snapshot, past what differs from run to run.
macro_rules! assert_seen {
    ($name:literal, $seen:expr) => {
        insta::with_settings!({
            filters => crate::patient::filters(),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!($name, $seen);
        });
    };
}
pub(crate) use assert_seen;

pub(crate) fn filters() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILTERS.iter().chain(SNAPSHOT_FILTERS).copied()
}

pub(crate) const LOCAL: &str = r#"{ type = "local", path = "data" }"#;
pub(crate) const SQLITE: &str = r#"{ type = "sqlite", uri = "sqlite:meta.sqlite" }"#;
pub(crate) const DUCKDB: &str = r#"{ type = "duckdb", uri = "duckdb:meta.ducklake" }"#;

/// A catalog in PostgreSQL, with further fields behind the usual ones.
pub(crate) fn postgres(database: &Database<'_>, login: &Login, more: &str) -> String {
    format!(
        "{{ type = \"postgres\", secret_name = \"pg\", host = \"{}\", port = {}, database = \"{}\", user = \"{}\", \
         password = {:?}{more} }}",
        database.host(),
        database.port(),
        database.name(),
        login.user,
        login.password
    )
}

/// The bucket of every object storage here.
pub(crate) const BUCKET: &str = "lake";

/// An object storage as it should be configured; a field is changed by replacing it.
pub(crate) fn s3(server: &S3Server, key: &KeyPair) -> String {
    let token =
        key.session_token.as_ref().map(|token| format!(", secret_parameters = {{ session_token = {token:?} }}"));
    format!(
        "{{ type = \"s3\", secret_name = \"storage\", bucket = \"{BUCKET}\", prefix = \"prod\", key_id = \"{}\", \
         secret = {:?}, endpoint = \"{}\", region = \"{}\", url_style = \"path\", use_ssl = false{} }}",
        key.id,
        key.secret,
        server.endpoint(),
        server.region(),
        token.unwrap_or_default()
    )
}
