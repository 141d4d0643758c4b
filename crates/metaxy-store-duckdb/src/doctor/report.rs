//! What an examination found: data for programs, and the text that a person reads.
//!
//! Every text in here is scrubbed of the plan's secrets before it gets in, and of credentials that no plan has.

use std::fmt;
use std::time::Duration;

use ducklake_sql::mask_credentials;
use serde::{Serialize, Serializer};

use crate::engine::Cause;
use crate::engine::cause::Facts;

/// The version of the JSON shape of [`Report`].
pub const REPORT_VERSION: u32 = 1;

/// A check of the doctor; they are made in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CheckName {
    /// The configuration has no errors and no warnings.
    Configuration,
    /// No other store keeps its files at, above or below the data path.
    DataPathOverlap,
    /// The extensions that the lake needs can be loaded, and DuckDB takes the settings.
    Extensions,
    /// No persistent secret of DuckDB has the name of a secret that the plan makes.
    SecretNames,
    /// The catalog can be reached, and is of the configured kind.
    Catalog,
    /// What may be done in the catalog: read, write, create.
    Rights,
    /// There is a lake, of a format that the engine reads.
    Lake,
    /// Which secret DuckDB uses for the data path.
    StorageSecret,
    /// The storage accepts the credentials.
    Credentials,
    /// The storage answers, and lists the data path.
    Storage,
    /// A probe can be put below the data path, got back and deleted.
    StorageWrite,
    /// The clock agrees with the storage's, since signatures hold for minutes.
    Clock,
    /// What the lake has stored agrees with the configuration.
    StoredSettings,
    /// The files that the lake knows are there, as large as they were written.
    DataFiles,
    /// Every column of every table can be read to its end.
    Content,
    /// The rows that are kept in the catalog come back as they are.
    InlinedRows,
    /// What was kept of comparisons tells what a comparison of all rows finds.
    Marks,
    /// How the lake is: tables, files, inlined rows, snapshots.
    Health,
}

impl CheckName {
    /// Every check, in order.
    pub const ALL: &[Self] = &[
        Self::Configuration,
        Self::DataPathOverlap,
        Self::Extensions,
        Self::SecretNames,
        Self::Catalog,
        Self::Rights,
        Self::Lake,
        Self::StorageSecret,
        Self::Credentials,
        Self::Storage,
        Self::StorageWrite,
        Self::Clock,
        Self::StoredSettings,
        Self::DataFiles,
        Self::Content,
        Self::InlinedRows,
        Self::Marks,
        Self::Health,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::DataPathOverlap => "data-path-overlap",
            Self::Extensions => "extensions",
            Self::SecretNames => "secret-names",
            Self::Catalog => "catalog",
            Self::Rights => "rights",
            Self::Lake => "lake",
            Self::StorageSecret => "storage-secret",
            Self::Credentials => "credentials",
            Self::Storage => "storage",
            Self::StorageWrite => "storage-write",
            Self::Clock => "clock",
            Self::StoredSettings => "stored-settings",
            Self::DataFiles => "data-files",
            Self::Content => "content",
            Self::InlinedRows => "inlined-rows",
            Self::Marks => "marks",
            Self::Health => "health",
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All is well.
    Ok,
    /// It works, but probably not as meant, or not for long.
    Warning,
    /// It does not work.
    Failed,
    /// It was not looked at; the summary says why.
    Skipped,
}

impl Outcome {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The check.
    pub check: CheckName,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    #[serde(rename = "milliseconds", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// What was found, as one line.
    pub summary: String,
    /// The facts that show it.
    pub evidence: Vec<String>,
    /// The known cause, by name.
    pub cause: Option<Cause>,
    /// What to do about it.
    pub advice: Option<String>,
    /// What the engine or the server said itself, see [`Report::without_raw_texts`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// What an examination of a store found.
///
/// `Display` is the text for people; serialized it is `{version, store, healthy, fix_first, findings}`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The store that was examined.
    pub store: String,
    /// Its catalog and data path, as one line; empty when it has none that can be used.
    pub subject: String,
    /// What each check found, in order.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether no check failed.
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(|finding| finding.outcome != Outcome::Failed)
    }

    /// The finding to act on first: the first failure, since those after it may follow from it.
    pub fn fix_first(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.outcome == Outcome::Failed)
    }

    /// The finding of a check.
    pub fn finding(&self, check: CheckName) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.check == check)
    }

    /// The report without the engines' own words, which are long and mostly not needed.
    pub fn without_raw_texts(mut self) -> Self {
        self.findings.iter_mut().for_each(|finding| finding.raw = None);
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store `{}`", self.store)?;
        if !self.subject.is_empty() {
            write!(f, ": {}", self.subject)?;
        }
        writeln!(f, "\n")?;
        let why_skipped = |finding: &Finding| (finding.outcome == Outcome::Skipped).then(|| finding.summary.clone());
        // What was skipped for one reason is one line.
        for alike in
            self.findings.chunk_by(|one, other| why_skipped(one).is_some() && why_skipped(one) == why_skipped(other))
        {
            match alike {
                [finding] => finding.fmt(f)?,
                [first, ..] => {
                    let names: Vec<_> = alike.iter().map(|finding| finding.check.as_str()).collect();
                    writeln!(f, "{:<8} {}: {}", first.outcome.as_str(), names.join(", "), first.summary)?;
                }
                [] => {}
            }
        }
        let count = |outcome| self.findings.iter().filter(|finding| finding.outcome == outcome).count();
        let (failed, warnings) = (count(Outcome::Failed), count(Outcome::Warning));
        match self.fix_first() {
            None if warnings == 0 => writeln!(f, "\nall is well"),
            None => writeln!(f, "\nnothing failed, warnings: {warnings}"),
            Some(first) => {
                writeln!(f, "\nfailed: {failed}, warnings: {warnings}\nchange this first: {}", first.summary)?;
                first.advice.iter().try_for_each(|advice| writeln!(f, "  {advice}"))
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (outcome, check, summary) = (self.outcome.as_str(), self.check.as_str(), &self.summary);
        write!(f, "{outcome:<8} {check}: {summary}")?;
        if self.outcome == Outcome::Skipped {
            return writeln!(f);
        }
        writeln!(f, " ({:.0} ms)", self.duration.as_secs_f64() * 1000.0)?;
        self.evidence.iter().try_for_each(|fact| writeln!(f, "           {fact}"))?;
        if let Some(cause) = self.cause {
            writeln!(f, "         cause: {cause}")?;
        }
        if let Some(advice) = &self.advice {
            writeln!(f, "         to do: {advice}")?;
        }
        if let Some(raw) = &self.raw {
            writeln!(f, "         said:")?;
            raw.lines().filter(|line| !line.trim().is_empty()).try_for_each(|line| writeln!(f, "         | {line}"))?;
        }
        Ok(())
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct View<'a> {
            version: u32,
            store: &'a str,
            healthy: bool,
            fix_first: Option<CheckName>,
            findings: &'a [Finding],
        }
        let fix_first = self.fix_first().map(|finding| finding.check);
        let (store, findings) = (self.store.as_str(), self.findings.as_slice());
        View { version: REPORT_VERSION, store, healthy: self.is_healthy(), fix_first, findings }.serialize(serializer)
    }
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(duration.as_millis())
}

/// What a check found, before its time is known.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) summary: String,
    pub(super) evidence: Vec<String>,
    pub(super) cause: Option<Cause>,
    pub(super) advice: Option<String>,
    pub(super) raw: Option<String>,
}

impl Cause {
    /// A verdict that this is the cause.
    pub(super) fn verdict(self, outcome: Outcome, facts: &Facts, raw: &str) -> Verdict {
        let (summary, advice) = self.explain(facts, raw);
        let mut verdict = Verdict::new(outcome, summary).advice(advice);
        verdict.cause = Some(self);
        if raw.is_empty() { verdict } else { verdict.raw(raw) }
    }
}

impl Verdict {
    pub(super) fn new(outcome: Outcome, summary: impl Into<String>) -> Self {
        Self { outcome, summary: summary.into(), evidence: Vec::new(), cause: None, advice: None, raw: None }
    }

    pub(super) fn ok(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Ok, summary)
    }

    /// A failure whose cause is not known.
    pub(super) fn unknown(summary: impl Into<String>, raw: impl Into<String>) -> Self {
        Self::new(Outcome::Failed, summary).advice("see what was said with `--verbose`").raw(raw)
    }

    pub(super) fn skipped(why: impl Into<String>) -> Self {
        Self::new(Outcome::Skipped, why)
    }

    pub(super) fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    pub(super) fn evidence(mut self, facts: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(facts);
        self
    }

    pub(super) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub(super) fn raw(mut self, text: impl Into<String>) -> Self {
        self.raw = Some(text.into());
        self
    }

    pub(super) fn into_finding(self, check: CheckName, duration: Duration) -> Finding {
        let Self { outcome, summary, evidence, cause, advice, raw } = self;
        let masked = |text: String| mask_credentials(&text).into_owned();
        let (summary, raw) = (masked(summary), raw.map(masked));
        let evidence = evidence.into_iter().map(masked).collect();
        Finding { check, outcome, duration, summary, evidence, cause, advice, raw }
    }
}
