//! The one writer of SQL text, and the finished [`Sql`] that a connection may run.
//!
//! Text is made from SQL known at compile time, validated identifiers and literals, and bound values; nothing else can
//! get into it. A statement is written once, with every value bound as a parameter. To be displayed, its values are put
//! back as literals, secrets masked. This is the only file that exposes a secret.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::credentials::mask_credentials;
use crate::parts::WriteSql;
use crate::scrub::Scrub;
use crate::template::{Piece, Quotes, Template};
use crate::value::{Ident, Keyword, MASK, Secret, StringLiteral, Value};

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
/// when the program was compiled, as of [`sql!`](crate::sql!), from a [`Writer`], or, named for what it is, from a
/// person's own query.
///
/// ```
/// use ducklake_sql::{bind, sql};
///
/// let sql = sql!("SELECT type FROM duckdb_databases() WHERE database_name = {name}", name = bind("ducklake"));
/// assert_eq!(sql.text(), "SELECT type FROM duckdb_databases() WHERE database_name = ?");
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
    /// The position of its `?` in the text.
    at: usize,
    name: String,
    value: Scalar,
}

#[derive(Clone, PartialEq, Eq)]
enum Scalar {
    Text(String),
    Secret(Secret),
    Integer(i64),
    Boolean(bool),
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => mask_credentials(text).fmt(f),
            Self::Secret(secret) => secret.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Boolean(boolean) => boolean.fmt(f),
        }
    }
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
    pub fn user_query(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new(), is_typed: true }
    }

    /// A statement put together by the writer.
    pub(crate) fn build(write: impl FnOnce(&mut Writer)) -> Self {
        let mut writer = Writer::new();
        write(&mut writer);
        writer.finish()
    }

    #[doc(hidden)]
    pub fn from_template(template: &'static Template, values: &[&dyn WriteSql]) -> Self {
        Self::build(|sql| _ = sql.template(template, values))
    }

    /// A whole statement that a person wrote; its text may hold anything.
    pub(crate) fn verbatim(statement: &Secret) -> Self {
        Self::user_query(statement.expose().trim_end().trim_end_matches(';'))
    }

    /// Binds a text to the next `?`.
    pub fn with_text(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let mut quotes = Quotes::OUTSIDE;
        let parameters = self.text.bytes().enumerate().filter(|(_, byte)| {
            let is_outside = quotes.is_outside();
            quotes = quotes.after(*byte);
            is_outside && *byte == b'?'
        });
        let next = { parameters }.nth(self.values.len());
        let at = next.map_or(self.text.len(), |(at, _)| at);
        self.values.push(Bound { at, name: name.to_owned(), value: Scalar::Text(value.into()) });
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
    /// assert_eq!(Sql::user_query("CREATE SECRET (…)").text_for_log(), "(a statement that a person wrote)");
    /// ```
    pub fn text_for_log(&self) -> Cow<'_, str> {
        if self.is_typed { Cow::Borrowed("(a statement that a person wrote)") } else { mask_credentials(&self.text) }
    }

    /// Whether a person wrote the text, or a part of it.
    pub(crate) fn is_typed(&self) -> bool {
        self.is_typed
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

    /// The text to show, with the values as literals.
    pub(crate) fn display(&self, reveal: Reveal) -> String {
        let mut shown = String::with_capacity(self.text.len());
        // A name may be a URL that stands where it does not belong.
        let part = |range: Range<usize>| match (self.text.get(range).unwrap_or_default(), reveal) {
            (text, Reveal::Secrets) => Cow::Borrowed(text),
            (text, Reveal::Masked) => mask_credentials(text),
        };
        let mut from = 0;
        for bound in &self.values {
            shown.push_str(&part(from..bound.at));
            match &bound.value {
                Scalar::Text(text) if reveal == Reveal::Secrets => quote(&mut shown, '\'', text),
                Scalar::Text(text) => quote(&mut shown, '\'', &mask_credentials(text)),
                Scalar::Secret(secret) if reveal == Reveal::Secrets => quote(&mut shown, '\'', secret.expose()),
                Scalar::Secret(_) => quote(&mut shown, '\'', MASK),
                Scalar::Integer(number) => shown.push_str(&number.to_string()),
                Scalar::Boolean(boolean) => shown.push_str(if *boolean { "true" } else { "false" }),
            }
            from = bound.at + 1;
        }
        shown.push_str(&part(from..self.text.len()));
        shown
    }

    /// Replaces every secret among the bound values where it occurs in `text`.
    ///
    /// Errors of the engine and of the servers behind it may quote what they were given: a connection string with its
    /// password, a URL. Whatever shows such a text passes it through here first. Credentials that no value has are masked
    /// where the text shows that they are some, see [`credentials`](crate::credentials()).
    ///
    /// ```
    /// use ducklake_sql::{Parameters, PostgresSpec, Secret};
    /// # use ducklake_sql::{Lake, LocalFolder, Mode, Session, Storage};
    /// # let mut spec = PostgresSpec::new("pg");
    /// # (spec.host, spec.database, spec.user) = (Some("h".into()), Some("d".into()), Some("u".into()));
    /// # spec.password = Some(Secret::from("hunter2"));
    /// # let lake = Lake::builder(spec.build()?, Storage::Local(LocalFolder::new("/lake")?)).build()?;
    /// # let plan = lake.plan(&Session::default(), Mode::Write);
    /// # let statement = plan.statements().iter().find(|one| one.is_sensitive()).unwrap();
    /// assert_eq!(statement.to_sql().scrub("no login with password hunter2"), "no login with password ***");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scrub(&self, text: &str) -> String {
        let mut scrub = Scrub::default();
        self.add_secrets(&mut scrub, |_| true);
        scrub.apply(text)
    }

    /// Adds the secrets among the bound values, and the credentials in others; one by whose name it is no sure secret is
    /// replaced with more care.
    pub(crate) fn add_secrets(&self, scrub: &mut Scrub, is_sure: impl Fn(&str) -> bool) {
        for bound in &self.values {
            match &bound.value {
                Scalar::Secret(secret) => scrub.add(secret.expose(), is_sure(&bound.name)),
                Scalar::Text(text) => scrub.add_credentials(text),
                Scalar::Integer(_) | Scalar::Boolean(_) => {}
            }
        }
    }

    /// Adds the literals of a statement that a configuration has.
    pub(crate) fn add_literals(statement: &Secret, scrub: &mut Scrub) {
        statement.expose().split('\'').skip(1).step_by(2).for_each(|literal| scrub.add_literal(literal));
    }
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self::fixed(text)
    }
}

/// Writes one statement.
///
/// Nothing gets into the text but what is known at compile time, what is validated, and what is quoted or bound.
/// A [`WriteSql`] is given one, and [`write_sql!`](crate::write_sql) writes to it.
#[derive(Debug)]
pub struct Writer {
    text: String,
    values: Vec<Bound>,
    /// Whether a space is due before what is written next.
    space: bool,
    /// The name of the hole that is being filled.
    hole: &'static str,
    /// Whether the last list had no items.
    no_items: bool,
    is_typed: bool,
}

impl Writer {
    fn new() -> Self {
        Self { text: String::new(), values: Vec::new(), space: false, hole: "value", no_items: false, is_typed: false }
    }

    /// SQL known at compile time, written as it is, spaces included.
    pub(crate) fn fixed(&mut self, sql: &'static str) -> &mut Self {
        self.push(sql)
    }

    /// A keyword, which needs no quotes.
    pub(crate) fn keyword(&mut self, keyword: &Keyword) -> &mut Self {
        self.push(keyword.as_str())
    }

    /// An identifier, always in double quotes.
    pub(crate) fn ident(&mut self, ident: &Ident) -> &mut Self {
        self.quoted('"', ident.as_str())
    }

    /// A literal, for what DuckDB's grammar does not take as a parameter; never a secret.
    pub(crate) fn literal(&mut self, text: &StringLiteral) -> &mut Self {
        self.quoted('\'', text.as_str())
    }

    /// An integer, for what DuckDB's grammar does not take as a parameter: the width of a type, a version.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.push(&number.to_string())
    }

    /// A value, bound.
    pub(crate) fn bind(&mut self, name: &str, value: &Value) -> &mut Self {
        match value {
            Value::Text(text) => self.scalar(name, Scalar::Text(text.clone())),
            Value::Secret(secret) => self.scalar(name, Scalar::Secret(secret.clone())),
            Value::Integer(number) => self.scalar(name, Scalar::Integer(*number)),
            Value::Boolean(boolean) => self.scalar(name, Scalar::Boolean(*boolean)),
            Value::List(values) => {
                self.push("[");
                for (index, value) in values.iter().enumerate() {
                    self.comma(index).bind(&[name, "[", &index.to_string(), "]"].concat(), value);
                }
                self.push("]")
            }
            Value::Map(entries) => {
                self.push("MAP {");
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.comma(index).quoted('\'', key).push(": ").bind(&[name, ".", key].concat(), value);
                }
                self.push("}")
            }
        }
    }

    /// A finished part, with its bound values: a subquery, an expression.
    pub(crate) fn part(&mut self, part: &Sql) -> &mut Self {
        self.push(&part.text);
        let start = self.text.len() - part.text.len();
        self.values.extend(part.values.iter().map(|bound| Bound { at: start + bound.at, ..bound.clone() }));
        self.is_typed |= part.is_typed;
        self
    }

    /// A comma before every item but the first.
    pub(crate) fn comma(&mut self, index: usize) -> &mut Self {
        self.push(if index == 0 { "" } else { ", " })
    }

    #[doc(hidden)]
    pub fn template(&mut self, template: &'static Template, values: &[&dyn WriteSql]) -> &mut Self {
        let outer = self.hole;
        let mut quotes = Quotes::OUTSIDE;
        // Where the text ends if its last character is a comma of the template.
        let mut comma = None;
        let mut no_items = false;
        for piece in template.pieces() {
            match piece {
                Piece::Text(text) => {
                    for character in text.chars() {
                        let is_outside = quotes.is_outside();
                        quotes = u8::try_from(character).map_or(quotes, |byte| quotes.after(byte));
                        if is_outside && character.is_ascii_whitespace() {
                            self.space = true;
                            continue;
                        }
                        if std::mem::take(&mut no_items) {
                            if character == ',' {
                                continue;
                            }
                            self.take_back(comma);
                        }
                        self.push(character.encode_utf8(&mut [0; 4]));
                        comma = (is_outside && character == ',').then_some(self.text.len());
                    }
                }
                Piece::Hole(name, position) => {
                    let length = self.text.len();
                    (self.hole, self.no_items) = (name, false);
                    if let Some(value) = values.get(position) {
                        value.write_sql(self);
                    }
                    self.hole = outer;
                    let is_empty = self.text.len() == length;
                    no_items = is_empty && (no_items || std::mem::take(&mut self.no_items));
                }
            }
        }
        if no_items {
            self.take_back(comma);
        }
        self
    }

    /// Takes back a comma, if the text ends behind it.
    fn take_back(&mut self, comma: Option<usize>) {
        if comma == Some(self.text.len()) {
            self.text.pop();
        }
    }

    /// The name of the hole that is being filled.
    pub(crate) fn hole(&self) -> &'static str {
        self.hole
    }

    /// Says that a list has no items, so that the comma next to it is one too many.
    pub(crate) fn no_items(&mut self) {
        self.no_items = true;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn finish(self) -> Sql {
        Sql { text: self.text, values: self.values, is_typed: self.is_typed }
    }

    fn scalar(&mut self, name: &str, value: Scalar) -> &mut Self {
        self.push("?");
        self.values.push(Bound { at: self.text.len() - 1, name: name.to_owned(), value });
        self
    }

    fn quoted(&mut self, mark: char, text: &str) -> &mut Self {
        self.before(mark);
        quote(&mut self.text, mark, text);
        self
    }

    fn push(&mut self, text: &str) -> &mut Self {
        if let Some(first) = text.chars().next() {
            self.before(first);
            self.text.push_str(text);
        }
        self
    }

    /// Writes the space that is due before a character, unless it would stand at a parenthesis or before a comma.
    fn before(&mut self, next: char) {
        let is_due = std::mem::take(&mut self.space) && !self.text.is_empty();
        let is_one = self.text.ends_with(|last: char| last == '(' || last.is_ascii_whitespace())
            || matches!(next, ')' | ',')
            || next.is_ascii_whitespace();
        if is_due && !is_one {
            self.text.push(' ');
        }
    }
}

/// Writes a text in quotes.
fn quote(into: &mut String, mark: char, text: &str) {
    into.push(mark);
    for character in text.chars() {
        into.push(character);
        if character == mark {
            into.push(mark);
        }
    }
    into.push(mark);
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bind, sql};

    #[test]
    fn a_displayed_statement_has_its_values_where_they_are_bound() {
        let part = sql!("'?' || {a} || {secret}", a = bind("it's ?"), secret = bind(Secret::from("hunter2")));
        let sql = sql!("SELECT \"?\", {part}, {b}, {c}, {part}", part, b = bind(7), c = bind(true));
        let masked = "SELECT \"?\", '?' || 'it''s ?' || '***', 7, true, '?' || 'it''s ?' || '***'";
        assert_eq!(sql.display(Reveal::Masked), masked);
        assert_eq!(sql.display(Reveal::Secrets), masked.replace(MASK, "hunter2"));
    }

    #[test]
    fn a_text_is_bound_to_the_next_parameter_outside_of_quotes() {
        let sql = Sql::fixed("SELECT '?', ?, \"?\", ?").with_text("a", "a").with_text("b", "b");
        assert_eq!(sql.display(Reveal::Masked), "SELECT '?', 'a', \"?\", 'b'");
    }
}
