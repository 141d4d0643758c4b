//! Secrets of DuckDB that a plan creates: a name, a type and options.

use serde::Serialize;

use crate::parts::{Named, list};
use crate::problem::{Collector, Problem};
use crate::sql;
use crate::sql::Sql;
use crate::value::{Ident, Keyword, Parameters, Value};

/// The type of a secret, as DuckDB names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SecretType {
    /// A login to PostgreSQL.
    Postgres,
    /// A login to a Quack server.
    Quack,
    /// Amazon S3 and what speaks its protocol.
    S3,
    /// Cloudflare R2.
    R2,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// A lake: where its metadata and its data are.
    DuckLake,
}

impl SecretType {
    /// The name that DuckDB gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Quack => "quack",
            Self::S3 => "s3",
            Self::R2 => "r2",
            Self::Gcs => "gcs",
            Self::Azure => "azure",
            Self::DuckLake => "ducklake",
        }
    }
}

/// A secret to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateSecret {
    name: Ident,
    kind: SecretType,
    options: Vec<(Keyword, Value)>,
    in_motherduck: bool,
}

impl CreateSecret {
    pub(crate) fn new(name: Ident, kind: SecretType) -> Self {
        Self { name, kind, options: Vec::new(), in_motherduck: false }
    }

    /// The secret's name.
    pub fn name(&self) -> &Ident {
        &self.name
    }

    /// The secret's type.
    pub fn kind(&self) -> SecretType {
        self.kind
    }

    /// Whether it is kept by MotherDuck, for its own compute, instead of in this process.
    pub fn in_motherduck(&self) -> bool {
        self.in_motherduck
    }

    pub(crate) fn rename(&mut self, name: Ident) {
        self.name = name;
    }

    pub(crate) fn into_motherduck(mut self) -> Self {
        self.in_motherduck = true;
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.options.is_empty()
    }

    pub(crate) fn is_sensitive(&self) -> bool {
        self.options.iter().any(|(_, value)| value.is_sensitive())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.options.iter().find(|(option, _)| option.as_str().eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Adds an option known when the program is compiled.
    pub(crate) fn set(&mut self, option: &'static str, value: Value) {
        self.options.push((Keyword::trusted(option).upper(), value));
    }

    /// Leaves it to the lake where its data is.
    pub(crate) fn forget_data_path(&mut self) {
        if self.kind == SecretType::DuckLake {
            self.options.retain(|(option, _)| option.as_str() != "DATA_PATH");
        }
    }

    /// Gives a lake another text for its data path.
    pub(crate) fn replace_data_path(&mut self, path: &str) {
        let is_data_path = |option: &Keyword| option.as_str() == "DATA_PATH";
        if self.kind == SecretType::DuckLake
            && let Some((_, value)) = self.options.iter_mut().find(|(option, _)| is_data_path(option))
        {
            *value = Value::from(path);
        }
    }

    /// Gives a lake on PostgreSQL, whose login is in a secret, a text that stands beside it.
    pub(crate) fn replace_empty_metadata_path(&mut self, path: &str) {
        let is_empty = |(option, value): &&mut (Keyword, Value)| {
            option.as_str() == "METADATA_PATH" && matches!(value, Value::Text(text) if text.is_empty())
        };
        if self.kind == SecretType::DuckLake
            && let Some((_, value)) = self.options.iter_mut().find(is_empty)
        {
            *value = Value::from(path);
        }
    }

    pub(crate) fn uses_credential_chain(&self) -> bool {
        matches!(self.get("provider"), Some(Value::Text(provider)) if provider.eq_ignore_ascii_case("credential_chain"))
    }

    pub(crate) fn to_sql(&self) -> Sql {
        let create = if self.in_motherduck {
            // MotherDuck keeps the secret in the account, so opening a second time has to replace it.
            sql!("CREATE OR REPLACE SECRET {name} IN MOTHERDUCK", name = self.name)
        } else {
            sql!("CREATE TEMPORARY SECRET {name}", name = self.name)
        };
        let options = list(self.options.iter().map(|(option, value)| {
            let value = Named(option.as_str(), value);
            sql!("{option} {value}", option, value)
        }));
        sql!("{create} (TYPE {kind}, {options})", create, kind = Sql::fixed(self.kind.as_str()), options)
    }
}

/// Checks the name of a secret; a placeholder stands in for a bad one, whose problem is noted.
pub(crate) fn secret_name(name: &str, problems: &mut Collector) -> Ident {
    problems.take("secret_name", Ident::new(name)).unwrap_or_else(|| Ident::trusted("invalid"))
}

/// Adds the `secret_parameters` of a configuration to a secret, refusing what a field says already.
pub(crate) fn add_parameters(secret: &mut CreateSecret, parameters: &Parameters, problems: &mut Collector) {
    let mut sorted: Vec<_> = parameters.iter().map(|(name, value)| (name.to_ascii_uppercase(), name, value)).collect();
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    for (_, name, value) in sorted {
        let field = ["secret_parameters.", name].concat();
        let Some(word) = problems.keep(Keyword::new(name).map_err(|problem| problem.at(field.clone()))) else {
            continue;
        };
        if name.eq_ignore_ascii_case("type") {
            problems.push(Problem::reserved_option(field, name, "the type of the secret follows from `type`"));
            continue;
        }
        if secret.get(name).is_some() {
            problems.push(Problem::conflict(
                field,
                ["`", name, "` is given twice"].concat(),
                "write it once, as a field or as a secret parameter",
            ));
            continue;
        }
        if let Err(problem) = value.validate() {
            problems.push(problem.at(field));
            continue;
        }
        if let (true, Value::Text(refresh)) = (name.eq_ignore_ascii_case("refresh"), value)
            && refresh != "auto"
        {
            // DuckDB ignores any other value without a word.
            problems.push(Problem::invalid_choice(field, refresh, &["auto"]));
            continue;
        }
        let value = if name.eq_ignore_ascii_case("chain") { chain(value) } else { value.clone() };
        secret.options.push((word.upper(), value));
    }
}

/// The links of a credential chain as DuckDB reads them: one text, separated by semicolons. A list it takes, and then
/// fails to parse.
fn chain(links: &Value) -> Value {
    let Value::List(list) = links else {
        return links.clone();
    };
    let texts: Option<Vec<_>> =
        list.iter().map(|link| if let Value::Text(link) = link { Some(link.as_str()) } else { None }).collect();
    texts.map_or_else(|| links.clone(), |texts| Value::Text(texts.join(";")))
}
