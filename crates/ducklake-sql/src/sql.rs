//! The one writer of SQL text, and the finished [`Sql`] that a connection may run.
//!
//! Text is made from keywords known at compile time, validated identifiers and literals, and bound values; nothing else
//! can get into it. The same statement is written twice: to be *executed*, with every value bound as a parameter, or to
//! be *displayed*, with literals inline and secrets masked. This is the only file that exposes a secret.

use std::fmt;

use crate::value::{Ident, MASK, Secret, Text, Value, Word};

/// Whether a displayed statement shows its secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reveal {
    /// Secrets appear as `'***'`.
    #[default]
    Masked,
    /// Secrets appear as they are, so that the text runs unchanged in the `duckdb` shell.
    Secrets,
}

/// A statement ready to run: its text, and the values bound to its `?` in order.
///
/// There is no way to make one from parts of text: it comes from a [`Statement`](crate::Statement), from a text known
/// when the program was compiled, from a [`Writer`], or, named for what it is, from a person's own query.
///
/// ```
/// use ducklake_sql::Sql;
///
/// let sql = Sql::fixed("SELECT type FROM duckdb_databases() WHERE database_name = ?").with_text("name", "ducklake");
/// assert_eq!(sql.names().collect::<Vec<_>>(), ["name"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    text: String,
    values: Vec<Bound>,
    /// Whether a person wrote the text, which may hold anything.
    is_typed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    name: String,
    value: Scalar,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scalar {
    Text(String),
    Secret(Secret),
    Integer(i64),
    Boolean(bool),
}

/// A value to bind to a parameter; a secret among them is here in clear, for the engine and nobody else.
///
/// It has no `Debug`, so that it cannot be printed by accident.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "the value may be a secret")]
pub enum Parameter<'a> {
    /// A text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
}

impl Sql {
    /// A statement known when the program was compiled.
    pub fn fixed(text: &'static str) -> Self {
        Self { text: text.to_owned(), values: Vec::new(), is_typed: false }
    }

    /// A query that a person typed, run exactly as it stands. Never build this text from parts.
    pub fn typed_by_a_person(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new(), is_typed: true }
    }

    /// A statement put together by the writer.
    ///
    /// ```
    /// use ducklake_sql::{Ident, Sql, Value};
    ///
    /// let table = Ident::new("my table")?;
    /// let sql = Sql::build(|sql| {
    ///     sql.keyword("SELECT count(*) FROM ").ident(&table).keyword(" WHERE id = ").bind("id", &Value::from("it's"));
    /// });
    /// assert_eq!(sql.text(), r#"SELECT count(*) FROM "my table" WHERE id = ?"#);
    /// # Ok::<(), ducklake_sql::Problem>(())
    /// ```
    pub fn build(write: impl FnOnce(&mut Writer)) -> Self {
        let mut writer = Writer::execute();
        write(&mut writer);
        writer.finish()
    }

    /// Binds a text to the next `?`.
    pub fn with_text(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push(Bound { name: name.to_owned(), value: Scalar::Text(value.into()) });
        self
    }

    /// The text, with `?` in the place of every bound value: it holds no secret.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text for a log: a statement that a person wrote is not shown, since it may hold a secret.
    ///
    /// ```
    /// use ducklake_sql::Sql;
    ///
    /// assert_eq!(Sql::fixed("SELECT ?").text_for_log(), "SELECT ?");
    /// assert_eq!(Sql::typed_by_a_person("CREATE SECRET (…)").text_for_log(), "(a statement that a person wrote)");
    /// ```
    pub fn text_for_log(&self) -> &str {
        if self.is_typed { "(a statement that a person wrote)" } else { &self.text }
    }

    /// The names of the bound values, in order: `SECRET`, `SCOPE[0]`, `EXTRA_HTTP_HEADERS.x`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|bound| bound.name.as_str())
    }

    /// The values to bind, in order, secrets in clear. For the engine: hand them to a prepared statement and keep none.
    pub fn parameters(&self) -> impl ExactSizeIterator<Item = Parameter<'_>> {
        self.values.iter().map(|bound| match &bound.value {
            Scalar::Text(text) => Parameter::Text(text),
            Scalar::Secret(secret) => Parameter::Text(secret.expose()),
            Scalar::Integer(number) => Parameter::Integer(*number),
            Scalar::Boolean(boolean) => Parameter::Boolean(*boolean),
        })
    }

    /// Replaces every secret among the bound values where it occurs in `text`.
    ///
    /// Errors of the engine and of the servers behind it may quote what they were given: a connection string with its
    /// password, a URL. Whatever shows such a text passes it through here first.
    ///
    /// ```
    /// use ducklake_sql::{Parameters, PostgresSpec, Secret};
    /// # use ducklake_sql::{Lake, LocalFolder, Mode, Session, Storage};
    /// # let mut spec = PostgresSpec::new("pg");
    /// # (spec.host, spec.database, spec.user) = (Some("h".into()), Some("d".into()), Some("u".into()));
    /// # spec.password = Some(Secret::from("hunter2"));
    /// # let lake = Lake::on(spec.check()?, Storage::Local(LocalFolder::new("/lake")?)).build()?;
    /// # let plan = lake.plan(&Session::default(), Mode::Write);
    /// # let statement = plan.statements().iter().find(|one| one.is_sensitive()).unwrap();
    /// assert_eq!(statement.to_sql().scrub("no login with password hunter2"), "no login with password ***");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scrub(&self, text: &str) -> String {
        let mut secrets: Vec<&str> = self
            .values
            .iter()
            .filter_map(|bound| match &bound.value {
                Scalar::Secret(secret) => Some(secret.expose()),
                _ => None,
            })
            .collect();
        // The longest first, so that a secret which contains another leaves nothing behind.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self::fixed(text)
    }
}

/// Writes one statement, for one of the two sinks: to execute it, or to display it.
///
/// Nothing gets into the text but what is known at compile time, what is validated, and what is quoted or bound.
/// [`Sql::build`] hands one out.
#[derive(Debug)]
pub struct Writer {
    text: String,
    values: Vec<Bound>,
    /// `None` to execute, else how to display.
    display: Option<Reveal>,
    is_typed: bool,
}

impl Writer {
    pub(crate) fn execute() -> Self {
        Self { text: String::new(), values: Vec::new(), display: None, is_typed: false }
    }

    pub(crate) fn display(reveal: Reveal) -> Self {
        Self { text: String::new(), values: Vec::new(), display: Some(reveal), is_typed: false }
    }

    /// SQL known at compile time, written as it is, spaces included.
    pub fn keyword(&mut self, sql: &'static str) -> &mut Self {
        self.text.push_str(sql);
        self
    }

    /// A word that needs no quotes.
    pub fn word(&mut self, word: &Word) -> &mut Self {
        self.text.push_str(word.as_str());
        self
    }

    /// An identifier, always in double quotes.
    pub fn ident(&mut self, ident: &Ident) -> &mut Self {
        self.quoted('"', ident.as_str())
    }

    /// A literal, for what DuckDB's grammar does not take as a parameter; never a secret.
    pub fn literal(&mut self, text: &Text) -> &mut Self {
        self.quoted('\'', text.as_str())
    }

    /// A whole number, for what DuckDB's grammar does not take as a parameter: the width of a type, a version.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.text.push_str(&number.to_string());
        self
    }

    /// A value: bound when executed, inline when displayed.
    pub fn bind(&mut self, name: &str, value: &Value) -> &mut Self {
        match value {
            Value::Text(text) => self.scalar(name, Scalar::Text(text.clone())),
            Value::Secret(secret) => self.scalar(name, Scalar::Secret(secret.clone())),
            Value::Integer(number) => self.scalar(name, Scalar::Integer(*number)),
            Value::Boolean(boolean) => self.scalar(name, Scalar::Boolean(*boolean)),
            Value::List(values) => {
                self.keyword("[");
                for (index, value) in values.iter().enumerate() {
                    self.comma(index).bind(&[name, "[", &index.to_string(), "]"].concat(), value);
                }
                self.keyword("]")
            }
            Value::Map(entries) => {
                self.keyword("MAP {");
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.comma(index).quoted('\'', key).keyword(": ").bind(&[name, ".", key].concat(), value);
                }
                self.keyword("}")
            }
        }
    }

    /// A finished part, with its bound values: a subquery, an expression. Only for statements that are executed.
    pub fn part(&mut self, part: &Sql) -> &mut Self {
        self.text.push_str(&part.text);
        self.values.extend(part.values.iter().cloned());
        self.is_typed |= part.is_typed;
        self
    }

    /// A comma before every item but the first.
    pub fn comma(&mut self, index: usize) -> &mut Self {
        self.keyword(if index == 0 { "" } else { ", " })
    }

    /// A whole statement that a person wrote; hidden when displayed, since it may hold anything.
    pub(crate) fn verbatim(&mut self, sql: &Secret, hidden: &'static str) -> &mut Self {
        match self.display {
            Some(Reveal::Masked) => self.keyword(hidden),
            Some(Reveal::Secrets) | None => {
                self.is_typed = true;
                self.text.push_str(sql.expose().trim_end().trim_end_matches(';'));
                self
            }
        }
    }

    pub(crate) fn finish(self) -> Sql {
        Sql { text: self.text, values: self.values, is_typed: self.is_typed }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn scalar(&mut self, name: &str, value: Scalar) -> &mut Self {
        let Some(reveal) = self.display else {
            self.values.push(Bound { name: name.to_owned(), value });
            return self.keyword("?");
        };
        match value {
            Scalar::Text(text) => self.quoted('\'', &text),
            Scalar::Secret(secret) => {
                let shown = if reveal == Reveal::Secrets { secret.expose() } else { MASK };
                self.quoted('\'', shown)
            }
            Scalar::Integer(number) => {
                self.text.push_str(&number.to_string());
                self
            }
            Scalar::Boolean(boolean) => self.keyword(if boolean { "true" } else { "false" }),
        }
    }

    fn quoted(&mut self, quote: char, text: &str) -> &mut Self {
        self.text.push(quote);
        for character in text.chars() {
            self.text.push(character);
            if character == quote {
                self.text.push(quote);
            }
        }
        self.text.push(quote);
        self
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
