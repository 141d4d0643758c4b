//! The texts of [`sql!`](crate::sql!): checked when they are compiled, and then cut into text and holes.

/// Writes a query as one text with holes, and returns it as [`Sql`](crate::Sql).
///
/// Every hole `{name}` is filled by the value of that name, which is anything that can be [written as
/// SQL](crate::WriteSql): an identifier, a value to [`bind`](crate::bind), a [`list`](crate::list), another `Sql`. A
/// string cannot; it has to be bound, or checked first.
///
/// ```
/// use ducklake_sql::{Ident, bind, columns, sql};
///
/// let (table, keys) = (Ident::new("my table")?, [Ident::new("video")?, Ident::new("frame")?]);
/// let query = sql!(
///     "SELECT {keys}, r.rowid
///      FROM {table} AS r
///      WHERE r.metaxy_feature_version = {version}",
///     keys = columns("r", &keys),
///     table,
///     version = bind("it's"),
/// );
/// assert_eq!(
///     query.text(),
///     r#"SELECT r."video", r."frame", r.rowid FROM "my table" AS r WHERE r.metaxy_feature_version = ?"#,
/// );
/// assert_eq!(query.names().collect::<Vec<_>>(), ["version"]);
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
///
/// # The text
///
/// - A hole that occurs twice is filled twice; a value in it is bound twice, under the hole's name.
/// - `{{` and `}}` are braces, as in DuckDB's structs: `{{'a': {value}}}`.
/// - Whitespace outside of quotes is written as one space, so that a query can be laid out over several lines. None is
///   written at the beginning, at the end, behind `(`, and before `)` and `,`.
/// - A [`list`](crate::list) without items takes the comma behind it along, or else the one before it.
///
/// # Mistakes found when the text is compiled
///
/// A value that cannot be written as SQL, such as a string:
///
/// ```compile_fail,E0277
/// ducklake_sql::sql!("SELECT {name}", name = "it's");
/// ```
///
/// ```compile_fail,E0277
/// ducklake_sql::sql!("SELECT {name}", name = String::from("it's"));
/// ```
///
/// ```
/// ducklake_sql::sql!("SELECT {name}", name = ducklake_sql::bind("it's"));
/// ducklake_sql::sql!("SELECT {name}", name = ducklake_sql::StringLiteral::new("it's")?);
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
///
/// A text that is not a literal:
///
/// ```compile_fail
/// let text = "SELECT 1";
/// ducklake_sql::sql!(text);
/// ```
///
/// ```
/// ducklake_sql::sql!("SELECT 1");
/// ```
///
/// A hole without a value, a value without a hole, a value that is given twice:
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT {one}, {two}", one = 1_u64);
/// ```
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT {one}", one = 1_u64, two = 2_u64);
/// ```
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT {one}", one = 1_u64, one = 2_u64);
/// ```
///
/// ```
/// ducklake_sql::sql!("SELECT {one}, {two}, {one}", one = 1_u64, two = 2_u64);
/// ```
///
/// Braces that are neither a hole nor doubled, and holes without a name:
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT {one", one = 1_u64);
/// ```
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT 1}");
/// ```
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT {'a': 1}");
/// ```
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT {}", one = 1_u64);
/// ```
///
/// ```
/// assert_eq!(ducklake_sql::sql!("SELECT {{'a': {one}}}", one = 1_u64).text(), "SELECT {'a': 1}");
/// ```
///
/// A hole in quotes, and quotes that are not closed:
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT '{one}'", one = 1_u64);
/// ```
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT 'it's'");
/// ```
///
/// ```
/// ducklake_sql::sql!("SELECT 'it''s', {one}", one = 1_u64);
/// ```
///
/// Parameters without a value, and comments, which would hide what follows them in one line:
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT ?");
/// ```
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT $1");
/// ```
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT 1 -- one");
/// ```
///
/// ```compile_fail,E0080
/// ducklake_sql::sql!("SELECT /* one */ 1");
/// ```
///
/// ```
/// ducklake_sql::sql!("SELECT '?', '$1', '-- one', '/* one */', 2 - 1");
/// ```
#[macro_export]
macro_rules! sql {
    ($text:literal $(, $hole:ident $(= $value:expr)?)* $(,)?) => {
        $crate::Sql::from_template(
            {
                const TEMPLATE: $crate::Template = $crate::Template::new($text, &[$(stringify!($hole)),*]);
                &TEMPLATE
            },
            &[$($crate::sql!(@value $hole $(= $value)?)),*],
        )
    };
    (@value $hole:ident) => { &$hole as &dyn $crate::WriteSql };
    (@value $hole:ident = $value:expr) => { &$value as &dyn $crate::WriteSql };
}

/// Writes a text with holes, like [`sql!`](crate::sql!), to the end of what a [`Writer`](crate::Writer) has.
///
/// Whitespace at the beginning and at the end stands between the text and its neighbours.
///
/// ```
/// use ducklake_sql::{Ident, Sql, WriteSql, Writer, sql, write_sql};
///
/// struct Table {
///     lake: Ident,
///     name: Ident,
/// }
///
/// impl WriteSql for Table {
///     fn write_sql(&self, sql: &mut Writer) {
///         write_sql!(sql, "{lake}.main.{name}", lake = self.lake, name = self.name);
///     }
/// }
///
/// let table = Table { lake: Ident::new("lake")?, name: Ident::new("video")? };
/// assert_eq!(sql!("SELECT * FROM {table}", table).text(), r#"SELECT * FROM "lake".main."video""#);
/// # Ok::<(), ducklake_sql::Problem>(())
/// ```
#[macro_export]
macro_rules! write_sql {
    ($writer:expr, $text:literal $(, $hole:ident $(= $value:expr)?)* $(,)?) => {
        $writer.template(
            {
                const TEMPLATE: $crate::Template = $crate::Template::new($text, &[$(stringify!($hole)),*]);
                &TEMPLATE
            },
            &[$($crate::sql!(@value $hole $(= $value)?)),*],
        )
    };
}

/// The text of a [`sql!`](crate::sql!) and the names of its values.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Template {
    text: &'static str,
    names: &'static [&'static str],
}

/// What a text is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(&'static str),
    /// A hole, with its name and the position of its value.
    Hole(&'static str, usize),
}

impl Template {
    /// Checks a text; a mistake ends the compilation.
    pub const fn new(text: &'static str, names: &'static [&'static str]) -> Self {
        let filled = check(text.as_bytes(), names);
        let mut value = 0;
        while value < names.len() {
            if position(names, names[value].as_bytes()) < value {
                refuse("the value `", names[value].as_bytes(), "` is given twice");
            }
            if filled & (1 << value) == 0 {
                refuse("there is no hole for the value `", names[value].as_bytes(), "`");
            }
            value += 1;
        }
        Self { text, names }
    }

    /// The pieces of the text, in order.
    pub(crate) fn pieces(self) -> impl Iterator<Item = Piece> {
        let mut rest = self.text;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let brace = rest.find(['{', '}']).unwrap_or(rest.len());
            if brace > 0 {
                let (text, behind) = rest.split_at(brace);
                rest = behind;
                return Some(Piece::Text(text));
            }
            if rest.starts_with("{{") || rest.starts_with("}}") {
                let brace = &rest[..1];
                rest = &rest[2..];
                return Some(Piece::Text(brace));
            }
            let (hole, behind) = rest[1..].split_once('}')?;
            rest = behind;
            Some(Piece::Hole(hole, self.names.iter().position(|name| *name == hole)?))
        })
    }
}

/// Whether a text is inside of quotes, of a string or of an identifier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quotes(Option<u8>);

impl Quotes {
    pub(crate) const OUTSIDE: Self = Self(None);

    pub(crate) const fn is_outside(self) -> bool {
        self.0.is_none()
    }

    /// What holds after this byte. A doubled quote closes and opens again.
    pub(crate) const fn after(self, byte: u8) -> Self {
        match self.0 {
            None if byte == b'\'' || byte == b'"' => Self(Some(byte)),
            Some(quote) if byte == quote => Self(None),
            _ => self,
        }
    }
}

/// Checks the quotes, the braces and the holes of a text. Returns a bit for each value that fills a hole.
const fn check(text: &[u8], names: &[&str]) -> u128 {
    if names.len() > u128::BITS as usize {
        refuse("there are too many values", b"", "");
    }
    let mut filled = 0;
    let mut quotes = Quotes::OUTSIDE;
    let mut at = 0;
    while at < text.len() {
        let (byte, next) = (text[at], if at + 1 < text.len() { text[at + 1] } else { b' ' });
        match (byte, next) {
            (b'{', b'{') | (b'}', b'}') => at += 1,
            (b'}', _) => refuse("a `}` without a `{`; a brace of SQL is written `}}`", b"", ""),
            (b'{', _) => {
                let (name, _) = text.split_at(hole_end(text, at));
                let (_, name) = name.split_at(at + 1);
                if !is_name(name) {
                    refuse("`", name, "` is not the name of a hole; a brace of SQL is written `{{`");
                }
                if !quotes.is_outside() {
                    refuse("the hole `", name, "` stands in quotes");
                }
                let value = position(names, name);
                if value == names.len() {
                    refuse("there is no value for the hole `", name, "`");
                }
                filled |= 1 << value;
                at += name.len() + 1;
            }
            (b'?' | b'$', _) if quotes.is_outside() => refuse("a value is bound by a hole, not by `?` or `$`", b"", ""),
            (b'-', b'-') | (b'/', b'*') if quotes.is_outside() => {
                refuse("a comment belongs to the code, not to the text", b"", "");
            }
            _ => {}
        }
        quotes = quotes.after(byte);
        at += 1;
    }
    if !quotes.is_outside() {
        refuse("a quote is not closed", b"", "");
    }
    filled
}

/// The position of the `}` of the hole that begins at a `{`.
const fn hole_end(text: &[u8], start: usize) -> usize {
    let mut end = start;
    while end < text.len() && text[end] != b'}' {
        end += 1;
    }
    if end == text.len() {
        refuse("a `{` without a `}`; a brace of SQL is written `{{`", b"", "");
    }
    end
}

/// The position of a name, or the number of names.
const fn position(names: &[&str], name: &[u8]) -> usize {
    let mut at = 0;
    while at < names.len() && !is_equal(names[at].as_bytes(), name) {
        at += 1;
    }
    at
}

const fn is_equal(left: &[u8], right: &[u8]) -> bool {
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
}

const fn is_name(name: &[u8]) -> bool {
    let mut at = 0;
    while at < name.len() && (name[at].is_ascii_alphabetic() || name[at] == b'_' || at > 0 && name[at].is_ascii_digit())
    {
        at += 1;
    }
    at > 0 && at == name.len()
}

/// Ends the compilation with a message.
#[expect(clippy::panic, reason = "it is how a constant refuses to be compiled")]
const fn refuse(before: &str, name: &[u8], after: &str) -> ! {
    let mut message = [0; 256];
    let parts = [before.as_bytes(), name, after.as_bytes()];
    let (mut length, mut part) = (0, 0);
    while part < parts.len() {
        let mut at = 0;
        while at < parts[part].len() && length < message.len() {
            message[length] = parts[part][at];
            length += 1;
            at += 1;
        }
        part += 1;
    }
    match str::from_utf8(message.split_at(length).0) {
        Ok(message) => panic!("{}", message),
        Err(_) => panic!("{}", before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_holes_and_doubled_braces() {
        let template = Template::new("a {one}{{'{{' {two}}}{one}", &["two", "one"]);
        let pieces: Vec<_> = template.pieces().collect();
        let [one, two] = [Piece::Hole("one", 1), Piece::Hole("two", 0)];
        let text = Piece::Text;
        assert_eq!(pieces, [text("a "), one, text("{"), text("'"), text("{"), text("' "), two, text("}"), one]);
    }

    /// What the compiler would say of a text.
    fn message(text: &'static str, names: &'static [&'static str]) -> String {
        let refused = std::panic::catch_unwind(|| Template::new(text, names)).unwrap_err();
        refused.downcast_ref::<String>().unwrap().clone()
    }

    #[test]
    fn a_mistake_is_told_with_its_name() {
        for (text, names, expected) in [
            ("{one} {two}", &["one"][..], "there is no value for the hole `two`"),
            ("{one}", &["one", "two"], "there is no hole for the value `two`"),
            ("{{one}}", &["one"], "there is no hole for the value `one`"),
            ("{one}", &["one", "one"], "the value `one` is given twice"),
            ("{one", &[], "a `{` without a `}`; a brace of SQL is written `{{`"),
            ("one}", &[], "a `}` without a `{`; a brace of SQL is written `}}`"),
            ("{}", &[], "`` is not the name of a hole; a brace of SQL is written `{{`"),
            ("{'a': 1}", &[], "`'a': 1` is not the name of a hole; a brace of SQL is written `{{`"),
            ("{1a}", &[], "`1a` is not the name of a hole; a brace of SQL is written `{{`"),
            ("'{one}'", &["one"], "the hole `one` stands in quotes"),
            ("\"a", &[], "a quote is not closed"),
            ("'it's'", &[], "a quote is not closed"),
            ("?", &[], "a value is bound by a hole, not by `?` or `$`"),
            ("$$a$$", &[], "a value is bound by a hole, not by `?` or `$`"),
            ("1 -- a", &[], "a comment belongs to the code, not to the text"),
            ("1 /* a */", &[], "a comment belongs to the code, not to the text"),
        ] {
            assert_eq!(message(text, names), expected, "{text}");
        }
    }
}
