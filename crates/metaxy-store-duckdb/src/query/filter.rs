//! Conditions on rows: a small language of our own, read into a [`Filter`] and written again as SQL.
//!
//! A filter is never run as it was typed. It knows columns, texts, numbers, `TRUE`, `FALSE`, `NULL`; `=`, `==`, `!=`,
//! `<>`, `<`, `<=`, `>`, `>=`; `IS [NOT] NULL|TRUE|FALSE`; `[NOT] IN (…)`; `AND`, `OR`, `NOT` and parentheses, as
//! Python Metaxy's (`models/filter_expression.py`) does. NULL behaves as in SQL, but for `x = NULL`, which is
//! `x IS NULL`, and `x != NULL`.

use std::fmt;
use std::slice;
use std::str::FromStr;

use ducklake_sql::{Ident, Sql, StringLiteral, all, any, list, sql};

use crate::engine::Error;
use crate::table::Problem;

/// How deep parentheses and `NOT` may be nested.
const MAX_DEPTH: usize = 100;

/// A condition on the rows of a feature, as in `size > 10 AND NOT (lang = 'en')`.
///
/// ```
/// use metaxy_store_duckdb::Filter;
///
/// let filter: Filter = "size > 10 AND (lang IN ('en', 'fr') OR lang IS NULL)".parse()?;
/// assert_eq!(filter.columns(), ["size", "lang"]);
/// assert!("1; DROP TABLE video".parse::<Filter>().is_err());
/// # Ok::<(), metaxy_store_duckdb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    text: String,
    condition: Condition,
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare(Operand, &'static str, Operand),
    /// `IS NULL` and the like; the keywords say which.
    Is(Operand, &'static str),
    In(Operand, Vec<Operand>),
    /// A column of booleans, or `TRUE`.
    Holds(Operand),
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Column(Ident),
    Text(StringLiteral),
    /// Digits, perhaps with a sign, a point and an exponent.
    Number(StringLiteral),
    Boolean(bool),
    Null,
}

impl Filter {
    /// The columns it names, each once, in order of appearance.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns = Vec::new();
        for operand in self.condition.operands() {
            if let Operand::Column(name) = operand
                && !columns.contains(&name.as_str())
            {
                columns.push(name.as_str());
            }
        }
        columns
    }

    /// The columns that it compares with a number or a boolean, and those that it takes for a boolean.
    pub(crate) fn takes(&self) -> (Vec<&Ident>, Vec<&Ident>) {
        let (mut unquoted, mut booleans) = (Vec::new(), Vec::new());
        self.condition.each(&mut |condition| {
            let (column, values) = match condition {
                Condition::Compare(Operand::Column(column), _, value)
                | Condition::Compare(value, _, Operand::Column(column)) => (column, slice::from_ref(value)),
                Condition::In(Operand::Column(column), values) => (column, values.as_slice()),
                Condition::Holds(Operand::Column(column)) => return booleans.push(column),
                _ => return,
            };
            if values.iter().any(|value| matches!(value, Operand::Number(_) | Operand::Boolean(_))) {
                unquoted.push(column);
            }
        });
        (unquoted, booleans)
    }

    /// The condition in parentheses, its columns as the caller wants them.
    pub(crate) fn condition(&self, column: &dyn Fn(&Ident) -> Sql) -> Sql {
        self.condition.to_sql(column)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let tokens = tokens(text).map_err(|(at, what)| problem(text, at, what))?;
        let mut parser = Parser { tokens: &tokens, next: 0, end: text.chars().count() };
        let parsed = parser.any(0).and_then(|condition| match parser.tokens.get(parser.next) {
            None => Ok(condition),
            Some((at, _)) => Err((*at, "something stands behind the condition")),
        });
        let condition = parsed.map_err(|(at, what)| problem(text, at, what))?;
        Ok(Self { text: text.trim().to_owned(), condition })
    }
}

fn problem(text: &str, at: usize, what: &str) -> Error {
    Problem::Filter { text: text.to_owned(), at: at + 1, what: what.to_owned() }.into()
}

impl Condition {
    /// Visits the conditions that are made of no others.
    fn each<'c>(&'c self, visit: &mut impl FnMut(&'c Self)) {
        match self {
            Self::Not(condition) => condition.each(visit),
            Self::All(conditions) | Self::Any(conditions) => {
                for condition in conditions {
                    condition.each(visit);
                }
            }
            single => visit(single),
        }
    }

    fn operands(&self) -> Vec<&Operand> {
        let mut operands = Vec::new();
        self.each(&mut |condition| match condition {
            Self::Compare(left, _, right) => operands.extend([left, right]),
            Self::Is(operand, _) | Self::Holds(operand) => operands.push(operand),
            Self::In(operand, values) => operands.extend([operand].into_iter().chain(values)),
            Self::Not(_) | Self::All(_) | Self::Any(_) => {}
        });
        operands
    }

    fn to_sql(&self, column: &dyn Fn(&Ident) -> Sql) -> Sql {
        let each = |conditions: &[Self]| conditions.iter().map(|one| one.to_sql(column)).collect::<Vec<_>>();
        match self {
            Self::Not(condition) => sql!("(NOT {condition})", condition = condition.to_sql(column)),
            Self::All(conditions) => sql!("({conditions})", conditions = all(each(conditions))),
            Self::Any(conditions) => any(each(conditions)),
            Self::Compare(left, operator, right) => {
                let [left, right] = [left, right].map(|operand| operand.to_sql(column));
                sql!("({left} {operator} {right})", left, operator = Sql::fixed(operator), right)
            }
            Self::Is(operand, keywords) => {
                sql!("({operand} {is})", operand = operand.to_sql(column), is = Sql::fixed(keywords))
            }
            Self::In(operand, values) => {
                let values = list(values.iter().map(|value| value.to_sql(column)));
                sql!("({operand} IN ({values}))", operand = operand.to_sql(column), values)
            }
            Self::Holds(operand) => operand.to_sql(column),
        }
    }
}

impl Operand {
    fn to_sql(&self, column: &dyn Fn(&Ident) -> Sql) -> Sql {
        match self {
            Self::Column(name) => column(name),
            // A literal takes the type of what it is compared with, as it does in a query that a person types.
            Self::Text(text) => sql!("{text}", text),
            Self::Number(number) if number.as_str().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => {
                sql!("CAST({number} AS BIGINT)", number)
            }
            Self::Number(number) => sql!("CAST({number} AS DOUBLE)", number),
            Self::Boolean(true) => sql!("TRUE"),
            Self::Boolean(false) => sql!("FALSE"),
            Self::Null => sql!("NULL"),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A name without quotes; it may be a keyword.
    Keyword(String),
    /// A name in double quotes.
    Quoted(String),
    Text(String),
    Number(String),
    Symbol(&'static str),
}

/// Where, counted in characters, and what is wrong.
type Trouble = (usize, &'static str);

const SYMBOLS: [&str; 13] = ["<=", ">=", "<>", "!=", "==", "<", ">", "=", "(", ")", ",", ".", "-"];

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Trouble> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&first) = characters.get(at) {
        let start = at;
        let run = |from: usize, keep: &dyn Fn(char) -> bool| {
            characters.get(from..).unwrap_or_default().iter().take_while(|one| keep(**one)).count()
        };
        let token = match first {
            space if space.is_whitespace() => {
                at += 1;
                continue;
            }
            quote @ ('\'' | '"') => {
                let (content, end) = quoted(&characters, at, quote)?;
                at = end;
                if quote == '"' { Token::Quoted(content) } else { Token::Text(content) }
            }
            letter if letter.is_alphabetic() || letter == '_' => {
                at += run(at, &|one| one.is_alphanumeric() || one == '_');
                Token::Keyword(characters[start..at].iter().collect())
            }
            digit if digit.is_ascii_digit() => {
                at += run(at, &|one| one.is_ascii_digit());
                if characters.get(at) == Some(&'.') {
                    at += 1 + run(at + 1, &|one| one.is_ascii_digit());
                }
                if matches!(characters.get(at), Some('e' | 'E')) {
                    let sign = usize::from(matches!(characters.get(at + 1), Some('+' | '-')));
                    let digits = run(at + 1 + sign, &|one| one.is_ascii_digit());
                    if digits == 0 {
                        return Err((at, "a number ends in its exponent"));
                    }
                    at += 1 + sign + digits;
                }
                Token::Number(characters[start..at].iter().collect())
            }
            _ => {
                let is_here = |symbol: &&&str| symbol.chars().eq(characters[at..].iter().take(symbol.len()).copied());
                let symbol = SYMBOLS.iter().find(is_here).ok_or((at, "this character means nothing here"))?;
                at += symbol.len();
                Token::Symbol(symbol)
            }
        };
        tokens.push((start, token));
    }
    Ok(tokens)
}

/// What stands between two quotes, a doubled one being one of its characters; and where it ends.
fn quoted(characters: &[char], start: usize, quote: char) -> Result<(String, usize), Trouble> {
    let mut content = String::new();
    let mut at = start + 1;
    loop {
        match characters.get(at) {
            Some(one) if *one == quote && characters.get(at + 1) == Some(&quote) => {
                content.push(quote);
                at += 2;
            }
            Some(one) if *one == quote => return Ok((content, at + 1)),
            Some(one) => {
                content.push(*one);
                at += 1;
            }
            None => return Err((start, "this quote is not closed")),
        }
    }
}

struct Parser<'t> {
    tokens: &'t [(usize, Token)],
    next: usize,
    /// Behind the last character.
    end: usize,
}

impl Parser<'_> {
    fn any(&mut self, depth: usize) -> Result<Condition, Trouble> {
        let mut conditions = vec![self.all(depth)?];
        while self.word("OR") {
            conditions.push(self.all(depth)?);
        }
        Ok(one_or(conditions, Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, Trouble> {
        let mut conditions = vec![self.not(depth)?];
        while self.word("AND") {
            conditions.push(self.not(depth)?);
        }
        Ok(one_or(conditions, Condition::All))
    }

    fn not(&mut self, depth: usize) -> Result<Condition, Trouble> {
        if depth > MAX_DEPTH {
            return Err((self.at(), "the condition is nested too deep"));
        }
        if self.word("NOT") {
            return Ok(Condition::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.symbol(&["("]).is_some() {
            let condition = self.any(depth + 1)?;
            return match self.symbol(&[")"]) {
                Some(_) => Ok(condition),
                None => Err((self.at(), "a `)` is missing")),
            };
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition, Trouble> {
        const OPERATORS: [(&str, &str); 8] =
            [("=", "="), ("==", "="), ("!=", "<>"), ("<>", "<>"), ("<", "<"), ("<=", "<="), (">", ">"), (">=", ">=")];
        let left = self.operand()?;
        if self.word("IS") {
            let not = self.word("NOT");
            let words = [
                ("NULL", "IS NULL", "IS NOT NULL"),
                ("TRUE", "IS TRUE", "IS NOT TRUE"),
                ("FALSE", "IS FALSE", "IS NOT FALSE"),
            ];
            let found = words.iter().find(|(word, ..)| self.word(word));
            let (_, is, is_not) = found.ok_or((self.at(), "NULL, TRUE or FALSE is missing behind IS"))?;
            return Ok(Condition::Is(left, if not { is_not } else { is }));
        }
        let negated = self.word("NOT");
        if self.word("IN") {
            let list = Condition::In(left, self.list()?);
            return Ok(if negated { Condition::Not(Box::new(list)) } else { list });
        }
        if negated {
            return Err((self.at(), "IN is missing behind NOT"));
        }
        let Some(symbol) = self.symbol(&OPERATORS.map(|(symbol, _)| symbol)) else {
            return match left {
                Operand::Column(_) | Operand::Boolean(_) => Ok(Condition::Holds(left)),
                _ => Err((self.at(), "a comparison is missing")),
            };
        };
        let operator = OPERATORS.iter().find(|(name, _)| *name == symbol).map_or("=", |(_, operator)| operator);
        let right = self.operand()?;
        match (left, operator, right) {
            (operand, "=", Operand::Null) | (Operand::Null, "=", operand) => Ok(Condition::Is(operand, "IS NULL")),
            (operand, "<>", Operand::Null) | (Operand::Null, "<>", operand) => {
                Ok(Condition::Is(operand, "IS NOT NULL"))
            }
            (left, operator, right) => Ok(Condition::Compare(left, operator, right)),
        }
    }

    fn list(&mut self) -> Result<Vec<Operand>, Trouble> {
        if self.symbol(&["("]).is_none() {
            return Err((self.at(), "a `(` is missing behind IN"));
        }
        let mut values = Vec::new();
        loop {
            let at = self.at();
            match self.operand()? {
                Operand::Column(_) => return Err((at, "a list holds values, not columns")),
                value => values.push(value),
            }
            match self.symbol(&[",", ")"]) {
                Some(",") => {}
                Some(_) => return Ok(values),
                None => return Err((self.at(), "a `,` or `)` is missing")),
            }
        }
    }

    fn operand(&mut self) -> Result<Operand, Trouble> {
        const KEYWORDS: [&str; 6] = ["AND", "OR", "NOT", "IS", "IN", "LIKE"];
        let at = self.at();
        let nul = |_| (at, "a NUL cannot be compared");
        if self.symbol(&["-"]).is_some() {
            let Some((_, Token::Number(number))) = self.tokens.get(self.next) else {
                return Err((self.at(), "a number is missing behind `-`"));
            };
            self.next += 1;
            return Ok(Operand::Number(StringLiteral::new(["-", number].concat()).map_err(nul)?));
        }
        let Some((_, token)) = self.tokens.get(self.next) else {
            return Err((at, "a column or a value is missing"));
        };
        self.next += 1;
        let name = match token {
            Token::Text(text) => return Ok(Operand::Text(StringLiteral::new(text.clone()).map_err(nul)?)),
            Token::Number(number) => return Ok(Operand::Number(StringLiteral::new(number.clone()).map_err(nul)?)),
            Token::Keyword(word) if word.eq_ignore_ascii_case("NULL") => return Ok(Operand::Null),
            Token::Keyword(word) if word.eq_ignore_ascii_case("TRUE") => return Ok(Operand::Boolean(true)),
            Token::Keyword(word) if word.eq_ignore_ascii_case("FALSE") => return Ok(Operand::Boolean(false)),
            Token::Keyword(word) if !KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) => word,
            Token::Quoted(name) => name,
            Token::Keyword(_) | Token::Symbol(_) => return Err((at, "a column or a value is missing")),
        };
        let mut name = name.clone();
        while self.symbol(&["."]).is_some() {
            match self.tokens.get(self.next) {
                Some((_, Token::Keyword(part) | Token::Quoted(part))) => {
                    name = [&name, ".", part].concat();
                    self.next += 1;
                }
                _ => return Err((self.at(), "a name is missing behind `.`")),
            }
        }
        Ident::new(name).map(Operand::Column).map_err(|_| (at, "a column has a name without NUL"))
    }

    /// Where the next token begins.
    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    /// Takes the next token if it is this keyword.
    fn word(&mut self, keyword: &str) -> bool {
        let found =
            matches!(self.tokens.get(self.next), Some((_, Token::Keyword(word))) if word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(found);
        found
    }

    /// Takes the next token if it is one of these symbols.
    fn symbol(&mut self, symbols: &[&str]) -> Option<&'static str> {
        match self.tokens.get(self.next) {
            Some((_, Token::Symbol(symbol))) if symbols.contains(symbol) => {
                self.next += 1;
                Some(symbol)
            }
            _ => None,
        }
    }
}

fn one_or(mut conditions: Vec<Condition>, many: impl FnOnce(Vec<Condition>) -> Condition) -> Condition {
    match conditions.len() {
        1 => conditions.swap_remove(0),
        _ => many(conditions),
    }
}
