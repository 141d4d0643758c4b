//! The values a lake is described with: names, texts, secrets, option values.
//!
//! Names and texts are validated when they are made, so that whoever holds one can write it into SQL without a check.
//! No text is ever changed to make it fit: what cannot be quoted is refused.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::credentials::mask_credentials;
use crate::harmless::FreeTable;
use crate::problem::Problem;

/// What is shown in the place of a secret.
pub(crate) const MASK: &str = "***";

/// A text that can be a SQL literal: anything without a NUL byte, which ends a statement early in DuckDB.
///
/// ```
/// use ducklake_sql::StringLiteral;
///
/// assert_eq!(StringLiteral::new("it's")?.as_str(), "it's");
/// assert!(StringLiteral::new("a\0b").is_err());
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StringLiteral(String);

impl StringLiteral {
    /// Checks a text.
    ///
    /// # Errors
    ///
    /// When it holds a NUL byte.
    pub fn new(text: impl Into<String>) -> Result<Self, Problem> {
        let text = text.into();
        if text.contains('\0') { Err(Problem::nul_byte("the text")) } else { Ok(Self(text)) }
    }

    /// A text known when the program is compiled, or built from parts that are already checked.
    pub(crate) fn trusted(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A SQL identifier: not empty, without a NUL byte; always written in double quotes.
///
/// ```
/// use ducklake_sql::Ident;
///
/// assert_eq!(Ident::new("my lake")?.as_str(), "my lake");
/// assert!(Ident::new("").is_err());
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ident(String);

impl Ident {
    /// Checks an identifier.
    ///
    /// # Errors
    ///
    /// When it is empty or holds a NUL byte.
    pub fn new(name: impl Into<String>) -> Result<Self, Problem> {
        let name = name.into();
        if name.is_empty() {
            Err(Problem::empty("the name"))
        } else if name.contains('\0') {
            Err(Problem::nul_byte("the name"))
        } else {
            Ok(Self(name))
        }
    }

    /// An identifier known when the program is compiled, or built from parts that are already checked.
    pub(crate) fn trusted(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name itself, without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Ident {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&mask_credentials(&self.0))
    }
}

/// The name under which a lake is attached; `ducklake` unless chosen otherwise.
///
/// DuckDB refuses `main` and `temp`, and `USE` fails with `system`.
///
/// ```
/// use ducklake_sql::Alias;
///
/// assert_eq!(Alias::default().as_str(), "ducklake");
/// assert!(Alias::new("Main").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias(Ident);

impl Alias {
    /// Checks an alias.
    ///
    /// # Errors
    ///
    /// When it is empty, holds a NUL byte, or is a name that DuckDB reserves.
    pub fn new(alias: impl Into<String>) -> Result<Self, Problem> {
        let alias = Ident::new(alias).map_err(|problem| problem.at("alias"))?;
        let reserved = ["main", "temp", "system"];
        if reserved.iter().any(|name| name.eq_ignore_ascii_case(alias.as_str())) {
            return Err(Problem::reserved_alias(alias.as_str()));
        }
        Ok(Self(alias))
    }

    /// An alias built from parts that are already checked.
    pub(crate) fn trusted(alias: impl Into<String>) -> Self {
        Self(Ident::trusted(alias))
    }

    /// The alias itself, without quotes.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The alias as an identifier.
    pub fn ident(&self) -> &Ident {
        &self.0
    }
}

impl Default for Alias {
    fn default() -> Self {
        Self(Ident::trusted("ducklake"))
    }
}

/// A word that DuckDB reads without quotes: the name of an option, a setting or an extension.
///
/// Letters, digits and underscores, not beginning with a digit.
///
/// ```
/// use ducklake_sql::Keyword;
///
/// assert_eq!(Keyword::new("sslmode")?.as_str(), "sslmode");
/// assert!(Keyword::new("sslmode; DROP").is_err());
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyword(String);

impl Keyword {
    /// Checks a word.
    ///
    /// # Errors
    ///
    /// When it has any other character, or none.
    pub fn new(word: impl Into<String>) -> Result<Self, Problem> {
        let word = word.into();
        let starts = word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if starts && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            Ok(Self(word))
        } else {
            Err(Problem::invalid_name("an option, a setting or an extension", &word))
        }
    }

    pub(crate) fn trusted(word: &'static str) -> Self {
        Self(word.to_owned())
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The word behind a prefix that is a word itself.
    pub(crate) fn prefixed(&self, prefix: &'static str) -> Self {
        Self([prefix, &self.0].concat())
    }

    /// The word as the name of an option, in capitals.
    pub(crate) fn upper(&self) -> Self {
        Self(self.0.to_ascii_uppercase())
    }
}

impl Serialize for Keyword {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is shown to nobody: `Debug`, `Display` and `Serialize` print `***`, and its memory is wiped.
///
/// The only way out is as a bound parameter of a statement, or by an explicit [`Reveal::Secrets`](crate::Reveal).
///
/// ```
/// use ducklake_sql::Secret;
///
/// let password = Secret::from("hunter2");
/// assert_eq!(format!("{password} {password:?}"), "*** Secret(***)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Whether it is the empty text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has_nul(&self) -> bool {
        self.0.contains('\0')
    }

    /// The secret itself. Called in one file only, which writes it into a statement; `cargo xtask tidy` holds that.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// The value of an option, a setting or a secret's parameter.
///
/// ```
/// use ducklake_sql::Value;
///
/// let chain = Value::List(vec!["env".into(), "config".into()]);
/// assert_ne!(chain, Value::from("env;config"));
/// ```
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Value {
    /// A text that may be shown, but for [credentials](crate::credentials()) in it.
    #[serde(serialize_with = "masked")]
    Text(String),
    /// A text that may not.
    Secret(Secret),
    /// An integer.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Several values, as a DuckDB list.
    List(Vec<Value>),
    /// Names with values, as a DuckDB map.
    Map(BTreeMap<String, Value>),
}

/// A text without its credentials.
fn masked<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&mask_credentials(text))
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(&mask_credentials(text)).finish(),
            Self::Secret(secret) => f.debug_tuple("Secret").field(secret).finish(),
            Self::Integer(number) => f.debug_tuple("Integer").field(number).finish(),
            Self::Boolean(boolean) => f.debug_tuple("Boolean").field(boolean).finish(),
            Self::List(values) => f.debug_tuple("List").field(values).finish(),
            Self::Map(entries) => f.debug_tuple("Map").field(entries).finish(),
        }
    }
}

impl Value {
    /// The type's name for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Secret(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Map(_) => "a table",
        }
    }

    /// Refuses NUL bytes at any depth, and an empty text at the top.
    pub(crate) fn validate(&self) -> Result<(), Problem> {
        match self {
            Self::Text(text) if text.is_empty() => Err(Problem::empty("the value")),
            Self::Secret(secret) if secret.is_empty() => Err(Problem::empty("the value")),
            _ if self.has_nul() => Err(Problem::nul_byte("the value")),
            _ => Ok(()),
        }
    }

    fn has_nul(&self) -> bool {
        match self {
            Self::Text(text) => text.contains('\0'),
            Self::Secret(secret) => secret.has_nul(),
            Self::Integer(_) | Self::Boolean(_) => false,
            Self::List(values) => values.iter().any(Self::has_nul),
            Self::Map(entries) => entries.iter().any(|(key, value)| key.contains('\0') || value.has_nul()),
        }
    }

    /// The value with every text in it, map keys excepted, made a secret.
    ///
    /// ```
    /// use ducklake_sql::{Secret, Value};
    ///
    /// assert_eq!(Value::from("x").into_secret(), Value::Secret(Secret::from("x")));
    /// assert_eq!(Value::Integer(1).into_secret(), Value::Integer(1));
    /// ```
    pub fn into_secret(self) -> Self {
        match self {
            Self::Text(text) => Self::Secret(text.into()),
            Self::List(values) => Self::List(values.into_iter().map(Self::into_secret).collect()),
            Self::Map(entries) => {
                Self::Map(entries.into_iter().map(|(key, value)| (key, value.into_secret())).collect())
            }
            other => other,
        }
    }

    pub(crate) fn is_sensitive(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::Text(_) | Self::Integer(_) | Self::Boolean(_) => false,
            Self::List(values) => values.iter().any(Self::is_sensitive),
            Self::Map(entries) => entries.values().any(Self::is_sensitive),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Secret> for Value {
    fn from(secret: Secret) -> Self {
        Self::Secret(secret)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

/// Further parameters of a secret, as they stand in `secret_parameters`: names with values.
///
/// A text whose name is not [known to be harmless](FreeTable::is_harmless) is kept as a secret.
///
/// ```
/// use ducklake_sql::{Parameters, Value};
///
/// let parameters: Parameters = [("provider", Value::from("credential_chain"))].into_iter().collect();
/// assert_eq!(parameters.get("PROVIDER"), Some(&Value::from("credential_chain")));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, Value)>);

impl Parameters {
    /// Adds a parameter; a second one of the same name is a problem that the check of the whole reports.
    pub fn insert(&mut self, name: impl Into<String>, value: Value) {
        let name = name.into();
        let value = if FreeTable::SecretParameters.is_harmless(&name) { value } else { value.into_secret() };
        self.0.push((name, value));
    }

    /// The value of a parameter, its name read without regard to case.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// As a map, in which every secret is `***`.
impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<N: Into<String>> FromIterator<(N, Value)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(parameters: I) -> Self {
        let mut all = Self::default();
        for (name, value) in parameters {
            all.insert(name, value);
        }
        all
    }
}
