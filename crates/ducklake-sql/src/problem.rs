//! Every problem this crate can find in the description of a lake, one constructor each.
//!
//! A problem names the field it is about, so that whoever read that field (from a file, from a variable) can say where.
//! No problem ever contains the value of a secret.

use std::borrow::Cow;
use std::fmt;

use crate::credentials::mask_credentials;
use crate::value::MASK;

/// What kind of problem a [`Problem`] is; its text form is stable and may be matched on.
///
/// ```
/// use ducklake_sql::{Alias, Code};
///
/// let problem = Alias::new("main").unwrap_err();
/// assert_eq!(problem.code(), Code::ReservedAlias);
/// assert_eq!(problem.code().as_str(), "reserved-alias");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// A value that must not be empty is.
    EmptyValue,
    /// A NUL byte, which would end a SQL statement early.
    NulByte,
    /// `main`, `temp` or `system` as the alias of a lake.
    ReservedAlias,
    /// A name that cannot be that of an option, a setting or an extension.
    InvalidName,
    /// A path that is not absolute and canonical.
    InvalidPath,
    /// An object storage location that is not `scheme://bucket/prefix/`.
    InvalidObjectPath,
    /// Neither `data_path`, nor `bucket`, nor a usable `scope`.
    MissingDataPath,
    /// Only some of the fields that make up a credential.
    HalfGivenCredentials,
    /// One thing with two different values.
    Conflict,
    /// A scope that does not cover the data path.
    ScopeMismatch,
    /// A value outside its set of choices.
    InvalidChoice,
    /// An account id that is not Cloudflare's.
    InvalidAccountId,
    /// An attach option that DuckLake does not have.
    UnknownAttachOption,
    /// A value of the wrong type.
    WrongType,
    /// An option that the project sets itself, or that is set elsewhere.
    ReservedOption,
    /// Two secrets of one lake that share a name.
    SecretNameClash,
    /// A number that is too small or too large.
    OutOfRange,
    /// An option that has no effect where it stands.
    NotApplicable,
    /// A text that is not what its option or key is written as: a size, a span of time, a table.
    InvalidText,
}

impl Code {
    /// Every code, in the order of the reference page.
    pub const ALL: &[Self] = &[
        Self::EmptyValue,
        Self::NulByte,
        Self::ReservedAlias,
        Self::InvalidName,
        Self::InvalidPath,
        Self::InvalidObjectPath,
        Self::MissingDataPath,
        Self::HalfGivenCredentials,
        Self::Conflict,
        Self::ScopeMismatch,
        Self::InvalidChoice,
        Self::InvalidAccountId,
        Self::UnknownAttachOption,
        Self::WrongType,
        Self::ReservedOption,
        Self::SecretNameClash,
        Self::OutOfRange,
        Self::NotApplicable,
        Self::InvalidText,
    ];

    /// The stable name, in kebab case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmptyValue => "empty-value",
            Self::NulByte => "nul-byte",
            Self::ReservedAlias => "reserved-alias",
            Self::InvalidName => "invalid-name",
            Self::InvalidPath => "invalid-path",
            Self::InvalidObjectPath => "invalid-object-path",
            Self::MissingDataPath => "missing-data-path",
            Self::HalfGivenCredentials => "half-given-credentials",
            Self::Conflict => "conflict",
            Self::ScopeMismatch => "scope-mismatch",
            Self::InvalidChoice => "invalid-choice",
            Self::InvalidAccountId => "invalid-account-id",
            Self::UnknownAttachOption => "unknown-attach-option",
            Self::WrongType => "wrong-type",
            Self::ReservedOption => "reserved-option",
            Self::SecretNameClash => "secret-name-clash",
            Self::OutOfRange => "out-of-range",
            Self::NotApplicable => "not-applicable",
            Self::InvalidText => "invalid-text",
        }
    }

    /// One sentence for a reference page: what it means and why it is refused.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::EmptyValue => "A value that must not be empty is; often a variable that is unset or set to nothing.",
            Self::NulByte => "A value holds a NUL byte, which would end a SQL statement early.",
            Self::ReservedAlias => "DuckDB reserves `main`, `temp` and `system`: a lake cannot be attached under them.",
            Self::InvalidName => "Options, settings and extensions are named by letters, digits and underscores.",
            Self::InvalidPath => {
                "A local path must be absolute and canonical, or DuckLake takes live files for orphans."
            }
            Self::InvalidObjectPath => "An object storage location is `scheme://bucket/prefix/`.",
            Self::MissingDataPath => "There is no data path: `data_path`, `bucket` or a `scope` is needed.",
            Self::HalfGivenCredentials => "Some fields of a credential are given and others are not.",
            Self::Conflict => "One thing has two different values in two places.",
            Self::ScopeMismatch => "The scope of a secret does not cover the data path, so DuckDB would not use it.",
            Self::InvalidChoice => "A value is not one of those that exist.",
            Self::InvalidAccountId => {
                "A Cloudflare account id is 32 hexadecimal digits; it becomes part of a host name."
            }
            Self::UnknownAttachOption => "DuckLake has no attach option of this name.",
            Self::WrongType => "A value has another type than its option.",
            Self::ReservedOption => {
                "The option is set from elsewhere in the configuration, or would carry a secret into SQL text."
            }
            Self::SecretNameClash => "Two secrets of one lake have the same name; names are case-insensitive.",
            Self::OutOfRange => "A number is too small or too large.",
            Self::NotApplicable => "The option has no effect where it stands, so leaving it in would mislead.",
            Self::InvalidText => {
                "A text is not written as its key needs it: a size, a span of time, a table, a column."
            }
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong with the description of a lake: what, in which field, and what to write instead.
///
/// ```
/// use ducklake_sql::R2Spec;
///
/// let mut spec = R2Spec::new("r2", "r2://bucket/lake");
/// spec.key_id = Some("key".into());
/// let problems = spec.build().unwrap_err();
/// let fields: Vec<_> = problems.iter().map(|problem| problem.field()).collect();
/// assert_eq!(fields, ["secret", "account_id"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", prefix(field))]
pub struct Problem {
    code: Code,
    field: Cow<'static, str>,
    message: String,
    help: Option<String>,
}

fn prefix(field: &str) -> String {
    if field.is_empty() { String::new() } else { [field, ": "].concat() }
}

impl Problem {
    fn new(code: Code, field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code, field: field.into(), message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What kind of problem it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The field it is about, relative to what was checked: `endpoint`, or `secret_parameters.refresh`.
    /// Empty when it is about the whole.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong, as a fragment without full stop.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The same problem, about another field: for a value that was checked before its place was known.
    pub fn at(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = field.into();
        self
    }

    pub(crate) fn empty(what: &str) -> Self {
        Self::new(Code::EmptyValue, "", [what, " is empty"].concat())
            .help("give a value, or leave the field out; if it comes from a variable, that variable is unset or empty")
    }

    pub(crate) fn nul_byte(what: &str) -> Self {
        Self::new(Code::NulByte, "", [what, " contains a NUL byte"].concat())
            .help("a NUL byte would end the SQL statement early; remove it")
    }

    pub(crate) fn reserved_alias(alias: &str) -> Self {
        Self::new(Code::ReservedAlias, "alias", ["`", alias, "` is a name that DuckDB reserves"].concat())
            .help("choose another alias, for example `ducklake`")
    }

    pub(crate) fn invalid_name(what: &str, name: &str) -> Self {
        Self::new(Code::InvalidName, "", ["`", &excerpt(name), "` is not a valid name of ", what].concat())
            .help("use letters, digits and underscores, and begin with a letter or an underscore")
    }

    pub(crate) fn invalid_path(path: &str, why: &str) -> Self {
        Self::new(Code::InvalidPath, "", ["the path `", &excerpt(path), "` ", why].concat())
            .help("write an absolute path without `..`, such as `/srv/lake/data/`")
    }

    pub(crate) fn invalid_object_path(path: &str, why: &str, scheme: &str) -> Self {
        Self::new(Code::InvalidObjectPath, "data_path", ["the location `", &location(path), "` ", why].concat())
            .help(["write `", scheme, "://bucket/prefix/`"].concat())
    }

    pub(crate) fn scheme_of_another_storage(path: &str, scheme: &str, wanted: &str) -> Self {
        let problem = Self::invalid_object_path(path, "has a scheme of another storage", wanted);
        let help = match scheme.to_ascii_lowercase().as_str() {
            "s3" | "s3a" | "s3n" => "a storage of the type `s3` has this location",
            "r2" => "a storage of the type `r2` has this location",
            "gs" | "gcs" => "a storage of the type `gcs` has this location",
            "az" | "azure" => "a storage of the type `azure` has this location",
            "abfs" | "abfss" | "wasb" | "wasbs" => {
                "write `az://CONTAINER/PREFIX/` and `account_name`: the account's Blob endpoint has the same files"
            }
            "file" => "a storage of the type `local` has this location",
            _ => return problem,
        };
        problem.help(help)
    }

    pub(crate) fn missing_data_path() -> Self {
        Self::new(Code::MissingDataPath, "", "there is no data path")
            .help("give `data_path`, or `bucket` with an optional `prefix`, or a `scope` that starts with `s3://`")
    }

    pub(crate) fn half_given(field: &'static str, present: &str) -> Self {
        Self::new(
            Code::HalfGivenCredentials,
            field,
            ["`", field, "` is missing, although `", present, "` is given"].concat(),
        )
        .help("give all of them; or none, and the secret that `secret_name` names is used as it is")
    }

    pub(crate) fn conflict(field: impl Into<Cow<'static, str>>, message: impl Into<String>, help: &str) -> Self {
        Self::new(Code::Conflict, field, message).help(help)
    }

    pub(crate) fn scope_mismatch(scope: &str, data_path: &str) -> Self {
        Self::new(
            Code::ScopeMismatch,
            "scope",
            ["the scope `", &location(scope), "` does not cover the data path `", &location(data_path), "`"].concat(),
        )
        .help("leave `scope` out: the secret is then scoped to the data path")
    }

    pub(crate) fn invalid_choice(field: impl Into<Cow<'static, str>>, value: &str, choices: &[&str]) -> Self {
        let one_of = if choices.len() == 1 { "" } else { "one of " };
        let message = ["unknown value `", &excerpt(value), "`; expected ", one_of, "`", &choices.join("`, `"), "`"];
        Self::new(Code::InvalidChoice, field, message.concat())
    }

    pub(crate) fn invalid_account_id() -> Self {
        Self::new(Code::InvalidAccountId, "account_id", "the account id is not 32 hexadecimal digits")
            .help("copy it from the overview of R2 in Cloudflare's dashboard, without the host name around it")
    }

    pub(crate) fn unknown_attach_option(name: &str, near: Option<&str>) -> Self {
        let problem = Self::new(
            Code::UnknownAttachOption,
            name.to_owned(),
            ["DuckLake has no attach option `", &excerpt(name), "`"].concat(),
        );
        match near {
            Some(near) => problem.help(["did you mean `", near, "`?"].concat()),
            None => problem.help("see the list of attach options in the reference"),
        }
    }

    pub(crate) fn wrong_type(field: impl Into<Cow<'static, str>>, expected: &str, found: &str) -> Self {
        Self::new(Code::WrongType, field, ["expected ", expected, ", found ", found].concat())
    }

    pub(crate) fn reserved_option(field: impl Into<Cow<'static, str>>, option: &str, help: &str) -> Self {
        Self::new(Code::ReservedOption, field, ["`", &excerpt(option), "` cannot be set here"].concat()).help(help)
    }

    pub(crate) fn login_in_endpoint() -> Self {
        Self::new(Code::ReservedOption, "endpoint", "the endpoint holds a login, which would be shown with it")
            .help("write only `host:port`; the login goes into `key_id` and `secret`")
    }

    pub(crate) fn out_of_range(least: i64, most: i64) -> Self {
        Self::new(Code::OutOfRange, "", format!("expected an integer from {least} to {most}"))
    }

    pub(crate) fn not_a_fraction() -> Self {
        Self::new(Code::OutOfRange, "", "expected a number from 0 to 1")
    }

    pub(crate) fn not_an_age() -> Self {
        Self::new(Code::InvalidText, "", "expected a span of time, longer than nothing")
            .help("write numbers with units, as in `30 days` or `36 hours`")
    }

    pub(crate) fn not_a_size() -> Self {
        Self::new(Code::InvalidText, "", "expected a size, of a byte at least")
            .help("write a number with a unit, as in `256MB` or `1GiB`")
    }

    pub(crate) fn not_a_table(text: &str) -> Self {
        let message = ["`", &excerpt(text), "` is not a valid name of a table"].concat();
        Self::new(Code::InvalidText, "", message)
            .help("write `schema.table`, with a part that has a dot in double quotes")
    }

    pub(crate) fn not_a_partition_key(text: &str) -> Self {
        let message = ["`", &excerpt(text), "` is not a valid partition key"].concat();
        Self::new(Code::InvalidText, "", message)
            .help("write a column, or `year(…)`, `month(…)`, `day(…)`, `hour(…)` or `bucket(8, …)` of one")
    }

    pub(crate) fn not_a_sort_key(text: &str) -> Self {
        let message = ["`", &excerpt(text), "` is not a valid sort key"].concat();
        Self::new(Code::InvalidText, "", message)
            .help("write a column, and behind it `ASC` or `DESC`, `NULLS FIRST` or `NULLS LAST`")
    }

    pub(crate) fn level_without_zstd(field: String) -> Self {
        let message = "only `zstd` has compression levels: every later write would fail";
        Self::new(Code::NotApplicable, field, message).help("write `parquet_compression = \"zstd\"` beside it")
    }

    /// An option that DuckLake stores for a schema or a table, but reads of the whole lake only.
    pub fn only_of_lake(option: &'static str) -> Self {
        let message = ["DuckLake reads `", option, "` of the whole lake only"].concat();
        Self::new(Code::NotApplicable, option, message).help("write it into the `options` of the lake")
    }

    pub(crate) fn secret_name_clash(name: &str) -> Self {
        Self::new(
            Code::SecretNameClash,
            "secret_name",
            ["two secrets of this lake are called `", &excerpt(name), "`"].concat(),
        )
        .help("secret names are case-insensitive; give the catalog's and the storage's secret different names")
    }
}

/// A location for a message: what stands before an `@` may be a login that a person put there, so it is masked.
fn location(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, after)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| &before[..scheme.len() + 3]);
            excerpt(&[scheme, MASK, "@", after].concat())
        }
        None => excerpt(text),
    }
}

/// The start of a text that may be very long, for a message: on one line, 80 characters at most, credentials masked. As
/// in `metaxy-diagnostics`, on which this crate must not depend.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 80;
    let text = mask_credentials(text);
    let mut out: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}

/// Everything that is wrong with one description, all of it at once; never empty.
///
/// ```
/// use ducklake_sql::PostgresSpec;
///
/// let mut spec = PostgresSpec::new("pg");
/// spec.host = Some("db.example".into());
/// let problems = spec.build().unwrap_err();
/// assert_eq!(problems.iter().count(), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// `Ok` when there are none.
    pub(crate) fn of(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }

    /// The problems, in the order of the fields.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects problems while a description is checked, so that all of them are reported in one run.
#[derive(Debug, Default)]
pub(crate) struct Collector(Vec<Problem>);

impl Collector {
    /// Notes a problem.
    pub(crate) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// The value, or a note of its problem about `field`.
    pub(crate) fn take<T>(&mut self, field: &'static str, value: Result<T, Problem>) -> Option<T> {
        value.map_err(|problem| self.push(problem.at(field))).ok()
    }

    /// The value, or a note of its problem.
    pub(crate) fn keep<T>(&mut self, value: Result<T, Problem>) -> Option<T> {
        value.map_err(|problem| self.push(problem)).ok()
    }

    /// `value` if nothing was noted and it is there.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Problems> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problems(self.0)),
        }
    }
}
