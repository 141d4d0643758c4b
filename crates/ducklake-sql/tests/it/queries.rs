//! Queries written as one text with holes: what fills a hole, and how the text is laid out.

use std::collections::BTreeMap;

use ducklake_sql::{
    Alias, Ident, Keyword, Parameter, Secret, Sql, StringLiteral, Value, WriteSql, Writer, all, any, bind, columns,
    list, numbered, separated, sql, write_sql,
};

/// A query as it is reviewed: with the names of its values, over several lines.
fn formatted(query: &Sql) -> String {
    let names = query.names().map(|name| ["{", name, "}"].concat()).collect();
    let options = sqlformat::FormatOptions {
        max_inline_block: 100,
        max_inline_arguments: Some(100),
        max_inline_top_level: Some(100),
        ..sqlformat::FormatOptions::default()
    };
    sqlformat::format(query.text(), &sqlformat::QueryParams::Indexed(names), &options)
}

/// What a value makes of a hole, with the names of what it binds.
fn filled(value: &dyn WriteSql) -> (String, Vec<String>) {
    let query = sql!("{hole}", hole = value);
    (query.text().to_owned(), query.names().map(str::to_owned).collect())
}

fn ident(name: &str) -> Ident {
    Ident::new(name).unwrap()
}

#[test]
fn a_hole_is_filled_by_each_kind_of_value() {
    let two = vec![Value::from("a"), Value::from(1)];
    let map: BTreeMap<_, _> = [("it's".to_owned(), Value::from(1))].into();
    let cases: [(&dyn WriteSql, &str, &[&str]); 19] = [
        (&ident("a\"b"), r#""a""b""#, &[]),
        (&Alias::new("lake").unwrap(), r#""lake""#, &[]),
        (&StringLiteral::new("it's {x} ?").unwrap(), "'it''s {x} ?'", &[]),
        (&Keyword::new("sslmode").unwrap(), "sslmode", &[]),
        (&7_u64, "7", &[]),
        (&7_usize, "7", &[]),
        (&bind("it's"), "?", &["hole"]),
        (&bind(Secret::from("hunter2")), "?", &["hole"]),
        (&Value::List(two), "[?, ?]", &["hole[0]", "hole[1]"]),
        (&Value::Map(map), "MAP {'it''s': ?}", &["hole.it's"]),
        (&sql!("count(*)  + {one}", one = bind(1)), "count(*) + ?", &["one"]),
        (&Sql::fixed("a  b"), "a  b", &[]),
        (&Some(sql!("LIMIT 1")), "LIMIT 1", &[]),
        (&None::<Sql>, "", &[]),
        (&numbered("upstream_", 12), "upstream_12", &[]),
        (&list([bind(1), bind(2)]), "?, ?", &["value", "value"]),
        (&columns("r", &[ident("a"), ident("b")]), r#"r."a", r."b""#, &[]),
        (&separated(" || ", [1_u64, 2]), "1 || 2", &[]),
        (&&&ident("a"), r#""a""#, &[]),
    ];
    for (value, text, names) in cases {
        let (found, bound) = filled(value);
        assert_eq!(
            (found.as_str(), bound.as_slice()),
            (text, &names.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
        );
    }
}

#[test]
fn values_are_bound_in_the_order_of_the_text() {
    let inner = sql!("SELECT {b}, {c}", b = bind("b"), c = bind(Secret::from("c")));
    let query = sql!("SELECT {a}, ({inner}), {a}, {inner}", inner, a = bind("a"));
    assert_eq!(query.text(), "SELECT ?, (SELECT ?, ?), ?, SELECT ?, ?");
    assert_eq!(query.names().collect::<Vec<_>>(), ["a", "b", "c", "a", "b", "c"]);
    let values: Vec<_> = query
        .parameters()
        .map(|parameter| match parameter {
            Parameter::Text(text) => text,
            _ => "not a string",
        })
        .collect();
    assert_eq!(values, ["a", "b", "c", "a", "b", "c"]);
    assert_eq!(query.scrub("abc"), "ab***");
}

#[test]
fn whitespace_outside_of_quotes_is_one_space() {
    let (nothing, table) = (None::<Sql>, ident("a  b"));
    let query = sql!(
        "
        SELECT  'a  b'
        FROM (
            SELECT\t1
            {nothing}
        ) AS \"a  b\"  {nothing}
        JOIN {table}{nothing} ON {nothing} TRUE
        {nothing}
        ",
        nothing,
        table,
    );
    assert_eq!(query.text(), r#"SELECT 'a  b' FROM (SELECT 1) AS "a  b" JOIN "a  b" ON TRUE"#);
    assert_eq!(sql!("{{'a': '{{{{}}'}}").text(), "{'a': '{{}'}");
}

#[test]
fn a_list_without_items_takes_one_comma_along() {
    let (none, one) = (list(None::<Sql>), list([1_u64]));
    let text = |query: Sql| query.text().to_owned();
    assert_eq!(text(sql!("SELECT {none}, a", none)), "SELECT a");
    assert_eq!(text(sql!("SELECT a, {none} FROM t", none)), "SELECT a FROM t");
    assert_eq!(text(sql!("SELECT a, {none}", none)), "SELECT a");
    assert_eq!(text(sql!("SELECT a, {none}, b", none)), "SELECT a, b");
    assert_eq!(text(sql!("SELECT a, {none}, {none}, b", none)), "SELECT a, b");
    assert_eq!(text(sql!("SELECT a, {none}, {one}, {none} FROM t", none, one)), "SELECT a, 1 FROM t");
    assert_eq!(text(sql!("SELECT {none}, {one}, a, {none}, {none} FROM t", none, one)), "SELECT 1, a FROM t");
    assert_eq!(text(sql!("f({none}, {one})", none, one)), "f(1)");
    assert_eq!(text(sql!("f({one}, {none})", none, one)), "f(1)");
    assert_eq!(text(sql!("f({none})", none)), "f()");
    // An optional part that is no list leaves the commas alone, as does a comma that is not the text's.
    assert_eq!(text(sql!("SELECT count(*) {none}, a", none = None::<Sql>)), "SELECT count(*), a");
    assert_eq!(text(sql!("{text} {none}", text = sql!("a,"), none)), "a,");
}

#[test]
fn lists_are_flat() {
    let (none, some) = (list(None::<Sql>), list([1_u64, 2]));
    assert_eq!(Sql::from(list([&none, &some, &none, &some])).text(), "1, 2, 1, 2");
    assert_eq!(separated("; ", [None, Some(sql!("a")), None, Some(sql!("b"))]).text(), "a; b");
    assert!(list([&none, &none]).is_empty() && !some.is_empty());
}

#[test]
fn conditions_are_joined() {
    let conditions = || (0..2).map(|number| sql!("{name} = {number}", name = numbered("c", number), number));
    assert_eq!(all([any(conditions()), all(conditions())]).text(), "(c0 = 0 OR c1 = 1) AND c0 = 0 AND c1 = 1");
    assert_eq!(all([any(None::<Sql>), all(None::<Sql>)]).text(), "FALSE AND TRUE");
}

#[test]
fn texts_are_written_one_after_the_other() {
    struct Query;
    impl WriteSql for Query {
        fn write_sql(&self, sql: &mut Writer) {
            write_sql!(sql, "SELECT");
            write_sql!(sql, " {one}, {two}", one = bind(1), two = ident("two"));
            write_sql!(sql, " FROM (");
            write_sql!(sql, " SELECT {three} ) ", three = bind(3));
            write_sql!(sql, " AS r");
        }
    }
    let query = sql!("{query}", query = Query);
    assert_eq!(query.text(), r#"SELECT ?, "two" FROM (SELECT ?) AS r"#);
    assert_eq!(query.names().collect::<Vec<_>>(), ["one", "three"]);
}

#[test]
fn a_query_of_several_parts_can_be_reviewed() {
    struct Table(Ident);
    impl WriteSql for Table {
        fn write_sql(&self, sql: &mut Writer) {
            write_sql!(
                sql,
                "{lake}.main.{name} AT (VERSION => {snapshot})",
                lake = ident("lake"),
                name = self.0,
                snapshot = bind(7)
            );
        }
    }
    let keys = [ident("video"), ident("frame")];
    let latest = |table: &str| {
        sql!(
            "SELECT r.*, r.rowid
             FROM {table} AS r
             WHERE r.metaxy_feature_version = {version}
             QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY r.metaxy_updated_at DESC) = 1",
            table = Table(ident(table)),
            version = bind("abc"),
            keys = list(&keys),
        )
    };
    let upstream = list(["crop", "audio"].iter().enumerate().map(|(number, table)| {
        sql!("{name} AS ({latest})", name = numbered("upstream_", number), latest = latest(table))
    }));
    let query = sql!(
        "WITH {upstream}
         SELECT {keys}, {{'video': upstream_0.path, 'audio': {path}}} AS paths
         FROM upstream_0
         JOIN upstream_1 ON {on}
         WHERE {conditions}",
        upstream,
        keys = columns("upstream_0", &keys),
        path = bind("it's"),
        on = all(keys.iter().map(|key| sql!("upstream_0.{key} = upstream_1.{key}", key))),
        conditions = all([any([sql!("upstream_0.size > {size}", size = bind(9)), sql!("upstream_1.size IS NULL")])]),
    );
    insta::assert_snapshot!(formatted(&query));
}
