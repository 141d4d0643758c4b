//! What a hole of a [`sql!`](crate::sql!) can be filled with, and helpers to make it from several parts.

use crate::sql::{Sql, Writer};
use crate::value::{Alias, Ident, Keyword, StringLiteral, Value};
use crate::{sql, write_sql};

/// What can be written as SQL, and so fill a hole of a [`sql!`](crate::sql!).
///
/// Identifiers are written in double quotes, texts as string literals, words and numbers as they are; a [`Value`] is
/// bound under the name of the hole. An optional `Sql` that is `None` writes nothing. Strings cannot be written: whether
/// one is a value, an identifier or a literal has to be said.
///
/// A type of one's own is written by [`write_sql!`](crate::write_sql).
///
/// ```
/// use ducklake_sql::{Sql, StringLiteral, bind, numbered, sql};
///
/// let limit = Some(sql!("LIMIT {rows}", rows = 10_u64));
/// let query = sql!(
///     "SELECT {text}, {value} FROM {table} {limit}",
///     text = StringLiteral::new("it's")?,
///     value = bind(true),
///     table = numbered("upstream_", 0),
///     limit,
/// );
/// assert_eq!(query.text(), "SELECT 'it''s', ? FROM upstream_0 LIMIT 10");
/// assert_eq!(sql!("SELECT 1 {limit}", limit = None::<Sql>).text(), "SELECT 1");
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written as SQL",
    label = "not a value for a hole",
    note = "a value is bound: `bind(…)`; a name is an `Ident`, a literal a `StringLiteral`, fixed SQL `Sql::fixed(…)` or `sql!(…)`"
)]
pub trait WriteSql {
    /// Writes it to the end of what the writer has.
    fn write_sql(&self, sql: &mut Writer);
}

impl<T: WriteSql + ?Sized> WriteSql for &T {
    fn write_sql(&self, sql: &mut Writer) {
        (**self).write_sql(sql);
    }
}

impl WriteSql for Ident {
    fn write_sql(&self, sql: &mut Writer) {
        sql.ident(self);
    }
}

impl WriteSql for Alias {
    fn write_sql(&self, sql: &mut Writer) {
        sql.ident(self.ident());
    }
}

impl WriteSql for StringLiteral {
    fn write_sql(&self, sql: &mut Writer) {
        sql.literal(self);
    }
}

impl WriteSql for Keyword {
    fn write_sql(&self, sql: &mut Writer) {
        sql.keyword(self);
    }
}

impl WriteSql for u64 {
    fn write_sql(&self, sql: &mut Writer) {
        sql.number(*self);
    }
}

impl WriteSql for usize {
    fn write_sql(&self, sql: &mut Writer) {
        sql.number(*self as u64);
    }
}

impl WriteSql for Value {
    fn write_sql(&self, sql: &mut Writer) {
        sql.bind(sql.hole(), self);
    }
}

impl WriteSql for Sql {
    fn write_sql(&self, sql: &mut Writer) {
        sql.part(self);
    }
}

impl WriteSql for Option<Sql> {
    fn write_sql(&self, sql: &mut Writer) {
        if let Some(part) = self {
            sql.part(part);
        }
    }
}

/// A value to bind. In a hole it has the hole's name, in a list the name `value`.
///
/// ```
/// use ducklake_sql::{bind, sql};
///
/// let query = sql!("SELECT * FROM sample WHERE path = {path} AND frame = {frame}", path = bind("it's"), frame = bind(7));
/// assert_eq!(query.text(), "SELECT * FROM sample WHERE path = ? AND frame = ?");
/// assert_eq!(query.names().collect::<Vec<_>>(), ["path", "frame"]);
/// ```
pub fn bind(value: impl Into<Value>) -> Value {
    value.into()
}

/// A value to bind under a name that is not the hole's.
pub(crate) struct Named<'a>(pub(crate) &'a str, pub(crate) &'a Value);

impl WriteSql for Named<'_> {
    fn write_sql(&self, sql: &mut Writer) {
        sql.bind(self.0, self.1);
    }
}

/// Items with commas between them, see [`list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List(Sql);

impl List {
    /// Whether it has no items.
    pub fn is_empty(&self) -> bool {
        self.0.text().is_empty()
    }
}

/// Items with commas between them; those that write nothing are left out.
///
/// A list without items takes the comma next to its hole along, so the text need not care whether there are any. An
/// optional item is a list of one or none.
///
/// ```
/// use ducklake_sql::{Ident, list, sql};
///
/// let ids = [Ident::new("video")?, Ident::new("frame")?];
/// let count = |ids: &[Ident], newest: bool| {
///     let newest = newest.then(|| sql!("max(metaxy_updated_at)"));
///     sql!("SELECT {ids}, count(*), {newest} FROM sample", ids = list(ids), newest = list(newest))
/// };
/// assert_eq!(count(&ids, true).text(), r#"SELECT "video", "frame", count(*), max(metaxy_updated_at) FROM sample"#);
/// assert_eq!(count(&[], false).text(), "SELECT count(*) FROM sample");
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
pub fn list(items: impl IntoIterator<Item = impl WriteSql>) -> List {
    List(separated(", ", items))
}

impl WriteSql for List {
    fn write_sql(&self, sql: &mut Writer) {
        if self.is_empty() {
            sql.no_items();
        } else {
            sql.part(&self.0);
        }
    }
}

impl From<List> for Sql {
    fn from(list: List) -> Self {
        list.0
    }
}

/// Identifiers behind an alias, with commas between them.
///
/// ```
/// use ducklake_sql::{Ident, columns, sql};
///
/// let ids = [Ident::new("video")?, Ident::new("frame")?];
/// assert_eq!(sql!("SELECT {ids} FROM sample AS s", ids = columns("s", &ids)).text(), r#"SELECT s."video", s."frame" FROM sample AS s"#);
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
pub fn columns<'i>(alias: &'static str, names: impl IntoIterator<Item = &'i Ident>) -> List {
    let alias = Sql::fixed(alias);
    list(names.into_iter().map(|name| sql!("{alias}.{name}", alias, name)))
}

/// Items with a text between them; those that write nothing are left out.
///
/// ```
/// use ducklake_sql::{Ident, separated, sql};
///
/// let fields = [Ident::new("a")?, Ident::new("b")?];
/// let query = sql!("SELECT md5(concat({fields}))", fields = separated(", '|', ", &fields));
/// assert_eq!(query.text(), r#"SELECT md5(concat("a", '|', "b"))"#);
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
pub fn separated(separator: &'static str, items: impl IntoIterator<Item = impl WriteSql>) -> Sql {
    Sql::build(|sql| {
        for item in items {
            let item = Sql::build(|sql| item.write_sql(sql));
            if item.text().is_empty() {
                continue;
            }
            if !sql.is_empty() {
                sql.fixed(separator);
            }
            sql.part(&item);
        }
    })
}

/// Conditions that all have to hold; `TRUE` if there are none. One that has an OR of its own needs parentheses.
///
/// ```
/// use ducklake_sql::{Ident, all, sql};
///
/// let keys = [Ident::new("video")?, Ident::new("frame")?];
/// let on = |keys: &[Ident]| all(keys.iter().map(|key| sql!("l.{key} = r.{key}", key)));
/// assert_eq!(on(&keys).text(), r#"l."video" = r."video" AND l."frame" = r."frame""#);
/// assert_eq!(on(&[]).text(), "TRUE");
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
pub fn all(conditions: impl IntoIterator<Item = impl WriteSql>) -> Sql {
    let all = separated(" AND ", conditions);
    if all.text().is_empty() { Sql::fixed("TRUE") } else { all }
}

/// Conditions of which one has to hold, in parentheses; `FALSE` if there are none.
///
/// ```
/// use ducklake_sql::{Ident, any, sql};
///
/// let ids = [Ident::new("video")?, Ident::new("frame")?];
/// let missing = |ids: &[Ident]| any(ids.iter().map(|id| sql!("{id} IS NULL", id)));
/// assert_eq!(missing(&ids).text(), r#"("video" IS NULL OR "frame" IS NULL)"#);
/// assert_eq!(missing(&[]).text(), "FALSE");
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
pub fn any(conditions: impl IntoIterator<Item = impl WriteSql>) -> Sql {
    let any = separated(" OR ", conditions);
    if any.text().is_empty() { Sql::fixed("FALSE") } else { sql!("({any})", any) }
}

/// A name known when the program was compiled, and a number behind it: an alias, the function of a length.
///
/// ```
/// use ducklake_sql::{numbered, sql};
///
/// let (upstream, key) = (numbered("upstream_", 0), numbered("key_", 1));
/// assert_eq!(sql!("{upstream}.{key} AS {key}", upstream, key).text(), "upstream_0.key_1 AS key_1");
/// ```
pub fn numbered(name: &'static str, number: usize) -> Numbered {
    Numbered { name, number }
}

/// A name with a number, see [`numbered`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    name: &'static str,
    number: usize,
}

impl WriteSql for Numbered {
    fn write_sql(&self, sql: &mut Writer) {
        let name = Sql::fixed(self.name);
        write_sql!(sql, "{name}{number}", name, number = self.number);
    }
}
