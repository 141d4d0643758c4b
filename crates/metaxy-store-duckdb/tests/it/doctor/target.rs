//! A store to examine: its configuration, its folder, and what must hold of every report on it.

use ducklake_sql::Mode;
use metaxy_config::{LoadError, Loaded};
use metaxy_store_duckdb::{Cause, Doctor, Outcome, Report, Store};
use metaxy_testkit::{SNAPSHOT_FILTERS, assert_no_leak};

use crate::lake::{FOR_TESTS, TempLake};

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
pub(crate) struct Target {
    pub(crate) folder: TempLake,
}

impl Target {
    /// A store with these inline tables.
    pub(crate) fn new(catalog: &str, storage: &str) -> Self {
        let target = Self { folder: TempLake::new() };
        target.configure(catalog, storage);
        target
    }

    /// Writes the configuration anew.
    pub(crate) fn configure(&self, catalog: &str, storage: &str) {
        self.configure_with(&[FOR_TESTS], catalog, storage);
    }

    /// The same with these lines in the table `config` of the store, and no others.
    pub(crate) fn configure_with(&self, config: &[&str], catalog: &str, storage: &str) {
        let lake = [["catalog = ", catalog].concat(), ["storage = ", storage].concat()];
        self.folder.configure("prod", config, &lake.each_ref().map(String::as_str));
    }

    pub(crate) fn load(&self) -> Result<Loaded, LoadError> {
        self.folder.load()
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
            filters => crate::doctor::target::filters(),
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
